//! All external lines of a tenant, and those that may be chosen for a call.

use super::Line;
use crate::directory::Map;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::sync::Arc;

/// Lines by their accounts, in order.
type ByAccount = OrdMap<Box<str>, Arc<Line>>;

/// Lines that take turns: the rotation of each stands on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pool {
    /// All shared lines.
    Shared,
    /// The shared lines of an outgoing group.
    Group(u32),
}

/// The external lines of a tenant. Cloning shares everything; a change costs O(log n).
#[derive(Clone, Debug, Default)]
pub struct Lines {
    all: ByAccount,
    pools: Map<Pool, ByAccount>,
    owned: Map<Box<str>, ByAccount>,
}

impl Lines {
    pub fn get(&self, account: &str) -> Option<&Arc<Line>> {
        self.all.get(account)
    }

    /// By their accounts.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.all.values()
    }

    /// Whether nothing was changed between the two: then nothing is compared either.
    pub fn is_same(&self, other: &Self) -> bool {
        self.all.ptr_eq(&other.all)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds the line, in the place of the one with the same account.
    pub fn put(&mut self, line: Line) {
        self.remove(&line.account);
        let line = Arc::new(line);
        for pool in pools(&line) {
            self.pools.entry(pool).or_default().insert(line.account.clone(), Arc::clone(&line));
        }
        if let Some(owner) = &line.owner {
            let owned = self.owned.entry(owner.clone()).or_default();
            owned.insert(line.account.clone(), Arc::clone(&line));
        }
        self.all.insert(line.account.clone(), line);
    }

    pub fn remove(&mut self, account: &str) -> Option<Arc<Line>> {
        let line = self.all.remove(account)?;
        for pool in pools(&line) {
            forget(&mut self.pools, &pool, account);
        }
        if let Some(owner) = &line.owner {
            forget(&mut self.owned, owner, account);
        }
        Some(line)
    }

    /// The lines of an extension.
    pub fn owned_by(&self, extension: &str) -> impl Iterator<Item = &Arc<Line>> {
        self.owned.get(extension).into_iter().flat_map(|it| it.values())
    }

    /// The lines of a pool, each once, from the one after `last` on.
    pub fn rotation(&self, pool: Pool, last: Option<&str>) -> impl Iterator<Item = &Arc<Line>> {
        let after = (last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let until = last.map(|it| (Bound::Unbounded, Bound::Included(it)));
        let lines = self.pools.get(&pool);
        let head = lines.map(|it| it.range::<_, str>(after)).into_iter().flatten();
        let tail = lines.zip(until).map(|(it, until)| it.range::<_, str>(until));
        let tail = tail.into_iter().flatten();
        head.chain(tail).map(|(_, line)| line)
    }
}

/// The pools a line takes turns in: none if it is its owner's alone.
fn pools(line: &Line) -> impl Iterator<Item = Pool> {
    let group = (line.group != 0).then_some(Pool::Group(line.group));
    [Some(Pool::Shared), group].into_iter().flatten().filter(|_| line.shared)
}

fn forget<K: std::hash::Hash + Eq + Clone>(map: &mut Map<K, ByAccount>, key: &K, account: &str) {
    let Some(lines) = map.get_mut(key) else { return };
    lines.remove(account);
    if lines.is_empty() {
        map.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(account: &str, group: u32, owner: &str, shared: bool) -> Line {
        let owner = (!owner.is_empty()).then(|| owner.into());
        Line { account: account.into(), group, owner, shared, ..Line::default() }
    }

    fn accounts<'a>(lines: impl Iterator<Item = &'a Arc<Line>>) -> Vec<&'a str> {
        lines.map(|it| &*it.account).collect()
    }

    #[test]
    fn rotation_table() {
        let mut lines = Lines::default();
        for it in [
            line("1234", 0, "", true),
            line("2001", 0, "101", false),
            line("5678", 1, "", true),
            line("9999", 1, "102", true),
        ] {
            lines.put(it);
        }
        #[rustfmt::skip]
        let table: [(Pool, Option<&str>, &[&str]); 7] = [
            (Pool::Shared,   None,         &["1234", "5678", "9999"]),
            (Pool::Shared,   Some("1234"), &["5678", "9999", "1234"]),
            (Pool::Shared,   Some("9999"), &["1234", "5678", "9999"]),
            (Pool::Shared,   Some("6000"), &["9999", "1234", "5678"]), // a line that is gone
            (Pool::Group(1), None,         &["5678", "9999"]),
            (Pool::Group(1), Some("5678"), &["9999", "5678"]),
            (Pool::Group(2), Some("5678"), &[]),
        ];
        for (pool, last, expected) in table {
            assert_eq!(accounts(lines.rotation(pool, last)), expected, "{pool:?} {last:?}");
        }
        assert_eq!(accounts(lines.owned_by("101")), ["2001"]);

        lines.put(line("5678", 2, "101", true));
        assert_eq!(accounts(lines.rotation(Pool::Group(1), None)), ["9999"]);
        assert_eq!(accounts(lines.rotation(Pool::Group(2), None)), ["5678"]);
        assert_eq!(accounts(lines.owned_by("101")), ["2001", "5678"]);
        lines.remove("5678");
        assert_eq!(accounts(lines.rotation(Pool::Group(2), None)), [""; 0]);
        assert_eq!(accounts(lines.iter()), ["1234", "2001", "9999"]);
    }
}
