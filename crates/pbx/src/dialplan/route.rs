//! The decision: one pure function for real calls, the simulator and the tests.
//!
//! The order of procedures: emergency number, black list, where a line sends its calls (a service for
//! its own number before that), analyze caller number, feature codes, analyze called number; then for each line or trunk refine caller number and refine called
//! number.

use super::choose::Choice;
use super::feature::{DialledFeature, Feature, is_code};
use super::live::Live;
use super::query::{Caller, Candidate, Candidates, Query, Refusal, Route};
use super::reception::{Arriving, DIVERSIONS_MAX, Reception, comes_back};
use super::rows::{CalledRow, DEFAULT_PLAN, LineChoice, RouteType, TrunkChoice};
use super::step::{Explanation, Fallback, Found, Step, Trace};
use super::time::Clock;
use super::transition::Transition;
use crate::directory::{Directory, Extension, Tenant};
use crate::id::TenantId;
use crate::interop::Room;
use crate::line::config::Incoming;
use crate::release::ReleaseCode;
use crate::supplementary::Forwarding;
use smallvec::smallvec;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::sync::Arc;

/// How often a number may be analysed again. One more refuses the call with `route.loop`.
pub const REANALYZE_MAX: usize = 10;

/// Decides from what it is given, and nothing else.
pub fn route(directory: &Directory, live: &dyn Live, query: &Query<'_>) -> Route {
    decide(directory, live, query, &mut ())
}

/// The same decision, with its steps; and those after it, where extensions send the call on.
pub fn explain(directory: &Directory, live: &dyn Live, query: &Query<'_>) -> Explanation {
    let kept_back = kept_back(directory, live, query);
    let mut explanation = explain_after(directory, live, query, (query.caller, &mut vec![]));
    // No limit keeps an emergency call back.
    if let Some(code) = kept_back.filter(|_| !explanation.route.is_emergency()) {
        explanation.kept_back = Some(code);
        (explanation.reception, explanation.not_answered, explanation.onward) = (None, None, None);
    }
    explanation
}

/// Whoever calls has all the calls he may have, or the line or trunk he calls by has.
fn kept_back(directory: &Directory, live: &dyn Live, query: &Query<'_>) -> Option<ReleaseCode> {
    let id = query.tenant;
    let tenant = directory.tenant(id)?;
    match query.caller {
        Caller::Extension(number) => {
            let may_call = live.extension_may_call(id, tenant.extension(number)?);
            (!may_call).then_some(ReleaseCode::CallerLimit)
        }
        Caller::Line { account, .. } => {
            match tenant.lines.get(account)?.calls_in_max.room(live.line_calls_in(id, account)) {
                Room::Free => None,
                Room::Full => Some(ReleaseCode::LineIncomingBusy),
                Room::Closed => Some(ReleaseCode::LineTakesNone),
            }
        }
        Caller::Trunk { id: trunk, .. } => {
            match tenant.trunks.get(&trunk)?.calls_in_max.room(live.trunk_calls_in(id, trunk)) {
                Room::Free => None,
                Room::Full => Some(ReleaseCode::TrunkIncomingBusy),
                Room::Closed => Some(ReleaseCode::TrunkTakesNone),
            }
        }
    }
}

