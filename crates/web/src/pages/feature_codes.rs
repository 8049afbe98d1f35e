//! Feature codes (业务码): what phones dial for a service.

use super::failure::{PageFailure, beside};
use super::form::{Came, Sent, seen};
use super::layout::Layout;
use super::viewer::Viewer;
use super::words::words;
use super::{render, to};
use crate::resource::{Failure, FeatureCode, FeatureCodeRequest};
use askama::Template;
use axum::Form as Body;
use axum::extract::Query;
use axum::response::Response;
use pbx::language::Language;

/// Where they are, of the API.
const API: &str = "/api/v1/feature-codes";
/// What the API calls a feature without a code.
const OFF: &str = "off";

words! {
    Words {
        title: "Feature codes", "业务码";
        help: "Empty: the feature is not dialled. Where a number follows, it is dialled behind the code.",
            "留空则不使用该业务。需要号码的业务，在业务码后接着拨号码。";
        feature: "Service", "业务";
        code: "Code", "业务码";
        usual: "Usual code", "默认业务码";
        number: "followed by a number", "后接号码";
        save: "Save", "保存";
        saved: "Saved. It is in force.", "已保存并生效。";
        not_saved: "Nothing was saved of this code and those below it.", "此业务码及其后的业务码未保存。";
    }
}

#[derive(Template)]
#[template(path = "feature_codes.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    rows: Vec<Row>,
    saved: bool,
}

struct Row {
    feature: String,
    /// What is seen of the code that there is.
    was: String,
    help: String,
    code: String,
    usual: String,
    takes_number: bool,
    wrong: Vec<String>,
}

pub(crate) async fn on_codes(
    viewer: Viewer,
    Query(came): Query<Came>,
) -> Result<Response, PageFailure> {
    page(&viewer, &vec![], None, came.saved.is_some()).await
}

/// Each that was changed, until one is refused.
pub(crate) async fn on_save(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let before: Vec<FeatureCode> = viewer.api.get(API).await?;
    for (feature, code) in &sent {
        let old = before.iter().find(|it| it.feature == *feature);
        let Some(tag) = old.and_then(|it| seen::tag(&sent, feature, code.trim(), shown(it))) else {
            continue;
        };
        let (path, request) =
            (format!("{API}/{feature}"), FeatureCodeRequest { code: written(code) });
        let changed = viewer.api.patch_if::<FeatureCode>(&path, &request, tag).await;
        if let Err(failure) = changed {
            return page(&viewer, &sent, Some((feature, &failure)), false).await;
        }
    }
    Ok(to("/feature-codes?saved=1"))
}

/// Empty: it has none.
fn shown(it: &FeatureCode) -> &str {
    if it.code == OFF { "" } else { &it.code }
}

fn written(code: &str) -> String {
    let code = code.trim();
    if code.is_empty() { OFF.to_owned() } else { code.to_owned() }
}

async fn page(
    viewer: &Viewer,
    sent: &Sent,
    failure: Option<(&str, &Failure)>,
    saved: bool,
) -> Result<Response, PageFailure> {
    let codes: Vec<FeatureCode> = viewer.api.get(API).await?;
    let row = |it: FeatureCode| {
        let failed = failure.filter(|(feature, _)| *feature == it.feature);
        let was = seen::again(sent, &it.feature, shown(&it), failed.is_some());
        let wrong = failed.map(|(_, failure)| beside(failure, viewer.language));
        row(it, was, sent, wrong.unwrap_or_default(), viewer.language)
    };
    let rows = codes.into_iter().map(row).collect();
    Ok(render(&Page { page: viewer.layout(), w: Words::of(viewer.language), rows, saved }))
}

fn row(it: FeatureCode, was: String, sent: &Sent, wrong: Vec<String>, language: Language) -> Row {
    let written = sent.iter().find(|(feature, _)| *feature == it.feature);
    Row {
        code: written.map_or_else(|| shown(&it).to_owned(), |it| it.1.clone()),
        was,
        help: it.help.get(language).to_owned(),
        feature: it.feature,
        usual: it.usual,
        takes_number: it.takes_number,
        wrong,
    }
}
