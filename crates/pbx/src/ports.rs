//! The media ports the edge has reported ready, and who has them.

use crate::media::PortPair;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a pair rests that was leased but never opened: a peer may have been told of it.
pub const REST: Duration = Duration::from_secs(5);

/// Fewer free pairs than this, or than a quarter of the leased ones, and the edge is asked for more.
pub const FREE_MIN: usize = 32;

/// Pairs of one lease, one for each `m=` line.
pub type Lease = SmallVec<[PortPair; 2]>;

/// Free pairs, longest unused first, and resting ones.
#[derive(Debug, Default)]
pub struct Ports {
    free: VecDeque<PortPair>,
    resting: VecDeque<(Instant, PortPair)>,
    leased: usize,
    /// What the edge was last told to be leased.
    wanted: usize,
}

impl Ports {
    /// The edge has bound these, or they have rested after a session.
    pub fn ready(&mut self, pairs: &[PortPair]) {
        self.free.extend(pairs);
    }

    /// Takes one pair; `None` when all are in use.
    pub fn lease(&mut self, now: Instant) -> Option<PortPair> {
        while let Some(&(until, pair)) = self.resting.front()
            && until <= now
        {
            self.resting.pop_front();
            self.free.push_back(pair);
        }
        let pair = self.free.pop_front()?;
        self.leased += 1;
        Some(pair)
    }

    /// How many pairs are leased, when the edge should hear of it: free ones run short.
    pub fn want(&mut self) -> Option<u32> {
        let short = self.free.len() < FREE_MIN.max(self.leased / 4);
        if !short || self.leased < self.wanted + FREE_MIN / 2 {
            // It heard enough; after the rush it may hear it again.
            self.wanted = self.wanted.min(self.leased);
            return None;
        }
        self.wanted = self.leased;
        u32::try_from(self.leased).ok()
    }

    /// Gives back pairs that a session had: the edge lets them rest and reports them again.
    pub fn closed(&mut self, count: usize) {
        self.leased -= count.min(self.leased);
    }

    /// Gives back pairs that no session ever had: they rest here.
    pub fn unused(&mut self, pairs: &[PortPair], now: Instant) {
        self.closed(pairs.len());
        self.resting.extend(pairs.iter().map(|&pair| (now + REST, pair)));
    }

    pub fn leased(&self) -> usize {
        self.leased
    }

    /// Free now or after their rest.
    pub fn free(&self) -> usize {
        self.free.len() + self.resting.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]
    use super::*;

    #[test]
    fn an_unused_pair_rests_before_it_is_leased_again() {
        let mut ports = Ports::default();
        let now = Instant::now();
        ports.ready(&[PortPair { rtp: 20_000 }]);
        let pair = ports.lease(now).unwrap();
        assert_eq!((ports.lease(now), ports.leased()), (None, 1));
        ports.unused(&[pair], now);
        assert_eq!((ports.lease(now), ports.leased(), ports.free()), (None, 0, 1));
        assert_eq!(ports.lease(now + REST), Some(pair));
    }
}
