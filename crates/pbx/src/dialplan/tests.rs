//! Whole decisions: the examples that users of such a product know, and the order of procedures.

mod emergency;
mod onward;
mod present;
mod random;

use super::levels::Levels;
use super::query::{Caller, Candidate, Query, Route};
use super::rows::*;
use super::time::Zone;
use super::transition::{Transition, TransitionKind};
use super::{explain, print, route};
use crate::directory::{Directory, Extension, Relay, Tenant};
use crate::id::TenantId;
use crate::interop::CallLimit;
use crate::language::Language;
use crate::line::Line;
use crate::line::config::{CallerNumber, Incoming};
use crate::media::MediaSource;
use crate::settings::Settings;
use crate::time::UnixMillis;
use crate::trunk::Trunk;
use crate::trunk::config::TrunkAddress;
use jiff::tz::TimeZone;
use present::Present;
use std::sync::Arc;

/// Thursday, 2026-11-26 02:15 UTC.
pub(super) const AT: UnixMillis = UnixMillis(1_795_659_300_000);

pub(super) fn extension(number: &str) -> Extension {
    Extension {
        number: number.into(),
        name: "".into(),
        secret: None,
        addresses: vec![],
        devices_max: None,
        calls_max: 2,
        relay: Relay::Always,
        media_source: MediaSource::Auto,
        digest_without_qop: true,
        weak_password: false,
        plan: None,
        levels: Levels::NONE,
        services: Default::default(),
    }
}

/// An office with the extensions 100, 101 and 102.
pub(super) fn office() -> Tenant {
    let mut tenant = Tenant::default();
    ["100", "101", "102"].map(extension).into_iter().for_each(|it| tenant.put(it));
    tenant
}

pub(super) fn line(account: &str) -> Line {
    Line { account: account.into(), domain: "sip.example.com".into(), ..Line::default() }
}

pub(super) fn trunk(id: u32, host: &str) -> Trunk {
    let address = TrunkAddress { host: host.into(), port: 5060, priority: 0 };
    Trunk { id, addresses: vec![address], ..Trunk::default() }
}

pub(super) fn called(id: u32, prefix: &str, route: RouteType) -> CalledRow {
    CalledRow {
        id,
        plan: DEFAULT_PLAN.into(),
        prefix: prefix.into(),
        route,
        transition: None,
        reanalyze: false,
        level: None,
        time: None,
        description: "".into(),
    }
}

pub(super) fn by_line(account: &str) -> RouteType {
    RouteType::ExternalLine(LineChoice::Line(account.into()))
}

pub(super) fn refine(id: u32, group: u32, prefix: &str, transition: u32) -> RefineRow {
    let prefix = prefix.into();
    RefineRow { id, group, prefix, transition, time: None, description: "".into() }
}

pub(super) fn change(
    id: u32,
    kind: TransitionKind,
    start: u8,
    length: u8,
    string: &str,
) -> Transition {
    Transition { id, kind, start, length, string: string.into(), description: "".into() }
}

fn directory(tenant: Tenant) -> Directory {
    let mut directory = Directory::default();
    directory.tenants.insert(TenantId::default(), tenant);
    directory
}

fn ask<'a>(caller: &'a str, dialled: &'a str) -> Query<'a> {
    let caller = Caller::Extension(caller);
    Query {
        tenant: TenantId::default(),
        caller,
        dialled,
        on_behalf_of: None,
        hides: false,
        at: AT,
        dice: 50,
    }
}

