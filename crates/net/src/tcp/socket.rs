//! The options of our TCP sockets, and addresses as the core wants them.

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// DSCP CS3 in the place of the old type of service: signalling (RFC 4594 §3.2).
const TOS_CS3: u32 = 24 << 2;
/// Connections that wait to be accepted; more are refused by the system.
const BACKLOG: i32 = 1024;

/// A listening socket. An IPv6 wildcard takes IPv4 too, and IPv4 alone on a machine without IPv6.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let opened = listen_exactly(address);
    match opened.as_ref().err().and_then(|error| instead(address, error)) {
        Some(everywhere) => listen_exactly(everywhere),
        None => opened,
    }
}

/// What to listen on instead of an address that the machine is too old or too plain for.
fn instead(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_everywhere = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    (is_everywhere && udp::lacks_ipv6(error)).then_some(everywhere)
}

fn listen_exactly(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    // A restart must not wait for connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Opens a connection, from a given address where the peer must see it.
pub(super) async fn connect(local: Option<IpAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(remote).await
}

/// Sets what every connection has. A system that knows one of the options not is no reason to
/// refuse the connection.
pub(super) fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_nodelay(true);
    // An IPv4 connection of a dual-stack socket obeys the first, an IPv6 one the second.
    let _ = socket.set_tos_v4(TOS_CS3);
    let _ = socket.set_tclass_v6(TOS_CS3);
}

/// An IPv4 address that a dual-stack socket wrote in IPv6, in IPv4 again.
pub(super) fn unmapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ipv6_everywhere_means_ipv4() {
        // EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE.
        #[rustfmt::skip]
        let table = [
            ("[::]:5060",        97, Some("0.0.0.0:5060")),
            ("[::]:5060",        99, Some("0.0.0.0:5060")),
            ("[::]:5060",        98, None),
            ("[::1]:5060",       97, None),
            ("192.0.2.1:5060",   99, None),
        ];
        for (address, number, expected) in table {
            let error = io::Error::from_raw_os_error(number);
            let got = address.parse().ok().and_then(|it| instead(it, &error));
            assert_eq!(got, expected.and_then(|it| it.parse().ok()), "{address} {error}");
        }
    }
}
