//! The catalogue of events: their names, and which of them a reader wants.

use crate::resource::Failure;
use pbx::text;

macro_rules! catalogue {
    ($($kind:ident $name:literal)*) => {
        /// What an event is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// In the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The stable word, in all carriers the same.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

catalogue! {
    CallCreated          "call.created"
    CallRinging          "call.ringing"
    CallAnswered         "call.answered"
    CallHeld             "call.held"
    CallResumed          "call.resumed"
    CallTransferred      "call.transferred"
    CallEnded            "call.ended"
    RegistrationAdded    "registration.added"
    RegistrationChanged  "registration.changed"
    RegistrationRemoved  "registration.removed"
    RegistrationRefused  "registration.refused"
    LineStateChanged     "line.state_changed"
    TrunkStateChanged    "trunk.state_changed"
    ConfigChanged        "config.changed"
}

/// Patterns of one reader.
const PATTERNS_MAX: usize = 32;

/// Some of the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    pub const ALL: Self = Self(u32::MAX);

    /// Of names with commas between them; `call.*` is all that begin with `call.`, and nothing is everything.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut kinds = Self(0);
        let patterns = || text.split(',').map(str::trim).filter(|it| !it.is_empty());
        if patterns().next().is_none() {
            return Ok(Self::ALL);
        }
        if patterns().nth(PATTERNS_MAX).is_some() {
            return Err(unknown(&format!("> {PATTERNS_MAX}")));
        }
        for pattern in patterns() {
            let meant = |it: &&Kind| match pattern.strip_suffix('*') {
                Some(start) => it.name().starts_with(start),
                None => it.name() == pattern,
            };
            let found = Kind::ALL.iter().filter(meant).fold(0, |all, it| all | bit(*it));
            if found == 0 {
                return Err(unknown(pattern));
            }
            kinds.0 |= found;
        }
        Ok(kinds)
    }

    pub fn has(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }
}

fn bit(kind: Kind) -> u32 {
    1 << kind as u32
}

fn unknown(pattern: &str) -> Failure {
    let known = Kind::ALL.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
    let detail = text!(
        "types = {pattern}: there are no such events. There are: {known}",
        "types = {pattern}：没有这种事件。可用的事件：{known}"
    );
    Failure::new(422, "invalid", detail).about("types")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_table() {
        let all = |it: &[Kind]| Some(it.to_vec());
        #[rustfmt::skip]
        let table = [
            ("call.ended",                     all(&[Kind::CallEnded])),
            (" call.ended , registration.* ",  all(&[Kind::CallEnded, Kind::RegistrationAdded, Kind::RegistrationChanged, Kind::RegistrationRemoved, Kind::RegistrationRefused])),
            ("line.*,line.*",                  all(&[Kind::LineStateChanged])),
            ("",                               all(Kind::ALL)),
            (",",                              all(Kind::ALL)),
            ("*",                              all(Kind::ALL)),
            ("call",                           None),
            ("call.ended,queue.*",             None),
        ];
        for (text, expected) in table {
            let kinds = Kinds::parse(text).ok();
            let wanted =
                |it: Kinds| Kind::ALL.iter().copied().filter(|kind| it.has(*kind)).collect();
            assert_eq!(kinds.map(wanted), expected, "{text:?}");
        }
        let refused = Kinds::parse("queue.*").map_err(|it| (it.status, it.subject));
        assert_eq!(refused, Err((422, Some("types".into()))));
    }

    #[test]
    fn the_page_of_the_manual_names_every_event() {
        let page = include_str!("../../../../docs/events.md");
        for kind in Kind::ALL {
            assert!(page.contains(&format!("`{}`", kind.name())), "{}", kind.name());
        }
    }
}
