//! The carrier beside the core: it is as odd as it says.

use super::beside::run;
use super::*;
use crate::office::Office;
use pbx::line::Line;
use pbx::line::config::Password;
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
