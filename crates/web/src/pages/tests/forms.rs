//! What a program can do, done by a form.

use super::html::{check, chinese};
use super::scene::Scene;
use super::{fields, pairs, with_language};
use crate::resource::{AddRequest, NewExtension};

/// What comes before a handler has its say is refused by axum, in English or without a word.
#[tokio::test]
async fn what_no_handler_sees_is_refused_by_a_page() {
    let scene = Scene::new().await;
    let long = "x".repeat(crate::pages::extensions::import::SHEET_BYTES_MAX);
    let refused = [
        (405, scene.get("/calls/place?lang=zh").await, &[][..]),
        (422, scene.post("/settings/reset?lang=zh", &[("keys", "x")]).await, &["key"]),
        (413, scene.post("/dial-plan/document?lang=zh", &[("document", &*long)]).await, &[]),
    ];
    for (status, page, names) in refused {
        assert_eq!(page.status, status, "{}", page.body);
        check(&page.body).unwrap();
        assert!(page.body.contains("<html lang=\"zh\">"), "{}", page.body);
        assert_eq!(chinese::english_in(&page.body), names);
    }
}

#[tokio::test]
async fn the_language_of_another_administrator_is_set() {
    let scene = Scene::new().await;
    let added = [("name", "ann"), ("password", "a horse and a battery")];
    assert_eq!(scene.post("/administrators", &added).await.status, 303);
    let path = "/administrators/ann/language";
    for language in ["en", "zh"] {
        let page = scene.get(&with_language(path, language)).await.body;
        check(&page).unwrap();
        assert!(language == "en" || chinese::english_in(&page).is_empty(), "{page}");
    }
    let seen = fields(&scene.get(path).await.body);
    let with = |language: &str| {
        let mut fields = seen.clone();
        fields.retain(|it| it.0 != "language");
        fields.push(("language".to_owned(), language.to_owned()));
        fields
    };
    let unknown = scene.post(path, &pairs(&with("fr"))).await;
    assert!(unknown.body.contains("id=\"wrong\""), "{}", unknown.body);
    assert_eq!(scene.post(path, &pairs(&with("zh"))).await.status, 303);
    let ann = scene.db.user(pbx::id::TenantId::default(), "ann").await.unwrap().unwrap();
    assert_eq!(ann.language, pbx::language::Language::Zh);
    let late = scene.post(path, &pairs(&with("en"))).await;
    assert!(late.body.contains("load it again"), "{}", late.body);
    assert_eq!(scene.get("/administrators/nobody/language").await.status, 404);
}

#[tokio::test]
async fn one_setting_gets_its_default_again() {
    let scene = Scene::new().await;
    assert!(!scene.get("/settings").await.body.contains("id=\"reset-no_answer_s\""));
    let mut seen = fields(&scene.get("/settings").await.body);
    for (name, value) in [("no_answer_s", "30"), ("expires_max_s", "90")] {
        seen.retain(|it| it.0 != name);
        seen.push((name.to_owned(), value.to_owned()));
    }
    seen.retain(|it| it.0 != "expires_default_s");
    seen.insert(0, ("expires_default_s".to_owned(), "80".to_owned()));
    let saved = scene.post("/settings", &pairs(&seen)).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    let page = scene.get("/settings?lang=zh").await.body;
    check(&page).unwrap();
    assert!(page.contains("id=\"reset-no_answer_s\""), "{page}");
    let reset = scene.post("/settings/reset", &[("key", "no_answer_s")]).await;
    assert_eq!(reset.header("location").as_deref(), Some("/settings?saved=1"), "{}", reset.body);
    let settings = scene.db.settings(pbx::id::TenantId::default()).await.unwrap();
    assert_eq!((settings.no_answer_s, settings.expires_max_s), (60, 90));
    // It would be above what another setting allows: that is said beside it.
    let refused = scene.post("/settings/reset", &[("key", "expires_default_s")]).await;
    assert!(refused.status == 200 && refused.body.contains("class=\"error\""), "{}", refused.body);
    check(&refused.body).unwrap();
    assert_eq!(scene.get("/settings/reset?lang=zh").await.status, 200);
}

