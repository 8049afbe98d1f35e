//! The core alone: time and allocations for each datagram, with all that it causes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};
use interop::dialog::Dialog;
use interop::digest::{Challenge, Credentials};
use interop::message::Message;
use interop::rtp;
use interop::server::PASSWORD;
use pbx::core::Recovered;
use pbx::directory::Directory;
use sip::Flow;

use super::compare::RUNS;
use crate::inside::{Inside, SERVER, Watch, directory, flow_of};
use crate::measure;
use crate::table::{Figure, Report};

pub(super) const FIRST: u32 = 1000;
const USERS: u32 = 1000;
/// Rounds of one run: so many registrations, and as many calls.
const ROUNDS: u32 = 8000;
/// Between two datagrams, so that 200 calls begin a second: timers of 32 s fire within a run.
const STEP: Duration = Duration::from_micros(625);

const TIME_MAX_US: f64 = 5.0;
const ALLOCATIONS_MAX: f64 = 2.0;

pub(super) fn run() -> Result<Report> {
    let mut report = Report::default();
    for (what, script) in [("call", call as Script), ("registration", register as Script)] {
        let mut times = vec![];
        for _ in 0..RUNS {
            times.push(Cost::of(script, Watch::Time)?);
        }
        let allocations = Cost::of(script, Watch::Allocations)?;
        let time = measure::median(times.iter().map(Cost::time_us).collect());
        let last = times.last().context("no run")?;
        let figure = |value, unit, detail| Figure {
            candidate: "core",
            what: format!("datagram of a {what}"),
            value,
            unit,
            detail,
            ..Figure::default()
        };
        let each = allocations.allocations();
        report.figures.push(figure(time, "us", last.by_step(Step::time_us)));
        report.figures.push(figure(each, "allocs", allocations.by_step(Step::allocations)));
        report.promise(&format!("us for a datagram of a {what}"), time, TIME_MAX_US);
        report.promise(&format!("allocations, {what}"), each, ALLOCATIONS_MAX);
    }
    Ok(report)
}

pub(super) type Script = fn(&mut Stage, u32) -> Result<()>;

/// The core with its phones, and what each kind of datagram cost.
pub(super) struct Stage {
    inside: Inside,
    steps: BTreeMap<&'static str, Step>,
}

#[derive(Clone, Copy, Default)]
struct Step {
    count: u32,
    time: Duration,
    allocations: u64,
}

impl Step {
    fn time_us(&self) -> f64 {
        self.time.as_secs_f64() * 1e6 / f64::from(self.count.max(1))
    }

    fn allocations(&self) -> f64 {
        f64::from(u32::try_from(self.allocations).unwrap_or(u32::MAX))
            / f64::from(self.count.max(1))
    }
}

pub(super) struct Cost {
    all: Step,
    steps: BTreeMap<&'static str, Step>,
}

impl Cost {
    fn of(script: Script, watch: Watch) -> Result<Self> {
        let mut stage = Stage::new(directory(FIRST, USERS), watch)?;
        let before = stage.inside.spent;
        for round in 0..ROUNDS {
            script(&mut stage, USERS + round)?;
        }
        // The timers' share is in the sum and in no step.
        let after = stage.inside.spent;
        let count = stage.steps.values().map(|it| it.count).sum();
        let time = after.time - before.time;
        let allocations = after.allocations - before.allocations;
        Ok(Self { all: Step { count, time, allocations }, steps: stage.steps })
    }

    fn time_us(&self) -> f64 {
        self.all.time_us()
    }

    fn allocations(&self) -> f64 {
        self.all.allocations()
    }

