//! The torture messages of RFC 4475 and RFC 5118 against parser, checks and framer.
//!
//! `torture/manifest.csv` says for each message where it is defined and what becomes of it:
//! `ok`, the status of the refusal, `foreign` (a response with another element's Via) or
//! `discard` (a response that is dropped).

#![allow(clippy::unwrap_used)]

mod common;

use common::{corpus, exercise, framed, message};
use sip::message::{Contact, HeaderName, Host, Message, StartLine, check, uri_equivalent};

fn reaction(bytes: &[u8]) -> String {
    let Ok(msg) = Message::parse(bytes) else {
        return "discard".into();
    };
    match check(&msg) {
        Ok(essentials) if !msg.is_request() && essentials.via_count > 1 => "foreign".into(),
        Ok(_) => "ok".into(),
        Err(malformed) if msg.is_request() => malformed.status().0.to_string(),
        Err(_) => "discard".into(),
    }
}

#[test]
fn each_message_gets_its_reaction() {
    let wrong: Vec<String> = corpus()
        .iter()
        .filter(|it| reaction(&it.bytes) != it.expected)
        .map(|it| {
            let why = Message::parse(&it.bytes).map(|msg| check(&msg).map(|_| ()));
            format!("{}: {} instead of {} ({why:?})", it.file, reaction(&it.bytes), it.expected)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_prefix_of_every_message_is_survived() {
    for it in corpus() {
        for end in 0..=it.bytes.len() {
            exercise(&it.bytes[..end]);
        }
    }
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_messages() {
    let mut whole_messages = 0;
    for it in corpus() {
        let whole = framed([&it.bytes[..]]);
        for cut in 0..=it.bytes.len() {
            let (head, tail) = it.bytes.split_at(cut);
            assert_eq!(framed([head, tail]), whole, "{} cut at {cut}", it.file);
        }
        let Some(first) = whole.0.first() else {
            continue;
        };
        whole_messages += 1;
        // The stream and the datagram are read alike.
        let streamed = Message::parse(first).unwrap();
        let datagram = Message::parse(&it.bytes).unwrap();
        assert_eq!(streamed.start, datagram.start, "{}", it.file);
        assert_eq!(streamed.body, datagram.body, "{}", it.file);
        assert_eq!(streamed.headers.len(), datagram.headers.len(), "{}", it.file);
    }
    assert!(whole_messages > 50, "{whole_messages}");
}

#[test]
fn folds_and_compact_forms() {
    let bytes = message("rfc4475/wsinv.dat");
    let msg = Message::parse(&bytes).unwrap();
    let it = check(&msg).unwrap();
    assert_eq!(it.via.host, Host::Ip("192.0.2.2".parse().unwrap()));
    assert_eq!(it.via.branch(), Some("390skdjuw"));
    assert_eq!(it.via_count, 3);
    assert_eq!((it.to_tag, it.from_tag), (Some("1918181833n"), Some("98asjd8")));
    assert_eq!(it.from.display_name(), "J Rosenberg \\\"");
    assert_eq!(it.cseq.number, 9);
    assert_eq!(it.max_forwards, Some(68));
    let contact: Contact<'_> = msg.headers.require().unwrap();
    assert_eq!(contact.q(), Some(330));
    assert_eq!(contact.addr().unwrap().display_name(), "Quoted string \"\"");
    assert_eq!(msg.body.len(), 150);
}

#[test]
fn escapes() {
    let bytes = message("rfc4475/semiuri.dat");
    let msg = Message::parse(&bytes).unwrap();
    let uri = check(&msg).unwrap().uri.unwrap();
    assert_eq!(uri.user_unescaped(), "user;par=u@example.net");
    assert_eq!(uri.host(), Some(Host::Name("example.com")));

    let bytes = message("rfc4475/escnull.dat");
    let msg = Message::parse(&bytes).unwrap();
    let contacts: Vec<_> = msg.headers.each::<Contact<'_>>().map(Result::unwrap).collect();
    let [one, two] = &contacts[..] else {
        panic!("two contacts");
    };
    let (one, two) = (one.addr().unwrap(), two.addr().unwrap());
    assert_eq!(one.uri.user_unescaped(), "\0");
    assert!(!uri_equivalent(&one.uri, &two.uri));

    let bytes = message("rfc4475/esc01.dat");
    let msg = Message::parse(&bytes).unwrap();
    let uri = check(&msg).unwrap().uri.unwrap();
    assert_eq!(uri.user_unescaped(), "sips:user@example.com");
    let contact: Contact<'_> = msg.headers.require().unwrap();
    assert!(contact.addr().unwrap().uri.lr());
}

#[test]
fn octets_after_the_body_do_not_count() {
    let bytes = message("rfc4475/dblreq.dat");
    let msg = Message::parse(&bytes).unwrap();
    assert_eq!(msg.body, b"");
    let headers = |name| msg.headers.all(name).count();
    assert_eq!((headers(HeaderName::CSeq), headers(HeaderName::Via)), (1, 1));
    // On a stream the second message is one of its own.
    assert_eq!(framed([&bytes[..]]).0.len(), 2);
}

#[test]
fn start_lines_of_every_sign() {
    let bytes = message("rfc4475/unreason.dat");
    let StartLine::Status { code: 200, reason } = Message::parse(&bytes).unwrap().start else {
        panic!("a 200");
    };
    assert!(reason.starts_with("= 2**3 * 5**2 "));

    let bytes = message("rfc4475/intmeth.dat");
    let msg = Message::parse(&bytes).unwrap();
    let method = msg.method().unwrap();
    assert_eq!(method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(check(&msg).unwrap().uri.unwrap().host(), Some(Host::Name("example.com")));
}

#[test]
fn ipv6() {
    let host = |file: &str| {
        let bytes = message(file);
        let uri = check(&Message::parse(&bytes).unwrap()).unwrap().uri.unwrap();
        (uri.host().and_then(|it| it.ip()).unwrap().to_string(), uri.port())
    };
    assert_eq!(host("rfc5118/port-ambiguous.dat"), ("2001:db8::10:5070".into(), None));
    assert_eq!(host("rfc5118/port-unambiguous.dat"), ("2001:db8::10".into(), Some(5070)));
    for file in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let bytes = message(&format!("rfc5118/{file}.dat"));
        let via = check(&Message::parse(&bytes).unwrap()).unwrap().via;
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
    }
}
