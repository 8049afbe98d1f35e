//! What a process tree used: CPU time and memory, read from /proc.

use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of a process and all below it, user and system together.
///
/// From the scheduler's own nanoseconds of each thread: ticks of 10 ms are too coarse for low rates. Threads that end
/// between two looks are missing from the second one; the servers measured keep theirs.
pub(crate) fn cpu(root: u32) -> Result<Duration> {
    let mut nanoseconds = 0_u64;
    for id in tree(root)? {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { continue };
        for thread in threads.filter_map(Result::ok) {
            let Ok(text) = std::fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let first = text.split(' ').next().context("an empty schedstat")?;
            nanoseconds += first.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
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
    fn median_table() {
        for (values, expected) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![5.0], 5.0)] {
            assert_eq!(median(values), expected);
        }
    }
}
