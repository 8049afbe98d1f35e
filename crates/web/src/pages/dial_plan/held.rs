//! The rows of a table as the running server holds them: to show some of them, or to try a change, nothing is read from
//! the database, however long the table is.

use super::rows::{Edited, stored};
use super::tables::Table;
use crate::conventions::plain;
use crate::resource::Failure;
use pbx::dialplan::lint::finding::TableName;
use pbx::dialplan::plan::DialPlan;
use pbx::dialplan::rows::{BlockRow, CalledRow, CallerRow, RefineRow};
use pbx::dialplan::transition::Transition;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A row of any of the tables.
pub(super) trait Row {
    fn id(&self) -> u32;
    /// Whether what it matches begins so.
    fn begins(&self, part: &str) -> bool;
    /// As the API has it.
    fn json(&self) -> Value;
    fn write(&self, out: &mut Vec<u8>);
}

/// Each type of rows and the fields in which a prefix is looked for.
macro_rules! rows {
    ($($row:ty: $($field:ident)*;)*) => { $(
        impl Row for $row {
            fn id(&self) -> u32 {
                self.id
            }

            fn begins(&self, part: &str) -> bool {
                $(self.$field.starts_with(part))||*
            }

            fn json(&self) -> Value {
                // Structs of plain values are objects.
                serde_json::to_value(self).unwrap_or_default()
            }

            fn write(&self, out: &mut Vec<u8>) {
                // Into memory it does not fail.
                let _ = serde_json::to_writer(out, self);
            }
        }
    )* };
}

rows! {
    CallerRow: prefix;
    CalledRow: prefix;
    RefineRow: prefix;
    BlockRow: caller called;
    Transition: string;
}

/// All rows of a table, by their numbers.
pub(super) fn rows<'a>(
    plan: &'a DialPlan,
    table: &Table,
) -> Box<dyn Iterator<Item = &'a dyn Row> + 'a> {
    match table.name {
        TableName::Callers => Box::new(plan.callers.rows().map(|it| &**it as &dyn Row)),
        TableName::Called => Box::new(plan.called.rows().map(|it| &**it as &dyn Row)),
        TableName::RefineCaller => Box::new(plan.refine_caller.rows().map(|it| &**it as &dyn Row)),
        TableName::RefineCalled => Box::new(plan.refine_called.rows().map(|it| &**it as &dyn Row)),
        TableName::BlackList => Box::new(plan.blocked.rows().map(|it| &**it as &dyn Row)),
        TableName::Transitions => Box::new(plan.transitions.values().map(|it| &**it as &dyn Row)),
        // They have no grid.
        TableName::Lines
        | TableName::Trunks
        | TableName::Features
        | TableName::Extensions
        | TableName::Plans => Box::new(std::iter::empty()),
    }
}

/// Rows behind this number, up to so many, that begin with what is looked for.
pub(super) fn window<'a>(
    plan: &'a DialPlan,
    table: &Table,
    (after, begins): (u32, &'a str),
    most: usize,
) -> Vec<&'a dyn Row> {
    let meant = |it: &&dyn Row| it.id() > after && (begins.is_empty() || it.begins(begins));
    rows(plan, table).filter(meant).take(most).collect()
}

/// The plan with what a form says.
pub(super) fn changed(
    plan: &DialPlan,
    table: &Table,
    edited: &[Edited],
) -> Result<DialPlan, Failure> {
    let mut next = plan.clone();
    for was in edited.iter().filter_map(|it| it.was).filter_map(|it| u32::try_from(it).ok()) {
        remove(&mut next, table, was);
    }
    let new = edited.iter().filter_map(|it| it.row.clone()).map(stored);
    let new: Vec<Value> = new.collect();
    let named = new.iter().filter_map(|it| it["id"].as_u64());
    let held = rows(&next, table).map(|it| u64::from(it.id()));
    let mut last = held.chain(named).max().unwrap_or(0);
    for mut row in new {
        if row.get("id").is_none() {
            last += 1;
            row["id"] = last.into();
        }
        put(&mut next, table, row)?;
    }
    Ok(next)
}

