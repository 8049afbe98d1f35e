//! Offer and answer (RFC 3264) as pure functions.

use crate::address;
use crate::attribute;
use crate::codec::{Codec, payload_type};
use crate::line::{Line, Lines};
use crate::media::{Kind, Media};
use crate::session::Sdp;
use smallvec::smallvec;
use std::net::IpAddr;

/// Why an answer does not belong to an offer (RFC 3264 §6). Sections are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferAnswerError {
    #[error("{answer} m= lines answer {offer}")]
    MediaCount { offer: usize, answer: usize },
    #[error("m= line {index} is of another kind than offered")]
    OtherKind { index: usize },
    #[error("m= line {index} accepts what the offer rejects")]
    Revived { index: usize },
}

/// The offer has no audio stream that a plain RTP echo can accept: 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no audio over plain RTP was offered")]
pub struct NoCommonCodec;

/// What a description of ours needs besides the other side's; o= is for [`Sdp::set_origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoPlace {
    /// Where we receive.
    pub address: IpAddr,
    pub port: u16,
}

/// Whether an answer fits its offer section by section.
///
/// Formats and protocols are not compared: with RFC 5939 an answer may differ in both, and many
/// phones answer with formats of their own.
///
/// # Errors
/// The first [`OfferAnswerError`] met.
pub fn answer_matches(offer: &Sdp, answer: &Sdp) -> Result<(), OfferAnswerError> {
    let (offered, answered) = (offer.media(), answer.media());
    if offered.len() != answered.len() {
        return Err(OfferAnswerError::MediaCount { offer: offered.len(), answer: answered.len() });
    }
    for (index, (offered, answered)) in offered.iter().zip(answered).enumerate() {
        if offered.kind() != answered.kind() {
            return Err(OfferAnswerError::OtherKind { index });
        }
        if offered.is_rejected() && !answered.is_rejected() {
            return Err(OfferAnswerError::Revived { index });
        }
    }
    Ok(())
}

/// Our own answer for the echo test: the first audio over plain RTP with its preferred format, and
/// telephone events where offered. Packets are mirrored, so any format will do. All other sections
/// are rejected.
///
/// # Errors
/// [`NoCommonCodec`] where no section can be accepted.
pub fn echo_answer(offer: &Sdp, ours: &EchoPlace) -> Result<Sdp, NoCommonCodec> {
    let accepted = offer.media().iter().position(is_echoable).ok_or(NoCommonCodec)?;
    let mut session = head(ours);
    // The answer repeats the times of the offer (RFC 3264 §6).
    session.extend(offer.session.iter().filter(|line| line.kind() == b't').cloned());
    if session.len() == 4 {
        session.push(Line::new(b't', &[b"0 0"]));
    }
    let mid = offer.media().get(accepted).and_then(Media::mid);
    if let Some(mid) = mid.filter(|mid| offer.bundle_of(mid).is_some()) {
        session.push(Line::new(b'a', &[b"group:BUNDLE ", mid.as_bytes()]));
    }
    let media = offer.media().iter().enumerate().map(|(index, media)| {
        if index == accepted { accept(offer, index, media, ours.port) } else { reject(media) }
    });
    Ok(Sdp { session, media: media.collect() })
}

/// The echo test's own offer, for a phone that asks for one.
pub fn echo_offer(ours: &EchoPlace) -> Sdp {
    voice_offer(ours, "")
}

/// Formats that may be offered by name: those that need no parameters.
const BY_NAME: [(&str, &str); 6] = [
    ("8", "PCMA/8000"),
    ("0", "PCMU/8000"),
    ("9", "G722/8000"),
    ("18", "G729/8000"),
    ("3", "GSM/8000"),
    ("96", "opus/48000/2"),
];

