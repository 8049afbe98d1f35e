//! `name-addr` and `addr-spec`: the body of From, To, Contact, Route and many more
//! (RFC 3261 §20, §25.1).

use std::borrow::Cow;

use crate::message::params::Params;
use crate::message::text::{quoted_len, trim, trim_start, unquote};
use crate::message::uri::{Uri, same_text};

/// An address with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// As written, with its quotes; may be empty.
    pub display: &'a str,
    pub uri: Uri<'a>,
    /// The URI as written, without angle brackets.
    pub uri_text: &'a str,
    /// The parameters of the header, not of the URI.
    pub params: Params<'a>,
    /// Found while the parameters were checked.
    tag: Option<&'a str>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address. Without angle brackets every parameter belongs to the header, and the
    /// URI may not hold a comma or question mark (RFC 3261 §20).
    pub fn parse(value: &'a str) -> Result<Self, &'static str> {
        if value.starts_with('"') {
            let len = quoted_len(value).ok_or("unterminated quotes")?;
            let rest = trim_start(&value[len..]);
            let rest = rest.strip_prefix('<').ok_or("no address after the display name")?;
            return Self::bracketed(&value[..len], rest);
        }
        let bytes = value.as_bytes();
        let end = bytes.iter().position(|it| matches!(it, b'<' | b';' | b'"'));
        let at = end.unwrap_or(bytes.len());
        match bytes.get(at) {
            Some(b'<') => Self::bracketed(trim(&value[..at]), &value[at + 1..]),
            Some(b'"') => Err("stray quotes"),
            Some(_) | None => Self::bare(trim(&value[..at]), &value[at..]),
        }
    }

    fn bracketed(display: &'a str, rest: &'a str) -> Result<Self, &'static str> {
        let end = memchr::memchr(b'>', rest.as_bytes()).ok_or("unterminated angle bracket")?;
        let uri_text = trim(&rest[..end]);
        let uri = Uri::parse(uri_text)?;
        Self::with_params(display, (uri, uri_text), &rest[end + 1..])
    }

    fn bare(uri_text: &'a str, params: &'a str) -> Result<Self, &'static str> {
        if uri_text.bytes().any(|it| matches!(it, b'?' | b',')) {
            return Err("URI that needs angle brackets");
        }
        let uri = Uri::parse(uri_text)?;
        Self::with_params("", (uri, uri_text), params)
    }

    fn with_params(
        display: &'a str,
        (uri, uri_text): (Uri<'a>, &'a str),
        params: &'a str,
    ) -> Result<Self, &'static str> {
        let mut tag = None;
        let params = Params::parse_with(params, |name, value| {
            if tag.is_none() && same_text(name, "tag") {
                tag = Some(value);
            }
        })?;
        let tag = tag.flatten().filter(|it| !it.is_empty());
        Ok(Self { display, uri, uri_text, params, tag })
    }

    /// The display name without quotes and escapes; empty where there is none.
    pub fn display_name(&self) -> Cow<'a, str> {
        unquote(self.display)
    }

    /// The dialog tag, where there is one (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }
}
