//! All transactions of this side, by key (RFC 3261 §17): matching, resending, timing out.
//!
//! The transaction user above gives every transaction an owner `O` and gets it back with whatever
//! happens to the transaction. What is to be sent waits in [`Endpoint::poll_transmit`].

mod client;
pub(crate) mod derive;
mod server;

pub use client::ClientTx;
pub use server::ServerTx;

use crate::flow::{ConnectionId, Flow};
use crate::message::{Essentials, Message, Method, Short, Via};
use crate::slack::{give_back_map, give_back_slab};
use crate::timers::TimerQueue;
use crate::transaction::Timer;
use crate::transaction::key::{Key, KeyMaker, MAGIC_COOKIE};
use bytes::Bytes;
use client::ClientTransaction;
use server::ServerTransaction;
use slab::Slab;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

/// The transaction layer of one core.
pub struct Endpoint<O> {
    keys: KeyMaker,
    shard: char,
    /// Makes every branch differ; what it counts from is secret.
    branches: u64,
    /// Tells a transaction from an earlier one in the same place.
    generation: u32,
    clients: Slab<ClientTransaction<O>>,
    client_by_key: HashMap<Key, usize, ahash::RandomState>,
    /// Client transactions on streams, so that a lost connection finds its own.
    client_by_connection: BTreeSet<(ConnectionId, usize)>,
    servers: Slab<ServerTransaction<O>>,
    server_by_key: HashMap<Key, usize, ahash::RandomState>,
    /// INVITEs without a final response on streams, so that a lost connection finds its own.
    invite_by_connection: BTreeSet<(ConnectionId, usize)>,
    /// INVITEs outside of dialogs, by what their copies have in common.
    merged: HashMap<Key, ServerTx, ahash::RandomState>,
    timers: TimerQueue<TimerKey>,
    transmits: VecDeque<Transmit<O>>,
    events: VecDeque<Event<O>>,
    /// The newest request that a 401 or 407 answered: it may be sent again with credentials.
    challenged: Option<(ClientTx, Bytes)>,
    /// Option tags (RFC 3261 §19.2) of the users, which a session names beside its own.
    pub supported: &'static str,
    /// Messages sent again since the start.
    pub resent: u64,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Transmit<O> {
    pub flow: Flow,
    pub bytes: Bytes,
    pub owner: Option<O>,
}

/// What happened to a transaction without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<O> {
    /// No final response came (RFC 3261 §8.1.3.1: as if it were 408).
    TimedOut { transaction: ClientTx, owner: O },
    /// The transport failed (as if it were 503).
    Failed { transaction: ClientTx, owner: O },
    /// The stream an INVITE came over is lost before its final response (RFC 3261 §17.2.4): whoever
    /// sent it has given it up.
    Lost { invite: ServerTx, owner: O },
}

/// What a received message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<O> {
    /// A request without a transaction: serve it statelessly, or [`Endpoint::open`] one.
    Request,
    /// A CANCEL of this INVITE. It is answered; the INVITE is the user's to end.
    Cancel {
        invite: ServerTx,
        owner: O,
    },
    /// The ACK of a 2xx: the user finds its dialog.
    Ack,
    Response {
        transaction: ClientTx,
        owner: O,
    },
    /// A response without a transaction.
    Stray,
    /// A copy, an ACK of a refusal, a response nobody asks for any more: dealt with.
    Absorbed {
        owner: Option<O>,
    },
}

#[derive(Clone, Copy, Debug)]
struct TimerKey {
    server: bool,
    index: usize,
    generation: u32,
    timer: Timer,
}

/// The two deadlines a transaction can have: one to resend, one to end a wait.
#[derive(Clone, Copy, Debug, Default)]
struct Deadlines {
    resend: Option<(Timer, Instant)>,
    end: Option<(Timer, Instant)>,
}

impl Deadlines {
    fn slot(&mut self, timer: Timer) -> &mut Option<(Timer, Instant)> {
        if timer.resends() { &mut self.resend } else { &mut self.end }
    }

    fn stop(&mut self, timer: Timer) {
        let slot = self.slot(timer);
        if slot.is_some_and(|(running, _)| running == timer) {
            *slot = None;
        }
    }

    /// Whether this deadline still stands; it is used up by asking.
    fn take(&mut self, timer: Timer, at: Instant) -> bool {
        let slot = self.slot(timer);
        let stands = *slot == Some((timer, at));
        if stands {
            *slot = None;
        }
        stands
    }
}

impl<O: Copy> Endpoint<O> {
    /// The message that was handed over last and is not sent yet.
    pub fn newest_transmit(&self) -> Option<&[u8]> {
        self.transmits.back().map(|it| &*it.bytes)
    }

    /// Gives back the memory of a busier time.
    pub fn give_back(&mut self) {
        give_back_slab(&mut self.clients);
        give_back_slab(&mut self.servers);
        for map in [&mut self.client_by_key, &mut self.server_by_key] {
            give_back_map(map);
        }
        give_back_map(&mut self.merged);
    }

