//! `Via`: the way a request came, and its answer goes back (RFC 3261 §20.42, RFC 3581, RFC 5118).

use std::net::IpAddr;

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::params::Params;
use crate::message::text::{find, is_lws, is_token, trim, trim_start};
use crate::message::uri::{Host, parse_port, same_text};

/// One element of a Via header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP` …, as written.
    pub transport: &'a str,
    /// The host of sent-by.
    pub host: Host<'a>,
    /// The port of sent-by.
    pub port: Option<u16>,
    pub params: Params<'a>,
    /// Found while the parameters were checked: these are asked for in every message.
    branch: Option<&'a str>,
    rport: Option<Option<&'a str>>,
}

impl<'a> Via<'a> {
    /// The transaction's branch (RFC 3261 §8.1.1.7); absent from RFC 2543 elements.
    pub fn branch(&self) -> Option<&'a str> {
        self.branch
    }

    /// The source address a server noted, IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
        bare.parse().ok()
    }

    /// `None` absent, `Some(None)` asked for, `Some(Some(port))` filled in (RFC 3581 §3). A value
    /// that is no port counts as asked for.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.rport.map(|it| it.and_then(|port| parse_port(port).ok()))
    }

    /// The `maddr` parameter as written.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.value("maddr")
    }
}

impl<'a> TypedHeader<'a> for Via<'a> {
    const NAME: HeaderName = HeaderName::Via;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        let rest = after_protocol(value).ok_or("not SIP/2.0")?;
        let transport_len = rest.bytes().position(is_lws).ok_or("no sent-by")?;
        let (transport, rest) = (&rest[..transport_len], trim_start(&rest[transport_len..]));
        if !is_token(transport) {
            return Err("bad transport");
        }
        let sent_by_len = find(rest, b';').unwrap_or(rest.len());
        let (host, port) = sent_by(trim(&rest[..sent_by_len]))?;
        let (mut branch, mut rport) = (None, None);
        let params = Params::parse_with(&rest[sent_by_len..], |name, value| {
            if branch.is_none() && same_text(name, "branch") {
                branch = Some(value);
            } else if rport.is_none() && same_text(name, "rport") {
                rport = Some(value);
            }
        })?;
        let branch = branch.flatten().filter(|it| !it.is_empty());
        Ok(Self { transport, host, port, params, branch, rport })
    }
}

/// What follows `SIP/2.0/`, whose slashes may stand in white space.
fn after_protocol(value: &str) -> Option<&str> {
    if let Some(rest) = value.strip_prefix("SIP/2.0/") {
        return Some(trim_start(rest));
    }
    let mut parts = value.splitn(3, '/');
    let (name, version, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_sip = trim(name).eq_ignore_ascii_case("SIP") && trim(version) == "2.0";
    is_sip.then(|| trim_start(rest))
}

/// `host [: port]`, where white space may stand around the colon.
fn sent_by(text: &str) -> Result<(Host<'_>, Option<u16>), &'static str> {
    if !text.bytes().any(is_lws) {
        return Host::parse_with_port(text);
    }
    let colon = match text.rfind(']') {
        Some(bracket) => text[bracket..].find(':').map(|at| bracket + at),
        None => text.find(':'),
    };
    match colon {
        Some(at) => Ok((Host::parse(trim(&text[..at]))?, Some(parse_port(trim(&text[at + 1..]))?))),
        None => Ok((Host::parse(text)?, None)),
    }
}
