//! Who looks at a page, and in which language.

use super::Pages;
use super::api::Api;
use super::layout::Layout;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use pbx::language::{Language, Text};
use serde::Deserialize;
use std::convert::Infallible;

/// Keeps the language that was chosen. Not a secret, and of no use to anybody else.
const LANGUAGE_COOKIE: &str = "lang";

pub(crate) struct Viewer {
    pub(crate) language: Language,
    /// Chosen with this request: it is to be kept.
    chosen: bool,
    pub(crate) api: Api,
    pub(crate) pages: Pages,
    uri: Uri,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chosen {
    lang: Option<String>,
}

impl Viewer {
    pub(crate) fn of(parts: &Parts, pages: &Pages) -> Self {
        let chosen = Query::<Chosen>::try_from_uri(&parts.uri).unwrap_or_default().0.lang;
        let chosen = chosen.as_deref().and_then(named);
        let language = chosen.or_else(|| by_cookie(&parts.headers));
        Self {
            language: language.unwrap_or_else(|| by_browser(&parts.headers)),
            chosen: chosen.is_some(),
            api: Api::new(pages.api.clone()),
            pages: pages.clone(),
            uri: parts.uri.clone(),
        }
    }

    /// What stands around the page.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.language, &self.uri, self.pages.running.status().calls, self.csrf())
    }

    /// What a form of who looks must bring back.
    pub(crate) fn csrf(&self) -> String {
        String::new()
    }

    pub(crate) fn say<'a>(&self, text: &'a Text) -> &'a str {
        text.get(self.language)
    }

    /// The cookie that keeps the language, where it was chosen with this request.
    pub(crate) fn cookie(&self) -> Option<String> {
        let word = word(self.language);
        let cookie = || format!("{LANGUAGE_COOKIE}={word}; Path=/; Max-Age=31536000; SameSite=Lax");
        self.chosen.then(cookie)
    }
}

impl FromRequestParts<Pages> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Infallible> {
        Ok(Self::of(parts, pages))
    }
}

/// As HTML names it.
pub(crate) fn word(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Zh => "zh",
    }
}

fn named(word: &str) -> Option<Language> {
    [Language::En, Language::Zh].into_iter().find(|it| self::word(*it) == word)
}

fn by_cookie(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = cookies.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == LANGUAGE_COOKIE).then(|| named(value))?)
}

/// The first language of the browser that texts exist in.
fn by_browser(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
    let primary = |it: &str| named(it.trim().split(['-', ';']).next()?);
    accepted.and_then(|it| it.split(',').find_map(primary)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn browser_table() {
        #[rustfmt::skip]
        let table = [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Zh),
            ("en-US,en;q=0.9,zh;q=0.8", Language::En),
            ("fr, zh;q=0.5",            Language::Zh),
            ("fr",                      Language::En),
        ];
        for (value, expected) in table {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value.parse().unwrap())]);
            assert_eq!(by_browser(&headers), expected, "{value}");
        }
    }

    #[test]
    fn cookie_table() {
        #[rustfmt::skip]
        let table = [
            ("lang=zh",            Some(Language::Zh)),
            ("a=b; lang=en; c=d",  Some(Language::En)),
            ("lang=<script>",      None),
            ("xlang=zh",           None),
        ];
        for (value, expected) in table {
            let headers = HeaderMap::from_iter([(header::COOKIE, value.parse().unwrap())]);
            assert_eq!(by_cookie(&headers), expected, "{value}");
        }
    }
}
