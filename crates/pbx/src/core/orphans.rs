//! Dialogs whose phone has yet to hear that they are over: a crash left them open, or their stream
//! broke. Each gets its BYE, over UDP at once, else by another stream.

use crate::office::{Farewell, Office};
use crate::record::DialogFacts;
use crate::registrar::reconnect_address;
use crate::time::Now;
use sip::Flow;
use sip::message::{Method, Writer};
use sip::route_set::RouteSet;
use std::collections::HashMap;
use std::net::SocketAddr;

/// How far the BYE's CSeq jumps ahead: past whatever was sent after the fact was recorded.
const CSEQ_AHEAD: u32 = 1000;

/// Why a dialog that a crash left open ends.
const RESTARTED: &str = "Q.850;cause=41;text=\"Server restarted\"";

/// Dialogs whose stream is being opened anew, by the token of [`Office::connect_for`], and the
/// Reason of their BYE.
#[derive(Default)]
pub(super) struct Orphans {
    connecting: HashMap<u64, (DialogFacts, String), ahash::RandomState>,
}

impl Orphans {
    /// Ends the dialogs that were recovered, as far as their phones can be reached.
    pub(super) fn end(office: &mut Office, dialogs: Vec<DialogFacts>, now: Now) -> Self {
        let mut orphans = Self::default();
        for facts in dialogs {
            if facts.flow.transport.is_reliable() {
                orphans.reconnect(office, facts, RESTARTED.to_owned());
            } else {
                bye(office, &facts, facts.flow, RESTARTED, now);
            }
        }
        orphans
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
                None => self.reconnect(office, dialog, reason),
            }
        }
    }

    fn reconnect(&mut self, office: &mut Office, facts: DialogFacts, reason: String) {
        if let Some(address) = reconnect_address(&facts.remote_target, facts.flow) {
            let token = office.connect_for(address);
            self.connecting.insert(token, (facts, reason));
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
        if let (Some((facts, reason)), Some(flow)) = (self.connecting.remove(&token), flow) {
            bye(office, &facts, flow, &reason, now);
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
