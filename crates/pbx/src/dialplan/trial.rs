//! A call that nobody places, for the simulator.

use super::live::Live;
use super::query::{Caller, Query};
use super::route::explain;
use super::step::Explanation;
use crate::directory::Directory;
use crate::id::TenantId;
use crate::time::UnixMillis;
use std::sync::Arc;

/// What the simulator asks, as in [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    pub tenant: TenantId,
    pub caller: TrialCaller,
    /// At most [`DIALLED_LENGTH_MAX`](super::number::DIALLED_LENGTH_MAX) octets.
    pub dialled: Box<str>,
    pub at: UnixMillis,
    /// Range: 0 to 99.
    pub dice: u8,
    pub directory: Draft,
}

/// Who would call, as in [`Caller`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialCaller {
    Extension(Box<str>),
    Line { account: Box<str>, number: Box<str> },
    Trunk { id: u32, number: Box<str> },
}

/// What a trial is decided by, which may be saved nowhere; the same only as itself.
#[derive(Clone, Debug)]
pub struct Draft(pub Arc<Directory>);

impl PartialEq for Draft {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Draft {}

/// A trial and what it came to; who asked frees the directory, never the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub trial: Trial,
    pub explanation: Explanation,
}

impl Trial {
    pub fn explain(&self, live: &dyn Live) -> Explanation {
        let caller = match &self.caller {
            TrialCaller::Extension(number) => Caller::Extension(number),
            TrialCaller::Line { account, number } => Caller::Line { account, number },
            TrialCaller::Trunk { id, number } => Caller::Trunk { id: *id, number },
        };
        let Self { tenant, dialled, at, dice, .. } = self;
        let (tenant, at, dice) = (*tenant, *at, *dice);
        let query = Query { tenant, caller, dialled, on_behalf_of: None, hides: false, at, dice };
        explain(&self.directory.0, live, &query)
    }
}
