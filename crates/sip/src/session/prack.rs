//! Reliable provisional responses (RFC 3262): as UAS sent again until their PRACK comes and one at
//! a time, as UAC acknowledged in the order of their RSeq.

use super::accept::finish;
use super::{Body, Extra, Seat, Session, State, write_supported};
use crate::endpoint::{ClientTx, ServerTx};
use crate::message::{Essentials, HeaderName, Message, Method, RAck, RSeq, Writer};
use crate::transaction::{T1, TIMEOUT};
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most provisional responses that wait for the PRACK of another; one more is not sent.
const WAITING_MAX: usize = 4;
/// Most early dialogs of one INVITE whose numbers are kept; the reliable responses of one more are
/// not taken, and so not acknowledged.
const EARLY_DIALOGS_MAX: usize = 8;

/// What an INVITE of ours says of reliable provisional responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// `Supported: 100rel`: the peer decides.
    #[default]
    Auto,
    /// `Require: 100rel`.
    Required,
    /// Nothing.
    Off,
}

impl Reliability {
    /// What an INVITE requires and supports; `timer` of RFC 4028 and what else the user has go with
    /// it.
    pub(super) fn write(self, writer: &mut Writer, timer: bool, further: &str) {
        if self == Self::Required {
            writer.text_header("Require", "100rel");
        }
        let reliable = if self == Self::Auto { "100rel" } else { "" };
        write_supported(writer, [reliable, if timer { "timer" } else { "" }, further]);
    }
}

/// What a session knows of provisional responses.
#[derive(Debug)]
pub(super) enum Provisionals {
    /// They are sent once, or nothing reliable came.
    Plain,
    /// The peer's INVITE requires ours to be reliable.
    Sending(Box<Sending>),
    /// The peer sends reliable ones.
    Receiving(Box<Receiving>),
}

#[derive(Debug, Default)]
pub(super) struct Sending {
    /// The RSeq given out last.
    rseq: u32,
    open: Option<Open>,
    /// Sent when the open one is through (§3: one at a time).
    waiting: VecDeque<Reliable>,
    /// The 2xx, which follows a body that is acknowledged (§3).
    answer: Option<Bytes>,
    /// A response had a body: the 2xx needs none.
    has_described: bool,
    /// The newest of these, until the final response.
    described: Option<Bytes>,
}

#[derive(Debug)]
struct Reliable {
    rseq: u32,
    code: u16,
    /// Empty once it is not sent again, as it would keep its block.
    bytes: Bytes,
    with_body: bool,
}

/// The reliable response under way.
#[derive(Debug)]
struct Open {
    it: Reliable,
    phase: Phase,
}

impl Open {
    fn give_up(&mut self) {
        self.phase = Phase::Over;
        self.it.bytes = Bytes::new();
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Sent again until its PRACK comes.
    Sent { interval: Duration, resend_at: Instant, give_up_at: Instant },
    /// The user owes the answer to its PRACK.
    Acknowledged { prack: ServerTx },
    /// The INVITE has its final response; a PRACK is still right (§3).
    Over,
}

#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// The newest RSeq of each early dialog, by the peer's tag.
    heard: SmallVec<[(Box<str>, u32); 1]>,
    /// RSeq and CSeq of the response whose PRACK the user owes.
    owed: Option<(u32, u32)>,
    /// One of them brought a body.
    with_body: bool,
}

/// What a provisional response is to its order (§4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Unreliable,
    Next,
    /// A copy, one too early, or one that comes while another awaits its PRACK: not for the user.
    Other,
}

impl Session {
    /// The peer's INVITE requires reliable provisional responses.
    pub fn is_reliable(&self) -> bool {
        matches!(self.provisionals, Provisionals::Sending(_))
    }

    /// A body went out in a reliable response: the 2xx brings none (RFC 6337 §2.2).
    pub fn has_described(&self) -> bool {
        matches!(&self.provisionals, Provisionals::Sending(it) if it.has_described)
    }

    /// Before the answer: the newest reliable response of ours that has a body.
    pub(super) fn described(&self) -> Option<&Bytes> {
        match &self.provisionals {
            Provisionals::Sending(it) => it.described.as_ref(),
            Provisionals::Plain | Provisionals::Receiving(_) => None,
        }
    }

