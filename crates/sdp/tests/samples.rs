//! Descriptions as phones, browsers and gateways write them: each survives reading and printing,
//! reads as expected, and no mutilation of it makes the crate panic.

#![allow(clippy::unwrap_used)]

use sdp::{EchoPlace, Sdp, answer_matches, echo_answer};
use std::fmt::Write;
use std::net::IpAddr;

struct Sample {
    name: &'static str,
    text: &'static str,
    /// One line per section: kind, RTP place, direction, main codec.
    summary: &'static str,
}

const SAMPLES: [Sample; 9] = [
    Sample {
        name: "softphone on a LAN",
        text: "v=0
o=- 2890844526 1 IN IP4 192.168.7.21
s=-
c=IN IP4 192.168.7.21
t=0 0
a=tool:some phone 1.0
m=audio 11762 RTP/AVP 96 0 8 101
b=AS:125
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:11763
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:3141592653 cname:sip:100@phone
a=ptime:20
",
        summary: "Audio 192.168.7.21:11762 SendRecv opus\n",
    },
    Sample {
        name: "desk phone putting the call on hold",
        text: "v=0
o=- 20017 20019 IN IP4 10.20.0.31
s=SDP data
c=IN IP4 10.20.0.31
t=0 0
m=audio 12034 RTP/AVP 9 18 101
a=rtpmap:9 G722/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=fmtp:101 0-15
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=sendonly
",
        summary: "Audio 10.20.0.31:12034 SendOnly G722\n",
    },
    Sample {
        name: "softphone with video, feedback and encryption as an option",
        text: "v=0
o=ann 1409 3127 IN IP6 2001:db8::21
s=Talk
c=IN IP6 2001:db8::21
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7078 RTP/SAVP 96 97 0 98
a=rtpmap:96 opus/48000/2
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 telephone-event/48000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz
a=crypto:2 AES_CM_256_HMAC_SHA1_80 inline:T1Rvb3V0b2ZtYXRlcmlhbGZvcmtleXNzb3RoaXNpc2p1c3R0ZXh0IQ==
a=rtcp-fb:* trr-int 1000
m=video 9078 RTP/SAVPF 96
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=recvonly
",
        summary: "Audio [2001:db8::21]:7078 SendRecv opus\nVideo [2001:db8::21]:9078 RecvOnly VP8\n",
    },
    Sample {
        name: "browser offering a bundle",
        text: "v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:F7gI
a=ice-pwd:x9cml/YzichV2+XlhiMu8g
a=ice-options:trickle
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:0 PCMU/8000
a=candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
",
        summary: "Audio - SendRecv opus\nApplication - SendRecv -\n",
    },
    Sample {
        name: "fax gateway changing to T.38",
        text: "v=0
o=GW 9001 9002 IN IP4 203.0.113.40
s=SIP Call
c=IN IP4 203.0.113.40
t=0 0
m=audio 0 RTP/AVP 8
m=image 17400 udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxFillBitRemoval:0
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxBuffer:200
a=T38FaxMaxDatagram:72
a=T38FaxUdpEC:t38UDPRedundancy
",
        summary: "Audio - SendRecv PCMA\nImage 203.0.113.40:17400 SendRecv -\n",
    },
    Sample {
        name: "telephone of the last century: no rtpmap, null address",
        text: "v=0
o=UserA 1 1 IN IP4 192.0.2.61
s=call
e=nobody@example.com (Nobody)
p=+1 555 0100
c=IN IP4 0.0.0.0
b=CT:64
t=3034423619 3042462419
r=7d 1h 0 25h
z=2882844526 -1h
k=prompt
m=audio 3456 RTP/AVP 3 0
",
        summary: "Audio - SendRecv GSM\n",
    },
    Sample {
        name: "trunk with several ports, unknown media and unknown line types",
        text: "v=0
o=sbc-1.example 77 78 IN IP4 sbc-1.example
s=\x20
i=\u{4f1a}\u{8bae}
c=IN IP4 198.51.100.77
t=0 0
y=private extension
a=sqn: 0
a=cdsc: 1 image udptl t38
m=audio 21000/2 RTP/AVP  8 101\x20
a=rtpmap:8 PCMA/8000
a=gpmd:101 vbd=yes
a=silenceSupp:off - - - -
m=x-telemetry 22000 tcp/x-proto any thing
x=more
a=
",
        summary: "Audio 198.51.100.77:21000 SendRecv PCMA\n\
            Other(\"x-telemetry\") 198.51.100.77:22000 SendRecv -\n",
    },
    Sample {
        name: "message session",
        text: "v=0
o=- 1 1 IN IP4 192.0.2.8
s=-
c=IN IP4 192.0.2.8
t=0 0
m=message 7654 TCP/MSRP *
a=accept-types:text/plain message/cpim
a=path:msrp://192.0.2.8:7654/jshA7weztas;tcp
m=text 7700 RTP/AVP 98
a=rtpmap:98 t140/1000
",
        summary: "Message 192.0.2.8:7654 SendRecv -\nText 192.0.2.8:7700 SendRecv t140\n",
    },
    Sample { name: "no media at all", text: "v=0\no=- 0 0 IN IP4 0.0.0.0\ns=-\nt=0 0\n", summary: "" },
];

