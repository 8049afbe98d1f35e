//! Prints the figures of a row with what they are compared to, for people or as JSON.

use serde_json::{Value, json};

use crate::rows::Row;

/// One figure of one candidate.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    pub(crate) candidate: &'static str,
    /// What was done: `50 calls/s`.
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Median and 99th percentile of the wait. Unit: milliseconds.
    pub(crate) wait_ms: Option<(f64, f64)>,
    /// Counts and configuration.
    pub(crate) detail: String,
    /// Why the figure does not count, where it does not.
    pub(crate) problem: Option<String>,
}

/// A figure beside another one, or beside what the project promises.
#[derive(Debug)]
pub(crate) struct Ratio {
    pub(crate) what: String,
    pub(crate) value: f64,
    /// The value is to be at most this, where that was promised.
    pub(crate) at_most: Option<f64>,
}

/// All of a row.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    pub(crate) ratios: Vec<Ratio>,
}

impl Report {
    pub(crate) fn of(figures: Vec<Figure>) -> Self {
        Self { figures, ratios: vec![] }
    }

    /// Of a row that could not be taken.
    pub(crate) fn failed(error: &anyhow::Error) -> Self {
        let problem = Some(format!("{error:#}"));
        Self::of(vec![Figure { candidate: "-", problem, ..Figure::default() }])
    }

    /// Our figure divided by that of another candidate.
    pub(crate) fn beside(&mut self, peer: &str, at_most: impl Into<Option<f64>>) {
        self.divide(&format!("dialtone / {peer}"), peer, at_most.into(), |it| Some(it.value));
    }

    /// The same for the wait that one in a hundred exceeds.
    pub(crate) fn wait_beside(&mut self, peer: &str, at_most: impl Into<Option<f64>>) {
        let what = format!("dialtone / {peer}, p99");
        self.divide(&what, peer, at_most.into(), |it| it.wait_ms.map(|(_, p99)| p99));
    }

    /// A figure beside a promise in its own unit.
    pub(crate) fn promise(&mut self, what: &str, value: f64, at_most: impl Into<Option<f64>>) {
        let at_most = at_most.into();
        self.ratios.push(Ratio { what: what.to_owned(), value, at_most });
    }

    fn divide(
        &mut self,
        what: &str,
        peer: &str,
        at_most: Option<f64>,
        read: impl Fn(&Figure) -> Option<f64>,
    ) {
        let of = |name: &str| self.figures.iter().find(|it| it.candidate == name).and_then(&read);
        if let (Some(ours), Some(theirs)) = (of("dialtone"), of(peer)) {
            self.promise(what, ours / theirs, at_most);
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.figures.iter().all(|it| it.problem.is_none())
    }
}

/// What the figures were taken with: version, machine, and the configuration in force.
pub(crate) fn print_head(configuration: &[String], json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu_text = read("/proc/cpuinfo");
    let model = cpu_text.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim();
    if json {
        let head = json!({
            "version": version, "cpu": model, "cores": cores, "kernel": kernel,
            "configuration": configuration,
        });
        line(&head.to_string());
        return;
    }
    line(&format!("dialtone {version} on {cores} x {model}, Linux {kernel}, with"));
    configuration.iter().for_each(|it| line(&format!("  {it}")));
}

pub(crate) fn print(row: &Row, report: &Report, json: bool) {
    if json {
        report.figures.iter().for_each(|it| line(&figure_json(row, it).to_string()));
        report.ratios.iter().for_each(|it| line(&ratio_json(row, it).to_string()));
        return;
    }
    line(&format!("\n{}: {}", row.name, row.about));
    for Figure { candidate, what, value, unit, wait_ms, detail, problem } in &report.figures {
        let wait = wait_ms.map_or(String::new(), |(p50, p99)| format!("{p50:.2}/{p99:.2} ms"));
        let verdict =
            problem.as_ref().map_or(String::new(), |it| format!("  DOES NOT COUNT: {it}"));
        let figure = format!("{candidate:<10} {what:<24} {value:>10.4} {unit:<8} {wait:>16}");
        line(&format!("  {figure}  {detail}{verdict}"));
    }
    for Ratio { what, value, at_most } in &report.ratios {
        let verdict = at_most.map_or(String::new(), |at_most| {
            let verdict = if *value <= at_most { "met" } else { "MISSED" };
            format!(" at most {at_most}: {verdict}")
        });
        line(&format!("  {what:<35} {value:>10.3}{verdict}"));
    }
}

fn figure_json(row: &Row, it: &Figure) -> Value {
    json!({
        "row": row.name, "candidate": it.candidate, "what": it.what, "value": it.value,
        "unit": it.unit, "p50_ms": it.wait_ms.map(|it| it.0), "p99_ms": it.wait_ms.map(|it| it.1),
        "detail": it.detail, "problem": it.problem,
    })
}

fn ratio_json(row: &Row, it: &Ratio) -> Value {
    json!({
        "row": row.name, "ratio": it.what, "value": it.value, "at_most": it.at_most,
        "met": it.at_most.map(|at_most| it.value <= at_most),
    })
}

#[expect(clippy::print_stdout, reason = "a runner prints its report")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}
