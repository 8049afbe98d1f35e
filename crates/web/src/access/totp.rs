//! The second factor (TOTP, RFC 6238): begun, confirmed, asked for, given up; and the recovery codes for a lost phone.
//!
//! A secret counts only once its phone has shown a right code. It is sealed in the database and never shown again.

mod code;

#[cfg(test)]
pub(crate) use code::present;

use super::principal::{Principal, Who};
use super::sessions::written;
use super::token;
use super::users::{missing, prove};
use crate::Office;
use crate::audit::{Author, Kept, USERS, readable};
use crate::failure::no_random_numbers;
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::access::{RecoveryCodes, TotpBegun, TotpCode, TotpProof, TotpState};
use axum::Json;
use axum::extract::{Path, State};
use data_encoding::BASE32_NOPAD;
use pbx::id::TenantId;
use pbx::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use store::Db;
use store::db::{Factor, Totp, User};

/// As long as the digest of HMAC-SHA1 (RFC 4226 §4, R6). Unit: octets.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
/// Of a recovery code: nobody finds one by trying, not even of a stolen hash. Unit: octets.
const RECOVERY_BYTES: usize = 10;
/// The wide forms of the printable characters of ASCII (Unicode, Halfwidth and Fullwidth Forms), and how far they are from
/// those.
const WIDE_FIRST: char = '\u{ff01}';
const WIDE_LAST: char = '\u{ff5e}';
const WIDE_FROM_ASCII: u32 = 0xfee0;
/// Characters between two dashes of a recovery code.
const GROUP: usize = 4;

/// Whether there is one, and how many recovery codes are left.
pub async fn state(office: &Office, name: &str) -> Result<TotpState, Failure> {
    let (db, tenant) = (&office.db, TenantId::default());
    let user = db.user(tenant, name).await?.ok_or_else(|| missing(name))?;
    Ok(TotpState {
        on: user.totp_at.is_some(),
        since: user.totp_at.map(rfc3339),
        recovery_codes: db.recovery_codes(tenant, name).await?,
    })
}

/// Makes a secret for his own phone; whoever left his browser alone has not left his password.
pub async fn begin(
    office: &Office,
    principal: &Principal,
    name: &str,
    proof: TotpProof,
) -> Result<TotpBegun, Failure> {
    own(principal, name)?;
    prove(office, principal, name, proof.current.unwrap_or_default()).await?;
    let secret = random::<SECRET_BYTES>()?;
    let _one_at_a_time = office.edits.lock().await;
    if !office.db.begin_totp(TenantId::default(), name, &secret).await? {
        return Err(already(name));
    }
    let secret = BASE32_NOPAD.encode(&secret);
    let account = utf8_percent_encode(name, NON_ALPHANUMERIC);
    // As authenticator apps read it; what is left out of it is what RFC 6238 has as default.
    let uri = format!("otpauth://totp/dialtone:{account}?secret={secret}&issuer=dialtone");
    Ok(TotpBegun { secret, uri })
}

/// From the first right code on it is asked for; sessions that began without it end.
pub async fn confirm(
    office: &Office,
    principal: &Principal,
    name: &str,
    shown: TotpCode,
) -> Result<RecoveryCodes, Failure> {
    own(principal, name)?;
    let now = office.running.now();
    office.access.attempt(principal, Some(name), now)?;
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(office, principal).edit();
    let (db, tenant) = (author.db(), TenantId::default());
    let Some(totp) = db.totp(tenant, name).await? else {
        let what = text!("the second factor was not begun", "尚未开始设置两步验证");
        return Err(Failure::new(409, "not_begun", what));
    };
    let Some(step) = digits(&shown.code).and_then(|it| step_of(&totp, it, now)) else {
        return Err(wrong());
    };
    let (codes, hashes) = recovery_codes()?;
    if !db.confirm_totp(tenant, name, step, now, &hashes).await? {
        return Err(already(name));
    }
    db.delete_sessions_of(tenant, name, principal.session()).await?;
    let (called, _) = kept(db, name).await?;
    author.did("totp_on", USERS, &called, None).await?;
    author.commit().await?;
    office.access.succeeded(principal, Some(name));
    Ok(RecoveryCodes { recovery_codes: codes })
}

