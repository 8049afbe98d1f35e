//! The steps of a decision as data: which row matched, and why the others did not.

use super::feature::DialledFeature;
use super::lint::finding::TableName;
use super::query::{Candidate, Query, Refusal, Route};
use super::reception::Reception;
use super::rows::{BlockRow, CalledRow, CallerRow, LineChoice, RefineRow, TrunkChoice};
use super::table::{Row, Table};
use super::time::{Clock, LocalTime};
use super::transition::Transition;
use crate::interop::CallLimit;
use crate::line::config::Incoming;
use crate::release::ReleaseCode;
use smol_str::SmolStr;
use std::sync::Arc;

/// Where steps go. Real calls have none: `()` never makes them.
pub(super) trait Trace {
    /// Whether what only steps tell is worth collecting.
    const WANTED: bool;

    fn step(&mut self, make: impl FnOnce() -> Step);
}

impl Trace for () {
    const WANTED: bool = false;

    fn step(&mut self, _: impl FnOnce() -> Step) {}
}

impl Trace for Vec<Step> {
    const WANTED: bool = true;

    fn step(&mut self, make: impl FnOnce() -> Step) {
        self.push(make());
    }
}

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub caller: Box<str>,
    pub dialled: Box<str>,
    pub at: LocalTime,
    pub steps: Vec<Step>,
    pub route: Route,
    /// Whoever calls, or what he calls by, has all the calls it may have: the route counts for nothing.
    pub kept_back: Option<ReleaseCode>,
    /// What meets the call at the extension it is for.
    pub reception: Option<Reception>,
    /// Where it goes on to where that extension's phones ring and nobody answers.
    pub not_answered: Option<SmolStr>,
    /// Where it goes after that extension sent it on; or why it may not.
    pub onward: Option<Result<Box<Self>, ReleaseCode>>,
}

impl Explanation {
    pub(super) fn new(query: &Query<'_>, at: LocalTime, steps: Vec<Step>, route: Route) -> Self {
        let (caller, dialled) = (query.caller.number().into(), query.dialled.into());
        Self {
            caller,
            dialled,
            at,
            steps,
            route,
            kept_back: None,
            reception: None,
            not_answered: None,
            onward: None,
        }
    }

    /// This decision and those after it, where extensions send the call on.
    pub fn legs(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |it| match &it.onward {
            Some(Ok(next)) => Some(&**next),
            Some(Err(_)) | None => None,
        })
    }

    /// The leg at which the call ends or goes out.
    pub fn last(&self) -> &Self {
        self.legs().last().unwrap_or(self)
    }

    /// The extensions that send the call on, in their order.
    pub fn forwarded_by(&self) -> impl Iterator<Item = &SmolStr> {
        self.legs().filter_map(|it| match &it.reception {
            Some(Reception::SentOn { by, .. }) => Some(by),
            _ => None,
        })
    }

    /// What ends the call here: its caller may have no more, its extension takes none, or may not send it on.
    pub fn end(&self) -> Option<Refusal> {
        let at_the_extension = || self.reception.as_ref()?.release();
        let looped = self.onward.as_ref().and_then(|it| it.as_ref().err().copied());
        self.kept_back.or(looped).or_else(at_the_extension).map(Into::into)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An emergency number: black list, levels, limits and refining are passed over.
    Emergency(Box<str>),
    /// Nothing can take the emergency number: it is a number like any other.
    NoEmergencyRoute,
    /// The black list; `dice` decides where the row blocks a part.
    BlockList {
        row: Option<Arc<BlockRow>>,
        dice: u8,
    },
    /// Where the line of an incoming call sends it.
    Incoming {
        account: Box<str>,
        /// The row with a service for the line's number, which comes before what the line says.
        detected: Option<u32>,
        target: Incoming,
        owner: Option<Box<str>>,
    },
    CallerAnalysis {
        found: Found<CallerRow>,
        plan: Box<str>,
        before: Box<str>,
        after: Box<str>,
    },
    /// The code that matched, and what it stands for.
    FeatureCode(Option<(Box<str>, DialledFeature)>),
    /// `held` says whether the caller has the level of the row.
    CalledAnalysis {
        found: Found<CalledRow>,
        held: bool,
    },
    /// A transition of the called number.
    Transition {
        transition: Arc<Transition>,
        before: Box<str>,
        after: Box<str>,
        reanalyze: bool,
    },
    /// The row names a transition that does not exist: the number stays.
    NoTransition(u32),
    /// No row matched.
    Fallback(Fallback),
    LineChoice {
        choice: LineChoice,
        chosen: Vec<Taken<Box<str>>>,
        skipped: Vec<(Box<str>, Skip)>,
        /// Others that are skipped too.
        more: usize,
    },
    TrunkChoice {
        choice: TrunkChoice,
        chosen: Vec<Taken<u32>>,
        skipped: Vec<(u32, Skip)>,
        more: usize,
    },
    /// The last change of the caller number, then of the called number.
    Refine {
        which: Which,
        group: u32,
        found: Found<RefineRow>,
        transition: Option<Arc<Transition>>,
        before: Box<str>,
        after: Box<str>,
    },
    /// Tried in this order.
    Send(Candidate),
}

