//! What meets a call at an extension, as the simulator tells it.

use super::{AT, Present, extension, line, office};
use crate::dialplan::{Caller, Query, explain, print};
use crate::directory::{AllowedAddress, Directory};
use crate::id::TenantId;
use crate::interop::CallLimit;
use crate::language::Language;
use crate::line::Line;
use crate::line::config::Incoming;
use crate::release::ReleaseCode;
use crate::supplementary::Forwarding;

fn told(present: &Present, dialled: &str) -> (Vec<String>, Option<ReleaseCode>) {
    let mut tenant = office();
    let network = "10.0.0.7/32".parse().expect("a network");
    tenant.put(crate::directory::Extension {
        addresses: vec![AllowedAddress { network, port: Some(5060) }],
        ..extension("107")
    });
    let mut directory = Directory::default();
    directory.tenants.insert(TenantId::default(), tenant);
    let caller = Caller::Extension("100");
    let tenant = TenantId::default();
    let query =
        Query { tenant, caller, dialled, on_behalf_of: None, hides: false, at: AT, dice: 0 };
    let explanation = explain(&directory, present, &query);
    let result = |text: String, word: &str| -> Vec<String> {
        text.lines().filter_map(|it| it.strip_prefix(word)).map(str::to_owned).collect()
    };
    let english = result(print(&explanation, Language::En), "Result: ");
    let chinese = result(print(&explanation, Language::Zh), "结果：");
    assert_eq!(english.len(), chinese.len(), "{english:?} {chinese:?}");
    (english, explanation.last().end().map(|it| it.code))
}

/// What is wrong with 101.
#[derive(Clone, Copy)]
enum Is {
    Idle,
    Full,
    Quiet,
    Away,
}

#[test]
fn a_call_is_followed_to_where_it_is_sent_on() {
    use Forwarding::{Always, Busy, NoAnswer, Unreachable};
    let rings = "would ring extension 101";
    #[rustfmt::skip]
    let table: [(Is, &[Forwarding], String, Option<ReleaseCode>); 11] = [
        (Is::Idle,  &[],                  format!("{rings}."), None),
        (Is::Idle,  &[Always],            by("always"), None),
        (Is::Idle,  &[NoAnswer],          format!("{rings}; if nobody answers, it goes on to 102."), None),
        // Each forwarding is for its own case.
        (Is::Idle,  &[Busy, Unreachable], format!("{rings}."), None),
        (Is::Full,  &[Busy, Unreachable], by("busy"), None),
        (Is::Quiet, &[Busy, Unreachable], by("busy"), None),
        (Is::Away,  &[Busy, Unreachable], by("unreachable"), None),
        (Is::Full,  &[Always],            by("always"), None),
        (Is::Quiet, &[], format!("{rings} - but do not disturb is on."), Some(ReleaseCode::CalleeDoNotDisturb)),
        (Is::Full,  &[], format!("{rings} - but it has all the calls it may have."), Some(ReleaseCode::CalleeLimit)),
        (Is::Away,  &[], format!("{rings} - no phone of it is registered now."), Some(ReleaseCode::CalleeNotRegistered)),
    ];
    for (is, forwards, expected, end) in table {
        let mut present = Present::default();
        match is {
            Is::Idle => {}
            Is::Full => present.full.push("101"),
            Is::Quiet => present.undisturbed.push("101"),
            Is::Away => present.without_phone.push("101"),
        }
        present.forwards = forwards.iter().map(|it| ("101", *it, "102")).collect();
        let (results, ended) = told(&present, "101");
        assert_eq!((results.join(" "), ended), (expected, end), "{forwards:?}");
    }
}

fn by(why: &str) -> String {
    format!("extension 101 forwards to 102 ({why}). would ring extension 102.")
}

#[test]
fn who_is_known_by_his_address_need_not_register() {
    let present = Present { without_phone: vec!["107"], ..Present::default() };
    assert_eq!(told(&present, "107"), (vec!["would ring extension 107.".to_owned()], None));
}

