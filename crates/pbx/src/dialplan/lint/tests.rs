//! What is found in plans that are wrong in one way each.

use super::super::feature::Feature;
use super::super::feature_codes::FeatureRow;
use super::super::levels::Levels;
use super::super::rows::*;
use super::super::tests::{AT, by_line, called, change, extension, office, refine, trunk};
use super::super::transition::TransitionKind;
use super::{check, lint};
use crate::directory::{Extension, Tenant};
use crate::interop::CallLimit;
use crate::line::Line;
use crate::line::config::Incoming;
use crate::trunk::Trunk;

/// A line whose calls somebody answers.
fn line(account: &str) -> Line {
    let incoming = Incoming::Extension("101".into());
    Line { incoming, ..super::super::tests::line(account) }
}

/// An office with line 1234, trunk 1, transition 1 and a row for each: nothing is wrong with it.
fn sound() -> Tenant {
    let mut tenant = office();
    tenant.lines.put(line("1234"));
    tenant.put_trunk(trunk(1, "10.23.0.1"));
    let plan = &mut tenant.dial_plan;
    plan.put_transition(change(1, TransitionKind::Delete, 0, 1, ""));
    plan.called.put(CalledRow { transition: Some(1), ..called(1, "9", by_line("1234")) });
    plan.called.put(called(2, "2", RouteType::SipTrunk(TrunkChoice::Listed(vec![1]))));
    plan.refine_called.put(refine(1, 0, "0", 1));
    tenant
}

/// `table row field: rule`, without the remedies.
fn found(change: impl FnOnce(&mut Tenant)) -> Vec<String> {
    let mut tenant = sound();
    change(&mut tenant);
    let words = |it: &super::Finding| {
        let short = format!("{:?} {} {}: {:?}", it.table, it.row, it.field, it.rule);
        // A range is told apart by its field.
        short.split("(Text").next().unwrap_or_default().to_owned()
    };
    lint(&tenant, AT).iter().map(words).collect()
}

fn with_row(row: CalledRow) -> Vec<String> {
    found(|it| it.dial_plan.called.put(row))
}

#[test]
fn nothing_is_wrong_with_a_sound_office() {
    assert_eq!(found(|_| {}), [""; 0]);
}

