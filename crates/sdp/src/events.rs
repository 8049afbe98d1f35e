//! Telephone events beside the voice (RFC 4733): which a description names, and what a B2BUA that
//! turns digits into another form puts in and takes out.

use crate::codec::payload_type;
use crate::line::Line;
use crate::media::{Kind, Media};
use crate::session::Sdp;

/// The encoding name (RFC 4733 §2.2).
const NAME: &str = "telephone-event";

/// The payload type everybody gives them, and those to take where it has another meaning (RFC 3551
/// §6: dynamic).
const USUAL: u8 = 101;
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// A format of telephone events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// RTP payload type.
    pub payload: u8,
    /// Clock rate in Hz; that of the voice they stand beside (RFC 4733 §2.1).
    pub clock: u32,
}

impl Sdp {
    /// The section whose digits can be put in and taken out on the way: the first with voice that
    /// is neither rejected nor encrypted.
    pub fn voice(&self) -> Option<usize> {
        self.media().iter().position(|it| {
            let plain = matches!(it.proto(), "RTP/AVP" | "RTP/AVPF");
            plain && it.kind() == Kind::Audio && !it.is_rejected() && it.main_codec().is_some()
        })
    }
}

impl Media {
    /// The telephone events it names, in their order.
    pub fn events(&self) -> impl Iterator<Item = Events> {
        let events = self.codecs().filter(|it| it.is_named(NAME));
        events.map(|it| Events { payload: it.payload, clock: it.clock })
    }

    /// Takes all telephone events out.
    pub fn remove_events(&mut self) {
        let events: Vec<u8> = self.events().map(|it| it.payload).collect();
        let is_other = |it: &&str| payload_type(it).is_none_or(|it| !events.contains(&it));
        let kept: Vec<String> = self.formats().filter(is_other).map(str::to_owned).collect();
        if !events.is_empty() && !kept.is_empty() {
            self.set_formats(&kept);
        }
    }

    /// Names one more format of events, for the digits 0 to 9, *, # and A to D.
    pub fn add_events(&mut self, Events { payload, clock }: Events) {
        self.m = format!("{} {payload}", self.m.trim_end());
        let map = format!("rtpmap:{payload} {NAME}/{clock}");
        let range = format!("fmtp:{payload} 0-15");
        for line in [map, range] {
            self.lines.push(Line::new(b'a', &[line.as_bytes()]));
        }
    }

    /// Names events for each clock rate of its voice, where it names none at all.
    pub fn offer_events(&mut self) {
        if self.events().next().is_some() {
            return;
        }
        let mut clocks: Vec<u32> = Vec::new();
        for codec in self.codecs().filter(|it| !it.is_auxiliary()) {
            if !clocks.contains(&codec.clock) {
                clocks.push(codec.clock);
            }
        }
        for clock in clocks {
            if let Some(payload) = self.free_payload() {
                self.add_events(Events { payload, clock });
            }
        }
    }

    fn free_payload(&self) -> Option<u8> {
        let taken = |it: u8| self.formats().any(|format| payload_type(format) == Some(it));
        std::iter::once(USUAL).chain(DYNAMIC).find(|it| !taken(*it))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn changed(lines: &str, change: impl FnOnce(&mut Media)) -> String {
        let mut sdp = Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap();
        let at = sdp.voice().unwrap();
        change(&mut sdp.media_mut()[at]);
        let text = String::from_utf8(sdp.to_bytes()).unwrap();
        text.trim_start_matches("v=0\r\n").trim_end().replace("\r\n", "\n")
    }

    #[test]
    fn events_are_offered_for_each_clock_rate_where_there_are_none() {
        #[rustfmt::skip]
        let table = [
            ("m=audio 4 RTP/AVP 8 0",
             "m=audio 4 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15"),
            // 101 has a meaning, and there are two rates
            ("m=audio 4 RTP/AVP 101 8 96\na=rtpmap:101 opus/48000/2\na=rtpmap:96 G729/8000",
             "m=audio 4 RTP/AVP 101 8 96 97 98\na=rtpmap:101 opus/48000/2\na=rtpmap:96 G729/8000\n\
              a=rtpmap:97 telephone-event/48000\na=fmtp:97 0-15\n\
              a=rtpmap:98 telephone-event/8000\na=fmtp:98 0-15"),
            // they are there
            ("m=audio 4 RTP/AVP 8 99\na=rtpmap:99 telephone-event/8000",
             "m=audio 4 RTP/AVP 8 99\na=rtpmap:99 telephone-event/8000"),
        ];
        for (lines, expected) in table {
            assert_eq!(changed(lines, Media::offer_events), expected);
        }
    }

    #[test]
    fn events_are_taken_out_with_all_that_is_said_of_them() {
        let lines = "m=audio 4 RTP/AVP 111 8 99 101\na=rtpmap:111 opus/48000/2\n\
             a=rtpmap:99 telephone-event/48000\na=rtpmap:101 Telephone-Event/8000\n\
             a=fmtp:101 0-16\na=fmtp:111 useinbandfec=1\na=sendrecv";
        let expected = "m=audio 4 RTP/AVP 111 8\na=rtpmap:111 opus/48000/2\n\
             a=fmtp:111 useinbandfec=1\na=sendrecv";
        assert_eq!(changed(lines, Media::remove_events), expected);
        let without = "m=audio 4  RTP/AVP 8 \na=x";
        assert_eq!(changed(without, Media::remove_events), without, "nothing to take out");
    }

    #[test]
    fn the_section_with_voice() {
        #[rustfmt::skip]
        let table = [
            ("m=audio 4 RTP/AVP 8",                                            Some(0)),
            ("m=video 4 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 4 RTP/AVPF 8", Some(1)),
            ("m=audio 0 RTP/AVP 8\nm=audio 4 RTP/AVP 0",                       Some(1)),
            ("m=audio 4 RTP/SAVP 8",                                           None),
            ("m=audio 4 UDP/TLS/RTP/SAVPF 8",                                  None),
            ("m=image 4 udptl t38",                                            None),
            ("m=audio 4 RTP/AVP 101\na=rtpmap:101 telephone-event/8000",       None),
        ];
        for (lines, expected) in table {
            let sdp = Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap();
            assert_eq!(sdp.voice(), expected, "{lines}");
        }
    }
}
