//! The last SIP messages, in and out, in a memory of fixed size: what `trace` and ladders read.
//!
//! One writer (the core thread) never waits: readers copy, and see afterwards whether the writer
//! has overtaken them. The memory is words of atomics, so a torn copy is noticed, not undefined.

use pbx::id::CallId;
use pbx::time::UnixMillis;
use sip::{ConnectionId, Flow, Transport};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use uuid::Uuid;

/// Longer messages are kept up to here. Unit: octets.
pub(crate) const MESSAGE_BYTES_MAX: usize = 65_535;

/// Words before the text of an entry.
const HEADER_WORDS: usize = 10;
const WORD: usize = size_of::<u64>();

/// A message as it was copied into the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: UnixMillis,
    /// Whether we sent it.
    pub(crate) sent: bool,
    pub(crate) flow: Flow,
    pub(crate) call: Option<CallId>,
    pub(crate) bytes: Vec<u8>,
}

struct Shared {
    words: Box<[AtomicU64]>,
    /// Position of the oldest entry that is whole; positions count words for ever.
    tail: AtomicU64,
    /// Position behind the newest entry.
    head: AtomicU64,
}

/// The writing side; there is one.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    tail: u64,
    head: u64,
    /// Messages received and sent, since the start.
    pushed: [u64; 2],
}

/// A reading side, with its own place. Clones read on independently.
#[derive(Clone)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    next: u64,
    lost: bool,
}

/// A ring of `bytes`, every page of it touched, so that it costs at the start and never later.
pub(crate) fn ring(bytes: usize) -> (Writer, Reader) {
    let words = (bytes / WORD).max(4 * (HEADER_WORDS + MESSAGE_BYTES_MAX / WORD));
    let words: Box<[AtomicU64]> = (0..words).map(|_| AtomicU64::new(u64::MAX)).collect();
    let shared = Arc::new(Shared { words, tail: AtomicU64::new(0), head: AtomicU64::new(0) });
    let reader = Reader { shared: Arc::clone(&shared), next: 0, lost: false };
    (Writer { shared, tail: 0, head: 0, pushed: [0; 2] }, reader)
}

impl Writer {
    /// Copies one message; the oldest make room.
    pub(crate) fn push(
        &mut self,
        at: UnixMillis,
        sent: bool,
        flow: &Flow,
        call: Option<CallId>,
        bytes: &[u8],
    ) {
        let bytes = &bytes[..bytes.len().min(MESSAGE_BYTES_MAX)];
        let words = HEADER_WORDS + bytes.len().div_ceil(WORD);
        self.make_room(words as u64);
        let header = header(at, sent, flow, call, bytes.len());
        let mut at_word = self.slot(self.head);
        let text = bytes.chunks(WORD).map(|chunk| {
            let mut word = [0; WORD];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        for word in header.into_iter().chain(text) {
            self.shared.words[at_word].store(word, Ordering::Relaxed);
            at_word += 1;
            if at_word == self.shared.words.len() {
                at_word = 0;
            }
        }
        self.head += words as u64;
        self.shared.head.store(self.head, Ordering::Release);
        self.pushed[usize::from(sent)] += 1;
    }

    /// How many messages were copied in: those received, those sent.
    pub(crate) fn pushed(&self) -> [u64; 2] {
        self.pushed
    }

    /// Gives up the oldest entries until `words` are free, and says so before they are written on.
    fn make_room(&mut self, words: u64) {
        let capacity = self.shared.words.len() as u64;
        let before = self.tail;
        while self.head + words - self.tail > capacity {
            let first = self.shared.words[self.slot(self.tail)].load(Ordering::Relaxed);
            self.tail += words_of(length_of(first)) as u64;
        }
        if self.tail != before {
            self.shared.tail.store(self.tail, Ordering::Relaxed);
            fence(Ordering::Release);
        }
    }

    fn slot(&self, position: u64) -> usize {
        slot(position, self.shared.words.len())
    }
}

impl Reader {
    /// A reader of what comes from now on.
    pub(crate) fn at_end(&self) -> Self {
        let next = self.shared.head.load(Ordering::Acquire);
        Self { shared: Arc::clone(&self.shared), next, lost: false }
    }

    /// A reader of everything still held.
    pub(crate) fn at_start(&self) -> Self {
        let next = self.shared.tail.load(Ordering::Acquire);
        Self { shared: Arc::clone(&self.shared), next, lost: false }
    }

    /// The next message, or `None` until one comes.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        loop {
            let head = self.shared.head.load(Ordering::Acquire);
            let tail = self.shared.tail.load(Ordering::Acquire);
            if self.next < tail {
                self.next = tail;
                self.lost = true;
            }
            if self.next >= head {
                return None;
            }
            let header: [u64; HEADER_WORDS] = std::array::from_fn(|at| self.word(at));
            let length = length_of(header[0]);
            let mut bytes = Vec::with_capacity(length + WORD);
            for at in HEADER_WORDS..words_of(length) {
                bytes.extend_from_slice(&self.word(at).to_le_bytes());
            }
            bytes.truncate(length);
            fence(Ordering::Acquire);
            if self.shared.tail.load(Ordering::Relaxed) <= self.next {
                self.next += words_of(length) as u64;
                if let Some(entry) = entry(&header, bytes) {
                    return Some(entry);
                }
            }
        }
    }

