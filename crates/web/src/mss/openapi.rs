//! The vendor's HTTP API: `GET /openapi/<object>[/<operation>]?{"syskey":"…"}`, answered in JSON.
//!
//! The query is a JSON object, percent-encoded or as it is; without an operation it is `query`. `syskey` is an API key,
//! whose scopes count here as they do elsewhere: an administrator's password in a URL would end up in
//! every log on the way. POST takes the object as its body, with the key in the header of the API.
//! Each answer ends its connection, so that the next request is the first one of its own: only that may
//! have JSON as it is in it ([`Requoted`](super::Requoted)).

use super::settings;
use crate::access::{Principal, Scope};
use crate::control_router;
use crate::conventions::merged;
use crate::extensions::check_password;
use crate::pages::api::{Api, segment};
use crate::resource::{
    AddRequest, Change, Credentials, Extension, Failure, NewExtension, PasswordRequest, Status,
};
use crate::{Office, Running};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pbx::language::Language;
use pbx::text;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) const PATH: &str = "/openapi/";

/// Extensions of one answer; the next ones begin after the last `userName` of it.
const ROWS: &str = "500";

/// What the object may have; anything else is named in the answer, and changes nothing.
const FIELDS: [&str; 8] =
    ["syskey", "userName", "after", "password", "description", "ipAddress", "maxCalls", "devices"];

/// What a program may ask for or change. Absent is unchanged.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    user_name: Option<String>,
    /// Of [`ROWS`], where the answer goes on.
    after: Option<String>,
    password: Option<String>,
    description: Option<String>,
    /// Sources that need no password; an empty list takes that off.
    ip_address: Option<Vec<String>>,
    max_calls: Option<u8>,
    /// One number, many phones.
    devices: Option<u8>,
}

pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/openapi/{object}", get(on_query).post(on_query))
        .route("/openapi/{object}/{operation}", get(on_operation).post(on_operation))
}

/// Whether the settings have it answered.
pub(crate) fn is_on(office: &Office) -> bool {
    settings(office).mss_openapi
}

/// The scope for an operation.
fn needed(operation: &str) -> Scope {
    if operation == "query" { Scope::Read } else { Scope::Config }
}

/// The key in the query.
pub(crate) fn syskey(uri: &Uri) -> Option<String> {
    object(uri.query()?)?.get("syskey")?.as_str().map(str::to_owned)
}

/// A refusal as the vendor's programs expect it.
pub(crate) fn refused(failure: &Failure, language: Language) -> Response {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let detail = match language {
        Language::En => &failure.detail_en,
        Language::Zh => &failure.detail_zh,
    };
    let mut said = json!({ "result": "error", "reason": detail });
    if let Some(field) = &failure.field {
        said["field"] = (**field).into();
    }
    last((status, Json(said)).into_response())
}

