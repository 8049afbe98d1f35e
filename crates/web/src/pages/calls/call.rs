//! The page of one call: why it ended, what happened, the ladder, the media, and where it would go today.

use super::ladder::{Drawing, Message, drawing, messages};
use super::remedy::{Button, button};
use super::{class, direction, state, way};
use crate::CallPage;
use crate::calls::again;
use crate::pages::api::segment;
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::when::{When, duration, when};
use crate::pages::words::words;
use crate::resource::{Call, Leg, Simulation};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use pbx::language::Language;

words! {
    Words {
        title: "Call", "呼叫";
        to_records: "Call records", "话单";
        running: "The call is up.", "呼叫进行中。";
        hang_up: "Hang up", "挂断";
        leg: "Who", "哪一方";
        number: "to the number", "转接到号码";
        transfer: "Transfer", "转接";
        command: "Command that helps", "可用的命令";
        sure: "certain", "确定";
        likely: "likely", "很可能";
        possible: "possible", "可能";
        caller: "Caller number", "主叫号码";
        dialled: "Dialled", "所拨号码";
        callee: "Called number", "被叫号码";
        sent: "Sent as", "发出的号码";
        started: "Started", "开始时间";
        answered: "Answered", "应答时间";
        ended: "Ended", "结束时间";
        duration: "Duration", "通话时长";
        route: "Route", "路由";
        state: "State", "状态";
        code: "Release code", "释放码";
        linked: "Forwarded or transferred from", "转移自";
        followed: "Goes on in", "转移至";
        open: "this call", "此呼叫";
        timeline: "What happened", "呼叫过程";
        office: "server", "服务器";
        by_caller: "caller", "主叫";
        by_callee: "called side", "被叫";
        ladder: "Ladder", "时序图";
        ladder_help: "Each arrow leads to its message. Passwords and keys are masked.", "点击箭头查看对应的消息，密码和密钥已隐藏。";
        no_ladder: "The messages of this call are no longer in memory.", "此呼叫的消息已不在内存中。";
        media: "Media", "媒体流";
        side: "Side", "方向";
        device: "Phone", "话机";
        codec: "Codec", "编码";
        packets: "Packets in / out", "收/发包数";
        loss: "Loss", "丢包";
        jitter: "Jitter", "抖动";
        relayed: "Media went through the server.", "媒体流经服务器转发。";
        no_media: "Nobody answered, so there was no media.", "呼叫未应答，没有媒体流。";
        direct: "Media went directly between the phones: nothing is known of it.", "媒体流在话机之间直接传送，无统计数据。";
        flows: "flows both ways", "双向正常";
        one_way: "flows one way", "语音单通";
        silent: "does not flow", "语音双不通";
        replay: "Where it would go today", "按当前规则重新分析";
        raw: "Raw", "原始数据";
        support: "Copy for support", "导出支持信息";
        support_help: "A text file with all of this, passwords and keys masked.", "包含以上全部内容的文本文件，密码和密钥已隐藏。";
    }
}

#[derive(Template)]
#[template(path = "call.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    id: String,
    call: Call,
    class: &'static str,
    sentence: String,
    remedy: String,
    action: Option<String>,
    button: Option<Button>,
    confidence: &'static str,
    facts: Vec<Fact>,
    linked: Option<String>,
    followed_by: Vec<String>,
    happenings: Vec<Happened>,
    ladder: Option<Drawing>,
    messages: Vec<Message>,
    legs: Vec<ShownLeg>,
    replay: String,
    raw: String,
}

struct Fact {
    name: &'static str,
    value: String,
    /// The universal time, where it is a time.
    utc: String,
}

struct Happened {
    at: String,
    place: String,
    text: String,
    decisive: bool,
}

struct ShownLeg {
    side: &'static str,
    number: String,
    remote: String,
    device: String,
    codec: String,
    packets: String,
    loss: String,
    jitter: String,
    class: &'static str,
    light: &'static str,
}

