//! The projection of the core's events that people look at: who is registered, what is up.
//!
//! A thread of its own reads [`Event`]s, keeps this picture and writes the log lines. The core
//! thread never takes the lock here; when events were dropped, it asks for a fresh picture.

use pbx::SmolStr;
use pbx::dialplan::Tried;
use pbx::event::{CallState, CallStatus, Event, Undone};
use pbx::id::{CallId, TenantId};
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, ByKey, CallRecord};
use pbx::time::Now;
use pbx::trunk::live::TrunkStatus;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Calls that ended are still shown, up to this many; the oldest goes.
const ENDED_MAX: usize = 200;

/// Reports of the trunk doctor that nobody asks for; the oldest goes.
const EXAMINED_MAX: usize = 16;

/// A lost event is noticed; a call that no report confirms for this long is taken off.
const CONFIRM: Duration = Duration::from_secs(10);

/// The core ends a registration first, and what it says of it takes a moment.
const LATE: Duration = Duration::from_millis(500);

/// Longest that a reader waits for the picture to be brought up to date.
const FRESH: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(crate) struct Board {
    picture: Mutex<Picture>,
    /// The thread that brings the picture up to date.
    watcher: OnceLock<Thread>,
    passed: Condvar,
}

#[derive(Default)]
struct Picture {
    calls: BTreeMap<CallId, Shown>,
    ended: VecDeque<Arc<CallRecord>>,
    /// With the end of each by the clock that never steps: the core keeps it when the wall clock does.
    bindings: BTreeMap<ByKey, Instant>,
    /// Times the events were looked for: begun, and ended.
    passes: (u64, u64),
    lines: BTreeMap<(TenantId, Box<str>), LineStatus>,
    trunks: BTreeMap<(TenantId, u32), TrunkStatus>,
    /// What the trunk doctor found, until it is asked for.
    examined: BTreeMap<u64, Option<Report>>,
    /// Who waits for the decision on a call that nobody places.
    trials: BTreeMap<u64, oneshot::Sender<Arc<Tried>>>,
    /// Who waits for what came of an order.
    orders: BTreeMap<u64, oneshot::Sender<Result<(), Undone>>>,
    /// Set when events were lost: calls last told before it are doubtful.
    lagged_at: Option<Instant>,
    doubtful: Doubtful,
}

/// What was there when events were lost, and has not been told since.
#[derive(Default)]
struct Doubtful {
    bindings: BTreeSet<ByKey>,
    lines: BTreeSet<(TenantId, Box<str>)>,
    trunks: BTreeSet<(TenantId, u32)>,
}

struct Shown {
    status: CallStatus,
    told_at: Instant,
}

fn ends_at(binding: &Binding, now: Now) -> Instant {
    now.instant + binding.expires_at.since(now.utc)
}

impl Board {
    /// With the bindings recovered at the start.
    pub(crate) fn new(bindings: &[Binding], now: Now) -> Self {
        let held = |it: &Binding| (ByKey(Arc::new(it.clone())), ends_at(it, now));
        let bindings = bindings.iter().map(held).collect();
        Self { picture: Mutex::new(Picture { bindings, ..Picture::default() }), ..Self::default() }
    }

    /// Says who brings the picture up to date.
    pub(crate) fn watched_by(&self, watcher: Thread) {
        // There is one watcher in the life of a board.
        let _ = self.watcher.set(watcher);
    }

    /// The watcher begins to look for events …
    pub(crate) fn begin_pass(&self) {
        self.lock().passes.0 += 1;
    }

    /// … and has taken all that there were.
    pub(crate) fn end_pass(&self) {
        let mut picture = self.lock();
        picture.passes.1 = picture.passes.0;
        drop(picture);
        self.passed.notify_all();
    }