/// The last answer of its connection.
fn last(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn object(query: &str) -> Option<Map<String, Value>> {
    let text = percent_decode_str(query).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}

async fn on_query(
    office: State<Office>,
    principal: Principal,
    Path(object): Path<String>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let operation = "query".to_owned();
    on_operation(office, principal, Path((object, operation)), uri, body).await
}

async fn on_operation(
    State(office): State<Office>,
    principal: Principal,
    Path((name, operation)): Path<(String, String)>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let language = principal.language;
    let asked = match (body.is_empty(), uri.query()) {
        (false, _) => serde_json::from_slice(&body).ok(),
        (true, Some(query)) => object(query),
        (true, None) => Some(Map::new()),
    };
    let outcome = match asked {
        Some(asked) => on_object(office, principal, (&name, &operation), asked).await,
        None => Err(invalid("userName, password …")),
    };
    match outcome {
        Ok(answer) => last(Json(answer).into_response()),
        Err(failure) => refused(&failure, language),
    }
}

async fn on_object(
    office: Office,
    principal: Principal,
    (name, operation): (&str, &str),
    object: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    // Not by the path, in which a letter may be written in more ways than one.
    principal.permitted(needed(operation))?;
    let is_unknown = |it: &&String| !FIELDS.contains(&it.as_str());
    let ignored: Vec<Value> = object.keys().filter(is_unknown).cloned().map(Value::from).collect();
    let asked: Asked = merged(object, &Map::new())?;
    let running = Arc::clone(&office.running);
    let api = Api::new(control_router(office), Some(principal));
    let mut answer = answer((&api, &*running), (name, operation), &asked).await?;
    answer.insert("result".to_owned(), "ok".into());
    if !ignored.is_empty() {
        answer.insert("ignored".to_owned(), ignored.into());
    }
    Ok(answer)
}

async fn answer(
    (api, running): (&Api, &dyn Running),
    what: (&str, &str),
    asked: &Asked,
) -> Result<Map<String, Value>, Failure> {
    match what {
        ("version", "query") => {
            let status: Status = api.get("/api/v1/status").await?;
            Ok(one("verInfo", format!("dialtone {}", status.version).into()))
        }
        ("localuser", "query") => users(api, running, asked).await,
        ("localuser", "set") => set(api, asked).await,
        ("localuser", "delete") => {
            api.delete(&path(asked)?).await?;
            Ok(Map::new())
        }
        _ => {
            let text = text!("there is no such object or operation", "没有此对象或操作");
            Err(Failure::new(404, "not_found", text))
        }
    }
}

async fn users(
    api: &Api,
    running: &dyn Running,
    asked: &Asked,
) -> Result<Map<String, Value>, Failure> {
    let found: Vec<Extension> = match &asked.user_name {
        Some(_) => vec![api.get(&path(asked)?).await?],
        None => {
            let after = asked.after.as_deref().map(segment).unwrap_or_default();
            api.get(&format!("/api/v1/extensions?limit={ROWS}&cursor={after}")).await?
        }
    };
    let users: Vec<Value> = found
        .iter()
        .map(|it| {
            json!({
                "userName": it.number,
                "description": it.name,
                "status": if running.is_registered(&it.number) { "online" } else { "offline" },
                "ipAddress": it.addresses,
                "maxCalls": it.calls,
                "devices": it.devices,
            })
        })
        .collect();
    Ok(one("localuser", users.into()))
}

/// Adds the extension, or changes it.
async fn set(api: &Api, asked: &Asked) -> Result<Map<String, Value>, Failure> {
    let path = path(asked)?;
    // A password that is refused later would leave half of it done.
    if let (Some(number), Some(password)) = (&asked.user_name, &asked.password) {
        check_password(number, password)?;
    }
    let change = Change {
        name: asked.description.clone(),
        addresses: asked.ip_address.clone(),
        calls: asked.max_calls,
        devices: asked.devices,
        ..Change::default()
    };
    match api.get::<Extension>(&path).await {
        Ok(_) => {
            api.patch::<Extension>(&path, &change).await?;
            if let Some(password) = asked.password.clone() {
                let request = PasswordRequest { password: Some(password), allow_weak: false };
                api.post::<Credentials>(&format!("{path}:passwd"), &request).await?;
            }
        }
        Err(failure) if failure.status == 404 => {
            let number = asked.user_name.clone().unwrap_or_default();
            let new = NewExtension { number, password: asked.password.clone(), change };
            let request = AddRequest { extensions: vec![new], ..AddRequest::default() };
            api.post::<Vec<Credentials>>("/api/v1/extensions", &request).await?;
        }
        Err(failure) => return Err(failure),
    }
    Ok(Map::new())
}

fn path(asked: &Asked) -> Result<String, Failure> {
    let number = asked.user_name.as_deref().filter(|it| !it.is_empty());
    number
        .map(|it| format!("/api/v1/extensions/{}", segment(it)))
        .ok_or_else(|| invalid("userName"))
}

fn invalid(field: &str) -> Failure {
    let text = text!("the object is wrong or lacks {field}", "对象有误或缺少{field}");
    Failure::new(422, "invalid", text)
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::Scene;
    use axum::http::Method;

    /// A key with these scopes.
    async fn key(scene: &Scene, scopes: &[&str]) -> String {
        let new = json!({ "name": "as", "scopes": scopes });
        let made = scene.post("/api/v1/api-keys").json(&new).by_socket().send().await;
        made.json()["key"].as_str().unwrap().to_owned()
    }

    async fn switched_on(scene: &Scene) {
        let user = json!({ "name": "ann", "password": "correct horse battery" });
        let made = scene.post("/api/v1/users").json(&user).by_socket().send().await;
        assert_eq!(made.status, 200, "{}", made.body);
        let on = json!({ "value": true });
        let path = "/api/v1/settings/mss_openapi";
        assert_eq!(scene.ask(Method::PATCH, path).json(&on).by_socket().status().await, 200);
    }

    fn ask(what: &str, object: &Value) -> String {
        format!("/openapi/{what}?{}", segment(&object.to_string()))
    }

    #[tokio::test]
    async fn objects_are_answered_as_the_key_allows() {
        let scene = Scene::new().await;
        switched_on(&scene).await;
        let (all, reader) = (key(&scene, &["read", "config"]).await, key(&scene, &["read"]).await);
        let set = |key: &str| json!({ "syskey": key, "userName": "600", "description": "Door", "maxCalls": 3 });
        #[rustfmt::skip]
        let table = [
            (ask("version", &json!({ "syskey": all })),                             200, "verInfo", "dialtone 0.1.0"),
            (ask("version", &json!({ "syskey": "1234" })),                          401, "reason", "the API key is wrong or was revoked"),
            (ask("version", &json!({})),                                            401, "reason", "sign in, or show an API key"),
            ("/openapi/version?{".to_owned(),                                       401, "reason", "sign in, or show an API key"),
            (ask("localuser/set", &set(&reader)),                                   403, "reason", "the API key may not do this: it lacks the scope config"),
            (ask("localuser/%73et", &set(&reader)),                                 403, "reason", "the API key may not do this: it lacks the scope config"),
            (ask("localuser/delet%65", &set(&reader)),                              403, "reason", "the API key may not do this: it lacks the scope config"),
            (ask("localuser/set", &set(&all)),                                      200, "result", "ok"),
            (ask("localuser/set", &json!({ "syskey": all })),                       422, "reason", "the object is wrong or lacks userName"),
            (ask("localuser/set", &json!({ "syskey": all, "userName": "600", "maxCalls": "3" })), 422, "field", "maxCalls"),
            (ask("prepaid", &json!({ "syskey": all })),                             404, "reason", "there is no such object or operation"),
        ];
        for (path, status, name, value) in table {
            let answer = scene.get(&path).send().await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            assert_eq!(answer.json()[name], value, "{path}: {}", answer.body);
            assert_eq!(answer.header("connection"), "close", "{path}");
        }
        let one = scene.get(&ask("localuser", &json!({ "syskey": reader, "userName": "600" })));
        let user = one.send().await.json()["localuser"][0].clone();
        assert_eq!((&user["description"], &user["status"]), (&"Door".into(), &"online".into()));
        let set_again = json!({ "syskey": all, "userName": "600", "description": "Hall" });
        assert_eq!(scene.get(&ask("localuser/set", &set_again)).status().await, 200);
        let list = scene.get(&ask("localuser/query", &json!({ "syskey": reader }))).send().await;
        assert_eq!(list.json()["localuser"][0]["description"], "Hall", "{}", list.body);
        let gone = json!({ "syskey": all, "userName": "600" });
        assert_eq!(scene.get(&ask("localuser/delete", &gone)).status().await, 200);
        assert_eq!(scene.get(&ask("localuser/delete", &gone)).status().await, 404);
    }

    #[tokio::test]
    async fn a_set_is_done_whole_and_says_what_it_passed_over() {
        let scene = Scene::new().await;
        switched_on(&scene).await;
        let key = key(&scene, &["read", "config"]).await;
        let ask = |what: &str, mut object: Value| {
            object["syskey"] = key.clone().into();
            ask(what, &object)
        };
        let new = json!({ "userName": "600", "description": "Door", "callForward": "1", "x": 1 });
        let done = scene.get(&ask("localuser/set", new)).send().await;
        assert_eq!(done.json()["ignored"], json!(["callForward", "x"]), "{}", done.body);
        let weak = json!({ "userName": "600", "description": "Hall", "password": "600" });
        assert_eq!(scene.get(&ask("localuser/set", weak)).status().await, 422);
        let user = scene.get(&ask("localuser", json!({ "userName": "600" }))).send().await;
        assert_eq!(user.json()["localuser"][0]["description"], "Door", "nothing was changed");
        // The key in the header, the object in the body; a query that is no object asks for nothing.
        let bearer = format!("Bearer {key}");
        let post = scene.post("/openapi/localuser/set").with("authorization", &bearer);
        let hall = json!({ "userName": "600", "description": "Hall" });
        assert_eq!(post.json(&hall).status().await, 200);
        let broken = scene.get("/openapi/localuser?%7B%22userName").with("authorization", &bearer);
        assert_eq!(broken.status().await, 422);
    }

    #[tokio::test]
    async fn it_is_off_until_it_is_turned_on() {
        let scene = Scene::new().await;
        switched_on(&scene).await;
        let key = key(&scene, &["read"]).await;
        let path = ask("version", &json!({ "syskey": key }));
        assert_eq!(scene.get(&path).status().await, 200);
        let setting = "/api/v1/settings/mss_openapi";
        assert_eq!(scene.ask(Method::DELETE, setting).by_socket().status().await, 200);
        assert_eq!(scene.get(&path).status().await, 404);
    }
}
