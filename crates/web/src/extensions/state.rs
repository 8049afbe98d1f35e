//! The list of extensions with what their phones do, which no list is sorted by.

use super::with_phones;
use crate::conventions::{Listed, PageQuery};
use crate::resource::{Extension, ExtensionNow, ExtensionState, Failure};
use crate::{Office, Running};
use axum::extract::{Query, State};
use pbx::SmolStr;
use pbx::id::TenantId;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Extensions that one look goes through for those of a state.
const LOOK_MAX: u32 = 1000;

/// Which extensions a list has.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExtensionsQuery {
    /// Rows of the page: 1 to 1000, 100 where nothing is said. `Link` leads to the next page.
    limit: Option<u32>,
    /// As the link of the page before has it.
    cursor: String,
    /// Part of a number or name.
    search: String,
    /// Only those whose phones do this; a page may then have fewer rows than there is room for, even none, and `Link` all
    /// the same.
    state: Option<ExtensionState>,
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<ExtensionsQuery>,
) -> Result<Listed<ExtensionNow>, Failure> {
    let ExtensionsQuery { limit, cursor, search, state } = query;
    let page = PageQuery { limit, cursor, search };
    let (db, tenant) = (&office.db, TenantId::default());
    let wanted = if state.is_some() { LOOK_MAX + 1 } else { page.wanted() };
    let found = db.extensions_after(tenant, &page.cursor, page.search(), wanted).await?;
    let mut found: Vec<Extension> = found.into_iter().map(Extension::from).collect();
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        let phones = db.phones_between(tenant, &first.number, &last.number).await?;
        with_phones(&mut found, &phones);
    }
    let talking = office.running.talking();
    let mut found: Vec<ExtensionNow> =
        found.into_iter().map(|it| now(it, &talking, &*office.running)).collect();
    let key = |it: &ExtensionNow| it.extension.number.clone();
    let Some(state) = state else { return Ok(page.listed("/api/v1/extensions", found, key)) };
    // What was looked at last is where the next page begins, whatever it does.
    let is_more = found.len() > usize::try_from(LOOK_MAX).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(LOOK_MAX).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| is_more).map(key);
    found.retain(|it| it.state == state);
    let path = format!("/api/v1/extensions?state={}", state.as_str());
    Ok(page.cut(&path, found, last, key))
}

/// An extension as it is now.
pub(super) fn one(office: &Office, extension: Extension) -> ExtensionNow {
    now(extension, &office.running.talking(), &*office.running)
}

fn now(extension: Extension, talking: &BTreeSet<SmolStr>, running: &dyn Running) -> ExtensionNow {
    let state = if talking.contains(extension.number.as_str()) {
        ExtensionState::Talking
    } else if running.is_registered(&extension.number) {
        ExtensionState::Idle
    } else if extension.has_password {
        ExtensionState::Offline
    } else {
        ExtensionState::ByAddress
    };
    ExtensionNow { extension, state }
}

impl ExtensionState {
    pub(crate) const ALL: [Self; 4] = [Self::Offline, Self::Idle, Self::Talking, Self::ByAddress];

    /// As the API has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Talking => "talking",
            Self::ByAddress => "by_address",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::resource::Call;
    use crate::scene::Scene;
    use pbx::event::CallState;
    use pbx::record::CallRecord;
    use serde_json::{Value, json};

    async fn asked(scene: &Scene, path: &str) -> (Value, String) {
        let answer = scene.get(path).by_socket().send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.json(), answer.header("link").to_owned())
    }

    fn numbers(page: &Value) -> Vec<&str> {
        page.as_array().unwrap().iter().filter_map(|it| it["number"].as_str()).collect()
    }

    #[tokio::test]
    async fn the_list_says_what_phones_do_and_finds_them_by_it() {
        let scene = Scene::new().await;
        let address = json!({ "number": "5000", "change": { "addresses": ["10.0.0.9"] } });
        let new = json!({ "extensions": [{ "number": "1000-2200" }, address] });
        let added = scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        assert_eq!(added.status, 200, "{}", added.body);
        let record = CallRecord { caller_number: "2100".into(), ..CallRecord::default() };
        *scene.server.calls.lock().unwrap() = vec![Call::of(&record, CallState::Answered)];
        let offline = ["1000", "1001", "1002", "1003", "5000"].map(str::to_owned);
        *scene.server.offline.lock().unwrap() = offline.into();
        let (page, _) = asked(&scene, "/api/v1/extensions?search=5000").await;
        assert_eq!(page[0]["state"], "by_address");
        let (one, _) = asked(&scene, "/api/v1/extensions/2100").await;
        assert_eq!(one["state"], "talking");
        // It is not among the first thousand: the link leads on.
        let (page, link) = asked(&scene, "/api/v1/extensions?state=talking").await;
        assert!(numbers(&page).is_empty(), "{page}");
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
        let (page, link) = asked(&scene, next).await;
        assert_eq!((numbers(&page), &*link), (vec!["2100"], ""));
        let (page, link) = asked(&scene, "/api/v1/extensions?state=offline&limit=2").await;
        assert_eq!(numbers(&page), ["1000", "1001"]);
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
        assert_eq!(numbers(&asked(&scene, next).await.0), ["1002", "1003"]);
        let wrong = scene.get("/api/v1/extensions?state=asleep").by_socket().send().await;
        assert_eq!((wrong.status, wrong.json()["field"].as_str()), (422, Some("state")));
    }

    #[test]
    fn words_are_those_of_the_api() {
        for it in ExtensionState::ALL {
            assert_eq!(serde_json::to_value(it).unwrap(), it.as_str());
        }
    }
}
