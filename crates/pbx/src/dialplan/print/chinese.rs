//! The steps of a decision in Chinese.

use super::super::feature::DialledFeature;
use super::super::query::Candidate;
use super::super::reception::Reception;
use super::super::rows::{CalledRow, LineChoice, RouteType, TrunkChoice};
use super::super::step::{Explanation, Fallback, Found, Skip, Step, Taken, Which};
use super::super::table::Row;
use super::super::time::TimeCondition;
use super::super::time::chinese::weekday;
use crate::interop::{CallLimit, Reliable};
use crate::language::Language;
use crate::line::config::Incoming;
use crate::supplementary::Forwarding;
use std::fmt::Display;

const TRANSITION: [&str; 4] = ["删除", "替换", "插入", "为"];

pub(super) fn head(it: &Explanation) -> String {
    let Explanation { caller, dialled, at, route, .. } = it;
    let (hour, minute) = (at.minute / 60, at.minute % 60);
    let day = usize::from(at.date.weekday().to_monday_zero_offset().unsigned_abs());
    format!(
        "拨打 {dialled}  主叫 {caller}  拨号计划 {}  时间 {}{} {hour:02}:{minute:02}",
        route.plan,
        at.date,
        weekday(day)
    )
}

pub(super) fn step(step: &Step, of: &Explanation) -> (String, String) {
    let name = |it: &str| it.to_owned();
    match step {
        Step::Emergency(number) => {
            (name("紧急号码"), format!("{number}：不受黑名单、呼叫级别和呼叫数限制，号码不变"))
        }
        Step::NoEmergencyRoute => (name("紧急号码"), name("没有可用的出口 -> 按普通号码处理")),
        Step::BlockList { row: None, .. } => (name("系统黑名单"), name("没有匹配")),
        Step::BlockList { row: Some(row), dice } => {
            let verdict = if row.blocks(*dice) { "禁止" } else { "通过" };
            let (caller, called, rate) = (&row.caller, &row.called, row.rate);
            let facts =
                format!("记录{}  主叫 {caller}  被叫 {called}  比例 {rate} -> {verdict}", row.id);
            (name("系统黑名单"), facts)
        }
        Step::Incoming { account, detected: Some(row), .. } => {
            (name("外线入呼叫"), format!("{account} -> 命中记录 {row} 的业务检测"))
        }
        Step::Incoming { account, detected: None, target, owner } => {
            (name("外线入呼叫"), format!("{account} -> {}", incoming(target, owner.as_deref())))
        }
        Step::CallerAnalysis { found, plan, before, after } => {
            let effect = if before == after {
                format!(" -> 拨号计划 {plan}，主叫号码不变")
            } else {
                format!(" -> 拨号计划 {plan}，主叫号码 {before} -> {after}")
            };
            (name("分析主叫号码"), self::found(found, &effect))
        }
        Step::FeatureCode(None) => (name("业务码"), name("没有匹配")),
        Step::FeatureCode(Some((code, it))) => {
            (name("业务码"), format!("{code} -> {}", feature(it)))
        }
        Step::CalledAnalysis { found, held } => {
            let effect = found.row.as_ref().map(|it| called(it, *held, &of.caller));
            (name("分析被叫号码"), self::found(found, &effect.unwrap_or_default()))
        }
        Step::Transition { transition, before, after, reanalyze } => {
            let what = super::transition(transition, TRANSITION);
            let again = if *reanalyze { "是" } else { "否" };
            let facts = format!("{what}   {before} -> {after}   重分析：{again}");
            (format!("号码变换{}", transition.id), facts)
        }
        Step::NoTransition(id) => (format!("号码变换{id}"), name("不存在：号码不变")),
        Step::Fallback(it) => (name("没有匹配的记录"), fallback(it)),
        Step::LineChoice { choice, chosen, skipped, more } => {
            (name("选择外线"), format!("{}：{}", lines(choice), taken(chosen, skipped, *more)))
        }
        Step::TrunkChoice { choice, chosen, skipped, more } => {
            (name("选择SIP中继"), format!("{}：{}", trunks(choice), taken(chosen, skipped, *more)))
        }
        Step::Refine { which, group, found, transition, before, after } => {
            let which = match which {
                Which::Caller => "规整主叫号码",
                Which::Called => "规整被叫号码",
            };
            let what = transition.as_ref().map_or_else(
                || " -> 变换不存在：号码不变".to_owned(),
                |it| format!(" -> {}   {before} -> {after}", super::transition(it, TRANSITION)),
            );
            (name(which), format!("出呼叫群 {group}  {}", self::found(found, &what)))
        }
        Step::Send(candidate) => (name("发送"), send(candidate)),
    }
}

