//! The ringing tone for who was called first and waits until the second party answers.
//!
//! Where a phone calls, the tone is its own, or what the other side sends before the answer. Who was
//! called by us has answered: nobody but us can let it hear that the call goes on.

use super::Call;
use super::media::{CallMedia, Description};
use crate::media::{Companding, Plan, Signal, Tone};
use crate::office::Office;
use std::time::Instant;

/// A half that waits for somebody.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alone {
    /// Whoever it waits for is alerted; our source (SSRC) of the tone that says so.
    rings: Option<u32>,
}

impl Call {
    /// The second party rings, or its network says something that the first one cannot hear.
    pub(super) fn second_rings(&mut self, office: &mut Office, status: u16, now: Instant) {
        if !matches!(status, 180 | 183) || !self.is_placing() {
            return;
        }
        let ssrc = office.rng.next_u32();
        if self.media.ring_back(ssrc) {
            self.configure(office, now);
        }
    }
}

impl CallMedia {
    /// Whether that is news.
    fn ring_back(&mut self, ssrc: u32) -> bool {
        let Some(alone) = self.alone.as_mut().filter(|it| it.rings.is_none()) else { return false };
        alone.rings = Some(ssrc);
        true
    }
}

impl Alone {
    /// The tone for a half that has described itself; `None`: it is to hear nothing, or does not
    /// speak G.711.
    pub(super) fn tone(self, half: &Description, plan: &Plan) -> Option<Tone> {
        let ssrc = self.rings?;
        let at = half.lines.iter().position(|it| it.is_rtp && !it.rejected)?;
        let companding = match &*half.codec {
            it if it.eq_ignore_ascii_case("PCMA") => Companding::ALaw,
            it if it.eq_ignore_ascii_case("PCMU") => Companding::ULaw,
            _ => return None,
        };
        let stream = plan.streams.iter().find(|it| usize::from(it.line) == at)?;
        let transport = stream.transport;
        half.lines[at].receives.then_some(Tone {
            transport,
            companding,
            signal: Signal::Ringing,
            ssrc,
        })
    }
}
