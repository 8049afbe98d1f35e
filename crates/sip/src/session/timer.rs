//! Session timers (RFC 4028): a session that nobody refreshes is over. Each leg has its own.
//!
//! Which side refreshes is agreed on in every INVITE and UPDATE and its 2xx. Ours goes out at half of
//! the interval, as UPDATE where the peer takes that, else as a re-INVITE with the description that
//! stands; the peer's is answered here.

use super::accept::finish;
use super::{Answer, Body, InviteState, Overdue, Seat, Session, no_extra, write_supported};
use crate::endpoint::ClientTx;
use crate::message::{
    Essentials, HeaderName, Message, Method, MinSe, Refresher, SessionExpires, Writer,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// What RFC 4028 §5 has for a peer without Min-SE, and the least anybody may ask for. Unit: seconds.
const MIN_S: u32 = 90;
/// How long after a refresh that could not be sent or was put off the next is tried.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// Most times an INVITE or a refresh is sent again because its interval was too small (422).
const RAISED_MAX: u8 = 2;

/// What we want of session timers. Unit: seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The interval we ask for; 0: none.
    pub expires_s: u32,
    /// The smallest we take.
    pub min_s: u32,
}

/// What an INVITE or UPDATE of the peer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    expires_s: Option<u32>,
    refresher: Option<Refresher>,
    min_s: u32,
    supports: bool,
}

/// What request and 2xx agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    interval_s: u32,
    refresher: Refresher,
}

#[derive(Debug, Default)]
pub(super) struct Timer {
    terms: Terms,
    /// Of the peer's newest INVITE or UPDATE.
    asked: Asked,
    running: Running,
    /// Our refresh, and how often its interval was raised.
    refresh: Option<ClientTx>,
    raised: u8,
    /// Our newest description, and one that is not accepted yet. Kept while the timer runs, and
    /// before the answer, which tells whether it will.
    ours: Option<Kept>,
    draft: Option<Kept>,
    /// The draft went out in a PRACK.
    draft_in_prack: bool,
    /// The peer's newest description, and one that we have not accepted yet: their hashes.
    theirs: Option<u64>,
    offered: Option<u64>,
}

#[derive(Debug, Default)]
enum Running {
    #[default]
    Off,
    /// We refresh.
    Ours { interval_s: u32, refresh_at: Instant, over_at: Instant },
    /// The peer does.
    Theirs { interval_s: u32, over_at: Instant },
}

/// A body of ours.
#[derive(Debug)]
struct Kept {
    content_type: Box<str>,
    bytes: Box<[u8]>,
}

impl Kept {
    fn of(body: Option<Body<'_>>) -> Option<Self> {
        body.map(|it| Self { content_type: it.content_type.into(), bytes: it.bytes.into() })
    }

    fn view(&self) -> Body<'_> {
        Body { content_type: &self.content_type, bytes: &self.bytes }
    }
}

/// Whether a request asks for less than we take, from a peer that would understand that: 422
/// (RFC 4028 §9).
pub fn is_too_brief(message: &Message<'_>, min_s: u32) -> bool {
    Asked::of(message).is_too_brief(min_s)
}

impl Session {
    /// How long the session lasts without a refresh, in seconds; 0: for ever.
    pub fn refresh_interval_s(&self) -> u32 {
        match self.timer.running {
            Running::Ours { interval_s, .. } | Running::Theirs { interval_s, .. } => interval_s,
            Running::Off => 0,
        }
    }
}

impl Asked {
    fn of(message: &Message<'_>) -> Self {
        let headers = &message.headers;
        let expires = headers.find::<SessionExpires>().ok().flatten();
        let has = |name| headers.has_token(name, "timer");
        Self {
            expires_s: expires.map(|it| it.seconds),
            refresher: expires.and_then(|it| it.refresher),
            min_s: headers.find::<MinSe>().ok().flatten().map_or(0, |it| it.0),
            supports: has(HeaderName::Supported) || has(HeaderName::Require),
        }
    }

    fn is_too_brief(&self, min_s: u32) -> bool {
        self.supports && self.expires_s.is_some_and(|it| it < min_s)
    }
}

