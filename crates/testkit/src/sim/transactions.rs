//! What a simulated phone keeps of its transactions, so that it resends and answers copies as a
//! phone does (RFC 3261 §17).

use crate::phone::Request;
use bytes::Bytes;
use sip::message::{CSeq, HeaderName, Message, TypedHeader, Via};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(super) const T1: Duration = Duration::from_millis(500);
pub(super) const T2: Duration = Duration::from_secs(4);
/// 64·T1.
pub(super) const TIMEOUT: Duration = Duration::from_secs(32);
/// Transactions a phone remembers for their copies.
const REMEMBERED: usize = 64;

/// Branch and method: what names a transaction here.
pub(super) type Key = (String, String);

/// A request of the phone without a final response.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) request: Request,
    pub(super) bytes: Bytes,
    pub(super) interval: Duration,
    pub(super) give_up: Instant,
    pub(super) provisional: bool,
    /// Times it was sent with other credentials.
    pub(super) tries: u8,
}

/// A 2xx of the phone without an ACK.
#[derive(Clone, Debug)]
pub(super) struct Unacked {
    pub(super) bytes: Bytes,
    pub(super) interval: Duration,
    pub(super) give_up: Instant,
}

/// Messages to send again when a copy of what caused them comes; the oldest are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    known: BTreeMap<Key, Bytes>,
    order: Vec<Key>,
}

impl Memory {
    pub(super) fn get(&self, key: &Key) -> Option<Bytes> {
        self.known.get(key).cloned()
    }

    pub(super) fn put(&mut self, key: Key, bytes: Bytes) {
        if self.known.insert(key.clone(), bytes).is_none() {
            self.order.push(key);
        }
        if self.order.len() > REMEMBERED {
            let oldest = self.order.remove(0);
            self.known.remove(&oldest);
        }
    }
}

/// The key of a message: the branch of its top Via and the method of its CSeq.
pub(super) fn key(message: &Message<'_>) -> Option<Key> {
    let via = Via::parse(message.headers.values(HeaderName::Via).next()?).ok()?;
    let cseq = CSeq::parse(message.headers.get(HeaderName::CSeq)?).ok()?;
    Some((via.branch()?.to_owned(), cseq.method.as_str().to_owned()))
}
