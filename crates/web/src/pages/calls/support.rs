//! Everything about a call as one text file, for whoever helps: passwords and keys are masked in it as on the page.

use super::call::replay;
use crate::CallPage;
use crate::pages::api::segment;
use crate::pages::failure::PageFailure;
use crate::pages::viewer::Viewer;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use std::fmt::Write as _;

pub(crate) async fn on_support(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let found: CallPage = viewer.api.get(&format!("/api/v1/calls/{}", segment(&id))).await?;
    let replay = replay(&viewer, &found.call).await;
    let version = viewer.pages.running.status().version;
    let text = text(&found, &version, &replay);
    // The short id is made of letters, digits and hyphens.
    let name = format!("attachment; filename=\"dialtone-{}.txt\"", found.call.short_id);
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

/// In both languages, as whoever helps may speak the other one.
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
