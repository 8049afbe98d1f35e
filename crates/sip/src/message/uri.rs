//! SIP and SIPS URIs, with a place for every other scheme.
//!
//! A view on the text of a start line or header; nothing is copied until somebody asks for the
//! unescaped user (RFC 3261 §19.1, RFC 5118 for IPv6).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::params::Params;
use super::text::{Octets, find, number};

/// A host as it stands in a URI or Via: an address or a name (RFC 3261 §25.1 `host`).
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Reads a host without a port; an IPv6 address stands in brackets.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or("unterminated IPv6 reference")?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| "bad IPv6 address")?;
            return Ok(Self::Ip(ip.into()));
        }
        match Self::start(text)? {
            (host, None, "") => Ok(host),
            _ => Err("bad host"),
        }
    }

    /// Reads `host` or `host:port` without white space.
    pub fn parse_with_port(text: &'a str) -> Result<(Self, Option<u16>), &'static str> {
        match Self::start(text)? {
            (host, port, "") => Ok((host, port)),
            _ => Err("text after the host"),
        }
    }

    /// Reads the `host` or `host:port` a text starts with, and what follows, in one pass.
    fn start(text: &'a str) -> Result<(Self, Option<u16>, &'a str), &'static str> {
        let outside = |it: &u8| !IN_HOST[usize::from(*it)];
        let (host, rest) = if text.starts_with('[') {
            let end = find(text, b']').ok_or("unterminated IPv6 reference")? + 1;
            (Self::parse(&text[..end])?, &text[end..])
        } else {
            let end = text.as_bytes().iter().position(outside).unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            if name.is_empty() {
                return Err("bad host");
            }
            (ipv4(name.as_bytes()).map_or(Self::Name(name), |it| Self::Ip(it.into())), rest)
        };
        let Some(port) = rest.strip_prefix(':') else { return Ok((host, None, rest)) };
        let end = port.bytes().position(|it| !it.is_ascii_digit()).unwrap_or(port.len());
        Ok((host, Some(parse_port(&port[..end])?), &port[end..]))
    }

    /// The address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

/// Names compare without regard to case (RFC 3261 §19.1.4).
impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Ip(_), Self::Name(_)) | (Self::Name(_), Self::Ip(_)) => false,
        }
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Four numbers up to 255 without zeros in front: what the library reads as well, but in one pass.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let (mut place, mut digits, mut number) = (0, 0, 0_u16);
    for &it in text {
        match it {
            b'0'..=b'9' if digits == 0 || (number != 0 && digits < 3) => {
                number = number * 10 + u16::from(it - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && place < 3 => {
                octets[place] = u8::try_from(number).ok()?;
                place += 1;
                (digits, number) = (0, 0);
            }
            _ => return None,
        }
    }
    octets[3] = u8::try_from(number).ok().filter(|_| place == 3 && digits > 0)?;
    Some(octets.into())
}

/// A port of a URI or Via; 0 is none that anybody could be reached at.
pub(crate) fn parse_port(text: &str) -> Result<u16, &'static str> {
    let port = number(text).ok_or("bad port")?;
    match u16::try_from(port) {
        Ok(port) if port != 0 => Ok(port),
        Ok(_) | Err(_) => Err("port out of range"),
    }
}

/// A URI (RFC 3261 §19.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip {
        /// Whether the scheme is `sips`.
        secure: bool,
        /// As written, escapes kept; parameters of the user part are in it.
        user: Option<&'a str>,
        password: Option<&'a str>,
        host: Host<'a>,
        port: Option<u16>,
        params: Params<'a>,
        /// What follows `?`, as written.
        headers: Option<&'a str>,
    },
    /// Any other scheme, `tel:` among them.
    Other { scheme: &'a str, rest: &'a str },
}

/// What cannot stand anywhere in a URI.
static STRAY: Octets = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = octet <= 0x20 || octet == 0x7f;
        octet += 1;
    }
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table
};

/// What a host name or an IPv4 address is made of.
static IN_HOST: Octets = {
    let mut table = [false; 256];
    let mut octet = 0u8;
    while octet < 128 {
        table[octet as usize] =
            octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
        octet += 1;
    }
    table
};

