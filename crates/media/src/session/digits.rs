//! Digits that change their form on the way: events (RFC 4733) are taken out of what a peer sends,
//! or put into what it is sent.
//!
//! Only sessions whose plan asks for it have one of these; the others look at nothing.

mod hear;
mod play;
mod stream;

use super::rtp::{Header, payload, renumbered};
use super::{Made, Outgoing};
use hear::Hearing;
use pbx::digit::Press;
use pbx::media::{self, DigitWay, TransportId};
use play::{Place, Playing};
use std::time::Instant;

/// All digits of a session.
#[derive(Debug)]
pub(super) struct Digits {
    ways: Vec<Way>,
    /// Packets of our own that are to be sent.
    made: Vec<Made>,
    /// What was pressed and not yet reported.
    pressed: Vec<(TransportId, Press)>,
}

/// The digits of one transport.
#[derive(Debug)]
struct Way {
    plan: DigitWay,
    hearing: Option<Hearing>,
    playing: Option<Playing>,
}

impl Digits {
    /// As a plan says; what is under way by the same plan goes on.
    pub(super) fn of(plan: Option<&media::Digits>, old: Option<Box<Self>>) -> Option<Box<Self>> {
        let plan = plan?;
        let (mut old, made, pressed) =
            old.map_or_else(Default::default, |it| (it.ways, it.made, it.pressed));
        let ways =
            plan.ways.iter().map(|planned| match old.iter().position(|it| it.plan == *planned) {
                Some(at) => old.swap_remove(at),
                None => Way {
                    plan: *planned,
                    hearing: planned.heard.map(Hearing::new),
                    playing: planned.sent.map(|it| Playing::new(it, plan.ssrc)),
                },
            });
        Some(Box::new(Self { ways: ways.collect(), made, pressed }))
    }

    /// A packet of RTP arrived; true where it is an event that goes no further.
    pub(super) fn takes(
        &mut self,
        transport: TransportId,
        header: Header,
        bytes: &[u8],
        now: Instant,
    ) -> bool {
        let Self { ways, pressed, .. } = self;
        let way = ways.iter_mut().find(|it| it.plan.transport == transport);
        let Some(hearing) = way.and_then(|it| it.hearing.as_mut()) else { return false };
        let event = payload(bytes).filter(|_| hearing.is_event(header));
        let digits = match event {
            Some(event) => hearing.on_event(header, event, now),
            None => hearing.on_voice(header).into_iter().collect(),
        };
        pressed.extend(digits.into_iter().map(|press| (transport, press)));
        event.is_some()
    }

    /// A packet of RTP is about to go to a transport's peer; true where another goes in its place.
    pub(super) fn replaces(
        &mut self,
        (transport, outgoing): (TransportId, Outgoing),
        header: Header,
        bytes: &[u8],
        now: Instant,
    ) -> bool {
        let Some((playing, made)) = self.playing(transport) else { return false };
        let packet = match playing.on_voice(header, now) {
            Place::Voice(same) if same == header => return false,
            Place::Voice(other) => renumbered(bytes, other.numbers()),
            Place::Digit(packet) => packet.to_vec(),
        };
        made.push((outgoing, packet));
        true
    }

    /// A digit for a transport's peer.
    pub(super) fn press(&mut self, transport: TransportId, press: Press) {
        if let Some((playing, _)) = self.playing(transport) {
            playing.press(press);
        }
    }

    /// Sends what is due to a transport's peer, for whom no voice comes; the packets that go.
    pub(super) fn play(
        &mut self,
        (transport, outgoing): (TransportId, Option<Outgoing>),
        now: Instant,
    ) -> u64 {
        let Some((playing, made)) = self.playing(transport) else { return 0 };
        let packet = playing.without_voice(now).map(|it| it.to_vec());
        let before = made.len();
        made.extend(outgoing.zip(packet));
        (made.len() - before) as u64
    }

    /// When to play next.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.ways.iter().filter_map(|it| it.playing.as_ref()?.due(now)).min()
    }

    fn playing(&mut self, transport: TransportId) -> Option<(&mut Playing, &mut Vec<Made>)> {
        let Self { ways, made, .. } = self;
        let way = ways.iter_mut().find(|it| it.plan.transport == transport)?;
        Some((way.playing.as_mut()?, made))
    }

    pub(super) fn take_made(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn take_pressed(&mut self) -> Vec<(TransportId, Press)> {
        std::mem::take(&mut self.pressed)
    }
}
