//! The sessions of one media thread and the sockets they hold.
//!
//! Books only: the worker receives, sends and speaks with the core. A socket's token in the poller,
//! its port, leads to its pair, the pair to its session, by index; nothing is looked up for a
//! datagram.

use super::pool::{NotLent, Pool, SocketPair};
use crate::session::{BadPlan, Port, Session};
use pbx::id::CallId;
use pbx::media::{Figures, Plan};
use slab::Slab;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Instant;
use udp::Socket;

/// In the place of a session, while a pair has none yet.
const NOBODY: usize = usize::MAX;

/// A session and the pairs it holds.
pub(super) struct Running {
    pub(super) call: CallId,
    pub(super) session: Session,
    /// For each transport of the session, its pair.
    pairs: Vec<usize>,
    /// When its figures were last reported.
    pub(super) reported_at: Instant,
}

/// A pair held by a session.
struct Held {
    sockets: SocketPair,
    session: usize,
    transport: usize,
}

/// Why a session could not be made as planned.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigureError {
    #[error(transparent)]
    BadPlan(#[from] BadPlan),
    #[error(transparent)]
    NotLent(#[from] NotLent),
}

/// Where a datagram came in.
pub(super) struct Entry<'a> {
    pub(super) running: &'a mut Running,
    pub(super) transport: usize,
    pub(super) port: Port,
    held: &'a Slab<Held>,
}

/// All sessions of one thread.
pub(super) struct Sessions {
    /// The thread, for the pool.
    thread: usize,
    sessions: Slab<Running>,
    held: Slab<Held>,
    /// For each two ports there can be, one more than the key of the pair held. 128 KiB.
    by_ports: Box<[Option<NonZeroU32>]>,
    by_call: BTreeMap<CallId, usize>,
}

impl Sessions {
    pub(super) fn of(thread: usize) -> Self {
        Self {
            thread,
            sessions: Slab::new(),
            held: Slab::new(),
            by_ports: vec![None; usize::from(u16::MAX) / 2 + 1].into(),
            by_call: BTreeMap::new(),
        }
    }

    /// Opens the session or brings it to the plan. On an error it is as it was, and the pairs that
    /// the plan added go to rest.
    pub(super) fn configure(
        &mut self,
        call: CallId,
        plan: &Plan,
        pool: &mut Pool,
        now: Instant,
    ) -> Result<(), ConfigureError> {
        let existing = self.by_call.get(&call).copied();
        let had = existing.map_or_else(Vec::new, |at| self.sessions[at].pairs.clone());
        let mut added = Vec::new();
        let lent = self.lend(plan, &had, &mut added, pool);
        let applied = lent.and_then(|()| match existing {
            Some(at) => Ok(self.sessions[at].session.apply(plan, now).map(|()| at)?),
            None => Ok(self.open(call, Session::new(plan, now)?, now)),
        });
        match applied {
            Ok(at) => {
                let gone = self.assign(at, &[had, added].concat());
                self.release(&gone, pool, now);
                Ok(())
            }
            Err(error) => {
                self.release(&added, pool, now);
                for transport in &plan.transports {
                    pool.rest_unused(transport.ports, now);
                }
                Err(error)
            }
        }
    }

    /// Ends the session; its last figures, and none if there was no such session.
    pub(super) fn close(&mut self, call: CallId, pool: &mut Pool, now: Instant) -> Vec<Figures> {
        let Some(at) = self.by_call.remove(&call) else { return Vec::new() };
        let running = self.sessions.remove(at);
        self.release(&running.pairs, pool, now);
        running.session.figures()
    }

    /// Ends a session after a fault in it, by what the pairs say, not the session, and gives back
    /// what it was about to get; its call.
    pub(super) fn evict(
        &mut self,
        at: Option<usize>,
        pool: &mut Pool,
        now: Instant,
    ) -> Option<CallId> {
        let is_its = |it: &Held| it.session == NOBODY || Some(it.session) == at;
        let of_it = |(key, it): (usize, &Held)| is_its(it).then_some(key);
        let pairs: Vec<usize> = self.held.iter().filter_map(of_it).collect();
        self.release(&pairs, pool, now);
        let call = self.sessions.try_remove(at?)?.call;
        self.by_call.remove(&call);
        Some(call)
    }

    /// The session a token leads to, for [`Self::evict`].
    pub(super) fn at_port(&self, port: u16) -> Option<usize> {
        Some(self.held.get(self.key(port)?)?.session)
    }

