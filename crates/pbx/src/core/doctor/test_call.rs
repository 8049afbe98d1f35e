//! A test call by a line: rings for a moment, is ended as soon as somebody answers. Nobody of ours
//! hears it.

use super::{ExaminationKey, copy_of};
use crate::call::headers;
use crate::call::introduce::introduce;
use crate::line::Line;
use crate::line::config::CallerNumber;
use crate::line::doctor::change::USUAL_CODECS;
use crate::line::doctor::read::copy;
use crate::line::doctor::{Outcome, RING};
use crate::line::live::LineKey;
use crate::line::request::outbound_route;
use crate::media::PortPair;
use crate::office::{Office, TransactionUser};
use crate::privacy::Privacy;
use crate::time::Now;
use rand_core::Rng;
use sip::auth::client::ClientAuth;
use sip::dialog::Dialog;
use sip::endpoint::ClientTx;
use sip::message::{Essentials, Message, Method, MinSe, Writer};
use sip::route_set::RouteSet;
use sip::session::{Answer, Body, Offer, Seat, Session, Terms, no_extra};
use sip::{Flow, Tag};
use std::net::SocketAddr;
use std::time::Instant;

/// What a usual phone offers, with the payload numbers of RFC 3551; the dynamic ones are ours.
const CODECS: [(&str, u8, &str); 6] = [
    ("opus", 96, "opus/48000/2"),
    ("G722", 9, "G722/8000"),
    ("PCMA", 8, "PCMA/8000"),
    ("PCMU", 0, "PCMU/8000"),
    ("G729", 18, "G729/8000"),
    ("GSM", 3, "GSM/8000"),
];

pub(super) struct TestCall {
    session: Session,
    flow: Flow,
    tag: Tag,
    line: Line,
    live: LineKey,
    caller: Box<str>,
    target: String,
    sdp: Vec<u8>,
    auth: ClientAuth,
    lease: Option<PortPair>,
    outcome: Outcome,
    prack: Option<ClientTx>,
    rings_until: Option<Instant>,
    given_up: bool,
    /// Question and answer that the outcome is about.
    asked: Box<str>,
    pair: Vec<Box<str>>,
}

impl TestCall {
    /// Calls; `None`: all media ports are in use, or the line is gone.
    pub(super) fn begin(
        office: &mut Office,
        (key, live): (ExaminationKey, LineKey),
        line: &Line,
        (caller, number): (&str, &str),
        (flow, now): (Flow, Now),
    ) -> Option<Self> {
        let lease = office.ports.lease(now.instant)?;
        let address = office.network.local_of(flow.local, flow.remote).advertised;
        let tag = Tag::new(office.config.shard, office.rng.next_u64());
        let end = office.local_end_of_line(flow, tag, Some(live));
        let caller: Box<str> = match &line.caller_number {
            CallerNumber::Account => line.account.clone(),
            CallerNumber::Caller => caller.into(),
            CallerNumber::Fixed(it) => it.clone(),
        };
        let mut call = Self {
            session: Session::absent(flow, end),
            flow,
            tag,
            line: line.clone(),
            live,
            caller,
            target: line.request_uri(number),
            sdp: describe(line, (address, lease.rtp).into()),
            auth: ClientAuth::default(),
            lease: Some(lease),
            outcome: Outcome { code: 408, silent: true, ..Outcome::default() },
            prack: None,
            rings_until: None,
            given_up: false,
            asked: Box::default(),
            pair: Vec::new(),
        };
        let call_id = office.new_call_id();
        call.invite(office, key, (&call_id, 0), now.instant)?;
        Some(call)
    }

    fn invite(
        &mut self,
        office: &mut Office,
        key: ExaminationKey,
        (call_id, cseq): (&str, u32),
        now: Instant,
    ) -> Option<()> {
        let cnonce = format!("{:016x}", office.rng.next_u64());
        let end = office.local_end_of_line(self.flow, self.tag, Some(self.live));
        let live = office.lines.get(self.live)?;
        let own = [&*self.line.domain];
        let account = live.account(&self.line, &own);
        let credentials = self.auth.answers(&account, Method::Invite, &self.target, &cnonce);
        let service_route = live.service_route.clone();
        let routes = match service_route.is_empty() {
            true => outbound_route(&self.line).into_iter().collect(),
            false => service_route,
        };
        let privacy = Privacy { identity: self.line.interop.privacy, ..Privacy::default() };
        let (from, further) = introduce(&self.line, &self.caller, privacy);
        let to = format!("<{}>", self.target);
        let mut dialog = Dialog::of_our_request(call_id, end, &from, &to, &self.target);
        (dialog.local_cseq, dialog.routes) = (cseq, RouteSet::of_routes(routes));
        let extra = |writer: &mut Writer| {
            headers::capabilities_of_request(writer);
            for (name, value) in &further {
                writer.text_header(name, value);
            }
            for (name, value) in &credentials {
                writer.text_header(name.as_str(), value);
            }
        };
        let expires_s = self.line.interop.session_expires_s.0.into();
        let offer = Offer {
            max_forwards: 70,
            reliability: self.line.interop.reliability(),
            terms: Terms { expires_s, min_s: 90 },
            extra: &extra,
            body: Some(Body { content_type: "application/sdp", bytes: &self.sdp }),
        };
        let mut seat = seat(office, key, now);
        self.session = Session::connect(&mut seat, self.flow, dialog, offer);
        self.session.keep_credentials(credentials.clone().into());
        self.asked = office.endpoint.newest_transmit().map(copy_of).unwrap_or_default();
        Some(())
    }

