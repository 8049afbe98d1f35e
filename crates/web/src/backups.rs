//! Backups: `/api/v1/backups`, made, listed, looked into, restored; and standby, in which lines stay silent.
//!
//! The operations need the database alone, so that the command line does the same while no server runs. A restore is
//! staged, and takes place when the server has started anew.

pub(crate) mod api;
mod compare;
mod nightly;
mod refusal;
mod transfer;

pub(crate) use api::routes;
pub(crate) use nightly::Nightly;
#[cfg(test)]
pub(crate) use nightly::night as look_at_night;
pub use nightly::run as run_nightly;

use crate::access::password::Hasher;
use crate::failure::no_random_numbers;
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::backup::{BackupInfo, RestorePreview};
use pbx::language::Text;
use pbx::text;
use pbx::time::UnixMillis;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use store::Db;
use store::backup::{Counts, Manifest, Plan, Reason, SUFFIX, Staged, Unpacked};
use store::secret::SecretKey;

/// Backups on this machine besides the nightly ones, which make room by themselves. One more is refused.
const BACKUPS_MAX: usize = 200;
/// Files that are looked at: more than there are, unless somebody copies them there.
const FILES_MAX: usize = 1000;
const PASSWORD_CHARS_MIN: usize = 10;
/// Unit: octets.
const SALT_BYTES: usize = 16;
/// As the audit names them.
pub(crate) const BACKUPS: &str = "backups";

/// Who makes a backup or restores one, where and when.
#[derive(Clone, Debug)]
pub struct Maker {
    /// The machine.
    pub host: String,
    pub now: UnixMillis,
}

/// The newest first. What is no backup, or a damaged one, is left out.
pub fn list(db: &Db) -> Vec<BackupInfo> {
    let files = fs::read_dir(db.backups()).into_iter().flatten().flatten();
    let files = files.filter(|it| it.file_name().to_str().is_some_and(is_ours));
    let mut found: Vec<BackupInfo> =
        files.take(FILES_MAX).filter_map(|it| info(&it.path()).ok()).collect();
    found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.name.cmp(&b.name)));
    found
}

/// Whether there is no place for one more that is not made by night.
fn is_full(db: &Db) -> bool {
    list(db).iter().filter(|it| it.reason != Reason::Nightly).count() >= BACKUPS_MAX
}

/// What a backup says of itself.
pub fn show(db: &Db, name: &str) -> Result<BackupInfo, Failure> {
    info(&path(db, name)?)
}

