//! A change and its entry are one: with a fault where the entry is written, no change of any kind is in force.

#![allow(clippy::unwrap_used)]

use crate::scene::{Asking, Scene};
use axum::http::Method;
use pbx::id::TenantId;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, raw_sql};
use std::collections::BTreeSet;

/// The database beside the server's own connections to it.
struct Beside(SqliteConnection);

impl Beside {
    async fn of(scene: &Scene) -> Self {
        let path = scene.office.db.folder().join(store::db::DATABASE_FILE);
        Self(SqliteConnectOptions::new().filename(path).connect().await.unwrap())
    }

    /// From now on, or no longer, no entry can be written.
    async fn fault(&mut self, is_on: bool) {
        let statement = if is_on {
            "CREATE TRIGGER fault BEFORE INSERT ON audit_entries
             BEGIN SELECT RAISE(ABORT, 'planted fault'); END"
        } else {
            "DROP TRIGGER fault"
        };
        raw_sql(statement).execute(&mut self.0).await.unwrap();
    }

    /// Another one whenever somebody else has committed anything.
    async fn version(&mut self) -> i64 {
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.0).await.unwrap()
    }

    /// The newest entry: its number, and what it is about.
    async fn newest(&mut self) -> (i64, String) {
        let newest = "SELECT id, kind FROM audit_entries ORDER BY id DESC LIMIT 1";
        let found = sqlx::query_as(newest).fetch_optional(&mut self.0).await.unwrap();
        found.unwrap_or_default()
    }
}

fn asking<'a>(scene: &'a Scene, method: &str, path: &str, body: &Value) -> Asking<'a> {
    let ask = scene.ask(method.parse::<Method>().unwrap(), path).by_socket();
    match body.as_str() {
        Some(sheet) => ask.text("text/csv", sheet),
        None if body.is_null() => ask,
        None => ask.json(body),
    }
}

/// In this order each of them is possible. `{}` is the id of what was made last.
fn changes() -> Vec<(&'static str, &'static str, Value)> {
    let called = json!([{ "id": 1, "plan": "default", "prefix": "9", "route": "local-user" }]);
    vec![
        ("POST", "/setup", json!({ "name": "ann", "password": "correct horse battery" })),
        ("POST", "/extensions", json!({ "extensions": [{ "number": "100" }] })),
        ("POST", "/extensions", json!({ "extensions": [{ "number": "200-204" }] })),
        ("PATCH", "/extensions/100", json!({ "ring_s": 20 })),
        ("POST", "/extensions/100:passwd", json!({})),
        (
            "POST",
            "/extensions:import",
            json!("number,password,name\n100,k7mfx2pqzz,Hall\n300,,New\n"),
        ),
        ("PATCH", "/settings/no_answer_s", json!({ "value": 30 })),
        ("POST", "/audit-entries/{newest}:undo", Value::Null),
        ("PATCH", "/settings/no_answer_s", json!({ "value": 40 })),
        ("DELETE", "/settings/no_answer_s", Value::Null),
        ("PATCH", "/feature-codes/echo", json!({ "code": "*44" })),
        ("DELETE", "/feature-codes/echo", Value::Null),
        (
            "POST",
            "/external-lines",
            json!({ "account": "5678", "domain": "sip.example.com", "password": "k7mfx2pq" }),
        ),
        ("PATCH", "/external-lines/5678", json!({ "password": "another2pq" })),
        ("POST", "/sip-trunks", json!({ "id": 1, "addresses": [{ "host": "10.0.0.1" }] })),
        ("PATCH", "/sip-trunks/1", json!({ "description": "branch" })),
        ("POST", "/audit-entries/{newest}:undo", Value::Null),
        (
            "PUT",
            "/dial-plan",
            json!({ "tables": { "called": called }, "only": ["called"], "dry_run": false }),
        ),
        ("DELETE", "/sip-trunks/1", Value::Null),
        ("DELETE", "/external-lines/5678", Value::Null),
        ("POST", "/audit-entries/{extension}:undo", Value::Null),
        ("POST", "/users", json!({ "name": "bob", "password": "correct horse battery" })),
        ("PATCH", "/users/bob", json!({ "language": "zh" })),
        ("POST", "/users/bob:passwd", json!({ "password": "battery horse correct" })),
        ("POST", "/users/ann/totp:off", json!({})),
        ("DELETE", "/users/bob", Value::Null),
        ("POST", "/api-keys", json!({ "name": "monitor", "scopes": ["read"] })),
        ("PATCH", "/api-keys/{}", json!({ "name": "other" })),
        ("DELETE", "/api-keys/{}", Value::Null),
        ("POST", "/webhooks", json!({ "url": "https://hooks.example.com/a" })),
        ("PATCH", "/webhooks/{}", json!({ "description": "other" })),
        ("POST", "/webhooks/{}:rotate", Value::Null),
        ("DELETE", "/webhooks/{}", Value::Null),
        ("DELETE", "/extensions/100", Value::Null),
    ]
}

