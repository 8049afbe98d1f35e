//! Backups and webhooks as a browser gets them.

use super::html::check;
use super::scene::Scene;
use store::backup::STANDBY_FILE;

/// The first link of a page into this folder.
fn link(body: &str, folder: &str) -> String {
    let from = body.split(&format!("href=\"{folder}/")).nth(1).unwrap();
    format!("{folder}/{}", from.split('"').next().unwrap())
}

/// Two machines with the same lines take them from each other: nobody is to ask for standby twice.
#[tokio::test]
async fn standby_stays_asked_for() {
    let scene = Scene::new().await;
    assert_eq!(scene.post("/backups", &[("password", "a long password")]).await.status, 303);
    let path = link(&scene.get("/backups").await.body, "/backups");
    let asked = |body: &str| {
        let field = body.split("<input ").find(|it| it.contains("name=\"standby\"")).unwrap();
        field.split('>').next().unwrap().contains(" checked")
    };
    assert!(!asked(&scene.get(&path).await.body));
    let mistyped = [("password", "another password"), ("standby", "on")];
    let refused = scene.post(&path, &mistyped).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("id=\"wrong\"") && asked(&refused.body), "{}", refused.body);
    std::fs::write(scene.db.folder().join(STANDBY_FILE), "").unwrap();
    let shown = scene.get(&path).await.body;
    assert!(asked(&shown), "{shown}");
    check(&shown).unwrap();
}

#[tokio::test]
async fn an_endpoint_is_changed_and_what_is_wrong_stays_to_be_mended() {
    let scene = Scene::new().await;
    let fields = |url: &'static str| [("url", url), ("types", "call.*"), ("description", "CRM")];
    let made = scene.post("/webhooks", &fields("http://crm/")).await;
    let path = link(&made.body, "/webhooks");
    let refused = scene.post(&path, &fields("gopher://crm/")).await.body;
    assert!(refused.contains("id=\"wrong\"") && refused.contains("value=\"gopher://crm/\""));
    check(&refused).unwrap();
    assert_eq!(scene.post(&path, &fields("https://crm/")).await.status, 303);
    let changed = scene.get(&path).await.body;
    assert!(changed.contains("value=\"https://crm/\"") && changed.contains("value=\"CRM\""));
    assert_eq!(scene.post(&format!("{path}/test"), &[]).await.status, 303);
    let waiting = scene.get(&path).await.body;
    assert!(waiting.contains("webhook.test") && waiting.contains("id=\"resend-1\""), "{waiting}");
    // The switch of the language asks for the address of a form that was refused.
    for form in ["test", "enabled", "rotate"] {
        assert_eq!(scene.get(&format!("{path}/{form}?lang=zh")).await.status, 200, "{form}");
    }
    let question = scene.get(&format!("{path}/delete")).await.body;
    assert!(question.contains("https://crm/"), "{question}");
}
