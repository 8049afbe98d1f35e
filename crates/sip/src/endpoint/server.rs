//! The server half of the endpoint: requests, their copies, ACK and CANCEL (RFC 3261 §17.2, §9.2).

use super::{Deadlines, Endpoint, Event, Received, TimerKey, Transmit, reply_flow, same_host};
use crate::flow::Flow;
use crate::message::{Essentials, Message, Method, ResponseHead, Writer, response_to};
use crate::tag::Tag;
use crate::transaction::key::Key;
use crate::transaction::server::{self, Server};
use crate::transaction::{Action, Actions, Timer, invite_server};
use bytes::Bytes;
use invite_server::InviteServer;
use std::time::Instant;

/// Names a server transaction; a stale name does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTx {
    index: usize,
    generation: u32,
}

pub(super) struct ServerTransaction<O> {
    key: Key,
    generation: u32,
    /// Where responses go.
    flow: Flow,
    /// Empty where the response is made already.
    head: ResponseHead,
    state: State,
    /// The newest response.
    last: Option<Bytes>,
    deadlines: Deadlines,
    pub(super) owner: O,
    /// The To tag of its responses, where the request brought none.
    to_tag: Option<Tag>,
    /// Its entry among the INVITEs that a copy by another way would match.
    merged: Option<Key>,
}

#[derive(Clone, Copy)]
enum State {
    Invite(InviteServer),
    Other(Server),
}

impl State {
    fn is_terminated(self) -> bool {
        match self {
            Self::Invite(state) => state == InviteServer::Terminated,
            Self::Other(state) => state == Server::Terminated,
        }
    }
}

/// What happens to a server transaction, whichever kind it is.
#[derive(Clone, Copy)]
enum Happens {
    Copy,
    Ack,
    Respond(u16),
    Fired(Timer),
}

impl<O: Copy> Endpoint<O> {
    /// Makes a transaction for a request that [`Received::Request`] announced.
    pub fn open(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
        owner: O,
    ) -> ServerTx {
        let head = ResponseHead::of(message, it, flow.remote);
        self.open_with(flow, (message, it), owner, head)
    }

    /// Makes one and answers it at once, for good. A copy gets the same answer, and an INVITE its ACK.
    pub fn answer(
        &mut self,
        flow: Flow,
        request: (&Message<'_>, &Essentials<'_>),
        owner: O,
        (code, writer): (u16, Writer),
        now: Instant,
    ) {
        let transaction = self.open_with(flow, request, owner, ResponseHead::default());
        self.respond(transaction, code, writer.finish(), now);
    }

    fn open_with(
        &mut self,
        flow: Flow,
        (message, it): (&Message<'_>, &Essentials<'_>),
        owner: O,
        head: ResponseHead,
    ) -> ServerTx {
        let method = it.cseq.method;
        let key = self.keys.server(message, it, method);
        let generation = self.next_generation();
        let state = if method == Method::Invite {
            State::Invite(InviteServer::Proceeding)
        } else {
            State::Other(Server::Trying)
        };
        let first = method == Method::Invite && it.to_tag.is_none();
        let merged = first.then(|| self.keys.merged(it));
        let index = self.servers.insert(ServerTransaction {
            key,
            generation,
            flow: reply_flow(flow, &it.via),
            head,
            state,
            last: None,
            deadlines: Deadlines::default(),
            owner,
            to_tag: None,
            merged,
        });
        self.server_by_key.insert(key, index);
        if let (Method::Invite, Some(connection)) = (method, flow.connection) {
            self.invite_by_connection.insert((connection, index));
        }
        let transaction = ServerTx { index, generation };
        if let Some(merged) = merged {
            self.merged.entry(merged).or_insert(transaction);
        }
        transaction
    }

    /// Says which To tag the responses of an INVITE have: that of its CANCEL should have it too
    /// (RFC 3261 §9.2).
    pub fn set_to_tag(&mut self, transaction: ServerTx, tag: Tag) {
        if self.server(transaction).is_some() {
            self.servers[transaction.index].to_tag = Some(tag);
        }
    }

