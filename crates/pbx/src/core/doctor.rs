//! Examinations of lines: what the trunk doctor asks is sent, and it is told what came of it.
//!
//! It works beside the line's own registration: its REGISTERs have a Call-ID of their own and the
//! line's Contact, so that the registrar takes them for a refresh of the binding it has or is to get
//! (RFC 3261 §10.3 step 7), and none is replaced.

mod test_call;

use super::Core;
use crate::event::Event;
use crate::id::TenantId;
use crate::line::Line;
use crate::line::doctor::read::{Details, copy};
use crate::line::doctor::{self, Action, Doctor, Event as Happens};
use crate::line::live::{LineKey, LiveLine};
use crate::line::register::answer::{self, Answer, Lack};
use crate::line::register::{Ids, Registration};
use crate::line::request;
use crate::office::{Office, TransactionUser};
use crate::time::Now;
use rand_core::Rng;
use sip::endpoint::ClientTx;
use sip::message::{Essentials, Message, Method, Writer};
use sip::{Flow, Tag, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_call::TestCall;

/// Most examinations at once; one more is refused.
const EXAMINATIONS_MAX: usize = 4;

/// A call that is to end has this long for it.
const FAREWELL: Duration = Duration::from_secs(4);

/// Names an examination; a stale name finds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExaminationKey(u32);

/// All examinations of a shard.
#[derive(Default)]
pub(super) struct Examinations {
    under_way: Vec<Examination>,
    serial: u32,
}

struct Examination {
    key: ExaminationKey,
    /// What it was asked for by.
    token: u64,
    line: LineKey,
    doctor: Doctor,
    /// The names and challenges of its REGISTERs.
    registration: Registration,
    /// The question under way is a REGISTER, not OPTIONS.
    asks_register: bool,
    /// The newest REGISTER was answered by a challenge that can be answered.
    challenged: bool,
    /// The carrier took a REGISTER.
    granted: bool,
    /// A stream of its own.
    stream: Option<Flow>,
    awaits: Awaits,
    asked_at: Instant,
    until: Option<Instant>,
}

enum Awaits {
    Nothing,
    /// A stream, for what is to be sent then.
    Stream {
        token: u64,
        then: Action,
    },
    Response(ClientTx),
    Call(Box<TestCall>),
}

impl Examinations {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.iter().filter_map(|it| it.until).min()
    }

    fn find(&self, key: ExaminationKey) -> Option<usize> {
        self.under_way.iter().position(|it| it.key == key)
    }
}

impl Core {
    /// An administrator wants a line examined; `call` is the number of a test call.
    pub(super) fn examine_line(
        &mut self,
        (tenant, account): (TenantId, &str),
        call: Option<&str>,
        token: u64,
        now: Now,
    ) {
        let office = &mut self.office;
        let room = self.examinations.under_way.len() < EXAMINATIONS_MAX;
        let Some(live) = office.lines.find(tenant, account).filter(|_| room && !self.closing)
        else {
            return office.event(Event::Examined { token, report: None });
        };
        let config = Line::clone(&live.config);
        let (line, contact) = (live.key, live.registration.ids.contact);
        let targets = live.targets.configured().into_iter().chain(live.targets.others()).collect();
        let lost = live.targets.lost().to_vec();
        let caller = caller(office, tenant, &config);
        let ids = Ids { call_id: (*office.new_call_id()).into(), cseq: 0, contact };
        self.examinations.serial = self.examinations.serial.wrapping_add(1);
        self.examinations.under_way.push(Examination {
            key: ExaminationKey(self.examinations.serial),
            token,
            line,
            doctor: Doctor::new(config, &caller, call),
            registration: Registration::new(ids, None),
            asks_register: false,
            challenged: false,
            granted: false,
            stream: None,
            awaits: Awaits::Nothing,
            asked_at: now.instant,
            until: None,
        });
        let index = self.examinations.under_way.len() - 1;
        self.examined(index, Happens::Begins { targets, lost }, now);
    }

