//! Fifty seeds in every test run, and the same seed twice.

use super::{Plan, run};

#[test]
fn fifty_seeds_break_nothing() {
    for seed in 0..50 {
        if let Err(failure) = run(Plan::new(seed, 0)) {
            panic!("{failure}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let plan = Plan::new(7, 0);
    let (first, second) = (run(plan), run(plan));
    match (first, second) {
        (Ok(first), Ok(second)) => assert_eq!(first, second),
        (first, second) => panic!("{first:?} {second:?}"),
    }
}
