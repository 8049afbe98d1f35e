//! All tables of a dial plan as lists: what is stored, imported and exported.

use super::feature_codes::FeatureRow;
use super::lint::finding::{Finding, Rule, TableName};
use super::plan::DialPlan;
use super::rows::{BlockRow, CalledRow, CallerRow, RefineRow};
use super::transition::Transition;
use crate::directory::Tenant;
use crate::line::Line;
use crate::trunk::Trunk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rows of a tenant's dial plan, and the lines and trunks they name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Names of the plans besides `default`.
    pub plans: Vec<Box<str>>,
    pub transitions: Vec<Transition>,
    /// Analyze caller number.
    pub callers: Vec<CallerRow>,
    /// Analyze called number.
    pub called: Vec<CalledRow>,
    /// Refine caller number.
    pub refine_caller: Vec<RefineRow>,
    /// Refine called number.
    pub refine_called: Vec<RefineRow>,
    pub black_list: Vec<BlockRow>,
    /// The features whose code is not the usual one.
    pub features: Vec<FeatureRow>,
    pub lines: Vec<Line>,
    pub trunks: Vec<Trunk>,
}

impl Tables {
    pub fn of(tenant: &Tenant) -> Self {
        fn owned<'a, T: Clone + 'a>(rows: impl Iterator<Item = &'a Arc<T>>) -> Vec<T> {
            rows.map(|it| T::clone(it)).collect()
        }
        let plan = &tenant.dial_plan;
        Self {
            plans: plan.names.iter().cloned().collect(),
            transitions: owned(plan.transitions.values()),
            callers: owned(plan.callers.rows()),
            called: owned(plan.called.rows()),
            refine_caller: owned(plan.refine_caller.rows()),
            refine_called: owned(plan.refine_called.rows()),
            black_list: owned(plan.blocked.rows()),
            features: plan.features.chosen().cloned().collect(),
            lines: owned(tenant.lines.iter()),
            trunks: owned(tenant.trunks.values()),
        }
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        [
            self.plans.len(),
            self.transitions.len(),
            self.callers.len(),
            self.called.len(),
            self.refine_caller.len(),
            self.refine_called.len(),
            self.black_list.len(),
            self.features.len(),
            self.lines.len(),
            self.trunks.len(),
        ]
        .iter()
        .sum()
    }

    /// These tables, those of `only` as `newer` has them.
    #[must_use]
    pub fn with(self, newer: Self, only: &[TableName]) -> Self {
        fn of<T>(taken: bool, newer: T, own: T) -> T {
            if taken { newer } else { own }
        }
        let takes = |it| only.contains(&it);
        Self {
            plans: of(takes(TableName::Plans), newer.plans, self.plans),
            transitions: of(takes(TableName::Transitions), newer.transitions, self.transitions),
            callers: of(takes(TableName::Callers), newer.callers, self.callers),
            called: of(takes(TableName::Called), newer.called, self.called),
            refine_caller: of(
                takes(TableName::RefineCaller),
                newer.refine_caller,
                self.refine_caller,
            ),
            refine_called: of(
                takes(TableName::RefineCalled),
                newer.refine_called,
                self.refine_called,
            ),
            black_list: of(takes(TableName::BlackList), newer.black_list, self.black_list),
            features: of(takes(TableName::Features), newer.features, self.features),
            lines: of(takes(TableName::Lines), newer.lines, self.lines),
            trunks: of(takes(TableName::Trunks), newer.trunks, self.trunks),
        }
    }

