//! The nightly backup: made by itself, and the oldest of its kind removed.

use super::{BACKUPS, Maker, create, delete, list};
use crate::Office;
use crate::access::Principal;
use crate::audit::Author;
use crate::resource::Failure;
use crate::resource::backup::BackupInfo;
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::time::UnixMillis;
use std::time::Duration;
use store::backup::Reason;

/// How often it is looked whether it is time.
const LOOK: Duration = Duration::from_secs(10 * 60);
/// The hour of the office in which it is made.
const HOUR: i8 = 3;
/// A machine that is off at night makes it when it is on.
const LATE: u64 = 36 * 60 * 60 * 1000;
/// Two in one night are one too many. Unit: milliseconds.
const APART: u64 = 12 * 60 * 60 * 1000;

/// Makes them until it is dropped.
pub async fn run(office: Office) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(failure) = look(&office).await {
            tracing::error!(reason = failure.detail_en, "the nightly backup failed");
        }
    }
}

async fn look(office: &Office) -> Result<(), Failure> {
    let keep = office.db.settings(TenantId::default()).await?.backup_keep as usize;
    if keep == 0 {
        return Ok(());
    }
    let now = office.running.now();
    let nightly = |it: &BackupInfo| it.reason == Reason::Nightly;
    let mut all: Vec<BackupInfo> = list(&office.db).into_iter().filter(nightly).collect();
    let newest = all.first().and_then(|it| it.created_at.parse::<jiff::Timestamp>().ok());
    let newest = newest.and_then(|it| u64::try_from(it.as_millisecond()).ok()).map(UnixMillis);
    let directory = office.running.directory();
    let zone = directory.tenant(TenantId::default()).map(|it| it.zone.0.clone());
    let at = i64::try_from(now.0).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let hour = at.map_or(0, |it| it.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).hour());
    if !is_due(hour, newest, now) {
        return Ok(());
    }
    let _one_at_a_time = office.backups.lock().await;
    let maker = Maker { host: office.running.events().node.to_string(), now };
    let made = create(&office.db, &maker, Reason::Nightly, None).await?;
    Author::of(office, &Principal::cli(Language::En)).done("backup", BACKUPS, &made.name).await;
    all.insert(0, made);
    for old in all.iter().skip(keep) {
        delete(&office.db, &old.name)?;
    }
    Ok(())
}

fn is_due(hour: i8, newest: Option<UnixMillis>, now: UnixMillis) -> bool {
    let Some(newest) = newest else { return hour == HOUR };
    let age = now.0.saturating_sub(newest.0);
    age >= LATE || (hour == HOUR && age >= APART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_table() {
        const H: u64 = 60 * 60 * 1000;
        #[rustfmt::skip]
        let table = [
            // hour, age of the newest, due
            (3,  None,         true),
            (4,  None,         false),
            (3,  Some(24 * H), true),
            (3,  Some(H / 2),  false),
            (12, Some(24 * H), false),
            (12, Some(36 * H), true),
        ];
        let now = UnixMillis(1_795_659_300_000);
        for (hour, age, due) in table {
            let newest = age.map(|it| UnixMillis(now.0 - it));
            assert_eq!(is_due(hour, newest, now), due, "{hour} {age:?}");
        }
    }
}
