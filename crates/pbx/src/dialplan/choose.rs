//! Which lines and trunks are tried, and with which numbers.

use super::query::{CANDIDATES_MAX, Caller, Candidate, Candidates, Outgoing, Refusal};
use super::route::Decision;
use super::rows::{LineChoice, RefineRow, TrunkChoice};
use super::step::{Found, Skip, Step, Taken, Trace, Which};
use super::table::Table;
use crate::interop::{CallLimit, Room};
use crate::line::Line;
use crate::line::config::CallerNumber;
use crate::line::table::Pool;
use crate::release::ReleaseCode;
use crate::trunk::Trunk;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lines and trunks that are told of where they cannot take a call: the first of thousands.
const SKIPPED_MAX: usize = 50;

/// The lines and trunks that can take the call, and why others cannot.
#[derive(Default)]
pub(super) struct Choice {
    ways: SmallVec<[Way; 2]>,
    /// Only for the eye: empty unless steps are wanted.
    skipped_lines: Vec<(Box<str>, Skip)>,
    skipped_trunks: Vec<(u32, Skip)>,
    /// Where those are that are skipped and not told: one can be met more than once.
    untold: BTreeSet<usize>,
    /// The nearest any of the others came.
    nearest: Option<Skip>,
}

/// One of them, in the order they are tried.
enum Way {
    Line(Arc<Line>, Option<Pool>),
    Trunk(Arc<Trunk>),
}

impl Choice {
    fn is_full(&self) -> bool {
        self.ways.len() >= CANDIDATES_MAX
    }

    fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.ways.iter().filter_map(|it| match it {
            Way::Line(line, _) => Some(line),
            Way::Trunk(_) => None,
        })
    }

    fn trunks(&self) -> impl Iterator<Item = &Trunk> {
        self.ways.iter().filter_map(|it| match it {
            Way::Trunk(trunk) => Some(&**trunk),
            Way::Line(..) => None,
        })
    }

    /// Whether one more that is skipped is told.
    fn tells_more(&self) -> bool {
        self.skipped_lines.len() + self.skipped_trunks.len() < SKIPPED_MAX
    }

    fn skip(&mut self, why: Skip) {
        self.nearest = self.nearest.max(Some(why));
    }
}

