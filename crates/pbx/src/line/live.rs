//! The lines as they are now: registered or not, and the way to each carrier.

use super::Line;
use super::register::{Actions, Bound, Circumstances, Event, Ids, Moment, Registration, Standing};
use super::table::Pool;
use super::target::Targets;
use super::trouble::Trouble;
use crate::id::TenantId;
use crate::language::Text;
use crate::record::LineRegistration;
use crate::time::{Now, UnixMillis};
use sip::auth::client::{Account, Realms};
use sip::endpoint::ClientTx;
use sip::locate::{Place, Resolution, Target};
use sip::timers::TimerQueue;
use sip::{ConnectionId, Flow, Tag, Transport};
use slab::Slab;
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Map<K, V> = HashMap<K, V, ahash::RandomState>;

/// How far apart REGISTERs go out that no timer of their own parts: 25 a second, so that 500 lines
/// begin in 20 s.
pub const PACE: Duration = Duration::from_millis(40);

/// Names a line in [`Lines`]; a stale name finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineKey {
    index: usize,
    serial: u32,
}

/// One line.
#[derive(Debug)]
pub struct LiveLine {
    pub key: LineKey,
    pub tenant: TenantId,
    pub config: Arc<Line>,
    /// It was deleted: it goes as soon as the carrier has been told.
    pub deleted: bool,
    pub registration: Registration,
    pub targets: Targets,
    /// The way calls go: that of the newest REGISTER that was granted; where none is known, as after a
    /// restart, that of the one under way. [`Lines::asks_by`] and [`Lines::granted`] alone give it a new
    /// one, as lines are found by it; anybody may take it away.
    pub flow: Option<Flow>,
    /// The way of the newest REGISTER, which may not have been answered.
    pub asking: Option<Flow>,
    /// What the carrier sees us at, where that is another address than ours.
    pub seen: Option<SocketAddr>,
    /// It registers once more only because it is seen elsewhere than it said.
    pub corrects_contact: bool,
    /// The routes the registrar gave for requests of the line (RFC 3608).
    pub service_route: Vec<Box<str>>,
    /// The REGISTER that is out.
    pub transaction: Option<ClientTx>,
    /// A stream being opened for a REGISTER with this Expires.
    pub connecting: Option<(u64, u32)>,
    /// A REGISTER with this Expires waits for the addresses of the carrier's name.
    pub resolving: Option<u32>,
    /// A REGISTER waits for those of the name that the carrier sent us to.
    pub redirecting: Option<Place>,
    pub keep_alive_at: Option<Instant>,
    pub last_request: Option<Said>,
    pub last_answer: Option<Said>,
    pub calls_in: u16,
    pub calls_out: u16,
    /// Calls that it could not take because it had all it may have.
    pub limit_hits: u64,
    /// What the journal knows of it.
    recorded: Option<LineRegistration>,
    published: Option<Box<LineStatus>>,
    /// When its entry in the queue comes up.
    armed: Option<Instant>,
}

/// Something one side said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: UnixMillis,
    pub what: Text,
}

/// A line as the board shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LineStatus {
    pub tenant: TenantId,
    pub account: Box<str>,
    pub standing: Standing,
    /// Since when, and until when the carrier holds our binding.
    pub since: Option<UnixMillis>,
    pub until: Option<UnixMillis>,
    /// The address its requests go to.
    pub target: Option<SocketAddr>,
    pub last_request: Option<Said>,
    pub last_answer: Option<Said>,
    /// When the next REGISTER goes out.
    pub next_at: Option<UnixMillis>,
    pub trouble: Option<Trouble>,
    pub calls_in: u16,
    pub calls_out: u16,
    pub limit_hits: u64,
}

/// All lines of a shard.
#[derive(Debug, Default)]
pub struct Lines {
    slab: Slab<LiveLine>,
    by_account: Map<TenantId, Map<Box<str>, LineKey>>,
    by_contact: Map<Tag, LineKey>,
    by_token: Map<u64, LineKey>,
    /// The lines of each carrier's address. Made anew after a change, when it is first needed.
    by_address: OnceCell<Map<IpAddr, SmallVec<[LineKey; 1]>>>,
    /// Registrations of an earlier process, until the directory names their lines.
    recovered: BTreeMap<(TenantId, Box<str>), LineRegistration>,
    last_taken: Map<(TenantId, Pool), Box<str>>,
    timers: TimerQueue<LineKey>,
    serial: u32,
    next_slot: Option<Instant>,
}

