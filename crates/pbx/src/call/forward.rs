//! A call is sent on: by the forwarding of the called extension (呼叫转移), or by its phone, whose 3xx
//! means the same (RFC 3261 §8.1.3.4 lets a UAC ask first; here the dial plan is asked).
//!
//! The number is dialled with the rights of the extension that forwards; of a Contact it is the
//! number, never the address. It is a new call with a record of its own; the caller's leg moves
//! there and hears 181.

use super::begin::Attempt;
use super::counts::Shares;
use super::diversion::{History, Why};
use super::end::Cause;
use super::fork::bracketed;
use super::join::Joining;
use super::media::Half;
use super::transfer::Errand;
use super::{Call, Leg, State};
use crate::dialplan::Live;
use crate::id::CallId;
use crate::office::{LegId, Office, Owner};
use crate::record::{CallRecord, Direction, Side};
use crate::release::ReleaseCode;
use crate::supplementary::{Forwarding, is_forwardable};
use bytes::Bytes;
use sip::message::block::{self, Life};
use sip::message::{Uri, Writer, reason_phrase};
use std::time::Instant;

/// What the new call takes over of the old one.
pub struct Forwarded {
    number: Box<str>,
    leg: (Box<Leg>, Owner),
    history: History,
    /// The caller is a transferee that is elsewhere yet, or came from there.
    joining: Option<Box<Joining>>,
    /// Of the old call.
    record: Box<CallRecord>,
    /// The caller counts as before, and so does the line or trunk it came by.
    shares: Shares,
    others: Vec<Box<str>>,
}

/// Who sends a call on, where to and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    pub by: Box<str>,
    pub number: Box<str>,
    pub why: Why,
    /// The numbers that are tried where this one fails.
    pub others: Vec<Box<str>>,
    /// He has sent it on already, to where it failed like this.
    pub instead_of: Option<Outcome>,
}

impl Onward {
    pub(super) fn to(by: &str, number: &str, why: Why) -> Self {
        Self { by: by.into(), number: number.into(), why, others: vec![], instead_of: None }
    }
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    code: ReleaseCode,
    by: Side,
    cause: Cause,
}

impl Why {
    /// What the call that ends here ended with.
    fn release(self) -> ReleaseCode {
        match self {
            Self::Forwarding(Forwarding::Busy) => ReleaseCode::CalleeForwardedBusy,
            Self::Forwarding(Forwarding::Unreachable) => ReleaseCode::CalleeForwardedUnreachable,
            Self::Forwarding(Forwarding::NoAnswer) => ReleaseCode::CalleeForwardedNoAnswer,
            Self::Forwarding(Forwarding::Always) => ReleaseCode::CalleeForwardedAlways,
            Self::Deflection => ReleaseCode::CalleeForwarded,
        }
    }
}

/// The number a Contact stands for; `None` for one that cannot be dialled.
pub(super) fn number_in(contact: &str) -> Option<Box<str>> {
    let uri = Uri::parse(contact).ok()?;
    let number = match uri {
        Uri::Other { scheme, rest } if scheme.eq_ignore_ascii_case("tel") => rest.into(),
        Uri::Other { .. } => return None,
        Uri::Sip { .. } => uri.user_unescaped(),
    };
    let number = number.split(';').next().unwrap_or_default();
    is_forwardable(number).then(|| number.into())
}

impl Call {
    /// The callee's phones have refused, one of them with 3xx: its Contacts, the most wanted first.
    pub(super) fn forward(&mut self, office: &mut Office, contacts: &[Box<str>], now: Instant) {
        let mut numbers: Vec<Box<str>> = contacts.iter().filter_map(|it| number_in(it)).collect();
        if numbers.is_empty() || !self.may_be_sent_on() {
            let cause = Cause { status: Some(480), ..Cause::default() };
            return self.end_as(office, ReleaseCode::CalleeRejected, Side::Callee, cause, now);
        }
        let by: Box<str> = self.record.callee_number.as_str().into();
        let number = numbers.remove(self.no_loop(&by, &numbers).unwrap_or_default());
        let (why, others, instead_of) = (Why::Deflection, numbers, None);
        self.send_on(office, Onward { by, number, why, others, instead_of }, now);
    }

