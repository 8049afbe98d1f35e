//! What is changed is written down, and taken back; through the whole router.

use super::{Author, EXTENSIONS};
use crate::access::Principal;
use crate::certificate::made::self_signed;
use crate::scene::{Asking, NOW, Scene};
use axum::http::Method;
use pbx::id::TenantId;
use pbx::language::Language;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, raw_sql};
use std::time::Duration;
use store::db::AuditEntry;

async fn ok(ask: Asking<'_>) -> Value {
    let answer = ask.by_socket().send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn entries(scene: &Scene) -> Vec<Value> {
    let page = ok(scene.get("/api/v1/audit-entries")).await;
    page["entries"].as_array().unwrap().clone()
}

/// Takes the newest entry back; the answer.
async fn undo(scene: &Scene) -> crate::scene::Answer {
    let id = entries(scene).await[0]["id"].clone();
    scene.post(&format!("/api/v1/audit-entries/{id}:undo")).by_socket().send().await
}

async fn undone(scene: &Scene) -> Value {
    let answer = undo(scene).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn add(scene: &Scene) -> Asking<'_> {
    let new = json!({ "extensions": [{ "number": "100", "change": { "name": "Hall" } }] });
    scene.post("/api/v1/extensions").json(&new)
}

fn change<'a>(scene: &'a Scene, path: &str, change: &Value) -> Asking<'a> {
    scene.ask(Method::PATCH, path).json(change)
}

const EXTENSION: &str = "/api/v1/extensions/100";

#[tokio::test]
async fn an_extension_is_as_it_was_after_each_undo() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    ok(change(&scene, EXTENSION, &json!({ "name": "Kitchen", "ring_s": 20 }))).await;
    let newest = &entries(&scene).await[0];
    let told = json!([newest["actor_kind"], newest["action"], newest["kind"], newest["name"]]);
    assert_eq!(told, json!(["cli", "change", "extensions", "100"]));
    assert_eq!(
        (&newest["before"]["name"], &newest["after"]["name"]),
        (&json!("Hall"), &json!("Kitchen"))
    );
    // Another field may change meanwhile.
    ok(change(&scene, EXTENSION, &json!({ "calls": 5 }))).await;
    let id = newest["id"].clone();
    let answer = ok(scene.post(&format!("/api/v1/audit-entries/{id}:undo"))).await;
    assert_eq!(
        (&answer["entry"]["undoes"], &answer["entry"]["after"]["name"]),
        (&id, &json!("Hall"))
    );
    let shown = ok(scene.get(EXTENSION)).await;
    assert_eq!(json!([shown["name"], shown["ring_s"], shown["calls"]]), json!(["Hall", 0, 5]));
    let again = scene.post(&format!("/api/v1/audit-entries/{id}:undo")).by_socket().send().await;
    assert_eq!((again.status, &*again.code()), (409, "cannot_undo"));

    let password = async || {
        let password = scene.office.db.password(TenantId::default(), "100").await.unwrap();
        password.map(|it| it.reveal().to_owned())
    };
    let before = password().await;
    ok(scene.ask(Method::DELETE, EXTENSION)).await;
    let back = undone(&scene).await;
    assert_eq!(back["credentials"], Value::Null, "his phone has the password");
    assert_eq!(password().await, before);
    assert_eq!(ok(scene.get(EXTENSION)).await["calls"], 5);
    // What the undo added is taken away by its own undo.
    undone(&scene).await;
    assert_eq!(scene.get(EXTENSION).by_socket().status().await, 404);
}

