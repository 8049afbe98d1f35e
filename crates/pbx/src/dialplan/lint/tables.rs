//! The rows one by one: numbers, names that must exist, rows that compete.

use super::super::blocklist::ANY;
use super::super::levels::LEVEL_MAX;
use super::super::number::is_number;
use super::super::rows::{CalledRow, LineChoice, RouteType, TRUNKS_LISTED_MAX, TrunkChoice};
use super::super::table::{Row, Table};
use super::super::transition::{Transition, TransitionKind};
use super::finding::{Rule, TableName};
use super::{Linter, loops};
use crate::language::Text;
use crate::line::table::Pool;
use std::collections::BTreeMap;

/// Highest start and length of a transition.
const START_MAX: u8 = 127;
const LENGTH_MAX: u8 = 128;

impl Linter<'_> {
    pub(super) fn tables(&mut self) {
        let plan = &self.tenant.dial_plan;
        for name in plan.names.iter().filter(|it| it.is_empty() || !is_number(it)) {
            self.find(TableName::Plans, name, "name", Rule::NotANumber(name.clone()));
        }
        for transition in plan.transitions.values() {
            self.transition(transition);
        }
        for row in plan.callers.rows() {
            let table = TableName::Callers;
            self.plan(table, row.id, "plan", &row.plan);
            if let Some(to_plan) = &row.to_plan {
                self.plan(table, row.id, "to_plan", to_plan);
            }
            self.row(table, &plan.callers, &**row, row.transition);
        }
        for row in plan.called.rows() {
            self.plan(TableName::Called, row.id, "plan", &row.plan);
            self.row(TableName::Called, &plan.called, &**row, row.transition);
            self.called(row);
        }
        for (name, table) in [
            (TableName::RefineCaller, &plan.refine_caller),
            (TableName::RefineCalled, &plan.refine_called),
        ] {
            for row in table.rows() {
                self.row(name, table, &**row, Some(row.transition));
                if !self.used.groups.contains(&row.group) {
                    self.find(name, row.id, "group", Rule::UnusedGroup(row.group));
                }
            }
        }
        self.black_list();
    }

    fn transition(&mut self, it: &Transition) {
        let Transition { id, kind, start, length, string, .. } = it;
        let table = TableName::Transitions;
        if !is_number(string) {
            self.find(table, id, "string", Rule::NotANumber(string.clone()));
        }
        if *start > START_MAX {
            let rule = Rule::Range(Text::fixed("0 to 127", "0至127"));
            self.find(table, id, "start", rule);
        }
        if *length > LENGTH_MAX {
            let rule = Rule::Range(Text::fixed("0 to 128", "0至128"));
            self.find(table, id, "length", rule);
        }
        let idle = match kind {
            TransitionKind::Delete => *length == 0,
            TransitionKind::Replace => *length == 0 && string.is_empty(),
            TransitionKind::Insert => string.is_empty(),
        };
        if idle {
            self.find(table, id, "length", Rule::NoEffect);
        }
    }

    fn plan(&mut self, table: TableName, row: u32, field: &'static str, name: &str) {
        if !self.tenant.dial_plan.has_plan(name) {
            self.find(table, row, field, Rule::UnknownPlan(name.into()));
        } else if field == "plan" && !self.used.plans.contains(name) {
            self.find(table, row, field, Rule::UnusedPlan(name.into()));
        }
    }

    /// What all rows with a prefix have in common.
    fn row<R: Row>(&mut self, name: TableName, table: &Table<R>, row: &R, transition: Option<u32>) {
        if !is_number(row.prefix()) {
            self.find(name, row.id(), "prefix", Rule::NotANumber(row.prefix().into()));
        }
        if row.time().is_some_and(|it| it.is_over(self.today.date)) {
            self.find(name, row.id(), "time", Rule::Over);
        }
        if let Some(id) = transition {
            let shortest = row.prefix().chars().count().max(1);
            match self.tenant.dial_plan.transitions.get(&id) {
                None => self.find(name, row.id(), "transition", Rule::UnknownTransition(id)),
                Some(it) if it.end() > shortest => {
                    let rule = Rule::PastTheEnd(id, shortest);
                    self.find(name, row.id(), "transition", rule);
                }
                Some(_) => {}
            }
        }
        // Named at the later row of each pair.
        for rival in table.rivals(row.scope(), row.prefix()).iter().filter(|it| it.id() < row.id())
        {
            match (row.time(), rival.time()) {
                (None, None) => {
                    self.find(name, row.id(), "prefix", Rule::SamePrefix(rival.id()));
                }
                (Some(a), Some(b)) if a.names_dates() == b.names_dates() && a.overlaps(b) => {
                    self.find(name, row.id(), "time", Rule::SameTime(rival.id()));
                }
                _ => {}
            }
        }
    }

    fn called(&mut self, row: &CalledRow) {
        let table = TableName::Called;
        if row.level.is_some_and(|it| !(1..=LEVEL_MAX).contains(&it)) {
            self.find(table, row.id, "level", Rule::Level);
        } else if let Some(level) = row.level.filter(|it| !self.used.levels.contains(it)) {
            self.find(table, row.id, "level", Rule::NobodyHasLevel(level));
        }
        if row.reanalyze && row.transition.is_none() {
            self.find(table, row.id, "reanalyze", Rule::NothingToReanalyze);
        }
        if loops::repeats(&self.tenant.dial_plan, row) {
            self.find(table, row.id, "reanalyze", Rule::Loop);
        }
        if let Some(rule) = self.route(&row.route) {
            self.find(table, row.id, "route", rule);
        }
    }

    fn route(&self, route: &RouteType) -> Option<Rule> {
        let tenant = self.tenant;
        match route {
            RouteType::LocalUser
            | RouteType::FeatureCode(_)
            | RouteType::ExternalLine(LineChoice::Rotation) => None,
            RouteType::ExternalLine(LineChoice::Line(account)) => {
                let missing = tenant.lines.get(account).is_none();
                missing.then(|| Rule::UnknownLine(account.clone()))
            }
            RouteType::ExternalLine(LineChoice::Group(group)) => {
                let empty = tenant.lines.rotation(Pool::Group(*group), None).next().is_none();
                empty.then_some(Rule::NoLineInGroup(*group))
            }
            RouteType::SipTrunk(TrunkChoice::Listed(ids)) => {
                if !(1..=TRUNKS_LISTED_MAX).contains(&ids.len()) {
                    return Some(Rule::TrunkCount);
                }
                let missing = ids.iter().find(|it| !tenant.trunks.contains_key(*it));
                missing.map(|it| Rule::UnknownTrunk(*it))
            }
            RouteType::SipTrunk(TrunkChoice::Group(group)) => {
                let any = tenant.trunks.values().any(|it| it.group == *group && *group != 0);
                (!any).then_some(Rule::NoTrunkInGroup(*group))
            }
            RouteType::Service(name) => Some(Rule::UnknownService(name.clone())),
            RouteType::Reject(status) => {
                let legal = (400..=699).contains(status) && !matches!(status, 401 | 407);
                (!legal).then_some(Rule::Status)
            }
        }
    }

    fn black_list(&mut self) {
        let table = TableName::BlackList;
        let mut seen = BTreeMap::new();
        for row in self.tenant.dial_plan.blocked.rows() {
            for (field, prefix) in [("caller", &row.caller), ("called", &row.called)] {
                if **prefix != *ANY && (prefix.is_empty() || !is_number(prefix)) {
                    self.find(table, row.id, field, Rule::NotANumber(prefix.clone()));
                }
            }
            if row.rate > 100 {
                let rule = Rule::Range(Text::fixed("0 to 100", "0至100"));
                self.find(table, row.id, "rate", rule);
            }
            if let Some(first) = seen.get(&(&row.caller, &row.called)) {
                self.find(table, row.id, "called", Rule::SamePrefix(*first));
            } else {
                seen.insert((&row.caller, &row.called), row.id);
            }
        }
    }
}