/// An offer of our own: this format first, where it is one that can be offered by its name, then the
/// voice formats every phone has (RFC 3551 §6), and telephone events.
pub fn voice_offer(ours: &EchoPlace, first: &str) -> Sdp {
    let mut session = head(ours);
    session.push(Line::new(b't', &[b"0 0"]));
    let is_first = |encoding: &str| {
        encoding.split('/').next().is_some_and(|it| it.eq_ignore_ascii_case(first))
    };
    let (first, usual) = (BY_NAME.iter().filter(|it| is_first(it.1)), BY_NAME.iter().take(2));
    let voices: Vec<_> = first.chain(usual.filter(|it| !is_first(it.1))).collect();
    let mut formats = String::new();
    let mut lines = Lines::new();
    for (payload, encoding) in voices {
        formats.push_str(payload);
        formats.push(' ');
        lines.push(Line::new(b'a', &[b"rtpmap:", payload.as_bytes(), b" ", encoding.as_bytes()]));
    }
    let rest = ["rtpmap:101 telephone-event/8000", "fmtp:101 0-15", "sendrecv"];
    lines.extend(rest.iter().map(|it| Line::new(b'a', &[it.as_bytes()])));
    let m = format!("audio {} RTP/AVP {formats}101", ours.port);
    Sdp { session, media: smallvec![Media { m, port: ours.port, lines }] }
}

fn head(ours: &EchoPlace) -> Lines {
    let place = address::print(ours.address);
    smallvec![
        Line::new(b'v', &[b"0"]),
        Line::new(b'o', &[b"- 0 0 ", place.as_bytes()]),
        Line::new(b's', &[b"-"]),
        Line::new(b'c', &[place.as_bytes()]),
    ]
}

/// Whether the echo can accept a section: audio, not rejected, not encrypted, with a voice format.
fn is_echoable(media: &Media) -> bool {
    media.kind() == Kind::Audio
        && media.port() != 0
        && matches!(media.proto(), "RTP/AVP" | "RTP/AVPF")
        && voice_format(media).is_some()
}

/// The preferred format that is no companion of another. One that nobody can name still counts.
fn voice_format(media: &Media) -> Option<u8> {
    media
        .formats()
        .filter_map(payload_type)
        .find(|payload| !media.codec(*payload).is_some_and(|codec| codec.is_auxiliary()))
}

/// Telephone events with the clock of the voice format (RFC 4733 §2.1), else any.
fn events_format(media: &Media, voice: u8) -> Option<u8> {
    let clock = media.codec(voice).map(|codec| codec.clock);
    let events = || media.codecs().filter(|codec| codec.is_named("telephone-event"));
    let same_clock = |codec: &Codec<'_>| Some(codec.clock) == clock;
    events().find(same_clock).or_else(|| events().next()).map(|codec| codec.payload)
}

fn accept(offer: &Sdp, index: usize, offered: &Media, port: u16) -> Media {
    let voice = voice_format(offered);
    let events = voice.and_then(|voice| events_format(offered, voice));
    let formats: Vec<String> = voice.into_iter().chain(events).map(|it| it.to_string()).collect();
    let m = format!("audio {port} {} {}", offered.proto(), formats.join(" "));
    let belongs = |value: &[u8]| {
        let format = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        formats.iter().any(|accepted| accepted.as_bytes() == format)
    };
    let keeps = |line: &&Line| {
        attribute::iter(std::slice::from_ref(*line)).any(|it| match it.name {
            b"rtpmap" | b"fmtp" => it.value.is_some_and(belongs),
            b"ptime" | b"mid" | b"rtcp-mux" => true,
            _ => false,
        })
    };
    let mut lines: Lines = offered.lines.iter().filter(keeps).cloned().collect();
    lines.push(offer.direction_of(index).reversed().line());
    Media { m, port, lines }
}