#[test]
fn what_does_not_exist() {
    let trunks = |ids: &[u32]| RouteType::SipTrunk(TrunkChoice::Listed(ids.to_vec()));
    let lines = |group| RouteType::ExternalLine(LineChoice::Group(group));
    let plan = |it: &str| CalledRow { plan: it.into(), ..called(5, "7", RouteType::LocalUser) };
    #[rustfmt::skip]
    let table = [
        (called(5, "7", by_line("5678")),   r#"Called 5 route: UnknownLine("5678")"#),
        (called(5, "7", trunks(&[1, 3])),   "Called 5 route: UnknownTrunk(3)"),
        (called(5, "7", trunks(&[])),       "Called 5 route: TrunkCount"),
        (called(5, "7", lines(4)),          "Called 5 route: NoLineInGroup(4)"),
        (called(5, "7", lines(0)),          "Called 5 route: NoLineInGroup(0)"),
        (called(5, "7", RouteType::SipTrunk(TrunkChoice::Group(4))),
                                            "Called 5 route: NoTrunkInGroup(4)"),
        (called(5, "7", RouteType::Service("hunt".into())),
                                            r#"Called 5 route: UnknownService("hunt")"#),
        (called(5, "7", RouteType::Reject(200)), "Called 5 route: Status"),
        (called(5, "7", RouteType::Reject(401)), "Called 5 route: Status"),
        (called(5, "7 8", RouteType::LocalUser), r#"Called 5 prefix: NotANumber("7 8")"#),
        (plan("guest"),                     r#"Called 5 plan: UnknownPlan("guest")"#),
        (CalledRow { transition: Some(8), ..called(5, "7", RouteType::LocalUser) },
                                            "Called 5 transition: UnknownTransition(8)"),
        (CalledRow { level: Some(17), ..called(5, "7", RouteType::LocalUser) },
                                            "Called 5 level: Level"),
    ];
    for (row, expected) in table {
        assert_eq!(with_row(row), [expected]);
    }
}

#[test]
fn rows_that_compete() {
    let timed = |id, time: &str| CalledRow {
        time: Some(time.parse().expect(time)),
        ..called(id, "7", RouteType::LocalUser)
    };
    let two = |a: CalledRow, b: CalledRow| {
        found(|it| [a, b].into_iter().for_each(|row| it.dial_plan.called.put(row)))
    };
    let always = called(6, "7", RouteType::LocalUser);
    assert_eq!(
        two(called(5, "7", RouteType::LocalUser), always.clone()),
        ["Called 6 prefix: SamePrefix(5)"]
    );
    assert_eq!(two(timed(5, "mon-fri"), timed(6, "fri-sat")), ["Called 6 time: SameTime(5)"]);
    assert_eq!(two(timed(5, "mon-fri"), timed(6, "2026-12-25")), [""; 0]);
    assert_eq!(two(timed(5, "mon-fri"), always.clone()), [""; 0]);
    assert_eq!(two(timed(5, "mon-sun"), always), ["Called 6 time: ShadowedByTime(5)"]);
    assert_eq!(with_row(timed(5, "2026-11-25")), ["Called 5 time: Over"]);
    assert_eq!(with_row(timed(5, "2026-11-26")), [""; 0]);
}

#[test]
fn loops() {
    let again = |id, prefix, transition| CalledRow {
        transition: Some(transition),
        reanalyze: true,
        ..called(id, prefix, RouteType::LocalUser)
    };
    let with = |rows: Vec<CalledRow>| {
        let mut all = found(|it| {
            it.dial_plan.put_transition(change(2, TransitionKind::Replace, 0, 1, "8"));
            it.dial_plan.put_transition(change(3, TransitionKind::Replace, 0, 1, "7"));
            it.dial_plan.put_transition(change(4, TransitionKind::Insert, 0, 0, "6"));
            rows.into_iter().for_each(|row| it.dial_plan.called.put(row));
        });
        all.retain(|it| it.ends_with("Loop"));
        all
    };
    assert_eq!(with(vec![again(5, "7", 2)]), [""; 0]);
    assert_eq!(
        with(vec![again(5, "7", 2), again(6, "8", 3)]),
        ["Called 5 reanalyze: Loop", "Called 6 reanalyze: Loop"]
    );
    assert_eq!(with(vec![again(5, "6", 4)]), ["Called 5 reanalyze: Loop"]);
    // A longer row takes 83 out of the circle, but not the rest.
    let out = called(7, "83", RouteType::LocalUser);
    assert_eq!(with(vec![again(5, "7", 2), again(6, "8", 3), out]).len(), 2);
    let idle = CalledRow { reanalyze: true, ..called(5, "7", RouteType::LocalUser) };
    assert_eq!(with_row(idle), ["Called 5 reanalyze: NothingToReanalyze"]);
}

#[test]
fn transitions() {
    let with = |kind, start, length, string: &str| {
        found(|it| {
            it.dial_plan.put_transition(change(2, kind, start, length, string));
            let row = called(5, "78", RouteType::LocalUser);
            it.dial_plan.called.put(CalledRow { transition: Some(2), ..row });
        })
    };
    use TransitionKind::{Delete, Insert, Replace};
    let past = ["Called 5 transition: PastTheEnd(2, 2)"];
    assert_eq!(with(Delete, 0, 2, ""), [""; 0]);
    assert_eq!(with(Delete, 1, 2, ""), past);
    assert_eq!(with(Replace, 2, 1, "0"), past);
    assert_eq!(with(Insert, 2, 0, "0"), [""; 0]);
    assert_eq!(with(Insert, 3, 0, "0"), past);
    assert_eq!(with(Delete, 0, 0, ""), ["Transitions 2 length: NoEffect"]);
    assert_eq!(with(Insert, 0, 0, "0 0"), [r#"Transitions 2 string: NotANumber("0 0")"#]);
    assert!(with(Insert, 128, 0, "0").contains(&"Transitions 2 start: Range".to_owned()));
    assert!(with(Delete, 0, 129, "").contains(&"Transitions 2 length: Range".to_owned()));
}

#[test]
fn rows_that_are_never_reached() {
    let in_guest = CalledRow { plan: "guest".into(), ..called(5, "7", RouteType::LocalUser) };
    let guests = |it: &mut Tenant| {
        it.dial_plan.names.insert("guest".into());
        it.dial_plan.called.put(in_guest.clone());
    };
    assert_eq!(found(guests), [r#"Called 5 plan: UnusedPlan("guest")"#]);
    let used = |it: &mut Tenant| {
        guests(it);
        it.put(Extension { plan: Some("guest".into()), ..extension("100") });
    };
    assert_eq!(found(used), [""; 0]);

    let level = CalledRow { level: Some(3), ..called(5, "7", RouteType::LocalUser) };
    assert_eq!(with_row(level.clone()), ["Called 5 level: NobodyHasLevel(3)"]);
    let levels = Levels::new(&[3]).expect("a legal level");
    let held = |it: &mut Tenant| {
        it.dial_plan.called.put(level);
        it.put(Extension { levels, ..extension("100") });
    };
    assert_eq!(found(held), [""; 0]);

    let group = |it: &mut Tenant| it.dial_plan.refine_called.put(refine(2, 7, "0", 1));
    assert_eq!(found(group), ["RefineCalled 2 group: UnusedGroup(7)"]);

    let digits = |most: u32| {
        found(|it| {
            it.dial_plan.called.put(called(50, "5", RouteType::LocalUser));
            for digit in 0..most {
                let prefix = format!("5{digit}");
                it.dial_plan.called.put(called(51 + digit, &prefix, RouteType::LocalUser));
            }
        })
    };
    assert_eq!(digits(9), [""; 0]);
    assert_eq!(digits(10), ["Called 50 prefix: ShadowedByLonger"]);
}

#[test]
fn the_black_list() {
    let row = |id, caller: &str, called: &str, rate| BlockRow {
        id,
        caller: caller.into(),
        called: called.into(),
        rate,
        description: "".into(),
    };
    let with = |rows: Vec<BlockRow>| {
        found(|it| rows.into_iter().for_each(|row| it.dial_plan.blocked.put(row)))
    };
    assert_eq!(with(vec![row(1, "*", "9", 100)]), ["Called 1 prefix: ShadowedByBlackList(1)"]);
    assert_eq!(with(vec![row(1, "*", "9", 100), row(2, "100", "9", 0)]), [""; 0]);
    assert_eq!(with(vec![row(1, "*", "9", 100), row(2, "1", "913", 0)]), [""; 0]);
    assert_eq!(with(vec![row(1, "*", "91", 100)]), [""; 0]);
    assert_eq!(with(vec![row(1, "100", "9", 100)]), [""; 0]);
    assert_eq!(
        with(vec![row(1, "100", "9", 100), row(2, "100", "9", 50)]),
        ["BlackList 2 called: SamePrefix(1)"]
    );
    assert_eq!(
        with(vec![row(1, "", "9 9", 101)]),
        [
            r#"BlackList 1 called: NotANumber("9 9")"#,
            r#"BlackList 1 caller: NotANumber("")"#,
            "BlackList 1 rate: Range",
        ]
    );
}

#[test]
fn lines_trunks_and_extensions() {
    let of_line = |change: fn(&mut Line)| {
        found(|it| {
            let mut line = line("5678");
            change(&mut line);
            it.lines.put(line);
        })
    };
    let of_trunk = |change: fn(&mut Trunk)| {
        found(|it| {
            let mut trunk = trunk(2, "10.23.0.2");
            change(&mut trunk);
            it.put_trunk(trunk);
        })
    };
    assert_eq!(of_line(|_| {}), [""; 0]);
    assert_eq!(of_line(|it| it.domain = "".into()), ["Lines 5678 domain: Range"]);
    assert_eq!(of_line(|it| it.domain = "a b".into()), ["Lines 5678 domain: Range"]);
    assert_eq!(of_line(|it| it.expires_s = 59), ["Lines 5678 expires_s: Range"]);
    assert_eq!(of_line(|it| it.no_answer_s = 4), ["Lines 5678 no_answer_s: Range"]);
    assert_eq!(of_line(|it| it.keep_alive_s = 9), ["Lines 5678 keep_alive_s: Range"]);
    assert_eq!(of_line(|it| it.uri_parameters = "a>".into()), ["Lines 5678 uri_parameters: Range"]);
    assert_eq!(of_line(|it| it.shared = false), ["Lines 5678 shared: NobodyMayUse"]);
    let by_dial_plan = |it: &mut Line| it.incoming = Incoming::Owner;
    assert_eq!(of_line(by_dial_plan), [r#"Lines 5678 owner: NobodyAnswers("5678")"#]);
    let owned = |it: &mut Line| (it.incoming, it.owner) = (Incoming::Owner, Some("101".into()));
    assert_eq!(of_line(owned), [""; 0]);
    let account_is = |account: &'static str| {
        found(move |it| {
            it.lines.put(Line { incoming: Incoming::Owner, ..line(account) });
        })
    };
    assert_eq!(account_is("101"), [""; 0]);
    assert_eq!(account_is("2101"), [""; 0]);
    assert_eq!(
        of_line(|it| it.owner = Some("7".into())),
        [r#"Lines 5678 owner: UnknownExtension("7")"#]
    );
    assert_eq!(
        of_line(|it| it.incoming = Incoming::Service("hunt".into())),
        [r#"Lines 5678 incoming: UnknownService("hunt")"#]
    );
    assert_eq!(of_line(|it| it.plan = "x".into()), [r#"Lines 5678 plan: UnknownPlan("x")"#]);
    assert_eq!(
        of_line(|it| it.interop.session_expires_s.0 = 89),
        ["Lines 5678 session_expires_s: Range"]
    );
    assert_eq!(of_trunk(|_| {}), [""; 0]);
    assert_eq!(of_trunk(|it| it.addresses.clear()), ["Trunks 2 addresses: Range"]);
    assert_eq!(of_trunk(|it| it.options_s = 4), ["Trunks 2 options_s: Range"]);
    assert_eq!(of_trunk(|it| it.plan = "x".into()), [r#"Trunks 2 plan: UnknownPlan("x")"#]);
    for number in ["112", "9112"] {
        let expected = format!("Extensions {number} number: EmergencyNumber(\"112\")");
        assert_eq!(found(|it| it.put(extension(number))), [expected]);
    }
    assert_eq!(found(|it| it.put(extension("1120"))), [""; 0]);
    assert_eq!(
        found(|it| it.put(Extension { plan: Some("x".into()), ..extension("100") })),
        [r#"Extensions 100 plan: UnknownPlan("x")"#]
    );
}

/// A line whose calls go to a number, and what the dial plan does with that.
#[test]
fn whom_the_calls_of_a_line_reach() {
    let with = |incoming: Incoming, rows: Vec<CalledRow>, change: fn(&mut Line)| {
        found(|it| {
            let mut line = Line { incoming, ..line("5678") };
            change(&mut line);
            it.lines.put(line);
            rows.into_iter().for_each(|row| it.dial_plan.called.put(row));
        })
    };
    let nobody =
        |field, number: &str| vec![format!("Lines 5678 {field}: NobodyAnswers({number:?})")];
    let number = |it: &str| Incoming::Number(it.into());
    let local = |prefix: &str| called(5, prefix, RouteType::LocalUser);
    let first = |row: CalledRow| CalledRow { transition: Some(1), ..row };
    let again = |row: CalledRow| CalledRow { reanalyze: true, ..first(row) };
    let leveled = |row: CalledRow| CalledRow { level: Some(1), ..row };
    let timed = |row: CalledRow| CalledRow { time: "mon-fri".parse().ok(), ..row };
    let reject = || called(5, "5", RouteType::Reject(603));
    let none: fn(&mut Line) = |_| {};
    #[rustfmt::skip]
    let table: Vec<(Incoming, Vec<CalledRow>, Vec<String>)> = vec![
        (Incoming::Owner, vec![],                      nobody("owner", "5678")),
        (Incoming::Owner, vec![local("5")],            nobody("owner", "5678")),
        (Incoming::Owner, vec![reject()],              vec![]),
        (number("101"),   vec![],                      vec![]),
        (number("7"),     vec![],                      nobody("incoming", "7")),
        (number("21"),    vec![],                      vec![]),
        (number("7101"),  vec![first(local("7"))],     vec![]),
        (number("7999"),  vec![first(local("7"))],     nobody("incoming", "7999")),
        (number("7201"),  vec![again(local("7"))],     vec![]),
        (number("101"),   vec![first(local("1"))],     nobody("incoming", "101")),
        (number("101"),   vec![timed(first(local("1")))], vec![]),
    ];
    for (incoming, rows, expected) in table {
        let context = format!("{incoming:?} {rows:?}");
        assert_eq!(with(incoming, rows, none), expected, "{context}");
    }
    // Nobody outside has a level.
    let mut refused = with(number("7101"), vec![leveled(first(local("7")))], none);
    refused.retain(|it| it.starts_with("Lines"));
    assert_eq!(refused, nobody("incoming", "7101"));
    // No calls come by these.
    assert_eq!(with(number("7"), vec![], |it| it.enabled = false), [""; 0]);
    assert_eq!(with(number("7"), vec![], |it| it.calls_in_max = CallLimit::CLOSED), [""; 0]);
}

type Codes<'a> = &'a [(Feature, &'a str)];

#[test]
fn feature_codes() {
    use Feature::{Echo, ForwardBusy, PickUp, PickUpInGroup};
    let with = |rows: Codes<'_>| {
        let row = |(feature, code): &(Feature, &str)| FeatureRow {
            feature: *feature,
            code: (*code).into(),
        };
        found(|it| {
            it.dial_plan.features = rows.iter().map(row).collect();
            it.put(extension("8800"));
        })
    };
    #[rustfmt::skip]
    let table: [(Codes<'_>, &[&str]); 14] = [
        (&[(Echo, "*44")],                     &[]),
        (&[(Echo, "off"), (PickUp, "*43")],    &[]),
        (&[(Echo, "880")],                     &[]),
        (&[(Echo, "*9")],                      &[]),
        (&[(Echo, "")],                        &["Features echo code: Range"]),
        (&[(Echo, "echo")],                    &["Features echo code: Range"]),
        (&[(Echo, "*78")],                     &[r#"Features echo code: SameCode("*78", "do-not-disturb")"#]),
        (&[(Echo, "*90*5")],                   &[r#"Features echo code: SameCode("*90*", "forward-busy")"#]),
        (&[(PickUp, "*4")],                    &[r#"Features pick-up code: SameCode("*43", "echo")"#]),
        (&[(PickUp, "*5"), (PickUpInGroup, "*55")], &[r#"Features pick-up-in-group code: SameCode("*5", "pick-up")"#]),
        (&[(Echo, "112")],                     &[r#"Features echo code: CodeIsEmergency("112")"#]),
        (&[(ForwardBusy, "99")],               &[r#"Features forward-busy code: CodeIsEmergency("911")"#]),
        (&[(Echo, "8800")],                    &[r#"Features echo code: CodeIsExtension("8800")"#]),
        (&[(PickUp, "88")],                    &[r#"Features pick-up code: CodeIsExtension("8800")"#]),
    ];
    for (rows, expected) in table {
        assert_eq!(with(rows), expected, "{rows:?}");
    }
}

/// What was wrong before a change is not the change's fault, and a warning refuses nothing.
#[test]
fn a_change_is_refused_for_what_it_breaks() {
    let before = sound();
    let mut after = before.clone();
    after.lines.remove("1234");
    let refused = check(&before, &after, AT);
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0].text().en,
        "Analyze called number, row 1, route: there is no external line 1234. \
         Add it, or name another."
    );
    assert_eq!(
        refused[0].text().zh,
        "分析被叫号码，记录1，route：没有外线1234。请先添加，或改用已有的。"
    );
    let mut later = after.clone();
    later.lines.put(Line { shared: false, ..line("77") });
    assert_eq!(check(&after, &later, AT), []);
    later.put(extension("112"));
    assert_eq!(check(&after, &later, AT).len(), 1);
    assert_eq!(check(&before, &before, AT), []);
}