/// Somebody has added the wrong range.
#[tokio::test]
async fn a_range_that_was_added_is_taken_back_whole_or_not_at_all() {
    let scene = Scene::new().await;
    let add = |number: &str| {
        let new = json!({ "extensions": [{ "number": number }] });
        scene.post("/api/v1/extensions").json(&new)
    };
    ok(add("200-209")).await;
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/extensions")).await, json!([]));
    let newest = &entries(&scene).await[0];
    assert_eq!(
        json!([newest["action"], newest["name"], newest["can_undo"]]),
        json!(["delete", "200-209", true])
    );
    undone(&scene).await;
    assert_eq!(scene.get("/api/v1/extensions/209").by_socket().status().await, 200);
    undone(&scene).await;

    ok(add("200-209")).await;
    let id = entries(&scene).await[0]["id"].clone();
    ok(change(&scene, "/api/v1/extensions/205", &json!({ "name": "Hall" }))).await;
    let undo = format!("/api/v1/audit-entries/{id}:undo");
    let refused = scene.post(&undo).by_socket().send().await;
    assert_eq!((refused.status, &*refused.code()), (409, "changed_since"), "{}", refused.body);
    undone(&scene).await;
    let line = json!({ "account": "5678", "domain": "sip.example.com", "owner": "207" });
    ok(scene.post("/api/v1/external-lines").json(&line)).await;
    ok(add("300-301")).await;
    let id = entries(&scene).await[0]["id"].clone();
    let line = json!({ "owner": "301" });
    ok(change(&scene, "/api/v1/external-lines/5678", &line)).await;
    let undo = format!("/api/v1/audit-entries/{id}:undo");
    let refused = scene.post(&undo).by_socket().send().await;
    assert_eq!((refused.status, &*refused.code()), (409, "in_use"), "{}", refused.body);
    assert_eq!(scene.get("/api/v1/extensions/300").by_socket().status().await, 200, "none is gone");
}

/// What it was a month ago cannot be known; what can be done without, is.
#[tokio::test]
async fn without_what_was_kept_an_extension_has_a_new_password_and_a_key_stays_revoked() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    ok(scene.ask(Method::DELETE, EXTENSION)).await;
    let key = json!({ "name": "monitor", "scopes": ["read"] });
    let key = ok(scene.post("/api/v1/api-keys").json(&key)).await["id"].clone();
    let key = format!("/api/v1/api-keys/{}", key.as_str().unwrap());
    ok(scene.ask(Method::DELETE, &key)).await;
    scene.server.wait(store::db::KEPT_FOR + Duration::from_secs(1));
    ok(change(&scene, "/api/v1/settings/no_answer_s", &json!({ "value": 30 }))).await;
    let all = entries(&scene).await;
    let told: Vec<Value> = all.iter().map(|it| json!([it["kind"], it["can_undo"]])).collect();
    assert_eq!(
        told[1..4],
        [json!(["api_keys", false]), json!(["api_keys", true]), json!(["extensions", true]),]
    );
    let undo = format!("/api/v1/audit-entries/{}:undo", all[3]["id"]);
    let back = ok(scene.post(&undo)).await;
    assert!(back["credentials"]["password"].as_str().is_some_and(|it| it.len() > 8), "{back}");
}

#[tokio::test]
async fn a_certificate_is_the_one_before_after_an_undo() {
    let scene = Scene::certified().await;
    let show = async || ok(scene.get("/api/v1/certificate")).await;
    let own = show().await;
    let mut installed = vec![];
    for name in ["one.example.com", "two.example.com"] {
        let pem = self_signed(&[name.to_owned()], NOW).unwrap();
        let new = json!({ "chain": pem.chain, "key": pem.key });
        installed.push(ok(scene.ask(Method::PUT, "/api/v1/certificate").json(&new)).await);
    }
    undone(&scene).await;
    assert_eq!(show().await, installed[0]);
    ok(scene.ask(Method::DELETE, "/api/v1/certificate")).await;
    undone(&scene).await;
    assert_eq!(show().await, installed[0]);
    let first = entries(&scene).await.last().unwrap()["id"].clone();
    let undo = format!("/api/v1/audit-entries/{first}:undo");
    ok(scene.post(&undo)).await;
    assert_eq!(show().await, own);
    let told = json!(entries(&scene).await).to_string();
    assert!(!told.contains("PRIVATE KEY"), "{told}");
}