impl<T: Trace> Decision<'_, T> {
    pub(super) fn by_lines(&mut self, choice: &LineChoice) -> Result<Candidates, Refusal> {
        let mut found = Choice::default();
        self.find_lines(choice, &mut found);
        self.trace_lines(choice, &found);
        let nearest = found.nearest;
        self.send(found).ok_or_else(|| line_refusal(nearest))
    }

    pub(super) fn by_trunks(&mut self, choice: &TrunkChoice) -> Result<Candidates, Refusal> {
        let mut found = Choice::default();
        self.find_trunks(choice, &mut found);
        self.trace_trunks(choice, &found);
        let nearest = found.nearest;
        self.send(found).ok_or_else(|| trunk_refusal(nearest))
    }

    /// The caller's own lines come first, then those that take turns.
    pub(super) fn find_lines(&self, choice: &LineChoice, found: &mut Choice) {
        let tenant = self.tenant;
        let pool = match choice {
            LineChoice::Line(account) => {
                match tenant.lines.get(account) {
                    Some(line) => self.try_line(line, None, found),
                    None => found.skip(Skip::Missing),
                }
                return;
            }
            LineChoice::Group(group) => Pool::Group(*group),
            LineChoice::Rotation => Pool::Shared,
        };
        if let Caller::Extension(number) = self.query.caller {
            let fits = |it: &&Arc<Line>| match pool {
                Pool::Shared => true,
                Pool::Group(group) => it.group == group,
            };
            for line in tenant.lines.owned_by(number).filter(fits) {
                self.try_line(line, None, found);
            }
        }
        let last = self.live.last_taken(self.query.tenant, pool);
        for line in tenant.lines.rotation(pool, last) {
            if found.is_full() {
                break;
            }
            self.try_line(line, Some(pool), found);
        }
    }

    pub(super) fn find_trunks(&self, choice: &TrunkChoice, found: &mut Choice) {
        let tenant = self.tenant;
        match choice {
            TrunkChoice::Listed(ids) => {
                for id in ids {
                    match tenant.trunks.get(id) {
                        Some(trunk) => self.try_trunk(trunk, found),
                        None => found.skip(Skip::Missing),
                    }
                }
            }
            TrunkChoice::Group(group) => {
                for trunk in tenant.trunks.values().filter(|it| it.group == *group) {
                    self.try_trunk(trunk, found);
                }
            }
        }
    }

    pub(super) fn try_line(&self, line: &Arc<Line>, pool: Option<Pool>, found: &mut Choice) {
        // All tables of lines share them.
        if found.is_full() || found.lines().any(|it| Arc::ptr_eq(it, line)) {
            return;
        }
        match self.judge_line(line) {
            None => {
                found.skipped_lines.retain(|(it, _)| *it != line.account);
                found.untold.remove(&Arc::as_ptr(line).addr());
                found.ways.push(Way::Line(Arc::clone(line), pool));
            }
            Some(why) => {
                found.skip(why);
                let is_told = |(it, _): &(Box<str>, Skip)| *it == line.account;
                if !T::WANTED || found.skipped_lines.iter().any(is_told) {
                    return;
                }
                if found.tells_more() {
                    found.skipped_lines.push((line.account.clone(), why));
                } else {
                    found.untold.insert(Arc::as_ptr(line).addr());
                }
            }
        }
    }

    fn judge_line(&self, line: &Line) -> Option<Skip> {
        let tenant = self.query.tenant;
        let caller = match self.query.caller {
            Caller::Extension(number) => Some(number),
            Caller::Line { account, .. } if *account == *line.account => {
                return Some(Skip::CameFrom);
            }
            Caller::Line { .. } | Caller::Trunk { .. } => None,
        };
        if !line.enabled {
            return Some(Skip::Off);
        }
        if !line.serves(caller) && !self.emergency {
            return Some(Skip::NotShared);
        }
        let calls = || self.live.line_calls_out(tenant, &line.account);
        judge(self.limit(line.calls_out_max), calls, || {
            let registered = !line.register || self.live.line_is_registered(tenant, &line.account);
            (!registered && !self.last_resort).then_some(Skip::NotRegistered)
        })
    }

    pub(super) fn try_trunk(&self, trunk: &Arc<Trunk>, found: &mut Choice) {
        if found.is_full() || found.trunks().any(|it| it.id == trunk.id) {
            return;
        }
        match self.judge_trunk(trunk) {
            None => {
                found.skipped_trunks.retain(|(it, _)| *it != trunk.id);
                found.untold.remove(&Arc::as_ptr(trunk).addr());
                found.ways.push(Way::Trunk(Arc::clone(trunk)));
            }
            Some(why) => {
                found.skip(why);
                let is_told = |(it, _): &(u32, Skip)| *it == trunk.id;
                if !T::WANTED || found.skipped_trunks.iter().any(is_told) {
                    return;
                }
                if found.tells_more() {
                    found.skipped_trunks.push((trunk.id, why));
                } else {
                    found.untold.insert(Arc::as_ptr(trunk).addr());
                }
            }
        }
    }

    fn judge_trunk(&self, trunk: &Trunk) -> Option<Skip> {
        let tenant = self.query.tenant;
        if matches!(self.query.caller, Caller::Trunk { id, .. } if id == trunk.id) {
            return Some(Skip::CameFrom);
        }
        if !trunk.enabled {
            return Some(Skip::Off);
        }
        let calls = || self.live.trunk_calls_out(tenant, trunk.id);
        judge(self.limit(trunk.calls_out_max), calls, || {
            let healthy = trunk.options_s == 0 || self.live.trunk_is_healthy(tenant, trunk.id);
            (!healthy && !self.last_resort).then_some(Skip::Unreachable)
        })
    }

    /// The limit that counts: none where an emergency call finds no other way.
    fn limit(&self, configured: CallLimit) -> CallLimit {
        if self.over_limits { CallLimit::UNLIMITED } else { configured }
    }

    /// Candidates with refined numbers; `None` where there are none.
    pub(super) fn send(&mut self, found: Choice) -> Option<Candidates> {
        let mut candidates = Candidates::with_capacity(found.ways.len());
        let mut last = None;
        for way in found.ways {
            let own = self.query.on_behalf_of.unwrap_or(&self.caller);
            candidates.push(match way {
                Way::Line(line, pool) => {
                    let caller = match &line.caller_number {
                        CallerNumber::Account => &line.account,
                        CallerNumber::Caller => own,
                        CallerNumber::Fixed(number) => number,
                    };
                    let out = self.refine(caller.into(), line.group, pool, &mut last);
                    Candidate::Line(line, out)
                }
                Way::Trunk(trunk) => {
                    let unified = &*trunk.caller_number;
                    let caller = if unified.is_empty() { own } else { unified };
                    let out = self.refine(caller.into(), trunk.group, None, &mut last);
                    Candidate::Trunk(trunk, out)
                }
            });
        }
        for candidate in &candidates {
            self.trace.step(|| Step::Send(candidate.clone()));
        }
        (!candidates.is_empty()).then_some(candidates)
    }

    /// Refine caller number, then refine called number: the last change of both. An emergency
    /// number goes out as it is.
    ///
    /// The lines of a group follow each other and send the same called number: it is not looked up
    /// again, unless each has to tell its steps.
    fn refine(
        &mut self,
        caller: SmolStr,
        group: u32,
        pool: Option<Pool>,
        last: &mut Option<(u32, SmolStr)>,
    ) -> Outgoing {
        let plan = &self.tenant.dial_plan;
        let caller = self.refine_one(Which::Caller, &plan.refine_caller, group, caller);
        let called = match last.take() {
            Some((of, called)) if of == group && !T::WANTED => called,
            _ if self.emergency => SmolStr::new(&self.called),
            _ => {
                let called = SmolStr::new(&self.called);
                self.refine_one(Which::Called, &plan.refine_called, group, called)
            }
        };
        *last = Some((group, called.clone()));
        Outgoing { called, caller, group, pool, emergency: self.emergency }
    }

    fn refine_one(
        &mut self,
        which: Which,
        table: &Table<RefineRow>,
        group: u32,
        number: SmolStr,
    ) -> SmolStr {
        let Some(row) = table.find(&group, &number, &self.clock) else { return number };
        let transition = self.transition(row.transition);
        let after = transition.map_or_else(|| number.clone(), |it| it.apply(&number).into());
        let clock = &self.clock;
        self.trace.step(|| Step::Refine {
            which,
            group,
            found: Found::new(table, &group, &number, Some(row), clock),
            transition: transition.cloned(),
            before: number.as_str().into(),
            after: after.as_str().into(),
        });
        after
    }

    pub(super) fn trace_lines(&mut self, choice: &LineChoice, found: &Choice) {
        let (live, tenant) = (self.live, self.query.tenant);
        let taken = |line: &Arc<Line>| Taken {
            name: line.account.clone(),
            calls: live.line_calls_out(tenant, &line.account),
            most: line.calls_out_max,
        };
        self.trace.step(|| Step::LineChoice {
            choice: choice.clone(),
            chosen: found.lines().map(taken).collect(),
            skipped: found.skipped_lines.clone(),
            more: found.untold.len(),
        });
    }

    pub(super) fn trace_trunks(&mut self, choice: &TrunkChoice, found: &Choice) {
        let (live, tenant) = (self.live, self.query.tenant);
        let taken = |trunk: &Trunk| Taken {
            name: trunk.id,
            calls: live.trunk_calls_out(tenant, trunk.id),
            most: trunk.calls_out_max,
        };
        self.trace.step(|| Step::TrunkChoice {
            choice: choice.clone(),
            chosen: found.trunks().map(taken).collect(),
            skipped: found.skipped_trunks.clone(),
            more: found.untold.len(),
        });
    }
}

