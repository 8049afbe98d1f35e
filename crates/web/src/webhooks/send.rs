//! One attempt: the request goes out, and its answer is looked at no further than its status.

use super::attempt::{Outcome, Trouble};
use super::sign::signature;
use crate::resource::Failure;
use axum::body::Body;
use axum::http::uri::Scheme;
use axum::http::{Request, Uri, header};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use pbx::text;
use pbx::time::UnixMillis;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::db::{Delivery, Webhook};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Everything of one attempt, from the name's address to the status.
const ATTEMPT: Duration = Duration::from_secs(15);
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
const URL_CHARS_MAX: usize = 2000;

/// Who an endpoint that speaks TLS must be believed by; `None`: it is asked without.
pub(super) type Trusted = Option<Result<Arc<ClientConfig>, Trouble>>;

/// An address that events can be sent to.
///
/// Addresses of this machine and of private networks are as good as any: there the programs of a small office are.
pub(super) fn target(url: &str) -> Result<Uri, Failure> {
    let refuse = |detail| Err(Failure::new(422, "invalid", detail).about("url"));
    let parsed = url.parse::<Uri>().ok().filter(|_| url.len() <= URL_CHARS_MAX);
    let authority = parsed.as_ref().and_then(|it| it.authority());
    let (Some(uri), Some(authority)) = (&parsed, authority) else {
        return refuse(text!(
            "url: it must be http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH, as http://192.168.1.5:9000/calls",
            "url：应为 http://主机[:端口]/路径 或 https://主机[:端口]/路径，例如http://192.168.1.5:9000/calls"
        ));
    };
    if authority.as_str().contains('@') {
        return refuse(text!(
            "url: no user name or password; the signature proves who sends",
            "url：不能包含用户名或密码；签名可证明发送者"
        ));
    }
    if !uri.scheme().is_some_and(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it)) {
        return refuse(text!(
            "url: it must begin with http:// or https://",
            "url：应以http://或https://开头"
        ));
    }
    if host(uri).parse().is_ok_and(|it| !may_be_sent_to(it)) {
        return refuse(text!(
            "url: nothing is sent to this address: it is no program's of your network",
            "url：不向该地址发送：它不是您网络中程序的地址"
        ));
    }
    Ok(uri.clone())
}

pub(super) fn is_tls(hook: &Webhook) -> bool {
    hook.url.parse::<Uri>().is_ok_and(|it| it.scheme() == Some(&Scheme::HTTPS))
}

/// Of an IPv6 address without its brackets.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

/// Where machines of a cloud ask who they are (link-local), and where nobody is.
fn may_be_sent_to(address: IpAddr) -> bool {
    let is_link_local = match address.to_canonical() {
        IpAddr::V4(it) => it.is_link_local() || it.is_broadcast(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    let address = address.to_canonical();
    !is_link_local && !address.is_multicast() && !address.is_unspecified()
}

/// Sends it. Redirects are not followed: nobody but the administrator says where events go.
pub(super) async fn attempt(
    hook: &Webhook,
    delivery: &Delivery,
    trusted: Trusted,
    now: UnixMillis,
) -> Outcome {
    let sent = tokio::time::timeout(ATTEMPT, exchange(hook, delivery, trusted, now)).await;
    sent.unwrap_or(Err(Trouble::Silent))
}

async fn exchange(
    hook: &Webhook,
    delivery: &Delivery,
    trusted: Trusted,
    now: UnixMillis,
) -> Outcome {
    let uri = target(&hook.url).map_err(|it| Trouble::Name(it.detail_en.into()))?;
    let usual = if trusted.is_some() { HTTPS_PORT } else { HTTP_PORT };
    let (host, port) = (host(&uri), uri.port_u16().unwrap_or(usual));
    let stream = connect(host, port).await?;
    let request = request(hook, delivery, &uri, now)?;
    let Some(config) = trusted else { return ask(stream, request).await };
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|it| Trouble::Tls(it.to_string()))?;
    let stream = TlsConnector::from(config?).connect(name, stream).await;
    ask(stream.map_err(|it| Trouble::Tls(it.to_string()))?, request).await
}

/// The name may lead elsewhere today than when the endpoint was added.
async fn connect(host: &str, port: u16) -> Result<TcpStream, Trouble> {
    let found = lookup_host((host, port)).await.map_err(|it| Trouble::Name(it.to_string()))?;
    let mut last = Trouble::Name("nothing is sent to its address".to_owned());
    for address in found.filter(|it| may_be_sent_to(it.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Trouble::Connection(error.to_string()),
        }
    }
    Err(last)
}

fn request(
    hook: &Webhook,
    delivery: &Delivery,
    uri: &Uri,
    now: UnixMillis,
) -> Result<Request<Body>, Trouble> {
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let timestamp = now.seconds();
    let secrets = secrets(hook, now);
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let signed = signature(&secrets, &delivery.event, timestamp, &delivery.body);
    Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("dialtone/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &delivery.event)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signed)
        .body(Body::from(delivery.body.clone()))
        .map_err(broken)
}

async fn ask<S>(stream: S, request: Request<Body>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this attempt.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // The request reports what goes wrong.
        let _ = connection.await;
    });
    let answer = sender.send_request(request).await.map_err(broken)?;
    Ok(answer.status().as_u16())
}

