//! What calls share: the transaction layer, the registrar, ports, and the way to the outside.
//!
//! A [`Call`](crate::call::Call) owns itself and reaches everything else through here, by claims:
//! what it took it gives back by the same door.

use crate::call::headers::FURTHER;
use crate::call::outside::Claim;
use crate::call::transfer::Errand;
use crate::core::doctor::ExaminationKey;
use crate::core::{Config, Effect};
use crate::counters::Counters;
use crate::dialplan::Live;
use crate::directory::{Directory, Extension, Tenant};
use crate::event::Event;
use crate::id::{CallId, TenantId};
use crate::interop::{CallLimit, Room};
use crate::line::live::{LineKey, Lines, LiveLine};
use crate::line::table::Pool;
use crate::media;
use crate::names::{Names, Waiter};
use crate::network::Network;
use crate::ports::Ports;
use crate::record::{DialogFacts, Record};
use crate::registrar::Registrar;
use crate::settings::Settings;
use crate::supplementary::{Engaged, Forwarding, PhoneChange, PhoneTable, Role};
use crate::time::UnixMillis;
use crate::trunk::live::{Found, LiveTrunk, ServerKey, TrunkKey, Trunks};
use rand_core::Rng;
use sip::dialog::LocalEnd;
use sip::endpoint::Endpoint;
use sip::locate::{self, Place, Resolution, Service, Target};
use sip::message::Short;
use sip::session::Seat;
use sip::slack::{give_back_map, give_back_queue};
use sip::{Flow, Tag, Transport};
use smol_str::SmolStr;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// A leg within its call: the caller, or one of the forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegId {
    Caller,
    Callee(u8),
}

/// Whom a transaction belongs to. The serial number tells a call from an earlier one in the same
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub call: usize,
    pub serial: u32,
    pub leg: LegId,
}

impl Owner {
    /// Of a transaction that is answered already.
    pub const NOBODY: Self = Self { call: usize::MAX, serial: 0, leg: LegId::Caller };
}

/// Who a transaction is for (RFC 3261 §5, "transaction user").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionUser {
    Leg(Owner),
    Line(LineKey),
    Server(ServerKey),
    /// The trunk doctor.
    Examination(ExaminationKey),
}

impl From<Owner> for TransactionUser {
    fn from(it: Owner) -> Self {
        Self::Leg(it)
    }
}

/// A BYE that could not be sent over the dialog's own flow.
#[derive(Clone, Debug)]
pub struct Farewell {
    pub tenant: TenantId,
    /// Whose phone it is.
    pub number: SmolStr,
    pub dialog: DialogFacts,
    /// Value of the Reason header (RFC 3326).
    pub reason: String,
}

/// Looks up an extension among the busy ones without a copy of its number.
#[derive(Hash)]
struct Busy<'a>(TenantId, &'a str);

impl hashbrown::Equivalent<(TenantId, SmolStr)> for Busy<'_> {
    fn equivalent(&self, key: &(TenantId, SmolStr)) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

/// One shard's shared state.
pub struct Office {
    pub config: Config,
    pub rng: Box<dyn Rng + Send>,
    pub directory: Arc<Directory>,
    pub network: Network,
    pub endpoint: Endpoint<TransactionUser>,
    pub registrar: Registrar,
    pub lines: Lines,
    pub trunks: Trunks,
    /// What phones have set.
    pub phones: PhoneTable,
    pub names: Names,
    pub ports: Ports,
    pub counters: Counters,
    pub effects: VecDeque<Effect>,
    /// Dialogs by our tag.
    pub dialogs: HashMap<Tag, Owner, ahash::RandomState>,
    /// Streams being opened for a leg.
    pub connects: HashMap<u64, Owner, ahash::RandomState>,
    /// BYEs that look for another way; seen to after every input.
    pub farewells: Vec<Farewell>,
    /// What calls want of each other; seen to after every input.
    pub errands: VecDeque<Errand>,
    /// The wall clock of the input being handled.
    pub utc: UnixMillis,
    next_connect: u64,
    /// Running calls of each extension.
    busy: hashbrown::HashMap<(TenantId, SmolStr), Engaged, ahash::RandomState>,
}

impl Office {
    /// Gives back the memory of a busier time.
    pub fn give_back(&mut self) {
        self.endpoint.give_back();
        give_back_queue(&mut self.effects);
        give_back_map(&mut self.dialogs);
    }

