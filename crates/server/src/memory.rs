//! What was freed goes back to the system also when nothing else is going on.
//!
//! mimalloc keeps freed pages for a second and gives them back when some page is freed after that.
//! After a busy time a quiet server frees none: half of what the rush took would stay for good.

/// Above the sizes that share a page (512 KiB), so that freeing it frees a page.
const PAGE: usize = 1 << 20;

/// Frees a page that nobody used, and with it those that wait to be given back. It is never
/// written, so it costs no memory.
pub(crate) fn give_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(PAGE)));
}
