//! Challenges of a carrier to BYE, re-INVITE, UPDATE and whatever else we send within its dialog
//! (RFC 3261 §22.2).

use super::Call;
use crate::line::Line;
use crate::line::live::{LineKey, LiveLine};
use crate::office::{LegId, Office};
use rand_core::Rng;
use sip::auth::client::ClientAuth;
use sip::endpoint::ClientTx;
use sip::message::{Essentials, Message};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;

/// Most requests of one dialog that are remembered as sent with credentials; of an older one, a
/// second refusal is taken for a first.
const ANSWERED_MAX: usize = 8;

/// Who we are to the carrier at the other end of a leg.
#[derive(Clone, Debug)]
pub struct Credentials {
    key: LineKey,
    line: Arc<Line>,
    auth: ClientAuth,
    /// Requests that went out again with credentials.
    answered: SmallVec<[ClientTx; 2]>,
}

impl Credentials {
    pub(super) fn new(key: LineKey, line: Arc<Line>, auth: ClientAuth) -> Self {
        Self { key, line, auth, answered: SmallVec::new() }
    }

    pub(super) fn of_line(live: &LiveLine) -> Box<Self> {
        Box::new(Self::new(live.key, Arc::clone(&live.config), ClientAuth::default()))
    }
}

impl Call {
    /// A 401 or 407 to a request within the dialog: it is sent again with credentials. `false`: it
    /// cannot be, and the response is what became of the request.
    pub(super) fn answers_within(
        &mut self,
        office: &mut Office,
        leg: LegId,
        transaction: ClientTx,
        (message, it): (&Message<'_>, &Essentials<'_>),
        now: Instant,
    ) -> bool {
        let owner = self.owner(leg);
        let cnonce = format!("{:016x}", office.rng.next_u64());
        let Some(leg) = self.leg_mut(leg) else { return false };
        let Some(known) = &mut leg.credentials else { return false };
        let Some(uri) = leg.session.challenged(&office.seat(owner, now), transaction) else {
            return false;
        };
        let Some(live) = office.lines.get(known.key) else { return false };
        let own = [&*known.line.domain];
        let account = live.account(&known.line, &own);
        match known.answered.iter().position(|it| *it == transaction) {
            Some(at) => drop(known.answered.remove(at)),
            None => known.auth.begin(),
        }
        if known.auth.challenged(&message.headers, &account).is_err() {
            return false;
        }
        let method = it.cseq.method;
        let headers = known.auth.answers(&account, method, &uri, &cnonce).into();
        let mut seat = office.seat(owner, now);
        let Some(again) = leg.session.send_with(&mut seat, transaction, method, headers) else {
            return false;
        };
        if known.answered.len() >= ANSWERED_MAX {
            known.answered.remove(0);
        }
        known.answered.push(again);
        for ask in self.asks.iter_mut().filter(|it| it.to == transaction) {
            ask.to = again;
        }
        self.digit_sent_again(transaction, again);
        true
    }
}
