//! The dial plan (拨号规则): the operations of the API, which the command line also uses while no server runs, and their
//! handlers.

pub mod tables;

use crate::moment::{MOMENT, moment};
use crate::resource::{Endpoint, Failure, Finding, SimulateRequest, Simulation, SimulationRefusal};
use crate::{Office, Running};
use axum::Json;
use axum::extract::State;
use pbx::dialplan::lint::finding::TableName;
use pbx::dialplan::lint::{self, finding};
use pbx::dialplan::live::AllUp;
use pbx::dialplan::number::DIALLED_LENGTH_MAX;
use pbx::dialplan::query::{Candidate, Outgoing};
use pbx::dialplan::step::Explanation;
use pbx::dialplan::{Draft, Tables, Trial, TrialCaller, print};
use pbx::directory::{Directory, Tenant};
use pbx::id::TenantId;
use pbx::language::{Language, Text};
use pbx::text;
use pbx::time::UnixMillis;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Lets calls pass that a row of the black list blocks only in part; the highest there is.
pub const DICE_DEFAULT: u8 = 99;

/// Rows of tables that are not stored, which are looked through for one simulation.
const WRITTEN_ROWS_MAX: usize = 5000;

/// Everything that is wrong with the dial plan, by table and row.
pub fn findings(directory: &Directory, now: UnixMillis) -> Result<Vec<Finding>, Failure> {
    Ok(lint::lint(tenant(directory)?, now).iter().map(Finding::from).collect())
}

/// The same of what is in force, looked for once.
pub(crate) async fn checked(
    office: &Office,
    directory: &Arc<Directory>,
) -> Result<Arc<Vec<finding::Finding>>, Failure> {
    let now = office.running.now();
    let all = move |it: &Directory| tenant(it).map(|it| lint::lint(it, now)).unwrap_or_default();
    office.findings.get(directory, now, all).await
}

/// The decision on a call that nobody places, as the core would decide it now. `findings` are those of its directory.
pub(crate) async fn simulate(
    running: &dyn Running,
    directory: Arc<Directory>,
    request: &SimulateRequest,
    findings: &[finding::Finding],
) -> Result<Simulation, Failure> {
    let now = running.now();
    if request.all_up {
        return all_up(directory, request, now, findings);
    }
    let trial = trial(directory, request, now)?;
    let told = running.explain(trial).await.ok_or_else(|| {
        let detail = text!("the server does not answer now; try again", "服务器暂无响应，请重试");
        Failure::new(503, "busy", detail)
    })?;
    shown(tenant(&told.trial.directory.0)?, &told.explanation, findings)
}

/// The same where everything is registered, answers and is idle.
pub fn simulate_all_up(
    directory: Arc<Directory>,
    request: &SimulateRequest,
    now: UnixMillis,
) -> Result<Simulation, Failure> {
    let findings = lint::lint(tenant(&directory)?, now);
    all_up(directory, request, now, &findings)
}

fn all_up(
    directory: Arc<Directory>,
    request: &SimulateRequest,
    now: UnixMillis,
    findings: &[finding::Finding],
) -> Result<Simulation, Failure> {
    let trial = trial(directory, request, now)?;
    shown(tenant(&trial.directory.0)?, &trial.explain(&AllUp), findings)
}

fn trial(
    directory: Arc<Directory>,
    request: &SimulateRequest,
    now: UnixMillis,
) -> Result<Trial, Failure> {
    let tenant = tenant(&directory)?;
    for (field, number) in [("from", &request.from), ("dial", &request.dial)] {
        if number.len() > DIALLED_LENGTH_MAX {
            let most = DIALLED_LENGTH_MAX;
            let detail = text!("{field}: at most {most} octets", "{field}：最多{most}字节");
            return Err(Failure::new(422, "invalid", detail));
        }
    }
    if request.dice.is_some_and(|it| it > DICE_DEFAULT) {
        let what = text!("dice: 0 to {DICE_DEFAULT}", "dice：0至{DICE_DEFAULT}");
        return Err(Failure::new(422, "invalid", what).at("dice"));
    }
    let at = match &request.at {
        None => now,
        Some(text) => moment(text, &tenant.zone.0).ok_or_else(|| {
            Failure::new(422, "invalid", text!("at = {text}: {}", "at = {text}：{}", MOMENT))
        })?,
    };
    Ok(Trial {
        tenant: TenantId::default(),
        caller: caller(tenant, request)?,
        dialled: request.line.as_deref().unwrap_or(&request.dial).into(),
        at,
        dice: request.dice.unwrap_or(DICE_DEFAULT),
        directory: Draft(directory),
    })
}

