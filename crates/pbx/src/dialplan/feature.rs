//! Features with a code of their own: numbers that stand for something to do.

use crate::language::Text;
use crate::supplementary::Forwarding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a feature code does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// To hear oneself: proves that audio passes both ways.
    Echo,
    /// One's own calls go to the number that follows, in that case.
    ForwardBusy,
    ForwardBusyOff,
    ForwardUnreachable,
    ForwardUnreachableOff,
    ForwardNoAnswer,
    ForwardNoAnswerOff,
    ForwardAlways,
    ForwardAlwaysOff,
    /// One's own phones do not ring.
    DoNotDisturb,
    DoNotDisturbOff,
    /// The call that rings at the extension that follows.
    PickUp,
    /// The first call that rings in one's pickup group.
    PickUpInGroup,
}

impl Feature {
    pub const ALL: &[Self] = &[
        Self::Echo,
        Self::ForwardBusy,
        Self::ForwardBusyOff,
        Self::ForwardUnreachable,
        Self::ForwardUnreachableOff,
        Self::ForwardNoAnswer,
        Self::ForwardNoAnswerOff,
        Self::ForwardAlways,
        Self::ForwardAlwaysOff,
        Self::DoNotDisturb,
        Self::DoNotDisturbOff,
        Self::PickUp,
        Self::PickUpInGroup,
    ];

    /// What is dialled where the administrator chose no other; a number follows where the feature
    /// takes one.
    pub fn usual_code(self) -> &'static str {
        match self {
            Self::Echo => "*43",
            Self::ForwardBusy => "*90*",
            Self::ForwardBusyOff => "*90#",
            Self::ForwardUnreachable => "*91*",
            Self::ForwardUnreachableOff => "*91#",
            Self::ForwardNoAnswer => "*92*",
            Self::ForwardNoAnswerOff => "*92#",
            Self::ForwardAlways => "*93*",
            Self::ForwardAlwaysOff => "*93#",
            Self::DoNotDisturb => "*78",
            Self::DoNotDisturbOff => "*79",
            Self::PickUp => "*40*",
            Self::PickUpInGroup => "*50*",
        }
    }

    /// The word in call records and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::ForwardBusy => "forward-busy",
            Self::ForwardBusyOff => "forward-busy-off",
            Self::ForwardUnreachable => "forward-unreachable",
            Self::ForwardUnreachableOff => "forward-unreachable-off",
            Self::ForwardNoAnswer => "forward-no-answer",
            Self::ForwardNoAnswerOff => "forward-no-answer-off",
            Self::ForwardAlways => "forward-always",
            Self::ForwardAlwaysOff => "forward-always-off",
            Self::DoNotDisturb => "do-not-disturb",
            Self::DoNotDisturbOff => "do-not-disturb-off",
            Self::PickUp => "pick-up",
            Self::PickUpInGroup => "pick-up-in-group",
        }
    }

    /// Its code is followed by a number.
    pub fn takes_number(self) -> bool {
        self == Self::PickUp || self.forwards().is_some_and(|it| it.1)
    }

    /// The forwarding it sets (`true`) or cancels.
    pub fn forwards(self) -> Option<(Forwarding, bool)> {
        match self {
            Self::ForwardBusy => Some((Forwarding::Busy, true)),
            Self::ForwardBusyOff => Some((Forwarding::Busy, false)),
            Self::ForwardUnreachable => Some((Forwarding::Unreachable, true)),
            Self::ForwardUnreachableOff => Some((Forwarding::Unreachable, false)),
            Self::ForwardNoAnswer => Some((Forwarding::NoAnswer, true)),
            Self::ForwardNoAnswerOff => Some((Forwarding::NoAnswer, false)),
            Self::ForwardAlways => Some((Forwarding::Always, true)),
            Self::ForwardAlwaysOff => Some((Forwarding::Always, false)),
            Self::Echo
            | Self::DoNotDisturb
            | Self::DoNotDisturbOff
            | Self::PickUp
            | Self::PickUpInGroup => None,
        }
    }

    /// It acts on the extension that dials it: nobody outside can mean one.
    pub fn is_of_an_extension(self) -> bool {
        self != Self::Echo
    }

    /// What it does.
    pub fn text(self) -> Text {
        match self {
            Self::Echo => Text::fixed("Hear oneself", "回声测试"),
            Self::ForwardBusy => {
                Text::fixed("Forward when busy, to the number that follows", "遇忙转移，后接号码")
            }
            Self::ForwardBusyOff => Text::fixed("No forwarding when busy", "取消遇忙转移"),
            Self::ForwardUnreachable => Text::fixed(
                "Forward when unreachable, to the number that follows",
                "不可达转移，后接号码",
            ),
            Self::ForwardUnreachableOff => {
                Text::fixed("No forwarding when unreachable", "取消不可达转移")
            }
            Self::ForwardNoAnswer => Text::fixed(
                "Forward when not answered, to the number that follows",
                "无应答转移，后接号码",
            ),
            Self::ForwardNoAnswerOff => {
                Text::fixed("No forwarding when not answered", "取消无应答转移")
            }
            Self::ForwardAlways => {
                Text::fixed("Forward always, to the number that follows", "无条件转移，后接号码")
            }
            Self::ForwardAlwaysOff => Text::fixed("No forwarding always", "取消无条件转移"),
            Self::DoNotDisturb => Text::fixed("Do not disturb", "免打扰"),
            Self::DoNotDisturbOff => Text::fixed("Calls come in again", "取消免打扰"),
            Self::PickUp => Text::fixed(
                "Pick up the call of the extension that follows",
                "指定代答，后接分机号",
            ),
            Self::PickUpInGroup => Text::fixed("Pick up a call in one's group", "组内代答"),
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == name)
    }
}

/// A feature as it was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialledFeature {
    pub feature: Feature,
    /// What follows the code; empty where nothing does.
    pub number: Box<str>,
}

impl DialledFeature {
    /// The feature, if `code` stands for it and was dialled. A code that takes a number is not
    /// complete without one.
    pub fn by(feature: Feature, code: &str, dialled: &str) -> Option<Self> {
        let number = dialled.strip_prefix(code)?;
        (feature.takes_number() != number.is_empty())
            .then(|| Self { feature, number: number.into() })
    }
}

impl fmt::Display for DialledFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.feature.as_str())?;
        if self.number.is_empty() { Ok(()) } else { write!(f, " {}", self.number) }
    }
}

/// Whether a number looks like a feature code, known or not.
pub fn is_code(number: &str) -> bool {
    number.starts_with(['*', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for &it in Feature::ALL {
            assert_eq!(Feature::named(it.as_str()), Some(it));
            assert!(!it.text().zh.is_ascii());
        }
    }
}
