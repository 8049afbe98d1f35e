//! The carrier beside the core: it is as odd as it says.

use super::beside::run;
use super::*;
use crate::office::Office;
use pbx::core::Command;
use pbx::finding::Finding;
use pbx::id::TenantId;
use pbx::interop::Reliable;
use pbx::line::Line;
use pbx::line::config::CallerNumber;
use pbx::line::config::Password;
use pbx::line::doctor::report::{Check, Colour, Light, Report};
use pbx::line::register::Standing;
use pbx::settings::Settings;

const TELECOM: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 5)), 5060);

fn office(lines: u32) -> Office {
    let mut office = Office::new(1, Settings::default(), Vec::new());
    office.change(|tenant| {
        for number in 0..lines {
            tenant.lines.put(Line {
                account: format!("{}", 5678 + number).into(),
                password: Password("secret".into()),
                domain: TELECOM.ip().to_string().into(),
                ..Line::default()
            });
        }
    });
    office
}

fn standing(office: &Office, account: &str) -> Option<Standing> {
    office.events.iter().rev().find_map(|it| match it {
        pbx::event::Event::Line(it) if *it.account == *account => Some(it.standing),
        _ => None,
    })
}

#[test]
fn oddities_of_registration() {
    #[rustfmt::skip]
    let table = [
        // oddities                       registered   REGISTERs in 10 s
        ("",                              true,        2),
        ("proxy",                         true,        2),
        ("algorithms=SHA-256",            true,        2),
        ("algorithms=MD5,SHA-256",        true,        2),
        ("stale",                         true,        3),
        ("min-expires=7200",              true,        3),
        ("new-call-id",                   false,       2),
        ("busy=30",                       false,       1),
        ("silent",                        false,       1),
        ("forgets",                       false,       2),
    ];
    for (oddities, registered, registers) in table {
        let odd = Oddities::parse(oddities).expect("oddities");
        let mut carrier = Carrier::new(TELECOM, &[("5678", "secret")], odd);
        let mut office = office(1);
        run(&mut office, &mut carrier, Duration::from_secs(10));
        let is = standing(&office, "5678") == Some(Standing::Registered);
        assert_eq!(is, registered, "{oddities}");
        assert_eq!(carrier.heard["REGISTER"], registers, "{oddities}");
        let bound = carrier.bound("5678", office.clock.now().instant).len();
        assert_eq!(bound, usize::from(registered), "{oddities}");
    }
    assert!(Oddities::parse("funny").is_err());
}

/// REGISTERs that reached the carrier in each second.
fn rates(office: &mut Office, carrier: &mut Carrier, seconds: u32) -> Vec<u32> {
    let count = |it: &Carrier| it.heard.get("REGISTER").copied().unwrap_or_default();
    let second = |_| {
        let before = count(carrier);
        run(office, carrier, Duration::from_secs(1));
        count(carrier) - before
    };
    (0..seconds).map(second).collect()
}

/// 500 lines begin, lose their carrier for ten minutes and come back: at no time are there more
/// REGISTERs in a second than the pace has, each with its challenge.
#[test]
fn five_hundred_lines_come_back_without_a_burst() {
    const MOST: u32 = 2 * 26;
    let numbers: Vec<String> = (5678..6178).map(|it| it.to_string()).collect();
    let accounts: Vec<(&str, &str)> = numbers.iter().map(|it| (it.as_str(), "secret")).collect();
    let mut carrier = Carrier::new(TELECOM, &accounts, Oddities::default());
    let mut office = office(500);
    let registered = |office: &Office, carrier: &Carrier| {
        let now = office.clock.now().instant;
        numbers.iter().filter(|it| !carrier.bound(it, now).is_empty()).count()
    };
    let start = rates(&mut office, &mut carrier, 21);
    assert!(start.iter().all(|it| *it <= MOST), "{start:?}");
    assert_eq!(registered(&office, &carrier), 500);

    // Until every binding has ended and every line waits for its next attempt.
    carrier.oddities.silent = true;
    let outage = rates(&mut office, &mut carrier, 2 * 3600);
    assert!(outage.iter().all(|it| *it <= MOST), "{:?}", outage.iter().max());
    assert_eq!(registered(&office, &carrier), 0);
    carrier.oddities.silent = false;
    let back = rates(&mut office, &mut carrier, 32 + 300 + 2);
    assert!(back.iter().all(|it| *it <= MOST), "{back:?}");
    assert_eq!(registered(&office, &carrier), 500, "within an attempt and the longest pause");

    // The process starts anew while they are registered.
    office.kill();
    let anew = rates(&mut office, &mut carrier, 21);
    assert!(anew.iter().all(|it| *it <= MOST), "{anew:?}");
    assert_eq!(anew.iter().sum::<u32>(), 1000, "each is challenged once");
}

/// What the doctor finds when the line is as `adjust` makes it.
fn examine(oddities: &str, adjust: impl FnOnce(&mut Line)) -> (Report, Office, Carrier) {
    let odd = Oddities::parse(oddities).expect("oddities");
    let mut carrier = Carrier::new(TELECOM, &[("5678", "secret")], odd);
    let mut office = office(0);
    let mut line = Line {
        account: "5678".into(),
        password: Password("secret".into()),
        domain: TELECOM.ip().to_string().into(),
        caller_number: CallerNumber::Caller,
        owner: Some("100".into()),
        ..Line::default()
    };
    adjust(&mut line);
    office.change(|tenant| tenant.lines.put(line));
    run(&mut office, &mut carrier, Duration::from_secs(60));
    carrier.heard.clear();
    office.events.clear();
    let (tenant, account) = (TenantId::default(), "5678".into());
    let call = Some("0138".into());
    office.command(Command::ExamineLine { tenant, account, call, token: 7 });
    run(&mut office, &mut carrier, Duration::from_secs(100));
    let report = office.events.iter().find_map(|it| match it {
        pbx::event::Event::Examined { token: 7, report: Some(report) } => Some((**report).clone()),
        _ => None,
    });
    (report.expect("a report"), office, carrier)
}

