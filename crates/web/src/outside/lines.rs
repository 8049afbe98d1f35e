//! External lines: `/api/v1/external-lines`.

use super::patch::patched;
use super::{Fields, doctor, said, text_field, without};
use crate::access::Principal;
use crate::audit::Author;
use crate::conventions::{Listed, PageQuery, Patch, Since, perhaps};
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::outside::{Examination, Examine, ExternalLine, LineState, Trouble};
use crate::{Edit, Office};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use pbx::id::TenantId;
use pbx::line::Line;
use pbx::line::config::{Password, default_uri_parameters};
use pbx::line::live::LineStatus;
use pbx::line::register::Standing;
use pbx::text;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use store::Db;

/// What a line is called in the API, and its key.
const ACCOUNT: &str = "account";

/// All lines, by account; how they are now is for the running server to say.
pub async fn list(db: &Db) -> Result<Vec<ExternalLine>, Failure> {
    let lines = db.lines_after(TenantId::default(), "", "", u32::MAX).await?;
    Ok(lines.into_iter().map(shown).collect())
}

pub async fn show(db: &Db, account: &str) -> Result<ExternalLine, Failure> {
    let found = db.line(TenantId::default(), account).await?;
    found.map(shown).ok_or_else(|| missing(account))
}

/// Adds a line of these fields, of which `account` and `domain` are needed.
pub async fn add(db: &Db, fields: Fields, now: UnixMillis) -> Result<ExternalLine, Failure> {
    let account = text_field(&fields, ACCOUNT)?;
    let mut tables = db.tables(TenantId::default()).await?;
    if tables.lines.iter().any(|it| *it.account == *account) {
        let detail = text!("external line {account} exists already", "外线{account}已存在");
        return Err(Failure::new(409, "exists", detail).at("account"));
    }
    let language = db.settings(TenantId::default()).await?.language;
    let uri_parameters = default_uri_parameters(language).into();
    let line = patched(&Line { uri_parameters, ..Line::default() }, fields)?;
    tables.lines.push(line);
    db.set_tables(TenantId::default(), tables, now).await?;
    show(db, &account).await
}

pub async fn set(
    db: &Db,
    account: &str,
    fields: Fields,
    now: UnixMillis,
) -> Result<ExternalLine, Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    let line = tables.lines.iter_mut().find(|it| *it.account == *account);
    let line = line.ok_or_else(|| missing(account))?;
    let changed = patched(line, fields)?;
    if changed.account != line.account {
        let detail = text!(
            "account: a line keeps its account. Add another line",
            "account：外线的账号不能修改，请另外添加外线"
        );
        return Err(Failure::new(422, "invalid", detail));
    }
    *line = changed;
    db.set_tables(TenantId::default(), tables, now).await?;
    show(db, account).await
}

/// Removes a line that nothing refers to.
pub async fn delete(db: &Db, account: &str, now: UnixMillis) -> Result<(), Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    let before = tables.lines.len();
    tables.lines.retain(|it| *it.account != *account);
    if tables.lines.len() == before {
        return Err(missing(account));
    }
    without(db, tables, text!("External line {account}", "外线{account}"), now).await
}

fn missing(account: &str) -> Failure {
    let detail = text!("there is no external line {account}", "没有外线{account}");
    Failure::new(404, "not_found", detail)
}

fn shown(line: Line) -> ExternalLine {
    let has_password = !line.password.0.is_empty();
    ExternalLine { line: Line { password: Password::default(), ..line }, has_password, state: None }
}

/// The line with what the running server says of it.
fn with_state(office: &Office, line: ExternalLine) -> ExternalLine {
    with_states(office, vec![line.clone()]).pop().unwrap_or(line)
}

fn with_states(office: &Office, lines: Vec<ExternalLine>) -> Vec<ExternalLine> {
    let known = office.running.lines();
    let known: BTreeMap<&str, &LineStatus> = known.iter().map(|it| (&*it.account, it)).collect();
    let with = |it: ExternalLine| {
        let state = known.get(&*it.line.account).map(|status| state(&it.line, status));
        ExternalLine { state, ..it }
    };
    lines.into_iter().map(with).collect()
}

