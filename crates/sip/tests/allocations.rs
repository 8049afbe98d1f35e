//! What reading and writing a message costs in allocations.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use sip::message::{Credentials, Message, Method, ResponseHead, TypedHeader, Writer, check};
use sip::message::{Expires, ProxyAuthorization};
use std::hint::black_box;
use std::net::SocketAddr;

const INVITE: &[u8] = include_bytes!("invite.dat");

#[test]
fn reading_allocates_nothing() {
    let count = measure(|| {
        let msg = Message::parse(black_box(INVITE)).unwrap();
        let essentials = check(&msg).unwrap();
        black_box(&essentials);
        let expires: Option<Expires> = msg.headers.find().unwrap();
        black_box(expires);
        let credentials: ProxyAuthorization<'_> = msg.headers.require().unwrap();
        assert!(matches!(credentials.0, Credentials::Digest(_)));
        assert!(msg.headers.has_token(sip::message::HeaderName::Supported, "100rel"));
    });
    assert_eq!(count.count_total, 0);
}

#[test]
fn answering_allocates_nothing_while_its_block_has_room() {
    let source: SocketAddr = "198.51.100.4:5060".parse().unwrap();
    let msg = Message::parse(INVITE).unwrap();
    let it = check(&msg).unwrap();
    let head = ResponseHead::of(&msg, &it, source);
    let kept = measure(|| drop(black_box(ResponseHead::of(&msg, &it, source))));
    assert_eq!(kept.count_total, 0);
    let answer = measure(|| drop(black_box(head.response(180, "Ringing", Some("b")).finish())));
    assert_eq!(answer.count_total, 0);
}

#[test]
fn messages_share_a_block() {
    let write = || {
        let mut writer = Writer::request(Method::Bye, "sip:100@192.0.2.101:5060");
        writer.header("Max-Forwards", 70).header(sip::message::CallId::NAME.as_str(), "1@a");
        writer.finish()
    };
    let count = measure(|| drop(black_box((0..1000).map(|_| write()).collect::<Vec<_>>())));
    // 1,000 of a hundred octets each in blocks of 32 KiB, each with its count, and the list.
    assert!(count.count_total <= 12, "{count:?}");
}

#[test]
fn a_folded_line_allocates_nothing_either() {
    let folded = INVITE.to_vec();
    let folded =
        String::from_utf8(folded).unwrap().replace("Subject: lunch", "Subject: lunch\r\n at one");
    let msg = Message::parse(folded.as_bytes()).unwrap();
    let write = || {
        let mut writer = Writer::request(Method::Invite, "sip:101@192.0.2.1");
        writer.lines_of(&msg.headers, |_| true);
        writer.finish()
    };
    drop(write());
    let count = measure(|| drop(black_box(write())));
    assert_eq!(count.count_total, 0);
}
