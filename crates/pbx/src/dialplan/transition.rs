//! Number transitions (号码变换): delete, replace or insert characters of a number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One transition. Start counts from 0; what lies past the end of a number is clamped to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The transition ID that rows refer to.
    pub id: u32,
    #[serde(rename = "type")]
    pub kind: TransitionKind,
    /// Start position, from 0. Range: 0..=127.
    #[serde(default)]
    pub start: u8,
    /// How many characters are deleted or replaced. Not for insert. Range: 0..=128.
    #[serde(default)]
    pub length: u8,
    /// What is put in their place. Not for delete.
    #[serde(default)]
    pub string: Box<str>,
    #[serde(default)]
    pub description: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransitionKind {
    Delete,
    Replace,
    Insert,
}

impl Transition {
    pub fn apply(&self, number: &str) -> Box<str> {
        let length = match self.kind {
            TransitionKind::Delete | TransitionKind::Replace => self.length,
            TransitionKind::Insert => 0,
        };
        let string = match self.kind {
            TransitionKind::Delete => "",
            TransitionKind::Replace | TransitionKind::Insert => &*self.string,
        };
        let start = byte_index(number, self.start);
        let (head, rest) = number.split_at(start);
        let tail = &rest[byte_index(rest, length)..];
        let mut out = String::with_capacity(head.len() + string.len() + tail.len());
        out.extend([head, string, tail]);
        out.into_boxed_str()
    }

    /// The first position it does not touch: shorter numbers are clamped.
    pub fn end(&self) -> usize {
        let length = if self.kind == TransitionKind::Insert { 0 } else { self.length };
        usize::from(self.start) + usize::from(length)
    }
}

/// Where the character at this position begins, or the end.
fn byte_index(text: &str, position: u8) -> usize {
    text.char_indices().nth(position.into()).map_or(text.len(), |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransitionKind::{Delete, Insert, Replace};

    #[test]
    fn transition_table() {
        #[rustfmt::skip]
        let table = [
            // kind, start, length, string, number, result
            (Delete,  0, 1,   "",     "9138",  "138"),
            (Replace, 0, 1,   "0086", "0138",  "0086138"),
            (Replace, 0, 0,   "0086", "138",   "0086138"),
            (Replace, 1, 2,   "*",    "0138",  "0*8"),
            (Insert,  0, 0,   "00",   "138",   "00138"),
            (Insert,  1, 9,   "-",    "138",   "1-38"),
            (Delete,  0, 1,   "x",    "9138",  "138"),
            // past the end
            (Delete,  2, 9,   "",     "9138",  "91"),
            (Delete,  9, 1,   "",     "9138",  "9138"),
            (Insert,  9, 0,   "#",    "9138",  "9138#"),
            (Replace, 9, 1,   "#",    "9138",  "9138#"),
            (Delete,  0, 1,   "",     "",      ""),
            // positions are characters
            (Delete,  1, 1,   "",     "分机1", "分1"),
        ];
        for (kind, start, length, string, number, expected) in table {
            let it = Transition {
                id: 1,
                kind,
                start,
                length,
                string: string.into(),
                description: "".into(),
            };
            assert_eq!(&*it.apply(number), expected, "{kind:?} {start} {length} {number}");
        }
    }
}
