//! A trunk whose first server dies: calls go on by the next one, and come back to the first when it is there again.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::joined::{add_rows, add_trunk, join, office, recorded};
use super::setup::{CALLER_MARK, registered};
use crate::clock;
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, Server};

/// A call is with the next server within this time. Unit: milliseconds.
const FAILOVER_MS: u64 = 4_000;

/// A server that is known to be down is asked every ten seconds, and answers at once.
const BACK_LIMIT: Duration = Duration::from_secs(40);

/// What the timeline of every call has.
const MILESTONES: [&str; 4] = ["started", "ringing", "answered", "ended"];

/// An office, and another one that two servers serve.
struct Joined {
    ours: Server,
    theirs: [Server; 2],
    caller: Phone,
    /// The calls that were made.
    calls: usize,
}

/// What a call came to.
struct Made {
    record: Value,
    /// The lines and trunks that did not take it, as attempt and fact.
    failed: Vec<(u64, String)>,
    ringing_ms: u64,
}

/// One trunk with two addresses, asked by OPTIONS.
pub(super) fn trunk_failover(context: &Context) -> Result<()> {
    let mut it = Joined::new(context)?;
    let [first, second] = it.theirs.each_ref().map(|it| it.udp().to_string());
    // Asked so seldom that the calls are the first to notice.
    #[rustfmt::skip]
    it.ours.json(&["trunk", "add", "1", "--address", &first, "--address", &second, "--health-check", "600"])?;
    add_rows(&it.ours, &[("2", &[1])])?;
    it.wait_up([true, true])?;
    let usual = it.call(0)?;
    ensure!(usual.failed.is_empty(), "{:?}", usual.failed);

    it.theirs[0].kill()?;
    let through = it.call(1)?;
    ensure!(through.failed == [(1, "silent".to_owned())], "{:?}", through.failed);
    ensure!(through.ringing_ms < FAILOVER_MS, "ringing after {} ms", through.ringing_ms);
    context.note(&format!("ringing {} ms after the call began", through.ringing_ms));
    let at_once = it.call(1)?;
    ensure!(at_once.failed.is_empty(), "the dead server was tried again: {:?}", at_once.failed);

    it.theirs[0].run()?;
    it.wait_up([true, true])?;
    it.call(0).context("the first server is back")?;

    // Now OPTIONS notices before any call does.
    it.ours.json(&["trunk", "set", "1", "--health-check", "5"])?;
    it.theirs[0].kill()?;
    it.wait_up([false, true])?;
    let at_once = it.call(1)?;
    ensure!(at_once.failed.is_empty(), "the dead server was tried: {:?}", at_once.failed);
    Ok(())
}

/// A row of the dial plan with two trunks in their order.
pub(super) fn trunk_alternatives(context: &Context) -> Result<()> {
    let mut it = Joined::new(context)?;
    for (id, server) in (1..).zip(&it.theirs) {
        add_trunk(&it.ours, id, server)?;
    }
    add_rows(&it.ours, &[("2", &[1, 2])])?;
    recorded(&it.call(0)?.record, &[("trunk", "1")])?;
    it.theirs[0].kill()?;
    let through = it.call(1)?;
    recorded(
        &through.record,
        &[("trunk", "2"), ("route", "trunk"), ("release_code", "caller.hangup")],
    )?;
    ensure!(through.failed == [(1, "silent".to_owned())], "{:?}", through.failed);
    ensure!(through.ringing_ms < FAILOVER_MS, "ringing after {} ms", through.ringing_ms);
    let at_once = it.call(1)?;
    ensure!(at_once.failed.is_empty(), "the dead trunk was tried again: {:?}", at_once.failed);
    Ok(())
}

impl Joined {
    fn new(context: &Context) -> Result<Self> {
        let ours = office(context, "ours", 21, "1")?;
        let theirs = [office(context, "first", 22, "2")?, office(context, "second", 23, "2")?];
        for server in &theirs {
            join(server, &ours, &[("1", &[1])])?;
        }
        let caller = registered(&ours, "101")?;
        Ok(Self { ours, theirs, caller, calls: 0 })
    }

    /// 101 calls 201, whose phone at that server gets the call and takes it.
    fn call(&mut self, server: usize) -> Result<Made> {
        let mut callee = registered(&self.theirs[server], "201")?;
        let media = Media::new(LOCALHOST, CALLER_MARK)?;
        let sent = self.caller.invite("201", &media.sdp()?)?;
        let invite = callee.expect_request("INVITE")?;
        callee.respond(&invite, 180, "Ringing")?;
        self.caller.expect(&sent, 180)?;
        callee.accept(&invite, &media.sdp()?)?;
        let answer = self.caller.expect(&sent, 200)?;
        let mut dialog = self.caller.ack(&sent, &answer)?;
        callee.expect_request("ACK")?;
        self.caller.bye(&mut dialog)?;
        let bye = callee.expect_request("BYE")?;
        callee.respond(&bye, 200, "OK")?;
        self.calls += 1;
        let mut records = self.ours.wait_records(self.calls)?;
        let record = records.pop().context("no record")?;
        Made::of(&self.ours, record)
    }

    /// Whether each of the two servers of trunk 1 is taken to be there.
    fn wait_up(&self, expected: [bool; 2]) -> Result<()> {
        let mut state = Value::Null;
        let found = clock::wait_for("the state of the trunk", BACK_LIMIT, || {
            state = self.ours.json(&["trunk", "show", "1"])?["state"].take();
            let is_so = |(server, up): (usize, bool)| {
                let it = &state["servers"][server];
                it["up"] == up && !it["last_answer"].is_null()
            };
            Ok(expected.into_iter().enumerate().all(is_so).then_some(()))
        });
        found.with_context(|| format!("{expected:?}: {state}"))
    }
}

impl Made {
    fn of(server: &Server, record: Value) -> Result<Self> {
        let id = record["call_id"].as_str().context("no call_id")?;
        let page = server.json(&["calls", "show", id])?;
        let timeline = page["call"]["timeline"].as_array().context("no timeline")?;
        let happened = |it: &Value| {
            let what = it["what"].as_str().unwrap_or_default().to_owned();
            (it["attempt"].as_u64().unwrap_or_default(), what)
        };
        let is_failure =
            |it: &&Value| !MILESTONES.contains(&it["what"].as_str().unwrap_or_default());
        let failed = timeline.iter().filter(is_failure).map(happened).collect();
        let ringing = timeline.iter().find(|it| it["what"] == "ringing");
        let ringing_ms = ringing.and_then(|it| it["at_ms"].as_u64()).context("it did not ring")?;
        Ok(Self { record, failed, ringing_ms })
    }
}
