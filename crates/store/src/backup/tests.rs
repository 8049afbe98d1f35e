//! Backups of real databases on real files.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::db::{Db, ExtensionProfile, NewExtension, Session};
use crate::lock::DataDirLock;
use crate::secret::SecretKey;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use sha2::Digest as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use tempfile::TempDir;

const TENANT: TenantId = TenantId(0);
const NOW: UnixMillis = UnixMillis(1_795_659_300_000);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn plan(seal: Option<(SecretKey, String)>) -> Plan {
    let (version, host) = ("0.1.0".to_owned(), "the office".to_owned());
    Plan { reason: Reason::Asked, version, host, now: NOW, seal }
}

fn staged(standby: bool) -> Staged {
    let text = |it: &str| it.to_owned();
    let (actor_kind, actor, source) = (text("user"), text("ann"), text("127.0.0.1"));
    Staged { backup: text("a"), at: NOW, actor_kind, actor, source, standby }
}

async fn add(db: &Db, number: &str) {
    let new = NewExtension { profile: ExtensionProfile::new(number), password: None };
    db.insert_extensions(TENANT, vec![new]).await.unwrap();
}

async fn numbers(db: &Db) -> Vec<String> {
    let all = db.extensions(TENANT).await.unwrap();
    all.into_iter().map(|it| it.profile.number).collect()
}

fn password(word: u8) -> (SecretKey, String) {
    (SecretKey::of([word; 32]), "00".repeat(16))
}

#[test]
fn what_was_changed_since_is_as_it_was_after_the_next_start() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        add(&db, "100").await;
        let file = create(&db, plan(None)).await.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("dialtone-backup-theoffice-20261126T"), "{name}");
        let shown = manifest(&file).unwrap();
        assert_eq!((shown.counts.extensions, shown.reason), (1, Reason::Asked));
        add(&db, "101").await;
        let unpacked = unpack(&file, &db.backups(), None).await.unwrap();
        assert_eq!(unpacked.names.extensions.iter().collect::<Vec<_>>(), ["100"]);
        stage(&db, unpacked, &staged(true)).await.unwrap();
        assert_eq!(numbers(&db).await, ["100", "101"], "nothing changes under a server");
        db.close().await;
        let restored = apply(dir.path()).unwrap().unwrap();
        assert_eq!(restored.0, staged(true));
        let db = Db::open(dir.path()).await.unwrap();
        assert_eq!(numbers(&db).await, ["100"]);
        assert!(db.applied().await.unwrap() > 0, "the journal begins behind the old one");
        assert!(db.is_standby() && db.end_standby().unwrap() && !db.end_standby().unwrap());
        assert!(apply(dir.path()).unwrap().is_none(), "once");
        // What was there is not lost.
        db.close().await;
        let before = dir.path().join(BEFORE_FOLDER).join(DATABASE);
        let (contents, _) = unpack::look(&before).await.unwrap();
        assert_eq!(contents.counts.extensions, 2);
    });
}

#[test]
fn a_start_that_was_cut_off_is_finished_by_the_next() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        add(&db, "100").await;
        let file = create(&db, plan(None)).await.unwrap();
        add(&db, "101").await;
        let unpacked = unpack(&file, &db.backups(), None).await.unwrap();
        stage(&db, unpacked, &staged(true)).await.unwrap();
        db.close().await;
        // The old database has gone, and the new one has come, but not the rest.
        let at = dir.path().join("restore");
        fs::create_dir(at.join("old")).unwrap();
        fs::rename(dir.path().join(DATABASE), at.join("old").join(DATABASE)).unwrap();
        fs::rename(at.join("ready"), at.join("gone")).unwrap();
        fs::rename(at.join("new").join(DATABASE), dir.path().join(DATABASE)).unwrap();
        assert!(apply(dir.path()).unwrap().is_some());
        let db = Db::open(dir.path()).await.unwrap();
        assert_eq!(numbers(&db).await, ["100"]);
        assert!(db.is_standby());
    });
}

