//! The daily CSV files of call records (RFC 4180), `cdr/YYYY-MM-DD.csv`.
//!
//! A file is named after the day a call ended in its tenant's time zone. Its lines are in the
//! order of the journal and carry the sequence, so that writing again adds nothing. The folder is
//! also its reader's: what he edits is never cut, what he takes away does not come back.

use crate::columns::{COLUMNS, Cell, cells, timestamp};
use crate::db::{StoredCall, TenantName};
use crate::error::StoreError;
use crate::journal::Sequence;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pbx::id::TenantId;
use pbx::record::CallRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const LINE_END: &[u8] = b"\r\n";
/// A file that went through an editor may have lost the other half.
const LAST_OF_LINE_END: u8 = b'\n';
/// What is read of a file's end to find its last line; four times as much where that is not
/// enough. Unit: bytes.
const TAIL_BYTES: u64 = 16 * 1024;

/// The folder of the files and the newest record in each of them.
#[derive(Debug)]
pub(crate) struct CsvFiles {
    dir: PathBuf,
    written: BTreeMap<PathBuf, Sequence>,
    /// What the database had at the start. A file of such a record that is missing was taken away:
    /// it was made safe from a power cut before the database heard of its first line.
    known: Sequence,
    unsynced: BTreeSet<PathBuf>,
    /// One of them is new.
    has_new: bool,
}

/// The header line of a file.
pub fn header() -> Vec<u8> {
    line(COLUMNS.iter().map(|it| (*it).to_owned()))
}

/// One record as a line, with times in the tenant's zone.
fn record_line(record: &CallRecord, sequence: Sequence, tenant: &TenantName) -> Vec<u8> {
    line(cells(record, sequence).into_iter().map(|it| cell(it, tenant)))
}

/// Records as the lines they have in the daily files.
pub fn lines(calls: &[StoredCall], tenants: &BTreeMap<TenantId, TenantName>) -> Vec<u8> {
    let mut lines = Vec::new();
    for call in calls {
        let tenant = tenants.get(&call.record.tenant).cloned();
        let tenant = tenant.unwrap_or_else(|| unknown(&call.record));
        lines.extend_from_slice(&record_line(&call.record, call.journal_seq, &tenant));
    }
    lines
}

impl CsvFiles {
    /// Looks through the folder: cuts the last line of a file where it is incomplete, and notes
    /// the newest record in each. `known` is the newest record in the database.
    pub(crate) fn open(dir: PathBuf, known: Sequence) -> Result<Self, StoreError> {
        fs::create_dir_all(&dir).map_err(StoreError::io(&dir))?;
        let mut written = BTreeMap::new();
        for entry in fs::read_dir(&dir).map_err(StoreError::io(&dir))? {
            let path = entry.map_err(StoreError::io(&dir))?.path();
            if !is_daily(&path) {
                continue;
            }
            match mend(&path) {
                Ok(newest) => drop(written.insert(path, newest)),
                // Telephones matter more than a file of an old day that somebody protected.
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "a file of call records is left as it is");
                }
            }
        }
        Ok(Self { dir, written, known, unsynced: BTreeSet::new(), has_new: false })
    }

    /// The newest record in any file.
    pub(crate) fn newest(&self) -> Sequence {
        self.written.values().max().copied().unwrap_or(0)
    }

    /// Appends records in the order of the journal; those a file has already are left out.
    pub(crate) fn append(
        &mut self,
        calls: &[(Sequence, &CallRecord)],
        tenants: &BTreeMap<TenantId, TenantName>,
    ) -> Result<(), StoreError> {
        let mut lines: BTreeMap<PathBuf, (Vec<u8>, Sequence)> = BTreeMap::new();
        for &(sequence, record) in calls {
            let tenant = tenants.get(&record.tenant).cloned().unwrap_or_else(|| unknown(record));
            let path = self.dir.join(file_name(record, &tenant.time_zone));
            let newest = self.written.get(&path).copied().unwrap_or(self.known);
            if newest < sequence {
                let (bytes, last) = lines.entry(path).or_default();
                bytes.extend_from_slice(&record_line(record, sequence, &tenant));
                *last = sequence;
            }
        }
        for (path, (bytes, last)) in lines {
            append(&path, &bytes).map_err(StoreError::io(&path))?;
            self.has_new |= self.written.insert(path.clone(), last).is_none();
            self.unsynced.insert(path);
        }
        if self.has_new { self.sync() } else { Ok(()) }
    }

    /// Makes all lines safe from a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        for path in &self.unsynced {
            match File::open(path).and_then(|file| file.sync_all()) {
                // Somebody took the file away, and its lines with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(StoreError::io(path))?,
            }
        }
        if !self.unsynced.is_empty() {
            let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
            synced.map_err(StoreError::io(&self.dir))?;
        }
        self.unsynced.clear();
        self.has_new = false;
        Ok(())
    }
}