fn broken(error: impl ToString) -> Trouble {
    Trouble::Broken(error.to_string())
}

/// Those that sign now: for a day after a new one was made, the old one too.
fn secrets(hook: &Webhook, now: UnixMillis) -> Vec<&str> {
    let previous = hook.previous.as_ref().filter(|(_, until)| now < *until);
    std::iter::once(&*hook.secret).chain(previous.map(|(it, _)| &**it)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::certificate::Certificate;
    use crate::webhooks::trust::Trust;

    #[test]
    fn target_table() {
        #[rustfmt::skip]
        let table = [
            ("http://192.168.1.5:9000/calls?x=1", None),
            ("http://[::1]/",                     None),
            ("http://crm",                        None),
            ("https://crm.example.com/",          None),
            ("http://169.254.169.254/latest",     Some("nothing is sent to this address")),
            ("http://[fe80::1]/",                 Some("nothing is sent to this address")),
            ("http://[::ffff:169.254.0.1]/",      Some("nothing is sent to this address")),
            ("https://0.0.0.0/",                  Some("nothing is sent to this address")),
            ("ftp://crm/",                        Some("begin with http://")),
            ("http://user:word@crm/",             Some("no user name")),
            ("/calls",                            Some("http://HOST")),
            ("crm",                               Some("begin with http://")),
            ("http://crm/ x",                     Some("http://HOST")),
            ("",                                  Some("http://HOST")),
        ];
        for (url, expected) in table {
            let refused = target(url).err();
            let told = refused.as_ref().map(|it| &*it.detail_en).unwrap_or_default();
            assert_eq!(refused.is_some(), expected.is_some(), "{url}: {told}");
            assert!(told.contains(expected.unwrap_or_default()), "{url}: {told}");
        }
    }

    /// An endpoint that shows this certificate, and what came of an attempt by who trusts another's or this.
    async fn ask_endpoint(host: &str, trusts_it: bool) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let open = |name: &str| {
            let certificate = Certificate::open(folder.path().join(name), names.clone(), present());
            (certificate.unwrap(), folder.path().join(name).join("self-signed.pem"))
        };
        let (shown, its) = open("shown");
        let (_, anothers) = open("another");
        let router = axum::Router::new().route("/calls", axum::routing::post(|| async {}));
        let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut servers = JoinSet::new();
        servers.spawn(crate::serve_tls(listener, Arc::new(shown), router));
        let hook = Webhook {
            id: "wh-1".to_owned(),
            url: format!("https://{host}:{port}/calls"),
            types: String::new(),
            description: String::new(),
            enabled: true,
            gone: false,
            secret: crate::webhooks::sign::generate().unwrap(),
            previous: None,
            created_at: UnixMillis(0),
        };
        assert!(is_tls(&hook));
        let delivery = Delivery {
            id: 1,
            webhook: hook.id.clone(),
            event: "1-1".to_owned(),
            kind: "call.ended".to_owned(),
            body: "{}".to_owned(),
            state: store::db::DeliveryState::Waiting,
            attempts: 0,
            next_at: UnixMillis(0),
            status: None,
            error: None,
            created_at: UnixMillis(0),
            tried_at: None,
        };
        let trust = Trust::only(if trusts_it { &its } else { &anothers });
        attempt(&hook, &delivery, Some(Ok(trust.known().unwrap())), present()).await
    }

    /// The client's clock is the machine's.
    #[expect(clippy::disallowed_methods, reason = "a client that is not ours reads the clock")]
    fn present() -> UnixMillis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        UnixMillis(since.as_millis().try_into().unwrap())
    }

    #[tokio::test]
    async fn an_endpoint_over_tls_must_be_who_it_says() {
        assert_eq!(ask_endpoint("localhost", true).await, Ok(200));
        for (host, trusts_it) in [("localhost", false), ("127.0.0.2", true)] {
            let refused = ask_endpoint(host, trusts_it).await;
            assert!(matches!(refused, Err(Trouble::Tls(_))), "{host}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_where_nothing_is_sent_to_is_told() {
        let found = connect("169.254.169.254", 80).await.unwrap_err();
        assert!(matches!(found, Trouble::Name(_)), "{found:?}");
    }
}
