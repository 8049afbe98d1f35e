//! Administrators: the operations of the API, which the command line also uses while no server runs, and their handlers.

use super::password::{self, Hasher};
use super::principal::Principal;
use crate::Office;
use crate::audit::{Author, Editor, Kept, USERS, readable};
use crate::conventions::{Listed, PageQuery};
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::access::{NewUser, UserChange, UserInfo, UserPassword};
use axum::Json;
use axum::extract::{Path, Query, State};
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::text;
use pbx::time::UnixMillis;
use store::Db;
use store::db::{Factor, User};

/// More administrators than any office has.
const USERS_MAX: usize = 1000;
const NAME_CHARS_MAX: usize = 64;

pub async fn list(db: &Db) -> Result<Vec<UserInfo>, Failure> {
    Ok(db.users(TenantId::default()).await?.into_iter().map(shown).collect())
}

/// Adds an administrator. `made` is what [`password::Hasher`] made of the password.
async fn add(author: Author<'_>, user: User) -> Result<UserInfo, Failure> {
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    must_have_room(db).await?;
    if !db.insert_user(tenant, &user).await? {
        return Err(exists(&user.name));
    }
    let shown = shown(user);
    author.changed(USERS, &shown.name, None::<&UserInfo>, Some(&shown)).await?;
    author.commit().await?;
    Ok(shown)
}

async fn must_have_room(db: &Db) -> Result<(), Failure> {
    if db.users(TenantId::default()).await?.len() < USERS_MAX {
        return Ok(());
    }
    let what = text!("at most {USERS_MAX} administrators", "最多{USERS_MAX}个管理员");
    Err(Failure::new(422, "too_many", what))
}

/// Adds the one whom the set-up makes; false where there is one already.
pub(super) async fn add_first(author: &Editor<'_>, user: &User) -> Result<bool, Failure> {
    if !author.db().insert_first_user(TenantId::default(), user).await? {
        return Ok(false);
    }
    let shown = shown(user.clone());
    author.changed(USERS, &shown.name, None::<&UserInfo>, Some(&shown)).await?;
    Ok(true)
}

/// The same as [`add`] while no server runs.
pub async fn add_offline(author: Author<'_>, new: NewUser) -> Result<UserInfo, Failure> {
    check_name(&new.name)?;
    password::check(&new.name, &new.password)?;
    let hash = Hasher::default().hash(new.password).await?;
    let user = user(new.name, hash, new.language.unwrap_or_default(), author.now);
    add(author, user).await
}

/// Sets a password and ends the sessions of whoever knew the old one; all, or all but `but`.
pub(crate) async fn set_password(
    author: Author<'_>,
    name: &str,
    hash: &str,
    but: Option<&str>,
) -> Result<(), Failure> {
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    let was = db.user(tenant, name).await?.ok_or_else(|| missing(name))?;
    db.set_user_password(tenant, name, hash, author.now).await?;
    db.delete_sessions_of(tenant, name, but).await?;
    // As he is called, however the request has written it: an undo looks for later passwords by that name.
    let name = was.name.clone();
    author.password(USERS, &name, Some(Kept::User(was, None))).await?;
    author.commit().await
}

/// The same while no server runs.
pub async fn passwd_offline(author: Author<'_>, name: &str, text: String) -> Result<(), Failure> {
    password::check(name, &text)?;
    let hash = Hasher::default().hash(text).await?;
    set_password(author, name, &hash, None).await
}

pub(crate) async fn set(
    author: Author<'_>,
    name: &str,
    change: UserChange,
) -> Result<UserInfo, Failure> {
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    let find = async || db.user(tenant, name).await?.map(shown).ok_or_else(|| missing(name));
    let before = find().await?;
    if let Some(language) = change.language {
        db.set_user_language(tenant, name, language).await?;
    }
    let after = find().await?;
    author.changed(USERS, &after.name, Some(&before), Some(&after)).await?;
    author.commit().await?;
    Ok(after)
}

/// Removes an administrator, but never the last.
pub async fn delete(author: Author<'_>, name: &str) -> Result<(), Failure> {
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    let user = db.user(tenant, name).await?.ok_or_else(|| missing(name))?;
    let factor = readable(db.factor(tenant, name).await)?;
    if db.delete_user(tenant, name).await? {
        let before = shown(user.clone());
        let kept = factor.map(|it| Kept::User(user, it));
        author.gone(USERS, &before.name, &before, kept).await?;
        return author.commit().await;
    }
    let what = text!(
        "{name} is the last administrator. Add another one first",
        "{name}是最后一个管理员，请先添加其他管理员"
    );
    Err(Failure::new(409, "last", what))
}