fn put(plan: &mut DialPlan, table: &Table, row: Value) -> Result<(), Failure> {
    match table.name {
        TableName::Callers => plan.callers.put(read(row)?),
        TableName::Called => plan.called.put(read(row)?),
        TableName::RefineCaller => plan.refine_caller.put(read(row)?),
        TableName::RefineCalled => plan.refine_called.put(read(row)?),
        TableName::BlackList => plan.blocked.put(read(row)?),
        TableName::Transitions => plan.put_transition(read(row)?),
        // They have no grid.
        TableName::Lines
        | TableName::Trunks
        | TableName::Features
        | TableName::Extensions
        | TableName::Plans => {}
    }
    Ok(())
}

fn remove(plan: &mut DialPlan, table: &Table, id: u32) {
    match table.name {
        TableName::Callers => drop(plan.callers.remove(id)),
        TableName::Called => drop(plan.called.remove(id)),
        TableName::RefineCaller => drop(plan.refine_caller.remove(id)),
        TableName::RefineCalled => drop(plan.refine_called.remove(id)),
        TableName::BlackList => drop(plan.blocked.remove(id)),
        TableName::Transitions => drop(plan.transitions.remove(&id)),
        // They have no grid.
        TableName::Lines
        | TableName::Trunks
        | TableName::Features
        | TableName::Extensions
        | TableName::Plans => {}
    }
}

fn read<T: DeserializeOwned>(row: Value) -> Result<T, Failure> {
    serde_json::from_value(row)
        .map_err(|error| Failure::new(422, "invalid", plain(&error.to_string())))
}

/// Names what a table has in it: another one after every change.
pub(super) fn tag(plan: &DialPlan, table: &Table) -> String {
    let (mut hash, mut text) = (Sha256::new(), Vec::new());
    for row in rows(plan, table) {
        text.clear();
        row.write(&mut text);
        hash.update(&text);
    }
    hash.finalize().iter().take(12).map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pages::dial_plan::tables::named;
    use serde_json::json;

    fn edited(was: Option<u64>, row: Option<Value>) -> Edited {
        Edited { place: 0, was, row }
    }

    #[test]
    fn a_window_of_a_table_and_a_change_of_it() {
        let table = named("black-list").unwrap();
        let row = |id: u32, caller: &str| edited(None, Some(json!({ "id": id, "caller": caller })));
        let all: Vec<_> = (1..=5).map(|id| row(id, &format!("{}0", id % 2))).collect();
        let plan = changed(&DialPlan::default(), table, &all).unwrap();
        let ids = |from, most| {
            window(&plan, table, from, most).iter().map(|it| it.id()).collect::<Vec<_>>()
        };
        assert_eq!(ids((0, ""), 2), [1, 2]);
        assert_eq!(ids((2, ""), 9), [3, 4, 5]);
        assert_eq!(ids((0, "1"), 9), [1, 3, 5]);
        assert_eq!(ids((1, "10"), 1), [3]);
        let tagged = tag(&plan, table);
        let change =
            [edited(Some(2), None), edited(Some(5), Some(json!({ "id": 5, "caller": "7" })))];
        let after = changed(&plan, table, &change).unwrap();
        let new = changed(&after, table, &[edited(None, Some(json!({ "caller": "8" })))]).unwrap();
        let callers = rows(&new, table).map(|it| it.json()["caller"].clone());
        assert_eq!(callers.collect::<Vec<_>>(), ["10", "10", "00", "7", "8"]);
        assert_eq!(tag(&plan, table), tagged, "what was there is as it was");
        assert_ne!(tag(&new, table), tagged);
        let wrong = edited(None, Some(json!({ "rate": "x" })));
        assert_eq!(changed(&plan, table, &[wrong]).map(drop).unwrap_err().status, 422);
    }
}
