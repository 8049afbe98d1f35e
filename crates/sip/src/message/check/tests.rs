//! Every way a message can be refused, one line away from a good one.

#![allow(clippy::unwrap_used)]

use super::*;

const GOOD: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:alice@example.com>;tag=a\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: 1@example.com\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\
    \r\n\
    v=0\r\n";

fn judge(text: &str) -> Result<(), (u16, &'static str)> {
    let msg = Message::parse(text.as_bytes()).map_err(|_| (0, "not a message"))?;
    check(&msg).map(|_| ()).map_err(|it| it.status())
}

#[test]
fn a_good_request() {
    let msg = Message::parse(GOOD.as_bytes()).unwrap();
    let it = check(&msg).unwrap();
    assert_eq!(it.via.branch(), Some("z9hG4bK1"));
    assert_eq!(it.via_count, 1);
    assert_eq!(it.from.uri_text, "sip:alice@example.com");
    assert_eq!((it.from_tag, it.to_tag), (Some("a"), None));
    assert_eq!(it.to.uri.user(), Some("bob"));
    assert_eq!(it.call_id, "1@example.com");
    assert_eq!(it.cseq.number, 7);
    assert_eq!(it.max_forwards, Some(70));
    assert_eq!(it.uri.unwrap().user(), Some("bob"));
}

#[test]
fn one_line_replaced() {
    let table = [
        // what, by what, answer
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", Err((505, "Version Not Supported"))),
        ("sip:bob@example.com SIP", "<sip:bob@a> SIP", Err((400, "Malformed Request-URI"))),
        ("sip:bob@example.com SIP", "sip:bob@a; lr SIP", Err((400, "Malformed Request-URI"))),
        ("sip:bob@example.com SIP", "sip:a?Route=x SIP", Err((400, "Malformed Request-URI"))),
        ("sip:bob@example.com SIP", "sip:a::1 SIP", Err((400, "Malformed Request-URI"))),
        ("sip:bob@example.com SIP", "bob SIP", Err((400, "Malformed Request-URI"))),
        ("sip:bob@example.com SIP", "tel:+1 SIP", Ok(())),
        ("sip:bob@example.com SIP", "soap.beep://a:1 SIP", Ok(())),
        ("Max-Forwards: 70\r\n", "", Ok(())),
        ("Max-Forwards: 70", "Max-Forwards: 256", Err((400, "Malformed Max-Forwards"))),
        ("Max-Forwards: 70", "Max-Forwards: x", Err((400, "Malformed Max-Forwards"))),
        (
            "Max-Forwards: 70",
            "Max-Forwards: 70\r\nmax-forwards: 70",
            Err((400, "More than one Max-Forwards")),
        ),
        ("Max-Forwards: 70", "Expires: 4294967296", Err((400, "Malformed Expires"))),
        ("Max-Forwards: 70", "Expires: 4294967295", Ok(())),
        ("Max-Forwards: 70", "no colon", Err((400, "Malformed header line"))),
        ("Max-Forwards: 70", "a b: c", Err((400, "Malformed header line"))),
        ("Max-Forwards: 70", "Via: ?", Ok(())),
        ("Max-Forwards: 70", "Via: SIP/2.0/UDP a,,b", Err((400, "Malformed Via"))),
        ("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n", "", Err((400, "Missing Via"))),
        ("192.0.2.1:5060;", "192.0.2.1:70000;", Err((400, "Malformed Via"))),
        (
            "Via: SIP/2.0/UDP",
            "Via: SIP/2.0/UDP a;;,;,,\r\nVia: SIP/2.0/UDP",
            Err((400, "Malformed Via")),
        ),
        ("From: <sip:alice@example.com>;tag=a\r\n", "", Err((400, "Missing From"))),
        (";tag=a", "", Ok(())),
        ("From: ", "From: \"A ", Err((400, "Malformed From"))),
        ("To: ", "f: <sip:a>\r\nTo: ", Err((400, "More than one From"))),
        ("To: <sip:bob@example.com>\r\n", "", Err((400, "Missing To"))),
        ("To: ", "To: \"B", Err((400, "Malformed To"))),
        ("Call-ID: 1@example.com\r\n", "", Err((400, "Missing Call-ID"))),
        ("Call-ID: 1@example.com", "Call-ID:", Err((400, "Malformed Call-ID"))),
        ("Call-ID: ", "i: 2\r\nCall-ID: ", Err((400, "More than one Call-ID"))),
        ("CSeq: 7 INVITE\r\n", "", Err((400, "Missing CSeq"))),
        ("CSeq: 7 INVITE", "CSeq: 7 OPTIONS", Err((400, "CSeq method does not match"))),
        ("CSeq: 7 INVITE", "CSeq: 2147483648 INVITE", Err((400, "Malformed CSeq"))),
        ("Contact: <sip:alice@192.0.2.1>\r\n", "", Ok(())),
        ("Contact: ", "Contact: *, ", Ok(())),
        ("<sip:alice@192.0.2.1>", "<sip:a>;expires=soon", Ok(())),
        ("<sip:alice@192.0.2.1>", "sip:a?Route=b", Err((400, "Malformed Contact"))),
        ("<sip:alice@192.0.2.1>", "<sip:a>, \"b <sip:c>", Err((400, "Malformed Contact"))),
        ("<sip:alice@192.0.2.1>", "<sip:a>,", Err((400, "Malformed Contact"))),
        ("Length: 5", "Length: 6", Err((400, "Content-Length exceeds the message"))),
        ("Length: 5", "Length: 4", Ok(())),
        ("Length: 5", "Length: -5", Err((400, "Malformed Content-Length"))),
        ("Length: 5", "Length:", Err((400, "Malformed Content-Length"))),
        ("Length: 5", "Length: 5\r\nl: 5", Err((400, "More than one Content-Length"))),
        ("Content-Length: 5\r\n", "", Ok(())),
        ("Content-Type:", "c: a/b\r\nContent-Type:", Err((400, "More than one Content-Type"))),
    ];
    for (what, by, expected) in table {
        assert_eq!(GOOD.matches(what).count(), 1, "{what:?}");
        assert_eq!(judge(&GOOD.replace(what, by)), expected, "{by:?} for {what:?}");
    }
}

#[test]
fn responses_are_held_to_the_same() {
    let good = GOOD.replace("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK");
    assert_eq!(judge(&good), Ok(()));
    // The method of a response stands in CSeq alone.
    assert_eq!(judge(&good.replace("7 INVITE", "7 BYE")), Ok(()));
    assert!(judge(&good.replace("7 INVITE", "9292394834772304023312 BYE")).is_err());
    let msg = good.replace("Max-Forwards: 70", "v: SIP/2.0/UDP 255.255.255.255");
    assert_eq!(check(&Message::parse(msg.as_bytes()).unwrap()).unwrap().via_count, 2);
}
