//! A carrier behind a name: SRV records of a server of DNS on loopback, the first target dead.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::setup::{CALLER_MARK, office_with, registered};
use crate::clock;
use crate::phone::{Phone, SOON};
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;
const LINE: &str = "5678";

const HOST: &str = "sip.carrier.test";

/// A name with NAPTR records: TCP is preferred.
const CHOOSING: &str = "choosing.test";

/// A line without registration calls by name; the server that is silent is left, the next one called.
pub(super) fn srv_failover(context: &Context) -> Result<()> {
    let dns = UdpSocket::bind((LOCALHOST, 0))?;
    let server = office_with(context, &[&format!("dns.servers={}", dns.local_addr()?)])?;
    // Bound, so that its port is not another's: it never answers.
    let dead = UdpSocket::bind((LOCALHOST, 0))?;
    let mut carrier = Phone::udp(LOCALHOST, server.udp(), "0138", PASSWORD)?;
    let ports = [dead.local_addr()?.port(), carrier.wire.local()?.port()];
    std::thread::Builder::new().name("dns".into()).spawn(move || {
        let servers = ports.map(|it| (HOST, it)).into();
        serve(&dns, &[("_sip._udp.carrier.test".to_owned(), servers)]);
    })?;

    let mut caller = registered(&server, "100")?;
    #[rustfmt::skip]
    server.json(&["line", "add", "5678", "--domain", "carrier.test", "--password", PASSWORD, "--register", "false"])?;
    let begun = clock::now();
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("90138", &media.sdp()?)?;
    let invite = carrier.expect_request("INVITE").context("the second server of the name")?;
    let took = clock::now().duration_since(begun);
    ensure!(invite.text("To").contains("sip:0138@carrier.test"), "{}", invite.text("To"));
    carrier.respond(&invite, 486, "Busy Here")?;
    caller.expect(&sent, 486)?;
    let records = server.wait_records(1)?;
    ensure!(
        records[0]["line"] == "5678" && records[0]["release_code"] == "callee.busy",
        "{records:?}"
    );
    ensure!(took.as_secs() < 5, "the dead server was left only after {took:?}");
    context.note(&format!("left after {} ms", took.as_millis()));
    trunks_show_their_names(&server, ports)
}

/// A name that leads to two servers, and one that leads nowhere.
fn trunks_show_their_names(server: &Server, ports: [u16; 2]) -> Result<()> {
    for (id, name) in [("8", "carrier.test"), ("9", "nowhere.test")] {
        server.json(&["trunk", "add", id, "--address", name, "--health-check", "0"])?;
    }
    let state = |id: &str, is_known: fn(&Value) -> bool| {
        clock::wait_for("the name of the trunk", SOON, || {
            let state = server.json(&["trunk", "show", id])?["state"].take();
            Ok(is_known(&state).then_some(state))
        })
    };
    let found = state("8", |it| !it["servers"][0]["address"].is_null())?;
    let servers = found["servers"].as_array().context("no servers")?;
    let expected = ports.map(|it| SocketAddr::new(LOCALHOST, it).to_string());
    ensure!(servers.iter().map(|it| &it["address"]).eq(&expected), "{found:#}");
    ensure!(servers.iter().all(|it| it["server"] == "carrier.test:5060"), "{found:#}");
    ensure!(found["trouble"].is_null() && found["healthy"] == true, "{found:#}");

    let lost = state("9", |it| !it["trouble"].is_null())?;
    ensure!(lost["trouble"]["code"] == "trunk.dns" && lost["healthy"] == false, "{lost:#}");
    for (language, words) in [
        (
            "en",
            ["nowhere.test:5060 (no address)", "There is no such name in DNS.", "Check the name"],
        ),
        ("zh", ["nowhere.test:5060（无地址）", "DNS中没有该域名。", "请检查域名"]),
    ] {
        let printed = server.cli(&["trunk", "show", "9", "--lang", language])?;
        ensure!(words.iter().all(|it| printed.stdout.contains(it)), "{words:?}: {printed:?}");
    }
    Ok(())
}

