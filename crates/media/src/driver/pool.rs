//! The port pairs: bound ahead of need, lent to sessions, rested, lent again.
//!
//! Shared by the media threads behind a lock that is taken when a session begins or ends, never
//! for a datagram. RFC 3550 §11: RTP on an even port, RTCP on the next.
//!
//! A pair is watched from its first session on, and stays so when the session ends: a call that
//! begins and ends costs no system call here. A pair that hears something between two sessions is
//! watched no more until the next, so that whoever goes on sending wakes nobody.

use super::Config;
use super::totals::Counters;
use pbx::media::PortPair;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use udp::{Batch, Options, Poller, Socket};

/// Pairs bound at once while calls are running, so that no packet waits long for it.
const BLOCK_PAIRS: usize = 16;

/// Ports tried for one block; where others hold that many the rest is tried next time.
const BLOCK_TRIES_MAX: usize = 64;

/// How long a port that others hold is left alone.
const TAKEN_RETRY: Duration = Duration::from_secs(60);

/// One pair in use asks for this share of a free one.
const USED_PER_SPARE: usize = 4;

/// Receives on a socket before it is lent out again; what is left then is a flood, and the latch
/// sees to it.
const DRAIN_RECEIVES_MAX: usize = 64;

/// The two sockets of a pair.
pub(super) struct SocketPair {
    pub(super) ports: PortPair,
    pub(super) rtp: Socket,
    pub(super) rtcp: Socket,
    /// The thread whose poller reports the two, by their port numbers.
    watcher: Option<usize>,
}

/// Why a pair cannot be lent out.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLent {
    /// It is not bound, or a session has it.
    #[error("port pair {} is not free", .0.rtp)]
    NotFree(PortPair),
    #[error("watching the ports: {0}")]
    Poller(#[from] io::Error),
}

/// All pairs of the range.
pub(super) struct Pool {
    bind: IpAddr,
    rest: Duration,
    spare: usize,
    /// Even ports nobody tried yet.
    untried: BTreeSet<u16>,
    /// Even ports somebody else holds, and since when.
    taken: VecDeque<(Instant, u16)>,
    /// The last block ended for want of something that the port has nothing to do with.
    wanting: bool,
    free: BTreeMap<PortPair, SocketPair>,
    used: usize,
    /// Pairs the core last said to have leased.
    leased: usize,
    resting: BTreeMap<PortPair, SocketPair>,
    /// Since when each rests, the longest first.
    rests: VecDeque<(Instant, PortPair)>,
    /// Free, but not yet reported.
    unreported: Vec<PortPair>,
    /// For draining.
    batch: Batch,
    /// Of each thread.
    pollers: Vec<Arc<Poller>>,
    counters: Arc<Counters>,
}

impl Pool {
    /// Binds the first pairs; fails if there is not a single one.
    pub(super) fn new(
        config: &Config,
        pollers: Vec<Arc<Poller>>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let (first, last) = (*config.ports.start(), *config.ports.end());
        let untried = (first.max(1)..last).filter(|it| it % 2 == 0).collect();
        let mut pool = Self {
            bind: config.bind,
            rest: config.rest,
            spare: config.spare_pairs.max(1),
            untried,
            taken: VecDeque::new(),
            wanting: false,
            free: BTreeMap::new(),
            used: 0,
            leased: 0,
            resting: BTreeMap::new(),
            rests: VecDeque::new(),
            unreported: Vec::new(),
            batch: Batch::new(16, 2048),
            pollers,
            counters,
        };
        let now = super::worker::clock();
        let error = pool.bind_more(pool.spare, usize::MAX, now);
        if pool.free.is_empty() {
            let none = || io::Error::new(io::ErrorKind::InvalidInput, "no port pair in the range");
            return Err(error.unwrap_or_else(none));
        }
        pool.count();
        Ok(pool)
    }

    /// Learns how many pairs the core has leased; some are not lent to a session yet.
    pub(super) fn want(&mut self, leased: usize) {
        self.leased = leased;
    }