    /// Before the answer: bodies were exchanged reliably, so that UPDATE may bring others
    /// (RFC 3311 §5.1).
    pub fn is_settled(&self) -> bool {
        match &self.provisionals {
            Provisionals::Plain => false,
            Provisionals::Sending(it) => {
                let open = it.open.iter().map(|it| &it.it).chain(&it.waiting);
                it.has_described && !open.into_iter().any(|it| it.with_body)
            }
            Provisionals::Receiving(it) => it.with_body && it.owed.is_none(),
        }
    }

    /// A reliable response of the peer awaits [`Session::prack`].
    pub fn owes_prack(&self) -> bool {
        matches!(&self.provisionals, Provisionals::Receiving(it) if it.owed.is_some())
    }

    /// Acknowledges the reliable response that was reported, and names the transaction; its outcome
    /// comes as [`Answer::Other`](super::Answer::Other).
    pub fn prack<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) -> Option<ClientTx> {
        let Provisionals::Receiving(it) = &mut self.provisionals else { return None };
        let (rseq, cseq) = it.owed.take()?;
        let extra = |writer: &mut Writer| {
            writer.header("RAck", format_args!("{rseq} {cseq} INVITE"));
            extra(writer);
        };
        Some(self.request(seat, Method::Prack, &extra, body))
    }

    /// Answers the PRACK that was reported as [`Request::Acknowledged`](super::Request) and goes on
    /// with what waited for it. Returns whether that was the 2xx of the INVITE.
    pub fn answer_prack<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (prack, code, reason): (ServerTx, u16, &str),
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) -> bool {
        let tag = self.dialog.end.tag.text();
        if let Some(mut writer) = seat.endpoint.response(prack, code, reason, Some(&tag)) {
            extra(&mut writer);
            seat.endpoint.respond(prack, code, finish(writer, body), seat.now);
            if self.is_early() {
                self.timer.keep_early(body);
            }
        }
        let Provisionals::Sending(it) = &mut self.provisionals else { return false };
        let acknowledged =
            |it: &Open| matches!(it.phase, Phase::Acknowledged { prack: known } if known == prack);
        if it.open.take_if(|it| acknowledged(it)).is_none() {
            return false;
        }
        self.go_on(seat)
    }

    /// Sends a provisional response that is to be acknowledged, or lets it wait for its turn.
    pub(super) fn send_reliably<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        code: u16,
        mut writer: Writer,
        body: Option<Body<'_>>,
    ) {
        let Provisionals::Sending(it) = &mut self.provisionals else { return };
        if it.waiting.len() >= WAITING_MAX || it.answer.is_some() {
            return;
        }
        it.rseq += 1;
        writer.text_header("Require", "100rel");
        writer.header("RSeq", it.rseq);
        let (rseq, with_body) = (it.rseq, body.is_some());
        let bytes = finish(writer, body);
        if with_body {
            it.has_described = true;
            it.described = Some(bytes.clone());
        }
        it.waiting.push_back(Reliable { rseq, code, bytes, with_body });
        if it.open.is_none() {
            self.go_on(seat);
        }
    }

    /// Keeps a 2xx that may not go out yet; gives it back where it may.
    pub(super) fn hold_answer(&mut self, answer: Bytes) -> Option<Bytes> {
        let Provisionals::Sending(it) = &mut self.provisionals else { return Some(answer) };
        let open = it.open.iter();
        let is_answering = open.clone().any(|it| matches!(it.phase, Phase::Acknowledged { .. }));
        let bodies = open.map(|it| &it.it).chain(&it.waiting);
        if !is_answering && !bodies.into_iter().any(|it| it.with_body) {
            return Some(answer);
        }
        it.answer = Some(answer);
        None
    }

    /// The INVITE has its final response: nothing is sent again.
    pub(super) fn settle_provisionals(&mut self) {
        match &mut self.provisionals {
            Provisionals::Plain => {}
            Provisionals::Sending(it) => {
                it.waiting.clear();
                (it.answer, it.described) = (None, None);
                if let Some(open) = &mut it.open {
                    open.give_up();
                }
            }
            Provisionals::Receiving(it) => it.owed = None,
        }
    }

    /// A PRACK came; says which transaction the user is to answer.
    pub(super) fn acknowledged<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        flow: crate::Flow,
        (message, it): (&Message<'_>, &Essentials<'_>),
    ) -> Option<ServerTx> {
        let rack = message.headers.find::<RAck<'_>>().ok().flatten();
        let open = match &mut self.provisionals {
            Provisionals::Sending(it) => it.open.as_mut(),
            Provisionals::Plain | Provisionals::Receiving(_) => None,
        };
        let (cseq, method) = (self.invite_cseq, Method::Invite);
        let open = open.filter(|it| rack == Some(RAck { rseq: it.it.rseq, cseq, method }));
        match open.map(|it| (it.phase, it)) {
            Some((Phase::Sent { .. }, open)) => {
                let prack = seat.endpoint.open(flow, message, it, seat.owner);
                open.phase = Phase::Acknowledged { prack };
                if self.is_early() {
                    self.timer.hear_prack(message);
                }
                return Some(prack);
            }
            Some((Phase::Over, _)) => self.answer(seat, flow, (message, it), (200, "OK")),
            // It is acknowledged already, or was never sent.
            Some((Phase::Acknowledged { .. }, _)) | None => {
                let gone = (481, "Call/Transaction Does Not Exist");
                self.answer(seat, flow, (message, it), gone);
            }
        }
        None
    }

    /// Whether a provisional response is the next one of its early dialog.
    pub(super) fn order_of(&mut self, message: &Message<'_>, it: &Essentials<'_>) -> Order {
        let (Some(tag), Ok(Some(RSeq(rseq)))) = (it.to_tag, message.headers.find::<RSeq>()) else {
            return Order::Unreliable;
        };
        if !message.headers.has_token(HeaderName::Require, "100rel") {
            return Order::Unreliable;
        }
        if matches!(self.provisionals, Provisionals::Plain) {
            self.provisionals = Provisionals::Receiving(Box::default());
        }
        let Provisionals::Receiving(known) = &mut self.provisionals else { return Order::Other };
        if known.owed.is_some() {
            return Order::Other;
        }
        match known.heard.iter().position(|it| *it.0 == *tag) {
            Some(at) if known.heard[at].1.checked_add(1) == Some(rseq) => known.heard[at].1 = rseq,
            Some(_) => return Order::Other,
            None if known.heard.len() < EARLY_DIALOGS_MAX => known.heard.push((tag.into(), rseq)),
            None => return Order::Other,
        }
        known.owed = Some((rseq, it.cseq.number));
        known.with_body |= !message.body.is_empty();
        Order::Next
    }

    pub(super) fn poll_reliable(&self) -> Option<Instant> {
        let Provisionals::Sending(it) = &self.provisionals else { return None };
        match it.open.as_ref()?.phase {
            Phase::Sent { resend_at, give_up_at, .. } => Some(resend_at.min(give_up_at)),
            Phase::Acknowledged { .. } | Phase::Over => None,
        }
    }

    /// Resends a response that has no PRACK yet. Returns `true` when it is given up (§3).
    pub(super) fn reliable_timeout<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> bool {
        let State::Incoming { invite } = self.state else { return false };
        let Provisionals::Sending(it) = &mut self.provisionals else { return false };
        let Some(open) = &mut it.open else { return false };
        let Phase::Sent { interval, resend_at, give_up_at } = &mut open.phase else { return false };
        if seat.now >= *give_up_at {
            open.give_up();
            return true;
        }
        if seat.now >= *resend_at {
            // Over a reliable transport too, and with no ceiling (§3).
            *interval *= 2;
            *resend_at = seat.now + *interval;
            let flow = seat.endpoint.server_flow(invite).unwrap_or(self.flow);
            seat.endpoint.send_again(flow, open.it.bytes.clone(), Some(seat.owner));
        }
        false
    }

    /// Nothing is open: the next response with a body, or the 2xx, or the next response at all.
    fn go_on<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> bool {
        let State::Incoming { invite } = self.state else { return false };
        let Provisionals::Sending(it) = &mut self.provisionals else { return false };
        let next = loop {
            match it.waiting.pop_front() {
                // With the 2xx at hand nobody needs to hear that it rings; but the order of the
                // numbers must have no gap.
                Some(next)
                    if it.answer.is_some()
                        && !next.with_body
                        && it.waiting.iter().all(|it| !it.with_body) => {}
                next => break next,
            }
        };
        let Some(next) = next else {
            let Some(answer) = it.answer.take() else { return false };
            self.send_answer(seat, invite, answer);
            return true;
        };
        seat.endpoint.respond(invite, next.code, next.bytes.clone(), seat.now);
        let (resend_at, give_up_at) = (seat.now + T1, seat.now + TIMEOUT);
        it.open =
            Some(Open { it: next, phase: Phase::Sent { interval: T1, resend_at, give_up_at } });
        false
    }
}
