//! What was made and is shown once: numbers with their passwords, each on a card to connect a phone by.

use super::{API, api, own, with_password};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::provisioning::{Code, code};
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::{
    AddRequest, Credentials, Failure, NewExtension, PasswordRequest, ProvisioningRequest,
    ProvisioningToken,
};
use askama::Template;
use axum::Form as Body;
use axum::extract::Path;
use axum::response::{Html, IntoResponse as _, Response};
use pbx::dialplan::Feature;
use pbx::id::TenantId;
use pbx::text;
use serde::Deserialize;

/// Most extensions that a page makes and shows at a time.
const RANGE_MAX: u64 = 500;

/// Most cards of a page that have a code: each is some kilobytes.
const CODES_MAX: usize = 50;

words! {
    Words {
        title: "Connect the phones", "连接话机";
        once: "The passwords are shown now and never again. Print this page or write them down.",
            "密码只在此处显示一次，请打印或抄录。";
        server: "Server", "服务器地址";
        user: "User name", "用户名";
        password: "Password", "密码";
        by_address: "none: known by its address", "无（按IP地址鉴权）";
        step: "Step 3 of 3: phones", "第3步（共3步）：话机";
        step_help: "Enter these in each phone. Its lamp turns green by itself when it is registered.", "在每部话机中填写以下内容，注册成功后指示灯自动变绿。";
        attempt: "Try it", "试一试";
        attempt_help: "Dial the number of another phone. This code plays back what you say:", "拨打另一部话机的号码。拨打以下号码可听到自己的声音：";
        call: "Call {to} from {from}", "用{from}呼叫{to}";
        call_help: "The first phone rings; once it is answered, the other one does.", "第一部话机先振铃，应答后另一部话机振铃。";
        registered: "registered", "已注册";
        waiting: "not registered yet", "尚未注册";
        done: "To the extensions", "返回分机列表";
        scan: "Scan with Linphone: good once, for ten minutes", "用Linphone扫码配置：10分钟内有效，仅可使用一次";
        open: "Settings", "设置";
        copy: "Copy", "复制";
        copied: "Copied", "已复制";
        range: "Add a range of extensions", "批量添加分机";
        range_help: "First and last number. Each gets a password of its own. Emergency numbers among them are left out.",
            "填写起始和结束号码，每个分机自动生成密码，其中的紧急号码将跳过。";
        first: "First number", "起始号码";
        last: "Last number", "结束号码";
        add: "Add", "添加";
        cancel: "Cancel", "取消";
    }
}

#[derive(Template)]
#[template(path = "cards.html")]
struct Cards {
    page: Layout,
    w: &'static Words,
    server: String,
    cards: Vec<Card>,
    /// They are the first ones of the office.
    first: bool,
    echo: String,
    /// Two of them for a first call.
    pair: Option<Pair>,
}

struct Pair {
    from: String,
    to: String,
    label: String,
}

struct Card {
    number: String,
    href: String,
    password: Option<String>,
    code: Option<Code>,
}

#[derive(Template)]
#[template(path = "range.html")]
struct RangePage {
    page: Layout,
    w: &'static Words,
    first: String,
    last: String,
    wrong: Vec<String>,
}

/// The only time that these passwords are shown.
pub(crate) async fn cards(viewer: &Viewer, made: Vec<Credentials>, first: bool) -> Response {
    let server = viewer.pages.running.server_address();
    let few = made.len() <= CODES_MAX;
    let mut cards = Vec::with_capacity(made.len());
    for Credentials { number, password } in made {
        let code = match password.as_deref().filter(|_| few) {
            Some(password) => code_of(viewer, &number, password).await,
            None => None,
        };
        cards.push(Card { href: own(&number), number, password, code });
    }
    let echo = viewer.pages.running.directory();
    let echo = echo.tenant(TenantId::default());
    let echo = echo.and_then(|it| it.dial_plan.features.code(Feature::Echo)).unwrap_or_default();
    let (page, w, echo) = (viewer.layout(), Words::of(viewer.language), echo.to_owned());
    let pair = pair(&cards, w);
    render(&Cards { page, w, server, cards, first, echo, pair })
}

/// Without one the card still says everything.
async fn code_of(viewer: &Viewer, number: &str, password: &str) -> Option<Code> {
    let request = ProvisioningRequest { password: password.to_owned() };
    let path = format!("{}:provisioning-token", api(number));
    let token: ProvisioningToken = viewer.api.post(&path, &request).await.ok()?;
    code(&format!("{}{}", viewer.address(), token.path))
}

