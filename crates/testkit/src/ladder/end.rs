//! What must hold after a ladder, and the lines about records and events.

use super::expect::same;
use super::line::Words;
use super::stage::Stage;
use crate::office::Office;
use crate::office::edge::PAIRS;
use pbx::SmolStr;
use pbx::dialplan::time::Zone;
use pbx::event::{Event, Undone, UnregisterReason};
use pbx::language::Text;
use pbx::record::CallRecord;
use pbx::verdict::judge;
use std::collections::VecDeque;
use std::time::Duration;

/// 64·T1 (RFC 3261 §17) for every transaction to end, and what ports rest after that.
const IDLE: Duration = Duration::from_secs(32 + 10);

/// Lets the core come to rest, in silence, and looks for what it kept.
pub(super) fn check(stage: &mut Stage) -> Result<(), String> {
    stage.office.advance(IDLE);
    if let Some(sent) = stage.office.poll_sent() {
        return Err(format!("the server {}", stage.describe(&sent)));
    }
    if stage.office.core().counters().faults > 0 {
        return Err("the core panicked".into());
    }
    if let Some(request) = stage.unanswered.values().next() {
        return Err(format!("no final response to {request}"));
    }
    what_is_left(&stage.office).map_or(Ok(()), Err)
}

/// Everything a call may leave behind.
pub(crate) fn what_is_left(office: &Office) -> Option<String> {
    let complaints = [&office.journal.complaints, &office.edge.complaints];
    if let Some(complaint) = complaints.into_iter().flatten().next() {
        return Some(complaint.clone());
    }
    let counters = office.core().counters();
    let present = [
        ("calls", counters.calls_active),
        ("transactions", counters.transactions_active),
        ("waiting for names", office.core().waiters() as u64),
        ("leased ports", counters.ports_leased),
        ("call timers", counters.timers),
        ("media ports lost", u64::from(PAIRS).saturating_sub(counters.ports_free)),
        ("calls without a record", office.journal.open.len() as u64),
        ("media sessions", office.edge.sessions.len() as u64),
    ];
    let (what, count) = present.into_iter().find(|it| it.1 != 0)?;
    Some(format!("{count} {what} left"))
}

/// `record release=caller.hangup status=200 …` against the record.
pub(super) fn record(record: &CallRecord, words: &Words) -> Result<(), String> {
    for (name, wanted) in words.pairs() {
        let text = |it: &Option<SmolStr>| it.as_deref().unwrap_or("none").to_owned();
        let is = match name {
            "release" => record.release_code.map_or("none", |it| it.as_str()).to_owned(),
            "status" => record.sip_status.to_string(),
            "cause" => record.q850_cause.to_string(),
            "by" => record
                .released_by
                .map_or_else(|| "none".into(), |it| format!("{it:?}").to_lowercase()),
            "caller" => record.caller_number.to_string(),
            "caller-name" => record.caller_name.to_string(),
            "extension" => text(&record.caller_extension),
            "dialled" => record.dialled_number.to_string(),
            "sent" => record.sent_number.to_string(),
            "linked" => yes_or_no(record.linked_call_id.is_some()),
            "callee" => record.callee_number.to_string(),
            "line" => text(&record.line),
            "trunk" => text(&record.trunk),
            "direction" => format!("{:?}", record.direction).to_lowercase(),
            "ringing" => yes_or_no(record.ringing_at.is_some()),
            "answered" => yes_or_no(record.answered_at.is_some()),
            "relayed" => yes_or_no(record.relayed),
            "billable" => format!("{}ms", record.billable_ms),
            "duration" => format!("{}ms", record.duration_ms),
            "codec" => record.codec_caller.to_ascii_lowercase(),
            "codec-callee" => record.codec_callee.to_ascii_lowercase(),
            "fci" => record.fci.to_string(),
            "guilty" => judge(record).map_or("none", |it| it.guilty.as_str()).to_owned(),
            "sure" => judge(record).map_or("none", |it| it.confidence.as_str()).to_owned(),
            "says" => sentence(record).en.into_owned(),
            "zh" => sentence(record).zh.into_owned(),
            "facts" => record.facts.iter().map(|it| it.what.as_str()).collect::<Vec<_>>().join(","),
            "packets" => record.caller_media.rtp_packets_in.to_string(),
            _ => return Err(format!("a record has no {name}")),
        };
        let wanted = match name {
            "billable" | "duration" => {
                format!("{}ms", super::line::duration(wanted)?.as_millis())
            }
            _ => wanted.to_owned(),
        };
        same(&format!("{name} in {record:#?}\n  {name}"), &is, &wanted)?;
    }
    Ok(())
}

