//! A carrier behind a name: SRV records of a server of DNS on loopback, the first target dead.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::setup::{CALLER_MARK, office_with, registered};
use crate::clock;
use crate::dns::{Dns, HOST, Zone};
use crate::phone::{Phone, SOON};
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};

const LINE: &str = "5678";

/// A name with NAPTR records: TCP is preferred.
const CHOOSING: &str = "choosing.test";

/// A line without registration calls by name; the server that is silent is left, the next one called.
pub(super) fn srv_failover(context: &Context) -> Result<()> {
    let dns = Dns::start(Zone::default())?;
    let server = office_with(context, &[&format!("dns.servers={}", dns.address)])?;
    // Bound, so that its port is not another's: it never answers.
    let dead = UdpSocket::bind((LOCALHOST, 0))?;
    let mut carrier = Phone::udp(LOCALHOST, server.udp(), "0138", PASSWORD)?;
    let ports = [dead.local_addr()?.port(), carrier.wire.local()?.port()];
    let servers = ports.map(|it| (HOST, it)).into();
    dns.change(|it| it.services = vec![("_sip._udp.carrier.test".to_owned(), servers)]);

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
    let dns = Dns::start(Zone { choosing: Some(CHOOSING), ..Zone::default() })?;
    let server = office_with(context, &[&format!("dns.servers={}", dns.address)])?;
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
    dns.change(|it| it.services = served);
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
