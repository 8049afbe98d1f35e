//! Extensions (分机): the list, adding one or a range, the form, the password, and deleting.

mod fields;
pub(crate) mod import;
mod list;
mod made;

pub(crate) use list::on_list;
pub(crate) use made::{add_range, cards, on_lamp, on_password, on_range, on_range_form};

use super::api::segment;
use super::delete::{Delete, delete_page};
use super::failure::{PageFailure, sentences};
use super::form::{Beside, Came, Form, List, Sent, Tab, changes, open_tab, read, shown};
use super::layout::Layout;
use super::viewer::Viewer;
use super::words::words;
use super::{form, render, to};
use crate::conventions::plain;
use crate::resource::{AddRequest, Change, Credentials, Extension, Failure, NewExtension};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use fields::{NEW_TABS, TABS};
use serde_json::Value;
use store::db::{ExtensionProfile, StoredExtension};

/// Where extensions are, of pages.
const HOME: &str = "/extensions";
/// And of the API.
const API: &str = "/api/v1/extensions";

words! {
    Words {
        title: "Extension", "分机";
        new: "Add an extension", "添加分机";
        password: "Reset the password", "重置密码";
        new_password: "New password (empty: one is made)", "新密码（留空则自动生成）";
        allow_weak: "Take a weak password; the phone is accepted from private networks only", "允许弱密码；仅接受来自私网的注册";
        password_help: "A new password is made and shown once. Phones with the old one are registered no longer.",
            "生成新密码并只显示一次。使用旧密码的话机注册立即失效。";
        has_password: "It has a password.", "已设置密码。";
        weak: "Its password is well known: it is let in from private networks only.", "密码过于简单：仅允许从私网接入。";
        no_password: "It has no password: it is known by its address.", "未设置密码：按IP地址鉴权。";
        devices: "Registrations", "注册状态";
        saved: "Saved. It is in force.", "已保存并生效。";
        delete_title: "Delete the extension?", "确定删除该分机？";
        delete_help: "Its phones are registered no longer. Calls that are up go on.", "其话机注册立即失效，进行中的呼叫不受影响。";
    }
}

#[derive(Template)]
#[template(path = "extension.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    heading: String,
    /// Where its phones are.
    devices: Option<String>,
    saved: bool,
    password: Option<&'static str>,
    action: String,
    /// What is wrong with the password that was chosen.
    wrong: Beside,
    form: Form,
}

pub(crate) async fn on_new_form(viewer: Viewer) -> Result<Response, PageFailure> {
    Ok(render(&new_page(&viewer, &untouched(), "", None)))
}

pub(crate) async fn on_new(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let json = read(NEW_TABS, &sent);
    match add(&viewer, &json).await {
        Ok(made) => Ok(cards(&viewer, made, false).await),
        Err(failure) => Ok(render(&new_page(&viewer, &json, open_tab(&sent), Some(failure)))),
    }
}

/// What a new extension begins with.
fn untouched() -> Value {
    let profile = ExtensionProfile::new("");
    let new =
        Extension::from(StoredExtension { profile, has_password: false, weak_password: false });
    serde_json::to_value(new).unwrap_or_default()
}

async fn add(viewer: &Viewer, json: &Value) -> Result<Vec<Credentials>, Failure> {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let change = changes(TABS, &untouched(), json);
    let new = NewExtension {
        number: text("number").unwrap_or_default(),
        password: text("password"),
        change: as_change(change)?,
    };
    let request = AddRequest { extensions: vec![new], ..AddRequest::default() };
    viewer.api.post(API, &request).await
}

/// Letters for a number and the like end here, in the words of the API.
fn as_change(json: Value) -> Result<Change, Failure> {
    let refused =
        |error: serde_json::Error| Failure::new(422, "invalid", plain(&error.to_string()));
    for (name, value) in json.as_object().into_iter().flatten() {
        // Alone, so that it is known which one does not fit.
        let one = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        serde_json::from_value::<Change>(one).map_err(|error| refused(error).at(name))?;
    }
    serde_json::from_value(json).map_err(refused)
}

fn new_page(viewer: &Viewer, json: &Value, tab: &str, failure: Option<Failure>) -> Page {
    let w = Words::of(viewer.language);
    let action = format!("{HOME}/new");
    Page {
        page: viewer.layout(),
        w,
        heading: w.new.to_owned(),
        devices: None,
        saved: false,
        password: None,
        action: String::new(),
        wrong: Beside::default(),
        form: form_of(viewer, NEW_TABS, json, tab, failure, (action, String::new())),
    }
}

