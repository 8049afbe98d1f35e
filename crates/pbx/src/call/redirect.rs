//! A carrier or another server sends a call of ours on (3xx, RFC 3261 §8.1.3.4).
//!
//! Its Contacts are tried one after the other, the most wanted first.
//!
//! It goes no further than who calls could have gone himself: to another server of the same line or
//! trunk, or to a number that the dial plan lets him dial by that line or trunk. Never to a host that
//! nobody configured.

use super::Call;
use super::begin::{Way, dice};
use super::end::{CONTACTS_MAX, Cause};
use super::fork::bracketed;
use super::forward::number_in;
use super::locate;
use super::outside::{Claim, Outside, Through};
use crate::core::trunks;
use crate::dialplan::query::{Candidate, Outgoing};
use crate::dialplan::{self, Query};
use crate::office::Office;
use crate::trunk::live::ServerKey;
use crate::verdict::fact::{Place, SentOn, What, words};
use sip::auth::client::ClientAuth;
use sip::message::{Message, Uri};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Most times that carriers and other servers send one call on; once more, and it has failed.
const REDIRECTS_MAX: usize = 3;

/// Where a 3xx leads.
struct Further {
    outside: Outside,
    way: Way,
    target: String,
}

impl Call {
    /// The newest fork was refused from outside, with 3xx or where one led: whether the call goes on
    /// where that leads.
    pub(super) fn follows(
        &mut self,
        office: &mut Office,
        fork: usize,
        (code, cause): &(u16, Cause),
        now: Instant,
    ) -> bool {
        let is_present = fork + 1 == self.forks.len() && self.forks[fork].outside.is_some();
        let waits = !self.caller.session.has_described();
        if !is_present || !waits {
            return false;
        }
        match code {
            300..=305 => {
                self.outward.contacts.insert_many(0, cause.forward.iter().cloned());
                self.outward.contacts.truncate(CONTACTS_MAX);
            }
            // It speaks for the callee, wherever he is; 380 and the like lead to no call.
            306..=399 | 600..=699 => self.outward.contacts.clear(),
            _ => {}
        }
        while !self.outward.contacts.is_empty() {
            let contact = self.outward.contacts.remove(0);
            if self.goes_to(office, fork, &contact, now) {
                return true;
            }
        }
        false
    }

    /// Whether the call goes on to one of the Contacts.
    fn goes_to(&mut self, office: &mut Office, fork: usize, contact: &str, now: Instant) -> bool {
        // What it takes up does not keep its own call from the line.
        self.release_out(office);
        let chance = dice(&mut *office.rng);
        let further = match self.outward.redirects >= REDIRECTS_MAX {
            true => Err(SentOn::Again),
            false => self.further(office, fork, (contact, chance)),
        };
        let became = further.as_ref().err().copied().unwrap_or(SentOn::Followed);
        if let Some(who) = self.forks[fork].outside.as_ref().map(|it| it.who()) {
            let place = Place::Callee(u8::try_from(fork).unwrap_or(u8::MAX));
            self.note(place, What::SentOn { who, to: words(contact), became }, now);
        }
        let Some(invite) = self.invite.clone() else { return false };
        // Parsed once already when it came.
        let (Ok(further), Ok(message)) = (further, Message::parse(&invite)) else { return false };
        self.outward.redirects += 1;
        let is_claimed = self.claim_again(office, &further.outside);
        let before = self.record.sent_number.clone();
        if *before != *further.outside.out.called {
            let host = bracketed(self.caller.session.dialog.end.address.ip());
            self.tell_sent_on(office, &before, (&further.outside.out.called, &host), now);
        }
        if is_claimed {
            self.call_by(office, further.outside, (further.target, further.way), &message, now);
        }
        is_claimed
    }

    /// The call counts for its line or trunk again, which it has just left.
    fn claim_again(&mut self, office: &mut Office, outside: &Outside) -> bool {
        let (claim, most) = match &outside.through {
            Through::Line { key, line, .. } => (Claim::LineOut(*key), line.calls_out_max),
            Through::Trunk { server, trunk } => {
                (Claim::TrunkOut(server.trunk), trunk.calls_out_max)
            }
        };
        let is_claimed = office.claim_outside(claim, outside.out.limit(most));
        if is_claimed {
            self.counts.outside(claim);
        }
        is_claimed
    }

