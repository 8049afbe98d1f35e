//! The table of calls: by place, by id, by the tag of each leg, and their timers.

use crate::call::Call;
use crate::call::begin::Attempt;
use crate::event::{CallState, Event};
use crate::id::CallId;
use crate::media;
use crate::office::{LegId, Office, Owner};
use sip::Flow;
use sip::endpoint::ClientTx;
use sip::slack::{give_back_map, give_back_slab};
use sip::timers::TimerQueue;
use slab::Slab;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

/// Most calls of a shard, those whose last transactions come to their ends included; one more gets
/// 503.
pub(super) const CALLS_MAX: usize = 50_000;

/// Entries of the queue that may be of no use any more, besides as many as there are calls: those of
/// ended calls, whose session timers may be due in years. Beyond that they are dropped.
const STALE_TIMERS_MAX: usize = 1024;

/// Calls remembered that ended with one input; more of them at once end without a word.
const ENDED_MAX: usize = 64;

/// All calls of a shard.
#[derive(Default)]
pub(super) struct Calls {
    slab: Slab<Place>,
    by_id: HashMap<CallId, usize, ahash::RandomState>,
    timers: TimerQueue<(usize, u32)>,
    serial: u32,
    /// The call the present input is about: what a panic would cost.
    pub(super) touching: Option<usize>,
    /// Place, serial number and id of those that ended with the present input: what they have just
    /// sent is theirs all the same.
    ended: Vec<(usize, u32, CallId)>,
}

struct Place {
    call: Call,
    serial: u32,
    /// When its entry in the queue comes up.
    armed: Option<Instant>,
}

