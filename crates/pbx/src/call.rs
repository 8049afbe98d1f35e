//! A call: the caller's leg, the forks to the callee's phones, and what happens between them
//! (a signalling B2BUA, RFC 7092).
//!
//! A file per thing that happens to a call: [`begin`], [`fork`] (its phones and their responses),
//! [`early`] (whose early media is heard), [`modify`] (re-INVITE and hold), [`update`] (UPDATE), [`reliable`] (PRACK),
//! [`relay_request`] (INFO, MESSAGE), [`digits`] (DTMF in another form), [`transfer`] (REFER), [`join`] (Replaces), [`forward`]
//! (forwarding, 3xx of a phone), [`redirect`] (3xx from outside), [`confirm`] (feature codes),
//! [`pickup`], [`placed`] (by order of a program), [`end`]. A session says what a message means; the call says what follows.

pub mod begin;
pub(crate) mod body;
mod challenge;
mod confirm;
pub mod counts;
mod digits;
pub(crate) mod diversion;
mod early;
mod echo;
pub mod edition;
mod end;
mod facts;
pub(crate) mod fork;
pub mod forward;
pub mod headers;
pub(crate) mod introduce;
pub mod join;
pub mod locate;
pub mod media;
mod modify;
pub mod outside;
mod own_offer;
mod path;
pub mod pickup;
pub mod placed;
mod redirect;
pub mod refer_to;
mod relay_request;
mod reliable;
mod ringback;
mod status;
pub mod transfer;
mod update;

use crate::id::{CallId, TenantId};
use crate::media::Event as MediaEvent;
use crate::names::Waiter;
use crate::office::{LegId, Office, Owner, TransactionUser};
use crate::privacy::Privacy;
use crate::record::{CallRecord, Side};
use crate::release::ReleaseCode;
use crate::shared::Shared;
use crate::supplementary::Forwarding;
use crate::verdict::fact::{Place, What, words};
use bytes::Bytes;
use early::Early;
use edition::Edition;
use fork::Fork;
use media::{CallMedia, Half};
use relay_request::Ask;
use sip::endpoint::{ClientTx, ServerTx};
use sip::message::{Essentials, Message};
use sip::session::{Answer, Overdue, Request, Seat, Session};
use sip::{Flow, Tag};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::time::Instant;

/// Most phones called for one number.
pub const FORKS_MAX: usize = 10;

/// One side's phone within a call.
#[derive(Debug)]
pub struct Leg {
    pub session: Session,
    pub tag: Tag,
    pub number: SmolStr,
    pub user_agent: SmolStr,
    pub media_source: crate::media::MediaSource,
    /// How it wants digits.
    pub dtmf: crate::interop::Dtmf,
    /// It is nobody of ours: behind a line or a trunk.
    pub outside: bool,
    /// Who we are to it, where it is behind a line.
    pub credentials: Option<Box<challenge::Credentials>>,
    /// What it wants withheld of itself, wherever it goes.
    pub privacy: Privacy,
    /// What it was told of the session, whoever it came from.
    pub edition: Edition,
}

/// One call attempt and what it became.
#[derive(Debug)]
pub struct Call {
    pub id: CallId,
    pub tenant: TenantId,
    /// Its place and serial number: the owner of its transactions is this with a leg.
    place: (usize, u32),
    record: Shared<CallRecord>,
    started: Instant,
    answered: Option<Instant>,
    pub caller: Leg,
    forks: Vec<Fork>,
    state: State,
    media: CallMedia,
    modifying: Option<Modifying>,
    asks: SmallVec<[Ask; 1]>,
    digits: Vec<digits::Outbox>,
    outward: outside::Outward,
    counts: counts::Counts,
    /// The INVITE as it came, for a phone whose stream is being opened and for forwarding.
    invite: Option<Bytes>,
    /// A phone asked for a transfer of this call.
    transfer: Option<transfer::Transfer>,
    /// The server places it for somebody: there is no caller.
    placing: Option<Box<placed::Placing>>,
    /// Its legs come from other calls.
    joining: Option<Box<join::Joining>>,
    /// Legs another call is to get by an errand: whatever ends this one leaves them alone.
    parting: SmallVec<[LegId; 2]>,
    /// Who sent the call on before it came here.
    history: diversion::History,
    /// Numbers that the phone named besides, which sent the call here.
    others: Vec<Box<str>>,
    /// A feature code was carried out: until then the phone shows it.
    confirming: Option<confirm::Confirming>,
    /// It is to pick up another one.
    picking: Option<pickup::Picking>,
    /// Forks that pick this one up.
    pickers: SmallVec<[LegId; 1]>,
    /// The target's offer, until the transferee is here.
    offer: Option<body::OwnedBody>,
}

