//! Emergency numbers: what gives way to them, and the ways out they are given.

use super::*;

#[test]
fn nothing_blocks_or_changes_an_emergency_number() {
    let mut tenant = office();
    tenant.dial_plan.blocked.put(BlockRow {
        id: 1,
        caller: "*".into(),
        called: "*".into(),
        rate: 100,
        description: "".into(),
    });
    assert_eq!(from_100(&tenant, "101"), "603 security.blocked");
    // Without a line it is a number like any other.
    assert_eq!(from_100(&tenant, "112"), "603 security.blocked");

    tenant.lines.put(line("1"));
    tenant.lines.put(Line { owner: Some("101".into()), shared: false, ..line("2") });
    tenant.dial_plan.put_transition(change(1, TransitionKind::Insert, 0, 0, "0"));
    tenant.dial_plan.refine_called.put(refine(1, 0, "", 1));
    let row = CalledRow { level: Some(1), transition: Some(1), ..called(1, "112", by_line("2")) };
    tenant.dial_plan.called.put(row);
    assert_eq!(from_100(&tenant, "112"), "line 2: 112 as 2, line 1: 112 as 1");
    assert_eq!(from_100(&tenant, "9112"), "line 1: 112 as 1, line 2: 112 as 2");
    assert_eq!(from_100(&tenant, "1121"), "603 security.blocked");
    assert_eq!(from_100(&tenant, "110"), "603 security.blocked");
    let chinese = Settings { language: Language::Zh, ..Settings::default() };
    tenant.settings = Arc::new(chinese);
    assert_eq!(from_100(&tenant, "110"), "line 1: 110 as 1, line 2: 110 as 2");
}

/// What is free comes first, then what is full or closed.
#[test]
fn an_emergency_call_goes_by_whatever_there_is() {
    let mut tenant = office();
    tenant.put_trunk(Trunk { calls_out_max: CallLimit(Some(2)), ..trunk(1, "10.23.0.1") });
    let with = |tenant: &Tenant, live: Present, dialled: &str| {
        words(&route(&directory(tenant.clone()), &live, &ask("100", dialled)))
    };
    let full = || Present { trunk_calls: 2, calls: vec![("1", 1)], ..Present::default() };
    assert_eq!(with(&tenant, Present::default(), "112"), "trunk 1: 112 as 100");
    assert_eq!(with(&tenant, full(), "112"), "trunk 1: 112 as 100");
    for account in ["1", "2"] {
        tenant.lines.put(Line { calls_out_max: CallLimit(Some(1)), ..line(account) });
    }
    let by = "line 2: 112 as 2, trunk 1: 112 as 100, line 1: 112 as 1";
    assert_eq!(with(&tenant, Present { trunk_calls: 0, ..full() }, "112"), by);
    let by = "line 2: 112 as 2, line 1: 112 as 1, trunk 1: 112 as 100";
    assert_eq!(with(&tenant, full(), "112"), by);
    assert_eq!(with(&tenant, full(), "97"), "line 2: 7 as 2");
    // At last by what is not there, as far as we know.
    let gone = || Present { unregistered: vec!["1", "2"], silent: vec![1], ..full() };
    let by = "line 1: 112 as 1, line 2: 112 as 2, trunk 1: 112 as 100";
    assert_eq!(with(&tenant, Present { unregistered: vec!["1"], ..full() }, "112"), {
        "line 2: 112 as 2, trunk 1: 112 as 100, line 1: 112 as 1"
    });
    let watched = Trunk { options_s: 30, ..trunk(1, "10.23.0.1") };
    tenant.put_trunk(watched);
    assert_eq!(with(&tenant, gone(), "112"), by);
    assert_eq!(with(&tenant, Present { silent: vec![], ..gone() }, "112"), {
        "trunk 1: 112 as 100, line 1: 112 as 1, line 2: 112 as 2"
    });
    assert_eq!(with(&tenant, gone(), "97"), "503 line.not_registered");
    // A trunk that a row names is the first.
    let choice = TrunkChoice::Listed(vec![1]);
    tenant.dial_plan.called.put(called(1, "112", RouteType::SipTrunk(choice)));
    let by = "trunk 1: 112 as 100, line 1: 112 as 1, line 2: 112 as 2";
    assert_eq!(with(&tenant, Present::default(), "112"), by);
    let closed = Line { calls_out_max: CallLimit::CLOSED, ..line("3") };
    let mut tenant = office();
    tenant.lines.put(closed);
    assert_eq!(from_100(&tenant, "112"), "line 3: 112 as 3");
    assert_eq!(from_100(&tenant, "97"), "403 line.closed");
}