#[test]
fn the_doctor_finds_the_setting() {
    let usual = |_: &mut Line| {};
    let without_register = |it: &mut Line| it.register = false;
    let with_parameters = |it: &mut Line| it.uri_parameters = "user=phone".into();
    let without_reliable = |it: &mut Line| it.interop.reliable = Reliable::Off;
    let with_name = |it: &mut Line| it.domain = "carrier.invalid".into();
    let with_user = |it: &mut Line| it.auth_user = "someone".into();
    type Adjust<'a> = &'a dyn Fn(&mut Line);
    /// Oddities, line, light, code, and the setting with its value.
    type Row<'a> = (&'a str, Adjust<'a>, Check, &'a str, Option<(&'a str, &'a str)>);
    #[rustfmt::skip]
    let table: [Row<'_>; 17] = [
        // oddities                     line               light                  code                       setting
        ("new-call-id",                 &usual,            Check::Register,       "line.reg_cseq",           Some(("new_call_id", "true"))),
        ("from-account",                &usual,            Check::Call,           "line.rejected_from",      Some(("from_user", "account"))),
        ("plain-uri",                   &with_parameters,  Check::Call,           "line.rejected_uri_param", Some(("uri_parameters", ""))),
        ("plain-registrar=416",         &with_parameters,  Check::Register,       "line.rejected_uri_param", Some(("uri_parameters", ""))),
        ("needs-100rel",                &without_reliable, Check::Call,           "line.reliable",           Some(("interop.reliable", "auto"))),
        ("prack=405",                   &usual,            Check::Call,           "line.prack_refused",      Some(("interop.reliable", "off"))),
        ("min-se=3600",                 &usual,            Check::Call,           "line.min_se",             Some(("interop.session_expires_s", "3600"))),
        ("min-se=8000",                 &usual,            Check::Call,           "line.min_se",             Some(("interop.session_expires_s", "0"))),
        ("plain-codecs",                &usual,            Check::Call,           "media.codec",             Some(("interop.codecs", "PCMA,PCMU"))),
        ("silent",                      &usual,            Check::Reach,          "line.no_response",        Some(("domain", ""))),
        ("silent",                      &without_register, Check::Reach,          "line.no_response",        Some(("domain", ""))),
        ("no-options",                  &usual,            Check::Reach,          "line.no_options",         None),
        ("no-options challenges=INVITE", &without_register, Check::Reach,         "line.no_options",         None),
        ("",                            &with_name,        Check::Name,           "line.dns",                Some(("domain", ""))),
        ("min-expires=7200",            &usual,            Check::Register,       "line.too_brief",          Some(("expires_s", "7200"))),
        ("redirect=203.0.113.7:5060",   &usual,            Check::Register,       "line.redirected",         Some(("outbound_proxy", "203.0.113.7:5060"))),
        ("",                            &with_user,        Check::Authentication, "line.auth_failed",        Some(("auth_user", ""))),
    ];
    for (oddities, adjust, check, code, setting) in table {
        let (report, _, carrier) = examine(oddities, adjust);
        let wrong: Vec<_> = report.lights.iter().filter(|it| it.colour >= Colour::Amber).collect();
        let code_of = |it: &Light| it.finding.map_or("", Finding::as_str);
        let found: Vec<_> = wrong.iter().map(|it| (it.check, code_of(it))).collect();
        assert_eq!(found, [(check, code)], "{oddities}: {report:#?}");
        let remedy = report.remedy();
        let value = |it: &pbx::line::doctor::change::Remedy| {
            it.change().map(pbx::line::doctor::change::Change::value).unwrap_or_default()
        };
        let found = remedy.map(|it| (it.setting(), value(it)));
        assert_eq!(found, setting.map(|it| (it.0, it.1.to_owned())), "{oddities}");
        let counts =
            ["REGISTER", "INVITE"].map(|it| carrier.heard.get(it).copied().unwrap_or_default());
        assert!(u32::from(report.registers) <= 5 && report.invites <= 2, "{oddities}: {counts:?}");
        let said: String = wrong.iter().flat_map(|it| &it.messages).map(|it| &**it).collect();
        assert!(!said.contains("response=\"0"), "{said}");
        if check != Check::Name {
            assert!(said.contains("SIP/2.0"), "{oddities}: {wrong:?}");
        }
    }
}

/// Beside the line's own registration: the carrier holds one binding before and after, and the line
/// stays as it was.
#[test]
fn the_doctor_disturbs_nothing() {
    for challenges in ["", "challenges=INVITE,BYE,PRACK needs-100rel early-media"] {
        let (report, mut office, mut carrier) = examine(challenges, |it| {
            it.caller_number = CallerNumber::Account;
        });
        assert_eq!(report.colour(), Colour::Green, "{report:#?}");
        let now = office.clock.now().instant;
        assert_eq!(carrier.bound("5678", now).len(), 1);
        assert!(!office.events.iter().any(|it| matches!(it, pbx::event::Event::Line(_))));
        assert_eq!((report.registers, report.invites), (2, 1));
        // Its call has ended on both sides, and the next refresh of the line goes through.
        run(&mut office, &mut carrier, Duration::from_secs(3600));
        assert_eq!(carrier.bound("5678", office.clock.now().instant).len(), 1);
        assert_eq!(standing(&office, "5678"), Some(Standing::Registered));
        assert_eq!(office.core().counters().ports_leased, 0);
        assert_eq!(office.core().counters().transactions_active, 0);
    }
}
