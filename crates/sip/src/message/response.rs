//! Responses: the headers a response copies from its request, kept as one piece of text.
//!
//! Used at once by a stateless server, and kept by a server transaction that answers later
//! (RFC 3261 §8.2.6, §18.2.1, RFC 3581 §4).

use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;

use super::block::{self, Life};
use super::headers::{NameAddr, TypedHeader, Via, first_element};
use super::name::HeaderName;
use super::print::{Writer, one_line};
use super::short::Short;
use super::text::find;
use super::{Essentials, Message};

/// Room for the start line, a tag and the headers of a usual response. Unit: octets.
const USUAL_MORE: usize = 320;

/// What responses to one request copy from it, already as lines: a few hundred octets. A malformed request has one as well, of the lines it has.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// In order: Via, From, To, then Call-ID and CSeq, then Timestamp, then Record-Route.
    lines: Bytes,
    /// Where a tag of ours goes, at the end of the To line without its CRLF; `None` where To has a
    /// tag or is malformed.
    tag_at: Option<usize>,
    /// Where Timestamp starts.
    timestamp_at: usize,
    /// Where Record-Route starts.
    record_route_at: usize,
}

impl ResponseHead {
    /// Takes the lines from a request that came from `source`, which is noted in the top Via.
    pub fn of(request: &Message<'_>, it: &Essentials<'_>, source: SocketAddr) -> Self {
        let mut lines = block::begin(Life::Transaction, room_for(request));
        let tag_at = lines_of_all(&mut lines, request, &Parts::of(it), None, source);
        let timestamp_at = lines.len();
        first_line(&mut lines, request, HeaderName::Timestamp);
        let record_route_at = lines.len();
        record_routes(&mut lines, request);
        let lines = block::end(Life::Transaction, lines);
        Self { lines, tag_at, timestamp_at, record_route_at }
    }

    /// Starts a response. The tag is added to a To that has none; a 100 needs none
    /// (RFC 3261 §8.2.6.2).
    pub fn response(&self, code: u16, reason: &str, to_tag: Option<&str>) -> Writer {
        let room = self.lines.len() + USUAL_MORE;
        let mut writer = Writer::response_with_room(Life::Transaction, (code, reason), room);
        match (self.tag_at, to_tag) {
            (Some(at), Some(tag)) => {
                writer.raw(&self.lines[..at]);
                writer.raw(b";tag=");
                writer.text(tag);
                writer.raw(&self.lines[at..self.timestamp_at]);
            }
            (None, _) | (_, None) => writer.raw(&self.lines[..self.timestamp_at]),
        }
        if code == 100 {
            writer.raw(&self.lines[self.timestamp_at..self.record_route_at]);
        }
        if matches!(code, 101..=299) {
            writer.raw(&self.lines[self.record_route_at..]);
        }
        writer
    }
}

/// Starts the only response to a request that came from `source` (RFC 3261 §8.2.6), which no transaction
/// keeps; the request may be malformed.
pub fn response_to(
    request: &Message<'_>,
    code: u16,
    reason: &str,
    to_tag: Option<&str>,
    source: SocketAddr,
) -> Writer {
    only_response((request, &Parts::read(request)), Life::Turn, (code, reason, to_tag), source)
}

/// The same to a request that was checked; a transaction may keep it.
pub fn response_to_checked(
    request: (&Message<'_>, &Essentials<'_>),
    life: Life,
    (code, reason): (u16, &str),
    to_tag: Option<&str>,
    source: SocketAddr,
) -> Writer {
    only_response((request.0, &Parts::of(request.1)), life, (code, reason, to_tag), source)
}

/// Printed straight into its place: nothing is kept for another one.
fn only_response(
    (request, parts): (&Message<'_>, &Parts<'_>),
    life: Life,
    (code, reason, to_tag): (u16, &str, Option<&str>),
    source: SocketAddr,
) -> Writer {
    let room = room_for(request) + USUAL_MORE;
    let mut writer = Writer::response_with_room(life, (code, reason), room);
    let out = writer.out();
    lines_of_all(out, request, parts, to_tag, source);
    if code == 100 {
        first_line(out, request, HeaderName::Timestamp);
    }
    if matches!(code, 101..=299) {
        record_routes(out, request);
    }
    writer
}

/// What has to be read of a request to answer it.
struct Parts<'a> {
    /// `None`: malformed.
    via: Option<Via<'a>>,
    /// To is well-formed and has no tag.
    wants_tag: bool,
}

