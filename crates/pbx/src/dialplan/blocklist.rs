//! The black list (系统黑名单): which calls are blocked, and how many of a hundred.

use super::prefix::PrefixMap;
use super::rows::BlockRow;
use crate::privacy::ANONYMOUS;
use imbl::OrdMap;
use std::sync::Arc;

/// As a prefix: any number.
pub const ANY: &str = "*";

/// The rows of the black list. The called prefix is compared first and the longest wins; among
/// its rows the longest caller prefix. Where no caller prefix fits, the next shorter called
/// prefix counts.
#[derive(Clone, Debug, Default)]
pub struct BlockList {
    rows: OrdMap<u32, Arc<BlockRow>>,
    by_called: PrefixMap<PrefixMap<Arc<BlockRow>>>,
}

impl BlockList {
    /// All rows by their numbers.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Arc<BlockRow>> {
        self.rows.values()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds the row, in the place of the one with the same number.
    pub fn put(&mut self, row: BlockRow) {
        self.remove(row.id);
        let row = Arc::new(row);
        let (called, caller) = (prefix(&row.called), prefix(&row.caller));
        let mut callers = self.by_called.get(called).cloned().unwrap_or_default();
        callers.insert(caller, Arc::clone(&row));
        self.by_called.insert(called, callers);
        self.rows.insert(row.id, row);
    }

    pub fn remove(&mut self, id: u32) -> Option<Arc<BlockRow>> {
        let row = self.rows.remove(&id)?;
        let (called, caller) = (prefix(&row.called), prefix(&row.caller));
        let mut callers = self.by_called.get(called)?.clone();
        // Of two rows with the same prefixes the later one stands there.
        if callers.get(caller).is_some_and(|it| it.id == id) {
            callers.remove(caller);
        }
        if callers.is_empty() {
            self.by_called.remove(called);
        } else {
            self.by_called.insert(called, callers);
        }
        Some(row)
    }

    /// The row that decides on this call. Of who hides a number that is known all the same, a row for it comes before
    /// one for those who hide theirs, and that before one for everybody.
    pub fn find(&self, caller: &str, hides: bool, called: &str) -> Option<&Arc<BlockRow>> {
        if self.rows.is_empty() {
            return None;
        }
        let called = self.by_called.along(called);
        called.into_iter().rev().find_map(|callers| {
            let own = callers.along(caller).pop();
            let hidden = || callers.along(ANONYMOUS).pop().filter(|_| hides);
            own.filter(|it| &*it.caller != ANY).or_else(hidden).or(own)
        })
    }
}

impl FromIterator<BlockRow> for BlockList {
    fn from_iter<I: IntoIterator<Item = BlockRow>>(rows: I) -> Self {
        let mut list = Self::default();
        rows.into_iter().for_each(|row| list.put(row));
        list
    }
}

impl BlockRow {
    /// Whether a call that this row decides on is blocked. `dice` is even over 0..100.
    pub fn blocks(&self, dice: u8) -> bool {
        dice < self.rate
    }
}

fn prefix(text: &str) -> &str {
    if text == ANY { "" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u32, caller: &str, called: &str, rate: u8) -> BlockRow {
        let (caller, called) = (caller.into(), called.into());
        BlockRow { id, caller, called, rate, description: "".into() }
    }

    /// The table that fixes the order: called first, then caller.
    #[test]
    fn called_prefix_first() {
        let list: BlockList = [
            row(1, "101", "*", 100),
            row(2, "*", "9", 100),
            row(3, "100", "9", 0),
            row(4, "1", "913", 0),
        ]
        .into_iter()
        .collect();
        #[rustfmt::skip]
        let table = [
            ("101",  "100",          Some(1), true),
            ("101",  "913800",       Some(4), false),
            ("100",  "974413800",    Some(3), false),
            ("102",  "974413800",    Some(2), true),
            ("102",  "913800",       Some(4), false),
            ("1011", "913800",       Some(4), false),
            ("200",  "913800",       Some(2), true),
            ("200",  "100",          None,    false),
        ];
        for (caller, called, by, blocked) in table {
            let found = list.find(caller, false, called);
            assert_eq!(found.map(|it| it.id), by, "{caller} -> {called}");
            assert_eq!(found.is_some_and(|it| it.blocks(50)), blocked, "{caller} -> {called}");
        }
    }

    #[test]
    fn who_hides_his_number_can_be_blocked() {
        let list: BlockList = [row(1, "anonymous", "*", 100)].into_iter().collect();
        assert!(list.find("anonymous", true, "100").is_some_and(|it| it.blocks(99)));
        assert!(list.find("13800", false, "100").is_none());
        // The carrier knows the number, and so do we.
        assert!(list.find("13800", true, "100").is_some_and(|it| it.blocks(99)));
        let rows = [row(1, "anonymous", "*", 100), row(2, "138", "*", 0), row(3, "*", "*", 0)];
        let list: BlockList = rows.into_iter().collect();
        let by = |caller, hides| list.find(caller, hides, "100").map(|it| it.id);
        assert_eq!(
            [by("13800", true), by("139", true), by("139", false)],
            [Some(2), Some(1), Some(3)]
        );
    }

    #[test]
    fn the_rate_is_of_a_hundred() {
        for (rate, blocked) in [(0, 0), (1, 1), (30, 30), (100, 100)] {
            let row = row(1, "*", "*", rate);
            assert_eq!((0..100).filter(|dice| row.blocks(*dice)).count(), blocked);
        }
    }

    #[test]
    fn what_is_removed_blocks_no_more() {
        let mut list: BlockList =
            [row(1, "1", "9", 100), row(2, "*", "9", 100)].into_iter().collect();
        list.remove(1);
        assert_eq!(list.find("100", false, "9").map(|it| it.id), Some(2));
        list.remove(2);
        assert!(list.find("100", false, "9").is_none() && list.is_empty());
        assert!(list.remove(2).is_none());
    }
}
