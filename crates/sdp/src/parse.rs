//! Octets → [`Sdp`]: cuts lines, sorts them into sections, refuses what nobody could relay safely.
//!
//! Only what changes the shape of the session is checked here (line form, m= fields, limits). All
//! other values are kept as they are and judged by the typed view that reads them.

use crate::codec::payload_type;
use crate::line::{Line, Lines, is_forbidden, text};
use crate::media::{Media, is_rtp};
use crate::session::Sdp;
use smallvec::SmallVec;

/// Longest description read, in octets. Beyond it: [`SdpError::TooLong`].
pub const MAX_LEN: usize = 64 * 1024;
/// Most lines read. Beyond it: [`SdpError::TooManyLines`].
pub const MAX_LINES: usize = 1024;
/// Most m= sections read. Beyond it: [`SdpError::TooManyMedia`].
pub const MAX_MEDIA: usize = 16;
/// Most formats read in one m= line. Beyond it: [`SdpError::TooManyFormats`].
pub const MAX_FORMATS: usize = 128;

/// Why octets are not a session description we handle. Lines are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("longer than {MAX_LEN} octets")]
    TooLong,
    #[error("more than {MAX_LINES} lines")]
    TooManyLines,
    #[error("more than {MAX_MEDIA} m= lines")]
    TooManyMedia,
    #[error("line {line}: more than {MAX_FORMATS} formats")]
    TooManyFormats { line: usize },
    #[error("does not start with v=0")]
    NoVersion,
    #[error("line {line}: not of the form <type>=<value>")]
    NotALine { line: usize },
    #[error("line {line}: holds a NUL or a bare CR")]
    ForbiddenOctet { line: usize },
    #[error("line {line}: m= without media, port, protocol and format")]
    BadMedia { line: usize },
    #[error("line {line}: port or number of ports out of range")]
    BadPort { line: usize },
    #[error("line {line}: RTP payload type that is not 0 to 127")]
    BadFormat { line: usize },
}

impl Sdp {
    /// Reads a session description. Line ends may be CRLF or LF; empty lines are skipped.
    ///
    /// # Errors
    /// See [`SdpError`]; all of them make an offer unacceptable (400 or 488).
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_LEN {
            return Err(SdpError::TooLong);
        }
        let mut sdp = Self { session: Lines::new(), media: SmallVec::new() };
        for (index, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            // One more than MAX_LINES: what follows the last line end is an empty piece.
            if index > MAX_LINES {
                return Err(SdpError::TooManyLines);
            }
            let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            if raw.is_empty() {
                continue;
            }
            if raw.iter().copied().any(is_forbidden) {
                return Err(SdpError::ForbiddenOctet { line: number });
            }
            let line = Line::parse(raw).ok_or(SdpError::NotALine { line: number })?;
            if sdp.session.is_empty() && raw.trim_ascii_end() != b"v=0" {
                return Err(SdpError::NoVersion);
            }
            sdp.push(line, number)?;
        }
        if sdp.session.is_empty() { Err(SdpError::NoVersion) } else { Ok(sdp) }
    }

    fn push(&mut self, line: Line, number: usize) -> Result<(), SdpError> {
        if line.kind() == b'm' {
            if self.media.len() == MAX_MEDIA {
                return Err(SdpError::TooManyMedia);
            }
            self.media.push(parse_media(&line, number)?);
        } else {
            let lines = match self.media.last_mut() {
                Some(media) => &mut media.lines,
                None => &mut self.session,
            };
            lines.push(line);
        }
        Ok(())
    }
}

fn parse_media(m: &Line, line: usize) -> Result<Media, SdpError> {
    let m = text(m.value()).ok_or(SdpError::BadMedia { line })?;
    let mut fields = m.split_ascii_whitespace();
    let (Some(_kind), Some(ports), Some(proto)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err(SdpError::BadMedia { line });
    };
    let port = parse_ports(ports).ok_or(SdpError::BadPort { line })?;
    let count = fields.clone().count();
    if count > MAX_FORMATS {
        return Err(SdpError::TooManyFormats { line });
    }
    // Some phones reject a stream with no format or a `*`: harmless, as nothing will flow.
    if port != 0 {
        if count == 0 {
            return Err(SdpError::BadMedia { line });
        }
        if is_rtp(proto) && !fields.all(|format| payload_type(format).is_some()) {
            return Err(SdpError::BadFormat { line });
        }
    }
    // Room for a longer port.
    let mut value = String::with_capacity(m.len() + 4);
    value.push_str(m);
    Ok(Media { m: value, port, lines: Lines::new() })
}

