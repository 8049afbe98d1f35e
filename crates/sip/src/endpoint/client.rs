//! The client half of the endpoint: requests we send, their responses, CANCEL (RFC 3261 §17.1, §9.1).

use super::{Branch, Deadlines, Endpoint, Event, Received, TimerKey, Transmit, derive};
use crate::flow::Flow;
use crate::message::{Essentials, Message, Method};
use crate::transaction::client::{self, Client};
use crate::transaction::key::Key;
use crate::transaction::{Action, Actions, Timer, invite_client};
use bytes::Bytes;
use invite_client::InviteClient;
use std::time::Instant;

/// Names a client transaction; a stale name does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTx {
    index: usize,
    generation: u32,
}

pub(super) struct ClientTransaction<O> {
    key: Key,
    generation: u32,
    flow: Flow,
    /// The request: resent, and the model of its ACK and CANCEL.
    request: Bytes,
    branch: Branch,
    state: State,
    deadlines: Deadlines,
    /// `None`: nobody waits for the outcome (a CANCEL).
    pub(super) owner: Option<O>,
    /// A CANCEL is wanted but may not be sent before a provisional came (RFC 3261 §9.1); with the
    /// value of its Reason header.
    cancel: Option<Box<str>>,
}

#[derive(Clone, Copy)]
enum State {
    Invite(InviteClient),
    Other(Client),
}

impl State {
    fn is_terminated(self) -> bool {
        match self {
            Self::Invite(state) => state == InviteClient::Terminated,
            Self::Other(state) => state == Client::Terminated,
        }
    }
}

/// What happens to a client transaction, whichever kind it is.
#[derive(Clone, Copy)]
enum Happens {
    Start,
    Response(u16),
    Cancelled,
    Fired(Timer),
    TransportError,
}

impl<O: Copy> Endpoint<O> {
    /// Sends a request made with `branch` and keeps its transaction.
    pub fn request(
        &mut self,
        flow: Flow,
        method: Method<'_>,
        branch: Branch,
        request: Bytes,
        owner: Option<O>,
        now: Instant,
    ) -> ClientTx {
        let state = if method == Method::Invite {
            State::Invite(InviteClient::START)
        } else {
            State::Other(Client::START)
        };
        let key = self.keys.client(&branch.text(), method);
        let generation = self.next_generation();
        let index = self.clients.insert(ClientTransaction {
            key,
            generation,
            flow,
            request,
            branch,
            state,
            deadlines: Deadlines::default(),
            owner,
            cancel: None,
        });
        self.client_by_key.insert(key, index);
        if let Some(connection) = flow.connection {
            self.client_by_connection.insert((connection, index));
        }
        self.client_step(index, Happens::Start, None, now);
        ClientTx { index, generation }
    }

    /// Gives up an INVITE: sends CANCEL as soon as that is allowed. `reason` is the value of its
    /// Reason header (RFC 3326), or empty.
    pub fn cancel(&mut self, transaction: ClientTx, reason: &str, now: Instant) {
        let Some(it) = self.clients.get_mut(transaction.index) else { return };
        if it.generation != transaction.generation || it.cancel.is_some() {
            return;
        }
        it.cancel = Some(reason.into());
        if matches!(it.state, State::Invite(InviteClient::Proceeding)) {
            self.send_cancel(transaction.index, now);
        }
    }

    /// Gives up a request other than an INVITE: it is not sent again, and its response is nobody's.
    pub fn abandon(&mut self, transaction: ClientTx) {
        let known = self.clients.get(transaction.index);
        if known.is_some_and(|it| it.generation == transaction.generation) {
            self.forget_client(transaction.index);
        }
    }

    /// The request of this transaction, where the newest 401 or 407 answered it.
    pub(crate) fn challenged(&self, transaction: ClientTx) -> Option<&[u8]> {
        self.challenged.as_ref().filter(|it| it.0 == transaction).map(|it| &*it.1)
    }

    pub(crate) fn take_challenged(&mut self, transaction: ClientTx) -> Option<Bytes> {
        self.challenged.take_if(|it| it.0 == transaction).map(|it| it.1)
    }

    pub(super) fn receive_response(
        &mut self,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Instant,
    ) -> Received<O> {
        let branch = it.via.branch().unwrap_or_default();
        let key = self.keys.client(branch, it.cseq.method);
        let (Some(&index), Some(code)) = (self.client_by_key.get(&key), message.status()) else {
            return Received::Stray;
        };
        let (generation, owner) = (self.clients[index].generation, self.clients[index].owner);
        // A cancelled request is wanted no more.
        let challenged = matches!(code, 401 | 407) && self.clients[index].cancel.is_none();
        let request = challenged.then(|| self.clients[index].request.clone());
        let passed = self.client_step(index, Happens::Response(code), Some(message), now);
        if passed && let Some(request) = request {
            self.challenged = Some((ClientTx { index, generation }, request));
        }
        match owner {
            Some(owner) if passed => {
                Received::Response { transaction: ClientTx { index, generation }, owner }
            }
            owner => Received::Absorbed { owner },
        }
    }

