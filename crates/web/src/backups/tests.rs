//! Backups through the whole router. What a start does with a staged one is tested in the store.

#![allow(clippy::unwrap_used)]

use super::{Maker, restore};
use crate::Running as _;
use crate::scene::{Scene, WORLD};
use axum::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::backup::Staged;

const HOME: &str = "/api/v1/backups";

async fn made(scene: &Scene, body: Value) -> Value {
    let made = scene.post(HOME).by_socket().json(&body).send().await;
    assert_eq!(made.status, 200, "{}", made.body);
    made.json()
}

async fn add(scene: &Scene, number: &str) {
    let new = json!({ "extensions": [{ "number": number }] });
    let added = scene.post("/api/v1/extensions").by_socket().json(&new).send().await;
    assert_eq!(added.status, 200, "{}", added.body);
}

#[tokio::test]
async fn a_backup_is_made_looked_into_restored_and_removed() {
    let scene = Scene::new().await;
    add(&scene, "100").await;
    let name = made(&scene, json!({})).await["name"].as_str().unwrap().to_owned();
    add(&scene, "101").await;
    let all = scene.get(HOME).by_socket().send().await.json();
    assert_eq!((&all[0]["name"], &all[0]["counts"]["extensions"]), (&json!(name), &json!(1)));
    assert_eq!((&all[0]["reason"], &all[0]["has_secrets"]), (&json!("asked"), &json!(false)));
    for body in ["\t", "[]", "{"] {
        let ask = scene.post(&format!("{HOME}/{name}:preview")).by_socket();
        assert_eq!(ask.bytes(body.as_bytes().to_vec()).status().await, 422, "{body}");
    }
    let shown = scene.post(&format!("{HOME}/{name}:preview")).by_socket().send().await.json();
    assert_eq!(shown["now"]["extensions"], 2);
    let expected = json!([{
        "kind": "extensions", "comes": [], "comes_count": 0, "goes": ["101"], "goes_count": 1,
    }]);
    assert_eq!(shown["differences"], expected);
    assert!(!scene.server.is_starting_anew());
    let restore = json!({ "standby": true });
    let restore = scene.post(&format!("{HOME}/{name}:restore")).by_socket().json(&restore);
    let restored = restore.send().await;
    let safety = restored.json()["safety"].as_str().unwrap().to_owned();
    assert!(scene.server.is_starting_anew());
    let kept = scene.get(&format!("{HOME}/{safety}")).by_socket().send().await.json();
    assert_eq!(
        (&kept["reason"], &kept["counts"]["extensions"]),
        (&json!("before_restore"), &json!(2))
    );
    let removed = scene.ask(Method::DELETE, &format!("{HOME}/{name}")).by_socket();
    assert_eq!(removed.status().await, 200);
    assert_eq!(scene.get(&format!("{HOME}/{name}")).by_socket().status().await, 404);
}

/// Who keeps as many as he may has one made each night all the same.
#[tokio::test]
async fn the_nightly_one_finds_room() {
    let scene = Scene::new().await;
    let name = made(&scene, json!({})).await["name"].as_str().unwrap().to_owned();
    let folder = scene.office.db.backups();
    for copy in 1..super::BACKUPS_MAX {
        std::fs::copy(folder.join(&name), folder.join(format!("{copy}-{name}"))).unwrap();
    }
    scene.server.wait(Duration::from_secs(1));
    let one_more = scene.post(HOME).by_socket().json(&json!({})).send().await;
    assert_eq!((one_more.status, &one_more.json()["code"]), (409, &json!("too_many")));
    super::look_at_night(&scene.office).await.unwrap();
    let newest = &scene.get(HOME).by_socket().send().await.json()[0];
    assert_eq!(newest["reason"], "nightly");
}

