//! The lines at their carriers: what their registrations ask for is sent, what comes back is told
//! them (RFC 3261 §10.2).

use super::Core;
use crate::directory::{Directory, Tenant};
use crate::event::Event;
use crate::id::TenantId;
use crate::language::Text;
use crate::line::live::{LineKey, LiveLine, Said};
use crate::line::register::answer::{self, Answer, Lack};
use crate::line::register::{Action, Event as Happens, Ids, Moment, Standing};
use crate::line::target::Targets;
use crate::line::{Line, request, seen};
use crate::office::{Office, TransactionUser};
use crate::record::Record;
use crate::text;
use crate::time::Now;
use bytes::Bytes;
use rand_core::Rng;
use sip::endpoint::ClientTx;
use sip::locate::Target;
use sip::message::{HeaderName, Message, Method, StartLine};
use sip::{ConnectionId, Flow, Tag, Transport};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What keeps a pinhole open (RFC 5626 §3.5.1).
const KEEP_ALIVE: Bytes = Bytes::from_static(b"\r\n\r\n");

/// How long a line waits before it opens a lost stream again: the carrier may be starting.
const RECONNECT: Duration = Duration::from_secs(2);

/// In the place of an answer, where another server is tried after [`SILENCE_MAX`].
///
/// [`SILENCE_MAX`]: crate::line::register::SILENCE_MAX
const NO_ANSWER: Text = Text::fixed("no answer in 4 s", "4秒内无应答");

impl Core {
    /// Brings the lines to what the directory says.
    pub(super) fn configure_lines(&mut self, old: &Directory, directory: &Directory, now: Now) {
        let same = |(id, tenant): (&TenantId, &Tenant)| {
            old.tenant(*id).is_some_and(|it| it.lines.is_same(&tenant.lines))
        };
        let is_known = old.tenants.len() == directory.tenants.len();
        if is_known && !old.tenants.is_empty() && directory.tenants.iter().all(same) {
            return;
        }
        for key in self.office.lines.keys() {
            let Some(line) = self.office.lines.get(key).filter(|it| !it.deleted) else { continue };
            let tenant = directory.tenant(line.tenant);
            match tenant.and_then(|it| it.lines.get(&line.config.account)) {
                Some(config) if Arc::ptr_eq(config, &line.config) => {}
                Some(config) => self.line_changed(key, Arc::clone(config), now),
                None => self.line_deleted(key, now),
            }
        }
        for (id, tenant) in &directory.tenants {
            for config in tenant.lines.iter() {
                let known = self.office.lines.find(*id, &config.account);
                if known.is_some_and(|it| !it.deleted) {
                    continue;
                }
                self.line_added(*id, config, now);
            }
        }
        // The first directory names every line there is.
        for gone in self.office.lines.take_recovered() {
            let (tenant, account) = (gone.tenant, gone.account);
            self.office.record(Record::LineForgotten { tenant, account });
        }
    }

    fn line_added(&mut self, tenant: TenantId, config: &Arc<Line>, now: Now) {
        let office = &mut self.office;
        // What is recorded is the binding of one that leaves.
        if office.lines.find(tenant, &config.account).is_some() {
            let account = config.account.clone();
            office.record(Record::LineForgotten { tenant, account });
        }
        let contact = Tag::new(office.config.shard, office.rng.next_u64());
        let ids = Ids { call_id: (*office.new_call_id()).into(), cseq: 0, contact };
        let key = office.lines.add(tenant, config, ids, now);
        self.line_wanted(key, now);
        self.line_resolved(key, now);
    }

    fn line_changed(&mut self, key: LineKey, config: Arc<Line>, now: Now) {
        let Some(line) = self.office.lines.get(key) else { return };
        // The old carrier holds our Contact, or is about to: it is told that we leave, while another
        // line begins at the new one. A binding there is none here.
        let is_held = line.registration.binding().is_some() || line.transaction.is_some();
        if is_held && !same_place(&line.config, &config) {
            self.line_added(line.tenant, &config, now);
            return self.line_deleted(key, now);
        }
        let Some(line) = self.office.lines.get_to_move(key) else { return };
        let before = std::mem::replace(&mut line.config, config);
        if same_registration(&before, &line.config) {
            // A binding that stands is good for calls, whatever the next REGISTER is addressed to.
            let is_bound = line.registration.binding().is_some();
            if before.uri_parameters != line.config.uri_parameters && !is_bound {
                self.line_wanted(key, now);
            }
            return;
        }
        line.targets = Targets::of(&line.config);
        line.registration.auth.clear();
        (line.flow, line.asking, line.seen) = (None, None, None);
        self.line_wanted(key, now);
        self.line_resolved(key, now);
        // A REGISTER that waits for the old name goes on with what there is.
        self.go_on_resolved(key, now);
    }

