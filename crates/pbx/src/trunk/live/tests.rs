//! Whose calls come from where, by the index and by looking at every trunk.

use super::super::config::{SourcePorts, TrunkAddress};
use super::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

fn trunk(id: u32, hosts: &[&str], sources: &[&str]) -> Arc<Trunk> {
    let address = |host: &&str| TrunkAddress { host: (*host).into(), port: SIP_PORT, priority: 0 };
    let sources = sources.iter().map(|it| it.parse().expect("a network")).collect();
    Arc::new(Trunk {
        id,
        addresses: hosts.iter().map(address).collect(),
        sources,
        ..Trunk::default()
    })
}

fn found(addresses: &[&str]) -> [Found; 1] {
    let addresses = addresses.iter().map(|it| it.parse().expect("an address")).collect();
    [Found { transport: Transport::Udp, rank: 0, weight: 0, addresses }]
}

fn from(trunks: &Trunks, source: &str, transport: Transport) -> Option<u32> {
    let source = source.parse().expect("an address");
    trunks.from_source(source, transport).map(|it| it.config.id)
}

#[test]
fn whose_calls_come_from_there() {
    let mut trunks = Trunks::default();
    let tenant = TenantId::default();
    trunks.put(tenant, &trunk(1, &["10.23.0.1", "branch.example"], &[]));
    trunks.put(tenant, &trunk(2, &["[2001:db8::1]"], &["192.0.2.0/24", "10.23.0.0/16"]));
    trunks.put(tenant, &trunk(3, &[], &["192.0.2.128/25", "2001:db8:1::/48"]));
    let off = Trunk { enabled: false, ..Trunk::clone(&trunk(4, &["203.0.113.1"], &[])) };
    trunks.put(tenant, &Arc::new(off));
    let place = trunks.iter().find_map(|it| it.places().next()).expect("a name").clone();
    let named = trunks.at_place(&place);
    trunks.resolve(named[0], &place, &found(&["10.23.0.9:5060"]), None);
    use Transport::{Tcp, Udp};
    #[rustfmt::skip]
    let table = [
        ("10.23.0.1:5060",          Udp, Some(1)),
        ("10.23.0.1:40000",         Tcp, Some(1)),
        ("10.23.0.1:5061",          Udp, Some(2)), // not a port of 1's, but in 2's network
        ("10.23.0.9:5060",          Udp, Some(1)), // by name
        ("[::ffff:10.23.0.9]:5060", Udp, Some(1)),
        ("[2001:db8::1]:5060",      Udp, Some(2)),
        ("192.0.2.200:9",           Udp, Some(2)), // both networks: the first trunk
        ("[2001:db8:1::7]:9",       Udp, Some(3)),
        ("203.0.113.1:5060",        Udp, None),    // off
        ("198.51.100.1:5060",       Udp, None),
    ];
    for (source, transport, expected) in table {
        assert_eq!(from(&trunks, source, transport), expected, "{source} {transport:?}");
    }
    trunks.remove(named[0]);
    assert_eq!(from(&trunks, "10.23.0.9:5060", Udp), Some(2));
}

/// [`Trunks::from_source`] asserts that it finds what looking at all of them finds.
#[test]
fn the_index_agrees_with_a_look_at_every_trunk() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = |limit: u32| rng.next_u32() % limit;
    let mut trunks = Trunks::default();
    let (mut known, mut strange) = (0, 0);
    for _ in 0..2000 {
        let id = draw(8);
        let host = format!("10.0.0.{}", draw(64));
        let network = format!("10.0.0.{}/{}", draw(64), 28 + draw(5));
        let name = "branch.example";
        match draw(4) {
            0 => {
                let config = Trunk::clone(&trunk(id, &[&host, name], &[&network]));
                let ports = if draw(2) == 0 { SourcePorts::Same } else { SourcePorts::Any };
                let config = Trunk { enabled: draw(4) > 0, source_ports: ports, ..config };
                trunks.put(TenantId::default(), &Arc::new(config));
            }
            1 => {
                let keys = trunks.keys();
                let Some(key) = keys.get(id as usize).copied() else { continue };
                let place = trunks.get(key).and_then(|it| it.places().next()).cloned();
                let place = place.expect("each has a name");
                trunks.resolve(key, &place, &found(&[&format!("{host}:5060")]), None);
            }
            2 if draw(8) == 0 => {
                let key = trunks.find(TenantId::default(), id).map(|it| it.key);
                key.into_iter().for_each(|it| trunks.remove(it));
            }
            _ => {
                let port = 5060 + draw(2);
                let transport = if draw(2) == 0 { Transport::Udp } else { Transport::Tcp };
                let is_known = from(&trunks, &format!("{host}:{port}"), transport).is_some();
                *if is_known { &mut known } else { &mut strange } += 1;
            }
        }
    }
    assert!(known > 100 && strange > 100, "{known} {strange}");
}

#[test]
fn a_refresh_that_changes_nothing_keeps_the_index() {
    let mut trunks = Trunks::default();
    let key = trunks.put(TenantId::default(), &trunk(1, &["branch.example"], &[]));
    let place = trunks.get(key).and_then(|it| it.places().next()).expect("a name").clone();
    let mut made = 0;
    let [a, b, c] = ["10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.3:5060"];
    // The first, the same, in another order, one of them, the same, another one, none, none.
    #[rustfmt::skip]
    let table: [&[&str]; 8] = [&[a, b], &[a, b], &[b, a], &[a], &[a], &[c], &[], &[]];
    for addresses in table {
        trunks.resolve(key, &place, &found(addresses), None);
        made += u32::from(trunks.sources.get().is_none());
        for address in [a, b, c] {
            let is_known = from(&trunks, address, Transport::Udp).is_some();
            assert_eq!(is_known, addresses.contains(&address), "{address} {addresses:?}");
        }
    }
    assert_eq!(made, 4);
}