#[tokio::test]
async fn a_day_that_is_none_is_told_beside_its_field() {
    let scene = Scene::new().await;
    let page = scene.get("/call-records?from=bad&to=2026-11-26").await.body;
    let error = "aria-describedby=\"from-error\"><p class=\"error\" id=\"from-error\">";
    assert!(page.contains(error) && page.contains("value=\"bad\""), "{page}");
    assert!(!page.contains("to-error") && !page.contains("There are no calls"), "{page}");
    assert!(!page.contains("id=\"export\""), "all calls would be in it: {page}");
    let right = scene.get("/call-records?from=&to=2026-11-26").await.body;
    assert!(right.contains("id=\"export\"") && !right.contains("class=\"error\""), "{right}");
}

/// Of a state, the list is looked through bit by bit.
#[tokio::test]
async fn where_only_a_part_was_looked_through_the_page_says_so() {
    let scene = Scene::new().await;
    let new = NewExtension { number: "2000-3200".to_owned(), ..NewExtension::default() };
    let request = AddRequest { extensions: vec![new], ..AddRequest::default() };
    let author = crate::audit::Author::offline(&scene.db, crate::scene::NOW);
    crate::extensions::add(author, request).await.unwrap();
    let first = scene.get("/extensions?state=by_address&lang=zh").await.body;
    check(&first).unwrap();
    assert!(first.contains("已查找的分机中没有") && first.contains("继续查找"), "{first}");
    let last = scene.get("/extensions?state=by_address&after=2997").await.body;
    assert!(last.contains("No extension is like that.") && !last.contains("id=\"next\""), "{last}");
}

#[tokio::test]
async fn the_dial_plan_goes_out_and_in_as_one_document() {
    let scene = Scene::new().await;
    let tenant = pbx::id::TenantId::default();
    let path = "/dial-plan/document";
    let form = scene.get(path).await.body;
    assert!(form.contains("href=\"/api/v1/dial-plan\" download="), "{form}");
    let exported = crate::dial_plan::tables::export(&scene.db).await.unwrap();
    let mut document = serde_json::to_value(&exported).unwrap();
    assert!(!document.to_string().contains("secret-word"));
    let same = scene.post(path, &[("document", &document.to_string()), ("step", "try")]).await.body;
    assert!(same.contains("Nothing would change.") && !same.contains("id=\"import\""), "{same}");
    document["called"] = serde_json::json!([{ "id": 4, "prefix": "8", "route": "local-user" }]);
    let document = document.to_string();
    let tried = scene.post(&format!("{path}?lang=zh"), &[("document", &document)]).await.body;
    check(&tried).unwrap();
    assert_eq!(chinese::english_in(&tried), Vec::<String>::new());
    assert!(tried.contains("id=\"import\""), "{tried}");
    assert!(scene.db.tables(tenant).await.unwrap().called.is_empty(), "it was tried only");
    let with_step = |page: &str| {
        let mut sent = fields(page);
        sent.push(("step".to_owned(), "import".to_owned()));
        sent
    };
    let sent = with_step(&tried);
    let done = scene.post(path, &pairs(&sent)).await.body;
    check(&done).unwrap();
    assert!(done.contains("It is in force."), "{done}");
    let stored = scene.db.tables(tenant).await.unwrap();
    assert_eq!((stored.called.len(), &*stored.lines[0].password.0), (1, "secret-word"));
    // What was tried was tried on what is no more.
    let late = scene.post(path, &pairs(&sent)).await.body;
    assert!(late.contains("load it again") && !late.contains("id=\"import\""), "{late}");
    #[rustfmt::skip]
    let table = [
        ("[]",                          "应为对象"),
        ("{",                           "第1行"),
        ("{\"calls\":1}",               "没有字段calls"),
        ("{\"plans\":[],\"plans\":[]}", "plans重复"),
        ("{} {}",                       "第1行"),
    ];
    for (wrong, said) in table {
        let page = scene.post(&format!("{path}?lang=zh"), &[("document", wrong)]).await.body;
        check(&page).unwrap();
        assert!(page.contains("id=\"wrong\"") && page.contains(said), "{wrong}: {page}");
    }
}

