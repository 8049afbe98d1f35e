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
use crate::resource::access::{ApiKeyInfo, MadeApiKey, NewApiKey};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;

/// Where they are, of pages and of the API.
const HOME: &str = "/api-keys";
const API: &str = "/api/v1/api-keys";

words! {
    Words {
        title: "API keys", "接口密钥";
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

struct Key {
    name: String,
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
    let values = |name: &str| {
        let found = sent.iter().filter(|it| it.0 == name).map(|it| it.1.trim().to_owned());
        found.collect::<Vec<_>>()
    };
    let name = values("name").pop().unwrap_or_default();
    let scopes = values("scope").iter().filter_map(|it| Scope::named(it)).collect();
    let new = NewApiKey { name, scopes };
    match viewer.api.post::<MadeApiKey>(API, &new).await {
        Ok(made) => Ok(page(&viewer, "", Some(made.key), Refused::default()).await?),
        Err(failure) => {
            let wrong = Beside::of(&failure, viewer.language, &["name", "scopes"]);
            let refused = Refused { name: new.name, scopes: new.scopes, wrong };
            Ok(page(&viewer, "", None, refused).await?)
        }
    }
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
    viewer.api.delete(&format!("{API}/{}", segment(&id))).await?;
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
        scopes: Scope::ALL
            .iter()
            .map(|it| (it.as_str(), word(it), refused.scopes.contains(it)))
            .collect(),
        made,
        name: refused.name,
        wrong: refused.wrong,
        next,
    }))
}
