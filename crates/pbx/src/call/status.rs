//! A running call as the board shows it.

use super::media::{Half, half_of};
use super::{Call, Leg, State};
use crate::event::{CallState, CallStatus, LegStatus};
use crate::light::Light;
use crate::media::Figures;
use smallvec::SmallVec;

impl Call {
    pub fn status(&self) -> CallStatus {
        let winner = match self.state {
            State::Answered { fork: Some(fork) } => Some(fork),
            State::Calling { .. } | State::Answered { fork: None } | State::Ended { .. } => None,
        };
        let forks = self.forks.iter().enumerate();
        let forks = forks.filter(|&(index, _)| winner.is_none_or(|it| it == index));
        let forks = forks.filter_map(|(_, fork)| fork.leg.as_ref());
        let callees = forks.map(|leg| self.leg_status(leg, Half::Callee));
        let caller = self.leg_status(&self.caller, Half::Caller);
        // Of a call that is placed for somebody there is only the phone it is placed to.
        let caller = (!self.is_placing()).then_some(caller);
        CallStatus {
            call: self.id,
            tenant: self.tenant,
            state: self.board_state(),
            record: self.record.share(),
            codec_caller: self.media.codec(Half::Caller).into(),
            codec_callee: self.media.codec(Half::Callee).into(),
            relayed: self.media.relayed,
            legs: caller.into_iter().chain(callees).collect(),
        }
    }

    fn board_state(&self) -> CallState {
        match self.state {
            State::Calling { progress: Some(180..), .. } => CallState::Ringing,
            State::Calling { .. } => CallState::Started,
            State::Answered { .. } if self.media.is_held() => CallState::Held,
            State::Answered { .. } => CallState::Answered,
            State::Ended { .. } => CallState::Released,
        }
    }

    /// The media light of one half; `None` while nobody knows, or nothing is to flow.
    fn light(&self, half: Half) -> Option<Light> {
        let answered = matches!(self.state, State::Answered { .. });
        let flows = answered && self.media.relayed && !self.media.is_held();
        let now: SmallVec<[Figures; 2]> = self.media.figures(half).copied().collect();
        let is_its = |it: &&Figures| half_of(it.transport) == half;
        let before: SmallVec<[Figures; 2]> =
            self.media.earlier.iter().filter(is_its).copied().collect();
        (flows && !now.is_empty()).then(|| Light::between(&before, &now))
    }

    fn leg_status(&self, leg: &Leg, half: Half) -> LegStatus {
        LegStatus {
            caller: half == Half::Caller,
            number: leg.number.clone(),
            remote: leg.session.flow.remote,
            sip_call_id: leg.session.dialog.call_id.clone(),
            user_agent: leg.user_agent.clone(),
            media: self.media.figures(half).copied().collect(),
            light: self.light(half),
        }
    }
}
