//! What a process tree used: CPU time and memory, read from /proc.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a process tree used since this was made.
pub(crate) struct Watch {
    root: u32,
    before: BTreeMap<String, Time>,
}

/// CPU time by the names of the threads that took it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used(BTreeMap<String, Time>);

/// CPU time, and the kernel's share of it.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    all: Duration,
    kernel: Duration,
}

impl Watch {
    pub(crate) fn begin(root: u32) -> Result<Self> {
        Ok(Self { root, before: cpu_by_thread(root)? })
    }

    pub(crate) fn used(&self) -> Result<Used> {
        let mut used = cpu_by_thread(self.root)?;
        for (name, time) in &mut used {
            let before = self.before.get(name).copied().unwrap_or_default();
            time.all = time.all.saturating_sub(before.all);
            time.kernel = time.kernel.saturating_sub(before.kernel);
        }
        Ok(Used(used))
    }
}

impl Used {
    pub(crate) fn total(&self) -> Duration {
        self.0.values().map(|it| it.all).sum()
    }

    /// For each of so many operations. Unit: milliseconds.
    pub(crate) fn each_ms(&self, operations: usize) -> f64 {
        each_ms(self.total(), operations)
    }

    /// The same for each thread that took a hundredth of it or more, the largest first, with what the kernel took
    /// of the first one's.
    pub(crate) fn by_thread(&self, operations: usize) -> String {
        let total = self.total();
        let mut threads: Vec<_> = self.0.iter().filter(|(_, it)| it.all * 100 >= total).collect();
        threads.sort_by_key(|(_, time)| std::cmp::Reverse(time.all));
        let text = |(at, (name, time)): (usize, (&String, &Time))| {
            let all = each_ms(time.all, operations);
            match at {
                0 => format!("{name} {all:.4} (kernel {:.4})", each_ms(time.kernel, operations)),
                _ => format!("{name} {all:.4}"),
            }
        };
        threads.into_iter().enumerate().map(text).collect::<Vec<_>>().join(", ")
    }
}

fn each_ms(time: Duration, operations: usize) -> f64 {
    time.as_secs_f64() * 1e3 / f64::from(u32::try_from(operations.max(1)).unwrap_or(u32::MAX))
}

/// CPU time of a process and all below it, user and system together.
///
/// From the scheduler's own nanoseconds of each thread: ticks of 10 ms are too coarse for low rates. Threads that end
/// between two looks are missing from the second one; the servers measured keep theirs.
pub(crate) fn cpu(root: u32) -> Result<Duration> {
    Ok(cpu_by_thread(root)?.values().map(|it| it.all).sum())
}

/// The same by the names of the threads. The kernel's share is only counted in ticks: of a short time it is a guess.
fn cpu_by_thread(root: u32) -> Result<BTreeMap<String, Time>> {
    let mut all = BTreeMap::<String, Time>::new();
    for id in tree(root)? {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { continue };
        for thread in threads.filter_map(Result::ok) {
            let read = |name: &str| std::fs::read_to_string(thread.path().join(name));
            let (Ok(text), Ok(name)) = (read("schedstat"), read("comm")) else { continue };
            let first = text.split(' ').next().context("an empty schedstat")?;
            let used = Duration::from_nanos(first.parse()?);
            let time = all.entry(name.trim().to_owned()).or_default();
            time.all += used;
            time.kernel += used.mul_f64(kernel_share(&read("stat").unwrap_or_default()));
        }
    }
    Ok(all)
}

/// Of a thread's `stat`: `stime` by `utime` and `stime`, 0 to 1.
fn kernel_share(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut times = after_name.split(' ').skip(11).map_while(|it| it.parse::<f64>().ok());
    let (Some(user), Some(system)) = (times.next(), times.next()) else { return 0.0 };
    system / (user + system).max(1.0)
}

/// Proportional memory of a process and all below it, where shared pages are divided. Unit: KiB.
pub(crate) fn memory_kib(root: u32) -> Result<u64> {
    let mut sum = 0;
    for id in tree(root)? {
        let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
        let line = text.lines().find_map(|it| it.strip_prefix("Pss:")).context("no Pss")?;
        sum += line.trim().trim_end_matches(" kB").trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// The process and its descendants.
fn tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = vec![];
    for entry in std::fs::read_dir("/proc")?.filter_map(Result::ok) {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process that ended meanwhile used nothing that counts.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let parent = after_name.split(' ').nth(1).and_then(|it| it.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (id, parent)));
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&above) = found.get(next) {
        found.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(id, _)| *id));
        next += 1;
    }
    Ok(found)
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let id = std::process::id();
        assert!(tree(id).unwrap().contains(&id));
        assert!(cpu(id).unwrap() > Duration::ZERO);
        assert!(memory_kib(id).unwrap() > 100);
    }

    #[test]
    fn kernel_share_table() {
        #[rustfmt::skip]
        let table = [
            ("7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 30 10 0 0 20 0", 0.25),
            ("7 (core) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0",   0.0),
            ("",                                               0.0),
        ];
        for (stat, expected) in table {
            assert_eq!(kernel_share(stat), expected, "{stat}");
        }
    }

    #[test]
    fn median_table() {
        for (values, expected) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![5.0], 5.0)] {
            assert_eq!(median(values), expected);
        }
    }
}