/// What a limit and the state say, the state being asked only where the limit allows.
fn judge(
    most: CallLimit,
    calls: impl Fn() -> u16,
    state: impl Fn() -> Option<Skip>,
) -> Option<Skip> {
    // Without a limit nobody counts.
    let in_use = if most == CallLimit::UNLIMITED { 0 } else { calls() };
    match most.room(in_use) {
        Room::Closed => Some(Skip::Closed),
        Room::Free => state(),
        Room::Full => Some(state().unwrap_or(Skip::AllBusy)),
    }
}

fn line_refusal(nearest: Option<Skip>) -> Refusal {
    let code = match nearest {
        Some(Skip::AllBusy) => ReleaseCode::LineAllBusy,
        Some(Skip::NotRegistered) => ReleaseCode::LineNotRegistered,
        Some(Skip::Closed) => ReleaseCode::LineClosed,
        Some(Skip::NotShared) => ReleaseCode::LineNotShared,
        Some(Skip::Missing | Skip::Off | Skip::CameFrom | Skip::Unreachable) | None => {
            ReleaseCode::RouteNoLine
        }
    };
    code.into()
}

fn trunk_refusal(nearest: Option<Skip>) -> Refusal {
    let code = match nearest {
        Some(Skip::AllBusy) => ReleaseCode::TrunkAllBusy,
        Some(Skip::Unreachable) => ReleaseCode::TrunkUnreachable,
        Some(Skip::Closed) => ReleaseCode::TrunkClosed,
        Some(
            Skip::Missing | Skip::Off | Skip::CameFrom | Skip::NotShared | Skip::NotRegistered,
        )
        | None => ReleaseCode::RouteNoTrunk,
    };
    code.into()
}
