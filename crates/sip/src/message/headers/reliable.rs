//! `RSeq` and `RAck`: the numbers of reliable provisional responses (RFC 3262 §7.1, §7.2).

use super::{CSeq, TypedHeader};
use crate::message::method::Method;
use crate::message::name::HeaderName;
use crate::message::text::{is_lws, number, trim_start};

/// The RSeq header. The first of a session is below 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RSeq(pub u32);

/// The RAck header: which response to which request is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    pub rseq: u32,
    pub cseq: u32,
    pub method: Method<'a>,
}

impl<'a> TypedHeader<'a> for RSeq {
    const NAME: HeaderName = HeaderName::RSeq;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        sequence(value).map(Self)
    }
}

impl<'a> TypedHeader<'a> for RAck<'a> {
    const NAME: HeaderName = HeaderName::RAck;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let digits = value.bytes().position(is_lws).ok_or("no CSeq")?;
        let rseq = sequence(&value[..digits])?;
        let CSeq { number, method } = CSeq::parse(trim_start(&value[digits..]))?;
        Ok(Self { rseq, cseq: number, method })
    }
}

fn sequence(value: &str) -> Result<u32, &'static str> {
    let sequence = number(value).and_then(|it| u32::try_from(it).ok());
    sequence.filter(|it| *it > 0).ok_or("not a number from 1 to 2^32-1")
}