    /// Brings the picture up to date; the device as it was registered before.
    pub(crate) fn take(&self, event: &Event, now: Now) -> Option<Arc<Binding>> {
        let mut picture = self.lock();
        let mut before = None;
        match event {
            Event::Registered(binding) => {
                // An equal key would keep the older binding.
                before = picture.bindings.remove_entry(&binding.key);
                picture.doubtful.bindings.remove(&binding.key);
                // What is told once more ends when it did: the wall clock may have been set meanwhile.
                let same = before.as_ref().filter(|(known, _)| known.0 == *binding);
                let ends_at = same.map_or_else(|| ends_at(binding, now), |&(_, it)| it);
                picture.bindings.insert(ByKey(Arc::clone(binding)), ends_at);
            }
            Event::Unregistered { key, .. } => before = picture.bindings.remove_entry(key),
            Event::Call(status) if status.state == CallState::Released => {
                picture.calls.remove(&status.call);
            }
            Event::Call(status) => {
                let shown = Shown { status: (**status).clone(), told_at: now.instant };
                picture.calls.insert(status.call, shown);
            }
            Event::CallEnded(record) => {
                picture.calls.remove(&record.call_id);
                picture.ended.push_back(Arc::clone(record));
                if picture.ended.len() > ENDED_MAX {
                    picture.ended.pop_front();
                }
            }
            Event::Line(status) => {
                let key = (status.tenant, status.account.clone());
                picture.doubtful.lines.remove(&key);
                picture.lines.insert(key, (**status).clone());
            }
            Event::LineGone { tenant, account } => {
                picture.lines.remove(&(*tenant, account.clone()));
            }
            Event::Trunk(status) => {
                let key = (status.tenant, status.id);
                picture.doubtful.trunks.remove(&key);
                picture.trunks.insert(key, (**status).clone());
            }
            Event::TrunkGone { tenant, id } => {
                picture.trunks.remove(&(*tenant, *id));
            }
            Event::Examined { token, report } => {
                picture.examined.insert(*token, report.as_deref().cloned());
                if picture.examined.len() > EXAMINED_MAX {
                    picture.examined.pop_first();
                }
            }
            Event::Tried { token, told } => {
                // Who asked may have gone.
                let asker = picture.trials.remove(token);
                asker.map(|it| it.send(Arc::clone(told)));
            }
            Event::Ordered { token, undone } => {
                let asker = picture.orders.remove(token);
                asker.map(|it| it.send(undone.map_or(Ok(()), Err)));
            }
            // These are for the log only.
            Event::AuthFailed { .. } | Event::Throttled { .. } | Event::Fault { .. } => {}
        }
        before.map(|(it, _)| it.0)
    }

    /// Events were dropped: what is not told again within [`CONFIRM`] goes.
    pub(crate) fn lagged(&self, now: Instant) {
        let mut picture = self.lock();
        picture.lagged_at = Some(now);
        picture.doubtful = Doubtful {
            bindings: picture.bindings.keys().cloned().collect(),
            lines: picture.lines.keys().cloned().collect(),
            trunks: picture.trunks.keys().copied().collect(),
        };
    }

    /// Removes what only a lost event could have removed; called about once a second. How much that was, once all that
    /// is there has had the time to be told again.
    pub(crate) fn sweep(&self, now: Instant) -> Option<usize> {
        let picture = &mut *self.lock();
        picture.bindings.retain(|_, ends_at| *ends_at + LATE > now);
        let lagged_at = picture.lagged_at.take_if(|it| now > *it + CONFIRM)?;
        let size =
            |it: &Picture| it.calls.len() + it.bindings.len() + it.lines.len() + it.trunks.len();
        let before = size(picture);
        picture.calls.retain(|_, it| it.told_at >= lagged_at);
        let Doubtful { bindings, lines, trunks } = std::mem::take(&mut picture.doubtful);
        picture.bindings.retain(|it, _| !bindings.contains(it));
        picture.lines.retain(|it, _| !lines.contains(it));
        picture.trunks.retain(|it, _| !trunks.contains(it));
        Some(before - size(picture))
    }

    /// The calls that are up.
    pub(crate) fn running(&self) -> BTreeSet<CallId> {
        self.lock().calls.keys().copied().collect()
    }