/// A form of these tabs that goes to `action`; the other path is where deleting is.
fn form_of(
    viewer: &Viewer,
    tabs: &'static [Tab],
    json: &Value,
    tab: &str,
    failure: Option<Failure>,
    (action, delete): (String, String),
) -> Form {
    Form {
        w: form::Words::of(viewer.language),
        action,
        csrf: viewer.csrf(),
        tag: String::new(),
        tabs: shown(tabs, json, viewer.language, tab, failure.as_ref()),
        lists: vec![List { name: "plans", values: viewer.plans() }],
        wrong: failure.map(|it| sentences(&it, viewer.language)).unwrap_or_default(),
        back: HOME.to_owned(),
        delete,
    }
}

pub(crate) async fn on_form(
    viewer: Viewer,
    Path(number): Path<String>,
    Query(came): Query<Came>,
) -> Result<Response, PageFailure> {
    let (json, tag): (Value, String) = viewer.api.get_tagged(&api(&number)).await?;
    let mut page = page(&viewer, &number, &json, &json, "", None);
    page.saved = came.saved.is_some();
    page.form.tag = tag;
    Ok(render(&page))
}

/// The form of an extension, with what is wrong with the password that was chosen for it.
async fn with_password(
    viewer: &Viewer,
    number: &str,
    failure: &Failure,
) -> Result<Response, Failure> {
    let (json, tag): (Value, String) = viewer.api.get_tagged(&api(number)).await?;
    let mut page = page(viewer, number, &json, &json, "", None);
    page.wrong = Beside::of(failure, viewer.language, &["password"]);
    page.form.tag = tag;
    Ok(render(&page))
}

pub(crate) async fn on_save(
    viewer: Viewer,
    Path(number): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let before: Value = viewer.api.get(&api(&number)).await?;
    let json = read(TABS, &sent);
    let change = changes(TABS, &before, &json);
    let saved = viewer.api.patch_if::<Value>(&api(&number), &change, form::tag(&sent)).await;
    match saved {
        Ok(_) => Ok(to(&format!("{}?saved=1", own(&number)))),
        Err(failure) => {
            let (tab, again) = (open_tab(&sent), form::tag_again(&sent, &failure));
            let mut page = page(&viewer, &number, &before, &json, tab, Some(failure));
            page.form.tag = again;
            Ok(render(&page))
        }
    }
}

fn page(
    viewer: &Viewer,
    number: &str,
    stored: &Value,
    json: &Value,
    tab: &str,
    failure: Option<Failure>,
) -> Page {
    let w = Words::of(viewer.language);
    let is = |name: &str| stored[name].as_bool() == Some(true);
    let password = match (is("has_password"), is("weak_password")) {
        (false, _) => w.no_password,
        (true, true) => w.weak,
        (true, false) => w.has_password,
    };
    let paths = (own(number), format!("{}/delete", own(number)));
    Page {
        page: viewer.layout(),
        w,
        heading: format!("{} {number}", w.title),
        devices: Some(format!("/registrations/{}", segment(number))),
        saved: false,
        password: Some(password),
        action: format!("{}/password", own(number)),
        wrong: Beside::default(),
        form: form_of(viewer, TABS, json, tab, failure, paths),
    }
}

pub(crate) async fn on_delete_form(
    viewer: Viewer,
    Path(number): Path<String>,
) -> Result<Response, PageFailure> {
    viewer.api.get::<Value>(&api(&number)).await?;
    Ok(delete_page(&viewer, delete(&viewer, &number), None))
}

pub(crate) async fn on_delete(
    viewer: Viewer,
    Path(number): Path<String>,
) -> Result<Response, PageFailure> {
    match viewer.api.delete(&api(&number)).await {
        Ok(()) => Ok(to(HOME)),
        Err(failure) => Ok(delete_page(&viewer, delete(&viewer, &number), Some(&failure))),
    }
}

fn delete(viewer: &Viewer, number: &str) -> Delete {
    let w = Words::of(viewer.language);
    Delete {
        title: w.delete_title,
        help: w.delete_help,
        name: format!("{} {number}", w.title),
        action: format!("{}/delete", own(number)),
        back: own(number),
    }
}

/// The page of an extension.
fn own(number: &str) -> String {
    format!("{HOME}/{}", segment(number))
}

fn api(number: &str) -> String {
    format!("{API}/{}", segment(number))
}
