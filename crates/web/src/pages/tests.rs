//! The pages as a browser gets them, from an office without sockets.

#![allow(clippy::unwrap_used)]

mod forms;
mod html;
mod machine;
mod scene;

use crate::resource::Call;
use html::{check, chinese};
use scene::{Answer, Scene};

/// Every page of the menu and what hangs below it, for a look at each.
const PAGES: &[&str] = &[
    "/",
    "/extensions",
    "/extensions?state=offline&q=1",
    "/extensions?q=nobody",
    "/extensions/new",
    "/extensions/range",
    "/extensions/100",
    "/extensions/100/delete",
    "/external-lines",
    "/external-lines/new",
    "/external-lines/1234",
    "/external-lines/1234/delete",
    "/external-lines/1234/doctor",
    "/sip-trunks",
    "/sip-trunks/new",
    "/sip-trunks/1",
    "/sip-trunks/1/delete",
    "/calls",
    "/calls?show=failed",
    "/call-records",
    "/call-records?q=1&result=failed&from=2026-11-01&to=2026-11-26",
    "/call-records?from=bad&to=2026-11-26",
    "/calls/c-0123456789",
    "/dial-plan",
    "/dial-plan?sim-from=100&sim-dial=901381234",
    "/dial-plan/analyze-caller",
    "/dial-plan/analyze-called",
    "/dial-plan/transitions",
    "/dial-plan/refine-caller",
    "/dial-plan/refine-called",
    "/dial-plan/black-list",
    "/dial-plan/document",
    "/settings",
    "/feature-codes",
    "/registrations",
    "/trace",
    "/registrations?q=nobody",
    "/registrations/100",
    "/audit",
    "/administrators",
    "/administrators/admin/password",
    "/administrators/admin/delete",
    "/api-keys",
    "/webhooks",
    "/certificate",
    "/backups",
    "/help",
    "/help/install",
    "/help/extensions",
    "/help/external-lines",
    "/help/sip-trunks",
    "/help/dial-plan",
    "/help/feature-codes",
    "/help/call-records",
    "/help/api",
    "/help/security",
    "/help/backup",
    "/help/command-line",
    "/help/trouble",
    "/extensions/import",
    "/login",
    "/setup",
    "/welcome",
    "/no-such-page",
];

#[tokio::test]
async fn every_page_is_there_in_both_languages() {
    let scene = Scene::new().await;
    for path in PAGES {
        for language in ["en", "zh"] {
            let Answer { status, body, .. } = scene.get(&with_language(path, language)).await;
            let expected = if *path == "/no-such-page" { 404 } else { 200 };
            assert_eq!(status, expected, "{path} {language}: {body}");
            check(&body).unwrap_or_else(|wrong| panic!("{path} {language}: {wrong}"));
            assert!(body.contains(&format!("<html lang=\"{language}\">")), "{path}");
        }
    }
}

#[tokio::test]
async fn a_chinese_page_has_no_english() {
    let scene = Scene::new().await;
    // The manual names commands, headers and products; that it is there in Chinese, its own tests say.
    for path in PAGES.iter().filter(|it| !it.starts_with("/help")) {
        let body = scene.get(&with_language(path, "zh")).await.body;
        let left = chinese::english_in(&body);
        assert!(left.is_empty(), "{path}: {left:?}");
    }
}