impl<'a> Uri<'a> {
    /// Reads a URI without angle brackets around it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let colon = find(text, b':').ok_or("URI without a scheme")?;
        let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
        if scheme.eq_ignore_ascii_case("sip") {
            return Self::parse_sip(rest, false);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return Self::parse_sip(rest, true);
        }
        let in_scheme = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.');
        let starts_well = scheme.bytes().next().is_some_and(|it| it.is_ascii_alphabetic());
        if !starts_well || !scheme.bytes().all(in_scheme) {
            return Err("bad URI scheme");
        }
        if rest.is_empty() || holds_stray(rest) {
            return Err("bad URI");
        }
        Ok(Self::Other { scheme, rest })
    }

    fn parse_sip(rest: &'a str, secure: bool) -> Result<Self, &'static str> {
        // Nothing behind the host may hold an `@`, and the user part only escaped: the first one separates them,
        // whatever `;` and `?` stand before it (RFC 4475 §3.1.1.9).
        let (user, place) = match memchr::memchr(b'@', rest.as_bytes()) {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        if user.is_some_and(holds_stray) {
            return Err("stray sign in a URI");
        }
        let (user, password) = match user.map(|it| (it, find(it, b':'))) {
            Some((user, Some(colon))) => (Some(&user[..colon]), Some(&user[colon + 1..])),
            Some((user, None)) => (Some(user), None),
            None => (None, None),
        };
        if user == Some("") {
            return Err("empty user in a URI");
        }
        let (host, port, rest) = Host::start(place)?;
        if rest.is_empty() {
            let params = Params::default();
            return Ok(Self::Sip { secure, user, password, host, port, params, headers: None });
        }
        if holds_stray(rest) {
            return Err("stray sign in a URI");
        }
        let (params, headers) = match find(rest, b'?') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let params = Params::parse_uri(params)?;
        Ok(Self::Sip { secure, user, password, host, port, params, headers })
    }

    /// The user part with escapes resolved (RFC 3261 §19.1.2); empty where there is none. Escapes
    /// that are not UTF-8 stay as written.
    pub fn user_unescaped(&self) -> Cow<'a, str> {
        match self {
            Self::Sip { user: Some(user), .. } => unescape(user),
            Self::Sip { user: None, .. } | Self::Other { .. } => Cow::Borrowed(""),
        }
    }

    /// The user part as written.
    pub fn user(&self) -> Option<&'a str> {
        match self {
            Self::Sip { user, .. } => *user,
            Self::Other { .. } => None,
        }
    }

    /// The host; `None` outside `sip:` and `sips:`.
    pub fn host(&self) -> Option<Host<'a>> {
        match self {
            Self::Sip { host, .. } => Some(*host),
            Self::Other { .. } => None,
        }
    }

    /// The headers that a request to this URI is to have (RFC 3261 §19.1.1), without escapes.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let text = match self {
            Self::Sip { headers, .. } => headers.unwrap_or_default(),
            Self::Other { .. } => "",
        };
        let each = text.split('&').filter(|it| !it.is_empty());
        each.map(|it| {
            let (name, value) = it.split_once('=').unwrap_or((it, ""));
            (unescape(name), unescape(value))
        })
    }

    /// The port where one is written.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Sip { port, .. } => *port,
            Self::Other { .. } => None,
        }
    }

    /// The URI parameters; none outside `sip:` and `sips:`.
    pub fn params(&self) -> Params<'a> {
        match self {
            Self::Sip { params, .. } => *params,
            Self::Other { .. } => Params::default(),
        }
    }

    /// A URI parameter: `None` absent, `Some(None)` without a value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().get(name)
    }

    /// The `transport` parameter as written.
    pub fn transport(&self) -> Option<&'a str> {
        self.params().value("transport")
    }

    /// Whether this is the URI of a loose router (RFC 3261 §19.1.1).
    pub fn lr(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The `maddr` parameter as written.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params().value("maddr")
    }
}