    /// Lends a free pair out to a session of `thread`, without what late senders left in it.
    pub(super) fn take(&mut self, ports: PortPair, thread: usize) -> Result<SocketPair, NotLent> {
        let mut pair = self.free.remove(&ports).ok_or(NotLent::NotFree(ports))?;
        self.used += 1;
        if let Err(error) = self.watch(&mut pair, thread) {
            self.give_back(pair, super::worker::clock());
            return Err(error.into());
        }
        self.count();
        Ok(pair)
    }

    /// Takes a lent pair back, to rest.
    pub(super) fn give_back(&mut self, pair: SocketPair, now: Instant) {
        self.used -= 1;
        self.rest(pair, now);
        self.count();
    }

    /// Puts a pair to rest that was leased but not lent out, if it is that; so that the core gets
    /// it back when its session failed.
    pub(super) fn rest_unused(&mut self, ports: PortPair, now: Instant) {
        if !self.unreported.contains(&ports)
            && let Some(pair) = self.free.remove(&ports)
        {
            self.rest(pair, now);
            self.count();
        }
    }

    /// Something came to a port that no session of `thread` has.
    pub(super) fn hush(&mut self, port: u16, thread: usize) {
        let ports = PortPair { rtp: port & !1 };
        let idle = self.free.get_mut(&ports).or_else(|| self.resting.get_mut(&ports));
        if let Some(pair) = idle.filter(|it| it.watcher == Some(thread)) {
            unwatch(&self.pollers, pair);
        }
    }

    /// Ends rests that are over and binds a block where too few are free; the pairs to report.
    pub(super) fn tend(&mut self, now: Instant) -> Vec<PortPair> {
        while let Some((since, ports)) = self.rests.front()
            && now.saturating_duration_since(*since) >= self.rest
        {
            let pair = self.resting.remove(ports);
            self.rests.pop_front();
            pair.into_iter().for_each(|it| self.add(it));
        }
        while let Some((since, port)) = self.taken.front()
            && now.saturating_duration_since(*since) >= TAKEN_RETRY
        {
            self.untried.insert(*port);
            self.taken.pop_front();
        }
        let missing = self.missing();
        if missing > 0 {
            // Why a port could not be had matters at the start only; here it is counted.
            let _ = self.bind_more(missing.min(BLOCK_PAIRS), BLOCK_TRIES_MAX, now);
        }
        self.count();
        std::mem::take(&mut self.unreported)
    }

    /// Whether time alone will change something.
    pub(super) fn waits(&self) -> bool {
        let is_to_be_tried = !self.untried.is_empty() || !self.taken.is_empty();
        !self.rests.is_empty() || self.missing() > 0 && is_to_be_tried
    }

    /// Whether another block is to be bound at once, and not only with the next tick.
    pub(super) fn grows(&self) -> bool {
        self.missing() > 0 && !self.untried.is_empty() && !self.wanting
    }

    /// How many pairs are free less than should be.
    fn missing(&self) -> usize {
        let leased = self.leased.max(self.used);
        let unleased = (self.free.len() + self.used).saturating_sub(leased);
        self.spare.max(leased / USED_PER_SPARE).saturating_sub(unleased)
    }

    /// Binds up to `pairs`; gives the last error. One that no other port would spare us, such as
    /// too many open files, ends it: the port is tried again with the next block.
    fn bind_more(&mut self, pairs: usize, tries: usize, now: Instant) -> Option<io::Error> {
        self.wanting = false;
        let mut error = None;
        let mut bound = 0;
        for _ in 0..tries {
            if bound == pairs {
                break;
            }
            let Some(rtp) = self.untried.pop_first() else { break };
            match SocketPair::bind(self.bind, PortPair { rtp }) {
                Ok(pair) => {
                    self.add(pair);
                    bound += 1;
                }
                Err(reason) if is_of_the_port(&reason) => {
                    self.taken.push_back((now, rtp));
                    error = Some(reason);
                }
                Err(reason) => {
                    self.untried.insert(rtp);
                    self.wanting = true;
                    return Some(reason);
                }
            }
        }
        error
    }

