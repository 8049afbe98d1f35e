//! Live calls (实时话单): the calls as they are, and from there on as their events change them
//! (`assets/live-board.js`).

use super::failure::PageFailure;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::duration;
use super::words::words;
use super::{assets, render};
use crate::events::Kind;
use crate::moment::rfc3339;
use crate::resource::Call;
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pbx::event::CallState;
use pbx::language::Language;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A call that ended is shown for so long, as in the script.
const RELEASED: Duration = Duration::from_secs(5 * 60);

words! {
    Words {
        title: "Live calls", "实时话单";
        show: "Which calls", "呼叫类型";
        started: "Started", "发起时间";
        duration: "Duration", "时长";
        state: "State", "状态";
        caller: "Caller", "主叫";
        called: "Called, as dialled and as sent", "被叫（所拨号码及发出号码）";
        route: "Route", "路由";
        actions: "Actions", "操作";
        details: "Details", "详情";
        hang_up: "Hang up", "释放";
        question: "Hang up this call?", "释放该呼叫？";
        no: "No", "否";
        pause: "Pause", "暂停";
        resume: "Go on", "继续";
        reload: "Look again", "刷新";
        paused: "Paused: calls change without being shown.", "已暂停：呼叫的变化暂不显示。";
        summary: "Calls now: {up}, of which {started} started, {ringing} ringing, {talking} talking.",
            "当前呼叫{up}个：已发起{started}，振铃中{ringing}，通话中{talking}。";
        disconnected: "The connection to the server is lost. The list is not up to date until it is back.",
            "与服务器的连接已断开，恢复之前列表不再更新。";
        place: "Place a call", "发起呼叫";
        place_help: "The extension rings first; once it has answered, the number is called with its rights.", "先呼叫分机，应答后以其权限呼叫号码。";
        from: "Extension", "分机";
        to: "Number", "号码";
        auto_answer: "the extension's phone answers by itself", "分机话机自动应答";
        call: "Call", "呼叫";
        empty: "There are no calls.", "当前没有呼叫。";
        line: "Line", "外线";
        trunk: "Trunk", "SIP中继";
        internal: "Internal", "内部";
        incoming: "Incoming", "呼入";
        outgoing: "Outgoing", "呼出";
        failed: "Failed", "失败";
        all: "All", "全部";
    }
}

#[derive(Template)]
#[template(path = "live-calls.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    /// The position in the stream of events that the rows stand for.
    after: String,
    now: String,
    events: String,
    words: String,
    show: &'static str,
    filters: Vec<Filter>,
    summary: String,
    rows: Vec<Row>,
    /// What the script makes new rows of.
    blank: [Row; 1],
    script: String,
}

struct Filter {
    word: &'static str,
    label: &'static str,
    current: bool,
}

