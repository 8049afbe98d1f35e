//! What an examination shows: a light for each check.

use super::change::Remedy;
use crate::finding::Finding;
use crate::language::Text;
use crate::text;

/// What is checked, in the order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Name,
    Reach,
    Transport,
    Register,
    Authentication,
    Binding,
    Call,
}

impl Check {
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Reach,
        Self::Transport,
        Self::Register,
        Self::Authentication,
        Self::Binding,
        Self::Call,
    ];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Reach => "reach",
            Self::Transport => "transport",
            Self::Register => "register",
            Self::Authentication => "authentication",
            Self::Binding => "binding",
            Self::Call => "call",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::Name => text!("name", "域名"),
            Self::Reach => text!("reach", "可达性"),
            Self::Transport => text!("transport", "传输协议"),
            Self::Register => text!("register", "注册"),
            Self::Authentication => text!("authentication", "鉴权"),
            Self::Binding => text!("incoming binding", "入呼叫绑定"),
            Self::Call => text!("test call", "测试呼叫"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// Not checked.
    Dark,
    Green,
    /// It works, and could work better.
    Amber,
    Red,
}

impl Colour {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Light {
    pub check: Check,
    pub colour: Colour,
    /// What is wrong; `None` where nothing is.
    pub finding: Option<Finding>,
    pub sentence: Text,
    /// What to look at besides.
    pub advice: Option<Text>,
    pub remedy: Option<Remedy>,
    /// The question and its answer.
    pub messages: Vec<Box<str>>,
}

impl Light {
    pub(super) fn dark(check: Check, why: Text) -> Self {
        let (colour, messages) = (Colour::Dark, Vec::new());
        Self { check, colour, finding: None, sentence: why, advice: None, remedy: None, messages }
    }
}

/// The lights of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub account: Box<str>,
    pub lights: Vec<Light>,
    /// Requests it took.
    pub registers: u8,
    pub invites: u8,
}

impl Report {
    /// The one setting to change: that of the first red light, else of the first amber one.
    pub fn remedy(&self) -> Option<&Remedy> {
        let of = |colour| self.lights.iter().filter(move |it| it.colour == colour);
        of(Colour::Red).chain(of(Colour::Amber)).find_map(|it| it.remedy.as_ref())
    }

    /// The worst light.
    pub fn colour(&self) -> Colour {
        self.lights.iter().map(|it| it.colour).max().unwrap_or(Colour::Dark)
    }
}
