//! The trunks as they are now: which of their servers are there, and the calls they have.

use super::Trunk;
use super::health::Health;
use super::sources::Sources;
use crate::id::TenantId;
use crate::line::live::Said;
use crate::line::target::literal;
use crate::names::NameTrouble;
use sip::endpoint::ClientTx;
use sip::locate::order::pick;
use sip::locate::{Place, SIP_PORT, Way};
use sip::timers::TimerQueue;
use sip::{ConnectionId, Flow, Transport};
use slab::Slab;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

type Map<K, V> = HashMap<K, V, ahash::RandomState>;

/// Most servers that one name of a trunk leads to.
pub const SERVERS_MAX: usize = 16;

/// Names a trunk in [`Trunks`]; a stale name finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrunkKey {
    index: usize,
    serial: u32,
}

/// One server of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerKey {
    pub trunk: TrunkKey,
    /// No two servers of a trunk ever have the same.
    pub number: u32,
}

#[derive(Debug)]
pub struct LiveTrunk {
    pub key: TrunkKey,
    pub tenant: TenantId,
    pub config: Arc<Trunk>,
    /// The names among the configured addresses, by their places, and what is wrong with them.
    names: Vec<(usize, Place, Option<NameTrouble>)>,
    /// All servers, by the configured addresses they belong to.
    pub servers: Vec<Server>,
    next_number: u32,
    pub calls_in: u16,
    pub calls_out: u16,
    published: Option<Box<TrunkStatus>>,
}

#[derive(Clone, Debug)]
pub struct Server {
    number: u32,
    /// The place of its name among the configured addresses.
    pub configured: usize,
    /// `None`: a name without an address, which is there to be seen.
    pub address: Option<SocketAddr>,
    pub transport: Transport,
    /// The lowest is tried first: as configured, then as DNS has it.
    order: (u16, usize, u16),
    /// Those with one service share its weight (RFC 2782).
    service: usize,
    weight: u16,
    pub health: Health,
    /// Over a stream, the one that is open.
    pub flow: Option<Flow>,
    /// The OPTIONS that is out.
    pub transaction: Option<ClientTx>,
    /// What it last said to one.
    pub last_answer: Option<Said>,
    /// A stream being opened for it.
    pub connecting: Option<u64>,
    armed: Option<Instant>,
}

/// A trunk as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    pub tenant: TenantId,
    pub id: u32,
    /// In the order they are configured.
    pub servers: Vec<ServerStatus>,
    /// What is wrong with a name of its servers.
    pub trouble: Option<NameTrouble>,
    pub calls_in: u16,
    pub calls_out: u16,
}

/// A server of a trunk as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// The place of its name or address among the configured ones.
    pub configured: usize,
    /// `None`: a name without an address.
    pub address: Option<SocketAddr>,
    /// It is taken to be there.
    pub up: bool,
    /// The next call goes there first.
    pub next: bool,
    /// To OPTIONS.
    pub last_answer: Option<Said>,
}

impl TrunkStatus {
    /// A server is there.
    pub fn is_up(&self) -> bool {
        self.servers.iter().any(|it| it.up && it.address.is_some())
    }
}

/// All trunks of a shard.
#[derive(Debug, Default)]
pub struct Trunks {
    slab: Slab<LiveTrunk>,
    by_id: Map<(TenantId, u32), TrunkKey>,
    by_token: Map<u64, ServerKey>,
    /// Made anew after a change, when it is first needed.
    sources: OnceCell<Sources>,
    timers: TimerQueue<ServerKey>,
    serial: u32,
}

/// A server that a name leads to.
#[derive(Clone, Debug)]
pub struct Found {
    pub transport: Transport,
    pub rank: u16,
    pub weight: u16,
    pub addresses: Vec<SocketAddr>,
}

impl LiveTrunk {
    fn new(key: TrunkKey, tenant: TenantId, config: &Arc<Trunk>) -> Self {
        Self {
            key,
            tenant,
            config: Arc::clone(config),
            names: Vec::new(),
            servers: Vec::new(),
            next_number: 0,
            calls_in: 0,
            calls_out: 0,
            published: None,
        }
    }

