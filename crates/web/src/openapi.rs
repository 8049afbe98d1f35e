//! The document of the API (OpenAPI 3.1) and a page to read it.
//!
//! Every operation stands once in [`operations`]; what it needs of a key is asked of the guard's own decision. Bodies
//! are described in words: a refusal names the field that is wrong.

mod operations;

use crate::access::needed;
use axum::Json;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use operations::{OPERATIONS, Operation};
use serde_json::{Map, Value, json};

const PAGE: &str = include_str!("../assets/api-docs.html");
const SCRIPT: &str = include_str!("../assets/api-docs.js");

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = format!("/api/v1{}", operation.path);
        let methods = paths.entry(path).or_insert_with(|| Map::new().into());
        if let Value::Object(methods) = methods {
            methods.insert(operation.method.to_ascii_lowercase(), described(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dialtone",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Requests and answers are JSON. A POST may carry an Idempotency-Key; a change may \
                carry If-Match with the ETag of what it has seen. null in a PATCH is the default.",
        },
        "security": [{ "key": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "dialtone_<id>_<secret>" },
                "session": { "type": "apiKey", "in": "cookie", "name": crate::access::SESSION_COOKIE },
            },
            "schemas": { "Failure": failure() },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let path = format!("/api/v1{}", operation.path);
    let method = operation.method.parse().unwrap_or(Method::GET);
    let scope = needed(&method, &path.replace(['{', '}'], ""));
    let mut parameters: Vec<Value> = names(operation.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let query =
        |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    parameters.extend(operation.query.iter().map(query));
    let mut described = json!({
        "operationId": id(operation),
        "summary": operation.summary.en,
        "x-summary-zh": operation.summary.zh,
        "tags": [operation.path.split(['/', ':']).nth(1)],
        "parameters": parameters,
        "responses": {
            "200": {
                "description": operation.summary.en,
                "content": { operation.gives: { "schema": {} } },
            },
            "default": {
                "description": "A refusal, after RFC 9457.",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Failure" },
                } },
            },
        },
    });
    if operation.open {
        described["security"] = json!([{}]);
    } else {
        described["x-scope"] = scope.as_str().into();
        described["security"] = json!([{ "key": [scope.as_str()] }, { "session": [] }]);
    }
    if let Some(takes) = operation.takes {
        described["requestBody"] = json!({ "content": { takes: { "schema": {} } } });
    }
    described
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|it| it.split('}').next())
}

/// `get_extensions_number`, `post_extensions_number_passwd`.
fn id(operation: &Operation) -> String {
    let word = |it: char| if it.is_ascii_alphanumeric() { it } else { '_' };
    let path: String = operation.path.chars().filter(|it| *it != '}').map(word).collect();
    let words: Vec<&str> = path.split('_').filter(|it| !it.is_empty()).collect();
    format!("{}_{}", operation.method.to_ascii_lowercase(), words.join("_"))
}

fn failure() -> Value {
    let text = || json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["status", "code", "detail_en", "detail_zh"],
        "properties": {
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "A stable word." },
            "detail_en": text(),
            "detail_zh": text(),
            "subject": { "type": "string", "description": "Which of several inputs is meant." },
            "field": { "type": "string", "description": "Which field is wrong." },
            "retry_after_s": { "type": "integer" },
            "findings": { "type": "array", "items": { "type": "object" } },
        },
    })
}

pub(crate) async fn on_document() -> Json<Value> {
    Json(document())
}

pub(crate) async fn on_page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE)
}

pub(crate) async fn on_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::Scene;
    use std::collections::BTreeSet;

    /// Paths that routers of this crate are told, as their sources say.
    const SOURCES: [&str; 3] =
        [include_str!("lib.rs"), include_str!("access.rs"), include_str!("webhooks.rs")];

    #[test]
    fn every_route_is_in_the_document() {
        let document = document();
        let known: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(|it| {
                it.split_once("}:").map_or_else(|| it.clone(), |(path, _)| format!("{path}}}"))
            })
            .collect();
        let mut routes = 0;
        for source in SOURCES {
            let routes_of = source.split(".route(").skip(1);
            let paths =
                routes_of.filter_map(|it| it.trim_start().strip_prefix('"')?.split('"').next());
            for text in paths.filter(|it| it.starts_with("/api/v1/")) {
                routes += 1;
                assert!(known.contains(text), "{text} is not in openapi/operations.rs");
            }
        }
        assert!(routes > 30, "{routes} routes found");
    }

    #[tokio::test]
    async fn everything_in_the_document_is_served() {
        let scene = Scene::new().await;
        for operation in OPERATIONS.iter().filter(|it| it.gives == "application/json") {
            let mut path = format!("/api/v1{}", operation.path);
            for name in names(operation.path) {
                path = path.replace(&format!("{{{name}}}"), "1");
            }
            let method: Method = operation.method.parse().unwrap();
            let answer = scene.ask(method, &path).by_socket().send().await;
            let lost = answer.body.contains("no such path") || answer.body.contains("no such verb");
            assert!(answer.status != 405 && !lost, "{} {path}: {}", operation.method, answer.body);
        }
    }

    #[test]
    fn an_operation_says_what_it_needs() {
        let document = document();
        let of = |path: &str, method: &str| document["paths"][path][method].clone();
        assert_eq!(of("/api/v1/extensions", "post")["x-scope"], "config");
        assert_eq!(of("/api/v1/users", "get")["x-scope"], "admin");
        assert_eq!(of("/api/v1/sessions", "post")["security"], json!([{}]));
        let passwd = of("/api/v1/extensions/{number}:passwd", "post");
        assert_eq!(passwd["operationId"], "post_extensions_number_passwd");
        assert_eq!(passwd["parameters"][0]["name"], "number");
        let ids: Vec<String> = OPERATIONS.iter().map(id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is there twice");
    }
}
