//! The conventions through the whole router.

use crate::scene::{Answer, Asking, Scene};
use axum::body::{Body, Bytes};
use axum::http::Method;
use futures_util::stream;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

const EXTENSION: &str = "/api/v1/extensions/100";

async fn send(ask: Asking<'_>) -> Answer {
    ask.by_socket().send().await
}

async fn with_extension() -> Scene {
    let scene = Scene::new().await;
    let new =
        json!({ "extensions": [{ "number": "100", "change": { "name": "Hall", "calls": 5 } }] });
    assert_eq!(send(scene.post("/api/v1/extensions").json(&new)).await.status, 200);
    scene
}

fn patch<'a>(scene: &'a Scene, path: &str, change: &Value) -> Asking<'a> {
    scene.ask(Method::PATCH, path).json(change)
}

#[tokio::test]
async fn who_has_not_seen_the_newest_does_not_overwrite_it() {
    let scene = with_extension().await;
    let seen = send(scene.get(EXTENSION)).await;
    let tag = seen.header("etag").to_owned();
    assert_eq!(send(scene.get(EXTENSION).with("if-none-match", &tag)).await.status, 304);
    let change = |name: &str| patch(&scene, EXTENSION, &json!({ "name": name }));
    let done = send(change("Kitchen").with("if-match", &tag)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let newer = done.header("etag").to_owned();
    assert_eq!(send(scene.get(EXTENSION)).await.header("etag"), newer);
    let late = send(change("Garage").with("if-match", &tag)).await;
    assert_eq!((late.status, &*late.code()), (412, "changed"));
    assert_eq!(late.header("etag"), newer);
    let detail = late.json()["detail_en"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("the command line changed this at 2026-"), "{detail}");
    let delete = || scene.ask(Method::DELETE, EXTENSION);
    assert_eq!(send(delete().with("if-match", &tag)).await.status, 412);
    assert_eq!(send(delete().with("if-match", &newer)).await.status, 200);
    assert_eq!(send(change("x").with("if-match", "*")).await.status, 412, "it is gone");
    // Settings, lines and the dial plan have tags too.
    for path in ["/api/v1/settings/no_answer_s", "/api/v1/dial-plan"] {
        assert!(!send(scene.get(path)).await.header("etag").is_empty(), "{path}");
    }
}

/// Whatever can be changed: what somebody has seen of it says whether he may.
#[tokio::test]
async fn every_resource_that_can_be_changed_has_a_tag() {
    let scene = with_extension().await;
    let made = async |path: &str, new: Value| {
        let answer = send(scene.post(path).json(&new)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    };
    made("/api/v1/users", json!({ "name": "ann", "password": "correct horse" })).await;
    let key = made("/api/v1/api-keys", json!({ "name": "crm", "scopes": ["read"] })).await;
    let hook = made("/api/v1/webhooks", json!({ "url": "http://crm/" })).await;
    let line = json!({ "account": "5678", "domain": "sip.example.com" });
    made("/api/v1/external-lines", line).await;
    made("/api/v1/sip-trunks", json!({ "id": 1, "addresses": [{ "host": "10.0.0.1" }] })).await;
    let of = |it: &Value| it["id"].as_str().unwrap_or_default().to_owned();
    #[rustfmt::skip]
    let table = [
        (EXTENSION.to_owned(),                        json!({ "name": "Gate" })),
        ("/api/v1/settings/no_answer_s".to_owned(),   json!({ "value": 20 })),
        ("/api/v1/external-lines/5678".to_owned(),    json!({ "description": "x" })),
        ("/api/v1/sip-trunks/1".to_owned(),           json!({ "description": "x" })),
        ("/api/v1/feature-codes/echo".to_owned(),     json!({ "code": "*44" })),
        ("/api/v1/users/ann".to_owned(),              json!({ "language": "zh" })),
        (format!("/api/v1/api-keys/{}", of(&key)),    json!({ "name": "erp" })),
        (format!("/api/v1/webhooks/{}", of(&hook)),   json!({ "description": "x" })),
    ];
    for (path, change) in table {
        let tag = send(scene.get(&path)).await.header("etag").to_owned();
        let asking = || patch(&scene, &path, &change).with("if-match", &tag);
        let done = send(asking()).await;
        assert_eq!(done.status, 200, "{path}: {}", done.body);
        let late = send(asking()).await;
        assert_eq!((late.status, &*late.code()), (412, "changed"), "{path}");
        let detail = late.json()["detail_en"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("the command line changed this"), "{path}: {detail}");
    }
}

/// What the phones of an extension do is news, and nobody's change.
#[tokio::test]
async fn what_is_of_the_moment_is_seen_and_changed_beside() {
    let scene = with_extension().await;
    let seen = send(scene.get(EXTENSION)).await.header("etag").to_owned();
    *scene.server.offline.lock().unwrap() = vec!["100".to_owned()];
    let newer = send(scene.get(EXTENSION).with("if-none-match", &seen)).await;
    assert_eq!((newer.status, &newer.json()["state"]), (200, &json!("offline")));
    let change = patch(&scene, EXTENSION, &json!({ "name": "Gate" })).with("if-match", &seen);
    assert_eq!(send(change).await.status, 200);
}

/// A body comes as slowly as a line is; who has sent his is served meanwhile.
#[tokio::test]
async fn nobody_waits_for_what_another_has_not_sent_yet() {
    let scene = with_extension().await;
    let never = stream::pending::<Result<Bytes, Infallible>>();
    let slow = patch(&scene, EXTENSION, &json!({})).body(Body::from_stream(never));
    let quick = patch(&scene, EXTENSION, &json!({ "name": "Gate" }));
    tokio::select! {
        biased;
        _ = send(slow) => panic!("its body has no end"),
        quick = tokio::time::timeout(Duration::from_secs(10), send(quick)) => {
            assert_eq!(quick.expect("it waits for another").status, 200);
        }
    }
}

/// Two keys may have the same name; what one was told is not for the other.
#[tokio::test]
async fn an_answer_is_repeated_to_who_had_it_only() {
    let scene = Scene::new().await;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(send(scene.post("/api/v1/users").json(&ann)).await.status, 200);
    let new = json!({ "name": "crm", "scopes": ["config"] });
    let mut told = vec![];
    for _ in 0..2 {
        let made = send(scene.post("/api/v1/api-keys").json(&new)).await.json();
        let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
        let add = json!({ "extensions": [{ "number": "100" }] });
        let add = scene.post("/api/v1/extensions").json(&add).with("idempotency-key", "one");
        told.push(add.with("authorization", &bearer).send().await);
    }
    assert_eq!((told[0].status, &*told[1].code()), (200, "exists"), "{}", told[1].body);
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let scene = Scene::new().await;
    let add = |number: &str, key: &str| {
        let new = json!({ "extensions": [{ "number": number }] });
        scene.post("/api/v1/extensions").json(&new).with("idempotency-key", key)
    };
    let first = send(add("100", "one")).await;
    let again = send(add("100", "one")).await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        ("", "true")
    );
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(send(add("100", "two")).await.code(), "exists");
    assert_eq!(send(add("101", "one")).await.code(), "key_reused");
    // A refusal is an answer as well.
    assert_eq!(send(add("100", "two")).await.header("idempotency-replayed"), "true");
    scene.server.wait(Duration::from_secs(24 * 60 * 60));
    assert_eq!(send(add("100", "one")).await.code(), "exists", "a day is over");
    assert_eq!(send(add("102", &"x".repeat(256))).await.code(), "invalid");
}

#[tokio::test]
async fn refusals_are_failures_that_name_the_field() {
    let scene = with_extension().await;
    let twice = "{\"name\":\"Hall\",\"calls\":3,\"name\":\"Gate\"}";
    let twice = scene.ask(Method::PATCH, EXTENSION).text("application/json", twice);
    let within = "{\"forward\":{\"busy\":\"200\",\"busy\":\"201\"}}";
    let within = scene.ask(Method::PATCH, EXTENSION).text("application/json", within);
    #[rustfmt::skip]
    let table = [
        (patch(&scene, EXTENSION, &json!({ "calls": 300 })),                    422, "invalid",    "calls"),
        (patch(&scene, EXTENSION, &json!({ "cals": 3 })),                       422, "invalid",    "cals"),
        (patch(&scene, EXTENSION, &json!({ "relay": "sometimes" })),            422, "invalid",    "relay"),
        (twice,                                                                 422, "invalid",    "name"),
        (within,                                                                422, "invalid",    "forward"),
        (patch(&scene, "/api/v1/feature-codes/echo", &json!({ "cod": "*44" })), 422, "invalid",    "cod"),
        (scene.post("/api/v1/dial-plan:simulate").json(&json!({ "dice": 300 })), 422, "invalid",   "dice"),
        (scene.post("/api/v1/dial-plan:simulate").json(&json!({ "dice": 100, "from": "100" })), 422, "invalid", "dice"),
        (scene.post("/api/v1/extensions").text("text/plain", "{}"),             415, "media_type", ""),
        (scene.post("/api/v1/extensions").text("application/json", "{"),        422, "invalid",    ""),
        (scene.ask(Method::PUT, "/api/v1/extensions"),                          405, "method",     ""),
        (scene.get("/api/v1/sip-trunks/one"),                                   422, "invalid",    ""),
        (scene.get("/api/v1/nothing"),                                          404, "not_found",  ""),
    ];
    for (ask, status, code, field) in table {
        let path = ask.path();
        let answer = send(ask).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let told = answer.json();
        let told = json!([answer.status, told["code"], told["field"].as_str().unwrap_or_default()]);
        assert_eq!(told, json!([status, code, field]), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn null_is_the_default() {
    let scene = with_extension().await;
    let change = json!({ "forward": { "busy": "101" }, "ring_s": 20 });
    assert_eq!(send(patch(&scene, EXTENSION, &change)).await.status, 200);
    let back = json!({ "name": null, "calls": null, "ring_s": null, "forward": { "busy": null } });
    let answer = send(patch(&scene, EXTENSION, &back)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let shown = answer.json();
    let told = json!([shown["name"], shown["calls"], shown["ring_s"], shown["forward"]]);
    assert_eq!(told, json!(["", 2, 0, {}]));
}

#[tokio::test]
async fn a_range_is_added_and_listed_page_by_page() {
    let scene = Scene::new().await;
    let new = json!({ "extensions": [
        { "number": "105-114", "change": { "name": "Hall" } }, { "number": "99", "change": { "name": "Gate" } },
    ] });
    let made = send(scene.post("/api/v1/extensions").json(&new)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    // An emergency number is passed over in a range.
    assert_eq!(made.json().as_array().unwrap().len(), 10);
    assert!(!made.body.contains("\"112\""), "{}", made.body);
    let mut path = "/api/v1/extensions?limit=4".to_owned();
    let mut pages: Vec<usize> = vec![];
    loop {
        let page = send(scene.get(&path)).await;
        pages.push(page.json().as_array().unwrap().len());
        let Some(next) = page.header("link").strip_prefix('<') else { break };
        path = next.split('>').next().unwrap().to_owned();
    }
    assert_eq!(pages, [4, 4, 2]);
    let found = send(scene.get("/api/v1/extensions?search=gat&limit=4")).await.json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    let bad = json!({ "extensions": [{ "number": "114-105" }] });
    let bad = send(scene.post("/api/v1/extensions").json(&bad)).await;
    assert_eq!((bad.status, bad.json()["field"].as_str()), (422, Some("number")));
    let entry = &send(scene.get("/api/v1/audit-entries")).await.json()["entries"][0];
    assert_eq!(entry["name"], "99, 105-111, 113-114");
}

#[tokio::test]
async fn a_sheet_that_was_not_touched_changes_nothing() {
    let scene = with_extension().await;
    let more = json!({ "extensions": [{ "number": "200-201", "change": {
        "name": "=1+1", "levels": [1, 2], "addresses": ["10.0.0.7", "10.1.0.0/16"], "may_forward": ["busy", "always"],
    } }] });
    assert_eq!(send(scene.post("/api/v1/extensions").json(&more)).await.status, 200);
    let sheet = send(scene.get("/api/v1/extensions:export")).await;
    assert!(sheet.header("content-type").starts_with("text/csv"));
    assert!(sheet.body.contains("'=1+1") && sheet.body.lines().count() == 4, "{}", sheet.body);
    let import = |query: &str, sheet: &str| {
        scene.post(&format!("/api/v1/extensions:import?{query}")).text("text/csv", sheet)
    };
    let same = send(import("dry_run=true", &sheet.body)).await;
    let same = same.json();
    let told = json!([same["added"], same["changed"], same["unchanged"], same["problems"]]);
    assert_eq!(told, json!([[], [], 3, []]));

    let edited = sheet.body.replace("Hall", "Kitchen") + "300,k7mfx2pqzz,Gate\n";
    let dry = send(import("dry_run=true", &edited)).await.json();
    assert_eq!(dry["changed"], json!([{ "number": "100", "fields": ["name"] }]));
    assert_eq!((&dry["added"], &dry["unchanged"]), (&json!(["300"]), &json!(2)));
    assert_eq!(send(scene.get(EXTENSION)).await.json()["name"], "Hall", "a dry run");
    let done = send(import("", &edited)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(send(scene.get(EXTENSION)).await.json()["name"], "Kitchen");
    assert_eq!(send(scene.get("/api/v1/extensions/300")).await.json()["has_password"], true);
}

#[tokio::test]
async fn what_is_wrong_in_a_sheet_is_named_by_row_and_column() {
    let scene = with_extension().await;
    #[rustfmt::skip]
    let table = [
        ("number,nmae\n100,x\n",              1, "nmae"),
        ("name\nx\n",                         1, "number"),
        ("number,calls\n100,4\n101,300\n",    3, "calls"),
        ("number,calls\n100,four\n",          2, "calls"),
        ("number,password\n200,200\n",        2, "password"),
        ("number,plan\n200,nowhere\n",        2, "plan"),
        ("number,name\n200,x\n200,y\n",       3, "number"),
        ("number,name,calls,name\n200,x,,y\n", 1, "name"),
    ];
    for (sheet, row, column) in table {
        let import = |query: &str| {
            scene.post(&format!("/api/v1/extensions:import{query}")).text("text/csv", sheet)
        };
        let dry = send(import("?dry_run=true")).await.json();
        let first = &dry["problems"][0];
        assert_eq!(json!([first["row"], first["column"]]), json!([row, column]), "{sheet}: {dry}");
        let refused = send(import("")).await;
        let told = refused.json();
        assert_eq!((refused.status, told["findings"][0]["field"].as_str()), (422, Some(column)));
    }
    assert_eq!(send(scene.get("/api/v1/extensions")).await.json().as_array().unwrap().len(), 1);
}

/// Serde takes a list for a struct, in the order of its fields; nobody means that.
#[tokio::test]
async fn a_list_is_no_body() {
    let scene = Scene::new().await;
    let new = json!({ "extensions": [{ "number": "100" }] });
    scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
    #[rustfmt::skip]
    let table = [
        (Method::POST,  "/api/v1/backups",                    "[]"),
        (Method::POST,  "/api/v1/backups",                    " \n [\"a long password\"]"),
        (Method::POST,  "/api/v1/extensions/100:passwd",      "[]"),
        (Method::PATCH, "/api/v1/extensions/100",             "[]"),
        (Method::POST,  "/api/v1/dial-plan:simulate",         "[]"),
        (Method::PUT,   "/api/v1/dial-plan",                  "[{},[]]"),
        (Method::PUT,   "/api/v1/dial-plan",                  "{\"tables\":[]}"),
        (Method::POST,  "/api/v1/dial-plan:simulate",         "{\"tables\":[]}"),
    ];
    for (method, path, body) in table {
        for kind in ["application/json", "application/json; charset=utf-8"] {
            let asking = scene.ask(method.clone(), path).text(kind, body).by_socket();
            let answer = asking.send().await;
            let told = format!("{path} {body}: {}", answer.body);
            assert_eq!((answer.status, &*answer.code()), (422, "invalid"), "{told}");
            let what = answer.json()["detail_zh"].as_str().unwrap().to_owned();
            assert!(what.ends_with("应为对象"), "{told}");
        }
    }
    // What needs no body takes one of any type, as those are that curl sends where none is said.
    for kind in ["application/x-www-form-urlencoded", "text/plain", "text/csv"] {
        let asking = scene.post("/api/v1/extensions/100:passwd").text(kind, "[]").by_socket();
        assert_eq!(asking.send().await.code(), "invalid", "{kind}");
    }
    let backups = scene.get("/api/v1/backups").by_socket().send().await;
    assert_eq!(backups.json(), json!([]));
    // A sheet is no JSON.
    let sheet = scene.post("/api/v1/extensions:import").text("text/csv", "[]\n1\n").by_socket();
    assert_eq!(sheet.send().await.code(), "refused");
}
