//! What the scanner takes for a message, and where it ends (RFC 3261 §7, §18.3).

#![allow(clippy::unwrap_used)]

use super::*;

fn parse(text: &str) -> Result<Message<'_>, ParseError> {
    Message::parse(text.as_bytes())
}

#[test]
fn start_lines() {
    let request = |method, uri, version_ok| Some(StartLine::Request { method, uri, version_ok });
    let status = |code, reason| Some(StartLine::Status { code, reason });
    let invite = Method::Invite;
    let table = [
        ("INVITE sip:a@b SIP/2.0", request(invite, "sip:a@b", true)),
        ("INVITE  sip:a@b  SIP/2.0  ", request(invite, "sip:a@b", true)),
        ("INVITE sip:a@b sip/2.0", request(invite, "sip:a@b", true)),
        ("INVITE sip:a@b SIP/7.0", request(invite, "sip:a@b", false)),
        ("INVITE sip:a; lr SIP/2.0", request(invite, "sip:a; lr", true)),
        ("invite sip:a SIP/2.0", request(Method::Other("invite"), "sip:a", true)),
        ("SIP/2.0 200 OK", status(200, "OK")),
        ("SIP/2.0 100 ", status(100, "")),
        ("SIP/2.0 100", status(100, "")),
        ("SIP/2.0 699 не  сейчас", status(699, "не  сейчас")),
        ("SIP/2.0 4294967301 x", None),
        ("SIP/2.0 099 x", None),
        ("SIP/2.0 700 x", None),
        ("SIP/2.0 20 x", None),
        ("SIP/2.0 +20 x", None),
        ("SIP/3.0 200 OK", None),
        ("GET / HTTP/1.1", None),
        ("INVITE sip:a@b", None),
        ("INVITE SIP/2.0", None),
        ("INV(TE sip:a SIP/2.0", None),
        ("v=0", None),
        ("\0\x01\x02", None),
    ];
    for (line, expected) in table {
        let text = format!("{line}\r\nTo: x\r\n\r\n");
        let got = parse(&text).map(|msg| msg.start);
        assert_eq!(got, expected.ok_or(ParseError::StartLine), "{line:?}");
    }
}

#[test]
fn line_breaks_alone_are_a_keep_alive() {
    for text in ["", "\r\n", "\r\n\r\n", "\n\n\n"] {
        assert_eq!(parse(text).unwrap_err(), ParseError::Empty, "{text:?}");
    }
    assert!(parse("\r\n\r\nOPTIONS sip:a SIP/2.0\r\n\r\n").is_ok());
}