/// Real calls have identified their caller before they are decided, so he must exist here too.
fn caller(tenant: &Tenant, request: &SimulateRequest) -> Result<TrialCaller, Failure> {
    let number = || request.from.as_str().into();
    let missing = |what| Failure::new(404, "not_found", what);
    match (request.line.as_deref(), request.trunk) {
        (Some(_), Some(_)) => Err(Failure::new(
            422,
            "invalid",
            text!("a call comes from a line or a trunk", "呼叫只能来自外线或SIP中继之一"),
        )),
        (Some(account), None) if tenant.lines.get(account).is_some() => {
            Ok(TrialCaller::Line { account: account.into(), number: number() })
        }
        (Some(account), None) => {
            Err(missing(text!("there is no external line {account}", "没有外线{account}")))
        }
        (None, Some(id)) if tenant.trunks.contains_key(&id) => {
            Ok(TrialCaller::Trunk { id, number: number() })
        }
        (None, Some(id)) => Err(missing(text!("there is no SIP trunk {id}", "没有SIP中继{id}"))),
        (None, None) if tenant.extension(&request.from).is_some() => {
            Ok(TrialCaller::Extension(number()))
        }
        (None, None) => {
            let number = &request.from;
            Err(missing(text!("there is no extension {number}", "分机{number}不存在")))
        }
    }
}

/// The findings on rows that the decision looked at.
fn about(explanation: &Explanation, findings: &[finding::Finding]) -> Vec<Finding> {
    let rows: BTreeSet<_> =
        explanation.legs().flat_map(|it| &it.steps).flat_map(|it| it.rows()).collect();
    let seen = |it: &&finding::Finding| {
        it.row.parse().is_ok_and(|row: u32| rows.contains(&(it.table, row)))
    };
    findings.iter().filter(seen).map(Finding::from).collect()
}

fn shown(
    tenant: &Tenant,
    explanation: &Explanation,
    findings: &[finding::Finding],
) -> Result<Simulation, Failure> {
    let warnings = about(explanation, findings);
    let text = |language| {
        let mut text = print(explanation, language);
        for it in &warnings {
            text += it.line(language);
            text.push('\n');
        }
        text
    };
    let (en, zh) = (text(Language::En), text(Language::Zh));
    let (at, last) = (explanation.at, explanation.last());
    let (candidates, refusal) = match &last.route.outcome {
        _ if last.kept_back.is_some() => (vec![], last.end()),
        Ok(candidates) => (candidates.iter().map(|it| endpoint(tenant, it)).collect(), last.end()),
        Err(it) => (vec![], Some(*it)),
    };
    let refusal = refusal.map(|it| {
        let code = it.code.as_str().to_owned();
        SimulationRefusal { code, status: it.status, row: it.row }
    });
    Ok(Simulation {
        plan: last.route.plan.to_string(),
        at: format!("{}T{:02}:{:02}", at.date, at.minute / 60, at.minute % 60),
        forwarded_by: explanation.forwarded_by().map(|it| it.to_string()).collect(),
        candidates,
        refusal,
        warnings,
        text: Text { en: en.into(), zh: zh.into() },
    })
}

