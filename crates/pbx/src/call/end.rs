//! How a call ends: every session to its end, every claim given back, one record.

use super::fork::facts;
use super::{Call, State, fork_id};
use crate::event::Event;
use crate::office::{Farewell, LegId, Office};
#[cfg(feature = "planted-bugs")]
use crate::planted::Planted;
use crate::record::{Record, Side};
use crate::release::ReleaseCode;
use crate::time::millis;
use sip::message::{
    Contact, HeaderName, Message, Reason, Short, TypedHeader, Writer, reason_phrase,
};
use smallvec::SmallVec;
use std::time::Instant;

/// What a phone said of why it ended or refused: its status and its Reason header (RFC 3326).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cause {
    pub status: Option<u16>,
    /// Q.850 cause; it wins over ours.
    pub q850: Option<u16>,
    /// The Reason header to pass on.
    pub reason: Option<Box<str>>,
    /// The Contacts of a 3xx, the most wanted first.
    pub forward: SmallVec<[Box<str>; 1]>,
    /// What else of a refusal tells the caller why.
    pub told: Told,
}

/// Names and values.
type Told = SmallVec<[(&'static str, Box<str>); 1]>;

/// Headers of a refusal that are for the caller, whoever refused (RFC 3261 §20.43, §20.1, §20.33).
const TOLD: [(HeaderName, &str); 3] = [
    (HeaderName::Warning, "Warning"),
    (HeaderName::Accept, "Accept"),
    (HeaderName::RetryAfter, "Retry-After"),
];

impl Cause {
    pub(super) fn of(message: &Message<'_>) -> Self {
        let mut cause = Self { status: message.status(), ..Self::default() };
        if matches!(cause.status, Some(300..=399)) {
            cause.forward = contacts(message);
        }
        for value in message.headers.values(HeaderName::Reason) {
            cause.reason.get_or_insert_with(|| value.into());
            if let Ok(reason) = Reason::parse(value)
                && reason.protocol.eq_ignore_ascii_case("Q.850")
            {
                cause.q850 = reason.cause;
            }
        }
        for (name, text) in TOLD {
            cause.told.extend(message.headers.get(name).map(|it| (text, it.into())));
        }
        cause
    }
}

/// Most Contacts of one 3xx that are tried; those that are wanted least are left out.
pub(super) const CONTACTS_MAX: usize = 5;

/// In the order of their q, those of one q as they are written (RFC 3261 §8.1.3.4).
fn contacts(message: &Message<'_>) -> SmallVec<[Box<str>; 1]> {
    let each = message.headers.values(HeaderName::Contact).filter_map(|it| {
        let contact = Contact::parse(it).ok()?;
        Some((contact.q().unwrap_or(1000), contact.addr()?.uri_text))
    });
    let mut found: Vec<(u16, &str)> = each.collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.0));
    found.into_iter().take(CONTACTS_MAX).map(|it| it.1.into()).collect()
}

/// A phone's refusal as the other phone may see it: a challenge is between the phone and somebody
/// else, and a redirection is not followed.
pub(super) fn for_the_other_side(code: u16) -> u16 {
    match code {
        300..=399 | 401 | 407 => 403,
        // What it requires of a request is between it and us.
        420..=422 => 488,
        _ => code,
    }
}

/// What the caller is told besides. Retry-After of a 503 is about this server, which then gets no
/// call at all for so long (RFC 3261 §21.5.4): not for what a carrier cannot do.
fn told(mut told: Told, code: ReleaseCode, status: u16) -> Told {
    if status == 503 {
        told.retain(|it| it.0 != "Retry-After");
        if matches!(code, ReleaseCode::SystemOverload | ReleaseCode::SystemShutdown) {
            told.push(("Retry-After", "10".into()));
        }
    }
    told
}

impl Call {
    /// Ends the call for a reason of our own.
    pub fn end(&mut self, office: &mut Office, code: ReleaseCode, by: Side, now: Instant) {
        self.end_as(office, code, by, Cause::default(), now);
    }

