//! Socket addresses between Rust and the kernel.
//!
//! Below everything that calls the kernel. An IPv4 address seen through a dual-stack socket is
//! "v4-mapped" (RFC 4291 §2.5.5.2) on the kernel's side and plain on ours, always.

use crate::interfaces::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Room for `sockaddr_in6`, and so for the shorter `sockaddr_in` as well.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union RawAddress {
    pub(crate) v6: libc::sockaddr_in6,
    v4: libc::sockaddr_in,
    family: libc::sa_family_t,
}

impl RawAddress {
    /// Length to offer the kernel for writing.
    #[expect(clippy::cast_possible_truncation, reason = "28 octets")]
    pub(crate) const CAPACITY: libc::socklen_t = size_of::<Self>() as libc::socklen_t;

    pub(crate) fn zeroed() -> Self {
        // SAFETY: all bits zero is a value of these C structures, which hold integers only.
        Self { v6: unsafe { std::mem::zeroed() } }
    }

    /// The address in the form a socket of `family` takes, with its length. `None`: the socket
    /// cannot reach it.
    pub(crate) fn encode(to: SocketAddr, family: Family) -> Option<(Self, libc::socklen_t)> {
        match (family, to) {
            (Family::V4, SocketAddr::V4(it)) => {
                let mut raw = Self::zeroed();
                raw.v4 = libc::sockaddr_in {
                    sin_family: family_number(libc::AF_INET),
                    sin_port: it.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(it.ip().octets()) },
                    sin_zero: [0; 8],
                };
                Some((raw, length_of::<libc::sockaddr_in>()))
            }
            (Family::V4, SocketAddr::V6(it)) => {
                let plain = it.ip().to_ipv4_mapped()?;
                Self::encode(SocketAddr::new(plain.into(), it.port()), family)
            }
            (Family::V6, SocketAddr::V4(it)) => {
                let mapped = SocketAddrV6::new(it.ip().to_ipv6_mapped(), it.port(), 0, 0);
                Self::encode(mapped.into(), family)
            }
            (Family::V6, SocketAddr::V6(it)) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: family_number(libc::AF_INET6),
                    sin6_port: it.port().to_be(),
                    sin6_flowinfo: it.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: it.ip().octets() },
                    sin6_scope_id: it.scope_id(),
                };
                Some((Self { v6 }, length_of::<libc::sockaddr_in6>()))
            }
        }
    }

    /// What the kernel wrote; `None` for a family that is not of the Internet.
    pub(crate) fn decode(&self) -> Option<SocketAddr> {
        // SAFETY: every value was made by `zeroed` or `encode`, or overwritten by the kernel, so
        // the family is initialised; all three members start with it.
        let family = libc::c_int::from(unsafe { self.family });
        match family {
            libc::AF_INET => {
                // SAFETY: the family says which member the kernel wrote, and it holds integers.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(match ip.to_ipv4_mapped() {
                    Some(plain) => SocketAddr::new(plain.into(), port),
                    None => SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into(),
                })
            }
            _ => None,
        }
    }
}

/// An IPv4 address as plain IPv4, whatever it was written as.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "2 or 10")]
#[expect(clippy::cast_sign_loss, reason = "2 or 10")]
fn family_number(family: libc::c_int) -> libc::sa_family_t {
    family as libc::sa_family_t
}

#[expect(clippy::cast_possible_truncation, reason = "at most 28 octets")]
fn length_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_canonical() {
        #[rustfmt::skip]
        let table = [
            // socket      given                          comes back as
            (Family::V4,   "192.0.2.1:5060",              Some("192.0.2.1:5060")),
            (Family::V4,   "[::ffff:192.0.2.1]:5060",     Some("192.0.2.1:5060")),
            (Family::V4,   "[2001:db8::1]:5060",          None),
            (Family::V6,   "192.0.2.1:5060",              Some("192.0.2.1:5060")),
            (Family::V6,   "[::ffff:192.0.2.1]:5060",     Some("192.0.2.1:5060")),
            (Family::V6,   "[2001:db8::1]:5060",          Some("[2001:db8::1]:5060")),
            (Family::V6,   "[fe80::1%7]:5060",            Some("[fe80::1%7]:5060")),
        ];
        for (family, given, expected) in table {
            let given: SocketAddr = given.parse().expect("an address");
            let back = RawAddress::encode(given, family).and_then(|(raw, _)| raw.decode());
            let expected = expected.map(|it| it.parse().expect("an address"));
            assert_eq!(back, expected, "{given} on {family:?}");
        }
        assert_eq!(RawAddress::zeroed().decode(), None);
    }
}