fn reject(offered: &Media) -> Media {
    let mut media = Media { m: offered.m.clone(), port: offered.port, lines: Lines::new() };
    media.set_port(0);
    if let Some(mid) = offered.mid() {
        media.set_attribute("mid", Some(mid));
    }
    media
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Direction;

    fn sdp(lines: &str) -> Sdp {
        Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap()
    }

    fn echo(offer: &str) -> Result<String, NoCommonCodec> {
        let ours = EchoPlace { address: IpAddr::from([192, 0, 2, 1]), port: 20000 };
        let answer = echo_answer(&sdp(offer), &ours)?;
        Ok(String::from_utf8_lossy(&answer.to_bytes()).replace("\r\n", "\n"))
    }

    #[test]
    fn answer_table() {
        use OfferAnswerError::{MediaCount, OtherKind, Revived};
        let audio = "m=audio 4 RTP/AVP 0\n";
        let video = "m=video 6 RTP/AVP 31\n";
        let none = "m=audio 0 RTP/AVP 0\n";
        #[rustfmt::skip]
        let table = [
            (vec![audio],        vec![audio],        Ok(())),
            (vec![audio],        vec![none],         Ok(())),
            (vec![audio, video], vec![none, video],  Ok(())),
            (vec![none],         vec![none],         Ok(())),
            (vec![],             vec![],             Ok(())),
            (vec![audio, video], vec![audio],        Err(MediaCount { offer: 2, answer: 1 })),
            (vec![audio],        vec![audio, video], Err(MediaCount { offer: 1, answer: 2 })),
            (vec![audio, video], vec![video, audio], Err(OtherKind { index: 0 })),
            (vec![video, none],  vec![video, audio], Err(Revived { index: 1 })),
        ];
        for (offer, answer, expected) in table {
            let got = answer_matches(&sdp(&offer.concat()), &sdp(&answer.concat()));
            assert_eq!(got, expected, "{offer:?} {answer:?}");
        }
    }

    #[test]
    fn echo_takes_one_voice_format_with_its_events() {
        let offer = "o=- 1 1 IN IP4 10.0.0.5\ns=-\nc=IN IP4 10.0.0.5\nt=0 0\na=group:BUNDLE x y\n\
             m=video 4002 RTP/AVP 96\na=mid:y\n\
             m=audio 4000 RTP/AVPF 13 111 0 100 101\na=mid:x\na=sendonly\na=rtcp-mux\na=secret:1\n\
             a=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1\na=rtpmap:0 PCMU/8000\n\
             a=rtpmap:100 telephone-event/8000\na=rtpmap:101 telephone-event/48000\n\
             a=fmtp:101 0-16\na=ptime:20\n\
             m=audio 4004 RTP/AVP 0";
        let expected = "v=0\no=- 0 0 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n\
             a=group:BUNDLE x\nm=video 0 RTP/AVP 96\na=mid:y\n\
             m=audio 20000 RTP/AVPF 111 101\na=mid:x\na=rtcp-mux\na=rtpmap:111 opus/48000/2\n\
             a=fmtp:111 useinbandfec=1\na=rtpmap:101 telephone-event/48000\na=fmtp:101 0-16\n\
             a=ptime:20\na=recvonly\nm=audio 0 RTP/AVP 0\n";
        assert_eq!(echo(offer).unwrap(), expected);
    }

    #[test]
    fn echo_offers_what_every_phone_has() {
        let ours = EchoPlace { address: "198.51.100.1".parse().unwrap(), port: 20000 };
        let text = String::from_utf8(echo_offer(&ours).to_bytes()).unwrap();
        let expected = "v=0\no=- 0 0 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n\
             m=audio 20000 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n\
             a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=sendrecv\n";
        assert_eq!(text.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn a_format_goes_before_the_usual_ones() {
        let ours = EchoPlace { address: [192, 0, 2, 1].into(), port: 9 };
        #[rustfmt::skip]
        let table = [
            ("",      "8 0 101"),
            ("pcmu",  "0 8 101"),
            ("G722",  "9 8 0 101"),
            ("opus",  "96 8 0 101"),
            ("AMR",   "8 0 101"),
        ];
        for (first, formats) in table {
            let sdp = voice_offer(&ours, first);
            let media = &sdp.media()[0];
            assert_eq!(media.formats().collect::<Vec<_>>().join(" "), formats, "{first}");
            let named = media.codecs().next().map(|it| it.name.to_ascii_lowercase());
            assert!(
                first.is_empty() || first == "AMR" || named == Some(first.to_ascii_lowercase())
            );
        }
    }

    #[test]
    fn echo_mirrors_the_direction() {
        for direction in
            [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        {
            // At the session, to be inherited.
            let answer = echo(&format!("a={}\nm=audio 4 RTP/AVP 8", direction.as_str())).unwrap();
            assert!(
                answer.ends_with(&format!("a={}\n", direction.reversed().as_str())),
                "{answer}"
            );
            assert!(answer.contains("\nt=0 0\n"), "{answer}");
        }
    }

    #[test]
    fn echo_refuses_what_it_cannot_mirror() {
        for offer in [
            "s=-",
            "m=audio 0 RTP/AVP 0",
            "m=video 4 RTP/AVP 31",
            "m=audio 4 RTP/SAVP 0",
            "m=audio 4 UDP/TLS/RTP/SAVPF 0",
            "m=audio 4 RTP/AVP 101\na=rtpmap:101 telephone-event/8000",
        ] {
            assert_eq!(echo(offer), Err(NoCommonCodec), "{offer}");
        }
    }
}
