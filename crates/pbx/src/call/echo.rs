//! The echo test: we answer ourselves and the caller hears itself, with real media.
//!
//! The one call whose descriptions are our own: an answer to the phone's offer, or an offer where
//! the phone asks for one (RFC 3261 §13.2.1, §14.1), whose answer comes in its ACK.

use super::begin::unusable;
use super::edition::Edition;
use super::media::{CallMedia, Description, Half, Peer, Unusable};
use super::{Call, State, body};
use crate::office::{LegId, Office};
use crate::record::{CallStarted, Record, Side};
use crate::release::ReleaseCode;
use bytes::Bytes;
use sdp::{EchoPlace, Sdp};
use sip::message::Message;
use std::time::Instant;

/// What we said of ourselves in an echo test.
#[derive(Debug)]
pub(super) struct Echo {
    /// Our newest description.
    ours: Sdp,
    /// It is an offer whose answer the ACK is to bring.
    open: bool,
}

impl Call {
    pub(super) fn answer_echo(&mut self, office: &mut Office, invite: &Message<'_>, now: Instant) {
        self.record.sent_number = self.record.dialled_number.clone();
        let sdp = match self.describe_echo(office, invite, now) {
            Ok(sdp) => sdp,
            Err(why) => return self.end(office, unusable(why), Side::System, now),
        };
        office.record(Record::CallStarted(CallStarted { record: self.record.share() }));
        self.state = State::Answered { fork: None };
        self.answered = Some(now);
        self.accept_with_sdp(office, LegId::Caller, &sdp, now);
        self.configure(office, now);
        self.describe_answer(office, None);
        self.publish(office);
    }

    pub(super) fn modify_echo(
        &mut self,
        office: &mut Office,
        by: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        match self.describe_echo(office, message, now) {
            Ok(sdp) => {
                self.accept_with_sdp(office, by, &sdp, now);
                // Who only hears that his code was carried out is not played his own voice.
                if self.confirming.is_none() {
                    self.configure(office, now);
                }
                self.publish(office);
            }
            Err(why) => self.refuse_modify(office, by, unusable(why).status(), now),
        }
    }

    /// The ACK of a 2xx that was our offer has the phone's answer.
    pub(super) fn echo_acked(
        &mut self,
        office: &mut Office,
        by: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        let is_open = self.media.echo.as_ref().is_some_and(|it| it.open);
        // Who only hears that his code was carried out has nothing to say.
        if !is_open || self.confirming.is_some() {
            return;
        }
        let answer = body::of(message).and_then(|it| Some(&it.bytes[body::sdp_range(it)?]));
        let (Some(answer), Some(peer)) = (answer, self.peer(office, by)) else {
            return self.end(office, ReleaseCode::MediaCodec, Side::System, now);
        };
        match self.media.echo_answered(peer, answer) {
            Ok(()) => {
                self.configure(office, now);
                self.publish(office);
            }
            Err(why) => self.end(office, unusable(why), Side::System, now),
        }
    }

    pub(super) fn describe_echo(
        &mut self,
        office: &mut Office,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        let peer = self.peer(office, LegId::Caller).ok_or(Unusable::Description)?;
        let caller = (peer, &mut self.caller.edition);
        match body::of(message) {
            None => self.media.offer_echo(office, caller, now),
            Some(body) => {
                let range = body::sdp_range(body).ok_or(Unusable::Description)?;
                self.media.answer_echo(office, caller, &body.bytes[range], now)
            }
        }
    }
}

impl CallMedia {
    /// Answers the caller ourselves so that it hears itself.
    fn answer_echo(
        &mut self,
        office: &mut Office,
        (caller, edition): (Peer, &mut Edition),
        sdp: &[u8],
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        let offer = Sdp::parse(sdp).map_err(|_| Unusable::Description)?;
        let place = self.place_echo(office, caller, now)?;
        let mut ours = sdp::echo_answer(&offer, &place).map_err(|_| Unusable::Description)?;
        self.learn_echo(&offer, &ours, caller);
        let bytes = edition.print(&mut ours, place.address);
        self.echo = Some(Box::new(Echo { ours, open: false }));
        Ok(bytes)
    }

    /// Offers what stands, or what every phone has.
    fn offer_echo(
        &mut self,
        office: &mut Office,
        (caller, edition): (Peer, &mut Edition),
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        let place = self.place_echo(office, caller, now)?;
        let mut ours = match self.echo.take().map(|it| *it) {
            // The sections of a session are never taken away again (RFC 3264 §8).
            Some(Echo { ours, .. }) => ours,
            None => sdp::echo_offer(&place),
        };
        let bytes = edition.print(&mut ours, place.address);
        self.echo = Some(Box::new(Echo { ours, open: true }));
        Ok(bytes)
    }

    fn echo_answered(&mut self, caller: Peer, sdp: &[u8]) -> Result<(), Unusable> {
        let answer = Sdp::parse(sdp).map_err(|_| Unusable::Description)?;
        let Some(Echo { ours, .. }) = self.echo.take().map(|it| *it) else { return Ok(()) };
        sdp::answer_matches(&ours, &answer).map_err(|_| Unusable::Description)?;
        self.learn_echo(&answer, &ours, caller);
        self.echo = Some(Box::new(Echo { ours, open: false }));
        Ok(())
    }

    fn place_echo(
        &mut self,
        office: &mut Office,
        caller: Peer,
        now: Instant,
    ) -> Result<EchoPlace, Unusable> {
        self.relayed = true;
        self.lease(office, Half::Caller, 1, now)?;
        let port = self.caller.ports[0].rtp;
        Ok(EchoPlace { address: caller.local.advertised, port })
    }

    /// Takes over what the caller said, as far as our own description goes along.
    fn learn_echo(&mut self, theirs: &Sdp, ours: &Sdp, caller: Peer) {
        let mut description = Description::of(theirs);
        for (line, own) in description.lines.iter_mut().zip(ours.media()) {
            line.rejected |= own.is_rejected();
            line.transport = 0;
            line.muxed &= own.rtcp_mux();
        }
        self.caller.learn(description, caller);
    }
}