    fn line_deleted(&mut self, key: LineKey, now: Now) {
        if let Some(line) = self.office.lines.get_mut(key) {
            line.deleted = true;
        }
        self.line_event(key, Happens::Unwanted, now);
    }

    /// Registers it when its turn comes, or takes its registration back, as it is configured.
    pub(super) fn line_wanted(&mut self, key: LineKey, now: Now) {
        let office = &mut self.office;
        let wants = office.lines.get(key).is_some_and(LiveLine::wants) && !self.closing;
        let event = match wants {
            true => Happens::Wanted { at: office.lines.slot(now.instant) },
            false => Happens::Unwanted,
        };
        self.line_event(key, event, now);
    }

    /// An administrator wants this line registered now.
    pub(super) fn register_line(&mut self, key: LineKey, now: Now) {
        if self.office.lines.get(key).is_some_and(LiveLine::wants) && !self.closing {
            self.line_event(key, Happens::Wanted { at: now.instant }, now);
            self.line_due(key, now);
        }
    }

    /// Our addresses changed: lines whose own is gone register with another one.
    pub(super) fn renumber_lines(&mut self, now: Now) {
        for key in self.office.lines.keys() {
            let office = &mut self.office;
            let Some(line) = office.lines.get_mut(key) else { continue };
            let Some(flow) = line.flow else { continue };
            let source = office.network.local_for(flow.remote.ip()).map(|it| it.source);
            if source != Some(flow.local.ip()) {
                (line.flow, line.asking, line.seen) = (None, None, None);
                self.line_wanted(key, now);
            }
        }
    }

    /// The process ends: the carriers need not call us any more.
    pub(super) fn leave_carriers(&mut self, now: Now) {
        for key in self.office.lines.keys() {
            self.line_event(key, Happens::Unwanted, now);
        }
    }

    /// No carrier has yet to be told that we leave.
    pub(super) fn has_left_carriers(&self) -> bool {
        let leaving = |it: &LiveLine| it.registration.standing() == Standing::Unregistering;
        !self.office.lines.iter().any(leaving)
    }

    pub(super) fn lines_due(&mut self, now: Now) {
        while let Some(key) = self.office.lines.pop_due(now.instant) {
            self.line_due(key, now);
        }
    }

    fn line_due(&mut self, key: LineKey, now: Now) {
        let office = &mut self.office;
        if let Some(line) = office.lines.get_mut(key)
            && line.keep_alive_at.is_some_and(|it| it <= now.instant)
        {
            line.keep_alive_at = keep_alive_at(line, now);
            if let Some(flow) = line.flow {
                office.endpoint.send(flow, KEEP_ALIVE, None);
            }
        }
        self.line_event(key, Happens::Due, now);
    }

    /// A response to a REGISTER.
    pub(super) fn line_answered(
        &mut self,
        key: LineKey,
        transaction: ClientTx,
        message: &Message<'_>,
        now: Now,
    ) {
        let Some(line) = self.office.lines.get_mut(key) else { return };
        if line.transaction != Some(transaction) {
            return;
        }
        let StartLine::Status { code: code @ 200.., reason } = message.start else {
            return line.registration.heard();
        };
        line.transaction = None;
        line.last_answer = Some(Said { at: now.utc, what: Text::same(format!("{code} {reason}")) });
        let answer = match code {
            401 | 407 => {
                let config = Arc::clone(&line.config);
                let own = [&*config.domain];
                let account = line.account(&config, &own);
                Answer::Challenged(line.registration.auth.challenged(&message.headers, &account))
            }
            300..=399 => match self.redirected(key, message, now) {
                Some(answer) => answer,
                // The name is to be resolved first.
                None => return,
            },
            _ => answer::read(message, &line.registration.ids.contact.to_string()),
        };
        let Some(line) = self.office.lines.get_mut(key) else { return };
        if matches!(answer, Answer::Granted { .. }) {
            line.targets.succeeded();
            let routes = message.headers.values(HeaderName::ServiceRoute);
            line.service_route = routes.take(sip::route_set::ROUTES_MAX).map(Into::into).collect();
            self.office.lines.granted(key);
        }
        let elsewhere = self.learn_seen(key, message);
        let corrects = matches!(answer, Answer::Granted { .. }) && self.corrects(key, elsewhere);
        self.line_event(key, Happens::Answered(answer), now);
        if corrects {
            self.register_line(key, now);
        }
    }

