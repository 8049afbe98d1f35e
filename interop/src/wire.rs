//! One phone's way to the server: a UDP socket of its own or a TCP connection (RFC 3261 §18).

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use crate::clock;
use crate::message::Message;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Sends to the server and receives from anybody.
pub enum Wire {
    Udp { socket: UdpSocket, server: SocketAddr },
    Tcp { stream: TcpStream, unread: Vec<u8> },
}

/// What a look at the wire found.
#[derive(Debug)]
pub enum Got {
    Message(Message, SocketAddr),
    /// Nothing until the end of the time.
    Silence,
    /// The other side closed the connection.
    Closed,
}

impl Wire {
    pub fn udp(local: IpAddr, server: SocketAddr) -> Result<Self> {
        Ok(Self::Udp { socket: UdpSocket::bind((local, 0))?, server })
    }

    pub fn tcp(local: IpAddr, server: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(local, 0).into())?;
        let connected = socket.connect_timeout(&server.into(), CONNECT_LIMIT);
        connected.with_context(|| format!("connect to {server}"))?;
        let stream = TcpStream::from(socket);
        Ok(Self::over(stream))
    }

    pub fn over(stream: TcpStream) -> Self {
        // Only delays the tests where it fails.
        let _ = stream.set_nodelay(true);
        Self::Tcp { stream, unread: vec![] }
    }

    pub fn local(&self) -> Result<SocketAddr> {
        Ok(match self {
            Self::Udp { socket, .. } => socket.local_addr()?,
            Self::Tcp { stream, .. } => stream.local_addr()?,
        })
    }

    /// As Via writes it.
    pub fn transport(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "UDP",
            Self::Tcp { .. } => "TCP",
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Udp { socket, server } => {
                socket.send_to(bytes, *server)?;
            }
            Self::Tcp { stream, .. } => stream.write_all(bytes)?,
        }
        Ok(())
    }

    pub fn receive(&mut self, end: Instant) -> Result<Got> {
        match self {
            Self::Udp { socket, .. } => receive_datagram(socket, end),
            Self::Tcp { stream, unread } => receive_framed(stream, unread, end),
        }
    }
}

fn receive_datagram(socket: &UdpSocket, end: Instant) -> Result<Got> {
    let mut buffer = vec![0; 65_536];
    while clock::now() < end {
        socket.set_read_timeout(Some(clock::until(end)))?;
        match socket.recv_from(&mut buffer) {
            Ok((size, from)) => {
                if let Some(message) = Message::parse(&buffer[..size]) {
                    return Ok(Got::Message(message, from));
                }
            }
            Err(error) if is_timeout(&error) => {}
            // The server's port is closed while it restarts.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Got::Silence)
}

fn receive_framed(stream: &mut TcpStream, unread: &mut Vec<u8>, end: Instant) -> Result<Got> {
    let mut buffer = vec![0; 65_536];
    loop {
        if let Some(message) = take_message(unread) {
            return Ok(Got::Message(message, stream.peer_addr()?));
        }
        if clock::now() >= end {
            return Ok(Got::Silence);
        }
        stream.set_read_timeout(Some(clock::until(end)))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(Got::Closed),
            Ok(size) => unread.extend_from_slice(&buffer[..size]),
            Err(error) if is_timeout(&error) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Got::Closed),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes one whole message off the front, by its Content-Length (RFC 3261 §18.3).
pub(crate) fn take_message(unread: &mut Vec<u8>) -> Option<Message> {
    let blank = unread.iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
    unread.drain(..blank);
    let end = unread.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let length = Message::parse(&unread[..end])?.header("Content-Length")?.parse::<usize>().ok()?;
    if unread.len() < end + length {
        return None;
    }
    let bytes: Vec<u8> = unread.drain(..end + length).collect();
    Message::parse(&bytes)
}

/// Nothing came in the time the socket waits.
pub fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
