//! Thousands of damaged messages, the same ones in every run.
//!
//! Each starts as a torture message; the properties are those of `common::exercise`, and that a
//! stream is read the same however it is cut.

mod common;

use common::{corpus, exercise, framed};

const MUTATIONS: usize = 6_000;

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\r\n\r\n",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b";;",
    b",",
    b":",
    b"@",
    b"[",
    b"]",
    b"%",
    b"%00",
    b"=",
    b"?",
    b" ",
    b"\0",
    b"\xff",
    b"\xe4\xb8",
    b"4294967296",
    b"18446744073709551616",
    b"-1",
    b"Content-Length: 3\r\n",
    b"l: 70000\r\n",
    b"Via: SIP/2.0/UDP a;branch=\r\n",
    b"m: *\r\n",
    b"t: <sip:a>;tag=\r\n",
    b"Authorization: Digest username=\"\r\n",
];

/// A small generator of numbers that look random (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.0 % limit).unwrap_or(0)
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..(start + self.below(40)).min(len)
    }
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 => drop(bytes.drain(dice.range(bytes.len()))),
        2 => {
            let copy = bytes[dice.range(bytes.len())].to_vec();
            bytes.splice(at..at, copy);
        }
        3 => drop(bytes.splice(at..at, other[dice.range(other.len())].to_vec())),
        4 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].to_vec())),
    }
}

#[test]
fn damaged_messages_are_survived() {
    let corpus = corpus();
    let mut dice = Dice(0x5eed_0f51_9000_0001);
    for _ in 0..MUTATIONS {
        let mut bytes = corpus[dice.below(corpus.len())].bytes.clone();
        let other = &corpus[dice.below(corpus.len())].bytes;
        for _ in 0..=dice.below(8) {
            mutate(&mut bytes, other, &mut dice);
        }
        exercise(&bytes);
        let piece = 1 + dice.below(200);
        assert_eq!(framed(bytes.chunks(piece)), framed([&bytes[..]]), "pieces of {piece}");
    }
}
