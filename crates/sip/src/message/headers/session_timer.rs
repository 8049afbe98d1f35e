//! `Session-Expires` and `Min-SE`: how long a session lasts without a refresh (RFC 4028 §4, §5).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::params::Params;
use crate::message::text::{find, number, trim};

/// The Session-Expires header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

/// The Min-SE header. Unit: seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSe(pub u32);

/// Which side of a request refreshes the session from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    Uas,
}

impl Refresher {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

impl<'a> TypedHeader<'a> for SessionExpires {
    const NAME: HeaderName = HeaderName::SessionExpires;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let (seconds, params) = seconds(value)?;
        let refresher = match params.value("refresher") {
            Some(it) if it.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(it) if it.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl<'a> TypedHeader<'a> for MinSe {
    const NAME: HeaderName = HeaderName::MinSe;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        seconds(value).map(|it| Self(it.0))
    }
}

fn seconds(value: &str) -> Result<(u32, Params<'_>), &'static str> {
    let end = find(value, b';').unwrap_or(value.len());
    let seconds = number(trim(&value[..end])).ok_or("not a number of seconds")?;
    let seconds = u32::try_from(seconds).map_err(|_| "above 2^32-1 seconds")?;
    Ok((seconds, Params::parse(&value[end..])?))
}
