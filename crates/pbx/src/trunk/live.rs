//! The trunks as they are now: which of their servers are there, and the calls they have.

use super::Trunk;
use super::health::Health;
use crate::id::TenantId;
use crate::line::live::Said;
use crate::line::target::literal;
use sip::endpoint::ClientTx;
use sip::timers::TimerQueue;
use sip::{ConnectionId, Flow, Transport};
use slab::Slab;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

type Map<K, V> = HashMap<K, V, ahash::RandomState>;

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
    /// Its place among the configured addresses.
    pub place: usize,
}

#[derive(Debug)]
pub struct LiveTrunk {
    pub key: TrunkKey,
    pub tenant: TenantId,
    pub config: Arc<Trunk>,
    /// By their places in the configuration.
    pub servers: Vec<Server>,
    pub calls_in: u16,
    pub calls_out: u16,
    published: Option<Box<TrunkStatus>>,
}

#[derive(Clone, Debug)]
pub struct Server {
    /// `None`: a name without an address.
    pub address: Option<SocketAddr>,
    pub priority: u16,
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
    pub calls_in: u16,
    pub calls_out: u16,
}

/// A server of a trunk as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
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
    timers: TimerQueue<ServerKey>,
    serial: u32,
}

impl LiveTrunk {
    /// A server is there.
    pub fn is_healthy(&self) -> bool {
        self.servers.iter().any(|it| it.health.is_up() && it.address.is_some())
    }

    /// The server to try next: those that are up first, by priority, then as configured.
    pub fn next_server(&self, tried: &[ServerKey]) -> Option<ServerKey> {
        let trunk = self.key;
        let servers = self.servers.iter().enumerate().filter(|(_, it)| it.address.is_some());
        let keys = servers.map(|(place, it)| (ServerKey { trunk, place }, it));
        let left = keys.filter(|(key, _)| !tried.contains(key));
        left.min_by_key(|(key, it)| (!it.health.is_up(), it.priority, key.place)).map(|it| it.0)
    }

    fn status(&self) -> TrunkStatus {
        let next = self.next_server(&[]).map(|it| it.place);
        let server = |(place, it): (usize, &Server)| ServerStatus {
            address: it.address,
            up: it.health.is_up(),
            next: next == Some(place),
            last_answer: it.last_answer.clone(),
        };
        TrunkStatus {
            tenant: self.tenant,
            id: self.config.id,
            servers: self.servers.iter().enumerate().map(server).collect(),
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

impl Trunks {
    pub fn get(&self, key: TrunkKey) -> Option<&LiveTrunk> {
        self.slab.get(key.index).filter(|it| it.key == key)
    }

    pub fn get_mut(&mut self, key: TrunkKey) -> Option<&mut LiveTrunk> {
        self.slab.get_mut(key.index).filter(|it| it.key == key)
    }

    pub fn server(&mut self, key: ServerKey) -> Option<&mut Server> {
        self.get_mut(key.trunk)?.servers.get_mut(key.place)
    }

    pub fn find(&self, tenant: TenantId, id: u32) -> Option<&LiveTrunk> {
        self.get(*self.by_id.get(&(tenant, id))?)
    }

    /// The trunk that calls from this source come from.
    pub fn from_source(&self, source: SocketAddr, transport: Transport) -> Option<&LiveTrunk> {
        let mut trunks = self.slab.iter().map(|(_, it)| it);
        trunks.find(|it| it.config.enabled && it.config.admits(source, transport))
    }

    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub fn keys(&self) -> Vec<TrunkKey> {
        self.slab.iter().map(|(_, it)| it.key).collect()
    }

    /// Adds a trunk, or gives it its new configuration; servers that are others are unknown then.
    pub fn put(&mut self, tenant: TenantId, config: &Arc<Trunk>) -> TrunkKey {
        let server = |it: &super::config::TrunkAddress| Server {
            address: literal(&it.host).map(|address| (address.ip(), it.port).into()),
            priority: it.priority,
            health: Health::UNASKED,
            flow: None,
            transaction: None,
            last_answer: None,
            connecting: None,
            armed: None,
        };
        let servers = config.addresses.iter().map(server).collect();
        if let Some(key) = self.by_id.get(&(tenant, config.id)).copied()
            && let Some(trunk) = self.get_mut(key)
        {
            let of = |it: &Trunk| (it.addresses.clone(), it.transport);
            if of(&trunk.config) != of(config) {
                trunk.servers = servers;
            }
            trunk.config = Arc::clone(config);
            return key;
        }
        self.serial = self.serial.wrapping_add(1);
        let key = TrunkKey { index: self.slab.vacant_key(), serial: self.serial };
        self.by_id.insert((tenant, config.id), key);
        let config = Arc::clone(config);
        let (calls_in, calls_out, published) = (0, 0, None);
        self.slab.insert(LiveTrunk {
            key,
            tenant,
            config,
            servers,
            calls_in,
            calls_out,
            published,
        });
        key
    }

    pub fn remove(&mut self, key: TrunkKey) {
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
            let Some(server) = self.server(key) else { continue };
            if server.armed == Some(at) {
                server.armed = None;
                return Some(key);
            }
        }
        None
    }

    /// Sees to it that [`Trunks::pop_due`] names the server in time.
    pub fn arm(&mut self, key: ServerKey) {
        let Some(server) = self.server(key) else { return };
        let Some(due) = server.health.poll_timeout() else { return };
        if server.armed.is_none_or(|armed| due < armed) {
            server.armed = Some(due);
            self.timers.set(due, key);
        }
    }
}
