//! Reads the server's `/metrics` page.

use anyhow::{Context, Result};

/// The page as it was at one time.
pub struct Metrics(String);

impl Metrics {
    pub fn of(page: String) -> Self {
        Self(page)
    }

    /// The sum over the series of a metric whose labels contain `label`; it must be there.
    pub fn value(&self, name: &str, label: &str) -> Result<f64> {
        let mut sum = None;
        for line in self.0.lines().filter(|it| !it.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let bare = series.split('{').next().unwrap_or_default();
            if bare == name && series.contains(label) {
                sum = Some(sum.unwrap_or(0.0) + value.parse::<f64>()?);
            }
        }
        sum.with_context(|| format!("no metric {name} {label}"))
    }

    /// The same for what is counted.
    pub fn count(&self, name: &str, label: &str) -> Result<u64> {
        let value = self.value(name, label)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are whole, and far below 2^53"
        )]
        Ok(value as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sums_table() {
        let page = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nab 7\n";
        let metrics = Metrics::of(page.to_owned());
        for (name, label, expected) in [("a", "", 5), ("a", "x=\"2\"", 3), ("ab", "", 7)] {
            assert_eq!(metrics.count(name, label).unwrap(), expected, "{name} {label}");
        }
        assert!(metrics.count("b", "").is_err() && metrics.count("a", "x=\"9\"").is_err());
    }
}