    /// Ends the call; what a phone said of it is passed on. Does nothing to an ended one.
    pub(super) fn end_as(
        &mut self,
        office: &mut Office,
        code: ReleaseCode,
        by: Side,
        cause: Cause,
        now: Instant,
    ) {
        if matches!(self.state, State::Ended { .. })
            || self.goes_elsewhere(office, (code, by), &cause, now)
        {
            return;
        }
        let status = match self.answered {
            Some(_) => 200,
            // A phone may answer and leave before the caller hears of it.
            None => match cause.status.unwrap_or_else(|| code.status()) {
                ..300 => 480,
                status => status,
            },
        };
        let q850 = cause.q850.unwrap_or_else(|| code.cause());
        self.cancel_transfer(office);
        self.undo_join(office, (code, status), now);
        self.state = State::Ended { recorded: false };
        self.invite = None;
        let ours = Short::new().text("Q.850;cause=").decimal(q850.into());
        let reason = cause.reason.as_deref().unwrap_or(&ours);
        let told = told(cause.told, code, status);
        self.release_sessions(office, status, (reason, &told), now);
        self.refuse_asks(office, now);
        self.outward.left.clear();
        self.counts.give_back(office, self.tenant);
        office.connects.retain(|_, owner| owner.serial != self.place.1);
        let record = &mut self.record;
        record.sip_status = status;
        record.q850_cause = q850;
        record.released_by = Some(by);
        record.release_code = Some(code);
        record.furnish(code);
        record.duration_ms = millis(now.saturating_duration_since(self.started));
        record.billable_ms =
            self.answered.map_or(0, |at| millis(now.saturating_duration_since(at)));
        record.ended_at = Some(office.utc);
        #[cfg(feature = "planted-bugs")]
        if self.answered.is_none() && office.is_planted(Planted::KeptLease) {
            self.media = super::CallMedia::default();
        }
        #[cfg(feature = "planted-bugs")]
        if let Some(at) =
            record.answered_at.filter(|_| office.is_planted(Planted::WallClockBilling))
        {
            record.billable_ms = millis(office.utc.since(at));
        }
        self.media.close(office, self.id, now);
        if self.media.deadline().is_none() {
            self.finish(office, now);
        }
    }

    /// The process ends: no phone is waited for longer than this.
    pub fn hurry(&mut self, until: Instant) {
        for leg in self.legs() {
            if let Some(session) = self.session(leg) {
                session.hurry(until);
            }
        }
    }

    /// Writes the record, once: the media figures are in, or will not come.
    pub(super) fn finish(&mut self, office: &mut Office, now: Instant) {
        let State::Ended { recorded } = &mut self.state else { return };
        if std::mem::replace(recorded, true) {
            return;
        }
        self.media.describe(&mut self.record);
        self.note_silence(now);
        super::facts::settle(&mut self.record);
        let record = &self.record;
        office.counters.calls_active -= 1;
        office.counters.ended(record);
        #[cfg(feature = "planted-bugs")]
        if self.forks.len() > 1 && office.is_planted(Planted::SecondRecord) {
            office.record(Record::CallEnded(self.record.share()));
        }
        office.record(Record::CallEnded(self.record.share()));
        office.event(Event::CallEnded(self.record.share()));
    }

    /// The first INVITE of the caller gets its final response, every fork its CANCEL, every
    /// running session its BYE.
    fn release_sessions(
        &mut self,
        office: &mut Office,
        status: u16,
        (reason, told): (&str, &[(&'static str, Box<str>)]),
        now: Instant,
    ) {
        #[cfg(feature = "planted-bugs")]
        if status == 487 && office.is_planted(Planted::ForgottenRefusal) {
            return;
        }
        for leg in self.legs() {
            match leg {
                // Another call gets it, or it ends when none does.
                leg if self.parting.contains(&leg) => {}
                LegId::Caller => self.release_caller(office, status, (reason, told), now),
                LegId::Callee(index) => self.release_fork(office, index.into(), reason, now),
            }
        }
    }

    fn release_caller(
        &mut self,
        office: &mut Office,
        status: u16,
        (reason, told): (&str, &[(&'static str, Box<str>)]),
        now: Instant,
    ) {
        self.with_session(office, LegId::Caller, now, |session, seat| {
            if session.is_early() {
                let extra = |writer: &mut Writer| {
                    writer.text_header("Reason", reason);
                    for (name, value) in told {
                        writer.text_header(name, value);
                    }
                };
                session.refuse(seat, (status, reason_phrase(status)), &extra);
            } else {
                session.close(seat, reason);
            }
        });
    }

    /// The way of a BYE is broken: its phone is told by another way, where there is one.
    pub(super) fn say_farewell(&self, office: &mut Office, leg: LegId) {
        let Some(leg) = self.leg(leg) else { return };
        office.farewells.push(Farewell {
            tenant: self.tenant,
            number: leg.number.clone(),
            dialog: facts(&leg.session),
            reason: format!("Q.850;cause={}", self.record.q850_cause),
        });
    }

    /// A phone whose stream broke during the call may have registered over a new one.
    fn follow_device(&mut self, office: &Office, index: usize) {
        let Some(fork) = self.forks.get_mut(index) else { return };
        let (Some(device), Some(leg)) = (&fork.device, &mut fork.leg) else { return };
        let bindings = office.registrar.bindings(device.tenant, &device.extension);
        let newest = bindings.iter().map(|it| &it.binding).find(|it| it.key == *device);
        if let Some(flow) = newest.map(|it| it.flow).filter(|it| it.connection.is_some()) {
            leg.session.flow = flow;
        }
    }

    pub(super) fn release_fork(
        &mut self,
        office: &mut Office,
        index: usize,
        reason: &str,
        now: Instant,
    ) {
        self.follow_device(office, index);
        self.with_session(office, fork_id(index), now, |session, seat| {
            session.cancel(seat, reason);
            session.close(seat, reason);
        });
    }
}
