//! A certificate that the server signs itself: browsers warn once, and what they send is encrypted.

use super::Pem;
use crate::resource::Failure;
use jiff::{Timestamp, tz::TimeZone};
use pbx::text;
use pbx::time::UnixMillis;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use std::time::Duration;

/// Browsers refuse certificates that last longer than 398 days.
const LASTS: Duration = Duration::from_hours(24 * 397);

/// It begins earlier, for whose clock is late.
const BEGINS_BEFORE: Duration = Duration::from_hours(24);

pub(crate) fn self_signed(names: &[String], now: UnixMillis) -> Result<Pem, Failure> {
    let made = || {
        let mut params = CertificateParams::new(names)?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "dialtone");
        params.distinguished_name = name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let begins = UnixMillis(now.0.saturating_sub(millis(BEGINS_BEFORE)));
        for (time, at) in
            [(&mut params.not_before, begins), (&mut params.not_after, now.after(LASTS))]
        {
            if let Some((year, month, day)) = day(at) {
                *time = rcgen::date_time_ymd(year, month, day);
            }
        }
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Pem { chain: certificate.pem(), key: key.serialize_pem() })
    };
    made().map_err(|error: rcgen::Error| {
        let what = text!("no certificate could be made: {error}", "无法生成证书：{error}");
        Failure::new(500, "certificate", what)
    })
}

/// Year, month and day in UTC.
fn day(at: UnixMillis) -> Option<(i32, u8, u8)> {
    let at = Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    let date = at.to_zoned(TimeZone::UTC).date();
    Some((date.year().into(), date.month().try_into().ok()?, date.day().try_into().ok()?))
}

fn millis(it: Duration) -> u64 {
    u64::try_from(it.as_millis()).unwrap_or(u64::MAX)
}
