//! Which headers a B2BUA passes from one leg to the other (RFC 7092 §3.1).

use crate::privacy::Privacy;
use sip::message::{HeaderName, Headers, LineName, MaxForwards, Message, Writer};

/// What every leg of ours can do.
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, PRACK, UPDATE, REFER, NOTIFY";

/// Extensions we have.
pub const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

/// What a 2xx says of us (RFC 3261 §13.3.1.4).
pub fn capabilities(writer: &mut Writer) {
    writer.text_header("Allow", ALLOW);
    writer.text_header("Supported", SUPPORTED);
}

/// Those of them that are not the session's own to say in a request: reliability and session timers
/// are.
pub const FURTHER: &str = "replaces, norefersub";

/// What an INVITE of ours says of us; the session writes Supported.
pub fn capabilities_of_request(writer: &mut Writer) {
    writer.text_header("Allow", ALLOW);
}

/// Bodies we take in an INVITE.
pub const ACCEPT: &str =
    "application/sdp, multipart/mixed, multipart/alternative, multipart/related";

/// The hops an INVITE has left; 70 where the phone states none.
pub fn hops(invite: &Message<'_>) -> u8 {
    invite.headers.find::<MaxForwards>().ok().flatten().map_or(70, |it| it.0)
}

/// Copies the headers that neither belong to a leg nor claim an identity: what we do not know
/// passes. Of who withholds his identity, those that tell it do not either (RFC 3323 §4.1).
pub fn pass(withheld: Privacy, headers: &Headers<'_>, writer: &mut Writer) {
    writer.lines_of(headers, |it| passes(it) && !withholds(withheld, it));
}

/// Whether it tells the identity of who withholds it.
fn withholds(withheld: Privacy, it: LineName<'_, '_>) -> bool {
    let names = [HeaderName::CallInfo, HeaderName::Organization, HeaderName::Subject];
    withheld.identity
        && (names.contains(&it.known())
            || REPLIES.iter().any(|name| it.raw().eq_ignore_ascii_case(name)))
}

/// The same of the INVITE of a call. Nobody outside makes a phone answer by itself or fetch what he names: it would open
/// its microphone to him (RFC 5373 §7; RFC 3261 §20.4, §20.9).
pub fn pass_of_call(withheld: Privacy, outside: bool, headers: &Headers<'_>, writer: &mut Writer) {
    if !outside {
        return pass(withheld, headers, writer);
    }
    let commands = |it: LineName<'_, '_>| {
        [HeaderName::AlertInfo, HeaderName::CallInfo].contains(&it.known())
            || COMMANDS.iter().any(|name| it.raw().eq_ignore_ascii_case(name))
    };
    writer.lines_of(headers, |it| passes(it) && !withholds(withheld, it) && !commands(it));
}

/// How phones are asked to answer by themselves, besides Alert-Info and Call-Info.
const COMMANDS: [&str; 3] = ["Answer-Mode", "Priv-Answer-Mode", "P-Auto-Answer"];

/// The same of a 2xx to an INVITE, with what we say of us.
pub fn pass_of_answer(withheld: Privacy, headers: &Headers<'_>, writer: &mut Writer) {
    capabilities(writer);
    pass(withheld, headers, writer);
}

/// Where a caller is called back.
const REPLIES: [&str; 2] = ["Reply-To", "In-Reply-To"];

fn passes(name: LineName<'_, '_>) -> bool {
    match name.known() {
        // These make the leg's own dialog, way and body.
        HeaderName::Via
        | HeaderName::From
        | HeaderName::To
        | HeaderName::CallId
        | HeaderName::CSeq
        | HeaderName::Contact
        | HeaderName::MaxForwards
        | HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::Path
        | HeaderName::ServiceRoute
        | HeaderName::ContentLength
        | HeaderName::ContentType
        | HeaderName::Timestamp
        | HeaderName::Date => false,
        // These are between a phone and us.
        HeaderName::Authorization
        | HeaderName::ProxyAuthorization
        | HeaderName::WwwAuthenticate
        | HeaderName::ProxyAuthenticate
        | HeaderName::Expires
        | HeaderName::MinExpires
        | HeaderName::UserAgent
        | HeaderName::Server => false,
        // Each leg states what we implement, not what the other phone does.
        HeaderName::Allow
        | HeaderName::Supported
        | HeaderName::Require
        | HeaderName::ProxyRequire
        | HeaderName::Unsupported
        | HeaderName::RSeq
        | HeaderName::RAck
        | HeaderName::SessionExpires
        | HeaderName::MinSe
        | HeaderName::Event
        | HeaderName::AllowEvents
        | HeaderName::SubscriptionState
        | HeaderName::ReferTo
        | HeaderName::ReferredBy
        | HeaderName::Replaces => false,
        // Who calls is for us to say, never for the phone.
        HeaderName::PAssertedIdentity
        | HeaderName::PPreferredIdentity
        | HeaderName::Privacy
        | HeaderName::RemotePartyId
        | HeaderName::Diversion
        | HeaderName::HistoryInfo => false,
        HeaderName::Reason
        | HeaderName::RetryAfter
        | HeaderName::Accept
        | HeaderName::AlertInfo
        | HeaderName::CallInfo
        | HeaderName::Organization
        | HeaderName::Subject
        | HeaderName::Warning
        | HeaderName::ContentDisposition
        | HeaderName::ContentEncoding
        | HeaderName::MimeVersion => true,
        HeaderName::Other => !IDENTITIES.iter().any(|it| name.raw().eq_ignore_ascii_case(it)),
    }
}

/// Further claims of identity or trust that a phone may not make, and what is between it and us.
const IDENTITIES: [&str; 19] = [
    "Authentication-Info",
    "Proxy-Authentication-Info",
    "Identity",
    "Identity-Info",
    "P-Associated-URI",
    "P-Charging-Function-Addresses",
    "P-Charging-Vector",
    "P-DCS-Billing-Info",
    "P-DCS-Trace-Party-ID",
    "P-Access-Network-Info",
    "P-Called-Party-ID",
    "Join",
    "P-Asserted-Service",
    "P-Preferred-Service",
    "P-Served-User",
    "P-Profile-Key",
    "P-Visited-Network-ID",
    "Resource-Priority",
    "Target-Dialog",
];
