//! `Content-Type` and `Content-Length`: what the body is (RFC 3261 §20.14, §20.15).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::params::Params;
use crate::message::text::{find, is_token, number, trim};

/// The Content-Type header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    pub media_type: &'a str,
    pub subtype: &'a str,
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Whether this is the given type, in any case and whatever its parameters.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type)
            && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

impl<'a> TypedHeader<'a> for ContentType<'a> {
    const NAME: HeaderName = HeaderName::ContentType;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let (media_type, subtype, params) = media_range(value)?;
        Ok(Self { media_type, subtype, params })
    }
}

/// The Content-Length header. Unit: octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLength(pub usize);

impl<'a> TypedHeader<'a> for ContentLength {
    const NAME: HeaderName = HeaderName::ContentLength;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let octets = number(value).ok_or("not a number of octets")?;
        usize::try_from(octets).map(Self).map_err(|_| "out of range")
    }
}

/// `type / subtype ;params`, for Content-Type and Accept.
pub(super) fn media_range(value: &str) -> Result<(&str, &str, Params<'_>), &'static str> {
    let end = find(value, b';').unwrap_or(value.len());
    let (media_type, subtype) = value[..end].split_once('/').ok_or("no subtype")?;
    let (media_type, subtype) = (trim(media_type), trim(subtype));
    if !is_token(media_type) || !is_token(subtype) {
        return Err("bad media type");
    }
    Ok((media_type, subtype, Params::parse(&value[end..])?))
}
