//! Certificates made, installed and refused, and what clients make of them.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::access::Peer;
use crate::certificate::made::self_signed;
use crate::serve_tls;
use axum::Router;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::os::unix::fs::PermissionsExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

const NOW: UnixMillis = UnixMillis(1_795_622_400_000);
const DAY: u64 = 24 * 3600 * 1000;

/// The client's clock is the machine's.
#[expect(clippy::disallowed_methods, reason = "a client that is not ours reads the clock")]
fn present() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis().try_into().unwrap())
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|&it| it.to_owned()).collect()
}

fn open(folder: &tempfile::TempDir, for_names: &[&str], now: UnixMillis) -> Certificate {
    Certificate::open(folder.path().join("certs"), names(for_names), now).unwrap()
}

#[test]
fn the_servers_own_lasts_until_it_ends_or_is_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder, &["localhost", "192.168.1.2"], NOW).shown();
    assert_eq!(first.names, ["localhost", "192.168.1.2"]);
    assert!(first.self_signed && !first.ends_soon(NOW));
    let end = |days: u64| UnixMillis(NOW.0 + days * DAY);
    assert!(first.ends_before(end(398)) && !first.ends_before(end(396)), "{first:?}");
    assert_eq!(open(&folder, &["localhost"], NOW).shown(), first, "still right");

    let other = open(&folder, &["localhost", "10.0.0.7"], NOW).shown();
    assert_eq!(other.names, ["localhost", "10.0.0.7"]);
    let later = UnixMillis(NOW.0 + 380 * DAY);
    let certificate = open(&folder, &["localhost"], NOW);
    certificate.renew(later).unwrap();
    assert!(certificate.shown().ends_at > other.ends_at, "renewed");
}

#[test]
fn an_installed_one_is_shown_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = open(&folder, &["localhost"], NOW);
    let given = self_signed(&names(&["pbx.example.com"]), NOW).unwrap();
    let shown = certificate.install(&given.chain, &given.key, NOW).unwrap();
    assert_eq!((&*shown.names, shown.self_signed), (&*names(&["pbx.example.com"]), false));
    assert_eq!(open(&folder, &["localhost"], NOW).shown(), shown, "after a restart");
    let file = folder.path().join("certs/installed.pem");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(certificate.reset(NOW).unwrap().self_signed);
    assert!(open(&folder, &["localhost"], NOW).shown().self_signed);
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = open(&folder, &["localhost"], NOW);
    let before = certificate.shown();
    let one = self_signed(&names(&["a.example"]), NOW).unwrap();
    let other = self_signed(&names(&["b.example"]), NOW).unwrap();
    let long = one.chain.repeat(11);
    let ended = UnixMillis(NOW.0 + 400 * DAY);
    let early = UnixMillis(NOW.0 - 400 * DAY);
    #[rustfmt::skip]
    let table = [
        ("",         &*one.key,   NOW,   "chain", "there is no certificate"),
        ("nonsense", &one.key,    NOW,   "chain", "there is no certificate"),
        (&one.chain, "",          NOW,   "key",   "there is no private key"),
        (&one.chain, &one.chain,  NOW,   "key",   "there is no private key"),
        (&one.chain, &other.key,  NOW,   "key",   "cannot be used together"),
        (&long,      &one.key,    NOW,   "chain", "more than 10"),
        (&one.chain, &one.key,    ended, "chain", "ended on 2027-"),
        (&one.chain, &one.key,    early, "chain", "begins on 2026-"),
    ];
    for (chain, key, now, field, says) in table {
        let refused = certificate.install(chain, key, now).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field));
        assert!(refused.detail_en.contains(says), "{}", refused.detail_en);
        assert_eq!(certificate.shown(), before);
    }
    assert!(!folder.path().join("certs/installed.pem").exists());
}

/// A phone server does not stay down for the sake of its pages.
#[test]
fn one_that_cannot_be_read_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let given = self_signed(&names(&["pbx.example.com"]), NOW).unwrap();
    open(&folder, &["localhost"], NOW).install(&given.chain, &given.key, NOW).unwrap();
    let file = folder.path().join("certs/installed.pem");
    std::fs::write(&file, "half of a certif").unwrap();
    let own = open(&folder, &["localhost"], NOW);
    assert!(own.shown().self_signed && own.shown().is_unusable);
    assert!(!own.reset(NOW).unwrap().is_unusable && !file.exists());
    // A folder in the place of the files: nothing can be read or kept.
    std::fs::remove_dir_all(folder.path().join("certs")).unwrap();
    for name in ["certs/installed.pem", "certs/self-signed.pem"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    assert!(open(&folder, &["localhost"], NOW).shown().self_signed);
}

/// What people keep beside their certificates, and as much of it as they like.
#[test]
fn comments_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let given = self_signed(&names(&["pbx.example.com"]), NOW).unwrap();
    let chain = format!("# private key\n{}{}", "x\n".repeat(200_000), given.chain);
    let key = format!("subject=/CN=\n{}", given.key);
    let shown = open(&folder, &["localhost"], NOW).install(&chain, &key, NOW).unwrap();
    assert_eq!(open(&folder, &["localhost"], NOW).shown(), shown, "after a restart");
    let kept = std::fs::read_to_string(folder.path().join("certs/installed.pem")).unwrap();
    assert!(kept.len() < 4096 && !kept.contains("subject="), "{kept}");
}

/// A request to a server that shows this certificate, by a client that trusts `root` alone.
async fn ask(certificate: Arc<Certificate>, root: &str, host: &str) -> std::io::Result<String> {
    let who = |axum::Extension(peer): axum::Extension<Peer>| async move { peer.tls.to_string() };
    let router = Router::new().route("/", axum::routing::get(who));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut servers = JoinSet::new();
    servers.spawn(serve_tls(listener, certificate, router));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_client_that_trusts_it_talks_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Arc::new(open(&folder, &["localhost", "127.0.0.1"], present()));
    let root = certificate.files.own().unwrap().unwrap().chain;
    let answer = ask(Arc::clone(&certificate), &root, "localhost").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("true"), "{answer}");
    assert!(ask(Arc::clone(&certificate), &root, "127.0.0.1").await.is_ok());
    assert!(ask(Arc::clone(&certificate), &root, "other.example").await.is_err());
    let other = self_signed(&names(&["localhost"]), present()).unwrap();
    assert!(ask(certificate, &other.chain, "localhost").await.is_err());
}