#[derive(Debug)]
enum State {
    /// Phones are being called.
    Calling {
        give_up_at: Instant,
        /// It is given up because the caller said so (Expires), not because we do.
        expires: bool,
        /// The newest provisional the caller got.
        progress: Option<u16>,
        early: Early,
        /// The callee makes the offer (the INVITE had none).
        late_offer: bool,
    },
    /// Somebody answered; `None` is the echo test.
    Answered { fork: Option<usize> },
    /// Released; the sessions come to their ends.
    Ended { recorded: bool },
}

/// A re-INVITE on its way through.
#[derive(Clone, Copy, Debug)]
struct Modifying {
    /// The leg that asked.
    by: LegId,
    /// It brought the offer; otherwise the other leg's 2xx does, and the answer is in the ACK.
    with_offer: bool,
    purpose: Purpose,
}

/// What a re-INVITE of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// A phone's own re-INVITE.
    Change,
    /// It came as this UPDATE, for a phone that has none.
    Update(ServerTx),
    /// The target of a transfer is to make an offer.
    Ask,
    /// The transferee is to answer it.
    Meet,
    /// A side that answered an offer of ours hears what the other one says.
    Align,
}

impl Call {
    /// A request within one of the call's dialogs.
    pub fn handle_request(
        &mut self,
        office: &mut Office,
        leg: LegId,
        flow: Flow,
        (message, it): (&Message<'_>, &Essentials<'_>),
        now: Instant,
    ) {
        let owner = self.owner(leg);
        let Some(session) = self.session(leg) else { return };
        let mut seat = office.seat(owner, now);
        match session.handle_request(&mut seat, flow, message, it) {
            Request::Acked => self.acked(office, leg, message, now),
            Request::Modify => self.modify_asked(office, leg, message, now),
            Request::Closed => self.hung_up(office, leg, message, now),
            Request::Acknowledged(prack) => self.acknowledged(office, prack, message, now),
            Request::Other(transaction) => {
                self.asked(office, leg, transaction, (message, it), now);
            }
            Request::Nothing => {}
        }
    }

    /// A response to a request of one of the call's sessions.
    pub fn handle_response(
        &mut self,
        office: &mut Office,
        leg: LegId,
        transaction: ClientTx,
        (message, it): (&Message<'_>, &Essentials<'_>),
        now: Instant,
    ) {
        if matches!(message.status(), Some(401 | 407))
            && self.answers_within(office, leg, transaction, (message, it), now)
        {
            return;
        }
        let owner = self.owner(leg);
        let Some(session) = self.session(leg) else { return };
        let mut seat = office.seat(owner, now);
        let answer = session.handle_response(&mut seat, transaction, message, it);
        if let Some(place) = session.take_named() {
            office.wait_for(&place, Waiter::Contact(owner), now);
        }
        self.answered_by(office, leg, answer, Some(message), now);
    }

    /// A request of one of the call's sessions got no response (408), or its way broke (503).
    pub fn handle_failure(
        &mut self,
        office: &mut Office,
        leg: LegId,
        transaction: ClientTx,
        code: u16,
        now: Instant,
    ) {
        let Some(session) = self.session(leg) else { return };
        let answer = session.handle_failure(transaction, code, now);
        self.answered_by(office, leg, answer, None, now);
    }

