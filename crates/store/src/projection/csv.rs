//! The daily CSV files of call records (RFC 4180), `cdr/YYYY-MM-DD.csv`.
//!
//! A file is named after the day a call ended in its tenant's time zone. Its lines are in the
//! order of the journal and carry the sequence, so that writing again adds nothing.

use crate::columns::{COLUMNS, Cell, cells, timestamp};
use crate::db::TenantName;
use crate::error::StoreError;
use crate::journal::Sequence;
use jiff::tz::TimeZone;
use pbx::id::TenantId;
use pbx::record::CallRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const LINE_END: &[u8] = b"\r\n";
/// What is read of a file's end to find its last line; four times as much where that is not
/// enough. Unit: bytes.
const TAIL_BYTES: u64 = 16 * 1024;

/// The folder of the files and the newest record in each of them.
#[derive(Debug)]
pub(crate) struct CsvFiles {
    dir: PathBuf,
    written: BTreeMap<PathBuf, Sequence>,
    unsynced: BTreeSet<PathBuf>,
}

/// The header line of a file.
pub fn header() -> Vec<u8> {
    line(COLUMNS.iter().map(|it| (*it).to_owned()))
}

/// One record as a line, with times in the tenant's zone.
pub fn record_line(record: &CallRecord, sequence: Sequence, tenant: &TenantName) -> Vec<u8> {
    line(cells(record, sequence).into_iter().map(|it| cell(it, tenant)))
}

impl CsvFiles {
    /// Looks through the folder: cuts the last line of a file where it is incomplete, and notes
    /// the newest record in each.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&dir).map_err(StoreError::io(&dir))?;
        let mut written = BTreeMap::new();
        for entry in fs::read_dir(&dir).map_err(StoreError::io(&dir))? {
            let path = entry.map_err(StoreError::io(&dir))?.path();
            if path.extension().is_some_and(|it| it == "csv") {
                let newest = mend(&path).map_err(StoreError::io(&path))?;
                written.insert(path, newest);
            }
        }
        Ok(Self { dir, written, unsynced: BTreeSet::new() })
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
            if self.written.get(&path).is_none_or(|&newest| newest < sequence) {
                let (bytes, last) = lines.entry(path).or_default();
                bytes.extend_from_slice(&record_line(record, sequence, &tenant));
                *last = sequence;
            }
        }
        for (path, (bytes, last)) in lines {
            append(&path, &bytes).map_err(StoreError::io(&path))?;
            self.written.insert(path.clone(), last);
            self.unsynced.insert(path);
        }
        Ok(())
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
        Ok(())
    }
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
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    let before = file.metadata()?.len();
    let head = if before == 0 { header() } else { Vec::new() };
    file.write_all(&[&head, lines].concat()).inspect_err(|_| {
        // Where the disk is full, the half line would spoil the next one. If this fails too, the
        // next start cuts it.
        let _ = file.set_len(before);
    })
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
        let mut line_ends = memchr::memmem::rfind_iter(&tail, LINE_END);
        let (last, before) = (line_ends.next(), line_ends.next());
        if start > 0 && before.is_none() {
            tail_bytes *= 4;
            continue;
        }
        let whole = last.map_or(0, |it| it + LINE_END.len());
        if whole < tail.len() {
            file.set_len(start + whole as u64)?;
        }
        let line = before.map_or(0, |it| it + LINE_END.len())..last.unwrap_or(0);
        return Ok(sequence_of(&tail[line]));
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
        *record
    }

    fn tenants(zone: &str) -> BTreeMap<TenantId, TenantName> {
        let time_zone = TimeZone::get(zone).unwrap();
        [(TenantId(0), TenantName { name: "default".to_owned(), time_zone })].into()
    }

    fn append_all(dir: &Path, calls: &[(Sequence, &CallRecord)]) {
        CsvFiles::open(dir.to_owned()).unwrap().append(calls, &tenants("UTC")).unwrap();
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
        let mut files = CsvFiles::open(dir.path().to_owned()).unwrap();
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
}