/// Whoever copied some of them beside themselves has no new one made every ten minutes.
#[tokio::test]
async fn copies_that_somebody_keeps_are_no_failure_of_the_night() {
    let scene = Scene::new().await;
    super::look_at_night(&scene.office).await.unwrap();
    let all = scene.get(HOME).by_socket().send().await.json();
    let name = all[0]["name"].as_str().unwrap();
    let folder = scene.office.db.backups();
    for copy in 0..20 {
        std::fs::copy(folder.join(name), folder.join(format!("copy {copy} of {name}"))).unwrap();
    }
    scene.server.wait(Duration::from_secs(24 * 60 * 60));
    super::look_at_night(&scene.office).await.unwrap();
    let all = scene.get(HOME).by_socket().send().await.json();
    assert_eq!(all.as_array().unwrap().len(), 2, "what cannot be asked for is not offered: {all}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 22, "and nobody removes it");
}

#[tokio::test]
async fn a_backup_goes_out_and_comes_back() {
    let scene = Scene::new().await;
    let name = made(&scene, json!({ "password": "a long password" })).await;
    let name = name["name"].as_str().unwrap().to_owned();
    scene.server.wait(Duration::from_secs(1));
    let other = made(&scene, json!({})).await["name"].as_str().unwrap().to_owned();
    let folder = scene.office.db.backups();
    let bytes = std::fs::read(folder.join(&name)).unwrap();
    let out = scene.get(&format!("{HOME}/{name}:download")).by_socket().send().await;
    assert_eq!(out.header("content-type"), "application/gzip");
    assert!(out.header("content-disposition").contains(&name));
    let upload = |bytes: Vec<u8>| scene.post(&format!("{HOME}:upload")).by_socket().bytes(bytes);
    // The one that is here may be damaged; another one with its name is not overwritten.
    std::fs::write(folder.join(&name), &bytes[..bytes.len() - 9]).unwrap();
    assert_eq!(upload(bytes.clone()).status().await, 200);
    assert_eq!(std::fs::read(folder.join(&name)).unwrap(), bytes);
    std::fs::copy(folder.join(&other), folder.join(&name)).unwrap();
    assert_eq!(upload(bytes.clone()).send().await.code(), "exists");
    for name in [&name, &other] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    for (wrong, code) in [
        (b"PK\x03\x04".to_vec(), "no_backup"),
        (vec![], "no_backup"),
        (bytes[..40].to_vec(), "no_backup"),
        (bytes[..bytes.len() - 9].to_vec(), "damaged"),
    ] {
        let refused = upload(wrong).send().await;
        assert_eq!((refused.status, &*refused.code()), (422, code));
    }
    let back = upload(bytes).send().await;
    assert_eq!((back.status, back.json()["name"].as_str()), (200, Some(&*name)), "{}", back.body);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half is left");
    let preview = |password: &str| {
        let asked = json!({ "password": password });
        scene.post(&format!("{HOME}/{name}:preview")).by_socket().json(&asked)
    };
    assert_eq!(preview("another password").send().await.code(), "wrong_password");
    assert_eq!(preview("a long password").status().await, 200);
}

/// Its key file came with the backup, and this machine's own went.
#[tokio::test]
async fn the_way_back_from_another_machines_backup_has_its_password() {
    let (there, here) = (Scene::new().await, Scene::new().await);
    let asked = json!({ "password": "a long password" });
    let name = made(&there, asked.clone()).await["name"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(there.office.db.backups().join(&name)).unwrap();
    let taken = here.post(&format!("{HOME}:upload")).by_socket().bytes(bytes).send().await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    here.server.wait(Duration::from_secs(1));
    let restored = here.post(&format!("{HOME}/{name}:restore")).by_socket().json(&asked);
    let restored = restored.send().await.json();
    assert_eq!(restored["has_password"], true, "{restored}");
    let safety = restored["safety"].as_str().unwrap().to_owned();
    let folder = here.office.db.folder().to_owned();
    here.office.db.close().await;
    let db = store::open_offline(&folder, "test").await.unwrap();
    let key = || Some("a long password".to_owned());
    let maker = Maker { host: "here".to_owned(), now: here.server.now() };
    let staged = |backup: &str| Staged {
        backup: backup.to_owned(),
        at: here.server.now(),
        actor_kind: "cli".to_owned(),
        actor: String::new(),
        source: String::new(),
        standby: false,
    };
    let refused = restore(&db.db, &maker, None, staged(&safety)).await.unwrap_err();
    assert_eq!(refused.code, "wrong_password");
    restore(&db.db, &maker, key(), staged(&safety)).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_says_so_and_changes_nothing() {
    let scene = Scene::new().await;
    let short = scene.post(HOME).by_socket().json(&json!({ "password": "short" })).send().await;
    assert_eq!((short.status, &*short.code()), (422, "weak_password"));
    for name in ["..", "..%2Fdialtone.db", "none.tar.gz", ".work.tar.gz"] {
        for verb in ["", ":download"] {
            let status = scene.get(&format!("{HOME}/{name}{verb}")).by_socket().status().await;
            assert_eq!(status, 404, "{name}{verb}");
        }
    }
    let name = made(&scene, json!({})).await["name"].as_str().unwrap().to_owned();
    let path = scene.office.db.backups().join(&name);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    for verb in ["preview", "restore"] {
        let refused = scene.post(&format!("{HOME}/{name}:{verb}")).by_socket().send().await;
        assert_eq!((refused.status, &*refused.code()), (422, "damaged"), "{}", refused.body);
    }
    assert!(!scene.server.is_starting_anew());
    assert_eq!(scene.get(HOME).by_socket().send().await.json().as_array().unwrap().len(), 1);
    assert_eq!(scene.get(HOME).from(WORLD).status().await, 403);
}

#[tokio::test]
async fn on_standby_lines_are_silent_until_it_is_ended() {
    let scene = Scene::new().await;
    let line = json!({ "account": "5678", "domain": "sip.example.com" });
    let added = scene.post("/api/v1/external-lines").by_socket().json(&line).send().await;
    assert_eq!(added.status, 200, "{}", added.body);
    let db = &scene.office.db;
    let enabled = async || {
        let directory = db.load_directory(0).await.unwrap();
        directory.tenant(pbx::id::TenantId::default()).unwrap().lines.iter().all(|it| it.enabled)
    };
    assert!(enabled().await);
    std::fs::write(db.folder().join(store::backup::STANDBY_FILE), "").unwrap();
    assert!(!enabled().await);
    let shown = scene.get("/api/v1/external-lines/5678").by_socket().send().await.json();
    assert_eq!(shown["enabled"], true, "what is stored stays as it is");
    assert_eq!(scene.get("/api/v1/standby").by_socket().send().await.json()["standby"], true);
    assert_eq!(scene.ask(Method::DELETE, "/api/v1/standby").by_socket().status().await, 200);
    assert!(enabled().await);
}