/// What we grant as UAS (RFC 4028 §9, table 2).
fn grant(asked: &Asked, terms: Terms) -> Option<Agreed> {
    let (interval_s, refresher) = match (asked.expires_s, asked.supports) {
        (None, false) => return None,
        (None, true) if terms.expires_s == 0 => return None,
        (None, true) => (terms.expires_s.max(asked.min_s), Refresher::Uas),
        // Nobody could be told that it is too small.
        (Some(wanted), false) if wanted < terms.min_s => return None,
        (Some(wanted), supports) => {
            let ours = if terms.expires_s == 0 { wanted } else { terms.expires_s };
            let least = asked.min_s.max(terms.min_s).min(wanted);
            let chosen = if supports { asked.refresher } else { Some(Refresher::Uas) };
            (wanted.min(ours).max(least), chosen.unwrap_or(Refresher::Uac))
        }
    };
    Some(Agreed { interval_s, refresher })
}

/// What the peer granted in its 2xx (§7.2); without Session-Expires the session has no end.
fn granted(message: &Message<'_>, min_s: u32) -> Option<Agreed> {
    let it = message.headers.find::<SessionExpires>().ok().flatten()?;
    let refresher = it.refresher.unwrap_or(Refresher::Uac);
    Some(Agreed { interval_s: it.seconds.max(min_s.max(MIN_S)), refresher })
}

/// A session is ended a little before its end (§10).
fn lasts(interval_s: u32) -> Duration {
    let whole = Duration::from_secs(interval_s.into());
    whole.saturating_sub(Duration::from_secs(32).min(whole / 3))
}

impl Running {
    fn of(agreed: Option<Agreed>, ours: Refresher, now: Instant) -> Self {
        let Some(Agreed { interval_s, refresher }) = agreed else { return Self::Off };
        let over_at = now + lasts(interval_s);
        if refresher == ours {
            let refresh_at = now + Duration::from_secs(interval_s.into()) / 2;
            Self::Ours { interval_s, refresh_at, over_at }
        } else {
            Self::Theirs { interval_s, over_at }
        }
    }
}

