//! How a call that goes out says who calls: From, the identity headers (RFC 3325, Remote-Party-ID) and
//! what is asked to be withheld (RFC 3323). Pure.

use super::Call;
use super::fork::escaped;
use crate::dialplan::query::Outgoing;
use crate::interop::{IdentityHeader, Interop, sip_uri};
use crate::line::Line;
use crate::line::config::FromUser;
use crate::office::LegId;
use crate::privacy::{ANONYMOUS, ANONYMOUS_FROM, Privacy};
use sip::message::HeaderName;

/// From and the identity headers of a call by a line.
pub(crate) fn introduce(
    line: &Line,
    caller: &str,
    privacy: Privacy,
) -> (String, Vec<(&'static str, String)>) {
    let headers = identity_headers(&line.interop, caller, &line.domain, privacy);
    // Unless the carrier knows the line by it.
    let hidden = privacy.identity && line.from_user == FromUser::Caller;
    (from(hidden, "", &line.from_uri(caller)), headers)
}

/// What is withheld of a call that goes out: what its caller or the line or trunk wants so, and of an
/// emergency call nothing.
pub(super) fn wanted(interop: &Interop, out: &Outgoing, caller: Privacy) -> Privacy {
    match out.emergency {
        true => Privacy::default(),
        false => Privacy { identity: caller.identity || interop.privacy, ..caller },
    }
}

impl Call {
    /// What one leg says to another without.
    pub(super) fn withheld(&self, from: LegId, to: LegId) -> Privacy {
        let own = self.leg(from).map(|it| it.privacy).unwrap_or_default();
        let outside = match to {
            LegId::Caller => None,
            LegId::Callee(index) => self.forks.get(usize::from(index)),
        };
        let outside = outside.and_then(|it| it.outside.as_deref());
        outside.map_or(own, |it| wanted(it.interop(), &it.out, own))
    }
}

/// From. Who hides his number hides it here too.
pub(super) fn from(hidden: bool, name: &str, uri: &str) -> String {
    match (hidden, name) {
        (true, _) => ANONYMOUS_FROM.to_owned(),
        (false, "") => format!("<{uri}>"),
        (false, name) => format!("\"{}\" <{uri}>", escaped(name)),
    }
}

/// RFC 3325 §9.1 or what came before it, and RFC 3323 §4.2.
pub(super) fn identity_headers(
    interop: &Interop,
    caller: &str,
    host: &str,
    privacy: Privacy,
) -> Vec<(&'static str, String)> {
    let identity = format!("<{}>", sip_uri(caller, host));
    let mut headers = Vec::new();
    match interop.identity {
        // Whom nobody knows is not vouched for.
        _ if caller == ANONYMOUS => {}
        IdentityHeader::None => {}
        IdentityHeader::PAssertedIdentity => {
            headers.push((HeaderName::PAssertedIdentity, identity))
        }
        IdentityHeader::RemotePartyId => {
            let hidden = if privacy.identity { "full" } else { "off" };
            let value = format!("{identity};party=calling;screen=yes;privacy={hidden}");
            headers.push((HeaderName::RemotePartyId, value));
        }
    }
    let asked = match (privacy.identity, privacy.history) {
        (true, true) => Some("id;history"),
        (true, false) => Some("id"),
        (false, true) => Some("history"),
        (false, false) => None,
    };
    headers.extend(asked.map(|it| (HeaderName::Privacy, it.to_owned())));
    headers.into_iter().map(|(name, value)| (name.as_str(), value)).collect()
}