    /// `seed` is random: it keeps keys and branches from being guessed.
    pub fn new(shard: char, seed: [u64; 3]) -> Self {
        Self {
            keys: KeyMaker::new([seed[0], seed[1]]),
            shard,
            branches: seed[2],
            generation: 0,
            clients: Slab::new(),
            client_by_key: HashMap::default(),
            client_by_connection: BTreeSet::new(),
            servers: Slab::new(),
            server_by_key: HashMap::default(),
            invite_by_connection: BTreeSet::new(),
            merged: HashMap::default(),
            timers: TimerQueue::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            challenged: None,
            supported: "",
            resent: 0,
        }
    }

    /// Takes one checked message that came over `flow`.
    pub fn receive(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Instant,
    ) -> Received<O> {
        match message.method() {
            None => self.receive_response(message, it, now),
            Some(Method::Ack) => self.receive_ack(message, it, now),
            Some(Method::Cancel) => self.receive_cancel(flow, message, it, now),
            Some(method) => self.receive_request(message, it, method, now),
        }
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, key)) = self.timers.pop_due(now) {
            if key.server {
                self.server_timer(key, at, now);
            } else {
                self.client_timer(key, at, now);
            }
        }
    }

    /// When [`Endpoint::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit<O>> {
        self.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event<O>> {
        self.events.pop_front()
    }

    /// How many transactions exist.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Timer entries in the queue, stopped ones included.
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Sends a response that no transaction keeps (RFC 3261 §8.2.7).
    pub fn send_stateless(&mut self, flow: Flow, via: &Via<'_>, bytes: Bytes, owner: Option<O>) {
        self.transmits.push_back(Transmit { flow: reply_flow(flow, via), bytes, owner });
    }

    /// Sends a message as it is: an ACK of a 2xx, which has no transaction.
    pub fn send(&mut self, flow: Flow, bytes: Bytes, owner: Option<O>) {
        self.transmits.push_back(Transmit { flow, bytes, owner });
    }

    /// Sends a message again that its session keeps: a 2xx without ACK.
    pub fn send_again(&mut self, flow: Flow, bytes: Bytes, owner: Option<O>) {
        self.resent += 1;
        self.send(flow, bytes, owner);
    }

    /// A branch no one else has (RFC 3261 §8.1.1.7).
    pub fn new_branch(&mut self) -> Branch {
        self.branches = self.branches.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.branches;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Branch { shard: self.shard, unique: mixed ^ (mixed >> 31) }
    }

    /// Whether a request carries a Via of a request we have out: it came back to us.
    pub fn sent_by_us(&self, branch: &str, method: Method<'_>) -> bool {
        branch.starts_with(MAGIC_COOKIE)
            && self.client_by_key.contains_key(&self.keys.client(branch, method))
    }

    /// A stream is gone: its client transactions fail, and its INVITEs have nobody who waits.
    pub fn handle_closed(&mut self, connection: ConnectionId, now: Instant) {
        let first = (connection, 0);
        let last = (connection, usize::MAX);
        let lost: Vec<usize> =
            self.client_by_connection.range(first..=last).map(|&(_, index)| index).collect();
        for index in lost {
            self.client_transport_error(index, now);
        }
        let open = self.invite_by_connection.range(first..=last);
        let lost: Vec<Event<O>> = open.filter_map(|&(_, index)| self.lost_invite(index)).collect();
        self.events.extend(lost);
    }

    /// The transactions of one owner become those of another: a leg moved to another call.
    pub fn change_owner(&mut self, from: O, to: O)
    where
        O: PartialEq,
    {
        let clients = self.clients.iter_mut().filter_map(|(_, it)| it.owner.as_mut());
        let servers = self.servers.iter_mut().map(|(_, it)| &mut it.owner);
        clients.chain(servers).filter(|it| **it == from).for_each(|it| *it = to);
    }

    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }
}

/// `z9hG4bK`, the shard, and 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    shard: char,
    unique: u64,
}

impl Branch {
    fn text(self) -> Short {
        Short::new().text(MAGIC_COOKIE).letter(self.shard).hex(self.unique, 16)
    }
}

impl std::fmt::Display for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// Where the answer to a request goes (RFC 3261 §18.2.2, RFC 3581 §4).
///
/// Always to the address it came from. To the port it came from too, if the peer asks for that by
/// `rport`, or if its Via names another address: then it is behind a NAT and its own port is not
/// reachable. `maddr` is not followed, since it would let a request choose a victim.
pub fn reply_flow(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() || via.rport().is_some() {
        return flow;
    }
    let named = match via.host {
        crate::message::Host::Ip(address) => Some(address.to_canonical()),
        crate::message::Host::Name(_) => None,
    };
    let mut reply = flow;
    if named == Some(flow.remote.ip()) {
        reply.remote.set_port(via.port.unwrap_or(5060));
    }
    reply
}

/// Whether two addresses are the same host, IPv4 in IPv6 clothes included.
fn same_host(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}
