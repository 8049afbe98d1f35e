//! `CSeq`: the order of requests in a dialog (RFC 3261 §20.16, §8.1.1.5).

use super::TypedHeader;
use crate::message::method::Method;
use crate::message::name::HeaderName;
use crate::message::text::{is_lws, is_token, number, trim_start};

/// The CSeq header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    pub method: Method<'a>,
}

impl<'a> TypedHeader<'a> for CSeq<'a> {
    const NAME: HeaderName = HeaderName::CSeq;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let digits = value.bytes().position(is_lws).ok_or("no method")?;
        let sequence = number(&value[..digits]).ok_or("not a number")?;
        let sequence = u32::try_from(sequence).ok().filter(|it| *it < 1 << 31);
        let method = trim_start(&value[digits..]);
        if !is_token(method) {
            return Err("bad method");
        }
        let number = sequence.ok_or("number out of range")?;
        Ok(Self { number, method: Method::from_token(method) })
    }
}
