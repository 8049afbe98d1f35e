//! Attacks on the signalling: each case is a row of a catalogue of what other servers fell for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use super::setup::{CALLER_MARK, call, office, office_with, registered};
use crate::clock;
use crate::message::Message;
use crate::phone::{Phone, QUIET};
use crate::report::{Context, skip};
use crate::rtp::Media;
use crate::server::{ATTACKER, LOCALHOST, PASSWORD};

/// The guard would drop what the attack sends.
const NO_GUARD: [&str; 2] = ["guard.rate=100000", "guard.burst=100000"];

/// Row 5: a used nonce count is refused with a fresh nonce, and so is a digest that another address sends.
pub(super) fn digest_replay(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut phone = server.phone("100")?;
    let registrar = format!("sip:{}", server.udp());
    let aor = phone.aor();
    let request = phone.request("REGISTER", &registrar, &aor)?.with("Expires", 600);
    let (request, answer) = phone.transact_with_credentials(request)?;
    ensure!(answer.status() == Some(200), "REGISTER: {}", answer.start);

    let stolen = request.text("Authorization").to_owned();
    let again = phone.again(&request)?.with("Authorization", &stolen);
    let answer = phone.transact(&again)?;
    let challenge = answer.text("WWW-Authenticate").to_lowercase();
    ensure!(answer.status() == Some(401), "the same count again: {}", answer.start);
    ensure!(challenge.contains("stale=true"), "not stale: {challenge}");

    let mut thief = Phone::udp(ATTACKER, server.udp(), "100", "")?;
    let again = thief.again(&request)?.with("Authorization", &stolen);
    let answer = thief.transact(&again)?;
    ensure!(answer.status() == Some(401), "the same digest from elsewhere: {}", answer.start);
    let next = stolen.replace("nc=00000001", "nc=00000002");
    let again = thief.again(&request)?.with("Authorization", next);
    let answer = thief.transact(&again)?;
    ensure!(answer.status() == Some(401), "a made-up count from elsewhere: {}", answer.start);
    let bindings = server.json(&["registrations"])?;
    ensure!(bindings.as_array().map(Vec::len) == Some(1), "bindings: {bindings}");
    Ok(())
}

/// Row 6: a digest is worth nothing for another method or another URI.
pub(super) fn digest_binding(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut phone = server.phone("100")?;
    let uri = format!("sip:101@{}", server.udp());
    let challenged = phone.request("REGISTER", &format!("sip:{}", server.udp()), &phone.aor())?;
    let answer = phone.transact(&challenged)?;
    phone.learn(&answer)?;

    let register = phone.with_credentials(challenged.clone())?;
    let for_register = register.text("Authorization").to_owned();
    let own_uri =
        for_register.replace(&format!("uri=\"sip:{}\"", server.udp()), &format!("uri=\"{uri}\""));
    for stolen in [for_register, own_uri] {
        let invite = phone.request("INVITE", &uri, &uri)?.with("Authorization", stolen);
        let answer = phone.transact(&invite)?;
        phone.ack_refusal(&invite, &answer)?;
        let status = answer.status();
        ensure!(
            matches!(status, Some(400 | 401 | 403)),
            "REGISTER's digest for INVITE: {status:?}"
        );
    }
    Ok(())
}

/// Row 6: an office that offers SHA-256 alone takes no MD5 (RFC 8760).
pub(super) fn digest_sha256(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut phone = server.phone("100")?;
    phone.register().context("MD5")?;
    let md5 = phone.challenge.clone().context("no challenge")?;
    ensure!(!md5.sha256, "SHA-256 is offered unasked");
    server.json(&["setting", "set", "digest_algorithms", "SHA-256"])?;

    let mut phone = server.phone("100")?;
    phone.register().context("SHA-256")?;
    let challenge = phone.challenge.as_mut().context("no challenge")?;
    ensure!(challenge.sha256, "MD5 is offered");
    // The same nonce signed with MD5: the right password does not help.
    challenge.sha256 = false;
    let answer = phone.try_register(600)?;
    ensure!(phone.challenge.as_ref().is_some_and(|it| it.sha256), "not challenged anew");
    ensure!(answer.status() == Some(200), "after the new challenge: {}", answer.start);
    Ok(())
}

