//! The fuzz targets over their kept corpora, and over a bounded number of seeded mutations of them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::Path;
use testkit::fuzz::{TARGETS, Target};

/// Mutations of each kept input.
const MUTATIONS: u32 = 40;

#[test]
fn kept_inputs_and_their_neighbours() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    for Target { name, run } in TARGETS {
        let mut inputs: Vec<_> = std::fs::read_dir(corpora.join(name))
            .unwrap_or_else(|error| panic!("corpus {name}: {error}"))
            .map(|entry| entry.expect("a readable corpus").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "corpus {name} is empty");
        for path in inputs {
            let bytes = std::fs::read(&path).expect("a readable input");
            run(&bytes);
            for _ in 0..MUTATIONS {
                run(&mutated(&bytes, &mut rng));
            }
        }
    }
}

/// One to four octets changed, cut out or doubled.
fn mutated(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.next_u32() % 4 {
        if bytes.is_empty() {
            break;
        }
        let at = rng.next_u32() as usize % bytes.len();
        match rng.next_u32() % 3 {
            0 => bytes[at] = rng.next_u32().to_le_bytes()[0],
            1 => drop(bytes.remove(at)),
            _ => {
                let tail = bytes[at..].to_vec();
                bytes.extend(tail.iter().take(64));
            }
        }
    }
    bytes
}
