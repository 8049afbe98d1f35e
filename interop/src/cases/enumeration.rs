//! Nobody learns which extensions exist: same status, same headers, same time (reliability row 2).

use std::time::Duration;

use anyhow::{Result, ensure};

use super::setup::office_with;
use crate::clock;
use crate::message::Message;
use crate::phone::Phone;
use crate::report::Context;
use crate::server::{ATTACKER, Server};

const TRIES: usize = 200;

/// Between the medians. Unit: milliseconds.
const GAP_MAX_MS: f64 = 5.0;

pub(super) fn enumeration(context: &Context) -> Result<()> {
    let server = office_with(context, &["guard.rate=100000", "guard.burst=100000"])?;
    for method in ["REGISTER", "INVITE"] {
        for guess in [None, Some("wrong-password")] {
            let (known, known_ms) = tries(&server, "101", method, guess)?;
            let (unknown, unknown_ms) = tries(&server, "666", method, guess)?;
            ensure!(known == unknown, "{method} {guess:?}: {known} for 101, {unknown} for 666");
            let gap = (known_ms - unknown_ms).abs();
            context.note(&format!(
                "{method}, {}: {known_ms:.2} ms for a known number, {unknown_ms:.2} ms for none",
                if guess.is_some() { "wrong password" } else { "no credentials" }
            ));
            ensure!(gap < GAP_MAX_MS, "{method}: a gap of {gap:.1} ms");
        }
    }
    Ok(())
}

/// The shape of the answers, all alike, and the median time. Unit: milliseconds.
fn tries(
    server: &Server,
    number: &str,
    method: &str,
    guess: Option<&str>,
) -> Result<(String, f64)> {
    let mut phone = Phone::udp(ATTACKER, server.udp(), number, guess.unwrap_or_default())?;
    let mut times = vec![];
    let mut shape = None;
    for _ in 0..TRIES {
        let uri = match method {
            "INVITE" => format!("sip:{number}@{}", server.udp()),
            _ => format!("sip:{}", server.udp()),
        };
        let mut request = phone.request(method, &uri, &format!("sip:{number}@{}", server.udp()))?;
        if guess.is_some() {
            let challenge = phone.transact(&request)?;
            phone.learn(&challenge)?;
            if method == "INVITE" {
                phone.ack_refusal(&request, &challenge)?;
            }
            request = phone.again(&request)?;
            request = phone.with_credentials(request)?;
        }
        let started = clock::now();
        let answer = phone.transact(&request)?;
        times.push(started.elapsed());
        if method == "INVITE" {
            phone.ack_refusal(&request, &answer)?;
        }
        let now = shape_of(&answer);
        let before = shape.get_or_insert_with(|| now.clone());
        ensure!(*before == now, "{method} {number}: {now} after {before}");
    }
    times.sort_unstable();
    let median: Duration = times[TRIES / 2];
    Ok((shape.unwrap_or_default(), median.as_secs_f64() * 1000.0))
}

/// The start line and the names of the headers; of the challenge also its parameters.
fn shape_of(answer: &Message) -> String {
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    let challenge = answer.text("WWW-Authenticate");
    let parts = challenge.split(',').map(|it| it.split('=').next().unwrap_or_default().trim());
    format!("{} {} {}", answer.start, names.join(","), parts.collect::<Vec<_>>().join(","))
}
