//! How many INVITEs of 1.2 kB one core reads, and reads and forwards, in a second.
//!
//! `cargo run --release -p dialtone-sip --example parse_rate [ROUNDS]`

#![expect(clippy::print_stdout, reason = "the figures are for the person who runs it")]

use sip::message::{HeaderName, Message, StartLine, Writer, check};
use std::hint::black_box;
use std::time::Instant;

const INVITE: &[u8] = include_bytes!("../tests/invite.dat");
/// Messages per batch, unless the command line says otherwise. The best batch counts, as the
/// others were disturbed by something else on the machine.
const ROUNDS: u32 = 50_000;
const BATCHES: u32 = 20;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(ROUNDS);
    println!("INVITE of {} octets, best of {BATCHES} batches of {rounds}", INVITE.len());
    rate(rounds, "parse", || Message::parse(black_box(INVITE)).is_ok());
    rate(rounds, "parse + check", || {
        Message::parse(black_box(INVITE)).is_ok_and(|it| check(&it).is_ok())
    });
    rate(rounds, "parse + check + forward", || forward(black_box(INVITE)).is_some());
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn rate(rounds: u32, what: &str, mut work: impl FnMut() -> bool) {
    let mut best = 0f64;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..rounds {
            assert!(black_box(work()), "{what} failed");
        }
        best = best.max(f64::from(rounds) / start.elapsed().as_secs_f64());
    }
    println!("{what:<24} {best:>10.0} messages/s");
}

/// What a proxy would send on: a new Via, one hop less, everything else as it came.
fn forward(bytes: &[u8]) -> Option<bytes::Bytes> {
    let msg = Message::parse(bytes).ok()?;
    let essentials = check(&msg).ok()?;
    let StartLine::Request { method, uri, .. } = msg.start else {
        return None;
    };
    let mut writer = Writer::request(method, uri);
    writer.header("Via", "SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK-forwarded");
    writer.header("Max-Forwards", essentials.max_forwards?.checked_sub(1)?);
    let mut content_type = "";
    for field in msg.headers.iter() {
        if field.name == HeaderName::ContentType {
            content_type = field.value;
        } else if ![HeaderName::ContentLength, HeaderName::MaxForwards].contains(&field.name) {
            writer.text_header(field.raw_name, field.value);
        }
    }
    Some(writer.finish_with(content_type, msg.body))
}
