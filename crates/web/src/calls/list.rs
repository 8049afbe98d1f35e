//! The calls that are up, and those that ended a short time ago, page by page.

use crate::conventions::{Listed, PageQuery, Since, not_of_this_list};
use crate::live::has;
use crate::resource::{Call, Failure};
use crate::{Office, Running};
use axum::extract::{Query, State};
use pbx::id::CallId;
use schemars::JsonSchema;
use serde::Deserialize;

/// Calls that are looked at in one go.
const BATCH: usize = 1000;

/// Which calls a list has.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallsQuery {
    /// Also those that ended a short time ago.
    ended: bool,
    /// Rows of the page: 1 to 1000, 100 where nothing is said. `Link` leads to the next page.
    limit: Option<u32>,
    /// As the link of the page before has it.
    cursor: String,
    /// Part of a number or name.
    search: String,
}

/// The newest first.
pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<CallsQuery>,
) -> Result<Since<Listed<Call>>, Failure> {
    let position = office.running.events().position();
    let CallsQuery { ended, limit, cursor, search } = query;
    let before = match &*cursor {
        "" => None,
        id => Some(id.parse::<CallId>().map_err(|_| not_of_this_list())?),
    };
    let page = PageQuery { limit, cursor, search };
    let wanted = usize::try_from(page.wanted()).unwrap_or(usize::MAX);
    let found = look(&*office.running, (before, ended), page.search(), wanted);
    let path = if ended { "/api/v1/calls?ended=true" } else { "/api/v1/calls" };
    Ok(Since(position, page.listed(path, found, |it| it.id.clone())))
}

/// Calls like `search`, bit by bit until there are enough of them.
fn look(
    running: &dyn Running,
    (mut before, ended): (Option<CallId>, bool),
    search: &str,
    wanted: usize,
) -> Vec<Call> {
    let is_like = |it: &Call| {
        let texts = [&it.caller, &it.caller_name, &it.dialled, &it.sent, &it.callee];
        search.is_empty() || texts.iter().any(|text| has(text, search))
    };
    let mut found = vec![];
    while found.len() < wanted {
        // Without a search there is nothing to be left out.
        let most = if search.is_empty() { wanted.min(BATCH) } else { BATCH };
        let batch = running.newest_calls(before, most, ended);
        let is_last = batch.len() < most;
        before = batch.last().and_then(|it| it.id.parse().ok());
        found.extend(batch.into_iter().filter(is_like));
        if is_last || before.is_none() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{NOW, Scene};
    use pbx::event::CallState;
    use pbx::record::CallRecord;
    use std::time::Duration;

    /// Called from 100 on, each by the next; the first ended a short time ago.
    fn calls(count: u32) -> Vec<Call> {
        let call = |number: u32| {
            let record = CallRecord {
                call_id: CallId::of(NOW.after(Duration::from_secs(number.into())), [0; 10]),
                caller_number: number.to_string().into(),
                ..CallRecord::default()
            };
            let state = if number == 0 { CallState::Released } else { CallState::Answered };
            let ended_at = (number == 0).then(|| "2026-11-26T02:15:00Z".to_owned());
            Call { ended_at, ..Call::of(&record, state) }
        };
        (0..count).map(call).collect()
    }

    async fn pages(scene: &Scene, path: &str) -> Vec<String> {
        let mut callers = vec![];
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = scene.get(&path).by_socket().send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let link = answer.header("link").strip_prefix('<').and_then(|it| it.split_once('>'));
            next = link.map(|it| it.0.to_owned());
            let page = answer.json();
            let shown = page.as_array().into_iter().flatten();
            callers.extend(shown.filter_map(|it| it["caller"].as_str()).map(str::to_owned));
        }
        callers
    }

    #[tokio::test]
    async fn calls_come_page_by_page_the_newest_first() {
        let scene = Scene::new().await;
        *scene.server.calls.lock().unwrap_or_else(|it| it.into_inner()) = calls(250);
        let down = |numbers: std::ops::Range<u32>| numbers.rev().map(|it| it.to_string());
        let up: Vec<_> = down(1..250).collect();
        assert_eq!(pages(&scene, "/api/v1/calls").await, up);
        assert_eq!(pages(&scene, "/api/v1/calls?limit=7").await, up);
        let all: Vec<_> = down(0..250).collect();
        assert_eq!(pages(&scene, "/api/v1/calls?ended=true&limit=83").await, all);
        assert_eq!(pages(&scene, "/api/v1/calls?search=24&limit=3").await.len(), 13);
        let wrong = scene.get("/api/v1/calls?cursor=x").by_socket().send().await;
        assert_eq!((wrong.status, wrong.json()["field"].as_str()), (422, Some("cursor")));
    }

    #[tokio::test]
    async fn the_list_says_where_the_stream_goes_on() {
        let scene = Scene::new().await;
        let events = scene.office.running.events();
        events.push(NOW, crate::events::Fact::Lost);
        let answer = scene.get("/api/v1/calls").by_socket().send().await;
        assert_eq!(answer.header("last-event-id"), events.position().to_string());
    }
}
