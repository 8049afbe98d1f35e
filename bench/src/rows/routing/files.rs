//! A dial plan as the files that `dialtone dialplan import` reads.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use pbx::dialplan::plan::DialPlan;
use pbx::dialplan::rows::{LineChoice, RouteType, TrunkChoice};
use pbx::dialplan::transition::TransitionKind;

/// Of rows with one prefix only the first, as the server takes no others. Lines and trunks of outgoing groups 1
/// to 9 are there too, at an address where nobody is.
pub(super) fn write(plan: &DialPlan, lines: u32, folder: &Path) -> Result<()> {
    let mut transitions = String::from("id,type,start,length,string\n");
    for it in plan.transitions.values() {
        let kind = match it.kind {
            TransitionKind::Delete => "delete",
            TransitionKind::Replace => "replace",
            TransitionKind::Insert => "insert",
        };
        writeln!(transitions, "{},{kind},{},{},'{}", it.id, it.start, it.length, it.string)?;
    }
    let mut called = String::from("id,prefix,route,transition,level,time\n");
    let mut seen = BTreeSet::new();
    for it in plan.called.rows().filter(|it| seen.insert(it.prefix.clone())) {
        let route = route(&it.route)?;
        let number = |it: Option<u32>| it.map(|it| it.to_string()).unwrap_or_default();
        let (transition, level) = (number(it.transition), number(it.level.map(Into::into)));
        let time = if it.time.is_some() { "mon-fri" } else { "" };
        writeln!(called, "{},{},{route},{transition},{level},{time}", it.id, it.prefix)?;
    }
    let mut callers = String::from("id,prefix\n");
    for it in plan.callers.rows() {
        writeln!(callers, "{},{}", it.id, it.prefix)?;
    }
    let mut black_list = String::from("id,caller,called,rate\n");
    for it in plan.blocked.rows() {
        writeln!(black_list, "{},{},{},{}", it.id, it.caller, it.called, it.rate)?;
    }
    let mut refine_called = String::from("id,group,prefix,transition\n");
    for it in plan.refine_called.rows() {
        writeln!(refine_called, "{},{},{},{}", it.id, it.group, it.prefix, it.transition)?;
    }
    let mut line_rows = String::from("account,domain,register,group\n");
    for it in 0..lines {
        writeln!(line_rows, "{},127.0.0.1,false,{}", 20_000_000 + it, it % 10)?;
    }
    let mut trunks = String::from("id,addresses,group,options_s\n");
    for id in 1..=9 {
        writeln!(trunks, "{id},127.0.0.1:{},{id},0", 1000 + id)?;
    }
    for (name, text) in [
        ("transitions", transitions),
        ("called", called),
        ("callers", callers),
        ("black_list", black_list),
        ("refine_called", refine_called),
        ("lines", line_rows),
        ("trunks", trunks),
    ] {
        std::fs::write(folder.join(name).with_extension("csv"), text)?;
    }
    Ok(())
}

fn route(route: &RouteType) -> Result<String> {
    Ok(match route {
        RouteType::LocalUser => "local-user".to_owned(),
        RouteType::ExternalLine(LineChoice::Group(group)) => format!("external-line:group:{group}"),
        RouteType::SipTrunk(TrunkChoice::Listed(ids)) => {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            format!("sip-trunk:listed:{}", ids.join(" "))
        }
        RouteType::ExternalLine(_)
        | RouteType::SipTrunk(_)
        | RouteType::Service(_)
        | RouteType::FeatureCode(_)
        | RouteType::Reject(_) => bail!("the plan has no {route:?}"),
    })
}
