//! The document of the API (OpenAPI 3.1) and a page to read it.
//!
//! Every operation stands once in [`operations`]; what it reads and writes is taken from the types of its handler
//! ([`told`]), what it needs of a key from the guard's own decision, and how it may refuse from its shape.

#[cfg(test)]
mod fits;
mod links;
mod operations;
mod schemas;
#[cfg(test)]
mod tests;
mod told;

use crate::access::{guard, needed};
use crate::conventions;
use crate::resource::Failure;
use axum::Json;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use operations::{OPERATIONS, Operation, UPGRADE};
use schemas::Schemas;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use told::Told;

const PAGE: &str = include_str!("../assets/api-docs.html");
const SCRIPT: &str = include_str!("../assets/api-docs.js");
const JSON: &str = "application/json";

/// Why a request may be refused, in the order of their statuses.
const REFUSALS: [(u16, &str); 12] = [
    (400, "The request cannot be read."),
    (401, "Nobody is known by this request."),
    (403, "Who asks may not do this."),
    (404, "There is no such thing."),
    (409, "The state of things does not allow it."),
    (412, "It was changed since it was seen (If-Match)."),
    (413, "The body is too long."),
    (415, "The body is of another type."),
    (422, "A value does not fit; `field` names it."),
    (429, "Too many attempts; Retry-After and RateLimit say how long to wait."),
    (503, "The server is too busy, or ending; Retry-After says when to try again."),
    (507, "The disk is full."),
];

/// The document.
pub fn document() -> Map<String, Value> {
    let mut schemas = Schemas::new();
    let failure = schemas.written::<Failure>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = format!("/api/v1{}", operation.path);
        let methods = paths.entry(path).or_insert_with(|| Map::new().into());
        if let Value::Object(methods) = methods {
            let told = (operation.told)(&mut schemas);
            methods.insert(operation.method.to_ascii_lowercase(), described(operation, told));
        }
    }
    let mut document = json!({
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
            "responses": refusals(&failure),
        },
    });
    document["components"]["schemas"] = schemas.finish(&mut document).into();
    // It was written as an object just above.
    document.as_object().cloned().unwrap_or_default()
}

/// Failures by their status, as answers refer to them.
fn refusals(failure: &Value) -> Map<String, Value> {
    let answer = |(status, description): &(u16, &str)| {
        let content = json!({ "application/problem+json": { "schema": failure } });
        (refusal(*status), json!({ "description": description, "content": content }))
    };
    REFUSALS.iter().map(answer).collect()
}

fn refusal(status: u16) -> String {
    format!("Failure{status}")
}

fn described(operation: &Operation, told: Told) -> Value {
    let path = format!("/api/v1{}", operation.path);
    let method = operation.method.parse().unwrap_or(Method::GET);
    let is_open = guard::is_open(&method, &path);
    let is_tagged = conventions::is_tagged(&path);
    let mut responses: Map<String, Value> = statuses(operation, &told, is_tagged)
        .into_iter()
        .map(|it| {
            (it.to_string(), json!({ "$ref": format!("#/components/responses/{}", refusal(it)) }))
        })
        .collect();
    let (status, answer) = answer(operation, &told);
    responses.insert(status.to_owned(), answer);
    if is_tagged && method == Method::GET {
        let unchanged = json!({ "description": "It is as If-None-Match says." });
        responses.insert("304".to_owned(), unchanged);
    }
    let mut described = json!({
        "operationId": id(operation),
        "summary": operation.summary.en,
        "x-summary-zh": operation.summary.zh,
        "tags": [operation.path.split(['/', ':']).nth(1)],
        "parameters": parameters(operation, &told, is_tagged),
        "responses": responses,
    });
    if is_open {
        described["security"] = json!([{}]);
    } else {
        let scope = needed(&method, &path.replace(['{', '}'], ""));
        described["x-scope"] = scope.as_str().into();
        described["security"] = json!([{ "key": [scope.as_str()] }, { "session": [] }]);
    }
    if let Some(kind) = operation.takes {
        let text = json!({ "type": "string" });
        described["requestBody"] =
            json!({ "content": { kind: { "schema": text } }, "required": true });
    } else if let Some(schema) = told.body {
        let is_optional = schema["anyOf"][1]["type"] == "null";
        let content = json!({ JSON: { "schema": schema } });
        described["requestBody"] = json!({ "content": content, "required": !is_optional });
    }
    described
}

