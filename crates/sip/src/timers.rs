//! A queue of deadlines. Stopping a timer is the owner's business: it forgets the deadline, and
//! the entry is ignored when it comes up.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Deadlines with whom they concern, earliest first; equal ones in the order they were set.
#[derive(Debug)]
pub struct TimerQueue<K> {
    heap: BinaryHeap<Entry<K>>,
    set: u64,
}

#[derive(Debug)]
struct Entry<K> {
    at: Instant,
    order: u64,
    key: K,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), set: 0 }
    }
}

impl<K: Copy> TimerQueue<K> {
    pub fn set(&mut self, at: Instant, key: K) {
        self.set += 1;
        self.heap.push(Entry { at, order: self.set, key });
    }

    /// The earliest deadline, stopped ones included.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|it| it.at)
    }

    /// Takes one deadline that has passed.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now {
            return None;
        }
        // A busy hour must not keep its memory: the heap only ever shrinks here.
        if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.capacity() / 2);
        }
        self.heap.pop().map(|it| (it.at, it.key))
    }

    /// Drops the entries that `keep` says no to.
    pub fn retain(&mut self, mut keep: impl FnMut(Instant, K) -> bool) {
        self.heap.retain(|it| keep(it.at, it.key));
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<K> Ord for Entry<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Reversed: the heap gives its greatest first, we want the earliest.
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<K> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<K> Eq for Entry<K> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn earliest_first_then_in_order() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut queue = TimerQueue::default();
        for (seconds, key) in [(2, 'c'), (1, 'a'), (1, 'b'), (3, 'd')] {
            queue.set(at(seconds), key);
        }
        let mut due = String::new();
        while let Some((_, key)) = queue.pop_due(at(2)) {
            due.push(key);
        }
        assert_eq!((due.as_str(), queue.next()), ("abc", Some(at(3))));
        queue.set(at(4), 'e');
        queue.set(at(4), 'f');
        queue.retain(|when, key| when == at(4) && key != 'e');
        assert_eq!(queue.pop_due(at(9)), Some((at(4), 'f')));
        assert!(queue.is_empty());
    }
}