    pub fn new(config: Config, mut rng: Box<dyn Rng + Send>) -> Self {
        let seed = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        let mut endpoint = Endpoint::new(config.shard, seed);
        endpoint.supported = FURTHER;
        Self {
            endpoint,
            config,
            rng,
            directory: Arc::default(),
            network: Network::default(),
            registrar: Registrar::default(),
            lines: Lines::default(),
            trunks: Trunks::default(),
            phones: PhoneTable::default(),
            names: Names::default(),
            ports: Ports::default(),
            counters: Counters::default(),
            effects: VecDeque::new(),
            dialogs: HashMap::default(),
            connects: HashMap::default(),
            farewells: Vec::new(),
            errands: VecDeque::new(),
            utc: UnixMillis::default(),
            next_connect: 0,
            busy: hashbrown::HashMap::default(),
        }
    }

    #[cfg(feature = "planted-bugs")]
    pub fn is_planted(&self, bug: crate::planted::Planted) -> bool {
        self.config.planted == Some(bug)
    }

    pub fn seat(&mut self, owner: Owner, now: Instant) -> Seat<'_, TransactionUser> {
        Seat { endpoint: &mut self.endpoint, owner: owner.into(), now }
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.directory.tenant(id)
    }

    pub fn settings(&self, id: TenantId) -> Arc<Settings> {
        self.tenant(id).map(|it| it.settings.clone()).unwrap_or_default()
    }

    pub fn event(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    pub fn record(&mut self, record: Record) {
        self.effects.push_back(Effect::Record(record));
    }

    pub fn media(&mut self, command: media::Command) {
        self.effects.push_back(Effect::Media(command));
    }

    /// A tag nobody has, claimed for this leg.
    pub fn claim_tag(&mut self, owner: Owner) -> Tag {
        loop {
            let tag = Tag::new(self.config.shard, self.rng.next_u64());
            if let std::collections::hash_map::Entry::Vacant(place) = self.dialogs.entry(tag) {
                place.insert(owner);
                return tag;
            }
        }
    }

    pub fn release_tag(&mut self, tag: Tag) {
        self.dialogs.remove(&tag);
    }

    /// Asks for a stream to a leg's phone.
    pub fn connect(&mut self, owner: Owner, remote: SocketAddr) -> u64 {
        let token = self.connect_for(remote);
        self.connects.insert(token, owner);
        token
    }

    /// Asks for a stream; whoever asks keeps the token.
    pub fn connect_for(&mut self, remote: SocketAddr) -> u64 {
        self.next_connect += 1;
        let local = self.network.stream_source(remote.ip());
        self.effects.push_back(Effect::Connect { token: self.next_connect, local, remote });
        self.next_connect
    }

    /// The flow over UDP to an address we have not heard from; `None`: it cannot be reached.
    pub fn udp_flow(&self, remote: SocketAddr) -> Option<Flow> {
        let source = self.network.local_for(remote.ip())?.source;
        let port = self.network.port_at(source).unwrap_or(self.config.udp_port);
        let local = (source, port).into();
        Some(Flow { transport: Transport::Udp, local, remote, connection: None })
    }

    /// Somebody waits for a name: [`Core::handle`](crate::core::Core::handle) tells him.
    pub fn wait_for(&mut self, place: &Place, waiter: Waiter, now: Instant) {
        if self.names.wait(place, waiter, now) {
            self.effects.push_back(Effect::Resolve(place.clone()));
        }
    }

    /// The targets of a name in the order of one draw (RFC 2782); none where none is known.
    pub fn targets_of(&mut self, resolution: &Resolution) -> Vec<Target> {
        let Self { rng, network, .. } = self;
        let source = |it| network.local_for(it).map(|it| it.source);
        let located = resolution.located();
        located
            .map(|it| locate::order::targets(it, &mut || rng.next_u32(), &source))
            .unwrap_or_default()
    }

    /// The servers of a name, each with the addresses that can be reached.
    pub fn servers_of(&self, resolution: &Resolution) -> Vec<Found> {
        let source = |it| self.network.local_for(it).map(|it| it.source);
        let services = resolution.located().map(|it| it.services.iter());
        let found = |it: &Service| Found {
            transport: it.transport,
            rank: it.rank,
            weight: it.weight,
            addresses: locate::order::of_service(it, &source).map(|it| it.address).collect(),
        };
        services.into_iter().flatten().map(found).collect()
    }

    /// The board shows what a trunk has come to.
    pub fn publish_trunk(&mut self, key: TrunkKey) {
        if let Some(status) = self.trunks.get_mut(key).and_then(LiveTrunk::unpublished) {
            self.event(Event::Trunk(status));
        }
    }

    /// What we tell the peer of a flow about our end of a dialog.
    pub fn local_end(&self, flow: Flow, tag: Tag) -> LocalEnd {
        let local = self.network.local_of(flow.local, flow.remote);
        let port = match flow.connection {
            // A stream we opened has a port nobody listens on.
            Some(_) => self.config.stream_port.unwrap_or_else(|| flow.local.port()),
            None => flow.local.port(),
        };
        let address = (local.advertised, port).into();
        LocalEnd { transport: flow.transport, address, contact: address, tag }
    }

    /// The same towards the carrier of a line, which may see us at another address.
    pub fn local_end_of_line(&self, flow: Flow, tag: Tag, line: Option<LineKey>) -> LocalEnd {
        let end = self.local_end(flow, tag);
        let seen_at = line.and_then(|it| self.lines.get(it)?.seen_at(flow));
        LocalEnd { contact: seen_at.unwrap_or(end.contact), ..end }
    }

    /// A phone of the extension, or an administrator for it, sets something: at once, and recorded.
    pub fn set_by_phone(&mut self, tenant: TenantId, number: &str, change: PhoneChange) {
        if let Some(it) = self.phones.change(tenant, number, change) {
            self.record(Record::Phone(Box::new(it)));
        }
    }

    /// Counts one more call of an extension, unless it has all it may have.
    pub fn claim_call(&mut self, tenant: TenantId, it: &Extension, role: Role) -> bool {
        let now = self.busy.get(&Busy(tenant, &it.number)).copied().unwrap_or_default();
        let has_room = now.has_room(it.calls_max, &it.services, role);
        if has_room {
            self.count_call(tenant, it, role);
        }
        has_room
    }

    /// The same, however many it has.
    pub fn count_call(&mut self, tenant: TenantId, it: &Extension, role: Role) {
        match self.busy.get_mut(&Busy(tenant, &it.number)) {
            Some(engaged) => engaged.begin(role),
            None => {
                let mut engaged = Engaged::default();
                engaged.begin(role);
                self.busy.insert((tenant, it.number.clone()), engaged);
            }
        }
    }

    pub fn release_call(&mut self, tenant: TenantId, number: &str, role: Role) {
        let key = Busy(tenant, number);
        if self.busy.get_mut(&key).is_some_and(|it| it.end(role)) {
            self.busy.remove(&key);
        }
    }

    /// Counts one more call of a line or trunk, unless it has all it may have that way.
    pub fn claim_outside(&mut self, claim: Claim, most: CallLimit) -> bool {
        let Some(count) = self.calls_of(claim) else { return false };
        let room = most.room(*count);
        match room {
            Room::Free => *count += 1,
            Room::Full => self.count_limit_hit(claim),
            Room::Closed => return false,
        }
        self.publish_claimed(claim);
        room == Room::Free
    }

    fn count_limit_hit(&mut self, claim: Claim) {
        if let Claim::LineIn(key) | Claim::LineOut(key) = claim
            && let Some(line) = self.lines.get_mut(key)
        {
            line.limit_hits += 1;
        }
    }

    /// The dial plan passed a line over because it has all the calls it may have.
    pub fn line_was_full(&mut self, tenant: TenantId, account: &str) {
        if let Some(key) = self.lines.find(tenant, account).map(|it| it.key) {
            let claim = Claim::LineOut(key);
            self.count_limit_hit(claim);
            self.publish_claimed(claim);
        }
    }

    pub fn release_outside(&mut self, claim: Claim) {
        if let Some(count) = self.calls_of(claim) {
            *count = count.saturating_sub(1);
            self.publish_claimed(claim);
        }
    }

    fn calls_of(&mut self, claim: Claim) -> Option<&mut u16> {
        match claim {
            Claim::LineIn(key) => self.lines.get_mut(key).map(|it| &mut it.calls_in),
            Claim::LineOut(key) => self.lines.get_mut(key).map(|it| &mut it.calls_out),
            Claim::TrunkIn(key) => self.trunks.get_mut(key).map(|it| &mut it.calls_in),
            Claim::TrunkOut(key) => self.trunks.get_mut(key).map(|it| &mut it.calls_out),
        }
    }

    /// The board shows how many calls there are.
    fn publish_claimed(&mut self, claim: Claim) {
        let event = match claim {
            Claim::LineIn(key) | Claim::LineOut(key) => {
                self.lines.get_mut(key).and_then(LiveLine::counted).map(Event::Line)
            }
            Claim::TrunkIn(key) | Claim::TrunkOut(key) => {
                self.trunks.get_mut(key).and_then(LiveTrunk::unpublished).map(Event::Trunk)
            }
        };
        self.effects.extend(event.map(Effect::Event));
    }

    /// A fresh name for a SIP Call-ID of ours.
    pub fn new_call_id(&mut self) -> Short {
        Short::new().hex(self.rng.next_u64(), 16).hex(self.rng.next_u64(), 16)
    }

    pub fn send_effects(&mut self, calls: &dyn Fn(Owner) -> Option<CallId>) {
        while let Some(it) = self.endpoint.poll_transmit() {
            self.counters.sent(&it.flow, &it.bytes);
            let call = it.owner.and_then(|it| match it {
                TransactionUser::Leg(owner) => calls(owner),
                TransactionUser::Line(_)
                | TransactionUser::Server(_)
                | TransactionUser::Examination(_) => None,
            });
            self.effects.push_back(Effect::Send { flow: it.flow, bytes: it.bytes, call });
        }
        self.counters.retransmits_out = self.endpoint.resent;
    }
}