pub(crate) async fn on_call(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let found: CallPage = viewer.api.get(&format!("/api/v1/calls/{}", segment(&id))).await?;
    let raw = serde_json::to_string_pretty(&found.call).unwrap_or_default();
    let CallPage { call, ladder, followed_by } = found;
    let (language, zone) = (viewer.language, viewer.zone());
    let w = Words::of(language);
    let verdict = call.verdict.as_ref();
    let drawn = (!ladder.is_empty()).then(|| drawing(w.ladder, &call, &ladder, &zone));
    Ok(render(&Page {
        page: viewer.layout(),
        w,
        id: segment(&call.id),
        class: class(&call),
        sentence: verdict.map_or(w.running, |it| it.sentence.get(language)).to_owned(),
        remedy: verdict.map_or("", |it| it.remedy.get(language)).to_owned(),
        action: verdict.and_then(|it| it.action.clone()),
        button: verdict
            .and_then(|it| it.action.as_deref())
            .and_then(|it| button(it, &call, language)),
        confidence: match verdict.map(|it| it.confidence.as_str()) {
            Some("likely") => w.likely,
            Some("possible") => w.possible,
            Some(_) => w.sure,
            None => "",
        },
        facts: facts(&call, &zone, language),
        linked: call.linked.as_deref().map(|it| format!("/calls/{}", segment(it))),
        followed_by: followed_by.iter().map(|it| format!("/calls/{}", segment(it))).collect(),
        happenings: call.timeline.iter().map(|it| happened(it, w, language)).collect(),
        ladder: drawn,
        messages: messages(&ladder, &zone),
        legs: call.legs.iter().map(|it| leg(&call, it, w)).collect(),
        replay: replay(&viewer, &call).await,
        raw,
        call,
    }))
}

fn facts(call: &Call, zone: &jiff::tz::TimeZone, language: Language) -> Vec<Fact> {
    let w = Words::of(language);
    let caller = format!("{} {}", call.caller, call.caller_name);
    let route = format!("{} {}", direction(call, language), way(call, language));
    let talked = call.answered_at.as_ref().map(|_| duration(call.duration_s)).unwrap_or_default();
    let time = |name, at: Option<&String>| {
        let When { local, utc } = at.map(|it| when(it, zone)).unwrap_or_default();
        Fact { name, value: local, utc }
    };
    let text =
        |name, value: &str| Fact { name, value: value.trim().to_owned(), utc: String::new() };
    let all = [
        text(w.state, state(call, language)),
        text(w.caller, &caller),
        text(w.dialled, &call.dialled),
        text(w.sent, if call.sent == call.dialled { "" } else { &call.sent }),
        text(w.callee, &call.callee),
        text(w.route, &route),
        time(w.started, Some(&call.started_at)),
        time(w.answered, call.answered_at.as_ref()),
        time(w.ended, call.ended_at.as_ref()),
        text(w.duration, &talked),
        text(w.code, call.release_code.as_deref().unwrap_or_default()),
    ];
    all.into_iter().filter(|it| !it.value.is_empty()).collect()
}

fn happened(it: &crate::resource::Happening, w: &'static Words, language: Language) -> Happened {
    let place = match it.place.as_str() {
        "caller" => w.by_caller,
        "callee" => w.by_callee,
        _ => w.office,
    };
    let attempt = it.attempt.map(|it| format!(" {it}")).unwrap_or_default();
    Happened {
        at: format!("{}.{:03}", duration(it.at_ms / 1000), it.at_ms % 1000),
        place: format!("{place}{attempt}"),
        text: it.text.get(language).to_owned(),
        decisive: it.decisive,
    }
}

fn leg(call: &Call, leg: &Leg, w: &'static Words) -> ShownLeg {
    let (side, codec) = match leg.side.as_str() {
        "caller" => (w.by_caller, &call.codec_caller),
        _ => (w.by_callee, &call.codec_callee),
    };
    let (class, light) = match leg.light.as_deref() {
        Some("green") => ("good", w.flows),
        Some("yellow") => ("warn", w.one_way),
        Some("red") => ("bad", w.silent),
        Some(_) | None => ("", ""),
    };
    ShownLeg {
        side,
        number: leg.number.clone(),
        remote: leg.remote.clone(),
        device: leg.user_agent.clone(),
        codec: codec.clone(),
        packets: format!("{} / {}", leg.packets_in, leg.packets_out),
        loss: format!("{} ({})", leg.lost_in, percent(leg.lost_in, leg.packets_in)),
        jitter: format!("{:.1} ms", leg.jitter_ms),
        class,
        light,
    }
}

/// Of all packets that should have come.
fn percent(lost: u64, came: u64) -> String {
    let tenths = (lost * 1000).checked_div(lost + came).unwrap_or(0);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// What the dial plan of today says of the call; of one whose caller is no more, why it cannot.
async fn replay(viewer: &Viewer, call: &Call) -> String {
    let asked = viewer.api.post::<Simulation>("/api/v1/dial-plan:simulate", &again(call)).await;
    match asked {
        Ok(simulation) => simulation.text.get(viewer.language).trim_end().to_owned(),
        Err(failure) => sentences(&failure, viewer.language).join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_table() {
        for (lost, came, expected) in [(0, 0, "0.0%"), (1, 999, "0.1%"), (50, 50, "50.0%")] {
            assert_eq!(percent(lost, came), expected);
        }
    }
}
