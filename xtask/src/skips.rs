//! `tests/SKIPS`: the checks that may be skipped, each with its reason. Any other skipped check is a failure.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use crate::report::{Report, Skip};
use crate::shell;

/// Where the list is, from the root of the repository.
pub(crate) const PATH: &str = "tests/SKIPS";

/// The names that may be skipped and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed(BTreeMap<String, String>);

impl Allowed {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(shell::root().join(PATH)).context(PATH)?;
        Self::parse(&text)
    }

    /// One `name: reason` a line; `#` opens a comment line.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut allowed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some(Skip { name, why }) = Skip::parse(line) else {
                bail!("{PATH}: {line:?} is not \"name: reason\"");
            };
            allowed.insert(name, why);
        }
        Ok(Self(allowed))
    }

    /// Turns the skips nobody allowed into failures.
    pub(crate) fn judge(&self, report: &mut Report) {
        let skips = std::mem::take(&mut report.skips);
        let (allowed, other) = skips.into_iter().partition(|skip| self.0.contains_key(&skip.name));
        report.skips = allowed;
        for Skip { name, why } in other {
            report.fail(format!("{name}: skipped ({why}), and {PATH} does not name it"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_named_skips_are_skips() {
        let allowed = Allowed::parse("# comment\n\nnet::netns: needs root\n").unwrap();
        let table = [("net::netns", 0, 1), ("net::other", 1, 0), ("net", 1, 0)];
        for (name, failed, skipped) in table {
            let mut report = Report::skipped(name, "not here");
            allowed.judge(&mut report);
            assert_eq!((report.failed, report.skips.len()), (failed, skipped), "{name}");
        }
    }

    #[test]
    fn a_name_without_reason_is_refused() {
        for text in ["net::netns", "net::netns:", "net::netns:needs root"] {
            assert!(Allowed::parse(text).is_err(), "{text:?}");
        }
    }
}
