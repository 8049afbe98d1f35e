//! A media edge without packets: acknowledges what the core plans, and watches its leases.
//!
//! It binds port pairs, answers Configure and Close, and complains when the core plans a pair that
//! was never reported ready or that another session holds.

use pbx::id::CallId;
use pbx::media::{Command, Event, Figures, Plan, PortPair, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The pairs bound, from 20000 on.
pub const PAIRS: u16 = 400;
const FIRST_PORT: u16 = 20_000;

/// How long a released pair rests before it is reported ready again.
const REST: Duration = Duration::from_secs(5);

/// RTP packets every transport is said to have carried when its session closes.
const PACKETS: u64 = 50;

/// What the core's plans amount to.
#[derive(Debug, Default)]
pub struct Edge {
    pub sessions: BTreeMap<CallId, Plan>,
    /// What the core did that no edge could serve.
    pub complaints: Vec<String>,
    /// Reported ready and not in use as far as the edge knows.
    free: BTreeSet<PortPair>,
    due: VecDeque<(Instant, Event)>,
    /// Fails the next Configure, as an edge out of memory would.
    pub fail_next: bool,
}

impl Edge {
    /// Binds all pairs and says so.
    pub fn bind(&mut self) -> Event {
        let pairs: Vec<_> = (0..PAIRS).map(|it| PortPair { rtp: FIRST_PORT + 2 * it }).collect();
        self.free = pairs.iter().copied().collect();
        Event::PortsReady { pairs }
    }

    pub fn handle(&mut self, command: Command, now: Instant) {
        match command {
            Command::Configure { call, plan } => self.configure(call, plan, now),
            Command::Close { call } => self.close(call, now),
            // All pairs are bound from the start.
            Command::Want { .. } => {}
        }
    }

    /// The next event that is due.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        let index = self.due.iter().position(|it| it.0 <= now)?;
        self.due.remove(index).map(|it| it.1)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.iter().map(|it| it.0).min()
    }

    /// Whether what arrives from the phone behind `from` is sent to the phone behind `to`, as far
    /// as the plan of some session says.
    pub fn hears(&self, to: SocketAddr, from: SocketAddr) -> bool {
        self.sessions.values().any(|plan| {
            let of = |peer: SocketAddr| {
                let transport =
                    plan.transports.iter().find(|it| it.expect.advertised == Some(peer));
                transport
                    .and_then(|it| plan.streams.iter().find(|stream| stream.transport == it.id))
            };
            let (Some(from), Some(to)) = (of(from), of(to)) else { return false };
            plan.links.iter().any(|link| link.from == from.id && link.to == to.id)
        })
    }

    fn configure(&mut self, call: CallId, plan: Plan, now: Instant) {
        if self.fail_next {
            self.fail_next = false;
            self.due.push_back((now, Event::Failed { call, reason: "told to fail".into() }));
            return;
        }
        let old = self.sessions.remove(&call);
        for transport in old.iter().flat_map(|it| &it.transports) {
            if !plan.transports.iter().any(|it| it.ports == transport.ports) {
                self.rest(transport.ports, now);
            }
        }
        for transport in &plan.transports {
            let kept = old.iter().flat_map(|it| &it.transports);
            let is_kept = kept.into_iter().any(|it| it.ports == transport.ports);
            if !is_kept && !self.free.remove(&transport.ports) {
                let port = transport.ports.rtp;
                self.complaints.push(format!("{call:?} plans port {port}, which is not free"));
            }
        }
        if let Some(old) = old
            && plan.revision <= old.revision
        {
            self.complaints.push(format!("{call:?} goes back to plan {}", plan.revision));
        }
        let revision = plan.revision;
        self.sessions.insert(call, plan);
        self.due.push_back((now, Event::Configured { call, revision }));
    }

    fn close(&mut self, call: CallId, now: Instant) {
        let plan = self.sessions.remove(&call).unwrap_or_default();
        for transport in &plan.transports {
            self.rest(transport.ports, now);
        }
        let figures = plan.transports.iter().map(figures).collect();
        self.due.push_back((now, Event::Closed { call, figures }));
    }

    /// A released pair comes back later, so that late packets of its old call find nobody.
    fn rest(&mut self, pair: PortPair, now: Instant) {
        self.free.insert(pair);
        self.due.push_back((now + REST, Event::PortsReady { pairs: vec![pair] }));
    }
}

fn figures(transport: &Transport) -> Figures {
    Figures {
        transport: transport.id,
        packets_in: PACKETS,
        bytes_in: PACKETS * 172,
        lost_in: 0,
        jitter_in_us: 0,
        packets_out: PACKETS,
        refused: 0,
    }
}
