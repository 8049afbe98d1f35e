//! The document against the routes, and answers of a real office against the document.

#![allow(clippy::unwrap_used)]
use super::fits::fits;
use super::*;
use crate::scene::Scene;

/// Paths that routers of this crate are told, as their sources say.
const SOURCES: [&str; 7] = [
    include_str!("../lib.rs"),
    include_str!("../access.rs"),
    include_str!("../calls.rs"),
    include_str!("../webhooks.rs"),
    include_str!("../backups/api.rs"),
    include_str!("../captures.rs"),
    include_str!("../registration_history.rs"),
];

#[test]
fn every_route_is_in_the_document() {
    let document = Value::Object(document());
    let known: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|it| it.split_once("}:").map_or_else(|| it.clone(), |(path, _)| format!("{path}}}")))
        .collect();
    let mut routes = 0;
    for source in SOURCES {
        let routes_of = source.split(".route(").skip(1);
        let paths = routes_of.filter_map(|it| it.trim_start().strip_prefix('"')?.split('"').next());
        for text in paths.filter(|it| it.starts_with("/api/v1/")) {
            routes += 1;
            assert!(known.contains(text), "{text} is not in openapi/operations.rs");
        }
    }
    assert!(routes > 30, "{routes} routes found");
}

/// What a program may do one after the other; the answers have rows to show.
const STORY: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/extensions", r#"{"extensions":[{"number":"100-102"}]}"#),
    ("PATCH", "/api/v1/extensions/{number}", r#"{"name":"Hall","forward":{"busy":"101"}}"#),
    ("POST", "/api/v1/extensions/{number}:passwd", "{}"),
    ("POST", "/api/v1/calls", r#"{"from":"100","to":"101"}"#),
    ("POST", "/api/v1/captures", r#"{"ext":"100"}"#),
    ("POST", "/api/v1/external-lines", r#"{"account":"100","domain":"sip.example.com"}"#),
    ("PATCH", "/api/v1/external-lines/{account}", r#"{"interop":{"reliable":"off"}}"#),
    ("POST", "/api/v1/sip-trunks", r#"{"id":100,"addresses":[{"host":"10.0.0.1"}]}"#),
    ("PATCH", "/api/v1/sip-trunks/{id}", r#"{"description":null}"#),
    ("POST", "/api/v1/dial-plan:simulate", r#"{"from":"100","dial":"101"}"#),
    ("PUT", "/api/v1/dial-plan", r#"{"tables":{"plans":["night"]},"only":["plans"]}"#),
    ("POST", "/api/v1/webhooks", r#"{"url":"http://crm/calls"}"#),
    ("POST", "/api/v1/users", r#"{"name":"100","password":"correct horse 4"}"#),
    ("POST", "/api/v1/api-keys", r#"{"name":"crm","scopes":["read"]}"#),
    ("POST", "/api/v1/sessions", r#"{"name":"100","password":"wrong"}"#),
    ("PATCH", "/api/v1/extensions/{number}", r#"{"calls":300}"#),
    ("DELETE", "/api/v1/extensions/{number}", ""),
];

/// What an operation answers is as the document says; the status.
async fn answered(
    scene: &Scene,
    document: &Value,
    (method, path, body): (&str, &str, &str),
) -> u16 {
    let mut concrete = path.to_owned();
    for name in names(path) {
        concrete = concrete.replace(&format!("{{{name}}}"), "100");
    }
    let asking = scene.ask(method.parse().unwrap(), &concrete).by_socket();
    let answer = match body {
        "" => asking.send().await,
        body => asking.text(JSON, body).send().await,
    };
    let told = format!("{method} {concrete}: {} {}", answer.status, answer.body);
    assert!(
        !answer.body.contains("no such path") && !answer.body.contains("no such verb"),
        "{told}"
    );
    let operation = &document["paths"][path][method.to_ascii_lowercase()];
    let mut response = &operation["responses"][answer.status.to_string()];
    if let Some(to) = response["$ref"].as_str() {
        response = document.pointer(to.trim_start_matches('#')).unwrap();
    }
    let kind = answer.header("content-type").split(';').next().unwrap();
    let schema = &response["content"][kind]["schema"];
    assert!(schema.is_object(), "{kind} is not in the document of {told}");
    if kind.ends_with("json") {
        fits(document, schema, &answer.json()).unwrap_or_else(|what| panic!("{told}: {what}"));
    }
    answer.status
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let (scene, document) = (Scene::new().await, Value::Object(document()));
    let mut statuses = vec![];
    for step in STORY {
        statuses.push(answered(&scene, &document, *step).await);
    }
    let expected =
        [200, 200, 200, 202, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 401, 422, 200];
    assert_eq!(statuses, expected);
    // Streams do not end.
    for operation in OPERATIONS.iter().filter(|it| it.gives.is_none_or(|kind| kind == "text/csv")) {
        let path = format!("/api/v1{}", operation.path);
        answered(&scene, &document, (operation.method, &path, "")).await;
    }
}

#[test]
fn every_body_and_parameter_has_a_schema() {
    let document = Value::Object(document());
    let is_told = |schema: &Value| {
        let to = schema["$ref"].as_str().map(|it| document.pointer(&it[1..]));
        to.is_none_or(|it| it.is_some()) && schema.as_object().is_some_and(|it| !it.is_empty())
    };
    let operations = document["paths"].as_object().unwrap().values();
    for operation in operations.flat_map(|it| it.as_object().unwrap().values()) {
        let id = &operation["operationId"];
        let contents = |it: &Value| it["content"].as_object().cloned().unwrap_or_default();
        let answers = operation["responses"].as_object().unwrap().values();
        for (kind, content) in answers.flat_map(contents).chain(contents(&operation["requestBody"]))
        {
            assert!(is_told(&content["schema"]), "{id}: {kind}: {content}");
        }
        let parameters = operation["parameters"].as_array().unwrap();
        assert!(parameters.iter().all(|it| is_told(&it["schema"])), "{id}: {parameters:?}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(is_told(schema), "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = Value::Object(document());
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#").skip(1).filter_map(|it| it.split('"').next());
    for reference in references.collect::<BTreeSet<_>>() {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn an_operation_says_what_it_needs() {
    let document = Value::Object(document());
    let of = |path: &str, method: &str| document["paths"][path][method].clone();
    assert_eq!(of("/api/v1/extensions", "post")["x-scope"], "config");
    assert_eq!(of("/api/v1/users", "get")["x-scope"], "admin");
    assert_eq!(of("/api/v1/sessions", "post")["security"], json!([{}]));
    let passwd = of("/api/v1/extensions/{number}:passwd", "post");
    assert_eq!(passwd["operationId"], "post_extensions_number_passwd");
    assert_eq!(passwd["parameters"][0]["name"], "number");
    let body = &passwd["requestBody"]["content"][JSON]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/PasswordRequest");
    for verb in
        ["backups/{name}:preview", "backups/{name}:restore", "external-lines/{account}:doctor"]
    {
        let body = &of(&format!("/api/v1/{verb}"), "post")["requestBody"];
        assert_eq!(body["required"], false, "{verb}: {body}");
    }
    let ids: Vec<String> = OPERATIONS.iter().map(id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is there twice");
}
