//! Looks for what is wrong in a tenant's dial plan, lines and trunks.
//!
//! [`check`] is asked at save and names what a change would break; [`lint`] is everything,
//! warnings too.

mod features;
pub mod finding;
mod loops;
mod outward;
mod reach;
mod shadow;
mod tables;

use super::rows::DEFAULT_PLAN;
use super::time::LocalTime;
use crate::directory::Tenant;
use crate::time::UnixMillis;
use finding::{Finding, Rule, Severity, TableName};
use std::collections::BTreeSet;

/// Everything that is wrong, by table and row. `at` tells which dates have passed.
pub fn lint(tenant: &Tenant, at: UnixMillis) -> Vec<Finding> {
    let mut linter = Linter {
        tenant,
        used: Used::of(tenant),
        today: LocalTime::new(at, &tenant.zone),
        findings: vec![],
    };
    linter.tables();
    linter.features();
    linter.shadows();
    linter.outward();
    linter.extensions();
    let mut findings = linter.findings;
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    findings.dedup();
    findings
}

/// What a change would break: the errors after it that were not there before. Where there are
/// any, the change is not made.
pub fn check(before: &Tenant, after: &Tenant, at: UnixMillis) -> Vec<Finding> {
    let known = lint(before, at);
    let new = |it: &Finding| it.severity() == Severity::Error && !known.contains(it);
    lint(after, at).into_iter().filter(new).collect()
}

struct Linter<'a> {
    tenant: &'a Tenant,
    used: Used<'a>,
    today: LocalTime,
    findings: Vec<Finding>,
}

/// What somebody refers to.
struct Used<'a> {
    plans: BTreeSet<&'a str>,
    groups: BTreeSet<u32>,
    levels: BTreeSet<u8>,
}

impl<'a> Used<'a> {
    fn of(tenant: &'a Tenant) -> Self {
        let mut used = Self {
            plans: BTreeSet::from([DEFAULT_PLAN]),
            groups: BTreeSet::new(),
            levels: BTreeSet::new(),
        };
        for extension in tenant.extensions.values() {
            used.plans.extend(extension.plan.as_deref());
            used.levels.extend(extension.levels.iter());
        }
        for line in tenant.lines.iter() {
            used.plans.insert(&line.plan);
            used.groups.insert(line.group);
        }
        for trunk in tenant.trunks.values() {
            used.plans.insert(&trunk.plan);
            used.groups.insert(trunk.group);
            used.levels.extend(trunk.levels.iter());
        }
        used.plans.extend(tenant.dial_plan.callers.rows().filter_map(|it| it.to_plan.as_deref()));
        used
    }
}

impl Linter<'_> {
    fn find(&mut self, table: TableName, row: impl ToString, field: &'static str, rule: Rule) {
        let row = row.to_string().into();
        self.findings.push(Finding { table, row, field, rule });
    }

    fn extensions(&mut self) {
        let tenant = self.tenant;
        for extension in tenant.extensions.values() {
            if let Some(plan) =
                extension.plan.as_deref().filter(|it| !tenant.dial_plan.has_plan(it))
            {
                let rule = Rule::UnknownPlan(plan.into());
                self.find(TableName::Extensions, &extension.number, "plan", rule);
            }
        }
        let prefix = &tenant.settings.out_group_prefix;
        for number in tenant.settings.emergency_numbers() {
            for dialled in BTreeSet::from([number.to_owned(), format!("{prefix}{number}")]) {
                if tenant.extension(&dialled).is_some() {
                    let rule = Rule::EmergencyNumber(number.into());
                    self.find(TableName::Extensions, dialled, "number", rule);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
