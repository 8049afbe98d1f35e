//! Calls that the server places, by command and by the programs made for miniSIPServer, between real phones.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::phones::{ALICE_HZ, BOB_HZ, HEARD_S, phones_at};
use crate::baresip::Baresip;
use crate::clock;
use crate::http::Request;
use crate::report::Context;
use crate::server::{LOCALHOST, Server};

/// For an answer of the server.
const SOON: Duration = Duration::from_secs(5);
/// No answer comes.
const NEVER: Duration = Duration::from_millis(500);

/// The ringing tone.
const RINGING_HZ: u32 = 425;
/// So much of its first second.
const RINGING_S: f64 = 0.5;

/// A stranger on the same machine.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// 101 is called first and answers, then 100: 101 hears that it rings, and both hear each other.
pub(super) fn placed_call(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    server.add("100-101", &[])?;
    let (mut alice, mut bob) = phones_at(context, &server, [LOCALHOST; 2], "udp")?;
    let placed = server.json(&["calls", "place", "101", "100", "--auto-answer"])?;
    bob.wait("CALL_ESTABLISHED")?;
    alice.wait("CALL_INCOMING")?;
    bob.wait_heard(RINGING_HZ, RINGING_S)?;
    talk(&mut alice, &mut bob)?;
    alice.hang_up()?;
    bob.wait("CALL_CLOSED")?;
    let records = server.wait_records(2)?;
    let of = |code: &str| records.iter().find(|it| it["release_code"] == code);
    let first = of("system.joined").with_context(|| format!("{records:?}"))?;
    let second = of("callee.hangup").with_context(|| format!("{records:?}"))?;
    ensure!(first["call_id"] == placed["id"] && second["linked_call_id"] == placed["id"]);
    ensure!(second["caller_number"] == "101" && second["dialled_number"] == "100", "{second}");
    let fci = second["fci"].as_str().unwrap_or_default();
    ensure!(fci.ends_with("placedBy=cli"), "{fci}");

    // Nobody answers the second leg: 101 is released, and the record says why.
    server.json(&["ext", "add", "105"])?;
    server.json(&["calls", "place", "101", "105"])?;
    bob.wait("CALL_ESTABLISHED")?;
    bob.wait("CALL_CLOSED")?;
    let records = server.wait_records(4)?;
    ensure!(
        records.iter().any(|it| it["release_code"] == "system.not_joined"),
        "no verdict among {records:?}"
    );
    Ok(())
}

/// Alice answers, and each hears the other one's tone.
fn talk(alice: &mut Baresip, bob: &mut Baresip) -> Result<()> {
    alice.answer()?;
    alice.wait("CALL_ESTABLISHED")?;
    alice.wait_heard(BOB_HZ, HEARD_S)?;
    // Bob was asked a second time for his description: see there.
    let before = bob.said(ALICE_HZ)?;
    bob.repeat_what_is_heard()?;
    bob.wait_said(ALICE_HZ, before + HEARD_S)?;
    bob.play_tone()
}

/// A program made for miniSIPServer: asks for an extension, listens, orders a call-back and cancels it.
pub(super) fn compatible(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    server.add("100-101", &[])?;
    let (mut alice, mut bob) = phones_at(context, &server, [LOCALHOST; 2], "udp")?;
    let [orders, channel] = [free_port()?, free_port()?];
    for (key, value) in [
        ("mss_openapi", "true"),
        ("call_back_port", &orders.to_string()),
        ("event_channel_port", &channel.to_string()),
    ] {
        server.json(&["setting", "set", key, value])?;
    }
    openapi(&server)?;

    let mut events = clock::wait_for("the event channel", SOON, || Ok(listen(channel).ok()))?;
    let own = UdpSocket::bind((LOCALHOST, 0))?;
    let to = SocketAddr::new(LOCALHOST, orders);
    let order = "REQUEST: id=42, caller1=100, called1=101, called2=100, duration=600";
    let ack = clock::wait_for("the call-back's port", SOON, || {
        own.send_to(order.as_bytes(), to)?;
        hear(&own, NEVER)
    })?;
    ensure!(ack == "ACK: id=42, result=0", "{ack}");
    bob.wait("CALL_ESTABLISHED")?;
    alice.wait("CALL_INCOMING")?;
    talk(&mut alice, &mut bob)?;
    own.send_to(b"CANCEL: id=42", to)?;
    bob.wait("CALL_CLOSED")?;
    let mut said = String::new();
    while !said.contains("RESPONSE: id=42, duration=") {
        said.push_str(&hear(&own, SOON)?.context("no RESPONSE")?);
        said.push('\n');
    }
    ensure!(said.contains("ACK: id=42, result=0"), "{said}");
    ensure!(!said.contains("duration=0,"), "they talked: {said}");

    // Whoever is not listed hears nothing, and nobody's phone rings.
    let stranger = UdpSocket::bind((STRANGER, 0))?;
    stranger.send_to(order.replace("42", "43").as_bytes(), to)?;
    ensure!(hear(&stranger, NEVER)?.is_none(), "a stranger was answered");
    ensure!(server.json(&["calls"])?.as_array().is_some_and(Vec::is_empty), "a stranger's call");

    let told = events.until("\"status\":\"released\"")?;
    for part in [
        "{\"command\":\"userStatus\",\"userName\":\"101\",\"status\":\"ringing\"}",
        "{\"command\":\"userStatus\",\"userName\":\"101\",\"status\":\"talking\"}",
        "\"command\":\"sipStatus\"",
        "\"status\":\"answered\"",
    ] {
        ensure!(told.contains(part), "no {part} in {told}");
    }
    Ok(())
}

