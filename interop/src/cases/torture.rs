//! The messages of RFC 4475 and RFC 5118 against the running server, over UDP and TCP.
//!
//! `DIALTONE_CORPUS` names another folder with a `manifest.csv`, whose columns `file` and `expect` are read. In
//! `expect` a number is that final status, `!400` any final status but 400, 500 and 513, `none` silence, `once` one
//! transaction answered and not two.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use super::setup::office_with;
use crate::clock;
use crate::message::Message;
use crate::report::{Context, skip};
use crate::server::Server;

/// These messages do not ask for answers to the source port, so their sender sits at the port they name.
const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 44, 75));

/// For the answer to a message.
const ANSWER: Duration = Duration::from_millis(800);
/// For what must not follow.
const AFTER: Duration = Duration::from_millis(60);

/// Ten passes may not raise the memory by more than this part of it.
const GROWTH_MAX: f64 = 0.10;

/// The guard would drop so many messages of one source.
const NO_GUARD: [&str; 2] = ["guard.rate=100000", "guard.burst=100000"];

/// One message with what may be answered.
struct Torture {
    name: String,
    expect: Vec<String>,
    bytes: Vec<u8>,
}

pub(super) fn torture_udp(context: &Context) -> Result<()> {
    each(context, |server, torture| {
        let answers = over_udp(server, torture)?;
        judge(&torture.expect, &answers)
    })
}

pub(super) fn torture_tcp(context: &Context) -> Result<()> {
    each(context, |server, torture| {
        let answers = over_tcp(server, torture)?;
        judge(&on_stream(torture), &answers)
    })
}

/// Ten passes over UDP after a first one leave the memory as it was.
pub(super) fn torture_memory(context: &Context) -> Result<()> {
    const PASSES: usize = 10;
    let server = office_with(context, &NO_GUARD)?;
    let all = messages()?;
    let pass = || -> Result<()> {
        for torture in &all {
            let socket = sender(torture)?;
            socket.send_to(&torture.bytes, server.udp())?;
            clock::pause(Duration::from_millis(2));
        }
        server.is_alive()
    };
    pass()?;
    let before = server.resident_kib()?;
    for _ in 0..PASSES {
        pass()?;
    }
    let after = server.resident_kib()?;
    context.note(&format!("{before} KiB before, {after} KiB after {PASSES} passes"));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let growth = after as f64 / before as f64 - 1.0;
    ensure!(growth <= GROWTH_MAX, "memory grew by {:.0} %", growth * 100.0);
    Ok(())
}

/// All complaints are collected, since one fault often shows in several messages.
fn each(context: &Context, run: impl Fn(&Server, &Torture) -> Result<()>) -> Result<()> {
    let server = office_with(context, &NO_GUARD)?;
    let mut wrong = vec![];
    let all = messages()?;
    for torture in &all {
        if let Err(error) = run(&server, torture) {
            wrong.push(format!("{}: {error:#}", torture.name));
        }
        server.is_alive().with_context(|| format!("after {}", torture.name))?;
    }
    context.note(&format!("{} of {} as expected", all.len() - wrong.len(), all.len()));
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

fn messages() -> Result<Vec<Torture>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, manifest) = match std::env::var_os("DIALTONE_CORPUS") {
        Some(folder) => (PathBuf::from(&folder), PathBuf::from(folder).join("manifest.csv")),
        None => (own.join("../crates/sip/tests/torture"), own.join("torture.csv")),
    };
    let text = std::fs::read_to_string(&manifest)?;
    let mut lines = text.lines().map(fields);
    let head = lines.next().context("an empty manifest")?;
    let column = |name: &str| head.iter().position(|it| it == name).context("no such column");
    let (file, expect) = (column("file")?, column("expect")?);
    let mut all = vec![];
    for row in lines {
        let name = row.get(file).context("a short row")?.clone();
        let expect = row.get(expect).context("a short row")?.split(',').map(str::to_owned);
        let bytes = std::fs::read(folder.join(&name)).with_context(|| name.clone())?;
        all.push(Torture { name, expect: expect.collect(), bytes });
    }
    ensure!(all.len() >= 61, "{} messages", all.len());
    Ok(all)
}

/// A line of CSV (RFC 4180), without line ends in quotes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().into_iter().for_each(|it| it.push(sign)),
        }
    }
    fields
}

