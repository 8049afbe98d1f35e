//! Why a call ended as it did: facts become one verdict, by pure rules.
//!
//! [`judge`] reads a record that has its facts and says which code, whose fault, how sure. Nothing is
//! worded before somebody reads it: [`Verdict::sentence`] names numbers, lines, times and addresses,
//! [`Verdict::remedy`] what to do, [`Verdict::action`] the command that does it.

mod action;
pub mod fact;
mod remedy;
mod sentence;
mod tell;
pub mod timeline;

use crate::record::CallRecord;
use crate::release::ReleaseCode;
use fact::{Fact, Place, What, Who};
use serde::{Deserialize, Serialize};

pub use remedy::{guilty, remedy};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guilty {
    /// Nothing is wrong.
    Nobody,
    Caller,
    Callee,
    /// This server or what was configured here.
    Us,
    /// What is between: carrier, router, DNS.
    Network,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It fits what was seen; something else may too.
    Possible,
    /// What was seen is hard to explain otherwise.
    Likely,
    /// It was seen.
    Certain,
}

/// The verdict on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub code: ReleaseCode,
    pub guilty: Guilty,
    pub confidence: Confidence,
    /// The fact that decided, by its place in the list.
    pub evidence: Option<usize>,
}

impl Guilty {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Us => "us",
            Self::Network => "network",
        }
    }
}

impl Confidence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// Judges a call by how it ended and what happened before. `None` while it runs.
///
/// The code it ended with is a fact of its own; where the others say more, the verdict has a more
/// exact one. Judging a record that has its verdict's code gives the same verdict.
pub fn judge(record: &CallRecord) -> Option<Verdict> {
    let ended = record.release_code?;
    let facts = &*record.facts;
    let verdict = more_exactly(ended, facts);
    let tells = |it: &What| tells(verdict.code, it);
    let evidence = verdict.evidence;
    let evidence = evidence.or_else(|| last(facts, |it| tells(it) && !sums_up(it)));
    let evidence = evidence.or_else(|| last(facts, tells));
    let place = evidence.and_then(|it| facts.get(it)).map(|it| it.place);
    Some(Verdict { guilty: guilty_at(verdict.code, place), evidence, ..verdict })
}

/// The code that the facts make of the one a call ended with.
#[expect(clippy::wildcard_enum_match_arm, reason = "no fact makes another code of the others")]
fn more_exactly(ended: ReleaseCode, facts: &[Fact]) -> Verdict {
    use Confidence::{Certain, Likely, Possible};
    use ReleaseCode as Code;
    match ended {
        Code::CallerHangup
        | Code::CalleeHangup
        | Code::MediaOneWay
        | Code::MediaNone
        | Code::MediaPrivateSdp => by_media(ended, facts),
        Code::LineRejected | Code::LineRejectedFrom => {
            let shown = last(facts, |it| matches!(it, What::Showed { .. }));
            match shown.filter(|_| refused_with(facts, &[403])) {
                Some(at) => found(Code::LineRejectedFrom, Likely, at),
                None => found(ended, Certain, None),
            }
        }
        Code::CalleeRejected
        | Code::LineFailed
        | Code::LineExtension
        | Code::LineRejectedUriParam
        | Code::LinePrackRefused => match (prack_refusal(facts), parameters_refusal(facts)) {
            (Some((at, Who::Line(_))), _) => found(Code::LinePrackRefused, Likely, at),
            (None, Some((at, Who::Line(_)))) => found(Code::LineRejectedUriParam, Possible, at),
            // A phone or a trunk is no line.
            (Some(_), _) | (None, Some(_) | None) => found(ended, Certain, None),
        },
        // The number may as well not be complete.
        Code::CalleeUnknown => match (prack_refusal(facts), parameters_refusal(facts)) {
            (None, Some((at, Who::Line(_)))) => found(Code::LineRejectedUriParam, Possible, at),
            (Some(_), _) | (None, Some(_) | None) => found(ended, Certain, None),
        },
        Code::LineNotRegistered => match why_unregistered(facts) {
            Some((why, at)) => found(why, Certain, at),
            None => found(ended, Certain, None),
        },
        Code::MediaCodec | Code::MediaCrypto => {
            match last(facts, |it| matches!(it, What::Offered { srtp: true, .. })) {
                Some(at) => found(Code::MediaCrypto, Likely, at),
                None => found(ended, Certain, None),
            }
        }
        other => found(other, Certain, None),
    }
}

fn found(code: ReleaseCode, confidence: Confidence, at: impl Into<Option<usize>>) -> Verdict {
    Verdict { code, guilty: guilty(code), confidence, evidence: at.into() }
}

/// A call that somebody hung up, as one does, may still have been a call without sound.
fn by_media(ended: ReleaseCode, facts: &[Fact]) -> Verdict {
    let silent = |place: fn(Place) -> bool| {
        facts.iter().rposition(|it| matches!(it.what, What::NoPackets { .. }) && place(it.place))
    };
    let caller = silent(|it| it == Place::Caller);
    let callee = silent(|it| matches!(it, Place::Callee(_)));
    let (code, confidence, at) = match (caller, callee) {
        (Some(_), Some(at)) => (ReleaseCode::MediaNone, Confidence::Certain, Some(at)),
        (Some(at), None) | (None, Some(at)) => {
            (ReleaseCode::MediaOneWay, Confidence::Certain, Some(at))
        }
        (None, None) => {
            match last(facts, |it| matches!(it, What::PrivateAddress { relayed: false, .. })) {
                Some(at) => (ReleaseCode::MediaPrivateSdp, Confidence::Likely, Some(at)),
                None => (ended, Confidence::Certain, None),
            }
        }
    };
    found(code, confidence, at)
}

