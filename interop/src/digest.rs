//! The client's side of the digest scheme (RFC 7616 §3.4, RFC 8760).

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A challenge of a 401, with the count of its uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub sha256: bool,
    pub qop: bool,
    pub stale: bool,
    /// Used so many times (RFC 7616 §3.4, nc).
    pub count: u32,
}

/// What the answer is for.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
}

impl Challenge {
    /// Reads a WWW-Authenticate or Proxy-Authenticate value; `None` for an unknown algorithm.
    pub fn parse(value: &str) -> Option<Self> {
        let rest = value.strip_prefix("Digest ")?;
        let part = |name: &str| {
            rest.split(',').find_map(|it| {
                let (key, value) = it.trim().split_once('=')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
            })
        };
        let sha256 = match part("algorithm").as_deref() {
            None | Some("MD5") => false,
            Some("SHA-256") => true,
            Some(_) => return None,
        };
        Some(Self {
            realm: part("realm")?,
            nonce: part("nonce")?,
            sha256,
            qop: part("qop").is_some(),
            stale: part("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
            count: 0,
        })
    }

    /// The Authorization value; counts the use.
    pub fn answer(&mut self, it: Credentials<'_>) -> String {
        self.count += 1;
        let ha1 = self.hash(&format!("{}:{}:{}", it.user, self.realm, it.password));
        let ha2 = self.hash(&format!("{}:{}", it.method, it.uri));
        let (realm, nonce) = (&self.realm, &self.nonce);
        let algorithm = if self.sha256 { "SHA-256" } else { "MD5" };
        let start = format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{}\", \
             algorithm={algorithm}",
            it.user, it.uri
        );
        if !self.qop {
            let response = self.hash(&format!("{ha1}:{nonce}:{ha2}"));
            return format!("{start}, response=\"{response}\"");
        }
        let nc = format!("{:08x}", self.count);
        let cnonce = format!("c{}", self.count);
        let response = self.hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
        format!("{start}, response=\"{response}\", qop=auth, nc={nc}, cnonce=\"{cnonce}\"")
    }

    fn hash(&self, text: &str) -> String {
        if self.sha256 { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, it| {
        // Writing to a string does not fail.
        let _ = write!(text, "{it:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 2617 §3.5 with MD5, less its opaque and with our client's cnonce replaced by hand.
    #[test]
    fn hashes_are_those_of_the_rfc() {
        let challenge =
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let challenge = Challenge::parse(challenge).unwrap();
        let ha1 = challenge.hash("Mufasa:testrealm@host.com:Circle Of Life");
        assert_eq!(ha1, "939e7578ed9e3c518a452acee763bce9");
        let ha2 = challenge.hash("GET:/dir/index.html");
        let text = format!("{ha1}:dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:0a4f113b:auth:{ha2}");
        assert_eq!(challenge.hash(&text), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn uses_are_counted() {
        let mut challenge =
            Challenge::parse("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"")
                .unwrap();
        let it = Credentials { user: "u", password: "p", method: "REGISTER", uri: "sip:h" };
        assert!(challenge.answer(it).contains("nc=00000001"));
        assert!(challenge.answer(it).contains("nc=00000002"));
        assert!(Challenge::parse("Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5").is_none());
    }
}
