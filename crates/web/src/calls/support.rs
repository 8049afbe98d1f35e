//! Everything about a call as one text, for whoever helps: passwords and keys are masked in it as in every ladder.

use crate::Office;
use crate::access::Principal;
use crate::dial_plan::{checked, simulate};
use crate::live::{CallPage, call};
use crate::resource::{Call, Failure, SimulateRequest};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use pbx::language::Text;
use std::fmt::Write as _;

/// `GET /api/v1/calls/{id}/support`.
pub(crate) async fn on_support(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = call(State(office.clone()), Path(id)).await?.0;
    let replay = match replayed(&office, &found.call).await {
        Ok(said) | Err(said) => said.get(principal.language).trim_end().to_owned(),
    };
    let text = text(&found, &office.running.status().version, &replay);
    // The short id is made of letters, digits and hyphens.
    let name = format!("attachment; filename=\"dialtone-{}.txt\"", found.call.short_id);
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

/// What the dial plan of today says of the call; of one whose caller is no more, why it cannot.
async fn replayed(office: &Office, call: &Call) -> Result<Text, Text> {
    let running = &*office.running;
    let directory = running.directory();
    let findings = checked(office, &directory).await.map_err(Failure::detail)?;
    let simulation = simulate(running, directory, &again(call), &findings).await;
    simulation.map(|it| it.text).map_err(Failure::detail)
}

/// The call once more, to be decided without being placed.
pub(crate) fn again(call: &Call) -> SimulateRequest {
    let incoming = call.direction == "incoming";
    SimulateRequest {
        from: call.caller.clone(),
        dial: call.dialled.clone(),
        line: call.line.clone().filter(|_| incoming),
        trunk: call.trunk.as_deref().filter(|_| incoming).and_then(|it| it.parse().ok()),
        ..SimulateRequest::default()
    }
}

/// What became of it is said in both languages, as whoever helps may speak the other one.
fn text(found: &CallPage, version: &str, replay: &str) -> String {
    let CallPage { call, ladder, .. } = found;
    let mut text = format!("dialtone {version}\n{}\n", call.id);
    if let Some(verdict) = &call.verdict {
        for say in [&verdict.sentence, &verdict.remedy] {
            text.extend([&*say.en, "\n", &*say.zh, "\n"]);
        }
    }
    text.push('\n');
    for it in &call.timeline {
        // A String takes everything.
        let _ = writeln!(text, "{:>9} ms  {:<7} {}", it.at_ms, it.place, it.text.en);
    }
    text.extend(["\n", replay, "\n\n"]);
    text += &serde_json::to_string_pretty(call).unwrap_or_default();
    text += "\n\n";
    for it in ladder {
        let way = if it.sent { "->" } else { "<-" };
        let _ =
            writeln!(text, "--- {} {} {way} {} {}", it.unix_ms, it.local, it.remote, it.transport);
        text.extend([&*it.text.replace("\r\n", "\n"), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::resource::{Call, Traced, Verdict};
    use crate::scene::{NOW, Scene};
    use pbx::event::CallState;
    use pbx::record::CallRecord;
    use pbx::text;
    use serde_json::json;

    #[tokio::test]
    async fn the_text_says_why_what_was_sent_and_what_the_plan_would_do() {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }, { "number": "101" }] });
        scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        let record = CallRecord {
            caller_number: "100".into(),
            dialled_number: "101".into(),
            started_at: NOW,
            ..CallRecord::default()
        };
        let verdict = Verdict {
            code: "callee.busy".to_owned(),
            guilty: "callee".to_owned(),
            sentence: text!("101 was busy.", "分机101忙。"),
            remedy: text!("Try again later.", "请稍后重试。"),
            action: None,
            confidence: "certain".to_owned(),
        };
        let call = Call {
            short_id: "c-0123456789".to_owned(),
            verdict: Some(verdict),
            ..Call::of(&record, CallState::Released)
        };
        scene.server.calls.lock().unwrap().push(call);
        let message = Traced {
            unix_ms: NOW.0,
            sent: false,
            transport: "udp".to_owned(),
            local: "192.168.1.10:5060".to_owned(),
            remote: "192.168.1.20:5062".to_owned(),
            call: None,
            text: "INVITE sip:101@x SIP/2.0\r\n\r\n".to_owned(),
        };
        scene.server.ladder.lock().unwrap().push(message);
        let path = "/api/v1/calls/c-0123456789/support";
        let text = scene.get(path).by_socket().send().await;
        assert_eq!(text.status, 200, "{}", text.body);
        assert!(text.header("content-disposition").contains("dialtone-c-0123456789.txt"));
        for part in ["101 was busy.", "分机101忙。", "Dialled 101", "INVITE sip:101@x"] {
            assert!(text.body.contains(part), "{part}: {}", text.body);
        }
        assert_eq!(scene.get("/api/v1/calls/c-9/support").by_socket().status().await, 404);
    }
}
