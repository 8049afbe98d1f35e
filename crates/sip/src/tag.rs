//! The tag we put on our side of a dialog; also the user of our Contact and our branches.

use crate::message::Short;
use std::fmt;

/// 60 random bits behind the character of the shard that owns the dialog (RFC 3261 §19.3 asks for
/// 32). A request within a dialog is found by it alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    shard: char,
    random: u64,
}

const RANDOM_BITS: u64 = (1 << 60) - 1;
const DIGITS: usize = RANDOM_BITS.count_ones() as usize / 4;

impl Tag {
    pub fn new(shard: char, random: u64) -> Self {
        Self { shard, random: random & RANDOM_BITS }
    }

    /// A number that goes with it: what else begins with the dialog is named by it.
    pub fn number(self) -> u32 {
        // 31 bits: some phones read a signed one.
        (self.random & 0x7FFF_FFFF) as u32
    }

    pub fn text(self) -> Short {
        Short::new().letter(self.shard).hex(self.random, DIGITS)
    }

    /// Reads what [`Display`](fmt::Display) wrote; `None` for anything we cannot have written.
    pub fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let shard = chars.next()?;
        let digits = chars.as_str();
        let ours = digits.len() == DIGITS
            && digits.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        let random = ours.then(|| u64::from_str_radix(digits, 16).ok())??;
        Some(Self { shard, random })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tags_read_back() {
        let tag = Tag::new('a', u64::MAX);
        assert_eq!(tag.to_string(), "afffffffffffffff");
        assert_eq!(Tag::parse(&tag.to_string()), Some(tag));
        for other in
            ["", "a", "affffffffffffff", "aFFFFFFFFFFFFFFF", "a+ffffffffffffff", "1928301774"]
        {
            assert_eq!(Tag::parse(other), None, "{other:?}");
        }
    }
}