pub(super) fn result(it: &Explanation) -> String {
    if let Some(code) = it.kept_back {
        let (status, sentence) = (code.status(), code.text());
        return format!("结果：呼叫拒绝，{status}（{code}）。{}。", sentence.get(Language::Zh));
    }
    let first = match &it.route.outcome {
        Ok(candidates) => candidates.first(),
        Err(refusal) => {
            let by = refusal.row.map(|it| format!("被记录{it}")).unwrap_or_default();
            let (code, status) = (refusal.code, refusal.status);
            return format!(
                "结果：呼叫{by}拒绝，{status}（{code}）。{}。",
                code.text().get(Language::Zh)
            );
        }
    };
    let Some(first) = first else { return "结果：无。".to_owned() };
    let mut text = format!("结果：{}", candidate(first));
    for other in super::alternatives(&it.route) {
        text += &format!("，其次{}", candidate(other));
    }
    match &it.reception {
        None | Some(Reception::Rings) => {}
        Some(Reception::NoPhone) => text += "，目前没有话机注册",
        Some(Reception::DoesNotDisturb) => text += "，但该分机已设置免打扰",
        Some(Reception::Full) => text += "，但该分机的并发呼叫数已满",
        Some(Reception::SentOn { by, why, number }) => {
            text = format!("结果：分机 {by} {}转移到 {number}", forwarding(*why));
        }
    }
    if let Some(number) = &it.not_answered {
        text += &format!("，无应答时转移到 {number}");
    }
    if let Some(Err(code)) = &it.onward {
        let (status, sentence) = (code.status(), code.text());
        text += &format!("：被拒绝，{status}（{code}）。{}", sentence.get(Language::Zh));
    }
    text + "。"
}

fn forwarding(why: Forwarding) -> &'static str {
    match why {
        Forwarding::Busy => "遇忙时",
        Forwarding::Unreachable => "不可达时",
        Forwarding::NoAnswer => "无应答时",
        Forwarding::Always => "无条件",
    }
}

fn candidate(it: &Candidate) -> String {
    match it {
        Candidate::Extension(it) => format!("分机 {} 振铃", it.number),
        Candidate::Feature(it) => format!("启动业务：{}", feature(it)),
        Candidate::Line(line, out) => {
            format!("从外线 {} 发送被叫 {}，主叫 {}", line.account, out.called, out.caller)
        }
        Candidate::Trunk(trunk, out) => {
            format!("从SIP中继 {} 发送被叫 {}，主叫 {}", trunk.id, out.called, out.caller)
        }
    }
}

fn feature(it: &DialledFeature) -> String {
    let name = it.feature.text().zh;
    if it.number.is_empty() { name.into_owned() } else { format!("{name} {}", it.number) }
}

fn incoming(target: &Incoming, owner: Option<&str>) -> String {
    match (target, owner) {
        (Incoming::Owner, Some(owner)) => format!("所属分机 {owner}"),
        (Incoming::Owner, None) => "不属于任何分机：由拨号规则决定".to_owned(),
        (Incoming::Extension(number), _) => format!("分机 {number}"),
        (Incoming::Number(number), _) => format!("路由到其他号码 {number}"),
        (Incoming::Service(name), _) => format!("业务 {name}"),
    }
}

