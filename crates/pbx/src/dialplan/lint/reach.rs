//! Whether the calls of a line reach anybody, whoever calls and whenever.

use super::super::route::REANALYZE_MAX;
use super::super::rows::{CalledRow, RouteType};
use crate::directory::Tenant;
use crate::interop::CallLimit;
use crate::line::Line;
use crate::line::config::Incoming;
use std::collections::BTreeSet;

/// Most numbers that are followed for one line; with more, somebody is taken to answer.
const NUMBERS_MAX: usize = 64;

/// The number that calls by the line go to, where nobody has it and nothing sends them on.
pub(super) fn reaches_nobody<'a>(tenant: &Tenant, line: &'a Line) -> Option<&'a str> {
    let number = match (&line.incoming, &line.owner) {
        (Incoming::Owner, None) => &line.account,
        (Incoming::Number(number), _) => number,
        // Whom these name has to exist.
        (Incoming::Owner, Some(_)) | (Incoming::Extension(_) | Incoming::Service(_), _) => {
            return None;
        }
    };
    if !line.enabled || line.calls_in_max == CallLimit::CLOSED {
        return None;
    }
    let callers = tenant.dial_plan.callers.rows().filter(|it| it.plan == line.plan);
    let plans = callers.filter_map(|it| it.to_plan.as_deref()).chain([&*line.plan]);
    let mut search = Search { tenant, seen: BTreeSet::new() };
    let reached = plans.collect::<BTreeSet<_>>().into_iter().any(|plan| {
        search.seen.clear();
        search.reaches(plan, number, REANALYZE_MAX)
    });
    (!reached).then_some(number)
}

struct Search<'a> {
    tenant: &'a Tenant,
    seen: BTreeSet<Box<str>>,
}

impl Search<'_> {
    /// At some time, some row leads somewhere; or there is none, and an extension has the number.
    fn reaches(&mut self, plan: &str, called: &str, again: usize) -> bool {
        if !self.seen.insert(called.into()) {
            return false;
        }
        if self.seen.len() > NUMBERS_MAX {
            return true;
        }
        let tenant = self.tenant;
        for row in tenant.dial_plan.called.matching(plan, called) {
            if self.leads_on(plan, row, called, again) {
                return true;
            }
            // It holds at all times: shorter prefixes and extensions do not count.
            if row.time.is_none() {
                return false;
            }
        }
        tenant.extension(called).is_some()
    }

    fn leads_on(&mut self, plan: &str, row: &CalledRow, called: &str, again: usize) -> bool {
        // Nobody outside has a call level.
        if row.level.is_some() {
            return false;
        }
        let transition = row.transition.and_then(|id| self.tenant.dial_plan.transitions.get(&id));
        let changed = transition.map(|it| it.apply(called));
        let after = changed.as_deref().unwrap_or(called);
        if changed.is_some() && row.reanalyze {
            return again > 0 && self.reaches(plan, after, again - 1);
        }
        match &row.route {
            RouteType::LocalUser => self.tenant.extension(after).is_some(),
            // On to somebody else, or refused because somebody wants it so.
            RouteType::ExternalLine(_) | RouteType::SipTrunk(_) | RouteType::Reject(_) => true,
            RouteType::FeatureCode(feature) => !feature.is_of_an_extension(),
            RouteType::Service(_) => false,
        }
    }
}
