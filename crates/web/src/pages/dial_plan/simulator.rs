//! The simulator of the dial plan: the decision on a call that nobody places, by tables that may not be saved yet.

use super::HOME;
use super::held::rows;
use super::tables::TABLES;
use crate::dial_plan::{checked, simulate};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::{self, Failure, SimulateRequest};
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use pbx::dialplan::lint::{self, finding::Finding};
use pbx::directory::{Directory, Tenant};
use pbx::id::TenantId;
use pbx::language::{Language, Text};
use pbx::text;
use pbx::time::UnixMillis;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Rows of all tables that are checked as they are written.
const CHECKED_ROWS_MAX: usize = 5000;
/// Findings that a page shows.
const LINES_MAX: usize = 100;

words! {
    Words {
        title: "Simulator", "拨号模拟";
        help: "Where a call would go, decided as calls are, step by step.", "按实际呼叫的处理过程逐步分析号码的路由。";
        from: "Caller number", "主叫号码";
        way: "Comes in by", "呼入来源";
        extension: "an extension", "分机";
        line: "external line", "外线";
        trunk: "SIP trunk", "SIP中继";
        dial: "Dialled", "所拨号码";
        at: "At (empty: now)", "时间（留空为现在）";
        dice: "Random number for rows that block a part of the calls (0 to 99, empty: let it pass)",
            "随机数（0至99，用于按比例限制的黑名单记录；留空为放行）";
        up: "As if every phone, line and trunk were registered and idle", "假设所有话机、外线和中继均已注册且空闲";
        more: "More", "更多条件";
        run: "Simulate", "模拟";
        empty: "Enter a caller number and what he dials.", "请输入主叫号码和所拨号码。";
        findings: "Checks", "检查结果";
        no_findings: "Nothing is wrong with the dial plan.", "拨号规则没有问题。";
        as_saved: "Of the tables as they are saved: in long ones, what is written is checked when it is saved.", "以下为已保存规则的检查结果：记录较多时，修改内容在保存时检查。";
        tables: "Tables", "拨号规则表";
    }
}

/// What is to be simulated.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) from: String,
    /// `line:` and an account, or `trunk:` and a number; empty: an extension calls.
    pub(super) way: String,
    pub(super) dial: String,
    pub(super) at: String,
    /// 0 to 99, for rows of the black list that block a part of the calls.
    pub(super) dice: String,
    /// `true`: as if everything were registered and idle.
    pub(super) up: String,
}

/// What is asked in the URL, or in the form of a grid.
pub(super) fn asked(sent: &Sent) -> Asked {
    let of = |name: &str| {
        let found = sent.iter().find(|it| it.0 == name);
        found.map(|it| it.1.trim().to_owned()).unwrap_or_default()
    };
    Asked {
        from: of("sim-from"),
        way: of("sim-way"),
        dial: of("sim-dial"),
        at: of("sim-at"),
        dice: of("sim-dice"),
        up: of("sim-up"),
    }
}

/// The simulator as a page shows it.
#[derive(Template)]
#[template(path = "simulator.html")]
pub(super) struct Simulated {
    w: &'static Words,
    asked: Asked,
    ways: Vec<(String, String)>,
    /// The steps, or why there are none.
    text: String,
    pub(super) findings: Arc<Vec<Finding>>,
    /// The findings are not of what is written.
    as_saved: bool,
    /// What is wrong with the tables; `None`: nobody has looked.
    lines: Option<Vec<String>>,
}

impl Simulated {
    /// Nothing can be decided by what is written, nor checked.
    pub(super) fn refused(viewer: &Viewer, asked: Asked, failure: &Failure) -> Self {
        let text = sentences(failure, viewer.language).join("\n");
        let w = Words::of(viewer.language);
        Self {
            w,
            asked,
            ways: ways(viewer.pages.running.directory().tenant(TenantId::default()), w),
            text,
            findings: Arc::default(),
            as_saved: false,
            lines: None,
        }
    }
}

/// Decides by what is written, or else by what is in force, and says what is wrong with it.
pub(super) async fn run(
    viewer: &Viewer,
    written: Option<Result<Tenant, Failure>>,
    asked: Asked,
) -> Simulated {
    let language = viewer.language;
    let w = Words::of(language);
    let running = &*viewer.pages.running;
    let (directory, checked) = match written {
        None => (running.directory(), None),
        Some(Err(failure)) => return Simulated::refused(viewer, asked, &failure),
        Some(Ok(office)) => {
            let checked = check(&office, running.now()).await;
            (Arc::new(directory(viewer, office)), Some(checked))
        }
    };
    let as_saved = checked.as_ref().is_some_and(Option::is_none);
    let findings = match checked.flatten() {
        Some(findings) => Arc::new(findings),
        None => in_force(viewer).await,
    };
    let text = if asked.from.is_empty() && asked.way.is_empty() {
        w.empty.to_owned()
    } else {
        let request = request(&asked);
        match simulate(running, Arc::clone(&directory), &request, &findings).await {
            Ok(simulation) => simulation.text.get(language).trim_end().to_owned(),
            Err(failure) => sentences(&failure, language).join("\n"),
        }
    };
    let lines = Some(lines(&findings, language));
    let ways = ways(directory.tenant(TenantId::default()), w);
    Simulated { w, asked, ways, text, findings, as_saved, lines }
}