/// New recovery codes in the place of those that are left: for who has used them up or lost the paper.
pub async fn renew(
    office: &Office,
    principal: &Principal,
    name: &str,
    proof: TotpProof,
) -> Result<RecoveryCodes, Failure> {
    own(principal, name)?;
    prove(office, principal, name, proof.current.unwrap_or_default()).await?;
    let (codes, hashes) = recovery_codes()?;
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(office, principal).edit();
    let (name, kept) = kept(author.db(), name).await?;
    if !author.db().renew_recovery_codes(TenantId::default(), &name, &hashes).await? {
        return Err(none(&name));
    }
    author.did("recovery_codes", USERS, &name, kept).await?;
    author.commit().await?;
    Ok(RecoveryCodes { recovery_codes: codes })
}

/// Gives it up. For his own one shows the password; another's is taken away as his password can be.
pub async fn off(
    office: &Office,
    principal: &Principal,
    name: &str,
    proof: TotpProof,
) -> Result<(), Failure> {
    if own(principal, name).is_ok() {
        prove(office, principal, name, proof.current.unwrap_or_default()).await?;
    }
    let _one_at_a_time = office.edits.lock().await;
    remove(Author::of(office, principal), name).await
}

/// The same while no server runs.
pub async fn remove(author: Author<'_>, name: &str) -> Result<(), Failure> {
    let tenant = TenantId::default();
    let user = author.db.user(tenant, name).await?.ok_or_else(|| missing(name))?;
    if user.totp_at.is_none() {
        // One that was begun and not confirmed was asked of nobody.
        return if author.db.delete_totp(tenant, name).await? { Ok(()) } else { Err(none(name)) };
    }
    let author = author.edit();
    let (name, kept) = kept(author.db(), name).await?;
    if !author.db().delete_totp(tenant, &name).await? {
        return Err(none(&name));
    }
    author.did("totp_off", USERS, &name, kept).await?;
    author.commit().await
}

/// The name of whoever it is, as the audit has it, and what is to be kept of a second factor that becomes another or goes.
async fn kept(db: &Db, name: &str) -> Result<(String, Option<Kept>), Failure> {
    let tenant = TenantId::default();
    let user = db.user(tenant, name).await?.ok_or_else(|| missing(name))?;
    let factor = readable(db.factor(tenant, name).await)?;
    Ok((user.name.clone(), factor.map(|it| Kept::User(user, it))))
}

/// The second factor that he had before it was turned off, or the recovery codes that were left of it.
pub(crate) async fn put_back(
    author: Author<'_>,
    name: &str,
    factor: Factor,
) -> Result<(), Failure> {
    let tenant = TenantId::default();
    let author = author.edit();
    let user = author.db().user(tenant, name).await?.ok_or_else(|| missing(name))?;
    let (action, kept, factor) = match author.db().factor(tenant, name).await? {
        None => {
            // As when it is turned on: whoever came in meanwhile has shown no code.
            author.db().delete_sessions_of(tenant, name, None).await?;
            ("totp_on", None, factor)
        }
        Some(now) => {
            let factor = Factor { recovery: factor.recovery, ..now.clone() };
            ("recovery_codes", Some(Kept::User(user.clone(), Some(now))), factor)
        }
    };
    author.db().put_factor(tenant, &user.name, &factor).await?;
    author.did(action, USERS, &user.name, kept).await?;
    author.commit().await
}

/// Whether this is a right code of his, which with that is used up.
pub(super) async fn check(
    office: &Office,
    principal: &Principal,
    user: &User,
    given: &str,
) -> Result<(), Failure> {
    office.access.attempt_code(principal, &user.name, office.running.now())?;
    if written(&office.db, || take(office, principal, user, given)).await? {
        return Ok(());
    }
    office.access.failed(principal, "bad_code");
    Err(wrong())
}

