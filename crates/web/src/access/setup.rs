//! The set-up: the first administrator, made by whoever sits at this machine or has read the server's output.

use super::principal::{Principal, Who};
use super::sessions::{self, Begun};
use super::{password, users};
use crate::audit::Author;
use crate::resource::Failure;
use crate::resource::access::{SetupRequest, SetupState};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::settings::Settings;
use pbx::text;
use store::StoreError;
use store::password::NewPassword;

/// Characters between two dashes of the code.
const GROUP: usize = 4;

/// The code that makes the first administrator; `None` once there is one.
pub async fn code(office: &Office) -> Result<Option<String>, Failure> {
    if !office.access.needs_setup(&office.db).await? {
        return Ok(None);
    }
    if let Some(code) = office.access.setup_code.get() {
        return Ok(Some(code.clone()));
    }
    let random = NewPassword::generate().map_err(StoreError::Password)?;
    let letters: Vec<char> = random.reveal().chars().collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|it| it.iter().collect()).collect();
    Ok(Some(office.access.setup_code.get_or_init(|| groups.join("-")).clone()))
}

/// What the one who asks has to do.
pub async fn state(office: &Office, principal: &Principal) -> Result<SetupState, Failure> {
    let code = code(office).await?;
    Ok(SetupState {
        needed: code.is_some(),
        code_needed: code.is_some() && !principal.source.is_here(),
        language: principal.language,
        // The system has checked who opens the socket; nobody else is told.
        code: code.filter(|_| principal.who == Who::Cli),
    })
}

/// Makes the first administrator and begins his session.
pub async fn set_up(
    office: &Office,
    principal: &Principal,
    headers: &HeaderMap,
    request: SetupRequest,
) -> Result<Begun, Failure> {
    let Some(code) = code(office).await? else { return Err(settled()) };
    if !principal.source.is_here() {
        office.access.attempt(principal, None, office.running.now())?;
        if !is_same(&code, &request.code) {
            office.access.failed(principal, "bad_setup_code");
            let what = text!(
                "the set-up code is wrong: the server printed it at its start, and `dialtone admin setup-code` prints it again",
                "设置码错误：服务器启动时显示了设置码，也可用`dialtone admin setup-code`查看"
            );
            return Err(Failure::new(403, "wrong_setup_code", what).at("code"));
        }
        office.access.succeeded(principal, None);
    }
    users::check_name(&request.name)?;
    password::check(&request.name, &request.password)?;
    let language = request.language.unwrap_or(principal.language);
    let user = users::made(office, request.name, request.password, language).await?;
    let me = Principal {
        who: Who::User { name: user.name.clone(), session: String::new() },
        ..principal.clone()
    };
    let author = Author::of(office, &me).edit();
    if !users::add_first(&author, &user).await? {
        return Err(settled());
    }
    author.commit().await?;
    speak(office, &me, language).await?;
    sessions::begin(office, principal, headers, &user.name, language).await
}

/// An office that nobody has settled anything of speaks the language of its first administrator.
async fn speak(office: &Office, me: &Principal, language: Language) -> Result<(), Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let settings = office.db.settings(TenantId::default()).await?;
    if settings.language == language || settings != Settings::default() {
        return Ok(());
    }
    let settings = Settings { language, ..settings };
    let author = Author::of(office, me).edit();
    let set = async { Ok(author.db().set_settings(TenantId::default(), settings).await?) };
    author.setting("language", set).await?;
    author.commit().await?;
    office.running.changed(Edit::Settings).await
}

/// Compares every character; dashes and capitals do not matter.
fn is_same(code: &str, given: &str) -> bool {
    let plain = |text: &str| -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect()
    };
    let (code, given) = (plain(code), plain(given));
    let differing = code.iter().zip(&given).fold(0, |sum, (a, b)| sum | (a ^ b));
    code.len() == given.len() && differing == 0
}

fn settled() -> Failure {
    let what = text!("there is an administrator already: sign in", "已有管理员，请登录");
    Failure::new(409, "settled", what)
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    principal: Principal,
) -> Result<Json<SetupState>, Failure> {
    state(&office, &principal).await.map(Json)
}

pub(crate) async fn on_setup(
    State(office): State<Office>,
    principal: Principal,
    headers: HeaderMap,
    Json(request): Json<SetupRequest>,
) -> Result<Begun, Failure> {
    set_up(&office, &principal, &headers, request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_table() {
        #[rustfmt::skip]
        let table = [
            ("k7mf-x2pq-abcd", true),
            ("K7MF x2pqABCD",  true),
            ("k7mf-x2pq-abce", false),
            ("k7mf-x2pq",      false),
            ("",               false),
        ];
        for (given, expected) in table {
            assert_eq!(is_same("k7mf-x2pq-abcd", given), expected, "{given}");
        }
    }
}
