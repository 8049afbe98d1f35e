//! Tables for the typed headers and the index (RFC 3261 §20, §25.1).

#![allow(clippy::unwrap_used)]

use super::*;
use crate::message::uri::{Host, Uri};
use crate::message::{Message, Method};

fn with<R>(lines: &str, test: impl FnOnce(&Headers<'_>) -> R) -> R {
    let text = format!("OPTIONS sip:a SIP/2.0\r\n{lines}\r\n\r\n");
    test(&Message::parse(text.as_bytes()).unwrap().headers)
}

#[test]
fn list_elements() {
    let table = [
        ("Supported: path, gruu", vec!["path", "gruu"]),
        ("k: path\r\nSupported: gruu,\r\n 100rel", vec!["path", "gruu", "100rel"]),
        ("Supported:", vec![]),
        ("Supported: a,,b", vec!["a", "", "b"]),
        ("Supported: a,", vec!["a", ""]),
        ("Subject: a", vec![]),
    ];
    for (lines, expected) in table {
        with(lines, |headers| {
            let values: Vec<_> = headers.values(HeaderName::Supported).collect();
            assert_eq!(values, expected, "{lines:?}");
        });
    }
    let contacts = "m: \"Watson, T. \\\",\" <sip:a@b;x=1,2>;q=0.7, sip:c@d , <sip:e>;x=\"1,2\"";
    with(contacts, |headers| {
        let values: Vec<_> = headers.values(HeaderName::Contact).collect();
        let first = "\"Watson, T. \\\",\" <sip:a@b;x=1,2>;q=0.7";
        assert_eq!(values, [first, "sip:c@d", "<sip:e>;x=\"1,2\""]);
    });
    with("m: \"a, b <sip:c>", |headers| {
        assert_eq!(headers.values(HeaderName::Contact).count(), 1);
    });
}

#[test]
fn tokens_are_found_in_any_case() {
    with("Require: 100rel\r\nRequire: Replaces, Timer", |headers| {
        assert!(headers.has_token(HeaderName::Require, "replaces"));
        assert!(!headers.has_token(HeaderName::Require, "time"));
    });
}

#[test]
fn absent_wrong_and_present_are_three_things() {
    let table = [
        ("Subject: x", Ok(None)),
        ("Expires: 60", Ok(Some(Expires(60)))),
        (
            "Expires: soon",
            Err(BadHeader::Malformed { name: "Expires", reason: "not a number of seconds" }),
        ),
        ("Expires: 60\r\nexpires: 60", Err(BadHeader::Duplicate("Expires"))),
    ];
    for (lines, expected) in table {
        assert_eq!(with(lines, |it| it.find::<Expires>()), expected, "{lines:?}");
    }
    let missing = with("Subject: x", |it| it.require::<Expires>());
    assert_eq!(missing, Err(BadHeader::Missing("Expires")));
    assert_eq!(missing.unwrap_err().to_string(), "Missing Expires");
}

#[test]
fn each_walks_lists_and_lines() {
    with("Route: <sip:a;lr>, <sip:b;lr>\r\nRoute: <sip:c;lr>", |headers| {
        let hops: Vec<_> = headers.each::<Route<'_>>().map(|it| it.unwrap().uri_text).collect();
        assert_eq!(hops, ["sip:a;lr", "sip:b;lr", "sip:c;lr"]);
    });
    with("Authorization: Basic a, b\r\nAuthorization: Other", |headers| {
        assert_eq!(headers.each::<Authorization<'_>>().count(), 2);
    });
}

#[test]
fn vias() {
    let via = |text| Via::parse(text).unwrap();
    let full = via("SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bK1;received=198.51.100.7");
    assert_eq!(full.transport, "UDP");
    assert_eq!(full.host, Host::Ip("192.0.2.1".parse().unwrap()));
    assert_eq!(full.port, Some(5062));
    assert_eq!(full.branch(), Some("z9hG4bK1"));
    assert_eq!(full.rport(), Some(None));
    assert_eq!(full.received(), Some("198.51.100.7".parse().unwrap()));

    let odd = via("SIP  /   2.0\r\n /TCP\r\n    host.example.com : 5070 ;  branch =\r\n x");
    assert_eq!(odd.transport, "TCP");
    assert_eq!(odd.host, Host::Name("host.example.com"));
    assert_eq!(odd.port, Some(5070));
    assert_eq!(odd.branch(), Some("x"));
    assert_eq!(odd.rport(), None);

    let v6 = "2001:db8::9:255".parse().unwrap();
    for text in [
        "SIP/2.0/UDP [2001:db8::1]:1;received=[2001:db8::9:255]",
        "SIP/2.0/UDP [2001:db8::1] : 1;received=2001:db8::9:255",
    ] {
        assert_eq!(via(text).received(), Some(v6));
        assert_eq!(via(text).port, Some(1));
    }
    assert_eq!(via("SIP/2.0/UDP a;rport=5060").rport(), Some(Some(5060)));
    assert_eq!(via("SIP/2.0/UDP a;rport=x;received=x").rport(), Some(None));
    assert_eq!(via("SIP/2.0/UDP a;rport=x;received=x").received(), None);
    assert_eq!(via("SIP/2.0/UDP a;branch=").branch(), None);
}

#[test]
fn bad_vias() {
    for text in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/3.0/UDP a",
        "SIP/2.0 UDP a",
        "TLS/2.0/UDP a",
        "SIP/2.0/ a",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a:0",
        "SIP/2.0/UDP a:65536",
        "SIP/2.0/UDP a:",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP a;;branch=x",
        "SIP/2.0/UDP a;branch=\"x",
        "SIP/2.0/UDP ;branch=x",
    ] {
        assert!(Via::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn addresses() {
    // value, display name, URI, tag
    let table = [
        ("sip:a@b", "", "sip:a@b", None),
        ("sip:a@b;tag=1", "", "sip:a@b", Some("1")),
        ("sip:a@b ;\r\n tag = 1", "", "sip:a@b", Some("1")),
        ("<sip:a@b;lr>;tag=1", "", "sip:a@b;lr", Some("1")),
        ("Bob <sip:a@b>;TAG=1", "Bob", "sip:a@b", Some("1")),
        ("caller<sip:a@b>;tag=323", "caller", "sip:a@b", Some("323")),
        ("\"J R \\\\\\\"\"   <sip:a@b>\r\n ;tag=x", "J R \\\"", "sip:a@b", Some("x")),
        ("\"<sip:evil>\" <sip:a@b>", "<sip:evil>", "sip:a@b", None),
        ("Bell, Alexander <sip:a@b>;tag=43", "Bell, Alexander", "sip:a@b", Some("43")),
        ("\"张三\" <sip:a@b>", "张三", "sip:a@b", None),
        ("张三 <sip:a@b>", "张三", "sip:a@b", None),
        ("< sip:a@b >", "", "sip:a@b", None),
        ("<http://example.com>;tag=3", "", "http://example.com", Some("3")),
        ("isbn:2983792873", "", "isbn:2983792873", None),
        ("<sip:a@b?Route=%3Csip:c%3E>", "", "sip:a@b?Route=%3Csip:c%3E", None),
        ("sip:a@b;x=\"<;>\";tag=9", "", "sip:a@b", Some("9")),
        ("sip:a@b;tag=", "", "sip:a@b", None),
    ];
    for (text, display, uri, tag) in table {
        let addr = NameAddr::parse(text).unwrap();
        assert_eq!(addr.display_name(), display, "{text:?}");
        assert_eq!(addr.uri_text, uri, "{text:?}");
        assert_eq!(addr.uri, Uri::parse(uri).unwrap(), "{text:?}");
        assert_eq!(addr.tag(), tag, "{text:?}");
    }
}

#[test]
fn bad_addresses() {
    for text in [
        "",
        "bob",
        "\"Mr. J. User <sip:a@b>",
        "\"Bob\" sip:a@b",
        "\"Bob\"",
        "Bob \"x\" <sip:a@b>",
        "<sip:a@b",
        "<>",
        "<sip:a@b> x",
        "<sip:a@b>;tag=\"x",
        "<<sip:a@b>>",
        "sip:a@b?Route=x",
        "sip:a,c@b",
        "<sip:a b@c>",
        "<sip:a@b>;tag=1 2",
        "<sip:a@b>;;",
    ] {
        assert!(NameAddr::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn contacts() {
    fn contact(text: &str) -> Contact<'_> {
        Contact::parse(text).unwrap()
    }
    assert_eq!(contact("*"), Contact::Star);
    assert_eq!(contact("*").expires(), None);

    let full =
        contact("\"Desk\" <sip:a@b;ob>;q=0.33;expires=60;+sip.instance=\"<urn:uuid:1>\";reg-id=1");
    assert_eq!(full.q(), Some(330));
    assert_eq!(full.expires(), Some(60));
    assert_eq!(full.instance(), Some("<urn:uuid:1>"));
    assert_eq!(full.reg_id(), Some(1));
    // Old phones send the address without brackets, and the instance after it.
    let bare = contact("sip:a@b;+sip.instance=\"<urn:uuid:1>\"");
    assert_eq!(bare.instance(), Some("<urn:uuid:1>"));
    assert_eq!(bare.addr().unwrap().uri_text, "sip:a@b");
    assert_eq!((bare.q(), bare.expires(), bare.reg_id()), (None, None, None));

    // RFC 3261 §20.10: a malformed value counts as an hour.
    for (text, seconds) in [
        ("<sip:a>;expires=0", 0),
        ("<sip:a>;expires=4294967295", u32::MAX),
        ("<sip:a>;expires=280297596632815", 3600),
        ("<sip:a>;expires=soon", 3600),
        ("<sip:a>;expires=-1", 3600),
        ("<sip:a>;expires", 3600),
    ] {
        assert_eq!(contact(text).expires(), Some(seconds), "{text}");
    }
    for (q, expected) in [
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0", Some(0)),
        ("0.5", Some(500)),
        ("0.", Some(0)),
        ("0.001", Some(1)),
        ("1.1", None),
        ("2", None),
        ("0.0001", None),
        (".5", None),
        ("0.x", None),
    ] {
        let text = format!("<sip:a>;q={q}");
        assert_eq!(contact(&text).q(), expected, "{q}");
    }
}

#[test]
fn sequence_numbers() {
    let table = [
        ("1 INVITE", Ok((1, Method::Invite))),
        ("0009\r\n  INVITE", Ok((9, Method::Invite))),
        ("2147483647 ACK", Ok((2_147_483_647, Method::Ack))),
        ("2147483648 ACK", Err("number out of range")),
        ("36893488147419103232 REGISTER", Err("number out of range")),
        ("INVITE", Err("no method")),
        ("1", Err("no method")),
        ("1a INVITE", Err("not a number")),
        ("-1 INVITE", Err("not a number")),
        ("1 INV ITE", Err("bad method")),
    ];
    for (text, expected) in table {
        let got = CSeq::parse(text).map(|it| (it.number, it.method));
        assert_eq!(got, expected, "{text:?}");
    }
}

#[test]
fn small_headers() {
    assert_eq!(MaxForwards::parse("0068"), Ok(MaxForwards(68)));
    assert_eq!(MaxForwards::parse("0"), Ok(MaxForwards(0)));
    assert!(MaxForwards::parse("256").is_err());
    assert!(MaxForwards::parse("").is_err());
    assert_eq!(Expires::parse("4294967295"), Ok(Expires(u32::MAX)));
    assert!(Expires::parse("4294967296").is_err());
    assert_eq!(MinExpires::parse("60"), Ok(MinExpires(60)));
    assert!(ContentLength::parse("-999").is_err());
    assert!(ContentLength::parse("1, 1").is_err());
    assert!(CallId::parse("").is_err());
    assert!(CallId::parse("a b").is_err());
    assert_eq!(CallId::parse("a@b"), Ok(CallId("a@b")));
}

#[test]
fn reliable_provisional_responses() {
    let method = Method::Invite;
    let table = [
        ("776656 1 INVITE", Ok(RAck { rseq: 776_656, cseq: 1, method })),
        ("1  2\tINVITE", Ok(RAck { rseq: 1, cseq: 2, method })),
        ("1", Err("no CSeq")),
        ("1 2", Err("no method")),
        ("0 2 INVITE", Err("not a number from 1 to 2^32-1")),
        ("4294967296 2 INVITE", Err("not a number from 1 to 2^32-1")),
        ("1 2147483648 INVITE", Err("number out of range")),
    ];
    for (text, expected) in table {
        assert_eq!(RAck::parse(text), expected, "{text}");
    }
    assert_eq!(RSeq::parse("4294967295"), Ok(RSeq(u32::MAX)));
    assert!(RSeq::parse("-1").is_err());
}

#[test]
fn media_types() {
    let sdp = ContentType::parse("Application / SDP ; charset=utf-8").unwrap();
    assert!(sdp.is("application", "sdp"));
    assert_eq!(sdp.params.value("charset"), Some("utf-8"));
    for text in ["", "application", "application/", "a/b/c", "a/b;", "a b/c"] {
        assert!(ContentType::parse(text).is_err(), "{text:?}");
    }
    for (range, fits) in [
        ("application/sdp;level=1", true),
        ("application/*", true),
        ("*/*;q=0.5", true),
        ("text/*", false),
    ] {
        assert_eq!(Accept::parse(range).unwrap().matches("application", "sdp"), fits, "{range}");
    }
}

#[test]
fn reasons() {
    let reason = Reason::parse("Q.850 ;cause=16;text=\"Normal; \\\"clearing\\\"\"").unwrap();
    assert_eq!(reason.protocol, "Q.850");
    assert_eq!(reason.cause, Some(16));
    assert_eq!(reason.text.as_deref(), Some("Normal; \"clearing\""));
    assert_eq!(Reason::parse("SIP;cause=x").unwrap().cause, None);
    assert!(Reason::parse(";cause=16").is_err());
    with("Reason: SIP;cause=200;text=\"a, b\", Q.850;cause=16", |headers| {
        let causes: Vec<_> =
            headers.each::<Reason<'_>>().map(|it| it.unwrap().cause.unwrap()).collect();
        assert_eq!(causes, [200, 16]);
    });
}

#[test]
fn credentials() {
    let value = "Digest username=\"a\\\"b\", realm=\"x, y\",\r\n nonce=\"n=\" , uri=\"sip:b\", \
                 response=\"00\", algorithm=MD5, qop=auth, nc=0000000A, cnonce=\"c\"";
    let Ok(Credentials::Digest(digest)) = Credentials::parse(value) else {
        panic!("not a digest");
    };
    assert_eq!(digest.username, "a\\\"b");
    assert_eq!(digest.realm, "x, y");
    assert_eq!(digest.nonce, "n=");
    assert_eq!(digest.uri, "sip:b");
    assert_eq!(digest.response, "00");
    assert_eq!(digest.algorithm, Some("MD5"));
    assert_eq!(digest.qop, Some("auth"));
    assert_eq!(digest.cnonce, Some("c"));
    assert_eq!(digest.opaque, None);
    assert_eq!(digest.nonce_count(), Some(10));

    let Ok(Credentials::Other { scheme }) = Credentials::parse("NoOneKnows opaque=here") else {
        panic!("not another scheme");
    };
    assert_eq!(scheme, "NoOneKnows");

    let rest = "realm=\"r\", nonce=\"n\", uri=\"u\", response=\"0\"";
    for bad in [
        "",
        "Digest",
        "Digest username=\"a\"",
        &format!("Digest username=\"a, {rest}"),
        &format!("Digest username=\"a\" x, {rest}"),
        &format!("Digest username=a b, {rest}"),
        &format!("Digest username, {rest}"),
        &format!("Digest username=a, username=b, {rest}"),
        &format!("Digest username=a, nc=1, {rest}"),
        &format!("Digest username=a, nc=+0000001, {rest}"),
        &format!("Digest username=a, {rest}{}", ", x=1".repeat(40)),
    ] {
        assert!(Credentials::parse(bad).is_err(), "{bad:?}");
    }
}
