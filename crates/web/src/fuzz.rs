//! The fuzz targets of this crate over their kept corpora (`fuzz/corpus`), and over some mutations of them.

#![allow(clippy::unwrap_used)]

use crate::{extensions, mss};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] = [
    ("call_back", mss::fuzz_call_back),
    ("request_line", mss::fuzz_request_line),
    ("sheet", extensions::sheet::fuzz),
];
const MUTATIONS: u32 = 500;

#[test]
fn kept_inputs_and_their_neighbours() {
    for (name, run) in TARGETS {
        let folder = format!("{}/../../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert!(!files.is_empty(), "the corpus {name} is empty");
        for file in files {
            let kept = std::fs::read(file.unwrap().path()).unwrap();
            run(&kept);
            (0..MUTATIONS).for_each(|seed| run(&mutated(&kept, seed)));
        }
    }
}

/// Some octets changed, doubled or cut off, the same for the same seed.
fn mutated(kept: &[u8], seed: u32) -> Vec<u8> {
    let mut bytes = kept.to_vec();
    let mut state = u64::from(seed);
    for _ in 0..4 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [with, what, high, low, ..] = state.to_be_bytes();
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len().max(1);
        match what % 4 {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.insert(at.min(bytes.len()), with),
            2 => bytes.extend_from_within(at.min(bytes.len())..),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|it| *it = with),
        }
    }
    bytes
}
