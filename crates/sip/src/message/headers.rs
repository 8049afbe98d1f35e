//! The header fields of a message: an index into its text, and typed views on single headers.
//!
//! Filled by the scanner in `parse`; each known header has a file below (RFC 3261 §7.3, §20).

mod accept;
mod auth;
mod call_id;
mod contact;
mod content;
mod cseq;
mod expires;
mod from_to;
mod max_forwards;
mod name_addr;
mod reason;
mod reliable;
mod replaces;
mod route;
mod session_timer;
mod via;

use smallvec::SmallVec;
use std::fmt;

pub use self::accept::Accept;
pub(crate) use self::auth::split_scheme;
pub use self::auth::{Authorization, Credentials, DigestCredentials, ProxyAuthorization};
pub use self::call_id::CallId;
pub use self::contact::{Contact, MALFORMED_EXPIRES_SECONDS};
pub use self::content::{ContentLength, ContentType};
pub use self::cseq::CSeq;
pub use self::expires::{Expires, MinExpires};
pub use self::from_to::{From, To};
pub use self::max_forwards::MaxForwards;
pub use self::name_addr::NameAddr;
pub use self::reason::Reason;
pub use self::reliable::{RAck, RSeq};
pub use self::replaces::Replaces;
pub use self::route::{RecordRoute, Route};
pub use self::session_timer::{MinSe, Refresher, SessionExpires};
pub use self::via::Via;

use super::name::{HeaderName, Shape};
use super::text::{quoted_len, trim};

/// Fields kept without allocating. A message with more spills to the heap.
pub const INLINE_HEADERS: usize = 64;

/// Most header lines a message may have; one more and it is refused as a whole.
pub const MAX_HEADERS: usize = 256;

/// One header line.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub name: HeaderName,
    /// As written. Empty where the line has no well-formed name; `check` refuses those.
    pub raw_name: &'a str,
    /// Trimmed; may contain folds (CRLF and white space).
    pub value: &'a str,
}

/// The name of a header line; its text is read where it is asked for.
#[derive(Clone, Copy)]
pub struct LineName<'h, 'a> {
    headers: &'h Headers<'a>,
    line: &'h Line,
}

impl<'a> LineName<'_, 'a> {
    pub fn known(self) -> HeaderName {
        self.line.name
    }

    /// As [`Field::raw_name`].
    pub fn raw(self) -> &'a str {
        self.headers.raw_name(self.line)
    }
}

/// The header fields in the order of the message: an index into its head.
#[derive(Clone)]
pub struct Headers<'a> {
    head: &'a str,
    lines: SmallVec<[Line; INLINE_HEADERS]>,
    /// For each name the place of its first line, counted from 1; 0 where there is none. A place
    /// too high to be noted is somewhere behind the highest.
    first: [u8; HeaderName::COUNT],
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self { head: "", lines: SmallVec::new(), first: [0; HeaderName::COUNT] }
    }
}

/// Where one header line stands in the head. Small, as an index moves with its message; a head
/// ends at [`MAX_HEAD`](super::MAX_HEAD), which the types fit.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) name_at: u32,
    pub(super) value_at: u32,
    pub(super) value_len: u32,
    pub(super) name_len: u16,
    pub(super) name: HeaderName,
    /// It is one line, has a name, and CRLF stands right behind its value: it may pass as it came.
    pub(super) is_plain: bool,
}

impl Line {
    /// Where a plain line ends.
    fn end(&self) -> usize {
        (self.value_at + self.value_len) as usize + "\r\n".len()
    }
}