/// The server makes its own anew when it is about to end, or the machine has another address.
#[tokio::test]
async fn a_certificate_comes_back_though_the_server_has_made_its_own_anew() {
    let scene = Scene::certified().await;
    scene.server.wait(Duration::from_hours(24 * 360));
    let now = scene.office.running.now();
    let pem = self_signed(&["one.example.com".to_owned()], now).unwrap();
    let new = json!({ "chain": pem.chain, "key": pem.key });
    let installed = ok(scene.ask(Method::PUT, "/api/v1/certificate").json(&new)).await;
    let own = ok(scene.ask(Method::DELETE, "/api/v1/certificate")).await;
    scene.server.wait(Duration::from_hours(24 * 20));
    let certificate = scene.office.certificate.as_ref().unwrap();
    certificate.renew(scene.office.running.now()).unwrap();
    assert_ne!(ok(scene.get("/api/v1/certificate")).await, own);
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/certificate")).await, installed);
}

#[tokio::test]
async fn what_was_changed_since_stays() {
    let scene = Scene::new().await;
    let set =
        |value: u32| change(&scene, "/api/v1/settings/no_answer_s", &json!({ "value": value }));
    ok(set(30)).await;
    ok(set(40)).await;
    let first = entries(&scene).await[1]["id"].clone();
    let answer =
        scene.post(&format!("/api/v1/audit-entries/{first}:undo")).by_socket().send().await;
    assert_eq!((answer.status, &*answer.code()), (409, "changed_since"));
    let detail = answer.json()["detail_en"].as_str().unwrap().to_owned();
    assert!(detail.contains("the command line has changed it since, at 2026-"), "{detail}");
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/settings/no_answer_s")).await["value"], 30);
    // Nothing changed, nothing is written.
    let before = entries(&scene).await.len();
    ok(set(30)).await;
    assert_eq!(entries(&scene).await.len(), before);
}

#[tokio::test]
async fn rows_lines_and_trunks_are_put_back() {
    let scene = Scene::new().await;
    let trunk = json!({ "id": 1, "addresses": [{ "host": "10.0.0.1" }], "description": "branch" });
    ok(scene.post("/api/v1/sip-trunks").json(&trunk)).await;
    ok(change(&scene, "/api/v1/sip-trunks/1", &json!({ "description": "other" }))).await;
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/sip-trunks/1")).await["description"], "branch");
    ok(scene.ask(Method::DELETE, "/api/v1/sip-trunks/1")).await;
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/sip-trunks/1")).await["description"], "branch");

    let line = json!({ "account": "5678", "domain": "sip.example.com", "password": "k7mfx2pq" });
    ok(scene.post("/api/v1/external-lines").json(&line)).await;
    let path = "/api/v1/external-lines/5678";
    ok(change(&scene, path, &json!({ "description": "main" }))).await;
    undone(&scene).await;
    let shown = ok(scene.get(path)).await;
    assert_eq!(json!([shown["description"], shown["has_password"]]), json!(["", true]));
    let password = async || {
        let tables = scene.office.db.tables(TenantId::default()).await.unwrap();
        tables.lines[0].password.0.to_string()
    };
    ok(change(&scene, path, &json!({ "password": "another2pq" }))).await;
    undone(&scene).await;
    assert_eq!(password().await, "k7mfx2pq");
    ok(change(&scene, path, &json!({ "password": "another2pq" }))).await;
    let older = entries(&scene).await[0]["id"].clone();
    ok(change(&scene, path, &json!({ "password": "onemore2pq" }))).await;
    let older = scene.post(&format!("/api/v1/audit-entries/{older}:undo")).by_socket().send().await;
    assert_eq!((older.status, &*older.code()), (409, "changed_since"));
    assert_eq!(password().await, "onemore2pq");
    let code = change(&scene, "/api/v1/feature-codes/echo", &json!({ "code": "*44" }));
    ok(code).await;
    undone(&scene).await;
    let all = serde_json::to_string(&entries(&scene).await).unwrap();
    assert!(!all.contains("k7mfx2pq") && !all.contains("another2pq"), "a secret in {all}");
}

