//! Call levels (呼叫级别): the rights that rows of the dial plan ask for.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The highest call level; the lowest is 1.
pub const LEVEL_MAX: u8 = 16;

/// A set of call levels. A row without a level is open to everybody, one with level n only to
/// those whose set holds n: levels are names, none includes another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels(u16);

impl Levels {
    pub const NONE: Self = Self(0);

    /// `None` where a level is outside 1..=[`LEVEL_MAX`].
    pub fn new(levels: &[u8]) -> Option<Self> {
        let bit = |set: u16, &level: &u8| {
            (1..=LEVEL_MAX).contains(&level).then(|| set | 1 << (level - 1))
        };
        levels.iter().try_fold(0, bit).map(Self)
    }

    pub fn has(self, level: u8) -> bool {
        (1..=LEVEL_MAX).contains(&level) && self.0 & 1 << (level - 1) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = u8> {
        (1..=LEVEL_MAX).filter(move |it| self.has(*it))
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, level) in self.iter().enumerate() {
            write!(f, "{}{level}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

// As a list of numbers: `[1, 3]`.
impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl JsonSchema for Levels {
    fn schema_name() -> Cow<'static, str> {
        "Levels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "integer", "minimum": 1, "maximum": LEVEL_MAX },
        })
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = <Vec<u8>>::deserialize(deserializer)?;
        let rule = || format!("a call level is a number from 1 to {LEVEL_MAX}");
        Self::new(&list).ok_or_else(|| serde::de::Error::custom(rule()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_names() {
        let some = Levels::new(&[16, 2]).expect("legal levels");
        let held: Vec<u8> = (0..=20).filter(|it| some.has(*it)).collect();
        assert_eq!(held, [2, 16]);
        assert_eq!(some.to_string(), "2,16");
        assert_eq!(Levels::new(&[0]), None);
        assert_eq!(Levels::new(&[17]), None);
    }
}
