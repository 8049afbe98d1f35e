//! The database on real files: keys, schema, extensions, settings.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::journal::samples;
use crate::password::NewPassword;
use crate::secret::KEY_FILE;
use pbx::dialplan::Tables;
use pbx::dialplan::levels::Levels;
use pbx::directory::{AllowedAddress, Relay};
use pbx::id::TenantId;
use pbx::settings::Settings;
use pbx::time::UnixMillis;
use std::fs;
use tempfile::TempDir;

const TENANT: TenantId = TenantId(0);

const SERVICES: &str = r#"{"may_forward":["busy","always"],"ring_s":15}"#;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn extension(number: &str, password: &str) -> NewExtension {
    let password = Some(NewPassword::allow_weak(number, password).unwrap());
    NewExtension { profile: ExtensionProfile::new(number), password }
}

#[test]
fn rows_come_in_portions_of_few_sizes() {
    #[rustfmt::skip]
    let table: [(usize, &[usize]); 5] = [
        (0,   &[]),
        (1,   &[1]),
        (7,   &[4, 2, 1]),
        (64,  &[64]),
        (200, &[64, 64, 64, 8]),
    ];
    for (rows, expected) in table {
        let rows: Vec<usize> = (0..rows).collect();
        assert_eq!(portions(&rows).map(<[_]>::len).collect::<Vec<_>>(), expected);
        assert_eq!(portions(&rows).collect::<Vec<_>>().concat(), rows);
    }
}

#[test]
fn extensions_are_added_changed_and_removed() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let new = vec![extension("100", "k7mfx2pq"), extension("101", "101")];
        db.insert_extensions(TENANT, new).await.unwrap();
        let all = db.extensions(TENANT).await.unwrap();
        let weak: Vec<_> = all.iter().map(|it| (&*it.profile.number, it.weak_password)).collect();
        assert_eq!(weak, [("100", false), ("101", true)]);

        let error = db.insert_extensions(
            TENANT,
            vec![extension("102", "k7mfx2pq"), extension("101", "k7mfx2pq")],
        );
        assert_eq!(error.await.unwrap_err().to_string(), "extension 101 exists already");
        assert_eq!(db.extensions(TENANT).await.unwrap().len(), 2, "all or none");

        let address = AllowedAddress { network: "192.0.2.0/24".parse().unwrap(), port: Some(5060) };
        let profile = ExtensionProfile {
            name: "接待处".to_owned(),
            addresses: vec![address],
            devices_max: Some(3),
            calls_max: 5,
            relay: Relay::Never,
            digest_without_qop: false,
            plan: Some("guest".to_owned()),
            levels: Levels::new(&[1, 3]).unwrap(),
            services: serde_json::from_str(SERVICES).unwrap(),
            ..ExtensionProfile::new("100")
        };
        let error = db.update_extension(TENANT, profile.clone()).await.unwrap_err();
        assert!(error.to_string().starts_with("plan = guest: there is no such dial plan"));
        let tables = Tables { plans: vec!["guest".into()], ..Tables::default() };
        db.set_tables(TENANT, tables, UnixMillis(0)).await.unwrap();
        db.update_extension(TENANT, profile.clone()).await.unwrap();
        let directory = db.load_directory(1).await.unwrap();
        let loaded = directory.tenant(TENANT).unwrap().extension("100").unwrap();
        assert_eq!((loaded.plan.as_deref(), loaded.levels.has(3)), (Some("guest"), true));
        let password = NewPassword::allow_weak("100", "100").unwrap();
        db.set_password(TENANT, "100", Some(&password)).await.unwrap();
        let expected = StoredExtension { profile, has_password: true, weak_password: true };
        assert_eq!(db.extension(TENANT, "100").await.unwrap(), expected);

        let bindings = ["100", "101"].map(|it| samples::binding(it, "desk", 1));
        let mut connection = db.pool().acquire().await.unwrap();
        upsert_bindings(&mut connection, &bindings.each_ref()).await.unwrap();
        db.delete_extensions(TENANT, &["101".to_owned()]).await.unwrap();
        let left = db.bindings(UnixMillis(0)).await.unwrap();
        assert_eq!(left, bindings[..1], "a new 101 is not on the phone of the old one");
        let error = db.delete_extensions(TENANT, &["101".to_owned()]).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no extension 101");
    });
}

