//! `Reason`: why a request was sent, or a call ended (RFC 3326).

use std::borrow::Cow;

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::params::Params;
use crate::message::text::{find, is_token, number, trim, unquote};

/// One element of a Reason header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` …
    pub protocol: &'a str,
    /// `None` where absent or not a number.
    pub cause: Option<u16>,
    /// Without quotes and escapes.
    pub text: Option<Cow<'a, str>>,
}

impl<'a> TypedHeader<'a> for Reason<'a> {
    const NAME: HeaderName = HeaderName::Reason;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let end = find(value, b';').unwrap_or(value.len());
        let protocol = trim(&value[..end]);
        if !is_token(protocol) {
            return Err("bad protocol");
        }
        let params = Params::parse(&value[end..])?;
        let cause = params.value("cause").and_then(number).and_then(|it| u16::try_from(it).ok());
        Ok(Self { protocol, cause, text: params.value("text").map(unquote) })
    }
}