impl Timer {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }

    pub(super) fn runs(&self) -> bool {
        !matches!(self.running, Running::Off)
    }

    /// The peer sent an INVITE or UPDATE.
    pub(super) fn hear_request(&mut self, message: &Message<'_>) {
        self.asked = Asked::of(message);
        if self.offered.take().is_some() {
            // It was refused, or still awaits its answer: which description stands is not sure.
            self.theirs = None;
        }
        self.offered = hash(message);
    }

    /// The peer described itself anew before the answer: what its INVITE said does not stand.
    pub(super) fn hear_early_offer(&mut self) {
        (self.offered, self.theirs) = (None, None);
    }

    /// The peer has another address: a description of it that stands is to be looked at again.
    pub(super) fn hear_move(&mut self) {
        self.theirs = None;
    }

    /// The headers of an INVITE that begins a session.
    pub(super) fn write_first(&self, writer: &mut Writer) {
        if self.terms.expires_s > 0 {
            writer.header("Session-Expires", self.terms.expires_s);
            self.write_min(writer);
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.terms.expires_s > 0
    }

    /// The peer knows no session timer.
    pub(super) fn do_without(&mut self) {
        self.terms.expires_s = 0;
    }

    /// The headers of a request of ours within the session.
    pub(super) fn write_later(&self, writer: &mut Writer, further: &str) {
        write_supported(writer, [if self.runs() { "timer" } else { "" }, further]);
        let (interval_s, refresher) = match self.running {
            Running::Off => return,
            Running::Ours { interval_s, .. } => (interval_s, Refresher::Uac),
            Running::Theirs { interval_s, .. } => (interval_s, Refresher::Uas),
        };
        let refresher = refresher.as_str();
        writer.header("Session-Expires", format_args!("{interval_s};refresher={refresher}"));
        self.write_min(writer);
    }

    /// Answers the peer's request: writes the headers of the 2xx, and the timer runs by them.
    pub(super) fn accept(&mut self, writer: &mut Writer, now: Instant) {
        let agreed = grant(&self.asked, self.terms);
        if let Some(Agreed { interval_s, refresher }) = agreed {
            if self.asked.supports {
                writer.text_header("Require", "timer");
            }
            let refresher = refresher.as_str();
            writer.header("Session-Expires", format_args!("{interval_s};refresher={refresher}"));
        }
        self.running = Running::of(agreed, Refresher::Uas, now);
        self.theirs = self.offered.take().or(self.theirs);
    }

    /// The peer's 2xx to our refresh.
    pub(super) fn refreshed(&mut self, message: &Message<'_>, now: Instant) {
        let agreed = granted(message, self.terms.min_s);
        self.running = Running::of(agreed, Refresher::Uac, now);
        self.theirs = hash(message).or(self.theirs);
    }

    /// The peer's 2xx to a request of ours.
    pub(super) fn accepted(&mut self, message: &Message<'_>, now: Instant) {
        self.refreshed(message, now);
        if let Some(draft) = self.draft.take().filter(|_| self.runs()) {
            self.ours = Some(draft);
        }
    }

    /// A description of ours that stands from now on.
    pub(super) fn keep(&mut self, body: Option<Body<'_>>) {
        match Kept::of(body.filter(|_| self.runs())) {
            Some(kept) => self.ours = Some(kept),
            None if !self.runs() => self.ours = None,
            None => {}
        }
    }

    /// A description of ours that stands once the peer accepts it.
    pub(super) fn propose(&mut self, body: Option<Body<'_>>) {
        self.draft = Kept::of(body.filter(|_| self.runs()));
    }

    /// The same before the answer, in a PRACK or UPDATE.
    pub(super) fn propose_early(&mut self, body: Option<Body<'_>>, in_prack: bool) {
        if let Some(kept) = Kept::of(body) {
            (self.draft, self.draft_in_prack) = (Some(kept), in_prack);
        }
    }

    /// The peer accepted a PRACK or UPDATE, with what that one said.
    pub(super) fn accepted_early(&mut self, in_prack: bool) {
        if self.draft_in_prack == in_prack {
            self.ours = self.draft.take().or_else(|| self.ours.take());
        }
    }

    /// A description of ours that stands before the answer: it goes over that of the INVITE.
    pub(super) fn keep_early(&mut self, body: Option<Body<'_>>) {
        self.ours = Kept::of(body).or_else(|| self.ours.take());
    }

    /// The first INVITE is answered: its description stands, unless a newer one does.
    pub(super) fn begin(&mut self, body: Option<Body<'_>>) {
        if self.ours.is_none() || !self.runs() {
            self.keep(body);
        }
    }

    /// The first INVITE goes out again.
    pub(super) fn forget_early(&mut self) {
        (self.ours, self.draft) = (None, None);
    }

    /// The peer's answer in its ACK.
    pub(super) fn hear_answer(&mut self, message: &Message<'_>) {
        self.theirs = hash(message).or(self.theirs);
    }

    /// The description in a PRACK is the answer to ours, or a new offer.
    pub(super) fn hear_prack(&mut self, message: &Message<'_>) {
        if message.body.is_empty() {
            return;
        }
        if self.offered.is_some() || self.theirs.is_some() {
            self.hear_early_offer();
        } else {
            self.hear_answer(message);
        }
    }

    /// 422: asks for more next time, unless that was tried too often (§7.3).
    pub(super) fn raise(&mut self, message: &Message<'_>) -> bool {
        let Ok(Some(MinSe(least))) = message.headers.find::<MinSe>() else { return false };
        self.raised += 1;
        if self.raised > RAISED_MAX {
            return false;
        }
        self.terms.min_s = self.terms.min_s.max(least);
        self.terms.expires_s = self.terms.expires_s.max(least);
        if let Running::Ours { interval_s, .. } = &mut self.running {
            *interval_s = (*interval_s).max(least);
        }
        true
    }

    pub(super) fn poll(&self) -> Option<Instant> {
        match self.running {
            Running::Off => None,
            Running::Ours { over_at, .. } if self.refresh.is_some() => Some(over_at),
            Running::Ours { refresh_at, over_at, .. } => Some(refresh_at.min(over_at)),
            Running::Theirs { over_at, .. } => Some(over_at),
        }
    }

    pub(super) fn stop(&mut self) {
        self.running = Running::Off;
        (self.ours, self.draft) = (None, None);
    }

    /// The session's Session-Expires and Min-SE as they are to be sent again.
    pub(super) fn terms(&self) -> Terms {
        self.terms
    }

    fn write_min(&self, writer: &mut Writer) {
        if self.terms.min_s > MIN_S {
            writer.header("Min-SE", self.terms.min_s);
        }
    }

    /// Our refresh was challenged and went out again.
    pub(super) fn sent_again(&mut self, refresh: ClientTx, again: ClientTx) {
        if self.refresh == Some(refresh) {
            self.refresh = Some(again);
        }
    }

    fn try_again(&mut self, now: Instant, after: Duration) {
        if let Running::Ours { refresh_at, .. } = &mut self.running {
            *refresh_at = now + after;
        }
    }
}

