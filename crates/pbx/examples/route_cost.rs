//! What one decision of the dial plan costs, with 100,000 rules and 50,000 extensions.
//!
//! `cargo run --release -p dialtone-pbx --example route_cost`. Fails above the limit.

#![expect(clippy::print_stdout, reason = "a program for the console")]

use pbx::dialplan::levels::Levels;
use pbx::dialplan::live::AllUp;
use pbx::dialplan::rows::{
    BlockRow, CalledRow, CallerRow, DEFAULT_PLAN, LineChoice, RefineRow, RouteType, TrunkChoice,
};
use pbx::dialplan::transition::{Transition, TransitionKind};
use pbx::dialplan::{Caller, Query, explain, route};
use pbx::directory::{Directory, Extension, Relay, Tenant};
use pbx::id::TenantId;
use pbx::line::Line;
use pbx::media::MediaSource;
use pbx::supplementary::Services;
use pbx::time::UnixMillis;
use pbx::trunk::Trunk;
use std::hint::black_box;
use std::time::{Duration, Instant};

const RULES: u32 = 100_000;
const EXTENSIONS: u32 = 50_000;
const LINES: u32 = 500;
const ROUNDS: u32 = 1_000_000;

/// Most that one decision may take.
const LIMIT: Duration = Duration::from_micros(5);

fn main() -> Result<(), String> {
    let tenant = tenant();
    let mut directory = Directory::default();
    directory.tenants.insert(TenantId::default(), tenant.clone());
    let mut empty = Directory::default();
    let plain = Tenant { extensions: tenant.extensions.clone(), ..Tenant::default() };
    empty.tenants.insert(TenantId::default(), plain);

    let mut worst = Duration::ZERO;
    println!("{RULES} rules, {EXTENSIONS} extensions, {LINES} lines; one decision:");
    for (name, number) in [
        ("extension", extension_number as fn(u32) -> String),
        ("external line by a row", |it| format!("9{:08}", it.wrapping_mul(7919) % 100_000_000)),
        ("SIP trunk by a row", |it| format!("8{:08}", it.wrapping_mul(104_729) % 100_000_000)),
        ("no match", |it| format!("#{it}")),
    ] {
        let cost = cost(&directory, number);
        println!(
            "  {name:24} {:6} ns   empty plan {:6} ns",
            cost.as_nanos(),
            self::cost(&empty, number).as_nanos()
        );
        worst = worst.max(cost);
    }
    changes(&tenant);
    steps(&directory);
    if worst < LIMIT { Ok(()) } else { Err(format!("{worst:?} is above the limit of {LIMIT:?}")) }
}

/// The mean over numbers that are not in the processor's cache.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn cost(directory: &Directory, number: fn(u32) -> String) -> Duration {
    let calls: Vec<(String, String)> =
        (0..ROUNDS).map(|it| (extension_number(it.wrapping_mul(31)), number(it))).collect();
    let start = Instant::now();
    for (caller, dialled) in &calls {
        black_box(route(directory, &AllUp, &query(caller, dialled)));
    }
    start.elapsed() / ROUNDS
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn changes(tenant: &Tenant) {
    const CHANGES: u32 = 10_000;
    let start = Instant::now();
    for id in 0..CHANGES {
        let mut next = tenant.clone();
        next.dial_plan.called.put(called(id + 1, "97", RouteType::LocalUser));
        black_box(&next);
    }
    println!("  a change of one row      {:6} ns", (start.elapsed() / CHANGES).as_nanos());
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn steps(directory: &Directory) {
    const EXPLANATIONS: u32 = 10_000;
    let start = Instant::now();
    for _ in 0..EXPLANATIONS {
        black_box(explain(directory, &AllUp, &query("1000", "912345678")));
    }
    println!("  with its steps           {:6} ns", (start.elapsed() / EXPLANATIONS).as_nanos());
}

fn query<'a>(caller: &'a str, dialled: &'a str) -> Query<'a> {
    Query {
        tenant: TenantId::default(),
        caller: Caller::Extension(caller),
        on_behalf_of: None,
        dialled,
        at: UnixMillis(1_795_659_300_000),
        dice: 50,
    }
}

fn extension_number(it: u32) -> String {
    (100_000 + it % EXTENSIONS).to_string()
}

/// Rows of four to eight digits under 9 and 8, a tenth of them with a time or a level.
fn tenant() -> Tenant {
    let mut tenant = Tenant::default();
    for it in 0..EXTENSIONS {
        tenant.put(extension(&extension_number(it)));
    }
    for it in 0..LINES {
        let account = format!("{:08}", 20_000_000 + it);
        tenant.lines.put(Line { account: account.into(), group: it % 10, ..Line::default() });
    }
    for id in 1..=9 {
        tenant.put_trunk(Trunk { id, group: id, ..Trunk::default() });
    }
    let plan = &mut tenant.dial_plan;
    let kinds = [TransitionKind::Delete, TransitionKind::Replace, TransitionKind::Insert];
    for (id, kind) in (1..).zip(kinds) {
        let string = "0086".into();
        plan.put_transition(Transition {
            id,
            kind,
            start: 0,
            length: 1,
            string,
            description: "".into(),
        });
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
    for id in 1..=1000 {
        plan.callers.put(caller_row(id));
        plan.blocked.put(block_row(id));
        plan.refine_called.put(refine_row(id));
    }
    tenant
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

fn extension(number: &str) -> Extension {
    Extension {
        number: number.into(),
        name: "".into(),
        secret: None,
        addresses: vec![],
        devices_max: None,
        calls_max: 2,
        relay: Relay::default(),
        media_source: MediaSource::default(),
        digest_without_qop: true,
        weak_password: false,
        plan: None,
        levels: Levels::new(&[1]).unwrap_or_default(),
        services: Services::default(),
    }
}
