//! Where a request to a phone's Contact goes (RFC 3261 §8.1.2, §12.2.1.1): to the address it names,
//! or, behind a NAT, back over the flow its owner speaks through. Where names lead is found by
//! [`locate`](crate::locate).

use crate::endpoint::reply_flow;
use crate::flow::{Flow, Transport};
use crate::locate::{NoWay, Place, Target, Way};
use crate::message::{Essentials, Host, Uri, Via};
use crate::route_set::RouteSet;
use std::net::{IpAddr, SocketAddr};

/// How far a Contact may lead away from where its owner speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To another port of the same host: within a dialog, whose peer is known by its host.
    SameHost,
    /// To another host of the same kind of network: a registration on somebody's behalf.
    AnyHost,
}

/// The flow for requests to `contact`, as its owner stated it in a request that came over `flow`.
///
/// A phone whose Via names the address its request came from has no NAT before it and is taken at
/// its word. For any other, and behind a proxy, only the way it came leads back.
pub fn flow_to_contact(flow: Flow, it: &Essentials<'_>, contact: &str, reach: Reach) -> Flow {
    let back = reply_flow(flow, &it.via);
    if it.via_count > 1 || !names_its_source(&it.via, flow.remote) {
        return back;
    }
    let Some(stated) = address_of(contact) else { return back };
    let same_host = stated.ip() == flow.remote.ip().to_canonical();
    if same_host || (reach == Reach::AnyHost && may_lead_to(flow.remote.ip(), stated.ip())) {
        towards(back, stated)
    } else {
        back
    }
}

/// The flow for requests to `contact`, as stated in an answer to a request that was sent over `flow`
/// to the URI `asked`. The same Contact again changes nothing: behind a NAT the flow is right and
/// the Contact is not.
pub fn flow_after_answer(flow: Flow, asked: &str, contact: &str) -> Flow {
    match address_of(contact) {
        Some(stated)
            if stated.ip() == flow.remote.ip().to_canonical()
                && address_of(asked) != Some(stated) =>
        {
            towards(flow, stated)
        }
        _ => flow,
    }
}

/// Where a request within a dialog goes that has no flow to go by (RFC 3261 §8.1.2, §12.2.1.1): to its
/// first route, else to the remote target.
pub fn next_hop(routes: &RouteSet, remote_target: &str) -> Result<Way, NoWay> {
    let uri = routes.first_uri().unwrap_or(remote_target);
    Way::of_uri(&Uri::parse(uri).map_err(|_| NoWay::Host)?)
}

/// The name in a Contact that was answered to a request to `asked`, where it may lead to another port
/// of the peer: over UDP, and where it is another name than before.
pub fn name_after_answer(flow: Flow, asked: &str, contact: &str) -> Option<Place> {
    let named = |text: &str| match Way::of_uri(&Uri::parse(text).ok()?) {
        Ok(Way::Named(place)) => Some(place),
        Ok(Way::Straight(_)) | Err(_) => None,
    };
    let place = named(contact)?;
    let is_udp = |it: Option<Transport>| it.is_none_or(|it| it == Transport::Udp);
    let is_news = named(asked).is_none_or(|it| (&it.name, it.port) != (&place.name, place.port));
    (flow.transport == Transport::Udp && is_udp(place.transport) && is_news).then_some(place)
}

/// The flow to the peer where its Contact leads to these targets. As with a number, only its own host
/// counts.
pub fn flow_to_named(flow: Flow, targets: &[Target]) -> Flow {
    let peer = flow.remote.ip().to_canonical();
    let mut there = targets
        .iter()
        .filter(|it| it.transport == Transport::Udp && it.address.ip() == peer)
        .map(|it| it.address);
    match there.clone().any(|it| it.port() == flow.remote.port()) {
        true => flow,
        false => there.next().map_or(flow, |it| towards(flow, it)),
    }
}

/// Phones that send from another port than they listen on ask for no `rport` (RFC 3581); where one
/// does and its port came out changed, a NAT changed it.
fn names_its_source(via: &Via<'_>, source: SocketAddr) -> bool {
    let Host::Ip(host) = via.host else { return false };
    host.to_canonical() == source.ip().to_canonical()
        && (via.rport().is_none() || via.port.unwrap_or(5060) == source.port())
}