impl Session {
    /// Refreshes what is due, and says when nobody did in time.
    pub(super) fn timer_timeout<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> Option<Overdue> {
        if !self.is_established() || self.timer.poll().is_none_or(|at| at > seat.now) {
            return None;
        }
        match self.timer.running {
            Running::Ours { over_at, .. } if seat.now < over_at => self.send_refresh(seat),
            Running::Ours { .. } | Running::Theirs { .. } => {
                self.timer.stop();
                return Some(Overdue::Refresh);
            }
            Running::Off => {}
        }
        None
    }

    fn send_refresh<O: Copy>(&mut self, seat: &mut Seat<'_, O>) {
        // An INVITE under way refreshes too, where it is accepted.
        if !self.may_offer() || !(self.allows_update || self.timer.ours.is_some()) {
            return self.timer.try_again(seat.now, TRY_AGAIN);
        }
        if self.allows_update {
            let update = self.request(seat, Method::Update, &no_extra, None);
            self.timer.refresh = Some(update);
            return;
        }
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.next_request(Method::Invite, branch);
        self.timer.write_later(&mut writer, seat.endpoint.supported);
        self.credentials = Box::default();
        let bytes = finish(writer, self.timer.ours.as_ref().map(Kept::view));
        let owner = Some(seat.owner);
        let invite =
            seat.endpoint.request(self.flow, Method::Invite, branch, bytes, owner, seat.now);
        self.invite_state = InviteState::Outgoing { invite };
        self.timer.refresh = Some(invite);
    }

    /// This transaction is our refresh: its response is nobody else's business.
    pub(super) fn is_refresh(&self, transaction: ClientTx) -> bool {
        self.timer.refresh == Some(transaction)
    }

    pub(super) fn refresh_answered<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (message, it): (&Message<'_>, &Essentials<'_>),
        code: u16,
    ) -> Answer {
        if code < 200 {
            return Answer::Nothing;
        }
        self.timer.refresh = None;
        if it.cseq.method == Method::Invite {
            if code < 300 {
                self.invite_state = InviteState::AckOwed { cseq: it.cseq.number };
                self.ack(seat, None);
            } else {
                self.invite_state = InviteState::Idle;
            }
        }
        if !self.is_established() {
            return Answer::Nothing;
        }
        match code {
            200..=299 => {
                self.refresh_target(message);
                self.timer.raised = 0;
                self.timer.refreshed(message, seat.now);
            }
            408 | 481 => return self.vanished(code),
            422 if self.timer.raise(message) => self.timer.try_again(seat.now, Duration::ZERO),
            // It said it would take one.
            405 | 501 if it.cseq.method == Method::Update => {
                self.allows_update = false;
                self.timer.try_again(seat.now, Duration::ZERO);
            }
            _ => self.timer.try_again(seat.now, TRY_AGAIN),
        }
        Answer::Nothing
    }

    /// Nobody answered the refresh (408), or its way broke (503).
    pub(super) fn refresh_failed(
        &mut self,
        transaction: ClientTx,
        code: u16,
        now: Instant,
    ) -> Answer {
        self.timer.refresh = None;
        if matches!(self.invite_state, InviteState::Outgoing { invite } if invite == transaction) {
            self.invite_state = InviteState::Idle;
        }
        if code == 408 && self.is_established() {
            return self.vanished(code);
        }
        // The peer may be back before the session is over.
        self.timer.try_again(now, TRY_AGAIN);
        Answer::Nothing
    }

    fn vanished(&mut self, code: u16) -> Answer {
        self.timer.stop();
        Answer::Vanished(code)
    }

    /// Whether a re-INVITE brings nothing new: its description is the one that stands.
    pub(super) fn refreshes(&self, message: &Message<'_>) -> bool {
        let known = self.timer.theirs.is_some() && hash(message) == self.timer.theirs;
        known && self.timer.runs() && self.timer.ours.is_some()
    }

    /// Answers a re-INVITE that only refreshes.
    pub(super) fn accept_refresh<O: Copy>(&mut self, seat: &mut Seat<'_, O>) {
        let Some(ours) = self.timer.ours.take() else { return };
        self.accept(seat, &no_extra, Some(ours.view()));
    }
}

