//! Texts that are made together and live together, in one allocation.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The texts of a usual dialog. Unit: octets.
const USUAL: usize = 512;

/// A part of a text whose other parts somebody else may hold. Copying it copies no text.
#[derive(Clone, Default)]
pub struct Piece {
    whole: Arc<str>,
    start: usize,
    end: usize,
}

impl Piece {
    /// Texts, each of these parts, side by side in one allocation.
    pub fn together<const N: usize>(texts: [&[&str]; N]) -> [Self; N] {
        let mut whole = SmallVec::<[u8; USUAL]>::new();
        texts.iter().flat_map(|it| it.iter()).for_each(|it| whole.extend_from_slice(it.as_bytes()));
        // Of texts, so it is one.
        let whole: Arc<str> = str::from_utf8(&whole).unwrap_or_default().into();
        let mut at = 0;
        texts.map(|parts| {
            let start = at;
            at += parts.iter().map(|it| it.len()).sum::<usize>();
            Self::within(&whole, start..at)
        })
    }

    /// This text: as a part of this one where it stands in it, else by itself.
    pub fn part(&self, text: &str) -> Self {
        match self.find(text) {
            Some(at) => {
                let at = self.start + at;
                Self::within(&self.whole, at..at + text.len())
            }
            None => text.into(),
        }
    }

    fn within(whole: &Arc<str>, Range { start, end }: Range<usize>) -> Self {
        Self { whole: Arc::clone(whole), start, end }
    }
}

impl Deref for Piece {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.start..self.end]
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self { whole: text.into(), start: 0, end: text.len() }
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Piece {}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for Piece {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_together() {
        let [name, address] = Piece::together([&["a", "", "é"], &["<sip:", "b", ">"]]);
        assert_eq!((&*name, &*address), ("aé", "<sip:b>"));
        assert!(Arc::ptr_eq(&name.whole, &address.whole));
        let [] = Piece::together([]);
        assert_eq!(Piece::default(), Piece::from(""));
    }

    #[test]
    fn a_part_shares_what_it_stands_in() {
        let [_, to] = Piece::together([&["1@a"], &["<sip:b>;tag=", "7"]]);
        let tag = to.part("7");
        assert!(*tag == *"7" && Arc::ptr_eq(&tag.whole, &to.whole));
        let other = to.part("8");
        assert!(*other == *"8" && !Arc::ptr_eq(&other.whole, &to.whole));
        assert_eq!(&*to.part(""), "");
    }
}
