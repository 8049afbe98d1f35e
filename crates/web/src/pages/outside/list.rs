//! The lists of lines and trunks, each with its state in words, and *register now*.

use super::{Kind, LINES};
use crate::pages::api::segment;
use crate::pages::dashboard::standing_class;
use crate::pages::failure::PageFailure;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::when::when;
use crate::pages::words::words;
use crate::pages::{query, render, to};
use crate::resource::Failure;
use crate::resource::outside::{ExternalLine, ServerState, SipTrunk, Trouble};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use jiff::tz::TimeZone;
use pbx::language::Language;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const ROWS: usize = 50;

words! {
    Words {
        lines: "External lines", "外线";
        trunks: "SIP trunks", "SIP中继";
        add: "Add", "添加";
        account: "Account", "账号";
        number: "Number", "编号";

        server: "Server", "服务器";
        state: "State", "状态";
        calls: "Calls in / out", "呼入/呼出";
        group: "Outgoing group", "出呼叫群";
        register: "Register now", "立即注册";
        doctor: "Trunk doctor", "外线体检";
        until: "until", "有效至";
        last_answer: "Last answer", "最近应答";
        next: "Next try", "下次尝试";
        off: "off", "未启用";
        reachable: "reachable", "可达";
        unreachable: "not reachable", "不可达";
        search: "Search", "搜索";
        search_help: "Account, description or server", "账号、描述或服务器";
        next_page: "Next page", "下一页";
        first: "First page", "第一页";
        not_found: "Nothing is like that.", "没有符合条件的记录。";
        no_lines: "There is no external line yet. The carrier gives account, password and server.",
            "还没有外线。账号、密码和服务器地址由运营商提供。";
        no_trunks: "There is no SIP trunk yet. A trunk connects another server by its address.",
            "还没有SIP中继。SIP中继按地址连接其他服务器。";
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    after: String,
}

#[derive(Template)]
#[template(path = "outside.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    title: &'static str,
    key: &'static str,
    home: &'static str,
    empty: &'static str,
    lines: bool,
    asked: Asked,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    href: String,
    key: String,
    description: String,
    server: String,
    class: &'static str,
    state: String,
    /// Whatever else there is to say of the state.
    details: Vec<String>,
    trouble: Option<(String, String)>,
    calls: String,
    group: String,
    registers: bool,
}

/// What all of the kind are called.
pub(super) fn title(kind: &Kind, language: Language) -> &'static str {
    let w = Words::of(language);
    if kind.key == LINES.key { w.lines } else { w.trunks }
}

pub(crate) async fn on_lines(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let (w, zone) = (Words::of(viewer.language), viewer.zone());
    let (lines, more) = look::<ExternalLine>(&viewer, LINES, &asked).await?;
    let rows = lines.iter().map(|it| of_line(it, w, &zone, viewer.language)).collect();
    Ok(page(&viewer, LINES, asked, rows, more))
}

pub(crate) async fn on_trunks(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let w = Words::of(viewer.language);
    let (trunks, more) = look::<SipTrunk>(&viewer, super::TRUNKS, &asked).await?;
    let rows = trunks.iter().map(|it| of_trunk(it, w, viewer.language)).collect();
    Ok(page(&viewer, super::TRUNKS, asked, rows, more))
}

/// The rows of a page, and whether there are more.
async fn look<T: DeserializeOwned>(
    viewer: &Viewer,
    kind: &Kind,
    asked: &Asked,
) -> Result<(Vec<T>, bool), Failure> {
    let limit = (ROWS + 1).to_string();
    let fields = [("limit", &*limit), ("cursor", &*asked.after), ("search", asked.q.trim())];
    let mut found: Vec<T> = viewer.api.get(&query(kind.api, &fields)).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    Ok((found, more))
}

fn page(viewer: &Viewer, kind: &Kind, asked: Asked, rows: Vec<Row>, more: bool) -> Response {
    let w = Words::of(viewer.language);
    let lines = kind.key == LINES.key;
    let last = rows.last().filter(|_| more);
    let next = last.map(|it| query(kind.home, &[("q", &*asked.q), ("after", &*it.key)]));
    render(&Page {
        page: viewer.layout(),
        w,
        title: title(kind, viewer.language),
        key: if lines { w.account } else { w.number },
        home: kind.home,
        empty: if lines { w.no_lines } else { w.no_trunks },
        lines,
        asked,
        rows,
        next,
    })
}

pub(crate) async fn on_register(
    viewer: Viewer,
    Path(account): Path<String>,
) -> Result<Response, PageFailure> {
    let path = format!("{}/{}:register", LINES.api, segment(&account));
    viewer.api.post::<Value>(&path, &()).await?;
    Ok(to(LINES.home))
}

