//! Tables for URIs: RFC 3261 §19.1.3 and §19.1.4, RFC 4475 §3.1.1, RFC 5118 §4.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn parts_of_a_full_uri() {
    let uri = Uri::parse(
        "sip:alice;day=tu:secret@Example.COM:5070;transport=tcp;lr?subject=x&priority=y",
    );
    let Ok(Uri::Sip { secure, user, password, host, port, params, headers }) = uri else {
        panic!("{uri:?}");
    };
    assert!(!secure);
    assert_eq!(user, Some("alice;day=tu"));
    assert_eq!(password, Some("secret"));
    assert_eq!(host, Host::Name("example.com"));
    assert_eq!(port, Some(5070));
    assert_eq!(params.as_str(), "transport=tcp;lr");
    assert_eq!(headers, Some("subject=x&priority=y"));
    let uri = uri.unwrap();
    assert_eq!(uri.transport(), Some("tcp"));
    assert!(uri.lr());
    assert_eq!(uri.maddr(), None);
}

#[test]
fn accepted_and_printed_alike() {
    for text in [
        "sip:example.com",
        "sips:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sip:[2001:db8::10]:5070",
        "sip:user@[::ffff:192.0.2.2]",
        "sip:null-%00-null@example.com",
        "sip:user;par=u%40example.net@example.com",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        "sip:vivekg@chair-dnrc.example.com;unknownparam",
        "tel:+1-201-555-0123",
        "soap.beep://192.0.2.103:3002",
        "isbn:2983792873",
    ] {
        assert_eq!(Uri::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn refused() {
    for text in [
        "",
        "alice",
        "sip:",
        "sip:@example.com",
        "sip:alice@",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[2001:db8:::1]",
        "sip:[::1]x",
        "sip:[::1]:",
        "sip:host:0",
        "sip:host:65536",
        "sip:host:50a",
        "sip:ho st",
        "sip:<host>",
        "sip:a@b@c",
        "sip:host;;lr",
        "sip:host;",
        "si p:host",
        "1sip:host",
        "tel:",
    ] {
        assert!(Uri::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_port_inside_the_brackets_is_part_of_the_address() {
    let uri = Uri::parse("sip:[2001:db8::10:5070]").unwrap();
    assert_eq!(uri.host(), Some(Host::Ip("2001:db8::10:5070".parse().unwrap())));
    assert_eq!(uri.port(), None);
}

#[test]
fn unescaped_users() {
    let table = [
        ("sip:example.com", ""),
        ("sip:bob@example.com", "bob"),
        ("sip:cal%6Cer@example.com", "caller"),
        ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com"),
        ("sip:%00%00@example.com", "\0\0"),
        ("sip:50%@example.com", "50%"),
        ("sip:%E5%BC%A0@example.com", "张"),
        ("sip:%FF@example.com", "%FF"),
    ];
    for (text, expected) in table {
        assert_eq!(Uri::parse(text).unwrap().user_unescaped(), expected, "{text}");
    }
}

#[test]
fn equivalence() {
    #[rustfmt::skip]
    let table = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true),
        ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true),
        ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com", false),
        ("sip:%00@host5.example.com", "sip:%00%00@host5.example.com", false),
        ("sip:a%3Bb@example.com", "sip:a;b@example.com", false),
        ("sip:a%3Bb@example.com", "sip:a%3bb@example.com", true),
        ("sip:[2001:db8::1]", "sip:[2001:db8:0::1]", true),
        ("tel:+1", "TEL:+1", true),
        ("tel:+1", "sip:+1@example.com", false),
    ];
    for (a, b, expected) in table {
        let (x, y) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
        assert_eq!(uri_equivalent(&x, &y), expected, "{a} {b}");
        assert_eq!(uri_equivalent(&y, &x), expected, "{b} {a}");
    }
}
