//! Answers that leave nothing behind (RFC 3261 §8.2.7).

use super::{Core, Shed};
use crate::authenticate::Refusal;
use crate::event::Event;
use crate::id::CallId;
use crate::time::Now;
use sip::Flow;
use sip::message::block::Life;
use sip::message::{
    Essentials, HeaderName, Message, Short, Writer, reason_phrase, response_to_checked,
};

/// A request being served.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub flow: Flow,
    pub message: &'a Message<'a>,
    pub it: &'a Essentials<'a>,
    /// As it came.
    pub raw: &'a [u8],
}

impl Core {
    /// Begins a stateless response; its To tag is the same for a copy of the request.
    pub(super) fn response(&self, request: Request<'_>, code: u16, reason: &str) -> Writer {
        let Request { flow, message, it, .. } = request;
        let tag = self.tag_seed.hash_one((it.call_id, it.from_tag, it.cseq.number));
        let tag = Short::new().letter('s').hex(tag, 16);
        response_to_checked((message, it), Life::Turn, (code, reason), Some(&tag), flow.remote)
    }

    pub(super) fn send(&mut self, request: Request<'_>, writer: Writer) {
        self.office.endpoint.send_stateless(request.flow, &request.it.via, writer.finish(), None);
    }

    /// Answers with a bare status.
    pub(super) fn reply(&mut self, request: Request<'_>, code: u16) -> Option<CallId> {
        self.reply_with(request, code, |_| {})
    }

    pub(super) fn reply_with(
        &mut self,
        request: Request<'_>,
        code: u16,
        extra: impl FnOnce(&mut Writer),
    ) -> Option<CallId> {
        let mut writer = self.response(request, code, reason_phrase(code));
        if matches!(code, 405 | 501) {
            writer.header("Allow", ALLOW_ALL);
        }
        extra(&mut writer);
        self.send(request, writer);
        None
    }

    /// Answers a request of somebody we do not know, which costs its source a token.
    pub(super) fn refuse(
        &mut self,
        request: Request<'_>,
        why: Refusal,
        now: Now,
    ) -> Option<CallId> {
        self.guard.charge(request.flow.remote.ip(), now.instant);
        let stale = match why {
            Refusal::Challenge => false,
            Refusal::Stale => true,
            Refusal::Wrong { user, why } => {
                self.office.counters.auth_failures += 1;
                let method = request.it.cseq.method.as_str().into();
                let source = request.flow.remote;
                self.office.event(Event::AuthFailed { source, user, method, why });
                false
            }
            Refusal::Malformed(_) => return self.reply(request, 400),
        };
        self.office.counters.challenges += 1;
        let mut writer = self.response(request, 401, "Unauthorized");
        let directory = self.office.directory.clone();
        let tenant = directory.tenant_for(request.it.uri).map(|(_, it)| it);
        let rng = &mut *self.office.rng;
        self.authenticator.challenge(tenant, request.flow, stale, rng, now, &mut writer);
        self.send(request, writer);
        None
    }

    /// Whether there is too much work to take this.
    pub(super) fn is_shed(&self, request: Request<'_>) -> bool {
        match self.shedding {
            Shed::Nothing => false,
            Shed::Unproven => request.message.headers.get(HeaderName::Authorization).is_none(),
            Shed::Everything => true,
        }
    }

    /// Refuses new work because there is too much of it. Nobody has proved who he is, so it costs
    /// his source a token: a flood gets no more answers than at other times.
    pub(super) fn shed(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        self.guard.charge(request.flow.remote.ip(), now.instant);
        self.office.counters.shed += 1;
        self.unavailable(request)
    }

    /// Out of service for the moment (RFC 3261 §21.5.4).
    pub(super) fn unavailable(&mut self, request: Request<'_>) -> Option<CallId> {
        self.reply_with(request, 503, |writer| {
            writer.header("Retry-After", 10);
        })
    }
}

/// What we take, REGISTER included.
pub(super) const ALLOW_ALL: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, PRACK, UPDATE, REFER, REGISTER";