/// What tells one body from another; `None` for none.
fn hash(message: &Message<'_>) -> Option<u64> {
    if message.body.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    message.body.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Refresher::{Uac, Uas};

    #[test]
    fn what_is_granted() {
        let asked =
            |expires_s, refresher, min_s, supports| Asked { expires_s, refresher, min_s, supports };
        let usual = Terms { expires_s: 1800, min_s: 90 };
        let off = Terms { expires_s: 0, min_s: 90 };
        #[rustfmt::skip]
        let table = [
            // asked                                 terms   interval, refresher
            (asked(None, None, 0, false),            usual, None),
            (asked(None, None, 0, true),             usual, Some((1800, Uas))),
            (asked(None, None, 3600, true),          usual, Some((3600, Uas))),
            (asked(None, None, 0, true),             off,   None),
            (asked(Some(600), None, 0, true),        usual, Some((600, Uac))),
            (asked(Some(600), Some(Uas), 0, true),   usual, Some((600, Uas))),
            (asked(Some(600), Some(Uac), 0, true),   off,   Some((600, Uac))),
            (asked(Some(7200), None, 0, true),       usual, Some((1800, Uac))),
            (asked(Some(7200), None, 3600, true),    usual, Some((3600, Uac))),
            // A proxy asks: the peer cannot refresh.
            (asked(Some(600), Some(Uac), 0, false),  usual, Some((600, Uas))),
            (asked(Some(60), None, 0, false),        usual, None),
        ];
        for (asked, terms, expected) in table {
            let agreed = grant(&asked, terms).map(|it| (it.interval_s, it.refresher));
            assert_eq!(agreed, expected, "{asked:?} {terms:?}");
        }
    }

    #[test]
    fn a_prack_accepts_no_description_of_an_update() {
        let body = |bytes| Some(Body { content_type: "application/sdp", bytes });
        let mut timer = Timer::default();
        timer.keep_early(body(b"v=0"));
        timer.propose_early(body(b"v=1"), false);
        // A PRACK without a description goes out and is accepted meanwhile.
        timer.propose_early(None, true);
        timer.accepted_early(true);
        let ours = |timer: &Timer| timer.ours.as_ref().map(|it| it.view().bytes.to_vec());
        assert_eq!(ours(&timer).as_deref(), Some(&b"v=0"[..]));
        timer.accepted_early(false);
        assert_eq!(ours(&timer).as_deref(), Some(&b"v=1"[..]));
    }

    #[test]
    fn a_session_ends_a_little_before_its_end() {
        assert_eq!(lasts(1800), Duration::from_secs(1768));
        assert_eq!(lasts(90), Duration::from_secs(60));
    }

    #[test]
    fn too_brief_is_said_to_who_understands() {
        let asked = |expires_s, supports| Asked { expires_s, supports, ..Asked::default() };
        assert!(asked(Some(89), true).is_too_brief(90));
        assert!(!asked(Some(90), true).is_too_brief(90));
        assert!(!asked(Some(89), false).is_too_brief(90));
        assert!(!asked(None, true).is_too_brief(90));
    }
}
