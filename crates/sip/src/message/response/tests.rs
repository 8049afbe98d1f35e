//! What a response says back (RFC 3261 §8.2.6, §18.2.1, RFC 3581 §4).

#![allow(clippy::unwrap_used)]

use super::*;
use crate::message::check;

const REQUEST: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
    Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
    f: \"A\" <sip:alice@example.com>;tag=a\r\n\
    t: <sip:bob@example.com>\r\n\
    Via: SIP/2.0/TCP first.example.com;\r\n branch=z9hG4bK0\r\n\
    Timestamp: 54\r\n\
    i: 1@example.com\r\n\
    CSeq: 7 INVITE\r\n\
    Subject: not for responses\r\n\r\n";

fn answer(request: &str, code: u16, to_tag: Option<&str>, source: &str) -> String {
    let msg = Message::parse(request.as_bytes()).unwrap();
    let writer = response_to(&msg, code, "Phrase", to_tag, source.parse().unwrap());
    String::from_utf8(writer.finish().to_vec()).unwrap()
}

#[test]
fn a_ringing_copies_the_route_and_adds_the_tag() {
    let expected = "SIP/2.0 180 Phrase\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
        Via: SIP/2.0/TCP first.example.com;  branch=z9hG4bK0\r\n\
        From: \"A\" <sip:alice@example.com>;tag=a\r\n\
        To: <sip:bob@example.com>;tag=b\r\n\
        Call-ID: 1@example.com\r\n\
        CSeq: 7 INVITE\r\n\
        Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(answer(REQUEST, 180, Some("b"), "192.0.2.1:5060"), expected);
}

#[test]
fn what_depends_on_the_status() {
    // status, Timestamp, Record-Route
    let table = [
        (100, true, false),
        (183, false, true),
        (200, false, true),
        (302, false, false),
        (486, false, false),
    ];
    for (code, timestamp, record_route) in table {
        let text = answer(REQUEST, code, None, "192.0.2.1:5060");
        assert_eq!(text.contains("\r\nTimestamp: 54\r\n"), timestamp, "{code}");
        assert_eq!(text.contains("\r\nRecord-Route:"), record_route, "{code}");
        assert!(text.contains("\r\nTo: <sip:bob@example.com>\r\n"), "{code}");
    }
}

#[test]
fn a_tag_is_never_given_twice() {
    for to in ["<sip:b>;tag=x", "sip:b;TAG=x", "<sip:b>;tag"] {
        let request = REQUEST.replace("<sip:bob@example.com>", to);
        let text = answer(&request, 200, Some("b"), "192.0.2.1:5060");
        assert!(text.contains(&format!("\r\nTo: {to}\r\n")), "{to}");
    }
    let request = REQUEST.replace("<sip:bob@example.com>", "sip:bob@example.com;x=y");
    let text = answer(&request, 200, Some("b"), "192.0.2.1:5060");
    assert!(text.contains("\r\nTo: sip:bob@example.com;x=y;tag=b\r\n"));
}

#[test]
fn the_source_is_noted_in_the_top_via() {
    #[rustfmt::skip]
    let table = [
        // Via as it came, source, Via as it goes back
        ("UDP 192.0.2.1", "192.0.2.1:5060", "UDP 192.0.2.1"),
        ("UDP 192.0.2.1", "[::ffff:192.0.2.1]:5060", "UDP 192.0.2.1"),
        ("UDP 192.0.2.1", "192.0.2.9:5060", "UDP 192.0.2.1;received=192.0.2.9"),
        ("UDP pc.example.com;branch=x", "192.0.2.9:5060", "UDP pc.example.com;branch=x;received=192.0.2.9"),
        ("UDP 192.0.2.1;rport;branch=x", "192.0.2.1:6000", "UDP 192.0.2.1;branch=x;received=192.0.2.1;rport=6000"),
        ("UDP 192.0.2.1;rport=1;branch=x", "192.0.2.9:6000", "UDP 192.0.2.1;branch=x;received=192.0.2.9;rport=6000"),
        ("UDP 192.0.2.1;received=203.0.113.66", "192.0.2.1:5060", "UDP 192.0.2.1"),
        ("UDP [2001:db8::1]:5060", "[2001:db8::1]:5060", "UDP [2001:db8::1]:5060"),
        ("UDP [2001:db8::1]", "[2001:db8::2]:5060", "UDP [2001:db8::1];received=2001:db8::2"),
        ("UDP 192.0.2.1;branch=x, SIP/2.0/UDP 192.0.2.7", "192.0.2.9:1", "UDP 192.0.2.1;branch=x;received=192.0.2.9, SIP/2.0/UDP 192.0.2.7"),
    ];
    for (came, source, goes) in table {
        let request = REQUEST.replace("UDP 192.0.2.1:5060;branch=z9hG4bK1", came);
        let text = answer(&request, 200, None, source);
        assert!(text.contains(&format!("\r\nVia: SIP/2.0/{goes}\r\nVia: ")), "{came}: {text}");
    }
}

#[test]
fn a_malformed_request_is_answered_with_what_it_has() {
    let request =
        "INVITE <sip:b> SIP/2.0\r\nVia: junk\r\nTo: \"B <sip:b>\r\nTo: <sip:c>\r\nCSeq: x\r\n\r\n";
    let expected = "SIP/2.0 400 Phrase\r\nVia: junk\r\nTo: \"B <sip:b>\r\nCSeq: x\r\n\
                    Content-Length: 0\r\n\r\n";
    assert_eq!(answer(request, 400, Some("b"), "192.0.2.1:5060"), expected);
}

#[test]
fn the_kept_head_gives_the_same_answers_and_is_allocated_once() {
    let msg = Message::parse(REQUEST.as_bytes()).unwrap();
    let source: SocketAddr = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
    let with_rport = REQUEST.replace("branch=z9hG4bK1", "branch=z9hG4bK1;rport");
    let longest = Message::parse(with_rport.as_bytes()).unwrap();
    let head = ResponseHead::of(&longest, &check(&longest).unwrap(), source);
    assert!(head.lines.len() <= room_for(&longest), "the room was enough");

    let head = ResponseHead::of(&msg, &check(&msg).unwrap(), source);
    for code in [100, 180, 200, 487] {
        let kept = head.response(code, "Phrase", Some("b")).finish();
        let direct = response_to(&msg, code, "Phrase", Some("b"), source).finish();
        assert_eq!(kept, direct);
    }
}
