//! Whoever asks without TLS is sent to the listener that has it, once that has a certificate browsers do not warn of.
//!
//! HSTS (RFC 6797) keeps the port of an address that names one (§8.3): a browser that has heard it would speak TLS to the
//! listener that has none. So it is said only where the addresses of both need no port.

use super::source::{Peer, Source};
use crate::Office;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::time::Duration;

/// Phones take their configuration here once; not all of them follow.
const PROVISION: &str = "/provision/";
/// Of addresses that name no port.
const HTTPS_PORT: u16 = 443;
/// How long a browser speaks TLS only, at most: half a year. Never longer than the certificate lasts, as then nobody could
/// look past that it has ended.
const STRICT_MAX: Duration = Duration::from_secs(15_768_000);

/// The same address over TLS; `None`: it is served as it was asked.
pub(super) fn target(office: &Office, parts: &Parts) -> Option<String> {
    let port = office.redirect?;
    let peer = parts.extensions.get::<Peer>().filter(|it| !it.tls)?;
    let source = Source::of(*peer, &parts.headers);
    // On this machine nobody listens on the way, and what a proxy is asked by is its own affair.
    if source.is_here() || source.is_forwarded() || trusted_for(office).is_none() {
        return None;
    }
    let path = parts.uri.path_and_query()?.as_str();
    if path.starts_with(PROVISION) {
        return None;
    }
    let name = name(&parts.headers)?;
    let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
    Some(format!("https://{name}{port}{path}"))
}

/// That a browser is to use TLS only from now on, and how long (RFC 6797 §6.1.1).
pub(super) fn strict(office: &Office, peer: Option<&Peer>) -> Option<String> {
    let is_tls = peer.is_some_and(|it| it.tls);
    let lasts = trusted_for(office)
        .filter(|_| is_tls && office.redirect == Some(HTTPS_PORT))?
        .min(STRICT_MAX);
    Some(format!("max-age={}", lasts.as_secs()))
}

fn trusted_for(office: &Office) -> Option<Duration> {
    office.certificate.as_ref()?.shown().trusted_for(office.running.now())
}

/// The host that was asked, without its port.
fn name(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let name = host.get(..end)?;
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-.:[]".contains(&it);
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::certificate::Certificate;
    use crate::scene::{HERE, OFFICE, Scene, WORLD};
    use axum::http::{HeaderValue, Request};
    use pbx::time::UnixMillis;
    use std::sync::Arc;

    #[test]
    fn name_table() {
        #[rustfmt::skip]
        let table = [
            ("pbx.example.com:8080", Some("pbx.example.com")),
            ("192.168.1.1",          Some("192.168.1.1")),
            ("[2001:db8::1]:8080",   Some("[2001:db8::1]")),
            ("evil/path",            None),
            ("[2001:db8::1",         None),
            ("",                     None),
        ];
        for (host, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(name(&headers), expected, "{host}");
        }
    }

    /// An office with a certificate that somebody has installed, or with its own.
    async fn office(installed: bool, port: u16) -> (Office, tempfile::TempDir) {
        let scene = Scene::new().await;
        let folder = tempfile::tempdir().unwrap();
        let now = UnixMillis(1_795_659_300_000);
        let names = vec!["pbx.example.com".to_owned()];
        let certificate = Certificate::open(folder.path().to_owned(), names, now).unwrap();
        if installed {
            let made = rcgen::generate_simple_self_signed(["pbx.example.com".to_owned()]).unwrap();
            let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
            certificate.install(&chain, &key, now).unwrap();
        }
        (scene.office.certified(Arc::new(certificate)).redirecting(port), folder)
    }

    fn parts(from: &str, tls: bool, path: &str, proxy: bool) -> Parts {
        let mut request = Request::builder().uri(path).header("host", "pbx.example.com:8080");
        if proxy {
            request = request.header("x-forwarded-for", "127.0.0.1");
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(Peer { address: from.parse().unwrap(), tls });
        request.into_parts().0
    }

    #[tokio::test]
    async fn redirect_table() {
        let (with, _folder) = office(true, 8443).await;
        let (own, _other) = office(false, 8443).await;
        #[rustfmt::skip]
        let table = [
            (OFFICE, false, "/extensions?q=1", false, Some("https://pbx.example.com:8443/extensions?q=1")),
            (WORLD,  false, "/api/v1/status",  false, Some("https://pbx.example.com:8443/api/v1/status")),
            (OFFICE, false, "//evil.example/", false, Some("https://pbx.example.com:8443//evil.example/")),
            (OFFICE, true,  "/extensions",     false, None),
            (HERE,   false, "/extensions",     false, None),
            (HERE,   false, "/extensions",     true,  None),
            (OFFICE, false, "/provision/abc",  false, None),
        ];
        for (from, tls, path, proxy, expected) in table {
            let parts = parts(from, tls, path, proxy);
            assert_eq!(target(&with, &parts).as_deref(), expected, "{from} {tls} {path}");
            assert_eq!(target(&own, &parts), None, "browsers would warn");
        }
    }

    /// Who has it installed may be on holiday when it ends: browsers warn, and nobody is kept out.
    #[tokio::test]
    async fn a_certificate_that_ends_locks_nobody_out() {
        let (scene, now) = (Scene::new().await, UnixMillis(1_795_659_300_000));
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::open(folder.path().to_owned(), vec![], now).unwrap();
        let mut params = rcgen::CertificateParams::new(["pbx.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2026, 11, 28);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        certificate.install(&made.pem(), &key.serialize_pem(), now).unwrap();
        let office = scene.office.clone().certified(Arc::new(certificate)).redirecting(443);
        let tls = Peer { address: OFFICE.parse().unwrap(), tls: true };
        let seconds = |office: &Office| -> Option<u64> {
            strict(office, Some(&tls))?.strip_prefix("max-age=")?.parse().ok()
        };
        let left = seconds(&office).unwrap();
        assert!((1..3 * 24 * 3600).contains(&left), "{left}");
        let plain = parts(OFFICE, false, "/", false);
        assert!(target(&office, &plain).is_some());
        scene.server.wait(Duration::from_secs(left + 1));
        assert_eq!((seconds(&office), target(&office, &plain)), (None, None));
    }

    #[tokio::test]
    async fn strict_only_where_no_address_names_a_port() {
        let tls = Peer { address: OFFICE.parse().unwrap(), tls: true };
        let plain = Peer { tls: false, ..tls };
        let (usual, _one) = office(true, 443).await;
        assert_eq!(strict(&usual, Some(&tls)).as_deref(), Some("max-age=15768000"));
        assert_eq!(strict(&usual, Some(&plain)), None);
        let (other, _two) = office(true, 8443).await;
        assert_eq!(strict(&other, Some(&tls)), None);
        let (own, _three) = office(false, 443).await;
        assert_eq!(strict(&own, Some(&tls)), None);
    }
}
