//! The core: one input at a time with the time as an argument, everything to be done as data.
//!
//! ```text
//!            Input                     Effect
//! driver ───────────▶ Core::handle ───────────▶ send, record, event, media, connect
//! ```
//! The driver handles one input, drains [`Core::poll_effect`], and only then gives the next
//! (architecture, data path rule 3).

mod calls;
mod dialog;
pub(crate) mod doctor;
mod errands;
mod fence;
mod invite;
mod line_names;
mod lines;
mod message;
mod names;
mod orphans;
mod page;
mod place;
mod register;
mod reply;
mod report;
pub(crate) mod trunks;

pub use message::is_keep_alive;

use crate::authenticate::Authenticator;
use crate::call::media::Half;
use crate::call::placed::Order;
use crate::counters::Counters;
use crate::dialplan::{Trial, Tried};
use crate::directory::{Directory, Tenant};
use crate::event::{Event, Undone, UnregisterReason};
use crate::guard::{Guard, Rate};
use crate::id::{CallId, TenantId};
use crate::line::register::answer::Lack;
use crate::media;
use crate::network::Network;
use crate::office::{Office, TransactionUser};
use crate::record::{Binding, BindingKey, DialogFacts, LineRegistration, Record, Side};
use crate::release::ReleaseCode;
use crate::supplementary::{PhoneChange, PhoneRecord};
use crate::time::Now;
use bytes::Bytes;
use calls::Calls;
use orphans::Orphans;
use rand_core::Rng;
use sip::endpoint::ServerTx;
use sip::locate::{Place, Resolution};
use sip::{ConnectionId, Flow};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Everything that can happen to the core.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram, or a message framed from a stream.
    Message {
        flow: Flow,
        bytes: &'a [u8],
    },
    /// What a stream sent cannot be framed: answer 400 if it can be, the edge closes the stream.
    Malformed {
        flow: Flow,
        head: &'a [u8],
    },
    /// A stream is gone.
    Closed {
        connection: ConnectionId,
    },
    /// The answer to [`Effect::Connect`].
    Connected {
        token: u64,
        flow: Flow,
    },
    ConnectFailed {
        token: u64,
    },
    /// What became of a name: the answer to [`Effect::Resolve`], or news of one that
    /// [`Effect::KeepResolved`] named.
    Resolved {
        place: Place,
        resolution: Resolution,
    },
    Media(media::Event),
    Directory(Arc<Directory>),
    Network(Network),
    Command(Command),
}

/// What an administrator or the process itself asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// End one call with [`ReleaseCode::AdminHangup`].
    Hangup(CallId),
    /// Bring two numbers together in a new call. [`Event::Ordered`] with the token says what comes of it.
    Place { order: Box<Order>, token: u64 },
    /// Send one side of an answered call to a number; the other is released once that has answered.
    /// [`Event::Ordered`] with the token says what comes of it.
    Transfer { call: CallId, kept: Half, to: Box<str>, token: u64 },
    /// End the registration of one device. It may register again.
    LogOff(BindingKey),
    /// Tell anew what stands, as it was told when it came: bindings, lines, trunks and calls, a few at a time.
    Report,
    /// Examine a line, with a test call where a number is given: [`Event::Examined`] has the token.
    ExamineLine { tenant: TenantId, account: Box<str>, call: Option<Box<str>>, token: u64 },
    /// Decide on a call that nobody places: [`Event::Tried`] has the token.
    Try { trial: Box<Trial>, token: u64 },
    /// Register a line now, whatever it waits for.
    RegisterLine { tenant: TenantId, account: Box<str> },
    /// Change what the phones of an extension have set.
    SetPhone { tenant: TenantId, extension: Box<str>, change: PhoneChange },
    /// No new call or registration; every running call gets its BYEs. Done when
    /// [`Core::is_idle`].
    Shutdown,
    /// The journal cannot take more: new REGISTER and INVITE get 503 with Retry-After.
    Overload(bool),
    /// Messages come faster than they are read: such REGISTER and INVITE get 503 with Retry-After.
    Shed(Shed),
    /// How much unauthenticated work a source may cause, from now on.
    Guard { stranger: Rate, known: Rate },
}

/// Which new calls and registrations from outside are refused. What was begun goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shed {
    #[default]
    Nothing,
    /// Those without credentials: who has them was challenged, and half of the work is done.
    Unproven,
    Everything,
}

