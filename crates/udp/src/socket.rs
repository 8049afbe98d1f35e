//! A bound UDP socket.
//!
//! What `net`, `media` and the server's loop hold. Answers can leave from the address that was
//! asked (RFC 3261 §18.2.2), because every receive says it and every send may name it.

use crate::address::canonical;
use crate::batch::Batch;
use crate::calls::count;
use crate::interfaces::Family;
use crate::send::{Sent, Transmit, send_many, send_one};
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How a socket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Differentiated services code point of what is sent (RFC 2474), 0..=63. `None`: best effort.
    pub dscp: Option<u8>,
    /// Asked of the kernel, in octets, which grants at most `net.core.rmem_max`.
    pub receive_buffer: usize,
    /// Asked of the kernel, in octets, which grants at most `net.core.wmem_max`.
    pub send_buffer: usize,
    /// Whether several sockets may share the address, the kernel spreading peers over them.
    pub reuse_port: bool,
    /// Whether each datagram says which local address it came to.
    pub destination: bool,
}

impl Options {
    /// For a signalling listener: one socket takes the bursts of all phones.
    pub const SIGNALLING: Self = Self {
        dscp: Some(crate::DSCP_CS3),
        receive_buffer: 4 << 20,
        send_buffer: 4 << 20,
        reuse_port: false,
        destination: true,
    };

    /// For a media port: one stream, with room for two seconds of video.
    pub const MEDIA: Self = Self {
        dscp: Some(crate::DSCP_EF),
        receive_buffer: 256 << 10,
        send_buffer: 256 << 10,
        reuse_port: false,
        destination: false,
    };
}

/// Why a socket could not be had. Wrapped in an [`io::Error`] of the same kind.
#[derive(Debug)]
pub struct BindError {
    pub address: SocketAddr,
    /// What was tried, for the reader of a log.
    pub step: &'static str,
    pub source: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UDP {}: {}: {}", self.address, self.step, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct Socket {
    inner: socket2::Socket,
    family: Family,
    local: SocketAddr,
}

impl Socket {
    /// Binds `address`. The unspecified IPv6 address takes IPv4 as well, and IPv4 alone on a
    /// machine without IPv6. IPv4 peers and addresses of ours appear as plain IPv4 everywhere.
    pub fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let address = canonical(address);
        match Self::bind_exactly(address, options) {
            Err(error) if address.ip() == IpAddr::from([0_u16; 8]) && lacks_ipv6(&error.source) => {
                let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
                Self::bind_exactly(everywhere, options).map_err(BindError::wrap)
            }
            other => other.map_err(BindError::wrap),
        }
    }

    /// The address bound, with the port the kernel chose where none was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Receives what is there, at most as much as the batch holds, without waiting. `Ok(0)`:
    /// nothing is there. The count includes datagrams too long for the batch.
    pub fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        let headers = batch.offer();
        let room = libc::c_uint::try_from(headers.len()).unwrap_or(libc::c_uint::MAX);
        let received = loop {
            count(|it| it.receives += 1);
            // SAFETY: `headers` is valid for `room` headers, whose pointers lead into blocks the
            // batch owns, of the lengths they state.
            let received = unsafe {
                libc::recvmmsg(
                    self.inner.as_raw_fd(),
                    headers.as_mut_ptr(),
                    room,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            if let Ok(received) = usize::try_from(received) {
                break received;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::WouldBlock {
                break 0;
            }
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        };
        batch.accept(received, self.local.ip());
        Ok(received)
    }

    /// Sends one datagram.
    pub fn send_to(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        send_one(self.inner.as_fd(), self.family, transmit)
    }

    /// Sends many datagrams, in order, skipping those the kernel refuses, until the socket's
    /// buffer is full.
    pub fn send_batch(&self, transmits: &[Transmit<'_>]) -> Sent {
        send_many(self.inner.as_fd(), self.family, transmits)
    }

    fn bind_exactly(address: SocketAddr, options: Options) -> Result<Self, BindError> {
        let at = |step| move |source| BindError { address, step, source };
        let (domain, family) = match address {
            SocketAddr::V4(_) => (Domain::IPV4, Family::V4),
            SocketAddr::V6(_) => (Domain::IPV6, Family::V6),
        };
        let kind = Type::DGRAM.nonblocking().cloexec();
        let inner = socket2::Socket::new(domain, kind, Some(Protocol::UDP)).map_err(at("open"))?;
        if family == Family::V6 {
            let dual = address.ip().is_unspecified();
            inner.set_only_v6(!dual).map_err(at("accept IPv4 too"))?;
        }
        if options.reuse_port {
            inner.set_reuse_port(true).map_err(at("share the port"))?;
        }
        // The kernel clamps both to its limits without an error.
        inner.set_recv_buffer_size(options.receive_buffer).map_err(at("receive buffer"))?;
        inner.set_send_buffer_size(options.send_buffer).map_err(at("send buffer"))?;
        if let Some(dscp) = options.dscp {
            // The upper six of the eight bits; the lower two are congestion notification.
            let octet = u32::from(dscp.min(63)) << 2;
            inner.set_tos_v4(octet).map_err(at("DSCP of IPv4"))?;
            if family == Family::V6 {
                inner.set_tclass_v6(octet).map_err(at("DSCP of IPv6"))?;
            }
        }
        if options.destination {
            ask_for_destination(&inner, family).map_err(at("packet information"))?;
        }
        inner.bind(&address.into()).map_err(at("bind"))?;
        let local = inner.local_addr().map_err(at("read the address"))?;
        let local = canonical(local.as_socket().unwrap_or(address));
        Ok(Self { inner, family, local })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl BindError {
    fn wrap(self) -> io::Error {
        io::Error::new(self.source.kind(), self)
    }
}

/// Whether a listener on all IPv6 addresses failed because the machine has none: a kernel without
/// IPv6 knows neither the family nor its addresses.
pub fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

/// A dual-stack socket reports IPv4 datagrams in the IPv6 form, too.
fn ask_for_destination(socket: &socket2::Socket, family: Family) -> io::Result<()> {
    let (level, name) = match family {
        Family::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    #[expect(clippy::cast_possible_truncation, reason = "four octets")]
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the value is an int that outlives the call, and the length is its own.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