/// Uses it up; false where it is none.
async fn take(
    office: &Office,
    principal: &Principal,
    user: &User,
    given: &str,
) -> Result<bool, Failure> {
    let (db, tenant) = (&office.db, TenantId::default());
    match digits(given) {
        Some(code) => {
            let totp = db.totp(tenant, &user.name).await?;
            match totp.and_then(|it| step_of(&it, code, office.running.now())) {
                Some(step) => Ok(db.take_totp_step(tenant, &user.name, step).await?),
                None => Ok(false),
            }
        }
        None => {
            let hash = token::hash(&plain(given));
            let who = Who::User { name: user.name.clone(), session: String::new() };
            let me = Principal { who, ..principal.clone() };
            let author = Author::of(office, &me).edit();
            let found = author.db().take_recovery_code(tenant, &user.name, &hash).await?;
            if found {
                author.did("recovery_code", USERS, &user.name, None).await?;
            }
            author.commit().await?;
            Ok(found)
        }
    }
}

fn step_of(totp: &Totp, code: u32, now: pbx::time::UnixMillis) -> Option<u64> {
    code::step_of(&totp.secret, code, now, totp.last_step)
}

/// The six digits of a phone, however they are grouped; all else may be a recovery code.
fn digits(given: &str) -> Option<u32> {
    let plain = plain(given);
    let is_code = plain.len() == 6 && plain.bytes().all(|it| it.is_ascii_digit());
    plain.parse().ok().filter(|_| is_code)
}

/// Dashes, blanks and capitals do not matter, nor whether a Chinese keyboard has made the characters wide.
fn plain(given: &str) -> String {
    let narrow = given.chars().map(|it| match it {
        WIDE_FIRST..=WIDE_LAST => char::from_u32(u32::from(it) - WIDE_FROM_ASCII).unwrap_or(it),
        _ => it,
    });
    narrow.filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect()
}

/// As they are shown, and what is stored of them.
fn recovery_codes() -> Result<(Vec<String>, Vec<[u8; 32]>), Failure> {
    let codes: Vec<String> =
        (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<_, _>>()?;
    let hashes = codes.iter().map(|it| token::hash(&plain(it))).collect();
    Ok((codes, hashes))
}

fn recovery_code() -> Result<String, Failure> {
    let letters = BASE32_NOPAD.encode(&random::<RECOVERY_BYTES>()?).to_ascii_lowercase();
    let letters: Vec<char> = letters.chars().collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|it| it.iter().collect()).collect();
    Ok(groups.join("-"))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut random = [0; N];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(500, "random", no_random_numbers(error)))?;
    Ok(random)
}

fn own(principal: &Principal, name: &str) -> Result<(), Failure> {
    if principal.is(name) {
        return Ok(());
    }
    let what = text!(
        "only {name} can do this, signed in to the pages: it takes his phone",
        "只有{name}本人登录后才能操作，因为需要其手机"
    );
    Err(Failure::new(403, "not_own", what))
}

fn already(name: &str) -> Failure {
    let what = text!(
        "{name} has a second factor already: turn it off first",
        "{name}已启用两步验证，请先关闭"
    );
    Failure::new(409, "exists", what)
}

fn none(name: &str) -> Failure {
    let what = text!("{name} has no second factor", "{name}未启用两步验证");
    Failure::new(409, "no_totp", what)
}

fn wrong() -> Failure {
    let what = text!(
        "the code is wrong or was used already: wait for the next one, and see that the clocks of phone and server are right",
        "验证码错误或已使用：请等待下一个验证码，并确认手机和服务器的时间正确"
    );
    Failure::new(401, "wrong_code", what).at("code")
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(name): Path<String>,
) -> Result<Json<TotpState>, Failure> {
    state(&office, &name).await.map(Json)
}

pub(crate) async fn on_begin(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(proof): Json<TotpProof>,
) -> Result<Json<TotpBegun>, Failure> {
    begin(&office, &principal, &name, proof).await.map(Json)
}

pub(crate) async fn on_confirm(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(code): Json<TotpCode>,
) -> Result<Json<RecoveryCodes>, Failure> {
    confirm(&office, &principal, &name, code).await.map(Json)
}

pub(crate) async fn on_renew(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(proof): Json<TotpProof>,
) -> Result<Json<RecoveryCodes>, Failure> {
    renew(&office, &principal, &name, proof).await.map(Json)
}

pub(crate) async fn on_off(
    State(office): State<Office>,
    principal: Principal,
    Path(name): Path<String>,
    Json(proof): Json<TotpProof>,
) -> Result<Json<()>, Failure> {
    off(&office, &principal, &name, proof).await.map(Json)
}

#[cfg(test)]
mod tests;