    /// Tells the doctor what happened and does what he says.
    fn examined(&mut self, index: usize, event: Happens, now: Now) {
        let mut event = Some(event);
        while let Some(happened) = event.take() {
            let Some(it) = self.examinations.under_way.get_mut(index) else { return };
            (it.awaits, it.until) = (Awaits::Nothing, None);
            match it.doctor.handle(happened) {
                Action::Done => return self.examination_ends(index, now),
                action @ (Action::Options(_) | Action::Register { .. } | Action::Call(_)) => {
                    event = it.act(&mut self.office, action, now);
                }
            }
        }
    }

    fn examination_ends(&mut self, index: usize, now: Now) {
        let it = self.examinations.under_way.remove(index);
        let report = Some(Box::new(it.doctor.report()));
        self.office.event(Event::Examined { token: it.token, report });
        let live = self.office.lines.get(it.line);
        let as_configured = live.is_some_and(|live| *live.config == *it.doctor.line());
        let unbound = live.is_some_and(|live| live.registration.binding().is_none());
        if it.granted && as_configured && unbound {
            // What the carrier holds now is the line's to keep.
            self.register_line(it.line, now);
        }
    }

    pub(super) fn examinations_due(&mut self, now: Now) {
        let due = |it: &Examination| it.until.is_some_and(|at| at <= now.instant);
        while let Some(index) = self.examinations.under_way.iter().position(due) {
            let it = &mut self.examinations.under_way[index];
            match &mut it.awaits {
                Awaits::Call(call) if !call.is_given_up() => {
                    call.give_up(&mut self.office, it.key, now.instant);
                    it.until = Some(now.instant + FAREWELL);
                    self.test_call_goes_on(index, now);
                }
                Awaits::Call(call) => {
                    let outcome = call.abandon(&mut self.office, now.instant);
                    self.examined(index, Happens::Called(outcome), now);
                }
                Awaits::Nothing | Awaits::Stream { .. } | Awaits::Response(_) => {
                    self.examination_unheard(index, Lack::Silent, now);
                }
            }
        }
    }

    /// A question got no answer.
    fn examination_unheard(&mut self, index: usize, lack: Lack, now: Now) {
        let Some(it) = self.examinations.under_way.get(index) else { return };
        let event = match it.asks_register {
            true => {
                Happens::Registered { answer: Answer::Unheard(lack), details: Details::default() }
            }
            false => Happens::Reached { took: None },
        };
        self.examined(index, event, now);
    }

    /// A response to something that an examination sent.
    pub(super) fn examination_answered(
        &mut self,
        key: ExaminationKey,
        transaction: ClientTx,
        (message, essentials): (&Message<'_>, &Essentials<'_>),
        now: Now,
    ) {
        let Some(index) = self.examinations.find(key) else { return };
        let office = &mut self.office;
        let it = &mut self.examinations.under_way[index];
        if let Awaits::Call(call) = &mut it.awaits {
            call.handle_response(office, key, (transaction, message, essentials), now.instant);
            return self.test_call_goes_on(index, now);
        }
        let awaited = matches!(it.awaits, Awaits::Response(known) if known == transaction);
        if !awaited || message.status().is_none_or(|it| it < 200) {
            return;
        }
        it.doctor.said(copy(message));
        let event = match it.asks_register {
            true => it.read_register(office, message),
            false => {
                Happens::Reached { took: Some(now.instant.saturating_duration_since(it.asked_at)) }
            }
        };
        self.examined(index, event, now);
    }

    /// Nobody answered, or the way broke.
    pub(super) fn examination_failed(
        &mut self,
        key: ExaminationKey,
        (transaction, code, lack): (ClientTx, u16, Lack),
        now: Now,
    ) {
        let Some(index) = self.examinations.find(key) else { return };
        let it = &mut self.examinations.under_way[index];
        match &mut it.awaits {
            Awaits::Call(call) => {
                call.handle_failure(transaction, code, now.instant);
                self.test_call_goes_on(index, now);
            }
            Awaits::Response(known) if *known == transaction => {
                self.examination_unheard(index, lack, now);
            }
            Awaits::Nothing | Awaits::Stream { .. } | Awaits::Response(_) => {}
        }
    }

