//! The two phones of every call, which send and check each packet of G.711.
//!
//! All callers share one port and all callees another. One thread sends and receives in batches, so that the
//! generator takes little of the machine; the kernel notes when each packet arrived, so that the delay is that of the
//! relay and not of this thread.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use interop::clock;
use interop::server::LOCALHOST;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrStorage, recvmmsg, sendmmsg,
    setsockopt,
};
use nix::sys::time::TimeSpec;

/// Between two packets of a phone.
const PACKET: Duration = Duration::from_millis(20);
/// RTP header, and 20 ms of G.711.
const SIZE: usize = 172;
/// Shorter pauses would cost more than they order.
const PAUSE: Duration = Duration::from_micros(500);
/// For what is still under way when all is sent.
const LINGER: Duration = Duration::from_millis(300);
/// Packets of one system call.
const BATCH: usize = 32;
const RECEIVE_BUFFER: usize = 16 << 20;
/// The first synchronisation source; the call and, for callees, [`CALLEE`] are added.
const SOURCE: u32 = 0x5000_0000;
const CALLEE: u32 = 0x8000;

/// Where the callers and the callees send, call by call.
pub(crate) type Targets = Vec<(SocketAddr, SocketAddr)>;

pub(crate) struct Phones {
    sides: [Side; 2],
    /// Packets of each stream so far: sequence numbers go on from run to run.
    sent: u32,
}

/// All phones of one side.
struct Side {
    socket: UdpSocket,
    /// What is added to the source of its packets.
    mark: u32,
    targets: Vec<SockaddrIn>,
    /// Of each stream of the other side: the sequence number that comes next.
    next: Vec<u32>,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) sent: usize,
    /// Unit: microseconds.
    pub(crate) delays_us: Vec<u32>,
    /// Packets that came changed, twice, out of order or to the wrong phone.
    pub(crate) wrong: usize,
}

impl Heard {
    pub(crate) fn lost(&self) -> usize {
        self.sent.saturating_sub(self.delays_us.len())
    }
}

impl Phones {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { sides: [Side::new(0)?, Side::new(CALLEE)?], sent: 0 })
    }

    pub(crate) fn callers(&self) -> Result<SocketAddr> {
        Ok(self.sides[0].socket.local_addr()?)
    }

    pub(crate) fn callees(&self) -> Result<SocketAddr> {
        Ok(self.sides[1].socket.local_addr()?)
    }

    pub(crate) fn call(&mut self, targets: &Targets) -> Result<()> {
        for (to_callers_port, to_callees_port) in targets {
            for (side, to) in self.sides.iter_mut().zip([to_callers_port, to_callees_port]) {
                let SocketAddr::V4(to) = to else { anyhow::bail!("media over IPv6") };
                side.targets.push(SockaddrIn::from(*to));
                side.next.push(0);
            }
        }
        Ok(())
    }

    /// Every phone sends so many packets, the calls spread evenly over the 20 ms.
    pub(crate) fn talk(&mut self, packets: u32) -> Result<Heard> {
        let calls = u32::try_from(self.sides[0].targets.len())?;
        let mut heard = Heard::default();
        let begin = clock::now();
        let due = |turn: u32| begin + PACKET * (turn / calls) + PACKET * (turn % calls) / calls;
        let mut turn = 0;
        let mut ends_at = None;
        while ends_at.is_none_or(|end| clock::now() < end) {
            while turn < packets * calls && due(turn) <= clock::now() {
                let mut until = turn;
                while until < packets * calls
                    && due(until) <= clock::now()
                    && (until - turn) < u32::try_from(BATCH)?
                {
                    until += 1;
                }
                for side in &self.sides {
                    heard.sent += side.send(turn..until, calls, self.sent)?;
                }
                turn = until;
                self.listen(&mut heard)?;
            }
            self.listen(&mut heard)?;
            if turn == packets * calls {
                ends_at = ends_at.or_else(|| Some(clock::now() + LINGER));
            }
            clock::pause(due(turn).saturating_duration_since(clock::now()).clamp(PAUSE, PACKET));
        }
        self.sent += packets;
        Ok(heard)
    }

    fn listen(&mut self, heard: &mut Heard) -> Result<()> {
        self.sides.iter_mut().try_for_each(|side| side.listen(heard))
    }
}

