//! The examples of RFC 7616 §3.9.1 and RFC 2617 §3.5, and what must be refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::message::Credentials;

const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
const SHA256: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
const GET: Method<'_> = Method::Other("GET");

fn mufasa(algorithm: Algorithm) -> HexDigest {
    ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
}

fn credentials(algorithm: &str, response: &str) -> String {
    format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
         nonce=\"{NONCE}\", {algorithm}nc=00000001, cnonce=\"{CNONCE}\", qop=auth, \
         response=\"{response}\""
    )
}

fn accepts(algorithm: Algorithm, text: &str) -> bool {
    let Ok(Credentials::Digest(digest)) = Credentials::parse(text) else {
        panic!("{text}");
    };
    verify(algorithm, &mufasa(algorithm), GET, &digest)
}

#[test]
fn the_examples_of_the_rfcs() {
    for (algorithm, expected) in [(Algorithm::Md5, MD5), (Algorithm::Sha256, SHA256)] {
        let qop = Qop { nc: "00000001", cnonce: CNONCE, qop: "auth" };
        let got = response(algorithm, &mufasa(algorithm), GET, "/dir/index.html", NONCE, Some(qop));
        assert_eq!(got.as_str(), expected);
    }
    let ha1 = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(ha1.as_str(), "939e7578ed9e3c518a452acee763bce9");
    let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    let answer = |qop| response(Algorithm::Md5, &ha1, GET, "/dir/index.html", nonce, qop);
    let qop = Qop { nc: "00000001", cnonce: "0a4f113b", qop: "auth" };
    assert_eq!(answer(Some(qop)).as_str(), "6629fae49393a05397450978507c4ef1");
    // As RFC 2069 phones do it.
    assert_eq!(answer(None).as_str(), "670fd8c2df070c60b045671b8b24ff02");
}

#[test]
fn verification() {
    let (md5, sha) = (Algorithm::Md5, Algorithm::Sha256);
    assert!(accepts(md5, &credentials("", MD5)));
    assert!(accepts(md5, &credentials("algorithm=MD5, ", MD5)));
    assert!(accepts(md5, &credentials("algorithm=md5, ", &MD5.to_uppercase())));
    assert!(accepts(sha, &credentials("algorithm=SHA-256, ", SHA256)));

    assert!(!accepts(md5, &credentials("algorithm=SHA-256, ", SHA256)));
    assert!(!accepts(sha, &credentials("", MD5)));
    assert!(!accepts(md5, &credentials("algorithm=MD5-sess, ", MD5)));
    assert!(!accepts(md5, &credentials("", "")));
    assert!(!accepts(md5, &credentials("", &MD5[..31])));
    assert!(!accepts(md5, &credentials("", &format!("{MD5}\0"))));
    assert!(!accepts(md5, &credentials("", &format!("{MD5}{}", "0".repeat(99)))));
    let good = credentials("", MD5);
    for (what, by) in [
        ("nc=00000001", "nc=00000002"),
        ("qop=auth,", "qop=auth-int,"),
        ("qop=auth, ", ""),
        ("nc=00000001, ", ""),
        ("f2/", "f3/"),
        ("/dir/", "/dor/"),
        ("7ypf", "8ypf"),
    ] {
        assert!(good.contains(what));
        assert!(!accepts(md5, &good.replace(what, by)), "{by:?} for {what:?}");
    }
}

#[test]
fn stored_digits() {
    assert_eq!(HexDigest::from_hex(MD5).unwrap().as_str(), MD5);
    assert_eq!(HexDigest::from_hex(SHA256).unwrap().as_str(), SHA256);
    let too_long = "0".repeat(65);
    for bad in ["", &MD5[1..], &SHA256[1..], &MD5.replace('8', "g"), &MD5.to_uppercase(), &too_long]
    {
        assert!(HexDigest::from_hex(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn challenges() {
    let challenge = Challenge::parse(
        "Digest realm=\"a, b\", nonce=\"n\", opaque=\"o\", algorithm=SHA-256, \
         qop=\"auth-int, auth\", stale=TRUE",
    )
    .unwrap();
    let expected = Challenge {
        realm: "a, b",
        nonce: "n",
        opaque: Some("o"),
        algorithm: Algorithm::Sha256,
        qop_auth: true,
        stale: true,
    };
    assert_eq!(challenge, expected);
    let old = Challenge::parse("digest realm=\"r\", nonce=\"n\"").unwrap();
    assert_eq!((old.algorithm, old.qop_auth, old.stale), (Algorithm::Md5, false, false));
    for bad in [
        "Basic realm=\"r\"",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256",
        "Digest realm=\"r, nonce=\"n\"",
    ] {
        assert!(Challenge::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn our_own_answer_to_a_challenge_verifies() {
    for text in [
        "Digest realm=\"r\", nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", opaque=\"o\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
    ] {
        let challenge = Challenge::parse(text).unwrap();
        let value =
            authorization(&challenge, "u", "secret", Method::Register, "sip:r", 1, "0a4f113b");
        let Ok(Credentials::Digest(digest)) = Credentials::parse(&value) else {
            panic!("{value}");
        };
        assert_eq!(digest.opaque, challenge.opaque);
        assert_eq!(digest.qop.is_some(), challenge.qop_auth);
        let right = ha1(challenge.algorithm, "u", "r", "secret");
        let wrong = ha1(challenge.algorithm, "u", "r", "guess");
        assert!(verify(challenge.algorithm, &right, Method::Register, &digest));
        assert!(!verify(challenge.algorithm, &wrong, Method::Register, &digest));
        assert!(!verify(challenge.algorithm, &right, Method::Invite, &digest));
    }
}