impl Calls {
    /// Gives back the memory of a busier time.
    pub(super) fn give_back(&mut self) {
        give_back_slab(&mut self.slab);
        give_back_map(&mut self.by_id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.slab.len() >= CALLS_MAX
    }

    /// Begins a call; it may be over already when this returns.
    pub(super) fn begin(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        now: Instant,
    ) -> CallId {
        let place = self.next_place();
        let call = Call::new(office, place, attempt, now);
        let owner = call.owner(LegId::Caller);
        let id = self.insert(call);
        self.with(office, owner, |call, office, _| call.begin(office, attempt, now));
        id
    }

    /// The place and serial number of the next call.
    pub(super) fn next_place(&mut self) -> (usize, u32) {
        self.serial = self.serial.wrapping_add(1);
        (self.slab.vacant_key(), self.serial)
    }

    /// Takes in a call made for [`Calls::next_place`].
    pub(super) fn insert(&mut self, call: Call) -> CallId {
        let (id, owner) = (call.id, call.owner(LegId::Caller));
        let index = self.slab.insert(Place { call, serial: owner.serial, armed: None });
        assert_eq!(index, owner.call, "the place was given to another call");
        self.by_id.insert(id, index);
        id
    }

    pub(super) fn find(&self, id: CallId) -> Option<&Call> {
        self.slab.get(*self.by_id.get(&id)?).map(|it| &it.call)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Call> {
        self.slab.iter().map(|(_, it)| &it.call)
    }

    /// The call of an owner, also one that ended since [`Calls::forget_ended`].
    pub(super) fn id_of(&self, owner: Owner) -> Option<CallId> {
        let up = self.slab.get(owner.call).filter(|it| it.serial == owner.serial);
        let its = |it: &&(usize, u32, CallId)| (it.0, it.1) == (owner.call, owner.serial);
        let ended = || self.ended.iter().find(its).map(|it| it.2);
        up.map(|it| it.call.id).or_else(ended)
    }

    /// What was sent has found its calls.
    pub(super) fn forget_ended(&mut self) {
        self.ended.clear();
    }

    pub(super) fn id_at(&self, index: usize) -> Option<CallId> {
        self.slab.get(index).map(|it| it.call.id)
    }

    pub(super) fn get(&self, owner: Owner) -> Option<&Call> {
        let place = self.slab.get(owner.call)?;
        (place.serial == owner.serial).then_some(&place.call)
    }

    /// Does something to the call of an owner, then sees to its timers and its end.
    pub(super) fn with(
        &mut self,
        office: &mut Office,
        owner: Owner,
        act: impl FnOnce(&mut Call, &mut Office, LegId),
    ) -> Option<CallId> {
        let place = self.slab.get_mut(owner.call)?;
        if place.serial != owner.serial {
            return None;
        }
        self.touching = Some(owner.call);
        let id = place.call.id;
        act(&mut place.call, office, owner.leg);
        self.settle(office, owner.call);
        Some(id)
    }

    pub(super) fn with_id(
        &mut self,
        office: &mut Office,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Office),
    ) -> Option<CallId> {
        let index = *self.by_id.get(&id)?;
        let serial = self.slab.get(index)?.serial;
        let owner = Owner { call: index, serial, leg: LegId::Caller };
        self.with(office, owner, |call, office, _| act(call, office))
    }

    pub(super) fn with_each(&mut self, office: &mut Office, act: impl Fn(&mut Call, &mut Office)) {
        let ids: Vec<CallId> = self.slab.iter().map(|(_, it)| it.call.id).collect();
        for id in ids {
            self.with_id(office, id, &act);
        }
    }

    /// Tells the calls at so many places that have not ended: of the others the record tells. Whether more places follow.
    pub(super) fn report(&self, office: &mut Office, places: Range<usize>) -> bool {
        for place in places.clone().filter_map(|it| self.slab.get(it)) {
            let status = place.call.status();
            if status.state != CallState::Released {
                office.event(Event::Call(Box::new(status)));
            }
        }
        places.end < self.slab.capacity()
    }

    /// The answer to [`Office::connect`]: a flow, or `None`.
    pub(super) fn connected(
        &mut self,
        office: &mut Office,
        token: u64,
        flow: Option<Flow>,
        now: Instant,
    ) -> Option<CallId> {
        let owner = office.connects.remove(&token)?;
        self.with(office, owner, |call, office, leg| {
            let LegId::Callee(fork) = leg else { return };
            match flow {
                Some(flow) => call.connected(office, fork, flow, now),
                None => call.connect_failed(office, fork.into(), now),
            }
        })
    }

    pub(super) fn media(
        &mut self,
        office: &mut Office,
        event: media::Event,
        now: Instant,
    ) -> Option<CallId> {
        let id = match &event {
            media::Event::Configured { call, .. }
            | media::Event::Failed { call, .. }
            | media::Event::Closed { call, .. }
            | media::Event::Progress { call, .. }
            | media::Event::Latched { call, .. }
            | media::Event::Pressed { call, .. }
            | media::Event::Silent { call, .. } => *call,
            media::Event::PortsReady { .. } => return None,
        };
        self.with_id(office, id, |call, office| call.handle_media(office, event, now))
    }

    pub(super) fn transaction_failed(
        &mut self,
        office: &mut Office,
        owner: Owner,
        (transaction, code): (ClientTx, u16),
        now: Instant,
    ) {
        self.with(office, owner, |call, office, leg| {
            call.handle_failure(office, leg, transaction, code, now);
        });
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn handle_timeout(&mut self, office: &mut Office, now: Instant) {
        while let Some((at, (index, serial))) = self.timers.pop_due(now) {
            let Some(place) = self.slab.get_mut(index) else { continue };
            if place.serial != serial || place.armed != Some(at) {
                continue;
            }
            place.armed = None;
            let owner = Owner { call: index, serial, leg: LegId::Caller };
            self.with(office, owner, |call, office, _| {
                if call.poll_timeout().is_some_and(|due| due <= now) {
                    call.handle_timeout(office, now);
                }
            });
        }
    }

    /// Takes a call out of the table as it is.
    pub(super) fn remove(&mut self, office: &mut Office, index: usize) -> Option<Call> {
        let place = self.slab.try_remove(index)?;
        self.by_id.remove(&place.call.id);
        if self.ended.len() < ENDED_MAX {
            self.ended.push((index, place.serial, place.call.id));
        }
        for tag in place.call.tags() {
            office.release_tag(tag);
        }
        Some(place.call)
    }

    fn settle(&mut self, office: &mut Office, index: usize) {
        let place = &mut self.slab[index];
        if place.call.is_done() {
            self.remove(office, index);
            return;
        }
        let Some(due) = place.call.poll_timeout() else { return };
        if place.armed.is_none_or(|armed| due < armed) {
            place.armed = Some(due);
            let serial = place.serial;
            self.drop_stale_timers();
            self.timers.set(due, (index, serial));
        }
    }

    fn drop_stale_timers(&mut self) {
        if self.timers.len() < 2 * self.slab.len() + STALE_TIMERS_MAX {
            return;
        }
        let slab = &self.slab;
        self.timers.retain(|at, (index, serial)| {
            slab.get(index).is_some_and(|it| it.serial == serial && it.armed == Some(at))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn deadlines_of_ended_calls_do_not_pile_up() {
        let mut calls = Calls::default();
        let in_years = Instant::now() + Duration::from_secs(u32::MAX.into());
        for serial in 0..3 * u32::try_from(STALE_TIMERS_MAX).unwrap() {
            calls.drop_stale_timers();
            calls.timers.set(in_years, (0, serial));
            assert!(calls.timers.len() <= STALE_TIMERS_MAX, "{serial}");
        }
    }
}