#[tokio::test]
async fn what_strangers_say_stands_on_pages_as_text() {
    let scene = Scene::new().await;
    for path in PAGES {
        let body = scene.get(path).await.body;
        assert!(!body.contains("<script>alert"), "{path}");
        assert!(!body.contains("<img src=x"), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_loaded_from_elsewhere() {
    let scene = Scene::new().await;
    for path in PAGES {
        let body = scene.get(path).await.body;
        for from in ["src=\"http", "src=\"//", "href=\"http", "href=\"//", "style=", " onclick="] {
            assert!(!body.contains(from), "{path}: {from}");
        }
    }
}

#[tokio::test]
async fn the_language_that_was_chosen_is_kept() {
    let scene = Scene::new().await;
    let chosen = scene.get("/?lang=zh").await;
    let cookie = chosen.header("set-cookie").unwrap();
    assert!(cookie.starts_with("lang=zh;"), "{cookie}");
    let kept = scene.get_with("/", &[("cookie", "lang=zh")]).await;
    assert!(kept.body.contains("<html lang=\"zh\">"));
    let browser = scene.get_with("/", &[("accept-language", "zh-CN,zh;q=0.9")]).await;
    assert!(browser.body.contains("<html lang=\"zh\">") && browser.header("set-cookie").is_none());
}

#[tokio::test]
async fn assets_are_kept_by_their_version() {
    let scene = Scene::new().await;
    let body = scene.get("/").await.body;
    let from = body.find("/assets/dialtone.css").unwrap();
    let url = body[from..].split('"').next().unwrap();
    let asset = scene.get(url).await;
    assert_eq!(
        asset.header("cache-control").as_deref(),
        Some("public, max-age=31536000, immutable")
    );
    let known = asset.header("etag").unwrap();
    assert_eq!(scene.get_with(url, &[("if-none-match", &known)]).await.status, 304);
    let old = scene.get("/assets/dialtone.css?v=0").await;
    assert_eq!(old.header("cache-control").as_deref(), Some("no-cache"));
    assert_eq!(scene.get("/assets/none.css").await.status, 404);
}

#[tokio::test]
async fn an_extension_is_added_changed_and_deleted() {
    let scene = Scene::new().await;
    let made = scene
        .post(
            "/extensions/new",
            &[
                ("number", "200"),
                ("name", "Hall"),
                ("calls", "3"),
                ("devices", "1"),
                ("calls_in", "100"),
                ("calls_out", "100"),
                ("plan", "default"),
                ("relay", "always"),
                ("media_source", "auto"),
                ("ring_s", "0"),
                ("pickup_group", "0"),
                ("call_waiting", "on"),
                ("digest_without_qop", "on"),
            ],
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(made.body.contains("id=\"password-200\""), "the password is shown once");
    assert!(!scene.get("/extensions/200").await.body.contains("password-200"));
    let form = scene.get("/extensions/200").await.body;
    let mut fields = fields(&form);
    assert!(fields.contains(&("calls".to_owned(), "3".to_owned())), "{fields:?}");
    fields.retain(|it| it.0 != "name");
    fields.push(("name".to_owned(), "Door".to_owned()));
    fields.push(("forward.busy".to_owned(), "101".to_owned()));
    fields.retain(|it| *it != ("forward.busy".to_owned(), String::new()));
    let saved = scene.post("/extensions/200", &pairs(&fields)).await;
    assert_eq!(
        (saved.status, saved.header("location").as_deref()),
        (303, Some("/extensions/200?saved=1")),
        "{}",
        saved.body
    );
    let stored = crate::extensions::show(&scene.db, "200").await.unwrap();
    assert_eq!((stored.name.as_str(), stored.calls), ("Door", 3));
    assert!(stored.may_forward.has(pbx::supplementary::Forwarding::Busy));
    let deleted = scene.post("/extensions/200/delete", &[]).await;
    assert_eq!((deleted.status, deleted.header("location").as_deref()), (303, Some("/extensions")));
    assert_eq!(scene.get("/extensions/200").await.status, 404);
}

#[tokio::test]
async fn a_form_that_is_refused_keeps_what_was_written() {
    let scene = Scene::new().await;
    let form = scene.get("/extensions/100").await.body;
    let mut fields = fields(&form);
    fields.retain(|it| it.0 != "ring_s");
    fields.push(("ring_s".to_owned(), "9999".to_owned()));
    let refused = scene.post("/extensions/100?lang=zh", &pairs(&fields)).await;
    check(&refused.body).unwrap();
    assert!(
        refused.body.contains("不能超过600秒") && refused.body.contains("value=\"9999\""),
        "{}",
        refused.body
    );
    assert!(refused.body.contains("id=\"field-ring_s-error\""));
    assert!(refused.body.contains("id=\"tab-call\" checked"), "the tab with the error is open");
}

#[tokio::test]
async fn a_range_is_made_at_once() {
    let scene = Scene::new().await;
    let made = scene.post("/extensions/range", &[("first", "300"), ("last", "304")]).await;
    assert_eq!(made.body.matches("class=\"card\"").count(), 5);
    let refused = scene.post("/extensions/range", &[("first", "305"), ("last", "304")]).await;
    assert!(refused.body.contains("id=\"wrong\""));
}

#[tokio::test]
async fn a_line_is_changed_without_its_password() {
    let scene = Scene::new().await;
    let form = scene.get("/external-lines/1234").await.body;
    assert!(!form.contains("secret-word"), "no password is ever shown");
    let mut fields = fields(&form);
    let same = scene.post("/external-lines/1234", &pairs(&fields)).await;
    assert_eq!(same.status, 303, "{}", same.body);
    fields.retain(|it| it.0 != "interop.codecs" && it.0 != "interop.reliable");
    fields.push(("interop.codecs".to_owned(), "PCMA\nPCMU".to_owned()));
    fields.push(("interop.reliable".to_owned(), "off".to_owned()));
    assert_eq!(scene.post("/external-lines/1234", &pairs(&fields)).await.status, 303);
    let tables = scene.db.tables(pbx::id::TenantId::default()).await.unwrap();
    let line = &tables.lines[0];
    assert_eq!(line.interop.codecs.iter().map(|it| &**it).collect::<Vec<_>>(), ["PCMA", "PCMU"]);
    assert_eq!(&*line.password.0, "secret-word");
}

#[tokio::test]
async fn lines_and_trunks_are_added_and_deleted() {
    let scene = Scene::new().await;
    for (home, key, more, own) in [
        ("/external-lines", ("account", "5678"), ("domain", "10.0.0.9"), "/external-lines/5678"),
        ("/sip-trunks", ("id", "2"), ("addresses", "10.0.0.9:5070"), "/sip-trunks/2"),
    ] {
        let mut fields = fields(&scene.get(&format!("{home}/new")).await.body);
        fields.retain(|it| it.0 != key.0 && it.0 != more.0);
        fields.extend([key, more].map(|it| (it.0.to_owned(), it.1.to_owned())));
        let made = scene.post(&format!("{home}/new"), &pairs(&fields)).await;
        assert_eq!(made.header("location"), Some(format!("{own}?saved=1")), "{}", made.body);
        assert_eq!(scene.get(own).await.status, 200);
        assert_eq!(scene.post(&format!("{own}/delete"), &[]).await.status, 303);
        assert_eq!(scene.get(own).await.status, 404);
    }
}

#[tokio::test]
async fn settings_and_codes_are_saved_or_say_why_not() {
    let scene = Scene::new().await;
    let saved = scene.post("/settings", &[("no_answer_s", "30"), ("realm", "dialtone")]).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    let refused = scene.post("/settings?lang=zh", &[("no_answer_s", "2")]).await;
    assert!(refused.body.contains("取值应为5至600秒") && refused.body.contains("value=\"2\""));
    check(&refused.body).unwrap();
    let settings = scene.db.settings(pbx::id::TenantId::default()).await.unwrap();
    assert_eq!(settings.no_answer_s, 30);
    let codes = fields(&scene.get("/feature-codes").await.body);
    let (feature, code) = codes.iter().find(|it| it.0 != "csrf").unwrap();
    let saved = scene.post("/feature-codes", &[(feature, "*123")]).await;
    assert_eq!(saved.status, 303, "{} {code}", saved.body);
    assert!(scene.get("/feature-codes").await.body.contains("value=\"*123\""));
}

/// Two administrators have the same form before them: each saves what he has changed, and no more.
#[tokio::test]
async fn what_somebody_else_changed_meanwhile_stays() {
    let scene = Scene::new().await;
    let with = |form: &[(String, String)], name: &str, value: &str| -> Vec<(String, String)> {
        let new = |it: &(String, String)| match it.0 == name {
            true => (name.to_owned(), value.to_owned()),
            false => it.clone(),
        };
        form.iter().map(new).collect()
    };
    let seen = fields(&scene.get("/settings").await.body);
    let other = scene.post("/settings", &pairs(&with(&seen, "no_answer_s", "30"))).await;
    assert_eq!(other.status, 303, "{}", other.body);
    let mine = scene.post("/settings", &pairs(&with(&seen, "realm", "office"))).await;
    assert_eq!(mine.status, 303, "{}", mine.body);
    let settings = scene.db.settings(pbx::id::TenantId::default()).await.unwrap();
    assert_eq!((settings.no_answer_s, &*settings.realm), (30, "office"));
    // The same one: who comes later is told.
    let late = scene.post("/settings", &pairs(&with(&seen, "no_answer_s", "45"))).await;
    assert!(late.status == 200 && late.body.contains("load it again"), "{}", late.body);
    let again = scene.post("/settings", &pairs(&fields(&late.body))).await;
    assert_eq!(again.status, 303, "{}", again.body);
    let settings = scene.db.settings(pbx::id::TenantId::default()).await.unwrap();
    assert_eq!(settings.no_answer_s, 45, "he has seen it now");

    let seen = fields(&scene.get("/feature-codes").await.body);
    scene.post("/feature-codes", &pairs(&with(&seen, "echo", "*123"))).await;
    scene.post("/feature-codes", &pairs(&with(&seen, "do-not-disturb", ""))).await;
    let now = scene.get("/feature-codes").await.body;
    assert!(
        now.contains("name=\"echo\" value=\"*123\"")
            && now.contains("name=\"do-not-disturb\" value=\"\"")
    );
    let late = scene.post("/feature-codes", &pairs(&with(&seen, "echo", "*124"))).await;
    assert!(late.body.contains("load it again"), "{}", late.body);
}

#[tokio::test]
async fn the_page_of_a_call_says_why_and_shows_its_messages() {
    let scene = Scene::new().await;
    let page = scene.get("/calls/c-0123456789").await.body;
    for text in ["101 was busy.", "Try again later.", "#message-1", "id=\"message-1\"", "1 (1.0%)"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("/support\" download title="), "{page}");
}

#[tokio::test]
async fn calls_are_placed_and_transferred_by_forms() {
    let scene = Scene::new().await;
    let form = scene.get("/calls").await.body;
    assert!(form.contains("action=\"/calls/place\""), "{form}");
    let placed = scene.post("/calls/place", &[("from", " 100 "), ("to", "101")]).await;
    assert_eq!((placed.status, placed.header("location").as_deref()), (303, Some("/calls")));
    let by_itself = [("from", "100"), ("to", "101"), ("auto_answer", "true")];
    assert_eq!(scene.post("/calls/place", &by_itself).await.status, 303);
    let orders: Vec<_> = std::mem::take(&mut *scene.server.placed.lock().unwrap());
    let told: Vec<_> = orders.iter().map(|it| (&*it.second, it.answers_itself)).collect();
    assert_eq!(told, [("101", false), ("101", true)]);
    let refused = scene.post("/calls/place", &[("from", "1"), ("to", "101")]).await;
    assert!(refused.status == 422 && refused.body.contains("there is no extension 1"));
    let answered = |it: &mut Call| {
        (it.answered_at, it.ended_at) = (Some(it.started_at.clone()), None);
    };
    answered(&mut scene.server.calls.lock().unwrap()[0]);
    let page = scene.get("/calls/c-0123456789").await.body;
    check(&page).unwrap();
    assert!(page.contains("action=\"/calls/"), "{page}");
    let path = "/calls/c-0123456789/transfer";
    let sent = scene.post(path, &[("leg", "callee"), ("to", "102")]).await;
    assert_eq!((sent.status, sent.header("location").as_deref()), (303, Some("/calls")));
}

#[tokio::test]
async fn a_capture_is_begun_looked_at_stopped_and_forgotten() {
    let scene = Scene::new().await;
    let form = [("kind", "ext"), ("value", "100"), ("minutes", "5")];
    let begun = scene.post("/trace", &form).await;
    assert_eq!((begun.status, begun.header("location").as_deref()), (303, Some("/trace/1")));
    for path in ["/trace", "/trace/1"] {
        for language in ["en", "zh"] {
            let page = scene.get(&with_language(path, language)).await;
            assert_eq!(page.status, 200, "{path}");
            check(&page.body).unwrap();
        }
    }
    let page = scene.get("/trace/1").await.body;
    assert!(page.contains("hx-get=\"/trace/1/more?after=0\""), "{page}");
    let wrong = scene.post("/trace", &[("kind", "ip"), ("value", "here"), ("minutes", "5")]).await;
    assert_eq!(wrong.status, 422);
    check(&wrong.body).unwrap();
    // It stands beside its field, which has what was entered.
    assert!(wrong.body.contains("id=\"value-error\"") && wrong.body.contains("value=\"here\""));
    let form = [("kind", "line"), ("value", "nowhere"), ("minutes", "5")];
    let wrong = scene.post("/trace", &form).await;
    assert!(wrong.status == 422 && wrong.body.contains("id=\"value-error\""), "{}", wrong.body);
    let wrong = scene.post("/trace", &[("kind", "all"), ("minutes", "600")]).await;
    assert!(wrong.status == 422 && wrong.body.contains("id=\"minutes-error\""), "{}", wrong.body);
    let file = scene.get("/trace/1/capture.pcap").await;
    assert_eq!(file.header("content-type").as_deref(), Some("application/vnd.tcpdump.pcap"));
    assert_eq!(scene.post("/trace/1/stop", &[]).await.status, 303);
    let over = scene.get("/trace/1").await.body;
    assert!(!over.contains("hx-get=\"/trace/1/more"), "{over}");
    assert_eq!(scene.post("/trace/1/delete", &[]).await.status, 303);
    assert_eq!(scene.get("/trace/1").await.status, 404);
}

#[tokio::test]
async fn the_simulator_decides_by_what_is_written_and_saving_takes_all_or_nothing() {
    let scene = Scene::new().await;
    let path = "/dial-plan/analyze-called";
    let mut fields = fields(&scene.get(path).await.body);
    let new = [
        ("r0.prefix", "8"),
        ("r0.route", "line"),
        ("r0.route.value", "1234"),
        ("r0.reanalyze", "on"),
    ];
    fields.retain(|it| {
        !it.0.starts_with("r0.route") && it.0 != "r0.prefix" && !it.0.starts_with("sim-")
    });
    fields.extend(new.map(|it| (it.0.to_owned(), it.1.to_owned())));
    fields.extend(
        [("sim-from", "100"), ("sim-dial", "8555")].map(|it| (it.0.to_owned(), it.1.to_owned())),
    );
    let tried = scene.post(&format!("{path}/try"), &pairs(&fields)).await;
    check(&tried.body).unwrap();
    assert!(tried.body.contains("1234") && tried.body.contains("8555"), "{}", tried.body);
    assert!(scene.db.tables(pbx::id::TenantId::default()).await.unwrap().called.is_empty());
    let saved = scene.post(path, &pairs(&fields)).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    assert_eq!(scene.db.tables(pbx::id::TenantId::default()).await.unwrap().called.len(), 1);
    // A second row that names a line which is not there: neither it nor the change of the first is stored.
    let mut fields = self::fields(&scene.get(path).await.body);
    fields.retain(|it| {
        !["r0.prefix", "r1.prefix", "r1.route", "r1.route.value"].contains(&it.0.as_str())
    });
    let more =
        [("r0.prefix", "7"), ("r1.prefix", "6"), ("r1.route", "line"), ("r1.route.value", "999")];
    fields.extend(more.map(|it| (it.0.to_owned(), it.1.to_owned())));
    let refused = scene.post(&format!("{path}?lang=zh"), &pairs(&fields)).await;
    check(&refused.body).unwrap();
    assert!(refused.body.contains("没有外线999"), "{}", refused.body);
    let stored = scene.db.tables(pbx::id::TenantId::default()).await.unwrap().called;
    assert_eq!(stored.iter().map(|it| &*it.prefix).collect::<Vec<_>>(), ["8"]);
}

#[tokio::test]
async fn a_grid_shows_what_is_looked_for_and_overwrites_nothing_unseen() {
    let scene = Scene::new().await;
    let path = "/dial-plan/black-list";
    let seen = fields(&scene.get(path).await.body);
    let with_caller = |number: &str| {
        let mut fields = seen.clone();
        fields.retain(|it| it.0 != "r0.caller");
        fields.push(("r0.caller".to_owned(), number.to_owned()));
        fields
    };
    assert_eq!(scene.post(path, &pairs(&with_caller("4000"))).await.status, 303);
    for (language, who) in
        [("en", "the command line changed this at 2026-"), ("zh", "命令行已于2026-")]
    {
        let late = scene.post(&with_language(path, language), &pairs(&with_caller("4002"))).await;
        check(&late.body).unwrap();
        assert!(late.body.contains(who), "{}", late.body);
    }
    let shows = async |query: &str| {
        let page = scene.get(&format!("{path}?{query}")).await.body;
        check(&page).unwrap();
        page.contains("value=\"4000\"")
    };
    assert!(shows("").await && shows("q=40").await);
    assert!(!shows("q=41").await && !shows("after=1").await);
}

#[tokio::test]
async fn the_first_minute_leads_from_the_set_up_to_the_cards() {
    let scene = Scene::new().await;
    let weak = scene.post("/setup?lang=zh", &[("name", "admin"), ("password", "admin")]).await;
    assert_ne!(weak.status, 303);
    check(&weak.body).unwrap();
    let set_up =
        scene.post("/setup", &[("name", "admin"), ("password", "a horse and a battery")]).await;
    assert_eq!(set_up.header("location").as_deref(), Some("/welcome"), "{}", set_up.body);
    assert!(set_up.header("set-cookie").unwrap().contains("dialtone_session="));
    let cards = scene.post("/welcome", &[("phones", "3"), ("first", "500")]).await;
    check(&cards.body).unwrap();
    for id in ["card-500", "card-502", "lamp-501", "password-502"] {
        assert!(cards.body.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert_eq!(cards.body.matches("<svg class=\"code\"").count(), 3);
    let again = scene.get("/setup").await;
    assert_eq!(again.header("location").as_deref(), Some("/"), "there is an administrator");
    let wrong = scene.post("/login", &[("name", "admin"), ("password", "no")]).await;
    assert_eq!(wrong.status, 401);
    let right = [("name", "admin"), ("password", "a horse and a battery"), ("next", "/extensions")];
    let right = scene.post("/login", &right).await;
    assert_eq!(right.header("location").as_deref(), Some("/extensions"));
}

#[tokio::test]
async fn a_key_is_shown_once_and_an_administrator_is_added() {
    let scene = Scene::new().await;
    let made =
        scene.post("/api-keys", &[("name", "crm"), ("scope", "read"), ("scope", "calls")]).await;
    assert!(made.body.contains("id=\"key\"") && made.body.contains("dialtone_"), "{}", made.body);
    let list = scene.get("/api-keys").await.body;
    assert!(!list.contains("dialtone_"));
    let (_, own) = list.split_once("<a href=\"/api-keys/").unwrap();
    let own = format!("/api-keys/{}", own.split('"').next().unwrap());
    let shown = scene.get(&format!("{own}?lang=zh")).await.body;
    check(&shown).unwrap();
    assert!(chinese::english_in(&shown).is_empty(), "{shown}");
    let mut changed = fields(&shown);
    let none = scene.post(&own, &[("name", "crm")]).await;
    assert!(none.body.contains("scopes-error"), "{}", none.body);
    changed.retain(|it| it.0 != "name");
    changed.push(("name".to_owned(), "erp".to_owned()));
    let changed: Vec<_> = changed.iter().map(|it| (&*it.0, &*it.1)).collect();
    assert_eq!(scene.post(&own, &changed).await.status, 303);
    assert!(scene.get("/api-keys").await.body.contains(">erp</a>"));
    let late = scene.post(&own, &changed).await;
    assert!(late.body.contains("load it again"), "{}", late.body);
    let weak = scene.post("/administrators?lang=zh", &[("name", "eve"), ("password", "eve")]).await;
    assert!(
        weak.body.contains("aria-describedby=\"password-error password-help\""),
        "{}",
        weak.body
    );
    let added = scene
        .post("/administrators", &[("name", "eve"), ("password", "a horse and a battery")])
        .await;
    assert_eq!(added.status, 303, "{}", added.body);
    assert!(scene.get("/administrators").await.body.contains("eve"));
}

#[tokio::test]
async fn a_change_stands_in_the_audit_log_and_is_undone() {
    let scene = Scene::new().await;
    let mut fields = fields(&scene.get("/extensions/100").await.body);
    let stale = fields.clone();
    fields.retain(|it| it.0 != "name");
    fields.push(("name".to_owned(), "Cellar".to_owned()));
    assert_eq!(scene.post("/extensions/100", &pairs(&fields)).await.status, 303);
    // Whoever has not seen that does not overwrite it.
    let mut late: Vec<_> = stale.into_iter().filter(|it| it.0 != "name").collect();
    late.push(("name".to_owned(), "Attic".to_owned()));
    let late = scene.post("/extensions/100", &pairs(&late)).await;
    assert!(late.body.contains("id=\"wrong\""), "{}", late.status);
    let log = scene.get("/audit").await.body;
    check(&log).unwrap();
    assert!(log.contains("<ins>Cellar</ins>"), "{log}");
    let undo = log.split("/audit/").nth(1).unwrap().split('/').next().unwrap();
    let undone = scene.post(&format!("/audit/{undo}/undo"), &[]).await;
    assert_eq!(undone.header("location").as_deref(), Some("/audit"), "{}", undone.body);
    assert_eq!(crate::extensions::show(&scene.db, "100").await.unwrap().name, "前台");
}

/// What a browser would send of the main form of a page, where nothing was changed.
fn fields(page: &str) -> Vec<(String, String)> {
    html::fields(page.split("id=\"form\"").nth(1).unwrap().split("</form>").next().unwrap())
}

fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn with_language(path: &str, language: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}lang={language}")
}

#[tokio::test]
async fn the_second_factor_of_another_is_shown_in_both_languages() {
    let scene = Scene::new().await;
    let (tenant, now) = (pbx::id::TenantId::default(), pbx::time::UnixMillis(1));
    let ann = store::db::User {
        name: "ann".to_owned(),
        password: String::new(),
        language: pbx::language::Language::En,
        created_at: now,
        password_at: now,
        totp_at: None,
    };
    assert!(scene.db.insert_user(tenant, &ann).await.unwrap());
    let look = async |expected: &str| {
        for language in ["en", "zh"] {
            let path = with_language("/administrators/ann/totp", language);
            let body = scene.get(&path).await.body;
            check(&body).unwrap();
            assert_eq!(body.contains("id=\"off\""), expected == "on", "{body}");
            if language == "zh" {
                assert_eq!(chinese::english_in(&body), Vec::<String>::new());
            }
        }
    };
    look("off").await;
    assert!(scene.db.begin_totp(tenant, "ann", b"secret").await.unwrap());
    look("off").await;
    assert!(scene.db.confirm_totp(tenant, "Ann", 1, now, &[[1; 32]]).await.unwrap());
    look("on").await;
}
