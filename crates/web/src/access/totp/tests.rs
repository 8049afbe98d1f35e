//! The second factor through the whole router, with a phone whose clock is the server's.

#![allow(clippy::unwrap_used)]

use super::present;
use crate::Running as _;
use crate::scene::{Answer, OFFICE, Scene, TRUSTED};
use axum::http::Method;
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "correct horse";
const STEP: Duration = Duration::from_secs(30);

struct Ann {
    scene: Scene,
    cookie: String,
    csrf: String,
}

impl Ann {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let made = scene.post("/api/v1/setup").json(&ann()).send().await;
        let csrf = made.json()["csrf"].as_str().unwrap().to_owned();
        Self { cookie: made.cookie(), csrf, scene }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let asking = self.scene.post(path).with("cookie", &self.cookie);
        asking.with("x-csrf-token", &self.csrf).json(&body).send().await
    }

    /// Her phone has the secret, and the server has seen its first code.
    async fn with_phone(&self) -> (Vec<u8>, Vec<String>) {
        let begun = self.post("/api/v1/users/ann/totp", json!({ "current": PASSWORD })).await;
        let secret = begun.json()["secret"].as_str().unwrap().to_owned();
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        let code = json!({ "code": self.code(&secret) });
        let on = self.post("/api/v1/users/ann/totp:confirm", code).await;
        assert_eq!(on.status, 200, "{}", on.body);
        let codes = serde_json::from_value(on.json()["recovery_codes"].clone()).unwrap();
        self.scene.server.wait(STEP);
        (secret, codes)
    }

    fn code(&self, secret: &[u8]) -> String {
        present(secret, self.scene.server.now())
    }

    async fn log_in(&self, from: &str, code: Option<&str>) -> Answer {
        let request = json!({ "name": "Ann", "password": PASSWORD, "code": code });
        self.scene.post("/api/v1/sessions").from(from).json(&request).send().await
    }

    /// A form of the sign-in page.
    async fn form(&self, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.scene.post("/login").text("application/x-www-form-urlencoded", &body).send().await
    }
}

fn ann() -> Value {
    json!({ "name": "ann", "password": PASSWORD })
}

