//! `Call-ID`: names a dialog together with its tags (RFC 3261 §20.8).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::text::is_lws;

/// The Call-ID header, compared octet by octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId<'a>(pub &'a str);

impl<'a> TypedHeader<'a> for CallId<'a> {
    const NAME: HeaderName = HeaderName::CallId;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        if value.is_empty() {
            return Err("empty");
        }
        if value.bytes().any(is_lws) {
            return Err("white space");
        }
        Ok(Self(value))
    }
}