    /// The call, which a phone sent here, ends like this: whether it goes on to another number that
    /// phone named (RFC 3261 §8.1.3.4).
    pub(super) fn goes_elsewhere(
        &mut self,
        office: &mut Office,
        (code, by): (ReleaseCode, Side),
        cause: &Cause,
        now: Instant,
    ) -> bool {
        let status = cause.status.unwrap_or_else(|| code.status());
        // 6xx speaks for the callee, wherever he is; after 487 nobody waits.
        let failed = match by {
            Side::Callee => true,
            Side::System => ["callee.", "line.", "loop.", "route.", "trunk."]
                .iter()
                .any(|it| code.as_str().starts_with(it)),
            Side::Caller | Side::Admin => false,
        };
        if self.others.is_empty() || !failed || status >= 600 || status == 487 {
            return false;
        }
        let Some(who) = self.history.last().map(Box::<str>::from) else { return false };
        let before = self.history.clone();
        self.history.pop();
        let next = self.no_loop(&who, &self.others).filter(|_| self.may_be_sent_on());
        let Some(next) = next else {
            self.history = before;
            return false;
        };
        let mut others = std::mem::take(&mut self.others).split_off(next);
        let number = others.remove(0);
        let outcome = Outcome { code, by, cause: cause.clone() };
        let (why, instead_of) = (Why::Deflection, Some(outcome));
        self.send_on(office, Onward { by: who, number, why, others, instead_of }, now);
        true
    }

    /// The first of these numbers that it may be sent to.
    fn no_loop(&self, by: &str, numbers: &[Box<str>]) -> Option<usize> {
        let host = bracketed(self.caller.session.dialog.end.address.ip());
        numbers.iter().position(|it| !self.history.is_loop(by, it, &host))
    }

    /// The called extension has a forwarding for this, with the right to it: the call is sent on.
    pub(super) fn is_forwarded(
        &mut self,
        office: &mut Office,
        when: Forwarding,
        now: Instant,
    ) -> bool {
        let Some(by) = self.record.callee_extension.as_deref() else { return false };
        let Some(number) = office.forwards_to(self.tenant, by, when) else { return false };
        if !self.may_be_sent_on() {
            return false;
        }
        let onward = Onward::to(by, number, Why::Forwarding(when));
        self.send_on(office, onward, now);
        true
    }

    /// The caller still waits for an answer, and has had none reliably; a transferee waits for none.
    pub(super) fn may_be_sent_on(&self) -> bool {
        let session = &self.caller.session;
        let calling = matches!(self.state, State::Calling { .. });
        calling && (self.is_joining() || session.is_early() && !session.has_described())
    }

    pub(super) fn send_on(&mut self, office: &mut Office, onward: Onward, now: Instant) {
        let Onward { by, number, .. } = &onward;
        let host = bracketed(self.caller.session.dialog.end.address.ip());
        if self.history.is_loop(by, number, &host) {
            return self.end(office, ReleaseCode::LoopDetected, Side::System, now);
        }
        self.tell_sent_on(office, by, (number, &host), now);
        if let State::Calling { give_up_at, .. } = &mut self.state {
            // It ends with this input, and not for its time.
            *give_up_at = now + office.settings(self.tenant).no_answer();
        }
        office.errands.push_back(Errand::Forward { call: self.id, onward });
    }

    /// Who calls hears that the call goes on, and so does who transfers it.
    pub(super) fn tell_sent_on(
        &mut self,
        office: &mut Office,
        by: &str,
        (number, host): (&str, &str),
        now: Instant,
    ) {
        self.report_progress(office, 181);
        // A carrier does not know our extensions.
        let tells_who = !self.caller.outside;
        self.with_session(office, LegId::Caller, now, |session, seat| {
            // Of a call that is placed for a transferee only who transfers it is told.
            if !session.is_early() {
                return;
            }
            let extra = |writer: &mut Writer| {
                if !tells_who {
                    return;
                }
                let who = format_args!("username=\"{by}\";contact=\"{number}\"");
                let info = format_args!("<sip:{number}@{host}>;purpose=forwarding;{who}");
                writer.header("Call-Info", info);
            };
            session.provisional(seat, (181, reason_phrase(181)), &extra, None);
        });
    }