/// What is wrong with tables that are written and not saved. Whoever writes waits for it: long ones are not looked
/// through at every letter.
async fn check(office: &Tenant, now: UnixMillis) -> Option<Vec<Finding>> {
    let length = |table| rows(&office.dial_plan, table).take(CHECKED_ROWS_MAX + 1).count();
    if TABLES.iter().map(length).sum::<usize>() > CHECKED_ROWS_MAX {
        return None;
    }
    let office = office.clone();
    spawn_blocking(move || lint::lint(&office, now)).await.ok()
}

async fn in_force(viewer: &Viewer) -> Arc<Vec<Finding>> {
    let directory = viewer.pages.running.directory();
    // Without them the simulator is as right as with them.
    checked(&viewer.pages.office, &directory).await.unwrap_or_default()
}

/// The first of them, and how many there are besides.
fn lines(findings: &[Finding], language: Language) -> Vec<String> {
    let rest = |more| {
        text!(
            "and {more} more: `dialtone dialplan lint` shows them all",
            "还有{more}条，可用`dialtone dialplan lint`查看全部"
        )
    };
    first(findings.iter().map(resource::Finding::from), rest, language)
}

/// As [`lines`], of what may be in no database.
pub(super) fn first(
    findings: impl ExactSizeIterator<Item = resource::Finding>,
    rest: impl Fn(usize) -> Text,
    language: Language,
) -> Vec<String> {
    let more = findings.len().saturating_sub(LINES_MAX);
    let mut lines: Vec<String> = findings.take(LINES_MAX).map(|it| said(&it, language)).collect();
    if more > 0 {
        lines.push(rest(more).get(language).to_owned());
    }
    lines
}

/// The finding without the name that its field has in the API.
pub(super) fn said(finding: &resource::Finding, language: Language) -> String {
    let field = &finding.field;
    let (named, bare) = match language {
        Language::En => (format!(", {field}: "), ": "),
        Language::Zh => (format!("，{field}："), "："),
    };
    finding.line(language).replacen(&named, bare, 1)
}

/// The directory that calls are decided by, with this office in the place of its own.
fn directory(viewer: &Viewer, office: Tenant) -> Directory {
    let mut directory = Directory::clone(&viewer.pages.running.directory());
    directory.tenants.insert(TenantId::default(), office);
    directory
}

fn request(asked: &Asked) -> SimulateRequest {
    let line = asked.way.strip_prefix("line:").map(str::to_owned);
    let trunk = asked.way.strip_prefix("trunk:").and_then(|it| it.parse().ok());
    SimulateRequest {
        from: asked.from.clone(),
        dial: asked.dial.clone(),
        line,
        trunk,
        at: Some(asked.at.clone()).filter(|it| !it.is_empty()),
        // What is none is refused as one that is too high.
        dice: (!asked.dice.is_empty()).then(|| asked.dice.parse().unwrap_or(u8::MAX)),
        all_up: asked.up == "true",
        ..SimulateRequest::default()
    }
}

fn ways(tenant: Option<&Tenant>, w: &Words) -> Vec<(String, String)> {
    let mut ways = vec![(String::new(), w.extension.to_owned())];
    if let Some(tenant) = tenant {
        let line = |account: &str| (format!("line:{account}"), format!("{} {account}", w.line));
        ways.extend(tenant.lines.iter().map(|it| line(&it.account)));
        let trunk = |id: &u32| (format!("trunk:{id}"), format!("{} {id}", w.trunk));
        ways.extend(tenant.trunks.keys().map(trunk));
    }
    ways
}

#[derive(Template)]
#[template(path = "simulate.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    simulated: Simulated,
    tables: Vec<(String, &'static str)>,
}

/// What is asked stands in the URL, so that it can be sent to somebody.
pub(crate) async fn on_simulator(
    viewer: Viewer,
    Query(sent): Query<Sent>,
) -> Result<Response, PageFailure> {
    let simulated = run(&viewer, None, asked(&sent)).await;
    let language: Language = viewer.language;
    let tables = TABLES.iter().map(|it| (format!("{HOME}/{}", it.path), it.title.get(language)));
    let page = Page { page: viewer.layout(), w: simulated.w, simulated, tables: tables.collect() };
    Ok(render(&page))
}