fn endpoint(tenant: &Tenant, candidate: &Candidate) -> Endpoint {
    let name = match candidate {
        Candidate::Extension(it) => it.number.to_string(),
        Candidate::Feature(it) => {
            let code = tenant.dial_plan.features.code(it.feature).unwrap_or_default();
            format!("{code}{}", it.number)
        }
        Candidate::Line(it, _) => it.account.to_string(),
        Candidate::Trunk(it, _) => it.id.to_string(),
    };
    let sent = match candidate {
        Candidate::Extension(_) | Candidate::Feature(_) => None,
        Candidate::Line(_, out) | Candidate::Trunk(_, out) => Some(out),
    };
    let number = |of: fn(&Outgoing) -> &str| sent.map(|it| of(it).to_owned());
    Endpoint {
        kind: candidate.as_str().to_owned(),
        name,
        called: number(|it| &it.called),
        caller: number(|it| &it.caller),
    }
}

fn tenant(directory: &Directory) -> Result<&Tenant, Failure> {
    let tenant = TenantId::default();
    directory.tenant(tenant).ok_or_else(|| store::StoreError::NoTenant(tenant.0).into())
}

impl From<&finding::Finding> for Finding {
    fn from(it: &finding::Finding) -> Self {
        Self {
            severity: it.severity().as_str().to_owned(),
            table: it.table.as_str().to_owned(),
            row: it.row.to_string(),
            field: it.field.to_owned(),
            what: it.rule.what(),
            remedy: it.rule.remedy(),
            text: text!("{}: {}", "{}：{}", it.severity().text(), it.text()),
        }
    }
}

impl Finding {
    pub fn is_error(&self) -> bool {
        self.severity == finding::Severity::Error.as_str()
    }

    /// As people read it.
    pub fn line(&self, language: Language) -> &str {
        self.text.get(language)
    }
}

pub(crate) async fn on_lint(State(office): State<Office>) -> Result<Json<Vec<Finding>>, Failure> {
    let found = checked(&office, &office.running.directory()).await?;
    Ok(Json(found.iter().map(Finding::from).collect()))
}

pub(crate) async fn on_simulate(
    State(office): State<Office>,
    Json(mut request): Json<SimulateRequest>,
) -> Result<Json<Simulation>, Failure> {
    let running = &*office.running;
    let in_force = running.directory();
    let (directory, findings) = match request.tables.take() {
        Some(tables) => {
            let written = written(&in_force, tables, request.only.as_deref())?;
            let directory = Arc::new(written);
            let (of, now) = (Arc::clone(&directory), running.now());
            let findings = spawn_blocking(move || Ok(lint::lint(tenant(&of)?, now))).await;
            let findings: Result<_, Failure> = findings.unwrap_or_else(|_| Ok(vec![]));
            (directory, Arc::new(findings?))
        }
        None => (Arc::clone(&in_force), checked(&office, &in_force).await?),
    };
    simulate(running, directory, &request, &findings).await.map(Json)
}

