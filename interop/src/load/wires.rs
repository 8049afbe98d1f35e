//! How the messages of a load travel: all users on one UDP socket, or a TCP connection for each user.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use socket2::{Domain, Socket, Type};

use super::TICK;
use crate::message::Message;
use crate::phone::unique;
use crate::wire::{is_timeout, take_message};

/// Room for the bursts of a whole office; the system may grant less.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Longest datagram, and most that is read from a connection at once.
const READ_BYTES_MAX: usize = 65_536;

/// A server accepts a limited number of connections from one address, so they come from many.
const TCP_SOURCES: usize = 50;

/// Events of connections taken at once.
const EVENTS: usize = 256;

/// The way to the server, with a place for each user; over UDP all places are the same socket.
pub struct Wires {
    kind: Kind,
    counts: Arc<Counts>,
    buffer: Vec<u8>,
    /// Names the phones: they keep their Call-ID from one REGISTER to the next (RFC 3261 §10.2).
    pub(super) name: String,
    /// Of their newest REGISTER.
    pub(super) register_cseq: u32,
}

enum Kind {
    Udp { socket: UdpSocket, local: SocketAddr },
    Tcp(Pool),
}

struct Pool {
    poll: OwnedFd,
    connections: Vec<Connection>,
    ready: VecDeque<(usize, Message)>,
}

struct Connection {
    stream: TcpStream,
    local: SocketAddr,
    unread: Vec<u8>,
}

/// Messages that went each way; read while the wires are in use elsewhere.
#[derive(Debug, Default)]
pub struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Wires {
    /// One socket with room for bursts.
    pub fn udp(local: IpAddr) -> Result<Self> {
        let address = SocketAddr::new(local, 0);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self::of(Kind::Udp { socket, local }))
    }

    /// A connection for each of so many users.
    pub fn tcp(server: SocketAddr, users: usize) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(users);
        for user in 0..users {
            let last = u8::try_from(user % TCP_SOURCES + 10)?;
            let stream = connect(server, IpAddr::from(Ipv4Addr::new(127, 0, 0, last)))?;
            let data = epoll::EventData::new_u64(u64::try_from(user)?);
            epoll::add(&poll, stream.as_fd(), data, epoll::EventFlags::IN)?;
            let local = stream.local_addr()?;
            connections.push(Connection { stream, local, unread: vec![] });
        }
        Ok(Self::of(Kind::Tcp(Pool { poll, connections, ready: VecDeque::new() })))
    }

    fn of(kind: Kind) -> Self {
        let buffer = vec![0; READ_BYTES_MAX];
        Self { kind, counts: Arc::default(), buffer, name: unique("r"), register_cseq: 0 }
    }

    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// As Via writes it.
    pub(super) fn transport(&self) -> &'static str {
        match self.kind {
            Kind::Udp { .. } => "UDP",
            Kind::Tcp(_) => "TCP",
        }
    }

    /// Whether requests must be sent again until they are answered (RFC 3261 §17.1).
    pub(super) fn is_unreliable(&self) -> bool {
        matches!(self.kind, Kind::Udp { .. })
    }

    /// Where the user is reached.
    pub fn local(&self, user: usize) -> Result<SocketAddr> {
        match &self.kind {
            Kind::Udp { local, .. } => Ok(*local),
            Kind::Tcp(pool) => Ok(pool.connections.get(user).context("no such user")?.local),
        }
    }

    /// The Contact of the user.
    pub(super) fn contact(&self, user: usize, name: &str) -> Result<String> {
        let local = self.local(user)?;
        Ok(match self.kind {
            Kind::Udp { .. } => format!("<sip:{name}@{local}>"),
            Kind::Tcp(_) => format!("<sip:{name}@{local};transport=tcp>"),
        })
    }

    pub(super) fn send(&mut self, user: usize, server: SocketAddr, bytes: &[u8]) -> Result<()> {
        match &mut self.kind {
            Kind::Udp { socket, .. } => match socket.send_to(bytes, server) {
                Ok(_) => {}
                // A full queue loses, as a network does; a server that is being restarted refuses for a while.
                Err(error) if is_timeout(&error) || is_refused(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            },
            Kind::Tcp(pool) => {
                let connection = pool.connections.get_mut(user).context("no such user")?;
                connection.stream.write_all(bytes).context("a connection takes no more")?;
            }
        }
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The next message and whose it is, or `None` after [`TICK`].
    pub(super) fn receive(&mut self) -> Result<Option<(usize, Message)>> {
        let found = match &mut self.kind {
            Kind::Udp { socket, .. } => receive_datagram(socket, &mut self.buffer)?,
            Kind::Tcp(pool) => pool.receive(&mut self.buffer)?,
        };
        self.counts.received.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
        Ok(found)
    }
}

fn receive_datagram(socket: &UdpSocket, buffer: &mut [u8]) -> Result<Option<(usize, Message)>> {
    for last in [false, true] {
        match socket.recv_from(buffer) {
            Ok((size, _)) => return Ok(Message::parse(&buffer[..size]).map(|it| (0, it))),
            Err(error) if is_timeout(&error) && !last => {
                let mut wanted = [PollFd::new(socket, PollFlags::IN)];
                wait(|limit| rustix::event::poll(&mut wanted, Some(limit)).map(drop))?;
            }
            Err(error) if is_timeout(&error) || is_refused(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// For at most [`TICK`], to the microsecond: the time-out of a socket is rounded up to the next tick of the kernel.
fn wait(poll: impl FnOnce(&Timespec) -> rustix::io::Result<()>) -> Result<()> {
    match poll(&Timespec::try_from(TICK)?) {
        Ok(()) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Pool {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, Message)>> {
        if let Some(found) = self.ready.pop_front() {
            return Ok(Some(found));
        }
        let mut events = Vec::with_capacity(EVENTS);
        let (poll, spare) = (&self.poll, rustix::buffer::spare_capacity(&mut events));
        wait(|limit| epoll::wait(poll, spare, Some(limit)).map(drop))?;
        for event in &events {
            self.read(usize::try_from(event.data.u64())?, buffer)?;
        }
        Ok(self.ready.pop_front())
    }

    fn read(&mut self, user: usize, buffer: &mut [u8]) -> Result<()> {
        let connection = self.connections.get_mut(user).context("an event of nobody")?;
        match connection.stream.read(buffer) {
            Ok(0) => anyhow::bail!("the server closed the connection of user {user}"),
            Ok(size) => connection.unread.extend_from_slice(&buffer[..size]),
            Err(error) if is_timeout(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        while let Some(message) = take_message(&mut connection.unread) {
            self.ready.push_back((user, message));
        }
        Ok(())
    }
}

fn connect(server: SocketAddr, from: IpAddr) -> Result<TcpStream> {
    const LIMIT: Duration = Duration::from_secs(5);
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&server.into(), LIMIT).context("connect")?;
    socket.set_nonblocking(true)?;
    // Only delays the load where it fails.
    let _ = socket.set_tcp_nodelay(true);
    Ok(TcpStream::from(socket))
}

fn is_refused(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::ConnectionRefused
}