    fn by_step(&self, read: fn(&Step) -> f64) -> String {
        let each = self.steps.iter().map(|(name, step)| format!("{name} {:.1}", read(step)));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl Stage {
    /// All users of the directory have a phone registered.
    pub(super) fn new(directory: Directory, watch: Watch) -> Result<Self> {
        let inside = Inside::new(directory, Recovered::default(), watch);
        let mut stage = Self { inside, steps: BTreeMap::new() };
        for user in 0..USERS {
            register(&mut stage, user)?;
        }
        stage.steps.clear();
        Ok(stage)
    }

    /// The time that the core took for so many rounds of a script, in microseconds each.
    pub(super) fn rounds_us(&mut self, script: Script, rounds: Range<u32>) -> Result<f64> {
        let count = rounds.len();
        let before = self.inside.spent.time;
        for round in rounds {
            script(self, USERS + round)?;
        }
        Ok((self.inside.spent.time - before).as_secs_f64() * 1e6 / count.max(1) as f64)
    }

    fn receive(&mut self, step: &'static str, flow: Flow, it: &Message) -> Result<Vec<Message>> {
        let before = self.inside.spent;
        let left = self.inside.receive(flow, &it.to_bytes())?;
        let after = self.inside.spent;
        let entry = self.steps.entry(step).or_default();
        entry.count += 1;
        entry.time += after.time - before.time;
        entry.allocations += after.allocations - before.allocations;
        self.inside.advance(STEP)?;
        Ok(left)
    }
}

fn number(user: u32) -> String {
    (FIRST + user % USERS).to_string()
}

fn register(stage: &mut Stage, round: u32) -> Result<()> {
    let user = round % USERS;
    let flow = flow_of(user);
    let (number, uri) = (number(user), format!("sip:{SERVER}"));
    let request = |cseq: u32| {
        Message::new(&format!("REGISTER {uri} SIP/2.0"))
            .with("Via", via(flow, &format!("r{round}.{cseq}")))
            .with("Max-Forwards", 70)
            .with("From", format!("<sip:{number}@{SERVER}>;tag=f{round}"))
            .with("To", format!("<sip:{number}@{SERVER}>"))
            .with("Call-ID", format!("register-{user}"))
            .with("CSeq", format!("{} REGISTER", 2 * round + cseq))
            .with("Contact", format!("<sip:{number}@{}>", flow.remote))
            .with("Expires", 3600)
    };
    let left = stage.receive("REGISTER without digest", flow, &request(1))?;
    let it = Credentials { user: &number, password: PASSWORD, method: "REGISTER", uri: &uri };
    let request = request(2).with("Authorization", challenge(&left)?.answer(it));
    let left = stage.receive("REGISTER", flow, &request)?;
    find(&left, "200").map(drop)
}

/// Between two extensions.
pub(super) fn call(stage: &mut Stage, round: u32) -> Result<()> {
    let callee = USERS / 2 + round % (USERS / 2);
    call_to(stage, round, &number(callee), flow_of(callee))
}

/// From an extension to whom the dialled number leads.
pub(super) fn call_to(
    stage: &mut Stage,
    round: u32,
    dialled: &str,
    callee_flow: Flow,
) -> Result<()> {
    let caller = round % (USERS / 2);
    let caller_flow = flow_of(caller);
    let (from, uri) = (number(caller), format!("sip:{dialled}@{SERVER}"));
    let invite = |cseq: u32| {
        Message::new(&format!("INVITE {uri} SIP/2.0"))
            .with("Via", via(caller_flow, &format!("i{round}.{cseq}")))
            .with("Max-Forwards", 70)
            .with("From", format!("<sip:{from}@{SERVER}>;tag=f{round}"))
            .with("To", format!("<{uri}>"))
            .with("Call-ID", format!("call-{round}"))
            .with("CSeq", format!("{cseq} INVITE"))
            .with("Contact", format!("<sip:{from}@{}>", caller_flow.remote))
    };
    let left = stage.receive("INVITE without digest", caller_flow, &invite(1))?;
    let refusal = find(&left, "401")?;
    let ack = Message::new(&format!("ACK {uri} SIP/2.0"))
        .with("Via", refusal.text("Via"))
        .with("Max-Forwards", 70)
        .with("From", refusal.text("From"))
        .with("To", refusal.text("To"))
        .with("Call-ID", refusal.text("Call-ID"))
        .with("CSeq", "1 ACK");
    stage.receive("ACK of 401", caller_flow, &ack)?;
    let it = Credentials { user: &from, password: PASSWORD, method: "INVITE", uri: &uri };
    let request = invite(2)
        .with("Authorization", challenge(&left)?.answer(it))
        .with_sdp(&rtp::description(caller_flow.remote, "sendrecv"));
    let left = stage.receive("INVITE", caller_flow, &request)?;
    let offered = find(&left, "INVITE")?;
    stage.receive("180", callee_flow, &answer(offered, 180, callee_flow))?;
    let accepted = answer(offered, 200, callee_flow);
    let left = stage.receive("200", callee_flow, &accepted)?;
    let answered = find(&left, "200")?;
    let mut dialog = Dialog::of_caller(&request, answered);
    stage.receive("ACK", caller_flow, &within(&dialog, caller_flow, "ACK"))?;
    dialog.cseq += 1;
    let left = stage.receive("BYE", caller_flow, &within(&dialog, caller_flow, "BYE"))?;
    let bye = find(&left, "BYE")?;
    stage.receive("200 of BYE", callee_flow, &bye.answer(200, "OK", "callee")).map(drop)
}

fn via(flow: Flow, branch: &str) -> String {
    format!("SIP/2.0/UDP {};branch=z9hG4bK{branch};rport", flow.remote)
}

fn answer(invite: &Message, status: u16, flow: Flow) -> Message {
    let answer = invite.answer(status, "Any", "callee");
    let answer = answer.with("Contact", format!("<sip:callee@{}>", flow.remote));
    if status < 200 { answer } else { answer.with_sdp(&rtp::description(flow.remote, "sendrecv")) }
}

fn within(dialog: &Dialog, flow: Flow, method: &str) -> Message {
    let Dialog { call_id, local, remote, target, cseq, .. } = dialog;
    Message::new(&format!("{method} {target} SIP/2.0"))
        .with("Via", via(flow, &format!("{call_id}{method}")))
        .with("Max-Forwards", 70)
        .with("From", local)
        .with("To", remote)
        .with("Call-ID", call_id)
        .with("CSeq", format!("{cseq} {method}"))
}

fn challenge(left: &[Message]) -> Result<Challenge> {
    let value = find(left, "401")?.header("WWW-Authenticate").context("no challenge")?;
    Challenge::parse(value).context("an unknown challenge")
}

/// The message of this status or method that left.
fn find<'a>(left: &'a [Message], what: &str) -> Result<&'a Message> {
    let is_it = |it: &&Message| match it.status() {
        Some(status) => status.to_string() == what,
        None => it.method() == what,
    };
    left.iter().find(is_it).with_context(|| format!("no {what} in {left:?}"))
}
