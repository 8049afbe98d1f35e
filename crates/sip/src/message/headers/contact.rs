//! `Contact`: where a device can be reached (RFC 3261 §20.10, RFC 5626 §4.1).

use super::{NameAddr, TypedHeader};
use crate::message::name::HeaderName;
use crate::message::text::number;

/// What a malformed `expires` parameter of a Contact counts as (RFC 3261 §20.10). Unit: seconds.
pub const MALFORMED_EXPIRES_SECONDS: u32 = 3600;

/// One element of a Contact header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: all bindings (RFC 3261 §10.2.2).
    Star,
    Addr(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// The address; `None` for `*`.
    pub fn addr(&self) -> Option<&NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Addr(addr) => Some(addr),
        }
    }

    /// The preference in thousandths, 0 to 1000; `None` where absent or malformed.
    pub fn q(&self) -> Option<u16> {
        thousandths(self.addr()?.params.value("q")?)
    }

    /// The wanted life of the binding in seconds, where the contact states one. A malformed value
    /// counts as an hour (RFC 3261 §20.10).
    pub fn expires(&self) -> Option<u32> {
        let value = self.addr()?.params.get("expires")?;
        let seconds = value.and_then(number).and_then(|it| u32::try_from(it).ok());
        Some(seconds.unwrap_or(MALFORMED_EXPIRES_SECONDS))
    }

    /// The device's lasting identity, `+sip.instance`, without quotes but with its angle brackets
    /// (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<&'a str> {
        self.addr()?.params.unquoted("+sip.instance").filter(|it| !it.is_empty())
    }

    /// The number of the device's flow, `reg-id` (RFC 5626 §4.2); `None` where absent or malformed.
    pub fn reg_id(&self) -> Option<u32> {
        let id = number(self.addr()?.params.value("reg-id")?)?;
        u32::try_from(id).ok().filter(|it| *it != 0)
    }
}

impl<'a> TypedHeader<'a> for Contact<'a> {
    const NAME: HeaderName = HeaderName::Contact;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        if value == "*" {
            return Ok(Self::Star);
        }
        NameAddr::parse(value).map(Self::Addr)
    }
}

/// A `qvalue` (RFC 3261 §25.1): 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = u16::try_from(number(whole)?).ok().filter(|it| *it <= 1)?;
    if decimals.len() > 3 {
        return None;
    }
    let mut parts = 0;
    for place in 0..3 {
        let digit = decimals.as_bytes().get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        parts = parts * 10 + u16::from(digit - b'0');
    }
    Some(whole * 1000 + parts).filter(|it| *it <= 1000)
}