/// The first two numbers, to be brought together.
fn pair(cards: &[Card], w: &Words) -> Option<Pair> {
    let [to, from, ..] = cards else { return None };
    let (from, to) = (from.number.clone(), to.number.clone());
    let label = w.call.replace("{from}", &from).replace("{to}", &to);
    Some(Pair { from, to, label })
}

/// A password that somebody has chosen; empty: one is made.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chosen {
    password: String,
    allow_weak: bool,
}

pub(crate) async fn on_password(
    viewer: Viewer,
    Path(number): Path<String>,
    Body(Chosen { password, allow_weak }): Body<Chosen>,
) -> Result<Response, PageFailure> {
    let path = format!("{}:passwd", api(&number));
    let password = Some(password).filter(|it| !it.is_empty());
    let request = PasswordRequest { password, allow_weak };
    match viewer.api.post::<Credentials>(&path, &request).await {
        Ok(made) => Ok(cards(&viewer, vec![made], false).await),
        Err(failure) => Ok(with_password(&viewer, &number, &failure).await?),
    }
}

/// The lamp of a card, which asks for itself.
pub(crate) async fn on_lamp(viewer: Viewer, Path(number): Path<String>) -> Response {
    let w = Words::of(viewer.language);
    let on = viewer.pages.running.is_registered(&number);
    let (class, word) = if on { ("good", w.registered) } else { ("off", w.waiting) };
    Html(format!("<span class=\"lamp {class}\"></span>{word}")).into_response()
}

pub(crate) async fn on_range_form(viewer: Viewer) -> Response {
    range_page(&viewer, String::new(), String::new(), None)
}

fn range_page(viewer: &Viewer, first: String, last: String, failure: Option<&Failure>) -> Response {
    let wrong = failure.map(|it| sentences(it, viewer.language)).unwrap_or_default();
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    render(&RangePage { page, w, first, last, wrong })
}

pub(crate) async fn on_range(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let one = |name: &str| {
        let found = sent.iter().find(|it| it.0 == name);
        found.map(|it| it.1.trim().to_owned()).unwrap_or_default()
    };
    let (first, last) = (one("first"), one("last"));
    match add_range(&viewer, &first, &last).await {
        Ok(made) => Ok(cards(&viewer, made, false).await),
        Err(failure) => Ok(range_page(&viewer, first, last, Some(&failure))),
    }
}

/// Adds all numbers from the first to the last, each with a password of its own.
pub(crate) async fn add_range(
    viewer: &Viewer,
    first: &str,
    last: &str,
) -> Result<Vec<Credentials>, Failure> {
    let new = |number| NewExtension { number, ..NewExtension::default() };
    let extensions = numbers(first, last)?.into_iter().map(new).collect();
    let request = AddRequest { extensions, skip_emergency: true, ..AddRequest::default() };
    viewer.api.post(API, &request).await
}

/// `100` to `199`, both included; leading zeros stay.
fn numbers(first: &str, last: &str) -> Result<Vec<String>, Failure> {
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let parsed = |it: &str| it.parse::<u64>().ok().filter(|_| digits(it));
    let bounds = parsed(first).zip(parsed(last)).filter(|_| first.len() == last.len());
    let bounds = bounds.filter(|(from, to)| from <= to && to - from < RANGE_MAX);
    let Some((from, to)) = bounds else {
        let detail = text!(
            "The first and last number must have the same length, the first not above the last, and at most {RANGE_MAX} numbers between them.",
            "起始和结束号码的位数应相同，起始号码不大于结束号码，一次最多{RANGE_MAX}个。"
        );
        return Err(Failure::new(422, "invalid", detail));
    };
    let width = first.len();
    Ok((from..=to).map(|it| format!("{it:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_table() {
        #[rustfmt::skip]
        let table: [(&str, &str, Option<&[&str]>); 7] = [
            ("100", "102", Some(&["100", "101", "102"])),
            ("009", "010", Some(&["009", "010"])),
            ("7",   "7",   Some(&["7"])),
            ("102", "100", None),
            ("99",  "100", None),
            ("1",   "+2",  None),
            ("000", "999", None),
        ];
        for (first, last, expected) in table {
            let got = numbers(first, last).ok();
            assert_eq!(
                got.as_deref()
                    .map(|it| it.iter().map(String::as_str).collect::<Vec<_>>())
                    .as_deref(),
                expected
            );
        }
    }
}
