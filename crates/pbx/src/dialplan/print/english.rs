//! The steps of a decision in English.

use super::super::query::Candidate;
use super::super::reception::Reception;
use super::super::rows::{CalledRow, LineChoice, RouteType, TrunkChoice};
use super::super::step::{Explanation, Fallback, Found, Skip, Step, Taken, Which};
use super::super::table::Row;
use crate::interop::{CallLimit, Reliable};
use crate::language::Language;
use crate::line::config::Incoming;
use std::fmt::Display;

const TRANSITION: [&str; 4] = ["delete", "replace", "insert", "by"];

pub(super) fn head(it: &Explanation) -> String {
    let Explanation { caller, dialled, at, route, .. } = it;
    let (hour, minute) = (at.minute / 60, at.minute % 60);
    let day = at.date.strftime("%a %Y-%m-%d");
    format!(
        "Dialled {dialled}  from {caller}  plan \"{}\"  at {day} {hour:02}:{minute:02}",
        route.plan
    )
}

pub(super) fn step(step: &Step, of: &Explanation) -> (String, String) {
    let name = |it: &str| it.to_owned();
    match step {
        Step::Emergency(number) => (
            name("Emergency number"),
            format!("{number}: no black list, no level, no limit, the number as it is"),
        ),
        Step::NoEmergencyRoute => {
            (name("Emergency number"), name("nothing can take it -> an ordinary number"))
        }
        Step::BlockList { row: None, .. } => (name("Black list"), name("no match")),
        Step::BlockList { row: Some(row), dice } => {
            let verdict = if row.blocks(*dice) { "blocked" } else { "passes" };
            let (caller, called, rate) = (&row.caller, &row.called, row.rate);
            let facts = format!(
                "row {}  caller {caller}  called {called}  rate {rate} -> {verdict}",
                row.id
            );
            (name("Black list"), facts)
        }
        Step::Incoming { account, detected: Some(row), .. } => {
            (name("Incoming line"), format!("{account} -> row {row} has a service for it"))
        }
        Step::Incoming { account, detected: None, target, owner } => {
            (name("Incoming line"), format!("{account} -> {}", incoming(target, owner.as_deref())))
        }
        Step::CallerAnalysis { found, plan, before, after } => {
            let effect = if before == after {
                format!(" -> plan {plan}, caller kept")
            } else {
                format!(" -> plan {plan}, caller {before} -> {after}")
            };
            (name("Caller analysis"), self::found(found, &effect))
        }
        Step::FeatureCode(None) => (name("Feature codes"), name("no match")),
        Step::FeatureCode(Some((code, it))) => (name("Feature codes"), format!("{code} -> {it}")),
        Step::CalledAnalysis { found, held } => {
            let effect = found.row.as_ref().map(|it| called(it, *held, &of.caller));
            (name("Called analysis"), self::found(found, &effect.unwrap_or_default()))
        }
        Step::Transition { transition, before, after, reanalyze } => {
            let what = super::transition(transition, TRANSITION);
            let again = if *reanalyze { "yes" } else { "no" };
            let facts = format!("{what}   {before} -> {after}   re-analyze: {again}");
            (format!("Transition {}", transition.id), facts)
        }
        Step::NoTransition(id) => {
            (format!("Transition {id}"), name("does not exist: the number is kept"))
        }
        Step::Fallback(it) => (name("No row"), fallback(it)),
        Step::LineChoice { choice, chosen, skipped, more } => {
            (name("Line choice"), format!("{}: {}", lines(choice), taken(chosen, skipped, *more)))
        }
        Step::TrunkChoice { choice, chosen, skipped, more } => {
            (name("Trunk choice"), format!("{}: {}", trunks(choice), taken(chosen, skipped, *more)))
        }
        Step::Refine { which, group, found, transition, before, after } => {
            let which = match which {
                Which::Caller => "Refine caller",
                Which::Called => "Refine called",
            };
            let what = transition.as_ref().map_or_else(
                || " -> its transition does not exist: kept".to_owned(),
                |it| format!(" -> {}   {before} -> {after}", super::transition(it, TRANSITION)),
            );
            (name(which), format!("group {group}  {}", self::found(found, &what)))
        }
        Step::Send(candidate) => (name("Send"), send(candidate)),
    }
}

pub(super) fn result(it: &Explanation) -> String {
    if let Some(code) = it.kept_back {
        let (status, sentence) = (code.status(), code.text());
        return format!("Result: refused with {status} ({code}). {}", sentence.get(Language::En));
    }
    let first = match &it.route.outcome {
        Ok(candidates) => candidates.first(),
        Err(refusal) => {
            let by = refusal.row.map(|it| format!(" by row {it}")).unwrap_or_default();
            let (code, status) = (refusal.code, refusal.status);
            return format!(
                "Result: refused{by} with {status} ({code}). {}",
                code.text().get(Language::En)
            );
        }
    };
    let Some(first) = first else { return "Result: nothing.".to_owned() };
    let mut text = format!("Result: {}", candidate(first));
    for other in super::alternatives(&it.route) {
        text += &format!(", then {}", candidate(other));
    }
    match &it.reception {
        None | Some(Reception::Rings) => {}
        Some(Reception::NoPhone) => text += " - no phone of it is registered now",
        Some(Reception::DoesNotDisturb) => text += " - but do not disturb is on",
        Some(Reception::Full) => text += " - but it has all the calls it may have",
        Some(Reception::SentOn { by, why, number }) => {
            text = format!("Result: extension {by} forwards to {number} ({})", why.as_str());
        }
    }
    if let Some(number) = &it.not_answered {
        text += &format!("; if nobody answers, it goes on to {number}");
    }
    if let Some(Err(code)) = &it.onward {
        let (status, sentence) = (code.status(), code.text());
        text += &format!(": refused with {status} ({code}). {}", sentence.get(Language::En));
        return text;
    }
    text + "."
}

