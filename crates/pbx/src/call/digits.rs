//! Digits that one side sends in INFO requests and the other wants in the media, or the other way
//! round: what a line's or trunk's `dtmf` asks for.
//!
//! Each side gets its digits in the form it takes: INFO where that is set, else telephone events
//! (RFC 4733), else INFO again. Descriptions are changed to fit ([`CallMedia::offered_digits`],
//! [`CallMedia::answered_digits`]); the media edge takes events out and puts them in; INFO requests
//! are answered and written here. Where both sides have one form, digits pass as they came.

use super::fork::Fork;
use super::media::{CallMedia, Description, Half, half_of};
use super::{Call, State, body, fork_id};
use crate::digit::Press;
use crate::id::CallId;
use crate::interop::Dtmf;
use crate::media::{Command, DigitWay, Digits, Plan, TelephoneEvents, TransportId};
use crate::office::{LegId, Office};
use sdp::{Events, Sdp};
use sip::endpoint::ClientTx;
use sip::message::{Message, Method};
use sip::session::Body;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Digits that wait for the answer to the INFO of another; more are dropped. More than a number
/// has, and a PIN after it.
const WAITING_MAX: usize = 32;

/// No answer is awaited for longer (RFC 3261 §17.1.2.2, Timer F).
const UNANSWERED: Duration = Duration::from_secs(32);

/// What a side's description says of its voice and the events beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    /// Index of its `m=` line.
    line: usize,
    events: SmallVec<[Events; 2]>,
    clock: u32,
}

/// How digits go between the two sides.
#[derive(Debug, Default)]
pub(super) struct Ways {
    caller: Side,
    callee: Side,
    /// Clock rate of the voice that was agreed on.
    clock: u32,
    /// As the edge was told.
    planned: Vec<DigitWay>,
}

#[derive(Debug, Default)]
struct Side {
    dtmf: Dtmf,
    /// The events that the description it was given names.
    told: SmallVec<[Events; 2]>,
}

/// Digits on their way to a leg, one INFO after the other, for requests may overtake each other.
#[derive(Debug)]
pub(super) struct Outbox {
    to: LegId,
    under_way: Option<(ClientTx, Instant)>,
    waiting: VecDeque<Press>,
}

impl Voice {
    pub(super) fn of(sdp: &Sdp) -> Option<Self> {
        let line = sdp.voice()?;
        let media = &sdp.media()[line];
        let clock = media.main_codec()?.clock;
        Some(Self { line, events: media.events().collect(), clock })
    }
}

impl Ways {
    fn of(&self, half: Half) -> &Side {
        match half {
            Half::Caller => &self.caller,
            Half::Callee => &self.callee,
        }
    }

    fn of_mut(&mut self, half: Half) -> &mut Side {
        match half {
            Half::Caller => &mut self.caller,
            Half::Callee => &mut self.callee,
        }
    }

    pub(super) fn dtmf(&self, half: Half) -> Dtmf {
        self.of(half).dtmf
    }

    /// Learns how the two sides want their digits.
    pub(super) fn set(&mut self, sides: [(Half, Dtmf); 2]) {
        for (half, dtmf) in sides {
            self.of_mut(half).dtmf = dtmf;
        }
    }

    /// Whether a side wants digits in one form whatever the other sends.
    pub(super) fn differ(&self) -> bool {
        self.caller.dtmf != Dtmf::Pass || self.callee.dtmf != Dtmf::Pass
    }
}

impl CallMedia {
    /// Only what goes through us can be changed.
    pub(super) fn changes_digits(&self) -> bool {
        self.relayed && self.echo.is_none() && self.ways.differ()
    }

    /// What a description says; of digits only where they change their form.
    pub(super) fn described(&self, sdp: &Sdp) -> Description {
        let voice = if self.changes_digits() { Voice::of(sdp) } else { None };
        let mut description = Description::of(sdp);
        description.voice = voice;
        description
    }