fn of_line(it: &ExternalLine, w: &Words, zone: &TimeZone, language: Language) -> Row {
    let line = &it.line;
    let state = it.state.as_ref();
    let registered = state.filter(|it| it.standing == "registered");
    let until = registered.and_then(|it| it.until.as_deref());
    let answer = state.and_then(|it| it.last_answer.as_ref());
    let next = state.filter(|it| it.standing == "failed").and_then(|it| it.next_at.as_deref());
    let details = [
        until.map(|it| format!("{} {}", w.until, when(it, zone).local)),
        answer.map(|it| {
            format!("{} {}: {}", w.last_answer, when(&it.at, zone).local, it.what.get(language))
        }),
        next.map(|it| format!("{} {}", w.next, when(it, zone).local)),
    ];
    Row {
        href: format!("{}/{}", LINES.home, segment(&line.account)),
        key: line.account.to_string(),
        description: line.description.to_string(),
        server: line.domain.to_string(),
        class: state.map_or("off", |it| standing_class(&it.standing)),
        state: state.map_or("", |it| it.text.get(language)).to_owned(),
        details: details.into_iter().flatten().collect(),
        trouble: state.and_then(|it| it.trouble.as_ref()).map(|it| trouble(it, language)),
        calls: state.map(|it| format!("{} / {}", it.calls_in, it.calls_out)).unwrap_or_default(),
        group: group(line.group),
        registers: line.enabled && line.register,
    }
}

fn of_trunk(it: &SipTrunk, w: &Words, language: Language) -> Row {
    let trunk = &it.trunk;
    let state = it.state.as_ref();
    let (class, said) = match (trunk.enabled, state.is_some_and(|it| it.healthy)) {
        (false, _) => ("off", w.off),
        (true, true) => ("good", w.reachable),
        (true, false) => ("bad", w.unreachable),
    };
    let servers = state.map(|it| it.servers.as_slice()).unwrap_or_default();
    let server = |it: &ServerState| {
        let (place, is) = (place(it), if it.up { w.reachable } else { w.unreachable });
        match &it.last_answer {
            Some(answer) => format!("{place}: {is} {}", answer.what.get(language)),
            None => format!("{place}: {is}"),
        }
    };
    Row {
        href: format!("{}/{}", super::TRUNKS.home, trunk.id),
        key: trunk.id.to_string(),
        description: trunk.description.to_string(),
        server: trunk.addresses.first().map(|it| it.host.to_string()).unwrap_or_default(),
        class,
        state: said.to_owned(),
        details: servers.iter().map(server).collect(),
        trouble: state.and_then(|it| it.trouble.as_ref()).map(|it| trouble(it, language)),
        calls: state.map(|it| format!("{} / {}", it.calls_in, it.calls_out)).unwrap_or_default(),
        group: group(trunk.group),
        registers: false,
    }
}

/// The server, and where its name leads; an address leads to itself.
fn place(it: &ServerState) -> String {
    let address = it.address.as_deref().unwrap_or_default();
    let host = address.rsplit_once(':').map_or(address, |it| it.0);
    let bare = |it: &str| it.trim_matches(['[', ']']).to_owned();
    if address.is_empty() || address == it.server || bare(host) == bare(&it.server) {
        let known = if address.is_empty() { it.server.as_str() } else { address };
        return known.to_owned();
    }
    format!("{} ({address})", it.server)
}

fn trouble(it: &Trouble, language: Language) -> (String, String) {
    (it.sentence.get(language).to_owned(), it.remedy.get(language).to_owned())
}

/// 0 is none.
fn group(group: u32) -> String {
    if group == 0 { String::new() } else { group.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_table() {
        #[rustfmt::skip]
        let table = [
            ("sip.example.com",      Some("192.0.2.7:5060"),        "sip.example.com (192.0.2.7:5060)"),
            ("sip.example.com:5062", Some("192.0.2.7:5062"),        "sip.example.com:5062 (192.0.2.7:5062)"),
            ("sip.example.com",      None,                          "sip.example.com"),
            ("192.0.2.7",            Some("192.0.2.7:5060"),        "192.0.2.7:5060"),
            ("192.0.2.7:5062",       Some("192.0.2.7:5062"),        "192.0.2.7:5062"),
            ("2001:db8::7",          Some("[2001:db8::7]:5060"),    "[2001:db8::7]:5060"),
            ("[2001:db8::7]:5062",   Some("[2001:db8::7]:5062"),    "[2001:db8::7]:5062"),
        ];
        for (server, address, expected) in table {
            let state = ServerState {
                server: server.to_owned(),
                address: address.map(str::to_owned),
                up: true,
                next: false,
                last_answer: None,
            };
            assert_eq!(place(&state), expected);
        }
    }
}
