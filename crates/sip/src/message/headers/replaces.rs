//! `Replaces`: the dialog whose place a new one takes (RFC 3891 §6.1).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::params::Params;
use crate::message::text::{find, trim};

/// The Replaces header. The tags are as seen by its receiver: `to_tag` is the receiver's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    pub call_id: &'a str,
    pub to_tag: &'a str,
    pub from_tag: &'a str,
    /// Only if nobody has answered yet.
    pub early_only: bool,
}

impl<'a> TypedHeader<'a> for Replaces<'a> {
    const NAME: HeaderName = HeaderName::Replaces;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let end = find(value, b';').unwrap_or(value.len());
        let call_id = trim(&value[..end]);
        if call_id.is_empty() {
            return Err("no Call-ID");
        }
        let params = Params::parse(&value[end..])?;
        Ok(Self {
            call_id,
            to_tag: params.value("to-tag").ok_or("no to-tag")?,
            from_tag: params.value("from-tag").ok_or("no from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}
