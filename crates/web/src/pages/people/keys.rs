//! API keys (接口): what programs may do, and the secret once.

use crate::access::Scope;
use crate::pages::api::segment;
use crate::pages::failure::PageFailure;
use crate::pages::form::{Beside, Sent};
use crate::pages::layout::Layout;
use crate::pages::people::{Asked, look};
use crate::pages::viewer::Viewer;
use crate::pages::when::{When, when};
use crate::pages::words::words;
use crate::pages::{render, to};
use crate::resource::Failure;
use crate::resource::access::{ApiKeyChange, ApiKeyInfo, MadeApiKey, NewApiKey};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use pbx::language::Language;

/// Where they are, of pages and of the API.
const HOME: &str = "/api-keys";
const API: &str = "/api/v1/api-keys";

words! {
    Words {
        title: "API keys", "API密钥";
        help: "A program shows its key with every request. Give it the rights it needs and no others.",
            "程序在每个请求中出示密钥。只授予它需要的权限。";
        none: "There are no keys yet.", "还没有密钥。";
        name: "Name", "名称";
        scopes: "Rights", "权限";
        created: "Added", "添加时间";
        by: "By", "添加者";
        used: "Last used", "最近使用";
        never: "never", "从未";
        revoke: "Revoke", "撤销";
        change: "Change a key", "修改密钥";
        save: "Save", "保存";
        cancel: "Cancel", "取消";
        add: "Add a key", "添加密钥";
        made: "This key is shown now and never again:", "密钥只在此处显示一次：";
        copy: "Copy", "复制";
        copied: "Copied", "已复制";
        next: "Next page", "下一页";
    }
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    keys: Vec<Key>,
    /// Word, name, and whether it is chosen.
    scopes: Vec<(&'static str, String, bool)>,
    made: Option<String>,
    /// What was entered and not taken.
    name: String,
    wrong: Beside,
    next: Option<String>,
}

/// One of them, to be changed; what it opens stays as it is.
#[derive(Template)]
#[template(path = "api_key.html")]
struct OnePage {
    page: Layout,
    w: &'static Words,
    action: String,
    /// Of what was there when the form was shown.
    tag: String,
    name: String,
    scopes: Vec<(&'static str, String, bool)>,
    wrong: Beside,
}

struct Key {
    name: String,
    own: String,
    href: String,
    scopes: String,
    created: When,
    by: String,
    used: Option<When>,
}

pub(crate) async fn on_keys(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    Ok(page(&viewer, &asked.after, None, Refused::default()).await?)
}

pub(crate) async fn on_key_add(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let new = NewApiKey { name: field(&sent, "name"), scopes: chosen(&sent) };
    match viewer.api.post::<MadeApiKey>(API, &new).await {
        Ok(made) => Ok(page(&viewer, "", Some(made.key), Refused::default()).await?),
        Err(failure) => {
            let wrong = Beside::of(&failure, viewer.language, &["name", "scopes"]);
            let refused = Refused { name: new.name, scopes: new.scopes, wrong };
            Ok(page(&viewer, "", None, refused).await?)
        }
    }
}

fn field(sent: &Sent, name: &str) -> String {
    sent.iter().find(|it| it.0 == name).map(|it| it.1.trim().to_owned()).unwrap_or_default()
}

fn chosen(sent: &Sent) -> Vec<Scope> {
    sent.iter().filter(|it| it.0 == "scope").filter_map(|it| Scope::named(it.1.trim())).collect()
}

pub(crate) async fn on_key(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let (key, tag) = viewer.api.get_tagged::<ApiKeyInfo>(&of(&id)).await?;
    Ok(one(&viewer, &id, tag, Refused { name: key.name, scopes: key.scopes, ..Refused::default() }))
}

pub(crate) async fn on_key_change(
    viewer: Viewer,
    Path(id): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let (name, scopes, tag) = (field(&sent, "name"), chosen(&sent), field(&sent, "tag"));
    let change = ApiKeyChange { name: Some(name.clone()), scopes: Some(scopes.clone()) };
    match viewer.api.patch_if::<ApiKeyInfo>(&of(&id), &change, &tag).await {
        Ok(_) => Ok(to(HOME)),
        Err(failure) => {
            let wrong = Beside::of(&failure, viewer.language, &["name", "scopes"]);
            Ok(one(&viewer, &id, tag, Refused { name, scopes, wrong }))
        }
    }
}

fn of(id: &str) -> String {
    format!("{API}/{}", segment(id))
}

fn one(viewer: &Viewer, id: &str, tag: String, shown: Refused) -> Response {
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    let action = format!("{HOME}/{}", segment(id));
    let scopes = scopes(&shown.scopes, viewer.language);
    let Refused { name, wrong, .. } = shown;
    render(&OnePage { page, w, action, tag, name, scopes, wrong })
}

/// All there are, each with its word, its name, and whether it is chosen.
fn scopes(chosen: &[Scope], language: Language) -> Vec<(&'static str, String, bool)> {
    let shown = |it: &Scope| (it.as_str(), it.text().get(language).to_owned(), chosen.contains(it));
    Scope::ALL.iter().map(shown).collect()
}

/// What was entered, and why it was not taken.
#[derive(Default)]
struct Refused {
    name: String,
    scopes: Vec<Scope>,
    wrong: Beside,
}

pub(crate) async fn on_key_revoke(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    viewer.api.delete(&of(&id)).await?;
    Ok(to(HOME))
}

async fn page(
    viewer: &Viewer,
    after: &str,
    made: Option<String>,
    refused: Refused,
) -> Result<Response, Failure> {
    let (zone, language) = (viewer.zone(), viewer.language);
    let (keys, next) = look::<ApiKeyInfo>(viewer, API, HOME, after).await?;
    let word = |it: &Scope| it.text().get(language).to_owned();
    let key = |it: ApiKeyInfo| Key {
        own: format!("{HOME}/{}", segment(&it.id)),
        href: format!("{HOME}/{}/revoke", segment(&it.id)),
        scopes: it.scopes.iter().map(word).collect::<Vec<_>>().join(", "),
        created: when(&it.created_at, &zone),
        used: it.used_at.as_deref().map(|it| when(it, &zone)),
        by: it.created_by,
        name: it.name,
    };
    Ok(render(&Page {
        page: viewer.layout(),
        w: Words::of(language),
        keys: keys.into_iter().map(key).collect(),
        scopes: scopes(&refused.scopes, language),
        made,
        name: refused.name,
        wrong: refused.wrong,
        next,
    }))
}
