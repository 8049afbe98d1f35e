//! Features with a code of their own: numbers that stand for something to do.

use serde::{Deserialize, Serialize};

/// What a feature code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// To hear oneself: proves that audio passes both ways.
    Echo,
}

impl Feature {
    pub const ALL: &[Self] = &[Self::Echo];

    /// What is dialled.
    pub fn code(self) -> &'static str {
        match self {
            Self::Echo => "*43",
        }
    }

    /// The word in call records and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
        }
    }

    /// The feature whose code this number is.
    pub fn dialled(number: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.code() == number)
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == name)
    }
}
