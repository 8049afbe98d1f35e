//! The journal on real files: torn tails, damage, full disks, a reader behind a writer.

#![allow(clippy::unwrap_used)]

use super::*;
use pbx::record::Record;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const SMALL: u64 = 4096;
/// Generous: a condition that holds is seen at once, one that does not fails the test late.
const TRIES: u32 = 100_000;

fn disk(dir: &TempDir) -> Disk {
    Disk { segment_bytes: SMALL, ..Disk::new(dir.path().join("journal")) }
}

fn bound(number: u32) -> Record {
    let binding = samples::binding("100", &format!("device-{number}"), number);
    Record::Bound(Arc::new(binding))
}

fn write(disk: &Disk, next: Sequence, numbers: std::ops::Range<u32>) {
    let (mut writer, _, keeper) = Writer::open(disk.clone(), next, |_| {}).unwrap();
    for number in numbers {
        assert_eq!(writer.append_batch(&[bound(number)]), AppendOutcome::Written);
    }
    drop(writer);
    assert!(keeper.stop());
}

fn read_all(disk: &Disk) -> Batch {
    Reader::from_oldest(disk.clone()).unwrap().read(usize::MAX, Sequence::MAX).unwrap()
}

fn numbers(batch: &Batch) -> Vec<u64> {
    batch.records.iter().map(|(sequence, _)| *sequence).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_written_reads_back_over_segments_and_restarts() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    write(&disk, 1, 0..50);
    write(&disk, 51, 50..80);
    let batch = read_all(&disk);
    assert!(files(&disk.dir).len() > 2, "the records need more than one segment each time");
    assert_eq!(batch.gaps, []);
    assert_eq!(numbers(&batch), (1..=80).collect::<Vec<_>>());
    let expected: Vec<Record> = (0..80).map(bound).collect();
    assert_eq!(batch.records.into_iter().map(|it| it.1).collect::<Vec<_>>(), expected);
}

#[test]
fn a_batch_is_split_only_where_a_segment_ends() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    let (mut writer, _, _keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    let records: Vec<Record> = (0..200).map(bound).collect();
    assert_eq!(writer.append_batch(&records), AppendOutcome::Written);
    assert_eq!(read_all(&disk).records.len(), 200);
}

#[test]
fn a_reader_starts_anywhere_and_in_steps() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    write(&disk, 1, 0..60);
    let mut reader = Reader::new(disk, 23);
    let mut seen = Vec::new();
    loop {
        let batch = reader.read(7, 55).unwrap();
        if batch.records.is_empty() {
            break;
        }
        seen.extend(numbers(&batch));
    }
    assert_eq!(seen, (23..=55).collect::<Vec<_>>());
}

#[test]
fn large_records_read_back_beside_small_ones() {
    let dir = TempDir::new().unwrap();
    let disk = Disk::new(dir.path().to_owned());
    let large = |bytes: usize| {
        let mut binding = samples::binding("100", "desk", 1);
        binding.contact = "x".repeat(bytes).into();
        Record::Bound(Arc::new(binding))
    };
    let records = [bound(1), large(100_000), large(FRAME_BYTES_MAX - 1000), bound(2)];
    let (mut writer, status, _keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    assert_eq!(writer.append_batch(&records), AppendOutcome::Written);
    assert_eq!(status.lost(), 0);
    let read: Vec<Record> = read_all(&disk).records.into_iter().map(|it| it.1).collect();
    assert!(read == records);
    let _ = writer.append_batch(&[large(FRAME_BYTES_MAX), bound(3)]);
    assert_eq!((status.lost(), numbers(&read_all(&disk))), (1, vec![1, 2, 3, 4, 5]));
}

#[test]
fn a_torn_tail_ends_the_journal_wherever_it_is_torn() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    write(&disk, 1, 0..3);
    let path = files(&disk.dir)[0].clone();
    let whole = fs::read(&path).unwrap();
    let end = whole.iter().rposition(|&it| it != 0).unwrap() + 1;
    let start = {
        let first = frame::whole_bytes(&whole).unwrap();
        first + frame::whole_bytes(&whole[first..]).unwrap()
    };
    for cut in start..end {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        fs::write(&path, &torn).unwrap();
        assert_eq!(numbers(&read_all(&disk)), [1, 2], "zeros from {cut}");
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(numbers(&read_all(&disk)), [1, 2], "ends at {cut}");
    }
    // The next writer goes on where the journal ends, and nothing is reported missing.
    write(&disk, 3, 10..12);
    let batch = read_all(&disk);
    assert_eq!((numbers(&batch), batch.gaps), (vec![1, 2, 3, 4], vec![]));
}

