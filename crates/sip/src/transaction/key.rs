//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
//!
//! A key is a 128-bit keyed hash of what the RFC tells to compare: fixed in size, without an
//! allocation, and not to be forged into a collision by whoever does not know the secret.

use crate::message::{Essentials, Host, Message, Method, StartLine};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::net::IpAddr;

/// Starts every branch made after RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// Identifies a transaction within its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u128);

/// Makes keys; the secret is drawn at start.
#[derive(Clone, Copy, Debug)]
pub struct KeyMaker {
    secret: [u64; 2],
}

impl KeyMaker {
    pub fn new(secret: [u64; 2]) -> Self {
        Self { secret }
    }

    /// The server transaction of a request, as if its method were `method`: a CANCEL and an ACK
    /// ask for that of their INVITE.
    pub fn server(&self, message: &Message<'_>, it: &Essentials<'_>, method: Method<'_>) -> Key {
        let branch = it.via.branch().unwrap_or_default();
        let unique = branch.strip_prefix(MAGIC_COOKIE).is_some_and(|rest| !rest.is_empty());
        let mut hash = self.hasher();
        part(&mut hash, method.as_str());
        if unique {
            part(&mut hash, branch);
            match it.via.host {
                Host::Ip(IpAddr::V4(it)) => hash.write(&it.octets()),
                Host::Ip(IpAddr::V6(it)) => hash.write(&it.octets()),
                Host::Name(it) => part(&mut hash, it),
            }
            hash.write_u16(it.via.port.unwrap_or_default());
        } else {
            // RFC 2543 gave no unique branch: the request itself must tell. The To tag is left
            // out, for the ACK has one where its INVITE had none.
            if let StartLine::Request { uri, .. } = message.start {
                part(&mut hash, uri);
            }
            part(&mut hash, it.from_tag.unwrap_or_default());
            part(&mut hash, it.call_id);
            hash.write_u32(it.cseq.number);
            let top_via = message.headers.values(crate::message::HeaderName::Via).next();
            part(&mut hash, top_via.unwrap_or_default());
        }
        Key(hash.finish128().as_u128())
    }

    /// What copies of one request have in common that came by different ways (RFC 3261 §8.2.2.2).
    pub fn merged(&self, it: &Essentials<'_>) -> Key {
        let mut hash = self.hasher();
        part(&mut hash, it.cseq.method.as_str());
        part(&mut hash, it.from_tag.unwrap_or_default());
        part(&mut hash, it.call_id);
        hash.write_u32(it.cseq.number);
        Key(hash.finish128().as_u128())
    }

    /// The client transaction that sent `branch` with a request of this method.
    pub fn client(&self, branch: &str, method: Method<'_>) -> Key {
        let mut hash = self.hasher();
        part(&mut hash, method.as_str());
        part(&mut hash, branch);
        Key(hash.finish128().as_u128())
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.secret[0], self.secret[1])
    }
}

/// One compared part; its length keeps neighbours from running into each other.
fn part(hash: &mut SipHasher13, text: &str) {
    hash.write_usize(text.len());
    hash.write(text.as_bytes());
}