/// Makes a backup of what there is now.
pub async fn create(
    db: &Db,
    maker: &Maker,
    reason: Reason,
    password: Option<String>,
) -> Result<BackupInfo, Failure> {
    if reason != Reason::Nightly && is_full(db) {
        let what = text!(
            "there are {BACKUPS_MAX} backups on this machine: download or delete some",
            "本机已有{BACKUPS_MAX}个备份：请下载或删除一些"
        );
        return Err(Failure::new(409, "too_many", what));
    }
    let seal = match password.filter(|it| !it.is_empty()) {
        None => None,
        Some(password) => Some(sealed_by(password).await?),
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let plan = Plan { reason, version, host: maker.host.clone(), now: maker.now, seal };
    info(&store::backup::create(db, plan).await?)
}

/// Removes a backup.
pub fn delete(db: &Db, name: &str) -> Result<(), Failure> {
    let path = path(db, name)?;
    fs::remove_file(&path).map_err(|error| refusal::of_file(&path, &error))
}

/// What a restore would change. The backup is unpacked and checked as it would be for one.
pub async fn preview(
    db: &Db,
    name: &str,
    password: Option<String>,
) -> Result<RestorePreview, Failure> {
    let path = path(db, name)?;
    let unpacked = unpack(db, &path, password).await?;
    let present = store::backup::present(db).await?;
    Ok(compare::preview(info(&path)?, &unpacked, &present))
}

/// Makes a backup of what there is now, and has the next start begin with what the backup holds. The former.
///
/// Where the backup brings its key file along, this machine's own goes: the way back needs that, so the former has the
/// same password.
pub async fn restore(
    db: &Db,
    maker: &Maker,
    password: Option<String>,
    staged: Staged,
) -> Result<BackupInfo, Failure> {
    let path = path(db, &staged.backup)?;
    // Refused before a copy is made that nobody needs.
    let first = unpack(db, &path, password.clone()).await?;
    store::backup::prove(db, &first).await?;
    let has_secrets = first.manifest.salt.is_some();
    drop(first);
    let of_safety = password.clone().filter(|_| has_secrets);
    let safety = create(db, maker, Reason::BeforeRestore, of_safety).await?;
    let unpacked = unpack(db, &path, password).await?;
    store::backup::stage(db, unpacked, &staged).await?;
    Ok(safety)
}

/// Takes a file of this machine among the backups, where it is one.
pub async fn take_file(db: &Db, file: &Path) -> Result<BackupInfo, Failure> {
    let path = place(db, file).await?;
    let copied = private_copy(file, &path);
    copied.map_err(|error| refusal::of_file(&path, &error))?;
    info(&path)
}

/// Where a backup that was brought here belongs, once it was read to its end. The same one may be there already, and may
/// be damaged: this one takes its place. Another one of this name stays.
async fn place(db: &Db, file: &Path) -> Result<PathBuf, Failure> {
    let manifest = store::backup::manifest(file)?;
    store::backup::check(file).await?;
    let path = db.backups().join(store::backup::file_name(&manifest));
    if store::backup::manifest(&path).is_ok_and(|it| it != manifest) {
        let what = text!("another backup of this name is here already", "已有另一个同名备份");
        return Err(Failure::new(409, "exists", what));
    }
    Ok(path)
}

fn private_copy(from: &Path, to: &Path) -> io::Result<()> {
    // Already there.
    if let (Ok(from), Ok(to)) = (from.canonicalize(), to.canonicalize())
        && from == to
    {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let half = to.with_extension("half");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    let copied = io::copy(&mut File::open(from)?, &mut file)
        .and_then(|_| file.sync_all())
        .and_then(|()| fs::rename(&half, to));
    if copied.is_err() {
        let _ = fs::remove_file(&half);
    }
    copied
}

/// Why a backup was made.
pub fn reason(it: Reason) -> Text {
    match it {
        Reason::Asked => Text::fixed("asked for", "手动"),
        Reason::Nightly => Text::fixed("nightly", "每夜自动"),
        Reason::BeforeRestore => Text::fixed("before a restore", "恢复前"),
    }
}

/// What is counted, with its name.
pub fn figures(of: &Counts) -> [(Text, u64); 6] {
    [
        (Text::fixed("extensions", "分机"), of.extensions),
        (Text::fixed("external lines", "外线"), of.external_lines),
        (Text::fixed("SIP trunks", "SIP中继"), of.sip_trunks),
        (Text::fixed("rows of the dial plan", "拨号规则记录"), of.dial_plan_rows),
        (Text::fixed("administrators", "管理员"), of.administrators),
        (Text::fixed("call records", "话单"), of.call_records),
    ]
}

/// What a difference is of.
pub fn kind(word: &str) -> Text {
    match word {
        "extensions" => Text::fixed("extensions", "分机"),
        "external_lines" => Text::fixed("external lines", "外线"),
        "administrators" => Text::fixed("administrators", "管理员"),
        "api_keys" => Text::fixed("API keys", "API密钥"),
        _ => Text::fixed("SIP trunks", "SIP中继"),
    }
}

/// The file of a backup. Names are ours: they lead nowhere else.
fn path(db: &Db, name: &str) -> Result<PathBuf, Failure> {
    let path = db.backups().join(name);
    if is_ours(name) && path.is_file() {
        return Ok(path);
    }
    Err(Failure::new(404, "not_found", text!("there is no backup {name}", "没有备份{name}")))
}

/// Whether a file may be named so: one of another name is somebody's own, and not to be asked for.
fn is_ours(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    name.ends_with(SUFFIX) && !name.starts_with('.') && name.chars().all(is_plain)
}

fn info(path: &Path) -> Result<BackupInfo, Failure> {
    let manifest = store::backup::manifest(path)?;
    let size = fs::metadata(path).map_err(|error| refusal::of_file(path, &error))?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(shown(name, size, manifest))
}

fn shown(name: String, size: u64, it: Manifest) -> BackupInfo {
    BackupInfo {
        name,
        size,
        created_at: rfc3339(it.created_at),
        version: it.version,
        schema: it.schema,
        host: it.host,
        reason: it.reason,
        has_secrets: it.salt.is_some(),
        counts: it.counts,
    }
}

async fn unpack(db: &Db, path: &Path, password: Option<String>) -> Result<Unpacked, Failure> {
    let salt = store::backup::manifest(path)?.salt;
    let key = match (password.filter(|it| !it.is_empty()), salt) {
        (Some(password), Some(salt)) => Some(Hasher::default().derive(password, salt).await?),
        // Without a password its secrets stay closed; those of this machine may do.
        (_, _) => None,
    };
    Ok(store::backup::unpack(path, &db.backups(), key.map(SecretKey::of)).await?)
}

/// A key made of a password, and the salt that makes it again.
async fn sealed_by(password: String) -> Result<(SecretKey, String), Failure> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        let what = text!(
            "The password is shorter than {PASSWORD_CHARS_MIN} characters.",
            "密码少于{PASSWORD_CHARS_MIN}个字符。"
        );
        return Err(Failure::new(422, "weak_password", what).at("password"));
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)
        .map_err(|error| Failure::new(500, "random", no_random_numbers(error)))?;
    let salt: String = salt.iter().map(|it| format!("{it:02x}")).collect();
    let key = Hasher::default().derive(password, salt.clone()).await?;
    Ok((SecretKey::of(key), salt))
}

#[cfg(test)]
mod tests;