/// What the surroundings must do. The core never does it itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Send {
        flow: Flow,
        bytes: Bytes,
        /// For the trace.
        call: Option<CallId>,
    },
    /// Open a stream; answered by [`Input::Connected`] or [`Input::ConnectFailed`] within 4 s.
    Connect {
        token: u64,
        /// From this address, where it matters.
        local: Option<IpAddr>,
        remote: SocketAddr,
    },
    /// Look up a name; answered by [`Input::Resolved`], which nobody awaits for more than
    /// [`RESOLVE_MAX`](crate::names::RESOLVE_MAX).
    Resolve(Place),
    /// The names of lines and trunks, in the place of those before: they are looked up now and
    /// refreshed before their TTL; [`Input::Resolved`] tells of each the first time and whenever it
    /// changes.
    KeepResolved(Arc<[Place]>),
    /// Append to the journal before anything of this batch is sent.
    Record(Record),
    /// Publish; may be dropped when the reader lags.
    Event(Event),
    Media(media::Command),
}

/// What is fixed for the life of a core.
#[derive(Clone, Debug)]
pub struct Config {
    /// Key of the nonces (RFC 7616 §5.4), drawn anew at every start: the counts that keep a digest
    /// from being replayed do not survive the process, so its nonces must not either.
    pub nonce_key: [u8; 32],
    /// First character of our branches, tags and Contact users: the shard that owns them.
    pub shard: char,
    /// Token bucket of a stranger: tokens per second and most tokens.
    pub guard_rate: u32,
    pub guard_burst: u32,
    /// The same for a source that authenticated within the last hour.
    pub guard_known_rate: u32,
    pub guard_known_burst: u32,
    /// The port of our UDP listener, for requests to a phone that never registered.
    pub udp_port: u16,
    /// The port of our stream listener: the Contact of a stream that we opened names it.
    pub stream_port: Option<u16>,
    /// A bug to have.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::planted::Planted>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nonce_key: [0; 32],
            shard: 'a',
            guard_rate: 50,
            guard_burst: 200,
            guard_known_rate: 500,
            guard_known_burst: 2000,
            udp_port: 5060,
            stream_port: None,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

/// What was recovered from the journal at start.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    pub bindings: Vec<Binding>,
    pub lines: Vec<LineRegistration>,
    /// What phones had set.
    pub phones: Vec<PhoneRecord>,
    /// Calls that were running: their records (already written with `system.crash`) and dialogs,
    /// which get a BYE each.
    pub dialogs: Vec<DialogFacts>,
}

/// How often the core says that it lives: a call left open by a crash ends at the last time.
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// How long a call that ends with the process waits for the ACK of its answer: the BYE must follow
/// within the 5 s that the process has left.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// The whole state of one shard.
pub struct Core {
    office: Office,
    authenticator: Authenticator,
    guard: Guard,
    calls: Calls,
    orphans: Orphans,
    examinations: doctor::Examinations,
    /// What is told anew, where the reader of events has lost some.
    report: Option<report::Report>,
    alive_at: Instant,
    /// No new call or registration: the process ends.
    closing: bool,
    /// No new call or registration: the journal is full.
    overloaded: bool,
    /// The core is behind.
    shedding: Shed,
    /// Secret of the To tags of stateless responses.
    tag_seed: ahash::RandomState,
}

