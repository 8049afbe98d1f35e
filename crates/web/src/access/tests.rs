//! Who is let in, from where, with what; through the whole router.

use super::sessions::written;
use crate::scene::{Answer, HERE, OFFICE, Scene, TRUSTED, WORLD};
use axum::http::Method;
use serde_json::{Value, json};
use std::future::ready;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use store::StoreError;

const PASSWORD: &str = "correct horse";

/// A browser with a session.
struct Browser {
    cookie: String,
    csrf: String,
}

impl Browser {
    fn of(answer: &Answer) -> Self {
        let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        Self { cookie: answer.cookie(), csrf }
    }
}

fn ann() -> Value {
    json!({ "name": "ann", "password": PASSWORD })
}

/// An office that has its administrator.
async fn settled() -> (Scene, Browser) {
    let scene = Scene::new().await;
    let answer = scene.post("/api/v1/setup").json(&ann()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let browser = Browser::of(&answer);
    (scene, browser)
}

async fn key(scene: &Scene, scopes: &[&str]) -> String {
    let new = json!({ "name": "a program", "scopes": scopes });
    let made = scene.post("/api/v1/api-keys").by_socket().json(&new).send().await;
    assert_eq!(made.status, 200, "{}", made.body);
    format!("Bearer {}", made.json()["key"].as_str().unwrap())
}

#[tokio::test]
async fn before_there_is_an_administrator_only_the_set_up_is_served() {
    let scene = Scene::new().await;
    #[rustfmt::skip]
    let table = [
        // from   host                path                  status  code
        (HERE,    "localhost:8080",   "/metrics",           200,    ""),
        (WORLD,   "evil.example",     "/healthz",           200,    ""),
        (HERE,    "localhost:8080",   "/api/v1/setup",      200,    ""),
        (OFFICE,  "192.168.1.1:8080", "/api/v1/setup",      200,    ""),
        (HERE,    "evil.example",     "/api/v1/setup",      403,    "host"),
        (WORLD,   "192.168.1.1:8080", "/api/v1/setup",      403,    "far"),
        (HERE,    "localhost:8080",   "/api/v1/extensions", 403,    "setup_needed"),
        (OFFICE,  "192.168.1.1:8080", "/api/v1/status",     403,    "setup_needed"),
        (HERE,    "localhost:8080",   "/",                  303,    ""),
        (HERE,    "localhost:8080",   "/extensions",        303,    ""),
        (WORLD,   "localhost:8080",   "/",                  403,    ""),
    ];
    for (from, host, path, status, code) in table {
        let answer = scene.get(path).from(from).with("host", host).send().await;
        assert_eq!(answer.status, status, "{from} {host} {path}: {}", answer.body);
        if !code.is_empty() {
            assert_eq!(answer.code(), code, "{from} {host} {path}");
        }
        if status == 303 {
            assert_eq!(answer.header("location"), "/setup");
        }
    }
}

#[tokio::test]
async fn the_set_up_asks_elsewhere_for_the_code_and_happens_once() {
    let scene = Scene::new().await;
    let shown = scene.get("/api/v1/setup").by_socket().send().await.json();
    let code = shown["code"].as_str().unwrap().to_owned();
    let seen = scene.get("/api/v1/setup").from(OFFICE).send().await.json();
    assert_eq!((&seen["code_needed"], &seen["code"]), (&json!(true), &Value::Null));
    let set_up = |code: &str| {
        let request =
            json!({ "name": "ann", "password": PASSWORD, "code": code, "language": "zh" });
        scene.post("/api/v1/setup").from(OFFICE).json(&request)
    };
    for wrong in ["", "k7mf-x2pq-abcd"] {
        let answer = set_up(wrong).send().await;
        assert_eq!((answer.status, &*answer.code()), (403, "wrong_setup_code"));
    }
    let foreign = set_up(&code).with("origin", "http://evil.example").send().await;
    assert_eq!(foreign.code(), "foreign");
    let weak = json!({ "name": "ann", "password": "ann", "code": code });
    let weak = scene.post("/api/v1/setup").from(OFFICE).json(&weak).send().await;
    assert_eq!((weak.status, weak.json()["field"].as_str()), (422, Some("password")));
    let answer = set_up(&code).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("set-cookie").contains("HttpOnly; SameSite=Strict"));
    // The office speaks as its administrator does.
    let language = scene.get("/api/v1/settings/language").by_socket().send().await.json();
    assert_eq!(language["value"], "zh");
    assert_eq!(set_up(&code).send().await.code(), "settled");
    let state = scene.get("/api/v1/setup").by_socket().send().await.json();
    assert_eq!((&state["needed"], &state["code"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn no_path_is_served_to_strangers_without_tls_whatever_they_say_of_themselves() {
    let before = Scene::new().await;
    let (after, browser) = settled().await;
    let document = crate::openapi::document();
    let api = document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |it| (it.to_uppercase().parse().unwrap(), path.replace(['{', '}'], "")))
    });
    let pages = ["/", "/login", "/setup", "/welcome", "/extensions", "/assets/dialtone.css", "/x"];
    let pages = pages.map(|it| (Method::GET, it.to_owned()));
    let posts = ["/login", "/setup", "/backups"].map(|it| (Method::POST, it.to_owned()));
    let lies: [(&str, &str); 4] = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "192.168.1.7"),
        ("forwarded", "for=127.0.0.1;proto=https"),
        ("x-forwarded-proto", "https"),
    ];
    for (method, path) in api.chain(pages).chain(posts) {
        for scene in [&before, &after] {
            for (name, value) in lies {
                let ask = scene.ask(method.clone(), &path).from(WORLD).with(name, value);
                let ask = ask.with("cookie", &browser.cookie).with("host", "localhost:8080");
                assert_eq!(ask.status().await, 403, "{method} {path} {name}");
            }
        }
    }
}

