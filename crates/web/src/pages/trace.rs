//! Trace and capture (信令跟踪、抓包): follow the messages of an extension, line, trunk or address as they come, and
//! take them away.

use super::api::segment;
use super::failure::PageFailure;
use super::form::Beside;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, clock, when};
use super::words::words;
use super::{render, to};
use crate::captures::{BYTES_MAX, MINUTES, MINUTES_MAX, NewCapture};
use crate::resource::{Capture, CapturePage, Failure, Traced};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use pbx::text;
use serde::Deserialize;

const API: &str = "/api/v1/captures";
/// What is followed, as the API names it.
const VALUES: [&str; 4] = ["ext", "ip", "line", "trunk"];

words! {
    Words {
        title: "Trace and capture", "信令跟踪与抓包";
        help: "SIP messages from now on, with passwords and keys masked. A capture stops by itself after its time, or when it is full ({mib} MiB).",
            "从现在起的SIP消息，密码和密钥已隐藏。到达设定时长或存满{mib} MiB后自动停止。";
        follow: "Follow", "跟踪对象";
        extension: "Extension", "分机";
        line: "External line", "外线";
        trunk: "SIP trunk", "SIP中继";
        address: "Address", "IP地址";
        everything: "Everything", "全部";
        value: "Number, account or address", "号码、账号或地址";
        minutes: "Minutes", "分钟";
        start: "Start", "开始";
        stop: "Stop", "停止";
        delete: "Delete", "删除";
        download: "Download pcap", "下载pcap";
        none: "Nothing was captured yet.", "尚无抓包。";
        started: "Started", "开始时间";
        state: "State", "状态";
        messages: "Messages", "消息数";
        running: "running", "进行中";
        time: "stopped: its time is over", "已停止：到达时长";
        full: "stopped: it is full", "已停止：已存满";
        stopped: "stopped", "已停止";
        lost: "Messages came faster than they could be kept: some are missing.", "消息到达过快，有一部分未能保存。";
        open: "Open", "查看";
        all: "All captures", "全部抓包";
        waiting: "Messages appear here as they come.", "消息到达后在此显示。";
        reload: "Look again", "刷新";
    }
}

#[derive(Template)]
#[template(path = "captures.html")]
struct ListPage {
    page: Layout,
    w: &'static Words,
    help: String,
    most: u32,
    rows: Vec<Row>,
    /// What can be followed: word, name, and whether it is chosen.
    kinds: Vec<(&'static str, &'static str, bool)>,
    /// What was entered, and why it was not taken.
    wanted: Wanted,
    wrong: Beside,
}

#[derive(Template)]
#[template(path = "capture.html")]
struct OnePage {
    page: Layout,
    w: &'static Words,
    row: Row,
    more: More,
}

/// What came since.
#[derive(Template)]
#[template(path = "capture-more.html")]
struct Since {
    more: More,
}

/// Messages, and where the next ones come from.
struct More {
    messages: Vec<Message>,
    /// `None`: there are no more.
    next: Option<String>,
}

struct Row {
    id: u64,
    follows: String,
    started: When,
    state: &'static str,
    messages: usize,
    lost: bool,
    is_running: bool,
}

struct Message {
    time: String,
    way: String,
    what: String,
    text: String,
}

/// What the form brings back.
#[derive(Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    minutes: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    after: usize,
}

pub(crate) async fn on_list(viewer: Viewer) -> Result<Response, PageFailure> {
    let wanted = Wanted { minutes: MINUTES.to_string(), ..Wanted::default() };
    Ok(list(&viewer, wanted, None).await?)
}

async fn list(
    viewer: &Viewer,
    wanted: Wanted,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let found: Vec<Capture> = viewer.api.get(API).await?;
    let (zone, w) = (viewer.zone(), Words::of(viewer.language));
    let rows = found.iter().map(|it| row(it, w, &zone)).collect();
    let help = w.help.replace("{mib}", &(BYTES_MAX / 1024 / 1024).to_string());
    let (page, most) = (viewer.layout(), MINUTES_MAX);
    let wrong = failure.map(|it| Beside::of(it, viewer.language, &["value", "minutes"]));
    let wrong = wrong.unwrap_or_default();
    let kinds = [
        ("ext", w.extension),
        ("line", w.line),
        ("trunk", w.trunk),
        ("ip", w.address),
        ("all", w.everything),
    ];
    let kinds = kinds.into_iter().map(|(word, name)| (word, name, word == wanted.kind)).collect();
    let page = render(&ListPage { page, w, help, most, rows, kinds, wanted, wrong });
    let status = failure.and_then(|it| StatusCode::from_u16(it.status).ok()).unwrap_or_default();
    Ok((status, page).into_response())
}