/// A socket at the port that the top Via names.
fn sender(torture: &Torture) -> Result<UdpSocket> {
    let port = via_port(&torture.bytes).unwrap_or(5060);
    match UdpSocket::bind((SENDER, port)) {
        Ok(socket) => Ok(socket),
        Err(error) => skip(&format!("{SENDER}:{port}: {error}")),
    }
}

/// The port of sent-by, read loosely: the messages are malformed on purpose.
fn via_port(bytes: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(bytes);
    let via = text.find("\nVia").or_else(|| text.find("\nv:")).or_else(|| text.find("\nv :"))?;
    let sent_by = text[via..].split(';').next()?;
    sent_by.rsplit_once(':')?.1.trim().parse().ok()
}

fn over_udp(server: &Server, torture: &Torture) -> Result<Vec<Message>> {
    let socket = sender(torture)?;
    socket.send_to(&torture.bytes, server.udp())?;
    let mut answers = vec![];
    let mut end = clock::now() + ANSWER;
    let mut buffer = vec![0; 65_536];
    while clock::now() < end {
        socket.set_read_timeout(Some(clock::until(end)))?;
        let Ok(size) = socket.recv(&mut buffer) else { continue };
        answers.extend(Message::parse(&buffer[..size]));
        if is_final(answers.last()) {
            end = clock::now() + AFTER;
        }
    }
    Ok(answers)
}

fn over_tcp(server: &Server, torture: &Torture) -> Result<Vec<Message>> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(SENDER, 0).into())?;
    socket.connect(&server.tcp().into())?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(&torture.bytes)?;
    let mut bytes = vec![];
    let mut buffer = vec![0; 65_536];
    let mut end = clock::now() + ANSWER;
    while clock::now() < end {
        stream.set_read_timeout(Some(clock::until(end)))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => bytes.extend_from_slice(&buffer[..size]),
            Err(_) => continue,
        }
        if is_final(split(&bytes).last()) {
            end = clock::now() + AFTER;
        }
    }
    Ok(split(&bytes))
}

/// The answers on a stream; the server's own framing is right in whatever it sends.
fn split(bytes: &[u8]) -> Vec<Message> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let starts: Vec<usize> = text.match_indices("SIP/2.0 ").map(|(at, _)| at).collect();
    let is_start = |&at: &usize| at == 0 || text[..at].ends_with('\n');
    let starts: Vec<usize> = starts.into_iter().filter(is_start).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    starts.iter().zip(ends).filter_map(|(&a, b)| Message::parse(&text.as_bytes()[a..b])).collect()
}

fn is_final(message: Option<&Message>) -> bool {
    message.and_then(Message::status).is_some_and(|it| it >= 200)
}

/// What a stream changes: the second message of `dblreq` is one of its own, `clerr` waits for the rest of its body and
/// a message without its empty line for that, and a message without length cannot be framed.
fn on_stream(torture: &Torture) -> Vec<String> {
    let mut expect = torture.expect.clone();
    if torture.name.ends_with("dblreq.dat") {
        expect.retain(|it| it != "once");
    }
    let is_whole = torture.bytes.windows(4).any(|it| it == b"\r\n\r\n");
    if !is_whole || torture.name.ends_with("clerr.dat") {
        return vec!["none".to_owned()];
    }
    let text = String::from_utf8_lossy(&torture.bytes).to_lowercase();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let has_length = head.lines().any(|it| it.starts_with("content-length") || it.starts_with('l'));
    if !has_length && !expect.iter().any(|it| it == "none") {
        expect.push("400".to_owned());
    }
    expect
}

fn judge(expect: &[String], answers: &[Message]) -> Result<()> {
    let finals: Vec<u16> =
        answers.iter().filter_map(Message::status).filter(|it| *it >= 200).collect();
    if expect.iter().any(|it| it == "once") {
        let key = |it: &Message| (it.text("Call-ID").to_owned(), it.text("CSeq").to_owned());
        let answered: BTreeSet<_> = answers.iter().map(key).collect();
        ensure!(answered.len() <= 1, "{} transactions answered", answered.len());
    }
    let Some(status) = finals.first() else {
        let silence = answers.is_empty() && expect.iter().any(|it| it == "none");
        ensure!(silence || expect.iter().any(|it| it == "nocrash"), "no final answer");
        return Ok(());
    };
    let fits = expect.iter().any(|it| match it.as_str() {
        "!400" => ![400, 500, 513].contains(status),
        "nocrash" => true,
        number => number.parse() == Ok(*status),
    });
    if !fits {
        bail!("{status}, expected {}", expect.join(" or "));
    }
    Ok(())
}