impl LiveLine {
    /// It is configured to register.
    pub fn wants(&self) -> bool {
        !self.deleted && self.config.enabled && self.config.register
    }

    /// Its carrier is, or speaks from, here.
    fn is_at(&self, ip: IpAddr) -> bool {
        let speaks_from = self.flow.is_some_and(|it| it.remote.ip().to_canonical() == ip);
        self.config.enabled && !self.deleted && (speaks_from || self.targets.contains(ip))
    }

    pub fn handle(&mut self, event: Event, moment: Moment) -> Actions {
        let circumstances = Circumstances {
            expires_s: self.config.expires_s,
            new_call_id: self.config.new_call_id,
            untried_target: self.targets.has_untried(),
        };
        self.registration.handle(event, &circumstances, moment)
    }

    /// Who we are to the carrier. Where it sent us elsewhere, its own realm alone is answered.
    pub fn account<'a>(&self, config: &'a Line, own: &'a [&'a str]) -> Account<'a> {
        let realms = if self.targets.is_redirected() { Realms::Only(own) } else { Realms::Any };
        Account { user: config.auth_user(), password: &config.password.0, realms }
    }

    /// The address to name in Contact on this way, where it is not our own.
    pub fn seen_at(&self, flow: Flow) -> Option<SocketAddr> {
        // A stream is called back over itself, whatever the Contact says.
        self.seen.filter(|_| flow.transport == Transport::Udp)
    }

    /// What must survive a restart, where the journal does not have it yet.
    pub fn unrecorded(&mut self) -> Option<LineRegistration> {
        let Registration { ids, .. } = &self.registration;
        let bound = self.registration.binding();
        let facts = LineRegistration {
            tenant: self.tenant,
            account: self.config.account.clone(),
            call_id: ids.call_id.clone(),
            cseq: ids.cseq,
            contact: ids.contact.to_string().into(),
            since: bound.map(|it| it.since_utc),
            until: bound.map(|it| it.until_utc),
        };
        // A line that never asked has nothing to tell.
        let is_news = ids.cseq > 0 && self.recorded.as_ref() != Some(&facts);
        is_news.then(|| {
            self.recorded = Some(facts.clone());
            facts
        })
    }

    /// The picture for the board, where it has changed.
    pub fn unpublished(&mut self, now: Now) -> Option<Box<LineStatus>> {
        let status = Box::new(self.status(now));
        (self.published.as_ref() != Some(&status)).then(|| {
            self.published = Some(status.clone());
            status
        })
    }

    /// The picture for the board after its calls changed.
    pub fn counted(&mut self) -> Option<Box<LineStatus>> {
        // The account may be another line's by now.
        let status = self.published.as_mut().filter(|_| !self.deleted)?;
        (status.calls_in, status.calls_out) = (self.calls_in, self.calls_out);
        status.limit_hits = self.limit_hits;
        Some(status.clone())
    }

    pub fn status(&self, now: Now) -> LineStatus {
        let bound = self.registration.binding();
        let in_utc = |at: Instant| now.utc.after(at.saturating_duration_since(now.instant));
        LineStatus {
            tenant: self.tenant,
            account: self.config.account.clone(),
            standing: self.registration.standing(),
            since: bound.map(|it| it.since_utc),
            until: bound.map(|it| it.until_utc),
            target: self.targets.current().map(|it| it.address),
            last_request: self.last_request.clone(),
            last_answer: self.last_answer.clone(),
            next_at: self.registration.next_at().map(in_utc),
            trouble: self.trouble(),
            calls_in: self.calls_in,
            calls_out: self.calls_out,
            limit_hits: self.limit_hits,
        }
    }

    /// What is wrong with its registration, else with its name.
    fn trouble(&self) -> Option<Trouble> {
        let stale = self.targets.name_trouble().is_some_and(|it| it.stale);
        self.registration.trouble().or_else(|| stale.then_some(Trouble::DnsStale))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.registration.poll_timeout().into_iter().chain(self.keep_alive_at).min()
    }
}

