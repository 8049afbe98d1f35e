//! The orders of application servers and what became of them: pure, with the time as an argument.
//!
//! An order is a chain of calls: the one to the first party, the one to the second, and those that come of
//! forwarding and transfer. It is over when none of them is up and none is to come.

use super::message::{Message, Method, Refused, Reply};
use pbx::call::placed::Order;
use pbx::id::{CallId, TenantId};
use pbx::record::CallRecord;
use pbx::release::ReleaseCode;
use pbx::supplementary::is_forwardable;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Orders at a time; one more takes the place of the oldest that is over, or is refused.
const ORDERS_MAX: usize = 256;
/// Calls of one order; one more counts for nothing.
const CALLS_MAX: usize = 16;
/// How long an order that is over is remembered: the same one again is a repetition, and gets its
/// answers again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long nothing may be up before the order is over: the next call of the chain is told at once.
const BETWEEN: Duration = Duration::from_secs(5);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Send(SocketAddr, Reply),
    Place(Box<Order>),
    HangUp(CallId),
}

/// Who gave an order, and what he calls it.
type Key = (IpAddr, Box<str>);

/// An order and how far it is.
#[derive(Debug)]
struct Entry {
    /// Where its answers go.
    at: SocketAddr,
    /// The calls that it has become; the first of them is the one to the first party.
    calls: Vec<CallId>,
    up: Vec<CallId>,
    /// How long the two have talked.
    talked_ms: u64,
    /// Of the call that ended last.
    cause: u16,
    /// Longest that they may talk, once the first party has answered.
    most: Option<Duration>,
    ends_at: Option<Instant>,
    /// It was cancelled, or its time is over: a call that is told of later ends too.
    is_to_end: bool,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Running,
    /// Nothing is up; over at this time, unless a call comes.
    Between(Instant),
    /// Forgotten at this time.
    Over(Instant),
}

/// What decides on a new order.
pub(super) struct Office<'a> {
    pub(super) is_extension: &'a dyn Fn(&str) -> bool,
    /// The number that the first party is shown where the order names none; empty: it is anonymous.
    pub(super) usual_caller: &'a str,
    pub(super) new_call: Option<CallId>,
}

/// All orders, by who gave them and what he calls them.
#[derive(Debug, Default)]
pub(super) struct Orders {
    entries: BTreeMap<Key, Entry>,
}

impl Orders {
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// A message of an application server that may order.
    pub(super) fn heard(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
        office: &Office<'_>,
        now: Instant,
    ) -> Vec<Act> {
        let key = (from.ip(), Box::from(message.id));
        let ack = |result| Act::Send(from, Reply::Ack { id: message.id.into(), result });
        let known = self.entries.get_mut(&key);
        match (message.method, known) {
            (Method::Request, Some(known)) => {
                known.at = from;
                let again = known.response(message.id);
                std::iter::once(ack(Refused::No))
                    .chain(again.map(|it| Act::Send(from, it)))
                    .collect()
            }
            (Method::Request, None) => match self.wanted(message, office) {
                Ok(order) => {
                    self.make_room();
                    let most = message.duration_s.filter(|it| *it > 0);
                    let most = most.map(|it| Duration::from_secs(it.into()));
                    self.entries.insert(key, Entry::new(from, order.call, most, now));
                    vec![ack(Refused::No), Act::Place(Box::new(order))]
                }
                Err(result) => vec![ack(result)],
            },
            (Method::Cancel, Some(known)) => {
                known.is_to_end = true;
                let hang_up = known.up().map(Act::HangUp);
                std::iter::once(ack(Refused::No)).chain(hang_up).collect()
            }
            (Method::Cancel, None) => vec![ack(Refused::Unknown)],
        }
    }

    fn wanted(&self, message: &Message<'_>, office: &Office<'_>) -> Result<Order, Refused> {
        let Message { caller1, called1, caller2, called2, .. } = *message;
        let shown = |it: &str| it.is_empty() || is_forwardable(it);
        let dialled = is_forwardable(called1) && is_forwardable(called2) && called1 != called2;
        if !dialled || !shown(caller1) || !shown(caller2) {
            return Err(Refused::Number);
        }
        let usual = office.usual_caller;
        let named = [caller1, called1, usual];
        let by = named.into_iter().find(|it| !it.is_empty() && (office.is_extension)(it));
        let by = by.ok_or(Refused::Rights)?;
        let is_over = |it: &Entry| matches!(it.state, State::Over(_));
        let full = self.entries.len() >= ORDERS_MAX && !self.entries.values().any(is_over);
        let call = office.new_call.filter(|_| !full).ok_or(Refused::Busy)?;
        let caller = [caller1, usual].into_iter().find(|it| !it.is_empty());
        Ok(Order {
            call,
            tenant: TenantId::default(),
            by: by.into(),
            first: called1.into(),
            second: called2.into(),
            shown: Some(caller.unwrap_or(pbx::privacy::ANONYMOUS).into()),
            shown_to_second: Some(caller2).filter(|it| !it.is_empty()).map(Into::into),
            placed_by: "call-back".into(),
            answers_itself: false,
        })
    }

    /// Forgets the oldest order that is over, where there is no room for one more.
    fn make_room(&mut self) {
        if self.entries.len() < ORDERS_MAX {
            return;
        }
        let over = self.entries.iter().filter_map(|(key, it)| match it.state {
            State::Over(until) => Some((until, key)),
            State::Running | State::Between(_) => None,
        });
        if let Some(oldest) = over.min().map(|it| it.1.clone()) {
            self.entries.remove(&oldest);
        }
    }

