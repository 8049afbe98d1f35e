//! Secrets at rest: sealed with ChaCha20-Poly1305 (RFC 8439) under a key file of its own.
//!
//! The key file lies beside the database and not in it, so that a copy of the database alone
//! gives no password away.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "secret.key";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The key all secrets of one database are sealed with.
#[derive(Clone)]
pub struct SecretKey(Arc<Zeroizing<[u8; KEY_BYTES]>>);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the key file {} is missing, but the database holds secrets sealed with it: put it back \
         from your backup",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("the key file {} is not a key of this program ({KEY_BYTES} bytes)", .0.display())]
    Malformed(PathBuf),
    #[error(
        "the key file {path} can be read by others (mode {mode:04o}): make it yours alone with \
         chmod 600 {path}",
        path = .path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "the key file {} does not belong to this database: put the right one back from your backup",
        .0.display()
    )]
    Wrong(PathBuf),
    #[error("the key file {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("a secret of this size cannot be sealed")]
    CannotSeal,
}

/// A sealed value that this key does not open, or that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not open this secret")]
pub struct CannotOpen;

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// Reads the key file of a data directory. `None` where there is none.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, KeyError> {
        let path = data_dir.join(KEY_FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path, mode });
        }
        let bytes = Zeroizing::new(fs::read(&path).map_err(failed)?);
        match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Some(Self(Arc::new(Zeroizing::new(key))))),
            Err(_) => Err(KeyError::Malformed(path)),
        }
    }

    /// One that is kept in no file, as that of a backup's password.
    pub fn of(key: [u8; KEY_BYTES]) -> Self {
        Self(Arc::new(Zeroizing::new(key)))
    }

    /// Makes a key file with mode 0600; it must not exist.
    pub fn create(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join(KEY_FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key).map_err(KeyError::Random)?;
        if path.exists() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        // Complete before it has its name: a cut in between leaves no half key.
        let half = path.with_extension("new");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let write = |mut file: File| file.write_all(&*key).and_then(|()| file.sync_all());
        options.open(&half).and_then(write).map_err(failed)?;
        fs::rename(&half, &path).map_err(failed)?;
        Ok(Self(Arc::new(key)))
    }

    /// Seals `plain`; it opens only together with the same `bound_to`.
    pub fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut sealed = vec![0; NONCE_BYTES];
        getrandom::fill(&mut sealed).map_err(KeyError::Random)?;
        let payload = Payload { msg: plain, aad: bound_to };
        let nonce = Nonce::try_from(sealed.as_slice()).map_err(|_| KeyError::CannotSeal)?;
        let body = self.cipher().encrypt(&nonce, payload).map_err(|_| KeyError::CannotSeal)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    pub fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(CannotOpen)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| CannotOpen)?;
        let payload = Payload { msg: body, aad: bound_to };
        self.cipher().decrypt(&nonce, payload).map(Zeroizing::new).map_err(|_| CannotOpen)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&**self.0).into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_and_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let key = SecretKey::create(dir.path()).unwrap();
        let sealed = key.seal(b"k7mfx2pq", b"0/100").unwrap();
        assert_eq!(key.open(&sealed, b"0/100").unwrap().as_slice(), b"k7mfx2pq");
        assert_ne!(sealed, key.seal(b"k7mfx2pq", b"0/100").unwrap(), "a fresh nonce each time");
        assert_eq!(key.open(&sealed, b"0/101"), Err(CannotOpen));
        assert_eq!(key.open(&sealed[..8], b"0/100"), Err(CannotOpen));
        let other = tempfile::tempdir().unwrap();
        let other = SecretKey::create(other.path()).unwrap();
        assert_eq!(other.open(&sealed, b"0/100"), Err(CannotOpen));
    }

    #[test]
    fn the_file_is_private_read_back_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(SecretKey::read(dir.path()).unwrap().is_none());
        let key = SecretKey::create(dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = SecretKey::read(dir.path()).unwrap().unwrap();
        let sealed = key.seal(b"k7mfx2pq", b"0/100").unwrap();
        assert_eq!(again.open(&sealed, b"0/100").unwrap().as_slice(), b"k7mfx2pq");
        assert!(SecretKey::create(dir.path()).is_err());

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SecretKey::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(SecretKey::read(dir.path()), Err(KeyError::Malformed(_))));
    }
}