    fn voice(&self, half: Half) -> Option<&Voice> {
        self.side_of(half).description.as_ref()?.voice.as_ref()
    }

    /// Makes an offer name the events that `to` is to send and receive.
    pub(super) fn offered_digits(&mut self, to: Half, sdp: &mut Sdp) {
        let Some(line) = sdp.voice().filter(|_| self.changes_digits()) else { return };
        let side = self.ways.of_mut(to);
        let media = &mut sdp.media_mut()[line];
        match side.dtmf {
            Dtmf::Info => media.remove_events(),
            Dtmf::Pass | Dtmf::Rtp => media.offer_events(),
        }
        side.told = media.events().collect();
    }

    /// The same for an answer, which names no events but those that `to` has offered.
    pub(super) fn answered_digits(&mut self, to: Half, sdp: &mut Sdp) {
        let Some(line) = sdp.voice().filter(|_| self.changes_digits()) else { return };
        let offered = self.voice(to).map(|it| it.events.clone()).unwrap_or_default();
        let media = &mut sdp.media_mut()[line];
        self.ways.clock = media.main_codec().map_or(0, |it| it.clock);
        let wanted = best(&offered, self.ways.clock);
        match wanted.filter(|_| self.ways.of(to).dtmf != Dtmf::Info) {
            None => media.remove_events(),
            Some(events) if media.events().next().is_none() => media.add_events(events),
            Some(_) => {}
        }
        self.ways.of_mut(to).told = media.events().collect();
    }

    /// Tells the edge where digits change their form.
    pub(super) fn plan_digits(&mut self, plan: &mut Plan, call: CallId) {
        let ways = if self.changes_digits() { self.digits_of(plan) } else { None };
        self.ways.planned = ways.unwrap_or_default();
        if !self.ways.planned.is_empty() {
            // The low bits of a UUIDv7 are random.
            let [.., a, b, c, d] = *call.0.as_bytes();
            let ssrc = u32::from_be_bytes([a, b, c, d]);
            plan.digits = Some(Box::new(Digits { ssrc, ways: self.ways.planned.clone() }));
        }
    }

    fn digits_of(&self, plan: &Plan) -> Option<Vec<DigitWay>> {
        let line = self.voice(Half::Caller)?.line;
        if self.voice(Half::Callee)?.line != line {
            return None;
        }
        let mut ways = Vec::new();
        for half in [Half::Caller, Half::Callee] {
            let heard = match self.taken_by(half.other()) {
                Some(_) => None,
                None => best(&self.ways.of(half).told, self.ways.clock),
            };
            let (heard, sent) = (heard.map(in_plan), self.taken_by(half).map(in_plan));
            if heard.is_some() || sent.is_some() {
                let transport = only_stream(plan, half, line)?;
                ways.push(DigitWay { transport, heard, sent });
            }
        }
        Some(ways)
    }

    /// The events that a side takes; `None`: it takes INFO.
    fn taken_by(&self, half: Half) -> Option<Events> {
        match self.ways.of(half).dtmf {
            Dtmf::Info => None,
            Dtmf::Pass | Dtmf::Rtp => best(&self.voice(half)?.events, self.ways.clock),
        }
    }

    /// Has the edge send a digit; `false`: this side takes none in its media.
    fn press(&self, office: &mut Office, call: CallId, to: Half, press: Press) -> bool {
        let takes = |it: &&DigitWay| half_of(it.transport) == to && it.sent.is_some();
        let Some(way) = self.ways.planned.iter().find(takes) else { return false };
        office.media(Command::Press { call, transport: way.transport, press });
        true
    }
}

/// The events with the clock of the voice, else the first.
fn best(events: &[Events], clock: u32) -> Option<Events> {
    events.iter().find(|it| it.clock == clock).or_else(|| events.first()).copied()
}

fn in_plan(Events { payload, clock }: Events) -> TelephoneEvents {
    TelephoneEvents { payload_type: payload, clock }
}

