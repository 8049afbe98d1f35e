//! The languages of what a person reads, and texts that exist in each of them.
//!
//! Beside the domain, because its own words (settings, release codes) are where most texts come from; the edges choose
//! the language when they show one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Display;

/// A language that texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Zh,
}

/// One text in every language. [`text!`](crate::text) makes one that names values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

    /// One below the other.
    pub fn lines(texts: impl IntoIterator<Item = Self>) -> Self {
        let (en, zh): (Vec<_>, Vec<_>) = texts.into_iter().map(|it| (it.en, it.zh)).unzip();
        Self { en: en.join("\n").into(), zh: zh.join("\n").into() }
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

impl Say for &Text {
    fn say(&self, language: Language) -> impl Display {
        self.get(language)
    }
}

/// A [`Text`] of an English and a Chinese format with the same arguments, which may be texts too.
/// It does not compile without its Chinese. An argument is evaluated once for each language.
#[macro_export]
macro_rules! text {
    ($en:literal, $zh:literal $(, $argument:expr)* $(,)?) => {{
        const { assert!(!$zh.is_ascii(), "English first, then Chinese") };
        $crate::language::Text {
            en: ::std::fmt::format(format_args!(
                $en $(, $crate::language::Say::say(&$argument, $crate::language::Language::En))*
            ))
            .into(),
            zh: ::std::fmt::format(format_args!(
                $zh $(, $crate::language::Say::say(&$argument, $crate::language::Language::Zh))*
            ))
            .into(),
        }
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