impl Lines {
    /// The lines at these places, as the board was told last.
    pub fn published(&self, places: Range<usize>) -> Vec<Box<LineStatus>> {
        // The account of a deleted one may be another line's by now.
        let lines = places.filter_map(|it| self.slab.get(it)).filter(|it| !it.deleted);
        lines.filter_map(|it| it.published.clone()).collect()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.slab.capacity()
    }

    pub fn recover(&mut self, facts: Vec<LineRegistration>) {
        let named = |it: LineRegistration| ((it.tenant, it.account.clone()), it);
        self.recovered = facts.into_iter().map(named).collect();
    }

    /// Registrations of an earlier process whose lines are no more.
    pub fn take_recovered(&mut self) -> Vec<LineRegistration> {
        std::mem::take(&mut self.recovered).into_values().collect()
    }

    pub fn get(&self, key: LineKey) -> Option<&LiveLine> {
        self.slab.get(key.index).filter(|it| it.key == key)
    }

    pub fn get_mut(&mut self, key: LineKey) -> Option<&mut LiveLine> {
        self.slab.get_mut(key.index).filter(|it| it.key == key)
    }

    /// A line whose carrier gets another address: whoever changes `flow` or `targets` to something new
    /// takes it from here, so that calls from there are recognised.
    pub fn get_to_move(&mut self, key: LineKey) -> Option<&mut LiveLine> {
        self.by_address.take();
        self.get_mut(key)
    }

    /// What its carrier's name leads to. Gives where its requests went and where they go now.
    pub fn resolve(
        &mut self,
        key: LineKey,
        targets: &[Target],
        resolution: &Resolution,
    ) -> Option<[Option<Target>; 2]> {
        let line = self.get_mut(key)?;
        let before = line.targets.current();
        let changed = line.targets.resolve(targets, resolution);
        let after = line.targets.current();
        // Most refreshes change nothing, and with many lines the index is dear.
        if changed {
            self.by_address.take();
        }
        Some([before, after])
    }

    /// A REGISTER goes out this way. Calls do where they have no other.
    pub fn asks_by(&mut self, key: LineKey, flow: Flow) {
        let Some(line) = self.get_mut(key) else { return };
        line.asking = Some(flow);
        if line.flow.is_none() {
            self.moves_to(key, flow);
        }
    }

    /// The registrar granted what the newest REGISTER asked for: calls go its way from now on.
    pub fn granted(&mut self, key: LineKey) {
        let Some(line) = self.get(key) else { return };
        if let Some(flow) = line.asking.filter(|it| line.flow != Some(*it)) {
            self.moves_to(key, flow);
        }
    }

    fn moves_to(&mut self, key: LineKey, flow: Flow) {
        if let Some(line) = self.get_to_move(key) {
            line.flow = Some(flow);
        }
    }

    pub fn find(&self, tenant: TenantId, account: &str) -> Option<&LiveLine> {
        let key = self.by_account.get(&tenant)?.get(account)?;
        self.get(*key)
    }

    /// The line whose Contact has this user part.
    pub fn by_contact(&self, user: &str) -> Option<&LiveLine> {
        self.get(*self.by_contact.get(&Tag::parse(user)?)?)
    }

    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub fn keys(&self) -> Vec<LineKey> {
        self.slab.iter().map(|(_, it)| it.key).collect()
    }