#[tokio::test]
async fn entries_come_page_by_page_and_by_what_they_are_about() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    for value in 10..20 {
        let value = json!({ "value": value });
        ok(change(&scene, "/api/v1/settings/no_answer_s", &value)).await;
    }
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    let mut path = "/api/v1/audit-entries?limit=5".to_owned();
    let mut sizes = vec![];
    loop {
        let page = ok(scene.get(&path)).await;
        sizes.push(page["entries"].as_array().unwrap().len());
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/api/v1/audit-entries?limit=5&cursor={next}");
    }
    assert_eq!(sizes, [5, 5, 2]);
    let about = ok(scene.get("/api/v1/audit-entries?kind=extensions&name=100")).await;
    let actions: Vec<_> =
        about["entries"].as_array().unwrap().iter().map(|it| it["action"].clone()).collect();
    assert_eq!(actions, ["password", "add"]);
}

#[tokio::test]
async fn who_administers_is_written_down_too() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    let answer = scene.post("/api/v1/setup").json(&ann).send().await;
    assert_eq!(answer.status, 200);
    let new = json!({ "name": "wallboard", "scopes": ["read"] });
    let made = ok(scene.post("/api/v1/api-keys").json(&new)).await;
    let all = entries(&scene).await;
    let told = |it: &Value| {
        json!([it["actor_kind"], it["actor"], it["kind"], it["source"], it["can_undo"]])
    };
    assert_eq!(told(&all[0]), json!(["cli", "", "api_keys", "socket", true]));
    assert_eq!(told(&all[1]), json!(["user", "ann", "users", "127.0.0.1", true]));
    let secret = made["key"].as_str().unwrap().rsplit('_').next().unwrap().to_owned();
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains(&secret) && !text.contains("argon2"), "{text}");
}

/// However his name is written, it is his password: an older one does not come back over a newer one.
#[tokio::test]
async fn the_password_of_an_administrator_comes_back_unless_he_has_another_since() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(scene.post("/api/v1/setup").json(&ann).send().await.status, 200);
    let set = async |path: &str, password: &str| {
        ok(scene.post(path).json(&json!({ "password": password }))).await;
        entries(&scene).await[0]["id"].clone()
    };
    let log_in = async |password: &str| {
        let request = json!({ "name": "ann", "password": password });
        scene.post("/api/v1/sessions").json(&request).send().await.status
    };
    let first = set("/api/v1/users/ann:passwd", "battery horse").await;
    set("/api/v1/users/ANN:passwd", "staple horse!").await;
    let older = scene.post(&format!("/api/v1/audit-entries/{first}:undo")).by_socket().send().await;
    assert_eq!((older.status, &*older.code()), (409, "changed_since"));
    undone(&scene).await;
    assert_eq!(log_in("battery horse").await, 200);
}

async fn undo_of(scene: &Scene, id: &Value) -> crate::scene::Answer {
    scene.post(&format!("/api/v1/audit-entries/{id}:undo")).by_socket().send().await
}

/// Whoever may see the audit and not configure, configures nothing by way of it.
#[tokio::test]
async fn a_key_undoes_what_it_may_change() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(scene.post("/api/v1/setup").json(&ann).send().await.status, 200);
    let key = async |scopes: Value| {
        let new = json!({ "name": "program", "scopes": scopes });
        let made = ok(scene.post("/api/v1/api-keys").json(&new)).await;
        format!("Bearer {}", made["key"].as_str().unwrap())
    };
    let (of_admin, of_both) = (key(json!(["admin"])).await, key(json!(["config", "admin"])).await);
    let undo = async |key: &str| {
        let id = entries(&scene).await[0]["id"].clone();
        let ask = scene.post(&format!("/api/v1/audit-entries/{id}:undo"));
        ask.with("authorization", key).send().await
    };
    ok(change(&scene, "/api/v1/settings/no_answer_s", &json!({ "value": 30 }))).await;
    let refused = undo(&of_admin).await;
    assert_eq!((refused.status, &*refused.code()), (403, "scope"), "{}", refused.body);
    assert_eq!(undo(&of_both).await.status, 200);
    ok(change(&scene, "/api/v1/users/ann", &json!({ "language": "zh" }))).await;
    assert_eq!(undo(&of_admin).await.status, 200);
}