    /// Servers that are others are new ones.
    fn configure(&mut self, config: &Arc<Trunk>) {
        let of = |it: &Trunk| (it.addresses.clone(), it.transport);
        let is_same = of(&self.config) == of(config);
        self.config = Arc::clone(config);
        if is_same && !self.servers.is_empty() {
            return;
        }
        self.names.clear();
        self.servers.clear();
        let transport = config.transport.fixed();
        let usual = transport.unwrap_or(Transport::Udp);
        for (configured, it) in config.addresses.iter().enumerate() {
            let address = literal(&it.host).map(|address| (address.ip(), it.port).into());
            let server = Server::new((configured, it.priority), usual, address);
            self.replace(configured, vec![server]);
            if let Ok(Way::Named(place)) = Way::of_text(&it.host, transport) {
                let port = Some(it.port).filter(|it| *it != SIP_PORT);
                self.names.push((configured, Place { port, ..place }, None));
            }
        }
    }

    /// A server is there.
    pub fn is_healthy(&self) -> bool {
        self.servers.iter().any(|it| it.health.is_up() && it.address.is_some())
    }

    /// The names of its servers.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.names.iter().map(|it| &it.1)
    }

    /// It has servers, and no address of any.
    pub fn is_nowhere(&self) -> bool {
        !self.servers.is_empty() && self.servers.iter().all(|it| it.address.is_none())
    }

    /// The server to try next: those that are up first, by priority, then as configured; among
    /// those that DNS gives the same priority, by weight.
    pub fn next_server(&self, tried: &[ServerKey], dice: u32) -> Option<ServerKey> {
        let key = |it: &Server| ServerKey { trunk: self.key, number: it.number };
        let left = || {
            let known = self.servers.iter().filter(|it| it.address.is_some());
            known.filter(|it| !tried.contains(&key(it)))
        };
        let rank = |it: &Server| (!it.health.is_up(), it.order);
        let best = left().map(rank).min()?;
        let mut services: Vec<(usize, u16)> =
            left().filter(|it| rank(it) == best).map(|it| (it.service, it.weight)).collect();
        services.dedup();
        let weights: Vec<u16> = services.iter().map(|it| it.1).collect();
        let service = services.get(pick(&weights, dice))?.0;
        left().find(|it| rank(it) == best && it.service == service).map(key)
    }

    /// The servers of a configured address are these from now on. Those that were there before stay
    /// as they are; gives the new ones.
    fn replace(&mut self, configured: usize, found: Vec<Server>) -> Vec<ServerKey> {
        let (mut old, mut servers): (Vec<Server>, Vec<Server>) =
            self.servers.drain(..).partition(|it| it.configured == configured);
        let mut new = Vec::new();
        for mut server in found {
            match old.iter().position(|it| it.is_same(&server)) {
                Some(index) => {
                    let Server { order, service, weight, .. } = server;
                    server = Server { order, service, weight, ..old.swap_remove(index) };
                }
                None => {
                    self.next_number += 1;
                    server.number = self.next_number;
                    new.push(ServerKey { trunk: self.key, number: server.number });
                }
            }
            servers.push(server);
        }
        servers.sort_by_key(|it| (it.configured, it.order, it.service));
        self.servers = servers;
        new
    }

    /// A name leads to these servers. Gives the new ones.
    fn resolve(
        &mut self,
        place: &Place,
        found: &[Found],
        trouble: Option<NameTrouble>,
    ) -> Vec<ServerKey> {
        let mut new = Vec::new();
        for index in 0..self.names.len() {
            let (configured, name, wrong) = &mut self.names[index];
            if name != place {
                continue;
            }
            *wrong = trouble;
            let configured = *configured;
            let priority = self.config.addresses.get(configured).map_or(0, |it| it.priority);
            let place = (configured, priority);
            let mut servers = Vec::new();
            for (service, it) in found.iter().enumerate() {
                let of = |address: &SocketAddr| {
                    let server = Server::new(place, it.transport, Some(*address));
                    server.listed(it.rank, service, it.weight)
                };
                servers.extend(it.addresses.iter().map(of));
            }
            servers.truncate(SERVERS_MAX);
            if servers.is_empty() {
                servers.push(Server::new(place, Transport::Udp, None));
            }
            new.extend(self.replace(configured, servers));
        }
        new
    }

    /// Whether a call from this source is the trunk's.
    fn admits(&self, source: SocketAddr, transport: Transport) -> bool {
        if self.config.admits(source, transport) {
            return true;
        }
        let any_port = self.config.any_source_port(transport);
        let addresses = self.servers.iter().filter_map(|it| it.address);
        addresses
            .filter(|it| it.ip() == source.ip().to_canonical())
            .any(|it| any_port || it.port() == source.port())
    }

    fn status(&self) -> TrunkStatus {
        let next = self.next_server(&[], 0).map(|it| it.number);
        let server = |it: &Server| ServerStatus {
            configured: it.configured,
            address: it.address,
            up: it.health.is_up(),
            next: next == Some(it.number),
            last_answer: it.last_answer.clone(),
        };
        TrunkStatus {
            tenant: self.tenant,
            id: self.config.id,
            servers: self.servers.iter().map(server).collect(),
            trouble: self.names.iter().find_map(|it| it.2),
            calls_in: self.calls_in,
            calls_out: self.calls_out,
        }
    }

    /// The picture for the board, where it has changed.
    pub fn unpublished(&mut self) -> Option<Box<TrunkStatus>> {
        let status = Box::new(self.status());
        (self.published.as_ref() != Some(&status)).then(|| {
            self.published = Some(status.clone());
            status
        })
    }
}