/// The phone that calls is not called itself, as in a real call; another one of the same number is.
#[test]
fn who_calls_his_own_number_reaches_his_other_phones() {
    let rings = "would ring extension 100";
    let alone = format!("{rings} - no phone of it is registered now.");
    let not_registered = Some(ReleaseCode::CalleeNotRegistered);
    assert_eq!(told(&Present::default(), "100"), (vec![alone], not_registered));
    let present = Present { with_two_phones: vec!["100"], ..Present::default() };
    assert_eq!(told(&present, "100"), (vec![format!("{rings}.")], None));
    // He hears of his own number again where somebody sends his call there.
    let forwards = vec![("101", Forwarding::Always, "100")];
    let (results, end) = told(&Present { forwards, ..Present::default() }, "101");
    assert!(results[1].ends_with("no phone of it is registered now."), "{results:?}");
    assert_eq!(end, not_registered);
}

#[test]
fn who_has_all_the_calls_he_may_have_begins_none() {
    let present = Present { calling: vec!["100"], ..Present::default() };
    for dialled in ["101", "9", "404", "*43"] {
        let (results, end) = told(&present, dialled);
        assert!(results[0].starts_with("refused with 486 (caller.limit)"), "{results:?}");
        assert_eq!(end, Some(ReleaseCode::CallerLimit), "{dialled}");
    }
    // It counts for who calls, not for who is called.
    let present = Present { calling: vec!["101"], ..Present::default() };
    assert_eq!(told(&present, "101").1, None);
}

#[test]
fn a_line_with_all_the_calls_it_takes_lets_nobody_in() {
    for (most, expected) in [
        (None, None),
        (Some(2), None),
        (Some(1), Some(ReleaseCode::LineIncomingBusy)),
        (Some(0), Some(ReleaseCode::LineTakesNone)),
    ] {
        let mut tenant = office();
        let incoming = Incoming::Extension("101".into());
        let calls_in_max = CallLimit(most);
        tenant.lines.put(Line { incoming, calls_in_max, ..line("5") });
        let mut directory = Directory::default();
        directory.tenants.insert(TenantId::default(), tenant);
        let caller = Caller::Line { account: "5", number: "138" };
        let tenant = TenantId::default();
        let query = Query {
            tenant,
            caller,
            dialled: "5",
            on_behalf_of: None,
            hides: false,
            at: AT,
            dice: 0,
        };
        let present = Present { calls_in: 1, ..Present::default() };
        let explanation = explain(&directory, &present, &query);
        assert_eq!(explanation.end().map(|it| it.code), expected, "{most:?}");
    }
}

/// An office may have thousands of lines; those that are not named are counted, each once.
#[test]
fn skipped_lines_that_are_not_named_are_counted() {
    let mut tenant = office();
    for number in 1000..1060 {
        tenant.lines.put(line(&number.to_string()));
    }
    let mut directory = Directory::default();
    directory.tenants.insert(TenantId::default(), tenant);
    let tenant = TenantId::default();
    let caller = Caller::Extension("100");
    let text = |present: &Present, dialled, language| {
        let query =
            Query { tenant, caller, dialled, on_behalf_of: None, hides: false, at: AT, dice: 0 };
        print(&explain(&directory, present, &query), language)
    };
    let all = Present { all_unregistered: true, ..Present::default() };
    assert!(text(&all, "97", Language::En).contains("; and 10 more"));
    assert!(text(&all, "97", Language::Zh).contains("；另有10条未列出"));
    // What carries an emergency call after all is not skipped.
    let emergency = text(&all, "112", Language::En);
    assert!(
        emergency.contains("would send 112") && emergency.contains("; and 10 more"),
        "{emergency}"
    );
    let one = Present { unregistered: vec!["1000"], ..Present::default() };
    assert!(!text(&one, "97", Language::En).contains(" more"));
}

#[test]
fn what_is_sent_on_in_a_circle_is_refused() {
    use Forwarding::Always;
    let forwards = vec![("101", Always, "102"), ("102", Always, "101")];
    let (results, end) = told(&Present { forwards, ..Present::default() }, "101");
    let end_of_it = "extension 102 forwards to 101 (always): refused with 482 (loop.detected). ";
    assert!(results.len() == 2 && results[1].starts_with(end_of_it), "{results:?}");
    assert_eq!(end, Some(ReleaseCode::LoopDetected));
}

/// The one who sends it on has the rights, and no code is dialled in his place.
#[test]
fn a_code_is_dialled_by_who_it_is_about() {
    let forwards = vec![("101", Forwarding::Always, "*43")];
    let (results, end) = told(&Present { forwards, ..Present::default() }, "101");
    assert!(results[1].starts_with("refused with 403 (caller.forbidden)"), "{results:?}");
    assert_eq!(end, None);
}