fn summary(sdp: &Sdp) -> String {
    let mut out = String::new();
    for (index, media) in sdp.media().iter().enumerate() {
        let rtp = sdp.rtp_of(index).map_or_else(|| "-".to_owned(), |rtp| rtp.to_string());
        let codec = media.main_codec().map_or("-", |codec| codec.name);
        let direction = sdp.direction_of(index);
        writeln!(out, "{:?} {rtp} {direction:?} {codec}", media.kind()).unwrap();
    }
    out
}

#[test]
fn samples_survive_and_read_as_expected() {
    for sample in &SAMPLES {
        let with_crlf = sample.text.replace('\n', "\r\n");
        let sdp = Sdp::parse(with_crlf.as_bytes()).unwrap();
        let printed = String::from_utf8(sdp.to_bytes()).unwrap();
        assert_eq!(printed, with_crlf, "{}", sample.name);
        assert_eq!(Sdp::parse(sample.text.as_bytes()), Ok(sdp.clone()), "{} with LF", sample.name);
        assert_eq!(summary(&sdp), sample.summary, "{}", sample.name);
    }
}

/// Removes the lines a relay may change, and what it may change within the others.
fn untouched_lines(text: &[u8]) -> Vec<String> {
    let changes = ["c=", "o=", "a=candidate", "a=ice-", "a=rtcp:"];
    let text = String::from_utf8_lossy(text);
    let kept = text.lines().filter(|line| !changes.iter().any(|prefix| line.starts_with(prefix)));
    kept.map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        if line.starts_with("m=") {
            [&fields[..1], &fields[2..]].concat().join(" ")
        } else {
            line.to_owned()
        }
    })
    .collect()
}

#[test]
fn a_relay_leaves_all_other_lines_and_hides_the_phone() {
    let relay: IpAddr = "198.51.100.1".parse().unwrap();
    for sample in &SAMPLES {
        let mut sdp = Sdp::parse(sample.text.as_bytes()).unwrap();
        let before = untouched_lines(&sdp.to_bytes());
        // What travels over TCP goes past the relay.
        let relayed: Vec<usize> =
            (0..sdp.media().len()).filter(|&index| !sdp.media()[index].is_tcp()).collect();
        let past_it = relayed.len() < sdp.media().len();
        let phones: Vec<_> = relayed.iter().filter_map(|&index| sdp.address_of(index)).collect();
        let ports: Vec<u16> = (20000..).step_by(2).take(sdp.media().len()).collect();
        sdp.relay_through(relay, &ports).unwrap();
        sdp.set_origin(1, 1, relay);
        assert_eq!(untouched_lines(&sdp.to_bytes()), before, "{}", sample.name);
        for index in relayed {
            let address = sdp.address_of(index).unwrap();
            assert!(address == relay || address.is_unspecified(), "{}", sample.name);
        }
        let text = String::from_utf8(sdp.to_bytes()).unwrap();
        for phone in phones.iter().filter(|phone| !phone.is_unspecified()) {
            let place = format!("{phone}\r\n");
            assert!(past_it || !text.contains(&place), "{}: {phone} shines through", sample.name);
        }
    }
}