#[tokio::test]
async fn who_sends_a_form_after_his_session_is_told_that_it_was_not_saved() {
    let (scene, _) = settled().await;
    #[rustfmt::skip]
    let table = [
        ("/extensions/100", "http://localhost:8080/extensions/100?saved=1", "/login?unsaved=1&next=/extensions/100"),
        ("/extensions/100", "http://elsewhere.example/extensions/100",      "/login?unsaved=1&next=/"),
        ("/extensions/100", "",                                             "/login?unsaved=1&next=/"),
        ("/logout",         "http://localhost:8080/extensions/100",         "/login"),
    ];
    for (path, referer, expected) in table {
        let ask = scene.post(path).with("referer", referer);
        let answer = ask.text("application/x-www-form-urlencoded", "password=secret").send().await;
        assert_eq!((answer.status, answer.header("location")), (303, expected), "{path} {referer}");
    }
    let page = scene.get("/login?unsaved=1&next=/extensions/100").send().await.body;
    let next = "name=\"next\" value=\"/extensions/100\"";
    assert!(page.contains("id=\"unsaved\"") && page.contains(next), "{page}");
    let page = scene.get("/login?next=/extensions/100").send().await.body;
    assert!(page.contains(next) && !page.contains("id=\"unsaved\""), "{page}");
}

#[tokio::test]
async fn a_proxy_on_this_machine_does_not_make_strangers_local() {
    let scene = Scene::new().await;
    let state = scene.get("/api/v1/setup").with("x-forwarded-for", "8.8.8.8").send().await.json();
    assert_eq!(state["code_needed"], true);
}

