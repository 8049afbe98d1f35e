//! Rows that can never, or hardly ever, be reached because others come before them.

use super::super::blocklist::ANY;
use super::super::rows::{BlockRow, CalledRow};
use super::super::table::{Row, Table};
use super::super::time::TimeCondition;
use super::Linter;
use super::finding::{Rule, TableName};
use std::collections::BTreeSet;
use std::ops::Bound;

impl Linter<'_> {
    pub(super) fn shadows(&mut self) {
        let plan = &self.tenant.dial_plan;
        self.rivals(TableName::Callers, &plan.callers);
        self.rivals(TableName::Called, &plan.called);
        self.rivals(TableName::RefineCaller, &plan.refine_caller);
        self.rivals(TableName::RefineCalled, &plan.refine_called);
        for row in plan.called.rows() {
            let always = |it: &CalledRow| it.time.is_none();
            let longer = |digit: char| {
                let prefix = format!("{}{digit}", row.prefix);
                plan.called.rivals(&row.plan, &prefix).iter().any(|it| always(it))
            };
            if ('0'..='9').all(longer) {
                self.find(TableName::Called, row.id, "prefix", Rule::ShadowedByLonger);
            }
        }
        self.by_black_list();
    }

    /// Rows of one prefix whose turn never comes.
    fn rivals<R: Row>(&mut self, name: TableName, table: &Table<R>) {
        for row in table.rows() {
            let rivals = table.rivals(row.scope(), row.prefix());
            if rivals.len() < 2 {
                continue;
            }
            let earlier = rivals.iter().take_while(|it| it.id() != row.id());
            let always =
                |it: &&&std::sync::Arc<R>| it.time().is_some_and(TimeCondition::holds_always);
            if let Some(other) = earlier.clone().find(|it| always(&it)) {
                self.find(name, row.id(), "time", Rule::ShadowedByTime(other.id()));
            }
        }
    }

    /// Called rows all of whose calls the black list blocks.
    fn by_black_list(&mut self) {
        let plan = &self.tenant.dial_plan;
        let prefix = |it: &BlockRow| if *it.called == *ANY { "".into() } else { it.called.clone() };
        let passing: BTreeSet<Box<str>> =
            plan.blocked.rows().filter(|it| it.rate < 100).map(|it| prefix(it)).collect();
        let blocking: Vec<_> = plan
            .blocked
            .rows()
            .filter(|it| it.rate >= 100 && *it.caller == *ANY)
            .map(|it| (prefix(it), it.id))
            .collect();
        if blocking.is_empty() {
            return;
        }
        for row in plan.called.rows() {
            let blocked = blocking.iter().find(|(prefix, _)| row.prefix.starts_with(&**prefix));
            let Some((_, by)) = blocked else { continue };
            // A row that lets calls pass may be about a part of these numbers, or all of them.
            let shorter = (0..=row.prefix.len())
                .filter(|it| row.prefix.is_char_boundary(*it))
                .any(|it| passing.contains(&row.prefix[..it]));
            let from = (Bound::Included(&*row.prefix), Bound::Unbounded);
            let longer = passing.range::<str, _>(from).next();
            if !shorter && !longer.is_some_and(|it| it.starts_with(&*row.prefix)) {
                self.find(TableName::Called, row.id, "prefix", Rule::ShadowedByBlackList(*by));
            }
        }
    }
}
