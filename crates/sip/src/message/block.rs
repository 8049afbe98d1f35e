//! Where messages are written: one block after another, each shared by all messages in it.
//!
//! A message alone would cost two allocations, its text and the count that shares it, and room for more text than
//! it gets. In a block it costs its octets. Below [`Writer`](super::Writer), for whoever else keeps octets as long as
//! a transaction does.

use bytes::{Bytes, BytesMut};
use std::cell::Cell;

/// Some fifty messages. Whoever keeps one keeps its block: that costs nothing while its neighbours are kept as well, as
/// transactions do. Whoever keeps one for longer copies it. Unit: octets.
const BLOCK: usize = 32 * 1024;

thread_local! {
    /// The block that has room left. Nothing that is written depends on it.
    static OPEN: Cell<BytesMut> = Cell::default();
}

/// Begins a text, with room for this many octets; it may get longer.
pub(super) fn begin(octets: usize) -> BytesMut {
    // A second text that is begun before the first one ends has a block of its own.
    let mut block = OPEN.take();
    if block.try_reclaim(octets) { block } else { BytesMut::with_capacity(BLOCK.max(octets)) }
}

/// Ends a text; the next one begins behind it.
pub(super) fn end(mut block: BytesMut) -> Bytes {
    let text = block.split().freeze();
    OPEN.set(block);
    text
}

/// What `print` appends.
pub fn write(octets: usize, print: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = begin(octets);
    print(&mut out);
    end(out)
}

/// A copy.
pub fn copy(octets: &[u8]) -> Bytes {
    write(octets.len(), |out| out.extend_from_slice(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_side_by_side_and_stay_apart() {
        let (one, other) = (copy(b"one"), copy(b"other"));
        assert_eq!((&*one, &*other), (&b"one"[..], &b"other"[..]));
        assert_eq!(one.as_ptr().addr() + one.len(), other.as_ptr().addr());
    }

    #[test]
    fn a_text_may_outgrow_its_block_and_begin_within_another() {
        let before = copy(b"before");
        let long = write(1, |out| {
            out.extend_from_slice(b"a");
            assert_eq!(copy(b"within"), &b"within"[..]);
            out.resize(2 * BLOCK, b'a');
        });
        assert_eq!(before, &b"before"[..]);
        assert!(long.len() == 2 * BLOCK && long.iter().all(|it| *it == b'a'));
    }

    #[test]
    fn a_block_whose_texts_are_gone_is_written_again() {
        let first = copy(b"x").as_ptr();
        let places = (0..2 * BLOCK).map(|_| copy(b"x").as_ptr()).filter(|it| *it == first);
        assert!(places.count() > 0);
    }
}
