//! Values by number prefix: a radix tree with shared structure.
//!
//! A change copies the nodes on the way to its prefix and shares all others with the version
//! before; a lookup walks one path, however many prefixes there are.

use smallvec::SmallVec;
use std::sync::Arc;

/// Values by prefix. Prefixes are compared byte by byte; the empty one is a prefix of every number.
#[derive(Clone, Debug)]
pub struct PrefixMap<V> {
    root: Node<V>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Node<V> {
    /// What this node adds to the prefix of its parent; empty in the root only.
    label: SmallVec<[u8; 16]>,
    value: Option<V>,
    /// Ordered by the first byte of their labels, which stands beside each.
    children: Vec<(u8, Arc<Self>)>,
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self { root: Node { label: SmallVec::new(), value: None, children: vec![] }, len: 0 }
    }
}

impl<V: Clone> PrefixMap<V> {
    /// How many prefixes have a value.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values of all prefixes of `number`, the shortest prefix first.
    pub fn along(&self, number: &str) -> SmallVec<[&V; 8]> {
        let mut found = SmallVec::new();
        let mut rest = number.as_bytes();
        let mut node = &self.root;
        loop {
            found.extend(&node.value);
            match node.step(rest) {
                Some((child, after)) => (node, rest) = (child, after),
                None => return found,
            }
        }
    }

    /// The value of exactly this prefix.
    pub fn get(&self, prefix: &str) -> Option<&V> {
        let mut rest = prefix.as_bytes();
        let mut node = &self.root;
        while !rest.is_empty() {
            (node, rest) = node.step(rest)?;
        }
        node.value.as_ref()
    }

    /// Adds or replaces the value of a prefix.
    pub fn insert(&mut self, prefix: &str, value: V) -> Option<V> {
        let before = self.root.insert(prefix.as_bytes(), value);
        self.len += usize::from(before.is_none());
        before
    }

    pub fn remove(&mut self, prefix: &str) -> Option<V> {
        // What is not there costs no copies.
        self.get(prefix)?;
        let removed = self.root.remove(prefix.as_bytes());
        self.len -= usize::from(removed.is_some());
        removed
    }
}

impl<V: Clone> Node<V> {
    /// The child that continues with `rest`, and what is left of it then.
    fn step<'a>(&self, rest: &'a [u8]) -> Option<(&Self, &'a [u8])> {
        let first = rest.first()?;
        let (_, child) = self.children.iter().find(|(byte, _)| byte == first)?;
        Some((child, rest.strip_prefix(&child.label[..])?))
    }

    fn insert(&mut self, rest: &[u8], value: V) -> Option<V> {
        let Some(&first) = rest.first() else { return self.value.replace(value) };
        match self.children.binary_search_by_key(&first, |(byte, _)| *byte) {
            Err(place) => {
                let leaf = Self { label: rest.into(), value: Some(value), children: vec![] };
                self.children.insert(place, (first, Arc::new(leaf)));
                None
            }
            Ok(place) => {
                let child = Arc::make_mut(&mut self.children[place].1);
                let common = child.label.iter().zip(rest).take_while(|(a, b)| a == b).count();
                if common < child.label.len() {
                    child.split(common);
                }
                child.insert(&rest[common..], value)
            }
        }
    }

    /// Keeps the first bytes of the label and moves everything else into a child.
    fn split(&mut self, at: usize) {
        let lower = Self {
            label: self.label[at..].into(),
            value: self.value.take(),
            children: std::mem::take(&mut self.children),
        };
        self.children.push((lower.label[0], Arc::new(lower)));
        self.label.truncate(at);
    }

    fn remove(&mut self, rest: &[u8]) -> Option<V> {
        let Some(first) = rest.first() else { return self.value.take() };
        let place = self.children.iter().position(|(byte, _)| byte == first)?;
        let child = Arc::make_mut(&mut self.children[place].1);
        let removed = child.remove(rest.strip_prefix(&child.label[..])?);
        if child.value.is_none() {
            match child.children.len() {
                0 => drop(self.children.remove(place)),
                1 => child.absorb(),
                _ => {}
            }
        }
        removed
    }

    /// Becomes one with the only child.
    fn absorb(&mut self) {
        let Some((_, only)) = self.children.pop() else { return };
        let only = Arc::unwrap_or_clone(only);
        self.label.extend_from_slice(&only.label);
        self.value = only.value;
        self.children = only.children;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn along_table() {
        let mut map = PrefixMap::default();
        for prefix in ["", "9", "90", "9013", "8", "*43", "+86"] {
            map.insert(prefix, prefix);
        }
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 8] = [
            ("90138", &["", "9", "90", "9013"]),
            ("9014",  &["", "9", "90"]),
            ("9",     &["", "9"]),
            ("8",     &["", "8"]),
            ("*43",   &["", "*43"]),
            ("*4",    &[""]),
            ("+8613", &["", "+86"]),
            ("",      &[""]),
        ];
        for (number, expected) in table {
            assert_eq!(
                map.along(number).as_slice(),
                expected.iter().collect::<Vec<_>>(),
                "{number}"
            );
        }
    }

    /// Against the plainest map there is, through inserts and removals; older versions stay as
    /// they were.
    #[test]
    fn it_is_the_plain_map_with_another_shape() {
        let mut random = 1_u64;
        let mut next = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % most
        };
        let mut map = PrefixMap::default();
        let mut plain = BTreeMap::new();
        let mut kept = (map.clone(), plain.clone());
        for round in 0..20_000 {
            let length = next(6);
            let prefix: String = (0..length)
                .map(|_| ["0", "1", "2", "*"][usize::try_from(next(4)).unwrap()])
                .collect();
            if next(3) == 0 {
                assert_eq!(map.remove(&prefix), plain.remove(&prefix), "{prefix}");
            } else {
                assert_eq!(map.insert(&prefix, round), plain.insert(prefix.clone(), round));
            }
            assert_eq!(map.len(), plain.len());
            assert_eq!(map.get(&prefix), plain.get(&prefix));
            let expected: Vec<_> =
                (0..=prefix.len()).filter_map(|it| plain.get(&prefix[..it])).collect();
            assert_eq!(map.along(&prefix).as_slice(), expected, "{prefix}");
            if round == 10_000 {
                kept = (map.clone(), plain.clone());
            }
        }
        assert_eq!(kept.0.len(), kept.1.len());
        for (prefix, value) in &kept.1 {
            assert_eq!(kept.0.get(prefix), Some(value));
        }
    }
}
