//! Where messages are written: one block after another, each shared by all texts in it.
//!
//! A message alone would cost two allocations, its text and the count that shares it, and room for more text than
//! it gets. In a block it costs its octets. [`Writer`](super::Writer) writes here, and so may others whose texts live
//! no longer than a [`Life`].

use bytes::{Bytes, BytesMut};
use std::cell::Cell;

/// Some fifty messages. Unit: octets.
const BLOCK: usize = 32 * 1024;

/// How long a text is kept. Whoever keeps one keeps its block: that costs nothing while its neighbours are kept as well,
/// so texts of one life share blocks. Whoever keeps one for longer copies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until the turn has sent it: its block is soon written again.
    Turn,
    /// As long as a transaction, or an INVITE without its answer.
    Transaction,
}

thread_local! {
    /// The block of each life that has room left. Nothing that is written depends on it.
    static OPEN: [Cell<BytesMut>; 2] = Default::default();
}

/// Begins a text, with room for this many octets; it may get longer.
pub(super) fn begin(life: Life, octets: usize) -> BytesMut {
    // A second text that is begun before the first one ends has a block of its own.
    let mut block = OPEN.with(|it| it[life as usize].take());
    if block.try_reclaim(octets) { block } else { BytesMut::with_capacity(BLOCK.max(octets)) }
}

/// Ends a text; the next one of its life begins behind it.
pub(super) fn end(life: Life, mut block: BytesMut) -> Bytes {
    let text = block.split().freeze();
    OPEN.with(|it| it[life as usize].set(block));
    text
}

/// What `print` appends.
pub fn write(life: Life, octets: usize, print: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = begin(life, octets);
    print(&mut out);
    end(life, out)
}

/// A copy.
pub fn copy(life: Life, octets: &[u8]) -> Bytes {
    write(life, octets.len(), |out| out.extend_from_slice(octets))
}

#[cfg(test)]
mod tests {
    use super::Life::{Transaction, Turn};
    use super::*;

    #[test]
    fn texts_stand_side_by_side_and_stay_apart() {
        let (one, other) = (copy(Turn, b"one"), copy(Turn, b"other"));
        assert_eq!((&*one, &*other), (&b"one"[..], &b"other"[..]));
        assert_eq!(one.as_ptr().addr() + one.len(), other.as_ptr().addr());
    }

    #[test]
    fn a_text_may_outgrow_its_block_and_begin_within_another() {
        let before = copy(Turn, b"before");
        let long = write(Turn, 1, |out| {
            out.extend_from_slice(b"a");
            assert_eq!(copy(Turn, b"within"), &b"within"[..]);
            out.resize(2 * BLOCK, b'a');
        });
        assert_eq!(before, &b"before"[..]);
        assert!(long.len() == 2 * BLOCK && long.iter().all(|it| *it == b'a'));
    }

    /// Another test may have run on this thread.
    fn begin_anew() {
        drop(OPEN.with(|it| it[Turn as usize].take()));
    }

    #[test]
    fn a_block_whose_texts_are_gone_is_written_again() {
        begin_anew();
        // One and a half blocks of texts, of which no two are alive at once: all stand in the first.
        let first = copy(Turn, b"x").as_ptr().addr();
        for _ in 0..BLOCK + BLOCK / 2 {
            assert!((first..first + BLOCK).contains(&copy(Turn, b"x").as_ptr().addr()));
        }
    }

    #[test]
    fn a_text_that_is_kept_is_no_neighbour_of_one_that_passes() {
        begin_anew();
        let first = copy(Turn, b"x").as_ptr().addr();
        let kept: Vec<Bytes> = (0..BLOCK + BLOCK / 2)
            .map(|_| {
                let passing = copy(Turn, b"x").as_ptr().addr();
                assert!((first..first + BLOCK).contains(&passing));
                copy(Transaction, b"y")
            })
            .collect();
        assert!(kept.iter().all(|it| !(first..first + BLOCK).contains(&it.as_ptr().addr())));
    }
}