/// Who chooses another file behind a trial has not seen what it would do.
#[tokio::test]
async fn only_what_was_tried_is_imported() {
    let scene = Scene::new().await;
    let path = "/dial-plan/document";
    let document = |id: u32| format!("{{\"called\":[{{\"id\":{id},\"route\":\"local-user\"}}]}}");
    let import = |page: &str, document: String| {
        let mut sent = fields(page);
        sent.retain(|it| it.0 != "document");
        sent.extend(
            [("document", document), ("step", "import".to_owned())]
                .map(|it| (it.0.to_owned(), it.1)),
        );
        sent
    };
    let rows = async || {
        let tables = scene.db.tables(pbx::id::TenantId::default()).await.unwrap();
        tables.called.iter().map(|it| it.id).collect::<Vec<_>>()
    };
    let tried = scene.post(path, &[("document", &document(4)), ("step", "try")]).await.body;
    let other = scene.post(&format!("{path}?lang=zh"), &pairs(&import(&tried, document(5)))).await;
    assert!(
        other.body.contains("尚未导入") && other.body.contains("id=\"import\""),
        "{}",
        other.body
    );
    assert_eq!(rows().await, Vec::<u32>::new());
    // It was tried by that.
    let done = scene.post(path, &pairs(&import(&other.body, document(5)))).await.body;
    assert!(done.contains("It is in force."), "{done}");
    assert_eq!(rows().await, [5]);
}

#[tokio::test]
async fn what_a_document_is_warned_of_has_an_end() {
    let scene = Scene::new().await;
    let row = |id: u32| {
        format!("{{\"id\":{id},\"prefix\":\"8{id}\",\"route\":\"local-user\",\"reanalyze\":true}}")
    };
    let rows: Vec<String> = (1..=150).map(row).collect();
    let document = format!("{{\"called\":[{}]}}", rows.join(","));
    let page = scene.post("/dial-plan/document", &[("document", &*document)]).await.body;
    check(&page).unwrap();
    assert_eq!(page.matches("<p>Warning: ").count(), 100, "{page}");
    assert!(page.contains(" more</p></div>"), "{page}");
}

#[tokio::test]
async fn a_password_is_chosen_or_made() {
    let scene = Scene::new().await;
    let page = scene.get("/extensions/100?lang=zh").await.body;
    check(&page).unwrap();
    assert!(page.contains("name=\"password\"") && page.contains("name=\"allow_weak\""), "{page}");
    let path = "/extensions/100/password";
    let password = async || {
        let found = scene.db.password(pbx::id::TenantId::default(), "100").await.unwrap();
        found.unwrap().reveal().to_owned()
    };
    let made = scene.post(path, &[("password", "")]).await;
    let first = password().await;
    assert!(made.status == 200 && made.body.contains(&first), "{}", made.body);
    let weak = scene.post(&format!("{path}?lang=zh"), &[("password", "23456789")]).await;
    check(&weak.body).unwrap();
    assert_eq!(chinese::english_in(&weak.body), Vec::<String>::new());
    assert!(
        weak.body.contains("aria-describedby=\"password-error password-help\""),
        "{}",
        weak.body
    );
    assert!(!weak.body.contains("23456789") && password().await == first, "{}", weak.body);
    // The switch of the language asks for the address of the answer.
    assert_eq!(scene.get(&format!("{path}?lang=en")).await.status, 200);
    let weak = [("password", "23456789"), ("allow_weak", "true")];
    assert_eq!((scene.post(path, &weak).await.status, &*password().await), (200, "23456789"));
}

#[tokio::test]
async fn a_simulation_may_take_everything_for_idle() {
    let scene = Scene::new().await;
    let asked = "/dial-plan?sim-from=100&sim-dial=101";
    let page = scene.get(&format!("{asked}&sim-up=true&sim-dice=7")).await.body;
    check(&page).unwrap();
    assert!(page.contains("<details open") && page.contains("value=\"7\""), "{page}");
    assert!(!scene.get(asked).await.body.contains("<details open"));
    for wrong in ["100", "-1", "x"] {
        let page = scene.get(&format!("{asked}&sim-dice={wrong}&lang=zh")).await.body;
        assert!(page.contains("dice：0至99"), "{wrong}: {page}");
    }
}

/// A row that cannot be read is no reason to forget who calls, nor to call the plan right.
#[tokio::test]
async fn what_cannot_be_simulated_keeps_what_was_asked() {
    let scene = Scene::new().await;
    let row = [("r1.id", "x"), ("r1.prefix", "8"), ("r1.route", "local-user")];
    let asked = [("sim-from", "139"), ("sim-way", "line:1234")];
    for path in ["/dial-plan/analyze-called/try", "/dial-plan/analyze-called"] {
        let page = scene.post(path, &[&row[..], &asked].concat()).await.body;
        check(&page).unwrap();
        assert!(page.contains("<option value=\"line:1234\" selected>"), "{path}: {page}");
        assert!(!page.contains("Nothing is wrong"), "{path}: {page}");
    }
}