    /// Whether this request, new by its branch, is one that a proxy before us forked and whose
    /// other branch arrived already: 482 (RFC 3261 §8.2.2.2).
    pub fn is_merged(&self, it: &Essentials<'_>) -> bool {
        it.to_tag.is_none() && self.merged.contains_key(&self.keys.merged(it))
    }

    /// Begins a response of this transaction; `None` if it is gone. Finish it with
    /// [`Endpoint::respond`].
    pub fn response(
        &self,
        transaction: ServerTx,
        code: u16,
        reason: &str,
        to_tag: Option<&str>,
    ) -> Option<Writer> {
        let it = self.server(transaction)?;
        Some(it.head.response(code, reason, to_tag))
    }

    /// Sends a response with this status; a second final one is not sent.
    pub fn respond(&mut self, transaction: ServerTx, code: u16, bytes: Bytes, now: Instant) {
        let Some(it) = self.server(transaction) else { return };
        let open = match it.state {
            State::Invite(InviteServer::Proceeding) => true,
            State::Invite(InviteServer::Accepted) => (200..300).contains(&code),
            State::Other(state) => state == Server::Trying,
            State::Invite(_) => false,
        };
        if open {
            self.servers[transaction.index].last = Some(bytes);
            self.server_step(transaction.index, Happens::Respond(code), now);
        }
    }

    /// The flow responses of this transaction take.
    pub fn server_flow(&self, transaction: ServerTx) -> Option<Flow> {
        self.server(transaction).map(|it| it.flow)
    }

    /// Whether the INVITE that a CANCEL names is here.
    pub fn knows_invite_of(&self, cancel: &Message<'_>, it: &Essentials<'_>) -> bool {
        self.server_by_key.contains_key(&self.keys.server(cancel, it, Method::Invite))
    }

    pub(super) fn receive_request(
        &mut self,
        message: &Message<'_>,
        it: &Essentials<'_>,
        method: Method<'_>,
        now: Instant,
    ) -> Received<O> {
        let key = self.keys.server(message, it, method);
        match self.server_by_key.get(&key) {
            Some(&index) => {
                let owner = self.servers[index].owner;
                self.server_step(index, Happens::Copy, now);
                Received::Absorbed { owner: Some(owner) }
            }
            None => Received::Request,
        }
    }

    pub(super) fn receive_ack(
        &mut self,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Instant,
    ) -> Received<O> {
        let key = self.keys.server(message, it, Method::Invite);
        match self.server_by_key.get(&key) {
            // An ACK of a 2xx is a transaction of its own, yet old phones reuse the branch.
            Some(&index) if !self.accepted(index) => {
                let owner = self.servers[index].owner;
                self.server_step(index, Happens::Ack, now);
                Received::Absorbed { owner: Some(owner) }
            }
            _ => Received::Ack,
        }
    }

    /// Answers a CANCEL: 200 while its INVITE is known, else 481 (RFC 3261 §9.2). Without a
    /// transaction of its own: a copy gets the same answer again.
    pub(super) fn receive_cancel(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Instant,
    ) -> Received<O> {
        // A copy of one that was answered gets that answer, though its INVITE may be gone by now.
        let own = self.receive_request(message, it, Method::Cancel, now);
        if let Received::Absorbed { .. } = own {
            return own;
        }
        let key = self.keys.server(message, it, Method::Invite);
        let invite = self
            .server_by_key
            .get(&key)
            .copied()
            .filter(|&index| same_host(self.servers[index].flow.remote.ip(), flow.remote.ip()));
        let Some(index) = invite else {
            let reason = "Call/Transaction Does Not Exist";
            let writer = response_to(message, 481, reason, Some("cancel"), flow.remote);
            self.send_stateless(flow, &it.via, writer.finish(), None);
            return Received::Absorbed { owner: None };
        };
        let (owner, generation) = (self.servers[index].owner, self.servers[index].generation);
        let transaction = self.open(flow, message, it, owner);
        let tag = self.servers[index].to_tag.map(Tag::text);
        let tag = tag.as_deref().unwrap_or("cancel");
        if let Some(writer) = self.response(transaction, 200, "OK", Some(tag)) {
            self.respond(transaction, 200, writer.finish(), now);
        }
        Received::Cancel { invite: ServerTx { index, generation }, owner }
    }

