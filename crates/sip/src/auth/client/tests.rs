//! What is answered and what is not.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result)]

use super::*;
use crate::auth::digest::{ha1, verify};
use crate::message::{Credentials, Message};

const ANY: Account<'static> = Account { user: "u", password: "secret", realms: Realms::Any };

/// A 401 with these headers.
fn challenge(
    auth: &mut ClientAuth,
    account: &Account<'_>,
    lines: &[&str],
) -> Result<(), Unanswerable> {
    let text = format!("SIP/2.0 401 Unauthorized\r\n{}\r\n\r\n", lines.join("\r\n"));
    let message = Message::parse(text.as_bytes()).expect("a response");
    auth.challenged(&message.headers, account)
}

/// The header lines with credentials of the next REGISTER.
fn answers(auth: &mut ClientAuth, account: &Account<'_>) -> Vec<String> {
    let mut writer = Writer::request(Method::Register, "sip:r");
    auth.write(&mut writer, account, Method::Register, "sip:r", "0a4f113b");
    let bytes = writer.finish();
    let text = str::from_utf8(&bytes).unwrap();
    text.lines().filter(|it| it.contains("uthorization")).map(str::to_owned).collect()
}

/// Header, realm, algorithm and count of each.
fn in_short(lines: &[String]) -> Vec<String> {
    let short = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        let Ok(Credentials::Digest(it)) = Credentials::parse(value) else { panic!("{line}") };
        let algorithm = Algorithm::parse(it.algorithm).unwrap();
        let secret = ha1(algorithm, "u", it.realm, "secret");
        assert!(verify(algorithm, &secret, Method::Register, &it), "{line}");
        let opaque = it.opaque.unwrap_or("-");
        format!("{name} {} {} {opaque} {}", it.realm, algorithm.as_str(), it.nc.unwrap_or("-"))
    };
    lines.iter().map(short).collect()
}

/// RFC 7616 §3.9.1: of two challenges of one realm, SHA-256 is answered.
#[test]
fn the_example_of_the_rfc() {
    let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    let opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
    let line = |algorithm: &str| {
        format!(
            "WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"{opaque}\""
        )
    };
    let account = Account { user: "Mufasa", password: "Circle of Life", realms: Realms::Any };
    let mut auth = ClientAuth::default();
    challenge(&mut auth, &account, &[&line("MD5"), &line("SHA-256")]).unwrap();
    let mut writer = Writer::request(Method::Options, "sip:r");
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    auth.write(&mut writer, &account, Method::Other("GET"), "/dir/index.html", cnonce);
    let bytes = writer.finish();
    let text = str::from_utf8(&bytes).unwrap();
    let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    assert!(
        text.contains(&format!("response=\"{expected}\", algorithm=SHA-256, qop=auth")),
        "{text}"
    );
    assert!(text.contains(&format!("opaque=\"{opaque}\"")), "{text}");
}

