//! The handlers: who may, one at a time, and what of it stands in the audit.

use super::{BACKUPS, Maker, create, delete, list, path, preview, restore, show, transfer};
use crate::access::Principal;
use crate::audit::Author;
use crate::conventions::perhaps;
use crate::resource::Failure;
use crate::resource::backup::{
    BackupInfo, BackupPassword, RestorePreview, RestoreRequest, Restoring, Standby,
};
use crate::{Edit, Office};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use pbx::text;
use store::backup::{Reason, Staged};

pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/backups", get(on_list).post(on_create))
        .route("/api/v1/backups:upload", post(on_upload))
        .route("/api/v1/backups/{name}", get(on_show).delete(on_delete).post(on_verb))
        .route("/api/v1/standby", get(on_standby).delete(on_standby_off))
}

fn maker(office: &Office) -> Maker {
    Maker { host: office.running.events().node.to_string(), now: office.running.now() }
}

pub(crate) async fn on_list(State(office): State<Office>) -> Json<Vec<BackupInfo>> {
    Json(list(&office.db))
}

pub(crate) async fn on_create(
    State(office): State<Office>,
    principal: Principal,
    Json(request): Json<BackupPassword>,
) -> Result<Json<BackupInfo>, Failure> {
    let _one_at_a_time = office.backups.lock().await;
    let made = create(&office.db, &maker(&office), Reason::Asked, request.password).await?;
    // What kept the nightly one from being made is over.
    office.nightly.is(None);
    Author::of(&office, &principal).done("backup", BACKUPS, &made.name).await;
    Ok(Json(made))
}

pub(crate) async fn on_upload(
    State(office): State<Office>,
    principal: Principal,
    body: Body,
) -> Result<Json<BackupInfo>, Failure> {
    // It lasts as long as the way is slow: others are told instead of kept waiting.
    let Ok(_one_at_a_time) = office.uploads.try_lock() else {
        let what = text!("another backup is being uploaded", "另一个备份正在上传");
        return Err(Failure::new(409, "busy", what));
    };
    let taken = transfer::take(&office.db, body).await?;
    Author::of(&office, &principal).done("upload", BACKUPS, &taken.name).await;
    Ok(Json(taken))
}

/// `GET …/{name}` and `GET …/{name}:download`.
pub(crate) async fn on_show(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let Some(name) = name.strip_suffix(":download") else {
        return on_info(State(office), Path(name)).await.map(IntoResponse::into_response);
    };
    let body = transfer::give(&path(&office.db, name)?)?;
    Author::of(&office, &principal).done("download", BACKUPS, name).await;
    // The name is of letters, digits and dashes.
    let file = format!("attachment; filename=\"{name}\"");
    let head = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((head, body).into_response())
}

pub(crate) async fn on_info(
    State(office): State<Office>,
    Path(name): Path<String>,
) -> Result<Json<BackupInfo>, Failure> {
    show(&office.db, &name).map(Json)
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Json<()>, Failure> {
    delete(&office.db, &name)?;
    Author::of(&office, &principal).done("delete", BACKUPS, &name).await;
    Ok(Json(()))
}

/// `POST …/{name}:preview` and `POST …/{name}:restore`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    if let Some(name) = name.strip_suffix(":preview") {
        let (name, asked) = (Path(name.to_owned()), Json(perhaps(&body)?));
        return on_preview(State(office), name, asked).await.map(IntoResponse::into_response);
    }
    let Some(name) = name.strip_suffix(":restore") else {
        return Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")));
    };
    let (name, asked) = (Path(name.to_owned()), Json(perhaps(&body)?));
    on_restore(State(office), principal, name, asked).await.map(IntoResponse::into_response)
}

pub(crate) async fn on_preview(
    State(office): State<Office>,
    Path(name): Path<String>,
    Json(asked): Json<Option<BackupPassword>>,
) -> Result<Json<RestorePreview>, Failure> {
    let _one_at_a_time = office.backups.lock().await;
    preview(&office.db, &name, asked.unwrap_or_default().password).await.map(Json)
}

pub(crate) async fn on_restore(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(asked): Json<Option<RestoreRequest>>,
) -> Result<Json<Restoring>, Failure> {
    let asked = asked.unwrap_or_default();
    let _one_at_a_time = office.backups.lock().await;
    let staged = Staged {
        backup: name.clone(),
        at: office.running.now(),
        actor_kind: principal.kind().to_owned(),
        actor: principal.name().to_owned(),
        source: principal.source.to_string(),
        standby: asked.standby,
    };
    let no_edits = office.edits.lock().await;
    let safety = restore(&office.db, &maker(&office), asked.password, staged).await?;
    Author::of(&office, &principal).done("restore", BACKUPS, &name).await;
    office.running.start_anew();
    // To the end of this process: what somebody edited after the copy would be gone with it.
    std::mem::forget(no_edits);
    Ok(Json(Restoring { safety: safety.name, has_password: safety.has_secrets }))
}

pub(crate) async fn on_standby(State(office): State<Office>) -> Json<Standby> {
    Json(Standby { standby: office.db.is_standby() })
}

/// Lines register and trunks are used from now on.
pub(crate) async fn on_standby_off(
    State(office): State<Office>,
    principal: Principal,
) -> Result<Json<Standby>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    if office.db.end_standby()? {
        Author::of(&office, &principal).done("standby_off", BACKUPS, "").await;
        office.running.changed(Edit::DialPlan).await?;
    }
    Ok(Json(Standby { standby: false }))
}