impl Side {
    fn new(mark: u32) -> Result<Self> {
        let socket = UdpSocket::bind((LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        // Beyond the limit only root may go.
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER)?;
        }
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self { socket, mark, targets: vec![], next: vec![] })
    }

    /// The packets of these turns, after `before` of each call; how many there were.
    fn send(&self, turns: std::ops::Range<u32>, calls: u32, before: u32) -> Result<usize> {
        let stamp = now_ns()?;
        let mut packets = Vec::with_capacity(BATCH);
        let mut to = Vec::with_capacity(BATCH);
        for turn in turns {
            let call = turn % calls;
            packets.push(packet(before + turn / calls, call | self.mark, stamp));
            to.push(Some(self.targets[usize::try_from(call)?]));
        }
        let slices: Vec<[IoSlice<'_>; 1]> = packets.iter().map(|it| [IoSlice::new(it)]).collect();
        let mut headers = MultiHeaders::preallocate(to.len(), None);
        let fd = self.socket.as_raw_fd();
        let sent = sendmmsg(fd, &mut headers, &slices, &to, [], MsgFlags::empty())?.count();
        ensure!(sent == to.len(), "{sent} of {} packets sent", to.len());
        Ok(sent)
    }

    /// Takes all that has come.
    fn listen(&mut self, heard: &mut Heard) -> Result<()> {
        let mut buffers = [[0_u8; SIZE + 1]; BATCH];
        loop {
            let arrived = receive(&self.socket, &mut buffers)?;
            for (buffer, (size, at)) in buffers.iter().zip(&arrived) {
                self.check(&buffer[..*size], *at, heard)?;
            }
            if arrived.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// The packet must be one of the other side, unchanged, and the next of its stream.
    fn check(&mut self, bytes: &[u8], at: TimeSpec, heard: &mut Heard) -> Result<()> {
        // Control packets of the relay (RTCP) are shorter.
        if bytes.len() < SIZE {
            return Ok(());
        }
        let word =
            |at: usize| -> Result<u32> { Ok(u32::from_be_bytes(bytes[at..at + 4].try_into()?)) };
        let (first, source) = (word(0)?, word(8)?);
        let call = usize::try_from(source & 0x7FFF)?;
        let of_other_side = source & !0x7FFF == SOURCE | (self.mark ^ CALLEE);
        let sequence = first & 0xFFFF;
        let filler = filler(sequence);
        let whole = bytes.len() == SIZE && bytes[20..].iter().all(|it| *it == filler);
        match self.next.get_mut(call) {
            Some(next) if of_other_side && whole && sequence >= *next => {
                *next = sequence + 1;
                let sent = u64::from_be_bytes(bytes[12..20].try_into()?);
                let arrived = u64::try_from(Duration::from(at).as_nanos())?;
                let delay = arrived.saturating_sub(sent) / 1000;
                heard.delays_us.push(u32::try_from(delay).unwrap_or(u32::MAX));
            }
            Some(_) | None => heard.wrong += 1,
        }
        Ok(())
    }
}

/// Size and time of arrival of each datagram of one batch.
fn receive(
    socket: &UdpSocket,
    buffers: &mut [[u8; SIZE + 1]; BATCH],
) -> Result<Vec<(usize, TimeSpec)>> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.iter_mut().map(|it| [IoSliceMut::new(it)]).collect();
    let space = nix::cmsg_space!(TimeSpec);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(space));
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let mut arrived = Vec::with_capacity(BATCH);
    match recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None) {
        Ok(received) => {
            for message in received {
                let mut stamp = None;
                for control in message.cmsgs()? {
                    if let ControlMessageOwned::ScmTimestampns(at) = control {
                        stamp = Some(at);
                    }
                }
                arrived.push((message.bytes, stamp.context("no time of arrival")?));
            }
        }
        Err(nix::Error::EAGAIN) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(arrived)
}

/// An RTP packet (RFC 3550 §5.1) whose payload begins with the time it was sent. Unit of the time: nanoseconds.
fn packet(number: u32, source: u32, stamp: u64) -> [u8; SIZE] {
    let mut packet = [filler(number); SIZE];
    packet[..4].copy_from_slice(&(0x8008_0000 | number & 0xFFFF).to_be_bytes());
    packet[4..8].copy_from_slice(&(number.wrapping_mul(160)).to_be_bytes());
    packet[8..12].copy_from_slice(&(SOURCE | source).to_be_bytes());
    packet[12..20].copy_from_slice(&stamp.to_be_bytes());
    packet
}

fn filler(number: u32) -> u8 {
    number.to_be_bytes()[3] ^ 0xD5
}

/// By the clock that stamps arriving packets.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now_ns() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}
