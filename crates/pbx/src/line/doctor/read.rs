//! What a response to REGISTER says besides yes or no.

use sip::message::{Contact, HeaderName, Message, StartLine};
use std::net::SocketAddr;

/// Most bindings that are told of.
const STORED_MAX: usize = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub status: u16,
    /// Realm and algorithm of a challenge.
    pub challenge: Option<(Box<str>, Box<str>)>,
    /// The URI of our binding as the carrier holds it, and the others of the account.
    pub ours: Option<Box<str>>,
    pub others: Vec<Box<str>>,
    /// Where a 3xx leads.
    pub elsewhere: Option<SocketAddr>,
}

impl Details {
    /// `contact` is the user part of our Contact.
    pub fn of(message: &Message<'_>, contact: &str) -> Self {
        let status = message.status().unwrap_or_default();
        let headers = &message.headers;
        let mut challenges = headers
            .all(HeaderName::WwwAuthenticate)
            .chain(headers.all(HeaderName::ProxyAuthenticate));
        let challenge = challenges.find_map(|it| sip::auth::digest::Challenge::parse(it).ok());
        let challenge = challenge.map(|it| (it.realm.into(), it.algorithm.as_str().into()));
        let mut details = Self { status, challenge, ..Self::default() };
        for contact_of in headers.each::<Contact<'_>>().filter_map(Result::ok) {
            let Some(address) = contact_of.addr() else { continue };
            if (300..400).contains(&status) {
                let ip = address.uri.host().and_then(|it| it.ip());
                let port = address.uri.port().unwrap_or(5060);
                details.elsewhere = details.elsewhere.or_else(|| Some((ip?, port).into()));
            } else if address.uri.user().is_some_and(|it| it.eq_ignore_ascii_case(contact)) {
                details.ours = Some(address.uri_text.into());
            } else if details.others.len() < STORED_MAX {
                details.others.push(address.uri_text.into());
            }
        }
        details
    }
}

/// A message for a person to read; the digest in credentials would let others guess the password.
pub fn copy(message: &Message<'_>) -> Box<str> {
    let mut out = match message.start {
        StartLine::Request { method, uri, .. } => format!("{method} {uri} SIP/2.0\n"),
        StartLine::Status { code, reason } => format!("SIP/2.0 {code} {reason}\n"),
    };
    for field in message.headers.iter() {
        let is_secret =
            matches!(field.name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
        let value = match field.value.split_once("response=\"") {
            Some((before, after)) if is_secret => {
                let rest = after.split_once('"').map_or("", |it| it.1);
                format!("{before}response=\"...\"{rest}")
            }
            _ => field.value.to_owned(),
        };
        out.push_str(&format!("{}: {value}\n", field.raw_name));
    }
    if !message.body.is_empty() {
        out.push('\n');
        out.push_str(&String::from_utf8_lossy(message.body).replace("\r\n", "\n"));
    }
    out.into()
}
