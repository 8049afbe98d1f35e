//! The store as the server uses it: started, killed, started again, with a database that is
//! locked and a disk that is full.

#![allow(clippy::unwrap_used)]

mod kept;

use crate::db::{CallQuery, DATABASE_FILE, StoredCall};
use crate::journal::{AppendOutcome, Disk, Quota, State, Writer, samples};
use crate::projection::csv::CsvFiles;
use crate::projection::{BATCH_RECORDS, Projection};
use crate::{Db, Options, Started, open_offline, start};
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey, CallRecord, LineRegistration, Record, Side};
use pbx::release::ReleaseCode;
use pbx::supplementary::{Forwarding, PhoneChange, PhoneRecord, PhoneSettings};
use pbx::time::UnixMillis;
use samples::START;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Waiting for a thread: generous, so that only a condition that never holds fails.
const TRIES: u32 = 3000;
const PAUSE: Duration = Duration::from_millis(10);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn options(dir: &Path) -> Options {
    let disk = Disk { segment_bytes: 16 * 1024, ..Disk::new(dir.join("journal")) };
    Options {
        data_dir: dir.to_owned(),
        who: "a test".to_owned(),
        now: after_s(10),
        disk: Some(disk),
    }
}

fn after_s(seconds: u64) -> UnixMillis {
    UnixMillis(START.0 + 1000 * seconds)
}

async fn started(dir: &Path) -> Started {
    start(options(dir), |_| {}).await.unwrap()
}

/// The process is gone between two instructions: no destructor ran, nothing was flushed. The
/// journal lies as the writer left it, and the lock is free.
fn killed(dir: &Path) -> TempDir {
    let after = TempDir::new().unwrap();
    copy(dir, after.path());
    after
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = entry.map(|it| (it.path(), to.join(it.file_name()))).unwrap();
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
        } else {
            // A file of SQLite or a spare may vanish while it is copied, as in a real crash.
            let _ = fs::copy(&path, &target);
        }
    }
}

fn stop(started: Started) {
    drop(started.writer);
    let metrics = started.handle.shutdown();
    assert_eq!((metrics.lag, metrics.lost, metrics.missing), (0, 0, 0));
}

fn bound(number: u32) -> Record {
    Record::Bound(Arc::new(samples::binding(&number.to_string(), "desk", 1)))
}

fn unbound(number: u32) -> Record {
    let Binding { key, .. } = samples::binding(&number.to_string(), "desk", 1);
    Record::Unbound(key)
}

async fn calls(db: &Db) -> Vec<StoredCall> {
    let (from, to) = (UnixMillis(0), after_s(1_000_000));
    let query = CallQuery { tenant: TenantId(0), from, to, after: 0, limit: 10_000 };
    db.call_records(query).await.unwrap().calls
}

fn csv_lines(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir.join("cdr")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        lines.extend(text.split_terminator("\r\n").skip(1).map(str::to_owned));
    }
    lines
}

fn record_of(ended: Record) -> CallRecord {
    let Record::CallEnded(record) = ended else { panic!("a call record") };
    Arc::unwrap_or_clone(record)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if holds() {
            return;
        }
        // Leaves the processor to the thread that is waited for.
        std::thread::park_timeout(PAUSE);
    }
    panic!("{what} never came");
}

#[test]
fn what_is_appended_comes_to_sql_and_csv_and_back() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let records = [bound(100), bound(101), samples::started(1), samples::answered(1)];
        assert_eq!(store.writer.append_batch(&records), AppendOutcome::Written);
        assert_eq!(
            store.writer.append_batch(&[unbound(100), samples::ended(1)]),
            AppendOutcome::Written
        );
        let db = store.db.clone();
        stop(store);
        let bindings = db.bindings(after_s(10)).await.unwrap();
        assert_eq!(bindings, [samples::binding("101", "desk", 1)]);
        let expected = StoredCall { record: record_of(samples::ended(1)), journal_seq: 6 };
        assert_eq!(calls(&db).await, [expected]);
        let time: String = sqlx::query_scalar("SELECT started_at FROM call_records")
            .fetch_one(db.pool())
            .await
            .unwrap();
        assert_eq!(time, "2025-11-23T08:00:00.000Z");
        assert_eq!(csv_lines(dir.path()).len(), 1);

        let again = started(dir.path()).await;
        assert_eq!(again.recovery.recovered.bindings, [samples::binding("101", "desk", 1)]);
        assert_eq!(again.recovery.crashed, []);
        assert_eq!(again.writer.next_sequence(), 7);
        stop(again);
        assert_eq!(calls(&db).await.len(), 1);
        assert_eq!(csv_lines(dir.path()).len(), 1);
    });
}

