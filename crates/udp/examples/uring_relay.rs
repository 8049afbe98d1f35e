//! The floor of relayed packets with io_uring: what batching across calls gains, and the delay that it costs.
//!
//! `uring_relay PAIRS FIRST SECOND TICK_US` forwards between PAIRS pairs of sockets as the floor of `bench` does:
//! socket 2n hears the phone FIRST of call n and socket 2n+1 the phone SECOND. Receives are multishot into buffers that
//! the kernel was given, sockets are known to it beforehand, and all sends of a turn are one system call. With a tick
//! it sleeps so long between turns. It prints the ports of the sockets in a line, and ends by being killed.

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use socket2::SockAddr;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Operations that may wait, and completions, which are more.
const SUBMISSIONS: u32 = 4096;
const COMPLETIONS: u32 = 16_384;
/// The only group of buffers, their number (a power of two) and the size of each.
const GROUP: u16 = 0;
const BUFFERS: u16 = 4096;
const OCTETS: u16 = 2048;
/// Says of a completion that it is one of a send; what stands below is its buffer.
const SENT: u64 = 1 << 32;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pairs, first, second, tick_us] = arguments.as_slice() else {
        return Err("uring_relay PAIRS FIRST SECOND TICK_US".into());
    };
    let pairs: usize = pairs.parse()?;
    let sockets = (0..pairs * 2)
        .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    let peers: [SocketAddr; 2] = [first.parse()?, second.parse()?];
    let mut relay = Relay::new(&sockets, peers.map(SockAddr::from))?;
    announce(&sockets)?;
    relay.run(Duration::from_micros(tick_us.parse()?))?;
    Ok(())
}

fn announce(sockets: &[UdpSocket]) -> io::Result<()> {
    let port = |it: &UdpSocket| it.local_addr().map(|it| it.port().to_string());
    let ports = sockets.iter().map(port).collect::<io::Result<Vec<_>>>()?;
    let mut output = io::stdout();
    writeln!(output, "{}", ports.join(" "))?;
    output.flush()
}

struct Relay {
    /// First, so that it is closed before what the kernel was given is freed.
    ring: IoUring,
    buffers: Buffers,
    /// The phones, in a place that does not move while a send is under way.
    peers: Box<[SockAddr; 2]>,
}

