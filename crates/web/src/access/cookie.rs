//! The cookies of the administration.

use axum::http::{HeaderMap, HeaderValue, header};

/// Holds the token of a session.
pub const SESSION_COOKIE: &str = "dialtone_session";
/// Holds the language that pages were switched to.
pub(crate) const LANGUAGE_COOKIE: &str = "lang";

/// The value of a cookie.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|it| it.to_str().ok());
    let mut pairs = texts.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value)
}

/// Whether the browser speaks TLS, to a proxy at least.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|it| it == "https")
}

/// Scripts do not see it, other sites do not send it. It ends with the browser; the server ends it earlier.
pub(super) fn set(token: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

pub(super) fn clear() -> HeaderValue {
    HeaderValue::from_static("dialtone_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_session_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xdialtone_session=no"));
        headers.append(header::COOKIE, HeaderValue::from_static("dialtone_session=abc; b=2"));
        assert_eq!(find(&headers, SESSION_COOKIE), Some("abc"));
        assert_eq!(find(&headers, "c"), None);
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
        let plain = set("abc", false).unwrap();
        assert_eq!(plain, "dialtone_session=abc; Path=/; HttpOnly; SameSite=Strict");
        assert!(set("abc", true).unwrap().to_str().unwrap().ends_with("; Secure"));
        assert!(clear().to_str().unwrap().starts_with(SESSION_COOKIE));
    }
}
