//! `Authorization` and `Proxy-Authorization`: a client's credentials
//! (RFC 3261 §20.7, §20.28, RFC 7616 §3.4).

use super::TypedHeader;
use crate::message::name::HeaderName;
use crate::message::text::{find, find_unquoted, is_lws, is_token, quoted_len, strip_quotes, trim};
use smallvec::SmallVec;

/// The Authorization header.
#[derive(Clone, Copy)]
pub struct Authorization<'a>(pub Credentials<'a>);

/// The Proxy-Authorization header.
#[derive(Clone, Copy)]
pub struct ProxyAuthorization<'a>(pub Credentials<'a>);

/// Most parameters of one credentials or challenge; with more it is malformed. RFC 7616 has 13.
const MAX_AUTH_PARAMS: usize = 32;

/// What RFC 7616 has, without an allocation.
const USUAL_AUTH_PARAMS: usize = 13;

/// Credentials of one scheme. Without `Debug`, as they may not reach a log.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    Digest(DigestCredentials<'a>),
    /// A scheme this program does not speak.
    Other {
        scheme: &'a str,
    },
}

/// A digest response (RFC 7616 §3.4). Quotes are cut; escapes stay, since both sides hash them as
/// written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestCredentials<'a> {
    pub username: &'a str,
    pub realm: &'a str,
    pub nonce: &'a str,
    pub uri: &'a str,
    pub response: &'a str,
    pub algorithm: Option<&'a str>,
    pub cnonce: Option<&'a str>,
    pub opaque: Option<&'a str>,
    pub qop: Option<&'a str>,
    /// The nonce count as written: eight hexadecimal digits.
    pub nc: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Reads the value of either header.
    pub fn parse(value: &'a str) -> Result<Self, &'static str> {
        let (scheme, params) = split_scheme(value)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Ok(Self::Other { scheme });
        }
        let digest = DigestCredentials {
            username: params.required("username")?,
            realm: params.required("realm")?,
            nonce: params.required("nonce")?,
            uri: params.required("uri")?,
            response: params.required("response")?,
            algorithm: params.get("algorithm"),
            cnonce: params.get("cnonce"),
            opaque: params.get("opaque"),
            qop: params.get("qop"),
            nc: params.get("nc"),
        };
        if digest.nc.is_some() && digest.nonce_count().is_none() {
            return Err("bad nonce count");
        }
        Ok(Self::Digest(digest))
    }
}

impl DigestCredentials<'_> {
    /// The nonce count as a number.
    pub fn nonce_count(&self) -> Option<u32> {
        let text = self.nc.filter(|it| it.len() == 8)?;
        text.bytes().all(|it| it.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok())?
    }
}

impl<'a> TypedHeader<'a> for Authorization<'a> {
    const NAME: HeaderName = HeaderName::Authorization;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        Credentials::parse(value).map(Self)
    }
}

impl<'a> TypedHeader<'a> for ProxyAuthorization<'a> {
    const NAME: HeaderName = HeaderName::ProxyAuthorization;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        Credentials::parse(value).map(Self)
    }
}

/// The scheme of credentials or a challenge, and its parameters.
pub(crate) fn split_scheme(value: &str) -> Result<(&str, AuthParams<'_>), &'static str> {
    let scheme_len = value.bytes().position(is_lws).unwrap_or(value.len());
    let (scheme, params) = (&value[..scheme_len], trim(&value[scheme_len..]));
    if !is_token(scheme) {
        return Err("bad scheme");
    }
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Ok((scheme, AuthParams::default()));
    }
    AuthParams::parse(params).map(|params| (scheme, params))
}

/// Comma-separated `name=value` of a challenge or of credentials (RFC 7235 §2.1), checked; values
/// without their quotes.
#[derive(Default)]
pub(crate) struct AuthParams<'a>(SmallVec<[(&'a str, &'a str); USUAL_AUTH_PARAMS]>);

impl<'a> AuthParams<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let mut params = Self::default();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let end = find_unquoted(text, b',');
            rest = end.map(|at| &text[at + 1..]);
            let one = trim(&text[..end.unwrap_or(text.len())]);
            // Empty elements are legal in this list (RFC 7235 §7).
            if one.is_empty() {
                continue;
            }
            if params.0.len() == MAX_AUTH_PARAMS {
                return Err("too many parameters");
            }
            let equals = find(one, b'=').ok_or("parameter without a value")?;
            let (name, value) = (trim(&one[..equals]), trim(&one[equals + 1..]));
            if !is_token(name) || !is_value(value) {
                return Err("bad parameter");
            }
            if params.get(name).is_some() {
                return Err("parameter given twice");
            }
            params.0.push((name, strip_quotes(value)));
        }
        Ok(params)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn required(&self, name: &str) -> Result<&'a str, &'static str> {
        self.get(name).ok_or("digest parameter missing")
    }
}

fn is_value(text: &str) -> bool {
    match text.starts_with('"') {
        true => quoted_len(text) == Some(text.len()),
        false => !text.bytes().any(|it| is_lws(it) || it == b'"'),
    }
}