    /// The tenant with these tables in the place of its own.
    pub fn in_place_of(self, tenant: &Tenant) -> Tenant {
        let mut plan = DialPlan {
            names: self.plans.into_iter().collect(),
            callers: self.callers.into_iter().collect(),
            called: self.called.into_iter().collect(),
            refine_caller: self.refine_caller.into_iter().collect(),
            refine_called: self.refine_called.into_iter().collect(),
            blocked: self.black_list.into_iter().collect(),
            features: self.features.into_iter().collect(),
            ..DialPlan::default()
        };
        self.transitions.into_iter().for_each(|it| plan.put_transition(it));
        let mut next = Tenant {
            dial_plan: plan,
            lines: Default::default(),
            trunks: Default::default(),
            ..tenant.clone()
        };
        self.lines.into_iter().for_each(|it| next.lines.put(it));
        self.trunks.into_iter().for_each(|it| next.put_trunk(it));
        next
    }

    /// Rows that would take the place of an earlier one: a number is given once.
    pub fn repeated(&self) -> Vec<Finding> {
        let mut findings = vec![];
        let mut once = |table, field, rows: &mut dyn Iterator<Item = String>| {
            let mut seen = BTreeSet::new();
            for row in rows.map(String::into_boxed_str) {
                if !seen.insert(row.clone()) {
                    findings.push(Finding { table, row, field, rule: Rule::Repeated });
                }
            }
        };
        let id = |it: u32| it.to_string();
        once(TableName::Plans, "name", &mut self.plans.iter().map(ToString::to_string));
        once(TableName::Transitions, "id", &mut self.transitions.iter().map(|it| id(it.id)));
        once(TableName::Callers, "id", &mut self.callers.iter().map(|it| id(it.id)));
        once(TableName::Called, "id", &mut self.called.iter().map(|it| id(it.id)));
        once(TableName::RefineCaller, "id", &mut self.refine_caller.iter().map(|it| id(it.id)));
        once(TableName::RefineCalled, "id", &mut self.refine_called.iter().map(|it| id(it.id)));
        once(TableName::BlackList, "id", &mut self.black_list.iter().map(|it| id(it.id)));
        let feature = |it: &FeatureRow| it.feature.as_str().to_owned();
        once(TableName::Features, "feature", &mut self.features.iter().map(feature));
        once(TableName::Lines, "account", &mut self.lines.iter().map(|it| it.account.to_string()));
        once(TableName::Trunks, "id", &mut self.trunks.iter().map(|it| id(it.id)));
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{LineChoice, RouteType};
    use super::super::tests::{by_line, called, change, line, office, refine, trunk};
    use super::super::transition::TransitionKind;
    use super::*;

    #[test]
    fn what_is_taken_out_goes_in_again() {
        let mut tenant = office();
        tenant.lines.put(line("1234"));
        tenant.put_trunk(trunk(1, "10.23.0.1"));
        tenant.dial_plan.names.insert("guest".into());
        tenant.dial_plan.put_transition(change(1, TransitionKind::Delete, 0, 1, ""));
        tenant.dial_plan.called.put(called(2, "9", by_line("1234")));
        let rotation = RouteType::ExternalLine(LineChoice::Rotation);
        tenant.dial_plan.called.put(called(1, "8", rotation));
        tenant.dial_plan.refine_called.put(refine(1, 0, "0", 1));
        let tables = Tables::of(&tenant);
        assert_eq!(tables.called.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2]);
        let again = tables.clone().in_place_of(&office());
        assert_eq!(Tables::of(&again), tables);
        assert_eq!(again.extensions.len(), 3);
        assert_eq!(Tables::of(&Tables::default().in_place_of(&again)), Tables::default());
    }

    #[test]
    fn a_number_is_given_once() {
        let mut tables = Tables::of(&office());
        tables.called = vec![
            called(1, "8", RouteType::LocalUser),
            called(2, "7", RouteType::LocalUser),
            called(1, "9", RouteType::LocalUser),
        ];
        tables.lines = vec![line("1"), line("1")];
        let repeated = tables.repeated();
        let words: Vec<_> = repeated.iter().map(|it| (it.table, &*it.row)).collect();
        assert_eq!(words, [(TableName::Called, "1"), (TableName::Lines, "1")]);
    }
}
