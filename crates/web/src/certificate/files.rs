//! The files of certificates: written whole or not at all.

use super::Pem;
use crate::failure::of_io;
use crate::resource::Failure;
use pbx::text;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// For the server's user alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A chain and its key follow each other in one file, so that they are always of one another.
const INSTALLED: &str = "installed.pem";
const OWN: &str = "self-signed.pem";

/// Longest file read. Unit: octets. A chain has three or four certificates of two thousand.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Stands between the chain and the key.
const KEY_BEGINS: &str = "# private key\n";

#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn installed(&self) -> Result<Option<Pem>, Failure> {
        self.read(INSTALLED)
    }

    pub(super) fn own(&self) -> Result<Option<Pem>, Failure> {
        self.read(OWN)
    }

    pub(super) fn install(&self, pem: &Pem) -> Result<(), Failure> {
        self.write(INSTALLED, pem)
    }

    pub(super) fn keep_own(&self, pem: &Pem) -> Result<(), Failure> {
        self.write(OWN, pem)
    }

    pub(super) fn forget(&self) -> Result<(), Failure> {
        let path = self.folder.join(INSTALLED);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Pem>, Failure> {
        let path = self.folder.join(name);
        let text = match fs::metadata(&path) {
            Ok(found) if found.len() > FILE_BYTES_MAX => Err(io::Error::other("too long")),
            Ok(_) => fs::read_to_string(&path),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        let text = text.map_err(|error| failed(&path, &error))?;
        let (chain, key) = text.split_once(KEY_BEGINS).unwrap_or((&text, ""));
        Ok(Some(Pem { chain: chain.to_owned(), key: key.to_owned() }))
    }

    fn write(&self, name: &str, pem: &Pem) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let beside = path.with_extension("new");
        let chain = pem.chain.trim_end();
        let text = format!("{chain}\n{KEY_BEGINS}{}", pem.key);
        let written = || {
            fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(FILE_MODE)
                .open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        written().map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let what = text!("{path}: {}", "{path}：{}", of_io(error));
    Failure::new(500, "store", what)
}