/// The directory as it would be with these tables, or those of them that are named.
fn written(
    in_force: &Directory,
    tables: Tables,
    only: Option<&[TableName]>,
) -> Result<Directory, Failure> {
    if tables.rows() > WRITTEN_ROWS_MAX {
        let what = text!(
            "tables: at most {WRITTEN_ROWS_MAX} rows; leave out the tables that are as they are in force, and name the others in only",
            "tables：最多{WRITTEN_ROWS_MAX}条记录；可省略未修改的表，并在only中列出其余的表"
        );
        return Err(Failure::new(422, "too_many", what).at("tables"));
    }
    let office = tenant(in_force)?;
    let tables = match only {
        Some(only) => Tables::of(office).with(tables, only),
        None => tables,
    };
    let office = tables.in_place_of(office);
    let mut written = in_force.clone();
    written.tenants.insert(TenantId::default(), office);
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::Scene;
    use jiff::tz::TimeZone;
    use serde_json::json;

    /// Thursday, 2026-11-26 02:15 UTC.
    const NOW: UnixMillis = UnixMillis(1_795_659_300_000);

    /// An office with line 1234 for numbers with 9 in working hours, and trunk 1.
    fn directory() -> Directory {
        let tables = r#"{
            "transitions": [{ "id": 1, "type": "delete", "length": 1 }],
            "called": [
                { "id": 1, "prefix": "9", "route": { "external-line": { "line": "1234" } },
                  "transition": 1, "time": "mon-fri 09:00-18:00" },
                { "id": 2, "prefix": "8", "route": "local-user", "reanalyze": true }
            ],
            "lines": [{ "account": "1234", "domain": "sip.example.com" }],
            "trunks": [{ "id": 1, "addresses": [{ "host": "10.23.0.1" }] }]
        }"#;
        let tables: Tables = serde_json::from_str(tables).unwrap();
        let mut tenant = tables.in_place_of(&Tenant::default());
        tenant.zone = pbx::dialplan::time::Zone(TimeZone::posix("CST-8").unwrap());
        let mut directory = Directory::default();
        directory.tenants.insert(TenantId::default(), tenant);
        directory
    }

    fn asked(request: SimulateRequest) -> Result<Simulation, Failure> {
        simulate_all_up(Arc::new(directory()), &request, NOW)
    }

    #[test]
    fn a_simulation_says_what_would_be_sent() {
        let from_trunk = SimulateRequest {
            from: "200".to_owned(),
            dial: "90138".to_owned(),
            trunk: Some(1),
            ..SimulateRequest::default()
        };
        let got = asked(from_trunk.clone()).unwrap();
        assert_eq!((got.at.as_str(), got.plan.as_str()), ("2026-11-26T10:15", "default"));
        let first = &got.candidates[0];
        let sent = (first.kind.as_str(), first.name.as_str(), first.called.as_deref());
        assert_eq!(sent, ("line", "1234", Some("0138")));
        assert!(got.text.en.contains("Dialled 90138") && got.text.zh.contains("90138"));
        // By the office's clock, not by that of the machine.
        for (at, refused) in [("2026-11-26T17:59", false), ("2026-11-26T18:00", true)] {
            let request = SimulateRequest { at: Some(at.to_owned()), ..from_trunk.clone() };
            assert_eq!(asked(request).unwrap().refusal.is_some(), refused, "{at}");
        }
    }

    #[test]
    fn rows_looked_at_come_with_what_is_wrong_with_them() {
        let request = SimulateRequest {
            from: "200".to_owned(),
            dial: "8100".to_owned(),
            trunk: Some(1),
            ..SimulateRequest::default()
        };
        let warnings = asked(request).unwrap().warnings;
        let rows: Vec<_> = warnings.iter().map(|it| (it.table.as_str(), &*it.row)).collect();
        assert_eq!(rows, [("called", "2")]);
        assert!(!warnings[0].is_error());
    }

    #[tokio::test]
    async fn a_call_is_tried_by_tables_that_are_not_stored() {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }, { "number": "101" }] });
        let added = scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        assert_eq!(added.status, 200, "{}", added.body);
        let asked = async |more: serde_json::Value| {
            let mut body = json!({ "from": "100", "dial": "8101" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let path = "/api/v1/dial-plan:simulate";
            let answer = scene.post(path).json(&body).by_socket().send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.json()["candidates"][0]["name"].as_str().unwrap_or_default().to_owned()
        };
        let tables = json!({
            "transitions": [{ "id": 1, "type": "delete", "length": 1 }],
            "called": [{ "id": 1, "prefix": "8", "route": "local-user", "transition": 1 }],
        });
        assert_eq!(asked(json!({})).await, "");
        assert_eq!(asked(json!({ "tables": tables })).await, "101");
        assert_eq!(asked(json!({ "tables": tables, "only": ["transitions"] })).await, "");
        assert_eq!(asked(json!({})).await, "", "nothing of it is stored");
    }

    #[test]
    fn who_is_not_there_is_named() {
        let from = |line: Option<&str>, trunk| SimulateRequest {
            from: "555".to_owned(),
            line: line.map(str::to_owned),
            trunk,
            ..SimulateRequest::default()
        };
        #[rustfmt::skip]
        let table = [
            (from(None, None),               "there is no extension 555"),
            (from(Some("99"), None),         "there is no external line 99"),
            (from(None, Some(9)),            "there is no SIP trunk 9"),
            (from(Some("1234"), Some(1)),    "a call comes from a line or a trunk"),
        ];
        for (request, expected) in table {
            assert_eq!(&*asked(request).unwrap_err().detail_en, expected);
        }
    }
}