/// `line 1234: 138 as 1234, line 5678: …`, `extension 101`, or the release code.
fn words(route: &Route) -> String {
    let candidates = match &route.outcome {
        Ok(candidates) => candidates,
        Err(refusal) => return format!("{} {}", refusal.status, refusal.code),
    };
    let words = candidates.iter().map(|it| match it {
        Candidate::Extension(it) => format!("extension {}", it.number),
        Candidate::Feature(it) => format!("feature {it}"),
        Candidate::Line(it, out) => {
            format!("line {}: {} as {}", it.account, out.called, out.caller)
        }
        Candidate::Trunk(it, out) => format!("trunk {}: {} as {}", it.id, out.called, out.caller),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn from_100(tenant: &Tenant, dialled: &str) -> String {
    words(&route(&directory(tenant.clone()), &Present::default(), &ask("100", dialled)))
}

#[test]
fn without_rows_the_prefix_9_goes_out_and_is_taken_off() {
    let mut tenant = office();
    tenant.lines.put(line("1234"));
    tenant.lines.put(line("5678"));
    tenant.put(extension("9100"));
    #[rustfmt::skip]
    let table = [
        ("101",       "extension 101"),
        ("913800",    "line 1234: 13800 as 1234, line 5678: 13800 as 5678"),
        ("*43",       "feature echo"),
        ("9100",      "extension 9100"), // stays reachable
        ("9",         "404 route.no_match"),
        ("8138",      "404 route.no_match"),
        ("",          "404 route.no_match"),
    ];
    for (dialled, expected) in table {
        assert_eq!(from_100(&tenant, dialled), expected, "{dialled}");
    }
    let own = |out_group_prefix: &str| {
        let settings =
            Settings { out_group_prefix: out_group_prefix.to_owned(), ..Settings::default() };
        Tenant { settings: Arc::new(settings), ..tenant.clone() }
    };
    assert_eq!(from_100(&own(""), "913800"), "404 route.no_match");
    assert_eq!(from_100(&own("0"), "0138"), from_100(&tenant, "9138"));
}

/// Two operators: 9 by line 1234, 8 by line 5678, the prefix deleted.
#[test]
fn two_lines_by_prefix() {
    let mut tenant = office();
    tenant.lines.put(line("1234"));
    tenant.lines.put(line("5678"));
    tenant.dial_plan.put_transition(change(1, TransitionKind::Delete, 0, 1, ""));
    for (id, prefix, account) in [(1, "9", "1234"), (2, "8", "5678")] {
        let row = CalledRow { transition: Some(1), ..called(id, prefix, by_line(account)) };
        tenant.dial_plan.called.put(row);
    }
    assert_eq!(from_100(&tenant, "913800"), "line 1234: 13800 as 1234");
    assert_eq!(from_100(&tenant, "813800"), "line 5678: 13800 as 5678");
    assert_eq!(from_100(&tenant, "101"), "extension 101");
}

/// One way of dialling, 90…; the international operator (outgoing group 1) wants 0086 for the 0.
#[test]
fn refine_0_to_0086_by_outgoing_group() {
    let mut tenant = office();
    tenant.lines.put(line("local"));
    tenant.lines.put(Line { group: 1, ..line("world") });
    tenant.dial_plan.put_transition(change(1, TransitionKind::Replace, 0, 1, "0086"));
    tenant.dial_plan.refine_called.put(refine(1, 1, "0", 1));
    assert_eq!(
        from_100(&tenant, "90138"),
        "line local: 0138 as local, line world: 0086138 as world"
    );
    assert_eq!(from_100(&tenant, "9138"), "line local: 138 as local, line world: 138 as world");
    // A trunk of the group is refined too.
    tenant.put_trunk(Trunk { group: 1, ..trunk(1, "10.23.0.1") });
    tenant.dial_plan.called.put(called(1, "0", RouteType::SipTrunk(TrunkChoice::Group(1))));
    assert_eq!(from_100(&tenant, "0138"), "trunk 1: 0086138 as 100");
}

/// Office 1 has 1xx and sends 2 to the trunk "to MSS2"; office 2 the other way round.
#[test]
fn two_offices_by_trunks() {
    let mut one = office();
    one.put_trunk(Trunk { description: "to MSS2".into(), ..trunk(1, "10.23.0.1") });
    one.dial_plan.called.put(called(1, "2", RouteType::SipTrunk(TrunkChoice::Listed(vec![1]))));
    assert_eq!(from_100(&one, "200"), "trunk 1: 200 as 100");

    let mut two = Tenant::default();
    ["200", "201"].map(extension).into_iter().for_each(|it| two.put(it));
    two.put_trunk(Trunk { description: "to MSS1".into(), ..trunk(1, "41.32.0.1") });
    two.dial_plan.called.put(called(1, "1", RouteType::SipTrunk(TrunkChoice::Listed(vec![1]))));
    let from_trunk = |dialled| {
        let caller = Caller::Trunk { id: 1, number: "100" };
        let query = Query { caller, ..ask("", dialled) };
        words(&route(&directory(two.clone()), &Present::default(), &query))
    };
    assert_eq!(from_trunk("200"), "extension 200");
    assert_eq!(from_trunk("299"), "404 route.no_match");
    // It does not go back where it came from, nor out by the out-group prefix.
    assert_eq!(from_trunk("100"), "503 route.no_trunk");
    two.lines.put(line("1234"));
    let caller = Caller::Trunk { id: 1, number: "100" };
    let query = Query { caller, ..ask("", "913800") };
    let found = route(&directory(two), &Present::default(), &query);
    assert_eq!(words(&found), "404 route.no_match");
}

/// No limit, a limit, and 0: only calls the other way.
#[test]
fn the_limits_of_a_trunk() {
    let mut tenant = office();
    let row = called(1, "2", RouteType::SipTrunk(TrunkChoice::Listed(vec![1])));
    tenant.dial_plan.called.put(row);
    #[rustfmt::skip]
    let table = [
        (None,    9, "trunk 1: 200 as 100"),
        (Some(2), 1, "trunk 1: 200 as 100"),
        (Some(2), 2, "503 trunk.all_busy"),
        (Some(0), 0, "403 trunk.closed"),
    ];
    for (most, trunk_calls, expected) in table {
        tenant.put_trunk(Trunk { calls_out_max: CallLimit(most), ..trunk(1, "10.23.0.1") });
        let live = Present { trunk_calls, ..Present::default() };
        let found = route(&directory(tenant.clone()), &live, &ask("100", "200"));
        assert_eq!(words(&found), expected, "{most:?} {trunk_calls}");
    }
}

#[test]
fn lines_take_turns_and_those_that_cannot_are_passed_over() {
    let mut tenant = office();
    for account in ["1", "2", "3"] {
        tenant.lines.put(Line { calls_out_max: CallLimit(Some(1)), ..line(account) });
    }
    tenant.lines.put(Line { owner: Some("101".into()), shared: false, ..line("4") });
    let ask = |live: Present, caller: &str| {
        let found = route(&directory(tenant.clone()), &live, &ask(caller, "97"));
        words(&found)
    };
    let none = Present::default;
    assert_eq!(ask(none(), "100"), "line 1: 7 as 1, line 2: 7 as 2, line 3: 7 as 3");
    let after_1 = Present { last: Some("1"), ..none() };
    assert_eq!(ask(after_1, "100"), "line 2: 7 as 2, line 3: 7 as 3, line 1: 7 as 1");
    let down = Present { unregistered: vec!["1"], calls: vec![("3", 1)], ..none() };
    assert_eq!(ask(down, "100"), "line 2: 7 as 2");
    let all_down = Present { unregistered: vec!["1", "2", "3"], ..none() };
    assert_eq!(ask(all_down, "100"), "503 line.not_registered");
    let busy = Present { unregistered: vec!["1"], calls: vec![("2", 1), ("3", 1)], ..none() };
    assert_eq!(ask(busy, "100"), "503 line.all_busy");
    // The owner's own line comes first.
    assert_eq!(
        ask(none(), "101"),
        "line 4: 7 as 4, line 1: 7 as 1, line 2: 7 as 2, line 3: 7 as 3"
    );
}

#[test]
fn a_specified_line_is_the_only_one() {
    let mut tenant = office();
    tenant.lines.put(line("1"));
    tenant.lines.put(Line { owner: Some("101".into()), shared: false, ..line("2") });
    tenant.lines.put(Line { enabled: false, ..line("3") });
    tenant.lines.put(Line { register: false, ..line("4") });
    for account in ["1", "2", "3", "4", "5"] {
        let id = account.parse().expect("a number");
        tenant.dial_plan.called.put(called(id, account, by_line(account)));
    }
    let live = Present { unregistered: vec!["4"], ..Present::default() };
    let directory = directory(tenant);
    #[rustfmt::skip]
    let table = [
        ("100", "17", "line 1: 17 as 1"),
        ("100", "27", "403 line.not_shared"),
        ("101", "27", "line 2: 27 as 2"),
        ("100", "37", "503 route.no_line"),
        ("100", "47", "line 4: 47 as 4"), // it need not register
        ("100", "57", "503 route.no_line"),
    ];
    for (caller, dialled, expected) in table {
        let found = route(&directory, &live, &ask(caller, dialled));
        assert_eq!(words(&found), expected, "{caller} {dialled}");
    }
}

#[test]
fn trunks_have_alternatives_in_their_order() {
    let mut tenant = office();
    tenant.put_trunk(trunk(1, "10.0.0.1"));
    tenant.put_trunk(Trunk { caller_number: "8000".into(), ..trunk(2, "10.0.0.2") });
    let row = called(1, "2", RouteType::SipTrunk(TrunkChoice::Listed(vec![2, 7, 1])));
    tenant.dial_plan.called.put(row);
    let directory = directory(tenant);
    for (silent, expected) in [
        (vec![], "trunk 2: 200 as 8000, trunk 1: 200 as 100"),
        (vec![2], "trunk 1: 200 as 100"),
        (vec![1, 2], "503 trunk.unreachable"),
    ] {
        let live = Present { silent, ..Present::default() };
        assert_eq!(words(&route(&directory, &live, &ask("100", "200"))), expected);
    }
}

#[test]
fn levels_time_and_reject() {
    let mut tenant = office();
    tenant.put(Extension { levels: Levels::new(&[2]).expect("legal"), ..extension("102") });
    let reject = |id, prefix, status| called(id, prefix, RouteType::Reject(status));
    for row in [
        CalledRow { level: Some(2), ..called(1, "10", RouteType::LocalUser) },
        CalledRow { level: Some(1), ..called(2, "100", RouteType::LocalUser) },
        reject(3, "5", 486),
        CalledRow { time: Some("sat-sun".parse().expect("a time")), ..reject(4, "55", 403) },
        CalledRow { time: Some("thu".parse().expect("a time")), ..reject(5, "56", 410) },
        called(6, "7", RouteType::Service("hunt".into())),
        called(7, "8", RouteType::FeatureCode(super::Feature::Echo)),
        called(8, "2", RouteType::LocalUser),
    ] {
        tenant.dial_plan.called.put(row);
    }
    let directory = directory(tenant);
    #[rustfmt::skip]
    let table = [
        ("102", "101", "extension 101"),
        ("101", "102", "403 route.denied_level"),
        ("102", "100", "403 route.denied_level"), // level 2 does not include level 1
        ("101", "5",   "486 route.rejected"),
        ("101", "55",  "486 route.rejected"),     // row 4 is of the weekend
        ("101", "56",  "410 route.rejected"),
        ("101", "7",   "503 route.no_service"),
        ("101", "8",   "feature echo"),
        ("101", "200", "404 callee.unknown"),
    ];
    for (caller, dialled, expected) in table {
        let found = route(&directory, &Present::default(), &ask(caller, dialled));
        assert_eq!(words(&found), expected, "{caller} {dialled}");
    }
}

/// It is Thursday in UTC and still Wednesday evening three hours west of it.
#[test]
fn the_time_of_a_row_is_that_of_the_office() {
    let mut tenant = office();
    let on = |id, prefix, time: &str| CalledRow {
        time: Some(time.parse().expect("a time")),
        ..called(id, prefix, RouteType::Reject(410))
    };
    tenant.dial_plan.called.put(on(1, "56", "thu"));
    tenant.dial_plan.called.put(on(2, "57", "wed"));
    let found = |tenant: &Tenant| ["56", "57"].map(|it| from_100(tenant, it));
    let (holds, does_not) = ("410 route.rejected", "404 route.no_match");
    assert_eq!(found(&tenant), [holds, does_not]);
    tenant.zone = Zone(TimeZone::posix("<-03>3").expect("a zone"));
    assert_eq!(found(&tenant), [does_not, holds]);
}

#[test]
fn a_number_is_analysed_again_until_a_limit() {
    let mut tenant = office();
    tenant.dial_plan.put_transition(change(1, TransitionKind::Delete, 0, 2, ""));
    tenant.dial_plan.put_transition(change(2, TransitionKind::Insert, 0, 0, "6"));
    let again = |id, prefix, transition| CalledRow {
        transition: Some(transition),
        reanalyze: true,
        ..called(id, prefix, RouteType::Reject(403))
    };
    tenant.dial_plan.called.put(again(1, "77", 1));
    tenant.dial_plan.called.put(again(2, "6", 2));
    tenant.dial_plan.called.put(again(3, "5", 9));
    assert_eq!(from_100(&tenant, "77101"), "extension 101");
    assert_eq!(from_100(&tenant, "7777101"), "extension 101");
    assert_eq!(from_100(&tenant, "61"), "482 route.loop");
    // Without its transition there is nothing to analyse again.
    assert_eq!(from_100(&tenant, "51"), "403 route.rejected");
}

#[test]
fn caller_rows_give_another_plan_and_number() {
    let mut tenant = office();
    tenant.dial_plan.names.insert("guest".into());
    tenant.dial_plan.put_transition(change(1, TransitionKind::Insert, 0, 0, "8"));
    tenant.dial_plan.callers.put(CallerRow {
        id: 1,
        plan: DEFAULT_PLAN.into(),
        prefix: "10".into(),
        to_plan: Some("guest".into()),
        transition: Some(1),
        time: None,
        description: "".into(),
    });
    let row = called(1, "2", by_line("1"));
    tenant.dial_plan.called.put(CalledRow { plan: "guest".into(), ..row });
    tenant.lines.put(Line { caller_number: CallerNumber::Caller, ..line("1") });
    tenant.dial_plan.put_transition(change(2, TransitionKind::Insert, 0, 0, "+"));
    tenant.dial_plan.refine_caller.put(refine(1, 0, "8", 2));
    let found = route(&directory(tenant.clone()), &Present::default(), &ask("100", "200"));
    assert_eq!((words(&found).as_str(), &*found.plan), ("line 1: 200 as +8100", "guest"));
    // Who is in a plan that is gone is in the default one.
    tenant.put(Extension { plan: Some("gone".into()), ..extension("100") });
    let found = route(&directory(tenant), &Present::default(), &ask("100", "101"));
    assert_eq!(&*found.plan, "guest");
}

#[test]
fn calls_of_a_line_go_where_it_says() {
    let mut tenant = office();
    tenant.dial_plan.called.put(called(1, "2001", RouteType::Reject(410)));
    let from_line = |tenant: &Tenant, incoming: Incoming, owner: Option<&str>| {
        let mut tenant = tenant.clone();
        tenant.lines.put(Line { incoming, owner: owner.map(Into::into), ..line("2001") });
        let caller = Caller::Line { account: "2001", number: "anonymous" };
        let query = Query { caller, ..ask("", "2001") };
        words(&route(&directory(tenant), &Present::default(), &query))
    };
    let number = |it: &str| Incoming::Number(it.into());
    assert_eq!(from_line(&tenant, Incoming::Owner, Some("101")), "extension 101");
    assert_eq!(from_line(&tenant, Incoming::Owner, None), "410 route.rejected");
    assert_eq!(from_line(&tenant, Incoming::Extension("100".into()), None), "extension 100");
    assert_eq!(from_line(&tenant, Incoming::Extension("7".into()), None), "404 callee.unknown");
    assert_eq!(from_line(&tenant, number("102"), Some("101")), "extension 102");
    // Neither features nor the out-group prefix are for callers from outside.
    assert_eq!(from_line(&tenant, number("*43"), None), "404 route.no_match");
    assert_eq!(from_line(&tenant, number("97"), None), "404 route.no_match");
    let service = Incoming::Service("hunt".into());
    assert_eq!(from_line(&tenant, service, None), "503 route.no_service");
    // A service that is there for the line's own number comes before what the line says.
    let mut detecting = tenant.clone();
    let detection = |prefix| called(1, prefix, RouteType::Service("hunt".into()));
    detecting.dial_plan.called.put(detection("2001"));
    for target in [Incoming::Owner, number("102"), Incoming::Extension("100".into())] {
        assert_eq!(from_line(&detecting, target, Some("101")), "503 route.no_service");
    }
    detecting.dial_plan.called.put(detection("200"));
    assert_eq!(from_line(&detecting, number("102"), None), "extension 102", "for another number");
    tenant.dial_plan.blocked.put(BlockRow {
        id: 1,
        caller: "anonymous".into(),
        called: "*".into(),
        rate: 100,
        description: "".into(),
    });
    assert_eq!(from_line(&tenant, Incoming::Owner, Some("101")), "603 security.blocked");
}

/// The office of the simulator's example.
fn example() -> Tenant {
    let mut tenant = office();
    tenant.put(Extension { levels: Levels::new(&[1]).expect("legal"), ..extension("102") });
    tenant.lines.put(Line { group: 2, ..line("1234") });
    tenant.lines.put(Line {
        group: 1,
        calls_out_max: CallLimit(Some(4)),
        uri_parameters: "user=phone".into(),
        ..line("5678")
    });
    let plan = &mut tenant.dial_plan;
    plan.put_transition(change(1, TransitionKind::Delete, 0, 1, ""));
    plan.put_transition(change(2, TransitionKind::Replace, 0, 1, "0086"));
    plan.callers.put(CallerRow {
        id: 2,
        plan: DEFAULT_PLAN.into(),
        prefix: "10".into(),
        to_plan: None,
        transition: None,
        time: None,
        description: "".into(),
    });
    plan.called.put(called(4, "9", by_line("1234")));
    let row = CalledRow { transition: Some(1), level: Some(1), ..called(5, "90", by_line("5678")) };
    plan.called.put(row);
    let weekend = Some("sat-sun".parse().expect("a time"));
    plan.called.put(CalledRow { time: weekend, ..called(6, "901", by_line("1234")) });
    plan.refine_called.put(refine(1, 1, "0", 2));
    tenant
}

#[test]
fn the_steps_in_english() {
    let live = Present { calls: vec![("5678", 1)], ..Present::default() };
    let explanation = explain(&directory(example()), &live, &ask("102", "90138"));
    assert_eq!(
        print(&explanation, Language::En),
        "\
Dialled 90138  from 102  plan \"default\"  at Thu 2026-11-26 02:15
 1 Caller analysis    row 2  prefix 10 -> plan default, caller kept
 2 Feature codes      no match
 3 Called analysis    row 5  prefix 90  longest of 9, 90 -> external line, line 5678, level 1 (102 has it); \
not row 6 (prefix 901): only sat-sun; not row 4 (prefix 9): shorter
 4 Transition 1       delete (0,1)   90138 -> 0138   re-analyze: no
 5 Line choice        line 5678: 5678 (1 of 4 calls)
 6 Refine called      group 1  row 1  prefix 0 -> replace (0,1) by 0086   0138 -> 0086138
 7 Send               INVITE sip:0086138@sip.example.com;user=phone   From <sip:5678@sip.example.com>   100rel auto
Result: would send 0086138 as 5678 on line 5678.
"
    );
}

#[test]
fn the_steps_in_chinese() {
    let live = Present { calls: vec![("5678", 1)], ..Present::default() };
    let explanation = explain(&directory(example()), &live, &ask("102", "90138"));
    assert_eq!(
        print(&explanation, Language::Zh),
        "\
拨打 90138  主叫 102  拨号计划 default  时间 2026-11-26周四 02:15
 1 分析主叫号码       记录2  前缀 10 -> 拨号计划 default，主叫号码不变
 2 业务码             没有匹配
 3 分析被叫号码       记录5  前缀 90  最长匹配 9, 90 -> 外线，指定外线 5678，呼叫级别1（102有此权限）；\
记录6（前缀 901）仅限周六至周日；记录4（前缀 9）前缀较短
 4 号码变换1          删除 (0,1)   90138 -> 0138   重分析：否
 5 选择外线           指定外线 5678：5678（1/4路呼叫）
 6 规整被叫号码       出呼叫群 1  记录1  前缀 0 -> 替换 (0,1) 为 0086   0138 -> 0086138
 7 发送               INVITE sip:0086138@sip.example.com;user=phone   From <sip:5678@sip.example.com>   100rel 自动
结果：从外线 5678 发送被叫 0086138，主叫 5678。
"
    );
}

#[test]
fn a_refusal_says_who_and_why() {
    let explanation = explain(&directory(example()), &Present::default(), &ask("101", "90138"));
    let english = print(&explanation, Language::En);
    assert!(english.contains("level 1 (101 lacks it)"), "{english}");
    let last = "Result: refused by row 5 with 403 (route.denied_level). \
                The caller lacks the call level that the number needs.\n";
    assert!(english.ends_with(last), "{english}");
    let chinese = print(&explanation, Language::Zh);
    let last =
        "结果：呼叫被记录5拒绝，403（route.denied_level）。主叫没有拨打该号码所需的呼叫级别。\n";
    assert!(chinese.ends_with(last), "{chinese}");
}
