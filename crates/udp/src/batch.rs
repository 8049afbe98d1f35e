//! Receiving: buffers made once, filled by one `recvmmsg` at a time.
//!
//! Between the socket and whoever reads datagrams.

use crate::address::RawAddress;
use crate::control::Control;
use std::net::{IpAddr, SocketAddr};

/// One datagram of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    pub remote: SocketAddr,
    /// The address it was sent to; the socket's own (perhaps unspecified) where the kernel did
    /// not say.
    pub local: IpAddr,
}

/// Room for a number of datagrams, received by [`Socket::recv_batch`](crate::Socket::recv_batch).
///
/// The memory is reserved at once but taken from the system only as it is written: 32 datagrams
/// of 65,536 octets cost what was received, not 2 MiB. A datagram larger than its room is dropped
/// and counted, never handed out cut.
pub struct Batch {
    /// Octets of room per datagram.
    size: usize,
    storage: Vec<u8>,
    slots: Vec<Slot>,
    /// Point into `storage` and `slots`, which are never grown.
    headers: Vec<libc::mmsghdr>,
    /// Headers the kernel wrote in the last receive, and must be offered afresh.
    filled: usize,
    truncated: u64,
    /// Stands in where a datagram has no packet information.
    fallback: IpAddr,
}

/// Where the kernel writes what belongs to one datagram.
struct Slot {
    remote: RawAddress,
    control: Control,
    room: libc::iovec,
}

// SAFETY: the raw pointers in `headers` and `slots` lead into heap blocks owned by this very
// value, which stay where they are when it moves to another thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Room for `count` datagrams of up to `size` octets. Both are at least one.
    pub fn new(count: usize, size: usize) -> Self {
        let (count, size) = (count.max(1), size.max(1));
        let mut storage = vec![0; count * size];
        let room = |chunk: &mut [u8]| libc::iovec {
            iov_base: chunk.as_mut_ptr().cast(),
            iov_len: chunk.len(),
        };
        let slot = |chunk: &mut [u8]| Slot {
            remote: RawAddress::zeroed(),
            control: Control::EMPTY,
            room: room(chunk),
        };
        let mut slots: Vec<Slot> = storage.chunks_exact_mut(size).map(slot).collect();
        let headers = slots.iter_mut().map(header).collect();
        let fallback = IpAddr::from([0, 0, 0, 0]);
        Self { size, storage, slots, headers, filled: 0, truncated: 0, fallback }
    }

    /// The datagrams of the last receive, in their order, without those that were too long.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        (0..self.filled).filter_map(|at| self.get(at))
    }

    /// One datagram of the last receive, by its number; `None` also where it was too long.
    pub fn get(&self, at: usize) -> Option<Datagram<'_>> {
        let header = self.headers[..self.filled].get(at)?;
        let slot = &self.slots[at];
        if is_truncated(header) {
            return None;
        }
        let length = usize::try_from(header.msg_len).ok()?.min(self.size);
        Some(Datagram {
            bytes: &self.storage[at * self.size..][..length],
            remote: slot.remote.decode()?,
            local: slot.control.local(header.msg_hdr.msg_controllen).unwrap_or(self.fallback),
        })
    }

    /// How many datagrams were dropped because they were longer than their room, ever.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }

    /// How many datagrams one receive can bring.
    pub fn capacity(&self) -> usize {
        self.headers.len()
    }

    /// The headers, reset, for the kernel to write.
    pub(crate) fn offer(&mut self) -> &mut [libc::mmsghdr] {
        for header in &mut self.headers[..self.filled] {
            header.msg_hdr.msg_namelen = RawAddress::CAPACITY;
            header.msg_hdr.msg_controllen = Control::CAPACITY;
            header.msg_hdr.msg_flags = 0;
        }
        self.filled = 0;
        &mut self.headers
    }

    /// The kernel wrote the first `count` headers; `fallback` is the socket's own address.
    pub(crate) fn accept(&mut self, count: usize, fallback: IpAddr) {
        self.filled = count.min(self.headers.len());
        self.fallback = fallback;
        let too_long = self.headers[..self.filled].iter().filter(|it| is_truncated(it)).count();
        self.truncated = self.truncated.saturating_add(too_long as u64);
    }
}

fn header(slot: &mut Slot) -> libc::mmsghdr {
    // SAFETY: all bits zero is a value of this C structure: integers and null pointers.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_name = (&raw mut slot.remote).cast();
    header.msg_hdr.msg_namelen = RawAddress::CAPACITY;
    header.msg_hdr.msg_iov = &raw mut slot.room;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = (&raw mut slot.control).cast();
    header.msg_hdr.msg_controllen = Control::CAPACITY;
    header
}

fn is_truncated(header: &libc::mmsghdr) -> bool {
    header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0
}