    /// A phone gave up its INVITE, the first or a later one; the CANCEL is answered already.
    pub fn handle_cancel(
        &mut self,
        office: &mut Office,
        leg: LegId,
        (invite, message): (ServerTx, &Message<'_>),
        now: Instant,
    ) {
        let session = self.session(leg).filter(|it| it.is_open_invite(invite));
        let Some(session) = session else { return };
        if session.is_early() {
            let (code, cause) = (ReleaseCode::CallerCancelled, end::Cause::of(message));
            self.end_as(office, code, Side::Caller, cause, now);
        } else {
            self.modify_cancelled(office, leg, now);
        }
    }

    /// The stream of a phone's open INVITE is lost. Before the answer nobody waits for one any more;
    /// a re-INVITE is answered into the void, and the call goes on.
    pub fn handle_lost(&mut self, office: &mut Office, leg: LegId, invite: ServerTx, now: Instant) {
        let waits = self.session(leg).is_some_and(|it| it.is_open_invite(invite));
        if waits && matches!(self.state, State::Calling { .. }) {
            let cause = end::Cause { status: Some(487), ..end::Cause::default() };
            self.note(Place::Caller, What::StreamLost, now);
            self.end_as(office, ReleaseCode::DialogPeerVanished, Side::Caller, cause, now);
        }
    }

    pub fn handle_media(&mut self, office: &mut Office, event: MediaEvent, now: Instant) {
        match event {
            MediaEvent::Configured { revision, .. } => self.media.configured(revision),
            MediaEvent::Failed { reason, .. } => {
                self.note(Place::Office, What::MediaFailed { reason: words(&reason) }, now);
                self.end(office, ReleaseCode::MediaFailed, Side::System, now);
            }
            MediaEvent::Closed { figures, .. } => {
                self.media.finish(Some(figures));
                self.finish(office, now);
            }
            MediaEvent::Progress { figures, .. } => {
                self.media.progress(figures);
                self.publish(office);
            }
            MediaEvent::Silent { transport, .. } => {
                let for_s = office.settings(self.tenant).rtp_timeout_s;
                let place = self.place_of_half(media::half_of(transport));
                self.note(place, What::MediaStopped { for_s }, now);
                self.end(office, ReleaseCode::MediaTimeout, Side::System, now);
            }
            MediaEvent::Pressed { transport, press, .. } => {
                self.heard_digit(office, (transport, press), now);
            }
            MediaEvent::Latched { .. } | MediaEvent::PortsReady { .. } => {}
        }
    }

    /// When [`Call::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let give_up = match self.state {
            State::Calling { give_up_at, .. } => Some(give_up_at),
            State::Answered { .. } | State::Ended { .. } => None,
        };
        let legs = self.sessions().filter_map(Session::poll_timeout);
        let others = [give_up, self.silence_ends_at(), self.media.deadline(), self.confirmed_at()];
        legs.chain(others.into_iter().flatten()).min()
    }

    pub fn handle_timeout(&mut self, office: &mut Office, now: Instant) {
        for leg in self.legs() {
            let owner = self.owner(leg);
            let Some(session) = self.session(leg) else { continue };
            // It forgets its interval when that is over.
            let interval_s = session.refresh_interval_s();
            let overdue = session.handle_timeout(&mut office.seat(owner, now));
            let Some(overdue) = overdue else { continue };
            let code = match overdue {
                Overdue::Ack => ReleaseCode::DialogNoAck,
                Overdue::Prack => ReleaseCode::DialogNoPrack,
                Overdue::Refresh => ReleaseCode::DialogRefreshFailed,
            };
            self.note_overdue(office, leg, (overdue, interval_s), now);
            self.end(office, code, Side::System, now);
        }
        if self.media.deadline().is_some_and(|at| at <= now) {
            self.media.finish(None);
            self.end(office, ReleaseCode::MediaFailed, Side::System, now);
            self.finish(office, now);
        }
        if self.confirmed_at().is_some_and(|at| at <= now) {
            self.confirmed(office, now);
        }
        if self.silence_ends_at().is_some_and(|at| at <= now) {
            self.outside_is_silent(office, now);
        }
        if let State::Calling { give_up_at, expires, .. } = self.state
            && give_up_at <= now
        {
            if !expires && self.is_forwarded(office, Forwarding::NoAnswer, now) {
                return;
            }
            let waited = give_up_at.saturating_duration_since(self.started).as_secs();
            let after_s = u32::try_from(waited).unwrap_or(u32::MAX);
            self.note(Place::Office, What::NoAnswer { after_s }, now);
            let status = expires.then_some(487);
            let cause = end::Cause { status, ..end::Cause::default() };
            self.end_as(office, ReleaseCode::CalleeNoAnswer, Side::System, cause, now);
        }
    }

    /// Nothing of the call is left to do.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Ended { recorded: true })
            && self.sessions().all(Session::is_closed)
    }

    /// The tags the call has claimed.
    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let forks = self.forks.iter().filter_map(|it| it.leg.as_ref()).map(|it| it.tag);
        std::iter::once(self.caller.tag).chain(forks)
    }

    pub fn owner(&self, leg: LegId) -> Owner {
        Owner { call: self.place.0, serial: self.place.1, leg }
    }

    /// A session by its leg.
    pub fn session(&mut self, leg: LegId) -> Option<&mut Session> {
        self.leg_mut(leg).map(|it| &mut it.session)
    }

    /// The leg a request within a dialog comes from, for checks before it is taken.
    pub fn leg(&self, leg: LegId) -> Option<&Leg> {
        match leg {
            LegId::Caller => Some(&self.caller),
            LegId::Callee(index) => self.forks.get(usize::from(index))?.leg.as_ref(),
        }
    }

    fn leg_mut(&mut self, leg: LegId) -> Option<&mut Leg> {
        leg_of(&mut self.caller, &mut self.forks, leg)
    }

    fn legs(&self) -> SmallVec<[LegId; 4]> {
        let forks = (0..self.forks.len()).map(fork_id);
        std::iter::once(LegId::Caller).chain(forks).collect()
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        let forks = self.forks.iter().filter_map(|it| it.leg.as_ref());
        std::iter::once(&self.caller).chain(forks).map(|it| &it.session)
    }

    /// Runs `act` on a leg's session with its seat.
    fn with_session<T>(
        &mut self,
        office: &mut Office,
        leg: LegId,
        now: Instant,
        act: impl FnOnce(&mut Session, &mut Seat<'_, TransactionUser>) -> T,
    ) -> Option<T> {
        let owner = self.owner(leg);
        let session = self.session(leg)?;
        Some(act(session, &mut office.seat(owner, now)))
    }

    /// The leg on the other side of an answered call.
    fn other(&self, leg: LegId) -> Option<LegId> {
        let State::Answered { fork: Some(fork) } = self.state else { return None };
        match leg {
            LegId::Caller => Some(fork_id(fork)),
            LegId::Callee(_) if leg == fork_id(fork) => Some(LegId::Caller),
            LegId::Callee(_) => None,
        }
    }

    fn answered_by(
        &mut self,
        office: &mut Office,
        leg: LegId,
        answer: Answer,
        message: Option<&Message<'_>>,
        now: Instant,
    ) {
        match (answer, leg, message) {
            (Answer::Progress { code, reliable }, LegId::Callee(fork), Some(message)) => {
                self.heard_of(office, fork.into(), now);
                self.progress(office, fork.into(), (code, reliable), message, now);
            }
            (Answer::Trying, LegId::Callee(fork), _) => self.heard_of(office, fork.into(), now),
            (Answer::Accepted, LegId::Callee(fork), Some(message)) if self.awaits_first() => {
                self.first_answered(office, fork.into(), message, now);
            }
            (Answer::Accepted, LegId::Callee(fork), Some(message)) => {
                self.accepted(office, fork.into(), message, now);
            }
            (Answer::Refused(code), LegId::Callee(fork), message) => {
                self.refused(office, fork.into(), code, message, now);
            }
            (Answer::Modified, LegId::Callee(fork), Some(message)) if self.is_picker(leg) => {
                self.accepted(office, fork.into(), message, now);
            }
            (Answer::ModifyRefused(code), LegId::Callee(fork), _) if self.is_picker(leg) => {
                self.picker_failed(office, fork.into(), code, now);
            }
            (Answer::Modified, _, Some(message)) => self.modified(office, leg, message, now),
            (Answer::ModifyRefused(code), ..) => {
                self.modify_refused(office, leg, code, message, now);
            }
            (Answer::Other(transaction, code), ..) => {
                self.note_answer(leg, code, message, now);
                self.ask_answered(office, (leg, transaction), (code, message), now);
            }
            (Answer::Vanished(code), ..) => self.vanished(office, leg, code, now),
            (Answer::Unheard, ..) => self.say_farewell(office, leg),
            // A caller's session sends no first INVITE.
            (
                Answer::Progress { .. }
                | Answer::Trying
                | Answer::Accepted
                | Answer::Refused(_)
                | Answer::Modified
                | Answer::Closed
                | Answer::Nothing,
                ..,
            ) => {}
        }
    }

    fn hung_up(&mut self, office: &mut Office, leg: LegId, message: &Message<'_>, now: Instant) {
        let (code, side) = match (&self.state, leg) {
            (State::Calling { .. }, LegId::Caller) => (ReleaseCode::CallerCancelled, Side::Caller),
            // The answer still waits for the caller's PRACK.
            (State::Answered { .. }, LegId::Caller) if self.answered.is_none() => {
                (ReleaseCode::CallerCancelled, Side::Caller)
            }
            (State::Answered { .. }, LegId::Caller) => (ReleaseCode::CallerHangup, Side::Caller),
            (State::Answered { fork: Some(fork) }, _) if leg == fork_id(*fork) => {
                (ReleaseCode::CalleeHangup, Side::Callee)
            }
            (State::Calling { .. }, LegId::Callee(fork)) => {
                return self.fork_failed(office, fork.into(), (487, end::Cause::default()), now);
            }
            (State::Answered { .. } | State::Ended { .. }, _) => return,
        };
        let left = self.leave_transfer(office, leg);
        let code = match (left, side) {
            (true, Side::Caller) => ReleaseCode::CallerTransferred,
            (true, _) => ReleaseCode::CalleeTransferred,
            (false, _) => code,
        };
        self.end_as(office, code, side, end::Cause::of(message), now);
    }
}

/// A leg, beside what else of the call is at work.
fn leg_of<'a>(caller: &'a mut Leg, forks: &'a mut [Fork], leg: LegId) -> Option<&'a mut Leg> {
    match leg {
        LegId::Caller => Some(caller),
        LegId::Callee(index) => forks.get_mut(usize::from(index))?.leg.as_mut(),
    }
}

/// The leg of a fork; there are at most [`FORKS_MAX`].
fn fork_id(index: usize) -> LegId {
    LegId::Callee(u8::try_from(index).unwrap_or(u8::MAX))
}

fn half(leg: LegId) -> Half {
    match leg {
        LegId::Caller => Half::Caller,
        LegId::Callee(_) => Half::Callee,
    }
}
