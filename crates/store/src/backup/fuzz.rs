//! The fuzz target `archive`: what somebody uploads as a backup, whatever it is.

use super::archive::{Archive, Packer};
use super::unpack::read_manifest;
use std::io::{self, Read as _};

/// Looked into by one run, so that it ends. Unit of the second: octets.
const FILES: usize = 100;
const FILE_BYTES: u64 = 1024 * 1024;

/// It is read or refused, as it is and as what a packed file holds: few octets that come by chance are gzip.
pub fn fuzz(bytes: &[u8]) {
    walk(bytes);
    if let Ok(packed) = Packer::raw(Vec::new(), bytes) {
        walk(&packed);
    }
}

fn walk(bytes: &[u8]) {
    if let Ok(Some(first)) = Archive::new(bytes).next() {
        let _ = read_manifest(first);
    }
    let mut archive = Archive::new(bytes);
    for _ in 0..FILES {
        let Ok(Some(mut entry)) = archive.next() else { return };
        let read = io::copy(&mut entry.content.by_ref().take(FILE_BYTES), &mut io::sink());
        // What is longer, or ends too soon, leaves nothing to go on from.
        if !read.is_ok_and(|it| it == entry.size) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Each kept input, cut off at each place and with each octet changed.
    #[test]
    fn kept_inputs_and_their_neighbours() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/archive");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert!(!files.is_empty(), "the corpus is empty");
        for file in files {
            let kept = std::fs::read(file.unwrap().path()).unwrap();
            fuzz(&kept);
            for at in (0..kept.len()).step_by(7) {
                fuzz(&kept[..at]);
                let mut changed = kept.clone();
                changed[at] ^= 0x21;
                fuzz(&changed);
            }
        }
    }
}
