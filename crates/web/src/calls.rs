//! What is done with calls: placing one, sending one of its sides elsewhere, ending it.

mod list;
mod support;

pub(crate) use list::on_list;
pub(crate) use support::{again, on_support};

use crate::Office;
use crate::access::{Principal, Who};
use crate::audit::{Author, CALLS};
use crate::conventions::{Accepted, unreadable};
use crate::live::{call, find, hangup};
use crate::resource::{Call, Failure, Placed};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::event::Undone;
use pbx::id::{CallId, TenantId};
use pbx::supplementary::is_forwardable;
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/calls", get(on_list).post(on_place))
        .route("/api/v1/calls/{id}", get(call).delete(hangup).post(on_verb))
        .route("/api/v1/calls/{id}/support", get(on_support))
}

/// `POST /api/v1/calls`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placing {
    /// An extension: it is called first, and its rights count.
    pub from: String,
    /// Called once that has answered, as if it had dialled it.
    pub to: String,
    /// Ask the phone to answer by itself.
    #[serde(default)]
    pub auto_answer: bool,
}

/// `POST /api/v1/calls/{id}:transfer`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transferring {
    /// Who is sent there; the other side is released once the number has answered.
    pub leg: Side,
    pub to: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Caller,
    Callee,
}

pub(crate) async fn on_place(
    State(office): State<Office>,
    principal: Principal,
    Json(wanted): Json<Placing>,
) -> Result<Accepted<Placed>, Failure> {
    let directory = office.running.directory();
    let known = directory.tenant(TenantId::default());
    if known.and_then(|it| it.extension(&wanted.from)).is_none() {
        let text = text!("there is no extension {}", "分机{}不存在", wanted.from);
        return Err(Failure::new(422, "invalid", text).at("from"));
    }
    let to = number(&wanted.to)?;
    if to == wanted.from {
        let text = text!("an extension cannot call itself", "分机不能呼叫自己");
        return Err(Failure::new(422, "invalid", text).at("to"));
    }
    let call = new_id(office.running.now())?;
    let order = Order {
        call,
        tenant: TenantId::default(),
        by: wanted.from.as_str().into(),
        first: wanted.from.as_str().into(),
        second: to.into(),
        shown: None,
        shown_to_second: None,
        placed_by: name_of(&principal).into(),
        answers_itself: wanted.auto_answer,
    };
    done(office.running.place(order).await)?;
    let author = Author::of(&office, &principal);
    author.did("place", CALLS, &call.to_string(), &wanted).await;
    Ok(Accepted(Placed { id: call.to_string(), short_id: call.short().to_string() }))
}

/// `POST …/{id}:hangup` and `:transfer`.
pub(crate) async fn on_verb(
    office: State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Call>, Failure> {
    if let Some(id) = id.strip_suffix(":hangup") {
        return hangup(office, principal, Path(id.to_owned())).await;
    }
    let none = || Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作"));
    let id = id.strip_suffix(":transfer").ok_or_else(none)?;
    let wanted = Json::from_bytes(&body);
    let wanted = wanted.map_err(|error| unreadable(error.status(), &error.body_text()))?;
    on_transfer(office, principal, Path(id.to_owned()), wanted).await
}

pub(crate) async fn on_transfer(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    Json(wanted): Json<Transferring>,
) -> Result<Json<Call>, Failure> {
    let to = number(&wanted.to)?;
    let call = find(&office, &id).await?;
    let id = call.id.parse().ok().filter(|_| call.ended_at.is_none());
    let id = id.ok_or_else(|| undone(Undone::NoCall))?;
    let kept = match wanted.leg {
        Side::Caller => Half::Caller,
        Side::Callee => Half::Callee,
    };
    done(office.running.transfer(id, kept, to).await)?;
    Author::of(&office, &principal).did("transfer", CALLS, &call.id, &wanted).await;
    Ok(Json(call))
}

/// A number that may be dialled.
fn number(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    let wrong = || {
        let text = text!("{text:?} is no number that can be dialled", "{text:?}不是可以拨打的号码");
        Failure::new(422, "invalid", text).at("to")
    };
    is_forwardable(text).then_some(text).ok_or_else(wrong)
}

/// What came of an order, as the core says.
fn done(outcome: Option<Result<(), Undone>>) -> Result<(), Failure> {
    match outcome {
        Some(outcome) => outcome.map_err(undone),
        None => {
            let text = text!("the server takes no calls now", "服务器目前不接受新的呼叫");
            Err(Failure::new(503, "busy", text).after(1))
        }
    }
}

fn undone(why: Undone) -> Failure {
    match why {
        Undone::Full => {
            let text = text!(
                "as many calls are up as the server takes: end one, or try again later",
                "呼叫数已达服务器上限：请结束其他呼叫或稍后重试"
            );
            Failure::new(503, "full", text).after(1)
        }
        Undone::NoRights => {
            let text = text!(
                "no side is an extension, with whose rights the number could be dialled",
                "没有一方是分机，没有可用的呼叫权限"
            );
            Failure::new(409, "no_rights", text)
        }
        Undone::NoCall => {
            Failure::new(409, "not_running", text!("this call has ended", "该呼叫已结束"))
        }
        // Who hears an echo, or waits for the second party of a call that was placed, is alone.
        Undone::NotTalking => {
            let text =
                text!("only a call is transferred in which two talk", "只能转接双方正在通话的呼叫");
            Failure::new(409, "not_answered", text)
        }
        Undone::Transferring => {
            let text = text!(
                "this call is being transferred already: wait until that has come to its end",
                "该呼叫正在转接中：请等待转接结束"
            );
            Failure::new(409, "transfer_under_way", text)
        }
    }
}

/// A name for a call that is to be placed.
pub fn new_id(now: UnixMillis) -> Result<CallId, Failure> {
    let mut random = [0; 10];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(500, "random", crate::failure::no_random_numbers(error)))?;
    Ok(CallId::of(now, random))
}