/// What the dial plan asks of the present.
impl Live for Office {
    fn line_is_registered(&self, tenant: TenantId, account: &str) -> bool {
        self.lines.find(tenant, account).is_some_and(|it| it.registration.binding().is_some())
    }

    fn line_calls_out(&self, tenant: TenantId, account: &str) -> u16 {
        self.lines.find(tenant, account).map_or(0, |it| it.calls_out)
    }

    fn last_taken(&self, tenant: TenantId, pool: Pool) -> Option<&str> {
        self.lines.last_taken(tenant, pool)
    }

    fn trunk_is_healthy(&self, tenant: TenantId, id: u32) -> bool {
        let trunk = self.trunks.find(tenant, id);
        // Whoever is being looked up has not failed: the call waits for it.
        let is_asked = |it: &LiveTrunk| it.places().any(|it| self.names.is_asked(it));
        trunk.is_some_and(|it| it.is_healthy() || is_asked(it))
    }

    fn trunk_calls_out(&self, tenant: TenantId, id: u32) -> u16 {
        self.trunks.find(tenant, id).map_or(0, |it| it.calls_out)
    }

    fn line_calls_in(&self, tenant: TenantId, account: &str) -> u16 {
        self.lines.find(tenant, account).map_or(0, |it| it.calls_in)
    }