#[test]
fn another_machine_takes_a_backup_with_its_password_only() {
    run(async {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let db = Db::open(here.path()).await.unwrap();
        add(&db, "100").await;
        fs::create_dir(here.path().join(CERTIFICATES)).unwrap();
        fs::write(here.path().join("certs/installed.pem"), "chain and key").unwrap();
        let plain = create(&db, plan(None)).await.unwrap();
        let mut later = plan(Some(password(1)));
        later.now = NOW.after(std::time::Duration::from_secs(1));
        let sealed = create(&db, later).await.unwrap();
        let bytes = fs::read(&sealed).unwrap();
        assert!(!bytes.windows(13).any(|it| it == b"chain and key"));
        let other = Db::open(there.path()).await.unwrap();
        let into = other.backups();
        let unpacked = unpack(&plain, &into, None).await.unwrap();
        let error = stage(&other, unpacked, &staged(false)).await.unwrap_err();
        assert!(matches!(error, BackupError::OtherKey), "{error}");
        let unpacked = unpack(&sealed, &into, None).await.unwrap();
        let error = stage(&other, unpacked, &staged(false)).await.unwrap_err();
        assert!(matches!(error, BackupError::WrongPassword), "{error}");
        let wrong = unpack(&sealed, &into, Some(password(2).0)).await.unwrap_err();
        assert!(matches!(wrong, BackupError::WrongPassword), "{wrong}");
        let unpacked = unpack(&sealed, &into, Some(password(1).0)).await.unwrap();
        stage(&other, unpacked, &staged(false)).await.unwrap();
        other.close().await;
        apply(there.path()).unwrap().unwrap();
        let other = Db::open(there.path()).await.unwrap();
        assert_eq!(numbers(&other).await, ["100"]);
        let certificate = there.path().join("certs/installed.pem");
        assert_eq!(fs::read(&certificate).unwrap(), b"chain and key");
        assert_eq!(certificate.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let file = create(&db, plan(None)).await.unwrap();
        let whole = fs::read(&file).unwrap();
        let into = db.backups();
        let changed = dir.path().join("changed");
        for at in [0, 20, whole.len() / 2, whole.len() - 1] {
            fs::write(&changed, &whole[..at]).unwrap();
            assert!(unpack(&changed, &into, None).await.is_err(), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            fs::write(&changed, flipped).unwrap();
            // Some bits of gzip's head mean nothing; whatever is read then is what was written.
            if let Ok(unpacked) = unpack(&changed, &into, None).await {
                assert_eq!(unpacked.manifest, manifest(&file).unwrap(), "flipped at {at}");
            }
        }
        assert!(!into.join(WORK).exists());
        assert!(!dir.path().join("restore").exists());
        // A newer one, as a newer version makes it.
        let mut newer = manifest(&file).unwrap();
        newer.schema += 1000;
        newer.version = "9.9".to_owned();
        let text = serde_json::to_vec(&newer).unwrap();
        let mut packer = archive::Packer::new(private_file(&dir.path().join("newer")).unwrap());
        packer.append(MANIFEST, text.len() as u64, &*text).unwrap();
        packer.finish().unwrap();
        let error = unpack(&dir.path().join("newer"), &into, None).await.unwrap_err();
        assert!(matches!(&error, BackupError::Newer { version } if version == "9.9"), "{error}");
    });
}

/// An archive of these files, whose manifest says what they are, changed by `change`.
fn made(path: &Path, files: &[(&str, Vec<u8>)], change: impl FnOnce(&mut serde_json::Value)) {
    let packed = files.iter().map(|(name, content)| {
        let sha256: String =
            sha2::Sha256::digest(content).iter().map(|it| format!("{it:02x}")).collect();
        serde_json::json!({ "name": name, "size": content.len(), "sha256": sha256 })
    });
    let mut manifest = serde_json::json!({
        "format": 1, "version": "0", "schema": 1, "created_at": 0, "host": "", "reason": "asked",
        "counts": {}, "files": packed.collect::<Vec<_>>(),
    });
    change(&mut manifest);
    let text = manifest.to_string();
    let _ = fs::remove_file(path);
    let mut packer = archive::Packer::new(private_file(path).unwrap());
    packer.append(MANIFEST, text.len() as u64, text.as_bytes()).unwrap();
    for (name, content) in files {
        packer.append(name, content.len() as u64, &**content).unwrap();
    }
    packer.finish().unwrap();
}

#[test]
fn what_a_hostile_archive_says_of_itself_is_bounded() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("evil");
    type Change = fn(&mut serde_json::Value);
    let table: [(&str, Change); 5] = [
        ("a terminal's commands", |it| it["host"] = "\u{1b}]0;x\u{7}".into()),
        ("a name without end", |it| it["version"] = "9".repeat(1000).into()),
        ("a salt that is none", |it| it["salt"] = "x".into()),
        ("a short salt", |it| it["salt"] = "00".into()),
        ("a secret of gigabytes", |it| {
            let secret = serde_json::json!({
                "name": "certs/a.pem.sealed", "size": 1_u64 << 33, "sha256": "",
            });
            it["files"].as_array_mut().unwrap().push(secret);
        }),
    ];
    for (what, change) in table {
        made(&path, &[(DATABASE, vec![])], change);
        let refused = manifest(&path).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged(_)), "{what}: {refused}");
    }
    made(&path, &[(DATABASE, vec![])], |it| it["files"][0]["size"] = (1_u64 << 60).into());
    let refused = run(check(&path)).unwrap_err();
    assert!(matches!(refused, BackupError::NoRoom { .. }), "{refused}");
}