/// Reads `<port>[/<number of ports>]`. The number counts RTP/RTCP pairs (RFC 8866 §5.14), which
/// must all lie below 65536.
fn parse_ports(field: &str) -> Option<u16> {
    let (port, count) = field.split_once('/').unwrap_or((field, "1"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !digits(port) || !digits(count) {
        return None;
    }
    let (port, count): (u16, u16) = (port.parse().ok()?, count.parse().ok()?);
    let last = u32::from(port) + 2 * (u32::from(count).checked_sub(1)?);
    (last <= u32::from(u16::MAX)).then_some(port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn media_line_table() {
        use SdpError::{BadFormat, BadMedia, BadPort};
        #[rustfmt::skip]
        let table = [
            ("audio 49170 RTP/AVP 0 8",              Ok(49170)),
            ("audio 49170/2 RTP/AVP 0",              Ok(49170)),
            ("audio 0 RTP/AVP 0",                    Ok(0)),
            ("audio 0 RTP/AVP",                      Ok(0)),
            ("audio 0 RTP/AVP *",                    Ok(0)),
            ("image 4000 udptl t38",                 Ok(4000)),
            ("application 9 UDP/DTLS/SCTP webrtc-datachannel", Ok(9)),
            ("audio  5004  RTP/AVP  0 ",             Ok(5004)),
            ("audio 65535 RTP/AVP 0",                Ok(65535)),
            ("audio 65536 RTP/AVP 0",                Err(BadPort { line: 2 })),
            ("audio 99999 RTP/AVP 0",                Err(BadPort { line: 2 })),
            ("audio -1 RTP/AVP 0",                   Err(BadPort { line: 2 })),
            ("audio +5 RTP/AVP 0",                   Err(BadPort { line: 2 })),
            ("audio 5004/0 RTP/AVP 0",               Err(BadPort { line: 2 })),
            ("audio 5004/65535 RTP/AVP 0",           Err(BadPort { line: 2 })),
            ("audio 5004/ RTP/AVP 0",                Err(BadPort { line: 2 })),
            ("audio 5004 RTP/AVP pcmu",              Err(BadFormat { line: 2 })),
            ("audio 5004 RTP/AVP 128",               Err(BadFormat { line: 2 })),
            ("audio 5004 UDP/TLS/RTP/SAVPF x",       Err(BadFormat { line: 2 })),
            ("audio 5004 RTP/AVP",                   Err(BadMedia { line: 2 })),
            ("audio 5004",                           Err(BadMedia { line: 2 })),
            ("",                                     Err(BadMedia { line: 2 })),
        ];
        for (m, expected) in table {
            let got = Sdp::parse(format!("v=0\r\nm={m}\r\n").as_bytes());
            assert_eq!(got.map(|sdp| sdp.media()[0].port()), expected, "m={m}");
        }
    }

    #[test]
    fn shape_table() {
        #[rustfmt::skip]
        let table: [(&[u8], Result<(), SdpError>); 12] = [
            (b"v=0\r\n",                    Ok(())),
            (b"v=0",                        Ok(())),
            (b"v=0\n\ns=-\n\r\n",           Ok(())),
            (b"v=0\r\na=x:\xff\xfe\r\n",    Ok(())),
            (b"",                           Err(SdpError::NoVersion)),
            (b"\r\n\r\n",                   Err(SdpError::NoVersion)),
            (b"v=1\r\n",                    Err(SdpError::NoVersion)),
            (b"o=- 1 1 IN IP4 0.0.0.0\r\n", Err(SdpError::NoVersion)),
            (b"v=0\r\nhello\r\n",           Err(SdpError::NotALine { line: 2 })),
            (b"v=0\r\n s=-\r\n",            Err(SdpError::NotALine { line: 2 })),
            (b"v=0\r\na=fmtp:0 a\0b\r\n",   Err(SdpError::ForbiddenOctet { line: 2 })),
            (b"v=0\r\na=x\ra=y\r\n",        Err(SdpError::ForbiddenOctet { line: 2 })),
        ];
        for (bytes, expected) in table {
            let got = Sdp::parse(bytes).map(|_| ());
            assert_eq!(got, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let with = |lines: usize, line: &str| format!("v=0\r\n{}", line.repeat(lines)).into_bytes();
        let m = "m=audio 5004 RTP/AVP 0\r\n";
        assert_eq!(Sdp::parse(&with(MAX_MEDIA, m)).unwrap().media().len(), MAX_MEDIA);
        assert_eq!(Sdp::parse(&with(MAX_MEDIA + 1, m)), Err(SdpError::TooManyMedia));
        assert!(Sdp::parse(&with(MAX_LINES - 1, "a=x\r\n")).is_ok());
        assert_eq!(Sdp::parse(&with(MAX_LINES + 1, "a=x\r\n")), Err(SdpError::TooManyLines));

        let mut long = b"v=0\r\na=".to_vec();
        long.resize(MAX_LEN, b'x');
        assert!(Sdp::parse(&long).is_ok());
        long.push(b'x');
        assert_eq!(Sdp::parse(&long), Err(SdpError::TooLong));

        let formats = |count: usize| format!("v=0\r\nm=audio 5 RTP/AVP{}\r\n", " 0".repeat(count));
        assert!(Sdp::parse(formats(MAX_FORMATS).as_bytes()).is_ok());
        let over = Sdp::parse(formats(MAX_FORMATS + 1).as_bytes());
        assert_eq!(over, Err(SdpError::TooManyFormats { line: 2 }));
    }
}
