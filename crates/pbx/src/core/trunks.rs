//! The trunks' servers are asked whether they are there (OPTIONS, RFC 3261 §11).

use super::Core;
use crate::call::fork::bracketed;
use crate::directory::Directory;
use crate::event::Event;
use crate::language::Text;
use crate::line::live::Said;
use crate::names::NameTrouble;
use crate::office::{Office, TransactionUser};
use crate::time::Now;
use crate::trunk::health::Event as Happens;
use crate::trunk::live::{ServerKey, TrunkKey};
use rand_core::Rng;
use sip::endpoint::ClientTx;
use sip::locate::Place;
use sip::message::{Message, Method, StartLine, Writer};
use sip::{Flow, Tag, Transport};
use std::time::Duration;

/// In the place of an answer to OPTIONS.
const UNANSWERED: Text = Text::fixed("no answer", "无应答");

impl Core {
    /// Brings the trunks to what the directory says.
    pub(super) fn configure_trunks(&mut self, directory: &Directory, now: Now) {
        for key in self.office.trunks.keys() {
            let Some(trunk) = self.office.trunks.get(key) else { continue };
            let (tenant, id) = (trunk.tenant, trunk.config.id);
            if directory.tenant(tenant).is_none_or(|it| !it.trunks.contains_key(&id)) {
                self.office.trunks.remove(key);
                self.office.event(Event::TrunkGone { tenant, id });
            }
        }
        for (tenant, it) in &directory.tenants {
            for config in it.trunks.values() {
                let known = self.office.trunks.find(*tenant, config.id);
                if known.is_some_and(|it| it.config == *config) {
                    continue;
                }
                let key = self.office.trunks.put(*tenant, config);
                let servers = self.office.trunks.servers_of(key);
                self.watch(key, &servers, now);
                self.trunk_resolved(key, now);
            }
        }
    }

    /// New servers of a trunk are asked from now on, as it is configured.
    fn watch(&mut self, trunk: TrunkKey, servers: &[ServerKey], now: Now) {
        let Some(it) = self.office.trunks.get(trunk) else { return };
        let watched = it.config.enabled && it.config.options_s > 0;
        for &key in servers {
            let has_address = self.office.trunks.server(key).is_some_and(|it| it.address.is_some());
            let event = match watched && has_address {
                true => Happens::Watched { at: self.office.lines.slot(now.instant) },
                false => Happens::Unwatched,
            };
            server_event(&mut self.office, key, event, now);
        }
    }

    /// What the names of a trunk lead to may be known, or may have changed.
    pub(super) fn trunk_resolved(&mut self, key: TrunkKey, now: Now) {
        let office = &mut self.office;
        let Some(trunk) = office.trunks.get(key) else { return };
        let places: Vec<Place> = trunk.places().cloned().collect();
        let mut new = Vec::new();
        for place in places {
            let Some(resolution) = office.names.known(&place) else { continue };
            let (found, trouble) = (office.servers_of(resolution), NameTrouble::of(resolution));
            new.extend(office.trunks.resolve(key, &place, &found, trouble));
        }
        self.watch(key, &new, now);
        self.office.publish_trunk(key);
    }

    pub(super) fn trunks_due(&mut self, now: Now) {
        while let Some(key) = self.office.trunks.pop_due(now.instant) {
            server_event(&mut self.office, key, Happens::Due, now);
        }
    }

    /// A response to OPTIONS, or none.
    pub(super) fn server_answered(
        &mut self,
        key: ServerKey,
        transaction: ClientTx,
        message: Option<&Message<'_>>,
        now: Now,
    ) {
        let Some(server) = self.office.trunks.server_mut(key) else { return };
        let code = message.and_then(Message::status);
        if server.transaction != Some(transaction) || code.is_some_and(|it| it < 200) {
            return;
        }
        server.transaction = None;
        let what = match message.map(|it| it.start) {
            Some(StartLine::Status { code, reason }) => Text::same(format!("{code} {reason}")),
            Some(StartLine::Request { .. }) | None => UNANSWERED,
        };
        server.last_answer = Some(Said { at: now.utc, what });
        let event = match code {
            None | Some(503) => Happens::Unanswered,
            Some(_) => Happens::Answered,
        };
        server_event(&mut self.office, key, event, now);
    }

    /// The stream to a server is open, or cannot be opened.
    pub(super) fn server_connected(&mut self, token: u64, flow: Option<Flow>, now: Now) {
        let Some(key) = self.office.trunks.connected(token) else { return };
        let Some(server) = self.office.trunks.server_mut(key) else { return };
        if server.connecting.take_if(|it| *it == token).is_none() {
            return;
        }
        server.flow = flow;
        match flow {
            Some(flow) => send_options(&mut self.office, key, flow, now),
            None => server_event(&mut self.office, key, Happens::Unanswered, now),
        }
    }
}

/// Tells a server's health what happened, and asks the server where that is wanted.
pub(crate) fn server_event(office: &mut Office, key: ServerKey, event: Happens, now: Now) {
    let Some(trunk) = office.trunks.get(key.trunk) else { return };
    let every = Duration::from_secs(trunk.config.options_s.into());
    let Some(server) = office.trunks.server_mut(key) else { return };
    let asks = server.health.handle(event, every, now.instant);
    if event == Happens::Due && !asks && !server.health.is_up() {
        server.last_answer = Some(Said { at: now.utc, what: UNANSWERED });
    }
    if asks && !ask(office, key, now) {
        server_event(office, key, Happens::Unanswered, now);
        return;
    }
    office.publish_trunk(key.trunk);
    office.trunks.arm(key);
}

/// The way to a server, or where to open one.
pub(crate) fn way_to(
    office: &Office,
    key: ServerKey,
) -> Option<Result<Flow, std::net::SocketAddr>> {
    let server = office.trunks.server(key)?;
    let remote = server.address?;
    match server.transport {
        Transport::Tcp => Some(server.flow.ok_or(remote)),
        Transport::Udp => office.udp_flow(remote).map(Ok),
    }
}

/// Sends OPTIONS; `false`: there is no way.
fn ask(office: &mut Office, key: ServerKey, now: Now) -> bool {
    match way_to(office, key) {
        None => return false,
        Some(Ok(flow)) => send_options(office, key, flow, now),
        Some(Err(remote)) => {
            let token = office.connect_for(remote);
            office.trunks.connecting(token, key);
            if let Some(server) = office.trunks.server_mut(key) {
                server.connecting = Some(token);
            }
        }
    }
    true
}

fn send_options(office: &mut Office, key: ServerKey, flow: Flow, now: Now) {
    let branch = office.endpoint.new_branch();
    let tag = Tag::new(office.config.shard, office.rng.next_u64());
    let (end, call_id) = (office.local_end(flow, tag), office.new_call_id());
    let transport = match flow.transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
    };
    let uri = format!("sip:{}{transport}", flow.remote);
    let mut writer = Writer::request(Method::Options, &uri);
    writer.header("Via", end.via(branch));
    writer.header("Max-Forwards", 70);
    writer.header("From", format_args!("<sip:{}>;tag={tag}", bracketed(end.address.ip())));
    writer.header("To", format_args!("<{uri}>"));
    writer.header("Call-ID", &call_id);
    writer.header("CSeq", "1 OPTIONS");
    writer.header("Contact", end.contact());
    let bytes = writer.finish();
    let user = Some(TransactionUser::Server(key));
    let transaction =
        office.endpoint.request(flow, Method::Options, branch, bytes, user, now.instant);
    if let Some(server) = office.trunks.server_mut(key) {
        server.transaction = Some(transaction);
    }
}