    /// A stream is open, or cannot be opened.
    pub(super) fn examination_connected(&mut self, token: u64, flow: Option<Flow>, now: Now) {
        let waits = |it: &Examination| matches!(&it.awaits, Awaits::Stream { token: known, .. } if *known == token);
        let Some(index) = self.examinations.under_way.iter().position(waits) else { return };
        let it = &mut self.examinations.under_way[index];
        let Awaits::Stream { then, .. } = std::mem::replace(&mut it.awaits, Awaits::Nothing) else {
            return;
        };
        it.stream = flow;
        let event = match flow {
            Some(_) => it.act(&mut self.office, then, now),
            None => Some(it.broken(&then)),
        };
        if let Some(event) = event {
            self.examined(index, event, now);
        }
    }

    fn test_call_goes_on(&mut self, index: usize, now: Now) {
        let it = &mut self.examinations.under_way[index];
        let Awaits::Call(call) = &mut it.awaits else { return };
        if call.is_over() {
            let (outcome, pair) = call.end(&mut self.office, now.instant);
            for text in pair {
                it.doctor.said(text);
            }
            return self.examined(index, Happens::Called(outcome), now);
        }
        if let Some(until) = call.rings_until()
            && !call.is_given_up()
        {
            it.until = Some(it.until.map_or(until, |it| it.min(until)));
        }
    }
}

impl Examination {
    /// Asks; what it gives back happened at once.
    fn act(&mut self, office: &mut Office, action: Action, now: Now) -> Option<Happens> {
        let transport = match &action {
            Action::Options(transport) => *transport,
            Action::Register { .. } | Action::Call(_) | Action::Done => self.doctor.transport(),
        };
        let flow = match self.way(office, transport) {
            Some(Ok(flow)) => flow,
            Some(Err(remote)) => {
                let token = office.connect_for(remote);
                self.until = Some(now.instant + doctor::OPTIONS_WAIT);
                self.asks_register = matches!(action, Action::Register { .. });
                self.awaits = Awaits::Stream { token, then: action };
                return None;
            }
            None => return Some(self.broken(&action)),
        };
        self.asked_at = now.instant;
        match action {
            Action::Options(_) => {
                self.asks_register = false;
                let sent = self.send_options(office, flow, now);
                self.expect(Awaits::Response(sent), doctor::OPTIONS_WAIT, now);
            }
            Action::Register { new_call_id, forget } => {
                self.asks_register = true;
                let names = (new_call_id, forget);
                let Some(sent) = self.send_register(office, flow, names, now) else {
                    return Some(self.broken(&Action::Register { new_call_id, forget }));
                };
                self.expect(Awaits::Response(sent), doctor::REGISTER_WAIT, now);
            }
            Action::Call(number) => {
                let (names, doctor) = ((self.key, self.line), &self.doctor);
                let sides = (doctor.caller(), &*number);
                let call = TestCall::begin(office, names, doctor.line(), sides, (flow, now));
                let Some(call) = call else { return Some(self.broken(&Action::Call(number))) };
                self.expect(Awaits::Call(Box::new(call)), doctor::CALL_WAIT, now);
            }
            Action::Done => {}
        }
        None
    }

    fn expect(&mut self, awaits: Awaits, most: Duration, now: Now) {
        (self.awaits, self.until) = (awaits, Some(now.instant + most));
    }

    /// What an action comes to whose way is broken.
    fn broken(&self, action: &Action) -> Happens {
        match action {
            Action::Options(_) | Action::Done => Happens::Reached { took: None },
            Action::Register { .. } => Happens::Registered {
                answer: Answer::Unheard(Lack::Broken),
                details: Details::default(),
            },
            Action::Call(_) => Happens::Called(doctor::Outcome {
                code: 503,
                silent: true,
                ..doctor::Outcome::default()
            }),
        }
    }

    /// The way to the carrier, or where a stream is to be opened.
    fn way(&self, office: &Office, transport: Transport) -> Option<Result<Flow, SocketAddr>> {
        let remote = self.doctor.target()?.address;
        match transport {
            Transport::Tcp => {
                let own = office.lines.get(self.line).and_then(|it| it.flow);
                let there = |it: &Flow| it.transport == Transport::Tcp && it.remote == remote;
                Some(self.stream.or(own).filter(there).ok_or(remote))
            }
            Transport::Udp => office.udp_flow(remote).map(Ok),
        }
    }