impl Server {
    fn new(
        (configured, priority): (usize, u16),
        transport: Transport,
        address: Option<SocketAddr>,
    ) -> Self {
        Self {
            number: 0,
            configured,
            address,
            transport,
            order: (priority, configured, 0),
            service: 0,
            weight: 0,
            health: Health::UNASKED,
            flow: None,
            transaction: None,
            last_answer: None,
            connecting: None,
            armed: None,
        }
    }

    /// As DNS has it among the servers of its name.
    fn listed(self, rank: u16, service: usize, weight: u16) -> Self {
        let (priority, configured, _) = self.order;
        Self { order: (priority, configured, rank), service, weight, ..self }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.address, self.transport) == (other.address, other.transport)
    }
}

impl Trunks {
    /// The trunks at these places, as the board was told last.
    pub fn published(&self, places: Range<usize>) -> Vec<Box<TrunkStatus>> {
        let trunks = places.filter_map(|it| self.slab.get(it));
        trunks.filter_map(|it| it.published.clone()).collect()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.slab.capacity()
    }

    pub fn get(&self, key: TrunkKey) -> Option<&LiveTrunk> {
        self.slab.get(key.index).filter(|it| it.key == key)
    }

    pub fn get_mut(&mut self, key: TrunkKey) -> Option<&mut LiveTrunk> {
        self.slab.get_mut(key.index).filter(|it| it.key == key)
    }

    pub fn servers_of(&self, trunk: TrunkKey) -> Vec<ServerKey> {
        let servers = self.get(trunk).map(|it| it.servers.iter());
        servers.into_iter().flatten().map(|it| ServerKey { trunk, number: it.number }).collect()
    }

    pub fn server(&self, key: ServerKey) -> Option<&Server> {
        self.get(key.trunk)?.servers.iter().find(|it| it.number == key.number)
    }

    pub fn server_mut(&mut self, key: ServerKey) -> Option<&mut Server> {
        self.get_mut(key.trunk)?.servers.iter_mut().find(|it| it.number == key.number)
    }

    pub fn find(&self, tenant: TenantId, id: u32) -> Option<&LiveTrunk> {
        self.get(*self.by_id.get(&(tenant, id))?)
    }