#[test]
fn a_database_that_runs_something_or_is_none_of_ours_is_refused() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let (evil, path) = (dir.path().join("evil.db"), dir.path().join("evil"));
        // Whoever counts these rows never ends.
        let endless = "DROP TABLE call_records; CREATE VIEW call_records AS
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        let trigger = "CREATE TRIGGER t BEFORE DELETE ON sessions BEGIN DELETE FROM users; END";
        let without = "DROP TABLE users; DELETE FROM schema_migrations WHERE version > 8";
        for (sql, refused_by_look) in [(endless, true), (trigger, true), (without, false)] {
            let _ = fs::remove_file(&evil);
            db.copy_to(&evil).await.unwrap();
            let mut connection = unpack::open(&evil).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            sqlx::Connection::close(connection).await.unwrap();
            made(&path, &[(DATABASE, fs::read(&evil).unwrap())], |_| ());
            let refused = match unpack(&path, &db.backups(), None).await {
                Err(error) => (true, error),
                Ok(it) => (false, stage(&db, it, &staged(false)).await.unwrap_err()),
            };
            assert_eq!(refused.0, refused_by_look, "{sql}: {}", refused.1);
            assert!(matches!(refused.1, BackupError::Damaged(_)), "{sql}: {}", refused.1);
            assert!(!dir.path().join("restore").exists(), "{sql}");
        }
    });
}

#[test]
fn names_lead_nowhere_else() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("evil");
    for name in ["../dialtone.db", "/etc/passwd", "certs/../../x.sealed", "certs/.x.sealed", "x"] {
        made(&path, &[(DATABASE, vec![0])], |it| {
            let file = serde_json::json!({ "name": name, "size": 1, "sha256": "" });
            it["files"].as_array_mut().unwrap().push(file);
        });
        let refused = manifest(&path).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged(_)), "{name}: {refused}");
    }
}

/// The superuser restores, and the server's own user starts.
#[test]
fn what_root_has_staged_is_the_servers_to_take() {
    let dir = TempDir::new().unwrap();
    let uid = |path: &Path| fs::metadata(path).unwrap().uid();
    if uid(dir.path()) != 0 {
        return testkit::skip::skip("store::owner_of_files", "needs root");
    }
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(12345), Some(12345)).unwrap();
    let file = run(async {
        let offline = crate::open_offline(&data, "test").await.unwrap();
        let file = create(&offline.db, plan(Some(password(1)))).await.unwrap();
        let key = Some(password(1).0);
        let unpacked = unpack(&file, &offline.db.backups(), key).await.unwrap();
        stage(&offline.db, unpacked, &staged(true)).await.unwrap();
        offline.db.close().await;
        file
    });
    let staged = data.join("restore");
    let new = staged.join("new");
    let ready = staged.join("ready");
    for path in [&file, &data.join(FOLDER), &ready, &new, &new.join(DATABASE), &new.join(KEY_FILE)]
    {
        assert_eq!(uid(path), 12345, "{}", path.display());
    }
}

#[test]
fn nobody_is_signed_in_to_what_was_restored() {
    run(async {
        let dir = TempDir::new().unwrap();
        let lock = DataDirLock::take(dir.path(), "test").unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let ann = crate::db::User {
            name: "ann".to_owned(),
            password: String::new(),
            language: pbx::language::Language::En,
            created_at: NOW,
            password_at: NOW,
            totp_at: None,
        };
        db.insert_user(TENANT, &ann).await.unwrap();
        let session = Session {
            id: "1".to_owned(),
            user: "ann".to_owned(),
            created_at: NOW,
            used_at: NOW,
            expires_at: UnixMillis(NOW.0 * 2),
            source: String::new(),
            user_agent: String::new(),
        };
        db.insert_session(TENANT, &session, &[1; 32]).await.unwrap();
        let file = create(&db, plan(None)).await.unwrap();
        let unpacked = unpack(&file, &db.backups(), None).await.unwrap();
        stage(&db, unpacked, &staged(false)).await.unwrap();
        db.close().await;
        drop((db, lock));
        let offline = crate::open_offline(dir.path(), "test").await.unwrap();
        assert!(offline.db.sessions(TENANT).await.unwrap().is_empty());
        let query = crate::db::AuditQuery { limit: 10, ..Default::default() };
        let entry = &offline.db.audit_entries(TENANT, &query).await.unwrap()[0];
        assert_eq!((&*entry.action, &*entry.name, &*entry.actor), ("restore", "a", "ann"));
    });
}
