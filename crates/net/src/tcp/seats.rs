//! How many connections there may be, in all and from one source.

use super::Counters;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections count together when one party can easily make them all: an IPv4 address, an IPv6
/// /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

/// The seats and who sits. Shared by the tasks only, never with the core's thread for long.
pub(super) struct Seats {
    max: usize,
    max_per_source: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_source: HashMap<Source, usize>,
    counters: Counters,
}

/// Permission for one connection, given back when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// `None` for a connection of our own making.
    source: Option<Source>,
}

impl Seats {
    pub(super) fn new(max: usize, max_per_source: usize) -> Self {
        Self { max, max_per_source, taken: Mutex::default() }
    }

    /// A seat for a connection accepted from `address`, unless there is none left.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let source = Source::of(address);
        let mut taken = self.lock();
        let from_source = taken.by_source.get(&source).copied().unwrap_or_default();
        if from_source >= self.max_per_source {
            taken.counters.refused_source += 1;
            return None;
        }
        if taken.total >= self.max {
            taken.counters.refused_total += 1;
            return None;
        }
        taken.total += 1;
        taken.counters.accepted += 1;
        taken.by_source.insert(source, from_source + 1);
        Some(Seat { seats: Arc::clone(self), source: Some(source) })
    }

    /// A seat for a connection that we open.
    pub(super) fn take_outgoing(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.lock();
        if taken.total >= self.max {
            return None;
        }
        taken.total += 1;
        Some(Seat { seats: Arc::clone(self), source: None })
    }

    pub(super) fn note_accept_error(&self) {
        self.lock().counters.accept_errors += 1;
    }

    pub(super) fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// The numbers stay right whatever happened to the thread that held them: each change is one
    /// statement away from the next.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total -= 1;
        let Some(source) = self.source else { return };
        match taken.by_source.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            // The last one takes the entry along, so the map never outgrows the connections.
            _ => drop(taken.by_source.remove(&source)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn source_table() {
        #[rustfmt::skip]
        let table = [
            ("192.0.2.1",        "192.0.2.1",          true),
            ("192.0.2.1",        "192.0.2.2",          false),
            ("::ffff:192.0.2.1", "192.0.2.1",          true),
            ("2001:db8::1",      "2001:db8::ffff:1",   true),
            ("2001:db8::1",      "2001:db8:0:1::1",    false),
        ];
        for (one, other, same) in table {
            let source = |text: &str| Source::of(text.parse().unwrap());
            assert_eq!(source(one) == source(other), same, "{one} {other}");
        }
    }

    #[test]
    fn one_source_cannot_take_all_seats_and_seats_come_back() {
        let seats = Arc::new(Seats::new(4, 2));
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let held: Vec<_> = (0..3).filter_map(|_| seats.take(greedy)).collect();
        assert_eq!(held.len(), 2);
        let (first, second) = (seats.take(other).unwrap(), seats.take_outgoing().unwrap());
        assert!(seats.take(other).is_none(), "all taken");
        assert!(seats.take_outgoing().is_none(), "all taken");
        let expected =
            Counters { accepted: 3, refused_total: 1, refused_source: 1, ..Counters::default() };
        assert_eq!(seats.counters(), expected);
        drop((held, first, second));
        assert_eq!(seats.lock().total, 0);
        assert!(seats.lock().by_source.is_empty());
        assert!(seats.take(greedy).is_some());
    }
}
