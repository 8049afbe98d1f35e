//! Captures through the whole router, with messages that somebody put into the ring.

#![allow(clippy::unwrap_used)]

use crate::resource::Traced;
use crate::scene::Scene;
use axum::http::Method;
use serde_json::json;
use std::time::Duration;

fn message(number: &str, at: u64) -> Traced {
    Traced {
        unix_ms: at,
        sent: false,
        transport: "udp".to_owned(),
        local: "10.0.0.1:5060".to_owned(),
        remote: "10.0.0.7:5062".to_owned(),
        call: None,
        text: format!("OPTIONS sip:{number}@10.0.0.1 SIP/2.0\r\nTo: <sip:{number}@x>\r\n\r\n"),
    }
}

#[tokio::test]
async fn messages_are_kept_until_it_is_stopped_and_taken_away() {
    let scene = Scene::new().await;
    let wanted = json!({ "ext": "100", "minutes": 10 });
    let begun = scene.post("/api/v1/captures").json(&wanted).by_socket().send().await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    assert_eq!((&begun.json()["id"], &begun.json()["follows"]), (&1.into(), &"ext=100".into()));
    let now = scene.office.running.now().0;
    for number in ["100", "101", "100"] {
        scene.server.messages.lock().unwrap().push_back(message(number, now));
    }
    let page = scene.get("/api/v1/captures/1").by_socket().send().await.json();
    assert_eq!(
        (&page["capture"]["messages"], page["ladder"].as_array().unwrap().len()),
        (&2.into(), 2)
    );
    let rest = scene.get("/api/v1/captures/1?after=1").by_socket().send().await.json();
    assert_eq!(rest["ladder"].as_array().unwrap().len(), 1);
    let file = scene.get("/api/v1/captures/1/pcap").by_socket().send().await;
    assert_eq!(file.header("content-type"), "application/vnd.tcpdump.pcap");
    assert!(file.body.matches("OPTIONS sip:100@").count() == 2);
    let stopped = scene.post("/api/v1/captures/1:stop").by_socket().send().await.json();
    assert_eq!(stopped["stopped"], "stopped", "{stopped}");
    scene.server.messages.lock().unwrap().push_back(message("100", now));
    let after = scene.get("/api/v1/captures").by_socket().send().await.json();
    assert_eq!(after[0]["messages"], 2, "{after}");
    let gone = scene.ask(Method::DELETE, "/api/v1/captures/1").by_socket();
    assert_eq!(gone.status().await, 200);
    assert_eq!(scene.get("/api/v1/captures/1").by_socket().status().await, 404);
    let path = "/api/v1/audit-entries?kind=captures";
    let audit = scene.get(path).by_socket().send().await.json();
    let told = |it: &serde_json::Value| format!("{} {}", it["action"], it["name"]).replace('"', "");
    let told: Vec<String> = audit["entries"].as_array().unwrap().iter().map(told).collect();
    let expected =
        ["delete 1 ext=100", "stop 1 ext=100", "download 1 ext=100", "begin 1 ext=100, 10 min"];
    assert_eq!(told, expected);
}

/// Who looks every minute, or may read and nothing else, pushes nothing out of the audit, and fills no disk.
#[tokio::test]
async fn what_is_read_is_told_once_an_hour() {
    let scene = Scene::new().await;
    let told = async || {
        let audit = scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        let entries = audit["entries"].as_array().unwrap().clone();
        let action = |it: &serde_json::Value| it["action"].as_str().unwrap().to_owned();
        entries.iter().map(action).collect::<Vec<_>>()
    };
    let read = async |path: &str| scene.get(path).by_socket().status().await;
    let trace = "/api/v1/trace?ends=true&ext=100";
    // Whoever begins behind the first record reads as well.
    let export = "/api/v1/call-records?csv=true&after=1";
    for path in [trace, trace, export, export] {
        assert_eq!(read(path).await, 200, "{path}");
    }
    assert_eq!(told().await, ["export", "trace"]);
    scene.server.wait(Duration::from_secs(60 * 60));
    assert_eq!(read(trace).await, 200);
    assert_eq!(told().await, ["trace", "export", "trace"]);
    let long = format!("/api/v1/trace?ends=true&ext={}", "1".repeat(10_000));
    assert_eq!(read(&long).await, 422);
}

#[tokio::test]
async fn it_ends_by_itself_by_time_and_by_size() {
    let scene = Scene::new().await;
    let begin = || async {
        let answer = scene.post("/api/v1/captures").json(&json!({})).by_socket().send().await;
        answer.json()["id"].as_u64().unwrap()
    };
    let show = |id: u64| {
        let scene = &scene;
        async move {
            let path = format!("/api/v1/captures/{id}");
            scene.get(&path).by_socket().send().await.json()["capture"].clone()
        }
    };
    let by_time = begin().await;
    scene.server.wait(Duration::from_secs(5 * 60));
    assert_eq!(show(by_time).await["stopped"], "time");
    let by_size = begin().await;
    let now = scene.office.running.now().0;
    let large = Traced { text: "x".repeat(60_000), ..message("100", now) };
    for _ in 0..super::BYTES_MAX / 60_000 + 5 {
        scene.server.messages.lock().unwrap().push_back(large.clone());
    }
    let full = show(by_size).await;
    assert_eq!(full["stopped"], "full", "{full}");
    assert!(full["bytes"].as_u64().unwrap() < super::BYTES_MAX as u64 + 70_000, "{full}");
}

#[tokio::test]
async fn there_are_only_so_many() {
    let scene = Scene::new().await;
    let begin = |body: serde_json::Value| scene.post("/api/v1/captures").json(&body).by_socket();
    for _ in 0..super::CAPTURES_MAX {
        assert_eq!(begin(json!({})).status().await, 200);
    }
    assert_eq!(begin(json!({})).send().await.code(), "too_many");
    assert_eq!(scene.post("/api/v1/captures/2:stop").by_socket().status().await, 200);
    assert_eq!(begin(json!({})).status().await, 200);
    assert_eq!(scene.get("/api/v1/captures/2").by_socket().status().await, 404, "it made room");
    #[rustfmt::skip]
    let table = [
        (json!({ "minutes": 0 }),    "minutes"),
        (json!({ "minutes": 61 }),   "minutes"),
        (json!({ "line": "77" }),    "line"),
        (json!({ "trunk": 9 }),      "trunk"),
    ];
    for (body, field) in table {
        let refused = begin(body.clone()).send().await;
        assert_eq!((refused.status, &refused.json()["field"]), (422, &field.into()), "{body}");
    }
}
