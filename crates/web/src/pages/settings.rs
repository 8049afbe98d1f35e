//! System settings (系统信息): every setting there is, with its range and default.

use super::api::segment;
use super::failure::{PageFailure, sentences};
use super::form::{Came, Sent, seen};
use super::layout::Layout;
use super::viewer::Viewer;
use super::words::words;
use super::{render, to};
use crate::resource::{Failure, Setting, SettingRequest};
use crate::settings::text_of;
use askama::Template;
use axum::Form as Body;
use axum::extract::Query;
use axum::response::Response;
use pbx::language::{Language, Text};
use serde::Deserialize;

/// Where the settings are, of the API.
const API: &str = "/api/v1/settings";

words! {
    Words {
        title: "System", "系统信息";
        save: "Save", "保存";
        saved: "Saved. It is in force.", "已保存并生效。";
        not_saved: "Nothing was saved of this setting and those below it.", "此设置项及其后的设置项未保存。";
        range: "Must be ", "取值应为";
        then_default: ". Default: ", "。默认值：";
        empty: "empty", "空";
        reset: "Restore the default", "恢复默认值";
    }
}

/// The names of the settings, in the order they are shown.
const NAMES: &[(&str, Text)] = &[
    ("language", Text::fixed("Language of the office", "系统语言")),
    ("time_zone", Text::fixed("Time zone", "时区")),
    ("out_group_prefix", Text::fixed("Out-group prefix", "出群呼叫前缀")),
    ("emergency_numbers", Text::fixed("Emergency numbers", "紧急号码")),
    ("no_answer_s", Text::fixed("No-answer time", "无应答时长")),
    ("realm", Text::fixed("Realm", "鉴权域")),
    ("digest_algorithms", Text::fixed("Digest algorithms", "摘要算法")),
    ("expires_min_s", Text::fixed("Shortest registration", "最短注册有效期")),
    ("expires_max_s", Text::fixed("Longest registration", "最长注册有效期")),
    ("expires_default_s", Text::fixed("Usual registration", "默认注册有效期")),
    ("session_expires_s", Text::fixed("Session timer", "会话定时器")),
    ("min_se_s", Text::fixed("Shortest session timer", "最短会话定时器")),
    ("rtp_timeout_s", Text::fixed("Media time-out", "媒体流超时")),
    ("backup_keep", Text::fixed("Nightly backups", "每夜自动备份")),
    ("mss_openapi", Text::fixed("miniSIPServer openAPI", "miniSIPServer openAPI接口")),
    ("event_channel_port", Text::fixed("Event channel: port", "事件通道：端口")),
    ("event_channel_clients", Text::fixed("Event channel: clients", "事件通道：允许的地址")),
    ("event_channel_origins", Text::fixed("Event channel: web pages", "事件通道：允许的网页")),
    ("call_back_port", Text::fixed("Call-back: local listen port", "回呼：本地监听端口")),
    ("call_back_clients", Text::fixed("Call-back: application servers", "回呼：应用服务器地址")),
    ("call_back_caller", Text::fixed("Call-back: default caller number", "回呼：默认主叫号码")),
];

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    rows: Vec<Row>,
    saved: bool,
}

struct Row {
    key: String,
    /// What is seen of the value that there is.
    was: String,
    name: String,
    value: String,
    unit: String,
    help: String,
    range: String,
    default: String,
    /// It is another value than the default.
    is_set: bool,
    /// The values it can have, where they are words.
    options: &'static [(&'static str, &'static str)],
    wrong: Vec<String>,
}

pub(crate) async fn on_settings(
    viewer: Viewer,
    Query(came): Query<Came>,
) -> Result<Response, PageFailure> {
    page(&viewer, &vec![], None, came.saved.is_some()).await
}

