//! Names of things that outlive a message: calls and tenants.

use crate::time::UnixMillis;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A call: ours, one or more legs. A UUIDv7 (RFC 9562 §5.7), so ids sort by their start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId(pub Uuid);

impl CallId {
    /// A fresh id from the wall clock and 80 bits of the generator.
    pub fn new(at: UnixMillis, rng: &mut dyn Rng) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        Self::of(at, random)
    }

    /// The same from bytes that nobody can guess.
    pub fn of(at: UnixMillis, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(at.0, &random).into_uuid())
    }

    /// The readable form in logs and on screens: `c-` and the last ten digits.
    pub fn short(self) -> ShortCallId {
        ShortCallId(self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Shows a [`CallId`] as `c-` and its last ten hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortCallId(CallId);

impl fmt::Display for ShortCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c-{:010x}", self.0.0.as_u128() & 0xff_ffff_ffff)
    }
}

/// A tenant ("virtual server"). A single office has one, `default`, and never sees the word.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct TenantId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_the_tail_of_the_id() {
        let id: CallId = "0190f3e2-7c1a-7000-8000-0123456789ab".parse().expect("a valid id");
        assert_eq!(id.short().to_string(), "c-23456789ab");
    }
}
