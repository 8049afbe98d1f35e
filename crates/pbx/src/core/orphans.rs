//! Dialogs whose phone has yet to hear that they are over: a crash left them open, or their stream
//! broke. Each gets its BYE, over UDP at once, else by another stream; where only a name says where to
//! (RFC 3263), once that is resolved.

use crate::names::Waiter;
use crate::office::{Farewell, Office};
use crate::record::DialogFacts;
use crate::time::Now;
use sip::locate::{Resolution, Target, Way};
use sip::message::{Method, Writer};
use sip::route_set::RouteSet;
use sip::target::{may_lead_to, next_hop};
use sip::{Flow, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Most addresses of a name that are tried for one BYE.
const TARGETS_MAX: usize = 4;

/// How far the BYE's CSeq jumps ahead: past whatever was sent after the fact was recorded.
const CSEQ_AHEAD: u32 = 1000;

/// Why a dialog that a crash left open ends.
const RESTARTED: &str = "Q.850;cause=41;text=\"Server restarted\"";

/// Those whose BYE waits.
#[derive(Default)]
pub(super) struct Orphans {
    /// For a stream, by the token of [`Office::connect_for`].
    connecting: Waiting,
    /// For the addresses of a name, by what [`Waiter::Orphan`] has.
    resolving: Waiting,
    serial: u64,
}

type Waiting = HashMap<u64, Orphan, ahash::RandomState>;

struct Orphan {
    dialog: DialogFacts,
    /// Of its BYE.
    reason: String,
    /// Where it was not tried yet, the next one last.
    left: Vec<Target>,
}

impl Orphans {
    /// Ends the dialogs that were recovered, as far as their phones can be reached.
    pub(super) fn end(office: &mut Office, dialogs: Vec<DialogFacts>, now: Now) -> Self {
        let mut orphans = Self::default();
        for facts in dialogs {
            if facts.flow.transport.is_reliable() {
                orphans.reconnect(office, facts, RESTARTED.to_owned(), now);
            } else {
                bye(office, &facts, facts.flow, RESTARTED, now);
            }
        }
        orphans
    }

    pub(super) fn len(&self) -> usize {
        self.connecting.len() + self.resolving.len()
    }

    /// Finds other ways for the BYEs whose stream broke: one over which the same phone has
    /// registered since, else a new one.
    pub(super) fn send_farewells(&mut self, office: &mut Office, now: Now) {
        for Farewell { tenant, number, dialog, reason } in std::mem::take(&mut office.farewells) {
            let old = dialog.flow;
            let bindings = office.registrar.bindings(tenant, &number).iter();
            let newer = bindings.map(|it| it.binding.flow).find(|it| {
                it.connection.is_some()
                    && it.connection != old.connection
                    && it.remote.ip() == old.remote.ip()
            });
            match newer {
                Some(flow) => bye(office, &dialog, flow, &reason, now),
                None => self.reconnect(office, dialog, reason, now),
            }
        }
    }

    fn reconnect(&mut self, office: &mut Office, dialog: DialogFacts, reason: String, now: Now) {
        let source = dialog.flow.remote.ip().to_canonical();
        let routes = RouteSet::of_routes(dialog.route_set.clone());
        match next_hop(&routes, &dialog.remote_target) {
            // Only where its peer was heard: a number is believed no further.
            Ok(Way::Straight(Target { address, .. })) if address.ip() == source => {
                let target = Target { transport: Transport::Tcp, address };
                self.go_on(office, Orphan { dialog, reason, left: vec![target] }, now);
            }
            Ok(Way::Named(place)) => {
                self.serial += 1;
                self.resolving.insert(self.serial, Orphan { dialog, reason, left: vec![] });
                office.wait_for(&place, Waiter::Orphan(self.serial), now.instant);
            }
            // Its peer finds out by itself (RFC 4028, or the silence of the media).
            Ok(Way::Straight(_)) | Err(_) => {}
        }
    }

    /// The name is resolved, or will not be: then the BYE has nowhere to go.
    pub(super) fn resolved(
        &mut self,
        office: &mut Office,
        waiter: u64,
        resolution: &Resolution,
        now: Now,
    ) {
        let Some(mut orphan) = self.resolving.remove(&waiter) else { return };
        let source = orphan.dialog.flow.remote.ip();
        let mut targets = office.targets_of(resolution);
        targets.retain(|it| may_lead_to(source, it.address.ip()));
        targets.truncate(TARGETS_MAX);
        targets.reverse();
        orphan.left = targets;
        self.go_on(office, orphan, now);
    }

    /// Tries the next address.
    fn go_on(&mut self, office: &mut Office, mut orphan: Orphan, now: Now) {
        while let Some(Target { transport, address }) = orphan.left.pop() {
            match transport {
                Transport::Tcp => {
                    let token = office.connect_for(address);
                    self.connecting.insert(token, orphan);
                    return;
                }
                Transport::Udp => {
                    if let Some(flow) = office.udp_flow(address) {
                        return bye(office, &orphan.dialog, flow, &orphan.reason, now);
                    }
                }
            }
        }
    }

    /// The answer to one of our connects; a token of somebody else's is not ours to know.
    pub(super) fn connected(
        &mut self,
        office: &mut Office,
        token: u64,
        flow: Option<Flow>,
        now: Now,
    ) {
        let Some(orphan) = self.connecting.remove(&token) else { return };
        match flow {
            Some(flow) => bye(office, &orphan.dialog, flow, &orphan.reason, now),
            None => self.go_on(office, orphan, now),
        }
    }
}

fn bye(office: &mut Office, facts: &DialogFacts, flow: Flow, reason: &str, now: Now) {
    let branch = office.endpoint.new_branch();
    let routes = RouteSet::of_routes(facts.route_set.clone());
    let target = &facts.remote_target;
    let local = office.network.local_of(flow.local, flow.remote);
    let sent_by = SocketAddr::from((local.advertised, flow.local.port()));
    let mut writer = Writer::request(Method::Bye, routes.request_uri(target));
    let transport = flow.transport.via_name();
    writer.header("Via", format_args!("SIP/2.0/{transport} {sent_by};rport;branch={branch}"));
    routes.write(target, &mut writer);
    writer.header("Max-Forwards", 70);
    writer.header("From", &facts.local);
    writer.header("To", &facts.remote);
    writer.header("Call-ID", &facts.call_id);
    writer.header("CSeq", format_args!("{} BYE", facts.local_cseq.saturating_add(CSEQ_AHEAD)));
    writer.header("Reason", reason);
    office.endpoint.request(flow, Method::Bye, branch, writer.finish(), None, now.instant);
}
