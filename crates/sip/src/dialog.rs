//! A dialog (RFC 3261 §12): who talks to whom, in which order, by which way.

use crate::endpoint::Branch;
use crate::flow::{Flow, Transport};
use crate::message::{
    Contact, Essentials, HeaderName, Message, Method, Short, StartLine, Uri, Writer,
};
use crate::piece::Piece;
use crate::route_set::RouteSet;
use crate::tag::Tag;
use std::fmt;
use std::net::SocketAddr;

/// Our end of a dialog as the peer sees it: what Via and Contact say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalEnd {
    pub transport: Transport,
    /// The address the peer is told.
    pub address: SocketAddr,
    /// The same in Contact: behind NAT, what the peer sees us at.
    pub contact: SocketAddr,
    pub tag: Tag,
}

impl LocalEnd {
    /// The value of our Contact header; its user is our tag, so that requests find the dialog
    /// even from peers that lose the To tag.
    pub fn contact(&self) -> impl fmt::Display {
        let Self { transport, contact, tag, .. } = *self;
        let address = Short::new().socket(contact);
        fmt::from_fn(move |f| match transport {
            Transport::Udp => write!(f, "<sip:{tag}@{address}>"),
            Transport::Tcp => write!(f, "<sip:{tag}@{address};transport=tcp>"),
        })
    }

    /// The value of our Via header. `rport` asks for the answer where the request came from
    /// (RFC 3581).
    pub fn via(&self, branch: Branch) -> impl fmt::Display {
        let Self { transport, address, .. } = *self;
        let (name, address) = (transport.via_name(), Short::new().socket(address));
        fmt::from_fn(move |f| write!(f, "SIP/2.0/{name} {address};rport;branch={branch}"))
    }
}

/// The state both sides share. Early until the remote tag is known.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: Piece,
    pub end: LocalEnd,
    /// From of our requests, tag included.
    pub local: Piece,
    /// To of our requests, tag included once known.
    pub remote: Piece,
    pub remote_tag: Piece,
    pub local_cseq: u32,
    /// `None` before the peer's first request.
    pub remote_cseq: Option<u32>,
    pub remote_target: Piece,
    pub routes: RouteSet,
}

impl Dialog {
    /// The dialog an INVITE from the peer begins (RFC 3261 §12.1.1).
    pub fn of_request(message: &Message<'_>, it: &Essentials<'_>, end: LocalEnd) -> Self {
        let header = |name| message.headers.get(name).unwrap_or_default();
        // An RFC 2543 phone may give no Contact; then it is where it says it is.
        let target = contact_uri(message).unwrap_or(it.from.uri_text);
        let [call_id, local, remote, remote_target] = Piece::together([
            &[it.call_id],
            &[header(HeaderName::To), TAG, &end.tag.text()],
            &[header(HeaderName::From)],
            &[target],
        ]);
        Self {
            call_id,
            end,
            local,
            remote_tag: remote.part(it.from_tag.unwrap_or_default()),
            remote,
            local_cseq: 0,
            remote_cseq: Some(it.cseq.number),
            remote_target,
            routes: RouteSet::of_request(&message.headers),
        }
    }

    /// The dialog an INVITE of ours will begin: `from` and `to` are header values without tags.
    pub fn of_our_request(
        call_id: &str,
        end: LocalEnd,
        from: &str,
        to: &str,
        target: &str,
    ) -> Self {
        let [call_id, local, remote, remote_target] =
            Piece::together([&[call_id], &[from, TAG, &end.tag.text()], &[to], &[target]]);
        Self {
            call_id,
            end,
            local,
            remote,
            remote_tag: Piece::default(),
            local_cseq: 0,
            remote_cseq: None,
            remote_target,
            routes: RouteSet::default(),
        }
    }

    /// Gives our end another tag: an answer of ours makes a dialog beside an early one.
    pub fn set_tag(&mut self, tag: Tag) {
        let old = format!(";tag={}", self.end.tag);
        let to = self.local.strip_suffix(old.as_str()).unwrap_or(&self.local);
        [self.local] = Piece::together([&[to, TAG, &tag.text()]]);
        self.end.tag = tag;
    }

    /// Takes over what a response to our INVITE says (RFC 3261 §12.1.2). Gives the remote target before,
    /// where it is another one now.
    pub fn learn(&mut self, message: &Message<'_>, it: &Essentials<'_>) -> Option<Piece> {
        if let Some(to) = message.headers.get(HeaderName::To).filter(|it| **it != *self.remote) {
            self.remote = to.into();
        }
        let tag = it.to_tag.unwrap_or_default();
        if *self.remote_tag != *tag {
            self.remote_tag = self.remote.part(tag);
        }
        self.routes = RouteSet::of_response(&message.headers);
        self.refresh_target(message)
    }

