//! What a payload type of RTP means: a=rtpmap (RFC 8866 §6.6), else the static table (RFC 3551 §6).

/// One RTP payload format of an m= section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// RTP payload type, 0 to 127.
    pub payload: u8,
    /// The encoding name as written; compare without regard to case (RFC 8866 §6.6).
    pub name: &'a str,
    /// RTP clock rate in Hz, never 0. G722 says 8000 and samples at 16000 (RFC 3551 §4.5.2).
    pub clock: u32,
    /// Audio channels, never 0; 1 where nothing is said.
    pub channels: u8,
}

impl<'a> Codec<'a> {
    /// Reads `<payload> <name>/<clock>[/<channels>]`. Zero or out-of-range numbers make the whole
    /// line count as absent, so nobody downstream divides by them or sizes a buffer by them.
    pub(crate) fn parse_rtpmap(value: &'a str) -> Option<Self> {
        let (payload, encoding) = value.split_once([' ', '\t'])?;
        let payload = payload_type(payload)?;
        let mut parts = encoding.trim().split('/');
        let name = parts.next().filter(|name| !name.is_empty())?;
        let clock: u32 = parts.next()?.parse().ok()?;
        let channels: u8 = parts.next().map_or(Some(1), |count| count.parse().ok())?;
        let legal = (1..=MAX_CLOCK).contains(&clock) && (1..=MAX_CHANNELS).contains(&channels);
        legal.then_some(Self { payload, name, clock, channels })
    }

    /// A format that carries no voice of its own but goes with one that does.
    pub fn is_auxiliary(&self) -> bool {
        const AUXILIARY: [&str; 6] =
            ["telephone-event", "CN", "red", "ulpfec", "rtx", "flexfec-03"];
        AUXILIARY.iter().any(|name| self.is_named(name))
    }

    /// Whether the encoding name is this one.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Highest clock rate believed, in Hz: above any registered one (DV and video use 90 kHz, some
/// audio 192 kHz).
const MAX_CLOCK: u32 = 1_000_000;
/// Most audio channels believed.
const MAX_CHANNELS: u8 = 64;

/// An RTP payload type (RFC 3550 §5.1: seven bits).
pub(crate) fn payload_type(format: &str) -> Option<u8> {
    let digits = (1..=3).contains(&format.len()) && format.bytes().all(|it| it.is_ascii_digit());
    digits.then(|| format.parse().ok()).flatten().filter(|payload| *payload <= 127)
}

/// The static assignments (RFC 3551 §6, tables 4 and 5), used where no a=rtpmap says otherwise.
pub(crate) fn static_codec(payload: u8) -> Option<Codec<'static>> {
    let (name, clock, channels) = match payload {
        0 => ("PCMU", 8000, 1),
        3 => ("GSM", 8000, 1),
        4 => ("G723", 8000, 1),
        5 => ("DVI4", 8000, 1),
        6 => ("DVI4", 16000, 1),
        7 => ("LPC", 8000, 1),
        8 => ("PCMA", 8000, 1),
        9 => ("G722", 8000, 1),
        10 => ("L16", 44100, 2),
        11 => ("L16", 44100, 1),
        12 => ("QCELP", 8000, 1),
        13 => ("CN", 8000, 1),
        14 => ("MPA", 90000, 1),
        15 => ("G728", 8000, 1),
        16 => ("DVI4", 11025, 1),
        17 => ("DVI4", 22050, 1),
        18 => ("G729", 8000, 1),
        25 => ("CelB", 90000, 1),
        26 => ("JPEG", 90000, 1),
        28 => ("nv", 90000, 1),
        31 => ("H261", 90000, 1),
        32 => ("MPV", 90000, 1),
        33 => ("MP2T", 90000, 1),
        34 => ("H263", 90000, 1),
        _ => return None,
    };
    Some(Codec { payload, name, clock, channels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtpmap_table() {
        #[rustfmt::skip]
        let table = [
            ("0 PCMU/8000",                 Some((0, "PCMU", 8000, 1))),
            ("96 opus/48000/2",             Some((96, "opus", 48000, 2))),
            ("101  telephone-event/8000 ",  Some((101, "telephone-event", 8000, 1))),
            ("127\tH264/90000",             Some((127, "H264", 90000, 1))),
            ("0 PCMU/0",                    None),
            ("96 opus/48000/65536",         None),
            ("96 opus/48000/0",             None),
            ("96 opus/4294967296",          None),
            ("96 opus/-8000",               None),
            ("96 opus",                     None),
            ("96 /8000",                    None),
            ("128 opus/48000",              None),
            ("-1 opus/48000",               None),
            ("+96 opus/48000",              None),
            ("opus/48000",                  None),
            ("",                            None),
        ];
        for (value, expected) in table {
            let expected = expected.map(|(payload, name, clock, channels)| Codec {
                payload,
                name,
                clock,
                channels,
            });
            assert_eq!(Codec::parse_rtpmap(value), expected, "{value:?}");
        }
    }
}
