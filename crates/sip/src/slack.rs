//! Tables grow with the busiest minute; what they no longer need is given back.
//!
//! A table is left alone until it is nearly empty, so that one that is used never moves.

use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

/// Tables with no more places than this keep them.
const PLACES_MIN: usize = 1024;
/// A table is nearly empty when it has so many times the places it needs.
const EMPTY: usize = 8;

fn is_nearly_empty(len: usize, capacity: usize) -> bool {
    capacity > PLACES_MIN && len < capacity / EMPTY
}

/// Gives back what a map does not need.
pub fn give_back_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if is_nearly_empty(map.len(), map.capacity()) {
        map.shrink_to((2 * map.len()).max(PLACES_MIN));
    }
}

/// The same of a queue.
pub fn give_back_queue<T>(queue: &mut VecDeque<T>) {
    if is_nearly_empty(queue.len(), queue.capacity()) {
        queue.shrink_to((2 * queue.len()).max(PLACES_MIN));
    }
}

/// The same of a slab, as far as the places behind its last entry go: entries keep their places.
pub fn give_back_slab<T>(slab: &mut Slab<T>) {
    if is_nearly_empty(slab.len(), slab.capacity()) {
        slab.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_nearly_empty_table_gives_back() {
        let mut map: HashMap<u32, u32> = (0..100_000).map(|it| (it, it)).collect();
        let mut queue: VecDeque<u32> = (0..100_000).collect();
        let mut slab: Slab<u32> = (0..100_000).map(|it| (it, 1)).collect();
        for left in [50_000, 100] {
            map.retain(|it, _| *it < left);
            queue.truncate(left as usize);
            slab.retain(|at, _| at < left as usize);
            give_back_map(&mut map);
            give_back_queue(&mut queue);
            give_back_slab(&mut slab);
            if left == 50_000 {
                let least = map.capacity().min(queue.capacity()).min(slab.capacity());
                assert!(least > 75_000, "{least}");
            }
        }
        assert!(map.capacity() < 4 * PLACES_MIN && map.len() == 100 && map[&99] == 99);
        assert!(queue.capacity() < 2 * PLACES_MIN && queue.len() == 100);
        assert!(slab.capacity() < PLACES_MIN && slab[99] == 1);
        // The next entries find their places.
        let key = slab.insert(7);
        assert_eq!(slab[key], 7);
    }
}