    fn trunk_calls_in(&self, tenant: TenantId, id: u32) -> u16 {
        self.trunks.find(tenant, id).map_or(0, |it| it.calls_in)
    }

    fn phones_of(&self, tenant: TenantId, extension: &Extension) -> usize {
        self.registrar.bindings(tenant, &extension.number).len()
    }

    fn extension_may_call(&self, tenant: TenantId, it: &Extension) -> bool {
        let now = self.busy.get(&Busy(tenant, &it.number)).copied().unwrap_or_default();
        now.has_room(it.calls_max, &it.services, Role::Caller)
    }

    fn forwards_to(&self, tenant: TenantId, number: &str, when: Forwarding) -> Option<&str> {
        let set = self.phones.get(tenant, number)?.forward(when)?;
        let extension = self.tenant(tenant)?.extension(number)?;
        extension.services.may_forward.has(when).then_some(set)
    }

    fn does_not_disturb(&self, tenant: TenantId, number: &str) -> bool {
        self.phones.get(tenant, number).is_some_and(|it| it.do_not_disturb)
    }

    fn extension_has_room(&self, tenant: TenantId, it: &Extension) -> bool {
        let now = self.busy.get(&Busy(tenant, &it.number)).copied().unwrap_or_default();
        now.has_room(it.calls_max, &it.services, Role::Callee)
    }
}