/// Whoever was removed is there again, with his password and second factor; his sessions are not.
pub(crate) async fn put_back(
    author: Author<'_>,
    user: User,
    factor: Option<Factor>,
) -> Result<(), Failure> {
    let author = author.edit();
    let (db, tenant) = (author.db(), TenantId::default());
    must_have_room(db).await?;
    if !db.insert_user(tenant, &user).await? {
        return Err(exists(&user.name));
    }
    if let Some(factor) = factor {
        db.put_factor(tenant, &user.name, &factor).await?;
    }
    let after = shown(user);
    author.changed(USERS, &after.name, None::<&UserInfo>, Some(&after)).await?;
    author.commit().await
}

/// Of letters, digits and what else stands in the names of accounts and mail.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let is_part = |it: char| it.is_alphanumeric() || "._-@+".contains(it);
    let length = name.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&length) && name.chars().all(is_part) {
        return Ok(());
    }
    let what = text!(
        "name: 1 to {NAME_CHARS_MAX} letters, digits or . _ - @ +",
        "账号：1至{NAME_CHARS_MAX}个字母、数字或. _ - @ +"
    );
    Err(Failure::new(422, "invalid", what).at("name"))
}

/// A user as it is stored, with his password hashed.
pub(super) async fn made(
    office: &Office,
    name: String,
    password: String,
    language: Language,
) -> Result<User, Failure> {
    let hash = office.access.hasher.hash(password).await?;
    Ok(user(name, hash, language, office.running.now()))
}

fn user(name: String, password: String, language: Language, now: UnixMillis) -> User {
    User { name, password, language, created_at: now, password_at: now, totp_at: None }
}

fn exists(name: &str) -> Failure {
    let what = text!("administrator {name} exists already", "管理员{name}已存在");
    Failure::new(409, "exists", what).at("name")
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::new(404, "not_found", text!("there is no administrator {name}", "没有管理员{name}"))
}

pub(crate) fn shown(user: User) -> UserInfo {
    UserInfo {
        name: user.name,
        language: user.language,
        created_at: rfc3339(user.created_at),
        password_at: rfc3339(user.password_at),
        second_factor: user.totp_at.is_some(),
    }
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<UserInfo>, Failure> {
    let (after, search, wanted) = (&query.cursor, query.search(), query.wanted());
    let found = office.db.users_after(TenantId::default(), after, search, wanted).await?;
    let found = found.into_iter().map(shown).collect();
    Ok(query.listed("/api/v1/users", found, |it: &UserInfo| it.name.clone()))
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(name): Path<String>,
) -> Result<Json<UserInfo>, Failure> {
    let user = office.db.user(TenantId::default(), &name).await?;
    user.map(|it| Json(shown(it))).ok_or_else(|| missing(&name))
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(new): Json<NewUser>,
) -> Result<Json<UserInfo>, Failure> {
    check_name(&new.name)?;
    password::check(&new.name, &new.password)?;
    let language = new.language.unwrap_or(principal.language);
    let user = made(&office, new.name, new.password, language).await?;
    let _one_at_a_time = office.edits.lock().await;
    add(Author::of(&office, &principal), user).await.map(Json)
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(change): Json<UserChange>,
) -> Result<Json<UserInfo>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    set(Author::of(&office, &principal), &name, change).await.map(Json)
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    delete(Author::of(&office, &principal), &name).await.map(Json)
}

/// `POST …/{name}:passwd`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(request): Json<UserPassword>,
) -> Result<Json<()>, Failure> {
    let Some(name) = name.strip_suffix(":passwd") else {
        return Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")));
    };
    passwd(&office, &principal, name, request).await.map(Json)
}

/// Sets a password. Who changes his own must know the old one: the browser may have been left alone.
pub async fn passwd(
    office: &Office,
    principal: &Principal,
    name: &str,
    request: UserPassword,
) -> Result<(), Failure> {
    password::check(name, &request.password)?;
    let is_own = principal.is(name);
    if is_own {
        prove(office, principal, name, request.current.unwrap_or_default()).await?;
    }
    let hash = office.access.hasher.hash(request.password).await?;
    let but = principal.session().filter(|_| is_own);
    let _one_at_a_time = office.edits.lock().await;
    set_password(Author::of(office, principal), name, &hash, but).await
}

/// Whoever may have sat down at another's browser shows the password once more.
pub(super) async fn prove(
    office: &Office,
    principal: &Principal,
    name: &str,
    current: String,
) -> Result<(), Failure> {
    office.access.attempt(principal, Some(name), office.running.now())?;
    let user = office.db.user(TenantId::default(), name).await?.ok_or_else(|| missing(name))?;
    if office.access.hasher.is_right(current, Some(user.password)).await? {
        office.access.succeeded(principal, Some(name));
        return Ok(());
    }
    let what = text!("the present password is wrong", "当前密码错误");
    Err(Failure::new(403, "wrong_password", what).at("current"))
}