fn openapi(server: &Server) -> Result<()> {
    server.json(&["admin", "add", "ann"])?;
    let made = server.json(&["apikey", "add", "as", "--scope", "read,config"])?;
    let key = made["key"].as_str().context("no key")?;
    let ask = |what: &str, mut object: Value| {
        object["syskey"] = key.into();
        let query: String = object.to_string().bytes().map(|it| format!("%{it:02X}")).collect();
        Request::new(server.http_address(), "GET", &format!("/openapi/{what}?{query}")).send()
    };
    let raw = format!("/openapi/version?{}", json!({ "syskey": key }));
    let raw = Request::new(server.http_address(), "GET", &raw).send()?;
    ensure!(raw.json()?["result"] == "ok", "JSON in the query as it is: {}", raw.body);
    let version = ask("version", json!({}))?;
    ensure!(version.json()?["verInfo"].is_string(), "{}", version.body);
    let set = ask("localuser/set", json!({ "userName": "600", "description": "Door" }))?;
    ensure!(set.json()?["result"] == "ok", "{}", set.body);
    let user = ask("localuser", json!({ "userName": "101" }))?.json()?;
    ensure!(user["localuser"][0]["status"] == "online", "{user}");
    let listed = server.json(&["ext", "list"])?;
    ensure!(listed.to_string().contains("Door"), "{listed}");
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind((LOCALHOST, 0))?.local_addr()?.port())
}

/// The next datagram, if it comes in time.
fn hear(socket: &UdpSocket, within: Duration) -> Result<Option<String>> {
    socket.set_read_timeout(Some(within))?;
    let mut buffer = [0; 2048];
    match socket.recv(&mut buffer) {
        Ok(length) => Ok(Some(String::from_utf8_lossy(&buffer[..length]).into_owned())),
        Err(_) => Ok(None),
    }
}

/// What the event channel has said.
struct Channel {
    stream: TcpStream,
    heard: Vec<u8>,
}

fn listen(port: u16) -> Result<Channel> {
    let mut stream = TcpStream::connect((LOCALHOST, port))?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: pbx\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut channel = Channel { stream, heard: vec![] };
    channel.until("\r\n\r\n")?;
    let head = String::from_utf8_lossy(&channel.heard).into_owned();
    ensure!(head.starts_with("HTTP/1.1 101"), "{head}");
    Ok(channel)
}

impl Channel {
    /// All that was said until this came. The frames of a server are not masked: its texts stand in them
    /// as they are.
    fn until(&mut self, text: &str) -> Result<String> {
        let end = clock::now() + SOON;
        self.stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut buffer = [0; 4096];
        loop {
            let heard = String::from_utf8_lossy(&self.heard).into_owned();
            if heard.contains(text) {
                return Ok(heard);
            }
            if clock::now() >= end {
                bail!("no {text} in {heard}");
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the channel was closed"),
                Ok(length) => self.heard.extend_from_slice(&buffer[..length]),
                Err(_) => {}
            }
        }
    }
}
