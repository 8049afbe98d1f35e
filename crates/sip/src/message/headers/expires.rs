//! `Expires` and `Min-Expires`: how long something lasts (RFC 3261 §20.19, §20.23).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::text::number;

/// The Expires header. Unit: seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expires(pub u32);

/// The Min-Expires header. Unit: seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinExpires(pub u32);

impl<'a> TypedHeader<'a> for Expires {
    const NAME: HeaderName = HeaderName::Expires;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        seconds(value).map(Self)
    }
}

impl<'a> TypedHeader<'a> for MinExpires {
    const NAME: HeaderName = HeaderName::MinExpires;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        seconds(value).map(Self)
    }
}

fn seconds(value: &str) -> Result<u32, &'static str> {
    let seconds = number(value).ok_or("not a number of seconds")?;
    u32::try_from(seconds).map_err(|_| "above 2^32-1 seconds")
}
