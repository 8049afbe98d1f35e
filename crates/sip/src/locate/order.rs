//! In which order the targets of a name are tried: by rank, by chance within the weights, by the
//! family that serves better (RFC 2782, RFC 6724, RFC 7984).

use super::{Located, Service, Target};
use std::net::IpAddr;

/// Most targets of one name; further ones are not tried.
pub const TARGETS_MAX: usize = 16;

/// All targets in the order of one draw. `dice` is even over all values; `source` is our address
/// towards another one, `None` where nothing leads there.
///
/// All addresses of a server are tried before the next server (RFC 3263 §4.3).
pub fn targets(
    located: &Located,
    dice: &mut dyn FnMut() -> u32,
    source: &dyn Fn(IpAddr) -> Option<IpAddr>,
) -> Vec<Target> {
    let mut targets = Vec::new();
    for service in draw(&located.services, dice) {
        targets.extend(of_service(service, source));
    }
    targets.truncate(TARGETS_MAX);
    targets
}

/// The targets of one server.
pub fn of_service(
    service: &Service,
    source: &dyn Fn(IpAddr) -> Option<IpAddr>,
) -> impl Iterator<Item = Target> + use<> {
    let (transport, port) = (service.transport, service.port);
    let addresses = by_family(&service.addresses, source);
    addresses.map(move |ip| Target { transport, address: (ip, port).into() })
}

/// The services rank by rank, each rank drawn by weight.
fn draw<'a>(services: &'a [Service], dice: &mut dyn FnMut() -> u32) -> Vec<&'a Service> {
    let mut left: Vec<&Service> = services.iter().collect();
    left.sort_by_key(|it| it.rank);
    let mut drawn = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let rank = first.rank;
        let weights: Vec<u16> =
            left.iter().take_while(|it| it.rank == rank).map(|it| it.weight).collect();
        drawn.push(left.remove(pick(&weights, dice())));
    }
    drawn
}

/// Which of several servers of one priority is next (RFC 2782, "Weight"). Without weights the first.
pub fn pick(weights: &[u16], dice: u32) -> usize {
    let sum: u64 = weights.iter().map(|&it| u64::from(it)).sum();
    // Even over 0..=sum, both ends included.
    let number = (u64::from(dice) * (sum + 1)) >> 32;
    // Those of weight 0 stand first, so that they have a small chance.
    let weightless = weights.iter().position(|&it| it == 0).filter(|_| number == 0);
    let mut running = 0;
    let weighed = || {
        weights.iter().position(|&it| {
            running += u64::from(it);
            it > 0 && running >= number
        })
    };
    weightless.or_else(weighed).unwrap_or_default()
}

/// The addresses that can be reached, the better family first.
fn by_family(
    addresses: &[IpAddr],
    source: &dyn Fn(IpAddr) -> Option<IpAddr>,
) -> impl Iterator<Item = IpAddr> + use<> {
    let mut reachable: Vec<(u8, IpAddr)> = addresses
        .iter()
        .map(|it| it.to_canonical())
        .filter(|it| may_be_a_server(*it))
        .filter_map(|it| Some((precedence(source(it)?, it)?, it)))
        .collect();
    // Stable: among equals DNS's order, which many use to share the load.
    reachable.sort_by_key(|it| it.0);
    reachable.into_iter().map(|it| it.1)
}

/// A name must not make us speak to everybody, or to nobody.
fn may_be_a_server(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast()
}

