//! Why a backup is not made or not restored, for the person who must act. Nothing was changed then.

use crate::failure::of_io;
use crate::resource::Failure;
use pbx::text;
use std::io::{Error, ErrorKind};
use std::path::Path;
use store::backup::BackupError;

/// Unit: octets.
const MIB: u64 = 1024 * 1024;

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Io { path, source } => of_file(&path, &source),
            BackupError::NoRoom { folder, needed, free } => {
                let (folder, needed, free) = (folder.display(), needed.div_ceil(MIB), free / MIB);
                let what = text!(
                    "the disk is too full: {needed} MiB are needed in {folder}, {free} MiB are left. Nothing was changed",
                    "磁盘空间不足：{folder}需要{needed} MiB，剩余{free} MiB。未作任何改动"
                );
                Self::new(507, "disk_full", what)
            }
            BackupError::NoBackup => {
                let what = text!("this is not a backup of dialtone", "这不是dialtone的备份文件");
                Self::new(422, "no_backup", what)
            }
            BackupError::Damaged(why) => {
                let what = text!(
                    "the backup is damaged or cut off ({why}). Nothing was changed",
                    "备份文件已损坏或不完整（{why}）。未作任何改动"
                );
                Self::new(422, "damaged", what)
            }
            BackupError::Newer { version } => {
                let ours = env!("CARGO_PKG_VERSION");
                let what = text!(
                    "the backup was made by version {version}, which is newer than this one ({ours}): install that version, then restore it",
                    "该备份由更新的版本{version}生成（本程序为{ours}）：请安装该版本后再恢复"
                );
                Self::new(422, "newer", what)
            }
            BackupError::WrongPassword => {
                let what =
                    text!("the password of the backup is wrong or missing", "备份密码错误或未提供");
                Self::new(422, "wrong_password", what).at("password")
            }
            BackupError::OtherKey => {
                let what = text!(
                    "the backup is of another machine and has no password, so its key is not in it: put the file secret.key of that machine into the data directory, or make the backup again with a password",
                    "该备份来自另一台机器且没有密码，其中不含密钥：请将那台机器的secret.key放入数据目录，或重新生成带密码的备份"
                );
                Self::new(422, "other_key", what)
            }
            BackupError::Store(error) => error.into(),
        }
    }
}

/// What the system said of a file.
pub(super) fn of_file(path: &Path, error: &Error) -> Failure {
    let path = path.display();
    if error.kind() == ErrorKind::StorageFull {
        let what = text!(
            "the disk is full: {path} cannot be written. Nothing was changed",
            "磁盘已满，无法写入{path}。未作任何改动"
        );
        return Failure::new(507, "disk_full", what);
    }
    Failure::new(500, "store", text!("{path}: {}", "{path}：{}", of_io(error)))
}