#[tokio::test]
async fn it_counts_once_the_phone_has_shown_a_code() {
    let ann = Ann::new().await;
    let totp = "/api/v1/users/ann/totp";
    let wrong = ann.post(totp, json!({ "current": "wrong horse" })).await;
    assert_eq!((wrong.status, &*wrong.code()), (403, "wrong_password"));
    let by_cli =
        ann.scene.post(totp).by_socket().json(&json!({ "current": PASSWORD })).send().await;
    assert_eq!(by_cli.code(), "not_own");
    let begun = ann.post(totp, json!({ "current": PASSWORD })).await.json();
    let secret = begun["secret"].as_str().unwrap();
    let uri = format!("otpauth://totp/dialtone:ann?secret={secret}&issuer=dialtone");
    assert_eq!(begun["uri"], *uri);
    assert_eq!(ann.log_in(OFFICE, None).await.status, 200, "nobody has shown a code yet");
    let confirm = async |code: &str| {
        ann.post("/api/v1/users/ann/totp:confirm", json!({ "code": code })).await
    };
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let right = ann.code(&secret);
    let other = format!("{:06}", (right.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert_eq!(confirm(&other).await.code(), "wrong_code");
    let on = confirm(&right).await.json();
    assert_eq!(on["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(ann.post(totp, json!({ "current": PASSWORD })).await.code(), "exists");
    // Who is signed in stays; sessions that began with the password alone end.
    let sessions = ann.scene.get("/api/v1/sessions").with("cookie", &ann.cookie).send().await;
    assert_eq!(sessions.json().as_array().unwrap().len(), 1);
    let audit = ann.scene.get("/api/v1/audit-entries").by_socket().send().await.body;
    assert!(audit.contains("totp_on"), "{audit}");
    let state = ann.scene.get(totp).by_socket().send().await;
    assert_eq!((&state.json()["on"], &state.json()["recovery_codes"]), (&json!(true), &json!(10)));
    for path in [totp, "/api/v1/users", "/api/v1/audit-entries", "/api/v1/sessions"] {
        let shown = ann.scene.get(path).by_socket().send().await.body;
        assert!(!shown.contains(begun["secret"].as_str().unwrap()), "{path}");
    }
}

#[tokio::test]
async fn a_code_lets_in_once() {
    let ann = Ann::new().await;
    let (secret, recovery) = ann.with_phone().await;
    let without = ann.log_in(OFFICE, None).await;
    assert_eq!((without.status, &*without.code()), (401, "code_needed"));
    let code = ann.code(&secret);
    assert_eq!(ann.log_in(OFFICE, Some(&code)).await.status, 200);
    assert_eq!(ann.log_in(OFFICE, Some(&code)).await.code(), "wrong_code");
    ann.scene.server.wait(STEP);
    let spaced = ann.code(&secret);
    let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
    assert_eq!(ann.log_in(OFFICE, Some(&spaced)).await.status, 200);
    let capitals = recovery[0].to_uppercase();
    assert_eq!(ann.log_in(OFFICE, Some(&capitals)).await.status, 200);
    assert_eq!(ann.log_in(OFFICE, Some(&recovery[0])).await.code(), "wrong_code");
    let state = ann.scene.get("/api/v1/users/ann/totp").by_socket().send().await.json();
    assert_eq!(state["recovery_codes"], 9);
}

#[tokio::test]
async fn wrong_codes_cost_time_though_the_password_is_right() {
    let ann = Ann::new().await;
    let (secret, _) = ann.with_phone().await;
    for _ in 0..3 {
        assert_eq!(ann.log_in(OFFICE, Some("000000")).await.code(), "wrong_code");
    }
    assert_eq!(ann.log_in(OFFICE, Some("000000")).await.code(), "too_many_attempts");
    // A million codes are soon tried where nobody is kept waiting: who is trusted waits too, but later and for less.
    for _ in 0..10 {
        assert_eq!(ann.log_in(TRUSTED, Some("000000")).await.code(), "wrong_code");
    }
    assert_eq!(ann.log_in(TRUSTED, Some("000000")).await.code(), "too_many_attempts");
    for seconds in [1, 2, 4, 8, 16, 30] {
        ann.scene.server.wait(Duration::from_secs(seconds));
        assert_eq!(ann.log_in(TRUSTED, Some("000000")).await.code(), "wrong_code", "{seconds}");
    }
    ann.scene.server.wait(STEP);
    let code = ann.code(&secret);
    assert_eq!(ann.log_in(TRUSTED, Some(&code)).await.status, 200, "nobody waits longer");
    assert_eq!(ann.log_in(TRUSTED, Some("000000")).await.code(), "wrong_code", "counted anew");
}

#[tokio::test]
async fn recovery_codes_are_made_anew_for_the_password() {
    let ann = Ann::new().await;
    let renew = async |current: &str| {
        ann.post("/api/v1/users/ann/totp:renew", json!({ "current": current })).await
    };
    assert_eq!(renew(PASSWORD).await.code(), "no_totp");
    let (_, old) = ann.with_phone().await;
    assert_eq!(renew("wrong horse").await.code(), "wrong_password");
    let by_cli = ann.scene.post("/api/v1/users/ann/totp:renew").by_socket();
    assert_eq!(by_cli.json(&json!({ "current": PASSWORD })).send().await.code(), "not_own");
    let new = renew(PASSWORD).await.json();
    let new: Vec<String> = serde_json::from_value(new["recovery_codes"].clone()).unwrap();
    assert_eq!(ann.log_in(OFFICE, Some(&old[0])).await.code(), "wrong_code");
    // As a Chinese keyboard may write it.
    let wide = |it: char| char::from_u32(u32::from(it) + 0xfee0).unwrap();
    let wide: String = new[0].chars().map(wide).collect();
    assert_eq!(ann.log_in(OFFICE, Some(&wide)).await.status, 200, "{wide}");
    let audit = ann.scene.get("/api/v1/audit-entries").by_socket().send().await.body;
    assert!(audit.contains("\"recovery_codes\"") && !audit.contains(&*new[1]), "{audit}");
}

#[tokio::test]
async fn the_page_asks_for_the_code_in_a_second_step() {
    let ann = Ann::new().await;
    let (secret, _) = ann.with_phone().await;
    let password = [("name", "ann"), ("password", PASSWORD), ("next", "/calls")];
    let ticket = async || {
        let step = ann.form(&password).await;
        assert!(step.headers.get("set-cookie").is_none() && !step.body.contains(PASSWORD));
        let from = step.body.split("name=\"ticket\" value=\"").nth(1).unwrap();
        from.split('"').next().unwrap().to_owned()
    };
    let first = ticket().await;
    let wrong = ann.form(&[("ticket", &first), ("code", "000000")]).await;
    assert!(wrong.status == 401 && wrong.body.contains("id=\"code\""), "{}", wrong.body);
    let code = ann.code(&secret);
    let right = [("ticket", &*first), ("code", &*code), ("next", "/calls")];
    let entered = ann.form(&right).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/calls"));
    assert_eq!(ann.form(&right).await.status, 401, "a ticket is good once");
    // A ticket is good for five codes, for five minutes, and for the password it was had for.
    let tired = ticket().await;
    for _ in 0..5 {
        ann.form(&[("ticket", &tired), ("code", "000000")]).await;
    }
    ann.scene.server.wait(STEP);
    let code = ann.code(&secret);
    let late = ann.form(&[("ticket", &tired), ("code", &code)]).await;
    assert!(late.status == 401 && late.body.contains("id=\"password\""), "{}", late.body);
    let old = ticket().await;
    ann.scene.server.wait(Duration::from_secs(300));
    let code = ann.code(&secret);
    assert_eq!(ann.form(&[("ticket", &old), ("code", &code)]).await.status, 401);
    let changed = ticket().await;
    let new = json!({ "password": "another horse" });
    ann.scene.server.wait(Duration::from_millis(1));
    ann.scene.post("/api/v1/users/ann:passwd").by_socket().json(&new).send().await;
    assert_eq!(ann.form(&[("ticket", &changed), ("code", &code)]).await.status, 401);
}

#[tokio::test]
async fn it_is_turned_on_and_off_on_its_page() {
    let ann = Ann::new().await;
    let form = async |path: &str, fields: &[(&str, &str)]| {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &ann.csrf));
        let body = serde_urlencoded::to_string(fields).unwrap();
        let post = ann.scene.post(path).with("cookie", &ann.cookie);
        post.text("application/x-www-form-urlencoded", &body).send().await
    };
    let home = "/administrators/ann/totp";
    let shown = ann.scene.get(home).with("cookie", &ann.cookie).send().await;
    assert!(shown.body.contains("id=\"begin\""), "{}", shown.body);
    assert_eq!(form(home, &[("current", "wrong horse")]).await.status, 403);
    let begun = form(home, &[("current", PASSWORD)]).await;
    assert!(begun.body.contains("id=\"qr\""), "{}", begun.body);
    let secret = begun.body.split("translate=\"no\">").find_map(|it| {
        let text = it.split('<').next()?;
        BASE32_NOPAD.decode(text.as_bytes()).ok().filter(|it| it.len() == 20)
    });
    let secret = secret.unwrap();
    let wrong = form("/administrators/ann/totp/confirm", &[("code", "no")]).await;
    assert!(wrong.status == 401 && !wrong.body.contains("id=\"qr\""), "{}", wrong.body);
    let code = ann.code(&secret);
    let on = form("/administrators/ann/totp/confirm", &[("code", &code)]).await;
    assert_eq!(on.body.matches("<li><code>").count(), 10, "{}", on.body);
    let shown = ann.scene.get(home).with("cookie", &ann.cookie).send().await;
    assert!(shown.body.contains("id=\"off\"") && shown.body.contains("<strong id=\"left\">10"));
    assert_eq!(form("/administrators/ann/totp/renew", &[("current", "x")]).await.status, 403);
    let other = form("/administrators/ann/totp/renew", &[("current", PASSWORD)]).await.body;
    assert_eq!(other.matches("<li><code>").count(), 10, "{other}");
    assert_eq!(form("/administrators/ann/totp/off", &[]).await.status, 403);
    assert_eq!(form("/administrators/ann/totp/off", &[("current", PASSWORD)]).await.status, 303);
    assert_eq!(ann.log_in(OFFICE, None).await.status, 200);
}

#[tokio::test]
async fn the_socket_is_the_way_out() {
    let ann = Ann::new().await;
    ann.with_phone().await;
    let off = ann.scene.post("/api/v1/users/ann/totp:off").by_socket();
    assert_eq!(off.json(&json!({})).send().await.status, 200);
    assert_eq!(ann.log_in(OFFICE, None).await.status, 200);
    let off = ann.scene.post("/api/v1/users/ann/totp:off").by_socket();
    assert_eq!(off.json(&json!({})).send().await.code(), "no_totp");
}

#[tokio::test]
async fn what_an_undo_brings_back_is_the_same_phone_and_the_same_codes() {
    let ann = Ann::new().await;
    let (secret, codes) = ann.with_phone().await;
    let undo = async || {
        let entries = ann.scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        let id = entries["entries"][0]["id"].clone();
        let path = format!("/api/v1/audit-entries/{id}:undo");
        ann.scene.post(&path).by_socket().send().await
    };
    let proof = json!({ "current": PASSWORD });
    let renewed = ann.post("/api/v1/users/ann/totp:renew", proof.clone()).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    assert_eq!(undo().await.status, 200);
    assert_eq!(ann.log_in(OFFICE, Some(&codes[0])).await.status, 200, "the paper counts again");
    let spent = undo().await;
    assert_eq!((spent.status, &*spent.code()), (409, "cannot_undo"), "a spent code stays spent");

    let off = ann.post("/api/v1/users/ann/totp:off", proof).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let without = ann.log_in(OFFICE, None).await;
    assert_eq!(without.status, 200);
    let is_in = async || {
        let current = ann.scene.get("/api/v1/sessions/current").from(OFFICE);
        current.with("cookie", &without.cookie()).send().await.status
    };
    assert_eq!(is_in().await, 200);
    assert_eq!(undo().await.status, 200);
    assert_eq!(is_in().await, 401, "it began without the second factor");
    assert_eq!(ann.log_in(OFFICE, None).await.status, 401);
    assert_eq!(ann.log_in(OFFICE, Some(&codes[0])).await.status, 401, "it was spent");
    ann.scene.server.wait(STEP);
    assert_eq!(ann.log_in(OFFICE, Some(&ann.code(&secret))).await.status, 200);
    // The undo of the undo.
    let entries = ann.scene.get("/api/v1/audit-entries").by_socket().send().await.json();
    assert_eq!(entries["entries"][0]["action"], "totp_on");
    assert_eq!(undo().await.status, 200);
    assert_eq!(ann.log_in(OFFICE, None).await.status, 200);
}

/// Whoever finds her browser open cannot do by an undo what he would be asked her password for.
#[tokio::test]
async fn an_undo_of_her_own_asks_for_more_than_her_browser() {
    let ann = Ann::new().await;
    let newest = async || {
        let entries = ann.scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        format!("/api/v1/audit-entries/{}:undo", entries["entries"][0]["id"])
    };
    let refused = async |what: &str| {
        let answer = ann.post(&newest().await, Value::Null).await;
        assert_eq!((answer.status, &*answer.code()), (403, "own"), "{what}: {}", answer.body);
    };
    ann.with_phone().await;
    refused("totp_on").await;
    let proof = json!({ "current": PASSWORD });
    assert_eq!(ann.post("/api/v1/users/ann/totp:renew", proof.clone()).await.status, 200);
    refused("recovery_codes").await;
    assert_eq!(ann.post("/api/v1/users/ann/totp:off", proof).await.status, 200);
    refused("totp_off").await;
    let other = json!({ "current": PASSWORD, "password": "battery horse" });
    assert_eq!(ann.post("/api/v1/users/ANN:passwd", other).await.status, 200);
    refused("password").await;
    let language = ann.scene.ask(Method::PATCH, "/api/v1/users/ann").by_socket();
    assert_eq!(language.json(&json!({ "language": "zh" })).send().await.status, 200);
    assert_eq!(ann.post(&newest().await, Value::Null).await.status, 200, "that is nobody's key");
}