#[test]
fn after_a_kill_all_that_was_answered_is_there() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        for number in 1000..2000 {
            let _ = store.writer.append_batch(&[bound(number)]);
        }
        let _ = store.writer.append_batch(&[unbound(1500)]);
        let after = killed(dir.path());
        let again = started(after.path()).await;
        let bindings = &again.recovery.recovered.bindings;
        assert_eq!(bindings.len(), 999);
        assert!(bindings.iter().all(|it| &*it.key.extension != "1500"));
        assert_eq!(again.writer.next_sequence(), 1002);
        stop(again);
        stop(store);
    });
}

/// What a carrier knows us by is found again, from the database and from the journal's tail.
#[test]
fn lines_keep_their_call_id_cseq_and_contact() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let known = |account: &str, cseq, until| LineRegistration {
            tenant: TenantId::default(),
            account: account.into(),
            call_id: "c".into(),
            cseq,
            contact: "a0000000000000007".into(),
            since: Some(START),
            until,
        };
        let told = |it: LineRegistration| Record::LineRegistration(Box::new(it));
        let gone = Record::LineForgotten { tenant: TenantId::default(), account: "1234".into() };
        let _ = store.writer.append_batch(&[
            told(known("1234", 1, None)),
            told(known("5678", 1, None)),
            told(known("5678", 2, Some(after_s(600)))),
        ]);
        stop(store);
        let mut store = started(dir.path()).await;
        let expected = [known("1234", 1, None), known("5678", 2, Some(after_s(600)))];
        assert_eq!(store.recovery.recovered.lines, expected);
        let _ = store.writer.append_batch(&[gone, told(known("5678", 3, None))]);
        let after = killed(dir.path());
        stop(store);
        let again = started(after.path()).await;
        assert_eq!(again.recovery.recovered.lines, [known("5678", 3, None)]);
        let db = again.db.clone();
        stop(again);
        assert_eq!(db.line_registrations().await.unwrap(), [known("5678", 3, None)]);
    });
}

/// What phones have set is found again, from the database and from the journal's tail.
#[test]
fn phones_keep_what_they_have_set() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let known = |extension: &str, number: Option<&str>| {
            let mut settings = PhoneSettings::default();
            settings.apply(PhoneChange::DoNotDisturb(number == Some("7")));
            settings.apply(PhoneChange::Forward(Forwarding::NoAnswer, number.map(Into::into)));
            PhoneRecord { tenant: TenantId::default(), extension: extension.into(), settings }
        };
        let told = |it: PhoneRecord| Record::Phone(Box::new(it));
        let _ = store.writer.append_batch(&[
            told(known("100", Some("102"))),
            told(known("101", Some("102"))),
            told(known("101", Some("90138"))),
        ]);
        stop(store);
        let mut store = started(dir.path()).await;
        let expected = [known("100", Some("102")), known("101", Some("90138"))];
        assert_eq!(store.recovery.recovered.phones, expected);
        let _ =
            store.writer.append_batch(&[told(known("100", None)), told(known("101", Some("7")))]);
        let after = killed(dir.path());
        stop(store);
        let again = started(after.path()).await;
        let settings = |it: &PhoneRecord| (it.extension.clone(), it.settings.is_empty());
        let recovered: Vec<_> = again.recovery.recovered.phones.iter().map(settings).collect();
        assert_eq!(recovered, [("100".into(), true), ("101".into(), false)]);
        let db = again.db.clone();
        stop(again);
        assert_eq!(db.phone_settings().await.unwrap(), [known("101", Some("7"))]);
    });
}

