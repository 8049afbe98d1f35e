//! Who has read what tells of calls. It is in the audit once an hour for the same, and by name for so much of it: a program
//! that looks every minute, or a key that may read and nothing else, pushes out nothing that was changed.

use crate::Office;
use crate::access::Principal;
use crate::audit::Author;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What was read before this is told again.
const AGAIN: Duration = Duration::from_secs(60 * 60);
/// Things that are named of one reader in that time: whoever reads more of them, reads everything.
const NAMED_MAX: usize = 100;
const EVERYTHING: &str = "*";

/// What was told within [`AGAIN`], and when: of each reader as much as is named, and a word for the rest.
#[derive(Default)]
pub(crate) struct Readings(Mutex<BTreeMap<Reading, UnixMillis>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    who: String,
    /// Where he was; of what is not named, nowhere.
    source: String,
    action: &'static str,
    name: String,
}

impl Readings {
    /// By what name it is to be told; `None`: it was.
    fn name(
        &self,
        (who, source): (String, String),
        action: &'static str,
        name: &str,
        now: UnixMillis,
    ) -> Option<String> {
        // Whoever panicked has not left it half changed.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.since(*at) < AGAIN);
        let mut reading = Reading { who, source, action, name: name.to_owned() };
        if told.contains_key(&reading) {
            return None;
        }
        if told.keys().filter(|it| it.who == reading.who).count() >= NAMED_MAX {
            reading = Reading { source: String::new(), name: EVERYTHING.to_owned(), ..reading };
        }
        let name = reading.name.clone();
        told.insert(reading, now).is_none().then_some(name)
    }
}

/// Somebody reads something of this kind.
pub(crate) async fn told(
    office: &Office,
    principal: &Principal,
    action: &'static str,
    (kind, name): (&str, &str),
) {
    let who = format!("{} {}", principal.kind(), principal.name());
    let source = principal.source.to_string();
    if let Some(name) = office.readings.name((who, source), action, name, office.running.now()) {
        Author::of(office, principal).done(action, kind, &name).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(readings: &Readings, source: &str, name: &str, at: u64) -> Option<String> {
        let who = ("api-key monitor".to_owned(), source.to_owned());
        readings.name(who, "trace", name, UnixMillis(at))
    }

    #[test]
    fn the_same_is_told_once_an_hour() {
        let readings = Readings::default();
        let hour = u64::try_from(AGAIN.as_millis()).unwrap_or_default();
        #[rustfmt::skip]
        let table = [
            ("10.0.0.1", "ext=100", 0,        true),
            ("10.0.0.1", "ext=100", hour - 1, false),
            ("10.0.0.2", "ext=100", hour - 1, true),
            ("10.0.0.1", "ext=101", hour - 1, true),
            ("10.0.0.1", "ext=100", hour,     true),
        ];
        for (source, name, at, expected) in table {
            let told = read(&readings, source, name, at);
            assert_eq!(told, expected.then(|| name.to_owned()), "{source} {name} {at}");
        }
    }

    #[test]
    fn whoever_reads_much_reads_everything() {
        let readings = Readings::default();
        let told: Vec<_> = (0..10_000_u64)
            .filter_map(|it| read(&readings, &format!("2001:db8::{it:x}"), &it.to_string(), it))
            .collect();
        assert_eq!(told.len(), NAMED_MAX + 1);
        assert_eq!(told.last().map(String::as_str), Some(EVERYTHING));
        let other = ("user ann".to_owned(), "10.0.0.1".to_owned());
        let named = readings.name(other, "trace", "ext=100", UnixMillis(0));
        assert_eq!(named.as_deref(), Some("ext=100"), "others are named all the same");
    }
}
