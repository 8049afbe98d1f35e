//! What the dial plan costs with 100,000 rules and 50,000 extensions, beside an empty one: one decision, its
//! share of a call in the core, and of a call of the whole server.

mod files;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, ensure};
use interop::clock;
use pbx::dialplan::levels::Levels;
use pbx::dialplan::live::AllUp;
use pbx::dialplan::plan::DialPlan;
use pbx::dialplan::rows::{
    BlockRow, CalledRow, CallerRow, DEFAULT_PLAN, LineChoice, RefineRow, RouteType, TrunkChoice,
};
use pbx::dialplan::transition::{Transition, TransitionKind};
use pbx::dialplan::{Caller, Query, route};
use pbx::directory::{Directory, Extension, Tenant};
use pbx::id::TenantId;
use pbx::line::Line;
use pbx::time::UnixMillis;
use pbx::trunk::Trunk;
use sip::{Flow, Transport};

use super::call::{Load, Office};
use super::compare::Bench as _;
use super::core::{FIRST, Script, Stage, call, call_to};
use crate::candidate::Kind;
use crate::inside::{SERVER, Watch, extension};
use crate::measure;
use crate::table::{Figure, Report};

const RULES: u32 = 100_000;
const EXTENSIONS: u32 = 50_000;
const LINES: u32 = 500;
/// Rows of each of the other tables.
const OTHER_ROWS: u32 = 1000;
const DECISIONS: u32 = 200_000;

const TIME_MAX_US: f64 = 5.0;
/// How often the two take turns, and with how many calls.
const TURNS: u32 = 200;
const CALLS_OF_A_TURN: u32 = 100;

/// The load on whole servers: so many turns of so many seconds.
const RATE: u32 = 100;
const SERVED_TURNS: u32 = 25;
const SECONDS: u32 = 2;

/// Where all lines are.
const CARRIER: Flow = Flow {
    transport: Transport::Udp,
    local: SERVER,
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1)), 5060),
    connection: None,
};

/// A call with the plan beside one without.
const CALL_MAX: f64 = 1.03;

pub(super) fn run() -> Result<Report> {
    let (empty, full) = (directory(false), directory(true));
    let mut report = Report::default();
    for (what, number) in [
        ("extension", extension_number as fn(u32) -> String),
        ("external line by a row", outside_number),
        ("SIP trunk by a row", |it| format!("8{:08}", it.wrapping_mul(104_729) % 100_000_000)),
        ("no match", |it| format!("#{it}")),
    ] {
        let (with, without) = (decision_us(&full, number)?, decision_us(&empty, number)?);
        report.figures.push(Figure {
            candidate: "dial plan",
            what: what.to_owned(),
            value: with,
            unit: "us",
            detail: format!("{without:.2} us with an empty plan"),
            ..Figure::default()
        });
        report.promise(&format!("us for a decision: {what}"), with, TIME_MAX_US);
    }
    for (what, script) in [("between extensions", call as Script), ("by a line", outside)] {
        let [with, without, ratio] = calls(&full, &empty, script)?;
        // The core is a tenth of what a call costs the server: its share is shown, and not promised.
        report.figures.push(Figure {
            candidate: "core",
            what: format!("call {what} with the plan"),
            value: with,
            unit: "us",
            detail: format!("{without:.1} us with an empty plan, {ratio:.3} of it"),
            ..Figure::default()
        });
    }
    let [with, without, ratio] = served()?;
    report.figures.push(Figure {
        candidate: "dialtone",
        what: format!("{RATE} calls/s with the plan"),
        value: with,
        unit: "ms CPU",
        detail: format!("{without:.3} ms with an empty plan"),
        ..Figure::default()
    });
    report.promise("CPU of a call with the plan / with an empty one", ratio, CALL_MAX);
    Ok(report)
}

/// The mean over numbers that are not in the processor's cache.
fn decision_us(directory: &Directory, number: fn(u32) -> String) -> Result<f64> {
    let calls: Vec<(String, String)> =
        (0..DECISIONS).map(|it| (extension_number(it.wrapping_mul(31)), number(it))).collect();
    let mut decided = 0_u32;
    let started = clock::now();
    for (caller, dialled) in &calls {
        let query = Query {
            tenant: TenantId::default(),
            caller: Caller::Extension(caller),
            dialled,
            on_behalf_of: None,
            hides: false,
            at: UnixMillis(1_795_659_300_000),
            dice: 50,
        };
        decided += u32::from(black_box(!route(directory, &AllUp, &query).plan.is_empty()));
    }
    let elapsed = started.elapsed();
    ensure!(decided == DECISIONS, "{decided} decisions instead of {DECISIONS}");
    Ok(elapsed.as_secs_f64() * 1e6 / f64::from(DECISIONS))
}

/// A call with each of the two, a few at a time in turns, so that what else runs on the machine meets
/// both alike: the medians, and that of the ratios of neighbours.
fn calls(full: &Directory, empty: &Directory, script: Script) -> Result<[f64; 3]> {
    let (mut with, mut without, mut ratios) = (vec![], vec![], vec![]);
    let mut full = Stage::new(full.clone(), Watch::Time)?;
    let mut empty = Stage::new(empty.clone(), Watch::Time)?;
    for turn in 0..TURNS {
        let rounds = turn * CALLS_OF_A_TURN..(turn + 1) * CALLS_OF_A_TURN;
        let a = full.rounds_us(script, rounds.clone())?;
        let b = empty.rounds_us(script, rounds)?;
        with.push(a);
        without.push(b);
        ratios.push(a / b);
    }
    Ok([with, without, ratios].map(measure::median))
}