#[test]
fn expired_bindings_are_gone_unless_they_were_renewed() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let mut renewed = samples::binding("101", "desk", 2);
        renewed.expires_at = after_s(7200);
        let new = ["100", "101"].map(|number| {
            let profile = crate::db::ExtensionProfile::new(number);
            crate::db::NewExtension { profile, password: None }
        });
        store.db.insert_extensions(TenantId(0), new.into()).await.unwrap();
        let _ = store.writer.append_batch(&[bound(100), bound(101)]);
        let _ = store.writer.append_batch(&[Record::Bound(Arc::new(renewed.clone()))]);
        let after = killed(dir.path());
        stop(store);
        let options = Options { now: after_s(3601), ..options(after.path()) };
        let again = start(options, |_| {}).await.unwrap();
        assert_eq!(again.recovery.recovered.bindings, [renewed.clone()]);
        let db = again.db.clone();
        stop(again);
        assert_eq!(db.bindings(UnixMillis(0)).await.unwrap(), [renewed]);
        let told = db.registration_changes(TenantId(0), "100").await.unwrap();
        let [gone] = &told[..] else { panic!("{told:?}") };
        assert_eq!((gone.why, gone.at), (crate::db::Why::ExpiredWhileOff, after_s(3600)));
        assert_eq!(db.registration_changes(TenantId(0), "101").await.unwrap(), []);
    });
}

#[test]
fn calls_left_open_end_when_the_server_was_last_seen() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let _ = store.writer.append_batch(&[
            samples::started(1),
            samples::started(2),
            samples::started(3),
            samples::answered(2),
            samples::answered(3),
            samples::ended(3),
            Record::Alive(after_s(7)),
        ]);
        let after = killed(dir.path());
        stop(store);

        let again = started(after.path()).await;
        let [ringing, talking] = &again.recovery.crashed[..] else { panic!("two were open") };
        assert_eq!((ringing.call_id, talking.call_id), (samples::call_id(1), samples::call_id(2)));
        assert_eq!((ringing.sip_status, talking.sip_status), (500, 200));
        assert_eq!((ringing.duration_ms, ringing.billable_ms), (7000, 0));
        assert_eq!((talking.duration_ms, talking.billable_ms), (7000, 5000));
        for record in [ringing, talking] {
            assert_eq!(record.ended_at, Some(after_s(7)));
            assert_eq!(record.released_by, Some(Side::System));
            assert_eq!(record.release_code, Some(ReleaseCode::SystemCrash));
            assert_eq!(&*record.fci, "callTag=system.crash;cause=41");
        }
        let dialogs: Vec<&str> =
            again.recovery.recovered.dialogs.iter().map(|it| &*it.call_id).collect();
        assert_eq!(dialogs, ["leg-2", "leg-2"]);

        let (db, crashed) = (again.db.clone(), again.recovery.crashed.clone());
        stop(again);
        let stored: Vec<CallRecord> = calls(&db).await.into_iter().map(|it| it.record).collect();
        assert_eq!(stored, [vec![record_of(samples::ended(3))], crashed].concat());
        assert_eq!(csv_lines(after.path()).len(), 3);

        let third = started(after.path()).await;
        assert_eq!(third.recovery.crashed, []);
        assert_eq!(third.recovery.recovered.dialogs, []);
        stop(third);
    });
}

/// A refresh states when its binding was first made, hours ago; the server was alive since.
#[test]
fn a_refreshed_binding_does_not_take_the_time_back() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let mut refreshed = samples::binding("100", "desk", 2);
        refreshed.registered_at = UnixMillis(START.0 - 3_600_000);
        let _ = store.writer.append_batch(&[
            samples::started(1),
            samples::answered(1),
            Record::Alive(after_s(7)),
            Record::Bound(Arc::new(refreshed)),
            // The clock was set back.
            Record::Alive(after_s(6)),
        ]);
        let after = killed(dir.path());
        stop(store);

        let again = started(after.path()).await;
        let [talking] = &again.recovery.crashed[..] else { panic!("one was open") };
        assert_eq!(talking.ended_at, Some(after_s(7)));
        assert_eq!((talking.duration_ms, talking.billable_ms), (7000, 5000));
        stop(again);
    });
}

