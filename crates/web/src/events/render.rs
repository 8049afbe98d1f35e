//! Events as text: the envelope of all carriers, and the frame of an event stream around it.

use super::{Fact, Happened, Novelty, Position};
use crate::moment::rfc3339;
use crate::resource::{Call, Registration};
use crate::{Edit, Running};
use bytes::Bytes;
use pbx::event::{CallState, UnregisterReason};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::line::live::LineStatus;
use pbx::text;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use serde::Serialize;
use serde_json::{Value, json};
use std::ops::Range;

/// The name of the event that tells of a gap.
pub(crate) const LOST: &str = "lost";
/// Names of what was changed that one event carries; where there are more, it carries none.
const NAMES_MAX: usize = 100;

/// An event as it goes over the wire.
pub(crate) struct Shown {
    /// A whole frame of `text/event-stream`.
    pub(crate) frame: Bytes,
    json: Range<usize>,
}

impl Shown {
    /// The envelope alone.
    pub(crate) fn json(&self) -> Bytes {
        self.frame.slice(self.json.clone())
    }

    /// The same as a text.
    pub(crate) fn text(&self) -> &str {
        // JSON is UTF-8.
        std::str::from_utf8(&self.frame[self.json.clone()]).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    r#type: &'a str,
    time: String,
    tenant: &'a str,
    node: &'a str,
    seq: u64,
    data: Value,
}

pub(super) fn shown(it: &Happened, running: &dyn Running, node: &str) -> Shown {
    let name = it.fact.kind().map_or(LOST, super::Kind::name);
    frame(it.position, name, (it.at, it.fact.tenant()), node, data(&it.fact, running))
}

/// What one reader missed; `position` is where the gap ends.
pub(crate) fn lost(missed: Option<u64>, position: Position, at: UnixMillis, node: &str) -> Shown {
    frame(position, LOST, (at, TenantId::default()), node, json!({ "missed": missed }))
}

fn frame(
    position: Position,
    name: &str,
    (at, tenant): (UnixMillis, TenantId),
    node: &str,
    data: Value,
) -> Shown {
    let id = position.to_string();
    let tenant = tenant_name(tenant);
    let envelope = Envelope {
        id: &id,
        r#type: name,
        time: rfc3339(at),
        tenant: &tenant,
        node,
        seq: position.seq(),
        data,
    };
    let mut text = format!("id: {id}\nevent: {name}\ndata: ").into_bytes();
    let start = text.len();
    // JSON has no line end within, so it is one line of data. Texts and numbers always have their JSON.
    let _ = serde_json::to_writer(&mut text, &envelope);
    let json = start..text.len();
    text.extend_from_slice(b"\n\n");
    Shown { frame: text.into(), json }
}

fn tenant_name(tenant: TenantId) -> String {
    if tenant == TenantId::default() { "default".to_owned() } else { tenant.0.to_string() }
}

fn data(fact: &Fact, running: &dyn Running) -> Value {
    match fact {
        Fact::Call { state, record, .. } => {
            let call = match state {
                CallState::Released => Call { timeline: vec![], ..running.of_record(record) },
                CallState::Started | CallState::Ringing | CallState::Answered | CallState::Held => {
                    Call::of(record, *state)
                }
            };
            value(&call)
        }
        Fact::Registered(binding) => value(&Registration::of(binding, binding.registered_at)),
        Fact::Refreshed { binding, new } => {
            let mut shown = value(&Registration::of(binding, running.now()));
            shown["changed"] = novelty(*new).into();
            shown
        }
        Fact::Refused { extension, source, why } => json!({
            "extension": &**extension,
            "source": source.to_string(),
            "reason": why.as_str(),
        }),
        Fact::Unregistered { key, why, .. } => json!({
            "extension": key.extension.as_str(),
            "device": key.device.as_str(),
            "reason": reason(*why),
        }),
        Fact::Line(status) => line(status),
        Fact::LineGone { account, .. } => gone("account", Value::from(&**account)),
        Fact::Trunk(status) => trunk(status),
        Fact::TrunkGone { id, .. } => gone("id", Value::from(*id)),
        Fact::Changed(edit) => changed(edit),
        Fact::Lost => json!({ "missed": null }),
    }
}

/// Our own shapes always have their JSON.
fn value(it: &impl Serialize) -> Value {
    serde_json::to_value(it).unwrap_or_default()
}

fn novelty(new: Novelty) -> &'static str {
    match new {
        Novelty::Address => "address",
        Novelty::Transport => "transport",
        Novelty::UserAgent => "user_agent",
    }
}

fn reason(why: UnregisterReason) -> &'static str {
    match why {
        UnregisterReason::Expired => "expired",
        UnregisterReason::Removed => "removed",
        UnregisterReason::Replaced => "replaced",
        UnregisterReason::Restarted => "restarted",
        UnregisterReason::LoggedOff => "logged_off",
        UnregisterReason::Deleted => "deleted",
        UnregisterReason::PasswordChanged => "password_changed",
    }
}

fn line(status: &LineStatus) -> Value {
    let trouble = status
        .trouble
        .map(|it| json!({ "code": it.code(), "sentence": it.sentence(), "remedy": it.remedy() }));
    json!({
        "account": &*status.account,
        "state": status.standing.as_str(),
        "text": status.standing.text(),
        "trouble": trouble,
    })
}

fn trunk(status: &TrunkStatus) -> Value {
    let has_answered = status.servers.iter().any(|it| it.up && it.last_answer.is_some());
    let (state, text) = match (status.is_up(), has_answered) {
        (true, true) => ("up", text!("a server responds", "有服务器响应")),
        (true, false) => ("up", text!("taken to be there: not asked yet", "尚未探测，视为可达")),
        (false, _) => ("down", text!("no server responds", "没有服务器响应")),
    };
    let servers = status.servers.iter().map(|it| {
        let address = it.address.map(|it| it.to_string());
        json!({ "up": it.up && address.is_some(), "address": address })
    });
    let trouble = status
        .trouble
        .map(|it| json!({ "code": it.of_trunk().as_str(), "sentence": it.sentence() }));
    json!({
        "id": status.id,
        "state": state,
        "text": text,
        "servers": servers.collect::<Vec<_>>(),
        "trouble": trouble,
    })
}

fn gone(name: &str, value: Value) -> Value {
    let text: Text = text!("deleted", "已删除");
    json!({ name: value, "state": "deleted", "text": text, "trouble": null })
}

fn changed(edit: &Edit) -> Value {
    match edit {
        Edit::Extensions(numbers) if numbers.len() <= NAMES_MAX => {
            json!({ "what": "extensions", "names": numbers })
        }
        Edit::Extensions(_) => json!({ "what": "extensions", "names": [] }),
        Edit::Settings => json!({ "what": "settings", "names": [] }),
        Edit::DialPlan => json!({ "what": "dial_plan", "names": [] }),
    }
}