    fn add(&mut self, pair: SocketPair) {
        self.unreported.push(pair.ports);
        self.free.insert(pair.ports, pair);
    }

    fn rest(&mut self, pair: SocketPair, now: Instant) {
        self.rests.push_back((now, pair.ports));
        self.resting.insert(pair.ports, pair);
    }

    /// Nothing to do where the thread's last session with this pair left it watched.
    fn watch(&mut self, pair: &mut SocketPair, thread: usize) -> io::Result<()> {
        if pair.watcher == Some(thread) {
            return Ok(());
        }
        unwatch(&self.pollers, pair);
        self.drain(pair);
        // Before it is true: where only one of the two can be watched, both are to be let go.
        pair.watcher = Some(thread);
        let poller = &self.pollers[thread];
        let added = poller
            .add(&pair.rtp, pair.ports.rtp.into())
            .and_then(|()| poller.add(&pair.rtcp, pair.ports.rtcp().into()));
        added.inspect_err(|_| unwatch(&self.pollers, pair))
    }

    fn drain(&mut self, pair: &SocketPair) {
        for socket in [&pair.rtp, &pair.rtcp] {
            for _ in 0..DRAIN_RECEIVES_MAX {
                if !matches!(socket.recv_batch(&mut self.batch), Ok(1..)) {
                    break;
                }
            }
        }
    }

    fn count(&self) {
        let gauges = [
            (&self.counters.pairs_free, self.free.len()),
            (&self.counters.pairs_used, self.used),
            (&self.counters.pairs_resting, self.resting.len()),
            (&self.counters.pairs_taken, self.taken.len()),
        ];
        for (gauge, value) in gauges {
            gauge.store(value as u64, Ordering::Relaxed);
        }
    }
}

impl SocketPair {
    fn bind(address: IpAddr, ports: PortPair) -> io::Result<Self> {
        let bind = |port| Socket::bind(SocketAddr::new(address, port), Options::MEDIA);
        Ok(Self { ports, rtp: bind(ports.rtp)?, rtcp: bind(ports.rtcp())?, watcher: None })
    }
}

/// Somebody else has the port, or it is not for us.
fn is_of_the_port(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn unwatch(pollers: &[Arc<Poller>], pair: &mut SocketPair) {
    if let Some(thread) = pair.watcher.take() {
        for socket in [&pair.rtp, &pair.rtcp] {
            // Fails only for one that could not be watched in the first place.
            let _ = pollers[thread].remove(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};

    #[test]
    fn a_port_counts_as_taken_only_where_somebody_has_it() {
        let other = loop {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = socket.local_addr().unwrap().port();
            if port.is_multiple_of(2) && port < 60_000 {
                break socket;
            }
        };
        let first = other.local_addr().unwrap().port();
        let config = Config {
            ports: first..=first + 40,
            bind: Ipv4Addr::LOCALHOST.into(),
            spare_pairs: 1,
            ..Config::default()
        };
        let now = super::super::worker::clock();
        let mut pool = Pool::new(&config, vec![], Arc::default()).unwrap();
        assert!(pool.taken.iter().any(|(_, port)| *port == first));
        let (taken, untried) = (pool.taken.len(), pool.untried.len());

        // An address that is not ours (RFC 5737) stands for all that has nothing to do with the port.
        pool.spare = 2;
        pool.bind = Ipv4Addr::new(192, 0, 2, 1).into();
        pool.tend(now);
        assert_eq!((pool.taken.len(), pool.untried.len()), (taken, untried));
        assert!(pool.waits() && !pool.grows(), "the next tick tries again, and not at once");

        pool.bind = Ipv4Addr::LOCALHOST.into();
        assert!(!pool.tend(now).is_empty());
        assert!(!pool.wanting);
    }
}
