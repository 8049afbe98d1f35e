//! The outside world: carriers that lines lead to, another server behind trunks, and what goes wrong
//! there.

use super::actor::{Actor, Hands, Todo};
use super::names;
use super::transactions::Key;
use super::world::{World, below};
use crate::office::{SERVER_PORT, flow_of};
use crate::phone::Phone;
use pbx::dialplan::rows::{CalledRow, DEFAULT_PLAN, RouteType, TrunkChoice};
use pbx::directory::Tenant;
use pbx::interop::CallLimit;
use pbx::line::Line;
use pbx::line::config::{Incoming, LineTransport, Password};
use pbx::trunk::Trunk;
use pbx::trunk::config::TrunkAddress;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use sip::Transport;
use std::net::SocketAddr;
use std::time::Duration;

/// A carrier with a line that registers, one with a line that does not, and the two servers of
/// another office.
pub(super) const ADDRESSES: [(&str, [u8; 4]); 4] = [
    ("telecom", [203, 0, 113, 5]),
    ("unicom", [203, 0, 113, 6]),
    ("branch", [10, 23, 0, 1]),
    ("branch2", [10, 23, 0, 2]),
];

const ACCOUNTS: [&str; 2] = ["1234", "5678"];

/// Whoever is out there.
pub(super) fn carriers() -> impl Iterator<Item = Actor> {
    ADDRESSES.into_iter().map(|(name, address)| {
        let mut flow = flow_of("0", 0, Transport::Udp, false);
        flow.remote = SocketAddr::from((address, SERVER_PORT));
        let phone = Phone::new(name, name, "", flow);
        let mut actor = Actor::new(phone, true);
        actor.carrier = true;
        actor
    })
}

/// Whether this is one of [`carriers`].
pub(super) fn is_carrier(name: &str) -> bool {
    ADDRESSES.iter().any(|it| it.0 == name)
}

/// Lines, trunks, and the rows that lead to the trunks: 2… and 3…
pub(super) fn furnish(tenant: &mut Tenant) {
    for (index, account) in ACCOUNTS.into_iter().enumerate() {
        tenant.lines.put(line(index, account, true));
    }
    for id in [1, 2] {
        tenant.put_trunk(trunk(id, true));
        tenant.dial_plan.called.put(CalledRow {
            id,
            plan: DEFAULT_PLAN.into(),
            prefix: (id + 1).to_string().into(),
            route: RouteType::SipTrunk(TrunkChoice::Listed(vec![id, 3 - id])),
            transition: None,
            reanalyze: false,
            level: None,
            time: None,
            description: Box::default(),
        });
    }
}

/// A line by name or by number; by name DNS chooses the transport of the second.
fn line(index: usize, account: &str, named: bool) -> Line {
    let transport = if named && index == 1 { LineTransport::Auto } else { LineTransport::Udp };
    Line {
        account: account.into(),
        password: Password("secret".into()),
        domain: host(index, named),
        transport,
        register: index == 0,
        expires_s: 60,
        keep_alive_s: 10,
        incoming: Incoming::Number("101".into()),
        calls_out_max: CallLimit(Some(3)),
        calls_in_max: CallLimit(Some(3)),
        ..Line::default()
    }
}

/// The first has two servers and is asked whether it is there, the second has the second of them.
/// By its name it has both servers.
fn trunk(id: u32, named: bool) -> Trunk {
    let servers = match (id, named) {
        (1, true) => 2..3,
        (1, false) => 2..4,
        _ => 3..4,
    };
    let addresses = (1..).zip(servers).map(|(priority, server)| {
        let host = host(server, named && id == 1);
        TrunkAddress { host, port: SERVER_PORT, priority }
    });
    let options_s = if id == 1 { 30 } else { 0 };
    Trunk { id, addresses: addresses.collect(), options_s, ..Trunk::default() }
}

fn host(index: usize, named: bool) -> Box<str> {
    let (name, address) = ADDRESSES[index];
    match named {
        true => names::name_of(name).into(),
        false => SocketAddr::from((address, SERVER_PORT)).ip().to_string().into(),
    }
}

/// All of it is deleted.
pub(super) fn clear(tenant: &mut Tenant) {
    for account in ACCOUNTS {
        tenant.lines.remove(account);
    }
    for id in [1, 2] {
        tenant.trunks.remove(&id);
    }
}

/// A line or trunk is deleted or comes back, with other limits.
pub(super) fn change(world: &mut World) {
    let (deleted, index, most) = (world.chance(300), world.pick(2), world.pick(4));
    let most = CallLimit(u16::try_from(most).ok());
    let named = world.chance(700);
    let (of_lines, id) = (world.chance(500), if index == 0 { 1 } else { 2 });
    world.office.change(|tenant| match (of_lines, deleted) {
        (true, true) => drop(tenant.lines.remove(ACCOUNTS[index])),
        (true, false) => {
            tenant.lines.put(Line { calls_out_max: most, ..line(index, ACCOUNTS[index], named) });
        }
        (false, true) => drop(tenant.trunks.remove(&id)),
        (false, false) => {
            tenant.put_trunk(Trunk { calls_in_max: most, ..trunk(id, named) });
        }
    });
}

/// What a phone dials to get outside.
pub(super) fn number_dialled(world: &mut World) -> String {
    let prefix = ["9", "9", "2", "3"][world.pick(4)];
    format!("{prefix}0{}", world.pick(1000))
}

/// What a carrier calls here.
pub(super) fn number_called(world: &mut World) -> String {
    match world.pick(4) {
        0 => ACCOUNTS[world.pick(2)].to_owned(),
        1 => "999".to_owned(),
        _ => (100 + world.pick(8)).to_string(),
    }
}

/// A call that a carrier does not take as it should: it says nothing, or too late, is out of order,
/// or wants to know who calls.
pub(super) fn fails(key: Key, hands: &mut Hands<'_>) {
    match below(hands.rng, 8) {
        0 => {}
        1 => hands.later(Duration::from_secs(4), Todo::Answer { key, code: 200 }),
        2 => hands.later(Duration::from_secs(35), Todo::Answer { key, code: 200 }),
        3 => hands.later(Duration::from_secs(3), Todo::Answer { key, code: 180 }),
        4 | 5 => {
            let pause = hands.ms(50);
            hands.later(pause, Todo::Answer { key, code: 503 });
        }
        it => {
            let pause = hands.ms(50);
            let code = if it == 6 { 401 } else { 407 };
            hands.later(pause, Todo::Answer { key, code });
        }
    }
}

/// REGISTER and OPTIONS.
pub(super) fn serves(key: Key, hands: &mut Hands<'_>) {
    let code = [200, 200, 200, 200, 401, 403, 503][below(hands.rng, 7) as usize];
    let pause = hands.ms(300);
    if !hands.chance(100) {
        hands.later(pause, Todo::Answer { key, code });
    }
}

/// The header of a 401 or 407; now and then with the nonce of before.
pub(super) fn challenge(code: u16, rng: &mut ChaCha8Rng) -> (String, String) {
    let header = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let nonce = rng.next_u32() % 4;
    let stale = if nonce == 0 { ", stale=true" } else { "" };
    let value = format!("Digest realm=\"outside\", nonce=\"n{nonce}\", qop=\"auth\"{stale}");
    (header.to_owned(), value)
}