    /// Those whose carrier has this name.
    pub fn at_place(&self, place: &Place) -> Vec<LineKey> {
        self.iter().filter(|it| it.targets.place() == Some(place)).map(|it| it.key).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &LiveLine> {
        self.slab.iter().map(|(_, it)| it)
    }

    /// Adds a line; `ids` are for one that was never registered.
    pub fn add(&mut self, tenant: TenantId, config: &Arc<Line>, ids: Ids, now: Now) -> LineKey {
        let recorded = self.recovered.remove(&(tenant, config.account.clone()));
        let registration = match &recorded {
            Some(it) => Registration::new(recorded_ids(it, ids), recorded_binding(it, now)),
            None => Registration::new(ids, None),
        };
        self.by_address.take();
        self.serial = self.serial.wrapping_add(1);
        let key = LineKey { index: self.slab.vacant_key(), serial: self.serial };
        self.by_contact.insert(registration.ids.contact, key);
        self.by_account.entry(tenant).or_default().insert(config.account.clone(), key);
        self.slab.insert(LiveLine {
            key,
            tenant,
            config: Arc::clone(config),
            deleted: false,
            registration,
            targets: Targets::of(config),
            flow: None,
            asking: None,
            seen: None,
            corrects_contact: false,
            service_route: Vec::new(),
            transaction: None,
            connecting: None,
            resolving: None,
            redirecting: None,
            keep_alive_at: None,
            last_request: None,
            last_answer: None,
            calls_in: 0,
            calls_out: 0,
            recorded,
            limit_hits: 0,
            published: None,
            armed: None,
        });
        key
    }

    pub fn remove(&mut self, key: LineKey) {
        if self.get(key).is_none() {
            return;
        }
        self.by_address.take();
        let line = self.slab.remove(key.index);
        self.by_contact.remove(&line.registration.ids.contact);
        if let Some(accounts) = self.by_account.get_mut(&line.tenant)
            && accounts.get(&line.config.account) == Some(&key)
        {
            accounts.remove(&line.config.account);
        }
    }

    /// The next free place in the row of REGISTERs.
    pub fn slot(&mut self, now: Instant) -> Instant {
        let at = self.next_slot.map_or(now, |it| it.max(now));
        self.next_slot = Some(at + PACE);
        at
    }

    /// A stream is being opened for this line.
    pub fn connecting(&mut self, token: u64, key: LineKey) {
        self.by_token.insert(token, key);
    }

    /// Whose stream it was that is open now, or cannot be.
    pub fn connected(&mut self, token: u64) -> Option<LineKey> {
        self.by_token.remove(&token)
    }

    /// The lines that lost their stream.
    pub fn lose_connection(&mut self, connection: ConnectionId) -> Vec<LineKey> {
        let mut lost = Vec::new();
        for (_, line) in &mut self.slab {
            let is_lost = |it: &mut Flow| it.connection == Some(connection);
            let (asking, flow) = (line.asking.take_if(is_lost), line.flow.take_if(is_lost));
            if asking.or(flow).is_some() {
                lost.push(line.key);
            }
        }
        lost
    }

    /// It is this line's turn in a pool; the next call begins behind it.
    pub fn take_turn(&mut self, tenant: TenantId, pool: Pool, account: &str) {
        self.last_taken.insert((tenant, pool), account.into());
    }

    /// The line of this carrier that a number names, or its only one where its own server calls:
    /// phones may be behind the same address.
    pub fn at_carrier(&self, source: Flow, numbers: &[&str]) -> Option<&LiveLine> {
        let ip = source.remote.ip().to_canonical();
        let is_server = |it: &&LiveLine| {
            let known = it.flow.map(|it| it.remote).or_else(|| Some(it.targets.current()?.address));
            let port = known.map(|it| it.port());
            source.transport != Transport::Udp || port == Some(source.remote.port())
        };
        let named = |it: &&LiveLine| numbers.iter().any(|number| *number == &*it.config.account);
        let by_address = self.by_address.get_or_init(|| by_address(self.iter()));
        let near = by_address.get(&ip).map_or(&[][..], |it| it);
        let mut there = near.iter().filter_map(|it| self.get(*it)).filter(|it| it.is_at(ip));
        debug_assert!(self.iter().filter(|it| it.is_at(ip)).count() == there.clone().count());
        let first = there.next()?;
        if named(&first) {
            return Some(first);
        }
        let mut is_only = true;
        for other in there {
            if named(&other) {
                return Some(other);
            }
            is_only = false;
        }
        is_only.then_some(first).filter(is_server)
    }

    pub fn last_taken(&self, tenant: TenantId, pool: Pool) -> Option<&str> {
        self.last_taken.get(&(tenant, pool)).map(|it| &**it)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next line whose time has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<LineKey> {
        while let Some((at, key)) = self.timers.pop_due(now) {
            let Some(line) = self.get_mut(key) else { continue };
            if line.armed == Some(at) {
                line.armed = None;
                return Some(key);
            }
        }
        None
    }

    /// Sees to it that [`Lines::pop_due`] names the line in time.
    pub fn arm(&mut self, key: LineKey) {
        let Some(line) = self.get_mut(key) else { return };
        let Some(due) = line.poll_timeout() else { return };
        if line.armed.is_none_or(|armed| due < armed) {
            line.armed = Some(due);
            self.timers.set(due, key);
        }
    }
}

fn by_address<'a>(
    lines: impl Iterator<Item = &'a LiveLine>,
) -> Map<IpAddr, SmallVec<[LineKey; 1]>> {
    let mut map = Map::<_, SmallVec<[LineKey; 1]>>::default();
    for line in lines {
        let speaks_from = line.flow.map(|it| it.remote.ip().to_canonical());
        for ip in line.targets.addresses().chain(speaks_from) {
            let keys = map.entry(ip).or_default();
            if keys.last() != Some(&line.key) {
                keys.push(line.key);
            }
        }
    }
    map
}

/// What was recorded stands, as far as it can be read.
fn recorded_ids(it: &LineRegistration, fresh: Ids) -> Ids {
    match Tag::parse(&it.contact) {
        Some(contact) => Ids { call_id: it.call_id.clone(), cseq: it.cseq, contact },
        None => fresh,
    }
}

fn recorded_binding(it: &LineRegistration, now: Now) -> Option<Bound> {
    let until_utc = it.until.filter(|it| *it > now.utc)?;
    let until = now.instant + until_utc.since(now.utc);
    Some(Bound { until, until_utc, since_utc: it.since.unwrap_or(now.utc) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]

    use super::*;

    #[test]
    fn who_calls_from_the_carrier() {
        let config =
            Line { account: "5678".into(), domain: "203.0.113.7".into(), ..Line::default() };
        let ids = Ids { call_id: "c".into(), cseq: 0, contact: Tag::new('a', 1) };
        let now = Now { instant: Instant::now(), utc: UnixMillis(0) };
        let mut lines = Lines::default();
        lines.add(TenantId::default(), &Arc::new(config), ids, now);
        #[rustfmt::skip]
        let table = [
            ("203.0.113.7:5060",  Transport::Udp, "8888", true),
            ("203.0.113.7:40000", Transport::Udp, "8888", false), // a phone in the same house
            ("203.0.113.7:40000", Transport::Udp, "5678", true),
            ("203.0.113.7:40000", Transport::Tcp, "8888", true),
            ("203.0.113.8:5060",  Transport::Udp, "5678", false),
        ];
        for (source, transport, number, expected) in table {
            let local = "192.0.2.1:5060".parse().expect("an address");
            let remote = source.parse().expect("an address");
            let flow = Flow { transport, local, remote, connection: None };
            let found = lines.at_carrier(flow, &[number]).is_some();
            assert_eq!(found, expected, "{source} {transport:?} {number}");
        }
    }

    /// The lines of the carriers' addresses are found anew when one leads elsewhere, not whenever DNS
    /// was asked.
    #[test]
    fn a_refresh_that_changes_nothing_keeps_the_index() {
        let now = Now { instant: Instant::now(), utc: UnixMillis(0) };
        let mut lines = Lines::default();
        let config =
            Line { account: "5678".into(), domain: "sip.example.com".into(), ..Line::default() };
        let ids = Ids { call_id: "c".into(), cseq: 0, contact: Tag::new('a', 1) };
        let key = lines.add(TenantId::default(), &Arc::new(config), ids, now);
        let target = |last: u8| Target {
            transport: Transport::Udp,
            address: SocketAddr::from(([203, 0, 113, last], 5060)),
        };
        let resolution = Resolution::Nothing(sip::locate::Lack::NoAnswer);
        let mut made = 0;
        // The same, in another order, elsewhere, and the same again.
        for leads_to in [[1, 2], [1, 2], [2, 1], [3, 1], [3, 1]] {
            lines.resolve(key, &leads_to.map(target), &resolution);
            made += u32::from(lines.by_address.get().is_none());
            let local = SocketAddr::from(([192, 0, 2, 1], 5060));
            let [remote, gone] = [leads_to[0], leads_to[0] + 10].map(|it| target(it).address);
            let from = |remote| Flow { transport: Transport::Udp, local, remote, connection: None };
            assert!(lines.at_carrier(from(remote), &["5678"]).is_some(), "{leads_to:?}");
            assert!(lines.at_carrier(from(gone), &["5678"]).is_none(), "{leads_to:?}");
        }
        assert_eq!(made, 2);
    }
}
