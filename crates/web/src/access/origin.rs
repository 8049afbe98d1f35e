//! Whether a request comes from our own pages, by what the browser says of it.

use axum::http::HeaderMap;
use axum::http::header;
use std::net::IpAddr;

/// Programs that are no browsers send neither header; a browser does not let a page forge them.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    let by_fetch = match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => false,
    };
    let host = text(header::HOST.as_str()).unwrap_or_default();
    let by_origin = match text(header::ORIGIN.as_str()) {
        None => true,
        Some(origin) => {
            origin.split_once("://").is_some_and(|(_, it)| it.eq_ignore_ascii_case(host))
        }
    };
    by_fetch && by_origin
}

/// The path of our own page that the request comes from, where the browser says it.
pub(super) fn page(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let (_, rest) = text(header::REFERER)?.split_once("://")?;
    let (host, _) = rest.split_once('/')?;
    let path = rest.get(host.len()..)?.split(['?', '#']).next()?;
    host.eq_ignore_ascii_case(text(header::HOST)?).then_some(path)
}

/// Whether the host that was asked is one that nobody outside can make lead here: an address, or a name without a dot.
/// Else a page from anywhere could reach the open set-up through its visitor's browser (DNS rebinding).
pub(super) fn is_safe_host(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(it, _)| it),
        None => host.split_once(':').map_or(host, |(it, _)| it),
    };
    !name.is_empty() && (name.parse::<IpAddr>().is_ok() || !name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |it: &(&'static str, &'static str)| {
            (HeaderName::from_static(it.0), HeaderValue::from_static(it.1))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn page_table() {
        let host = ("host", "pbx:8080");
        #[rustfmt::skip]
        let table = [
            ("http://pbx:8080/extensions/100?saved=1", Some("/extensions/100")),
            ("https://PBX:8080/",                      Some("/")),
            ("http://pbx:8080",                        None),
            ("http://pbx:8081/extensions",             None),
            ("http://evil.example/extensions",         None),
            ("/extensions",                            None),
        ];
        for (referer, expected) in table {
            assert_eq!(page(&headers(&[host, ("referer", referer)])), expected, "{referer}");
        }
        assert_eq!(page(&headers(&[host])), None);
    }

    #[test]
    fn origin_table() {
        let host = ("host", "pbx:8080");
        #[rustfmt::skip]
        let table: [(&[(&'static str, &'static str)], bool); 9] = [
            (&[host],                                                              true),
            (&[host, ("origin", "http://pbx:8080")],                               true),
            (&[host, ("origin", "https://PBX:8080")],                              true),
            (&[host, ("origin", "http://pbx:8081")],                               false),
            (&[host, ("origin", "http://evil.example")],                           false),
            (&[host, ("origin", "null")],                                          false),
            (&[host, ("sec-fetch-site", "same-origin")],                           true),
            (&[host, ("sec-fetch-site", "same-site")],                             false),
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://pbx:8080")], false),
        ];
        for (pairs, expected) in table {
            assert_eq!(is_own(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn host_table() {
        #[rustfmt::skip]
        let table = [
            ("localhost:8080",     true),
            ("pbx",                true),
            ("192.168.1.10:8080",  true),
            ("[::1]:8080",         true),
            ("[fd00::1]",          true),
            ("evil.example:8080",  false),
            ("[evil.example]",     false),
            ("1.2.3.4.evil.example", false),
            ("",                   false),
        ];
        for (host, expected) in table {
            assert_eq!(is_safe_host(&headers(&[("host", host)])), expected, "{host}");
        }
        assert!(!is_safe_host(&HeaderMap::new()));
    }
}
