//! One line of a session description: `<type>=<value>` (RFC 8866 §5).
//!
//! The lines below [`Sdp`](crate::Sdp) and [`Media`](crate::Media). Values are octets, not text:
//! `a=charset` and careless phones put other encodings into them, and they must survive.

use smallvec::SmallVec;
use std::ops::Range;

/// Most lines fit without an allocation of their own.
const INLINE: usize = 64;

/// The lines of a section, or those before the first one. A usual description is read and rewritten on the stack.
pub(crate) type Lines = SmallVec<[Line; 12]>;

/// A line without its line end. Holds no NUL, CR or LF, and always a type and `=` in front.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Line(SmallVec<[u8; INLINE]>);

impl Line {
    /// A line as received. `None` where it is not of the form `<type>=<value>`.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            [kind, b'=', ..] if kind.is_ascii_graphic() => Some(Self(SmallVec::from_slice(text))),
            _ => None,
        }
    }

    /// A line of our own making. Octets that would end the line are left out.
    pub(crate) fn new(kind: u8, parts: &[&[u8]]) -> Self {
        let mut line = Self(SmallVec::from_slice(&[kind, b'=']));
        line.extend(parts);
        line
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.0.get(2..).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn set_value(&mut self, parts: &[&[u8]]) {
        self.0.truncate(2);
        self.extend(parts);
    }

    fn extend(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.0.extend(part.iter().copied().filter(|byte| !is_forbidden(*byte)));
        }
    }
}

/// Octets that no line may hold (RFC 8866 §9, `byte-string`).
pub(crate) fn is_forbidden(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\r' | b'\n')
}

/// The text of an octet string, or nothing where it is not UTF-8: no field we read by type may
/// hold anything but ASCII.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Where the space-separated field with this index stands.
pub(crate) fn field_range(text: &str, index: usize) -> Option<Range<usize>> {
    let field = text.split_ascii_whitespace().nth(index)?;
    let start = field.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(start..start + field.len())
}