#[test]
fn what_is_out_of_range_is_named() {
    let new = ExtensionProfile::new;
    #[rustfmt::skip]
    let table = [
        (new(""),                                              "number = : must be"),
        (new("1 0"),                                           "number = 1 0: must be"),
        (new("100\r\nTo: x"),                                  "number = 100\r\nTo: x: must be"),
        (ExtensionProfile { calls_max: 0, ..new("100") },      "calls = 0: must be 1 to 100"),
        (ExtensionProfile { devices_max: Some(0), ..new("1") }, "devices = 0: must be"),
        (ExtensionProfile { name: "a\nb".into(), ..new("1") },  "name = a\nb: must be"),
    ];
    for (profile, expected) in table {
        let error = profile.checked().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn ten_thousand_extensions_load_into_the_directory() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let many = (10_000..20_000).map(|it| extension(&it.to_string(), "k7mfx2pq")).collect();
        db.insert_extensions(TENANT, many).await.unwrap();
        let directory = db.load_directory(1).await.unwrap();
        let tenant = directory.tenant(TENANT).unwrap();
        assert_eq!(tenant.extensions.len(), 10_000);
        let expected = crate::directory::derive_secret("15555", "dialtone", b"k7mfx2pq");
        assert_eq!(tenant.extension("15555").unwrap().secret, Some(expected));

        db.delete_extensions(TENANT, &["15555".to_owned()]).await.unwrap();
        let change = db.extension_change(TENANT, "15555").await.unwrap();
        let next = crate::directory::apply_extension_change(&directory, TENANT, change);
        assert!(next.tenant(TENANT).unwrap().extension("15555").is_none());
        assert!(directory.tenant(TENANT).unwrap().extension("15555").is_some());

        let broken = "UPDATE extensions SET levels = 'none' WHERE number = '19990'";
        sqlx::query(broken).execute(db.pool()).await.unwrap();
        let error = db.load_directory(1).await.unwrap_err().to_string();
        assert!(error.contains("extension 19990"), "{error}");
    });
}

#[test]
fn settings_are_checked_and_change_the_digests() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        assert_eq!(db.settings(TENANT).await.unwrap(), Settings::default());
        db.insert_extensions(TENANT, vec![extension("100", "k7mfx2pq")]).await.unwrap();
        let settings = Settings {
            realm: "office".to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            ..Settings::default()
        };
        db.set_settings(TENANT, settings.clone()).await.unwrap();
        assert_eq!(db.settings(TENANT).await.unwrap(), settings);
        let directory = db.load_directory(1).await.unwrap();
        let secret = directory.tenant(TENANT).unwrap().extension("100").unwrap().secret;
        let expected = crate::directory::derive_secret("100", "office", b"k7mfx2pq");
        assert_eq!(secret, Some(expected));

        let later = Settings { time_zone: "Europe/Berlin".to_owned(), ..settings.clone() };
        db.set_settings(TENANT, later.clone()).await.unwrap();
        let next = db.with_settings(&directory, TENANT).await.unwrap();
        assert_eq!(*next.tenant(TENANT).unwrap().settings, later);
        assert_eq!(next.tenant(TENANT).unwrap().zone.0.iana_name(), Some("Europe/Berlin"));
        assert_eq!((directory.version, next.version), (1, 2));
        let moved = Settings { realm: "hall".to_owned(), ..later };
        db.set_settings(TENANT, moved).await.unwrap();
        let next = db.with_settings(&next, TENANT).await.unwrap();
        let secret = next.tenant(TENANT).unwrap().extension("100").unwrap().secret;
        let expected = crate::directory::derive_secret("100", "hall", b"k7mfx2pq");
        assert_eq!(secret, Some(expected));
        db.set_settings(TENANT, settings.clone()).await.unwrap();

        for (wrong, key) in [
            (Settings { no_answer_s: 1, ..Settings::default() }, "no_answer_s"),
            (Settings { time_zone: "Mars/Olympus".into(), ..Settings::default() }, "time_zone"),
        ] {
            let error = db.set_settings(TENANT, wrong).await.unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
        assert_eq!(db.settings(TENANT).await.unwrap(), settings);
        let error = db.settings(TenantId(7)).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no tenant 7");
    });
}