    /// Where the carrier sees us; `true`: it was told another address.
    fn learn_seen(&mut self, key: LineKey, message: &Message<'_>) -> bool {
        let network = &self.office.network;
        let Some(line) = self.office.lines.get_mut(key) else { return false };
        let Some(flow) = line.asking else { return false };
        let advertised = network.local_of(flow.local, flow.remote).advertised;
        let Some(seen) = seen::read(message, flow.local, advertised) else { return false };
        let told = line.seen_at(flow);
        line.seen = seen;
        line.seen_at(flow) != told
    }

    /// The binding that was granted is for another address than the carrier sees us at: another
    /// REGISTER is due. Once: a NAT that changes with every request would have us register for ever.
    fn corrects(&mut self, key: LineKey, elsewhere: bool) -> bool {
        let Some(line) = self.office.lines.get_mut(key) else { return false };
        let corrected = std::mem::replace(&mut line.corrects_contact, elsewhere);
        elsewhere && !corrected
    }

    /// A REGISTER got no response, or its way broke.
    pub(super) fn line_unheard(
        &mut self,
        key: LineKey,
        transaction: ClientTx,
        lack: Lack,
        now: Now,
    ) {
        let Some(line) = self.office.lines.get_mut(key) else { return };
        if line.transaction != Some(transaction) {
            return;
        }
        line.transaction = None;
        self.line_says(key, lack, now);
        self.line_event(key, Happens::Answered(Answer::Unheard(lack)), now);
    }

    /// The stream to a carrier is open, or cannot be opened.
    pub(super) fn line_connected(&mut self, token: u64, flow: Option<Flow>, now: Now) {
        let office = &mut self.office;
        let Some(key) = office.lines.connected(token) else { return };
        let Some(line) = office.lines.get_mut(key) else { return };
        let Some((_, expires_s)) = line.connecting.take_if(|it| it.0 == token) else { return };
        match flow {
            Some(flow) => send_register(office, key, flow, expires_s, now),
            None => {
                self.line_says(key, Lack::Broken, now);
                let answer = Answer::Unheard(Lack::Broken);
                return self.line_event(key, Happens::Answered(answer), now);
            }
        }
        self.line_settled(key, now);
    }

    /// Calls come in over the stream: it must be there. A carrier that starts anew loses those of all
    /// its lines at once.
    pub(super) fn line_streams_lost(&mut self, connection: ConnectionId, now: Now) {
        for key in self.office.lines.lose_connection(connection) {
            if self.office.lines.get(key).is_some_and(LiveLine::wants) && !self.closing {
                let at = self.office.lines.slot(now.instant + RECONNECT);
                self.line_event(key, Happens::Lost { at }, now);
            }
        }
    }

    /// Tells a registration what happened and does what it asks for.
    pub(super) fn line_event(&mut self, key: LineKey, event: Happens, now: Now) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let office = &mut self.office;
            let dice = office.rng.next_u32();
            let Some(line) = office.lines.get_mut(key) else { return };
            let moment = Moment { instant: now.instant, utc: now.utc, dice };
            for action in line.handle(event, moment) {
                match action {
                    Action::NextTarget => {
                        let gave_up = self.stop_asking(key);
                        if let Some(line) = self.office.lines.get_mut(key) {
                            line.targets.next();
                            if gave_up {
                                line.last_answer = Some(Said { at: now.utc, what: NO_ANSWER });
                            }
                        }
                    }
                    Action::Ask { expires_s, new_call_id } => {
                        if let Err(lack) = ask(&mut self.office, key, expires_s, new_call_id, now) {
                            self.line_says(key, lack, now);
                            events.push_back(Happens::Answered(Answer::Unheard(lack)));
                        }
                    }
                }
            }
        }
        self.line_settled(key, now);
    }

    /// The REGISTER that is out is given up: a registrar that wakes up must not get it when the line is
    /// registered elsewhere. `false`: none was out.
    pub(super) fn stop_asking(&mut self, key: LineKey) -> bool {
        let office = &mut self.office;
        let Some(line) = office.lines.get_mut(key) else { return false };
        let (transaction, connecting) = (line.transaction.take(), line.connecting.take());
        if let Some(transaction) = transaction {
            office.endpoint.abandon(transaction);
        }
        transaction.is_some() || connecting.is_some()
    }

    /// Records and publishes what changed, and sees to the next time-out.
    pub(super) fn line_settled(&mut self, key: LineKey, now: Now) {
        let office = &mut self.office;
        let Some(line) = office.lines.get(key) else { return };
        let (tenant, account) = (line.tenant, line.config.account.clone());
        // A new line has its account: what is told of it is that one's.
        let heir = office.lines.find(tenant, &account).filter(|it| it.key != key);
        let is_replaced = line.deleted && heir.is_some();
        if line.deleted && line.registration.standing() == Standing::Off {
            office.lines.remove(key);
            if !is_replaced {
                office.record(Record::LineForgotten { tenant, account: account.clone() });
                office.event(Event::LineGone { tenant, account });
            }
            return;
        }
        let Some(line) = office.lines.get_mut(key) else { return };
        match (line.registration.binding(), line.keep_alive_at) {
            (None, _) => line.keep_alive_at = None,
            (Some(_), None) => line.keep_alive_at = keep_alive_at(line, now),
            (Some(_), Some(_)) => {}
        }
        if !is_replaced {
            let (facts, status) = (line.unrecorded(), line.unpublished(now));
            if let Some(facts) = facts {
                office.record(Record::LineRegistration(Box::new(facts)));
            }
            if let Some(status) = status {
                office.event(Event::Line(status));
            }
        }
        office.lines.arm(key);
    }
}

