//! Dialogs that a crash left open: each gets its BYE, over UDP at once, else by a new stream.

use crate::office::Office;
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

/// Dialogs whose stream is being opened anew, by the token of [`Office::connect_for`].
#[derive(Default)]
pub(super) struct Orphans {
    connecting: HashMap<u64, DialogFacts, ahash::RandomState>,
}

impl Orphans {
    /// Ends the dialogs that were recovered, as far as their phones can be reached.
    pub(super) fn end(office: &mut Office, dialogs: Vec<DialogFacts>, now: Now) -> Self {
        let mut orphans = Self::default();
        for facts in dialogs {
            if !facts.flow.transport.is_reliable() {
                bye(office, &facts, facts.flow, now);
            } else if let Some(address) = reconnect_address(&facts.remote_target, facts.flow) {
                let token = office.connect_for(address);
                orphans.connecting.insert(token, facts);
            }
        }
        orphans
    }

    /// The answer to one of our connects; a token of somebody else's is not ours to know.
    pub(super) fn connected(
        &mut self,
        office: &mut Office,
        token: u64,
        flow: Option<Flow>,
        now: Now,
    ) {
        if let (Some(facts), Some(flow)) = (self.connecting.remove(&token), flow) {
            bye(office, &facts, flow, now);
        }
    }
}

fn bye(office: &mut Office, facts: &DialogFacts, flow: Flow, now: Now) {
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
    writer.header("Reason", "Q.850;cause=41;text=\"Server restarted\"");
    office.endpoint.request(flow, Method::Bye, branch, writer.finish(), None, now.instant);
}