/// Where even that is not enough, it is tried no third time.
#[tokio::test]
async fn what_signs_somebody_in_is_written_in_the_room_that_is_kept() {
    let scene = Scene::new().await;
    let db = &scene.office.db;
    db.keep_reserve().unwrap();
    let tries = AtomicU32::new(0);
    let full_until = |enough: u32| {
        let is_full = tries.fetch_add(1, Ordering::Relaxed) + 1 < enough;
        ready(if is_full { Err(StoreError::DiskFull.into()) } else { Ok(()) })
    };
    assert_eq!(written(db, || full_until(1)).await, Ok(()));
    assert_eq!(written(db, || full_until(3)).await, Ok(()), "with the room that was kept");
    assert!(!db.give_up_reserve(), "it is the database's now");
    let refused = written(db, || full_until(5)).await.unwrap_err();
    assert_eq!((&*refused.code, tries.load(Ordering::Relaxed)), ("disk_full", 4));
}

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends() {
    let (scene, _) = settled().await;
    let wrong = json!({ "name": "ann", "password": "wrong horse" });
    let wrong = scene.post("/api/v1/sessions").json(&wrong).send().await;
    assert_eq!((wrong.status, &*wrong.code()), (401, "wrong_password"));
    let unknown = json!({ "name": "bob", "password": PASSWORD });
    let unknown = scene.post("/api/v1/sessions").json(&unknown).send().await;
    assert_eq!(unknown.body, wrong.body, "names are not told");
    let metrics = scene.get("/metrics").send().await.body;
    assert!(metrics.starts_with("wrong credentials: 2\n"), "{metrics}");
    let browser = Browser::of(&scene.post("/api/v1/sessions").json(&ann()).send().await);
    let get = |path: &str| scene.get(path).with("cookie", &browser.cookie);
    assert_eq!(get("/api/v1/status").status().await, 200);
    let sessions = get("/api/v1/sessions").send().await.json();
    let current: Vec<bool> =
        sessions.as_array().unwrap().iter().map(|it| it["current"].as_bool().unwrap()).collect();
    assert_eq!(current.iter().filter(|it| **it).count(), 1);
    assert_eq!(current.len(), 2);
    let current = get("/api/v1/sessions/current").send().await.json();
    assert_eq!(current["csrf"], *browser.csrf);
    let other = sessions.as_array().unwrap().iter().find(|it| it["current"] == false).unwrap();
    let other = format!("/api/v1/sessions/{}", other["id"].as_str().unwrap());
    let other = scene.ask(Method::DELETE, &other).with("cookie", &browser.cookie);
    assert_eq!(other.with("x-csrf-token", &browser.csrf).status().await, 200);
    let newest = get("/api/v1/audit-entries").send().await.json()["entries"][0].clone();
    let done = [&newest["action"], &newest["kind"], &newest["name"], &newest["actor"]];
    assert_eq!(done, ["sign_out", "users", "ann", "ann"]);
    let end = scene
        .ask(Method::DELETE, "/api/v1/sessions/current")
        .with("cookie", &browser.cookie)
        .with("x-csrf-token", &browser.csrf);
    let end = end.send().await;
    assert!(end.status == 200 && end.header("set-cookie").contains("Max-Age=0"));
    let after = get("/api/v1/status").send().await;
    assert_eq!((after.status, &*after.code()), (401, "not_authenticated"));
    assert_eq!(after.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn sessions_end_by_themselves_and_with_the_password() {
    let (scene, browser) = settled().await;
    let status = || scene.get("/api/v1/status").with("cookie", &browser.cookie).status();
    const HOUR: Duration = Duration::from_secs(60 * 60);
    for _ in 0..18 {
        scene.server.wait(9 * HOUR);
        assert_eq!(status().await, 200, "it is used");
    }
    scene.server.wait(9 * HOUR);
    assert_eq!(status().await, 401, "after a week");
    let browser = Browser::of(&scene.post("/api/v1/sessions").json(&ann()).send().await);
    let status = || scene.get("/api/v1/status").with("cookie", &browser.cookie).status();
    scene.server.wait(10 * HOUR);
    assert_eq!(status().await, 401, "not used");
    let browser = Browser::of(&scene.post("/api/v1/sessions").json(&ann()).send().await);
    let status = || scene.get("/api/v1/status").with("cookie", &browser.cookie).status();
    let new = json!({ "password": "another horse" });
    let set = scene.post("/api/v1/users/ann:passwd").by_socket().json(&new).status().await;
    assert_eq!((set, status().await), (200, 401), "the password was changed");
    assert_eq!(scene.post("/api/v1/sessions").json(&ann()).status().await, 401);
}

#[tokio::test]
async fn what_a_browser_changes_needs_the_token_of_its_session() {
    let (scene, browser) = settled().await;
    let change = || {
        let change = json!({ "value": 30 });
        scene
            .ask(Method::PATCH, "/api/v1/settings/no_answer_s")
            .with("cookie", &browser.cookie)
            .json(&change)
    };
    assert_eq!(change().send().await.code(), "csrf");
    assert_eq!(change().with("x-csrf-token", "0".repeat(64).as_str()).send().await.code(), "csrf");
    let other = Browser::of(&scene.post("/api/v1/sessions").json(&ann()).send().await);
    assert_eq!(change().with("x-csrf-token", &other.csrf).send().await.code(), "csrf");
    let right = || change().with("x-csrf-token", &browser.csrf);
    assert_eq!(right().with("sec-fetch-site", "cross-site").send().await.code(), "foreign");
    assert_eq!(right().with("origin", "http://evil.example").send().await.code(), "foreign");
    assert_eq!(right().with("origin", "http://localhost:8080").status().await, 200);
    // A form has it as a field; what it posts to here does not exist.
    let form = |fields: &str| {
        let kind = "application/x-www-form-urlencoded";
        scene.post("/nothing").with("cookie", &browser.cookie).text(kind, fields)
    };
    assert_eq!(form("number=100").status().await, 403);
    assert_eq!(form(&format!("number=100&csrf={}", browser.csrf)).status().await, 404);
}

#[tokio::test]
async fn keys_open_what_their_scopes_say() {
    let (scene, browser) = settled().await;
    let hangup = (Method::POST, "/api/v1/calls/c-1:hangup");
    #[rustfmt::skip]
    let table = [
        // scopes              read  config calls admin
        (vec!["read"],         [200, 403,   403,  403]),
        (vec!["config"],       [403, 200,   403,  403]),
        (vec!["calls"],        [403, 403,   404,  403]),
        (vec!["admin"],        [403, 403,   403,  200]),
        (vec!["read", "admin"], [200, 403,  403,  200]),
    ];
    for (scopes, expected) in table {
        let key = key(&scene, &scopes).await;
        let asks = [
            scene.get("/api/v1/extensions"),
            scene.ask(Method::DELETE, "/api/v1/settings/no_answer_s"),
            scene.ask(hangup.0.clone(), hangup.1),
            scene.get("/api/v1/users"),
        ];
        for (ask, expected) in asks.into_iter().zip(expected) {
            let path = ask.path();
            assert_eq!(
                ask.with("authorization", &key).status().await,
                expected,
                "{scopes:?} {path}"
            );
        }
    }
    // Pages are for people.
    let key = key(&scene, &["read", "config", "calls", "admin"]).await;
    assert_eq!(scene.get("/extensions").with("authorization", &key).status().await, 303);
    let keys = scene.get("/api/v1/api-keys").with("authorization", &key).send().await;
    assert!(!keys.body.contains(key.rsplit('_').next().unwrap()), "a secret is shown");
    let id = key.split('_').nth(1).unwrap().to_owned();
    let revoke = scene
        .ask(Method::DELETE, &format!("/api/v1/api-keys/{id}"))
        .with("cookie", &browser.cookie)
        .with("x-csrf-token", &browser.csrf);
    assert_eq!(revoke.status().await, 200);
    let after = scene.get("/api/v1/users").with("authorization", &key).send().await;
    assert_eq!((after.status, &*after.code()), (401, "wrong_key"));
}

#[tokio::test]
async fn wrong_passwords_cost_time_but_never_where_one_is_trusted() {
    let (scene, _) = settled().await;
    let log_in = |from: &str, password: &str| {
        let request = json!({ "name": "ann", "password": password });
        scene.post("/api/v1/sessions").from(from).json(&request)
    };
    for _ in 0..3 {
        assert_eq!(log_in(OFFICE, "wrong horse").status().await, 401);
    }
    let waiting = log_in(OFFICE, PASSWORD).send().await;
    assert_eq!((waiting.status, &*waiting.code()), (429, "too_many_attempts"));
    assert_eq!(waiting.header("retry-after"), "2");
    assert_eq!(waiting.header("ratelimit"), "\"attempts\";r=0;t=2");
    for trusted in [HERE, TRUSTED] {
        for _ in 0..10 {
            assert_eq!(log_in(trusted, "wrong horse").status().await, 401, "{trusted}");
        }
        assert_eq!(log_in(trusted, PASSWORD).status().await, 200, "{trusted}");
    }
    scene.server.wait(Duration::from_secs(2));
    assert_eq!(log_in(OFFICE, PASSWORD).status().await, 200);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let (scene, _) = settled().await;
    let delete =
        |name: &str| scene.ask(Method::DELETE, &format!("/api/v1/users/{name}")).by_socket();
    assert_eq!(delete("ann").send().await.code(), "last");
    let bob = json!({ "name": "bob", "password": PASSWORD });
    let add = || scene.post("/api/v1/users").by_socket().json(&bob);
    assert_eq!(add().status().await, 200);
    assert_eq!(add().send().await.code(), "exists");
    assert_eq!(delete("Ann").status().await, 200);
    assert_eq!(delete("ann").send().await.code(), "not_found");
    assert_eq!(delete("bob").send().await.code(), "last");
}

#[tokio::test]
async fn everything_has_the_headers_that_browsers_obey() {
    let (scene, _) = settled().await;
    for path in ["/metrics", "/api/v1/status", "/", "/nothing"] {
        let answer = scene.get(path).send().await;
        let policy = answer.header("content-security-policy");
        let strict =
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'");
        assert!(strict && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}