    pub(super) fn server_timer(&mut self, key: TimerKey, at: Instant, now: Instant) {
        let Some(it) = self.servers.get_mut(key.index) else { return };
        if it.generation == key.generation && it.deadlines.take(key.timer, at) {
            self.server_step(key.index, Happens::Fired(key.timer), now);
        }
    }

    fn server_step(&mut self, index: usize, happens: Happens, now: Instant) {
        let it = &mut self.servers[index];
        let reliable = it.flow.transport.is_reliable();
        let (state, actions) = match it.state {
            State::Invite(state) => {
                let event = match happens {
                    Happens::Copy => invite_server::Event::Invite,
                    Happens::Ack => invite_server::Event::Ack,
                    Happens::Respond(code) => invite_server::Event::Respond(code),
                    Happens::Fired(timer) => invite_server::Event::Fired(timer),
                };
                let (state, actions) = state.next(event, reliable);
                (State::Invite(state), actions)
            }
            State::Other(state) => {
                let event = match happens {
                    Happens::Copy | Happens::Ack => server::Event::Request,
                    Happens::Respond(code) => server::Event::Respond(code),
                    Happens::Fired(timer) => server::Event::Fired(timer),
                };
                let (state, actions) = state.next(event, reliable);
                (State::Other(state), actions)
            }
        };
        it.state = state;
        self.server_actions(index, &actions, now);
        if state.is_terminated() {
            let gone = self.servers.remove(index);
            self.server_by_key.remove(&gone.key);
            if let Some(connection) = gone.flow.connection {
                self.invite_by_connection.remove(&(connection, index));
            }
            let transaction = ServerTx { index, generation: gone.generation };
            if let Some(merged) = gone.merged
                && self.merged.get(&merged) == Some(&transaction)
            {
                self.merged.remove(&merged);
            }
        }
    }

    fn server_actions(&mut self, index: usize, actions: &Actions, now: Instant) {
        let it = &mut self.servers[index];
        for &action in actions {
            match action {
                Action::Send | Action::Resend => {
                    if let Some(bytes) = it.last.clone() {
                        self.resent += u64::from(action == Action::Resend);
                        let owner = Some(it.owner);
                        self.transmits.push_back(Transmit { flow: it.flow, bytes, owner });
                    }
                }
                Action::Start(timer, after) => {
                    let at = now + after;
                    *it.deadlines.slot(timer) = Some((timer, at));
                    let generation = it.generation;
                    self.timers.set(at, TimerKey { server: true, index, generation, timer });
                }
                Action::Stop(timer) => it.deadlines.stop(timer),
                // A refusal whose ACK never came has reached its end all the same; the user has
                // left. A server transaction passes nothing and acknowledges nothing.
                Action::TimedOut | Action::Failed | Action::Pass | Action::SendAck => {}
            }
        }
    }

    pub(super) fn lost_invite(&self, index: usize) -> Option<Event<O>> {
        let it = self.servers.get(index)?;
        let open = matches!(it.state, State::Invite(InviteServer::Proceeding));
        let invite = ServerTx { index, generation: it.generation };
        open.then_some(Event::Lost { invite, owner: it.owner })
    }

    fn accepted(&self, index: usize) -> bool {
        matches!(self.servers[index].state, State::Invite(InviteServer::Accepted))
    }

    fn server(&self, transaction: ServerTx) -> Option<&ServerTransaction<O>> {
        let it = self.servers.get(transaction.index)?;
        (it.generation == transaction.generation).then_some(it)
    }
}
