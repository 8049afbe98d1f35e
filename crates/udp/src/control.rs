//! Packet information in ancillary data: the local address a datagram came to or leaves from.
//!
//! Used by receiving and sending alike. IPv6: RFC 3542 §6.1 (`IPV6_PKTINFO`); IPv4: Linux's
//! `IP_PKTINFO`. A dual-stack socket uses the IPv6 form for both, with v4-mapped addresses.

use crate::interfaces::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of ancillary data per datagram: one header and the larger of the two structures take
/// 40; what does not fit is cut by the kernel, and then no address is known.
const CAPACITY: usize = 64;

/// Ancillary data of one datagram, aligned as its headers must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control([u8; CAPACITY]);

const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());

impl Control {
    pub(crate) const CAPACITY: usize = CAPACITY;

    pub(crate) const EMPTY: Self = Self([0; CAPACITY]);

    /// Asks that the datagram leave from `source`; gives the octets used. `None`: a socket of
    /// `family` cannot send from it.
    pub(crate) fn set_source(&mut self, source: IpAddr, family: Family) -> Option<usize> {
        match (family, source.to_canonical()) {
            (Family::V4, IpAddr::V4(ip)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(self.put(libc::IPPROTO_IP, libc::IP_PKTINFO, info))
            }
            (Family::V4, IpAddr::V6(_)) => None,
            (Family::V6, ip) => {
                let ip = match ip {
                    IpAddr::V4(it) => it.to_ipv6_mapped(),
                    IpAddr::V6(it) => it,
                };
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: ip.octets() },
                    ipi6_ifindex: 0,
                };
                Some(self.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info))
            }
        }
    }

    /// The local address in what the kernel wrote, `used` octets of it.
    pub(crate) fn local(&self, used: usize) -> Option<IpAddr> {
        let header_length = length_of_header();
        let used = used.min(CAPACITY);
        let mut at = 0;
        // Each round moves on by at least one header: at most four rounds.
        while at + header_length <= used {
            // SAFETY: a whole header lies within the buffer, and integers of any bits are values.
            let header = unsafe { self.0[at..].as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            let length = header.cmsg_len;
            if length < header_length || length > used - at {
                return None;
            }
            let data = &self.0[at + header_length..at + length];
            if let Some(address) = local_in(header.cmsg_level, header.cmsg_type, data) {
                return Some(address);
            }
            at += length.next_multiple_of(align_of::<libc::cmsghdr>());
        }
        None
    }

    fn put<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, data: T) -> usize {
        let header_length = length_of_header();
        let total = header_length + size_of::<T>();
        assert!(total <= CAPACITY, "ancillary data larger than its room");
        let header = libc::cmsghdr { cmsg_len: total, cmsg_level: level, cmsg_type: kind };
        let base = self.0.as_mut_ptr();
        // SAFETY: header and data lie within the buffer, as asserted above.
        unsafe { base.cast::<libc::cmsghdr>().write_unaligned(header) };
        let place = self.0[header_length..].as_mut_ptr();
        // SAFETY: as above.
        unsafe { place.cast::<T>().write_unaligned(data) };
        total.next_multiple_of(align_of::<libc::cmsghdr>())
    }
}

fn local_in(level: libc::c_int, kind: libc::c_int, data: &[u8]) -> Option<IpAddr> {
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // `in_pktinfo`: interface, local address (`ipi_spec_dst`), address in the header.
            let octets: [u8; 4] = data.get(4..8)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets).into())
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            // `in6_pktinfo` starts with the address.
            let octets: [u8; 16] = data.get(..16)?.try_into().ok()?;
            Some(IpAddr::from(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

/// `CMSG_LEN(0)`: the header, padded to where its data starts.
fn length_of_header() -> usize {
    size_of::<libc::cmsghdr>().next_multiple_of(align_of::<libc::cmsghdr>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_back() {
        #[rustfmt::skip]
        let table = [
            (Family::V6, "192.0.2.1",        Some("192.0.2.1")),
            (Family::V6, "2001:db8::1",      Some("2001:db8::1")),
            (Family::V4, "192.0.2.1",        Some("192.0.2.1")),
            (Family::V4, "::ffff:192.0.2.1", Some("192.0.2.1")),
            (Family::V4, "2001:db8::1",      None),
        ];
        for (family, source, expected) in table {
            let mut control = Control::EMPTY;
            let used = control.set_source(source.parse().expect("an address"), family);
            let back = used.and_then(|used| control.local(used));
            let expected: Option<IpAddr> = expected.map(|it| it.parse().expect("an address"));
            assert_eq!(back, expected, "{source} on {family:?}");
        }
    }

    #[test]
    fn cut_or_lying_ancillary_data_names_no_address() {
        let mut control = Control::EMPTY;
        let used = control.set_source(Ipv4Addr::LOCALHOST.into(), Family::V6).expect("fits");
        for cut in 0..length_of_header() + 16 {
            assert_eq!(control.local(cut), None, "{cut} octets");
        }
        for length in [0_usize, 1, 15, 65, usize::MAX] {
            control.0[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(control.local(used), None, "a length of {length}");
        }
    }
}
