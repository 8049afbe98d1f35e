//! The command that helps with a verdict. What others wrote stands in none unless it is plain.

use super::fact::{What, Who};
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
            Some("dialtone registrations".to_owned())
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
        | Code::LineAllBusy
        | Code::LineClosed
        | Code::LineTakesNone
        | Code::LineIncomingBusy
        | Code::LineAuthFailed
        | Code::LineAuthUnknown
        | Code::LineRejected
        | Code::LineNoResponse
        | Code::LineUnreachable
        | Code::LineFailed
        | Code::LineNotBound
        | Code::LineRedirected
        | Code::LineDiverted
        | Code::LineExtension
        | Code::LineDns => Some(format!("dialtone line show {}", line()?)),
        Code::TrunkTakesNone
        | Code::TrunkIncomingBusy
        | Code::TrunkRejected
        | Code::TrunkFailed
        | Code::TrunkDiverted
        | Code::TrunkExtension
        | Code::TrunkUnreachable
        | Code::TrunkDns
        | Code::TrunkAllBusy
        | Code::TrunkClosed => Some(format!("dialtone trunk show {}", word(trunk(record)?)?)),
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

/// The line that the newest fact is about, else the one of the record.
fn line(record: &CallRecord) -> Option<&str> {
    let mut facts = record.facts.iter().rev();
    let named = facts.find_map(|it| match (&it.what, who(&it.what)) {
        (What::Unregistered { line, .. }, _) => Some(&**line),
        (_, Some(Who::Line(account))) => Some(&**account),
        _ => None,
    });
    named.or(record.line.as_deref())
}

fn trunk(record: &CallRecord) -> Option<&str> {
    let mut facts = record.facts.iter().rev();
    let named = facts.find_map(|it| match who(&it.what) {
        Some(Who::Trunk(id)) => Some(&**id),
        Some(Who::Line(_) | Who::Phone(_)) | None => None,
    });
    named.or(record.trunk.as_deref())
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