    /// Whether messages were overwritten before they were read, since the last call.
    pub(crate) fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    fn word(&self, offset: usize) -> u64 {
        let at = slot(self.next + offset as u64, self.shared.words.len());
        self.shared.words[at].load(Ordering::Relaxed)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below the length, a usize")]
fn slot(position: u64, capacity: usize) -> usize {
    (position % capacity as u64) as usize
}

fn words_of(length: usize) -> usize {
    HEADER_WORDS + length.div_ceil(WORD)
}

#[expect(clippy::cast_possible_truncation, reason = "the length is the low 16 bits")]
fn length_of(first: u64) -> usize {
    usize::from(first as u16)
}

/// Length, direction, transport and ports; time; call; connection; addresses.
fn header(
    at: UnixMillis,
    sent: bool,
    flow: &Flow,
    call: Option<CallId>,
    length: usize,
) -> [u64; HEADER_WORDS] {
    let ports = u64::from(flow.local.port()) << 32 | u64::from(flow.remote.port()) << 48;
    let flags = u64::from(sent) << 16 | u64::from(flow.transport == Transport::Tcp) << 17;
    let (call_high, call_low) = call.map_or((0, 0), |it| it.0.as_u64_pair());
    let (local_high, local_low) = address_words(flow.local.ip());
    let (remote_high, remote_low) = address_words(flow.remote.ip());
    [
        length as u64 | flags | ports,
        at.0,
        call_high,
        call_low,
        flow.connection.map_or(u64::MAX, |it| it.0),
        local_high,
        local_low,
        remote_high,
        remote_low,
        0,
    ]
}

/// `None` cannot come from an untorn header; it is the answer to one that is.
fn entry(header: &[u64; HEADER_WORDS], bytes: Vec<u8>) -> Option<Entry> {
    let [
        first,
        at,
        call_high,
        call_low,
        connection,
        local_high,
        local_low,
        remote_high,
        remote_low,
        _,
    ] = *header;
    let transport = if first >> 17 & 1 == 1 { Transport::Tcp } else { Transport::Udp };
    let port = |shift: u32| u16::try_from(first >> shift & 0xffff).ok();
    let call = Uuid::from_u64_pair(call_high, call_low);
    Some(Entry {
        at: UnixMillis(at),
        sent: first >> 16 & 1 == 1,
        flow: Flow {
            transport,
            local: SocketAddr::new(address(local_high, local_low), port(32)?),
            remote: SocketAddr::new(address(remote_high, remote_low), port(48)?),
            connection: (connection != u64::MAX).then_some(ConnectionId(connection)),
        },
        call: (!call.is_nil()).then_some(CallId(call)),
        bytes,
    })
}

fn address_words(address: IpAddr) -> (u64, u64) {
    let bits = match address {
        IpAddr::V4(it) => it.to_ipv6_mapped().to_bits(),
        IpAddr::V6(it) => it.to_bits(),
    };
    Uuid::from_u128(bits).as_u64_pair()
}

fn address(high: u64, low: u64) -> IpAddr {
    let bits = Uuid::from_u64_pair(high, low).as_u128();
    IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn flow(text: &str) -> Flow {
        let local = "192.168.1.10:5060".parse().unwrap();
        let connection = text.starts_with('[').then_some(ConnectionId(7));
        let transport = if connection.is_some() { Transport::Tcp } else { Transport::Udp };
        Flow { transport, local, remote: text.parse().unwrap(), connection }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let (mut writer, reader) = ring(0);
        let mut reader = reader.at_end();
        let call = Some("0190f3e2-7c1a-7000-8000-0123456789ab".parse().unwrap());
        let flows = [flow("10.0.0.1:5062"), flow("[2001:db8::7]:49152")];
        for (flow, call) in flows.iter().zip([call, None]) {
            writer.push(UnixMillis(5), call.is_some(), flow, call, b"OPTIONS sip:a SIP/2.0");
            let entry = reader.next().unwrap();
            assert_eq!(entry.bytes, b"OPTIONS sip:a SIP/2.0");
            assert_eq!((entry.flow, entry.call, entry.sent), (*flow, call, call.is_some()));
        }
        assert_eq!(reader.next(), None);
        assert_eq!(writer.pushed(), [1, 1]);
    }

    #[test]
    fn the_oldest_go_and_the_reader_hears_of_it() {
        let (mut writer, reader) = ring(0);
        let (mut slow, mut quick) = (reader.at_end(), reader.at_end());
        let body = vec![b'x'; 1000];
        for number in 0..10_000 {
            writer.push(UnixMillis(number), false, &flow("10.0.0.1:5060"), None, &body);
            assert_eq!(quick.next().map(|it| it.at), Some(UnixMillis(number)));
        }
        let first = slow.next().unwrap();
        assert!(first.at.0 > 9_000 && slow.take_lost(), "{:?}", first.at);
        assert!(!quick.take_lost());
        let rest = std::iter::from_fn(|| slow.next()).last().unwrap();
        assert_eq!(rest.at, UnixMillis(9_999));
        assert_eq!(rest.bytes, body);
    }

    /// A reader on another thread, always being overtaken, never gets a mixture of two messages.
    #[test]
    fn a_copy_is_whole_or_not_given() {
        let (mut writer, reader) = ring(0);
        let mut reader = reader.at_end();
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = std::thread::Builder::new().spawn(move || {
            let mut seen = 0_u64;
            while !stop.load(Ordering::Acquire) {
                if let Some(entry) = reader.next() {
                    let first = entry.bytes.first().copied();
                    assert!(entry.bytes.iter().all(|it| Some(*it) == first), "a torn message");
                    assert_eq!(u64::from(first.unwrap()), entry.at.0 % 256);
                    seen += 1;
                }
            }
            seen
        });
        for number in 0..30_000_u64 {
            let body = vec![
                u8::try_from(number % 256).unwrap();
                500 + usize::try_from(number % 97).unwrap()
            ];
            writer.push(UnixMillis(number), false, &flow("10.0.0.1:5060"), None, &body);
        }
        done.store(true, Ordering::Release);
        assert!(thread.unwrap().join().unwrap() > 0);
    }
}
