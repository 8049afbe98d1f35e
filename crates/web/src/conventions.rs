//! What all resources of the API have in common, in layers around their handlers: failures of one form, answers that
//! tell whether a resource was changed meanwhile (RFC 9110 §13), and requests that can be sent twice.

mod accepted;
mod again;
mod merge;
mod object;
mod page;
mod patch;
mod plain;
mod range;
mod refusal;
mod since;
mod tag;
#[cfg(test)]
mod tests;

pub(crate) use accepted::Accepted;
pub(crate) use again::{Again, once};
pub(crate) use merge::merged;
pub(crate) use object::{object, objects, perhaps, some_object};
pub(crate) use page::{Listed, PageQuery, not_of_this_list};
pub(crate) use patch::Patch;
pub(crate) use plain::{plain, plain_at};
pub(crate) use refusal::{explained, failure_of, is_text, unreadable};
pub(crate) use since::Since;
pub(crate) use tag::{Compared, conflict, is_tagged, unchanged};