/// The status and the answer where all is well.
fn answer(operation: &Operation, told: &Told) -> (&'static str, Value) {
    let description = operation.summary.en.clone();
    let content = match (operation.gives, &told.answer) {
        (Some(UPGRADE), _) => return ("101", json!({ "description": description })),
        (Some(kind), _) => json!({ kind: { "schema": { "type": "string" } } }),
        (None, answer) => json!({ JSON: { "schema": answer } }),
    };
    let mut answer = json!({ "description": description, "content": content });
    let header = |text: &str| json!({ "description": text, "schema": { "type": "string" } });
    if told.linked {
        answer["headers"]["Link"] = header("The next page (RFC 8288).");
    }
    if told.since {
        answer["headers"]["Last-Event-ID"] =
            header("The last event that the answer knows: `GET /events` goes on after it.");
    }
    if let Some(links) = links::of(operation) {
        answer["links"] = links.into();
    }
    (if told.accepted { "202" } else { "200" }, answer)
}

fn parameters(operation: &Operation, told: &Told, is_tagged: bool) -> Vec<Value> {
    let of_path = names(operation.path).zip(&told.path);
    let of_path = of_path.map(
        |(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }),
    );
    let query = told.query.as_ref();
    let required: Vec<&Value> =
        query.and_then(|it| it["required"].as_array()).into_iter().flatten().collect();
    let of_query = query.and_then(|it| it["properties"].as_object()).into_iter().flatten();
    let of_query = of_query.map(|(name, schema)| {
        let is_required = required.iter().any(|it| **it == **name);
        let mut schema = in_query(schema);
        let about = schema.as_object_mut().and_then(|it| it.remove("description"));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
        if let Some(about) = about {
            parameter["description"] = about;
        }
        parameter
    });
    let of_header = |name: &str, about: &str| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "description": about, "schema": schema })
    };
    let method = operation.method;
    let tag = match method {
        "GET" => {
            Some(of_header("If-None-Match", "Tags of what is known: 304 where one is still right."))
        }
        "PUT" | "PATCH" | "DELETE" => {
            Some(of_header("If-Match", "The tag of what was seen: 412 where it was changed since."))
        }
        _ => None,
    };
    let key = (method == "POST").then(|| {
        let about = "Sent again with the same key, the request is done once.";
        let mut key = of_header("Idempotency-Key", about);
        key["schema"] = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        key
    });
    of_path.chain(of_query).chain(tag.filter(|_| is_tagged)).chain(key).collect()
}

/// A query has no null: what is not to be said is left out.
fn in_query(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let is_said = |it: &&Value| **it != "null" && it["type"] != "null";
    if let Some(one) = schema["anyOf"].as_array().and_then(|it| it.iter().find(is_said)) {
        return one.clone();
    }
    if let Some(one) = schema["type"].as_array().and_then(|it| it.iter().find(is_said)) {
        schema["type"] = one.clone();
    }
    if let Some(fields) =
        schema.as_object_mut().filter(|it| it.get("default") == Some(&Value::Null))
    {
        fields.remove("default");
    }
    schema
}

/// How it may refuse, as its shape says, and as its row adds.
fn statuses(operation: &Operation, told: &Told, is_tagged: bool) -> BTreeSet<u16> {
    // The guard's: a wrong key, also where none is needed; who is far or has not the right; too many keys.
    let mut found = BTreeSet::from([401, 403, 429]);
    found.extend(operation.refusals);
    let is_read = operation.method == "GET";
    if !is_read {
        found.extend([422, 503]);
    }
    if operation.method == "POST" {
        // Of an Idempotency-Key.
        found.insert(409);
    }
    if told.body.is_some() || operation.takes.is_some() {
        found.extend([413, 415, 422]);
    }
    if told.query.is_some() || !told.path.is_empty() {
        found.insert(422);
    }
    if !told.path.is_empty() {
        found.insert(404);
    }
    if is_tagged && !is_read {
        found.insert(412);
    }
    if operation.gives == Some(UPGRADE) {
        found.insert(400);
    }
    found
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

/// It is the same for everybody, and made once.
static DOCUMENT: LazyLock<Map<String, Value>> = LazyLock::new(document);

pub(crate) async fn on_document() -> Json<&'static Map<String, Value>> {
    Json(&DOCUMENT)
}

pub(crate) async fn on_page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE)
}

pub(crate) async fn on_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}