pub(crate) async fn on_begin(
    viewer: Viewer,
    Form(wanted): Form<Wanted>,
) -> Result<Response, PageFailure> {
    let begun = match read(&wanted) {
        Ok(new) => viewer.api.post::<Capture>(API, &new).await,
        Err(failure) => Err(failure),
    };
    match begun {
        Ok(begun) => Ok(to(&format!("/trace/{}", begun.id))),
        Err(mut failure) => {
            // One field of the page is any of these of the API.
            if failure.field.as_deref().is_some_and(|it| VALUES.contains(&it)) {
                failure.field = Some("value".into());
            }
            Ok(list(&viewer, wanted, Some(&failure)).await?)
        }
    }
}

fn read(wanted: &Wanted) -> Result<NewCapture, Failure> {
    let value = wanted.value.trim();
    let wrong = |field: &str| {
        let text = text!("{value:?} cannot be followed", "无法跟踪{value:?}");
        Failure::new(422, "invalid", text).at(field)
    };
    let minutes = Some(wanted.minutes.trim()).filter(|it| !it.is_empty());
    let minutes = minutes.map(|it| it.parse().map_err(|_| wrong("minutes"))).transpose()?;
    let new = NewCapture { minutes, ..NewCapture::default() };
    let some = || Some(value.to_owned()).filter(|it| !it.is_empty()).ok_or_else(|| wrong("value"));
    Ok(match wanted.kind.as_str() {
        "ext" => NewCapture { ext: Some(some()?), ..new },
        "line" => NewCapture { line: Some(some()?), ..new },
        "trunk" => NewCapture { trunk: Some(value.parse().map_err(|_| wrong("value"))?), ..new },
        "ip" => NewCapture { ip: Some(value.parse().map_err(|_| wrong("value"))?), ..new },
        _ => new,
    })
}

pub(crate) async fn on_one(viewer: Viewer, Path(id): Path<u64>) -> Result<Response, PageFailure> {
    let found: CapturePage = viewer.api.get(&format!("{API}/{id}")).await?;
    let (zone, w) = (viewer.zone(), Words::of(viewer.language));
    let row = row(&found.capture, w, &zone);
    let more = more(&found, 0, &zone);
    Ok(render(&OnePage { page: viewer.layout(), w, row, more }))
}

/// Those that came since; it asks for the next itself.
pub(crate) async fn on_more(
    viewer: Viewer,
    Path(id): Path<u64>,
    Query(After { after }): Query<After>,
) -> Result<Response, PageFailure> {
    let found: CapturePage = viewer.api.get(&format!("{API}/{id}?after={after}")).await?;
    Ok(render(&Since { more: more(&found, after, &viewer.zone()) }))
}

fn more(found: &CapturePage, after: usize, zone: &TimeZone) -> More {
    let shown = after + found.ladder.len();
    let is_over = found.capture.stopped.is_some() && shown >= found.capture.messages;
    let next = format!("/trace/{}/more?after={shown}", found.capture.id);
    let messages = found.ladder.iter().map(|it| message(it, zone)).collect();
    More { messages, next: (!is_over).then_some(next) }
}

fn message(it: &Traced, zone: &TimeZone) -> Message {
    let (from, to) = if it.sent { (&it.local, &it.remote) } else { (&it.remote, &it.local) };
    Message {
        time: clock(it.unix_ms, zone),
        way: format!("{from} \u{2192} {to}"),
        what: it.text.lines().next().unwrap_or_default().to_owned(),
        text: it.text.replace("\r\n", "\n").trim_end().to_owned(),
    }
}

pub(crate) async fn on_stop(viewer: Viewer, Path(id): Path<u64>) -> Result<Response, PageFailure> {
    viewer.api.post::<Capture>(&format!("{API}/{id}:stop"), &()).await?;
    Ok(to(&format!("/trace/{id}")))
}

pub(crate) async fn on_delete(
    viewer: Viewer,
    Path(id): Path<u64>,
) -> Result<Response, PageFailure> {
    viewer.api.delete(&format!("{API}/{id}")).await?;
    Ok(to("/trace"))
}

/// The file of the API; a browser has no key to ask for it there.
pub(crate) async fn on_pcap(viewer: Viewer, Path(id): Path<u64>) -> Result<Response, PageFailure> {
    let path = format!("{API}/{}/pcap", segment(&id.to_string()));
    let file = viewer.api.bytes(&path).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"dialtone-{id}.pcap\"")),
    ];
    Ok((headers, file).into_response())
}

fn row(it: &Capture, w: &'static Words, zone: &TimeZone) -> Row {
    let follows = match it.follows.split_once('=') {
        Some(("ext", value)) => format!("{} {value}", w.extension),
        Some(("line", value)) => format!("{} {value}", w.line),
        Some(("trunk", value)) => format!("{} {value}", w.trunk),
        Some(("ip", value)) => format!("{} {value}", w.address),
        _ => w.everything.to_owned(),
    };
    let state = match it.stopped.as_deref() {
        None => w.running,
        Some("time") => w.time,
        Some("full") => w.full,
        Some(_) => w.stopped,
    };
    Row {
        id: it.id,
        follows,
        started: when(&it.started_at, zone),
        state,
        messages: it.messages,
        lost: it.lost,
        is_running: it.stopped.is_none(),
    }
}
