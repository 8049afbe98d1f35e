//! What a phone is set up with by its camera (扫码配置): an address that is good once and for ten minutes.
//!
//! Whoever knows the password of an extension has what its phone needs kept here under a long random token. A code shows
//! the address with that token, never the password; the phone that asks first gets it.

use crate::Office;
use crate::moment::rfc3339;
use crate::resource::{Failure, ProvisioningRequest, ProvisioningToken};
use axum::Json;
use axum::extract::{Path, State};
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::StoreError;
use store::directory::derive_secret;
use store::password::NewPassword;

/// How long a code is good.
const LIFE: Duration = Duration::from_secs(600);
/// Most codes at a time; the oldest goes for a new one.
const OFFERS_MAX: usize = 1000;
/// Random passwords a token is made of: more than 100 bits.
const TOKEN_PARTS: usize = 2;

/// What a phone is to be told.
pub(crate) struct Offer {
    pub(crate) number: String,
    pub(crate) password: String,
    pub(crate) server: String,
    until: UnixMillis,
}

/// The codes that are good now, by their tokens.
#[derive(Default)]
pub(crate) struct Offers(Mutex<BTreeMap<String, Offer>>);

impl Offers {
    /// Keeps what the phone of `number` needs; the token it is had for, and until when.
    fn offer(
        &self,
        number: &str,
        password: &str,
        server: &str,
        now: UnixMillis,
    ) -> Result<(String, UnixMillis), Failure> {
        let mut token = String::new();
        for _ in 0..TOKEN_PARTS {
            token += NewPassword::generate().map_err(StoreError::Password)?.reveal();
        }
        let mut offers = self.lock();
        offers.retain(|_, it| it.until > now);
        if offers.len() >= OFFERS_MAX {
            let oldest = offers.iter().min_by_key(|it| it.1.until).map(|it| it.0.clone());
            oldest.map(|it| offers.remove(&it));
        }
        let until = now.after(LIFE);
        let (number, password, server) =
            (number.to_owned(), password.to_owned(), server.to_owned());
        offers.insert(token.clone(), Offer { number, password, server, until });
        Ok((token, until))
    }

    /// Once.
    pub(crate) fn take(&self, token: &str, now: UnixMillis) -> Option<Offer> {
        self.lock().remove(token).filter(|it| it.until > now)
    }

    /// What a panic elsewhere left behind is still a whole map.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Offer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST …/{number}:provisioning-token`. The password is shown to whoever has it already and to nobody else.
pub(crate) async fn on_token(
    State(office): State<Office>,
    Path(number): Path<String>,
    Json(ProvisioningRequest { password }): Json<ProvisioningRequest>,
) -> Result<Json<ProvisioningToken>, Failure> {
    let directory = office.running.directory();
    let tenant = directory.tenant(TenantId::default());
    let known = tenant.and_then(|it| it.extension(&number).map(|found| (it, found)));
    let Some((tenant, extension)) = known else {
        let what = text!("there is no extension {number}", "分机{number}不存在");
        return Err(Failure::new(404, "not_found", what));
    };
    let given = derive_secret(&number, &tenant.settings.realm, password.as_bytes());
    if extension.secret != Some(given) {
        let what = text!("this is not the password of {number}", "这不是分机{number}的密码");
        return Err(Failure::new(422, "wrong_password", what).at("password"));
    }
    let (server, now) = (office.running.server_address(), office.running.now());
    let (token, until) = office.offers.offer(&number, &password, &server, now)?;
    let path = format!("/provision/{token}");
    Ok(Json(ProvisioningToken { token, path, expires_at: rfc3339(until) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::{NOW, Scene};
    use serde_json::{Value, json};

    #[test]
    fn a_code_is_good_once_and_for_ten_minutes() {
        let offers = Offers::default();
        let at = UnixMillis(1_000_000);
        let (first, until) = offers.offer("100", "secret", "10.0.0.1", at).unwrap();
        let (second, _) = offers.offer("101", "secret", "10.0.0.1", at).unwrap();
        assert!(first.len() >= 20 && first != second);
        assert_eq!(until, at.after(LIFE));
        assert_eq!(offers.take(&first, at).unwrap().number, "100");
        assert!(offers.take(&first, at).is_none(), "once");
        assert!(offers.take(&second, at.after(LIFE)).is_none(), "ten minutes");
    }

    #[tokio::test]
    async fn who_knows_the_password_has_a_code_made() {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }] });
        let made = scene.post("/api/v1/extensions").json(&new).by_socket().send().await.json();
        let asked = async |number: &str, password: &Value| {
            let path = format!("/api/v1/extensions/{number}:provisioning-token");
            scene.post(&path).json(&json!({ "password": password })).by_socket().send().await
        };
        let wrong = asked("100", &"guessed".into()).await;
        assert_eq!((wrong.status, &*wrong.code()), (422, "wrong_password"), "{}", wrong.body);
        assert_eq!(asked("101", &"guessed".into()).await.status, 404);
        let token = asked("100", &made[0]["password"]).await;
        assert_eq!(token.status, 200, "{}", token.body);
        let token = token.json();
        let name = token["token"].as_str().unwrap();
        let path = format!("/provision/{name}");
        let admin = json!({ "name": "ann", "password": "correct horse" });
        assert_eq!(scene.post("/api/v1/setup").json(&admin).status().await, 200);
        assert_eq!(token["path"], *path);
        let head = scene.ask(axum::http::Method::HEAD, &path).status().await;
        assert_eq!(head, 405, "what looks ahead does not use it up");
        let offer = scene.office.offers.take(name, NOW).unwrap();
        assert_eq!((&*offer.number, made[0]["password"].as_str()), ("100", Some(&*offer.password)));
    }
}
