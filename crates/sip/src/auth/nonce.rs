//! Nonces that need no table: each proves when, by whom and for whom it was issued.
//!
//! Used by challenges (RFC 7616 §3.3, §5.4); nothing is kept until the credentials are right.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher as _;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// How long a nonce is good. Unit: seconds. An older one is answered with `stale=true`.
pub const LIFE_SECONDS: u32 = 300;

/// Octets before encoding: time 4, random 8, proof of issue 8, proof of source 4.
const RAW_LEN: usize = 24;
const ISSUE_AT: usize = 12;
const SOURCE_AT: usize = 20;

/// Octets after encoding.
const TEXT_LEN: usize = RAW_LEN / 3 * 4;

/// The secret of this server's nonces.
///
/// SipHash-2-4 is made to authenticate short texts under a secret key; where the processor does not do SHA-256 by
/// itself, an HMAC of it was a twelfth of all that a datagram costs.
#[derive(Clone)]
pub struct NonceKey {
    issue: SipHasher24,
    source: SipHasher24,
}

/// A nonce as it stands in a challenge: 32 signs that need no escaping.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; TEXT_LEN]);

/// What a nonce that came back is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceState {
    Fresh,
    /// Ours, but too old, or issued to another address: the phone may try again with a new one
    /// and the same password (`stale=true`).
    Stale,
    /// Not ours.
    Foreign,
}

impl NonceKey {
    /// Two keys of 16 random octets each, one for each proof.
    pub fn new(secret: &[u8; 32]) -> Self {
        let [issue, source] = [0, 16].map(|at| {
            let mut key = [0; 16];
            key.copy_from_slice(&secret[at..at + 16]);
            SipHasher24::new_with_key(&key)
        });
        Self { issue, source }
    }

    /// Issues a nonce for one source address.
    pub fn issue(&self, unix_seconds: u32, source: IpAddr, random: u64) -> Nonce {
        let mut raw = [0; RAW_LEN];
        raw[..4].copy_from_slice(&unix_seconds.to_be_bytes());
        raw[4..ISSUE_AT].copy_from_slice(&random.to_be_bytes());
        self.prove(&mut raw, source);
        let mut text = [0; TEXT_LEN];
        let written = BASE64_URL_SAFE_NO_PAD.encode_slice(raw, &mut text);
        debug_assert_eq!(written, Ok(TEXT_LEN));
        Nonce(text)
    }

    /// Judges a nonce that came back from `source`.
    pub fn check(&self, text: &str, unix_seconds: u32, source: IpAddr) -> NonceState {
        let mut raw = [0; RAW_LEN];
        if text.len() != TEXT_LEN
            || BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut raw) != Ok(RAW_LEN)
        {
            return NonceState::Foreign;
        }
        let mut expected = raw;
        self.prove(&mut expected, source);
        if !bool::from(raw[..SOURCE_AT].ct_eq(&expected[..SOURCE_AT])) {
            return NonceState::Foreign;
        }
        let issued = u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]);
        // A clock that was set back makes a nonce of the future: that is stale too.
        let age = unix_seconds.checked_sub(issued);
        let in_time = age.is_some_and(|it| it <= LIFE_SECONDS);
        if in_time && raw[SOURCE_AT..] == expected[SOURCE_AT..] {
            NonceState::Fresh
        } else {
            NonceState::Stale
        }
    }

    /// Fills in both proofs. The first covers time and chance only, so that a nonce which came
    /// from another address is still known as ours.
    fn prove(&self, raw: &mut [u8; RAW_LEN], source: IpAddr) {
        let mut issue = self.issue;
        issue.write(&raw[..ISSUE_AT]);
        raw[ISSUE_AT..SOURCE_AT].copy_from_slice(&issue.finish().to_be_bytes());
        let mut for_source = self.source;
        for_source.write(&raw[..SOURCE_AT]);
        match source.to_canonical() {
            IpAddr::V4(ip) => for_source.write(&ip.octets()),
            IpAddr::V6(ip) => for_source.write(&ip.octets()),
        }
        raw[SOURCE_AT..].copy_from_slice(&for_source.finish().to_be_bytes()[..RAW_LEN - SOURCE_AT]);
    }
}

impl Nonce {
    pub fn as_str(&self) -> &str {
        // Base64 is ASCII.
        str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({})", self.as_str())
    }
}

#[cfg(test)]
mod tests;
