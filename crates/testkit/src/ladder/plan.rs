//! The dial plan of a ladder, a row a line.
//!
//! ```text
//! given transition 1 delete start=0 length=1
//! given transition 2 replace start=0 length=1 string=0086
//! given called 1 prefix=9 line=1234 transition=1 reanalyze
//! given called 2 prefix=2 trunk=1,2 level=3
//! given refine-called 1 group=1 prefix=0 transition=2
//! given black-list 1 caller=101 called=* rate=100
//! given feature echo code=*44
//! ```

use super::line::Words;
use crate::office::Office;
use pbx::dialplan::Feature;
use pbx::dialplan::feature_codes::FeatureRow;
use pbx::dialplan::rows::{
    BlockRow, CalledRow, DEFAULT_PLAN, LineChoice, RefineRow, RouteType, TrunkChoice,
};
use pbx::dialplan::transition::{Transition, TransitionKind};
use pbx::directory::Tenant;

/// Puts the rows that are given into the dial plan.
pub(super) fn furnish(office: &mut Office, given: &[&Words]) -> Result<(), String> {
    let mut outcome = Ok(());
    office.change(|tenant| outcome = given.iter().try_for_each(|it| put(tenant, it)));
    outcome
}

/// Other lines are nothing to it.
fn put(tenant: &mut Tenant, words: &Words) -> Result<(), String> {
    let plan = &mut tenant.dial_plan;
    match words.head.as_str() {
        "transition" => plan.put_transition(transition(words)?),
        "called" => plan.called.put(called(words)?),
        "refine-caller" => plan.refine_caller.put(refine(words)?),
        "refine-called" => plan.refine_called.put(refine(words)?),
        "feature" => {
            let row = feature(words)?;
            let others = plan.features.chosen().filter(|it| it.feature != row.feature).cloned();
            plan.features = others.chain([row.clone()]).collect();
        }
        "black-list" => plan.blocked.put(block(words)?),
        _ => {}
    }
    Ok(())
}

fn transition(words: &Words) -> Result<Transition, String> {
    let kind = match words.flags().nth(1) {
        Some("delete") => TransitionKind::Delete,
        Some("replace") => TransitionKind::Replace,
        Some("insert") => TransitionKind::Insert,
        _ => return Err("a transition deletes, replaces or inserts".into()),
    };
    Ok(Transition {
        id: id(words)?,
        kind,
        start: number(words, "start")?.unwrap_or_default(),
        length: number(words, "length")?.unwrap_or_default(),
        string: text(words, "string"),
        description: Box::default(),
    })
}

fn called(words: &Words) -> Result<CalledRow, String> {
    let trunks = words.get("trunk").map(|it| it.split(',').map(str::parse).collect());
    let trunks: Option<Vec<u32>> = trunks.transpose().map_err(|_| "trunk=1,2".to_owned())?;
    let line = words.get("line").map(Into::into);
    let group = number(words, "group")?;
    let route = match (line, trunks, group) {
        (Some(account), ..) => RouteType::ExternalLine(LineChoice::Line(account)),
        (_, Some(ids), _) => RouteType::SipTrunk(TrunkChoice::Listed(ids)),
        (.., Some(group)) => RouteType::ExternalLine(LineChoice::Group(group)),
        (None, None, None) => RouteType::LocalUser,
    };
    Ok(CalledRow {
        id: id(words)?,
        plan: DEFAULT_PLAN.into(),
        prefix: text(words, "prefix"),
        route,
        transition: number(words, "transition")?,
        reanalyze: words.has("reanalyze"),
        level: number(words, "level")?,
        time: None,
        description: Box::default(),
    })
}

fn refine(words: &Words) -> Result<RefineRow, String> {
    Ok(RefineRow {
        id: id(words)?,
        group: number(words, "group")?.unwrap_or_default(),
        prefix: text(words, "prefix"),
        transition: number(words, "transition")?.ok_or("which transition?")?,
        time: None,
        description: Box::default(),
    })
}

fn block(words: &Words) -> Result<BlockRow, String> {
    Ok(BlockRow {
        id: id(words)?,
        caller: text(words, "caller"),
        called: text(words, "called"),
        rate: number(words, "rate")?.unwrap_or(100),
        description: Box::default(),
    })
}

fn feature(words: &Words) -> Result<FeatureRow, String> {
    let feature = words.flags().next().and_then(Feature::named).ok_or("which feature?")?;
    Ok(FeatureRow { feature, code: text(words, "code") })
}

fn id(words: &Words) -> Result<u32, String> {
    let id = words.flags().next().and_then(|it| it.parse().ok());
    id.ok_or_else(|| format!("the number of the {}?", words.head))
}

fn number<T: std::str::FromStr>(words: &Words, name: &str) -> Result<Option<T>, String> {
    let parse = |it: &str| it.parse().map_err(|_| format!("{name}={it}: not a number"));
    words.get(name).map(parse).transpose()
}

fn text(words: &Words, name: &str) -> Box<str> {
    words.get(name).unwrap_or_default().into()
}
