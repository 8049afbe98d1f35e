//! The names of the simulator: those of carriers, which lines and trunks are configured by, and those
//! that some phones have in their Contact; DNS is slow, silent, loses names, or lies about them.

use super::actor::Actor;
use super::outside::ADDRESSES;
use super::world::{World, below};
use crate::office::zone::Zone;
use rand_chacha::ChaCha8Rng;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// SRV records: service, priority, and the server, which each have the carrier's own address.
const SERVICES: [(&str, &str, &str); 6] = [
    ("_sip._udp.telecom.example", "10", "dead.example"),
    ("_sip._udp.telecom.example", "20", "telecom.example"),
    ("_sip._tcp.unicom.example", "10", "unicom.example"),
    ("_sip._udp.unicom.example", "10", "unicom.example"),
    ("_sip._udp.branch.example", "10", "branch.example"),
    ("_sip._udp.branch.example", "20", "branch2.example"),
];

/// Where nobody is.
const DEAD: [u8; 4] = [203, 0, 113, 99];

/// How long answers take. Unit: milliseconds.
const DELAYS_MS: [u64; 5] = [0, 0, 300, 3000, 6000];

/// The name a carrier goes by.
pub(super) fn name_of(carrier: &str) -> String {
    format!("{carrier}.example")
}

/// One of eight phones, and every carrier, names itself by a host name.
pub(super) fn name_some(actors: &mut [Actor], rng: &mut ChaCha8Rng) {
    for actor in actors {
        if actor.carrier || below(rng, 8) == 0 {
            actor.phone.host = Some(name_of(&actor.phone.name));
        }
    }
}

/// All is as it should be, and whoever depends on it hears of it.
pub(super) fn heal(zone: &mut Zone, actors: &[Actor]) -> Result<(), String> {
    (zone.silent, zone.delay) = (false, Duration::ZERO);
    for (service, ..) in SERVICES {
        zone.clear(service, "SRV")?;
    }
    for (service, priority, server) in SERVICES {
        zone.add(service, "SRV", &[priority, "0", "5060", server])?;
    }
    lead(zone, "dead.example", Some(SocketAddr::from((DEAD, 0)).ip()))?;
    for actor in actors {
        let address = actor.phone.address().ip();
        lead(zone, &name_of(&actor.phone.name), Some(address))?;
    }
    Ok(())
}

/// One thing changes.
pub(super) fn trouble(world: &mut World) -> Result<(), String> {
    match world.pick(8) {
        0 => world.office.zone.silent = !world.office.zone.silent,
        1 | 2 => {
            let delay_ms = DELAYS_MS[world.pick(DELAYS_MS.len())];
            world.office.zone.delay = Duration::from_millis(delay_ms);
        }
        3 => heal(&mut world.office.zone, &world.actors)?,
        4 => {
            let (service, ..) = SERVICES[world.pick(SERVICES.len())];
            world.office.zone.clear(service, "SRV")?;
        }
        _ => {
            let (name, _) = ADDRESSES[world.pick(ADDRESSES.len())];
            let elsewhere = match world.pick(ADDRESSES.len() + 2) {
                0 => None,
                1 => Some(DEAD),
                it => Some(ADDRESSES[it - 2].1),
            };
            let elsewhere = elsewhere.map(|it| SocketAddr::from((it, 0)).ip());
            lead(&mut world.office.zone, &name_of(name), elsewhere)?;
        }
    }
    world.office.refresh_names();
    Ok(())
}

/// Gives a name this address and no other.
fn lead(zone: &mut Zone, name: &str, address: Option<IpAddr>) -> Result<(), String> {
    zone.clear(name, "A")?;
    zone.clear(name, "AAAA")?;
    let Some(address) = address else { return Ok(()) };
    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
    zone.add(name, kind, &[&address.to_string()])
}
