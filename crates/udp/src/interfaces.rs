//! The machine's addresses: what each interface has, and what the kernel would use towards the
//! rest of the world.
//!
//! The server builds the core's picture of the network from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ptr::NonNull;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

/// Interfaces of a machine come from the kernel's list; beyond this many addresses the rest is
/// left out.
const ADDRESSES_MAX: usize = 4096;

/// The addresses of all interfaces that are up, with the length of their network's prefix in bits.
pub fn interface_addresses() -> io::Result<Vec<(IpAddr, u8)>> {
    let list = List::read()?;
    let mut found = Vec::new();
    let mut next = list.0;
    while let Some(entry) = next
        && found.len() < ADDRESSES_MAX
    {
        // SAFETY: the list and what it points at live until it is freed, on drop of `list`.
        let entry = unsafe { entry.as_ref() };
        next = NonNull::new(entry.ifa_next);
        let up = entry.ifa_flags & libc::IFF_UP as libc::c_uint != 0;
        // SAFETY: the kernel's addresses are null or as long as their family says.
        let address = unsafe { ip_at(entry.ifa_addr) };
        // SAFETY: as above.
        let mask = unsafe { ip_at(entry.ifa_netmask) };
        if let (true, Some(address)) = (up, address) {
            found.push((address, mask.map_or_else(|| bits_of(address), prefix_of)));
        }
    }
    Ok(found)
}

/// The address the kernel would send from to an address of the documentation networks (RFC 5737,
/// RFC 3849), which are routed like any other far away. Nothing is sent. `None`: no route.
pub fn default_source(family: Family) -> Option<IpAddr> {
    let (any, far) = match family {
        Family::V4 => (IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from([203, 0, 113, 1])),
        Family::V6 => {
            let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (Ipv6Addr::UNSPECIFIED.into(), far.into())
        }
    };
    // Connecting a UDP socket only looks up the route; the port is discard (RFC 863).
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip().to_canonical();
    (!source.is_unspecified()).then_some(source)
}

/// What `getifaddrs` gave; freed on drop.
struct List(Option<NonNull<libc::ifaddrs>>);

impl List {
    fn read() -> io::Result<Self> {
        let mut head = std::ptr::null_mut();
        // SAFETY: `head` outlives the call, which writes one pointer to it.
        if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(NonNull::new(head)))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(head) = self.0 {
            // SAFETY: it came from `getifaddrs` and is freed once.
            unsafe { libc::freeifaddrs(head.as_ptr()) };
        }
    }
}

/// # Safety
/// `address` is null, or points at an address as long as its family says.
unsafe fn ip_at(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or readable, as the caller promises.
    let family = unsafe { address.as_ref() }?.sa_family;
    match libc::c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: of this family and so of this type; alignment is not assumed.
            let it = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(it.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let it = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(it.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 128")]
fn prefix_of(mask: IpAddr) -> u8 {
    match mask {
        IpAddr::V4(it) => it.to_bits().leading_ones() as u8,
        IpAddr::V6(it) => it.to_bits().leading_ones() as u8,
    }
}

fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_among_the_interfaces_with_its_prefix() {
        let found = interface_addresses().expect("a list");
        assert!(found.contains(&(Ipv4Addr::LOCALHOST.into(), 8)), "{found:?}");
        for (address, prefix) in found {
            assert!((1..=bits_of(address)).contains(&prefix), "{address}/{prefix}");
        }
    }

    #[test]
    fn the_default_source_is_an_address_of_ours() {
        let ours = interface_addresses().expect("a list");
        for family in [Family::V4, Family::V6] {
            let Some(source) = default_source(family) else { continue };
            assert_eq!(source.is_ipv4(), family == Family::V4);
            assert!(ours.iter().any(|(it, _)| *it == source), "{source}");
        }
    }
}
