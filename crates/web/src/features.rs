//! Feature codes (业务码): the operations of the API, which the command line also uses while no server runs, and their
//! handlers.

use crate::access::Principal;
use crate::audit::Author;
use crate::nearest::nearest;
use crate::resource::{Failure, FeatureCode, FeatureCodeRequest};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::{Path, State};
use pbx::dialplan::Feature;
use pbx::dialplan::feature_codes::{FeatureCodes, FeatureRow};
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use store::Db;

/// Every feature, in the order they are declared.
pub async fn list(db: &Db) -> Result<Vec<FeatureCode>, Failure> {
    let codes: FeatureCodes = db.tables(TenantId::default()).await?.features.into_iter().collect();
    Ok(codes.all().map(shown).collect())
}

/// One of them.
async fn show(db: &Db, name: &str) -> Result<FeatureCode, Failure> {
    let feature = known(name)?.as_str();
    let found = list(db).await?.into_iter().find(|it| it.feature == feature);
    found.ok_or_else(|| {
        Failure::new(404, "not_found", text!("there is no feature {name}", "没有功能{name}"))
    })
}

/// Gives a feature this code; `off` takes it away.
pub async fn set(db: &Db, name: &str, code: &str, now: UnixMillis) -> Result<FeatureCode, Failure> {
    let feature = known(name)?;
    put(db, FeatureRow { feature, code: code.into() }, now).await
}

/// Back to the usual code.
pub async fn reset(db: &Db, name: &str, now: UnixMillis) -> Result<FeatureCode, Failure> {
    put(db, FeatureRow::usual(known(name)?), now).await
}

async fn put(db: &Db, row: FeatureRow, now: UnixMillis) -> Result<FeatureCode, Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    tables.features.retain(|it| it.feature != row.feature);
    tables.features.push(row.clone());
    db.set_tables(TenantId::default(), tables, now).await?;
    Ok(shown(&row))
}

fn shown(row: &FeatureRow) -> FeatureCode {
    let FeatureRow { feature, code } = row;
    FeatureCode {
        feature: feature.as_str().to_owned(),
        code: code.to_string(),
        usual: feature.usual_code().to_owned(),
        takes_number: feature.takes_number(),
        help: feature.text(),
    }
}

fn known(name: &str) -> Result<Feature, Failure> {
    Feature::named(name).ok_or_else(|| {
        let nearest = nearest(name, Feature::ALL.iter().map(|it| it.as_str()));
        let detail = text!("there is no feature {name}{}", "没有功能{name}{}", nearest);
        Failure::new(404, "not_found", detail)
    })
}

pub(crate) async fn on_list(
    State(office): State<Office>,
) -> Result<Json<Vec<FeatureCode>>, Failure> {
    list(&office.db).await.map(Json)
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(name): Path<String>,
) -> Result<Json<FeatureCode>, Failure> {
    show(&office.db, &name).await.map(Json)
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(request): Json<FeatureCodeRequest>,
) -> Result<Json<FeatureCode>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let changed = author.tables(set(author.db(), &name, &request.code, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(changed))
}

pub(crate) async fn on_reset(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Json<FeatureCode>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let changed = author.tables(reset(author.db(), &name, author.now)).await?;
    author.commit().await?;
    office.running.changed(Edit::DialPlan).await?;
    Ok(Json(changed))
}