#[test]
fn damage_in_an_older_segment_costs_its_rest_and_is_reported() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    write(&disk, 1, 0..120);
    let paths = files(&disk.dir);
    let first_of = |index: usize| -> u64 {
        paths[index].file_stem().unwrap().to_str().unwrap().parse().unwrap()
    };
    let mut bytes = fs::read(&paths[1]).unwrap();
    let second = frame::whole_bytes(&bytes).unwrap();
    bytes[second + 20] ^= 0x40;
    fs::write(&paths[1], bytes).unwrap();

    let batch = read_all(&disk);
    let gap = Gap { first: first_of(1) + 1, last: first_of(2) - 1 };
    assert_eq!(batch.gaps, [gap]);
    let expected: Vec<u64> = (1..gap.first).chain(gap.last + 1..=120).collect();
    assert_eq!(numbers(&batch), expected);
}

#[test]
fn a_reader_behind_a_writer_sees_each_record_once() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    let (mut writer, status, _keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    let mut reader = Reader::new(disk, 1);
    let mut seen = Vec::new();
    for number in 0..100 {
        let _ = writer.append_batch(&[bound(number)]);
        if number % 3 == 0 {
            let batch = reader.read(10, status.written()).unwrap();
            assert_eq!(batch.gaps, []);
            seen.extend(numbers(&batch));
        }
    }
    seen.extend(numbers(&reader.read(usize::MAX, status.written()).unwrap()));
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

/// Until the keeper's thread has done something.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let mut tries = 0;
    while !done() {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
        tries += 1;
        assert!(tries < TRIES, "{what}");
    }
}

