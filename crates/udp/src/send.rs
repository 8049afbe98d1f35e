//! Sending: one `sendmsg`, or many datagrams by `sendmmsg`, each from the address it should leave
//! from.
//!
//! One bad destination never holds up the datagrams behind it.

use crate::address::RawAddress;
use crate::calls::count;
use crate::control::Control;
use crate::interfaces::Family;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams handed to the kernel at once; more take another call.
const CHUNK: usize = 32;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    pub to: SocketAddr,
    /// The local address to leave from; `None` or unspecified: the kernel chooses.
    pub source: Option<IpAddr>,
    pub bytes: &'a [u8],
}

/// What became of a batch. The first `sent + refused` datagrams are dealt with.
#[derive(Debug, Default)]
pub struct Sent {
    pub sent: usize,
    /// Skipped because the kernel would not send them: no route, a source that is not ours, a
    /// family the socket does not speak.
    pub refused: usize,
    /// The socket's buffer is full; the datagrams after the first `sent + refused` were not tried.
    pub would_block: bool,
    /// Why the last of the refused was refused.
    pub error: Option<io::Error>,
}

/// One datagram in the kernel's terms. Does not move while a header points into it.
struct Slot {
    to: RawAddress,
    control: Control,
    room: libc::iovec,
}

pub(crate) fn send_one(
    socket: BorrowedFd<'_>,
    family: Family,
    transmit: &Transmit<'_>,
) -> io::Result<()> {
    let mut slot = empty_slot();
    let header = fill(&mut slot, transmit, family).ok_or_else(unreachable_from_here)?;
    loop {
        count(|it| it.sends += 1);
        // SAFETY: `header` points at `slot` and at the transmit's bytes; both outlive the call,
        // and the kernel only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, FLAGS) };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

pub(crate) fn send_many(
    socket: BorrowedFd<'_>,
    family: Family,
    transmits: &[Transmit<'_>],
) -> Sent {
    let mut outcome = Sent::default();
    for chunk in transmits.chunks(CHUNK) {
        if let [transmit] = chunk {
            outcome.note(send_one(socket, family, transmit));
        } else {
            send_chunk(socket, family, chunk, &mut outcome);
        }
        if outcome.would_block {
            break;
        }
    }
    outcome
}

const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl Sent {
    fn note(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.sent += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.would_block = true,
            Err(error) => {
                self.refused += 1;
                self.error = Some(error);
            }
        }
    }
}

fn send_chunk(socket: BorrowedFd<'_>, family: Family, chunk: &[Transmit<'_>], outcome: &mut Sent) {
    let mut slots: [Slot; CHUNK] = std::array::from_fn(|_| empty_slot());
    // SAFETY: all bits zero is a value of this C structure: integers and null pointers.
    let mut headers: [libc::mmsghdr; CHUNK] = unsafe { std::mem::zeroed() };
    let mut at = 0;
    // A datagram the socket cannot carry is found before the kernel is asked; those before it
    // go first, so that what is dealt with stays a prefix of the batch.
    while at < chunk.len() && !outcome.would_block {
        let mut ready = 0;
        for (transmit, slot) in chunk[at..].iter().zip(&mut slots) {
            let Some(header) = fill(slot, transmit, family) else { break };
            headers[ready].msg_hdr = header;
            ready += 1;
        }
        if ready == 0 {
            outcome.note(Err(unreachable_from_here()));
            at += 1;
            continue;
        }
        at += send_ready(socket, &mut headers[..ready], outcome);
    }
}

/// Sends the prepared datagrams, skipping those refused; gives how many are dealt with.
fn send_ready(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr], outcome: &mut Sent) -> usize {
    let mut done = 0;
    while done < headers.len() && !outcome.would_block {
        count(|it| it.sends += 1);
        let rest = &mut headers[done..];
        #[expect(clippy::cast_possible_truncation, reason = "at most CHUNK")]
        let length = rest.len() as libc::c_uint;
        // SAFETY: `rest` is valid for `length` headers, each pointing at a slot and at bytes that
        // outlive the call; the kernel writes only the headers' `msg_len`.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), length, FLAGS as _) };
        if let Ok(sent) = usize::try_from(sent) {
            outcome.sent += sent;
            done += sent;
            continue;
        }
        let error = io::Error::last_os_error();
        if error.kind() == io::ErrorKind::Interrupted {
            continue;
        }
        outcome.note(Err(error));
        if !outcome.would_block {
            done += 1;
        }
    }
    done
}

/// Points a header at the slot and the bytes; `None` if a socket of `family` cannot carry it.
fn fill(slot: &mut Slot, transmit: &Transmit<'_>, family: Family) -> Option<libc::msghdr> {
    let (to, to_length) = RawAddress::encode(transmit.to, family)?;
    slot.to = to;
    slot.room = libc::iovec {
        // The kernel does not write through it when sending.
        iov_base: transmit.bytes.as_ptr().cast_mut().cast(),
        iov_len: transmit.bytes.len(),
    };
    // SAFETY: all bits zero is a value of this C structure: integers and null pointers.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    if let Some(source) = transmit.source.filter(|it| !it.is_unspecified()) {
        header.msg_controllen = slot.control.set_source(source, family)?;
        header.msg_control = (&raw mut slot.control).cast();
    }
    header.msg_name = (&raw mut slot.to).cast();
    header.msg_namelen = to_length;
    header.msg_iov = &raw mut slot.room;
    header.msg_iovlen = 1;
    Some(header)
}

fn empty_slot() -> Slot {
    let room = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    Slot { to: RawAddress::zeroed(), control: Control::EMPTY, room }
}

fn unreachable_from_here() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "not of the socket's address family")
}
