//! Stream framing: whatever Content-Length does, no request is ever read out of a body.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::setup::office;
use crate::clock;
use crate::phone::{SOON, unique};
use crate::report::Context;
use crate::server::Server;

/// The server's own limit for a half-written request, with room for a slow machine.
const HALF_CLOSED: Duration = Duration::from_secs(35);

/// A lie about the length: 400, the connection is closed, and the OPTIONS in the body stays unanswered.
pub(super) fn framing_lies(context: &Context) -> Result<()> {
    let server = office(context)?;
    let hidden = options(&server, "hidden", "Content-Length: 0\r\n");
    let length = hidden.len();
    #[rustfmt::skip]
    let table = [
        ("absent",         String::new()),
        ("negative",       "Content-Length: -1\r\n".to_owned()),
        ("2^64",           "Content-Length: 18446744073709551616\r\n".to_owned()),
        ("2^63",           "Content-Length: 9223372036854775808\r\n".to_owned()),
        ("words",          "Content-Length: many\r\n".to_owned()),
        ("hexadecimal",    "Content-Length: 0x10\r\n".to_owned()),
        ("plus",           format!("Content-Length: +{length}\r\n")),
        ("fraction",       format!("Content-Length: {length}.0\r\n")),
        ("list",           format!("Content-Length: {length}, {length}\r\n")),
        ("empty",          "Content-Length: \r\n".to_owned()),
        ("unequal",        format!("Content-Length: {length}\r\nContent-Length: 0\r\n")),
        ("unequal, short", format!("Content-Length: {length}\r\nl: 0\r\n")),
        ("over the limit", "Content-Length: 100000000\r\n".to_owned()),
    ];
    for (name, header) in table {
        let mut bytes = options(&server, "visible", &header).into_bytes();
        bytes.extend_from_slice(hidden.as_bytes());
        let (text, closed) = converse(&server, &bytes).with_context(|| name.to_owned())?;
        let visible = text.matches("SIP/2.0 ").count();
        ensure!(text.starts_with("SIP/2.0 400 "), "{name}: {:?}", text.lines().next());
        ensure!(visible == 1 && !text.contains("hidden"), "{name}: answered {visible} times");
        ensure!(closed, "{name}: the connection stays open");
    }
    for junk in ["\u{0}\u{1}\u{2}\u{3}\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let bytes = [junk.as_bytes(), hidden.as_bytes()].concat();
        let (text, closed) = converse(&server, &bytes)?;
        ensure!(closed && !text.contains("hidden"), "after junk {junk:?}: {text:?}");
    }
    server.is_alive()
}

/// A request that is never finished does not hold its connection for longer than 30 s.
pub(super) fn framing_half(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut stream = TcpStream::connect(server.tcp())?;
    let whole = options(&server, "half", "Content-Length: 0\r\n");
    stream.write_all(&whole.as_bytes()[..whole.len() / 2])?;
    let started = clock::now();
    stream.set_read_timeout(Some(HALF_CLOSED))?;
    let mut rest = vec![];
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => bail!("still open after {HALF_CLOSED:?}: {error}"),
    }
    context.note(&format!("closed after {:.1} s", started.elapsed().as_secs_f64()));
    server.is_alive()
}

/// Requests in one write, and one request in many writes: each is answered once, in order.
pub(super) fn framing_pipelined(context: &Context) -> Result<()> {
    let server = office(context)?;
    let names = ["first", "second", "third"];
    let request = |name: &&str| options(&server, name, "Content-Length: 4\r\n") + "abcd";
    let requests: Vec<String> = names.iter().map(request).collect();
    let together = format!("\r\n\r\n{}\r\n\r\n", requests.join("\r\n"));

    let mut stream = TcpStream::connect(server.tcp())?;
    stream.write_all(together.as_bytes())?;
    check_order(&read_answers(&mut stream, names.len())?, &names)?;

    let mut stream = TcpStream::connect(server.tcp())?;
    stream.set_nodelay(true)?;
    for part in together.as_bytes().chunks(7) {
        stream.write_all(part)?;
        stream.flush()?;
    }
    check_order(&read_answers(&mut stream, names.len())?, &names)
}

fn check_order(text: &str, names: &[&str]) -> Result<()> {
    let statuses = text.matches("SIP/2.0 200 ").count();
    ensure!(statuses == names.len(), "{statuses} of {} answered: {text}", names.len());
    let places: Vec<_> = names.iter().map(|it| text.find(&format!("Call-ID: {it}"))).collect();
    ensure!(places.is_sorted() && !places.contains(&None), "out of order: {places:?}");
    Ok(())
}

fn options(server: &Server, name: &str, length: &str) -> String {
    let at = server.tcp();
    let id = unique("o");
    format!(
        "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{id};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{name}@{at}>;tag={id}\r\nTo: <sip:{at}>\r\n\
         Call-ID: {name}-{id}\r\nCSeq: 1 OPTIONS\r\n{length}\r\n"
    )
}

/// Everything the server says until it closes, and whether it did.
fn converse(server: &Server, bytes: &[u8]) -> Result<(String, bool)> {
    let mut stream = TcpStream::connect(server.tcp())?;
    stream.write_all(bytes)?;
    let mut text = vec![];
    let mut buffer = [0; 4096];
    let end = clock::now() + Duration::from_secs(3);
    loop {
        stream.set_read_timeout(Some(clock::until(end)))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((String::from_utf8_lossy(&text).into_owned(), true)),
            Ok(size) => text.extend_from_slice(&buffer[..size]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok((String::from_utf8_lossy(&text).into_owned(), true));
            }
            Err(_) if clock::now() >= end => {
                return Ok((String::from_utf8_lossy(&text).into_owned(), false));
            }
            Err(_) => {}
        }
    }
}

fn read_answers(stream: &mut TcpStream, count: usize) -> Result<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let end = clock::now() + SOON;
    while text.matches("SIP/2.0 200 ").count() < count && clock::now() < end {
        stream.set_read_timeout(Some(clock::until(end)))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => text += &String::from_utf8_lossy(&buffer[..size]),
            Err(_) => {}
        }
    }
    Ok(text)
}
