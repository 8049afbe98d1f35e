//! The manual (`docs/manual`) and the reference pages it names, as pages below `/help`: what is installed explains
//! itself, without a request to anywhere else.

mod markdown;

use super::failure::PageFailure;
use super::layout::Layout;
use super::render;
use super::viewer::{Viewer, word};
use super::words::words;
use crate::resource::Failure;
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use pbx::language::Language;
use pbx::text;

const HOME: &str = "/help";

words! {
    Words {
        title: "Manual", "用户手册";
    }
}

/// A chapter by its file's name, in both languages.
type Chapter = (&'static str, [&'static str; 2]);

macro_rules! chapters {
    ($($name:literal)*) => { &[$((
        $name,
        [
            include_str!(concat!("../../../../docs/manual/en/", $name, ".md")),
            include_str!(concat!("../../../../docs/manual/zh/", $name, ".md")),
        ],
    )),*] };
}

macro_rules! references {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../../../docs/", $name, ".md")))),*] };
}

/// The first is what `/help` shows.
const CHAPTERS: &[Chapter] = chapters!(
    "README" "install" "extensions" "external-lines" "sip-trunks" "dial-plan" "feature-codes" "call-records"
    "api" "security" "backup" "command-line" "trouble"
);

/// In both languages at once.
const REFERENCES: &[(&str, &str)] = references!(
    "configuration" "settings" "lines" "dial-plan" "release-codes" "events" "minisipserver"
);

/// Where the pages that begin so are explained.
const OF_PAGES: [(&str, &str); 18] = [
    ("/welcome", "/install"),
    ("/extensions", "/extensions"),
    ("/registrations", "/extensions"),
    ("/external-lines", "/external-lines"),
    ("/sip-trunks", "/sip-trunks"),
    ("/dial-plan", "/dial-plan"),
    ("/feature-codes", "/feature-codes"),
    ("/calls", "/call-records"),
    ("/call-records", "/call-records"),
    ("/settings", "/reference/settings"),
    ("/administrators", "/security"),
    ("/audit", "/security"),
    ("/certificate", "/security"),
    ("/api-keys", "/api"),
    ("/webhooks", "/api"),
    ("/backups", "/backup"),
    ("/trace", "/trouble"),
    ("/help/", ""),
];

/// The part of the manual that explains a page.
pub(crate) fn of_page(path: &str) -> String {
    let chapter = OF_PAGES.iter().find(|it| path.starts_with(it.0)).map_or("", |it| it.1);
    format!("{HOME}{chapter}")
}

#[derive(Template)]
#[template(path = "help.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    first: bool,
    text: String,
}

pub(crate) async fn on_manual(viewer: Viewer) -> Result<Response, PageFailure> {
    chapter(&viewer, CHAPTERS.first())
}

pub(crate) async fn on_chapter(
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageFailure> {
    chapter(&viewer, CHAPTERS.iter().find(|it| it.0 == name))
}

fn chapter(viewer: &Viewer, found: Option<&Chapter>) -> Result<Response, PageFailure> {
    let (name, [en, zh]) = found.ok_or_else(missing)?;
    let text = match viewer.language {
        Language::En => en,
        Language::Zh => zh,
    };
    Ok(page(viewer, *name == "README", markdown::html(text, &of_manual)))
}

pub(crate) async fn on_reference(
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageFailure> {
    let found = REFERENCES.iter().find(|it| it.0 == name).ok_or_else(missing)?;
    Ok(page(&viewer, false, markdown::html(found.1, &of_reference)))
}

fn page(viewer: &Viewer, first: bool, text: String) -> Response {
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    render(&Page { page, w, first, text })
}

fn missing() -> Failure {
    Failure::new(404, "not_found", text!("There is no such page.", "没有这个页面。"))
}

/// Where a link of a chapter leads.
fn of_manual(to: &str) -> Option<String> {
    for language in [Language::En, Language::Zh] {
        let language = word(language);
        if to == format!("../{language}/README.md") {
            return Some(format!("{HOME}?lang={language}"));
        }
    }
    let name = to.strip_suffix(".md")?;
    match name.strip_prefix("../../") {
        Some(name) => of_reference(&format!("{name}.md")),
        None => {
            let known = CHAPTERS.iter().any(|it| it.0 == name);
            known.then(|| format!("{HOME}/{name}"))
        }
    }
}

/// Where a link of a reference page leads.
fn of_reference(to: &str) -> Option<String> {
    let name = to.strip_suffix(".md")?;
    let known = REFERENCES.iter().any(|it| it.0 == name);
    known.then(|| format!("{HOME}/reference/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every link of the manual leads to a page that there is.
    #[test]
    fn every_link_leads_somewhere() {
        let mut links = 0;
        for (name, text) in CHAPTERS.iter().flat_map(|(name, texts)| texts.map(|it| (name, it))) {
            for to in text.split("](").skip(1).filter_map(|it| it.split_once(')')) {
                assert!(of_manual(to.0).is_some(), "{name}: {}", to.0);
                links += 1;
            }
        }
        assert!(links > 50, "{links} links");
    }

    #[test]
    fn each_page_is_explained_by_a_chapter_that_there_is() {
        for (page, chapter) in OF_PAGES {
            let name = chapter.trim_start_matches('/');
            let (is_reference, name) = match name.strip_prefix("reference/") {
                Some(name) => (true, name),
                None => (false, name),
            };
            let known = match is_reference {
                true => REFERENCES.iter().any(|it| it.0 == name),
                false => name.is_empty() || CHAPTERS.iter().any(|it| it.0 == name),
            };
            assert!(known, "{page}: {chapter}");
        }
        assert_eq!(of_page("/extensions/101"), "/help/extensions");
        assert_eq!(of_page("/"), "/help");
    }
}
