//! The trunk doctor (外线体检): what was asked and answered, and the one setting to change.

use super::LINES;
use crate::pages::api::segment;
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::Failure;
use crate::resource::outside::{Examination, Examine, ExternalLine, Light, Remedy};
use askama::Template;
use axum::Form as Body;
use axum::extract::Path;
use axum::response::Response;
use pbx::language::Language;
use pbx::text;
use serde_json::Value;

words! {
    Words {
        title: "Trunk doctor", "外线体检";
        lines: "External lines", "外线";
        help: "At most 5 REGISTER requests and 2 calls are made. Nothing is changed without a click.",
            "最多发送5个REGISTER请求和2次呼叫，未经确认不修改任何设置。";
        number: "Number of a test call", "测试呼叫的号码";
        number_help: "Empty: no call is made. A call may cost money; it is hung up at the answer.",
            "留空则不呼叫。测试呼叫可能产生费用，应答后立即挂断。";
        start: "Examine", "开始体检";
        again: "Examine again", "重新体检";
        good: "No fault was found.", "未发现问题。";
        bad: "A fault was found.", "发现问题。";
        advice: "What to do", "处理建议";
        setting: "Setting to change", "需要修改的设置";
        to_value: "to", "改为";
        apply: "Apply and examine again", "应用并重新体检";
        by_hand: "You must know its value: it is on the page of the line.", "该值需由您确定，请在外线页面中修改。";
        line: "To the line", "打开外线";
        messages: "Messages", "消息";
        sent: "Requests sent", "已发送请求";
        unchecked: "not examined", "未检查";
        fine: "good", "正常";
        doubtful: "doubtful", "可疑";
        faulty: "faulty", "故障";
    }
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    account: String,
    own: String,
    call: String,
    wrong: Vec<String>,
    found: Option<Found>,
}

struct Found {
    class: &'static str,
    sentence: &'static str,
    lights: Vec<Shown>,
    remedy: Option<ToChange>,
    requests: String,
}

struct Shown {
    name: String,
    class: &'static str,
    word: &'static str,
    sentence: String,
    advice: String,
    messages: Vec<String>,
}

/// The one setting to change.
struct ToChange {
    setting: String,
    value: String,
    /// The fields to change, as they go to the API.
    change: Option<String>,
}

pub(crate) async fn on_doctor_page(
    viewer: Viewer,
    Path(account): Path<String>,
) -> Result<Response, PageFailure> {
    viewer.api.get::<ExternalLine>(&super::api(LINES, &account)).await?;
    Ok(shown(&viewer, &account, "", None))
}

pub(crate) async fn on_doctor(
    viewer: Viewer,
    Path(account): Path<String>,
    Body(sent): Body<Sent>,
) -> Response {
    let call = one(&sent, "call");
    let found = examine(&viewer, &account, call).await;
    shown(&viewer, &account, call, Some(found))
}

/// Applies what the doctor proposed, and looks again.
pub(crate) async fn on_remedy(
    viewer: Viewer,
    Path(account): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let change: Value = serde_json::from_str(one(&sent, "change"))
        .map_err(|error| Failure::new(422, "invalid", text!("{error}", "请求无效：{error}")))?;
    viewer.api.patch::<Value>(&super::api(LINES, &account), &change).await?;
    let call = one(&sent, "call");
    let found = examine(&viewer, &account, call).await;
    Ok(shown(&viewer, &account, call, Some(found)))
}

async fn examine(viewer: &Viewer, account: &str, call: &str) -> Result<Examination, Failure> {
    let call = Some(call.to_owned()).filter(|it| !it.is_empty());
    let path = format!("{}/{}:doctor", LINES.api, segment(account));
    viewer.api.post(&path, &Examine { call }).await
}

fn one<'a>(sent: &'a Sent, name: &str) -> &'a str {
    sent.iter().find(|it| it.0 == name).map_or("", |it| it.1.trim())
}

fn shown(
    viewer: &Viewer,
    account: &str,
    call: &str,
    found: Option<Result<Examination, Failure>>,
) -> Response {
    let w = Words::of(viewer.language);
    let (found, wrong) = match found {
        None => (None, vec![]),
        Some(Ok(it)) => (Some(of(&it, w, viewer.language)), vec![]),
        Some(Err(failure)) => (None, sentences(&failure, viewer.language)),
    };
    render(&Page {
        page: viewer.layout(),
        w,
        account: account.to_owned(),
        own: format!("{}/{}", LINES.home, segment(account)),
        call: call.to_owned(),
        wrong,
        found,
    })
}

fn of(it: &Examination, w: &'static Words, language: Language) -> Found {
    let class = class(&it.colour);
    Found {
        class,
        sentence: if class == "good" { w.good } else { w.bad },
        lights: it.lights.iter().map(|it| light(it, w, language)).collect(),
        remedy: it.remedy.as_ref().map(remedy),
        requests: format!("REGISTER {}, INVITE {}", it.registers, it.invites),
    }
}

fn light(it: &Light, w: &'static Words, language: Language) -> Shown {
    let class = class(&it.colour);
    Shown {
        name: it.text.get(language).to_owned(),
        class,
        word: match class {
            "good" => w.fine,
            "warn" => w.doubtful,
            "bad" => w.faulty,
            _ => w.unchecked,
        },
        sentence: it.sentence.get(language).to_owned(),
        advice: it.advice.as_ref().map_or("", |it| it.get(language)).to_owned(),
        messages: it.messages.iter().map(|it| it.replace("\r\n", "\n")).collect(),
    }
}

fn remedy(it: &Remedy) -> ToChange {
    ToChange {
        setting: it.setting.clone(),
        value: it.value.clone().unwrap_or_default(),
        change: it.change.as_ref().and_then(|it| serde_json::to_string(it).ok()),
    }
}

fn class(colour: &str) -> &'static str {
    match colour {
        "green" => "good",
        "amber" => "warn",
        "red" => "bad",
        _ => "off",
    }
}