/// Who called first, and the extensions that have sent it on since.
fn explain_after(
    directory: &Directory,
    live: &dyn Live,
    query: &Query<'_>,
    (first, before): (Caller<'_>, &mut Vec<SmolStr>),
) -> Explanation {
    let mut steps = Vec::new();
    let route = decide(directory, live, query, &mut steps);
    let no_zone = Default::default();
    let zone = directory.tenant(query.tenant).map_or(&no_zone, |it| &it.zone);
    let at = Clock::new(query.at, zone).local();
    let mut explanation = Explanation::new(query, at, steps, route);
    let candidates = explanation.route.outcome.as_deref().unwrap_or_default();
    let Some(Candidate::Extension(extension)) = candidates.first() else { return explanation };
    let has_phone = has_phone(live, query.tenant, extension, first);
    let arriving = Arriving { has_phone, may_be_sent_on: true };
    let reception = Reception::of(live, query.tenant, extension, arriving);
    let by = extension.number.clone();
    let times = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let may_go_to = |number: &str, before: &[SmolStr]| {
        times < DIVERSIONS_MAX && !comes_back(before.iter().map(SmolStr::as_str), &by, number)
    };
    match &reception {
        Reception::Rings => {
            let to = live.forwards_to(query.tenant, &by, Forwarding::NoAnswer);
            explanation.not_answered = to.filter(|it| may_go_to(it, before)).map(Into::into);
        }
        Reception::SentOn { number, .. } if may_go_to(number, before) => {
            before.push(by.clone());
            let shown = query.on_behalf_of.unwrap_or_else(|| query.caller.number());
            let caller = Caller::Extension(&by);
            let query = Query { caller, dialled: number, on_behalf_of: Some(shown), ..*query };
            let onward = explain_after(directory, live, &query, (first, before));
            explanation.onward = Some(Ok(Box::new(onward)));
        }
        Reception::SentOn { .. } => explanation.onward = Some(Err(ReleaseCode::LoopDetected)),
        Reception::DoesNotDisturb | Reception::NoPhone | Reception::Full => {}
    }
    explanation.reception = Some(reception);
    explanation
}

/// A phone of the extension can be called. One that calls its own number is not called itself.
fn has_phone(live: &dyn Live, id: TenantId, extension: &Extension, first: Caller<'_>) -> bool {
    let calls = usize::from(first == Caller::Extension(&extension.number));
    let registered = live.phones_of(id, extension);
    // Known by its address, it need not register.
    let known = || extension.addresses.iter().filter(|it| it.host().is_some()).count();
    registered > calls || (registered == 0 && known() > calls)
}

fn decide(
    directory: &Directory,
    live: &dyn Live,
    query: &Query<'_>,
    trace: &mut impl Trace,
) -> Route {
    let Some(tenant) = directory.tenant(query.tenant) else {
        let outcome = Err(ReleaseCode::RouteNoMatch.into());
        return Route { plan: DEFAULT_PLAN.into(), outcome };
    };
    let mut decision = Decision {
        tenant,
        live,
        query,
        trace,
        clock: Clock::new(query.at, &tenant.zone),
        plan: tenant.dial_plan.plan_or_default(plan_of(tenant, query.caller)),
        caller: query.caller.number().into(),
        called: query.dialled.into(),
        emergency: false,
        over_limits: false,
        last_resort: false,
    };
    let outcome = decision.run().and_then(|it| match it.first() {
        // A code is dialled by who it is about, and by nobody in his place.
        Some(Candidate::Feature(_)) if query.on_behalf_of.is_some() => {
            Err(ReleaseCode::CallerForbidden.into())
        }
        _ => Ok(it),
    });
    Route { plan: decision.plan.into(), outcome }
}

fn plan_of<'a>(tenant: &'a Tenant, caller: Caller<'_>) -> &'a str {
    let plan = match caller {
        Caller::Extension(number) => tenant.extension(number).and_then(|it| it.plan.as_deref()),
        Caller::Line { account, .. } => tenant.lines.get(account).map(|it| &*it.plan),
        Caller::Trunk { id, .. } => tenant.trunks.get(&id).map(|it| &*it.plan),
    };
    plan.unwrap_or(DEFAULT_PLAN)
}

/// A decision under way.
pub(super) struct Decision<'a, T> {
    pub(super) tenant: &'a Tenant,
    pub(super) live: &'a dyn Live,
    pub(super) query: &'a Query<'a>,
    pub(super) trace: &'a mut T,
    pub(super) clock: Clock<'a>,
    plan: &'a str,
    /// The caller number so far.
    pub(super) caller: Cow<'a, str>,
    /// The called number so far.
    pub(super) called: Cow<'a, str>,
    /// The call is an emergency call.
    pub(super) emergency: bool,
    /// The limits of lines and trunks count no more.
    pub(super) over_limits: bool,
    /// Nor does whether they are registered or answer.
    pub(super) last_resort: bool,
}

