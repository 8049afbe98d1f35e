//! Calls that fail, and what `dialtone calls show` says of each in both languages.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::joined::recorded;
use super::setup::{CALLER_MARK, office, registered};
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, Server};

const ACCOUNT: &str = "5678";
const LINE_PASSWORD: &str = "Line-7-otter";

/// A call that fails, what the caller gets, and what is said of it in English and Chinese.
struct Row {
    /// The carrier of the line, and what differs from a usual line.
    oddities: &'static str,
    line: &'static [&'static str],
    dialled: &'static str,
    status: u16,
    code: &'static str,
    guilty: [&'static str; 2],
    sentence: [&'static str; 2],
    remedy: [&'static str; 2],
    command: Option<&'static str>,
}

const ROWS: [Row; 4] = [
    Row {
        oddities: "",
        line: &[],
        dialled: "109",
        status: 480,
        code: "callee.not_registered",
        guilty: ["callee's side", "责任方：被叫"],
        sentence: ["109 is not registered.", "分机109未注册。"],
        remedy: ["Look whether the phone has power and network", "请检查话机的电源、网络和密码"],
        command: Some("dialtone registrations history 109"),
    },
    Row {
        oddities: "from-account",
        line: &["--caller-number", "caller"],
        dialled: "90138",
        status: 403,
        code: "line.rejected_from",
        guilty: ["this server or its settings", "责任方：本服务器或其设置"],
        sentence: [
            "The carrier wants the account 5678 as caller number; the call showed 100.",
            "运营商要求主叫号码为账号5678，而呼叫中的主叫号码为100。",
        ],
        remedy: ["Set \"From\" of the line to the account", "请将该外线的From设为账号"],
        command: Some("dialtone line set 5678 --from-user account"),
    },
    Row {
        oddities: "refuses=416",
        line: &["--uri-parameters", "user=phone"],
        dialled: "90138",
        status: 416,
        code: "line.rejected_uri_param",
        guilty: ["this server or its settings", "责任方：本服务器或其设置"],
        sentence: [
            "The carrier does not accept the Request-URI parameters user=phone.",
            "运营商不识别Request-URI附加参数user=phone。",
        ],
        remedy: [
            "Clear the Request-URI parameters of the line",
            "请清空该外线的Request-URI附加参数",
        ],
        command: Some("dialtone line set 5678 --uri-parameters ''"),
    },
    Row {
        oddities: "codec=G729",
        line: &[],
        dialled: "90138",
        status: 488,
        code: "media.codec",
        guilty: ["callee's side", "责任方：被叫"],
        sentence: [
            "No common codec: the offer had PCMA.",
            "双方没有共同的语音编码：主叫提供PCMA。",
        ],
        remedy: ["Allow the same codec on both sides.", "请在双方启用同一种语音编码。"],
        command: None,
    },
];

/// Each is explained at once and after a restart, counted, and its command lets the next call through.
pub(super) fn failed_calls_explained(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    let mut caller = registered(&server, "100")?;
    let mut ids = vec![];
    for row in &ROWS {
        let why = || format!("{} {:?}", row.code, row.oddities);
        ids.push(fail(&server, &mut caller, row, ids.len()).with_context(why)?);
    }
    server.terminate()?;
    server.run()?;
    for (row, id) in ROWS.iter().zip(&ids) {
        told(&server, row, id).with_context(|| format!("{} after a restart", row.code))?;
    }
    Ok(())
}

/// Makes the call, and looks at all that is said of it; the call's id.
fn fail(server: &Server, caller: &mut Phone, row: &Row, before: usize) -> Result<String> {
    let oddities = Oddities::parse(row.oddities).map_err(anyhow::Error::msg)?;
    let carrier =
        Serving::start(SocketAddr::new(LOCALHOST, 0), &[(ACCOUNT, LINE_PASSWORD)], oddities)?;
    let domain = carrier.address.to_string();
    #[rustfmt::skip]
    let mut add =
        vec!["line", "add", ACCOUNT, "--password", LINE_PASSWORD, "--domain", &domain, "--register", "false"];
    if !row.line.contains(&"--uri-parameters") {
        add.extend(["--uri-parameters", ""]);
    }
    add.extend(row.line);
    server.json(&add)?;
    let label = format!("code=\"{}\"", row.code);
    let counted = server.metric("dialtone_release_total", &label)?;

    call(caller, row.dialled, row.status)?;
    let records = server.wait_records(before + 1)?;
    let record = records.last().context("no record")?;
    recorded(record, &[("release_code", row.code)])?;
    ensure!(record["sip_status"] == row.status, "{record}");
    let fci = record["fci"].as_str().unwrap_or_default();
    ensure!(fci.starts_with(&format!("callTag={};cause=", row.code)), "{fci}");
    let more = server.metric("dialtone_release_total", &label)? - counted;
    ensure!((more - 1.0).abs() < 0.5, "the metric grew by {more}");
    let id = record["call_id"].as_str().context("no id")?.to_owned();
    told(server, row, &id)?;
    drawn(server, row, &id)?;
    server.json(&["line", "del", ACCOUNT])?;
    Ok(id)
}

/// Calls, and expects to be refused.
fn call(caller: &mut Phone, number: &str, status: u16) -> Result<()> {
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite(number, &media.sdp()?)?;
    let answer = caller.expect(&sent, status)?;
    caller.ack_refusal(&sent, &answer)
}

/// The ladder has the call's first message and its last, though it may have ended in the same moment.
fn drawn(server: &Server, row: &Row, id: &str) -> Result<()> {
    let page = server.json(&["calls", "show", id])?;
    let ladder = page["ladder"].as_array().context("no ladder")?;
    let texts: Vec<&str> = ladder.iter().filter_map(|it| it["text"].as_str()).collect();
    let refusal = format!("SIP/2.0 {}", row.status);
    for start in [&format!("INVITE sip:{}@", row.dialled), &refusal] {
        ensure!(texts.iter().any(|it| it.starts_with(start)), "no {start} in {texts:#?}");
    }
    Ok(())
}

/// What the command prints for people and for programs.
fn told(server: &Server, row: &Row, id: &str) -> Result<()> {
    let page = server.json(&["calls", "show", id])?;
    let verdict = &page["call"]["verdict"];
    ensure!(verdict["code"] == row.code, "{verdict:#}");
    ensure!(verdict["action"] == row.command.map_or(Value::Null, Value::from), "{verdict:#}");
    let timeline = page["call"]["timeline"].as_array().context("no timeline")?;
    ensure!(timeline.iter().any(|it| it["decisive"] == true), "it rests on nothing: {timeline:?}");

    let words = [
        ("en", ["released", "verdict", "remedy", "command"]),
        ("zh", ["释放码", "判定", "建议", "命令"]),
    ];
    for (at, (language, [released, judged, remedy, command])) in words.into_iter().enumerate() {
        let printed = server.cli(&["calls", "show", id, "--lang", language])?;
        ensure!(printed.code == 0, "{printed:?}");
        let line = |word: &str, parts: &[&str]| {
            let found = printed.stdout.lines().find(|it| it.starts_with(word));
            let found = found.with_context(|| format!("no {word} in {}", printed.stdout))?;
            ensure!(parts.iter().all(|it| found.contains(it)), "{parts:?} not in {found}");
            anyhow::Ok(())
        };
        line(released, &[row.code, &row.status.to_string()])?;
        line(judged, &[row.sentence[at], row.guilty[at]])?;
        line(remedy, &[row.remedy[at]])?;
        if let Some(it) = row.command {
            line(command, &[it])?;
        }
    }
    Ok(())
}