/// Rules for numbers that no row matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It is an extension's number.
    LocalUser,
    /// It begins with the out-group prefix, which is taken off.
    OutGroup { prefix: Box<str>, before: Box<str>, after: Box<str> },
    /// Neither.
    Nothing,
}

/// The row that counts and the others whose prefix the number has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<R> {
    pub row: Option<Arc<R>>,
    /// Of longer or equal prefix, but not at this time.
    pub not_now: Vec<Arc<R>>,
    /// Of shorter prefixes, the longest first.
    pub shorter: Vec<Arc<R>>,
}

/// A line or trunk that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<T> {
    pub name: T,
    pub calls: u16,
    pub most: CallLimit,
}

/// Why a line or trunk is not tried. The later, the nearer it was to being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// There is none of this name.
    Missing,
    Off,
    /// The call came from there.
    CameFrom,
    /// It belongs to another extension.
    NotShared,
    /// Its limit is 0.
    Closed,
    NotRegistered,
    Unreachable,
    AllBusy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Caller,
    Called,
}

impl Step {
    /// The rows it looked at, by table and number.
    pub fn rows(&self) -> Vec<(TableName, u32)> {
        match self {
            Self::BlockList { row, .. } => {
                row.iter().map(|it| (TableName::BlackList, it.id)).collect()
            }
            Self::CallerAnalysis { found, .. } => found.ids(TableName::Callers),
            Self::CalledAnalysis { found, .. } => found.ids(TableName::Called),
            Self::Transition { transition, .. } => vec![(TableName::Transitions, transition.id)],
            Self::Refine { which: Which::Caller, found, .. } => found.ids(TableName::RefineCaller),
            Self::Refine { which: Which::Called, found, .. } => found.ids(TableName::RefineCalled),
            Self::Incoming { detected, .. } => {
                detected.map(|it| (TableName::Called, it)).into_iter().collect()
            }
            Self::Emergency(_)
            | Self::NoEmergencyRoute
            | Self::FeatureCode(_)
            | Self::NoTransition(_)
            | Self::Fallback(_)
            | Self::LineChoice { .. }
            | Self::TrunkChoice { .. }
            | Self::Send(_) => vec![],
        }
    }
}

impl<R: Row> Found<R> {
    fn ids(&self, table: TableName) -> Vec<(TableName, u32)> {
        let rows = self.row.iter().chain(&self.not_now).chain(&self.shorter);
        rows.map(|it| (table, it.id())).collect()
    }

    pub(super) fn new(
        table: &Table<R>,
        scope: &R::Scope,
        number: &str,
        row: Option<&Arc<R>>,
        clock: &Clock<'_>,
    ) -> Self {
        let (mut not_now, mut shorter) = (vec![], vec![]);
        for it in table.matching(scope, number) {
            if row.is_some_and(|row| row.id() == it.id()) {
                continue;
            }
            let holds = it.time().is_none_or(|time| time.holds(clock.local()));
            if holds { shorter.push(Arc::clone(it)) } else { not_now.push(Arc::clone(it)) }
        }
        Self { row: row.cloned(), not_now, shorter }
    }
}