/// What was added is not taken away from whoever has given it another password or secret since.
#[tokio::test]
async fn what_was_added_stays_where_its_secret_is_another_one_since() {
    let scene = Scene::new().await;
    let line = json!({ "account": "5678", "domain": "sip.example.com", "password": "k7mfx2pq" });
    let hook = json!({ "url": "https://hooks.example.com/a" });
    ok(scene.post("/api/v1/external-lines").json(&line)).await;
    let line = entries(&scene).await[0]["id"].clone();
    let new = json!({ "password": "another2pq" });
    ok(change(&scene, "/api/v1/external-lines/5678", &new)).await;
    let made = ok(scene.post("/api/v1/webhooks").json(&hook)).await;
    let hook = entries(&scene).await[0]["id"].clone();
    let rotate = format!("/api/v1/webhooks/{}:rotate", made["id"].as_str().unwrap());
    ok(scene.post(&rotate)).await;
    ok(add(&scene)).await;
    let extension = entries(&scene).await[0]["id"].clone();
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    for (what, id) in [("line", &line), ("webhook", &hook), ("extension", &extension)] {
        let refused = undo_of(&scene, id).await;
        assert_eq!((refused.status, &*refused.code()), (409, "changed_since"), "{what}");
    }
}

/// Who goes back step by step comes to where he began.
#[tokio::test]
async fn one_step_back_after_the_other() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(scene.post("/api/v1/setup").json(&ann).send().await.status, 200);
    let bob = json!({ "name": "bob", "password": "correct horse" });
    let password = json!({ "password": "battery horse" });
    let began = entries(&scene).await.len();
    ok(add(&scene)).await;
    ok(scene.post("/api/v1/extensions").json(&json!({ "extensions": [{ "number": "200-201" }] })))
        .await;
    ok(change(&scene, "/api/v1/extensions/200", &json!({ "ring_s": 20 }))).await;
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    ok(scene.post("/api/v1/users").json(&bob)).await;
    ok(scene.post("/api/v1/users/bob:passwd").json(&password)).await;
    let done = entries(&scene).await;
    for entry in &done[..done.len() - began] {
        let undone = undo_of(&scene, &entry["id"]).await;
        assert_eq!(undone.status, 200, "{}: {}", entry["action"], undone.body);
    }
    assert_eq!(ok(scene.get("/api/v1/extensions")).await, json!([]));
    assert_eq!(scene.get("/api/v1/users/bob").by_socket().status().await, 404);
    // To take the last step back again is a change of its own.
    undone(&scene).await;
    let first = &done[done.len() - began - 1]["id"];
    assert_eq!(undo_of(&scene, first).await.code(), "cannot_undo");
}

/// A second one of the same number is not the one that was added then.
#[tokio::test]
async fn whoever_has_the_number_now_is_not_removed() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    let first = entries(&scene).await[0]["id"].clone();
    ok(scene.ask(Method::DELETE, EXTENSION)).await;
    ok(add(&scene)).await;
    let refused = undo_of(&scene, &first).await;
    assert_eq!((refused.status, &*refused.code()), (409, "changed_since"), "{}", refused.body);
}

/// Of a range too, whose extensions are kept with what they differ in from new ones.
#[tokio::test]
async fn extensions_of_a_range_come_back_with_all_that_was_said_of_them() {
    let scene = Scene::new().await;
    let said = json!({
        "name": "Hall", "devices": 3, "calls": 5, "ring_s": 20, "may_forward": [],
        "forward": { "busy": "200" }, "do_not_disturb": true, "addresses": ["10.0.0.0/8"],
    });
    let new = json!({ "extensions": [{ "number": "300-302", "change": said }] });
    ok(scene.post("/api/v1/extensions").json(&new)).await;
    let before = ok(scene.get("/api/v1/extensions")).await;
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/extensions")).await, json!([]));
    undone(&scene).await;
    assert_eq!(ok(scene.get("/api/v1/extensions")).await, before);
}