/// Whose fault a code is that either side can cause.
fn guilty_at(code: ReleaseCode, at: Option<Place>) -> Guilty {
    use ReleaseCode as Code;
    let either = matches!(
        code,
        Code::MediaOneWay
            | Code::MediaPrivateSdp
            | Code::MediaTimeout
            | Code::DialogNoAck
            | Code::DialogRefreshFailed
            | Code::DialogPeerVanished
    );
    match at.filter(|_| either) {
        Some(Place::Caller) => Guilty::Caller,
        Some(Place::Callee(_)) => Guilty::Callee,
        Some(Place::Office) | None => guilty(code),
    }
}

/// Whether a fact is what its code is about.
fn tells(code: ReleaseCode, what: &What) -> bool {
    use ReleaseCode as Code;
    match what {
        What::Unrouted { code: it, .. } | What::NotTaken { code: it, .. } => *it == code,
        What::Unregistered { why, .. } => *why == Some(code) || code == Code::LineNotRegistered,
        What::NoPhone { .. } => code == Code::CalleeNotRegistered,
        What::Full { .. } => matches!(code, Code::CallerLimit | Code::CalleeLimit),
        What::Refused { .. } => matches!(
            code,
            Code::CalleeBusy
                | Code::CalleeDeclined
                | Code::CalleeNoAnswer
                | Code::CalleeUnknown
                | Code::CalleeRejected
                | Code::CalleeForwarded
                | Code::LineAuthFailed
                | Code::LineRejected
                | Code::LineFailed
                | Code::TrunkRejected
                | Code::TrunkFailed
                | Code::LineDiverted
                | Code::TrunkDiverted
                | Code::LineExtension
                | Code::TrunkExtension
                | Code::MediaCodec
        ),
        What::Silent { .. } => {
            matches!(code, Code::CalleeUnreachable | Code::LineNoResponse | Code::TrunkUnreachable)
        }
        What::Broken { .. } => {
            matches!(code, Code::CalleeFlowLost | Code::LineUnreachable | Code::TrunkUnreachable)
        }
        What::NoAnswer { .. } => code == Code::CalleeNoAnswer,
        What::NoAck { .. } => code == Code::DialogNoAck,
        What::NoPrack => code == Code::DialogNoPrack,
        What::NotRefreshed { .. } => code == Code::DialogRefreshFailed,
        What::Vanished { .. } | What::StreamLost => code == Code::DialogPeerVanished,
        What::MediaStopped { .. } => code == Code::MediaTimeout,
        What::Offered { .. } => matches!(code, Code::MediaCodec | Code::MediaCrypto),
        What::MediaFailed { .. } => code == Code::MediaFailed,
        What::SentOn { .. } => matches!(code, Code::LineDiverted | Code::TrunkDiverted),
        What::NotJoined { .. } => code == Code::SystemNotJoined,
        What::Showed { .. }
        | What::Parameters(_)
        | What::PrackRefused { .. }
        | What::PrivateAddress { .. }
        | What::NoPackets { .. } => false,
    }
}

/// Whether a fact says that it failed, where another one may say why.
fn sums_up(what: &What) -> bool {
    matches!(what, What::Unrouted { .. } | What::Refused { .. })
}

fn last(facts: &[Fact], is: impl Fn(&What) -> bool) -> Option<usize> {
    facts.iter().rposition(|it| is(&it.what))
}

/// Whether the last refusal had one of these.
fn refused_with(facts: &[Fact], wanted: &[u16]) -> bool {
    let at = last(facts, |it| matches!(it, What::Refused { .. }));
    let what = at.and_then(|it| facts.get(it)).map(|it| &it.what);
    matches!(what, Some(What::Refused { status, .. }) if wanted.contains(status))
}

/// The refusal of a PRACK by the one that was the last to refuse the call.
fn prack_refusal(facts: &[Fact]) -> Option<(usize, &Who)> {
    let end = last(facts, |it| matches!(it, What::Refused { .. } | What::Silent { .. }))?;
    let place = facts[end].place;
    facts[..end].iter().enumerate().rev().find_map(|(at, it)| {
        let What::PrackRefused { who, .. } = &it.what else { return None };
        (it.place == place).then_some((at, who))
    })
}

/// The Request-URI parameters of the INVITE that was the last to be refused, where they may be why.
fn parameters_refusal(facts: &[Fact]) -> Option<(usize, &Who)> {
    let end = last(facts, |it| matches!(it, What::Refused { .. }))?;
    let What::Refused { who, status: 400 | 414 | 416 | 420 | 484, .. } = &facts[end].what else {
        return None;
    };
    let place = facts[end].place;
    let there = |it: &Fact| it.place == place && matches!(it.what, What::Parameters(_));
    facts.iter().rposition(there).map(|at| (at, who))
}

/// What keeps every line that was meant from being registered, where it is one thing.
fn why_unregistered(facts: &[Fact]) -> Option<(ReleaseCode, usize)> {
    let mut one = None;
    for (index, fact) in facts.iter().enumerate() {
        let What::Unregistered { why, .. } = fact.what else { continue };
        match (one, why?) {
            (Some((known, _)), why) if known != why => return None,
            (_, why) => one = Some((why, index)),
        }
    }
    // A status says less than that the line is not registered.
    one.filter(|it| it.0 != ReleaseCode::LineRejected)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
