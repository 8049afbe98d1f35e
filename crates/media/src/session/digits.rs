//! Digits that change their form on the way: events (RFC 4733) are taken out of what a peer sends,
//! or put into what it is sent.
//!
//! Only sessions whose plan asks for it have one of these; the others look at nothing.

mod hear;
mod play;

use super::Outgoing;
use super::rtp::{Header, payload};
use hear::Hearing;
use pbx::digit::Press;
use pbx::media::{self, DigitWay, TransportId};
use play::{EventPacket, Playing};
use std::time::Instant;

/// All digits of a session.
#[derive(Debug)]
pub(super) struct Digits {
    ways: Vec<Way>,
    /// Packets of our own that are to be sent.
    made: Vec<(Outgoing, EventPacket)>,
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

    /// A packet of RTP is about to go to a transport's peer; true where a digit takes its place.
    pub(super) fn replaces(
        &mut self,
        transport: TransportId,
        header: Header,
        outgoing: Outgoing,
        now: Instant,
    ) -> bool {
        let Some((playing, made)) = self.playing(transport) else { return false };
        let packet = playing.on_voice(header, now);
        made.extend(packet.map(|it| (outgoing, it)));
        packet.is_some()
    }

    /// A digit for a transport's peer, which is at `outgoing`; the packets that go at once.
    pub(super) fn press(
        &mut self,
        (transport, outgoing): (TransportId, Option<Outgoing>),
        press: Press,
        now: Instant,
    ) -> u64 {
        let Some((playing, made)) = self.playing(transport) else { return 0 };
        let at_once = playing.press(press, now);
        let Some(outgoing) = outgoing else { return 0 };
        let sent = at_once.len() as u64;
        made.extend(at_once.into_iter().map(|it| (outgoing, it)));
        sent
    }

    /// Sends what waits for voice to a transport's peer that flows no longer; the packets that go.
    pub(super) fn tend(
        &mut self,
        (transport, outgoing): (TransportId, Outgoing),
        now: Instant,
    ) -> u64 {
        let stuck = self.playing(transport).filter(|it| it.0.is_stuck(now));
        let Some((playing, made)) = stuck else { return 0 };
        let packets = playing.without_voice(now);
        let sent = packets.len() as u64;
        made.extend(packets.into_iter().map(|it| (outgoing, it)));
        sent
    }

    fn playing(
        &mut self,
        transport: TransportId,
    ) -> Option<(&mut Playing, &mut Vec<(Outgoing, EventPacket)>)> {
        let Self { ways, made, .. } = self;
        let way = ways.iter_mut().find(|it| it.plan.transport == transport)?;
        Some((way.playing.as_mut()?, made))
    }

    pub(super) fn take_made(&mut self) -> Vec<(Outgoing, EventPacket)> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn take_pressed(&mut self) -> Vec<(TransportId, Press)> {
        std::mem::take(&mut self.pressed)
    }
}
