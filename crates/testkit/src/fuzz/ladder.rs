//! A ladder of random messages: phones that send anything in any order, mutilated or not, and
//! after it the core must be empty again.

use crate::office::{Office, Outgoing, extension, flow_of};
use pbx::core::Command;
use pbx::settings::Settings;
use sip::Transport;
use std::time::Duration;

/// Most steps of one ladder.
const STEPS_MAX: usize = 64;

/// What a phone may send, with `{b}` for a branch, `{t}` for a tag the core gave, `{n}` for a CSeq.
const MESSAGES: [&str; 8] = [
    "INVITE sip:101@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bK{b}\r\n\
     Max-Forwards: 70\r\nFrom: <sip:100@pbx>;tag=f\r\nTo: <sip:101@pbx>\r\nCall-ID: c{b}\r\n\
     CSeq: {n} INVITE\r\nContact: <sip:100@10.9.9.9>\r\nContent-Type: application/sdp\r\n\r\n\
     v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\n\
     m=audio 4000 RTP/AVP 8\r\n",
    "INVITE sip:*43@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bK{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:*43@pbx>\r\nCall-ID: e{b}\r\nCSeq: {n} INVITE\r\n\
     Contact: <sip:100@10.9.9.9>\r\nContent-Type: application/sdp\r\n\r\n\
     v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\n\
     m=audio 4000 RTP/AVP 8\r\n",
    "ACK sip:x@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bK{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:101@pbx>;tag={t}\r\nCall-ID: c{b}\r\n\
     CSeq: {n} ACK\r\n\r\n",
    "BYE sip:x@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bK{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:101@pbx>;tag={t}\r\nCall-ID: c{b}\r\n\
     CSeq: {n} BYE\r\n\r\n",
    "CANCEL sip:101@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bK{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:101@pbx>\r\nCall-ID: c{b}\r\nCSeq: {n} CANCEL\r\n\r\n",
    "INFO sip:x@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bKi{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:101@pbx>;tag={t}\r\nCall-ID: c{b}\r\n\
     CSeq: {n} INFO\r\n\r\n",
    "OPTIONS sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bKo{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:pbx>\r\nCall-ID: o{b}\r\nCSeq: {n} OPTIONS\r\n\r\n",
    "REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bKr{b}\r\n\
     From: <sip:100@pbx>;tag=f\r\nTo: <sip:100@pbx>\r\nCall-ID: r{b}\r\nCSeq: {n} REGISTER\r\n\
     Contact: <sip:100@10.9.9.9>\r\n\r\n",
];

/// Four octets a step: what, which branch, how it is mutilated, how long until the next.
pub fn ladder(bytes: &[u8]) {
    let mut office = run(bytes);
    must_come_to_rest(&mut office);
}

fn run(bytes: &[u8]) -> Office {
    let settings = Settings::default();
    let mut caller = extension("100", "", "secret-100", &settings);
    let flow = flow_of("100", 0, Transport::Udp, false);
    // Known by its address, so that random messages get further than a challenge.
    let network = ipnet::IpNet::from(flow.remote.ip());
    caller.addresses = vec![pbx::directory::AllowedAddress { network, port: None }];
    let mut callee = extension("101", "", "secret-101", &settings);
    let device = flow_of("101", 0, Transport::Udp, false);
    let network = ipnet::IpNet::from(device.remote.ip());
    callee.addresses = vec![pbx::directory::AllowedAddress { network, port: Some(5060) }];
    let mut office = Office::new(1, settings, vec![caller, callee]);
    let mut tag = "none".to_owned();
    for step in bytes.chunks_exact(4).take(STEPS_MAX) {
        let &[what, branch, mutilate, pause] = step else { continue };
        let template = MESSAGES[usize::from(what) % MESSAGES.len()];
        let text = template
            .replace("{b}", &(branch % 4).to_string())
            .replace("{t}", &tag)
            .replace("{n}", &(1 + what / 16).to_string());
        let mut message = text.into_bytes();
        if mutilate > 200 {
            let at = usize::from(mutilate) * 7 % message.len();
            message[at] = what.wrapping_mul(31);
        }
        office.receive(flow, &message);
        while let Some(sent) = office.poll_sent() {
            let Outgoing::Message { bytes, .. } = sent.what else { continue };
            tag = answer(&mut office, &bytes, device, what).unwrap_or(tag);
        }
        office.advance(Duration::from_millis(u64::from(pause) * 40));
    }
    office
}

/// The callee answers some of what it gets; the To tag of an answer to the caller.
fn answer(office: &mut Office, bytes: &[u8], device: sip::Flow, how: u8) -> Option<String> {
    let message = sip::message::Message::parse(bytes).ok()?;
    let it = sip::message::check(&message).ok()?;
    if !message.is_request() {
        return it.to_tag.map(ToOwned::to_owned);
    }
    let code = [180, 200, 486, 487, 603, 404][usize::from(how / 8) % 6];
    if it.cseq.method != sip::message::Method::Ack {
        let source = device.local;
        let mut writer = sip::message::response_to(&message, code, "Any", Some("callee"), source);
        writer.header("Contact", "<sip:101@10.8.8.8>");
        let sdp = b"v=0\r\no=- 1 1 IN IP4 10.8.8.8\r\ns=-\r\nc=IN IP4 10.8.8.8\r\nt=0 0\r\n\
            m=audio 5000 RTP/AVP 8\r\n";
        office.receive(device, &writer.finish_with("application/sdp", sdp));
    }
    None
}

/// Nobody may have hung up, so the server does; then longer than any transaction: nothing is left.
fn must_come_to_rest(office: &mut Office) {
    office.command(Command::Shutdown);
    for _ in 0..15 {
        office.advance(Duration::from_secs(10));
        while office.poll_sent().is_some() {}
    }
    let counters = office.core().counters();
    assert_eq!(counters.faults, 0, "the core panicked");
    assert_eq!(counters.calls_active, 0, "a call is left");
    assert_eq!(counters.calls_started, counters.calls_ended, "a record is missing");
    assert_eq!(counters.transactions_active, 0, "a transaction is left");
    assert_eq!(counters.ports_leased, 0, "a port is left");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_ladders_reach_what_they_are_named_after() {
        let call = run(include_bytes!("../../../../fuzz/corpus/ladder/call"));
        let counters = call.core().counters();
        assert_eq!((counters.calls_started, counters.calls_answered), (1, 1), "{counters:?}");
        let echo = run(include_bytes!("../../../../fuzz/corpus/ladder/echo"));
        assert_eq!(echo.core().counters().calls_answered, 1);
    }
}