#[test]
fn a_locked_database_delays_and_loses_nothing() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let file = SqliteConnectOptions::new().filename(dir.path().join(DATABASE_FILE));
        let mut other = file.connect().await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        for number in 0..50 {
            let outcome = store.writer.append_batch(&[samples::started(number)]);
            assert_eq!(outcome, AppendOutcome::Written);
            let _ = store.writer.append_batch(&[samples::ended(number)]);
        }
        let failed = || store.handle.metrics().projection_failures > 0;
        until("a failure of the projection", failed);
        assert_eq!(store.handle.metrics().projected, 0);

        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        until("the end of the projection", || store.handle.metrics().lag == 0);
        let db = store.db.clone();
        stop(store);
        assert_eq!(calls(&db).await.len(), 50);
        assert_eq!(csv_lines(dir.path()).len(), 50);
    });
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    run(async {
        let dir = TempDir::new().unwrap();
        let quota = Quota::new(32 * 1024);
        let mut options = options(dir.path());
        options.disk = options.disk.map(|it| Disk { quota: Some(quota.clone()), ..it });
        let mut store = start(options, |_| {}).await.unwrap();
        let mut count = 0;
        while !matches!(store.handle.metrics().state, State::Spooling { .. }) {
            let _ = store.writer.append_batch(&[samples::started(count), samples::ended(count)]);
            count += 1;
            assert!(count < 10_000, "the disk is full long before");
        }
        quota.give(1024 * 1024);
        until("the end of the spool", || {
            store.writer.append_batch(&[]) == AppendOutcome::Recovered
        });
        let db = store.db.clone();
        stop(store);
        assert_eq!(calls(&db).await.len() as u64, count);
        assert_eq!(csv_lines(dir.path()).len() as u64, count);
    });
}

#[test]
fn projecting_again_changes_nothing_whatever_was_behind() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        for number in 0..20 {
            let _ = store.writer.append_batch(&[samples::ended(number)]);
        }
        let (db, path) = (store.db.clone(), store.db.path().to_owned());
        stop(store);
        let (before, lines) = (calls(&db).await, csv_lines(dir.path()));
        let exported = crate::csv::lines(&before, &db.tenant_names().await.unwrap());
        let exported = String::from_utf8(exported).unwrap();
        assert!(exported.split_terminator("\r\n").eq(&lines), "an export is as the file");
        assert_eq!((before.len(), lines.len()), (20, 20));
        let csv_file = dir.path().join("cdr/2025-11-23.csv");
        let whole = fs::read(&csv_file).unwrap();
        // SQL behind by so many records, CSV cut to so many bytes.
        for (applied, bytes) in [(0, whole.len()), (20, 0), (20, whole.len() / 2), (7, 100)] {
            sqlx::query("UPDATE journal_progress SET applied_seq = ?")
                .bind(applied)
                .execute(db.pool())
                .await
                .unwrap();
            sqlx::query("DELETE FROM call_records WHERE journal_seq > ?")
                .bind(applied)
                .execute(db.pool())
                .await
                .unwrap();
            fs::write(&csv_file, &whole[..bytes]).unwrap();
            let disk = options(dir.path()).disk.unwrap();
            let applied = db.applied().await.unwrap();
            let csv = CsvFiles::open(dir.path().join("cdr"), applied).unwrap();
            let mut again =
                Projection::open(disk, path.clone(), csv, applied, BTreeSet::new()).unwrap();
            again.catch_up().await.unwrap();
            assert_eq!(calls(&db).await, before, "SQL from {applied}");
            assert!(csv_lines(dir.path()) == lines, "CSV from {bytes}");
        }
    });
}