/// To end the registration of a phone makes no other password.
#[tokio::test]
async fn a_phone_that_was_logged_off_keeps_no_password_from_coming_back() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    let password = entries(&scene).await[0]["id"].clone();
    let cli = Principal::cli(Language::En);
    Author::of(&scene.office, &cli).done("log_off", EXTENSIONS, "100").await;
    let undone = undo_of(&scene, &password).await;
    assert_eq!(undone.status, 200, "{}", undone.body);

    let range = json!({ "extensions": [{ "number": "200-201" }] });
    ok(scene.post("/api/v1/extensions").json(&range)).await;
    let range = entries(&scene).await[0]["id"].clone();
    Author::of(&scene.office, &cli).done("log_off", EXTENSIONS, "200").await;
    let undone = undo_of(&scene, &range).await;
    assert_eq!(undone.status, 200, "{}", undone.body);
}

/// Whoever has logged its phone off since has not changed the extension.
#[tokio::test]
async fn who_changed_it_is_told_and_nobody_else() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    let tag = scene.get(EXTENSION).by_socket().send().await.header("etag").to_owned();
    ok(change(&scene, EXTENSION, &json!({ "ring_s": 20 }))).await;
    let first = entries(&scene).await[0]["id"].clone();
    ok(change(&scene, EXTENSION, &json!({ "ring_s": 30 }))).await;
    let bob = Author { kind: "user", name: "bob", ..Author::offline(&scene.office.db, NOW) };
    bob.done("log_off", EXTENSIONS, "100").await;
    let late = change(&scene, EXTENSION, &json!({ "ring_s": 40 })).with("if-match", &tag);
    for refused in [undo_of(&scene, &first).await, late.by_socket().send().await] {
        assert!(refused.body.contains("\"detail_en\":\"the command line"), "{}", refused.body);
        assert!(refused.body.contains("\"detail_zh\":\"命令行已于"), "{}", refused.body);
    }
}

/// Its own entry takes the place of the one that it takes back.
#[tokio::test]
async fn the_oldest_entry_there_may_be_is_taken_back() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    let first = entries(&scene).await[0]["id"].clone();
    let path = scene.office.db.folder().join(store::db::DATABASE_FILE);
    let mut beside = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let many = "UPDATE sqlite_sequence SET seq = 100000 WHERE name = 'audit_entries'";
    raw_sql(many).execute(&mut beside).await.unwrap();
    let undone = undo_of(&scene, &first).await;
    assert_eq!(
        (undone.status, &undone.json()["entry"]["undoes"]),
        (200, &first),
        "{}",
        undone.body
    );
    assert_eq!(entries(&scene).await.len(), 1);
}

#[tokio::test]
async fn one_who_is_forwarded_is_taken_back_and_comes_back() {
    let scene = Scene::new().await;
    let forwarded = json!({ "forward": { "always": "200" }, "do_not_disturb": true });
    let new = json!({ "extensions": [{ "number": "100", "change": forwarded }] });
    ok(scene.post("/api/v1/extensions").json(&new)).await;
    let added = entries(&scene).await[0]["after"].clone();
    assert_eq!(added["forward"], forwarded["forward"]);
    undone(&scene).await;
    assert_eq!(scene.get(EXTENSION).by_socket().status().await, 404);
    undone(&scene).await;
    assert_eq!(ok(scene.get(EXTENSION)).await["forward"], forwarded["forward"]);
    undone(&scene).await;
    assert_eq!(scene.get(EXTENSION).by_socket().status().await, 404);
}