/// Each that was changed, in the order they are shown, until one is refused.
pub(crate) async fn on_save(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let before: Vec<Setting> = viewer.api.get(API).await?;
    for (key, value) in &sent {
        let old = before.iter().find(|it| it.key == *key);
        let tag = old.and_then(|it| seen::tag(&sent, key, value.trim(), &text_of(&it.value)));
        let Some(tag) = tag else { continue };
        let request = SettingRequest { value: value.trim().into() };
        let path = format!("{API}/{key}");
        let changed = viewer.api.patch_if::<Setting>(&path, &request, tag).await;
        if let Err(failure) = changed {
            return page(&viewer, &sent, Some((key, &failure)), false).await;
        }
    }
    Ok(to("/settings?saved=1"))
}

/// Which setting is to have its default again.
#[derive(Deserialize)]
pub(crate) struct Reset {
    key: String,
}

pub(crate) async fn on_reset(
    viewer: Viewer,
    Body(Reset { key }): Body<Reset>,
) -> Result<Response, PageFailure> {
    match viewer.api.delete(&format!("{API}/{}", segment(&key))).await {
        Ok(()) => Ok(to("/settings?saved=1")),
        Err(failure) => page(&viewer, &vec![], Some((&key, &failure)), false).await,
    }
}

async fn page(
    viewer: &Viewer,
    sent: &Sent,
    failure: Option<(&str, &Failure)>,
    saved: bool,
) -> Result<Response, PageFailure> {
    let language = viewer.language;
    let settings: Vec<Setting> = viewer.api.get(API).await?;
    let place =
        |it: &Setting| NAMES.iter().position(|name| name.0 == it.key).unwrap_or(NAMES.len());
    let mut sorted: Vec<&Setting> = settings.iter().collect();
    sorted.sort_by_key(|it| place(it));
    let row = |it: &&Setting| {
        let written = sent.iter().find(|(key, _)| *key == it.key).map(|(_, value)| value.clone());
        let failed = failure.filter(|(key, _)| *key == it.key);
        let wrong = failed.map(|(_, failure)| sentences(failure, language)).unwrap_or_default();
        let was = seen::again(sent, &it.key, &text_of(&it.value), failed.is_some());
        row(it, was, written, wrong, language)
    };
    let rows = sorted.iter().map(row).collect();
    Ok(render(&Page { page: viewer.layout(), w: Words::of(language), rows, saved }))
}

fn row(
    it: &Setting,
    was: String,
    written: Option<String>,
    wrong: Vec<String>,
    language: Language,
) -> Row {
    let name = NAMES.iter().find(|name| name.0 == it.key);
    let default = text_of(&it.default);
    let w = Words::of(language);
    Row {
        key: it.key.clone(),
        was,
        name: name.map_or(it.key.as_str(), |it| it.1.get(language)).to_owned(),
        value: written.unwrap_or_else(|| text_of(&it.value)),
        unit: it.unit.as_ref().map_or("", |it| it.get(language)).to_owned(),
        help: named(it.help.get(language), language),
        range: named(it.range.get(language), language),
        is_set: it.value != it.default,
        default: if default.is_empty() { w.empty.to_owned() } else { default },
        options: match it.key.as_str() {
            "language" => &[("en", "English"), ("zh", "中文")],
            "mss_openapi" if language == Language::Zh => &[("false", "否"), ("true", "是")],
            "mss_openapi" => &[("false", "no"), ("true", "yes")],
            _ => &[],
        },
        wrong,
    }
}

/// The text with the names of settings in the place of their keys.
fn named(text: &str, language: Language) -> String {
    let name = |text: String, (key, name): &(&str, Text)| {
        if key.contains('_') { text.replace(key, name.get(language)) } else { text }
    };
    NAMES.iter().fold(text.to_owned(), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_name_here() {
        for key in pbx::settings::KEYS {
            assert!(NAMES.iter().any(|it| it.0 == key.name), "{}", key.name);
        }
        assert_eq!(NAMES.len(), pbx::settings::KEYS.len());
    }
}
