//! API keys: `dialtone_<id>_<secret>`, shown once, with the scopes that their programs need.

use super::principal::{Principal, Scope};
use super::token;
use crate::Office;
use crate::audit::{API_KEYS, Author, Kept};
use crate::conventions::{Listed, PageQuery, not_of_this_list};
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::access::{ApiKeyChange, ApiKeyInfo, MadeApiKey, NewApiKey};
use axum::Json;
use axum::extract::{Path, Query, State};
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use store::Db;
use store::db::ApiKey;

/// More keys than any office has programs.
const KEYS_MAX: usize = 1000;
const NAME_CHARS_MAX: usize = 64;
const PREFIX: &str = "dialtone_";

pub async fn list(db: &Db) -> Result<Vec<ApiKeyInfo>, Failure> {
    Ok(db.api_keys(TenantId::default()).await?.into_iter().map(shown).collect())
}

/// Makes a key; the answer is the only place where it is ever shown.
pub async fn add(author: Author<'_>, new: NewApiKey) -> Result<MadeApiKey, Failure> {
    check(&new.name, &new.scopes)?;
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    must_have_room(db).await?;
    let secret = token::random(token::SECRET_BYTES)?;
    let key = ApiKey {
        id: token::random(token::ID_BYTES)?,
        name: new.name,
        secret: token::hash(&secret).to_vec(),
        scopes: words(&new.scopes),
        created_at: author.now,
        created_by: author.called().to_owned(),
        used_at: None,
    };
    db.put_api_key(tenant, &key).await?;
    let info = shown(key);
    author.changed(API_KEYS, &info.id, None::<&ApiKeyInfo>, Some(&info)).await?;
    author.commit().await?;
    Ok(MadeApiKey { key: format!("{PREFIX}{}_{secret}", info.id), info })
}

async fn must_have_room(db: &Db) -> Result<(), Failure> {
    if db.api_keys(TenantId::default()).await?.len() < KEYS_MAX {
        return Ok(());
    }
    let what = text!("at most {KEYS_MAX} API keys", "最多{KEYS_MAX}个API密钥");
    Err(Failure::new(422, "too_many", what))
}

pub async fn set(
    author: Author<'_>,
    id: &str,
    change: ApiKeyChange,
) -> Result<ApiKeyInfo, Failure> {
    let author = author.edit();
    let mut key = found(author.db(), id).await?;
    let before = shown(key.clone());
    if let Some(name) = change.name {
        key.name = name;
    }
    if let Some(scopes) = change.scopes {
        key.scopes = words(&scopes);
    }
    check(&key.name, &scopes(&key))?;
    author.db().put_api_key(TenantId::default(), &key).await?;
    let after = shown(key);
    author.changed(API_KEYS, id, Some(&before), Some(&after)).await?;
    author.commit().await?;
    Ok(after)
}

/// From now on it opens nothing.
pub async fn revoke(author: Author<'_>, id: &str) -> Result<(), Failure> {
    let author = author.edit();
    let key = found(author.db(), id).await?;
    if !author.db().delete_api_key(TenantId::default(), id).await? {
        return Err(missing(id));
    }
    author.gone(API_KEYS, id, &shown(key.clone()), Some(Kept::ApiKey(key))).await?;
    author.commit().await
}

/// One that was revoked opens again what it opened.
pub(crate) async fn put_back(author: Author<'_>, key: ApiKey) -> Result<(), Failure> {
    let author = author.edit();
    must_have_room(author.db()).await?;
    author.db().put_api_key(TenantId::default(), &key).await?;
    let after = shown(key);
    author.changed(API_KEYS, &after.id, None::<&ApiKeyInfo>, Some(&after)).await?;
    author.commit().await
}

/// The key that a program shows, if it is right.
pub(super) async fn proven(db: &Db, text: &str) -> Result<Option<ApiKey>, Failure> {
    let Some((id, secret)) = text.strip_prefix(PREFIX).and_then(|it| it.split_once('_')) else {
        return Ok(None);
    };
    let key = db.api_key(TenantId::default(), id).await?;
    Ok(key.filter(|it| *it.secret == token::hash(secret)))
}

/// Those that this version knows.
pub(super) fn scopes(key: &ApiKey) -> Vec<Scope> {
    key.scopes.iter().filter_map(|it| Scope::named(it)).collect()
}

fn words(scopes: &[Scope]) -> Vec<String> {
    Scope::ALL.iter().filter(|it| scopes.contains(it)).map(|it| it.as_str().to_owned()).collect()
}

fn check(name: &str, scopes: &[Scope]) -> Result<(), Failure> {
    let length = name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&length) || name.chars().any(char::is_control) {
        let what = text!(
            "name: 1 to {NAME_CHARS_MAX} characters that say what the key is for",
            "名称：1至{NAME_CHARS_MAX}个字符，说明密钥的用途"
        );
        return Err(Failure::new(422, "invalid", what).at("name"));
    }
    if scopes.is_empty() {
        let what = text!(
            "scopes: at least one of read, config, calls, admin",
            "权限：至少为read、config、calls、admin之一"
        );
        return Err(Failure::new(422, "invalid", what).at("scopes"));
    }
    Ok(())
}

async fn found(db: &Db, id: &str) -> Result<ApiKey, Failure> {
    db.api_key(TenantId::default(), id).await?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Failure {
    Failure::new(404, "not_found", text!("there is no API key {id}", "没有API密钥{id}"))
}

pub(crate) fn shown(key: ApiKey) -> ApiKeyInfo {
    ApiKeyInfo {
        scopes: scopes(&key),
        created_at: rfc3339(key.created_at),
        used_at: key.used_at.map(rfc3339),
        id: key.id,
        name: key.name,
        created_by: key.created_by,
    }
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<ApiKeyInfo>, Failure> {
    let after = Some(&*query.cursor).filter(|it| !it.is_empty()).map(place).transpose()?;
    let (search, wanted) = (query.search(), query.wanted());
    let found = office.db.api_keys_after(TenantId::default(), after, search, wanted).await?;
    let listed = query
        .listed("/api/v1/api-keys", found, |it: &ApiKey| format!("{}/{}", it.created_at.0, it.id));
    Ok(Listed { shown: listed.shown.into_iter().map(shown).collect(), next: listed.next })
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(id): Path<String>,
) -> Result<Json<ApiKeyInfo>, Failure> {
    found(&office.db, &id).await.map(|it| Json(shown(it)))
}

/// Where a page begins: behind the key that was made then, and has this id.
fn place(cursor: &str) -> Result<(UnixMillis, &str), Failure> {
    let parts = cursor.split_once('/').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    parts.map(|(at, id)| (UnixMillis(at), id)).ok_or_else(not_of_this_list)
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(new): Json<NewApiKey>,
) -> Result<Json<MadeApiKey>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    add(Author::of(&office, &principal), new).await.map(Json)
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    Json(change): Json<ApiKeyChange>,
) -> Result<Json<ApiKeyInfo>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    set(Author::of(&office, &principal), &id, change).await.map(Json)
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    revoke(Author::of(&office, &principal), &id).await.map(Json)
}