    pub(super) fn client_timer(&mut self, key: TimerKey, at: Instant, now: Instant) {
        let Some(it) = self.clients.get_mut(key.index) else { return };
        if it.generation == key.generation && it.deadlines.take(key.timer, at) {
            self.client_step(key.index, Happens::Fired(key.timer), None, now);
        }
    }

    pub(super) fn client_transport_error(&mut self, index: usize, now: Instant) {
        self.client_step(index, Happens::TransportError, None, now);
    }

    /// Returns whether the response is to be passed to the user.
    fn client_step(
        &mut self,
        index: usize,
        happens: Happens,
        response: Option<&Message<'_>>,
        now: Instant,
    ) -> bool {
        let it = &mut self.clients[index];
        let reliable = it.flow.transport.is_reliable();
        let (state, actions) = match it.state {
            State::Invite(state) => {
                let event = match happens {
                    Happens::Start => invite_client::Event::Start,
                    Happens::Response(code) => invite_client::Event::Response(code),
                    Happens::Cancelled => invite_client::Event::Cancelled,
                    Happens::Fired(timer) => invite_client::Event::Fired(timer),
                    Happens::TransportError => invite_client::Event::TransportError,
                };
                let (state, actions) = state.next(event, reliable);
                (State::Invite(state), actions)
            }
            State::Other(state) => {
                let event = match happens {
                    Happens::Start => client::Event::Start,
                    Happens::Response(code) => client::Event::Response(code),
                    Happens::Fired(timer) => client::Event::Fired(timer),
                    Happens::TransportError => client::Event::TransportError,
                    // Only an INVITE can be cancelled.
                    Happens::Cancelled => return false,
                };
                let (state, actions) = state.next(event, reliable);
                (State::Other(state), actions)
            }
        };
        let first_provisional = matches!(it.state, State::Invite(InviteClient::Calling { .. }))
            && matches!(state, State::Invite(InviteClient::Proceeding));
        it.state = state;
        let passed = self.client_actions(index, &actions, response, now);
        if first_provisional && self.clients[index].cancel.is_some() {
            self.send_cancel(index, now);
        }
        if state.is_terminated() {
            self.forget_client(index);
        }
        passed
    }

    fn client_actions(
        &mut self,
        index: usize,
        actions: &Actions,
        response: Option<&Message<'_>>,
        now: Instant,
    ) -> bool {
        let it = &mut self.clients[index];
        let transaction = ClientTx { index, generation: it.generation };
        let mut passed = false;
        for &action in actions {
            match action {
                Action::Send | Action::Resend => {
                    self.resent += u64::from(action == Action::Resend);
                    let (flow, bytes, owner) = (it.flow, it.request.clone(), it.owner);
                    self.transmits.push_back(Transmit { flow, bytes, owner });
                }
                Action::SendAck => {
                    if let Some(bytes) = response.and_then(|it2| derive::ack(&it.request, it2)) {
                        let (flow, owner) = (it.flow, it.owner);
                        self.transmits.push_back(Transmit { flow, bytes, owner });
                    }
                }
                Action::Start(timer, after) => {
                    let at = now + after;
                    *it.deadlines.slot(timer) = Some((timer, at));
                    let generation = it.generation;
                    self.timers.set(at, TimerKey { server: false, index, generation, timer });
                }
                Action::Stop(timer) => it.deadlines.stop(timer),
                Action::Pass => passed = true,
                Action::TimedOut => {
                    let event = |owner| Event::TimedOut { transaction, owner };
                    self.events.extend(it.owner.map(event));
                }
                Action::Failed => {
                    let event = |owner| Event::Failed { transaction, owner };
                    self.events.extend(it.owner.map(event));
                }
            }
        }
        passed
    }

    /// CANCEL is a transaction of its own with the branch of its INVITE (RFC 3261 §9.1).
    fn send_cancel(&mut self, index: usize, now: Instant) {
        let it = &self.clients[index];
        let (flow, branch) = (it.flow, it.branch);
        let cancel = derive::cancel(&it.request, it.cancel.as_deref().unwrap_or_default());
        self.client_step(index, Happens::Cancelled, None, now);
        if let Some(bytes) = cancel {
            self.request(flow, Method::Cancel, branch, bytes, None, now);
        }
    }

    fn forget_client(&mut self, index: usize) {
        let gone = self.clients.remove(index);
        self.client_by_key.remove(&gone.key);
        if let Some(connection) = gone.flow.connection {
            self.client_by_connection.remove(&(connection, index));
        }
    }
}