/// Sends a REGISTER, or opens its stream first.
pub(super) fn ask(
    office: &mut Office,
    key: LineKey,
    expires_s: u32,
    new_call_id: bool,
    now: Now,
) -> Result<(), Lack> {
    let call_id = new_call_id.then(|| office.new_call_id());
    let Some(line) = office.lines.get_mut(key) else { return Ok(()) };
    if let Some(call_id) = call_id {
        line.registration.ids.call_id = (*call_id).into();
    }
    let Some(Target { transport, address: remote }) = line.targets.current() else {
        if !line.targets.place().is_some_and(|it| office.names.is_asked(it)) {
            return Err(Lack::NoAddress);
        }
        line.resolving = Some(expires_s);
        return Ok(());
    };
    let is_open = |it: &Flow| it.remote == remote && it.transport == transport;
    let open = [line.asking, line.flow].into_iter().flatten().find(is_open);
    match (transport, open) {
        (Transport::Tcp, None) => {
            let token = office.connect_for(remote);
            if let Some(line) = office.lines.get_mut(key) {
                line.connecting = Some((token, expires_s));
            }
            office.lines.connecting(token, key);
        }
        (Transport::Tcp, Some(flow)) => send_register(office, key, flow, expires_s, now),
        (Transport::Udp, _) => {
            let flow = office.udp_flow(remote).ok_or(Lack::Broken)?;
            send_register(office, key, flow, expires_s, now);
        }
    }
    Ok(())
}

fn send_register(office: &mut Office, key: LineKey, flow: Flow, expires_s: u32, now: Now) {
    let branch = office.endpoint.new_branch();
    let cnonce = format!("{:016x}", office.rng.next_u64());
    let Some(contact) = office.lines.get(key).map(|it| it.registration.ids.contact) else { return };
    let end = office.local_end_of_line(flow, contact, Some(key));
    office.lines.asks_by(key, flow);
    let Some(line) = office.lines.get_mut(key) else { return };
    let config = Arc::clone(&line.config);
    let own = [&*config.domain];
    let account = line.account(&config, &own);
    let way = (end, branch);
    let bytes =
        request::register(&config, &mut line.registration, &account, way, expires_s, &cnonce);
    let (uri, cseq) = (request::registrar(&config), line.registration.ids.cseq);
    let (remote, transport) = (flow.remote, flow.transport.via_name());
    let what = text!(
        "REGISTER {} to {} ({}), CSeq {}",
        "REGISTER {}，发往{}（{}），CSeq {}",
        uri,
        remote,
        transport,
        cseq
    );
    line.last_request = Some(Said { at: now.utc, what });
    let user = Some(TransactionUser::Line(key));
    let transaction =
        office.endpoint.request(flow, Method::Register, branch, bytes, user, now.instant);
    if let Some(line) = office.lines.get_mut(key) {
        line.transaction = Some(transaction);
        line.registration.sent(line.targets.has_untried(), now.instant);
    }
}

fn keep_alive_at(line: &LiveLine, now: Now) -> Option<std::time::Instant> {
    let every = Duration::from_secs(line.config.keep_alive_s.into());
    (!every.is_zero()).then(|| now.instant + every)
}

/// Whether they register at the same carrier, the same way.
fn same_place(one: &Line, other: &Line) -> bool {
    let of = |it: &Line| (it.transport, it.domain.clone(), it.outbound_proxy.clone());
    of(one) == of(other)
}

/// Whether the carrier would notice no difference.
fn same_registration(one: &Line, other: &Line) -> bool {
    let of = |it: &Line| {
        (
            (it.enabled, it.register, it.expires_s, it.transport, it.new_call_id),
            (it.domain.clone(), it.outbound_proxy.clone()),
            (it.auth_user.clone(), it.password.clone(), it.keep_alive_s),
        )
    };
    of(one) == of(other)
}
