//! The core alone, in this process: no sockets, no threads, no files. What it wants done is only looked at, and freed in
//! its time, as the core thread frees it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use interop::clock;
use interop::message::Message;
use interop::server::PASSWORD;
use pbx::core::{Config, Core, Effect, Input, Recovered};
use pbx::dialplan::levels::Levels;
use pbx::directory::{Directory, Extension, Relay, Tenant};
use pbx::id::TenantId;
use pbx::media::{Command, Event, MediaSource, PortPair};
use pbx::network::Network;
use pbx::time::{Now, UnixMillis};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sip::{Flow, Transport};

/// Our own address, in the network of all phones.
pub(crate) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5060);

/// 2026-01-05T08:00:00Z.
const EPOCH: UnixMillis = UnixMillis(1_767_600_000_000);

/// Port pairs that are ready.
const PAIRS: u16 = 5000;

/// What the core cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    pub(crate) allocations: u64,
}

/// What is looked at: the two disturb each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Time,
    Allocations,
}

pub(crate) struct Inside {
    core: Core,
    pub(crate) now: Now,
    watch: Watch,
    pub(crate) spent: Spent,
}

impl Inside {
    pub(crate) fn new(directory: Directory, recovered: Recovered, watch: Watch) -> Self {
        let config = Config {
            guard_rate: 1_000_000,
            guard_burst: 1_000_000,
            guard_known_rate: 1_000_000,
            guard_known_burst: 1_000_000,
            ..Config::default()
        };
        let now = Now { instant: clock::now(), utc: EPOCH };
        let rng = Box::new(ChaCha20Rng::from_seed([7; 32]));
        let core = Core::new(config, rng, recovered, now);
        let mut inside = Self { core, now, watch, spent: Spent::default() };
        let network = Network {
            interfaces: ipnet::IpNet::new(SERVER.ip(), 8).into_iter().collect(),
            default_v4: Some(SERVER.ip()),
            ..Network::default()
        };
        let pairs = (0..PAIRS).map(|it| PortPair { rtp: 20_000 + 2 * it }).collect();
        for input in [
            Input::Network(network),
            Input::Directory(Arc::new(directory)),
            Input::Media(Event::PortsReady { pairs }),
        ] {
            inside.give(input);
        }
        inside
    }

    /// One datagram and all it causes; the messages that leave.
    pub(crate) fn receive(&mut self, flow: Flow, bytes: &[u8]) -> Result<Vec<Message>> {
        let effects = self.give(Input::Message { flow, bytes });
        self.obey(effects)
    }

    /// Time passes; what leaves because of it.
    pub(crate) fn advance(&mut self, by: Duration) -> Result<Vec<Message>> {
        self.now = Now { instant: self.now.instant + by, utc: self.now.utc.after(by) };
        let mut left = vec![];
        while self.core.poll_timeout().is_some_and(|at| at <= self.now.instant) {
            let now = self.now;
            let effects = self.spend(|core| core.handle_timeout(now));
            left.extend(self.obey(effects)?);
        }
        Ok(left)
    }

    /// One input; what the core wants done.
    pub(crate) fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        let now = self.now;
        self.spend(|core| {
            core.handle(input, now);
        })
    }

    fn spend(&mut self, act: impl FnOnce(&mut Core)) -> Vec<Effect> {
        let mut effects = Vec::with_capacity(32);
        let core = &mut self.core;
        let work = || {
            act(core);
            while let Some(effect) = core.poll_effect() {
                effects.push(effect);
            }
        };
        match self.watch {
            Watch::Time => {
                let started = clock::now();
                work();
                self.spent.time += Instant::elapsed(&started);
            }
            Watch::Allocations => {
                self.spent.allocations += allocation_counter::measure(work).count_total;
            }
        }
        effects
    }

    /// Plays the media edge; the messages are for the caller of this.
    fn obey(&mut self, mut effects: Vec<Effect>) -> Result<Vec<Message>> {
        let (mut left, mut answers) = (vec![], vec![]);
        for effect in &effects {
            match effect {
                Effect::Send { bytes, .. } => {
                    left.push(Message::parse(bytes).context("the core sent what is no message")?);
                }
                Effect::Media(Command::Configure { call, plan }) => {
                    answers.push(Event::Configured { call: *call, revision: plan.revision });
                }
                Effect::Media(Command::Close { call, pairs }) => {
                    answers.push(Event::Closed { call: *call, figures: vec![] });
                    answers.push(Event::PortsReady { pairs: pairs.to_vec() });
                }
                Effect::Media(Command::Want { .. } | Command::Press { .. })
                | Effect::Connect { .. }
                | Effect::Resolve(_)
                | Effect::KeepResolved(_)
                | Effect::Record(_)
                | Effect::Event(_) => {}
            }
        }
        self.spend(|_| effects.clear());
        for event in answers {
            let effects = self.give(Input::Media(event));
            left.extend(self.obey(effects)?);
        }
        Ok(left)
    }
}

/// A directory with the extensions from `first` on.
pub(crate) fn directory(first: u32, count: u32) -> Directory {
    let mut tenant = Tenant::default();
    for number in first..first + count {
        tenant.put(extension(&number.to_string(), ""));
    }
    let mut directory = Directory { version: 1, ..Directory::default() };
    directory.tenants.insert(TenantId::default(), tenant);
    directory
}

pub(crate) fn extension(number: &str, name: &str) -> Extension {
    let realm = pbx::settings::Settings::default().realm;
    Extension {
        number: number.into(),
        name: name.into(),
        secret: Some(store::directory::derive_secret(number, &realm, PASSWORD.as_bytes())),
        addresses: vec![],
        devices_max: None,
        calls_max: 2,
        relay: Relay::default(),
        media_source: MediaSource::default(),
        digest_without_qop: true,
        weak_password: false,
        plan: None,
        levels: Levels::NONE,
        services: Default::default(),
    }
}

/// The phone of a user: an address made of its place.
pub(crate) fn flow_of(place: u32) -> Flow {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + place);
    let remote = SocketAddr::new(ip.into(), 5060);
    Flow { transport: Transport::Udp, local: SERVER, remote, connection: None }
}