#[test]
fn a_full_disk_uses_the_spare_then_spools_then_recovers_in_order() {
    let dir = TempDir::new().unwrap();
    let quota = Quota::new(2 * SMALL);
    let disk = Disk { quota: Some(quota.clone()), ..disk(&dir) };
    let (mut writer, status, keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    assert_eq!(writer.append_batch(&[bound(0)]), AppendOutcome::Written);
    // One in the making would hold the disk's last space and not be there when it is needed.
    wait_for("a spare", || status.spare_ready());
    let mut next = 1;
    let mut outcome = AppendOutcome::Written;
    while outcome == AppendOutcome::Written {
        outcome = writer.append_batch(&[bound(next)]);
        next += 1;
        assert!(next < 1000, "two segments hold that much");
    }
    assert_eq!(outcome, AppendOutcome::Spooled);
    assert!(matches!(status.state(), State::Spooling { bytes } if bytes > 0));
    assert!(status.disk_full());
    assert_eq!(disk.segments().unwrap().len(), 2, "the spare is in use");
    for number in next..next + 20 {
        assert_eq!(writer.append_batch(&[bound(number)]), AppendOutcome::Spooled);
    }
    next += 20;

    quota.give(100 * SMALL);
    // The keeper looks for space once a second.
    wait_for("the space that came back", || status.spare_ready());
    assert_eq!(writer.append_batch(&[bound(next)]), AppendOutcome::Spooled, "who has no time");
    next += 1;
    assert_eq!(writer.append_batch(&[]), AppendOutcome::Recovered);
    assert_eq!(status.state(), State::Healthy);
    let batch = read_all(&disk);
    assert_eq!(batch.gaps, []);
    assert_eq!(numbers(&batch), (1..=u64::from(next)).collect::<Vec<_>>());
    assert_eq!(status.lost(), 0);
    drop(writer);
    assert!(keeper.stop());
}

#[test]
fn a_small_disk_gets_smaller_segments() {
    let dir = TempDir::new().unwrap();
    let segment_bytes = 4 * SEGMENT_BYTES_MIN;
    let quota = Some(Quota::new(SEGMENT_BYTES_MIN + SEGMENT_BYTES_MIN / 2));
    let disk = Disk { segment_bytes, quota, ..disk(&dir) };
    let (mut writer, _, keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    assert_eq!(writer.append_batch(&[bound(0)]), AppendOutcome::Written);
    assert_eq!(fs::metadata(&files(&disk.dir)[0]).unwrap().len(), SEGMENT_BYTES_MIN);
    drop(writer);
    assert!(keeper.stop());
}

#[test]
fn a_full_spool_says_so_and_counts_what_it_loses() {
    let dir = TempDir::new().unwrap();
    let disk = Disk { quota: Some(Quota::new(0)), ..disk(&dir) };
    let (mut writer, status, _keeper) = Writer::open(disk, 1, |_| {}).unwrap();
    let records: Vec<Record> = (0..10_000).map(bound).collect();
    let mut outcome = AppendOutcome::Spooled;
    let mut batches = 0;
    while outcome == AppendOutcome::Spooled {
        outcome = writer.append_batch(&records);
        batches += 1;
        assert!(batches < 1000, "the spool is bounded");
    }
    assert_eq!(outcome, AppendOutcome::Full);
    assert_eq!(status.state(), State::Full);
    assert_eq!(status.lost(), 0, "the reserve is for the calls that run");
    while status.lost() == 0 {
        assert_eq!(writer.append_batch(&records), AppendOutcome::Full);
        batches += 1;
        assert!(batches < 1000, "the reserve is bounded");
    }
    assert!(status.spooled_bytes() <= SPOOL_BYTES_MAX as u64);
    let kept = batches * 10_000 - status.lost();
    assert_eq!(writer.next_sequence(), kept + 1);
}

#[test]
fn the_keeper_syncs_what_is_written() {
    let dir = TempDir::new().unwrap();
    let (mut writer, status, keeper) = Writer::open(disk(&dir), 1, |_| {}).unwrap();
    let _ = writer.append_batch(&(0..100).map(bound).collect::<Vec<_>>());
    drop(writer);
    assert!(keeper.stop());
    assert_eq!((status.written(), status.synced()), (100, 100));
    assert!(files(&dir.path().join("journal")).iter().all(|it| it.extension().unwrap() != "tmp"));
}

#[test]
fn a_file_that_could_not_be_synced_is_left_once_there_is_another() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    let (mut writer, status, _keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
    wait_for("a spare", || status.spare_ready());
    for (leaving, segments) in [(false, 1), (true, 2), (false, 2)] {
        status.set_leaving(leaving);
        assert_eq!(writer.append_batch(&[bound(1)]), AppendOutcome::Written);
        assert_eq!(disk.segments().unwrap().len(), segments);
        assert!(!status.is_leaving());
    }
}

#[test]
fn segments_are_deleted_only_when_all_of_them_is_old() {
    let dir = TempDir::new().unwrap();
    let disk = disk(&dir);
    write(&disk, 1, 0..120);
    let firsts: Vec<u64> = disk.segments().unwrap().iter().map(|it| it.first).collect();
    assert!(firsts.len() >= 3);
    assert_eq!(delete_before(&disk, firsts[2] - 1).unwrap(), 1);
    assert!(!can_delete_before(&disk, firsts[2] - 1).unwrap());
    assert!(can_delete_before(&disk, firsts[2]).unwrap());
    assert_eq!(delete_before(&disk, Sequence::MAX).unwrap(), firsts.len() as u64 - 2);
    let newest = *firsts.last().unwrap();
    assert_eq!(numbers(&read_all(&disk)), (newest..=120).collect::<Vec<_>>());
}
