//! A feature code that changes a setting: it is done at once, the phone gets an answer, and a moment
//! later a BYE whose Reason says what was done.
//!
//! Phones show a refusal as a failure, whatever its text; so what was done is answered with 200, and
//! only what was not done is refused. Announcements will take the place of the moment.

use super::begin::{Attempt, dice, unusable};
use super::end::Cause;
use super::pickup::Ringing;
use super::{Call, State};
use crate::dialplan::{self, Caller, Candidate, DialledFeature, Feature, Query};
use crate::directory::Extension;
use crate::office::{LegId, Office};
use crate::record::{CallStarted, Record, Side};
use crate::release::ReleaseCode;
use crate::supplementary::{Forwarding, PhoneChange, is_forwardable};
use sip::message::Message;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// There is no such number, now or later.
const NOWHERE: [ReleaseCode; 3] =
    [ReleaseCode::RouteNoMatch, ReleaseCode::FeatureUnknown, ReleaseCode::CalleeUnknown];

/// How long the phone shows that it was answered.
const CONFIRMED_FOR: Duration = Duration::from_secs(1);

/// The phone is told that its code was carried out.
#[derive(Debug)]
pub(super) struct Confirming {
    until: Instant,
    /// What the BYE says.
    done: String,
}

impl Call {
    pub(super) fn start_feature(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        dialled: &DialledFeature,
        now: Instant,
    ) {
        let Some(by) = attempt.origin.extension() else {
            return self.answer_echo(office, attempt.message, now);
        };
        match dialled.feature {
            Feature::Echo => self.answer_echo(office, attempt.message, now),
            Feature::PickUp => {
                let ringing = Ringing::Of(dialled.number.clone());
                self.pick_up(office, attempt, (by, ringing), now);
            }
            Feature::PickUpInGroup => self.pick_up(office, attempt, (by, Ringing::InGroup), now),
            Feature::DoNotDisturb | Feature::DoNotDisturbOff => {
                let on = dialled.feature == Feature::DoNotDisturb;
                office.set_by_phone(self.tenant, &by.number, PhoneChange::DoNotDisturb(on));
                let done = if on { "Do not disturb" } else { "Calls come in again" };
                self.confirm(office, attempt, done.to_owned(), now);
            }
            Feature::ForwardBusy
            | Feature::ForwardBusyOff
            | Feature::ForwardUnreachable
            | Feature::ForwardUnreachableOff
            | Feature::ForwardNoAnswer
            | Feature::ForwardNoAnswerOff
            | Feature::ForwardAlways
            | Feature::ForwardAlwaysOff => {
                if let Some(forwarding) = dialled.feature.forwards() {
                    self.set_forwarding(office, attempt, by, (forwarding, &dialled.number), now);
                }
            }
        }
    }

    fn set_forwarding(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        by: &Arc<Extension>,
        ((when, set), number): ((Forwarding, bool), &str),
        now: Instant,
    ) {
        let number = set.then_some(number);
        if let Err(code) = may_forward(office, self, by, (when, number)) {
            return self.refuse_feature(office, code, now);
        }
        let done = match number {
            Some(number) => format!("Forwarding ({}) to {number}", when.as_str()),
            None => format!("No forwarding ({})", when.as_str()),
        };
        let change = PhoneChange::Forward(when, number.map(Into::into));
        office.set_by_phone(self.tenant, &by.number, change);
        self.confirm(office, attempt, done, now);
    }

    pub(super) fn refuse_feature(&mut self, office: &mut Office, code: ReleaseCode, now: Instant) {
        let (status, text) = (code.status(), &code.text().en);
        let reason = Some(format!("SIP;cause={status};text=\"{text}\"").into());
        self.end_as(office, code, Side::System, Cause { reason, ..Cause::default() }, now);
    }

    fn confirm(&mut self, office: &mut Office, attempt: &Attempt<'_>, done: String, now: Instant) {
        self.confirming = Some(Confirming { until: now + CONFIRMED_FOR, done });
        self.answer_silently(office, attempt.message, now);
    }

    /// Answers without media; nobody has anything to say.
    pub(super) fn answer_silently(
        &mut self,
        office: &mut Office,
        invite: &Message<'_>,
        now: Instant,
    ) {
        self.record.sent_number = self.record.dialled_number.clone();
        let sdp = match self.describe_echo(office, invite, now) {
            Ok(sdp) => sdp,
            Err(why) => return self.end(office, unusable(why), Side::System, now),
        };
        office.record(Record::CallStarted(CallStarted { record: self.record.share() }));
        self.state = State::Answered { fork: None };
        self.answered = Some(now);
        self.accept_with_sdp(office, LegId::Caller, &sdp, now);
        self.describe_answer(office, None);
        self.publish(office);
    }

    /// When [`Call::confirmed`] wants to be called.
    pub(super) fn confirmed_at(&self) -> Option<Instant> {
        let shown = matches!(self.state, State::Answered { .. });
        self.confirming.as_ref().filter(|_| shown).map(|it| it.until)
    }

    pub(super) fn confirmed(&mut self, office: &mut Office, now: Instant) {
        let Some(Confirming { done, .. }) = self.confirming.take() else { return };
        let reason = Some(format!("SIP;cause=200;text=\"{done}\"").into());
        let cause = Cause { reason, ..Cause::default() };
        self.end_as(office, ReleaseCode::FeatureDone, Side::System, cause, now);
    }
}

/// Whether the extension may forward, and to this number: what could not be dialled is refused while
/// somebody is there to hear it.
fn may_forward(
    office: &mut Office,
    call: &Call,
    by: &Arc<Extension>,
    (when, number): (Forwarding, Option<&str>),
) -> Result<(), ReleaseCode> {
    if !by.services.may_forward.has(when) {
        return Err(ReleaseCode::FeatureDenied);
    }
    let Some(number) = number else { return Ok(()) };
    if !is_forwardable(number) || *number == *by.number {
        return Err(ReleaseCode::FeatureBadNumber);
    }
    let query = Query {
        tenant: call.tenant,
        caller: Caller::Extension(&by.number),
        dialled: number,
        on_behalf_of: None,
        hides: false,
        at: office.utc,
        dice: dice(&mut *office.rng),
    };
    let directory = office.directory.clone();
    match dialplan::route(&directory, office, &query).outcome {
        Ok(candidates) if matches!(candidates.first(), Some(Candidate::Feature(_))) => {
            Err(ReleaseCode::FeatureBadNumber)
        }
        Err(refusal) if refusal.code == ReleaseCode::RouteDeniedLevel => Err(refusal.code),
        Err(refusal) if NOWHERE.contains(&refusal.code) => Err(ReleaseCode::FeatureBadNumber),
        // It may be good at another time.
        Ok(_) | Err(_) => Ok(()),
    }
}