/// The row that counts, what it does, and why the others do not count.
fn found<R: Row>(found: &Found<R>, effect: &str) -> String {
    let mut text = match &found.row {
        Some(row) => format!("记录{}  前缀 {}", row.id(), prefix(row.prefix())),
        None => "没有匹配".to_owned(),
    };
    let rivals = super::rivals(found);
    if !rivals.is_empty() {
        text += &format!("  最长匹配 {rivals}");
    }
    text += effect;
    for row in &found.not_now {
        let time = row.time().map(TimeCondition::chinese).unwrap_or_default();
        text += &format!("；记录{}（前缀 {}）仅限{time}", row.id(), prefix(row.prefix()));
    }
    for row in &found.shorter {
        let why = match &found.row {
            Some(best) if best.prefix() == row.prefix() => "排在其后",
            _ => "前缀较短",
        };
        text += &format!("；记录{}（前缀 {}）{why}", row.id(), prefix(row.prefix()));
    }
    text
}

fn prefix(text: &str) -> &str {
    if text.is_empty() { "\"\"" } else { text }
}

fn called(row: &CalledRow, held: bool, caller: &str) -> String {
    let mut text = format!(" -> {}", route(&row.route));
    if let Some(level) = row.level {
        let has = if held { "有" } else { "没有" };
        text += &format!("，呼叫级别{level}（{caller}{has}此权限）");
    }
    text
}

fn route(it: &RouteType) -> String {
    match it {
        RouteType::LocalUser => "本地用户".to_owned(),
        RouteType::ExternalLine(choice) => format!("外线，{}", lines(choice)),
        RouteType::SipTrunk(choice) => format!("SIP中继，{}", trunks(choice)),
        RouteType::Service(name) => format!("业务 {name}"),
        RouteType::FeatureCode(feature) => format!("业务码：{}", feature.text().zh),
        RouteType::Reject(status) => format!("拒绝，{status}"),
    }
}

fn lines(choice: &LineChoice) -> String {
    match choice {
        LineChoice::Line(account) => format!("指定外线 {account}"),
        LineChoice::Group(group) => format!("出呼叫群 {group} 的外线轮选"),
        LineChoice::Rotation => "共享外线轮选".to_owned(),
    }
}

fn trunks(choice: &TrunkChoice) -> String {
    match choice {
        TrunkChoice::Listed(ids) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("中继 {}", ids.join("，其次"))
        }
        TrunkChoice::Group(group) => format!("出呼叫群 {group} 的中继"),
    }
}

fn fallback(it: &Fallback) -> String {
    match it {
        Fallback::LocalUser => "分机号码 -> 本地用户".to_owned(),
        Fallback::OutGroup { prefix, before, after } => {
            format!("出群呼叫前缀 {prefix}   {before} -> {after}   -> 外线")
        }
        Fallback::Nothing => "不是分机号码，也不以出群呼叫前缀开头".to_owned(),
    }
}

fn taken<T: Display>(chosen: &[Taken<T>], skipped: &[(T, Skip)], more: usize) -> String {
    let mut text = String::new();
    for (index, Taken { name, calls, most }) in chosen.iter().enumerate() {
        let calls = match most {
            CallLimit(None) => format!("{calls}路呼叫"),
            CallLimit(Some(most)) => format!("{calls}/{most}路呼叫"),
        };
        text += if index == 0 { "" } else { "，其次" };
        text += &format!("{name}（{calls}）");
    }
    if chosen.is_empty() {
        text += "无";
    }
    for (name, why) in skipped {
        text += &format!("；{name} {}", skip(*why));
    }
    if more > 0 {
        text += &format!("；另有{more}条未列出");
    }
    text
}

fn skip(why: Skip) -> &'static str {
    match why {
        Skip::Missing => "不存在",
        Skip::Off => "已停用",
        Skip::CameFrom => "是呼叫的来源",
        Skip::NotShared => "属于其他分机",
        Skip::Closed => "不允许出呼叫",
        Skip::NotRegistered => "未注册",
        Skip::Unreachable => "没有响应",
        Skip::AllBusy => "呼叫已全部占用",
    }
}

fn send(candidate: &Candidate) -> String {
    let reliable = |it: Reliable| match it {
        Reliable::Auto => "100rel 自动",
        Reliable::Required => "100rel 必须",
        Reliable::Off => "100rel 关闭",
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
