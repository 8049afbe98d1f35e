//! The history of an extension's devices: written down from what is told as events, so that whoever registers waits for
//! nothing here; read by API, pages and command line.

use crate::Office;
use crate::access::Principal;
use crate::audit::{Author, EXTENSIONS};
use crate::events::{Fact, Happened, Kinds, Novelty, Position, too_many};
use crate::resource::{Failure, Registration, RegistrationHistory};
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use pbx::event::{AuthFailure, UnregisterReason};
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey};
use pbx::text;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::db::{RegistrationChange, What, Why};

/// How long to wait where the database fails. What is overwritten in the ring meanwhile is not written down.
const PAUSE: Duration = Duration::from_secs(10);
/// Devices of an extension that are shown: more than it may have.
const DEVICES_MAX: usize = 64;

/// Writes the history down until it is dropped.
pub async fn run(office: Office) {
    let mut place = office.running.events().beginning();
    loop {
        if let Err(failure) = follow(&office, &mut place).await {
            tracing::warn!(reason = failure.detail_en, "the history of registrations waits");
            pause().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when the database is back")]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

async fn follow(office: &Office, place: &mut Position) -> Result<(), Failure> {
    let kinds = Kinds::parse("registration.*")?;
    let mut reader = office.running.events().read(Some(*place), kinds).ok_or_else(too_many)?;
    loop {
        let batch = reader.take();
        if batch.is_empty() {
            reader.wait().await;
            continue;
        }
        if let Some((missed, _)) = batch.lost {
            tracing::warn!(?missed, "changes of registrations were not written down in time");
        }
        write_down(office, &batch.events).await?;
        *place = batch.end().unwrap_or(*place);
    }
}

async fn write_down(office: &Office, events: &[Arc<Happened>]) -> Result<(), Failure> {
    let mut by_tenant: BTreeMap<TenantId, Vec<RegistrationChange>> = BTreeMap::new();
    for event in events {
        if let Some(change) = change(&event.fact, event.at) {
            by_tenant.entry(event.fact.tenant()).or_default().push(change);
        }
    }
    for (tenant, changes) in by_tenant {
        office.db.note_registration_changes(tenant, &changes).await?;
    }
    Ok(())
}

/// What of an event belongs to the history.
fn change(fact: &Fact, at: UnixMillis) -> Option<RegistrationChange> {
    match fact {
        Fact::Registered(binding) => {
            Some(RegistrationChange::of(binding, at, What::Registered, Why::Registered))
        }
        Fact::Refreshed { binding, new } => {
            let why = match new {
                Novelty::Address => Why::Address,
                Novelty::Transport => Why::Transport,
                Novelty::UserAgent => Why::UserAgent,
            };
            Some(RegistrationChange::of(binding, at, What::Changed, why))
        }
        Fact::Unregistered { key, why, binding } => {
            let why = match why {
                UnregisterReason::Expired => Why::Expired,
                UnregisterReason::Removed => Why::Removed,
                UnregisterReason::Replaced => Why::Replaced,
                UnregisterReason::Restarted => Why::Restarted,
                UnregisterReason::LoggedOff => Why::LoggedOff,
                UnregisterReason::PasswordChanged => Why::PasswordChanged,
                // The history went with its extension.
                UnregisterReason::Deleted => return None,
            };
            Some(match binding {
                Some(binding) => RegistrationChange::of(binding, at, What::Gone, why),
                None => {
                    let gone = bare(&key.extension, at, What::Gone, why);
                    RegistrationChange { device: key.device.to_string(), ..gone }
                }
            })
        }
        Fact::Refused { extension, source, why } => {
            let why = match why {
                AuthFailure::BadDigest => Why::BadDigest,
                AuthFailure::WeakPasswordFromOutside => Why::WeakPassword,
                AuthFailure::WrongIdentity => Why::WrongIdentity,
                // No extension of ours, or nothing that somebody must know.
                AuthFailure::UnknownUser | AuthFailure::Replay => return None,
            };
            let refused = bare(extension, at, What::Refused, why);
            Some(RegistrationChange { source: source.to_string(), ..refused })
        }
        Fact::Call { .. }
        | Fact::Line(_)
        | Fact::LineGone { .. }
        | Fact::Trunk(_)
        | Fact::TrunkGone { .. }
        | Fact::Changed(_)
        | Fact::Lost => None,
    }
}

/// Of a device of which nothing is known.
fn bare(extension: &str, at: UnixMillis, what: What, why: Why) -> RegistrationChange {
    RegistrationChange {
        extension: extension.to_owned(),
        at,
        what,
        why,
        device: String::new(),
        contact: String::new(),
        transport: String::new(),
        source: String::new(),
        user_agent: String::new(),
    }
}

pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/extensions/{number}/registration-history", get(on_history))
        .route("/api/v1/registrations/{extension}/{device}", delete(on_log_off))
}

pub(crate) async fn on_history(
    State(office): State<Office>,
    Path(extension): Path<String>,
) -> Result<Json<RegistrationHistory>, Failure> {
    let tenant = TenantId::default();
    let directory = office.running.directory();
    let known = directory.tenant(tenant).and_then(|it| it.extension(&extension));
    if known.is_none() {
        return Err(StoreError::NoExtension(extension).into());
    }
    let changes = office.db.registration_changes(tenant, &extension).await?;
    let now = office.running.now();
    let registered = devices(&office, tenant, &extension);
    let registered = registered.iter().map(|it| Registration::of(it, now)).collect();
    let changes = changes.into_iter().map(Into::into).collect();
    Ok(Json(RegistrationHistory { extension, registered, changes }))
}

/// Ends the registration of one phone; it may register again.
pub(crate) async fn on_log_off(
    State(office): State<Office>,
    principal: Principal,
    Path((extension, device)): Path<(String, String)>,
) -> Result<Json<()>, Failure> {
    let found = devices(&office, TenantId::default(), &extension);
    let Some(binding) = found.iter().find(|it| it.key.device == device) else {
        let text = text!("{extension} has no such phone", "分机{extension}没有这部话机");
        return Err(Failure::new(404, "not_found", text));
    };
    if !office.running.log_off(binding.key.clone()) {
        let text = text!("the server is about to stop", "服务器正在停止");
        return Err(Failure::new(503, "busy", text).after(1));
    }
    Author::of(&office, &principal).done("log_off", EXTENSIONS, &extension).await;
    Ok(Json(()))
}

/// Those that are registered now.
fn devices(office: &Office, tenant: TenantId, extension: &str) -> Vec<Arc<Binding>> {
    // No device has an empty name: this is before all of the extension.
    let before = BindingKey { tenant, extension: extension.into(), device: "".into() };
    let mut found = office.running.bindings(Some(&before), DEVICES_MAX);
    found.retain(|it| it.key.tenant == tenant && it.key.extension == extension);
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::{NOW, Scene};
    use serde_json::{Value, json};
    use sip::{Flow, Transport};

    fn binding(extension: &str, address: &str) -> Arc<Binding> {
        let address = address.parse().unwrap();
        Arc::new(Binding {
            key: BindingKey {
                tenant: TenantId::default(),
                extension: extension.into(),
                device: "desk".into(),
            },
            contact: "sip:100@192.168.1.20".into(),
            flow: Flow {
                transport: Transport::Udp,
                local: address,
                remote: address,
                connection: None,
            },
            call_id: "c".into(),
            cseq: 1,
            q: 1000,
            user_agent: "phone 1".into(),
            registered_at: NOW,
            expires_at: NOW.after(Duration::from_secs(60)),
        })
    }

    fn gone(binding: &Arc<Binding>, why: UnregisterReason) -> Fact {
        Fact::Unregistered { key: binding.key.clone(), why, binding: Some(Arc::clone(binding)) }
    }

    fn refused(extension: &str, why: AuthFailure) -> Fact {
        let source = "203.0.113.9:5060".parse().unwrap();
        Fact::Refused { extension: extension.into(), source, why }
    }

    async fn office() -> Scene {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }, { "number": "1001" }] });
        let added = scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        assert_eq!(added.status, 200, "{}", added.body);
        scene
    }

    /// The history once it has as many changes.
    async fn history(scene: &Scene, count: usize) -> Value {
        loop {
            let ask = scene.get("/api/v1/extensions/100/registration-history").by_socket();
            let answer = ask.send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            if answer.json()["changes"].as_array().unwrap().len() == count {
                return answer.json();
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_happened_is_written_down_and_read() {
        let scene = office().await;
        let events = scene.office.running.events();
        let (here, there) = (binding("100", "192.168.1.20:5060"), binding("100", "10.0.0.7:5060"));
        // What was told before anybody followed is not lost.
        events.push(NOW, Fact::Registered(Arc::clone(&here)));
        let mut following = tokio::task::JoinSet::new();
        following.spawn(run(scene.office.clone()));
        history(&scene, 1).await;
        for fact in [
            Fact::Refreshed { binding: Arc::clone(&there), new: Novelty::Address },
            refused("100", AuthFailure::BadDigest),
            refused("nobody", AuthFailure::BadDigest),
            refused("100", AuthFailure::UnknownUser),
            gone(&there, UnregisterReason::Expired),
            gone(&there, UnregisterReason::Restarted),
            gone(&binding("1001", "192.168.1.21:5060"), UnregisterReason::Removed),
            gone(&there, UnregisterReason::Deleted),
        ] {
            events.push(NOW, fact);
        }
        events.wake();
        let told = history(&scene, 5).await;
        let changes = told["changes"].as_array().unwrap();
        let words: Vec<_> = changes
            .iter()
            .map(|it| [&it["what"], &it["why"], &it["source"]].map(|it| it.as_str().unwrap()))
            .collect();
        let expected = [
            ["gone", "restarted", "10.0.0.7:5060"],
            ["gone", "expired", "10.0.0.7:5060"],
            ["refused", "bad_digest", "203.0.113.9:5060"],
            ["changed", "address", "10.0.0.7:5060"],
            ["registered", "registered", "192.168.1.20:5060"],
        ];
        assert_eq!(words, expected);
        assert_eq!(changes[4]["user_agent"], "phone 1");
        assert_eq!(changes[0]["text"]["en"], "gone: the phone restarted and registered again");
        assert_eq!(changes[2]["text"]["zh"], "被拒绝：密码错误");
    }

    #[tokio::test]
    async fn a_phone_is_logged_off() {
        let scene = office().await;
        let phone = binding("100", "192.168.1.20:5060");
        scene.server.bindings.lock().unwrap().push(Arc::clone(&phone));
        for (path, status) in [("100/desk", 200), ("100/other", 404), ("101/desk", 404)] {
            let path = format!("/api/v1/registrations/{path}");
            let answer = scene.ask(axum::http::Method::DELETE, &path).by_socket().send().await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
        }
        assert_eq!(*scene.server.logged_off.lock().unwrap(), std::slice::from_ref(&phone.key));
        let entries = scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        let entry = &entries["entries"][0];
        assert_eq!((&entry["action"], &entry["name"]), (&"log_off".into(), &"100".into()));
    }

    #[tokio::test]
    async fn the_phones_of_one_extension_are_its_own() {
        let scene = office().await;
        let phones = [binding("100", "192.168.1.20:5060"), binding("1001", "192.168.1.21:5060")];
        scene.server.bindings.lock().unwrap().extend(phones);
        let told = history(&scene, 0).await;
        let registered = told["registered"].as_array().unwrap();
        assert_eq!(registered.iter().map(|it| &it["extension"]).collect::<Vec<_>>(), ["100"]);
        let path = "/api/v1/extensions/999/registration-history";
        let none = scene.get(path).by_socket().send().await;
        assert_eq!((none.status, none.code()), (404, "not_found".to_owned()));
    }
}
