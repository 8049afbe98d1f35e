//! The parsers: nothing panics, and what is read and printed reads the same again.

use media::session::rtp::classify;
use media::session::{Port, Session};
use pbx::media::{
    DigitWay, Digits, Expect, Link, MediaSource, Plan, PortPair, Rtcp, Stream, StreamId,
    TelephoneEvents, Transport, TransportId,
};
use sip::frame::{Frame, Framer};
use sip::message::{
    HeaderName, Message, NameAddr, TypedHeader, Uri, check, response_to, sanitize, uri_equivalent,
};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A message: parsed, checked, answered; the answer is a message.
pub fn message(bytes: &[u8]) {
    let copy = sanitize(bytes);
    let Ok(message) = Message::parse(copy.as_deref().unwrap_or(bytes)) else { return };
    let good = check(&message).is_ok();
    for field in message.headers.iter() {
        let _ = message.headers.values(field.name).count();
    }
    let source = SocketAddr::from(([192, 0, 2, 7], 5060));
    if message.is_request() {
        let answer = response_to(&message, 400, "Bad Request", Some("tag"), source).finish();
        let again = Message::parse(&answer);
        assert!(again.is_ok(), "our answer cannot be read: {answer:?}");
        let vias = |it: &Message<'_>| it.headers.values(HeaderName::Via).count();
        if good && let Ok(again) = again {
            assert_eq!(vias(&again), vias(&message), "a Via was lost");
            assert!(check(&again).is_ok(), "our answer to a good request is not good: {answer:?}");
        }
    }
}

/// A URI and an address: what is printed reads as the same.
pub fn uri(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(uri) = Uri::parse(text) {
        let printed = uri.to_string();
        assert_eq!(Uri::parse(&printed), Ok(uri), "{text:?} printed {printed:?}");
        // A parameter that stands twice is equal to nothing (RFC 3261 §19.1.1 forbids it).
        let mut names: Vec<_> =
            uri.params().iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(!unique || uri_equivalent(&uri, &uri), "{text:?} is not itself");
        let _ = (uri.user_unescaped(), uri.host(), uri.port(), uri.transport(), uri.lr());
    }
    if let Ok(address) = NameAddr::parse(text) {
        let _ = (address.display_name(), address.tag());
    }
    let _ = sip::message::Via::parse(text);
    let _ = sip::message::Contact::parse(text).map(|it| (it.q(), it.expires(), it.reg_id()));
}

/// A description: what was read is printed and read again the same, relayed and answered.
pub fn sdp(bytes: &[u8]) {
    let Ok(sdp) = sdp::Sdp::parse(bytes) else { return };
    let printed = sdp.to_bytes();
    let again = sdp::Sdp::parse(&printed).map(|it| it.to_bytes());
    assert_eq!(again.as_deref(), Ok(printed.as_slice()));
    let address = IpAddr::from([192, 0, 2, 1]);
    let mut relayed = sdp.clone();
    let ports: Vec<u16> = sdp.media().iter().map(|_| 20_000).collect();
    assert!(relayed.relay_through(address, &ports).is_ok());
    // Within a bundle a section may leave port and address to the first (RFC 8843 §6).
    let is_relayed = |it: &sdp::Media| !it.is_rejected() && !it.is_tcp() && it.port() != 0;
    for (index, media) in relayed.media().iter().enumerate().filter(|(_, it)| is_relayed(it)) {
        assert_eq!(media.port(), 20_000);
        let told = relayed.address_of(index);
        assert!(told == Some(address) || relayed.holds(index), "told {told:?}");
    }
    let ours = sdp::EchoPlace { address, port: 20_000 };
    if let Ok(answer) = sdp::echo_answer(&sdp, &ours) {
        assert_eq!(answer.media().len(), sdp.media().len());
    }
    let _ = (sdp.is_held(), sdp.transports(), sdp.origin().is_some());
}

/// A stream cut at any place gives the same messages.
pub fn framing(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = frames(&[stream]);
    let at = usize::from(cut).min(stream.len());
    assert_eq!(frames(&[&stream[..at], &stream[at..]]), whole, "cut at {at}");
}

fn frames(pieces: &[&[u8]]) -> Vec<String> {
    let mut framer = Framer::default();
    let mut seen = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(Frame::Message(bytes))) => seen.push(format!("{bytes:?}")),
                Ok(Some(Frame::Ping)) => seen.push("ping".to_owned()),
                Ok(None) => break,
                Err(error) => {
                    seen.push(format!("{:?}", error.kind));
                    return seen;
                }
            }
        }
    }
    seen
}

/// Telephone events as short datagrams easily are: payload type 0.
const EVENTS: TelephoneEvents = TelephoneEvents { payload_type: 0, clock: 8000 };

/// Datagrams from the peer and from a stranger: the stranger never hears or redirects anything.
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
pub fn rtp(bytes: &[u8]) {
    let now = Instant::now();
    let ip = |last: u8| IpAddr::from([198, 51, 100, last]);
    let stranger = SocketAddr::from((ip(66), 7000));
    let Ok(mut session) = Session::new(&plan(ip(1), ip(2)), now) else { return };
    let mut out = Vec::new();
    for (index, datagram) in bytes.chunks(48).enumerate() {
        let _ = classify(datagram);
        let at = now + Duration::from_millis(20 * index as u64);
        let (transport, from) = match index % 3 {
            0 => (0, SocketAddr::from((ip(1), 4000))),
            1 => (1, SocketAddr::from((ip(2), 4000))),
            _ => (index % 2, stranger),
        };
        let port = if index % 5 == 4 { Port::Rtcp } else { Port::Rtp };
        out.clear();
        session.handle_datagram(transport, port, from, datagram, at, &mut out);
        assert!(from != stranger || out.is_empty(), "a stranger was relayed");
        assert!(out.iter().all(|it| it.to.ip() != stranger.ip()), "a stranger hears the call");
    }
    let at = now + Duration::from_secs(60);
    for (transport, press) in session.take_pressed() {
        assert_eq!(transport, TransportId(0), "digits of a side whose events pass");
        session.press(TransportId(1), press);
    }
    let mut at = at;
    while let Some(due) = session.play_digits(at) {
        at = at.max(due);
    }
    let made = session.take_made();
    assert!(made.iter().all(|it| it.0.to.ip() != stranger.ip()), "a stranger hears digits");
    let _ = session.figures();
}

fn plan(one: IpAddr, other: IpAddr) -> Plan {
    let transport = |id: u8, peer: IpAddr| Transport {
        id: TransportId(id),
        ports: PortPair { rtp: 20_000 + 2 * u16::from(id) },
        source: IpAddr::from([192, 0, 2, 1]),
        rtcp: Rtcp::Separate { remote: None },
        expect: Expect {
            advertised: Some((peer, 4000).into()),
            signalling: peer,
            policy: MediaSource::Auto,
            generation: 1,
        },
        watched: true,
    };
    let way = |id, heard, sent| DigitWay { transport: TransportId(id), heard, sent };
    let (heard, sent) = (way(0, Some(EVENTS), None), way(1, None, Some(EVENTS)));
    let stream = |id: u8| Stream { id: StreamId(id), transport: TransportId(id), line: 0 };
    Plan {
        revision: 1,
        transports: vec![transport(0, one), transport(1, other)],
        streams: [stream(0), stream(1)].into(),
        links: [
            Link { from: StreamId(0), to: StreamId(1) },
            Link { from: StreamId(1), to: StreamId(0) },
        ]
        .into(),
        digits: Some(Box::new(Digits { ssrc: 7, ways: vec![heard, sent] })),
        ..Plan::default()
    }
}
