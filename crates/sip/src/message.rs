//! SIP messages: from octets to typed views, and back to octets.
//!
//! [`Message::parse`] indexes a received buffer without copying it; [`check()`] says whether a
//! message can be served and parses what every one needs; [`Writer`] and [`response_to`] print.
//! Nothing here keeps state (RFC 3261 §7, §25).

pub mod block;
pub mod check;
pub mod headers;
pub mod method;
pub mod name;
pub mod params;
mod parse;
pub mod print;
pub mod response;
pub mod short;
pub mod status;
pub(crate) mod text;
pub mod uri;

pub use self::check::{Essentials, Malformed, check};
pub use self::headers::*;
pub use self::method::Method;
pub use self::name::HeaderName;
pub use self::params::Params;
pub use self::parse::{LengthError, MAX_HEAD, ParseError, sanitize};
pub(crate) use self::parse::{content_length, head_end, leading_line_breaks};
pub use self::print::Writer;
pub use self::response::{ResponseHead, response_to, response_to_checked};
pub use self::short::Short;
pub use self::status::reason_phrase;
pub use self::text::unquote;
pub use self::uri::{Host, Uri, uri_equivalent};

/// One message, borrowed from the buffer it was received in.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub start: StartLine<'a>,
    pub headers: Headers<'a>,
    /// Cut to Content-Length; what follows in a datagram is ignored (RFC 3261 §18.3).
    pub body: &'a [u8],
}

/// The first line (RFC 3261 §7.1, §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    Request {
        method: Method<'a>,
        /// The Request-URI as written.
        uri: &'a str,
        /// Whether the version is SIP/2.0; otherwise the answer is 505.
        version_ok: bool,
    },
    Status {
        /// 100 to 699.
        code: u16,
        reason: &'a str,
    },
}

impl<'a> Message<'a> {
    /// Reads one datagram, or one message a [`crate::frame::Framer`] cut from a stream. Fails only
    /// where there is no SIP message to speak of; everything else is for [`check()`] to judge.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        parse::parse(bytes)
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method<'a>> {
        match self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Status { .. } => None,
        }
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Status { code, .. } => Some(code),
        }
    }

    pub fn is_request(&self) -> bool {
        self.method().is_some()
    }
}