/// The rules of RFC 6724 §6 that tell the destinations of a dual-stack host apart: never from a
/// narrower scope (rule 2), and IPv6 before IPv4 unless only one of both ends is local (rules 5, 6).
fn precedence(source: IpAddr, destination: IpAddr) -> Option<u8> {
    match (source, destination) {
        (source, it) if source.is_loopback() != it.is_loopback() => None,
        (IpAddr::V6(source), IpAddr::V6(it))
            if source.is_unicast_link_local() != it.is_unicast_link_local() =>
        {
            None
        }
        (IpAddr::V6(source), IpAddr::V6(it))
            if source.is_unique_local() != it.is_unique_local() =>
        {
            Some(2)
        }
        (_, IpAddr::V6(_)) => Some(0),
        (_, IpAddr::V4(_)) => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Transport::{Tcp, Udp};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn service(rank: u16, weight: u16, addresses: &[&str]) -> Service {
        let addresses = addresses.iter().map(|it| ip(it)).collect();
        Service { transport: Udp, port: 5060, rank, weight, addresses }
    }

    /// A dice that shows this part of its whole range.
    fn part(of: f64) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let shown = (of * f64::from(u32::MAX)) as u32;
        shown
    }

    #[test]
    fn weights_table() {
        #[rustfmt::skip]
        let table: [(&[u16], f64, usize); 12] = [
            (&[0, 0, 0],   0.9,  0), // no weights: as DNS has them
            (&[10, 90],    0.05, 0),
            (&[10, 90],    0.2,  1),
            (&[10, 90],    1.0,  1),
            (&[90, 10],    0.8,  0),
            (&[90, 10],    0.95, 1),
            (&[0, 1, 3],   0.0,  0), // a small chance
            (&[0, 1, 3],   0.3,  1),
            (&[0, 1, 3],   0.9,  2),
            (&[1, 3, 0],   0.0,  2),
            (&[7],         0.5,  0),
            (&[65535, 65535], 0.51, 1),
        ];
        for (weights, dice, expected) in table {
            assert_eq!(pick(weights, part(dice)), expected, "{weights:?} {dice}");
        }
    }

    #[test]
    fn shares_are_as_the_weights() {
        let weights = [10, 20, 70];
        let mut counts = [0_u32; 3];
        for step in 0..10_000 {
            counts[pick(&weights, part(f64::from(step) / 10_000.0))] += 1;
        }
        for (count, weight) in counts.into_iter().zip(weights) {
            let share = u32::from(weight) * 100;
            assert!(count.abs_diff(share) <= 100, "{counts:?}");
        }
    }

    #[test]
    fn ranks_then_chance_then_families() {
        let v4 = Some(ip("192.0.2.1"));
        let located = Located {
            services: vec![
                service(0, 60, &["192.0.2.10", "2001:db8::10"]),
                service(0, 40, &["192.0.2.11"]),
                Service {
                    transport: Tcp,
                    ..service(1, 0, &["192.0.2.12", "0.0.0.0", "224.0.1.75"])
                },
            ],
            lost: vec![],
        };
        let dual = |it: IpAddr| if it.is_ipv4() { v4 } else { Some(ip("2001:db8::1")) };
        let local = |it: IpAddr| if it.is_ipv4() { v4 } else { Some(ip("fd00::1")) };
        let only_v4 = |it: IpAddr| v4.filter(|_| it.is_ipv4());
        // A machine without IPv6 still has ::1.
        let loopback = |it: IpAddr| if it.is_ipv4() { v4 } else { Some(ip("::1")) };
        let none = |_: IpAddr| None;
        type Source<'a> = &'a dyn Fn(IpAddr) -> Option<IpAddr>;
        #[rustfmt::skip]
        let table: [(f64, Source<'_>, &[&str]); 6] = [
            (0.1, &dual,    &["[2001:db8::10]:5060", "192.0.2.10:5060", "192.0.2.11:5060", "192.0.2.12:5060"]),
            (0.9, &dual,    &["192.0.2.11:5060", "[2001:db8::10]:5060", "192.0.2.10:5060", "192.0.2.12:5060"]),
            (0.1, &local,   &["192.0.2.10:5060", "[2001:db8::10]:5060", "192.0.2.11:5060", "192.0.2.12:5060"]),
            (0.1, &only_v4, &["192.0.2.10:5060", "192.0.2.11:5060", "192.0.2.12:5060"]),
            (0.1, &loopback, &["192.0.2.10:5060", "192.0.2.11:5060", "192.0.2.12:5060"]),
            (0.1, &none,    &[]),
        ];
        for (dice, source, expected) in table {
            let got = targets(&located, &mut || part(dice), source);
            let addresses: Vec<String> = got.iter().map(|it| it.address.to_string()).collect();
            assert_eq!(addresses, expected, "{dice}");
            assert!(
                got.iter()
                    .all(|it| (it.transport == Tcp) == it.address.to_string().contains("2.12"))
            );
        }
    }
}
