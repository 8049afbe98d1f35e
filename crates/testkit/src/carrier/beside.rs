//! A carrier beside the core, in virtual time.

use super::{Carrier, Sent};
use crate::office::{Office, Outgoing};
use pbx::core::Input;
use sip::{Flow, Transport};
use std::time::Duration;

/// Lets both sides talk until this long has passed. What goes elsewhere is lost, and nobody listens
/// for streams.
pub fn run(office: &mut Office, carrier: &mut Carrier, by: Duration) {
    let end = office.clock.now().instant + by;
    loop {
        while let Some(sent) = office.poll_sent() {
            match sent.what {
                Outgoing::Connect { token, .. } => office.input(Input::ConnectFailed { token }),
                Outgoing::Message { flow, bytes, .. } if flow.remote == carrier.address => {
                    let now = office.clock.now().instant;
                    let answers = carrier.receive(flow.local, &bytes, now);
                    deliver(office, carrier, answers);
                }
                Outgoing::Message { .. } => {}
            }
        }
        let now = office.clock.now().instant;
        let next = [office.poll_timeout(), carrier.poll_timeout()].into_iter().flatten().min();
        let Some(next) = next.filter(|it| *it <= end) else { break };
        office.advance(next.saturating_duration_since(now));
        let answers = carrier.handle_timeout(next);
        deliver(office, carrier, answers);
    }
    let now = office.clock.now().instant;
    office.advance(end.saturating_duration_since(now));
}

fn deliver(office: &mut Office, carrier: &Carrier, answers: Vec<Sent>) {
    for Sent { to, bytes } in answers {
        let (transport, remote) = (Transport::Udp, carrier.address);
        office.receive(Flow { transport, local: to, remote, connection: None }, &bytes);
    }
}
