//! Who begins a call: an extension, or somebody outside by a line or a trunk.

use crate::dialplan::Caller;
use crate::directory::{Extension, Relay};
use crate::interop::Dtmf;
use crate::line::Line;
use crate::media::MediaSource;
use crate::privacy::{ANONYMOUS, is_of_caller};
use crate::trunk::Trunk;
use sip::message::{HeaderName, Message, NameAddr, Uri};
use sip::session::Terms;
use std::sync::Arc;

/// Longest number and name taken over from outside. Unit: octets.
const TEXT_LENGTH_MAX: usize = 64;

#[derive(Clone, Debug)]
pub enum Origin {
    Extension(Arc<Extension>),
    Line(Arc<Line>, Stranger),
    Trunk(Arc<Trunk>, Stranger),
}

/// Somebody outside, as his side names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    pub number: Box<str>,
    pub name: Box<str>,
}

impl Origin {
    pub fn number(&self) -> &str {
        match self {
            Self::Extension(it) => &it.number,
            Self::Line(_, it) | Self::Trunk(_, it) => &it.number,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Extension(it) => &it.name,
            Self::Line(_, it) | Self::Trunk(_, it) => &it.name,
        }
    }

    /// `None`: somebody outside.
    pub fn extension(&self) -> Option<&Arc<Extension>> {
        match self {
            Self::Extension(it) => Some(it),
            Self::Line(..) | Self::Trunk(..) => None,
        }
    }

    pub fn relay(&self) -> Relay {
        match self {
            Self::Extension(it) => it.relay,
            Self::Line(it, _) => it.interop.relay,
            Self::Trunk(it, _) => it.interop.relay,
        }
    }

    pub fn media_source(&self) -> MediaSource {
        match self {
            Self::Extension(it) => it.media_source,
            Self::Line(it, _) => it.interop.media_source,
            Self::Trunk(it, _) => it.interop.media_source,
        }
    }

    /// How it wants digits.
    pub fn dtmf(&self) -> Dtmf {
        match self {
            Self::Extension(_) => Dtmf::Pass,
            Self::Line(it, _) => it.interop.dtmf,
            Self::Trunk(it, _) => it.interop.dtmf,
        }
    }

    /// What it agrees to as a session timer: a line or trunk has its own interval.
    pub fn session_terms(&self, office: Terms) -> Terms {
        match self {
            Self::Extension(_) => office,
            Self::Line(it, _) => it.interop.session_terms(office.min_s),
            Self::Trunk(it, _) => it.interop.session_terms(office.min_s),
        }
    }

    /// Names of the codecs it is offered, in this order; none: as they come.
    pub fn codecs(&self) -> &[Box<str>] {
        match self {
            Self::Extension(_) => &[],
            Self::Line(it, _) => &it.interop.codecs,
            Self::Trunk(it, _) => &it.interop.codecs,
        }
    }

    /// As the dial plan asks for him.
    pub fn caller(&self) -> Caller<'_> {
        match self {
            Self::Extension(it) => Caller::Extension(&it.number),
            Self::Line(line, it) => Caller::Line { account: &line.account, number: &it.number },
            Self::Trunk(trunk, it) => Caller::Trunk { id: trunk.id, number: &it.number },
        }
    }
}

impl Stranger {
    /// What a carrier or another server says of the caller: P-Asserted-Identity before
    /// Remote-Party-ID before From. Ours to believe, as it comes from one we are configured for.
    pub fn of(message: &Message<'_>) -> Self {
        let headers = [HeaderName::PAssertedIdentity, HeaderName::RemotePartyId, HeaderName::From];
        let first = |name| message.headers.values(name).find_map(|it| Self::read(name, it));
        headers
            .into_iter()
            .find_map(first)
            .unwrap_or_else(|| Self { number: ANONYMOUS.into(), name: Box::default() })
    }

    fn read(header: HeaderName, value: &str) -> Option<Self> {
        let address = NameAddr::parse(value).ok()?;
        if header == HeaderName::RemotePartyId && !is_of_caller(&address) {
            return None;
        }
        let number = match address.uri {
            Uri::Other { scheme, rest } if scheme.eq_ignore_ascii_case("tel") => rest.into(),
            uri @ (Uri::Sip { .. } | Uri::Other { .. }) => uri.user_unescaped(),
        };
        let number = number.split(';').next().unwrap_or_default();
        if number.is_empty() || number.eq_ignore_ascii_case(ANONYMOUS) {
            return None;
        }
        Some(Self { number: cut(number), name: cut(&address.display_name()) })
    }
}

fn cut(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(TEXT_LENGTH_MAX)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_table() {
        let pai = "P-Asserted-Identity: <tel:+4930123;ext=5>";
        let rpid = "Remote-Party-ID: \"Ann\" <sip:4930124@x>;party=calling";
        #[rustfmt::skip]
        let called = "Remote-Party-ID: <sip:5678@x>;party=called";
        let table: [(&[&str], &str, &str); 7] = [
            (&["From: \"Bob\" <sip:4930125@x>;tag=1"], "4930125", "Bob"),
            (&["From: <sip:anonymous@anonymous.invalid>", pai], "+4930123", ""),
            (&["From: <sip:1@x>", rpid], "4930124", "Ann"),
            (&["From: <sip:1@x>", rpid, pai], "+4930123", ""),
            (&["From: <sip:1@x>", called], "1", ""),
            (&["From: \"Anonymous\" <sip:anonymous@anonymous.invalid>"], ANONYMOUS, ""),
            (&["From: <sip:x>"], ANONYMOUS, ""),
        ];
        for (lines, number, name) in table {
            let text = format!("INVITE sip:5678@x SIP/2.0\r\n{}\r\n\r\n", lines.join("\r\n"));
            let message = Message::parse(text.as_bytes()).expect("a request");
            let expected = Stranger { number: number.into(), name: name.into() };
            assert_eq!(Stranger::of(&message), expected, "{lines:?}");
        }
    }
}
