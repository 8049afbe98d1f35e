//! A form of many values, each of which is saved by itself: what somebody changed in it, and what somebody else has changed
//! since it was shown. Beside each value it brings back the one that was seen.

use super::Sent;

/// Before the name of a value: what was seen of it.
const SEEN: &str = "was-";
/// A tag that nothing has: the API refuses the change, and says who came first.
const STALE: &str = "\"-\"";

/// The tag to change a value by; `None`: it stays as it is. An empty one names everything.
pub(crate) fn tag(sent: &Sent, name: &str, value: &str, present: &str) -> Option<&'static str> {
    let seen = seen(sent, name).unwrap_or(present);
    match (value == seen || value == present, seen == present) {
        (true, _) => None,
        (false, true) => Some(""),
        (false, false) => Some(STALE),
    }
}

/// What is to be seen of a value when the form is shown again: after a refusal what there is, else what was seen, so that a
/// change of somebody else is not passed over the next time.
pub(crate) fn again(sent: &Sent, name: &str, present: &str, is_refused: bool) -> String {
    let written = sent.iter().find(|it| it.0 == name).map(|it| it.1.trim());
    let is_saved = written.is_none_or(|it| it == present);
    let seen = seen(sent, name).filter(|_| !is_refused && !is_saved);
    seen.unwrap_or(present).to_owned()
}

fn seen<'a>(sent: &'a Sent, name: &str) -> Option<&'a str> {
    sent.iter().find(|it| it.0.strip_prefix(SEEN) == Some(name)).map(|it| it.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_table() {
        #[rustfmt::skip]
        let table = [
            // seen       written  present  tag
            (Some("60"),  "60",    "60",    None),
            (Some("60"),  "30",    "60",    Some("")),
            (Some("60"),  "60",    "20",    None),         // another's change stays
            (Some("60"),  "20",    "20",    None),         // the same change
            (Some("60"),  "30",    "20",    Some(STALE)),
            (None,        "30",    "60",    Some("")),
            (None,        "60",    "60",    None),
        ];
        for (seen, written, present, expected) in table {
            let was = seen.map(|it| ("was-a".to_owned(), it.to_owned()));
            let sent: Sent = was.into_iter().collect();
            assert_eq!(tag(&sent, "a", written, present), expected, "{seen:?} {written} {present}");
        }
    }
}
