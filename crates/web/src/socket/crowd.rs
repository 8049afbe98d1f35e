//! How many connections each source has: nobody takes those of all others.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at a time of one address, of IPv6 its /64. A browser has six.
const PER_SOURCE_MAX: usize = 64;

#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One connection of a source; it is free again when this is dropped.
pub(super) struct Place {
    crowd: Crowd,
    source: IpAddr,
}

impl Crowd {
    /// `None`: it has too many. This machine, where a proxy may speak for all the world, is not counted.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Option<Place>> {
        let source = match address.to_canonical() {
            it if it.is_loopback() => return Some(None),
            IpAddr::V6(it) => IpAddr::V6((it.to_bits() >> 64 << 64).into()),
            it @ IpAddr::V4(_) => it,
        };
        let mut counts = self.counts();
        let count = counts.entry(source).or_default();
        if *count >= PER_SOURCE_MAX {
            return None;
        }
        *count += 1;
        Some(Some(Place { crowd: self.clone(), source }))
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_source_leaves_room_for_others() {
        let crowd = Crowd::default();
        let enter = |it: &str| crowd.enter(it.parse().unwrap());
        let taken: Vec<_> = (0..PER_SOURCE_MAX).map(|_| enter("192.0.2.1").unwrap()).collect();
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(taken);
        assert!(enter("192.0.2.1").is_some());
        let one: Vec<_> =
            (0..PER_SOURCE_MAX).map(|it| enter(&format!("2001:db8::{it:x}")).unwrap()).collect();
        assert!(enter("2001:db8::ffff").is_none() && enter("2001:db8:0:1::1").is_some());
        drop(one);
        for _ in 0..=PER_SOURCE_MAX {
            assert!(enter("127.0.0.1").is_some_and(|it| it.is_none()));
        }
        assert!(crowd.counts().is_empty());
    }
}