impl<'a> Parts<'a> {
    fn of(it: &Essentials<'a>) -> Self {
        Self { via: Some(it.via), wants_tag: it.to.params.get("tag").is_none() }
    }

    fn read(request: &Message<'a>) -> Self {
        let via = request.headers.get(HeaderName::Via);
        let to = request.headers.get(HeaderName::To).and_then(|it| NameAddr::parse(it).ok());
        Self {
            via: via.and_then(|it| Via::parse(first_element(it).0).ok()),
            wants_tag: to.is_some_and(|it| it.params.get("tag").is_none()),
        }
    }
}

/// The lines that every response has. Gives the place for a tag, see `ResponseHead::tag_at`.
fn lines_of_all(
    out: &mut BytesMut,
    request: &Message<'_>,
    parts: &Parts<'_>,
    to_tag: Option<&str>,
    source: SocketAddr,
) -> Option<usize> {
    vias(out, request, parts.via.as_ref(), source);
    first_line(out, request, HeaderName::From);
    first_line(out, request, HeaderName::To);
    let tag_at = parts.wants_tag.then(|| out.len() - "\r\n".len());
    if let (Some(at), Some(tag)) = (tag_at, to_tag) {
        out.truncate(at);
        out.extend_from_slice(b";tag=");
        one_line(out, tag.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    first_line(out, request, HeaderName::CallId);
    first_line(out, request, HeaderName::CSeq);
    tag_at
}

const COPIED: [HeaderName; 7] = [
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::Timestamp,
    HeaderName::RecordRoute,
];

/// Enough for the lines, so that they need not move to another block.
fn room_for(request: &Message<'_>) -> usize {
    const NAME_AND_BREAK: usize = 16;
    /// `;received=` with an IPv6 address and `;rport=` with a port.
    const SOURCE: usize = 10 + 45 + 7 + 5;
    let lines = request.headers.lines().iter().filter(|it| COPIED.contains(&it.name));
    SOURCE + lines.map(|it| it.value_len as usize + NAME_AND_BREAK).sum::<usize>()
}

fn line(out: &mut BytesMut, name: HeaderName, value: &str) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    one_line(out, value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn first_line(out: &mut BytesMut, request: &Message<'_>, name: HeaderName) {
    if let Some(value) = request.headers.get(name) {
        line(out, name, value);
    }
}

fn record_routes(out: &mut BytesMut, request: &Message<'_>) {
    for value in request.headers.all(HeaderName::RecordRoute) {
        line(out, HeaderName::RecordRoute, value);
    }
}

fn vias(out: &mut BytesMut, request: &Message<'_>, top_via: Option<&Via<'_>>, source: SocketAddr) {
    let mut values = request.headers.all(HeaderName::Via);
    if let Some(first) = values.next() {
        let (top, rest) = first_element(first);
        match top_via {
            Some(via) if !top.is_empty() => {
                out.extend_from_slice(b"Via: ");
                noted_via(out, top, via, source);
                if let Some(rest) = rest {
                    out.extend_from_slice(b",");
                    one_line(out, rest.as_bytes());
                }
                out.extend_from_slice(b"\r\n");
            }
            Some(_) | None => line(out, HeaderName::Via, first),
        }
    }
    for value in values {
        line(out, HeaderName::Via, value);
    }
}

/// The top Via with the source in `received` and `rport`; what the sender claimed there is dropped.
///
/// `received` is written where sent-by is not the source address, and always beside `rport`
/// (RFC 3261 §18.2.1, RFC 3581 §4). IPv6 stands there without brackets (RFC 5118 §4.5).
fn noted_via(out: &mut BytesMut, text: &str, via: &Via<'_>, source: SocketAddr) {
    let source_ip = source.ip().to_canonical();
    let before_params = find(text, b';').unwrap_or(text.len());
    one_line(out, &text.as_bytes()[..before_params]);
    for (name, value) in via.params {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        out.extend_from_slice(b";");
        one_line(out, name.as_bytes());
        if let Some(value) = value {
            out.extend_from_slice(b"=");
            one_line(out, value.as_bytes());
        }
    }
    let wants_port = via.rport().is_some();
    let is_sent_by = via.host.ip().is_some_and(|it| it.to_canonical() == source_ip);
    if wants_port || !is_sent_by {
        out.extend_from_slice(b";received=");
        out.extend_from_slice(Short::new().ip(source_ip).as_bytes());
    }
    if wants_port {
        out.extend_from_slice(b";rport=");
        out.extend_from_slice(Short::new().decimal(source.port().into()).as_bytes());
    }
}

#[cfg(test)]
mod tests;