/// What is copied at once.
pub(super) enum Run<'a> {
    /// Lines as they came, their ends included.
    Text(&'a str),
    /// One that is folded, or ends in another way.
    Line(Field<'a>),
}

impl<'a> Headers<'a> {
    /// Every line, in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> {
        self.lines.iter().map(|it| self.field(it))
    }

    /// The value of the first line of this header.
    pub fn get(&self, name: HeaderName) -> Option<&'a str> {
        self.lines_from(name).iter().find(|it| it.name == name).map(|it| self.value(it))
    }

    /// The values of all lines of this header.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &'a str> {
        self.lines_from(name).iter().filter(move |it| it.name == name).map(|it| self.value(it))
    }

    /// The lines from the first one of this header on; none where there is none.
    fn lines_from(&self, name: HeaderName) -> &[Line] {
        match self.first[name as usize] {
            0 => &[],
            first => &self.lines[usize::from(first) - 1..],
        }
    }

    /// The value of the first line of a header that has no [`HeaderName`] of its own.
    pub fn named(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|it| it.raw_name.eq_ignore_ascii_case(name)).map(|it| it.value)
    }

    /// The elements of a comma-separated header over all its lines, trimmed (RFC 3261 §7.3.1).
    /// Commas in quotes and angle brackets do not separate. An empty line has no element; two
    /// commas in a row have an empty one between them.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(Elements::of)
    }

    /// Whether the token stands in a comma-separated header, in any case.
    pub fn has_token(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|it| it.eq_ignore_ascii_case(token))
    }

    /// The header, or `None` where it is absent; a malformed one is an error, never `None`. Of a
    /// list header the first element; two lines of a header that may stand only once are an error.
    pub fn find<H: TypedHeader<'a>>(&self) -> Result<Option<H>, BadHeader> {
        let mut lines = self.all(H::NAME);
        let Some(line) = lines.next() else {
            return Ok(None);
        };
        let value = match H::NAME.shape() {
            Shape::Single if lines.next().is_some() => {
                return Err(BadHeader::Duplicate(H::NAME.as_str()));
            }
            Shape::Single | Shape::Lines => line,
            Shape::List => first_element(line).0,
        };
        typed(value).map(Some)
    }

    /// The header, where the request makes no sense without it.
    pub fn require<H: TypedHeader<'a>>(&self) -> Result<H, BadHeader> {
        self.find()?.ok_or(BadHeader::Missing(H::NAME.as_str()))
    }

    /// Every element of a list header, or every line of another one.
    pub fn each<H: TypedHeader<'a>>(&self) -> impl Iterator<Item = Result<H, BadHeader>> {
        let is_list = H::NAME.shape() == Shape::List;
        self.all(H::NAME)
            .flat_map(move |line| if is_list { Elements::of(line) } else { Elements::whole(line) })
            .map(typed)
    }

    /// The lines that are kept, plain ones next to each other as one text.
    pub(super) fn runs<'h>(
        &'h self,
        keep: impl Fn(LineName<'h, 'a>) -> bool,
    ) -> impl Iterator<Item = Run<'a>> {
        let mut lines = self.lines.as_slice();
        std::iter::from_fn(move || {
            let kept = |line: &'h Line| keep(LineName { headers: self, line });
            let at = lines.iter().position(kept)?;
            let first = &lines[at];
            let more =
                lines[at + 1..].iter().take_while(|it| first.is_plain && it.is_plain && kept(it));
            let last = at + more.count();
            let run = match first.is_plain {
                true => Run::Text(&self.head[first.name_at as usize..lines[last].end()]),
                false => Run::Line(self.field(first)),
            };
            lines = &lines[last + 1..];
            Some(run)
        })
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Says what the lines are lines of. Until then there are none to be seen.
    pub(super) fn set_head(&mut self, head: &'a str) {
        self.head = head;
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    #[inline]
    pub(super) fn push(&mut self, line: Line) {
        let first = &mut self.first[line.name as usize];
        if *first == 0 {
            *first = u8::try_from(self.lines.len() + 1).unwrap_or(u8::MAX);
        }
        self.lines.push(line);
    }

    fn field(&self, line: &Line) -> Field<'a> {
        Field { name: line.name, raw_name: self.raw_name(line), value: self.value(line) }
    }

    fn raw_name(&self, line: &Line) -> &'a str {
        let name_at = line.name_at as usize;
        &self.head[name_at..name_at + usize::from(line.name_len)]
    }

    fn value(&self, line: &Line) -> &'a str {
        let value_at = line.value_at as usize;
        &self.head[value_at..value_at + line.value_len as usize]
    }
}

/// Credentials and digits stay out of logs: names only.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|it| it.raw_name)).finish()
    }
}

/// A header the program understands. One type, one file, one name.
pub trait TypedHeader<'a>: Sized {
    const NAME: HeaderName;

    /// Reads one value, trimmed. The error says in a few words what is wrong.
    fn parse(value: &'a str) -> Result<Self, &'static str>;
}

/// Why a header cannot be served as written. Always answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    #[error("Missing {0}")]
    Missing(&'static str),
    #[error("Malformed {name}: {reason}")]
    Malformed { name: &'static str, reason: &'static str },
    #[error("More than one {0}")]
    Duplicate(&'static str),
}

fn typed<'a, H: TypedHeader<'a>>(value: &'a str) -> Result<H, BadHeader> {
    H::parse(value).map_err(|reason| BadHeader::Malformed { name: H::NAME.as_str(), reason })
}

/// Walks the elements of one comma-separated line.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    rest: Option<&'a str>,
    is_list: bool,
}

impl<'a> Elements<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self { rest: (!line.is_empty()).then_some(line), is_list: true }
    }

    fn whole(line: &'a str) -> Self {
        Self { rest: Some(line), is_list: false }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        if !self.is_list {
            return Some(text);
        }
        let (element, rest) = first_element(text);
        self.rest = rest;
        Some(element)
    }
}

/// The first element of a comma-separated value, trimmed, and what follows its comma.
pub(crate) fn first_element(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(hit) = memchr::memchr3(b',', b'"', b'<', &bytes[at..]) {
        let hit = at + hit;
        // An unterminated quote or bracket swallows the rest; its parser then refuses it.
        let skipped = match bytes[hit] {
            b',' => return (trim(&text[..hit]), Some(&text[hit + 1..])),
            b'"' => quoted_len(&text[hit..]),
            _ => memchr::memchr(b'>', &bytes[hit..]).map(|it| it + 1),
        };
        match skipped {
            Some(len) => at = hit + len,
            None => break,
        }
    }
    (trim(text), None)
}

#[cfg(test)]
mod tests;
