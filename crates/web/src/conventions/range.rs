//! What a number may be, for whoever sent one that does not even fit into its type: the range of its field where that
//! is narrower, else that of the type.

use pbx::dialplan::levels::LEVEL_MAX;
use pbx::interop::SessionExpires;
use pbx::language::Text;
use pbx::supplementary::CALLS_UNLIMITED;
use pbx::text;
use store::db::DEVICES_MAX;

/// From the least to the most.
type Range = (u64, u64);

/// The fields of extensions, lines, trunks and the dial plan whose types hold more than they may have.
#[rustfmt::skip]
const FIELDS: [(&str, Range); 13] = [
    ("devices",   (1, DEVICES_MAX as u64)),
    ("calls",     (1, 100)),
    ("calls_in",  (0, CALLS_UNLIMITED as u64)),
    ("calls_out", (0, CALLS_UNLIMITED as u64)),
    ("ring_s",    (0, 600)),
    ("expires_s", (60, 86_400)),
    ("id",        (1, u32::MAX as u64)),
    ("start",     (0, 127)),
    ("length",    (0, 128)),
    ("level",     (1, LEVEL_MAX as u64)),
    ("rate",      (0, 100)),
    ("dice",      (0, 99)),
    ("reject",    (400, 699)),
];

/// Those that may be 0 too.
#[rustfmt::skip]
const OR_ZERO: [(&str, Range); 4] = [
    ("no_answer_s",       (5, 600)),
    ("keep_alive_s",      (10, 600)),
    ("options_s",         (5, 600)),
    ("session_expires_s", (*SessionExpires::RANGE.start() as u64, *SessionExpires::RANGE.end() as u64)),
];

/// The whole numbers that fields hold, as serde names them.
const TYPES: [(&str, u64); 4] =
    [("u8", u8::MAX as u64), ("u16", u16::MAX as u64), ("u32", u32::MAX as u64), ("u64", u64::MAX)];

/// Whether serde's word is that of a whole number.
pub(super) fn is_whole(word: &str) -> bool {
    TYPES.iter().any(|it| it.0 == word)
}

/// What the number at `path` must be; `word` is serde's for its type, empty where it says none.
pub(super) fn range(path: &str, word: &str) -> Text {
    let field = path.rsplit('.').next().unwrap_or_default();
    let of = |ranges: &[(&str, Range)]| ranges.iter().find(|it| it.0 == field).map(|it| it.1);
    if let Some((least, most)) = of(&OR_ZERO) {
        return text!("it must be 0 or {least} to {most}", "取值应为0或{least}至{most}");
    }
    let of_type = || TYPES.iter().find(|it| it.0 == word).map(|it| (0, it.1));
    match of(&FIELDS).or_else(of_type) {
        Some((least, most)) => text!("it must be {least} to {most}", "取值应为{least}至{most}"),
        None => text!("it is too large", "数值过大"),
    }
}