    /// The INVITE as it came, for the new call.
    pub fn invitation(&self) -> Option<Bytes> {
        self.invite.clone()
    }

    /// Gives the caller away; this call ends without another word to it.
    pub fn hand_over(
        &mut self,
        office: &mut Office,
        onward: Onward,
        now: Instant,
    ) -> Option<Forwarded> {
        if !self.may_be_sent_on() {
            return None;
        }
        self.leave_early_dialog(office);
        let leg = self.give_leg(office, LegId::Caller)?;
        let mut history = std::mem::take(&mut self.history);
        let record = Box::new(CallRecord::clone(&self.record));
        history.push(onward.by, onward.why);
        let shares = self.give_shares(Half::Caller);
        let joining = self.joining.take();
        let sent_on = || {
            let cause = Cause { status: Some(302), ..Cause::default() };
            Outcome { code: onward.why.release(), by: Side::Callee, cause }
        };
        let Outcome { code, by, cause } = onward.instead_of.unwrap_or_else(sent_on);
        self.end_as(office, code, by, cause, now);
        let (number, others) = (onward.number, onward.others);
        Some(Forwarded { number, leg, history, joining, record, shares, others })
    }

    /// Nobody can take it: the forwarding extension is gone, or the server is full.
    pub fn refuse_forward(&mut self, office: &mut Office, now: Instant) {
        let cause = Cause { status: Some(480), ..Cause::default() };
        self.end_as(office, ReleaseCode::CalleeRejected, Side::Callee, cause, now);
    }

    /// The call to where another one was forwarded; `attempt` is the INVITE of that one.
    pub fn for_forwarded(
        office: &mut Office,
        (id, place): (CallId, (usize, u32)),
        attempt: &Attempt<'_>,
        forwarded: Forwarded,
        now: Instant,
    ) -> Self {
        let Forwarded { number, leg: (leg, was), history, joining, shares, others, .. } = forwarded;
        let before = forwarded.record;
        let owner = Owner { call: place.0, serial: place.1, leg: LegId::Caller };
        office.endpoint.change_owner(was.into(), owner.into());
        office.dialogs.insert(leg.tag, owner);
        let mut call = Self::with_caller(office, (id, place), attempt, *leg, now);
        (call.history, call.joining) = (history, joining);
        if !others.is_empty() {
            // It may go on before anybody is called.
            call.invite = Some(block::copy(Life::Transaction, attempt.raw));
        }
        call.others = others;
        call.take_shares(Half::Caller, shares);
        let record = &mut call.record;
        record.linked_call_id = Some(before.call_id);
        record.dialled_number = number.into();
        record.caller_number = before.caller_number;
        record.caller_name = before.caller_name;
        record.caller_extension = before.caller_extension;
        record.caller_device = before.caller_device;
        if before.direction == Direction::Incoming {
            record.direction = before.direction;
            (record.line, record.trunk) = (before.line, before.trunk);
        }
        call
    }
}

/// The forwarding that takes a call which ends like this.
pub(super) fn forwarding_of(release: ReleaseCode) -> Option<Forwarding> {
    let table = [
        (ReleaseCode::CalleeBusy, Forwarding::Busy),
        (ReleaseCode::CalleeNoAnswer, Forwarding::NoAnswer),
        (ReleaseCode::CalleeUnreachable, Forwarding::Unreachable),
        (ReleaseCode::CalleeFlowLost, Forwarding::Unreachable),
    ];
    table.into_iter().find(|it| it.0 == release).map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_dialled() {
        #[rustfmt::skip]
        let table = [
            ("sip:102@10.0.0.1",               Some("102")),
            ("sip:00900;phone-context=x@h",    Some("00900")),
            ("sip:%2A43@h",                    Some("*43")),
            ("tel:+44-20-1234",                Some("+44-20-1234")),
            ("sip:10.0.0.9",                   None),
            ("sip:a%22b@h",                    None),
            ("http://example.com",             None),
        ];
        for (contact, number) in table {
            assert_eq!(number_in(contact).as_deref(), number, "{contact}");
        }
    }
}