/// Whether a file bears the name of a day. Others in the folder are not ours.
fn is_daily(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let day = name.strip_suffix(".csv").filter(|it| it.len() == "YYYY-MM-DD".len());
    day.is_some_and(|it| it.parse::<Date>().is_ok())
}

/// Records outlive their tenants.
fn unknown(record: &CallRecord) -> TenantName {
    TenantName { name: record.tenant.0.to_string(), time_zone: TimeZone::UTC }
}

fn file_name(record: &CallRecord, zone: &TimeZone) -> String {
    let ended = timestamp(record.ended_at.unwrap_or(record.started_at)).to_zoned(zone.clone());
    format!("{}.csv", ended.strftime("%Y-%m-%d"))
}

fn cell(cell: Cell<'_>, tenant: &TenantName) -> String {
    match cell {
        Cell::Nothing => String::new(),
        Cell::Text(text) => harmless(&text),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => u8::from(flag).to_string(),
        Cell::Time(at) => {
            let at = timestamp(at).to_zoned(tenant.time_zone.clone());
            at.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string()
        }
        Cell::Tenant(_) => harmless(&tenant.name),
    }
}

/// Spreadsheets run a cell that starts like a formula; callers choose their own names. A record
/// stays on one line, so that a file can be cut and continued by lines.
fn harmless(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    format!("{guard}{}", text.replace(['\r', '\n'], " "))
}

fn line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            line.push(b',');
        }
        if cell.contains([',', '"']) {
            line.extend_from_slice(format!("\"{}\"", cell.replace('"', "\"\"")).as_bytes());
        } else {
            line.extend_from_slice(cell.as_bytes());
        }
    }
    line.extend_from_slice(LINE_END);
    line
}

/// Appends whole lines or nothing.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = open_to_append(path)?;
    let before = file.metadata()?.len();
    let head = if before == 0 { header() } else { Vec::new() };
    file.write_all(&[&head, lines].concat()).inspect_err(|_| {
        // Where the disk is full, the half line would spoil the next one. If this fails too, the
        // next start cuts it.
        let _ = file.set_len(before);
    })
}

/// Makes the folder again where somebody took it away.
fn open_to_append(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir)?;
            open()
        }
        (opened, _) => opened,
    }
}

/// Cuts an incomplete last line; returns the sequence of the last whole one, 0 where there is none.
fn mend(path: &Path) -> io::Result<Sequence> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    let mut tail = Vec::new();
    let mut tail_bytes = TAIL_BYTES;
    loop {
        let start = bytes.saturating_sub(tail_bytes);
        tail.clear();
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut tail)?;
        let mut line_ends = memchr::memrchr_iter(LAST_OF_LINE_END, &tail);
        let (last, before) = (line_ends.next(), line_ends.next());
        if start > 0 && before.is_none() {
            tail_bytes *= 4;
            continue;
        }
        if last.is_none() && !header().starts_with(&tail) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has no lines"));
        }
        let whole = last.map_or(0, |it| it + 1);
        if whole < tail.len() {
            file.set_len(start + whole as u64)?;
        }
        let line = before.map_or(0, |it| it + 1)..last.unwrap_or(0);
        return Ok(sequence_of(tail[line].trim_ascii_end()));
    }
}

