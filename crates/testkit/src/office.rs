//! The real core in a box: directory, network, journal and media edge in memory, time by hand.
//!
//! What the driver is to the core in the server, [`Office`] is in the tests: it hands in one input,
//! drains all effects, and keeps what was sent until a test looks at it.

pub mod edge;
pub mod faults;
pub mod journal;
pub mod zone;

use self::edge::Edge;
use self::faults::{Faults, FaultyRng};
use self::journal::Journal;
use self::zone::Zone;
use crate::clock::Clock;
use bytes::Bytes;
use pbx::core::{Command, Config, Core, Effect, Input};
use pbx::dialplan::levels::Levels;
use pbx::directory::{Directory, Extension, Relay, Secret, Tenant};
use pbx::event::Event;
use pbx::id::{CallId, TenantId};
use pbx::media::MediaSource;
use pbx::network::Network;
use pbx::settings::Settings;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sip::auth::digest::{Algorithm, ha1};
use sip::{ConnectionId, Flow, Transport};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The server's addresses.
pub const SERVER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub const SERVER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
/// Its SIP port, for every transport.
pub const SERVER_PORT: u16 = 5060;

/// More timers than this due at one instant mean that one of them sets itself again.
const TIMEOUTS_PER_INSTANT_MAX: u32 = 10_000;

/// The core and all that surrounds it.
pub struct Office {
    pub clock: Clock,
    pub directory: Directory,
    pub config: Config,
    pub journal: Journal,
    pub edge: Edge,
    /// DNS.
    pub zone: Zone,
    /// Everything published and not yet looked at.
    pub events: VecDeque<Event>,
    /// Makes the core panic.
    pub faults: Faults,
    faults_of_earlier_lives: u32,
    core: Core,
    rng: ChaCha12Rng,
    sent: VecDeque<Sent>,
    connections: u64,
}

/// Something the core wants to leave the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub at: Instant,
    pub what: Outgoing,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    Message { flow: Flow, bytes: Bytes, call: Option<CallId> },
    Connect { token: u64, remote: SocketAddr },
}

impl Office {
    /// An office with these extensions, ready to serve. The seed decides every random number.
    pub fn new(seed: u64, settings: Settings, extensions: Vec<Extension>) -> Self {
        Self::with_config(seed, settings, extensions, Self::usual_config())
    }

    /// What differs from the defaults of the product: a nonce key that tests can rely on.
    pub fn usual_config() -> Config {
        Config { nonce_key: [7; 32], ..Config::default() }
    }

    pub fn with_config(
        seed: u64,
        settings: Settings,
        extensions: Vec<Extension>,
        config: Config,
    ) -> Self {
        let clock = Clock::default();
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut tenant = Tenant { settings: Arc::new(settings), ..Tenant::default() };
        for extension in extensions {
            tenant.put(extension);
        }
        let mut directory = Directory { version: 1, ..Directory::default() };
        directory.tenants.insert(TenantId::default(), tenant);
        let faults = Faults::default();
        let core = start(&config, &mut rng, &faults, &mut Journal::default(), &clock);
        let mut office = Self {
            clock,
            directory,
            config,
            journal: Journal::default(),
            edge: Edge::default(),
            zone: Zone::default(),
            events: VecDeque::new(),
            faults,
            faults_of_earlier_lives: 0,
            core,
            rng,
            sent: VecDeque::new(),
            connections: 0,
        };
        office.furnish();
        office
    }

    /// The process dies and starts again: what is left is the journal.
    pub fn kill(&mut self) {
        self.sent.clear();
        self.edge = Edge::default();
        self.zone.forget();
        self.faults.set(0);
        self.faults_of_earlier_lives = self.faults.caused();
        let (rng, journal) = (&mut self.rng, &mut self.journal);
        self.core = start(&self.config, rng, &self.faults, journal, &self.clock);
        self.furnish();
    }

    /// What every core is told first.
    fn furnish(&mut self) {
        let network = Network {
            interfaces: [(SERVER_V4, 16), (SERVER_V6, 64)]
                .into_iter()
                .filter_map(|(address, prefix)| ipnet::IpNet::new(address, prefix).ok())
                .collect(),
            default_v4: Some(SERVER_V4),
            default_v6: Some(SERVER_V6),
            ..Network::default()
        };
        self.input(Input::Network(network));
        self.publish_directory();
        let ready = self.edge.bind();
        self.input(Input::Media(ready));
    }

    /// Changes the directory and gives the core the new version.
    pub fn change(&mut self, change: impl FnOnce(&mut Tenant)) {
        if let Some(tenant) = self.directory.tenants.get_mut(&TenantId::default()) {
            change(tenant);
        }
        self.directory.version += 1;
        self.publish_directory();
    }

    fn publish_directory(&mut self) {
        self.input(Input::Directory(Arc::new(self.directory.clone())));
    }

