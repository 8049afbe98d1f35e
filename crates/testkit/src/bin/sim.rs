//! `sim --seed N --count M [--shown MESSAGES]`: runs seeds of the simulator and says what they broke.
//!
//! `sim --find-planted`, built with the feature `planted-bugs`: each bug planted in the core must be
//! found within a thousand seeds.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;
use testkit::office::faults::INJECTED;
use testkit::sim::{Outcome, Plan, run};

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
#[expect(clippy::disallowed_methods, reason = "says how long the seeds took")]
fn main() -> ExitCode {
    quiet_injected_faults();
    if std::env::args().any(|it| it == "--find-planted") {
        return find_planted();
    }
    let options = options();
    let first = options.get("--seed").copied().unwrap_or(0);
    let count = options.get("--count").copied().unwrap_or(50);
    let shown = options.get("--shown").map_or(0, |&it| usize::try_from(it).unwrap_or(0));
    let start = Instant::now();
    let mut failed = 0;
    let mut sum = Outcome::default();
    for seed in first..first + count {
        match run(Plan::new(seed, shown)) {
            Ok(outcome) => add(&mut sum, outcome),
            Err(failure) => {
                failed += 1;
                println!("FAILED {failure}");
            }
        }
    }
    println!(
        "{} messages, {} calls ({} answered), {} registrations, {} restarts, {} faults in {:.1} s",
        sum.messages,
        sum.calls,
        sum.answered,
        sum.registrations,
        sum.restarts,
        sum.faults,
        start.elapsed().as_secs_f64()
    );
    println!("{} passed, {failed} failed, 0 skipped", count - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Most seeds a planted bug may survive.
#[cfg(feature = "planted-bugs")]
const SEEDS_MAX: u64 = 1_000;

#[cfg(feature = "planted-bugs")]
#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn find_planted() -> ExitCode {
    let mut survivors = 0;
    for bug in pbx::planted::Planted::ALL {
        let plan = |seed| Plan { planted: Some(bug), ..Plan::new(seed, 0) };
        match (0..SEEDS_MAX).find_map(|seed| run(plan(seed)).err()) {
            Some(failure) => println!("ok {bug:?}: seed {}: {}", failure.seed, failure.problem),
            None => {
                survivors += 1;
                println!("FAILED {bug:?}: not found in {SEEDS_MAX} seeds");
            }
        }
    }
    let found = pbx::planted::Planted::ALL.len() - survivors;
    println!("{found} passed, {survivors} failed, 0 skipped");
    if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(feature = "planted-bugs"))]
#[expect(clippy::print_stderr, reason = "says what is missing")]
fn find_planted() -> ExitCode {
    eprintln!("build it with --features planted-bugs");
    ExitCode::FAILURE
}

fn add(sum: &mut Outcome, outcome: Outcome) {
    sum.messages += outcome.messages;
    sum.calls += outcome.calls;
    sum.answered += outcome.answered;
    sum.registrations += outcome.registrations;
    sum.restarts += outcome.restarts;
    sum.faults += outcome.faults;
}

/// `--seed` and `--count` with their numbers.
fn options() -> BTreeMap<String, u64> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pairs = arguments.chunks(2).filter_map(|it| match it {
        [name, value] => Some((name.clone(), value.parse().ok()?)),
        _ => None,
    });
    pairs.collect()
}

/// The panics caused on purpose are expected; others are printed as always.
fn quiet_injected_faults() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        if said.is_none_or(|it| it != INJECTED) {
            usual(panic);
        }
    }));
}