    fn further(
        &self,
        office: &Office,
        fork: usize,
        (contact, chance): (&str, u8),
    ) -> Result<Further, SentOn> {
        let present = &self.forks[fork];
        let (Some(outside), Some(leg)) = (&present.outside, &present.leg) else {
            return Err(SentOn::Elsewhere);
        };
        let number = number_in(contact).unwrap_or_else(|| outside.out.called.as_str().into());
        let host = address_in(contact);
        let flow = leg.session.flow;
        let here = Way::Open(flow);
        let (through, way, target_address) = match &outside.through {
            Through::Line { key, line, routes, .. } => {
                let live = office.lines.get(*key).ok_or(SentOn::Elsewhere)?;
                let known = host.and_then(|it| live.targets.others().find(|one| one.address == it));
                let way = known.and_then(|it| locate::way_to(office, it)).unwrap_or(here);
                let (line, auth, routes) =
                    (Arc::clone(line), ClientAuth::default(), routes.clone());
                (Through::Line { key: *key, line, auth, routes }, way, None)
            }
            Through::Trunk { server, trunk } => {
                let other = host.and_then(|it| server_at(office, *server, it));
                let server = other.unwrap_or(*server);
                let way = match trunks::way_to(office, server).filter(|_| other.is_some()) {
                    Some(Ok(flow)) => Way::Open(flow),
                    Some(Err(address)) => Way::Closed(address),
                    None => here,
                };
                let configured = office.trunks.server(server).map(|it| it.configured);
                let address = configured.and_then(|it| trunk.addresses.get(it));
                (Through::Trunk { server, trunk: Arc::clone(trunk) }, way, address)
            }
        };
        if self.was_at(&number, way.remote()) {
            let is_here = host.is_none_or(|it| it == flow.remote);
            return Err(if is_here { SentOn::Again } else { SentOn::Elsewhere });
        }
        let out = match *number == *outside.out.called {
            true => outside.out.clone(),
            false => self.may_dial(office, &through, (&number, chance)).ok_or(SentOn::Denied)?,
        };
        // An emergency call stays one, whatever number the carrier has for it.
        let out = Outgoing { emergency: outside.out.emergency, ..out };
        let target = match &through {
            Through::Line { line, .. } => line.request_uri(&out.called),
            Through::Trunk { trunk, .. } => trunk.request_uri_at(&out.called, target_address),
        };
        Ok(Further { outside: Outside { through, out }, way, target })
    }

    /// Whether the call has been to this number at this address.
    fn was_at(&self, number: &str, address: Option<SocketAddr>) -> bool {
        self.forks.iter().any(|it| {
            let remote = it.leg.as_ref().map(|it| it.session.flow.remote);
            *it.number == *number && remote == address
        })
    }

    /// How the number goes out by this line or trunk, where who calls may dial it, as it is or after
    /// the out-group prefix.
    fn may_dial(
        &self,
        office: &Office,
        through: &Through,
        (number, chance): (&str, u8),
    ) -> Option<Outgoing> {
        let origin = self.outward.origin.as_ref()?;
        let prefix = &office.settings(self.tenant).out_group_prefix;
        let prefixed = format!("{prefix}{number}");
        let same = |candidate: &Candidate| match (candidate, through) {
            (Candidate::Line(one, _), Through::Line { line, .. }) => one.account == line.account,
            (Candidate::Trunk(one, _), Through::Trunk { trunk, .. }) => one.id == trunk.id,
            _ => false,
        };
        [number, &prefixed].into_iter().find_map(|dialled| {
            let query = Query { dialled, ..self.query(origin, office.utc, chance) };
            let route = dialplan::route(&office.directory, office, &query);
            let found = route.outcome.ok()?.into_iter().find(same)?;
            match found {
                Candidate::Line(_, out) | Candidate::Trunk(_, out) => Some(out),
                Candidate::Extension(_) | Candidate::Feature(_) => None,
            }
        })
    }
}

/// The address of a Contact; a name is none.
fn address_in(contact: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(contact).ok()?;
    let ip = uri.host()?.ip()?;
    Some((ip.to_canonical(), uri.port().unwrap_or(5060)).into())
}

/// Another server of the same trunk.
fn server_at(office: &Office, than: ServerKey, address: SocketAddr) -> Option<ServerKey> {
    let mut others = office.trunks.servers_of(than.trunk).into_iter();
    others.find(|it| {
        *it != than && office.trunks.server(*it).and_then(|it| it.address) == Some(address)
    })
}
