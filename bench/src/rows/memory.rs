//! Memory at the start, for each registered phone, and for each call that is up, without media and with it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Answering, Callee, Caller, User, Wires, register_all};
use interop::server::LOCALHOST;

use crate::candidate::{Candidate, Kind, users};
use crate::measure;
use crate::phones::Phones;
use crate::table::{Figure, Report};

const CALLS: usize = 1000;

/// For a thousand calls to come up.
const LIMIT: Duration = Duration::from_secs(30);

/// For what is freed a little later, so that all are looked at in rest.
const REST: Duration = Duration::from_secs(2);

/// The default of `trace.memory_mib`, touched at the start and reported apart.
const RING_MIB: f64 = 32.0;

/// What the promises are in. Unit: KiB, but for the start in MB.
const START_MB: f64 = 40.0;
const PHONE_KIB: f64 = 1.5;
const CALL_KIB: f64 = 16.0;
const CALL_WITH_MEDIA_KIB: f64 = 32.0;

pub(super) fn run() -> Result<Report> {
    let [start, phone, call] = one(Kind::Dialtone, "never", false)?;
    let [_, _, with_media] = one(Kind::Dialtone, "always", true)?;
    let mut report = Report::of(one(Kind::Kamailio { workers: 4 }, "", false)?.into());
    report.promise("dialtone at the start, MB", (start.value - RING_MIB) * 1.048_576, START_MB);
    report.promise("dialtone for each phone, KiB", phone.value, PHONE_KIB);
    report.promise("for each call without media, KiB", call.value, CALL_KIB);
    report.promise("for each call with media, KiB", with_media.value, CALL_WITH_MEDIA_KIB);
    report.figures.extend([start, phone, call, with_media]);
    Ok(report)
}

/// At the start, for each phone, and for each call.
fn one(kind: Kind, relay: &str, talks: bool) -> Result<[Figure; 3]> {
    let extensions = ["--relay", relay];
    let extensions = if relay.is_empty() { &[] } else { &extensions[..] };
    let mut candidate = Candidate::start_with(kind, extensions)?;
    let added = look(&candidate)?;
    candidate.start_anew()?;
    let start = look(&candidate)?;

    let users = users();
    let (callers, callees) = users.split_at(users.len() / 2);
    let (mut caller_wires, mut callee_wires) = (Wires::udp(LOCALHOST)?, Wires::udp(LOCALHOST)?);
    for (wires, users) in [(&mut caller_wires, callers), (&mut callee_wires, callees)] {
        let outcome = register_all(wires, candidate.at, users, 2000)?;
        ensure!(outcome.failed == 0, "{outcome}");
    }
    candidate.check_registrations(users.len())?;
    let registered = look(&candidate)?;

    let mut phones = Phones::new()?;
    let media = vec![phones.callees()?; CALLS];
    let answering = Answering { after: Duration::ZERO, media };
    let answering = Callee::start(callee_wires, candidate.at, answering)?;
    let mut caller = Caller::new(caller_wires, candidate.at, callers.to_vec());
    bring_up(&mut caller, callees, phones.callers()?)?;
    let up = caller.up();
    if talks {
        let (seen, _) = answering.stop()?;
        let both = caller.media().into_iter().zip(seen.offers);
        phones.call(&both.filter_map(|(a, b)| Some((a?, b))).collect())?;
        phones.talk(50)?;
    }
    let with_calls = look(&candidate)?;

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |more: f64, count: usize| more * 1024.0 / count as f64;
    let figure = |what: &str, value: f64, unit: &'static str, detail: String| Figure {
        candidate: kind.name(),
        what: what.to_owned(),
        value,
        unit,
        detail,
        ..Figure::default()
    };
    let in_all = format!("{registered:.1} MiB in all");
    let mut call = figure(
        if talks { "each call with media" } else { "each call" },
        each(with_calls - registered, CALLS),
        "KiB",
        match kind {
            Kind::Dialtone => format!("{with_calls:.1} MiB with {up} calls, relay {relay}"),
            Kind::Kamailio { .. } => {
                format!(
                    "{with_calls:.1} MiB with {up} calls; a proxy forgets them once they are up"
                )
            }
        },
    );
    call.problem = (up < CALLS).then(|| format!("only {up} calls: {}", caller.outcome));
    Ok([
        figure("at the start", start, "MiB", at_the_start(kind, added)),
        figure("each phone", each(registered - start, users.len()), "KiB", in_all),
        call,
    ])
}

fn at_the_start(kind: Kind, added: f64) -> String {
    match kind {
        Kind::Dialtone => {
            let users = users().len();
            format!(
                "MiB, {RING_MIB} of them the ring; {users} users; {added:.1} once they were added"
            )
        }
        Kind::Kamailio { .. } => "MiB; it keeps no users".to_owned(),
    }
}

/// One after the other, so that the offers the callees saw have the order of the calls.
fn bring_up(caller: &mut Caller, callees: &[User], media: SocketAddr) -> Result<()> {
    let end = clock::now() + LIMIT;
    for (index, callee) in callees.iter().enumerate().take(CALLS) {
        caller.call(index, &callee.number, media)?;
        while caller.up() <= index && clock::now() < end {
            caller.poll()?;
        }
    }
    Ok(())
}

/// Unit: MiB.
fn look(candidate: &Candidate) -> Result<f64> {
    clock::pause(REST);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
    Ok(measure::memory_kib(candidate.id()?)? as f64 / 1024.0)
}