fn holds_stray(text: &str) -> bool {
    text.bytes().any(|it| STRAY[usize::from(it)])
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip { secure, user, password, host, port, params, headers } => {
                f.write_str(if *secure { "sips:" } else { "sip:" })?;
                if let Some(user) = user {
                    f.write_str(user)?;
                    if let Some(password) = password {
                        write!(f, ":{password}")?;
                    }
                    f.write_str("@")?;
                }
                write!(f, "{host}")?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                if !params.is_empty() {
                    write!(f, ";{}", params.as_str())?;
                }
                match headers {
                    Some(headers) => write!(f, "?{headers}"),
                    None => Ok(()),
                }
            }
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

/// Whether two URIs name the same resource (RFC 3261 §19.1.4).
pub fn uri_equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    match (a, b) {
        (
            Uri::Sip {
                secure: secure_a,
                user: user_a,
                password: password_a,
                host: host_a,
                port: port_a,
                params: params_a,
                headers: headers_a,
            },
            Uri::Sip {
                secure: secure_b,
                user: user_b,
                password: password_b,
                host: host_b,
                port: port_b,
                params: params_b,
                headers: headers_b,
            },
        ) => {
            secure_a == secure_b
                && same_optional(*user_a, *user_b)
                && same_optional(*password_a, *password_b)
                && host_a == host_b
                && port_a == port_b
                && params_match(params_a, params_b)
                && params_match(params_b, params_a)
                && headers_match(*headers_a, *headers_b)
                && headers_match(*headers_b, *headers_a)
        }
        (Uri::Other { scheme: a, rest: x }, Uri::Other { scheme: b, rest: y }) => {
            a.eq_ignore_ascii_case(b) && x == y
        }
        (Uri::Sip { .. }, Uri::Other { .. }) | (Uri::Other { .. }, Uri::Sip { .. }) => false,
    }
}

/// These may not be left out on one side; of the others, only what both have must be equal.
const NEVER_OPTIONAL: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

/// Most parameters, and most header fields, of one URI that are compared one by one. With more,
/// only the same text is equal, so that a comparison stays cheap whatever the other side sends.
const MAX_COMPARED: usize = 64;

fn params_match(a: &Params<'_>, b: &Params<'_>) -> bool {
    if a.iter().count() > MAX_COMPARED || b.iter().count() > MAX_COMPARED {
        return a == b;
    }
    a.iter().all(|(name, value)| match b.get(name) {
        Some(other) => same_text(value.unwrap_or(""), other.unwrap_or("")),
        None => !NEVER_OPTIONAL.iter().any(|it| same_text(it, name)),
    })
}

fn headers_match(a: Option<&str>, b: Option<&str>) -> bool {
    let (a, b) = (a.unwrap_or(""), b.unwrap_or(""));
    let fields = |it: &str| it.split('&').count();
    if fields(a) > MAX_COMPARED || fields(b) > MAX_COMPARED {
        return a == b;
    }
    a.split('&').all(|field| b.split('&').any(|other| same_text(field, other)))
}

fn same_optional(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => octets(a).eq(octets(b)),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Equal without regard to case and to the escaping of signs that need none.
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    if !a.contains('%') && !b.contains('%') {
        return false;
    }
    let lower = |it: Octet| Octet { value: it.value.to_ascii_lowercase(), ..it };
    octets(a).map(lower).eq(octets(b).map(lower))
}

/// One octet of escaped text. An escaped *reserved* sign differs from the bare one; any other
/// sign is the same either way (RFC 3261 §19.1.4).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Octet {
    value: u8,
    escaped_reserved: bool,
}

fn octets(text: &str) -> impl Iterator<Item = Octet> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let value = *bytes.get(at)?;
        if let Some(value) = escape_at(bytes, at) {
            at += 3;
            let reserved = b";/?:@&=+$,".contains(&value);
            return Some(Octet { value, escaped_reserved: reserved });
        }
        at += 1;
        Some(Octet { value, escaped_reserved: false })
    })
}

/// The octet of a well-formed `%HH` at this place.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *bytes.get(at..at + 3)? else {
        return None;
    };
    let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let plain: Vec<u8> = octets(text).map(|it| it.value).collect();
    String::from_utf8(plain).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests;
