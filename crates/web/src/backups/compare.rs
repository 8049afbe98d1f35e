//! What a restore would change, as far as it can be said in numbers and names.

use crate::resource::backup::{BackupInfo, RestoreDifference, RestorePreview};
use std::collections::BTreeSet;
use store::backup::{Contents, Names, Unpacked};

/// Names shown of each kind; the rest is counted.
const NAMES_MAX: usize = 50;

pub(super) fn preview(
    backup: BackupInfo,
    unpacked: &Unpacked,
    (present, names): &(Contents, Names),
) -> RestorePreview {
    let then = &unpacked.names;
    let keys_then = keys(then, &names.revoked);
    let keys_now = keys(names, &BTreeSet::new());
    let differences = [
        ("extensions", &then.extensions, &names.extensions),
        ("external_lines", &then.external_lines, &names.external_lines),
        ("sip_trunks", &then.sip_trunks, &names.sip_trunks),
        ("administrators", &then.administrators, &names.administrators),
        ("api_keys", &keys_then, &keys_now),
    ];
    let differences = differences.into_iter().filter_map(|(kind, then, now)| {
        let difference = difference(kind, then, now);
        (difference.comes_count + difference.goes_count > 0).then_some(difference)
    });
    RestorePreview {
        backup,
        then: unpacked.contents.counts,
        now: present.counts,
        differences: differences.collect(),
    }
}

/// Names are not unique, ids say little.
fn keys(of: &Names, but: &BTreeSet<String>) -> BTreeSet<String> {
    let shown = of.api_keys.iter().filter(|(id, _)| !but.contains(*id));
    shown.map(|(id, name)| format!("{name} ({id})")).collect()
}

fn difference(kind: &str, then: &BTreeSet<String>, now: &BTreeSet<String>) -> RestoreDifference {
    let first = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).take(NAMES_MAX).cloned().collect::<Vec<_>>()
    };
    RestoreDifference {
        kind: kind.to_owned(),
        comes: first(then, now),
        comes_count: then.difference(now).count(),
        goes: first(now, then),
        goes_count: now.difference(then).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_named_and_counted() {
        let set = |from: u32, to: u32| (from..to).map(|it| it.to_string()).collect();
        let found = difference("extensions", &set(100, 300), &set(102, 301));
        assert_eq!(
            (found.comes.as_slice(), found.comes_count),
            (&["100", "101"].map(String::from)[..], 2)
        );
        assert_eq!((found.goes.as_slice(), found.goes_count), (&["300".to_owned()][..], 1));
        let many = difference("extensions", &set(100, 300), &BTreeSet::new());
        assert_eq!((many.comes.len(), many.comes_count), (NAMES_MAX, 200));
    }
}