impl Core {
    /// `rng` is a CSPRNG in the server and a seeded generator in tests.
    pub fn new(config: Config, rng: Box<dyn Rng + Send>, recovered: Recovered, now: Now) -> Self {
        let stranger = Rate { per_second: config.guard_rate, burst: config.guard_burst };
        let known = Rate { per_second: config.guard_known_rate, burst: config.guard_known_burst };
        let authenticator = Authenticator::new(&config.nonce_key);
        let mut office = Office::new(config, rng);
        let mut word = || usize::try_from(office.rng.next_u32()).unwrap_or_default();
        let seeds = [word(), word(), word(), word()].map(|it| it as u64);
        let tag_seed = ahash::RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]);
        office.utc = now.utc;
        for mut binding in recovered.bindings {
            // Streams do not outlive the process.
            binding.flow.connection = None;
            office.registrar.put(Arc::new(binding), now);
        }
        office.lines.recover(recovered.lines);
        recovered.phones.into_iter().for_each(|it| office.phones.put(it));
        let orphans = Orphans::end(&mut office, recovered.dialogs, now);
        let mut core = Self {
            office,
            authenticator,
            guard: Guard::new(stranger, known),
            calls: Calls::default(),
            orphans,
            examinations: doctor::Examinations::default(),
            report: None,
            alive_at: now.instant,
            closing: false,
            overloaded: false,
            shedding: Shed::Nothing,
            tag_seed,
        };
        core.flush(now);
        core
    }

    /// Takes one input. Returns the call it belonged to, for the trace.
    ///
    /// A panic inside ends the call it concerned, not the process.
    pub fn handle(&mut self, input: Input<'_>, now: Now) -> Option<CallId> {
        self.office.utc = now.utc;
        self.fenced(now, |core| {
            let call = core.dispatch(input, now);
            core.flush(now);
            call
        })
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.office.utc = now.utc;
        self.fenced(now, |core| {
            core.office.endpoint.handle_timeout(now.instant);
            core.expire_bindings(now);
            core.names_due(now);
            core.lines_due(now);
            core.trunks_due(now);
            core.examinations_due(now);
            core.calls.handle_timeout(&mut core.office, now.instant);
            core.report_due(now);
            if core.alive_at <= now.instant {
                core.alive_at = now.instant + ALIVE_EVERY;
                core.office.record(Record::Alive(now.utc));
                core.office.give_back();
                core.calls.give_back();
                core.authenticator.give_back(now.instant);
            }
            core.flush(now);
            None
        });
    }

    /// When [`Core::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let office = &self.office;
        let others = [
            office.endpoint.poll_timeout(),
            office.registrar.next_expiry(),
            self.calls.poll_timeout(),
            office.lines.poll_timeout(),
            office.trunks.poll_timeout(),
            self.examinations.poll_timeout(),
            self.report.as_ref().map(|it| it.due),
            office.names.poll_timeout(),
        ];
        others.into_iter().flatten().chain([self.alive_at]).min()
    }

    /// The next thing to do; drain it after every input.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.office.effects.pop_front()
    }

    pub fn counters(&self) -> &Counters {
        &self.office.counters
    }

    /// How many wait for a name, or for a stream to say farewell by.
    pub fn waiters(&self) -> usize {
        self.office.names.waiters() + self.orphans.len()
    }

    /// No call is left: the process may exit.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.has_left_carriers()
    }

    fn dispatch(&mut self, input: Input<'_>, now: Now) -> Option<CallId> {
        match input {
            Input::Message { flow, bytes } => return self.message(flow, bytes, now),
            Input::Malformed { flow, head } => self.malformed(flow, head, now),
            Input::Closed { connection } => {
                self.office.registrar.lose_connection(connection);
                self.office.endpoint.handle_closed(connection, now.instant);
                self.line_streams_lost(connection, now);
                self.office.trunks.lose_connection(connection);
            }
            Input::Connected { token, flow } => {
                self.orphans.connected(&mut self.office, token, Some(flow), now);
                self.line_connected(token, Some(flow), now);
                self.server_connected(token, Some(flow), now);
                self.examination_connected(token, Some(flow), now);
                return self.calls.connected(&mut self.office, token, Some(flow), now.instant);
            }
            Input::ConnectFailed { token } => {
                self.orphans.connected(&mut self.office, token, None, now);
                self.line_connected(token, None, now);
                self.server_connected(token, None, now);
                self.examination_connected(token, None, now);
                return self.calls.connected(&mut self.office, token, None, now.instant);
            }
            Input::Resolved { place, resolution } => self.resolved(&place, &resolution, now),
            Input::Media(media::Event::PortsReady { pairs }) => self.office.ports.ready(&pairs),
            Input::Media(event) => return self.calls.media(&mut self.office, event, now.instant),
            Input::Directory(directory) => self.new_directory(directory, now),
            Input::Network(network) => {
                self.office.network = network;
                self.renumber_lines(now);
                self.reach_names_anew(now);
            }
            Input::Command(command) => self.command(command, now),
        }
        None
    }

    fn command(&mut self, command: Command, now: Now) {
        match command {
            Command::Hangup(id) => {
                self.calls.with_id(&mut self.office, id, |call, office| {
                    call.end(office, ReleaseCode::AdminHangup, Side::Admin, now.instant);
                });
            }
            Command::Place { order, token } => {
                let undone = self.place(*order, now).err();
                self.office.event(Event::Ordered { token, undone });
            }
            Command::Transfer { call, kept, to, token } => {
                let mut undone = Some(Undone::NoCall);
                self.calls.with_id(&mut self.office, call, |call, office| {
                    undone = call.transfer_ordered(office, kept, &to).err();
                });
                self.office.event(Event::Ordered { token, undone });
            }
            Command::LogOff(key) => {
                if self.office.registrar.remove(&key).is_some() {
                    self.unbound(key, UnregisterReason::LoggedOff);
                }
            }
            Command::Report => self.begin_report(now.instant),
            Command::RegisterLine { tenant, account } => {
                let key = self.office.lines.find(tenant, &account).map(|it| it.key);
                if let Some(key) = key {
                    self.register_line(key, now);
                }
            }
            Command::SetPhone { tenant, extension, change } => {
                if self.office.tenant(tenant).is_some_and(|it| it.extension(&extension).is_some()) {
                    self.office.set_by_phone(tenant, &extension, change);
                }
            }
            Command::Try { trial, token } => {
                let explanation = trial.explain(&self.office);
                let told = Arc::new(Tried { trial: *trial, explanation });
                self.office.event(Event::Tried { token, told });
            }
            Command::ExamineLine { tenant, account, call, token } => {
                self.examine_line((tenant, &account), call.as_deref(), token, now);
            }
            Command::Shutdown => {
                self.closing = true;
                self.leave_carriers(now);
                self.calls.with_each(&mut self.office, |call, office| {
                    call.end(office, ReleaseCode::SystemShutdown, Side::System, now.instant);
                    call.hurry(now.instant + LAST_WORDS);
                });
            }
            Command::Overload(overloaded) => self.overloaded = overloaded,
            Command::Shed(shedding) => self.shedding = shedding,
            Command::Guard { stranger, known } => self.guard.set_rates(stranger, known),
        }
    }

    /// Extensions that are gone lose their devices, and those with a new password the devices that
    /// registered with the old one; the rest notices at the next request.
    fn new_directory(&mut self, directory: Arc<Directory>, now: Now) {
        let old = std::mem::replace(&mut self.office.directory, Arc::clone(&directory));
        let none = Tenant::default();
        for (&id, tenant) in &old.tenants {
            let newer = directory.tenant(id).unwrap_or(&none);
            for number in tenant.deleted_in(newer) {
                self.forget_extension(id, number);
            }
            for number in tenant.rekeyed_in(newer) {
                for binding in self.office.registrar.forget(id, number) {
                    self.unbound(binding.key.clone(), UnregisterReason::PasswordChanged);
                }
            }
        }
        if old.tenants.is_empty() {
            // The first one: what was recovered may have been deleted while nothing ran.
            let known = self.office.registrar.extensions();
            for (id, number) in known.into_iter().chain(self.office.phones.extensions()) {
                if directory.tenant(id).is_none_or(|it| it.extension(&number).is_none()) {
                    self.forget_extension(id, &number);
                }
            }
        }
        self.configure_lines(&old, &directory, now);
        self.configure_trunks(&directory, now);
        self.keep_names(now);
    }

    fn forget_extension(&mut self, tenant: TenantId, number: &str) {
        for binding in self.office.registrar.forget(tenant, number) {
            self.unbound(binding.key.clone(), UnregisterReason::Deleted);
        }
        if let Some(it) = self.office.phones.forget(tenant, number) {
            self.office.record(Record::Phone(Box::new(it)));
        }
    }

    fn expire_bindings(&mut self, now: Now) {
        while let Some(binding) = self.office.registrar.pop_expired(now.instant) {
            self.unbound(binding.key.clone(), UnregisterReason::Expired);
        }
    }

    fn unbound(&mut self, key: BindingKey, why: UnregisterReason) {
        if why != UnregisterReason::Deleted {
            self.office.registrar.leaves(&key, self.office.utc);
        }
        self.office.record(Record::Unbound(key.clone()));
        self.office.event(Event::Unregistered { key, why });
    }

    /// A request of ours got no response, or its way broke.
    fn transaction_failed(&mut self, event: sip::endpoint::Event<TransactionUser>, now: Now) {
        use sip::endpoint::Event::{Failed, Lost, TimedOut};
        let (transaction, user, code, lack) = match event {
            TimedOut { transaction, owner } => (transaction, owner, 408, Lack::Silent),
            Failed { transaction, owner } => (transaction, owner, 503, Lack::Broken),
            Lost { invite, owner } => return self.invite_lost(invite, owner, now),
        };
        match user {
            TransactionUser::Leg(owner) => {
                let office = &mut self.office;
                self.calls.transaction_failed(office, owner, (transaction, code), now.instant);
            }
            TransactionUser::Line(key) => self.line_unheard(key, transaction, lack, now),
            TransactionUser::Server(key) => self.server_answered(key, transaction, None, now),
            TransactionUser::Examination(key) => {
                self.examination_failed(key, (transaction, code, lack), now);
            }
        }
    }

    /// The caller's way broke before his INVITE had its final response.
    fn invite_lost(&mut self, invite: ServerTx, user: TransactionUser, now: Now) {
        // Only legs take INVITEs.
        let TransactionUser::Leg(owner) = user else { return };
        self.calls.with(&mut self.office, owner, |call, office, leg| {
            call.handle_lost(office, leg, invite, now.instant);
        });
    }

    /// Lets what the transaction layer has to say reach the calls and the outside.
    fn flush(&mut self, now: Now) {
        while let Some(event) = self.office.endpoint.poll_event() {
            self.transaction_failed(event, now);
        }
        self.run_errands(now);
        self.orphans.send_farewells(&mut self.office, now);
        let calls = &self.calls;
        self.office.send_effects(&|owner| calls.id_of(owner));
        self.calls.forget_ended();
        let office = &mut self.office;
        office.counters.transactions_active = office.endpoint.len() as u64;
        office.counters.registrations_active = office.registrar.len() as u64;
        office.counters.ports_leased = office.ports.leased() as u64;
        office.counters.ports_free = office.ports.free() as u64;
        office.counters.timers = office.endpoint.timers() as u64;
    }
}