    /// A call began or changed.
    pub(super) fn changed(&mut self, record: &CallRecord, now: Instant) -> Option<Act> {
        let (_, entry) = self.find(record)?;
        entry.know(record.call_id);
        if entry.is_first(record) && record.answered_at.is_some() {
            let ends_at = entry.most.map(|it| now + it);
            entry.ends_at = entry.ends_at.or(ends_at);
        }
        entry.is_to_end.then_some(Act::HangUp(record.call_id))
    }

    /// A call ended.
    pub(super) fn ended(&mut self, record: &CallRecord, now: Instant) -> Vec<Act> {
        let Some((key, entry)) = self.find(record) else { return vec![] };
        entry.know(record.call_id);
        entry.up.retain(|it| *it != record.call_id);
        entry.talked_ms += if entry.is_first(record) { 0 } else { record.billable_ms };
        // The first call ends with success when the two are joined: nothing to tell of.
        if record.release_code != Some(ReleaseCode::SystemJoined) {
            entry.cause = record.q850_cause;
        }
        if entry.state != State::Running || !entry.up.is_empty() {
            return vec![];
        }
        if goes_on(record.release_code) {
            entry.state = State::Between(now + BETWEEN);
            return vec![];
        }
        let key = key.clone();
        self.over(&key, now).into_iter().collect()
    }

    /// Calls of which nothing is known any more: events were lost.
    pub(super) fn lost(&mut self, is_up: impl Fn(CallId) -> bool, now: Instant) -> Vec<Act> {
        let mut over = vec![];
        for (key, entry) in &mut self.entries {
            entry.up.retain(|it| is_up(*it));
            if entry.state == State::Running && entry.up.is_empty() {
                over.push(key.clone());
            }
        }
        over.iter().filter_map(|it| self.over(it, now)).collect()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Act> {
        self.entries.retain(|_, it| !matches!(it.state, State::Over(at) if at <= now));
        let mut acts = vec![];
        for entry in self.entries.values_mut() {
            if entry.ends_at.is_some_and(|it| it <= now) {
                (entry.ends_at, entry.most) = (None, None);
                entry.is_to_end = true;
                acts.extend(entry.up().map(Act::HangUp));
            }
        }
        let late = |it: &Entry| matches!(it.state, State::Between(at) if at <= now);
        let late: Vec<_> =
            self.entries.iter().filter(|it| late(it.1)).map(|it| it.0.clone()).collect();
        acts.extend(late.iter().filter_map(|it| self.over(it, now)));
        acts
    }

    fn over(&mut self, key: &Key, now: Instant) -> Option<Act> {
        let entry = self.entries.get_mut(key)?;
        entry.state = State::Over(now + REMEMBERED);
        Some(Act::Send(entry.at, entry.response(&key.1)?))
    }

    /// The order that a call belongs to: by itself, or by the one it came from.
    fn find(&mut self, record: &CallRecord) -> Option<(&Key, &mut Entry)> {
        let its = |it: &Entry| {
            let known = |call: CallId| it.calls.contains(&call);
            known(record.call_id) || record.linked_call_id.is_some_and(known)
        };
        let is_over = |it: &Entry| matches!(it.state, State::Over(_));
        self.entries.iter_mut().find(|it| !is_over(it.1) && its(it.1))
    }
}

impl Entry {
    /// It is over soon, unless the call is told of.
    fn new(at: SocketAddr, call: CallId, most: Option<Duration>, now: Instant) -> Self {
        let (talked_ms, cause) = (0, NOT_PLACED);
        let state = State::Between(now + BETWEEN);
        let (calls, up) = (vec![call], vec![]);
        let (ends_at, is_to_end) = (None, false);
        Self { at, calls, up, talked_ms, cause, most, ends_at, is_to_end, state }
    }

    fn is_first(&self, record: &CallRecord) -> bool {
        self.calls.first() == Some(&record.call_id)
    }

    fn know(&mut self, call: CallId) {
        if !self.calls.contains(&call) {
            if self.calls.len() == CALLS_MAX {
                return;
            }
            self.calls.push(call);
        }
        if !self.up.contains(&call) {
            self.up.push(call);
        }
        self.state = State::Running;
    }

    /// The calls to hang up; the first one even where nothing is known of it yet.
    fn up(&self) -> impl Iterator<Item = CallId> {
        let waits = self.up.is_empty() && !matches!(self.state, State::Over(_));
        let first = self.calls.first().copied().filter(|_| waits);
        self.up.iter().copied().chain(first)
    }

    fn response(&self, id: &str) -> Option<Reply> {
        let (duration_s, cause) = (self.talked_ms.div_ceil(1000), self.cause);
        let is_over = matches!(self.state, State::Over(_));
        is_over.then(|| Reply::Response { id: id.into(), duration_s, cause })
    }
}

/// Temporary failure (ITU-T Q.850): the server could not even begin.
const NOT_PLACED: u16 = 41;

/// Another call takes the place of one that ended so.
fn goes_on(code: Option<ReleaseCode>) -> bool {
    use ReleaseCode::{
        CalleeForwarded, CalleeForwardedAlways, CalleeForwardedBusy, CalleeForwardedNoAnswer,
        CalleeForwardedUnreachable, CalleeTransferred, CallerTransferred, SystemJoined,
    };
    let onward = [
        CalleeForwarded,
        CalleeForwardedAlways,
        CalleeForwardedBusy,
        CalleeForwardedNoAnswer,
        CalleeForwardedUnreachable,
        CalleeTransferred,
        CallerTransferred,
        SystemJoined,
    ];
    code.is_some_and(|it| onward.contains(&it))
}

#[cfg(test)]
mod tests;
