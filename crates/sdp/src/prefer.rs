//! Which codecs an offer names, and in which order (RFC 3264 §5.1): what an administrator prefers for a carrier.

use crate::attribute::Attribute;
use crate::codec::payload_type;
use crate::media::Media;
use crate::session::Sdp;

/// Formats without voice of their own that stay beside any codec.
const BESIDE: [&str; 2] = ["telephone-event", "CN"];

/// Attributes whose value begins with the format they are of.
const OF_FORMAT: [&[u8]; 3] = [b"rtpmap", b"fmtp", b"rtcp-fb"];

impl Sdp {
    /// Puts the codecs of each section in this order and takes the others out. A section that has
    /// none of them stays as it is: better another codec than none.
    pub fn prefer(&mut self, codecs: &[impl AsRef<str>]) {
        if !codecs.is_empty() {
            self.media_mut().iter_mut().for_each(|it| it.prefer(codecs));
        }
    }
}

impl Media {
    fn prefer(&mut self, codecs: &[impl AsRef<str>]) {
        if !self.is_rtp() {
            return;
        }
        let m = self.m.clone();
        let formats = || m.split_ascii_whitespace().skip(3);
        let is = |format: &str, name: &str| {
            let codec = payload_type(format).and_then(|it| self.codec(it));
            codec.is_some_and(|it| it.is_named(name))
        };
        let keep = |kept: &mut Vec<_>, name: &str| {
            for format in formats().filter(|it| is(it, name)) {
                if !kept.contains(&format) {
                    kept.push(format);
                }
            }
        };
        let mut kept: Vec<&str> = Vec::new();
        for name in codecs {
            keep(&mut kept, name.as_ref());
        }
        if kept.is_empty() {
            return;
        }
        BESIDE.iter().for_each(|it| keep(&mut kept, it));
        let kept: Vec<String> = kept.into_iter().map(str::to_owned).collect();
        self.set_formats(&kept);
    }

    /// Leaves these formats, in this order, and nothing said of others.
    pub(crate) fn set_formats(&mut self, kept: &[String]) {
        let head: Vec<&str> = self.m.split_ascii_whitespace().take(3).collect();
        self.m = format!("{} {}", head.join(" "), kept.join(" "));
        self.lines.retain(|line| {
            let format = Attribute::of(line).filter(|it| OF_FORMAT.contains(&it.name));
            let format = format.and_then(|it| it.text()?.split_ascii_whitespace().next());
            format.is_none_or(|it| it == "*" || kept.iter().any(|kept| kept == it))
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OFFER: &str = "v=0\r\n\
        m=audio 4000 RTP/AVP 96 0 8 18 101\r\n\
        a=rtpmap:96 opus/48000/2\r\n\
        a=fmtp:96 useinbandfec=1\r\n\
        a=rtpmap:18 G729/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\n\
        a=sendrecv\r\n\
        m=video 4002 RTP/AVP 97\r\n\
        a=rtpmap:97 H264/90000\r\n";

    #[test]
    fn preference_table() {
        #[rustfmt::skip]
        let table: [(&[&str], &str); 6] = [
            (&["PCMA", "PCMU"],          "4000 RTP/AVP 8 0 101"),
            (&["pcmu"],                  "4000 RTP/AVP 0 101"),
            (&["G729", "opus", "PCMA"],  "4000 RTP/AVP 18 96 8 101"),
            (&["G722"],                  "4000 RTP/AVP 96 0 8 18 101"),
            (&[],                        "4000 RTP/AVP 96 0 8 18 101"),
            (&["PCMA", "PCMA"],          "4000 RTP/AVP 8 101"),
        ];
        for (codecs, expected) in table {
            let mut sdp = Sdp::parse(OFFER.as_bytes()).unwrap();
            sdp.prefer(codecs);
            assert_eq!(sdp.media()[0].m, format!("audio {expected}"), "{codecs:?}");
            assert_eq!(sdp.media()[1], Sdp::parse(OFFER.as_bytes()).unwrap().media()[1]);
        }
    }

    #[test]
    fn what_is_not_offered_is_not_described() {
        let mut sdp = Sdp::parse(OFFER.as_bytes()).unwrap();
        sdp.prefer(&["PCMA"]);
        let text = String::from_utf8(sdp.to_bytes()).unwrap();
        let audio = text.split("m=video").next().unwrap();
        assert!(!audio.contains("opus") && !audio.contains("fmtp:96"), "{audio}");
        assert!(audio.contains("fmtp:101") && audio.contains("a=sendrecv"), "{audio}");
    }
}
