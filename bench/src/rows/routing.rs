//! What the dial plan costs with 100,000 rules and 50,000 extensions: one decision, and its share of a
//! call in the core beside an empty plan.

use std::hint::black_box;

use anyhow::{Result, ensure};
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

use super::compare::RUNS;
use super::core::{Cost, FIRST, call};
use crate::inside::{Watch, extension};
use crate::table::{Figure, Report};

const RULES: u32 = 100_000;
const EXTENSIONS: u32 = 50_000;
const LINES: u32 = 500;
/// Rows of each of the other tables.
const OTHER_ROWS: u32 = 1000;
const DECISIONS: u32 = 200_000;

const TIME_MAX_US: f64 = 5.0;
/// A call with the plan beside one without.
const CALL_MAX: f64 = 1.03;

pub(super) fn run() -> Result<Report> {
    let (empty, full) = (directory(false), directory(true));
    let mut report = Report::default();
    for (what, number) in [
        ("extension", extension_number as fn(u32) -> String),
        ("external line by a row", |it| format!("9{:08}", it.wrapping_mul(7919) % 100_000_000)),
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
    let (with, without) = calls_us(&full, &empty)?;
    report.figures.push(Figure {
        candidate: "core",
        what: "call with the plan".to_owned(),
        value: with,
        unit: "us",
        detail: format!("{without:.1} us with an empty plan"),
        ..Figure::default()
    });
    report.promise("call with the plan / with an empty one", with / without, CALL_MAX);
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
            at: UnixMillis(1_795_659_300_000),
            dice: 50,
        };
        decided += u32::from(black_box(!route(directory, &AllUp, &query).plan.is_empty()));
    }
    let elapsed = started.elapsed();
    ensure!(decided == DECISIONS, "{decided} decisions instead of {DECISIONS}");
    Ok(elapsed.as_secs_f64() * 1e6 / f64::from(DECISIONS))
}

/// One call between extensions with each of the two, in turns; the best run of each counts, as the
/// others were disturbed by something else.
fn calls_us(full: &Directory, empty: &Directory) -> Result<(f64, f64)> {
    let (mut with, mut without) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        with = with.min(Cost::with(full.clone(), call, Watch::Time)?.round_us());
        without = without.min(Cost::with(empty.clone(), call, Watch::Time)?.round_us());
    }
    Ok((with, without))
}

fn extension_number(it: u32) -> String {
    (FIRST + it % EXTENSIONS).to_string()
}

fn directory(with_plan: bool) -> Directory {
    let mut tenant = Tenant::default();
    let levels = Levels::new(&[1]).unwrap_or_default();
    for it in 0..EXTENSIONS {
        tenant.put(Extension { levels, ..extension(&extension_number(it), "") });
    }
    if with_plan {
        for it in 0..LINES {
            let account = (20_000_000 + it).to_string().into();
            tenant.lines.put(Line { account, register: false, group: it % 10, ..Line::default() });
        }
        for id in 1..=9 {
            tenant.put_trunk(Trunk { id, group: id, options_s: 0, ..Trunk::default() });
        }
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
