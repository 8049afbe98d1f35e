//! A backup on its way to another place and back: read and written piece by piece, never held as a whole.

use super::{info, is_full, place, refusal};
use crate::resource::Failure;
use crate::resource::backup::BackupInfo;
use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use pbx::text;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use store::Db;
use tokio::sync::mpsc;

/// Longest backup taken. Unit: octets.
const BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Read from a file at once. Unit: octets.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that wait to be written; whoever sends more waits.
const PIECES_WAITING: usize = 16;
/// Written before it is looked again whether there is room for more. Unit: octets.
const LOOK_BYTES: u64 = 16 * 1024 * 1024;
/// What gzip begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// While it comes; no name of a backup.
const HALF: &str = ".upload";

/// Takes a backup as it comes, looks whether it is one, and keeps it under the name it had.
pub(super) async fn take(db: &Db, body: Body) -> Result<BackupInfo, Failure> {
    if is_full(db) {
        let what = text!("there are too many backups: delete some", "备份过多，请删除一些");
        return Err(Failure::new(409, "too_many", what));
    }
    let half = db.backups().join(HALF);
    let taken = match write(&half, body).await {
        Ok(()) => keep(db, &half).await,
        Err(failure) => Err(failure),
    };
    if taken.is_err() {
        let _ = fs::remove_file(&half);
    }
    taken
}

async fn keep(db: &Db, half: &Path) -> Result<BackupInfo, Failure> {
    let path = place(db, half).await?;
    fs::rename(half, &path).map_err(|error| refusal::of_file(&path, &error))?;
    info(&path)
}

async fn write(half: &Path, body: Body) -> Result<(), Failure> {
    let folder = half.parent().unwrap_or(half);
    let failed = |error: &io::Error| refusal::of_file(half, error);
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(&error))?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(half);
    let mut file = file.map_err(|error| failed(&error))?;
    let (to, mut pieces) = mpsc::channel::<Bytes>(PIECES_WAITING);
    let (path, folder) = (half.to_owned(), folder.to_owned());
    let writer = tokio::task::spawn_blocking(move || -> Result<(), Failure> {
        let failed = |error: io::Error| refusal::of_file(&path, &error);
        let mut unlooked = LOOK_BYTES;
        while let Some(piece) = pieces.blocking_recv() {
            unlooked = unlooked.saturating_add(piece.len() as u64);
            if unlooked >= LOOK_BYTES {
                store::backup::need_room(&folder, LOOK_BYTES)?;
                unlooked = 0;
            }
            file.write_all(&piece).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    });
    let sent = send(body, &to).await;
    drop(to);
    // A full disk is told before a stream that nobody took any more.
    writer.await.map_err(|error| failed(&io::Error::other(error)))??;
    sent
}

async fn send(body: Body, to: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
    let mut stream = body.into_data_stream();
    let mut size = 0_u64;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| {
            Failure::new(400, "cut_off", text!("the upload was cut off", "上传中断"))
        })?;
        if size == 0 && !piece.is_empty() && !piece.starts_with(&GZIP) {
            return Err(store::backup::BackupError::NoBackup.into());
        }
        size = size.saturating_add(piece.len() as u64);
        if size > BYTES_MAX {
            let most = BYTES_MAX / 1024 / 1024 / 1024;
            let what = text!("a backup has at most {most} GiB", "备份文件最大{most} GiB");
            return Err(Failure::new(413, "too_large", what));
        }
        if to.send(piece).await.is_err() {
            break;
        }
    }
    if size == 0 {
        return Err(store::backup::BackupError::NoBackup.into());
    }
    Ok(())
}

/// The file as a body.
pub(super) fn give(path: &Path) -> Result<Body, Failure> {
    let file = File::open(path).map_err(|error| refusal::of_file(path, &error))?;
    let pieces = futures_util::stream::unfold(Some(file), |file| async {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let read = file.read(&mut piece)?;
            piece.truncate(read);
            Ok::<_, io::Error>((piece, file))
        });
        match read.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((piece, _)) if piece.is_empty() => None,
            Ok((piece, file)) => Some((Ok(Bytes::from(piece)), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Body::from_stream(pieces))
}