#[test]
fn a_database_that_others_can_read_is_made_private() {
    run(async {
        let dir = TempDir::new().unwrap();
        Db::open(dir.path()).await.unwrap().close().await;
        let path = dir.path().join(DATABASE_FILE);
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        Db::open(dir.path()).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[test]
fn a_missing_wrong_or_exposed_key_is_an_error_that_helps() {
    run(async {
        let dir = TempDir::new().unwrap();
        Db::open(dir.path()).await.unwrap().close().await;
        let key = dir.path().join(KEY_FILE);
        let right = fs::read(&key).unwrap();

        let mut wrong = right.clone();
        wrong[0] ^= 1;
        fs::write(&key, wrong).unwrap();
        let error = Db::open(dir.path()).await.unwrap_err().to_string();
        assert!(error.contains("does not belong to this database"), "{error}");

        fs::remove_file(&key).unwrap();
        let error = Db::open(dir.path()).await.unwrap_err().to_string();
        assert!(error.contains("is missing"), "{error}");
        assert!(!key.exists(), "no new key may be made for old secrets");

        fs::write(&key, &right).unwrap();
        let error = Db::open(dir.path()).await.unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    });
}

/// Whoever called such an extension would call for help.
#[test]
fn no_extension_has_an_emergency_number() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        for number in ["112", "9112"] {
            let new = vec![extension("100", "k7mfx2pq"), extension(number, "k7mfx2pq")];
            let error = db.insert_extensions(TENANT, new).await.unwrap_err().to_string();
            assert!(
                error.contains("calls the emergency number 112. Give the extension"),
                "{error}"
            );
        }
        assert_eq!(db.extensions(TENANT).await.unwrap().len(), 0, "all or none");

        db.insert_extensions(TENANT, vec![extension("999", "k7mfx2pq")]).await.unwrap();
        let own = Settings { emergency_numbers: vec!["999".into()], ..Settings::default() };
        let error = db.set_settings(TENANT, own).await.unwrap_err().to_string();
        assert!(error.contains("Extension, row 999, number"), "{error}");
        let own = Settings { emergency_numbers: vec!["998".into()], ..Settings::default() };
        db.set_settings(TENANT, own).await.unwrap();
        db.insert_extensions(TENANT, vec![extension("112", "k7mfx2pq")]).await.unwrap();
    });
}

#[test]
fn no_password_is_readable_in_the_files() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let new = vec![extension("100", "UnmistakablePassw0rt")];
        db.insert_extensions(TENANT, new).await.unwrap();
        for entry in fs::read_dir(dir.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            let found = bytes.windows(12).any(|it| it == b"Unmistakable");
            assert!(!found, "a password lies open on the disk");
        }
    });
}

#[test]
fn a_newer_schema_is_refused() {
    run(async {
        let dir = TempDir::new().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        sqlx::query("INSERT INTO schema_migrations (version, name) VALUES (999, 'future')")
            .execute(db.pool())
            .await
            .unwrap();
        db.close().await;
        let error = Db::open(dir.path()).await.unwrap_err().to_string();
        assert!(error.contains("newer version (its schema is 999"), "{error}");
    });
}