#[test]
fn the_echo_answers_plain_audio_and_fits_its_offer() {
    let ours = EchoPlace { address: "2001:db8::1".parse().unwrap(), port: 20000 };
    let answered: Vec<_> = SAMPLES
        .iter()
        .filter(|sample| {
            let offer = Sdp::parse(sample.text.as_bytes()).unwrap();
            let answer = echo_answer(&offer, &ours);
            if let Ok(answer) = &answer {
                assert_eq!(answer_matches(&offer, answer), Ok(()), "{}", sample.name);
                assert_eq!(Sdp::parse(&answer.to_bytes()).as_ref(), Ok(answer), "{}", sample.name);
            }
            answer.is_ok()
        })
        .map(|sample| sample.name.split(' ').next().unwrap())
        .collect();
    assert_eq!(answered, ["softphone", "desk", "telephone", "trunk"]);
}

/// A small generator (xorshift64), so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

const SNIPPETS: [&[u8]; 20] = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"=",
    b":",
    b"/",
    b" ",
    b"\xff",
    b"99999",
    b"65535",
    b"-1",
    b"0",
    b"m=",
    b"\na=rtcp:",
    b"\na=bundle-only",
    b"\na=rtpmap:0 PCMU/0",
    b"\na=ptime:0",
    b"\nc=IN IP4 ",
    b"BUNDLE",
];

fn mutilate(text: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(text.len());
        match dice.below(4) {
            0 => text.truncate(at),
            1 => drop(text.splice(at..at, SNIPPETS[dice.below(SNIPPETS.len())].iter().copied())),
            2 => drop(text.drain(at..(at + dice.below(12)).min(text.len()))),
            _ => {
                let end = (at + dice.below(200)).min(text.len());
                let piece = text[at..end].to_vec();
                let to = dice.below(text.len());
                drop(text.splice(to..to, piece));
            }
        }
    }
}

#[test]
fn mutilated_samples_are_refused_or_stay_consistent() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let ours = EchoPlace { address: "192.0.2.1".parse().unwrap(), port: 20000 };
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let sample = &SAMPLES[round % SAMPLES.len()];
        let mut text = sample.text.as_bytes().to_vec();
        mutilate(&mut text, &mut dice);
        let Ok(mut sdp) = Sdp::parse(&text) else {
            refused += 1;
            continue;
        };
        read += 1;
        assert_eq!(Sdp::parse(&sdp.to_bytes()).as_ref(), Ok(&sdp), "round {round}");
        assert_eq!(sdp.transports().len(), sdp.media().len());
        for (index, media) in sdp.media().iter().enumerate() {
            assert!(media.codecs().all(|codec| codec.clock > 0 && codec.channels > 0));
            assert_ne!(media.ptime(), Some(0));
            assert!(sdp.rtp_of(index).is_none_or(|rtp| rtp.port() != 0));
            let _: (_, _) = (sdp.rtcp_of(index), media.attributes().count());
        }
        let _: (_, _) = (summary(&sdp), sdp.is_held());
        if let Ok(answer) = echo_answer(&sdp, &ours) {
            assert_eq!(answer_matches(&sdp, &answer), Ok(()), "round {round}");
        }
        let ports = vec![20000; sdp.media().len()];
        sdp.relay_through(ours.address, &ports).unwrap();
        assert_eq!(Sdp::parse(&sdp.to_bytes()).as_ref(), Ok(&sdp), "round {round}");
    }
    assert!(read > 2000 && refused > 2000, "{read} read, {refused} refused: poor mutations");
}