    /// Takes back what responses to our INVITE said: it is sent anew (RFC 3261 §8.1.3.5).
    pub fn forget(&mut self, invite: &Message<'_>) {
        self.remote = invite.headers.get(HeaderName::To).unwrap_or_default().into();
        self.remote_tag = Piece::default();
        self.routes = RouteSet::default();
        self.remote_target = request_uri(invite).into();
    }

    /// Takes over a new remote target (RFC 3261 §12.2, RFC 3311 §5): INVITE, UPDATE and their 2xx
    /// refresh it. Gives the one before, where it is another one now.
    pub fn refresh_target(&mut self, message: &Message<'_>) -> Option<Piece> {
        let contact = contact_uri(message).filter(|it| **it != *self.remote_target)?;
        Some(std::mem::replace(&mut self.remote_target, contact.into()))
    }

    /// Whether a request belongs to this dialog: the peer's tag is the one we know. A peer that
    /// gave no tag (RFC 2543) sends none.
    pub fn matches(&self, it: &Essentials<'_>) -> bool {
        *self.call_id == *it.call_id && *self.remote_tag == *it.from_tag.unwrap_or_default()
    }

    /// Begins a request within the dialog with the next CSeq.
    pub fn next_request(&mut self, method: Method<'_>, branch: Branch) -> Writer {
        self.local_cseq += 1;
        self.request(method, self.local_cseq, branch)
    }

    /// Begins a request within the dialog; ACK has the CSeq of its INVITE (RFC 3261 §13.2.2.4).
    pub fn request(&self, method: Method<'_>, cseq: u32, branch: Branch) -> Writer {
        self.request_with(method, cseq, branch, 70)
    }

    /// The same with a Max-Forwards that counts on (RFC 7332 §3).
    pub fn request_with(
        &self,
        method: Method<'_>,
        cseq: u32,
        branch: Branch,
        max_forwards: u8,
    ) -> Writer {
        let target = &self.remote_target;
        let mut writer = Writer::request(method, self.routes.request_uri(target));
        writer.header("Via", self.end.via(branch));
        self.routes.write(target, &mut writer);
        writer.header("Max-Forwards", max_forwards);
        writer.text_header("From", &self.local);
        writer.text_header("To", &self.remote);
        writer.text_header("Call-ID", &self.call_id);
        writer.header("CSeq", format_args!("{cseq} {method}"));
        if matches!(method, Method::Invite | Method::Update | Method::Notify) {
            writer.header("Contact", self.end.contact());
        }
        writer
    }
}

/// What stands between an address and its tag.
const TAG: &str = ";tag=";

/// The URI of the first Contact, where there is one.
pub fn contact_uri<'a>(message: &Message<'a>) -> Option<&'a str> {
    let value = message.headers.values(HeaderName::Contact).next()?;
    match <Contact<'a> as crate::message::TypedHeader<'a>>::parse(value) {
        Ok(Contact::Addr(address)) => Some(without_headers(address.uri_text)),
        Ok(Contact::Star) | Err(_) => None,
    }
}

/// Header fields have no place in a Request-URI (RFC 3261 §19.1.1).
fn without_headers(uri: &str) -> &str {
    match Uri::parse(uri) {
        Ok(Uri::Sip { headers: Some(headers), .. }) => {
            uri.get(..uri.len() - headers.len() - "?".len()).unwrap_or(uri)
        }
        Ok(Uri::Sip { headers: None, .. } | Uri::Other { .. }) | Err(_) => uri,
    }
}

/// The Request-URI as it was written; empty for a response.
pub fn request_uri<'a>(message: &Message<'a>) -> &'a str {
    match message.start {
        StartLine::Request { uri, .. } => uri,
        StartLine::Status { .. } => "",
    }
}

/// Whether a request that claims to belong to a dialog comes from the host its dialog talks to.
pub fn same_peer(known: Flow, now: Flow) -> bool {
    known.remote.ip().to_canonical() == now.remote.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_brings_no_header_fields_into_a_request_uri() {
        for (contact, uri) in [
            ("sip:a@b.example:5070?Subject=x", "sip:a@b.example:5070"),
            ("sip:a@b.example;transport=tcp?c2.example", "sip:a@b.example;transport=tcp"),
            ("sip:a?b@c.example", "sip:a?b@c.example"),
            ("tel:101", "tel:101"),
        ] {
            assert_eq!(without_headers(contact), uri);
        }
    }
}