    /// The session of a call, for [`Self::evict`]: the index may be what is wrong.
    pub(super) fn at_call(&self, call: CallId) -> Option<usize> {
        self.sessions.iter().find(|(_, it)| it.call == call).map(|(at, _)| at)
    }

    /// What a port is to this thread's sessions; `None`: nothing.
    pub(super) fn entry(&mut self, port: u16) -> Option<Entry<'_>> {
        let Held { session, transport, .. } = *self.held.get(self.key(port)?)?;
        let running = self.sessions.get_mut(session)?;
        let port = if port.is_multiple_of(2) { Port::Rtp } else { Port::Rtcp };
        Some(Entry { running, transport, port, held: &self.held })
    }

    /// The session of a call, by its first transport.
    pub(super) fn entry_of(&mut self, call: CallId) -> Option<Entry<'_>> {
        let running = self.sessions.get_mut(*self.by_call.get(&call)?)?;
        Some(Entry { running, transport: 0, port: Port::Rtp, held: &self.held })
    }

    /// Every `step`th session, from the `phase`th on.
    pub(super) fn slice(
        &mut self,
        phase: usize,
        step: usize,
    ) -> impl Iterator<Item = &mut Running> {
        self.sessions.iter_mut().filter(move |(at, _)| at % step == phase).map(|(_, it)| it)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// So that the next datagram of the session, or tone for it, is a fault.
    #[cfg(test)]
    pub(super) fn break_pairs_of(&mut self, call: CallId) {
        self.sessions[self.by_call[&call]].pairs.clear();
    }

    /// So that the next plan of the session, or its end, is a fault.
    #[cfg(test)]
    pub(super) fn break_index_of(&mut self, call: CallId) {
        self.by_call.insert(call, NOBODY);
    }

    fn open(&mut self, call: CallId, session: Session, now: Instant) -> usize {
        let running = Running { call, session, pairs: Vec::new(), reported_at: now };
        let at = self.sessions.insert(running);
        self.by_call.insert(call, at);
        at
    }

    /// Takes the pairs of the plan that the session does not have from the pool. On an error,
    /// `added` names those that were taken before it.
    pub(super) fn lend(
        &mut self,
        plan: &Plan,
        had: &[usize],
        added: &mut Vec<usize>,
        pool: &mut Pool,
    ) -> Result<(), ConfigureError> {
        for ports in plan.transports.iter().map(|it| it.ports) {
            let is_it = |at: &&usize| self.held[**at].sockets.ports == ports;
            if had.iter().chain(added.iter()).any(|at| is_it(&at)) {
                continue;
            }
            let sockets = pool.take(ports, self.thread)?;
            let key = self.held.insert(Held { sockets, session: NOBODY, transport: 0 });
            // There are fewer pairs than ports.
            let number = u32::try_from(key).ok().and_then(|it| NonZeroU32::new(it + 1));
            self.by_ports[usize::from(ports.rtp / 2)] = number;
            added.push(key);
        }
        Ok(())
    }

    fn key(&self, port: u16) -> Option<usize> {
        let number = self.by_ports[usize::from(port / 2)]?;
        usize::try_from(number.get() - 1).ok()
    }

    /// Gives each transport its pair out of `candidates`; those left over.
    fn assign(&mut self, session: usize, candidates: &[usize]) -> Vec<usize> {
        let mut left = candidates.to_vec();
        let running = &mut self.sessions[session];
        running.pairs.clear();
        for (transport, ports) in running.session.ports().enumerate() {
            let is_it = |at: &usize| self.held[*at].sockets.ports == ports;
            // Every pair of the plan was there before or was lent: none is missing.
            let Some(position) = left.iter().position(is_it) else { continue };
            let pair = left.swap_remove(position);
            self.held[pair].session = session;
            self.held[pair].transport = transport;
            running.pairs.push(pair);
        }
        debug_assert_eq!(running.pairs.len(), running.session.ports().count());
        left
    }

    fn release(&mut self, pairs: &[usize], pool: &mut Pool, now: Instant) {
        for pair in pairs {
            let sockets = self.held.remove(*pair).sockets;
            self.by_ports[usize::from(sockets.ports.rtp / 2)] = None;
            pool.give_back(sockets, now);
        }
    }
}

impl Entry<'_> {
    /// The socket of a transport of this session.
    pub(super) fn socket(&self, transport: usize, port: Port) -> &Socket {
        let pair = &self.held[self.running.pairs[transport]].sockets;
        match port {
            Port::Rtp => &pair.rtp,
            Port::Rtcp => &pair.rtcp,
        }
    }
}
