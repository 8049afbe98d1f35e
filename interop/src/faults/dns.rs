//! The server of DNS is dead for a while, then lies: calls between phones go on, the line says what is wrong and
//! recovers by itself.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::dns::{Dns, HOST, Zone};
use crate::report::Context;
use crate::server::{LOCALHOST, PASSWORD, Server};

const LINE: &str = "5678";
const DOMAIN: &str = "carrier.test";

/// Calls between phones, a second.
const RATE: u32 = 20;

/// An answer holds for ten seconds at least, and a question has four.
const NOTICED: Duration = Duration::from_secs(30);

pub(super) fn dns(context: &Context) -> Result<()> {
    let listen = SocketAddr::new(LOCALHOST, 0);
    let carrier = Serving::start(listen, &[(LINE, PASSWORD)], Oddities::default())?;
    // Bound, so that its port is not another's: it never answers.
    let nobody = UdpSocket::bind(listen)?;
    let dns = Dns::start(leading_to(carrier.address))?;
    let resolver = format!("dns.servers={}", dns.address);
    let settings: Vec<&str> = NO_GUARD.into_iter().chain([resolver.as_str()]).collect();
    let server = Server::start_with(context, &settings)?;
    server.json(&["line", "add", LINE, "--domain", DOMAIN, "--password", PASSWORD])?;
    let mut office = Office::new(server, 20, 20)?;
    until(context, &mut office, "registered", |it| it["standing"] == "registered")?;

    dns.change(|it| it.silent = true);
    until(context, &mut office, "DNS is dead", |it| {
        it["trouble"]["code"] == "line.dns_stale" && it["standing"] == "registered"
    })?;
    // Its last addresses serve.
    office.server.json(&["line", "register", LINE])?;
    until(context, &mut office, "registered without DNS", |it| {
        it["standing"] == "registered" && it["target"] == carrier.address.to_string()
    })?;
    dns.change(|it| it.silent = false);
    until(context, &mut office, "DNS is back", is_well)?;

    let elsewhere = nobody.local_addr()?;
    dns.change(|it| *it = leading_to(elsewhere));
    until(context, &mut office, "DNS lies", |it| it["target"] == elsewhere.to_string())?;
    dns.change(|it| *it = leading_to(carrier.address));
    let took = until(context, &mut office, "DNS is honest again", |it| {
        is_well(it) && it["target"] == carrier.address.to_string()
    })?;
    context.cost(|it| it.recovered_ms = Some(took.as_secs_f64() * 1e3));
    office.tell_cost(context, 0)
}

fn leading_to(server: SocketAddr) -> Zone {
    let servers = vec![(HOST, server.port())];
    Zone { services: vec![(format!("_sip._udp.{DOMAIN}"), servers)], ..Zone::default() }
}

fn is_well(state: &Value) -> bool {
    state["standing"] == "registered" && state["trouble"].is_null()
}

/// Calls between phones, none of which may fail, until the line has come to this; how long that took.
fn until(
    context: &Context,
    office: &mut Office,
    what: &str,
    has_come: impl Fn(&Value) -> bool,
) -> Result<Duration> {
    let begun: Instant = clock::now();
    loop {
        office.load(context, RATE, RATE).with_context(|| format!("calls while {what}"))?;
        let state = office.server.json(&["line", "show", LINE])?["state"].take();
        if has_come(&state) {
            context.note(&format!("{what}: {:.1} s", begun.elapsed().as_secs_f64()));
            return Ok(begun.elapsed());
        }
        ensure!(begun.elapsed() < NOTICED, "{what}: {state:#}");
    }
}