fn state(line: &Line, status: &LineStatus) -> LineState {
    let without = status.standing == Standing::Off && line.enabled && !line.register;
    LineState {
        standing: status.standing.as_str().to_owned(),
        text: if without {
            text!("in use without registration", "启用（不注册）")
        } else {
            status.standing.text()
        },
        since: status.since.map(rfc3339),
        until: status.until.map(rfc3339),
        target: status.target.map(|it| it.to_string()),
        last_request: status.last_request.as_ref().map(said),
        last_answer: status.last_answer.as_ref().map(said),
        next_at: status.next_at.map(rfc3339),
        trouble: status.trouble.map(|it| Trouble {
            code: it.code().to_owned(),
            sentence: it.sentence(),
            remedy: it.remedy(),
        }),
        calls_in: status.calls_in,
        calls_out: status.calls_out,
    }
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Since<Listed<ExternalLine>>, Failure> {
    let position = office.running.events().position();
    let (after, search, wanted) = (&query.cursor, query.search(), query.wanted());
    let found = office.db.lines_after(TenantId::default(), after, search, wanted).await?;
    let found = found.into_iter().map(shown).collect();
    let key = |it: &ExternalLine| it.line.account.to_string();
    let listed = query.listed("/api/v1/external-lines", found, key);
    let listed = Listed { shown: with_states(&office, listed.shown), ..listed };
    Ok(Since(position, listed))
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(account): Path<String>,
) -> Result<Json<ExternalLine>, Failure> {
    let line = show(&office.db, &account).await?;
    Ok(Json(with_state(&office, line)))
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(patch): Json<Patch<Line>>,
) -> Result<Json<ExternalLine>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let line = author.tables(add(author.db(), patch.fields, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(with_state(&office, line)))
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(account): Path<String>,
    Json(patch): Json<Patch<Line>>,
) -> Result<Json<ExternalLine>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let line = author.tables(set(author.db(), &account, patch.fields, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(with_state(&office, line)))
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(account): Path<String>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    author.tables(delete(author.db(), &account, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(()))
}

/// `POST …/{account}:register` and `…:doctor`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    Path(account): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    match account.rsplit_once(':') {
        Some((account, "register")) => {
            let line = on_register(State(office), Path(account.to_owned())).await?;
            Ok(line.into_response())
        }
        Some((account, "doctor")) => {
            let asked = Json(perhaps(&body)?);
            let found = on_doctor(State(office), Path(account.to_owned()), asked).await?;
            Ok(found.into_response())
        }
        Some(_) | None => {
            Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")))
        }
    }
}

pub(crate) async fn on_register(
    State(office): State<Office>,
    Path(account): Path<String>,
) -> Result<Json<ExternalLine>, Failure> {
    register(&office, &account).await.map(Json)
}

pub(crate) async fn on_doctor(
    State(office): State<Office>,
    Path(account): Path<String>,
    Json(asked): Json<Option<Examine>>,
) -> Result<Json<Examination>, Failure> {
    show(&office.db, &account).await?;
    doctor::examine(&office, &account, &asked.unwrap_or_default()).await.map(Json)
}

/// A REGISTER goes out now; what comes of it is in the line's state.
async fn register(office: &Office, account: &str) -> Result<ExternalLine, Failure> {
    let line = show(&office.db, account).await?;
    if !line.line.enabled || !line.line.register {
        let detail = text!(
            "external line {account} is not to be registered. Set enabled and register to true",
            "外线{account}设置为不注册。请将enabled和register设为true"
        );
        return Err(Failure::new(409, "off", detail));
    }
    if !office.running.register_line(account) {
        let detail = text!("the server is ending", "服务器正在停止");
        return Err(Failure::new(503, "ending", detail));
    }
    Ok(with_state(office, line))
}
