//! What a call remembers of its way: facts, not log lines.
//!
//! The core notes one where something is decided that a person might later ask about. A call that
//! goes well notes none, and so allocates nothing.

use crate::release::ReleaseCode;
use crate::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Most facts of one call; what comes later is left out, but for the last place.
pub const FACTS_MAX: usize = 24;

/// Longest text of somebody else's in a fact, in octets; the rest is cut off.
pub const WORDS_MAX: usize = 120;

/// In the order they happened.
pub type Facts = Vec<Fact>;

/// One thing that happened to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Since the call started, by the monotonic clock.
    pub at_ms: u32,
    pub place: Place,
    pub what: What,
}

/// Where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Here: in the dial plan, a limit, a timer of ours.
    Office,
    /// Between us and the caller.
    Caller,
    /// Between us and what was called: the phones, lines and trunks in the order they were tried.
    Callee(u8),
}

/// Whom we deal with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The phone of a number.
    Phone(Box<str>),
    Line(Box<str>),
    Trunk(Box<str>),
}

/// What happened. The journal's encoding is by position: a new one goes at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The dial plan ended without a candidate.
    Unrouted {
        code: ReleaseCode,
        number: Box<str>,
        /// The row that refuses, where one does.
        row: Option<u32>,
        prefix: Box<str>,
        /// The call level it asks for.
        level: Option<u8>,
    },
    /// A line or trunk that the dial plan names could not take the call.
    NotTaken {
        who: Who,
        code: ReleaseCode,
        /// Calls at a time that it may have.
        most: Option<u16>,
    },
    /// Why a line is not registered: what kept its last REGISTER from success, and when.
    Unregistered {
        line: Box<str>,
        why: Option<ReleaseCode>,
        status: Option<u16>,
        at: Option<UnixMillis>,
    },
    /// The extension has no phone; since when, where that is known.
    NoPhone { since: Option<UnixMillis> },
    /// The extension has all the calls it may have.
    Full { number: Box<str>, most: u8 },
    /// A final response other than 2xx to our INVITE.
    Refused {
        who: Who,
        from: SocketAddr,
        status: u16,
        /// Of the peer's Reason header (RFC 3326).
        cause: Option<u16>,
        retry_after_s: Option<u32>,
        /// Its Warning or the text of its Reason, as it wrote it.
        words: Box<str>,
    },
    /// No response at all to our INVITE.
    Silent { who: Who, to: SocketAddr },
    /// The way there is broken: refused, reset, no route.
    Broken { who: Who, to: Option<SocketAddr> },
    /// The caller number that a refused INVITE showed, where it is not the line's account.
    Showed { number: Box<str>, account: Box<str> },
    /// The Request-URI parameters that a refused INVITE had.
    Parameters(Box<str>),
    /// A PRACK of ours was refused, although the other side had asked for it (RFC 3262).
    PrackRefused { who: Who, status: u16 },
    /// It rang for as long as it may.
    NoAnswer { after_s: u32 },
    /// 64·T1 passed after our 2xx without its ACK (RFC 3261 §13.3.1.4).
    NoAck {
        /// The address our Contact named.
        told: SocketAddr,
        /// The host that the phone calls us by, where it is another one.
        known_as: Box<str>,
    },
    /// 64·T1 passed after a reliable response of ours without its PRACK.
    NoPrack,
    /// The session timer ran out (RFC 4028 §10).
    NotRefreshed { after_s: u32 },
    /// A request within the dialog was answered 481, or not at all (408).
    Vanished { status: u16 },
    /// Its stream broke.
    StreamLost,
    /// SDP named a private address, and signalling comes from a public one.
    PrivateAddress {
        stated: IpAddr,
        source: IpAddr,
        /// Media goes through us, so the private address does no harm.
        relayed: bool,
    },
    /// No RTP packet came from there in the whole of an answered and relayed call.
    NoPackets {
        /// Where SDP said that they would come from.
        stated: Option<SocketAddr>,
        for_s: u32,
        /// Packets from sources that do not qualify.
        refused: u64,
    },
    /// RTP stopped.
    MediaStopped { for_s: u32 },
    /// What the offer had that was refused for its media.
    Offered { codecs: Box<str>, srtp: bool },
    /// The media edge could not do what the call needs.
    MediaFailed { reason: Box<str> },
    /// A carrier or another server answered 3xx (RFC 3261 §8.1.3.4).
    SentOn {
        who: Who,
        /// The Contact it named.
        to: Box<str>,
        became: SentOn,
    },
    /// The second party of a call that was placed for somebody was not reached.
    NotJoined { number: Box<str>, code: ReleaseCode },
}

/// What became of a redirection from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentOn {
    Followed,
    /// It names no server of that line or trunk, and no other number.
    Elsewhere,
    /// Who calls may not dial that number by that line or trunk.
    Denied,
    /// The call was there already, or it was sent on too often.
    Again,
}

/// Adds a fact. At the limit the newest replaces the last: the end of a call tells most.
pub fn note(facts: &mut Facts, fact: Fact) {
    if facts.len() == FACTS_MAX {
        facts.pop();
    }
    facts.push(fact);
}

/// What somebody else wrote, as far as it is kept.
pub fn words(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(WORDS_MAX)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_keeps_the_end() {
        let mut facts = Facts::new();
        for at_ms in 0..100 {
            note(&mut facts, Fact { at_ms, place: Place::Office, what: What::NoPrack });
        }
        let times: Vec<u32> = facts.iter().map(|it| it.at_ms).collect();
        assert_eq!(times.len(), FACTS_MAX);
        assert_eq!((times[0], times[FACTS_MAX - 2], times[FACTS_MAX - 1]), (0, 22, 99));
    }

    #[test]
    fn a_fact_is_small() {
        assert!(size_of::<Fact>() <= 120, "{}", size_of::<Fact>());
    }

    #[test]
    fn foreign_words_are_cut_at_a_character() {
        let long = "忙".repeat(100);
        assert_eq!(words(&long).chars().count(), WORDS_MAX / 3);
        assert_eq!(&*words("Busy"), "Busy");
    }
}
