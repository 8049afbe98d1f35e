//! Lists page by page: `?limit&cursor`, and the way to the next page as a link (RFC 8288).

use crate::resource::Failure;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pbx::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of a page where no limit is given, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows of the page: 1 to 1000, 100 where nothing is said. `Link` leads to the next page.
    pub(crate) limit: Option<u32>,
    /// As the link of the page before has it.
    pub(crate) cursor: String,
    /// Part of a number or name.
    pub(crate) search: String,
}

impl PageQuery {
    /// Rows of the page at most.
    fn rows(&self) -> u32 {
        self.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
    }

    /// Rows to ask for: one more than the page has tells whether there is another one.
    pub(crate) fn wanted(&self) -> u32 {
        self.rows() + 1
    }

    /// What is looked for.
    pub(crate) fn search(&self) -> &str {
        self.search.trim()
    }

    /// The page, of what was found by [`Self::wanted`]; `key` is what the next one begins after.
    pub(crate) fn listed<T>(
        &self,
        path: &str,
        mut found: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Listed<T> {
        let rows = usize::try_from(self.rows()).unwrap_or(usize::MAX);
        let is_more = found.len() > rows;
        found.truncate(rows);
        let last = found.last().filter(|_| is_more).map(key);
        let next = last.and_then(|it| self.link(path, &it));
        Listed { shown: found, next }
    }

    /// The same of what was found among those up to `last`, behind which there are more.
    pub(crate) fn cut<T>(
        &self,
        path: &str,
        found: Vec<T>,
        last: Option<String>,
        key: impl Fn(&T) -> String,
    ) -> Listed<T> {
        let rows = usize::try_from(self.rows()).unwrap_or(usize::MAX);
        if found.len() > rows {
            return self.listed(path, found, key);
        }
        Listed { shown: found, next: last.and_then(|it| self.link(path, &it)) }
    }

    /// The value of `Link` that leads on from the row with this key.
    fn link(&self, path: &str, last: &str) -> Option<HeaderValue> {
        let limit = self.rows();
        let escaped = |it: &str| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string();
        let (cursor, mut search) = (escaped(last), escaped(&self.search));
        if !search.is_empty() {
            search.insert_str(0, "&search=");
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let text = format!("<{path}{mark}limit={limit}&cursor={cursor}{search}>; rel=\"next\"");
        HeaderValue::from_str(&text).ok()
    }
}

/// A cursor that no page of this list has given.
pub(crate) fn not_of_this_list() -> Failure {
    let what = text!("cursor: not one of this list", "cursor：不是此列表的游标");
    Failure::new(422, "invalid", what).at("cursor")
}

/// A page of a list, and the way to the next one.
pub(crate) struct Listed<T> {
    pub(crate) shown: Vec<T>,
    pub(crate) next: Option<HeaderValue>,
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let link = self.next.map(|it| [(header::LINK, it)]);
        (link.map(HeaderMap::from_iter).unwrap_or_default(), Json(self.shown)).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_link_asks_for_the_same() {
        let query = PageQuery { limit: Some(2), cursor: String::new(), search: "a&b".to_owned() };
        let link = query.link("/api/v1/extensions", "10+1").expect("a limit");
        assert_eq!(link, "</api/v1/extensions?limit=2&cursor=10%2B1&search=a%26b>; rel=\"next\"");
        let ended = query.link("/api/v1/calls?ended=true", "1").expect("a limit");
        assert_eq!(ended, "</api/v1/calls?ended=true&limit=2&cursor=1&search=a%26b>; rel=\"next\"");
        let found = vec!["1", "2", "3"];
        let listed = query.listed("/", found.clone(), |it| (*it).to_owned());
        assert_eq!((listed.shown, listed.next.is_some()), (vec!["1", "2"], true));
        let whole = PageQuery::default().listed("/", found, |it| (*it).to_owned());
        assert_eq!((whole.shown.len(), whole.next), (3, None));
        let many: Vec<u32> = (0..=LIMIT).collect();
        let first = PageQuery::default().listed("/", many, ToString::to_string);
        let next = "</?limit=100&cursor=99>; rel=\"next\"";
        assert_eq!((first.shown.len(), first.next.unwrap()), (100, next.parse().unwrap()));
    }
}
