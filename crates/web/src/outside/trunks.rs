//! SIP trunks: `/api/v1/sip-trunks`.

use super::patch::patched;
use super::{Fields, said, without};
use crate::access::Principal;
use crate::audit::Author;
use crate::conventions::{Listed, PageQuery, Patch, Since, not_of_this_list};
use crate::resource::Failure;
use crate::resource::outside::{ServerState, SipTrunk, Trouble, TrunkState};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::{Path, Query, State};
use pbx::id::TenantId;
use pbx::release::ReleaseCode;
use pbx::text;
use pbx::time::UnixMillis;
use pbx::trunk::Trunk;
use pbx::trunk::config::TrunkAddress;
use pbx::trunk::live::{ServerStatus, TrunkStatus};
use std::collections::BTreeMap;
use store::Db;

/// All trunks, by number; how they are now is for the running server to say.
pub async fn list(db: &Db) -> Result<Vec<SipTrunk>, Failure> {
    let trunks = db.trunks_after(TenantId::default(), None, "", u32::MAX).await?;
    Ok(trunks.into_iter().map(shown).collect())
}

pub async fn show(db: &Db, id: u32) -> Result<SipTrunk, Failure> {
    db.trunk(TenantId::default(), id).await?.map(shown).ok_or_else(|| missing(id))
}

/// Adds a trunk of these fields, of which `id` and `addresses` are needed.
pub async fn add(db: &Db, fields: Fields, now: UnixMillis) -> Result<SipTrunk, Failure> {
    let trunk = patched(&Trunk::default(), fields)?;
    let id = trunk.id;
    let mut tables = db.tables(TenantId::default()).await?;
    if tables.trunks.iter().any(|it| it.id == id) {
        let detail = text!("SIP trunk {id} exists already", "SIP中继{id}已存在");
        return Err(Failure::new(409, "exists", detail).at("id"));
    }
    tables.trunks.push(trunk);
    db.set_tables(TenantId::default(), tables, now).await?;
    show(db, id).await
}

pub async fn set(db: &Db, id: u32, fields: Fields, now: UnixMillis) -> Result<SipTrunk, Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    let trunk = tables.trunks.iter_mut().find(|it| it.id == id).ok_or_else(|| missing(id))?;
    let changed = patched(trunk, fields)?;
    if changed.id != id {
        let detail = text!(
            "id: a trunk keeps its number. Add another trunk",
            "id：SIP中继的编号不能修改，请另外添加SIP中继"
        );
        return Err(Failure::new(422, "invalid", detail));
    }
    *trunk = changed;
    db.set_tables(TenantId::default(), tables, now).await?;
    show(db, id).await
}

/// Removes a trunk that nothing refers to.
pub async fn delete(db: &Db, id: u32, now: UnixMillis) -> Result<(), Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    let before = tables.trunks.len();
    tables.trunks.retain(|it| it.id != id);
    if tables.trunks.len() == before {
        return Err(missing(id));
    }
    without(db, tables, text!("SIP trunk {id}", "SIP中继{id}"), now).await
}

fn missing(id: u32) -> Failure {
    Failure::new(404, "not_found", text!("there is no SIP trunk {id}", "没有SIP中继{id}"))
}

fn shown(trunk: Trunk) -> SipTrunk {
    SipTrunk { trunk, state: None }
}

/// The trunks with what the running server says of them.
fn with_states(office: &Office, trunks: Vec<SipTrunk>) -> Vec<SipTrunk> {
    let known = office.running.trunks();
    let known: BTreeMap<u32, &TrunkStatus> = known.iter().map(|it| (it.id, it)).collect();
    let with = |it: SipTrunk| {
        let state = known.get(&it.trunk.id).map(|status| state(&it.trunk, status));
        SipTrunk { state, ..it }
    };
    trunks.into_iter().map(with).collect()
}

fn with_state(office: &Office, trunk: SipTrunk) -> SipTrunk {
    with_states(office, vec![trunk.clone()]).pop().unwrap_or(trunk)
}

fn state(trunk: &Trunk, status: &TrunkStatus) -> TrunkState {
    // A name may lead to several.
    let configured = |it: &ServerStatus| trunk.addresses.get(it.configured).map(address_text);
    let server = |it: &ServerStatus| ServerState {
        server: configured(it).unwrap_or_default(),
        address: it.address.map(|it| it.to_string()),
        up: it.up && it.address.is_some(),
        next: it.next && trunk.enabled,
        last_answer: it.last_answer.as_ref().map(said),
    };
    TrunkState {
        healthy: trunk.enabled && status.is_up(),
        servers: status.servers.iter().map(server).collect(),
        trouble: status.trouble.map(|it| Trouble {
            code: it.of_trunk().as_str().to_owned(),
            sentence: it.sentence(),
            remedy: pbx::verdict::remedy(ReleaseCode::TrunkDns),
        }),
        calls_in: status.calls_in,
        calls_out: status.calls_out,
    }
}

/// `host:port`.
pub fn address_text(address: &TrunkAddress) -> String {
    format!("{}:{}", address.host, address.port)
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Since<Listed<SipTrunk>>, Failure> {
    let position = office.running.events().position();
    let after = Some(&query.cursor).filter(|it| !it.is_empty()).map(|it| it.parse());
    let after = after.transpose().map_err(|_| not_of_this_list())?;
    let (search, wanted) = (query.search(), query.wanted());
    let found = office.db.trunks_after(TenantId::default(), after, search, wanted).await?;
    let found = found.into_iter().map(shown).collect();
    let listed = query.listed("/api/v1/sip-trunks", found, |it| it.trunk.id.to_string());
    let listed = Listed { shown: with_states(&office, listed.shown), ..listed };
    Ok(Since(position, listed))
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(id): Path<u32>,
) -> Result<Json<SipTrunk>, Failure> {
    let trunk = show(&office.db, id).await?;
    Ok(Json(with_state(&office, trunk)))
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(patch): Json<Patch<Trunk>>,
) -> Result<Json<SipTrunk>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let trunk = author.tables(add(author.db(), patch.fields, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(with_state(&office, trunk)))
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<u32>,
    Json(patch): Json<Patch<Trunk>>,
) -> Result<Json<SipTrunk>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let trunk = author.tables(set(author.db(), id, patch.fields, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(with_state(&office, trunk)))
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<u32>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    author.tables(delete(author.db(), id, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(()))
}
