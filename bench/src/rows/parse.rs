//! How many INVITEs of 1.2 kB one core reads, checks and writes on in a second.

use std::hint::black_box;

use anyhow::{Result, ensure};
use interop::clock;
use sip::message::{HeaderName, Message, StartLine, Writer, check};

use crate::table::{Figure, Report};

const INVITE: &[u8] = include_bytes!("../../../crates/sip/tests/invite.dat");

/// Messages of a batch. The best batch counts, as the others were disturbed by something else on the machine.
const MESSAGES: u32 = 50_000;
const BATCHES: u32 = 20;

/// Messages a second that were promised.
const RATE: f64 = 800_000.0;

pub(super) fn run() -> Result<Report> {
    let parse = || Message::parse(black_box(INVITE)).is_ok();
    let parse_and_check = || Message::parse(black_box(INVITE)).is_ok_and(|it| check(&it).is_ok());
    let all = || forward(black_box(INVITE)).is_some();
    let figures = vec![
        figure("parse", parse)?,
        figure("parse and typed views", parse_and_check)?,
        figure("parse, views and print", all)?,
    ];
    let (reading, whole) = (&figures[1], &figures[2]);
    let (allocated, rate) = (allocations(parse_and_check), whole.value);
    ensure!(reading.value >= whole.value, "writing cannot make it quicker");
    let mut report = Report::of(figures);
    report.promise("allocations of parse and views", allocated, 0.0);
    report.promise("promised rate / parse, views and print", RATE / rate, 1.0);
    Ok(report)
}

fn figure(what: &str, work: impl Fn() -> bool + Copy) -> Result<Figure> {
    let mut best = 0_f64;
    for _ in 0..BATCHES {
        let started = clock::now();
        for _ in 0..MESSAGES {
            ensure!(black_box(work()), "{what} failed");
        }
        best = best.max(f64::from(MESSAGES) / started.elapsed().as_secs_f64());
    }
    Ok(Figure {
        candidate: "sip",
        what: what.to_owned(),
        value: best,
        unit: "/s",
        detail: format!("{} octets, {} allocations", INVITE.len(), allocations(work)),
        ..Figure::default()
    })
}

fn allocations(work: impl Fn() -> bool) -> f64 {
    let info = allocation_counter::measure(|| {
        black_box(work());
    });
    f64::from(u32::try_from(info.count_total).unwrap_or(u32::MAX))
}

/// What a proxy would send on: a new Via, one hop less, everything else as it came.
fn forward(bytes: &[u8]) -> Option<bytes::Bytes> {
    let msg = Message::parse(bytes).ok()?;
    let essentials = check(&msg).ok()?;
    let StartLine::Request { method, uri, .. } = msg.start else {
        return None;
    };
    let mut writer = Writer::request(method, uri);
    writer.text_header("Via", "SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK-forwarded");
    writer.header("Max-Forwards", essentials.max_forwards?.checked_sub(1)?);
    const OURS: [HeaderName; 3] =
        [HeaderName::ContentType, HeaderName::ContentLength, HeaderName::MaxForwards];
    writer.lines_of(&msg.headers, |it| !OURS.contains(&it.known()));
    Some(writer.finish_with(msg.headers.get(HeaderName::ContentType)?, msg.body))
}
