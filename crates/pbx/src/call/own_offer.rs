//! Offers of our own in calls that bring two together ([`join`](super::join)): many carriers refuse an
//! INVITE without an offer, which RFC 3261 §13.2.1 allows, or never answer it.
//!
//! Whoever is behind a line or trunk is offered what the other one speaks now, and what everybody
//! does; where the two then do not agree in all of it, it hears once more, from the other one
//! (RFC 3725 §4.3).

use super::body::{self, OwnedBody};
use super::edition::Edition;
use super::media::{Half, Peer, Unusable};
use super::{Call, Modifying, Purpose, fork_id, half, headers};
use crate::office::{LegId, Office};
use sdp::{EchoPlace, Sdp};
use sip::message::{Message, Writer};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Stands where the relay puts its own port; 0 would turn the stream down.
const SOME_PORT: u16 = 9;

impl Call {
    /// What the INVITE of a fork offers.
    pub(super) fn offer_of_fork(
        &mut self,
        office: &mut Office,
        index: usize,
        invite: &Message<'_>,
        to: (&Peer, &mut Edition),
        now: Instant,
    ) -> Result<Option<OwnedBody>, Unusable> {
        let withheld = self.withheld(LegId::Caller, fork_id(index));
        self.media.hide(Half::Caller, withheld.identity);
        if self.gets_our_offer(fork_id(index)) {
            return self.offer_of_ours(office, to, now).map(Some);
        }
        self.offer_to(office, invite, to, now)
    }

    /// Whoever is to meet the other one is outside, or the first that is called: the offer to it is
    /// ours.
    pub(super) fn gets_our_offer(&self, leg: LegId) -> bool {
        let LegId::Callee(index) = leg else { return false };
        if self.is_placing() {
            return true;
        }
        let fork = self.forks.get(usize::from(index)).filter(|_| self.is_joining());
        fork.is_some_and(|it| it.outside.is_some() || it.leg.as_ref().is_some_and(|it| it.outside))
    }

    /// An offer to the target in the transferee's stead.
    pub(super) fn offer_of_ours(
        &mut self,
        office: &mut Office,
        (peer, edition): (&Peer, &mut Edition),
        now: Instant,
    ) -> Result<OwnedBody, Unusable> {
        // Nobody knows yet where the transferee's media will come from.
        self.media.relayed = true;
        let codec = self.joining.as_ref().map(|it| it.codec.clone()).unwrap_or_default();
        let place = (peer.local.advertised, SOME_PORT).into();
        self.voice_offer(office, (Half::Callee, peer, edition), (&codec, place), now)
    }

    fn voice_offer(
        &mut self,
        office: &mut Office,
        (to, peer, edition): (Half, &Peer, &mut Edition),
        (codec, place): (&str, SocketAddr),
        now: Instant,
    ) -> Result<OwnedBody, Unusable> {
        let (address, port): (IpAddr, u16) = (place.ip(), place.port());
        let ours = EchoPlace { address, port };
        let sdp = sdp::voice_offer(&ours, codec).to_bytes();
        let dtmf = match to {
            Half::Callee => self.caller.dtmf,
            Half::Caller => self.media.ways.dtmf(Half::Callee),
        };
        let bytes = self.media.offer(office, (to.other(), dtmf), (*peer, edition), &sdp, now)?;
        Ok(OwnedBody { content_type: "application/sdp".into(), bytes })
    }

    /// The transferee has answered what the target chose of our offer; the target hears of it where
    /// that is not all of it.
    pub(super) fn tell_what_differs(
        &mut self,
        office: &mut Office,
        target: LegId,
        (chosen, message): (&OwnedBody, &Message<'_>),
        now: Instant,
    ) {
        let answer = body::of(message).and_then(|it| Some(&it.bytes[body::sdp_range(it)?]));
        let agreed = answer.is_some_and(|it| agrees(&chosen.bytes, it));
        if agreed || !self.leg(target).is_some_and(|it| it.session.may_offer()) {
            return;
        }
        if let Ok(Some(offer)) = self.pass_offer(office, LegId::Caller, target, message, now) {
            self.align(office, target, &offer, now);
        }
    }

    fn align(&mut self, office: &mut Office, leg: LegId, offer: &OwnedBody, now: Instant) {
        let by = self.other(leg).unwrap_or(LegId::Caller);
        self.modifying = Some(Modifying { by, with_offer: true, purpose: Purpose::Align });
        self.with_session(office, leg, now, |session, seat| {
            let extra = |writer: &mut Writer| headers::capabilities_of_request(writer);
            session.modify(seat, &extra, Some(offer.view()));
        });
    }

    /// It took that.
    pub(super) fn aligned(
        &mut self,
        office: &mut Office,
        (leg, by): (LegId, LegId),
        message: &Message<'_>,
        now: Instant,
    ) {
        self.modifying = None;
        self.with_session(office, leg, now, |session, seat| session.ack(seat, None));
        match self.pass_later_answer(office, leg, by, message, now) {
            Ok(Some(_)) => self.configure(office, now),
            // What was said before stands.
            Ok(None) | Err(_) => self.media.refused(),
        }
        self.publish(office);
    }

    /// A leg is back from a call that told it of other ports: it is offered those of this one again.
    pub fn bring_back(&mut self, office: &mut Office, leg: LegId, now: Instant) {
        let Some((other, hearer)) = self.other(leg).zip(self.hearer(office, leg)) else { return };
        let (peer, mut edition) = hearer;
        let free = self.leg(leg).is_some_and(|it| it.session.may_offer());
        let place = self.media.place(half(other)).filter(|_| free && self.modifying.is_none());
        let Some((codec, place)) = place else { return };
        let to = (half(leg), &peer, &mut edition);
        let offer = self.voice_offer(office, to, (&codec, place), now);
        // What the other side said stands: this is no word of its own.
        self.media.refused();
        if let Ok(offer) = offer {
            self.keep_edition(leg, edition);
            self.align(office, leg, &offer, now);
        }
    }
}

/// Whether an answer takes all that its offer has: then nobody has to be told of it.
fn agrees(offer: &[u8], answer: &[u8]) -> bool {
    let (Ok(offer), Ok(answer)) = (Sdp::parse(offer), Sdp::parse(answer)) else { return false };
    let mut pairs = offer.media().iter().zip(answer.media()).enumerate();
    let same = |(index, (offered, answered)): (usize, (&sdp::Media, &sdp::Media))| {
        let takes = |format: &str| answered.formats().any(|it| it == format);
        let turned = offer.direction_of(index).reversed() == answer.direction_of(index);
        offered.is_rejected() && answered.is_rejected()
            || !answered.is_rejected() && turned && offered.formats().all(takes)
    };
    offer.media().len() == answer.media().len() && pairs.all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_leaves_out() {
        let offer = "v=0\nc=IN IP4 10.0.0.1\nm=audio 4 RTP/AVP 8 0\n";
        #[rustfmt::skip]
        let table = [
            ("m=audio 6 RTP/AVP 8 0\n",               true),
            ("m=audio 6 RTP/AVP 0 8 101\n",           true),
            ("m=audio 6 RTP/AVP 8\n",                 false),
            ("m=audio 6 RTP/AVP 8 0\na=inactive\n",  false),
            ("m=audio 0 RTP/AVP 8 0\n",               false),
            ("",                                       false),
        ];
        for (lines, expected) in table {
            let answer = format!("v=0\nc=IN IP4 10.0.0.2\n{lines}");
            assert_eq!(agrees(offer.as_bytes(), answer.as_bytes()), expected, "{lines}");
        }
    }
}
