//! A message from the network: what it is, and which room it belongs to.

use super::reply::{ALLOW_ALL, Request};
use super::{Core, Event};
use crate::call::headers::{ACCEPT, SUPPORTED};
use crate::call::refer_to::refer_to;
use crate::counters::Unread;
use crate::guard::Verdict;
use crate::id::CallId;
use crate::office::TransactionUser;
use crate::time::Now;
use sip::Flow;
use sip::endpoint::Received;
use sip::message::{
    Essentials, HeaderName, Message, Method, ParseError, Uri, check, response_to, sanitize,
};

/// Whether it only keeps a phone's way through NAT open: line breaks (RFC 5626 §3.5.1) or a few zero octets.
pub fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|it| matches!(it, b'\r' | b'\n' | 0))
}

/// Most tokens listed in an Unsupported header.
const UNSUPPORTED_MAX: usize = 8;

impl Core {
    pub(super) fn message(&mut self, flow: Flow, bytes: &[u8], now: Now) -> Option<CallId> {
        if is_keep_alive(bytes) {
            return None;
        }
        self.office.counters.received(&flow, bytes);
        let parsed = Message::parse(bytes);
        let is_text = !matches!(parsed, Err(ParseError::NotUtf8));
        let copy = if is_text { None } else { sanitize(bytes) };
        let (raw, parsed) = match &copy {
            Some(copy) => (&**copy, Message::parse(copy)),
            None => (bytes, parsed),
        };
        match parsed {
            Ok(message) => self.parsed(flow, &message, raw, now),
            Err(_) => {
                self.office.counters.unread(Unread::Syntax);
                self.takes_token(flow, now);
                None
            }
        }
    }

    /// What a stream sent cannot be framed: 400, if it can be answered at all.
    pub(super) fn malformed(&mut self, flow: Flow, head: &[u8], now: Now) {
        self.office.counters.received(&flow, head);
        self.office.counters.unread(Unread::Framing);
        let copy = sanitize(head);
        if let Ok(message) = Message::parse(copy.as_deref().unwrap_or(head)) {
            self.bad_request(flow, &message, (400, "Bad Request"), now);
        }
    }

    fn parsed(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        raw: &[u8],
        now: Now,
    ) -> Option<CallId> {
        match check(message) {
            Ok(it) if message.is_request() => {
                let request = Request { flow, message, it: &it, raw };
                self.request(request, now)
            }
            Ok(it) => self.response_received(flow, message, &it, now),
            Err(why) => {
                self.office.counters.unread(Unread::Header);
                self.bad_request(flow, message, why.status(), now);
                None
            }
        }
    }

    /// A request that cannot be served as written; a response is discarded, an ACK never answered.
    fn bad_request(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        (code, reason): (u16, &str),
        now: Now,
    ) {
        if !message.is_request() || message.method() == Some(Method::Ack) {
            self.stray(flow, now);
            return;
        }
        if !self.takes_token(flow, now) {
            return;
        }
        let bytes = response_to(message, code, reason, Some("malformed"), flow.remote).finish();
        // Its Via may be what is wrong: straight back to where it came from.
        self.office.endpoint.send(flow, bytes, None);
    }

    /// What cannot be read costs its source a token; without one it counts as throttled, and is no part of the trace.
    fn takes_token(&mut self, flow: Flow, now: Now) -> bool {
        let source = flow.remote.ip();
        let has_one = self.guard.verdict(source, now.instant) == Verdict::Serve;
        if has_one {
            self.guard.charge(source, now.instant);
        } else {
            self.office.counters.throttled += 1;
        }
        has_one
    }

    /// A response or an ACK that belongs to nothing here. Beyond so many of one source they count as throttled, and are
    /// no part of the trace: whoever makes them up could push all else out of it.
    pub(super) fn stray(&mut self, flow: Flow, now: Now) {
        if !self.guard.hears_stray(flow.remote.ip(), now.instant) {
            self.office.counters.throttled += 1;
        }
    }

    fn response_received(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Now,
    ) -> Option<CallId> {
        // More than one Via: it is for somebody behind us (RFC 3261 §8.1.3.3).
        if it.via_count > 1 {
            self.stray(flow, now);
            return None;
        }
        match self.office.endpoint.receive(flow, message, it, now.instant) {
            Received::Response { transaction, owner: TransactionUser::Leg(owner) } => {
                self.calls.with(&mut self.office, owner, |call, office, leg| {
                    call.handle_response(office, leg, transaction, (message, it), now.instant);
                })
            }
            Received::Response { transaction, owner: TransactionUser::Line(key) } => {
                self.line_answered(key, transaction, message, now);
                None
            }
            Received::Response { transaction, owner: TransactionUser::Server(key) } => {
                self.server_answered(key, transaction, Some(message), now);
                None
            }
            Received::Response { transaction, owner: TransactionUser::Examination(key) } => {
                self.examination_answered(key, transaction, (message, it), now);
                None
            }
            Received::Stray => {
                self.stray(flow, now);
                None
            }
            Received::Absorbed { owner } => self.call_of(owner),
            Received::Request | Received::Cancel { .. } | Received::Ack => None,
        }
    }

