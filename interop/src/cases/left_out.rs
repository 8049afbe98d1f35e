//! The operations that schemathesis is not given: streams that do not end, the doctor, an archive, and what replaces the
//! state that is examined. Each is asked rightly and wrongly, with a key of each scope and with none.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::api::{SCOPES, document, key};
use super::setup::office;
use crate::http::Request;
use crate::report::Context;

/// Method, path of the document, path that is asked, type and text of the body.
const ASKED: [(&str, &str, &str, &str, &str); 17] = [
    ("GET", "/events", "/events", "", ""),
    ("GET", "/events", "/events?types=nonsense", "", ""),
    ("GET", "/events", "/events?after=nowhere", "", ""),
    ("GET", "/ws", "/ws", "", ""),
    ("GET", "/trace", "/trace?ip=192.0.2.1", "", ""),
    ("GET", "/trace", "/trace?ip=here", "", ""),
    ("GET", "/trace", "/trace?line=nobody", "", ""),
    ("GET", "/trace", "/trace?call=none", "", ""),
    ("POST", "/external-lines/{account}:doctor", "/external-lines/nobody:doctor", JSON, "{}"),
    ("POST", "/external-lines/{account}:doctor", "/external-lines/5678:doctor", JSON, "[1]"),
    ("POST", "/external-lines/{account}:doctor", "/external-lines/%00:doctor", JSON, "null"),
    ("POST", "/backups:upload", "/backups:upload", "application/gzip", ""),
    ("POST", "/backups:upload", "/backups:upload", "application/gzip", "no archive at all"),
    ("POST", "/backups:upload", "/backups:upload", "text/plain", "\u{1f}\u{8b}\u{8}"),
    ("POST", "/backups/{name}:restore", "/backups/none.tar.gz:restore", JSON, "{}"),
    ("POST", "/backups/{name}:restore", "/backups/..%2Fdialtone.db:restore", JSON, "{}"),
    ("POST", "/backups/{name}:restore", "/backups/none.tar.gz:restore", JSON, "[\"x\"]"),
];
const JSON: &str = "application/json";

/// Every answer is one that the document knows, none is a fault, and nothing is done for who has no right to it.
pub(super) fn api_left_out(context: &Context) -> Result<()> {
    let server = office(context)?;
    server.json(&["admin", "add", "ann"])?;
    server.json(&["line", "add", "5678", "--domain", "127.0.0.1", "--register", "false"])?;
    let read = key(&server, "read")?;
    let document: Value = serde_json::from_str(&document(&server, &read)?)?;
    let mut done = 0;
    for scope in [None].into_iter().chain(SCOPES.map(Some)) {
        let key = scope.map(|it| key(&server, it)).transpose()?;
        for (method, template, path, kind, body) in ASKED {
            let ask = Request::new(server.http_address(), method, &format!("/api/v1{path}"));
            let ask = if kind.is_empty() { ask } else { ask.with("Content-Type", kind) };
            let ask = match &key {
                Some(key) => ask.with("Authorization", &format!("Bearer {key}")),
                None => ask,
            };
            let what = format!("{method} {path} with {scope:?}");
            let status = ask.text(body).begin().context(what.clone())?.status;
            let operation = &document["paths"][format!("/api/v1{template}")];
            let operation = &operation[method.to_ascii_lowercase()];
            ensure!(operation.is_object(), "{method} {template} is not in the document");
            let is_known = operation["responses"][status.to_string()].is_object();
            ensure!(is_known && status < 500, "{what}: {status}");
            let needed = operation["x-scope"].as_str().context("no scope")?;
            match scope {
                None => ensure!(status == 401, "{what}: {status}"),
                Some(scope) if scope != needed && scope != "admin" => {
                    ensure!(status >= 400, "{what}: {status}, and it needs {needed}");
                }
                Some(_) => done += u32::from(status < 400),
            }
        }
    }
    ensure!(done > 0, "nothing of it was ever done");
    Ok(())
}