/// Of a row that is damaged nothing can be kept; that is no reason to leave it damaged.
#[tokio::test]
async fn what_no_key_opens_is_replaced_and_removed() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(scene.post("/api/v1/setup").json(&ann).send().await.status, 200);
    let (db, tenant) = (&scene.office.db, TenantId::default());
    let path = db.folder().join(store::db::DATABASE_FILE);
    let mut beside = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    ok(add(&scene)).await;
    let mut damage = async |statement: &'static str| {
        raw_sql(statement).execute(&mut beside).await.unwrap();
    };
    damage("UPDATE extensions SET password = x'00'").await;
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    assert_eq!(undo(&scene).await.code(), "cannot_undo");
    damage("UPDATE extensions SET password = x'00'").await;
    ok(scene.ask(Method::DELETE, EXTENSION)).await;
    let back = undone(&scene).await;
    assert!(back["credentials"]["password"].is_string(), "{back}");
    assert!(db.begin_totp(tenant, "ann", b"secret").await.unwrap());
    assert!(db.confirm_totp(tenant, "ann", 1, NOW, &[]).await.unwrap());
    damage("UPDATE totp SET secret = x'00'").await;
    ok(scene.post("/api/v1/users/ann/totp:off").json(&json!({}))).await;
    assert_eq!(undo(&scene).await.code(), "cannot_undo");
}

/// There are no more of them than there may be, however they come.
#[tokio::test]
async fn an_undo_makes_no_webhook_too_many() {
    let scene = Scene::new().await;
    let add = async || {
        scene.server.wait(Duration::from_millis(1));
        let hook = json!({ "url": "https://hooks.example.com/a" });
        ok(scene.post("/api/v1/webhooks").json(&hook)).await["id"].clone()
    };
    let mut made = vec![];
    for _ in 0..20 {
        made.push(add().await);
    }
    let path = format!("/api/v1/webhooks/{}", made[0].as_str().unwrap());
    ok(scene.ask(Method::DELETE, &path)).await;
    let gone = entries(&scene).await[0]["id"].clone();
    add().await;
    let refused = undo_of(&scene, &gone).await;
    assert_eq!((refused.status, &*refused.code()), (422, "too_many"), "{}", refused.body);
}

/// Also where nothing is changed for a month.
#[tokio::test]
async fn what_was_kept_is_forgotten_without_another_entry() {
    let scene = Scene::new().await;
    ok(add(&scene)).await;
    ok(scene.post("/api/v1/extensions/100:passwd").json(&json!({}))).await;
    scene.server.wait(store::db::KEPT_FOR + Duration::from_secs(1));
    assert_eq!(entries(&scene).await[0]["can_undo"], true, "nobody has looked");
    let forgotten = async {
        for _ in 0..1000 {
            if entries(&scene).await[0]["can_undo"] == false {
                return true;
            }
        }
        false
    };
    tokio::select! {
        () = super::forget(scene.office.clone()) => unreachable!(),
        is_forgotten = forgotten => assert!(is_forgotten),
    }
}

/// Whole dial plans may have been replaced a hundred times: whoever looks at that takes no memory from the calls.
#[tokio::test]
async fn a_page_of_large_entries_ends_early() {
    const ENTRIES: u64 = 50;
    let scene = Scene::new().await;
    let large = json!("x".repeat(512 * 1024)).to_string();
    for _ in 0..ENTRIES {
        let (before, after) = (Some(large.clone()), Some(large.clone()));
        let entry =
            AuditEntry { kind: "called".to_owned(), before, after, ..AuditEntry::default() };
        scene.office.db.insert_audit_entry(TenantId::default(), &entry).await.unwrap();
    }
    let (mut path, mut ids) = ("/api/v1/audit-entries?limit=500".to_owned(), vec![]);
    loop {
        let answer = scene.get(&path).by_socket().send().await;
        assert!(answer.body.len() < 6 * 1024 * 1024, "{} octets", answer.body.len());
        let page = answer.json();
        ids.extend(page["entries"].as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/api/v1/audit-entries?limit=500&cursor={next}");
    }
    assert_eq!(ids, (1..=ENTRIES).rev().collect::<Vec<_>>());
}