#[tokio::test]
async fn no_change_of_any_kind_is_in_force_without_its_entry() {
    let scene = Scene::new().await;
    let mut beside = Beside::of(&scene).await;
    let (mut made, mut of_extension, mut kinds) = (String::new(), 0, BTreeSet::new());
    for (method, path, body) in changes() {
        if path.ends_with("totp:off") {
            let (db, tenant) = (&scene.office.db, TenantId::default());
            assert!(db.begin_totp(tenant, "ann", b"secret").await.unwrap());
            assert!(db.confirm_totp(tenant, "ann", 1, crate::scene::NOW, &[]).await.unwrap());
        }
        let (last, _) = beside.newest().await;
        let path = path.replace("{newest}", &last.to_string()).replace("{}", &made);
        let path = path.replace("{extension}", &format!("{of_extension}"));
        let path = format!("/api/v1{path}");
        let what = format!("{method} {path}");

        beside.fault(true).await;
        let before = beside.version().await;
        let refused = asking(&scene, method, &path, &body).send().await;
        assert_eq!((refused.status, &*refused.code()), (500, "store"), "{what}: {}", refused.body);
        assert_eq!(beside.version().await, before, "{what} left something behind");
        beside.fault(false).await;

        let done = asking(&scene, method, &path, &body).send().await;
        assert_eq!(done.status, 200, "{what}: {}", done.body);
        let (newest, kind) = beside.newest().await;
        assert!(newest > last, "{what} has no entry");
        if what == "PATCH /api/v1/extensions/100" {
            of_extension = newest;
        }
        kinds.insert(kind);
        let answer: Value = serde_json::from_str(&done.body).unwrap_or_default();
        let id = [&answer["id"], &answer["info"]["id"], &answer["webhook"]["id"]];
        made = id.iter().find_map(|it| it.as_str()).map_or(made, str::to_owned);
    }
    let all = [
        "api_keys",
        "called",
        "extensions",
        "features",
        "lines",
        "settings",
        "trunks",
        "users",
        "webhooks",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

/// All that is configured, with its secrets.
async fn configured(scene: &Scene) -> Value {
    let (db, tenant) = (&scene.office.db, TenantId::default());
    let mut extensions = vec![];
    for it in db.extensions(tenant).await.unwrap() {
        let password = db.password(tenant, &it.profile.number).await.unwrap();
        extensions.push(json!([it, password.map(|it| it.reveal().to_owned())]));
    }
    let mut users = vec![];
    for it in db.users(tenant).await.unwrap() {
        let factor = db.factor(tenant, &it.name).await.unwrap();
        // When a password was set is when it was put back.
        users.push(json!([it.name, it.password, it.language, it.created_at, factor]));
    }
    let mut webhooks = db.webhooks(tenant).await.unwrap();
    // The secret that was taken back signs for another day.
    webhooks.iter_mut().for_each(|it| it.previous = None);
    json!({
        "extensions": extensions,
        "phones": db.phone_settings().await.unwrap().len(),
        "users": users,
        "api_keys": db.api_keys(tenant).await.unwrap(),
        "webhooks": webhooks,
        "tables": db.tables(tenant).await.unwrap(),
        "settings": db.settings(tenant).await.unwrap(),
    })
}

/// Takes back all entries after this one, the newest first.
async fn undo_after(scene: &Scene, beside: &mut Beside, last: i64, what: &str) {
    let (newest, _) = beside.newest().await;
    for id in (last + 1..=newest).rev() {
        let path = format!("/api/v1/audit-entries/{id}:undo");
        let done = scene.post(&path).by_socket().send().await;
        assert_eq!(done.status, 200, "undo of {what}: {}", done.body);
    }
}

#[tokio::test]
async fn every_change_is_undone_and_the_undo_too() {
    let scene = Scene::new().await;
    let mut beside = Beside::of(&scene).await;
    let mut made = String::new();
    for (method, path, body) in changes().into_iter().filter(|it| !it.1.ends_with(":undo")) {
        if path.ends_with("totp:off") {
            let (db, tenant) = (&scene.office.db, TenantId::default());
            assert!(db.begin_totp(tenant, "ann", b"secret").await.unwrap());
            let recovery = [[7; 32]];
            assert!(db.confirm_totp(tenant, "ann", 1, crate::scene::NOW, &recovery).await.unwrap());
        }
        let path = format!("/api/v1{}", path.replace("{}", &made));
        let what = format!("{method} {path}");
        let (last, _) = beside.newest().await;
        let before = configured(&scene).await;
        let done = asking(&scene, method, &path, &body).send().await;
        assert_eq!(done.status, 200, "{what}: {}", done.body);
        let answer: Value = serde_json::from_str(&done.body).unwrap_or_default();
        let id = [&answer["id"], &answer["info"]["id"], &answer["webhook"]["id"]];
        made = id.iter().find_map(|it| it.as_str()).map_or(made, str::to_owned);
        let after = configured(&scene).await;
        assert_ne!(before, after, "{what}");
        if path.ends_with("/setup") {
            // The last administrator stays.
            continue;
        }
        let (done, _) = beside.newest().await;
        undo_after(&scene, &mut beside, last, &what).await;
        assert_eq!(configured(&scene).await, before, "undone: {what}");
        undo_after(&scene, &mut beside, done, &format!("undo of {what}")).await;
        assert_eq!(configured(&scene).await, after, "done again: {what}");
    }
}

#[tokio::test]
async fn a_sheet_of_ten_thousand_rows_is_taken_in_whole_or_not_at_all() {
    const ROWS: u32 = 10_000;
    let scene = Scene::new().await;
    let mut beside = Beside::of(&scene).await;
    let sheet = |name: &str| {
        let rows = (0..ROWS).map(|it| format!("{},{name} {it}\n", 20_000 + it));
        json!(format!("number,name\n{}", rows.collect::<String>()))
    };
    let import = async |sheet: &Value| {
        let answer = asking(&scene, "POST", "/api/v1/extensions:import", sheet).send().await;
        (answer.status, answer.json())
    };
    let (status, report) = import(&sheet("new")).await;
    assert_eq!((status, report["added"].as_array().unwrap().len()), (200, ROWS as usize));

    // The last of the changes has a fault.
    let last = 20_000 + ROWS - 1;
    let trigger = format!(
        "CREATE TRIGGER late BEFORE INSERT ON audit_entries WHEN NEW.name = '{last}'
         BEGIN SELECT RAISE(ABORT, 'planted fault'); END"
    );
    raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut beside.0).await.unwrap();
    let before = beside.version().await;
    let (status, _) = import(&sheet("other")).await;
    assert_eq!((status, beside.version().await), (500, before));
    raw_sql("DROP TRIGGER late").execute(&mut beside.0).await.unwrap();

    // Somebody has taken the wrong sheet.
    let (added, _) = beside.newest().await;
    let path = |it: i64| format!("/api/v1/audit-entries/{it}:undo");
    let count = "SELECT count(*) FROM extensions";
    for left in [0, i64::from(ROWS)] {
        let (newest, _) = beside.newest().await;
        let done = scene.post(&path(newest)).by_socket().send().await;
        assert_eq!(done.status, 200, "{}", done.body);
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut beside.0).await.unwrap();
        assert_eq!(found, left);
    }
    let again = scene.post(&path(added)).by_socket().send().await;
    assert_eq!(again.status, 409, "{}", again.body);

    let (status, report) = import(&sheet("other")).await;
    assert_eq!((status, report["changed"].as_array().unwrap().len()), (200, ROWS as usize));
    let name = "SELECT count(*) FROM extensions WHERE name LIKE 'other %'";
    let renamed: i64 = sqlx::query_scalar(name).fetch_one(&mut beside.0).await.unwrap();
    assert_eq!(renamed, i64::from(ROWS));
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'change'";
    let entries: i64 = sqlx::query_scalar(entries).fetch_one(&mut beside.0).await.unwrap();
    assert_eq!(entries, i64::from(ROWS));
}
