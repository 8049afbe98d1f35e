//! `Accept`: the bodies the other side understands (RFC 3261 §20.1).

use super::TypedHeader;
use super::content::media_range;
use crate::message::name::HeaderName;
use crate::message::params::Params;

/// One media range of an Accept header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// `*` for any.
    pub media_type: &'a str,
    /// `*` for any.
    pub subtype: &'a str,
    pub params: Params<'a>,
}

impl Accept<'_> {
    /// Whether a body of this type is welcome by this range.
    pub fn matches(&self, media_type: &str, subtype: &str) -> bool {
        let fits = |range: &str, it: &str| range == "*" || range.eq_ignore_ascii_case(it);
        fits(self.media_type, media_type) && fits(self.subtype, subtype)
    }
}

impl<'a> TypedHeader<'a> for Accept<'a> {
    const NAME: HeaderName = HeaderName::Accept;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let (media_type, subtype, params) = media_range(value)?;
        Ok(Self { media_type, subtype, params })
    }
}