impl<'a, T: Trace> Decision<'a, T> {
    fn run(&mut self) -> Result<Candidates, Refusal> {
        if let Some(candidates) = self.emergency() {
            return Ok(candidates);
        }
        self.block_list()?;
        if let Some(candidates) = self.incoming()? {
            return Ok(candidates);
        }
        self.analyze_caller();
        if let Some(feature) = self.feature_code() {
            return Ok(smallvec![Candidate::Feature(feature)]);
        }
        self.analyze_called()
    }

    /// An emergency number goes out by what the rows say of it, then by any line, then by any trunk,
    /// then by those that are full, at last by those that are not there as far as we know; nothing may
    /// block it, and nothing changes it. Where nothing can take it, it is a number like any other.
    fn emergency(&mut self) -> Option<Candidates> {
        let number = self.emergency_number()?;
        self.trace.step(|| Step::Emergency(number.into()));
        self.emergency = true;
        self.called = Cow::Borrowed(number);
        let row = self.tenant.dial_plan.called.find(self.plan, self.query.dialled, &self.clock);
        let any_trunk = TrunkChoice::Listed(self.tenant.trunks.keys().copied().collect());
        let (lines, trunks) = match row.map(|it| &it.route) {
            Some(RouteType::SipTrunk(choice)) => (&LineChoice::Rotation, choice),
            Some(RouteType::ExternalLine(choice)) => (choice, &any_trunk),
            _ => (&LineChoice::Rotation, &any_trunk),
        };
        let mut found = Choice::default();
        for (over_limits, last_resort) in [(false, false), (true, false), (true, true)] {
            (self.over_limits, self.last_resort) = (over_limits, last_resort);
            if let Some(RouteType::SipTrunk(choice)) = row.map(|it| &it.route) {
                self.find_trunks(choice, &mut found);
            }
            self.find_lines(lines, &mut found);
            for line in self.tenant.lines.iter() {
                self.try_line(line, None, &mut found);
            }
            self.find_trunks(&any_trunk, &mut found);
        }
        (self.over_limits, self.last_resort) = (false, false);
        self.trace_lines(lines, &found);
        if !self.tenant.trunks.is_empty() {
            self.trace_trunks(trunks, &found);
        }
        let candidates = self.send(found);
        if candidates.is_none() {
            self.trace.step(|| Step::NoEmergencyRoute);
            self.emergency = false;
            self.called = Cow::Borrowed(self.query.dialled);
        }
        candidates
    }

