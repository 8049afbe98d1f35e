//! A table of rows found by the longest prefix, within a plan or an outgoing group.

use super::prefix::PrefixMap;
use super::time::{Clock, TimeCondition};
use crate::directory::Map;
use imbl::OrdMap;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

/// What a table asks of its rows.
pub trait Row {
    /// What rows compete within: the name of a plan, the number of a group.
    type Scope: ?Sized + Hash + Eq;
    type Key: Borrow<Self::Scope> + Hash + Eq + Clone;

    fn id(&self) -> u32;
    fn scope(&self) -> &Self::Scope;
    fn key(&self) -> Self::Key;
    fn prefix(&self) -> &str;
    fn time(&self) -> Option<&TimeCondition>;
}

/// Rows by number and by prefix. Cloning shares everything; a change costs O(log n).
#[derive(Clone, Debug)]
pub struct Table<R: Row> {
    rows: OrdMap<u32, Arc<R>>,
    by_prefix: Map<R::Key, PrefixMap<Rivals<R>>>,
}

/// The rows of one prefix: they differ in their time. Those for dates come first, then the weekly
/// ones, last the one without a condition.
type Rivals<R> = SmallVec<[Arc<R>; 1]>;

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), by_prefix: Map::default() }
    }
}

impl<R: Row> Table<R> {
    /// All rows by their numbers.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Arc<R>> {
        self.rows.values()
    }

    pub fn row(&self, id: u32) -> Option<&Arc<R>> {
        self.rows.get(&id)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds the row, in the place of the one with the same number.
    pub fn put(&mut self, row: R) {
        self.remove(row.id());
        let row = Arc::new(row);
        self.rows.insert(row.id(), Arc::clone(&row));
        let prefixes = self.by_prefix.entry(row.key()).or_default();
        let mut rivals = prefixes.get(row.prefix()).cloned().unwrap_or_default();
        let place = rivals.partition_point(|it| rank(&**it) < rank(&*row));
        rivals.insert(place, Arc::clone(&row));
        prefixes.insert(row.prefix(), rivals);
    }

    pub fn remove(&mut self, id: u32) -> Option<Arc<R>> {
        let row = self.rows.remove(&id)?;
        let prefixes = self.by_prefix.get_mut(row.scope())?;
        let mut rivals = prefixes.get(row.prefix())?.clone();
        rivals.retain(|it| it.id() != id);
        if rivals.is_empty() {
            prefixes.remove(row.prefix());
        } else {
            prefixes.insert(row.prefix(), rivals);
        }
        if prefixes.is_empty() {
            self.by_prefix.remove(row.scope());
        }
        Some(row)
    }

    /// The row that counts: of the longest prefix, among those whose time it is.
    pub(super) fn find(
        &self,
        scope: &R::Scope,
        number: &str,
        clock: &Clock<'_>,
    ) -> Option<&Arc<R>> {
        let along = self.by_prefix.get(scope)?.along(number);
        let holds = |it: &&Arc<R>| it.time().is_none_or(|time| time.holds(clock.local()));
        along.into_iter().rev().flatten().find(holds)
    }

    /// Every row whose prefix the number has, in the order they are asked.
    pub fn matching(&self, scope: &R::Scope, number: &str) -> SmallVec<[&Arc<R>; 8]> {
        let along = self.by_prefix.get(scope).map(|it| it.along(number)).unwrap_or_default();
        along.into_iter().rev().flatten().collect()
    }

    /// The rows of exactly this prefix.
    pub fn rivals(&self, scope: &R::Scope, prefix: &str) -> &[Arc<R>] {
        let found = self.by_prefix.get(scope).and_then(|it| it.get(prefix));
        found.map_or(&[], |it| it.as_slice())
    }
}

impl<R: Row> FromIterator<R> for Table<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let mut table = Self::default();
        rows.into_iter().for_each(|row| table.put(row));
        table
    }
}

fn rank(row: &impl Row) -> (u8, u32) {
    let rank = match row.time() {
        Some(time) if time.names_dates() => 0,
        Some(_) => 1,
        None => 2,
    };
    (rank, row.id())
}

#[cfg(test)]
mod tests {
    use super::super::rows::{CalledRow, RouteType};
    use super::super::time::Zone;
    use super::*;
    use crate::time::UnixMillis;

    fn row(id: u32, plan: &str, prefix: &str, time: &str) -> CalledRow {
        CalledRow {
            id,
            plan: plan.into(),
            prefix: prefix.into(),
            route: RouteType::LocalUser,
            transition: None,
            reanalyze: false,
            level: None,
            time: (!time.is_empty()).then(|| time.parse().expect(time)),
            description: "".into(),
        }
    }

    /// 2026-11-26 is a Thursday.
    fn find(table: &Table<CalledRow>, plan: &str, number: &str) -> Option<u32> {
        let zone = Zone::default();
        let clock = Clock::new(UnixMillis(1_795_659_300_000), &zone);
        table.find(plan, number, &clock).map(|it| it.id)
    }

    #[test]
    fn the_longest_prefix_whose_time_it_is() {
        let table: Table<CalledRow> = [
            row(1, "default", "9", ""),
            row(2, "default", "90", "sat-sun"),
            row(3, "default", "90", ""),
            row(4, "default", "901", "mon-fri"),
            row(5, "default", "901", "2026-11-26"),
            row(6, "default", "902", "sat-sun"),
            row(7, "night", "", ""),
        ]
        .into_iter()
        .collect();
        #[rustfmt::skip]
        let cases = [
            ("default", "9138",  Some(1)),
            ("default", "9038",  Some(3)), // row 2 is of the weekend
            ("default", "9013",  Some(5)), // dates before weekdays
            ("default", "9023",  Some(3)), // row 6 is of the weekend, so the shorter prefix counts
            ("default", "138",   None),
            ("night",   "138",   Some(7)),
            ("other",   "9138",  None),
        ];
        for (plan, number, expected) in cases {
            assert_eq!(find(&table, plan, number), expected, "{plan} {number}");
        }
        let order: Vec<u32> = table.matching("default", "9013").iter().map(|it| it.id).collect();
        assert_eq!(order, [5, 4, 2, 3, 1]);
    }

    #[test]
    fn a_row_is_replaced_by_its_number_and_older_versions_stay() {
        let mut table: Table<CalledRow> = [row(1, "default", "9", "")].into_iter().collect();
        let before = table.clone();
        table.put(row(1, "default", "8", ""));
        assert_eq!((find(&table, "default", "9"), find(&table, "default", "8")), (None, Some(1)));
        assert_eq!((find(&before, "default", "9"), find(&before, "default", "8")), (Some(1), None));
        assert!(table.remove(1).is_some() && table.is_empty());
        assert!(table.remove(1).is_none());
    }
}
