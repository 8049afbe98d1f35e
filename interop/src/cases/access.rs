//! Who may administer over HTTP: the set-up, sessions, and keys, on the real listener.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::report::Context;
use crate::server::Server;

const ADMIN_PASSWORD: &str = "unripe plum 9";

pub(super) fn set_up_and_sign_in(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    let ask = |method: &str, path: &str| Request::new(server.http_address(), method, path);
    expect(&ask("GET", "/metrics").send()?, 200, "")?;
    expect(&ask("GET", "/api/v1/extensions").send()?, 403, "setup_needed")?;
    let page = ask("GET", "/").send()?;
    ensure!(page.header("location") == Some("/setup"), "/: {}", page.status);
    let rebound = ask("GET", "/api/v1/setup").with("X-Forwarded-For", "198.51.100.7").send()?;
    ensure!(rebound.json()?["code_needed"] == true, "{}", rebound.body);

    let browser = set_up(&server, &ask)?;
    let (cookie, csrf) = &browser;
    let read = ask("GET", "/api/v1/extensions").with("Cookie", cookie).send()?;
    expect(&read, 200, "")?;
    let change = || {
        let change = json!({ "value": 30 });
        ask("PATCH", "/api/v1/settings/no_answer_s").with("Cookie", cookie).json(&change)
    };
    expect(&change().send()?, 403, "csrf")?;
    expect(&change().with("X-CSRF-Token", "0123456789abcdef").send()?, 403, "csrf")?;
    let foreign = change().with("X-CSRF-Token", csrf).with("Origin", "http://evil.example");
    expect(&foreign.send()?, 403, "foreign")?;
    expect(&change().with("X-CSRF-Token", csrf).send()?, 200, "")?;
    let setting = server.json(&["setting", "get", "no_answer_s"])?;
    ensure!(setting["value"] == 30, "{setting}");

    let wrong = json!({ "name": "ann", "password": "ripe plum 9" });
    expect(&ask("POST", "/api/v1/sessions").json(&wrong).send()?, 401, "wrong_password")?;
    // A new password of the command line ends the session.
    server.json(&["admin", "passwd", "ann"])?;
    let after = ask("GET", "/api/v1/extensions").with("Cookie", cookie).send()?;
    expect(&after, 401, "not_authenticated")?;
    let log = server.log()?;
    ensure!(log.contains("auth_failed proto=http addr=127.0.0.1"), "no line for tools that ban");
    ensure!(!log.contains(ADMIN_PASSWORD), "a password in the log");
    Ok(())
}

/// Cookie and token of the session that the set-up begins.
fn set_up(server: &Server, ask: &dyn Fn(&str, &str) -> Request) -> Result<(String, String)> {
    let code = server.json(&["admin", "setup-code"])?;
    let code = code["code"].as_str().context("no code")?.to_owned();
    let set_up = |code: &str| {
        let request = json!({ "name": "ann", "password": ADMIN_PASSWORD, "code": code });
        ask("POST", "/api/v1/setup").with("X-Forwarded-For", "198.51.100.7").json(&request).send()
    };
    expect(&set_up("aaaa-aaaa-aaaa")?, 403, "wrong_setup_code")?;
    let begun = set_up(&code)?;
    expect(&begun, 200, "")?;
    expect(&set_up(&code)?, 409, "settled")?;
    let cookie = begun.header("set-cookie").context("no cookie")?;
    ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let csrf = begun.json()?["csrf"].as_str().context("no token")?.to_owned();
    Ok((cookie, csrf))
}

pub(super) fn api_keys(context: &Context) -> Result<()> {
    let mut server = Server::stopped(context, &[])?;
    std::fs::create_dir(&server.data)?;
    // Made while no server runs, they are there when one does.
    server.json(&["admin", "add", "ann"])?;
    let reader = key(&server, "read")?;
    server.run()?;
    let writer = key(&server, "config,calls")?;
    let address = server.http_address();
    let ask = |method: &str, path: &str, key: &str| {
        Request::new(address, method, path).with("Authorization", &format!("Bearer {key}"))
    };
    expect(&ask("GET", "/api/v1/extensions", &reader).send()?, 200, "")?;
    let add = |key: &str| {
        let new = json!({ "extensions": [{ "number": "100" }] });
        ask("POST", "/api/v1/extensions", key).json(&new).send()
    };
    expect(&add(&reader)?, 403, "scope")?;
    expect(&add(&writer)?, 200, "")?;
    expect(&ask("GET", "/api/v1/extensions", &writer).send()?, 403, "scope")?;
    expect(&ask("POST", "/api/v1/calls/c-1:hangup", &writer).send()?, 404, "not_found")?;
    expect(&ask("GET", "/api/v1/api-keys", &reader).send()?, 403, "scope")?;
    let listed = ask("GET", "/api/v1/extensions", &reader).send()?.json()?;
    ensure!(listed.to_string().contains("\"100\""), "{listed}");
    let id = reader.split('_').nth(1).context("a key without id")?.to_owned();
    server.json(&["apikey", "revoke", &id])?;
    expect(&ask("GET", "/api/v1/extensions", &reader).send()?, 401, "wrong_key")?;
    Ok(())
}

fn key(server: &Server, scopes: &str) -> Result<String> {
    let made = server.json(&["apikey", "add", "a program", "--scope", scopes])?;
    Ok(made["key"].as_str().context("no key")?.to_owned())
}

/// The status, and the stable word of a failure.
fn expect(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.body);
    if !code.is_empty() {
        let failure: Value = answer.json()?;
        ensure!(failure["code"] == code, "{failure} instead of {code}");
    }
    Ok(())
}