#[derive(Default)]
struct Row {
    id: String,
    state: String,
    direction: String,
    failed: &'static str,
    started: String,
    answered: String,
    ended: String,
    time: String,
    duration: String,
    mark: &'static str,
    word: String,
    caller: String,
    dialled: String,
    sent: String,
    route: String,
    why: String,
    is_up: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shown {
    show: String,
}

pub(crate) async fn on_live_calls(
    viewer: Viewer,
    Query(shown): Query<Shown>,
) -> Result<Response, PageFailure> {
    let (language, running) = (viewer.language, &viewer.pages.running);
    let w = Words::of(language);
    // First the position: what changes between the two is told again, and nothing is missed.
    let after = running.events().position().to_string();
    let mut calls: Vec<Call> = viewer.api.all("/api/v1/calls", &[("ended", "true")]).await?;
    let now = running.now();
    let age =
        |it: &Call| it.ended_at.as_deref().and_then(moment).map(|at| now.0.saturating_sub(at));
    calls.retain(|it| age(it).is_none_or(|it| u128::from(it) < RELEASED.as_millis()));
    let zone = viewer.zone();
    let filters = [
        ("all", w.all),
        ("internal", w.internal),
        ("incoming", w.incoming),
        ("outgoing", w.outgoing),
        ("failed", w.failed),
    ];
    let show = filters.iter().find(|it| it.0 == shown.show).map_or("all", |it| it.0);
    let filter = |(word, label)| Filter { word, label, current: word == show };
    Ok(render(&Page {
        page: viewer.layout(),
        w,
        after,
        now: rfc3339(now),
        events: events(),
        words: script_words(w, language).to_string(),
        show,
        filters: filters.map(filter).into(),
        summary: summary(&calls, w),
        rows: calls.iter().map(|it| row(it, w, &zone, now.0, language)).collect(),
        blank: [Row::default()],
        script: assets::url("live-board.js"),
    }))
}

/// The names of those that the script listens to.
fn events() -> String {
    let names = Kind::ALL.iter().map(|it| it.name()).filter(|it| it.starts_with("call."));
    names.collect::<Vec<_>>().join(" ")
}

/// What the script writes into rows.
fn script_words(w: &Words, language: Language) -> Value {
    let states = |of: &dyn Fn(CallState) -> String| -> Map<String, Value> {
        CallState::ALL.iter().map(|it| (it.as_str().to_owned(), of(*it).into())).collect()
    };
    json!({
        "states": states(&|it| it.text().get(language).to_owned()),
        "icons": states(&|it| it.mark().to_owned()),
        "directions": { "internal": w.internal, "incoming": w.incoming, "outgoing": w.outgoing },
        "line": w.line, "trunk": w.trunk, "pause": w.pause, "resume": w.resume,
        "paused": w.paused, "summary": w.summary,
    })
}

fn state(call: &Call) -> CallState {
    let named = CallState::ALL.into_iter().find(|it| it.as_str() == call.state);
    named.unwrap_or(CallState::Started)
}

fn summary(calls: &[Call], w: &Words) -> String {
    let count =
        |wanted: &[CallState]| calls.iter().filter(|it| wanted.contains(&state(it))).count();
    use CallState::{Answered, Held, Ringing, Started};
    let values = [
        ("{up}", count(&[Started, Ringing, Answered, Held])),
        ("{started}", count(&[Started])),
        ("{ringing}", count(&[Ringing])),
        ("{talking}", count(&[Answered, Held])),
    ];
    values
        .iter()
        .fold(w.summary.to_owned(), |text, (name, value)| text.replace(name, &value.to_string()))
}

/// The same as the script makes of an event.
fn row(call: &Call, w: &Words, zone: &TimeZone, now_ms: u64, language: Language) -> Row {
    let state = state(call);
    let failed = state == CallState::Released && call.answered_at.is_none();
    let why = call.verdict.as_ref().filter(|_| failed);
    let route = match (&call.line, &call.trunk, &*call.direction) {
        (Some(line), _, _) => format!("{} {line}", w.line),
        (None, Some(trunk), _) => format!("{} {trunk}", w.trunk),
        (None, None, "incoming") => w.incoming.to_owned(),
        (None, None, "outgoing") => w.outgoing.to_owned(),
        (None, None, _) => w.internal.to_owned(),
    };
    let differs = !call.sent.is_empty() && call.sent != call.dialled;
    let begun = call.answered_at.as_deref().unwrap_or(&call.started_at);
    let end = call.ended_at.as_deref().and_then(moment).unwrap_or(now_ms);
    Row {
        id: call.id.clone(),
        state: call.state.clone(),
        direction: call.direction.clone(),
        failed: if failed { "yes" } else { "no" },
        started: call.started_at.clone(),
        answered: call.answered_at.clone().unwrap_or_default(),
        ended: call.ended_at.clone().unwrap_or_default(),
        time: clock(&call.started_at, zone),
        duration: duration(moment(begun).map_or(0, |it| end.saturating_sub(it)) / 1000),
        mark: state.mark(),
        word: state.text().get(language).to_owned(),
        caller: if call.caller_name.is_empty() {
            call.caller.clone()
        } else {
            format!("{} <{}>", call.caller_name, call.caller)
        },
        dialled: call.dialled.clone(),
        sent: if differs { format!("→ {}", call.sent) } else { String::new() },
        route,
        why: why.map_or_else(String::new, |it| it.sentence.get(language).to_owned()),
        is_up: state != CallState::Released,
    }
}

fn moment(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

fn clock(text: &str, zone: &TimeZone) -> String {
    let at = text.parse::<Timestamp>().ok();
    at.map_or_else(String::new, |it| it.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::record::CallRecord;

    fn call(state: CallState, answered: bool) -> Call {
        let at = |seconds: u64| format!("2026-11-26T02:15:{seconds:02}.000Z");
        Call {
            started_at: at(0),
            answered_at: answered.then(|| at(10)),
            ended_at: (state == CallState::Released).then(|| at(30)),
            dialled: "90138".to_owned(),
            sent: "0138".to_owned(),
            line: Some("5678".to_owned()),
            ..Call::of(&CallRecord::default(), state)
        }
    }

    #[test]
    fn rows_table() {
        use CallState::{Answered, Released, Ringing};
        let now = moment("2026-11-26T02:15:40Z").unwrap_or_default();
        #[rustfmt::skip]
        let table = [
            (Ringing,  false, "0:40", "振铃中", "no",  true),
            (Answered, true,  "0:30", "通话中", "no",  true),
            (Released, true,  "0:20", "已释放", "no",  false),
            (Released, false, "0:30", "已释放", "yes", false),
        ];
        for (state, answered, duration, word, failed, is_up) in table {
            let call = call(state, answered);
            let row = row(&call, Words::of(Language::Zh), &TimeZone::UTC, now, Language::Zh);
            let got = (&*row.duration, &*row.word, row.failed, row.is_up);
            assert_eq!(got, (duration, word, failed, is_up), "{state:?} {answered}");
            assert_eq!((&*row.sent, &*row.route, &*row.time), ("→ 0138", "外线 5678", "02:15:00"));
        }
    }

    #[test]
    fn the_script_has_a_word_for_everything() {
        let words = script_words(Words::of(Language::Zh), Language::Zh);
        let script = include_str!("../../assets/live-board.js");
        for (name, _) in words.as_object().into_iter().flatten() {
            assert!(script.contains(&format!("words.{name}")), "{name} is not used");
        }
        for used in script.split("this.words.").skip(1) {
            let name = used.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
            assert!(!words[name].is_null(), "{name} is missing");
        }
    }
}