    /// Bindings after this one, in their order, up to so many.
    pub(crate) fn bindings(&self, after: Option<&BindingKey>, most: usize) -> Vec<Arc<Binding>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let picture = self.fresh();
        let bindings = picture.bindings.range::<BindingKey, _>((start, Bound::Unbounded));
        bindings.take(most).map(|(it, _)| Arc::clone(&it.0)).collect()
    }

    /// Whether a phone of the extension is registered.
    pub(crate) fn has_phone(&self, tenant: TenantId, extension: &str) -> bool {
        // No device has an empty name: this is before all of the extension.
        let first = BindingKey { tenant, extension: extension.into(), device: "".into() };
        let picture = self.lock();
        let mut from = picture.bindings.range::<BindingKey, _>(&first..);
        from.next()
            .is_some_and(|(it, _)| it.0.key.tenant == tenant && it.0.key.extension == extension)
    }

    pub(crate) fn line(&self, tenant: TenantId, account: &str) -> Option<LineStatus> {
        self.lock().lines.get(&(tenant, account.into())).cloned()
    }

    pub(crate) fn trunk(&self, tenant: TenantId, id: u32) -> Option<TrunkStatus> {
        self.lock().trunks.get(&(tenant, id)).cloned()
    }

    pub(crate) fn calls(&self) -> Vec<CallStatus> {
        self.fresh().calls.values().map(|it| it.status.clone()).collect()
    }

    /// The extensions of all sides of calls; callers from outside may have any number.
    pub(crate) fn talking(&self) -> BTreeSet<SmolStr> {
        let picture = self.fresh();
        let records = picture.calls.values().map(|it| &it.status.record);
        let sides = records.flat_map(|it| [&it.caller_extension, &it.callee_extension]);
        sides.flatten().cloned().collect()
    }

    /// Calls that began before this one, the newest first, up to so many: those that are up, and those that ended a
    /// short time ago.
    pub(crate) fn newest(
        &self,
        before: Option<CallId>,
        most: usize,
    ) -> (Vec<CallStatus>, Vec<Arc<CallRecord>>) {
        let picture = self.fresh();
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let up = picture.calls.range((Bound::Unbounded, end)).rev().take(most);
        let up = up.map(|(_, it)| it.status.clone()).collect();
        let earlier = |it: &&Arc<CallRecord>| before.is_none_or(|before| it.call_id < before);
        let mut ended: Vec<_> = picture.ended.iter().filter(earlier).cloned().collect();
        drop(picture);
        ended.sort_by_key(|it| std::cmp::Reverse(it.call_id));
        ended.truncate(most);
        (up, ended)
    }

    /// Ended calls, the newest first.
    pub(crate) fn ended(&self) -> Vec<Arc<CallRecord>> {
        self.fresh().ended.iter().rev().cloned().collect()
    }

    pub(crate) fn lines(&self) -> Vec<LineStatus> {
        self.fresh().lines.values().cloned().collect()
    }

    /// The report of an examination, once; `Some(None)`: it could not be made.
    pub(crate) fn examined(&self, token: u64) -> Option<Option<Report>> {
        self.lock().examined.remove(&token)
    }

    /// Where the decision on a call that nobody places will come.
    pub(crate) fn await_trial(&self, token: u64) -> oneshot::Receiver<Arc<Tried>> {
        let (asker, told) = oneshot::channel();
        let mut picture = self.lock();
        picture.trials.retain(|_, it| !it.is_closed());
        picture.trials.insert(token, asker);
        told
    }

    /// Where it will be told what came of an order.
    pub(crate) fn await_order(&self, token: u64) -> oneshot::Receiver<Result<(), Undone>> {
        let (asker, told) = oneshot::channel();
        let mut picture = self.lock();
        picture.orders.retain(|_, it| !it.is_closed());
        picture.orders.insert(token, asker);
        told
    }

    pub(crate) fn trunks(&self) -> Vec<TrunkStatus> {
        self.fresh().trunks.values().cloned().collect()
    }

    /// Lines and trunks as they were last told, for those who look often.
    pub(crate) fn outside(&self) -> (Vec<LineStatus>, Vec<TrunkStatus>) {
        let picture = self.lock();
        (picture.lines.values().cloned().collect(), picture.trunks.values().cloned().collect())
    }

    /// Calls as they were last told, by [`pbx::counters::DIRECTIONS`].
    pub(crate) fn calls_by_direction(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for it in self.lock().calls.values() {
            counts[it.status.record.direction as usize] += 1;
        }
        counts
    }

    pub(crate) fn figures(&self) -> (u64, u64) {
        let picture = self.lock();
        (picture.bindings.len() as u64, picture.calls.len() as u64)
    }

    /// The picture with all that happened before the question: whoever has just registered is in it.
    fn fresh(&self) -> MutexGuard<'_, Picture> {
        let picture = self.lock();
        let Some(watcher) = self.watcher.get() else { return picture };
        watcher.unpark();
        let begun = picture.passes.0;
        let stale = |it: &mut Picture| it.passes.1 <= begun;
        let waited = self.passed.wait_timeout_while(picture, FRESH, stale);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Picture> {
        // A reader that panicked has not left the picture half changed.
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::tests as examples;
    use pbx::event::UnregisterReason;
    use pbx::id::TenantId;
    use pbx::time::UnixMillis;
    use sip::{Flow, Transport};

    fn binding(extension: &str, expires_at: u64) -> Binding {
        let address = "127.0.0.1:5060".parse().unwrap();
        Binding {
            key: BindingKey {
                tenant: TenantId(0),
                extension: extension.into(),
                device: "d".into(),
            },
            contact: "sip:100@127.0.0.1".into(),
            flow: Flow {
                transport: Transport::Udp,
                local: address,
                remote: address,
                connection: None,
            },
            call_id: "c".into(),
            cseq: 1,
            q: 1000,
            user_agent: "".into(),
            registered_at: UnixMillis(0),
            expires_at: UnixMillis(expires_at),
        }
    }

    pub(crate) fn call(number: u128, state: CallState) -> Event {
        Event::Call(Box::new(CallStatus {
            call: CallId(uuid::Uuid::from_u128(number)),
            tenant: TenantId(0),
            state,
            record: Arc::default(),
            codec_caller: "".into(),
            codec_callee: "".into(),
            relayed: true,
            legs: Default::default(),
        }))
    }

    /// A carrier may show the number of an extension of ours.
    #[test]
    fn who_calls_from_outside_is_no_extension() {
        let Event::Call(mut status) = call(1, CallState::Ringing) else { panic!("a call") };
        status.record = Arc::new(CallRecord {
            caller_number: "101".into(),
            callee_number: "100".into(),
            callee_extension: Some("100".into()),
            ..CallRecord::default()
        });
        let board = Board::default();
        board.take(&Event::Call(status), at(crate::clock::now().instant, 0));
        assert_eq!(board.talking(), BTreeSet::from(["100".into()]));
    }

    fn at(start: Instant, ms: u64) -> Now {
        Now { instant: start + Duration::from_millis(ms), utc: UnixMillis(ms) }
    }

    #[test]
    fn registrations_come_and_go() {
        let start = crate::clock::now().instant;
        let board = Board::new(&[binding("100", 5_000)], at(start, 0));
        let registers =
            |until| board.take(&Event::Registered(Arc::new(binding("101", until))), at(start, 1));
        assert_eq!(registers(8_000), None);
        assert_eq!(registers(9_000).map(|it| it.expires_at), Some(UnixMillis(8_000)));
        assert_eq!(board.figures(), (2, 0));
        board.sweep(at(start, 6_000).instant);
        let left = board.bindings(None, 10);
        assert_eq!(left.iter().map(|it| &*it.key.extension).collect::<Vec<_>>(), ["101"]);
        assert!(board.has_phone(TenantId(0), "101") && !board.has_phone(TenantId(0), "10"));
        assert!(board.bindings(Some(&left[0].key), 10).is_empty());
        let gone = Event::Unregistered { key: left[0].key.clone(), why: UnregisterReason::Removed };
        board.take(&gone, at(start, 7_000));
        assert_eq!(board.figures(), (0, 0));
    }

    #[test]
    fn a_stepped_wall_clock_ends_no_registration() {
        let start = crate::clock::now().instant;
        let an_hour_ahead = Now { utc: UnixMillis(3_600_000), ..at(start, 10) };
        let board = Board::new(&[binding("100", 60_000)], at(start, 0));
        board.take(&Event::Registered(Arc::new(binding("101", 3_660_000))), an_hour_ahead);
        board.take(&Event::Registered(Arc::new(binding("100", 60_000))), an_hour_ahead);
        board.sweep(at(start, 59_000).instant);
        assert_eq!(board.figures(), (2, 0));
        board.sweep(at(start, 61_000).instant);
        assert_eq!(board.figures(), (0, 0));
    }

    #[test]
    fn a_call_whose_end_was_lost_goes_after_the_next_report() {
        let start = crate::clock::now().instant;
        let board = Board::default();
        board.take(&call(1, CallState::Answered), at(start, 0));
        board.take(&call(2, CallState::Answered), at(start, 0));
        board.lagged(at(start, 100).instant);
        board.take(&call(2, CallState::Answered), at(start, 150));
        board.sweep(at(start, 200).instant);
        assert_eq!(board.calls().len(), 2, "the report may still be on its way");
        board.sweep(at(start, 101).instant + CONFIRM);
        assert_eq!(board.calls().iter().map(|it| it.call.0.as_u128()).collect::<Vec<_>>(), [2]);
    }

    /// A phone has registered and another one has left, and neither was told.
    #[test]
    fn registrations_lines_and_trunks_are_as_they_are_told_after_a_loss() {
        let start = crate::clock::now().instant;
        let told = |it: &str| Event::Registered(Arc::new(binding(it, 60_000)));
        let line = |account: &str| {
            Event::Line(Box::new(LineStatus { account: account.into(), ..examples::line() }))
        };
        let trunk = |id| Event::Trunk(Box::new(TrunkStatus { id, ..examples::trunk() }));
        let board = Board::new(&[binding("100", 60_000), binding("101", 60_000)], at(start, 0));
        for event in [line("1"), line("2"), trunk(1), trunk(2)] {
            board.take(&event, at(start, 10));
        }
        board.lagged(at(start, 100).instant);
        for event in [told("101"), told("102"), line("2"), trunk(2)] {
            board.take(&event, at(start, 150));
        }
        assert_eq!(board.sweep(at(start, 200).instant), None, "more may be on its way");
        assert_eq!(board.sweep(at(start, 101).instant + CONFIRM), Some(3));
        let phones = board.bindings(None, 10);
        assert!(phones.iter().map(|it| &*it.key.extension).eq(["101", "102"]));
        assert!(board.lines().iter().map(|it| &*it.account).eq(["2"]));
        assert!(board.trunks().iter().map(|it| it.id).eq([2]));
        assert_eq!(board.sweep(at(start, 102).instant + 2 * CONFIRM), None);
    }

    #[test]
    fn ended_calls_are_kept_up_to_the_limit() {
        let start = crate::clock::now().instant;
        let board = Board::default();
        for number in 0..ENDED_MAX as u128 + 5 {
            board.take(&call(number, CallState::Ringing), at(start, 0));
            let call_id = CallId(uuid::Uuid::from_u128(number));
            let record = CallRecord { call_id, ..CallRecord::default() };
            board.take(&Event::CallEnded(Arc::new(record)), at(start, 1));
        }
        assert_eq!((board.calls().len(), board.ended().len()), (0, ENDED_MAX));
        assert_eq!(board.ended()[0].call_id.0.as_u128(), ENDED_MAX as u128 + 4);
    }
}
