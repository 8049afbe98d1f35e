//! A phone sends its call on: 3xx means forwarding (RFC 3261 §8.1.3.4 lets a UAC ask first; here the
//! dial plan is asked).
//!
//! The number in its Contact is dialled with the rights of the extension that forwards, never the
//! address. It is a new call with a record of its own; the caller's leg moves there and hears 181.

use super::begin::Attempt;
use super::end::Cause;
use super::fork::bracketed;
use super::transfer::Errand;
use super::{Call, Leg};
use crate::id::CallId;
use crate::office::{LegId, Office, Owner};
use crate::record::Side;
use crate::release::ReleaseCode;
use sip::message::{Uri, Writer, reason_phrase};
use std::time::Instant;

/// Most times a call is forwarded; once more is a loop.
const FORWARDS_MAX: usize = 5;
/// Longest number in a Contact that is dialled. Unit: octets.
const NUMBER_LENGTH_MAX: usize = 64;

/// What the new call takes over of the old one.
pub struct Forwarded {
    pub from: CallId,
    pub number: Box<str>,
    pub leg: (Box<Leg>, Owner),
    pub forwarders: Vec<Box<str>>,
    pub caller: (Box<str>, Box<str>, Option<Box<str>>, Box<str>),
}

/// The number a Contact stands for; `None` for one that cannot be dialled.
fn number_in(contact: &str) -> Option<Box<str>> {
    let uri = Uri::parse(contact).ok()?;
    let number = match uri {
        Uri::Other { scheme, rest } if scheme.eq_ignore_ascii_case("tel") => rest.into(),
        Uri::Other { .. } => return None,
        Uri::Sip { .. } => uri.user_unescaped(),
    };
    let number = number.split(';').next().unwrap_or_default();
    let can_be_dialled = |it: u8| {
        it.is_ascii_alphanumeric() || matches!(it, b'+' | b'*' | b'#' | b'-' | b'.' | b'_')
    };
    let fits = (1..=NUMBER_LENGTH_MAX).contains(&number.len());
    (fits && number.bytes().all(can_be_dialled)).then(|| number.into())
}

impl Call {
    /// The callee's phones have refused, one of them with 3xx.
    pub(super) fn forward(&mut self, office: &mut Office, contact: &str, now: Instant) {
        let by = self.record.callee_number.clone();
        let session = &self.caller.session;
        let may_move = session.is_early() && !session.has_described() && !self.is_joining();
        let Some(number) = number_in(contact).filter(|_| may_move) else {
            let cause = Cause { status: Some(480), ..Cause::default() };
            return self.end_as(office, ReleaseCode::CalleeRejected, Side::Callee, cause, now);
        };
        let back = number == by || self.forwarders.contains(&number);
        if back || self.forwarders.len() >= FORWARDS_MAX {
            return self.end(office, ReleaseCode::LoopDetected, Side::System, now);
        }
        let host = bracketed(session.dialog.end.address.ip());
        self.with_session(office, LegId::Caller, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                let who = format_args!("username=\"{by}\";contact=\"{number}\"");
                let info = format_args!("<sip:{number}@{host}>;purpose=forwarding;{who}");
                writer.header("Call-Info", info);
            };
            session.provisional(seat, (181, reason_phrase(181)), &extra, None);
        });
        office.errands.push_back(Errand::Forward { call: self.id, by, number });
    }

    /// The INVITE as it came, for the new call.
    pub fn invitation(&self) -> Option<Box<[u8]>> {
        self.invite.clone()
    }

    /// Gives the caller away; this call ends without another word to it.
    pub fn hand_over(
        &mut self,
        office: &mut Office,
        (by, number): (Box<str>, Box<str>),
        now: Instant,
    ) -> Option<Forwarded> {
        if !self.caller.session.is_early() {
            return None;
        }
        let early = self.early_fork().is_some();
        if early {
            self.begin_another_dialog(office);
        }
        let leg = self.give_leg(office, LegId::Caller)?;
        let mut forwarders = std::mem::take(&mut self.forwarders);
        forwarders.push(by);
        let record = &self.record;
        let caller = (
            record.caller_number.clone(),
            record.caller_name.clone(),
            record.caller_extension.clone(),
            record.caller_device.clone(),
        );
        let from = self.id;
        let cause = Cause { status: Some(302), ..Cause::default() };
        self.end_as(office, ReleaseCode::CalleeForwarded, Side::Callee, cause, now);
        Some(Forwarded { from, number, leg, forwarders, caller })
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
        let Forwarded { from, number, leg: (leg, was), forwarders, caller } = forwarded;
        let owner = Owner { call: place.0, serial: place.1, leg: LegId::Caller };
        office.endpoint.change_owner(was.into(), owner.into());
        office.dialogs.insert(leg.tag, owner);
        let mut call = Self::with_caller(office, (id, place), attempt, *leg, now);
        call.forwarders = forwarders;
        let record = &mut call.record;
        record.linked_call_id = Some(from);
        record.dialled_number = number;
        (record.caller_number, record.caller_name, record.caller_extension, record.caller_device) =
            caller;
        call
    }
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