#[test]
fn header_lines() {
    let msg = parse(
        "OPTIONS sip:a SIP/2.0\r\nTO :\r\n sip:b ;\r\n\ttag = 1\r\nX-Vendor:\r\nl: 0\r\n\
         no colon here\r\nBad Name: 1\r\n: nothing\r\n\r\n",
    )
    .unwrap();
    let lines: Vec<_> = msg.headers.iter().map(|it| (it.name, it.raw_name, it.value)).collect();
    let expected = [
        (HeaderName::To, "TO", "sip:b ;\r\n\ttag = 1"),
        (HeaderName::Other, "X-Vendor", ""),
        (HeaderName::ContentLength, "l", "0"),
        (HeaderName::Other, "", "no colon here"),
        (HeaderName::Other, "", "Bad Name: 1"),
        (HeaderName::Other, "", ": nothing"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(msg.headers.named("x-vendor"), Some(""));
}

#[test]
fn a_folded_start_line_gives_a_nameless_header() {
    let msg = parse("OPTIONS sip:a SIP/2.0\r\n To: x\r\n\r\n").unwrap();
    assert_eq!(msg.headers.iter().next().unwrap().raw_name, "");
}

#[test]
fn bodies() {
    let table = [
        ("Content-Length: 3\r\n\r\nabcdef", "abc"),
        ("Content-Length: 0\r\n\r\nabcdef", ""),
        ("Content-Length : 3\r\n\r\nabcdef", "abc"),
        ("Content-Length:\r\n  3\r\n\r\nabcdef", "abc"),
        ("l: 3\r\n\r\nabcdef", "abc"),
        ("l: 003\r\n\r\nabcdef", "abc"),
        ("X: y\r\n\r\nabc\r\n\r\ndef", "abc\r\n\r\ndef"),
        ("X: y\n\nabc", "abc"),
        ("X: y\r\n\nabc", "abc"),
        ("\r\nabc", "abc"),
        ("X: y", ""),
        ("", ""),
        // Lengths that lie: all that came, for `check` to report.
        ("l: 9\r\n\r\nabc", "abc"),
        ("l: -1\r\n\r\nabc", "abc"),
        ("l: 1\r\nl: 2\r\n\r\nabc", "abc"),
        ("l: 18446744073709551616\r\n\r\nabc", "abc"),
    ];
    for (rest, body) in table {
        let text = format!("OPTIONS sip:a SIP/2.0\r\n{rest}");
        assert_eq!(parse(&text).unwrap().body, body.as_bytes(), "{rest:?}");
    }
}

#[test]
fn a_head_that_is_not_utf8_is_sanitized_octet_by_octet() {
    let bytes = b"\r\nOPTIONS sip:a SIP/2.0\r\nSubject: \xd6\xd0\xce\xc4!\r\nl: 2\r\n\r\n\xff\xfe";
    assert_eq!(Message::parse(bytes).unwrap_err(), ParseError::NotUtf8);
    let copy = sanitize(bytes).unwrap();
    assert_eq!(copy.len(), bytes.len());
    let msg = Message::parse(&copy).unwrap();
    assert_eq!(msg.headers.get(HeaderName::Subject), Some("????!"));
    assert_eq!(msg.body, b"\xff\xfe");
    assert_eq!(sanitize("OPTIONS sip:a SIP/2.0\r\nSubject: 中文\r\n\r\n".as_bytes()), None);
}

#[test]
fn headers_spill_and_then_are_refused() {
    let with = |lines: usize| format!("OPTIONS sip:a SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(lines));
    assert_eq!(parse(&with(MAX_HEADERS)).unwrap().headers.len(), MAX_HEADERS);
    assert_eq!(parse(&with(MAX_HEADERS + 1)).unwrap_err(), ParseError::TooManyHeaders);
}

#[test]
fn the_end_of_a_head_is_found_in_pieces_without_looking_back() {
    let bytes = b"OPTIONS sip:a SIP/2.0\r\nX: y\r\n z\r\n\r\nbody";
    let expected = bytes.len() - 4;
    let mut scanned = 0;
    for end in 0..=bytes.len() {
        let before = scanned;
        match head_end(&bytes[..end], &mut scanned) {
            Some(len) => {
                assert_eq!((len, end), (expected, expected));
                return;
            }
            None => assert!(scanned >= before && scanned + 2 >= end),
        }
    }
    panic!("no end found");
}

#[test]
fn the_first_colon_is_found_wherever_it_is() {
    for filler in *b"a;9\0\xba\xff" {
        for len in 0..40 {
            assert_eq!(colon(&vec![filler; len]), None, "{filler} {len}");
            for at in 0..len {
                let mut text = vec![filler; len];
                text[at] = b':';
                text[len - 1] = b':';
                assert_eq!(colon(&text), Some(at), "{filler} {len}");
            }
        }
    }
}

#[test]
fn a_header_is_found_in_every_place() {
    for place in [1, 2, 253, 254, 255, 256] {
        let before = "X: y\r\n".repeat(place - 1);
        let after = "v: second\r\n".repeat(usize::from(place < MAX_HEADERS));
        let text = format!("OPTIONS sip:a SIP/2.0\r\n{before}Via: first\r\n{after}\r\n");
        let msg = parse(&text).unwrap();
        assert_eq!(msg.headers.get(HeaderName::Via), Some("first"), "{place}");
        assert_eq!(msg.headers.all(HeaderName::Via).count(), 1 + after.len() / 11, "{place}");
        assert_eq!(msg.headers.get(HeaderName::From), None);
    }
}
