//! The command that helps with a verdict. What others wrote stands in none unless it is plain.

use super::fact::{Place, What, Who};
use super::{parameters_refusal, prack_refusal};
use crate::record::{CallRecord, Direction};
use crate::release::ReleaseCode as Code;
use std::borrow::Cow;

/// The command for a code; `None` where there is nothing to do, or nothing that one command does.
#[expect(clippy::wildcard_enum_match_arm, reason = "most codes have none")]
pub(super) fn action(code: Code, record: &CallRecord) -> Option<String> {
    let line = || word(line(record)?);
    match code {
        Code::RouteNoMatch
        | Code::RouteDeniedLevel
        | Code::SecurityBlocked
        | Code::RouteLoop
        | Code::RouteRejected
        | Code::RouteNoLine
        | Code::RouteNoTrunk
        | Code::RouteNoService
        | Code::LineNotShared
        | Code::CalleeUnknown => simulate(record),
        Code::CalleeNotRegistered | Code::CalleeUnreachable | Code::CalleeFlowLost => {
            Some(match record.callee_extension.as_deref().and_then(word) {
                Some(number) => format!("dialtone registrations history {number}"),
                None => "dialtone registrations".to_owned(),
            })
        }
        Code::CallerLimit | Code::CalleeLimit => one_call_more(record),
        Code::LineRejectedFrom => {
            Some(format!("dialtone line set {} --from-user account", line()?))
        }
        Code::LineRejectedUriParam => {
            Some(format!("dialtone line set {} --uri-parameters ''", line()?))
        }
        Code::LinePrackRefused => Some(format!("dialtone line set {} --100rel off", line()?)),
        Code::LineRegCseq => Some(format!("dialtone line set {} --new-call-id true", line()?)),
        Code::LineNotRegistered
        | Code::LineNotBound
        | Code::LineRedirected
        | Code::LineAuthFailed
        | Code::LineAuthUnknown
        | Code::LineRejected
        | Code::LineFailed
        | Code::LineNoResponse
        | Code::LineUnreachable
        | Code::LineDns => Some(format!("dialtone line doctor {}", line()?)),
        Code::MediaPrivateSdp => Some(format!("dialtone {} --relay always", set(record)?)),
        Code::LineAllBusy | Code::LineClosed | Code::LineDiverted | Code::LineExtension => {
            Some(format!("dialtone line show {}", line()?))
        }
        // These are about the line or trunk that a call came by.
        Code::LineTakesNone | Code::LineIncomingBusy => {
            Some(format!("dialtone line show {}", word(record.line.as_deref()?)?))
        }
        Code::TrunkTakesNone | Code::TrunkIncomingBusy => {
            Some(format!("dialtone trunk show {}", word(record.trunk.as_deref()?)?))
        }
        Code::TrunkRejected
        | Code::TrunkDiverted
        | Code::TrunkExtension
        | Code::TrunkUnreachable
        | Code::TrunkDns
        | Code::TrunkAllBusy
        | Code::TrunkClosed => show_trunk(record),
        Code::TrunkFailed => plainer_trunk(record).or_else(|| show_trunk(record)),
        Code::CalleeRejected => plainer_trunk(record),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others tell of no limit")]
fn one_call_more(record: &CallRecord) -> Option<String> {
    let full = record.facts.iter().rev().find_map(|it| match &it.what {
        What::Full { number, most } => Some((number, most)),
        _ => None,
    });
    let (number, most) = full?;
    Some(format!("dialtone ext set {} --calls {}", word(number)?, most.saturating_add(1)))
}

fn show_trunk(record: &CallRecord) -> Option<String> {
    Some(format!("dialtone trunk show {}", word(trunk(record)?)?))
}

/// What a trunk may want less of, by what it refused.
fn plainer_trunk(record: &CallRecord) -> Option<String> {
    let facts = &record.facts;
    let (who, less) = match (prack_refusal(facts), parameters_refusal(facts)) {
        (Some((_, who)), _) => (who, "--100rel off"),
        (None, Some((_, who))) => (who, "--uri-parameters ''"),
        (None, None) => return None,
    };
    match who {
        Who::Trunk(id) => Some(format!("dialtone trunk set {} {less}", word(id)?)),
        Who::Line(_) | Who::Phone(_) => None,
    }
}

/// `set` of the extension, line or trunk on the side that named a private address.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others tell of no such address")]
fn set(record: &CallRecord) -> Option<String> {
    let place = record.facts.iter().rev().find_map(|it| match it.what {
        What::PrivateAddress { relayed: false, .. } => Some(it.place),
        _ => None,
    })?;
    let is_outside = match place {
        Place::Caller => record.direction == Direction::Incoming,
        Place::Callee(_) => record.direction == Direction::Outgoing,
        Place::Office => return None,
    };
    match (is_outside, &record.line, &record.trunk) {
        (true, Some(line), _) => Some(format!("line set {}", word(line)?)),
        (true, None, Some(trunk)) => Some(format!("trunk set {}", word(trunk)?)),
        (true, None, None) => None,
        (false, ..) => {
            let is_caller = place == Place::Caller;
            let number =
                if is_caller { &record.caller_extension } else { &record.callee_extension };
            Some(format!("ext set {}", word(number.as_deref()?)?))
        }
    }
}

/// The line that the newest fact is about, else the one that the call went out by.
fn line(record: &CallRecord) -> Option<&str> {
    let mut facts = record.facts.iter().rev();
    let named = facts.find_map(|it| match (&it.what, who(&it.what)) {
        (What::Unregistered { line, .. }, _) => Some(&**line),
        (_, Some(Who::Line(account))) => Some(&**account),
        _ => None,
    });
    named.or_else(|| record.line.as_deref().filter(|_| record.direction == Direction::Outgoing))
}

fn trunk(record: &CallRecord) -> Option<&str> {
    let mut facts = record.facts.iter().rev();
    let named = facts.find_map(|it| match who(&it.what) {
        Some(Who::Trunk(id)) => Some(&**id),
        Some(Who::Line(_) | Who::Phone(_)) | None => None,
    });
    named.or_else(|| record.trunk.as_deref().filter(|_| record.direction == Direction::Outgoing))
}

/// Whom a fact is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others name nobody")]
fn who(what: &What) -> Option<&Who> {
    match what {
        What::NotTaken { who, .. }
        | What::Refused { who, .. }
        | What::Silent { who, .. }
        | What::Broken { who, .. }
        | What::SentOn { who, .. }
        | What::PrackRefused { who, .. } => Some(who),
        _ => None,
    }
}

/// The same question to the simulator.
fn simulate(record: &CallRecord) -> Option<String> {
    let (from, dial) = (word(&record.caller_number)?, word(&record.dialled_number)?);
    let is_incoming = record.direction == Direction::Incoming;
    let [line, trunk] =
        [&record.line, &record.trunk].map(|it| it.as_deref().filter(|_| is_incoming));
    let by = match (line, trunk) {
        (Some(line), _) => format!("--line {}", word(line)?),
        (None, Some(trunk)) => format!("--dial {dial} --trunk {}", word(trunk)?),
        (None, None) => format!("--dial {dial}"),
    };
    Some(format!("dialtone dialplan simulate --from {from} {by}"))
}

/// A number or name as a word of a command; `None` where it holds anything that a shell might take
/// for something else, or a reader for another command.
fn word(text: &str) -> Option<Cow<'_, str>> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"+._".contains(&it);
    if text.is_empty() || text.starts_with('-') {
        None
    } else if text.bytes().all(plain) {
        Some(Cow::Borrowed(text))
    } else {
        let quoted = text.bytes().all(|it| plain(it) || b"*#-@".contains(&it));
        quoted.then(|| Cow::Owned(format!("'{text}'")))
    }
}