    /// The trunk that calls from this source come from.
    pub fn from_source(&self, source: SocketAddr, transport: Transport) -> Option<&LiveTrunk> {
        let sources = self.sources.get_or_init(|| Sources::of(self.iter()));
        let near = sources.near(source.ip()).filter_map(|it| self.get(it));
        let admits = |it: &&LiveTrunk| it.config.enabled && it.admits(source, transport);
        let found = near.filter(admits).min_by_key(|it| it.key.index);
        debug_assert!(found.map(|it| it.key) == self.iter().find(admits).map(|it| it.key));
        found
    }

    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub fn keys(&self) -> Vec<TrunkKey> {
        self.slab.iter().map(|(_, it)| it.key).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &LiveTrunk> {
        self.slab.iter().map(|(_, it)| it)
    }

    /// Those with a server of this name.
    pub fn at_place(&self, place: &Place) -> Vec<TrunkKey> {
        let has = |it: &&LiveTrunk| it.places().any(|it| it == place);
        self.iter().filter(has).map(|it| it.key).collect()
    }

    /// Adds a trunk, or gives it its new configuration; servers that are others are unknown then.
    pub fn put(&mut self, tenant: TenantId, config: &Arc<Trunk>) -> TrunkKey {
        self.sources.take();
        let known = self.by_id.get(&(tenant, config.id)).copied();
        let key = known.filter(|it| self.get(*it).is_some()).unwrap_or_else(|| {
            self.serial = self.serial.wrapping_add(1);
            let key = TrunkKey { index: self.slab.vacant_key(), serial: self.serial };
            self.by_id.insert((tenant, config.id), key);
            self.slab.insert(LiveTrunk::new(key, tenant, config));
            key
        });
        if let Some(trunk) = self.get_mut(key) {
            trunk.configure(config);
        }
        key
    }

    /// What a name leads to, for all configured addresses with it. Gives the new servers.
    pub fn resolve(
        &mut self,
        key: TrunkKey,
        place: &Place,
        found: &[Found],
        trouble: Option<NameTrouble>,
    ) -> Vec<ServerKey> {
        let Some(trunk) = self.get_mut(key) else { return Vec::new() };
        let before = trunk.servers.len();
        let new = trunk.resolve(place, found, trouble);
        // As many as before and none of them new: they are the same ones.
        if !new.is_empty() || trunk.servers.len() != before {
            self.sources.take();
        }
        new
    }

    pub fn remove(&mut self, key: TrunkKey) {
        self.sources.take();
        if self.get(key).is_some() {
            let trunk = self.slab.remove(key.index);
            self.by_id.remove(&(trunk.tenant, trunk.config.id));
        }
    }

    pub fn connecting(&mut self, token: u64, key: ServerKey) {
        self.by_token.insert(token, key);
    }

    /// Whose stream it was that is open now, or cannot be.
    pub fn connected(&mut self, token: u64) -> Option<ServerKey> {
        self.by_token.remove(&token)
    }

    pub fn lose_connection(&mut self, connection: ConnectionId) {
        for (_, trunk) in &mut self.slab {
            for server in &mut trunk.servers {
                server.flow.take_if(|it| it.connection == Some(connection));
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next server whose time has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<ServerKey> {
        while let Some((at, key)) = self.timers.pop_due(now) {
            let Some(server) = self.server_mut(key) else { continue };
            if server.armed == Some(at) {
                server.armed = None;
                return Some(key);
            }
        }
        None
    }

    /// Sees to it that [`Trunks::pop_due`] names the server in time.
    pub fn arm(&mut self, key: ServerKey) {
        let Some(server) = self.server_mut(key) else { return };
        let Some(due) = server.health.poll_timeout() else { return };
        if server.armed.is_none_or(|armed| due < armed) {
            server.armed = Some(due);
            self.timers.set(due, key);
        }
    }
}

#[cfg(test)]
mod tests;