/// Who has a call placed, as its record has it.
fn name_of(principal: &Principal) -> String {
    match &principal.who {
        Who::Nobody => "nobody".to_owned(),
        Who::Cli => "cli".to_owned(),
        Who::User { name, .. } => format!("user:{name}"),
        Who::ApiKey { name, .. } => format!("api:{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::resource::Call;
    use crate::scene::Scene;
    use pbx::event::{CallState, Undone};
    use pbx::record::CallRecord;
    use serde_json::{Value, json};

    async fn office() -> Scene {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }, { "number": "101" }] });
        let added = scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        assert_eq!(added.status, 200, "{}", added.body);
        scene
    }

    #[tokio::test]
    async fn a_call_is_placed_by_its_extension() {
        let scene = office().await;
        let wanted = json!({ "from": "100", "to": "90138", "auto_answer": true });
        let placed = scene.post("/api/v1/calls").json(&wanted).by_socket().send().await;
        assert_eq!(placed.status, 202, "{}", placed.body);
        let orders = scene.server.placed.lock().unwrap().clone();
        let [order] = &orders[..] else { panic!("{orders:?}") };
        assert_eq!(placed.json()["id"], order.call.to_string());
        assert_eq!(placed.json()["short_id"], order.call.short().to_string());
        assert_eq!([&*order.by, &*order.first, &*order.second], ["100", "100", "90138"]);
        assert_eq!((&*order.placed_by, order.answers_itself), ("cli", true));
        let entries = scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        let entry = &entries["entries"][0];
        assert_eq!((&entry["action"], &entry["after"]), (&"place".into(), &wanted), "{entries}");
    }

    /// Where nothing comes of it, nobody is told that something is being done.
    #[tokio::test]
    async fn what_comes_of_an_order_is_told() {
        let scene = office().await;
        let call = Call::of(&CallRecord::default(), CallState::Answered);
        let transfer = format!("/api/v1/calls/{}:transfer", call.id);
        *scene.server.calls.lock().unwrap() = vec![call];
        let place = json!({ "from": "100", "to": "101" });
        let part = json!({ "leg": "callee", "to": "101" });
        #[rustfmt::skip]
        let table = [
            ("/api/v1/calls", &place, Some(Ok(())),                     202, ""),
            ("/api/v1/calls", &place, Some(Err(Undone::Full)),          503, "full"),
            ("/api/v1/calls", &place, None,                             503, "busy"),
            (&*transfer,      &part,  Some(Ok(())),                     200, ""),
            (&*transfer,      &part,  Some(Err(Undone::Transferring)),  409, "transfer_under_way"),
            (&*transfer,      &part,  Some(Err(Undone::NotTalking)),    409, "not_answered"),
            (&*transfer,      &part,  Some(Err(Undone::NoRights)),      409, "no_rights"),
            (&*transfer,      &part,  Some(Err(Undone::NoCall)),        409, "not_running"),
        ];
        for (path, body, outcome, status, code) in table {
            *scene.server.outcome.lock().unwrap() = outcome;
            let answer = scene.post(path).json(body).by_socket().send().await;
            assert_eq!((answer.status, &*answer.code()), (status, code), "{}", answer.body);
        }
        let entries = scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        let acts = entries["entries"].as_array().unwrap().iter();
        let acts = acts.filter(|it| it["action"] == "place" || it["action"] == "transfer");
        assert_eq!(acts.count(), 2, "what was refused was not done: {entries}");
    }

    #[tokio::test]
    async fn what_cannot_be_placed_or_transferred_is_refused_by_name() {
        let scene = office().await;
        #[rustfmt::skip]
        let table: [(&str, Value, u16, &str, &str); 11] = [
            ("/api/v1/calls", json!({ "from": "999", "to": "101" }),          422, "invalid", "from"),
            ("/api/v1/calls", json!({ "from": "100", "to": "" }),             422, "invalid", "to"),
            ("/api/v1/calls", json!({ "from": "100", "to": "1 0\r\nX: y" }),  422, "invalid", "to"),
            ("/api/v1/calls", json!({ "from": "100", "to": "100" }),          422, "invalid", "to"),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "caller", "to": "<x>" }), 422, "invalid", "to"),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "caller", "to": "101" }), 404, "not_found", ""),
            ("/api/v1/calls/c-1:hangup", json!({}),                           404, "not_found", ""),
            ("/api/v1/calls/c-1:sing", json!({}),                             404, "not_found", ""),
            ("/api/v1/calls/c-1:transfer", Value::Null,                       422, "invalid", ""),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "both", "to": "1" }), 422, "invalid", "leg"),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "caller" }),        422, "invalid", "to"),
        ];
        for (path, body, status, code, field) in table {
            let ask = scene.post(path).by_socket();
            let ask = if body.is_null() { ask } else { ask.json(&body) };
            let answer = ask.send().await;
            let is = (answer.status, answer.code());
            assert_eq!(is, (status, code.to_owned()), "{path} {body}: {}", answer.body);
            assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{path} {body}");
        }
        assert!(scene.server.placed.lock().unwrap().is_empty());
    }
}