/// The credentials that are written, or why there are none.
type Outcome<'a> = Result<&'a [&'a str], Unanswerable>;

#[test]
fn what_is_answered() {
    let www = |rest: &str| format!("WWW-Authenticate: Digest nonce=\"n\", {rest}");
    let proxy = |rest: &str| format!("Proxy-Authenticate: Digest nonce=\"n\", {rest}");
    #[rustfmt::skip]
    let table: [(&[String], Outcome<'_>); 12] = [
        (&[www("realm=\"a\"")],                                       Ok(&["Authorization a MD5 - -"])),
        (&[www("realm=\"a\", qop=\"auth\"")],                         Ok(&["Authorization a MD5 - 00000001"])),
        (&[www("realm=\"a\", qop=\"auth-int,auth\", opaque=\"o\"")],  Ok(&["Authorization a MD5 o 00000001"])),
        (&[www("realm=\"a\", algorithm=md5"), www("realm=\"a\", algorithm=SHA-256")],
                                                                      Ok(&["Authorization a SHA-256 - -"])),
        (&[www("realm=\"a\", algorithm=SHA-256"), www("realm=\"a\"")], Ok(&["Authorization a SHA-256 - -"])),
        (&[www("realm=\"a\", algorithm=SHA-512-256"), www("realm=\"a\"")], Ok(&["Authorization a MD5 - -"])),
        // Two realms, one of them a proxy's.
        (&[proxy("realm=\"p\""), www("realm=\"a\"")],
                                       Ok(&["Authorization a MD5 - -", "Proxy-Authorization p MD5 - -"])),
        (&[proxy("realm=\"a\", qop=\"auth\"")],                       Ok(&["Proxy-Authorization a MD5 - 00000001"])),
        (&[www("realm=\"a\", qop=\"auth-int\"")],                     Err(Unanswerable::Unknown)),
        (&["WWW-Authenticate: Basic realm=\"a\"".to_owned()],         Err(Unanswerable::Unknown)),
        (&[www("realm=\"a\", algorithm=AKAv1-MD5")],                  Err(Unanswerable::Unknown)),
        (&[],                                                         Err(Unanswerable::NoChallenge)),
    ];
    for (lines, expected) in table {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut auth = ClientAuth::default();
        let outcome = challenge(&mut auth, &ANY, &lines);
        assert_eq!(outcome, expected.map(|_| ()), "{lines:?}");
        let expected = expected.unwrap_or_default();
        assert_eq!(in_short(&answers(&mut auth, &ANY)), expected, "{lines:?}");
    }
}

/// Who was not configured gets no credentials.
#[test]
fn foreign_realms_get_nothing() {
    let account = Account { realms: Realms::Only(&["sip.example.com", "b"]), ..ANY };
    let mut auth = ClientAuth::default();
    let foreign = "WWW-Authenticate: Digest realm=\"evil\", nonce=\"n\"";
    let known = "WWW-Authenticate: Digest realm=\"SIP.example.com\", nonce=\"n\"";
    assert_eq!(challenge(&mut auth, &account, &[foreign]), Err(Unanswerable::ForeignRealm));
    assert!(auth.is_empty());
    assert_eq!(challenge(&mut auth, &account, &[foreign, known]), Ok(()));
    assert_eq!(in_short(&answers(&mut auth, &account)), ["Authorization SIP.example.com MD5 - -"]);
}

#[test]
fn wrong_stale_and_endless() {
    let first = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n1\", qop=\"auth\"";
    let again = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n2\", qop=\"auth\"";
    let stale = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n3\", qop=\"auth\", stale=true";
    let proxy = "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n4\"";

    // The first answer is refused: the password is wrong.
    let mut auth = ClientAuth::default();
    assert_eq!(challenge(&mut auth, &ANY, &[first]), Ok(()));
    answers(&mut auth, &ANY);
    assert_eq!(challenge(&mut auth, &ANY, &[again]), Err(Unanswerable::Wrong));

    // A nonce of last time may simply have expired, whether `stale` says so or not; the count goes
    // on as long as it lasts.
    let mut auth = ClientAuth::default();
    assert_eq!(challenge(&mut auth, &ANY, &[first]), Ok(()));
    assert_eq!(in_short(&answers(&mut auth, &ANY)), ["Authorization a MD5 - 00000001"]);
    auth.begin();
    assert_eq!(in_short(&answers(&mut auth, &ANY)), ["Authorization a MD5 - 00000002"]);
    assert_eq!(challenge(&mut auth, &ANY, &[again]), Ok(()));
    assert_eq!(in_short(&answers(&mut auth, &ANY)), ["Authorization a MD5 - 00000001"]);
    assert_eq!(challenge(&mut auth, &ANY, &[stale]), Ok(()));
    // The proxy on the way has a realm of its own, whatever it calls it.
    assert_eq!(challenge(&mut auth, &ANY, &[proxy]), Ok(()));
    assert_eq!(answers(&mut auth, &ANY).len(), 2);
    assert_eq!(challenge(&mut auth, &ANY, &[again]), Err(Unanswerable::Wrong));

    let mut auth = ClientAuth::default();
    for _ in 0..ROUNDS_MAX {
        assert_eq!(challenge(&mut auth, &ANY, &[stale]), Ok(()));
    }
    assert_eq!(challenge(&mut auth, &ANY, &[stale]), Err(Unanswerable::Endless));
}