    fn send_options(&mut self, office: &mut Office, flow: Flow, now: Now) -> ClientTx {
        let branch = office.endpoint.new_branch();
        let tag = Tag::new(office.config.shard, office.rng.next_u64());
        let end = office.local_end_of_line(flow, tag, Some(self.line));
        let call_id = office.new_call_id();
        let line = self.doctor.line();
        let uri = format!("sip:{}", line.domain);
        let mut writer = Writer::request(Method::Options, &uri);
        writer.header("Via", end.via(branch));
        if let Some(route) = request::outbound_route(line) {
            writer.text_header("Route", &route);
        }
        writer.header("Max-Forwards", 70);
        writer.header("From", format_args!("<{}>;tag={tag}", line.from_uri(&line.account)));
        writer.header("To", format_args!("<{uri}>"));
        writer.header("Call-ID", &call_id);
        writer.header("CSeq", "1 OPTIONS");
        writer.header("Contact", end.contact());
        let bytes = writer.finish();
        self.doctor.said(copy_of(&bytes));
        let user = Some(TransactionUser::Examination(self.key));
        office.endpoint.request(flow, Method::Options, branch, bytes, user, now.instant)
    }

    fn send_register(
        &mut self,
        office: &mut Office,
        flow: Flow,
        (new_call_id, forget): (bool, bool),
        now: Now,
    ) -> Option<ClientTx> {
        let branch = office.endpoint.new_branch();
        let cnonce = format!("{:016x}", office.rng.next_u64());
        let call_id = new_call_id.then(|| (*office.new_call_id()).into());
        let contact = self.registration.ids.contact;
        let end = office.local_end_of_line(flow, contact, Some(self.line));
        let live = office.lines.get(self.line)?;
        if !std::mem::take(&mut self.challenged) {
            self.registration.auth.begin();
        }
        if forget {
            self.registration.auth.clear();
        }
        let ids = &mut self.registration.ids;
        ids.call_id = call_id.unwrap_or_else(|| ids.call_id.clone());
        ids.cseq += 1;
        let line = Arc::new(self.doctor.line().clone());
        let own = [&*line.domain];
        let account = live.account(&line, &own);
        let way = (end, branch);
        let registration = &mut self.registration;
        let bytes = request::register(&line, registration, &account, way, line.expires_s, &cnonce);
        self.doctor.said(copy_of(&bytes));
        let user = Some(TransactionUser::Examination(self.key));
        let sent =
            office.endpoint.request(flow, Method::Register, branch, bytes, user, now.instant);
        Some(sent)
    }

    fn read_register(&mut self, office: &Office, message: &Message<'_>) -> Happens {
        let contact = self.registration.ids.contact.to_string();
        let details = Details::of(message, &contact);
        let answer = match details.status {
            401 | 407 => {
                let line = self.doctor.line();
                let own = [&*line.domain];
                let account =
                    office.lines.get(self.line).map(|it: &LiveLine| it.account(line, &own));
                let answer =
                    account.map(|it| self.registration.auth.challenged(&message.headers, &it));
                self.challenged = answer == Some(Ok(()));
                match answer {
                    Some(answer) => Answer::Challenged(answer),
                    // The line was deleted meanwhile.
                    None => Answer::Unheard(Lack::Broken),
                }
            }
            300..=399 => Answer::Redirected,
            _ => answer::read(message, &contact),
        };
        self.granted |= matches!(answer, Answer::Granted { .. });
        Happens::Registered { answer, details }
    }
}

/// Who calls in a test call: the line's owner, else the first extension.
fn caller(office: &Office, tenant: TenantId, line: &Line) -> Box<str> {
    let first = || {
        office
            .tenant(tenant)
            .and_then(|it| it.extensions.keys().next().map(|it| it.as_str().into()))
    };
    line.owner.clone().or_else(first).unwrap_or_else(|| line.account.clone())
}

/// A message of ours, for the report.
fn copy_of(bytes: &[u8]) -> Box<str> {
    // Ours, so it parses.
    Message::parse(bytes).map(|it| copy(&it)).unwrap_or_default()
}
