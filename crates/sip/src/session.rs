//! One INVITE session of one leg (RFC 3261 §13-15): its dialog, the resending of 2xx until the
//! ACK, whose turn it is to offer, and its end. Bodies are opaque here.
//!
//! A file per thing one does to a session: `accept` (as UAS), `connect` (as UAC), `modify`
//! (re-INVITE), `update` (UPDATE), `prack` (reliable provisional responses), `timer` (refreshes),
//! `challenge` (credentials), `close` (BYE), `request` (what the peer asks within the dialog).

mod accept;
mod challenge;
mod close;
mod connect;
mod modify;
mod prack;
mod request;
mod timer;
mod update;

pub use connect::{Answer, Offer};
pub use prack::Reliability;
pub use request::Request;
pub use timer::{Terms, is_too_brief};

use crate::dialog::{Dialog, LocalEnd};
use crate::endpoint::{ClientTx, Endpoint, ServerTx, reply_flow};
use crate::flow::Flow;
use crate::locate::{Place, Target};
use crate::message::{Essentials, HeaderName, Message, Writer};
use crate::target::{Reach, flow_after_answer, flow_to_contact, flow_to_named, name_after_answer};
use bytes::Bytes;
use prack::Provisionals;
use std::fmt;
use std::time::{Duration, Instant};
use timer::Timer;

/// What a session works with for the length of one input.
pub struct Seat<'a, O> {
    pub endpoint: &'a mut Endpoint<O>,
    /// Whom the session's transactions belong to.
    pub owner: O,
    pub now: Instant,
}

/// A body and its type; both untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    pub content_type: &'a str,
    pub bytes: &'a [u8],
}

/// Writes further headers into a message of the session.
pub type Extra<'a> = &'a dyn Fn(&mut Writer);

/// No further headers.
pub fn no_extra(_: &mut Writer) {}

/// One Supported header: some peers read no second one.
fn write_supported<const N: usize>(writer: &mut Writer, tags: [&str; N]) {
    let mut tags = tags.into_iter().filter(|it| !it.is_empty());
    let Some(first) = tags.next() else { return };
    let all = fmt::from_fn(move |f| {
        f.write_str(first)?;
        tags.clone().try_for_each(|it| write!(f, ", {it}"))
    });
    writer.header("Supported", all);
}

/// One side of a call.
#[derive(Debug)]
pub struct Session {
    /// The way of our requests.
    pub flow: Flow,
    pub dialog: Dialog,
    state: State,
    invite_state: InviteState,
    /// Of the first INVITE.
    provisionals: Provisionals,
    allows_update: bool,
    timer: Timer,
    /// Our first INVITE until its answer: it may be sent again with other headers.
    sent: Option<Bytes>,
    /// What our newest INVITE was sent again with: its ACK has the same (RFC 3261 §22.1).
    credentials: Box<[(HeaderName, String)]>,
    /// CSeq of the peer's newest INVITE: its ACK has the same.
    invite_cseq: u32,
    /// The ACK of the newest 2xx, for its copies; as it lives as long as the session, outside of its block.
    last_ack: Option<(u32, Box<[u8]>)>,
    /// The name in the peer's Contact that is yet to be looked up.
    named: Option<Box<Place>>,
    /// A BYE with this Reason is due once the ACK of our 2xx is in (RFC 3261 §15).
    close_due: Option<Box<str>>,
}

/// What the peer did not do in its time: the session should be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// 64·T1 after our 2xx (RFC 3261 §13.3.1.4).
    Ack,
    /// 64·T1 after a reliable provisional response of ours (RFC 3262 §3).
    Prack,
    /// The session was not refreshed (RFC 4028 §10).
    Refresh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The peer's INVITE awaits our final response.
    Incoming {
        invite: ServerTx,
    },
    /// Our INVITE awaits its final response.
    Outgoing {
        invite: ClientTx,
        cancelled: bool,
    },
    Established,
    /// Our BYE awaits its response.
    Closing {
        bye: ClientTx,
    },
    Closed,
}

/// The INVITE transaction within the dialog; there is at most one (RFC 3261 §14).
#[derive(Debug)]
enum InviteState {
    Idle,
    /// Our 2xx is resent until the ACK comes.
    Unacked(Unacked),
    /// The peer's re-INVITE awaits our final response.
    Incoming {
        invite: ServerTx,
    },
    /// Our re-INVITE awaits its final response.
    Outgoing {
        invite: ClientTx,
    },
    /// A 2xx came; the user owes its ACK, perhaps with an answer.
    AckOwed {
        cseq: u32,
    },
}

/// A 2xx on its way (RFC 3261 §13.3.1.4).
#[derive(Debug)]
struct Unacked {
    /// Where responses to its INVITE go.
    flow: Flow,
    bytes: Bytes,
    interval: Duration,
    resend_at: Instant,
    give_up_at: Instant,
}

