//! One attempt: the request goes out, and its answer is looked at no further than its status.

use super::attempt::Outcome;
use super::sign::signature;
use crate::resource::Failure;
use axum::body::Body;
use axum::http::uri::Scheme;
use axum::http::{Request, Uri, header};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use pbx::text;
use pbx::time::UnixMillis;
use std::time::Duration;
use store::db::{Delivery, Webhook};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Everything of one attempt, from the name's address to the status.
const ATTEMPT: Duration = Duration::from_secs(15);
const HTTP_PORT: u16 = 80;
const URL_CHARS_MAX: usize = 2000;

/// An address that events can be sent to.
///
/// Addresses of this machine and of private networks are as good as any: there the programs of a small office are.
pub(super) fn target(url: &str) -> Result<Uri, Failure> {
    let refuse = |detail| Err(Failure::new(422, "invalid", detail).about("url"));
    let parsed = url.parse::<Uri>().ok().filter(|_| url.len() <= URL_CHARS_MAX);
    let authority = parsed.as_ref().and_then(|it| it.authority());
    let (Some(uri), Some(authority)) = (&parsed, authority) else {
        return refuse(text!(
            "url: it must be http://HOST[:PORT]/PATH, as http://192.168.1.5:9000/calls",
            "url：应为 http://主机[:端口]/路径，例如http://192.168.1.5:9000/calls"
        ));
    };
    if authority.as_str().contains('@') {
        return refuse(text!(
            "url: no user name or password; the signature proves who sends",
            "url：不能包含用户名或密码；签名可证明发送者"
        ));
    }
    match uri.scheme() {
        Some(it) if *it == Scheme::HTTP => Ok(uri.clone()),
        Some(it) if *it == Scheme::HTTPS => refuse(text!(
            "url: this program has no TLS library for webhooks, so https:// is not possible. Use http:// in \
             your own network, or a proxy on this machine that speaks TLS",
            "url：本程序的Webhook没有TLS库，不支持https://。请在内网中使用http://，或通过本机上支持TLS的代理"
        )),
        Some(_) | None => refuse(text!("url: it must begin with http://", "url：应以http://开头")),
    }
}

/// Sends it. Redirects are not followed: nobody but the administrator says where events go.
pub(super) async fn attempt(hook: &Webhook, delivery: &Delivery, now: UnixMillis) -> Outcome {
    match tokio::time::timeout(ATTEMPT, exchange(hook, delivery, now)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer in {} s", ATTEMPT.as_secs())),
    }
}

async fn exchange(hook: &Webhook, delivery: &Delivery, now: UnixMillis) -> Outcome {
    let uri = target(&hook.url).map_err(|it| it.detail_en)?;
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    // Of an IPv6 address without its brackets.
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(HTTP_PORT);
    let stream = TcpStream::connect((host, port)).await.map_err(|it| it.to_string())?;
    let handshake = handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|it| it.to_string())?;
    // Ends with this attempt.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // The request reports what goes wrong.
        let _ = connection.await;
    });
    let timestamp = now.seconds();
    let secrets = secrets(hook, now);
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let request = Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("dialtone/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &delivery.event)
        .header("webhook-timestamp", timestamp.to_string())
        .header(
            "webhook-signature",
            signature(&secrets, &delivery.event, timestamp, &delivery.body),
        )
        .body(Body::from(delivery.body.clone()))
        .map_err(|it| it.to_string())?;
    let answer = sender.send_request(request).await.map_err(|it| it.to_string())?;
    Ok(answer.status().as_u16())
}

/// Those that sign now: for a day after a new one was made, the old one too.
fn secrets(hook: &Webhook, now: UnixMillis) -> Vec<&str> {
    let previous = hook.previous.as_ref().filter(|(_, until)| now < *until);
    std::iter::once(&*hook.secret).chain(previous.map(|(it, _)| &**it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_table() {
        #[rustfmt::skip]
        let table = [
            ("http://192.168.1.5:9000/calls?x=1", None),
            ("http://[::1]/",                     None),
            ("http://crm",                        None),
            ("https://crm.example.com/",          Some("no TLS library")),
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
}