    /// The names of lines and trunks are looked up again, as when their time is over.
    pub fn refresh_names(&mut self) {
        self.zone.refresh(self.clock.now().instant);
        self.drain();
    }

    /// A message from the network.
    pub fn receive(&mut self, flow: Flow, bytes: &[u8]) {
        self.input(Input::Message { flow, bytes });
    }

    pub fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    /// One input, all its effects.
    pub fn input(&mut self, input: Input<'_>) {
        self.core.handle(input, self.clock.now());
        self.drain();
    }

    /// Lets time pass; every timer fires at its own instant.
    pub fn advance(&mut self, by: Duration) {
        let end = self.clock.now().instant + by;
        let mut spins = 0;
        while let Some(next) = self.poll_timeout()
            && next <= end
        {
            spins = if next > self.clock.now().instant { 0 } else { spins + 1 };
            assert!(spins < TIMEOUTS_PER_INSTANT_MAX, "a timer of the core sets itself again");
            self.clock.advance_to(next);
            self.core.handle_timeout(self.clock.now());
            self.drain();
        }
        self.clock.advance_to(end);
    }

    /// When the core or the media edge wants to go on.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let edges = [self.edge.poll_timeout(), self.zone.poll_timeout()];
        edges.into_iter().chain([self.core.poll_timeout()]).flatten().min()
    }

    /// The next thing that left the machine.
    pub fn poll_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// The same, left where it is.
    pub fn peek_sent(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// Panics caused since the process started.
    pub fn faults_of_this_life(&self) -> u32 {
        self.faults.caused() - self.faults_of_earlier_lives
    }

    pub fn core(&self) -> &Core {
        &self.core
    }

    /// A name for a new connection; no two are ever the same.
    pub fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    fn drain(&mut self) {
        loop {
            while let Some(effect) = self.core.poll_effect() {
                self.obey(effect);
            }
            let now = self.clock.now();
            if let Some(event) = self.edge.poll_event(now.instant) {
                self.core.handle(Input::Media(event), now);
            } else if let Some((place, resolution)) = self.zone.poll(now.instant) {
                self.core.handle(Input::Resolved { place, resolution }, now);
            } else {
                return;
            }
        }
    }

    fn obey(&mut self, effect: Effect) {
        let at = self.clock.now().instant;
        match effect {
            Effect::Send { flow, bytes, call } => {
                self.sent.push_back(Sent { at, what: Outgoing::Message { flow, bytes, call } });
            }
            Effect::Connect { token, remote, .. } => {
                self.sent.push_back(Sent { at, what: Outgoing::Connect { token, remote } });
            }
            Effect::Resolve(place) => self.zone.ask(place, at),
            Effect::KeepResolved(places) => self.zone.keep(places, at),
            Effect::Record(record) => self.journal.append(record),
            Effect::Event(event) => self.events.push_back(event),
            Effect::Media(command) => self.edge.handle(command, at),
        }
    }
}

fn start(
    config: &Config,
    rng: &mut ChaCha12Rng,
    faults: &Faults,
    journal: &mut Journal,
    clock: &Clock,
) -> Core {
    let inner = ChaCha12Rng::seed_from_u64(rng.next_u64());
    let own = FaultyRng { inner, faults: faults.clone() };
    Core::new(config.clone(), Box::new(own), journal.recover(), clock.now())
}

/// An extension with the defaults of the product.
pub fn extension(number: &str, name: &str, password: &str, settings: &Settings) -> Extension {
    Extension {
        number: number.into(),
        name: name.into(),
        secret: Some(secret(number, password, settings)),
        addresses: Vec::new(),
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

/// The digests of a password.
pub(crate) fn secret(number: &str, password: &str, settings: &Settings) -> Secret {
    let mut secret = Secret { md5: [0; 16], sha256: [0; 32] };
    let hash = |algorithm| ha1(algorithm, number, &settings.realm, password);
    from_hex(&mut secret.md5, hash(Algorithm::Md5).as_str());
    from_hex(&mut secret.sha256, hash(Algorithm::Sha256).as_str());
    secret
}

fn from_hex(out: &mut [u8], digits: &str) {
    for (index, octet) in out.iter_mut().enumerate() {
        let pair = digits.get(2 * index..2 * index + 2).unwrap_or_default();
        *octet = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
}

/// The flow of a phone of an extension: its `device`-th, from an address made of both numbers.
pub fn flow_of(number: &str, device: u8, transport: Transport, v6: bool) -> Flow {
    let host = number.parse::<u16>().unwrap_or_default();
    let (server, phone) = if v6 {
        let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, device.into(), host);
        (SERVER_V6, IpAddr::V6(address))
    } else {
        let host = u8::try_from(host % 251).unwrap_or_default();
        (SERVER_V4, IpAddr::V4(Ipv4Addr::new(10, 0, device, host)))
    };
    Flow {
        transport,
        local: SocketAddr::new(server, SERVER_PORT),
        remote: SocketAddr::new(phone, SERVER_PORT),
        connection: None,
    }
}
