//! What an administrator can set for a tenant while the server runs.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Live settings of a tenant. Every field has a default, a unit and a range; [`Settings::checked`]
/// is called once, where they are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Digest realm. Changing it changes nothing for phones that follow the challenge.
    pub realm: String,
    /// Language of texts and announcements: `en` or `zh`.
    pub language: String,
    /// IANA name of the time zone of records and time rules; empty: the machine's.
    pub time_zone: String,
    /// Ring this long before 480. Unit: seconds. Default: 60. Range: 5..=600.
    pub no_answer_s: u32,
    /// Shortest binding granted (423 below). Unit: seconds. Default: 60. Range: 1..=3600.
    pub expires_min_s: u32,
    /// Binding granted when the phone asks for none. Unit: seconds. Default: 3600.
    pub expires_default_s: u32,
    /// Longest binding granted. Unit: seconds. Default: 7200. Range: `expires_min_s`..=86400.
    pub expires_max_s: u32,
    /// A call without a packet from one side for this long ends. Unit: seconds. Default: 60;
    /// 0 turns it off. Not counted on hold.
    pub rtp_timeout_s: u32,
    /// Digest algorithms offered in challenges, preferred first: `MD5`, `SHA-256`. Default: MD5.
    ///
    /// SHA-256 is for offices whose phones all know it: a phone that does not (baresip 1.0 is
    /// one) fails on the mere sight of the second challenge, whatever the order, although
    /// RFC 8760 §2.4 lets it pick.
    pub digest_algorithms: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: "dialtone".to_owned(),
            language: "en".to_owned(),
            time_zone: String::new(),
            no_answer_s: 60,
            expires_min_s: 60,
            expires_default_s: 3600,
            expires_max_s: 7200,
            rtp_timeout_s: 60,
            digest_algorithms: vec!["MD5".to_owned()],
        }
    }
}

/// Names the setting, the value and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: {rule}")]
pub struct OutOfRange {
    pub key: &'static str,
    pub value: String,
    pub rule: &'static str,
}

impl Settings {
    /// What passes here is not checked again.
    pub fn checked(self) -> Result<Self, OutOfRange> {
        let seconds = [
            ("no_answer_s", self.no_answer_s, 5..=600, "must be 5 to 600 seconds"),
            ("expires_min_s", self.expires_min_s, 1..=3600, "must be 1 to 3600 seconds"),
            (
                "expires_max_s",
                self.expires_max_s,
                self.expires_min_s..=86_400,
                "must be at least expires_min_s and at most 86400 seconds",
            ),
            (
                "expires_default_s",
                self.expires_default_s,
                self.expires_min_s..=self.expires_max_s,
                "must lie between expires_min_s and expires_max_s",
            ),
            ("rtp_timeout_s", self.rtp_timeout_s, 0..=86_400, "must be 0 to 86400 seconds"),
        ];
        for (key, value, range, rule) in seconds {
            if !range.contains(&value) {
                return Err(OutOfRange { key, value: value.to_string(), rule });
            }
        }
        if self.realm.is_empty() || self.realm.contains(['"', '\\', '\r', '\n']) {
            let rule = "must not be empty nor hold quotes, backslashes or line ends";
            return Err(OutOfRange { key: "realm", value: self.realm, rule });
        }
        if !matches!(self.language.as_str(), "en" | "zh") {
            return Err(OutOfRange {
                key: "language",
                value: self.language,
                rule: "must be en or zh",
            });
        }
        let known = |it: &String| matches!(it.as_str(), "MD5" | "SHA-256");
        if self.digest_algorithms.is_empty() || !self.digest_algorithms.iter().all(known) {
            return Err(OutOfRange {
                key: "digest_algorithms",
                value: self.digest_algorithms.join(", "),
                rule: "must name MD5, SHA-256 or both",
            });
        }
        Ok(self)
    }

    pub fn no_answer(&self) -> Duration {
        Duration::from_secs(self.no_answer_s.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_key_the_value_and_the_way_out() {
        assert_eq!(Settings::default().checked(), Ok(Settings::default()));
        let error = Settings { no_answer_s: 1, ..Settings::default() }.checked();
        let error = error.expect_err("one second is too short");
        assert_eq!(error.to_string(), "no_answer_s = 1: must be 5 to 600 seconds");
    }
}