impl Relay {
    fn new(sockets: &[UdpSocket], peers: [SockAddr; 2]) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let files: Vec<_> = sockets.iter().map(|it| it.as_raw_fd()).collect();
        ring.submitter().register_files(&files)?;
        let buffers = Buffers::new(&ring)?;
        let mut relay = Self { ring, buffers, peers: Box::new(peers) };
        for socket in 0..u32::try_from(sockets.len()).map_err(io::Error::other)? {
            relay.receive(socket)?;
        }
        Ok(relay)
    }

    fn run(&mut self, tick: Duration) -> io::Result<()> {
        loop {
            // Without a tick the sends of the last turn go out with this wait: one system call for all.
            self.ring.submit_and_wait(1)?;
            let mut completed = self.turn()?;
            if tick.is_zero() {
                continue;
            }
            // The kernel completes some twenty at a time.
            while completed > 0 {
                self.submit_and_look()?;
                completed = self.turn()?;
            }
            #[expect(clippy::disallowed_methods, reason = "not to be woken is the purpose")]
            std::thread::sleep(tick);
        }
    }

    /// Does what completions ask for; how many there were.
    fn turn(&mut self) -> io::Result<usize> {
        let completed = self.ring.completion().map(|it| (it.user_data(), it.result(), it.flags()));
        let completed: Vec<_> = completed.collect();
        for (what, result, flags) in &completed {
            self.complete(*what, *result, *flags)?;
        }
        Ok(completed.len())
    }

    fn submit_and_look(&mut self) -> io::Result<()> {
        const GET_EVENTS: u32 = 1;
        let waiting = self.ring.submission().len();
        let waiting = u32::try_from(waiting).map_err(io::Error::other)?;
        // SAFETY: there is no set of signals; what is submitted is sound, see `push`.
        unsafe { self.ring.submitter().enter::<libc::sigset_t>(waiting, 0, GET_EVENTS, None) }?;
        Ok(())
    }

    fn complete(&mut self, what: u64, result: i32, flags: u32) -> io::Result<()> {
        // Without a buffer a packet waits in its socket.
        if result < 0 && result != -libc::ENOBUFS {
            return Err(io::Error::from_raw_os_error(-result));
        }
        if what & SENT != 0 {
            // What was put there was a buffer's number.
            self.buffers.give(u16::try_from(what & !SENT).unwrap_or_default());
            return Ok(());
        }
        let socket = u32::try_from(what).map_err(io::Error::other)?;
        if let (Ok(octets), Some(buffer)) = (u32::try_from(result), cqueue::buffer_select(flags)) {
            self.send(socket, buffer, octets)?;
        }
        // It ends where there was no buffer.
        if cqueue::more(flags) { Ok(()) } else { self.receive(socket) }
    }

    fn receive(&mut self, socket: u32) -> io::Result<()> {
        let receive = opcode::RecvMulti::new(types::Fixed(socket), GROUP).build();
        self.push(&receive.user_data(u64::from(socket)))
    }

    /// Forwards what this socket has received.
    fn send(&mut self, socket: u32, buffer: u16, octets: u32) -> io::Result<()> {
        let peer = &self.peers[usize::from(socket.is_multiple_of(2))];
        let send = opcode::Send::new(types::Fixed(socket ^ 1), self.buffers.at(buffer), octets)
            .dest_addr(peer.as_ptr().cast())
            .dest_addr_len(peer.len())
            .build();
        self.push(&send.user_data(SENT | u64::from(buffer)))
    }

    fn push(&mut self, operation: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: buffers and addresses live as long as the ring, and a buffer is given back only when its
            // send is completed.
            if unsafe { self.ring.submission().push(operation) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }
}

/// Memory that the kernel receives into, and the list by which it is given.
struct Buffers {
    memory: Vec<u8>,
    list: Vec<Page>,
    /// Counts what was given.
    given: u16,
}

/// The list begins at a page (`io_uring_register_buf_ring(3)`).
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Page {
    _octets: [u8; 4096],
}

impl Buffers {
    fn new(ring: &IoUring) -> io::Result<Self> {
        let octets = usize::from(BUFFERS) * size_of::<types::BufRingEntry>();
        let list = vec![Page { _octets: [0; 4096] }; octets.div_ceil(size_of::<Page>())];
        let memory = vec![0; usize::from(BUFFERS) * usize::from(OCTETS)];
        let mut buffers = Self { memory, list, given: 0 };
        let at = buffers.list.as_mut_ptr() as u64;
        // SAFETY: the list has room for so many entries and lives as long as the ring, beside which it is kept.
        unsafe { ring.submitter().register_buf_ring_with_flags(at, BUFFERS, GROUP, 0) }?;
        (0..BUFFERS).for_each(|it| buffers.give(it));
        Ok(buffers)
    }

    fn at(&mut self, buffer: u16) -> *mut u8 {
        self.memory[usize::from(buffer) * usize::from(OCTETS)..].as_mut_ptr()
    }

    fn give(&mut self, buffer: u16) {
        let address = self.at(buffer) as u64;
        let list = self.list.as_mut_ptr().cast::<types::BufRingEntry>();
        let place = usize::from(self.given % BUFFERS);
        // SAFETY: the list has room for `BUFFERS` entries.
        let entry = unsafe { list.add(place) };
        // SAFETY: the entry is zeroed or written. The kernel takes buffers only while this thread is in a system call
        // (`defer_taskrun`), and no more than `BUFFERS` are given, so nobody reads this one.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(u32::from(OCTETS));
        entry.set_bid(buffer);
        self.given = self.given.wrapping_add(1);
        // SAFETY: `list` is the first entry.
        let tail = unsafe { types::BufRingEntry::tail(list) };
        // SAFETY: it is aligned, lives as long as the list, and is written here alone.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.given, Ordering::Release);
    }
}
