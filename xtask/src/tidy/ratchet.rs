//! The list of what is too long and tolerated for now. It may only shrink.

use std::collections::BTreeMap;

use anyhow::Context;

use super::size::Oversize;

/// Where the list is, from the root of the repository: `place lines`, one a line.
pub(super) const PATH: &str = "xtask/tidy-ratchet.txt";

/// Complaints about what is too long and not listed, has grown, or has shrunk while its entry has not.
pub(super) fn judge(list: &str, found: &[Oversize]) -> anyhow::Result<Vec<String>> {
    let mut tolerated = parse(list)?;
    let mut complaints = Vec::new();
    for Oversize { place, lines, limit } in found {
        match tolerated.remove(place.as_str()) {
            None => complaints.push(format!("{place}: {lines} lines, at most {limit}")),
            Some(old) if *lines > old => {
                complaints
                    .push(format!("{place}: grew from {old} lines to {lines}, at most {limit}"));
            }
            Some(old) if *lines < old => {
                complaints
                    .push(format!("{place}: only {lines} lines now: lower its entry in {PATH}"));
            }
            Some(_) => {}
        }
    }
    let gone = tolerated.keys().map(|place| format!("{place}: fits: remove it from {PATH}"));
    complaints.extend(gone);
    Ok(complaints)
}

fn parse(list: &str) -> anyhow::Result<BTreeMap<&str, usize>> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let entry =
                line.rsplit_once(' ').and_then(|(it, lines)| Some((it, lines.parse().ok()?)));
            entry.with_context(|| format!("{PATH}: {line:?} is not \"place lines\""))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_list_only_shrinks() {
        let found = |lines| vec![Oversize { place: "a.rs::b".to_owned(), lines, limit: 70 }];
        #[rustfmt::skip]
        let table = [
            // list                 found       complaints
            ("",                    vec![],     0),
            ("",                    found(80),  1),
            ("a.rs::b 80",          found(80),  0),
            ("# why\na.rs::b 80\n", found(80),  0),
            ("a.rs::b 80",          found(81),  1),
            ("a.rs::b 80",          found(79),  1),
            ("a.rs::b 80",          vec![],     1),
            ("a.rs::c 80",          found(80),  2),
        ];
        for (list, found, complaints) in table {
            assert_eq!(judge(list, &found).unwrap().len(), complaints, "{list:?} {found:?}");
        }
        assert!(judge("a.rs::b many", &[]).is_err());
    }
}
