//! The runner itself: what it refuses, and how it says so.

use super::run;

#[test]
fn a_line_that_makes_no_sense_is_named() {
    let problem = run("alice -> pbx INVITE 101\n alice -> bob 180").expect_err("nonsense");
    assert!(problem.starts_with("ladder line 2: alice -> bob 180"), "{problem}");
    let problem = run("walter -> pbx INVITE 101").expect_err("nobody");
    assert!(problem.contains("walter is not in the cast"), "{problem}");
}
