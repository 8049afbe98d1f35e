//! Where a call goes (拨号规则): the dial plan's tables, and one pure function over them.
//!
//! [`route`](route()) decides real calls; [`explain`] is the same decision with its steps, for the
//! simulator and the tests.

pub mod blocklist;
mod choose;
pub mod feature;
pub mod feature_codes;
pub mod levels;
pub mod lint;
pub mod live;
pub mod number;
pub mod plan;
pub mod prefix;
pub mod print;
pub mod query;
pub mod reception;
mod route;
pub mod rows;
pub mod step;
pub mod table;
pub mod tables;
pub mod time;
pub mod transition;
pub mod trial;

pub use feature::{DialledFeature, Feature};
pub use live::Live;
pub use print::print;
pub use query::{Caller, Candidate, Candidates, Outgoing, Query, Refusal, Route};
pub use reception::Reception;
pub use route::{REANALYZE_MAX, explain, route};
pub use tables::Tables;
pub use trial::{Draft, Trial, TrialCaller, Tried};

#[cfg(test)]
mod tests;
