//! `Max-Forwards`: the hops a request may still take (RFC 3261 §20.22).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::text::number;

/// The Max-Forwards header: 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxForwards(pub u8);

impl<'a> TypedHeader<'a> for MaxForwards {
    const NAME: HeaderName = HeaderName::MaxForwards;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let hops = number(value).ok_or("not a number")?;
        u8::try_from(hops).map(Self).map_err(|_| "above 255")
    }
}
