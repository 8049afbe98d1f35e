//! The nightly backup: made by itself, and the oldest of its kind removed.

use super::{BACKUPS, Maker, create, delete, list};
use crate::access::Principal;
use crate::audit::Author;
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::backup::BackupInfo;
use crate::resource::outside::Trouble;
use crate::{Office, troubles};
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::time::UnixMillis;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::backup::Reason;

/// How often it is looked whether it is time.
const LOOK: Duration = Duration::from_secs(10 * 60);
/// The hour of the office in which it is made.
const HOUR: i8 = 3;
/// A machine that is off at night makes it when it is on; one that failed at night tries until it has one.
const LATE: u64 = 26 * 60 * 60 * 1000;
/// Two in one night are one too many. Unit: milliseconds.
const APART: u64 = 12 * 60 * 60 * 1000;

/// Keeps why the last one failed, in the data directory: whoever starts the server anew is to know it still.
const FILE: &str = "nightly-backup-failed.json";

/// What became of the last one.
pub(crate) struct Nightly {
    trouble: Mutex<Option<Trouble>>,
    file: PathBuf,
}

impl Nightly {
    /// As it was when the server ended.
    pub(crate) fn of(folder: &Path) -> Self {
        let file = folder.join(FILE);
        let kept = std::fs::read(&file).ok();
        let trouble = kept.and_then(|it| serde_json::from_slice(&it).ok());
        Self { trouble: Mutex::new(trouble), file }
    }

    /// Why there is none of last night.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One was made, or could not be.
    pub(crate) fn is(&self, trouble: Option<Trouble>) {
        let mut present = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // On a disk that is full it is told until the end of the process.
        let _ = match &trouble {
            Some(it) => std::fs::write(&self.file, serde_json::to_vec(it).unwrap_or_default()),
            None if present.is_some() => std::fs::remove_file(&self.file),
            None => Ok(()),
        };
        *present = trouble;
    }
}

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
        office.nightly.is(None);
        return Ok(());
    }
    let now = office.running.now();
    let all: Vec<BackupInfo> = nightly(office);
    let newest = all.first().and_then(|it| it.created_at.parse::<jiff::Timestamp>().ok());
    let newest = newest.and_then(|it| u64::try_from(it.as_millisecond()).ok()).map(UnixMillis);
    let directory = office.running.directory();
    let zone = directory.tenant(TenantId::default()).map(|it| it.zone.0.clone());
    let at = i64::try_from(now.0).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let hour = at.map_or(0, |it| it.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).hour());
    // One that failed is tried again at once, whatever the hour.
    if !is_due(hour, newest, now) && office.nightly.trouble().is_none() {
        return Ok(());
    }
    night(office).await
}

/// Those that are there, the newest first.
fn nightly(office: &Office) -> Vec<BackupInfo> {
    list(&office.db).into_iter().filter(|it| it.reason == Reason::Nightly).collect()
}

/// Makes one and makes room; what comes of it is told until it is something else.
pub(crate) async fn night(office: &Office) -> Result<(), Failure> {
    let made = make(office).await;
    let trouble = made.as_ref().err();
    let at = rfc3339(office.running.now());
    office.nightly.is(trouble.map(|failure| troubles::backup(&at, &failure.clone().detail())));
    made
}

async fn make(office: &Office) -> Result<(), Failure> {
    let keep = office.db.settings(TenantId::default()).await?.backup_keep as usize;
    let now = office.running.now();
    let _one_at_a_time = office.backups.lock().await;
    let mut all = nightly(office);
    let maker = Maker { host: office.running.events().node.to_string(), now };
    let made = create(&office.db, &maker, Reason::Nightly, None).await?;
    Author::of(office, &Principal::cli(Language::En)).done("backup", BACKUPS, &made.name).await;
    all.insert(0, made);
    for old in all.iter().skip(keep) {
        // It is made all the same: to try again would only make one more.
        if let Err(failure) = delete(&office.db, &old.name) {
            let reason = failure.detail_en;
            tracing::warn!(backup = old.name, reason, "an old backup cannot be removed");
        }
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
            (12, Some(25 * H), false),
            (12, Some(26 * H), true),
        ];
        let now = UnixMillis(1_795_659_300_000);
        for (hour, age, due) in table {
            let newest = age.map(|it| UnixMillis(now.0 - it));
            assert_eq!(is_due(hour, newest, now), due, "{hour} {age:?}");
        }
    }
}
