//! What a step found, and how the output of each kind of test runner becomes that.
//!
//! Pure text to counts; `ci` runs the programs and adds the reports up.

use std::fmt;

/// How many checks had which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// The line every runner of this repository ends with.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// A check that could not be made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// The name `tests/SKIPS` knows it by.
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Skip {
    /// Reads `name: why`. The name ends at the first colon that a space follows, so paths may be names.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, why) = line.trim().split_once(": ")?;
        Some(Self { name: name.to_owned(), why: why.to_owned() })
    }
}

/// The result of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// One line for a person on each failure that has a name.
    pub(crate) failures: Vec<String>,
    pub(crate) skips: Vec<Skip>,
}

impl Report {
    /// One check that went well or did not.
    pub(crate) fn of(name: &str, success: bool) -> Self {
        let mut report = Self::default();
        if success {
            report.passed = 1;
        } else {
            report.fail(name);
        }
        report
    }

    /// One check that could not be made.
    pub(crate) fn skipped(name: &str, why: &str) -> Self {
        let skip = Skip { name: name.to_owned(), why: why.to_owned() };
        Self { skips: vec![skip], ..Self::default() }
    }

    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failed += 1;
        self.failures.push(what.into());
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.skips.extend(other.skips);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts { passed: self.passed, failed: self.failed, skipped: self.skips.len() }
    }

    /// Shows the failures and the counts; true where nothing failed.
    pub(crate) fn print(&self) -> bool {
        for failure in &self.failures {
            println!("FAILED {failure}");
        }
        println!("{}", self.counts());
        self.failed == 0
    }

    /// Reads the output of `cargo test`. A test that skipped itself counts there as passed;
    /// `log` is what such tests wrote about themselves.
    pub(crate) fn from_cargo_test(success: bool, stdout: &str, log: &str) -> Self {
        let mut report = Self::default();
        for line in stdout.lines() {
            if let Some(counts) = cargo_test_summary(line) {
                report.passed += counts.passed;
                report.failed += counts.failed;
            } else if let Some((name, end)) = cargo_test_line(line) {
                if end == "FAILED" {
                    report.failures.push(name.to_owned());
                } else if end.starts_with("ignored") {
                    report.skips.push(Skip { name: name.to_owned(), why: end.to_owned() });
                }
            }
        }
        for skip in log.lines().filter_map(Skip::parse) {
            report.passed = report.passed.saturating_sub(1);
            report.skips.push(skip);
        }
        if !success && report.failed == 0 {
            report.fail("cargo test: did not build, or ended without its counts");
        }
        report
    }

    /// Reads the output of one of our own runners (interop, simulator): a line for each case, counts at the end.
    pub(crate) fn from_runner(name: &str, success: bool, stdout: &str) -> Self {
        let mut report = Self::default();
        let mut counts = None;
        for line in stdout.lines() {
            if let Some(what) = line.strip_prefix("FAILED ") {
                report.failures.push(format!("{name}: {what}"));
            } else if let Some(skip) = line.strip_prefix("SKIPPED ").and_then(Skip::parse) {
                report.skips.push(skip);
            }
            counts = runner_summary(line).or(counts);
        }
        match counts {
            Some(counts) => {
                report.passed = counts.passed;
                report.failed = counts.failed;
                if counts.skipped != report.skips.len() {
                    report.fail(format!(
                        "{name}: says {counts}, names {} skipped",
                        report.skips.len()
                    ));
                }
            }
            None => report.fail(format!("{name}: ended without its line of counts")),
        }
        if !success && report.failed == 0 {
            report.fail(format!("{name}: exit code"));
        }
        report
    }
}

/// `12 passed, 0 failed, 1 skipped`, alone on a line.
pub(crate) fn runner_summary(line: &str) -> Option<Counts> {
    let mut numbers = [0; 3];
    let mut parts = line.split(", ");
    for (number, word) in numbers.iter_mut().zip([" passed", " failed", " skipped"]) {
        *number = parts.next()?.strip_suffix(word)?.parse().ok()?;
    }
    let [passed, failed, skipped] = numbers;
    parts.next().is_none().then_some(Counts { passed, failed, skipped })
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`, of one test program.
fn cargo_test_summary(line: &str) -> Option<Counts> {
    let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| -> Option<usize> {
        counts.split("; ").find_map(|it| it.strip_suffix(word)?.trim().parse().ok())
    };
    let skipped = number("ignored")?;
    Some(Counts { passed: number("passed")?, failed: number("failed")?, skipped })
}

/// `test module::name ... ok`.
fn cargo_test_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.split_once(" ... ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runner_summary_table() {
        let counts = |passed, failed, skipped| Some(Counts { passed, failed, skipped });
        let table = [
            ("3 passed, 0 failed, 1 skipped", counts(3, 0, 1)),
            ("0 passed, 12 failed, 0 skipped", counts(0, 12, 0)),
            (" 3 passed, 0 failed, 1 skipped", None),
            ("3 passed, 0 failed", None),
            ("3 passed, 0 failed, 1 skipped, 2 lost", None),
            ("3 passed; 0 failed; 1 skipped", None),
            ("-3 passed, 0 failed, 1 skipped", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(runner_summary(line), expected, "{line:?}");
        }
    }

    #[test]
    fn counts_print_as_they_are_read() {
        let counts = Counts { passed: 7, failed: 0, skipped: 2 };
        assert_eq!(runner_summary(&counts.to_string()), Some(counts));
    }

    const TWO_PROGRAMS: &str = "
running 3 tests
test uri::plain ... ok
test uri::bad ... FAILED
test uri::later ... ignored, slow
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
running 2 tests
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn cargo_test_adds_up_all_programs_and_names_what_did_not_pass() {
        let report = Report::from_cargo_test(false, TWO_PROGRAMS, "");
        assert_eq!(report.counts(), Counts { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(report.failures, ["uri::bad"]);
        assert_eq!(report.skips[0].name, "uri::later");
    }

    #[test]
    fn a_test_that_skipped_itself_did_not_pass() {
        let report = Report::from_cargo_test(false, TWO_PROGRAMS, "net::netns: needs root\n");
        assert_eq!(report.counts(), Counts { passed: 2, failed: 1, skipped: 2 });
    }

    #[test]
    fn a_build_error_is_a_failure() {
        let report = Report::from_cargo_test(false, "", "");
        assert_eq!(report.counts(), Counts { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn runner_table() {
        #[rustfmt::skip]
        let table = [
            // success, output                                                      passed, failed, skipped
            (true,  "ok call (0.1s)\n1 passed, 0 failed, 0 skipped\n",                  1, 0, 0),
            (false, "FAILED call: silence\n0 passed, 1 failed, 0 skipped\n",            0, 1, 0),
            (true,  "SKIPPED ipv6: no route\n0 passed, 0 failed, 1 skipped\n",          0, 0, 1),
            (true,  "0 passed, 0 failed, 1 skipped\n",                                  0, 1, 0),
            (true,  "ok call (0.1s)\n",                                                 0, 1, 0),
            (false, "1 passed, 0 failed, 0 skipped\n",                                  1, 1, 0),
        ];
        for (success, output, passed, failed, skipped) in table {
            let report = Report::from_runner("interop", success, output);
            assert_eq!(report.counts(), Counts { passed, failed, skipped }, "{output:?}");
        }
    }
}