fn sentence(record: &CallRecord) -> Text {
    let verdict = judge(record).map(|it| it.sentence(record, &Zone::default()));
    verdict.unwrap_or_else(|| Text::same(""))
}

fn yes_or_no(it: bool) -> String {
    if it { "yes".into() } else { "no".into() }
}

/// `event throttled`, `event auth_failed=replay`: published since the last such line.
pub(super) fn event(events: &mut VecDeque<Event>, words: &Words) -> Result<(), String> {
    let published: Vec<String> = events.drain(..).map(|it| in_words(&it)).collect();
    match wanted(words).into_iter().find(|it| !published.contains(it)) {
        Some(missing) => Err(format!("no {missing} among {published:?}")),
        None => Ok(()),
    }
}

/// All that is told, in its order.
pub(super) fn report(events: &mut VecDeque<Event>, words: &Words) -> Result<(), String> {
    let told: Vec<String> = events.drain(..).map(|it| in_words(&it)).collect();
    let wanted = wanted(words);
    if told == wanted { Ok(()) } else { Err(format!("told is {told:?}, not {wanted:?}")) }
}

fn wanted(words: &Words) -> Vec<String> {
    let pairs = words.pairs().map(|(name, value)| format!("{name}={value}"));
    words.flags().map(str::to_owned).chain(pairs).collect()
}

fn in_words(event: &Event) -> String {
    match event {
        Event::Registered(binding) => format!("registered={}", binding.key.extension),
        Event::Unregistered { why, .. } => {
            let why = match why {
                UnregisterReason::Expired => "expired",
                UnregisterReason::Removed => "removed",
                UnregisterReason::Replaced => "replaced",
                UnregisterReason::Restarted => "restarted",
                UnregisterReason::LoggedOff => "logged-off",
                UnregisterReason::Deleted => "deleted",
                UnregisterReason::PasswordChanged => "password",
            };
            format!("unregistered={why}")
        }
        Event::AuthFailed { why, .. } => format!("auth_failed={}", why.as_str()),
        Event::Call(status) => format!("call={}", status.state.as_str()),
        Event::CallEnded(_) => "call_ended".into(),
        Event::Line(status) if status.limit_hits > 0 => {
            format!("line={}/full*{}", status.account, status.limit_hits)
        }
        Event::Line(status) => match status.trouble {
            Some(trouble) => format!("trouble={}", trouble.code()),
            None => format!("line={}", status.standing.as_str()),
        },
        Event::LineGone { .. } => "line=gone".into(),
        Event::Examined { token, .. } => format!("examined={token}"),
        Event::Ordered { undone, .. } => {
            let word = undone.map_or("done", |it| match it {
                Undone::Full => "full",
                Undone::NoRights => "no-rights",
                Undone::NoCall => "no-call",
                Undone::NotTalking => "not-talking",
                Undone::Transferring => "transferring",
            });
            format!("ordered={word}")
        }
        Event::Tried { token, .. } => format!("tried={token}"),
        Event::Trunk(status) => {
            let up = status.servers.iter().filter(|it| it.up).count();
            let stale = status.trouble.is_some_and(|it| it.stale);
            format!("trunk={}/{up}{}", status.id, if stale { "/stale" } else { "" })
        }
        Event::TrunkGone { id, .. } => format!("trunk={id}/gone"),
        Event::Throttled { .. } => "throttled".into(),
        Event::Fault { .. } => "fault".into(),
    }
}
