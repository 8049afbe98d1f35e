//! What is kept of what was written: the block of a message lives as long as any message in it.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use sip::dialog::LocalEnd;
use sip::endpoint::Endpoint;
use sip::message::{Message, ResponseHead, check, response_to};
use sip::session::{Body, Seat, Session, Terms, no_extra};
use sip::{Flow, Tag, Transport};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const INVITE: &str = "INVITE sip:101@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bK1\r\n\
                      From: <sip:100@192.0.2.1>;tag=a\r\nTo: <sip:101@192.0.2.1>\r\nCall-ID: 1@192.0.2.101\r\n\
                      CSeq: 1 INVITE\r\nContact: <sip:100@192.0.2.101:5060>\r\nMax-Forwards: 70\r\n\
                      Require: 100rel\r\nContent-Length: 0\r\n\r\n";
/// More than a block has room for. Unit: octets.
const LARGE: usize = 40 * 1024;

fn drain(endpoint: &mut Endpoint<u8>) -> usize {
    std::iter::from_fn(|| endpoint.poll_transmit()).count()
}

#[test]
fn an_answered_session_keeps_no_provisional_response() {
    let (local, remote): (SocketAddr, SocketAddr) =
        ("192.0.2.1:5060".parse().unwrap(), "192.0.2.101:5060".parse().unwrap());
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    let tag = Tag::new('a', 1);
    let end = LocalEnd { transport: Transport::Udp, address: local, contact: local, tag };
    let terms = Terms { expires_s: 0, min_s: 90 };
    #[expect(clippy::disallowed_methods, reason = "where the time of the test begins")]
    let start = Instant::now();
    let message = Message::parse(INVITE.as_bytes()).unwrap();
    let it = check(&message).unwrap();
    let body = vec![b'a'; LARGE];
    let body = Some(Body { content_type: "application/sdp", bytes: &body });
    let mut kept = None;
    let live = measure(|| {
        let mut endpoint = Endpoint::new('a', [1, 2, 3]);
        let invite = endpoint.open(flow, &message, &it, 0);
        let mut session = Session::incoming(&message, &it, flow, end, (invite, terms));
        let mut seat = Seat { endpoint: &mut endpoint, owner: 0, now: start };
        session.provisional(&mut seat, (183, "Session Progress"), &no_extra, body);
        assert_eq!(drain(seat.endpoint), 1);
        // Nobody acknowledges it, and the INVITE is refused.
        session.refuse(&mut seat, (486, "Busy Here"), &no_extra);
        assert_eq!(drain(seat.endpoint), 1);
        for _ in 0..20 {
            let Some(at) = endpoint.poll_timeout() else { break };
            endpoint.handle_timeout(at.max(start + Duration::from_secs(1)));
            drain(&mut endpoint);
        }
        assert!(endpoint.is_empty());
        kept = Some(session);
    });
    assert!(kept.unwrap().has_described());
    assert!(live.bytes_current < LARGE as i64, "{live:?}");
}

#[test]
fn answers_without_a_transaction_hold_no_blocks_open_beside_what_is_kept() {
    const KEPT: usize = 2_000;
    let source: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    let message = Message::parse(INVITE.as_bytes()).unwrap();
    let it = check(&message).unwrap();
    let mut kept = Vec::with_capacity(KEPT);
    let live = measure(|| {
        for _ in 0..KEPT {
            kept.push(ResponseHead::of(&message, &it, source));
            for _ in 0..40 {
                drop(response_to(&message, 401, "Unauthorized", Some("b"), source).finish());
            }
        }
    });
    // Each is a few hundred octets.
    assert!(live.bytes_current < 512 * KEPT as i64, "{live:?}");
}
