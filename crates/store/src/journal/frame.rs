//! One record in a segment: length, checksum, version, sequence, then the record itself.
//!
//! The writer puts frames behind each other, the reader takes them apart. A length of zero is
//! preallocated space that nothing was written to: the end.

use pbx::record::Record;

/// A frame's place in the journal: grows by one with every record, for ever.
pub type Sequence = u64;

/// Largest frame. A record holds a few SIP header values of at most 64 KiB each; a larger one is
/// refused by the writer and counted as lost.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;

/// Version of the payload: the record in the encoding of `postcard`, by position.
const VERSION: u8 = 2;
/// Ended calls had no facts behind their record; all else is the same.
const WITHOUT_FACTS: u8 = 1;
/// Length and checksum, both `u32` in little-endian order.
const PREFIX_BYTES: usize = 8;
/// Version and sequence, which the length and the checksum include.
const HEAD_BYTES: usize = 9;

/// Appends one frame to `buffer`; false, and nothing appended, where the record is too large.
pub(super) fn encode(
    sequence: Sequence,
    record: &Record,
    bytes_max: usize,
    scratch: &mut Vec<u8>,
    buffer: &mut Vec<u8>,
) -> bool {
    scratch.clear();
    scratch.push(VERSION);
    scratch.extend_from_slice(&sequence.to_le_bytes());
    // An error here is a type that postcard cannot express; it takes the scratch buffer with it.
    let Ok(body) = postcard::to_extend(record, std::mem::take(scratch)) else { return false };
    *scratch = body;
    if PREFIX_BYTES + scratch.len() > bytes_max.min(FRAME_BYTES_MAX) {
        return false;
    }
    let Ok(length) = u32::try_from(scratch.len()) else { return false };
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&crc32fast::hash(scratch).to_le_bytes());
    buffer.extend_from_slice(scratch);
    true
}

/// A record in a frame of its own, to be kept elsewhere; `None` where it is too large.
pub(crate) fn frame(sequence: Sequence, record: &Record) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(sequence, record, FRAME_BYTES_MAX, &mut Vec::new(), &mut bytes).then_some(bytes)
}

/// The record of such a frame; `None` where it is damaged.
pub(crate) fn unframe(bytes: &[u8]) -> Option<Record> {
    match decode(bytes) {
        Decoded::Frame { record, .. } => Some(record),
        Decoded::Short | Decoded::End | Decoded::Bad => None,
    }
}

/// What stands at the start of some bytes of a segment.
#[derive(Debug, PartialEq)]
pub(super) enum Decoded {
    Frame {
        sequence: Sequence,
        record: Record,
        bytes: usize,
    },
    /// The bytes end within the frame: read more.
    Short,
    /// Never written to.
    End,
    /// Half written, or damaged.
    Bad,
}

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let Some(total) = whole_bytes(bytes) else {
        return if bytes.iter().take(4).all(|&it| it == 0) && bytes.len() >= 4 {
            Decoded::End
        } else if bytes.len() < PREFIX_BYTES {
            Decoded::Short
        } else {
            Decoded::Bad
        };
    };
    let Some(body) = bytes.get(PREFIX_BYTES..total) else { return Decoded::Short };
    let checksum = bytes[4..PREFIX_BYTES].iter().rev().fold(0, |sum, &it| sum << 8 | u32::from(it));
    if crc32fast::hash(body) != checksum {
        return Decoded::Bad;
    }
    let sequence = body[1..HEAD_BYTES].iter().rev().fold(0, |sum, &it| sum << 8 | u64::from(it));
    let record = match body[0] {
        VERSION => postcard::from_bytes(&body[HEAD_BYTES..]),
        // An empty list of facts in their place; what is left over is not looked at.
        WITHOUT_FACTS => postcard::from_bytes(&[&body[HEAD_BYTES..], &[0]].concat()),
        _ => return Decoded::Bad,
    };
    match record {
        Ok(record) => Decoded::Frame { sequence, record, bytes: total },
        Err(_) => Decoded::Bad,
    }
}

/// Length of the frame that starts here, prefix included, where the prefix is one.
pub(super) fn whole_bytes(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.get(..PREFIX_BYTES)?;
    let length = prefix[..4].iter().rev().fold(0, |sum, &it| sum << 8 | usize::from(it));
    (HEAD_BYTES + 1..=FRAME_BYTES_MAX - PREFIX_BYTES)
        .contains(&length)
        .then_some(PREFIX_BYTES + length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::journal::samples;
    use pbx::record::CallRecord;
    use pbx::time::UnixMillis;
    use pbx::verdict::fact::{Fact, Place, What};
    use std::sync::Arc;

    fn alive(sequence: Sequence) -> Vec<u8> {
        let mut buffer = Vec::new();
        let record = Record::Alive(UnixMillis(1_763_884_800_000));
        assert!(encode(sequence, &record, FRAME_BYTES_MAX, &mut Vec::new(), &mut buffer));
        buffer
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = alive(7);
        let expected = Decoded::Frame {
            sequence: 7,
            record: Record::Alive(UnixMillis(1_763_884_800_000)),
            bytes: bytes.len(),
        };
        assert_eq!(decode(&bytes), expected);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let whole = alive(7);
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Decoded::Short, "cut at {cut}");
            let mut torn = whole.clone();
            torn[cut..].fill(0);
            // What is left may be whole by chance: the last bytes of a frame can be zeros.
            if torn != whole {
                assert!(matches!(decode(&torn), Decoded::Bad | Decoded::End), "torn at {cut}");
            }
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(decode(&flipped), Decoded::Frame { .. }), "bit {bit}");
        }
    }

    #[test]
    fn a_record_too_large_is_refused() {
        let mut binding = samples::binding("100", "desk", 1);
        binding.contact = "x".repeat(FRAME_BYTES_MAX).into();
        let mut buffer = vec![1, 2, 3];
        let record = Record::Bound(Arc::new(binding));
        assert!(!encode(1, &record, FRAME_BYTES_MAX, &mut Vec::new(), &mut buffer));
        assert_eq!(buffer, [1, 2, 3]);
    }

    #[test]
    fn frames_of_the_version_before_are_read() {
        for record in [samples::started(7), samples::answered(7), samples::ended(7)] {
            let mut buffer = Vec::new();
            assert!(encode(7, &record, FRAME_BYTES_MAX, &mut Vec::new(), &mut buffer));
            let end = buffer.len() - usize::from(matches!(record, Record::CallEnded(_)));
            let mut body = buffer[PREFIX_BYTES..end].to_vec();
            body[0] = WITHOUT_FACTS;
            let length = u32::try_from(body.len()).unwrap();
            let head = [length.to_le_bytes(), crc32fast::hash(&body).to_le_bytes()].concat();
            let old = [head, body].concat();
            let bytes = old.len();
            assert_eq!(decode(&old), Decoded::Frame { sequence: 7, record, bytes });
        }
    }

    #[test]
    fn an_ended_call_keeps_its_facts() {
        let Record::CallEnded(record) = samples::ended(7) else { unreachable!() };
        let facts = vec![Fact { at_ms: 1200, place: Place::Callee(1), what: What::NoPrack }];
        let record = Record::CallEnded(Arc::new(CallRecord { facts, ..(*record).clone() }));
        let mut bytes = Vec::new();
        assert!(encode(7, &record, FRAME_BYTES_MAX, &mut Vec::new(), &mut bytes));
        let whole = bytes.len();
        assert_eq!(decode(&bytes), Decoded::Frame { sequence: 7, record, bytes: whole });
    }
}
