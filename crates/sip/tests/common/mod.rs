//! The torture corpus, and what must hold for octets of any kind.

#![allow(clippy::unwrap_used, dead_code)]

use bytes::Bytes;
use sip::frame::{Frame, FrameErrorKind, Framer};
use sip::message::{
    Accept, Authorization, CSeq, CallId, Contact, ContentLength, ContentType, Expires, From,
    HeaderName, Headers, MaxForwards, Message, MinExpires, ParseError, ProxyAuthorization, Reason,
    RecordRoute, Route, StartLine, To, TypedHeader, Uri, Via, Writer, check, reason_phrase,
    response_to, sanitize,
};
use std::net::SocketAddr;
use std::path::Path;

/// One message of RFC 4475 or RFC 5118.
pub(crate) struct Torture {
    pub(crate) file: String,
    pub(crate) expected: String,
    pub(crate) bytes: Vec<u8>,
}

/// The messages of `torture/manifest.csv`.
pub(crate) fn corpus() -> Vec<Torture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let manifest = std::fs::read_to_string(root.join("manifest.csv")).unwrap();
    let rows: Vec<Torture> = manifest
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let file = cells.next().unwrap().to_owned();
            let expected = cells.nth(1).unwrap().to_owned();
            let bytes = std::fs::read(root.join(&file)).unwrap();
            Torture { file, expected, bytes }
        })
        .collect();
    assert_eq!(rows.len(), 61, "49 of RFC 4475 and 12 of RFC 5118");
    rows
}

pub(crate) fn message(file: &str) -> Vec<u8> {
    corpus().into_iter().find(|it| it.file == file).unwrap().bytes
}

/// Reads octets in every way there is. Beside not panicking: a sanitized head is UTF-8, and what
/// is printed from a message has no more and no fewer header lines than were meant.
pub(crate) fn exercise(bytes: &[u8]) {
    let sanitized = sanitize(bytes);
    let msg = match (Message::parse(bytes), &sanitized) {
        (Ok(msg), None) => msg,
        (Err(ParseError::NotUtf8), Some(copy)) => match Message::parse(copy) {
            Ok(msg) => msg,
            Err(error) => return assert_ne!(error, ParseError::NotUtf8),
        },
        (Err(_), _) => return,
        (Ok(_), Some(_)) => panic!("a message that parses needs no sanitizing"),
    };
    let checked = check(&msg);
    read_all(&msg.headers);
    if let StartLine::Request { uri, .. } = msg.start {
        respond(&msg, checked.is_ok());
        if let Ok(parsed) = Uri::parse(uri) {
            assert_eq!(Uri::parse(&parsed.to_string()), Ok(parsed), "{uri}");
        }
    }
    reprint(&msg);
}

fn read_all(headers: &Headers<'_>) {
    fn each<'a, H: TypedHeader<'a>>(headers: &Headers<'a>) {
        let good = headers.each::<H>().filter(Result::is_ok).count();
        assert!(good <= headers.values(H::NAME).count().max(headers.all(H::NAME).count()));
        let _ = headers.find::<H>();
    }
    each::<Via<'_>>(headers);
    each::<From<'_>>(headers);
    each::<To<'_>>(headers);
    each::<CallId<'_>>(headers);
    each::<CSeq<'_>>(headers);
    each::<MaxForwards>(headers);
    each::<Expires>(headers);
    each::<MinExpires>(headers);
    each::<ContentLength>(headers);
    each::<ContentType<'_>>(headers);
    each::<Accept<'_>>(headers);
    each::<Reason<'_>>(headers);
    each::<Route<'_>>(headers);
    each::<RecordRoute<'_>>(headers);
    each::<Authorization<'_>>(headers);
    each::<ProxyAuthorization<'_>>(headers);
    for contact in headers.each::<Contact<'_>>().flatten() {
        let _ = (contact.q(), contact.expires(), contact.instance(), contact.reg_id());
        if let Some(addr) = contact.addr() {
            let _ = (addr.display_name(), addr.uri.user_unescaped(), addr.uri.lr());
            assert!(sip::message::uri_equivalent(&addr.uri, &addr.uri));
        }
    }
}

/// Every request can be answered, and the answer to a good one is itself good.
fn respond(request: &Message<'_>, is_good: bool) {
    let source: SocketAddr = "192.0.2.33:5099".parse().unwrap();
    for code in [100, 180, 400] {
        let phrase = reason_phrase(code);
        let bytes = response_to(request, code, phrase, Some("t"), source).finish();
        let response = Message::parse(&bytes).unwrap();
        assert_eq!(response.status(), Some(code));
        assert_eq!(response.body, b"");
        assert_eq!(response.headers.get(HeaderName::ContentLength), Some("0"));
        let vias = |headers: &Headers<'_>| headers.all(HeaderName::Via).count();
        assert_eq!(vias(&response.headers), vias(&request.headers));
        if is_good {
            let essentials = check(&response).unwrap();
            assert_eq!(Some(essentials.call_id), request.headers.get(HeaderName::CallId));
            let to: To<'_> = request.headers.require().unwrap();
            assert!(essentials.to_tag.is_some() || to.params.get("tag").is_some());
        }
    }
}

fn reprint(msg: &Message<'_>) {
    let mut writer = match msg.start {
        StartLine::Request { method, uri, .. } => Writer::request(method, uri),
        StartLine::Status { code, reason } => Writer::response(code, reason),
    };
    let mut lines = 1;
    for field in msg.headers.iter() {
        if field.name != HeaderName::ContentLength && !field.raw_name.is_empty() {
            writer.text_header(field.raw_name, field.value);
            lines += 1;
        }
    }
    let bytes = writer.finish();
    let again = Message::parse(&bytes).unwrap();
    // One line more than allowed is possible only where the message came without a length.
    assert_eq!(again.headers.len(), lines);
    assert_eq!(again.is_request(), msg.is_request());
}

/// What a framer makes of octets that come in these pieces.
pub(crate) fn framed<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Bytes>, Option<FrameErrorKind>) {
    let mut framer = Framer::default();
    let mut messages = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(Frame::Message(bytes))) => messages.push(bytes),
                Ok(Some(Frame::Ping)) => {}
                Ok(None) => break,
                Err(error) => return (messages, Some(error.kind)),
            }
        }
    }
    (messages, None)
}
