//! The dashboard (总览): one sentence on how the office is, and what is behind it.

use super::api::segment;
use super::failure::PageFailure;
use super::layout::Layout;
use super::render;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use crate::records::search::CallsFound;
use crate::resource::Status;
use crate::resource::outside::{ExternalLine, SipTrunk, Trouble};
use askama::Template;
use axum::response::Response;
use pbx::id::TenantId;
use pbx::language::{Language, Text};
use pbx::text;

/// Lines and trunks that are shown, of each.
const ROWS: usize = 200;

words! {
    Words {
        title: "Dashboard", "总览";
        outside: "External lines and SIP trunks", "外线和SIP中继";
        no_outside: "There is no external line and no SIP trunk yet: phones call each other.",
            "还没有外线和SIP中继：分机之间可以互相呼叫。";
        name: "Name", "名称";
        state: "State", "状态";
        calls: "Calls in / out", "呼入/呼出";
        phones: "Registered phones", "已注册话机";
        calls_now: "Calls now", "当前呼叫";
        failed: "Calls that failed lately", "最近未接通的呼叫";
        no_failed: "None.", "没有。";
        all_calls: "All call records", "全部话单";
        uptime: "Running for", "已运行";
        version: "Version", "版本";
        disk: "Disk left", "磁盘剩余";
    }
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    light: Light,
    /// What else the server could not do, and what to do about it.
    troubles: Vec<(String, String)>,
    status: Status,
    /// Empty where it is not known.
    disk: String,
    uptime: String,
    outside: Vec<Outside>,
    /// What there is besides: how many, and the list of them.
    more: Vec<(String, &'static str)>,
    failed: Vec<Failed>,
}

/// A call that was not answered, and why.
struct Failed {
    href: String,
    started: When,
    who: String,
    reason: String,
}

/// One sentence and its colour, which the class names.
struct Light {
    class: &'static str,
    sentence: String,
    remedy: String,
}

/// A line or trunk.
struct Outside {
    name: String,
    description: String,
    class: &'static str,
    state: String,
    calls: String,
}

pub(crate) async fn on_dashboard(viewer: Viewer) -> Result<Response, PageFailure> {
    let api = &viewer.api;
    let status: Status = api.get("/api/v1/status").await?;
    let lines: Vec<ExternalLine> = api.get(&format!("/api/v1/external-lines?limit={ROWS}")).await?;
    let trunks: Vec<SipTrunk> = api.get(&format!("/api/v1/sip-trunks?limit={ROWS}")).await?;
    let search = "/api/v1/call-records:search?result=failed&limit=5";
    let found: CallsFound = api.get(search).await?;
    let (language, zone) = (viewer.language, viewer.zone());
    let failed = found.calls.iter().map(|it| Failed {
        href: format!("/calls/{}", segment(&it.id)),
        started: when(&it.started_at, &zone),
        who: format!("{} \u{2192} {}", it.caller, it.dialled),
        reason: it.verdict.as_ref().map_or("", |it| it.sentence.get(language)).to_owned(),
    });
    let outside = lines.iter().map(|it| of_line(it, language));
    let outside = outside.chain(trunks.iter().map(|it| of_trunk(it, language)));
    Ok(render(&Page {
        page: viewer.layout(),
        w: Words::of(language),
        light: light(&status, &lines, &trunks, language),
        troubles: troubles(&status.troubles, language),
        disk: disk(&status),
        uptime: viewer.say(&period(status.uptime_s)).to_owned(),
        outside: outside.collect(),
        more: more(&viewer, lines.len(), trunks.len()),
        failed: failed.collect(),
        status,
    }))
}

/// Each with its remedy.
pub(super) fn troubles(all: &[Trouble], language: Language) -> Vec<(String, String)> {
    let said = |it: &Text| it.get(language).to_owned();
    all.iter().map(|it| (said(&it.sentence), said(&it.remedy))).collect()
}

fn disk(status: &Status) -> String {
    const GIB: u64 = 1024 * 1024 * 1024;
    let share = |(free, size): (u64, u64)| {
        let percent = u128::from(free) * 100 / u128::from(size.max(1));
        format!("{}.{} GiB ({percent} %)", free / GIB, free % GIB * 10 / GIB)
    };
    status.disk_free.zip(status.disk_size).map(share).unwrap_or_default()
}

/// Lines and trunks that there was no room for.
fn more(viewer: &Viewer, lines: usize, trunks: usize) -> Vec<(String, &'static str)> {
    let directory = viewer.pages.running.directory();
    let Some(tenant) = directory.tenant(TenantId::default()) else { return vec![] };
    let of_lines = tenant.lines.iter().count().saturating_sub(lines);
    let of_trunks = tenant.trunks.len().saturating_sub(trunks);
    let mut more = vec![];
    if of_lines > 0 {
        let text = text!("and {of_lines} more external lines", "还有{of_lines}条外线");
        more.push((viewer.say(&text).to_owned(), "/external-lines"));
    }
    if of_trunks > 0 {
        let text = text!("and {of_trunks} more SIP trunks", "还有{of_trunks}条SIP中继");
        more.push((viewer.say(&text).to_owned(), "/sip-trunks"));
    }
    more
}

/// The worst there is.
fn light(
    status: &Status,
    lines: &[ExternalLine],
    trunks: &[SipTrunk],
    language: Language,
) -> Light {
    let say = |class, sentence: Text, remedy: Text| Light {
        class,
        sentence: sentence.get(language).to_owned(),
        remedy: remedy.get(language).to_owned(),
    };
    if !status.ready {
        let sentence = text!("The server does not take calls now.", "服务器现在不接受呼叫。");
        return say("bad", sentence, Text::same(""));
    }
    let of_line = lines.iter().filter(|it| it.line.enabled).find_map(|it| {
        let trouble = it.state.as_ref()?.trouble.as_ref()?;
        let account = &it.line.account;
        let sentence = text!("External line {account}: {}", "外线{account}：{}", &trouble.sentence);
        Some((sentence, trouble.remedy.clone()))
    });
    let of_trunk = || {
        trunks.iter().filter(|it| it.trunk.enabled).find_map(|it| {
            let state = it.state.as_ref().filter(|it| !it.healthy)?;
            let id = it.trunk.id;
            let silent = text!("its servers do not answer", "服务器无响应");
            let trouble = state.trouble.as_ref();
            let what = trouble.map_or(silent, |it| it.sentence.clone());
            let remedy = trouble.map_or_else(|| Text::same(""), |it| it.remedy.clone());
            Some((text!("SIP trunk {id}: {}", "SIP中继{id}：{}", what), remedy))
        })
    };
    match of_line.or_else(of_trunk) {
        Some((sentence, remedy)) => say("warn", sentence, remedy),
        None if !status.troubles.is_empty() => {
            let sentence =
                text!("Calls are well; something else is not:", "呼叫正常，但有其他问题：");
            say("warn", sentence, Text::same(""))
        }
        None => say("good", text!("All is well.", "一切正常。"), Text::same("")),
    }
}

fn of_line(it: &ExternalLine, language: Language) -> Outside {
    let (class, state) = match &it.state {
        None => ("off", String::new()),
        Some(state) => (standing_class(&state.standing), state.text.get(language).to_owned()),
    };
    Outside {
        name: it.line.account.to_string(),
        description: it.line.description.to_string(),
        class,
        state,
        calls: it.state.as_ref().map_or_else(String::new, |it| calls(it.calls_in, it.calls_out)),
    }
}

fn of_trunk(it: &SipTrunk, language: Language) -> Outside {
    let healthy = it.state.as_ref().is_some_and(|it| it.healthy);
    let (class, state) = match (it.trunk.enabled, healthy) {
        (false, _) => ("off", text!("off", "未启用")),
        (true, true) => ("good", text!("reachable", "可达")),
        (true, false) => ("bad", text!("not reachable", "不可达")),
    };
    let kind = text!("SIP trunk {}", "SIP中继{}", it.trunk.id);
    Outside {
        name: kind.get(language).to_owned(),
        description: it.trunk.description.to_string(),
        class,
        state: state.get(language).to_owned(),
        calls: it.state.as_ref().map_or_else(String::new, |it| calls(it.calls_in, it.calls_out)),
    }
}

/// The class of a line's lamp.
pub(crate) fn standing_class(standing: &str) -> &'static str {
    match standing {
        "registered" => "good",
        "registering" | "unregistering" => "warn",
        "failed" => "bad",
        _ => "off",
    }
}

fn calls(inward: u16, outward: u16) -> String {
    format!("{inward} / {outward}")
}

/// As long as it is, in its two largest units.
pub(crate) fn period(seconds: u64) -> Text {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => text!("{seconds} s", "{seconds}秒"),
        (0, 0, _) => text!("{minutes} min {} s", "{minutes}分{}秒", seconds % 60),
        (0, _, _) => text!("{hours} h {minutes} min", "{hours}小时{minutes}分"),
        (_, _, _) => text!("{days} d {hours} h", "{days}天{hours}小时"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_table() {
        #[rustfmt::skip]
        let table = [
            (5,       "5 s",          "5秒"),
            (65,      "1 min 5 s",    "1分5秒"),
            (3_720,   "1 h 2 min",    "1小时2分"),
            (90_000,  "1 d 1 h",      "1天1小时"),
        ];
        for (seconds, en, zh) in table {
            let text = period(seconds);
            assert_eq!((text.get(Language::En), text.get(Language::Zh)), (en, zh));
        }
    }
}