impl Session {
    /// The place of a session that is elsewhere: nothing is sent and nothing awaited.
    pub fn absent(flow: Flow, end: LocalEnd) -> Self {
        Self {
            flow,
            dialog: Dialog::of_our_request("", end, "", "", ""),
            state: State::Closed,
            invite_state: InviteState::Idle,
            provisionals: Provisionals::Plain,
            allows_update: false,
            timer: Timer::default(),
            sent: None,
            credentials: Box::default(),
            invite_cseq: 0,
            last_ack: None,
            named: None,
            close_due: None,
        }
    }

    /// A request of the peer came: ours follow it to its newest address. Behind a proxy the way back
    /// is the way it came.
    fn follow(&mut self, newest: Flow, it: &Essentials<'_>) {
        if newest.transport != self.flow.transport {
            return;
        }
        self.flow = if self.dialog.routes.routes().is_empty() {
            flow_to_contact(newest, it, &self.dialog.remote_target, Reach::SameHost)
        } else {
            reply_flow(newest, &it.via)
        };
    }

    /// The first answer to our INVITE: the peer's Contact, tag and routes.
    fn learn(&mut self, message: &Message<'_>, it: &Essentials<'_>) {
        let asked = self.dialog.learn(message, it);
        self.learn_methods(message);
        self.retarget(asked.as_deref());
    }

    /// A 2xx within the dialog: the peer's Contact and methods.
    fn refresh_target(&mut self, message: &Message<'_>) {
        let asked = self.dialog.refresh_target(message);
        self.learn_methods(message);
        self.retarget(asked.as_deref());
    }

    /// The peer's Contact has changed from `asked`; `None`: it has not.
    fn retarget(&mut self, asked: Option<&str>) {
        if let Some(asked) = asked
            && self.dialog.routes.routes().is_empty()
        {
            let contact = &*self.dialog.remote_target;
            self.named = name_after_answer(self.flow, asked, contact).map(Box::new);
            self.flow = flow_after_answer(self.flow, asked, contact);
        }
    }

    /// The name in the peer's Contact that somebody is to look up, for [`Session::located`]. Nothing
    /// waits for it: requests go the way they went until then.
    pub fn take_named(&mut self) -> Option<Box<Place>> {
        self.named.take()
    }

    /// The name in the peer's Contact leads here. An ACK that went the other way may be missed: it
    /// goes once more.
    pub fn located<O: Copy>(&mut self, seat: &mut Seat<'_, O>, targets: &[Target]) {
        let flow = flow_to_named(self.flow, targets);
        if std::mem::replace(&mut self.flow, flow) != flow
            && let Some((_, ack)) = &self.last_ack
        {
            seat.endpoint.send(flow, Bytes::copy_from_slice(ack), Some(seat.owner));
        }
    }

    /// How the peer finds us within the dialog.
    pub fn end(&self) -> LocalEnd {
        self.dialog.end
    }

    /// Nothing is left to send or to wait for.
    pub fn is_closed(&self) -> bool {
        // A re-INVITE that is still out may yet be answered, and its answer needs an ACK.
        self.state == State::Closed && !matches!(self.invite_state, InviteState::Outgoing { .. })
    }

    /// A 2xx was exchanged and no BYE yet.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// The first INVITE has no final response yet.
    pub fn is_early(&self) -> bool {
        matches!(self.state, State::Incoming { .. } | State::Outgoing { .. })
    }

    /// Both tags are known and no BYE was sent: a request may be sent within the dialog, an early
    /// one included (RFC 3261 §12.1).
    pub fn may_ask(&self) -> bool {
        let early = self.is_early() && !self.dialog.remote_tag.is_empty();
        early || self.is_established()
    }

    /// No INVITE transaction is under way: a re-INVITE may be sent.
    pub fn may_offer(&self) -> bool {
        self.is_established() && matches!(self.invite_state, InviteState::Idle)
    }

    /// This transaction is the peer's INVITE that awaits our final response.
    pub fn is_open_invite(&self, transaction: ServerTx) -> bool {
        self.open_invite() == Some(transaction)
    }

    /// A 2xx of the peer awaits [`Session::ack`].
    pub fn owes_ack(&self) -> bool {
        matches!(self.invite_state, InviteState::AckOwed { .. })
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let unacked = match &self.invite_state {
            InviteState::Unacked(it) => Some(it.resend_at.min(it.give_up_at)),
            InviteState::Idle
            | InviteState::Incoming { .. }
            | InviteState::Outgoing { .. }
            | InviteState::AckOwed { .. } => None,
        };
        let refresh = self.timer.poll().filter(|_| self.is_established());
        [unacked, self.poll_reliable(), refresh].into_iter().flatten().min()
    }
}
