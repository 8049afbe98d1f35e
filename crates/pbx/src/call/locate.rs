//! Where a call leaves for: it waits for a name that is being resolved, and tries the next address
//! where one does not serve (RFC 3263 §4.3).

use super::begin::Way;
use super::{Call, State};
use crate::dialplan::query::Candidate;
use crate::line::live::{LineKey, LiveLine};
use crate::line::trouble::Trouble;
use crate::names::Waiter;
use crate::office::{LegId, Office};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::trunk::live::LiveTrunk;
use sip::Transport;
use sip::locate::{Place, Resolution, Target};
use sip::message::Message;
use smallvec::SmallVec;
use std::time::Instant;

/// Most addresses that one call tries, of all its lines and trunks together.
pub const TARGETS_MAX: usize = 4;

/// Where lines lead and a call tried.
pub(super) type Tried = SmallVec<[(LineKey, Target); 2]>;

impl Call {
    /// The next candidate has no address before its name is resolved: [`Call::name_resolved`] goes
    /// on.
    pub(super) fn awaits_name(&mut self, office: &mut Office, now: Instant) -> bool {
        let candidate = self.outward.left.first();
        let Some(place) = candidate.and_then(|it| self.unresolved(office, it)) else {
            return false;
        };
        office.wait_for(&place, Waiter::Call(self.owner(LegId::Caller)), now);
        self.outward.resolving = true;
        if self.forks.is_empty() {
            self.has_begun(office);
        }
        true
    }

    /// The name that the call waited for is resolved, or will not be. It may be over.
    pub fn name_resolved(&mut self, office: &mut Office, now: Instant) {
        if !std::mem::take(&mut self.outward.resolving)
            || !matches!(self.state, State::Calling { .. })
        {
            return;
        }
        let Some(invite) = self.invite.clone() else { return };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return };
        if let Err(code) = self.take_next(office, &message, now) {
            self.end(office, code, Side::System, now);
        }
    }

    /// The name in the Contact of a leg's peer is resolved, or will not be.
    pub fn contact_resolved(
        &mut self,
        office: &mut Office,
        leg: LegId,
        resolution: &Resolution,
        now: Instant,
    ) {
        let targets = office.targets_of(resolution);
        self.with_session(office, leg, now, |session, seat| session.located(seat, &targets));
    }

    /// The name a candidate needs, where it is being resolved for the first time.
    fn unresolved(&self, office: &Office, candidate: &Candidate) -> Option<Place> {
        let is_asked = |it: &&Place| office.names.is_asked(it);
        match candidate {
            Candidate::Line(line, out) => {
                let live = office.lines.find(self.tenant, &line.account)?;
                let goes = !live.config.register || out.emergency;
                let needs = goes && live.targets.current().is_none();
                live.targets.place().filter(|_| needs).filter(is_asked).cloned()
            }
            Candidate::Trunk(trunk, _) => {
                let live = office.trunks.find(self.tenant, trunk.id)?;
                let needs = live.next_server(&self.outward.tried, 0).is_none();
                live.places().filter(|_| needs).find(is_asked).cloned()
            }
            Candidate::Extension(_) | Candidate::Feature(_) => None,
        }
    }

    /// The way to the carrier of a line: the usual one, then its other addresses. Gives also
    /// whether there are more.
    pub(super) fn way_of_line(
        &mut self,
        office: &Office,
        key: LineKey,
        emergency: bool,
    ) -> Result<(Way, bool), ReleaseCode> {
        let live = office.lines.get(key).ok_or(ReleaseCode::RouteNoLine)?;
        let tried = &self.outward.tried_addresses;
        let is_new = |it: &Target| !tried.contains(&(key, *it));
        let way = match tried.iter().any(|it| it.0 == key) {
            false => usual_way(office, live, emergency),
            true => live.targets.others().find(is_new).and_then(|it| way_to(office, it)),
        };
        let way = way.ok_or_else(|| no_way(live))?;
        let target = way.target();
        self.outward.tried_addresses.extend(target.map(|it| (key, it)));
        let tried = &self.outward.tried_addresses;
        let is_new = |it: Target| !tried.contains(&(key, it));
        Ok((way, self.may_try_more() && live.targets.others().any(is_new)))
    }

    /// The line of a fork is not tried by another address.
    pub(super) fn leave_carrier(&mut self, office: &Office, fork: usize) {
        let Some(key) = self.line_of(fork) else { return };
        if let Some(Candidate::Line(next, _)) = self.outward.left.first()
            && office.lines.find(self.tenant, &next.account).is_some_and(|it| it.key == key)
        {
            self.outward.left.remove(0);
        }
    }

    /// The call has not tried all it may.
    pub(super) fn may_try_more(&self) -> bool {
        self.outward.tried_addresses.len() + self.outward.tried.len() < TARGETS_MAX
    }
}

/// Whether this outcome is one that another address of the same carrier may do better
/// (RFC 3263 §4.3): nobody was there, or he serves nobody.
pub(super) fn may_be_the_address(code: u16) -> bool {
    matches!(code, 408 | 503 | 1000..)
}

/// Where a line is registered, or where it is configured: an emergency call goes there also by a line
/// that should be registered and is not.
fn usual_way(office: &Office, live: &LiveLine, emergency: bool) -> Option<Way> {
    match live.flow {
        Some(flow) => Some(Way::Open(flow)),
        None if live.config.register && !emergency => None,
        None => way_to(office, live.targets.current()?),
    }
}

pub(super) fn way_to(office: &Office, target: Target) -> Option<Way> {
    match target.transport {
        Transport::Tcp => Some(Way::Closed(target.address)),
        Transport::Udp => office.udp_flow(target.address).map(Way::Open),
    }
}

fn no_way(live: &LiveLine) -> ReleaseCode {
    let unnamed = live.targets.place().is_some() && live.targets.current().is_none();
    let by_name = live.registration.trouble() == Some(Trouble::Dns);
    match live.config.register {
        true if by_name => ReleaseCode::LineDns,
        true => ReleaseCode::LineNotRegistered,
        false if unnamed => ReleaseCode::LineDns,
        false => ReleaseCode::LineUnreachable,
    }
}

/// Why a trunk has no server to try.
pub(super) fn no_server(live: &LiveTrunk) -> ReleaseCode {
    let by_name = live.is_nowhere() && live.places().next().is_some();
    if by_name { ReleaseCode::TrunkDns } else { ReleaseCode::TrunkUnreachable }
}