/// Row 9: a stranger gets at most twice what he sends, and a refused INVITE is not sent again.
pub(super) fn amplification(context: &Context) -> Result<()> {
    let server = office_with(context, &NO_GUARD)?;
    let mut stranger = Phone::udp(ATTACKER, server.udp(), "100", "")?;
    let uri = format!("sip:{}", server.udp());
    for method in ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE"] {
        let request = stranger.request(method, &uri, &uri)?;
        let sent = request.to_bytes().len();
        stranger.send(&request)?;
        let mut received = 0;
        let mut answers = 0;
        // Long enough for timer G of RFC 3261 §17.2.1 to send a kept response again.
        let end = clock::now() + Duration::from_millis(2500);
        while let Some(answer) = stranger.response(&request, clock::until(end))? {
            received += answer.to_bytes().len();
            answers += 1;
        }
        ensure!(answers <= 1, "{method} of a stranger was answered {answers} times");
        ensure!(received <= 2 * sent, "{method}: {received} octets for {sent}");
    }
    Ok(())
}

/// Row 10: random octets and the oddities of NAT boxes are dropped, without filling the disk with complaints.
pub(super) fn junk(context: &Context) -> Result<()> {
    const COUNT: u64 = 20_000;
    const LOG_MAX: u64 = 1 << 20;
    let server = office_with(context, &NO_GUARD)?;
    let log = context.folder.join("server.log");
    let before = std::fs::metadata(&log)?.len();
    let socket = UdpSocket::bind((ATTACKER, 0))?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for number in 0..COUNT {
        let mut bytes = vec![];
        for _ in 0..number % 64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend(state.to_be_bytes());
        }
        if number % 3 == 0 {
            bytes.splice(0..0, *b"INVITE sip:");
        }
        // The server's port being closed would be reported here; it is looked at below.
        let _ = socket.send_to(&bytes, server.udp());
        if number % 500 == 0 {
            clock::pause(Duration::from_millis(5));
        }
    }
    server.is_alive()?;
    let grown = std::fs::metadata(&log)?.len() - before;
    context.note(&format!("{COUNT} datagrams, {grown} octets of log"));
    ensure!(grown < LOG_MAX, "the log grew by {grown} octets");
    Ok(())
}

