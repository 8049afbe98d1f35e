//! What differs from carrier to carrier: the switches that lines and trunks have in common.

use crate::directory::Relay;
use crate::media::MediaSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sip::session::{Reliability, Terms};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// How to speak with the other side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Interop {
    /// Reliable provisional responses (RFC 3262). Default: auto.
    pub reliable: Reliable,
    /// Where the caller's number stands besides From. Default: nowhere.
    pub identity: IdentityHeader,
    /// `Privacy: id` on outgoing calls (RFC 3323): the other side is asked to hide the number.
    pub privacy: bool,
    /// Names of the codecs offered, in this order; those a phone does not offer are left out.
    /// Default: empty, as the phone offers.
    pub codecs: Vec<Box<str>>,
    /// Session timer (RFC 4028). Unit: seconds. Default: 1800. Range:
    /// [`SessionExpires::RANGE`]; 0 turns it off.
    pub session_expires_s: SessionExpires,
    /// How digits are sent. Default: as they come.
    pub dtmf: Dtmf,
    /// Default: always.
    pub relay: Relay,
    pub media_source: MediaSource,
}

impl Interop {
    /// How an INVITE to the other side speaks of 100rel.
    pub(crate) fn reliability(&self) -> Reliability {
        match self.reliable {
            Reliable::Auto => Reliability::Auto,
            Reliable::Required => Reliability::Required,
            Reliable::Off => Reliability::Off,
        }
    }

    /// Its session timer, beside the least interval of the office. Unit: seconds.
    pub(crate) fn session_terms(&self, min_s: u32) -> Terms {
        Terms { expires_s: self.session_expires_s.0.into(), min_s }
    }
}

/// Reliable provisional responses (临时响应的可靠性).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reliable {
    /// `Supported: 100rel`: the other side decides.
    #[default]
    Auto,
    /// `Require: 100rel`.
    Required,
    /// Our INVITE says nothing of it.
    Off,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityHeader {
    #[default]
    None,
    /// RFC 3325.
    PAssertedIdentity,
    /// What came before RFC 3325 and lives on.
    RemotePartyId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dtmf {
    /// Each way passes as it is.
    #[default]
    Pass,
    /// RFC 4733 in the media.
    Rtp,
    /// INFO requests.
    Info,
}

/// Seconds between refreshes; 0: no session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionExpires(pub u16);

impl SessionExpires {
    /// What it may be, besides 0.
    pub const RANGE: RangeInclusive<u16> = 90..=7200;
}

impl Default for SessionExpires {
    fn default() -> Self {
        Self(1800)
    }
}

/// Most calls one way: absent is unlimited, 0 closes the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CallLimit(pub Option<u16>);

/// Whether one more call fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Free,
    Full,
    /// The limit is 0: no call ever goes this way.
    Closed,
}

impl CallLimit {
    pub const UNLIMITED: Self = Self(None);
    pub const CLOSED: Self = Self(Some(0));

    pub fn room(self, in_use: u16) -> Room {
        match self.0 {
            None => Room::Free,
            Some(0) => Room::Closed,
            Some(most) if in_use < most => Room::Free,
            Some(_) => Room::Full,
        }
    }
}

/// The URI of a number at a host; of the host alone where refining left nothing of the number, as a
/// user part may not be empty (RFC 3261 §25.1).
pub(crate) fn sip_uri(number: &str, host: &str) -> String {
    match number {
        "" => ["sip:", host].concat(),
        number => ["sip:", &escape_user(number), "@", host].concat(),
    }
}

/// A number as the user part of a URI (RFC 3261 §25.1).
pub(crate) fn escape_user(number: &str) -> Cow<'_, str> {
    let stands = |it: u8| it.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&it);
    if number.bytes().all(stands) {
        return number.into();
    }
    let mut out = String::with_capacity(number.len());
    for byte in number.bytes() {
        if stands(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.into()
}

/// URI parameters with the semicolon that parts them from what comes before.
pub(crate) fn parameters(text: &str) -> String {
    let text = text.trim_start_matches(';');
    if text.is_empty() { String::new() } else { format!(";{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_table() {
        #[rustfmt::skip]
        let table = [
            (None,    0,     Room::Free),
            (None,    65535, Room::Free),
            (Some(0), 0,     Room::Closed),
            (Some(0), 9,     Room::Closed),
            (Some(2), 1,     Room::Free),
            (Some(2), 2,     Room::Full),
            (Some(2), 3,     Room::Full),
        ];
        for (most, in_use, expected) in table {
            assert_eq!(CallLimit(most).room(in_use), expected, "{most:?} {in_use}");
        }
    }
}
