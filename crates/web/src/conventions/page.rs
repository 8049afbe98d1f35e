//! Lists page by page: `?limit&cursor`, and the way to the next page as a link (RFC 8288).

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of a page at most.
pub(crate) const LIMIT_MAX: u32 = 1000;

/// Which part of a list; all of it where no limit is given.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PageQuery {
    pub(crate) limit: Option<u32>,
    /// As the link of the page before has it.
    pub(crate) cursor: String,
    /// Part of a number or name.
    pub(crate) search: String,
}

impl PageQuery {
    /// The value of `Link` that leads on from the row with this key.
    pub(crate) fn link(&self, path: &str, last: &str) -> Option<HeaderValue> {
        let limit = self.limit?;
        let escaped = |it: &str| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string();
        let (cursor, mut search) = (escaped(last), escaped(&self.search));
        if !search.is_empty() {
            search.insert_str(0, "&search=");
        }
        let text = format!("<{path}?limit={limit}&cursor={cursor}{search}>; rel=\"next\"");
        HeaderValue::from_str(&text).ok()
    }
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
    use super::*;

    #[test]
    fn the_link_asks_for_the_same() {
        let query = PageQuery { limit: Some(2), cursor: String::new(), search: "a&b".to_owned() };
        let link = query.link("/api/v1/extensions", "10+1").expect("a limit");
        assert_eq!(link, "</api/v1/extensions?limit=2&cursor=10%2B1&search=a%26b>; rel=\"next\"");
        assert_eq!(PageQuery::default().link("/", "1"), None);
    }
}