/// Row 11 and the list of bad inputs: long, many and overflowing headers end with a refusal or silence.
pub(super) fn overflows(context: &Context) -> Result<()> {
    let server = office_with(context, &NO_GUARD)?;
    let at = server.udp();
    let long = "a".repeat(30_000);
    let many = |line: &str, times: usize| line.repeat(times);
    let tokens = (0..1000).fold(String::new(), |mut all, it| {
        // Writing to a string does not fail.
        let _ = write!(all, "{}x{it}", if it == 0 { "" } else { "," });
        all
    });
    #[rustfmt::skip]
    let table = [
        ("long method in CSeq",  "INVITE",  format!("CSeq: 1 {}\r\n", "M".repeat(2000))),
        ("large CSeq",           "INVITE",  "CSeq: 99999999999 INVITE\r\n".to_owned()),
        ("long Call-ID",         "INVITE",  format!("CSeq: 1 INVITE\r\nCall-ID: {long}\r\n")),
        ("1000 options needed",  "INVITE",  format!("CSeq: 1 INVITE\r\nRequire: {tokens}\r\n")),
        ("500 routes",           "INVITE",  format!("CSeq: 1 INVITE\r\n{}", many("Route: <sip:127.0.0.1;lr>\r\n", 500))),
        ("500 record-routes",    "INVITE",  format!("CSeq: 1 INVITE\r\n{}", many("Record-Route: <sip:127.0.0.1;lr>\r\n", 500))),
        ("self-routes",          "OPTIONS", format!("CSeq: 1 OPTIONS\r\n{}", many(&format!("Route: <sip:{at};lr>\r\n"), 60))),
        ("50 long Accept",       "SUBSCRIBE", format!("CSeq: 1 SUBSCRIBE\r\n{}", many(&format!("Accept: {}/x\r\n", "t".repeat(500)), 50))),
        ("huge Max-Forwards",    "OPTIONS", "CSeq: 1 OPTIONS\r\nMax-Forwards: 99999999999999999999\r\n".to_owned()),
        ("huge Expires",         "REGISTER", "CSeq: 1 REGISTER\r\nExpires: 99999999999999999999\r\n".to_owned()),
    ];
    for (name, method, headers) in table {
        let socket = UdpSocket::bind((ATTACKER, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        let local = socket.local_addr()?;
        let text = format!(
            "{method} sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKov;rport\r\n\
             From: <sip:100@{at}>;tag=1\r\nTo: <sip:101@{at}>\r\n{headers}Call-ID: {name}\r\n\
             Contact: <sip:100@{local}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), at).with_context(|| name.to_owned())?;
        let mut buffer = vec![0; 65_536];
        let mut answers = 0;
        while let Ok(size) = socket.recv(&mut buffer) {
            let status = Message::parse(&buffer[..size]).and_then(|it| it.status());
            let refused = status.is_none_or(|it| it >= 400 && it != 500);
            ensure!(refused || method == "OPTIONS", "{name}: {status:?}");
            answers += 1;
        }
        ensure!(answers <= 20, "{name}: {answers} datagrams back");
        server.is_alive().with_context(|| format!("after {name}"))?;
    }
    Ok(())
}

/// Row 12: descriptions made to exhaust leave no port behind.
pub(super) fn description_bombs(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut caller = registered(&server, "100")?;
    let mut callee = registered(&server, "101")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?.sdp()?;
    let before = server.open_files()?;
    #[rustfmt::skip]
    let table = [
        ("1000 streams",     format!("{media}{}", "m=audio 4000 RTP/AVP 0\r\n".repeat(1000))),
        ("port 99999",       media.replace("m=audio ", "m=audio 9999999")),
        ("negative port",    media.replace("m=audio ", "m=audio -1 RTP/AVP 0\r\nm=audio ")),
        ("65535 ports",      media.replace(" RTP/AVP", "/65535 RTP/AVP")),
        ("no numbers",       media.replace("RTP/AVP 8 101", "RTP/AVP x y")),
        ("rate 0",           media.replace("PCMA/8000", "PCMA/0")),
        ("many channels",    media.replace("PCMA/8000", "PCMA/8000/65536")),
        ("ptime 0",          media.replace("ptime:20", "ptime:0")),
        ("NUL",              media.replace("a=ptime:20", "a=fmtp:101 0-\u{0}15")),
        ("10,000 attributes", format!("{media}{}", "a=x:y\r\n".repeat(10_000 / 4))),
        ("not SDP",          "this is no session".to_owned()),
        ("cut off",          media[..media.len() / 2].to_owned()),
    ];
    for (name, sdp) in table {
        let sent = caller.invite("101", &sdp).with_context(|| name.to_owned())?;
        if let Some(invite) = callee.request_within("INVITE", QUIET)? {
            callee.respond(&invite, 488, "Not Acceptable Here")?;
        }
        let answer = final_of(&mut caller, &sent).with_context(|| name.to_owned())?;
        let status = answer.status().unwrap_or_default();
        caller.ack_refusal(&sent, &answer)?;
        ensure!((400..500).contains(&status), "{name}: {status}");
    }
    server.is_alive()?;
    // The figures are published ten times a second at most.
    clock::wait_for("every port given back", crate::phone::SOON, || {
        let leased = server.metric("dialtone_media_ports_used", "")?;
        Ok((leased == 0.0).then_some(()))
    })?;
    let after = server.open_files()?;
    context.note(&format!("{before} open files before, {after} after"));
    Ok(())
}

fn final_of(phone: &mut Phone, request: &Message) -> Result<Message> {
    while let Some(answer) = phone.response(request, crate::phone::SOON)? {
        if answer.status().is_some_and(|it| it >= 200) {
            return Ok(answer);
        }
    }
    bail!("no final answer")
}

/// Row 23: who knows all ids of a dialog but sits elsewhere cannot end it.
pub(super) fn dialog_hijack(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    let mut hijacker = Phone::udp(ATTACKER, server.udp(), "100", "")?;
    let mut known = up.caller_dialog.clone();
    known.cseq += 10;
    for method in ["BYE", "INVITE", "INFO"] {
        known.cseq += 1;
        let request = hijacker.within(&known, method, known.cseq)?;
        let answer = hijacker.transact(&request)?;
        let status = answer.status();
        if method == "INVITE" {
            hijacker.ack_refusal(&request, &answer)?;
        }
        let refused = matches!(status, Some(401 | 403 | 405 | 481));
        ensure!(refused, "{method} with known ids from elsewhere: {status:?}");
    }
    ensure!(up.callee.request_within("BYE", QUIET)?.is_none(), "the call was ended");
    let up_now = server.json(&["calls"])?;
    ensure!(up_now.as_array().map(Vec::len) == Some(1), "calls: {up_now}");
    up.end()
}

/// Row 27: 2,000 idle connections of one address do not keep out another.
pub(super) fn idle_connections(context: &Context) -> Result<()> {
    const COUNT: usize = 2000;
    if raise_open_files(COUNT as u64 + 200).is_err() {
        return skip("not so many open files allowed");
    }
    let server = office(context)?;
    let mut idle = vec![];
    for _ in 0..COUNT {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(ATTACKER, 0).into())?;
        // The server may refuse some of them; that is its good right.
        if socket.connect_timeout(&server.tcp().into(), Duration::from_secs(2)).is_ok() {
            idle.push(TcpStream::from(socket));
        }
    }
    for stream in idle.iter_mut().step_by(2) {
        let _ = stream.write_all(b"REGISTER sip:x SIP/2.0\r\n");
    }
    let started = clock::now();
    let mut phone = Phone::tcp(LOCALHOST, server.tcp(), "100", PASSWORD)?;
    phone.register().context("another address, beside idle connections")?;
    let took = started.elapsed();
    context.note(&format!("{} idle connections, REGISTER took {took:.1?}", idle.len()));
    ensure!(took < Duration::from_secs(2), "REGISTER took {took:?}");
    server.is_alive()
}

fn raise_open_files(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|it| it < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum })?;
    }
    Ok(())
}

/// Row 1: a scanner does not learn what it found.
pub(super) fn scanners(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut scanner = Phone::udp(ATTACKER, server.udp(), "100", "")?;
    let uri = format!("sip:{}", server.udp());
    for method in ["OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "FOO"] {
        let request = scanner.request(method, &uri, &uri)?.with("User-Agent", "friendly-scanner");
        let answer = scanner.transact(&request)?;
        if method == "INVITE" {
            scanner.ack_refusal(&request, &answer)?;
        }
        let text = String::from_utf8_lossy(&answer.to_bytes()).to_lowercase();
        let without_realm = text.replace("realm=\"dialtone\"", "");
        ensure!(
            !without_realm.contains("dialtone"),
            "{method}: the answer names the product: {text}"
        );
        for name in ["Server", "User-Agent"] {
            ensure!(answer.header(name).is_none(), "{method}: {name} in the answer");
        }
    }
    Ok(())
}