    fn request(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let Request { flow, message, it, .. } = request;
        if !self.may_be_served(request, now) {
            return None;
        }
        match self.office.endpoint.receive(flow, message, it, now.instant) {
            Received::Absorbed { owner: None } if it.cseq.method == Method::Cancel => {
                // It cancelled nothing, and was told so.
                self.guard.charge(flow.remote.ip(), now.instant);
                None
            }
            Received::Absorbed { owner } => self.call_of(owner),
            Received::Cancel { invite, owner: TransactionUser::Leg(owner) } => {
                self.calls.with(&mut self.office, owner, |call, office, leg| {
                    call.handle_cancel(office, leg, (invite, message), now.instant);
                })
            }
            Received::Ack => self.within_dialog(request, now),
            Received::Request => self.new_request(request, now),
            // These send requests and take none.
            Received::Cancel {
                owner:
                    TransactionUser::Line(_)
                    | TransactionUser::Server(_)
                    | TransactionUser::Examination(_),
                ..
            }
            | Received::Response { .. }
            | Received::Stray => None,
        }
    }

    /// For the trace.
    fn call_of(&self, user: Option<TransactionUser>) -> Option<CallId> {
        match user? {
            TransactionUser::Leg(owner) => self.calls.id_of(owner),
            TransactionUser::Line(_)
            | TransactionUser::Server(_)
            | TransactionUser::Examination(_) => None,
        }
    }

    /// Before any work: a source that spent its tokens is only heard within its dialogs.
    fn may_be_served(&mut self, request: Request<'_>, now: Now) -> bool {
        let Request { flow, message, it, .. } = request;
        let Verdict::Drop { first } = self.guard.verdict(flow.remote.ip(), now.instant) else {
            return true;
        };
        let within_dialog = it.to_tag.is_some_and(|tag| self.dialog(tag).is_some());
        let cancels =
            it.cseq.method == Method::Cancel && self.office.endpoint.knows_invite_of(message, it);
        if within_dialog || cancels || it.cseq.method == Method::Ack {
            return true;
        }
        self.office.counters.throttled += 1;
        if first {
            self.office.event(Event::Throttled { source: flow.remote });
        }
        false
    }

    fn new_request(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let it = request.it;
        let scheme_known = match it.uri {
            // Each hop of it would have to be TLS, which we do not speak (RFC 3261 §26.2.2).
            Some(Uri::Sip { secure, .. }) => !secure,
            Some(Uri::Other { scheme, .. }) => scheme.eq_ignore_ascii_case("tel"),
            None => false,
        };
        if !scheme_known {
            return self.stranger(request, 416, now);
        }
        if it.to_tag.is_some() && it.cseq.method != Method::Register {
            return self.within_dialog(request, now);
        }
        match it.cseq.method {
            Method::Register => self.register(request, now),
            Method::Invite => self.invite(request, now),
            Method::Options => self.options(request, now),
            // These live within a dialog only.
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
                self.stranger(request, 481, now)
            }
            Method::Message => self.page(request, now),
            Method::Refer => self.refer_outside(request, now),
            Method::Subscribe | Method::Publish => match self.identify(request, now) {
                Ok(_) => self.reply(request, 405),
                Err(why) => self.refuse(request, why, now),
            },
            Method::Ack | Method::Cancel => None,
            Method::Other(_) => self.stranger(request, 501, now),
        }
    }

    /// A REFER outside of a dialog names no call that could be transferred, so it is forbidden (RFC 3261 §21.4.4): 405
    /// would say that none is ever taken (§8.2.1), and within a call they are. What is malformed is told as such
    /// (RFC 3515 §2.4.2).
    fn refer_outside(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        match self.identify(request, now) {
            Ok(_) if self.unsupported(request) => None,
            Ok(_) => self.reply(request, refer_to(request.message).err().unwrap_or(403)),
            Err(why) => self.refuse(request, why, now),
        }
    }

    /// Whether we are there, and what we can do (RFC 3261 §11.2); without a product's name.
    fn options(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        self.guard.charge(request.flow.remote.ip(), now.instant);
        if self.unsupported(request) {
            return None;
        }
        self.reply_with(request, 200, |writer| {
            writer.header("Allow", ALLOW_ALL);
            writer.header("Accept", ACCEPT);
            writer.header("Supported", SUPPORTED);
        })
    }

    /// Answers somebody unknown with a bare status, which costs a token.
    fn stranger(&mut self, request: Request<'_>, code: u16, now: Now) -> Option<CallId> {
        self.guard.charge(request.flow.remote.ip(), now.instant);
        self.reply(request, code)
    }

    /// Refuses a request that requires an extension we do not have (RFC 3261 §8.2.2.3).
    pub(super) fn unsupported(&mut self, request: Request<'_>) -> bool {
        let Some(required) = unsupported(request.message) else { return false };
        self.reply_with(request, 420, |writer| {
            writer.header("Unsupported", required);
        });
        true
    }
}

/// What a request requires of us in vain, as the Unsupported header names it.
pub(super) fn unsupported(message: &Message<'_>) -> Option<String> {
    let has = |it: &&str| SUPPORTED.split(", ").any(|ours| ours.eq_ignore_ascii_case(it));
    let required = message.headers.values(HeaderName::Require).filter(|it| !has(it));
    let required: Vec<&str> = required.take(UNSUPPORTED_MAX).collect();
    (!required.is_empty()).then(|| required.join(", "))
}
