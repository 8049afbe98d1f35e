//! The languages of what a person reads, and texts that exist in each of them.
//!
//! Beside the domain, because its own words (settings, release codes) are where most texts come from; the edges choose
//! the language when they show one.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Display;

/// A language that texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Zh,
}

/// One text in every language. [`text!`](crate::text) makes one that names values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub en: Cow<'static, str>,
    pub zh: Cow<'static, str>,
}

impl Text {
    /// Fixed words. A missing or swapped language does not compile where this makes a constant.
    pub const fn fixed(en: &'static str, zh: &'static str) -> Self {
        assert!(en.is_ascii() && !zh.is_ascii(), "English first, then Chinese");
        Self { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh) }
    }

    /// What has no language: an address, a number, the words of another program.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { en: text.clone().into(), zh: text.into() }
    }

    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Zh => &self.zh,
        }
    }
}

/// What a text can name: a value, which is the same in every language, or another text.
pub trait Say {
    fn say(&self, language: Language) -> impl Display;
}

impl<T: Display> Say for T {
    fn say(&self, _: Language) -> impl Display {
        self
    }
}

// No `Display`: whoever shows a text says in which language.
impl Say for Text {
    fn say(&self, language: Language) -> impl Display {
        self.get(language)
    }
}

/// A [`Text`] of an English and a Chinese format with the same arguments, which may be texts too.
/// It does not compile without its Chinese.
#[macro_export]
macro_rules! text {
    ($en:literal, $zh:literal $(, $argument:expr)* $(,)?) => {{
        const { assert!(!$zh.is_ascii(), "English first, then Chinese") };
        use $crate::language::{Language, Say as _, Text};
        let en = ::std::fmt::format(format_args!($en $(, $argument.say(Language::En))*));
        let zh = ::std::fmt::format(format_args!($zh $(, $argument.say(Language::Zh))*));
        Text { en: en.into(), zh: zh.into() }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_values_in_both_languages() {
        let number = 100;
        let unit = Text::fixed("seconds", "秒");
        let text = text!("{number} for {} {}", "{number}：{}{}", 5, unit);
        assert_eq!(text.get(Language::En), "100 for 5 seconds");
        assert_eq!(text.get(Language::Zh), "100：5秒");
    }
}