/// The address a UDP Contact names.
fn address_of(contact: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(contact).ok()?;
    let is_udp = uri.transport().is_none_or(|it| it.eq_ignore_ascii_case("udp"));
    let port = uri.port().unwrap_or(5060);
    let ip = uri.host()?.ip()?.to_canonical();
    (is_udp && port != 0).then(|| (ip, port).into())
}

fn towards(flow: Flow, stated: SocketAddr) -> Flow {
    match flow.transport {
        Transport::Udp if stated.is_ipv4() == flow.remote.ip().to_canonical().is_ipv4() => {
            Flow { remote: stated, ..flow }
        }
        Transport::Udp | Transport::Tcp => flow,
    }
}

/// A Contact must not make us speak to this machine itself, to a group, or into the network of
/// somebody else's provider, unless its owner is there too.
pub fn may_lead_to(source: IpAddr, stated: IpAddr) -> bool {
    kind(source.to_canonical()) == kind(stated)
        && !stated.is_unspecified()
        && !stated.is_multicast()
}

#[derive(PartialEq, Eq)]
enum Kind {
    Loopback,
    LinkLocal,
    Private,
    Public,
}

fn kind(address: IpAddr) -> Kind {
    let (loopback, link_local, private) = match address {
        IpAddr::V4(it) => (it.is_loopback(), it.is_link_local(), it.is_private()),
        IpAddr::V6(it) => (it.is_loopback(), it.is_unicast_link_local(), it.is_unique_local()),
    };
    match (loopback, link_local, private) {
        (true, ..) => Kind::Loopback,
        (_, true, _) => Kind::LinkLocal,
        (.., true) => Kind::Private,
        (false, false, false) => Kind::Public,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Message, check};

    #[test]
    fn the_first_route_else_the_target() {
        let named =
            |name: &str| Way::Named(Place { name: name.into(), port: None, transport: None });
        let routes = |it: &[&str]| RouteSet::of_routes(it.iter().map(|&it| it.into()).collect());
        #[rustfmt::skip]
        let table: [(&[&str], &str, Result<Way, NoWay>); 5] = [
            (&[],                                            "sip:a@pc.example",  Ok(named("pc.example"))),
            (&["<sip:p1.example;lr>", "<sip:p2.example;lr>"], "sip:a@pc.example", Ok(named("p1.example"))),
            (&["<sip:p1.example>"],                          "sip:a@pc.example",  Ok(named("p1.example"))),
            (&[],                                            "sips:a@pc.example", Err(NoWay::Secure)),
            (&[],                                            "",                  Err(NoWay::Host)),
        ];
        for (route_set, target, expected) in table {
            assert_eq!(next_hop(&routes(route_set), target), expected, "{route_set:?} {target}");
        }
    }

    #[test]
    fn names_in_answers() {
        let flow = udp("192.0.2.4:5060");
        let stream = Flow { transport: Transport::Tcp, ..flow };
        #[rustfmt::skip]
        let table = [
            (flow,   "sip:b@192.0.2.4", "sip:b@gw.example:5070",        true),
            (flow,   "sip:b@x.example", "sip:b@gw.example",             true),
            (flow,   "sip:b@gw.example", "sip:c@gw.example",            false), // no news
            (flow,   "sip:b@gw.example", "sip:c@gw.example:5070",       true),
            (flow,   "sip:b@x.example", "sip:b@192.0.2.4:5070",         false), // a number
            (flow,   "sip:b@x.example", "sip:b@gw.example;transport=tcp", false),
            (stream, "sip:b@x.example", "sip:b@gw.example",             false),
        ];
        for (flow, asked, contact, expected) in table {
            let found = name_after_answer(flow, asked, contact).is_some();
            assert_eq!(found, expected, "{asked} {contact}");
        }
        let at = |transport, address: &str| Target { transport, address: address.parse().unwrap() };
        let other_host = at(Transport::Udp, "192.0.2.5:5070");
        let by_stream = at(Transport::Tcp, "192.0.2.4:5070");
        let other_port = at(Transport::Udp, "192.0.2.4:5070");
        let same = at(Transport::Udp, "192.0.2.4:5060");
        let table: [(&[Target], &str); 4] = [
            (&[], "192.0.2.4:5060"),
            (&[other_host, by_stream], "192.0.2.4:5060"),
            (&[other_host, other_port], "192.0.2.4:5070"),
            (&[other_port, same], "192.0.2.4:5060"),
        ];
        for (targets, expected) in table {
            assert_eq!(flow_to_named(flow, targets), udp(expected), "{targets:?}");
        }
    }

    fn udp(remote: &str) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { transport: Transport::Udp, local, remote: remote.parse().unwrap(), connection: None }
    }

    #[test]
    fn requests_follow_the_contact_of_a_phone_without_nat() {
        use Reach::{AnyHost, SameHost};
        #[rustfmt::skip]
        let table = [
            // source            Via                                contact                    reach     leads to
            ("10.0.0.5:5070", "10.0.0.5:5070;rport",              "sip:a@10.0.0.5:5080",      SameHost, "10.0.0.5:5080"),
            ("10.0.0.5:5060", "10.0.0.5",                         "sip:a@10.0.0.5",           SameHost, "10.0.0.5:5060"),
            // Sends from a port of its own, listens on another (and asks for no rport).
            ("10.0.0.5:49152", "10.0.0.5:5060",                   "sip:a@10.0.0.5:5060",      SameHost, "10.0.0.5:5060"),
            // Behind a NAT: by address, by port although it knows its address (STUN), by name.
            ("203.0.113.9:1024", "10.0.0.5:5060;rport",           "sip:a@10.0.0.5:5060",      AnyHost,  "203.0.113.9:1024"),
            ("203.0.113.9:1024", "203.0.113.9:5060;rport",        "sip:a@203.0.113.9:5060",   AnyHost,  "203.0.113.9:1024"),
            ("203.0.113.9:1024", "phone.example:5060;rport",      "sip:a@203.0.113.9:5060",   AnyHost,  "203.0.113.9:1024"),
            // Through a proxy.
            ("10.0.0.2:5060", "10.0.0.2:5060, SIP/2.0/UDP 10.0.0.5", "sip:a@10.0.0.5:5060",   AnyHost,  "10.0.0.2:5060"),
            // On somebody's behalf, where that may be.
            ("10.0.0.5:5060", "10.0.0.5:5060",                    "sip:a@10.0.0.6:5066",      AnyHost,  "10.0.0.6:5066"),
            ("10.0.0.5:5060", "10.0.0.5:5060",                    "sip:a@10.0.0.6:5066",      SameHost, "10.0.0.5:5060"),
            ("10.0.0.5:5060", "10.0.0.5:5060",                    "sip:a@127.0.0.1:5060",     AnyHost,  "10.0.0.5:5060"),
            ("10.0.0.5:5060", "10.0.0.5:5060",                    "sip:a@169.254.169.254:80", AnyHost,  "10.0.0.5:5060"),
            ("10.0.0.5:5060", "10.0.0.5:5060",                    "sip:a@224.0.1.75",         AnyHost,  "10.0.0.5:5060"),
            ("203.0.113.9:5060", "203.0.113.9:5060",              "sip:a@10.0.0.6:5060",      AnyHost,  "203.0.113.9:5060"),
            // Nothing to go by.
            ("10.0.0.5:5070", "10.0.0.5:5070",                    "sip:a@phone.example",      AnyHost,  "10.0.0.5:5070"),
            ("10.0.0.5:5070", "10.0.0.5:5070",                    "sip:a@10.0.0.5:5080;transport=tcp", AnyHost, "10.0.0.5:5070"),
        ];
        for (source, via, contact, reach, expected) in table {
            let text = format!(
                "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK1\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            let message = Message::parse(text.as_bytes()).unwrap();
            let it = check(&message).unwrap();
            let flow = flow_to_contact(udp(source), &it, contact, reach);
            assert_eq!(flow, udp(expected), "{source} {via} {contact} {reach:?}");
        }
    }

    #[test]
    fn an_answer_may_name_another_port_of_the_same_host() {
        #[rustfmt::skip]
        let table = [
            // flow             asked                       contact                  leads to
            ("10.0.0.5:5060", "sip:a@10.0.0.5:5060",      "sip:a@10.0.0.5:5099",   "10.0.0.5:5099"),
            ("10.0.0.5:5060", "sip:a@10.0.0.5:5060",      "sip:a@10.0.0.6:5060",   "10.0.0.5:5060"),
            ("203.0.113.9:7", "sip:a@203.0.113.9:5060",   "sip:x@203.0.113.9:5060", "203.0.113.9:7"),
            ("203.0.113.9:7", "sip:a@10.0.0.5:5060",      "sip:x@10.0.0.5:5060",   "203.0.113.9:7"),
        ];
        for (flow, asked, contact, expected) in table {
            assert_eq!(flow_after_answer(udp(flow), asked, contact), udp(expected), "{contact}");
        }
    }
}
