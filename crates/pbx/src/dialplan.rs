//! Where a call goes: one pure function for real calls, the simulator and the tests.

use crate::directory::{Directory, Extension};
use crate::id::TenantId;
use std::sync::Arc;

/// Dialled to hear oneself: proves that audio passes both ways.
pub const ECHO_TEST: &str = "*43";

/// What is asked of the dial plan.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub tenant: TenantId,
    /// The extension that calls.
    pub caller: &'a str,
    pub dialled: &'a str,
}

/// Where the call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To every device of this extension.
    Extension(Arc<Extension>),
    /// Back to the caller's own ears.
    Echo,
    /// The number is nobody's.
    NoMatch,
}

impl Route {
    /// The word in call records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Extension(_) => "extension",
            Self::Echo => "echo",
            Self::NoMatch => "",
        }
    }
}

/// Decides from what it is given, and nothing else.
pub fn route(directory: &Directory, query: &Query<'_>) -> Route {
    if query.dialled == ECHO_TEST {
        return Route::Echo;
    }
    let tenant = directory.tenant(query.tenant);
    match tenant.and_then(|it| it.extension(query.dialled)) {
        Some(extension) => Route::Extension(extension.clone()),
        None => Route::NoMatch,
    }
}