/// The doctor sees that a name leads to a dead server besides, or to one without an address.
pub(super) fn doctor_of_names(context: &Context) -> Result<()> {
    let dns = UdpSocket::bind((LOCALHOST, 0))?;
    let server = office_with(context, &[&format!("dns.servers={}", dns.local_addr()?)])?;
    let dead = UdpSocket::bind((LOCALHOST, 0))?;
    let dead = dead.local_addr()?;
    let listen = SocketAddr::new(LOCALHOST, 0);
    let carrier = Serving::start(listen, &[(LINE, PASSWORD)], Oddities::default())?;
    let alive = carrier.address;
    let records = [
        ("dead.test", HOST, dead.port(), format!("and also to {dead} (UDP), where nobody answers")),
        (
            "lost.test",
            "gone.test",
            alive.port(),
            "the server gone.test, which has no address".to_owned(),
        ),
    ];
    let there = (HOST, alive.port());
    let both = |it: &(&str, _, _, _)| (format!("_sip._udp.{}", it.0), vec![(it.1, it.2), there]);
    let mut served: Vec<_> = records.iter().map(both).collect();
    served.extend(["_sip._tcp", "_sip._udp"].map(|it| (format!("{it}.{CHOOSING}"), vec![there])));
    std::thread::Builder::new().name("dns".into()).spawn(move || serve(&dns, &served))?;
    for (domain, _, _, words) in &records {
        server.json(&["line", "add", LINE, "--domain", domain, "--password", PASSWORD])?;
        clock::wait_for("the name of the line", SOON, || {
            let state = server.json(&["line", "show", LINE])?["state"].take();
            Ok((!state["target"].is_null()).then_some(()))
        })?;
        let found = server.json(&["line", "doctor", LINE])?;
        let name = &found["lights"][0];
        ensure!(
            name["check"] == "name" && name["code"] == "line.dns_partly",
            "{domain}: {found:#}"
        );
        let text = name["sentence"]["en"].as_str().unwrap_or_default();
        ensure!(text.contains(&format!("leads to {alive}")) && text.contains(words), "{text}");
        ensure!(found["colour"] == "amber" && found["remedy"]["setting"] == "domain", "{found:#}");
        server.json(&["line", "del", LINE])?;
    }
    transport_by_dns(&server, alive)
}

/// A line whose transport DNS chooses: NAPTR names TCP, where nobody listens, and UDP.
fn transport_by_dns(server: &Server, alive: SocketAddr) -> Result<()> {
    #[rustfmt::skip]
    server.json(&["line", "add", LINE, "--domain", CHOOSING, "--password", PASSWORD, "--transport", "auto"])?;
    clock::wait_for("the line registers by the other transport", SOON, || {
        let state = server.json(&["line", "show", LINE])?["state"].take();
        Ok((state["standing"] == "registered").then_some(()))
    })?;
    let found = server.json(&["line", "doctor", LINE])?;
    let text = found["lights"][0]["sentence"]["en"].as_str().unwrap_or_default();
    let words = format!("leads to {alive} (UDP), and also to {alive} (TCP), where nobody answers");
    ensure!(text.contains(&words), "{text}");
    Ok(())
}

/// Services by their names, and their servers, the first one first.
type Services = [(String, Vec<(&'static str, u16)>)];

/// Answers with these SRV records, the address of [`HOST`] and the NAPTR records of [`CHOOSING`].
fn serve(socket: &UdpSocket, services: &Services) {
    let srv = |(priority, &(host, port)): (u8, &(&str, u16))| {
        let [high, low] = port.to_be_bytes();
        [&[0, priority, 0, 0, high, low], &labels(host)[..]].concat()
    };
    let naptr = |(preference, service, prefix): (u8, &str, &str)| {
        let words = [text("s"), text(service), text("")].concat();
        let replacement = labels(&format!("{prefix}.{CHOOSING}"));
        [&[0, 1, 0, preference], &words[..], &replacement].concat()
    };
    let mut buffer = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let query = &buffer[..len];
        let Some(end) = query.iter().skip(12).position(|it| *it == 0).map(|it| it + 13) else {
            continue;
        };
        let Some(&[high, low, ..]) = query.get(end..) else { continue };
        let kind = u16::from_be_bytes([high, low]);
        let found = match kind {
            SRV => {
                let asked = services.iter().find(|it| query[12..end] == labels(&it.0));
                let servers = asked.into_iter().flat_map(|it| (1..).zip(&it.1));
                servers.map(srv).collect()
            }
            NAPTR if query[12..end] == labels(CHOOSING) => {
                [(1, "SIP+D2T", "_sip._tcp"), (2, "SIP+D2U", "_sip._udp")].map(naptr).into()
            }
            A if query[12..end] == labels(HOST) => vec![vec![127, 0, 0, 1]],
            _ => vec![],
        };
        answer(socket, from, (query, end), kind, &found);
    }
}

/// RFC 1035 §4.1: the question again, and the records with a pointer to its name; NXDOMAIN without any.
fn answer(
    socket: &UdpSocket,
    to: SocketAddr,
    (query, end): (&[u8], usize),
    kind: u16,
    found: &[Vec<u8>],
) {
    let Some(question) = query.get(12..end + 4) else { return };
    let code = if found.is_empty() { 3 } else { 0 };
    let mut response = query[..2].to_vec();
    response.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(found.len()).unwrap_or_default()]);
    response.extend([0; 4]);
    response.extend(question);
    for data in found {
        response.extend([0xc0, 12]);
        response.extend(kind.to_be_bytes());
        response.extend([0, 1, 0, 0, 0, 60]);
        response.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
        response.extend(data);
    }
    // Whoever asks sends again.
    let _ = socket.send_to(&response, to);
}

/// A character-string (RFC 1035 §3.3).
fn text(it: &str) -> Vec<u8> {
    [&[u8::try_from(it.len()).unwrap_or_default()], it.as_bytes()].concat()
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap_or_default());
        octets.extend(label.to_ascii_lowercase().as_bytes());
    }
    octets.push(0);
    octets
}