/// The transport of a side's `m=` line, where nothing else travels on it.
fn only_stream(plan: &Plan, half: Half, line: usize) -> Option<TransportId> {
    let is_its =
        |it: &&crate::media::Stream| usize::from(it.line) == line && half_of(it.transport) == half;
    let transport = plan.streams.iter().find(is_its)?.transport;
    let streams = plan.streams.iter().filter(|it| it.transport == transport);
    (streams.count() == 1).then_some(transport)
}

impl Fork {
    /// Names of the codecs it is offered, in this order; none: as the phone offers.
    pub(super) fn codecs(&self) -> &[Box<str>] {
        self.outside.as_ref().map_or(&[], |it| &*it.interop().codecs)
    }

    /// How it wants digits: extensions as they come.
    pub(super) fn dtmf(&self) -> Dtmf {
        self.outside.as_ref().map(|it| it.interop().dtmf).unwrap_or_default()
    }
}

impl Call {
    /// How a leg wants its digits.
    pub(super) fn dtmf(&self, leg: LegId) -> Dtmf {
        self.leg(leg).map(|it| it.dtmf).unwrap_or_default()
    }

    /// An INFO with a digit for a leg that takes it in its media.
    pub(super) fn is_pressed(&self, office: &mut Office, by: LegId, message: &Message<'_>) -> bool {
        let press = body::of(message).and_then(|it| Press::read(it.content_type, it.bytes));
        let Some((press, to)) = press.zip(self.hears(by)) else { return false };
        self.media.press(office, self.id, super::half(to), press)
    }

    /// The edge heard a digit that the other side takes as INFO.
    pub(super) fn heard_digit(
        &mut self,
        office: &mut Office,
        (transport, press): (TransportId, Press),
        now: Instant,
    ) {
        let by = match (half_of(transport), &self.state) {
            (Half::Caller, _) => Some(LegId::Caller),
            (Half::Callee, State::Answered { fork }) => fork.map(fork_id),
            (Half::Callee, _) => self.hears(LegId::Caller),
        };
        let Some(to) = by.and_then(|it| self.hears(it)) else { return };
        let at = self.digits.iter().position(|it| it.to == to).unwrap_or_else(|| {
            self.digits.push(Outbox { to, under_way: None, waiting: VecDeque::new() });
            self.digits.len() - 1
        });
        if self.digits[at].waiting.len() < WAITING_MAX {
            self.digits[at].waiting.push_back(press);
        }
        self.send_digit(office, at, now);
    }

    fn send_digit(&mut self, office: &mut Office, at: usize, now: Instant) {
        let Outbox { to, under_way, .. } = &self.digits[at];
        if under_way.is_some_and(|it| now.saturating_duration_since(it.1) < UNANSWERED) {
            return;
        }
        let to = *to;
        // It waits for the dialog.
        if !self.session(to).is_some_and(|it| it.may_ask()) {
            return;
        }
        let Some(press) = self.digits[at].waiting.pop_front() else { return };
        let body = press.write();
        let body = Body { content_type: Press::CONTENT_TYPE, bytes: body.as_bytes() };
        let sent = self.with_session(office, to, now, |session, seat| {
            session.request(seat, Method::Info, &|_| {}, Some(body))
        });
        self.digits[at].under_way = sent.map(|it| (it, now));
    }

    /// The answer to an INFO of ours; whether it was one.
    pub(super) fn digit_answered(
        &mut self,
        office: &mut Office,
        transaction: ClientTx,
        now: Instant,
    ) -> bool {
        let is_its = |it: &Outbox| it.under_way.is_some_and(|it| it.0 == transaction);
        let Some(at) = self.digits.iter().position(is_its) else { return false };
        self.digits[at].under_way = None;
        self.send_digit(office, at, now);
        true
    }

    /// A request went out again with credentials.
    pub(super) fn digit_sent_again(&mut self, before: ClientTx, again: ClientTx) {
        for under_way in self.digits.iter_mut().filter_map(|it| it.under_way.as_mut()) {
            if under_way.0 == before {
                under_way.0 = again;
            }
        }
    }
}
