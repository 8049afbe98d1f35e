//! Webhooks: what an endpoint gets of a call, and what becomes of it where the endpoint fails.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::setup::{CALLER_MARK, office, registered};
use crate::clock;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, Server};

/// From the event to the endpoint.
const SOON: Duration = Duration::from_secs(2);
/// The first retry comes after 5 s.
const RETRY: Duration = Duration::from_secs(8);
const REQUESTS_MAX: usize = 100;

/// What came to the endpoint.
struct Got {
    head: String,
    body: String,
}

impl Got {
    fn field(&self, name: &str) -> Result<&str> {
        let mut lines = self.head.lines().filter_map(|it| it.split_once(": "));
        let found = lines.find(|it| it.0.eq_ignore_ascii_case(name));
        found.map(|it| it.1).with_context(|| format!("no {name} in {}", self.head))
    }

    /// Signed by this secret, as Standard Webhooks has it.
    fn is_signed_by(&self, secret: &str) -> Result<bool> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").context("no secret")?)?;
        let (id, timestamp) = (self.field("webhook-id")?, self.field("webhook-timestamp")?);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        mac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        Ok(self.field("webhook-signature")?.split(' ').any(|it| it == expected))
    }
}

/// An endpoint that gives these answers, the last of them for ever.
fn endpoint(answers: &'static [u16]) -> Result<(SocketAddr, Receiver<Got>)> {
    let listener = TcpListener::bind((LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (found, got) = sync_channel(REQUESTS_MAX);
    std::thread::Builder::new().name("endpoint".to_owned()).spawn(move || {
        let mut answers = answers.iter().copied();
        let mut last = 204;
        // It ends when the case has ended and nobody takes what came.
        for stream in listener.incoming().filter_map(Result::ok) {
            last = answers.next().unwrap_or(last);
            let Ok(request) = serve(stream, last) else { continue };
            if found.send(request).is_err() {
                return;
            }
        }
    })?;
    Ok((address, got))
}

fn serve(mut stream: TcpStream, status: u16) -> Result<Got> {
    stream.set_read_timeout(Some(SOON))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "cut off: {head}");
    }
    let got = Got { head, body: String::new() };
    let length = got.field("content-length")?.trim().parse()?;
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    write!(stream, "HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(Got { body, ..got })
}

/// The end of a call comes signed with its verdict, again after a failure, with a new secret beside the old one; an
/// endpoint that is gone gets nothing more.
pub(super) fn webhook_of_a_call(context: &Context) -> Result<()> {
    let server = office(context)?;
    let (address, got) = endpoint(&[500, 204, 204, 410])?;
    let url = format!("http://{address}/calls");
    let made = server.json(&["webhook", "add", &url, "--types", "call.ended"])?;
    let (id, secret) = (text(&made["id"])?, text(&made["secret"])?);
    let refused = server.cli(&["webhook", "add", "http://169.254.169.254/"])?;
    ensure!(refused.code != 0 && refused.stderr.contains("this address"), "{refused:?}");

    fail_a_call(&server)?;
    let first = got.recv_timeout(SOON).context("nothing was sent")?;
    ensure!(first.head.starts_with("POST /calls HTTP/1.1"), "{}", first.head);
    ensure!(first.is_signed_by(&secret)?, "the signature is wrong: {}", first.head);
    let event: Value = serde_json::from_str(&first.body)?;
    ensure!(event["type"] == "call.ended", "{event}");
    ensure!(event["data"]["verdict"]["code"] == "callee.not_registered", "{event}");
    ensure!(event["id"] == first.field("webhook-id")?, "{}", first.head);
    let again = got.recv_timeout(RETRY).context("it was not sent again")?;
    ensure!(again.body == first.body && again.is_signed_by(&secret)?, "{}", again.head);
    ensure!(again.field("webhook-id")? == first.field("webhook-id")?, "{}", again.head);
    wait_for(&server, &id, "delivered", 2)?;

    let rotated = server.json(&["webhook", "rotate", &id])?;
    let other = text(&rotated["secret"])?;
    ensure!(other != secret, "the secret is the same");
    fail_a_call(&server)?;
    let both = got.recv_timeout(SOON).context("nothing after the rotation")?;
    ensure!(both.is_signed_by(&secret)? && both.is_signed_by(&other)?, "{}", both.head);
    wait_for(&server, &id, "delivered", 1)?;

    fail_a_call(&server)?;
    got.recv_timeout(SOON).context("nothing for the endpoint that goes")?;
    wait_for(&server, &id, "parked", 1)?;
    let all = server.json(&["webhook", "list"])?;
    ensure!(all[0]["gone"] == true && all[0]["enabled"] == false, "{all}");
    ensure!(!all.to_string().contains("whsec_"), "a secret is shown: {all}");
    fail_a_call(&server)?;
    ensure!(got.recv_timeout(SOON).is_err(), "it went to an endpoint that is gone");
    Ok(())
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("no text")?.to_owned())
}

/// 100 calls 109, where nobody is.
fn fail_a_call(server: &Server) -> Result<()> {
    let mut caller = registered(server, "100")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("109", &media.sdp()?)?;
    let answer = caller.expect(&sent, 480)?;
    caller.ack_refusal(&sent, &answer)
}

/// Waits until the newest delivery is in this state after so many attempts.
fn wait_for(server: &Server, id: &str, state: &str, attempts: u64) -> Result<()> {
    let mut seen = Value::Null;
    let found = clock::wait_for("the delivery's end", SOON, || {
        seen = server.json(&["webhook", "log", id])?[0].clone();
        Ok((seen["state"] == state && seen["attempts"] == attempts).then_some(()))
    });
    found.with_context(|| format!("not {state} after {attempts}: {seen}"))
}