    /// What is dialled, with or without the out-group prefix, if it is an emergency number.
    fn emergency_number(&self) -> Option<&'a str> {
        if matches!(self.query.caller, Caller::Line { .. }) {
            return None;
        }
        self.tenant.settings.emergency_number(self.query.dialled)
    }

    fn block_list(&mut self) -> Result<(), Refusal> {
        let list = &self.tenant.dial_plan.blocked;
        if list.is_empty() {
            return Ok(());
        }
        let dice = self.query.dice;
        let row = list.find(&self.caller, self.query.hides, &self.called);
        self.trace.step(|| Step::BlockList { row: row.cloned(), dice });
        match row.filter(|it| it.blocks(dice)) {
            Some(row) => Err(Refusal { row: Some(row.id), ..ReleaseCode::SecurityBlocked.into() }),
            None => Ok(()),
        }
    }

    /// Where a line sends its incoming calls: to an extension, or on with another number. A service
    /// that is there for the line's own number comes before that.
    fn incoming(&mut self) -> Result<Option<Candidates>, Refusal> {
        let Caller::Line { account, .. } = self.query.caller else { return Ok(None) };
        let Some(line) = self.tenant.lines.get(account) else { return Ok(None) };
        let detected = self.detection(account);
        self.trace.step(|| Step::Incoming {
            account: account.into(),
            detected: detected.map(|it| it.id),
            target: line.incoming.clone(),
            owner: line.owner.clone(),
        });
        if let Some(row) = detected {
            return self.take(row).map(Some);
        }
        match (&line.incoming, &line.owner) {
            (Incoming::Owner, Some(number)) | (Incoming::Extension(number), _) => {
                self.local_user(number).ok_or_else(|| ReleaseCode::CalleeUnknown.into()).map(Some)
            }
            (Incoming::Owner, None) => Ok(None),
            (Incoming::Number(number), _) => {
                self.called = Cow::Owned(number.to_string());
                Ok(None)
            }
            (Incoming::Service(_), _) => Err(ReleaseCode::RouteNoService.into()),
        }
    }

    /// The row that has a service for exactly this number (业务检测).
    fn detection(&self, account: &str) -> Option<&'a CalledRow> {
        let row = self.tenant.dial_plan.called.find(self.plan, account, &self.clock)?;
        let has_service = matches!(row.route, RouteType::Service(_));
        (has_service && *row.prefix == *account).then_some(row)
    }

    fn analyze_caller(&mut self) {
        let plan = &self.tenant.dial_plan;
        if plan.callers.is_empty() {
            return;
        }
        let row = plan.callers.find(self.plan, &self.caller, &self.clock);
        let transition = row.and_then(|it| self.transition(it.transition?));
        let after = transition.map(|it| it.apply(&self.caller));
        let to_plan = row.and_then(|it| it.to_plan.as_deref()).filter(|it| plan.has_plan(it));
        let (here, caller, clock) = (self.plan, &self.caller, &self.clock);
        self.trace.step(|| Step::CallerAnalysis {
            found: Found::new(&plan.callers, here, caller, row, clock),
            plan: to_plan.unwrap_or(here).into(),
            before: (**caller).into(),
            after: after.clone().unwrap_or_else(|| (**caller).into()),
        });
        self.plan = to_plan.unwrap_or(here);
        if let Some(after) = after {
            self.caller = Cow::Owned(after.into());
        }
    }

    /// Feature codes are for the office's own phones.
    fn feature_code(&mut self) -> Option<DialledFeature> {
        if !matches!(self.query.caller, Caller::Extension(_)) {
            return None;
        }
        let codes = &self.tenant.dial_plan.features;
        let feature = codes.dialled(&self.called);
        self.trace.step(|| {
            let found = feature.clone();
            Step::FeatureCode(
                found.map(|it| (codes.code(it.feature).unwrap_or_default().into(), it)),
            )
        });
        feature
    }

    fn analyze_called(&mut self) -> Result<Candidates, Refusal> {
        for _ in 0..=REANALYZE_MAX {
            let table = &self.tenant.dial_plan.called;
            let row = table.find(self.plan, &self.called, &self.clock);
            let held = row.and_then(|it| it.level).is_none_or(|it| self.has_level(it));
            let (plan, called, clock) = (self.plan, &self.called, &self.clock);
            self.trace.step(|| Step::CalledAnalysis {
                found: Found::new(table, plan, called, row, clock),
                held,
            });
            let Some(row) = row else { return self.fall_back() };
            if !held {
                let refusal = ReleaseCode::RouteDeniedLevel.into();
                return Err(Refusal { row: Some(row.id), ..refusal });
            }
            let changed = self.change_called(row);
            if !(changed && row.reanalyze) {
                return self.take(row);
            }
        }
        Err(ReleaseCode::RouteLoop.into())
    }

    /// Applies the row's transition, if it has one.
    fn change_called(&mut self, row: &CalledRow) -> bool {
        let Some(id) = row.transition else { return false };
        let Some(transition) = self.transition(id) else {
            self.trace.step(|| Step::NoTransition(id));
            return false;
        };
        let after = transition.apply(&self.called);
        let before = &self.called;
        self.trace.step(|| Step::Transition {
            transition: Arc::clone(transition),
            before: (**before).into(),
            after: after.clone(),
            reanalyze: row.reanalyze,
        });
        self.called = Cow::Owned(after.into());
        true
    }

    fn take(&mut self, row: &CalledRow) -> Result<Candidates, Refusal> {
        let by_row = |refusal: Refusal| Refusal { row: Some(row.id), ..refusal };
        match &row.route {
            RouteType::LocalUser => self
                .local_user(&self.called)
                .ok_or_else(|| by_row(ReleaseCode::CalleeUnknown.into())),
            RouteType::ExternalLine(choice) => self.by_lines(choice).map_err(by_row),
            RouteType::SipTrunk(choice) => self.by_trunks(choice).map_err(by_row),
            RouteType::Service(_) => Err(by_row(ReleaseCode::RouteNoService.into())),
            RouteType::FeatureCode(feature) => self.by_row(*feature, row).map_err(by_row),
            RouteType::Reject(status) => {
                let refusal = by_row(ReleaseCode::RouteRejected.into());
                Err(Refusal { status: *status, ..refusal })
            }
        }
    }

    /// The feature of a row; the number it takes is what follows the row's prefix.
    fn by_row(&self, feature: Feature, row: &CalledRow) -> Result<Candidates, Refusal> {
        if !matches!(self.query.caller, Caller::Extension(_)) && feature.is_of_an_extension() {
            return Err(ReleaseCode::CallerForbidden.into());
        }
        let rest = self.called.strip_prefix(&*row.prefix).unwrap_or(&self.called);
        let number = if feature.takes_number() { rest } else { "" };
        if feature.takes_number() && number.is_empty() {
            return Err(ReleaseCode::FeatureUnknown.into());
        }
        Ok(smallvec![Candidate::Feature(DialledFeature { feature, number: number.into() })])
    }

    /// No row matched: a local user, else an external line if the number begins with the
    /// out-group prefix, which only here is taken off by itself.
    ///
    /// An extension whose number begins with that prefix stays reachable. Callers from outside
    /// leave only by rows: nobody dials through the office by accident.
    fn fall_back(&mut self) -> Result<Candidates, Refusal> {
        if let Some(user) = self.local_user(&self.called) {
            self.trace.step(|| Step::Fallback(Fallback::LocalUser));
            return Ok(user);
        }
        let prefix = &*self.tenant.settings.out_group_prefix;
        let after = self.called.strip_prefix(prefix).filter(|it| !it.is_empty());
        let inside = matches!(self.query.caller, Caller::Extension(_));
        let Some(after) = after.filter(|_| inside && !prefix.is_empty()) else {
            self.trace.step(|| Step::Fallback(Fallback::Nothing));
            let is_code = inside && is_code(&self.called);
            let code =
                if is_code { ReleaseCode::FeatureUnknown } else { ReleaseCode::RouteNoMatch };
            return Err(code.into());
        };
        let (before, after) = (&self.called, after.to_owned());
        self.trace.step(|| {
            let (before, after) = ((**before).into(), after.as_str().into());
            Step::Fallback(Fallback::OutGroup { prefix: prefix.into(), before, after })
        });
        self.called = Cow::Owned(after);
        self.by_lines(&LineChoice::Rotation)
    }

    fn local_user(&self, number: &str) -> Option<Candidates> {
        let extension = self.tenant.extension(number)?;
        Some(smallvec![Candidate::Extension(Arc::clone(extension))])
    }

    fn has_level(&self, level: u8) -> bool {
        match self.query.caller {
            Caller::Extension(number) => {
                self.tenant.extension(number).is_some_and(|it| it.levels.has(level))
            }
            Caller::Trunk { id, .. } => {
                self.tenant.trunks.get(&id).is_some_and(|it| it.levels.has(level))
            }
            Caller::Line { .. } => false,
        }
    }

    pub(super) fn transition(&self, id: u32) -> Option<&'a Arc<Transition>> {
        self.tenant.dial_plan.transitions.get(&id)
    }
}
