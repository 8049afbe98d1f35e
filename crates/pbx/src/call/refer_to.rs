//! What a REFER or an INVITE with Replaces points at (RFC 3515 §2.1, RFC 3891 §6.1), and whether that
//! may be: pure.

use sip::message::{HeaderName, Message, NameAddr, Replaces, TypedHeader, Uri};

/// Another dialog of ours, as the phone names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub call_id: Box<str>,
    /// Ours.
    pub to_tag: Box<str>,
    /// The phone's.
    pub from_tag: Box<str>,
    pub early_only: bool,
}

/// Where a call is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferTo {
    /// To be dialled, without headers.
    pub uri: Box<str>,
    /// Instead of it, where this dialog exists.
    pub replaced: Option<Replaced>,
}

impl Replaced {
    fn parse(value: &str) -> Option<Self> {
        let it = Replaces::parse(value).ok()?;
        Some(Self {
            call_id: it.call_id.into(),
            to_tag: it.to_tag.into(),
            from_tag: it.from_tag.into(),
            early_only: it.early_only,
        })
    }

    /// The dialog an INVITE is to replace; `Err` where it cannot be read.
    pub(super) fn of(message: &Message<'_>) -> Result<Option<Self>, u16> {
        let mut values = message.headers.all(HeaderName::Replaces);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::parse(value).map(Some).ok_or(400),
            (Some(_), Some(_)) => Err(400),
        }
    }
}

/// Reads Refer-To; the error is the status for the REFER.
pub(crate) fn refer_to(message: &Message<'_>) -> Result<ReferTo, u16> {
    let mut values = message.headers.all(HeaderName::ReferTo);
    let (Some(value), None) = (values.next(), values.next()) else { return Err(400) };
    let address = NameAddr::parse(value).map_err(|_| 400_u16)?;
    let uri = match address.uri {
        Uri::Sip { params, .. } => {
            // Only calls are placed for others (RFC 3515 §2.4.2 leaves the rest to us).
            if params.value("method").is_some_and(|it| !it.eq_ignore_ascii_case("INVITE")) {
                return Err(403);
            }
            address.uri_text.split('?').next().unwrap_or_default()
        }
        Uri::Other { scheme, .. } if scheme.eq_ignore_ascii_case("tel") => address.uri_text,
        Uri::Other { .. } => return Err(403),
    };
    let mut replaced = None;
    for (name, value) in address.uri.headers() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if name == HeaderName::Replaces {
            replaced = Some(Replaced::parse(&value).ok_or(400_u16)?);
        } else if name != HeaderName::Require || !value.eq_ignore_ascii_case("replaces") {
            // A way, an identity or a body is not the phone's to give.
            return Err(403);
        }
    }
    Ok(ReferTo { uri: uri.into(), replaced })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<(String, bool), u16> {
        let text = format!("REFER sip:a@b SIP/2.0\r\n{value}\r\n\r\n");
        let Ok(message) = Message::parse(text.as_bytes()) else { panic!("{text}") };
        refer_to(&message).map(|it| (it.uri.into(), it.replaced.is_some()))
    }

    #[test]
    fn what_refer_to_may_say() {
        let to = |uri: &str, replaces| Ok((uri.to_owned(), replaces));
        #[rustfmt::skip]
        let table = [
            ("Refer-To: <sip:102@10.0.0.1>",                     to("sip:102@10.0.0.1", false)),
            ("r: sip:102@10.0.0.1",                              to("sip:102@10.0.0.1", false)),
            ("Refer-To: <sip:102@10.0.0.1;method=INVITE>",       to("sip:102@10.0.0.1;method=INVITE", false)),
            ("Refer-To: <tel:+4420>",                            to("tel:+4420", false)),
            ("Refer-To: <sip:102@h?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>", to("sip:102@h", true)),
            ("Refer-To: <sip:102@h?Require=replaces&Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>", to("sip:102@h", true)),
            ("Subject: none",                                    Err(400)),
            ("Refer-To: <sip:1@h>\r\nRefer-To: <sip:2@h>",       Err(400)),
            ("Refer-To: <sip:102@h?Replaces=c>",                 Err(400)),
            ("Refer-To: <sip:102@h;method=BYE>",                 Err(403)),
            ("Refer-To: <http://example.com/>",                  Err(403)),
            ("Refer-To: <sip:102@h?Route=%3Csip%3Aevil%3E>",     Err(403)),
            ("Refer-To: <sip:102@h?body=x>",                     Err(403)),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
