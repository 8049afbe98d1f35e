//! What is asked of the dial plan, and what it answers.

use super::feature::DialledFeature;
use crate::directory::Extension;
use crate::id::TenantId;
use crate::interop::CallLimit;
use crate::line::Line;
use crate::line::table::Pool;
use crate::release::ReleaseCode;
use crate::time::UnixMillis;
use crate::trunk::Trunk;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::sync::Arc;

/// Most candidates of one route; what else could be tried is left out.
pub const CANDIDATES_MAX: usize = 8;

/// A call to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub tenant: TenantId,
    pub caller: Caller<'a>,
    /// As dialled; of an external line, its account.
    pub dialled: &'a str,
    /// The number of whom the caller sends on; what goes out shows that one.
    pub on_behalf_of: Option<&'a str>,
    /// Somebody outside who hides his number, though it is told.
    pub hides: bool,
    pub at: UnixMillis,
    /// Even over 0..100: decides on the rows of the black list that block a part.
    pub dice: u8,
}

/// Who calls. He has been identified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    Extension(&'a str),
    /// Someone outside, by an external line; `anonymous` where nobody says his number.
    Line {
        account: &'a str,
        number: &'a str,
    },
    /// Someone behind a SIP trunk.
    Trunk {
        id: u32,
        number: &'a str,
    },
}

impl<'a> Caller<'a> {
    pub fn number(self) -> &'a str {
        match self {
            Self::Extension(number) | Self::Line { number, .. } | Self::Trunk { number, .. } => {
                number
            }
        }
    }
}

/// Where the call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The plan that decided.
    pub plan: SmolStr,
    /// In the order they are tried; never empty.
    pub outcome: Result<Candidates, Refusal>,
}

pub type Candidates = SmallVec<[Candidate; 1]>;

/// One place the call can go to, with everything to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// To every device of this extension.
    Extension(Arc<Extension>),
    Feature(DialledFeature),
    Line(Arc<Line>, Outgoing),
    Trunk(Arc<Trunk>, Outgoing),
}

/// What a line or trunk is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The called number to send.
    pub called: SmolStr,
    /// The caller number to send.
    pub caller: SmolStr,
    /// The outgoing group that refined them.
    pub group: u32,
    /// The rotation to move on when this candidate is taken.
    pub pool: Option<Pool>,
    /// No limit keeps an emergency call back.
    pub emergency: bool,
}

impl Outgoing {
    /// How many calls may be under way where this one goes out, by what is configured there.
    pub fn limit(&self, configured: CallLimit) -> CallLimit {
        if self.emergency { CallLimit::UNLIMITED } else { configured }
    }
}

impl Route {
    /// It is an emergency call, and something can take it.
    pub fn is_emergency(&self) -> bool {
        let first = self.outcome.as_ref().ok().and_then(|it| it.first());
        match first {
            Some(Candidate::Line(_, out) | Candidate::Trunk(_, out)) => out.emergency,
            Some(Candidate::Extension(_) | Candidate::Feature(_)) | None => false,
        }
    }
}

impl Candidate {
    /// The word in call records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Extension(_) => "extension",
            Self::Feature(it) => it.feature.as_str(),
            Self::Line(..) => "line",
            Self::Trunk(..) => "trunk",
        }
    }
}

/// Why there is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: ReleaseCode,
    /// The code's, unless a row of the type reject names another.
    pub status: u16,
    /// The row that refuses, where one does.
    pub row: Option<u32>,
}

impl From<ReleaseCode> for Refusal {
    fn from(code: ReleaseCode) -> Self {
        Self { code, status: code.status(), row: None }
    }
}