/// The last cell of a line. The header line has a name there.
fn sequence_of(line: &[u8]) -> Sequence {
    let cell = line.rsplit(|&it| it == b',').next();
    cell.and_then(|it| std::str::from_utf8(it).ok()).and_then(|it| it.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::journal::samples;
    use pbx::record::Record;
    use pbx::time::UnixMillis;

    fn call(number: u64) -> CallRecord {
        let Record::CallEnded(record) = samples::ended(number) else { unreachable!() };
        std::sync::Arc::unwrap_or_clone(record)
    }

    fn tenants(zone: &str) -> BTreeMap<TenantId, TenantName> {
        let time_zone = TimeZone::get(zone).unwrap();
        [(TenantId(0), TenantName { name: "default".to_owned(), time_zone })].into()
    }

    fn append_all(dir: &Path, calls: &[(Sequence, &CallRecord)]) {
        CsvFiles::open(dir.to_owned(), 0).unwrap().append(calls, &tenants("UTC")).unwrap();
    }

    #[test]
    fn cells_table() {
        #[rustfmt::skip]
        let table = [
            ("plain",              "plain"),
            ("接待处",              "接待处"),
            ("a,b",                "\"a,b\""),
            ("say \"hi\"",         "\"say \"\"hi\"\"\""),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+8613800138000",     "'+8613800138000"),
            ("-1",                 "'-1"),
            ("@SUM(A1)",           "'@SUM(A1)"),
            ("\tx",                "'\tx"),
            ("\r=x",               "' =x"),
            ("a\r\nb",             "a  b"),
            ("=a,b",               "\"'=a,b\""),
        ];
        for (text, expected) in table {
            let written = line([harmless(text)].into_iter());
            assert_eq!(String::from_utf8(written).unwrap(), format!("{expected}\r\n"), "{text:?}");
        }
    }

    #[test]
    fn the_day_and_the_times_are_the_tenants() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = call(1);
        // 2025-11-23T20:30:00.250Z is the 24th in Shanghai.
        record.ended_at = Some(UnixMillis(1_763_929_800_250));
        let mut files = CsvFiles::open(dir.path().to_owned(), 0).unwrap();
        files.append(&[(5, &record)], &tenants("Asia/Shanghai")).unwrap();
        let text = fs::read_to_string(dir.path().join("2025-11-24.csv")).unwrap();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert!(lines[1].contains(",2025-11-24T04:30:00.250+08:00,"), "{}", lines[1]);
        assert!(lines[1].contains(",default,internal,"), "{}", lines[1]);
        assert!(lines[1].ends_with(",5"), "{}", lines[1]);
        assert_eq!(lines[1].split(',').count(), COLUMNS.len());
    }

    #[test]
    fn writing_again_adds_nothing_wherever_the_file_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let records: Vec<CallRecord> = (1..=3).map(call).collect();
        let calls: Vec<_> = (10..).zip(&records).collect();
        append_all(dir.path(), &calls);
        let path = dir.path().join("2025-11-23.csv");
        let whole = fs::read(&path).unwrap();
        append_all(dir.path(), &calls);
        assert_eq!(fs::read(&path).unwrap(), whole);
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            append_all(dir.path(), &calls);
            assert!(fs::read(&path).unwrap() == whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_file_that_went_through_an_editor_keeps_every_line() {
        let dir = tempfile::tempdir().unwrap();
        let records: Vec<CallRecord> = (1..=3).map(call).collect();
        let calls: Vec<_> = (10..).zip(&records).collect();
        append_all(dir.path(), &calls);
        let path = dir.path().join("2025-11-23.csv");
        let edited = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        fs::write(&path, &edited).unwrap();
        append_all(dir.path(), &calls);
        assert_eq!(fs::read_to_string(&path).unwrap(), edited);
        append_all(dir.path(), &[(20, &records[0])]);
        let continued = fs::read_to_string(&path).unwrap();
        assert!(continued.starts_with(&edited) && continued.lines().count() == 5, "{continued}");
    }

    #[test]
    fn what_is_not_ours_or_cannot_be_mended_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("2025-11-22.csv")).unwrap();
        let strange = [("report.csv", "a,b\r\n1,2"), ("2025-11-21.csv", "a,b\r1,2")];
        for (name, text) in strange {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let record = call(1);
        append_all(dir.path(), &[(5, &record)]);
        for (name, text) in strange {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
        assert!(dir.path().join("2025-11-23.csv").exists());
    }

    #[test]
    fn a_file_that_was_taken_away_does_not_come_back_with_old_records() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cdr");
        let path = folder.join("2025-11-23.csv");
        let records: Vec<CallRecord> = (1..=3).map(call).collect();
        let calls: Vec<_> = (10..).zip(&records).collect();
        let mut files = CsvFiles::open(folder.clone(), 11).unwrap();
        files.append(&calls, &tenants("UTC")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "the newest alone");
        // The folder too may go while the server runs.
        fs::remove_dir_all(&folder).unwrap();
        files.append(&[(13, &records[0])], &tenants("UTC")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