#[test]
fn registrations_wait_for_what_cannot() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let disk = options(dir.path()).disk.unwrap();
        let csv = CsvFiles::open(dir.path().join("cdr"), 0).unwrap();
        let mut projection =
            Projection::open(disk.clone(), db.path().to_owned(), csv, 0, BTreeSet::new()).unwrap();
        let (mut writer, status, keeper) = Writer::open(disk, 1, |_| {}).unwrap();
        #[rustfmt::skip]
        let table: [(&str, Vec<Record>, u32, usize); 6] = [
            ("two phones register", vec![bound(100), bound(101)],     u32::MAX, 0),
            ("the server lives",    vec![Record::Alive(START)],       u32::MAX, 0),
            ("a call ends",         vec![samples::ended(1)],          u32::MAX, 2),
            ("one registers",       vec![bound(102)],                 1,        2),
            ("and has waited",      vec![],                           1,        3),
            ("a whole batch",       vec![bound(103); BATCH_RECORDS],  u32::MAX, 4),
        ];
        for (what, records, patience, stored) in table {
            let _ = writer.append_batch(&records);
            projection.step(status.written(), patience).await.unwrap();
            let known = db.bindings(UnixMillis(0)).await.unwrap().len();
            assert_eq!(known, stored, "{what}");
        }
        drop(writer);
        keeper.stop();
    });
}

#[test]
fn a_command_finds_all_of_the_journal_in_the_database() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let error = open_offline(dir.path(), "a command").await.err().unwrap().to_string();
        assert!(error.contains("in use by a test (process"), "{error}");
        let _ = store.writer.append_batch(&[bound(100), samples::started(1), samples::ended(2)]);
        let after = killed(dir.path());
        stop(store);

        let offline = open_offline(after.path(), "a command").await.unwrap();
        assert_eq!(offline.db.bindings(after_s(10)).await.unwrap().len(), 1);
        assert_eq!(calls(&offline.db).await.len(), 1);
        drop(offline);
        // The call that was open still gets its record from the next start of the server.
        let again = started(after.path()).await;
        assert_eq!(again.recovery.crashed.len(), 1);
        stop(again);
    });
}

#[test]
fn call_records_come_in_pages() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let all: Vec<Record> = (0..25).map(samples::ended).collect();
        let _ = store.writer.append_batch(&all);
        let db = store.db.clone();
        stop(store);
        let mut query =
            CallQuery { tenant: TenantId(0), from: START, to: after_s(1), after: 0, limit: 10 };
        let mut sizes = Vec::new();
        loop {
            let page = db.call_records(query).await.unwrap();
            sizes.push(page.calls.len());
            let Some(next) = page.next else { break };
            query.after = next;
        }
        assert_eq!(sizes, [10, 10, 5]);
        // The end is not included.
        query = CallQuery { from: UnixMillis(0), to: START, after: 0, ..query };
        assert_eq!(db.call_records(query).await.unwrap().calls, []);
        let whole = samples::call_id(3).to_string();
        let ids = |found: Vec<StoredCall>| -> Vec<String> {
            found.iter().map(|it| it.record.call_id.to_string()).collect()
        };
        let tail = samples::call_id(3).short().to_string();
        let ending = db.call_records_ending(tail.trim_start_matches("c-")).await.unwrap();
        assert_eq!(ids(ending), [&*whole]);
        assert_eq!(ids(db.call_records_like(&whole[..whole.len()]).await.unwrap()), [&*whole]);
        assert_eq!(ids(db.call_records_like(&whole[..9]).await.unwrap()).len(), 2, "not one only");
        assert_eq!(db.call_records_like("ffffffff-f").await.unwrap().len(), 0);
        let one = db.call_record(samples::call_id(3)).await.unwrap().unwrap();
        assert_eq!(one.record.call_id, samples::call_id(3));
    });
}

#[test]
fn fifty_thousand_bindings_recover() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut options = options(dir.path());
        options.disk = None;
        let mut store = start(options.clone(), |_| {}).await.unwrap();
        for thousand in 0..50 {
            let batch: Vec<Record> = (0..1000).map(|it| bound(1000 * thousand + it)).collect();
            let _ = store.writer.append_batch(&batch);
        }
        stop(store);
        let again = start(options, |_| {}).await.unwrap();
        assert_eq!(again.recovery.recovered.bindings.len(), 50_000);
        let key = |it: &Binding| -> BindingKey { it.key.clone() };
        let keys: Vec<BindingKey> = again.recovery.recovered.bindings.iter().map(key).collect();
        assert!(keys.is_sorted(), "in a stable order");
        stop(again);
    });
}
