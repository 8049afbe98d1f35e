//! Webhooks (Webhook): where events are sent to, what became of them, and a test.

use super::api::segment;
use super::delete::{Delete, delete_page};
use super::failure::{PageFailure, sentences};
use super::form::Sent;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{query, render, to};
use crate::resource::Failure;
use crate::webhooks::{DeliveriesPage, DeliveryInfo, NewSecret, WebhookChange, WebhookInfo};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use store::db::DeliveryState;

/// Where they are, of pages and of the API.
const HOME: &str = "/webhooks";
const API: &str = "/api/v1/webhooks";
/// Deliveries of a page.
const ROWS: &str = "50";

words! {
    Words {
        title: "Webhooks", "Webhook端点";
        help: "Events are sent to a program of yours as they happen, signed as Standard Webhooks has it, and again where it fails.", "事件发生时发送到您的程序，按Standard Webhooks规范签名，失败时重试。";
        none: "Events are sent nowhere yet.", "还没有端点。";
        url: "Address", "地址";
        types: "Events", "事件";
        types_help: "As in call.*, line.state_changed; empty: all.", "例如call.*,line.state_changed；为空表示全部。";
        all: "all", "全部";
        description: "Description", "描述";
        state: "State", "状态";
        in_use: "in use", "已启用";
        disabled: "not in use", "未启用";
        gone: "the endpoint wants no more (410)", "对端已停止接收（410）";
        add: "Add an endpoint", "添加端点";
        secret: "The secret that signs what is sent, shown now and never again:", "用于签名的密钥，仅显示一次：";
        copy: "Copy", "复制";
        copied: "Copied", "已复制";
        test: "Send a test", "发送测试";
        enable: "Take into use", "启用";
        disable: "Take out of use", "停用";
        change: "Change the endpoint", "修改端点";
        save: "Save", "保存";
        rotate: "New secret", "更换密钥";
        rotate_help: "After a new secret the old one signs too for a day.", "更换后，旧密钥在一天之内同时签名。";
        delete: "Delete", "删除";
        delete_title: "Delete the endpoint?", "确定删除该端点？";
        delete_help: "Its log goes too.", "投递记录也会删除。";
        log: "Deliveries", "投递记录";
        log_empty: "Nothing was sent yet.", "还没有投递。";
        at: "Time", "时间";
        event: "Event", "事件";
        attempts: "Attempts", "次数";
        answer: "Answer", "应答";
        next_try: "next", "下次";
        resend: "Send again", "重新投递";
        older: "Older", "更早的";
    }
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct ListPage {
    page: Layout,
    w: &'static Words,
    hooks: Vec<Hook>,
    asked: Asked,
    secret: Option<String>,
    wrong: Vec<String>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct OnePage {
    page: Layout,
    w: &'static Words,
    it: Hook,
    /// Of what was there when the page was shown.
    tag: String,
    asked: Asked,
    log: Vec<Row>,
    next: Option<String>,
    wrong: Vec<String>,
}

/// What was written into the form.
#[derive(Default)]
struct Asked {
    url: String,
    types: String,
    description: String,
}

impl Asked {
    fn of(sent: &Sent) -> Self {
        let of = |name: &str| field(sent, name);
        Self { url: of("url"), types: of("types"), description: of("description") }
    }

    fn change(&self) -> WebhookChange {
        WebhookChange {
            url: Some(self.url.clone()),
            types: Some(self.types.clone()),
            description: Some(self.description.clone()),
            enabled: None,
        }
    }
}

struct Hook {
    href: String,
    url: String,
    types: String,
    description: String,
    class: &'static str,
    state: &'static str,
    enabled: bool,
}

struct Row {
    id: i64,
    href: String,
    at: When,
    event: String,
    class: &'static str,
    state: String,
    next: Option<When>,
    attempts: u32,
    answer: String,
}

/// From which delivery on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    cursor: String,
}

pub(crate) async fn on_list(viewer: Viewer) -> Result<Response, PageFailure> {
    Ok(list(&viewer, Asked::default(), None, None).await?)
}

pub(crate) async fn on_add(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let asked = Asked::of(&sent);
    match viewer.api.post::<NewSecret>(API, &asked.change()).await {
        Ok(made) => Ok(list(&viewer, Asked::default(), Some(made.secret), None).await?),
        Err(failure) => Ok(list(&viewer, asked, None, Some(&failure)).await?),
    }
}

async fn list(
    viewer: &Viewer,
    asked: Asked,
    secret: Option<String>,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let w = Words::of(viewer.language);
    let all: Vec<WebhookInfo> = viewer.api.get(API).await?;
    Ok(render(&ListPage {
        page: viewer.layout(),
        w,
        hooks: all.into_iter().map(|it| hook(it, w)).collect(),
        asked,
        secret,
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    }))
}

pub(crate) async fn on_show(
    viewer: Viewer,
    Path(id): Path<String>,
    Query(from): Query<Place>,
) -> Result<Response, PageFailure> {
    Ok(one(&viewer, &id, &from.cursor, None).await?)
}

pub(crate) async fn on_change(
    viewer: Viewer,
    Path(id): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let asked = Asked::of(&sent);
    let tag = field(&sent, "tag");
    match viewer.api.patch_if::<WebhookInfo>(&api(&id), &asked.change(), &tag).await {
        Ok(_) => Ok(to(&own(&id))),
        Err(failure) => Ok(one(&viewer, &id, "", Some((&failure, Some(asked)))).await?),
    }
}

async fn one(
    viewer: &Viewer,
    id: &str,
    cursor: &str,
    refused: Option<(&Failure, Option<Asked>)>,
) -> Result<Response, Failure> {
    let w = Words::of(viewer.language);
    let (it, tag) = viewer.api.get_tagged::<WebhookInfo>(&api(id)).await?;
    let path = query(&format!("{}/deliveries", api(id)), &[("limit", ROWS), ("cursor", cursor)]);
    let found: DeliveriesPage = viewer.api.get(&path).await?;
    let next = found.next.map(|it| query(&own(id), &[("cursor", &it.to_string())]));
    let (failure, asked) = refused.map_or((None, None), |it| (Some(it.0), it.1));
    let present = || Asked {
        url: it.url.clone(),
        types: it.types.clone(),
        description: it.description.clone(),
    };
    Ok(render(&OnePage {
        page: viewer.layout(),
        w,
        tag,
        asked: asked.unwrap_or_else(present),
        it: hook(it, w),
        log: found.deliveries.into_iter().map(|it| row(viewer, id, it)).collect(),
        next,
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    }))
}

pub(crate) async fn on_test(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let sent = viewer.api.post::<Value>(&format!("{}:test", api(&id)), &()).await;
    done(&viewer, &id, sent.map(drop)).await
}

pub(crate) async fn on_enabled(
    viewer: Viewer,
    Path(id): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let enabled = Some(field(&sent, "enabled") == "true");
    let change = WebhookChange { enabled, ..WebhookChange::default() };
    let changed = viewer.api.patch::<WebhookInfo>(&api(&id), &change).await;
    done(&viewer, &id, changed.map(drop)).await
}

pub(crate) async fn on_rotate(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let made: NewSecret = viewer.api.post(&format!("{}:rotate", api(&id)), &()).await?;
    Ok(list(&viewer, Asked::default(), Some(made.secret), None).await?)
}

pub(crate) async fn on_resend(
    viewer: Viewer,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Response, PageFailure> {
    let path = format!("{}/deliveries/{}:resend", api(&id), segment(&delivery));
    let sent = viewer.api.post::<Value>(&path, &()).await;
    done(&viewer, &id, sent.map(drop)).await
}

async fn done(
    viewer: &Viewer,
    id: &str,
    done: Result<(), Failure>,
) -> Result<Response, PageFailure> {
    match done {
        Ok(()) => Ok(to(&own(id))),
        Err(failure) => Ok(one(viewer, id, "", Some((&failure, None))).await?),
    }
}

pub(crate) async fn on_delete_form(viewer: Viewer, Path(id): Path<String>) -> Response {
    delete_page(&viewer, delete(&viewer, id).await, None)
}

pub(crate) async fn on_delete(viewer: Viewer, Path(id): Path<String>) -> Response {
    match viewer.api.delete(&api(&id)).await {
        Ok(()) => to(HOME),
        Err(failure) => delete_page(&viewer, delete(&viewer, id).await, Some(&failure)),
    }
}

/// People know an endpoint by its address.
async fn delete(viewer: &Viewer, id: String) -> Delete {
    let w = Words::of(viewer.language);
    let (action, back) = (format!("{}/delete", own(&id)), own(&id));
    let found: Result<WebhookInfo, Failure> = viewer.api.get(&api(&id)).await;
    let name = found.map_or(id, |it| it.url);
    Delete { title: w.delete_title, help: w.delete_help, name, action, back }
}

fn hook(it: WebhookInfo, w: &'static Words) -> Hook {
    let (class, state) = match (it.enabled, it.gone) {
        (_, true) => ("bad", w.gone),
        (true, false) => ("good", w.in_use),
        (false, false) => ("off", w.disabled),
    };
    Hook {
        href: own(&it.id),
        types: if it.types.is_empty() { w.all.to_owned() } else { it.types },
        url: it.url,
        description: it.description,
        class,
        state,
        enabled: it.enabled,
    }
}

fn row(viewer: &Viewer, id: &str, it: DeliveryInfo) -> Row {
    let state = it.state_text().get(viewer.language).to_owned();
    let answer = it.answer_text().get(viewer.language).to_owned();
    let class = match it.state {
        DeliveryState::Waiting => "warn",
        DeliveryState::Delivered => "good",
        DeliveryState::Parked => "bad",
    };
    let zone = viewer.zone();
    Row {
        id: it.id,
        href: format!("{}/deliveries/{}/resend", own(id), it.id),
        at: when(&it.created_at, &zone),
        event: it.r#type,
        class,
        state,
        next: it.next_at.as_deref().map(|it| when(it, &zone)),
        attempts: it.attempts,
        answer,
    }
}

fn own(id: &str) -> String {
    format!("{HOME}/{}", segment(id))
}

fn api(id: &str) -> String {
    format!("{API}/{}", segment(id))
}

fn field(sent: &Sent, name: &str) -> String {
    let found = sent.iter().find(|it| it.0 == name);
    found.map(|it| it.1.trim().to_owned()).unwrap_or_default()
}