fn candidate(it: &Candidate) -> String {
    match it {
        Candidate::Extension(it) => format!("would ring extension {}", it.number),
        Candidate::Feature(it) => format!("would start the feature {it}"),
        Candidate::Line(line, out) => {
            format!("would send {} as {} on line {}", out.called, out.caller, line.account)
        }
        Candidate::Trunk(trunk, out) => {
            format!("would send {} as {} on trunk {}", out.called, out.caller, trunk.id)
        }
    }
}

fn incoming(target: &Incoming, owner: Option<&str>) -> String {
    match (target, owner) {
        (Incoming::Owner, Some(owner)) => format!("its owner, extension {owner}"),
        (Incoming::Owner, None) => "no owner: the dial plan decides".to_owned(),
        (Incoming::Extension(number), _) => format!("extension {number}"),
        (Incoming::Number(number), _) => format!("number {number}"),
        (Incoming::Service(name), _) => format!("service {name}"),
    }
}

/// The row that counts, what it does, and why the others do not count.
fn found<R: Row>(found: &Found<R>, effect: &str) -> String {
    let mut text = match &found.row {
        Some(row) => format!("row {}  prefix {}", row.id(), prefix(row.prefix())),
        None => "no match".to_owned(),
    };
    let rivals = super::rivals(found);
    if !rivals.is_empty() {
        text += &format!("  longest of {rivals}");
    }
    text += effect;
    for row in &found.not_now {
        let time = row.time().map(ToString::to_string).unwrap_or_default();
        text += &format!("; not row {} (prefix {}): only {time}", row.id(), prefix(row.prefix()));
    }
    for row in &found.shorter {
        let why = match &found.row {
            Some(best) if best.prefix() == row.prefix() => "its turn comes after",
            _ => "shorter",
        };
        text += &format!("; not row {} (prefix {}): {why}", row.id(), prefix(row.prefix()));
    }
    text
}

fn prefix(text: &str) -> &str {
    if text.is_empty() { "\"\"" } else { text }
}

fn called(row: &CalledRow, held: bool, caller: &str) -> String {
    let mut text = format!(" -> {}", route(&row.route));
    if let Some(level) = row.level {
        let has = if held { "has" } else { "lacks" };
        text += &format!(", level {level} ({caller} {has} it)");
    }
    text
}

fn route(it: &RouteType) -> String {
    match it {
        RouteType::LocalUser => "local user".to_owned(),
        RouteType::ExternalLine(choice) => format!("external line, {}", lines(choice)),
        RouteType::SipTrunk(choice) => format!("SIP trunk, {}", trunks(choice)),
        RouteType::Service(name) => format!("service {name}"),
        RouteType::FeatureCode(feature) => format!("feature {}", feature.as_str()),
        RouteType::Reject(status) => format!("reject with {status}"),
    }
}

fn lines(choice: &LineChoice) -> String {
    match choice {
        LineChoice::Line(account) => format!("line {account}"),
        LineChoice::Group(group) => format!("lines of group {group} in rotation"),
        LineChoice::Rotation => "shared lines in rotation".to_owned(),
    }
}

fn trunks(choice: &TrunkChoice) -> String {
    match choice {
        TrunkChoice::Listed(ids) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("trunk {}", ids.join(", then "))
        }
        TrunkChoice::Group(group) => format!("trunks of group {group}"),
    }
}

fn fallback(it: &Fallback) -> String {
    match it {
        Fallback::LocalUser => "an extension's number -> local user".to_owned(),
        Fallback::OutGroup { prefix, before, after } => {
            format!("out-group prefix {prefix}   {before} -> {after}   -> external line")
        }
        Fallback::Nothing => "neither an extension nor the out-group prefix".to_owned(),
    }
}

fn taken<T: Display>(chosen: &[Taken<T>], skipped: &[(T, Skip)], more: usize) -> String {
    let mut text = String::new();
    for (index, Taken { name, calls, most }) in chosen.iter().enumerate() {
        let calls = match most {
            CallLimit(None) => format!("{calls} calls"),
            CallLimit(Some(most)) => format!("{calls} of {most} calls"),
        };
        text += if index == 0 { "" } else { ", then " };
        text += &format!("{name} ({calls})");
    }
    if chosen.is_empty() {
        text += "none";
    }
    for (name, why) in skipped {
        text += &format!("; not {name}: {}", skip(*why));
    }
    if more > 0 {
        text += &format!("; and {more} more, not told here");
    }
    text
}

fn skip(why: Skip) -> &'static str {
    match why {
        Skip::Missing => "does not exist",
        Skip::Off => "switched off",
        Skip::CameFrom => "the call came from there",
        Skip::NotShared => "belongs to another extension",
        Skip::Closed => "takes no outgoing calls",
        Skip::NotRegistered => "not registered",
        Skip::Unreachable => "does not respond",
        Skip::AllBusy => "all calls in use",
    }
}

fn send(candidate: &Candidate) -> String {
    let reliable = |it: Reliable| match it {
        Reliable::Auto => "100rel auto",
        Reliable::Required => "100rel required",
        Reliable::Off => "100rel off",
    };
    match candidate {
        Candidate::Line(line, out) => {
            format!("{}   {}", super::by_line(line, out), reliable(line.interop.reliable))
        }
        Candidate::Trunk(trunk, out) => {
            format!("{}   {}", super::by_trunk(trunk, out), reliable(trunk.interop.reliable))
        }
        Candidate::Extension(_) | Candidate::Feature(_) => self::candidate(candidate),
    }
}
