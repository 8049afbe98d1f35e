//! The digest scheme with MD5 and SHA-256, for both roles (RFC 7616, RFC 8760).
//!
//! `-sess` variants and `auth-int` are refused: no phone needs them, and the hash over the body
//! would bind a message to one hop.

use md5::Md5;
use sha2::Sha256;
use sha2::digest::Digest;
use std::fmt::Write as _;
use subtle::ConstantTimeEq;

use crate::message::{DigestCredentials, Method, split_scheme};

/// A hash algorithm of the digest scheme (RFC 8760 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// Reads an `algorithm` parameter; absent means MD5 (RFC 7616 §3.3). `None` for what is not
    /// spoken here.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(Self::Md5),
            Some(it) if it.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(it) if it.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// The name in a challenge.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
}

/// A hash as lower-case hexadecimal digits. Without `Debug`, as an HA1 is as good as a password.
#[derive(Clone, Copy)]
pub struct HexDigest {
    text: [u8; 64],
    len: usize,
}

impl HexDigest {
    /// Reads stored digits, of either algorithm's length.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let is_digest = matches!(digits.len(), 32 | 64)
            && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let mut text = [0; 64];
        text.get_mut(..digits.len())?.copy_from_slice(digits.as_bytes());
        is_digest.then_some(Self { text, len: digits.len() })
    }

    /// The digits of a hash of at most 32 octets.
    pub fn of(hash: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, octet) in text.chunks_exact_mut(2).zip(hash) {
            pair[0] = DIGITS[usize::from(octet >> 4)];
            pair[1] = DIGITS[usize::from(octet & 15)];
        }
        Self { text, len: hash.len().min(32) * 2 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    pub fn as_str(&self) -> &str {
        // Both constructors write ASCII only.
        str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

/// The parts a client adds where the server offered `qop` (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qop<'a> {
    /// Eight hexadecimal digits, as written.
    pub nc: &'a str,
    pub cnonce: &'a str,
    /// `auth`.
    pub qop: &'a str,
}

/// H(user:realm:password) (RFC 7616 §3.4.2).
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> HexDigest {
    hash(algorithm, &[user, realm, password])
}

/// The response to a challenge (RFC 7616 §3.4.1); without `qop` as RFC 2069 phones do it.
pub fn response(
    algorithm: Algorithm,
    ha1: &HexDigest,
    method: Method<'_>,
    uri: &str,
    nonce: &str,
    qop: Option<Qop<'_>>,
) -> HexDigest {
    let ha2 = hash(algorithm, &[method.as_str(), uri]);
    match qop {
        Some(Qop { nc, cnonce, qop }) => {
            hash(algorithm, &[ha1.as_str(), nonce, nc, cnonce, qop, ha2.as_str()])
        }
        None => hash(algorithm, &[ha1.as_str(), nonce, ha2.as_str()]),
    }
}

/// Whether credentials were made with the password behind `ha1`, compared in constant time.
///
/// Nonce, realm and the URI's agreement with the Request-URI are the caller's to judge.
pub fn verify(
    algorithm: Algorithm,
    ha1: &HexDigest,
    method: Method<'_>,
    credentials: &DigestCredentials<'_>,
) -> bool {
    if Algorithm::parse(credentials.algorithm) != Some(algorithm) {
        return false;
    }
    let qop = match (credentials.qop, credentials.nc, credentials.cnonce) {
        (None, _, _) => None,
        (Some(qop), Some(nc), Some(cnonce)) if qop.eq_ignore_ascii_case("auth") => {
            Some(Qop { nc, cnonce, qop })
        }
        (Some(_), _, _) => return false,
    };
    let expected = response(algorithm, ha1, method, credentials.uri, credentials.nonce, qop);
    let mut given = [0; 64];
    let response = credentials.response.as_bytes();
    let Some(room) = given.get_mut(..response.len()) else {
        return false;
    };
    room.copy_from_slice(response);
    given.make_ascii_lowercase();
    let same_len = response.len() == expected.len;
    bool::from(given.ct_eq(&expected.text)) && same_len
}

/// A server's digest challenge, WWW-Authenticate or Proxy-Authenticate (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    pub realm: &'a str,
    pub nonce: &'a str,
    pub opaque: Option<&'a str>,
    pub algorithm: Algorithm,
    /// Whether `auth` is offered; otherwise the response is without `qop`.
    pub qop_auth: bool,
    /// Whether only the nonce was too old.
    pub stale: bool,
}

impl<'a> Challenge<'a> {
    /// Reads a challenge this program can answer.
    pub fn parse(value: &'a str) -> Result<Self, &'static str> {
        let (scheme, params) = split_scheme(value)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err("scheme is not Digest");
        }
        let algorithm = Algorithm::parse(params.get("algorithm")).ok_or("unknown algorithm")?;
        let has_auth = |qop: &str| qop.split(',').any(|it| it.trim().eq_ignore_ascii_case("auth"));
        let qop_auth = match params.get("qop") {
            None => false,
            Some(qop) if has_auth(qop) => true,
            Some(_) => return Err("qop without auth"),
        };
        Ok(Self {
            realm: params.get("realm").ok_or("realm missing")?,
            nonce: params.get("nonce").ok_or("nonce missing")?,
            opaque: params.get("opaque"),
            algorithm,
            qop_auth,
            stale: params.get("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
        })
    }
}

/// The value of an Authorization header that answers the challenge.
pub fn authorization(
    challenge: &Challenge<'_>,
    user: &str,
    password: &str,
    method: Method<'_>,
    uri: &str,
    nc: u32,
    cnonce: &str,
) -> String {
    let Challenge { realm, nonce, opaque, algorithm, qop_auth, .. } = *challenge;
    let nc = format!("{nc:08x}");
    let qop = qop_auth.then_some(Qop { nc: &nc, cnonce, qop: "auth" });
    let ha1 = ha1(algorithm, user, realm, password);
    let response = response(algorithm, &ha1, method, uri, nonce, qop);
    let mut out = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{}\", algorithm={}",
        response.as_str(),
        algorithm.as_str(),
    );
    // Writing into a String cannot fail.
    if let Some(Qop { nc, cnonce, qop }) = qop {
        let _ = write!(out, ", qop={qop}, nc={nc}, cnonce=\"{cnonce}\"");
    }
    if let Some(opaque) = opaque {
        let _ = write!(out, ", opaque=\"{opaque}\"");
    }
    out
}

/// Hashes the parts joined by colons.
fn hash(algorithm: Algorithm, parts: &[&str]) -> HexDigest {
    match algorithm {
        Algorithm::Md5 => HexDigest::of(&joined(Md5::new(), parts)),
        Algorithm::Sha256 => HexDigest::of(&joined(Sha256::new(), parts)),
    }
}

fn joined<D: Digest>(mut hasher: D, parts: &[&str]) -> sha2::digest::Output<D> {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests;