    pub(super) fn handle_response(
        &mut self,
        office: &mut Office,
        key: ExaminationKey,
        (transaction, message, it): (ClientTx, &Message<'_>, &Essentials<'_>),
        now: Instant,
    ) {
        self.outcome.silent = false;
        let code = message.status().unwrap_or_default();
        if matches!(code, 401 | 407)
            && self.answers(office, key, (transaction, message, it), now).is_some()
        {
            return;
        }
        if code == 422 {
            let least = message.headers.find::<MinSe>().ok().flatten().map(|it| it.0);
            self.outcome.min_se = least.or(self.outcome.min_se);
        }
        let answer =
            self.session.handle_response(&mut seat(office, key, now), transaction, message, it);
        match answer {
            Answer::Progress { reliable, .. } => {
                self.outcome.rang = true;
                self.rings_until.get_or_insert(now + RING);
                self.keep(message);
                if reliable {
                    let mut seat = seat(office, key, now);
                    self.prack = self.session.prack(&mut seat, &no_extra, None);
                    self.asked = office.endpoint.newest_transmit().map(copy_of).unwrap_or_default();
                }
            }
            Answer::Accepted => {
                self.outcome.code = code;
                self.keep(message);
                let mut seat = seat(office, key, now);
                self.session.ack(&mut seat, None);
                self.session.close(&mut seat, "");
            }
            // Our own CANCEL is no refusal.
            Answer::Refused(code) if !self.given_up => {
                self.outcome.code = code;
                self.outcome.rang = false;
                self.keep(message);
            }
            Answer::Other(prack, code @ (405 | 481 | 501)) if self.prack == Some(prack) => {
                self.pair = vec![std::mem::take(&mut self.asked), copy(message)];
                self.outcome.prack = Some(code);
            }
            Answer::Trying
            | Answer::Refused(_)
            | Answer::Modified
            | Answer::ModifyRefused(_)
            | Answer::Vanished(_)
            | Answer::Closed
            | Answer::Unheard
            | Answer::Other(..)
            | Answer::Nothing => {}
        }
    }

    pub(super) fn handle_failure(&mut self, transaction: ClientTx, code: u16, now: Instant) {
        if let Answer::Refused(code) = self.session.handle_failure(transaction, code, now) {
            self.outcome.code = code;
        }
    }

    /// A challenge to the INVITE, or to what followed it.
    fn answers(
        &mut self,
        office: &mut Office,
        key: ExaminationKey,
        (transaction, message, it): (ClientTx, &Message<'_>, &Essentials<'_>),
        now: Instant,
    ) -> Option<()> {
        let later = self.session.challenged(&seat(office, key, now), transaction);
        if later.is_some() {
            self.auth.begin();
        }
        let account_line = self.line.clone();
        let own = [&*account_line.domain];
        let account = office.lines.get(self.live)?.account(&account_line, &own);
        self.auth.challenged(&message.headers, &account).ok()?;
        let Some(uri) = later else {
            if !self.session.is_early() {
                return None;
            }
            let (call_id, cseq) =
                (self.session.dialog.call_id.clone(), self.session.dialog.local_cseq);
            return self.invite(office, key, (&call_id, cseq), now);
        };
        let cnonce = format!("{:016x}", office.rng.next_u64());
        let method = it.cseq.method;
        let headers = self.auth.answers(&account, method, &uri, &cnonce).into();
        let mut seat = seat(office, key, now);
        let again = self.session.send_with(&mut seat, transaction, method, headers)?;
        if self.prack == Some(transaction) {
            self.prack = Some(again);
        }
        Some(())
    }

    /// What a refused PRACK said stays the more telling.
    fn keep(&mut self, message: &Message<'_>) {
        if self.outcome.prack.is_none() {
            self.pair = vec![self.asked.clone(), copy(message)];
        }
    }

    pub(super) fn rings_until(&self) -> Option<Instant> {
        self.rings_until
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// It has rung long enough, or nobody is there.
    pub(super) fn give_up(&mut self, office: &mut Office, key: ExaminationKey, now: Instant) {
        self.given_up = true;
        let mut seat = seat(office, key, now);
        self.session.cancel(&mut seat, "");
        self.session.close(&mut seat, "");
    }

    pub(super) fn is_over(&self) -> bool {
        self.session.is_closed()
    }

    pub(super) fn end(&mut self, office: &mut Office, now: Instant) -> (Outcome, Vec<Box<str>>) {
        office.ports.unused(self.lease.take().as_slice(), now);
        (self.outcome, std::mem::take(&mut self.pair))
    }

    /// The carrier does not even let it go.
    pub(super) fn abandon(&mut self, office: &mut Office, now: Instant) -> Outcome {
        self.session.abandon();
        self.end(office, now).0
    }
}

fn seat(office: &mut Office, key: ExaminationKey, now: Instant) -> Seat<'_, TransactionUser> {
    Seat { endpoint: &mut office.endpoint, owner: TransactionUser::Examination(key), now }
}

/// What the line offers: its codecs, or what a usual phone has.
fn describe(line: &Line, address: SocketAddr) -> Vec<u8> {
    let wanted = |name: &str| {
        let own = &line.interop.codecs;
        own.is_empty() || own.iter().any(|it| it.eq_ignore_ascii_case(name))
    };
    let mut codecs: Vec<_> = CODECS.iter().filter(|it| wanted(it.0)).collect();
    if codecs.is_empty() {
        codecs = CODECS.iter().filter(|it| USUAL_CODECS.contains(&it.0)).collect();
    }
    let formats: Vec<String> = codecs.iter().map(|it| it.1.to_string()).collect();
    let maps: String = codecs.iter().map(|it| format!("a=rtpmap:{} {}\r\n", it.1, it.2)).collect();
    let (ip, port) = (address.ip(), address.port());
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {} 101\r\n{maps}a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
        formats.join(" ")
    )
    .into_bytes()
}