/// A call of two whole servers, which take turns.
fn served() -> Result<[f64; 3]> {
    let load = Load { rate: RATE, count: RATE * SECONDS, relay: "always", over_tcp: false };
    let (mut full, mut empty) =
        (Office::start(Kind::Dialtone, load)?, Office::start(Kind::Dialtone, load)?);
    for (office, plan) in [(&full, plan()), (&empty, DialPlan::default())] {
        let folder = tempfile::tempdir()?;
        files::write(&plan, LINES, folder.path())?;
        let server = office.candidate.dialtone().context("no server of ours")?;
        server.json(&["dialplan", "import", &folder.path().to_string_lossy()])?;
    }
    let (mut with, mut without, mut ratios) = (vec![], vec![], vec![]);
    for turn in 0..=SERVED_TURNS {
        let [a, b] = [&mut full, &mut empty].map(|it| -> Result<f64> {
            let run = it.run()?;
            ensure!(run.problem.is_none(), "{:?}", run.problem);
            Ok(run.used.each_ms(run.outcome.done))
        });
        let (a, b) = (a?, b?);
        // The first is for warming up.
        if turn > 0 {
            with.push(a);
            without.push(b);
            ratios.push(a / b);
        }
    }
    for office in [full, empty] {
        let problem = office.close()?;
        ensure!(problem.is_none(), "{problem:?}");
    }
    Ok([with, without, ratios].map(measure::median))
}

/// To a number outside, by whichever line the plan chooses.
fn outside(stage: &mut Stage, round: u32) -> Result<()> {
    call_to(stage, round, &outside_number(round), CARRIER)
}

fn outside_number(it: u32) -> String {
    format!("9{:08}", it.wrapping_mul(7919) % 100_000_000)
}

fn extension_number(it: u32) -> String {
    (FIRST + it % EXTENSIONS).to_string()
}

/// The same extensions, lines and trunks, with a dial plan or an empty one.
fn directory(with_plan: bool) -> Directory {
    let mut tenant = Tenant::default();
    let levels = Levels::new(&[1]).unwrap_or_default();
    for it in 0..EXTENSIONS {
        tenant.put(Extension { levels, ..extension(&extension_number(it), "") });
    }
    for it in 0..LINES {
        let account = (20_000_000 + it).to_string().into();
        let (group, domain) = (it % 10, CARRIER.remote.ip().to_string().into());
        tenant.lines.put(Line { account, domain, register: false, group, ..Line::default() });
    }
    for id in 1..=9 {
        tenant.put_trunk(Trunk { id, group: id, options_s: 0, ..Trunk::default() });
    }
    if with_plan {
        tenant.dial_plan = plan();
    }
    let mut directory = Directory { version: 1, ..Directory::default() };
    directory.tenants.insert(TenantId::default(), tenant);
    directory
}

/// Rows of four to eight digits under 9 and 8, a tenth of them with a time or a level, and one for the
/// extensions.
fn plan() -> DialPlan {
    let mut plan = DialPlan::default();
    let kinds = [TransitionKind::Delete, TransitionKind::Replace, TransitionKind::Insert];
    for (id, kind) in (1..).zip(kinds) {
        let (string, description) = ("0086".into(), "".into());
        plan.put_transition(Transition { id, kind, start: 0, length: 1, string, description });
    }
    for id in 1..=RULES {
        let digits = format!("{:08}", u64::from(id).wrapping_mul(2_654_435_761) % 100_000_000);
        let length = 3 + usize::try_from(id % 5).unwrap_or_default();
        let row = if id % 2 == 0 {
            called(id, &format!("9{}", &digits[..length]), by_lines(id))
        } else {
            let trunks = vec![id % 9 + 1, (id + 1) % 9 + 1];
            let route = RouteType::SipTrunk(TrunkChoice::Listed(trunks));
            called(id, &format!("8{}", &digits[..length]), route)
        };
        plan.called.put(row);
    }
    for (id, prefix) in [(RULES + 1, "9"), (RULES + 2, "8")] {
        plan.called.put(called(id, prefix, by_lines(id)));
    }
    let extensions = called(RULES + 3, "1", RouteType::LocalUser);
    plan.called.put(CalledRow { transition: None, level: None, time: None, ..extensions });
    for id in 1..=OTHER_ROWS {
        plan.callers.put(caller_row(id));
        plan.blocked.put(block_row(id));
        plan.refine_called.put(refine_row(id));
    }
    plan
}

fn by_lines(id: u32) -> RouteType {
    RouteType::ExternalLine(LineChoice::Group(id % 9 + 1))
}

fn called(id: u32, prefix: &str, route: RouteType) -> CalledRow {
    CalledRow {
        id,
        plan: DEFAULT_PLAN.into(),
        prefix: prefix.into(),
        route,
        transition: Some(1),
        reanalyze: false,
        level: id.is_multiple_of(10).then_some(1),
        time: (id % 10 == 1).then(|| "mon-fri".parse().ok()).flatten(),
        description: "".into(),
    }
}

fn caller_row(id: u32) -> CallerRow {
    CallerRow {
        id,
        plan: DEFAULT_PLAN.into(),
        prefix: format!("1{id:03}").into(),
        to_plan: None,
        transition: None,
        time: None,
        description: "".into(),
    }
}

fn block_row(id: u32) -> BlockRow {
    let called = format!("97{id:03}").into();
    BlockRow { id, caller: "*".into(), called, rate: 0, description: "".into() }
}

fn refine_row(id: u32) -> RefineRow {
    let prefix = format!("{id:03}").into();
    RefineRow { id, group: id % 10, prefix, transition: 3, time: None, description: "".into() }
}
