//! The doctor against carriers that are a function: what they say to each question.

use super::*;
use crate::interop::Reliable;
use crate::line::config::{CallerNumber, LineTransport};
use crate::line::register::answer::Lack;
use crate::release::ReleaseCode;
use sip::auth::client::Unanswerable;
use std::net::SocketAddr;

/// What a carrier is like, as far as the doctor can see.
#[derive(Clone, Copy, Debug, Default)]
struct Odd {
    no_address: bool,
    /// Its name leads to another address first, which is silent; or to a server without one.
    dead_first: bool,
    lost: bool,
    /// `None` is silent there.
    only_by: Option<Transport>,
    silent: bool,
    no_options: bool,
    new_call_id: bool,
    min_expires: u32,
    /// The user it takes credentials of; empty is any.
    user: &'static str,
    refuses: Option<u16>,
    redirects: bool,
    not_bound: bool,
    from_account: bool,
    plain_uri: bool,
    /// What it answers a REGISTER with parameters in its Request-URI.
    plain_registrar: Option<u16>,
    /// It asks for no password.
    open: bool,
    needs_100rel: bool,
    prack: Option<u16>,
    min_se: Option<u32>,
    codecs: bool,
}

fn line() -> Line {
    Line {
        account: "5678".into(),
        domain: "sip.example.com".into(),
        caller_number: CallerNumber::Caller,
        uri_parameters: "user=phone".into(),
        ..Line::default()
    }
}

/// Runs an examination to its end.
fn examine(line: Line, odd: Odd) -> Report {
    let [dead, alive] = [4, 5].map(|it| SocketAddr::from(([203, 0, 113, it], 5060)));
    let transport = line.transport.fixed().unwrap_or(Transport::Udp);
    let addresses = [(dead, odd.dead_first), (alive, !odd.no_address)];
    let targets = addresses.into_iter().filter(|it| it.1);
    let targets = targets.map(|it| Target { transport, address: it.0 }).collect();
    let mut doctor = Doctor::new(line, "100", Some("0138"));
    let lost = if odd.lost { vec!["lost.example.com".into()] } else { vec![] };
    let mut action = doctor.handle(Event::Begins { targets, lost });
    let mut challenged = false;
    for _ in 0..20 {
        let event = match &action {
            Action::Done => return doctor.report(),
            Action::Options(transport) => {
                let is_dead = doctor.target().is_some_and(|it| it.address == dead);
                let there =
                    !is_dead && odd.only_by.is_none_or(|it| it == *transport) && !odd.silent;
                let took = (there && !odd.no_options).then(|| Duration::from_millis(20));
                Event::Reached { took }
            }
            Action::Register { forget, new_call_id } => {
                challenged &= !forget;
                let answer = answer(&doctor, odd, challenged, *new_call_id);
                challenged = true;
                let status = odd.refuses.or(odd.plain_registrar).unwrap_or(401);
                let details =
                    Details { status, ours: Some("sip:c@x".into()), ..Details::default() };
                Event::Registered { answer, details }
            }
            Action::Call(_) => Event::Called(call(&doctor, odd)),
        };
        action = doctor.handle(event);
    }
    panic!("no end");
}

fn answer(doctor: &Doctor, odd: Odd, challenged: bool, new_call_id: bool) -> Answer {
    let line = doctor.line();
    let there = odd.only_by.is_none_or(|it| it == doctor.transport()) && !odd.silent;
    let user = odd.user.is_empty() || odd.user == line.auth_user();
    match () {
        () if !there => Answer::Unheard(Lack::Silent),
        () if odd.redirects => Answer::Redirected,
        () if odd.refuses.is_some() => {
            Answer::Refused { code: odd.refuses.unwrap_or_default(), retry_after: None }
        }
        () if odd.plain_registrar.is_some() && !line.uri_parameters.is_empty() => {
            Answer::Refused { code: odd.plain_registrar.unwrap_or_default(), retry_after: None }
        }
        () if !challenged && !odd.open => Answer::Challenged(Ok(())),
        () if odd.new_call_id && !new_call_id => Answer::InvalidCseq,
        () if !user => Answer::Challenged(Err(Unanswerable::Wrong)),
        () if line.expires_s < odd.min_expires => Answer::TooBrief { min_s: odd.min_expires },
        () if odd.not_bound => Answer::Granted { expires_s: Some(0) },
        () => Answer::Granted { expires_s: Some(line.expires_s) },
    }
}

fn call(doctor: &Doctor, odd: Odd) -> Outcome {
    let line = doctor.line();
    let there = odd.only_by.is_none_or(|it| it == doctor.transport()) && !odd.silent;
    let reliable = line.interop.reliable;
    let refused = |code| Outcome { code, ..Outcome::default() };
    let from_account = line.from_user == crate::line::config::FromUser::Account;
    let rings = Outcome { code: 200, rang: true, ..Outcome::default() };
    match () {
        () if !there => Outcome { silent: true, ..refused(408) },
        () if odd.from_account && !from_account => refused(403),
        () if odd.plain_uri && !line.uri_parameters.is_empty() => refused(484),
        () if odd.needs_100rel && reliable == Reliable::Off => refused(421),
        () if odd.codecs && line.interop.codecs.is_empty() => refused(488),
        () if reliable != Reliable::Off && odd.prack.is_some() => {
            Outcome { prack: odd.prack, ..rings }
        }
        () => {
            let asks = u32::from(line.interop.session_expires_s.0);
            Outcome { min_se: odd.min_se.filter(|least| (1..*least).contains(&asks)), ..rings }
        }
    }
}

#[test]
fn each_oddity_has_its_light_and_its_setting() {
    let usual = Odd::default();
    let off = {
        let mut line = line();
        line.interop.reliable = Reliable::Off;
        line
    };
    let auto = Line { transport: LineTransport::Auto, ..line() };
    let open = Line { register: false, ..line() };
    let other_user = Line { auth_user: "other".into(), ..line() };
    #[rustfmt::skip]
    let table = [
        // line         carrier                                             light, code                                 setting, value                    REGISTERs, calls
        (line(),        Odd { no_address: true, ..usual },                  (Check::Name, "line.dns"),                  Some(("domain", None)),             0, 0),
        (line(),        Odd { dead_first: true, ..usual },                  (Check::Name, "line.dns_partly"),           Some(("domain", None)),             2, 1),
        (line(),        Odd { lost: true, ..usual },                        (Check::Name, "line.dns_partly"),           Some(("domain", None)),             2, 1),
        (line(),        Odd { silent: true, ..usual },                      (Check::Reach, "line.no_response"),         Some(("domain", None)),             1, 0),
        (line(),        Odd { only_by: Some(Transport::Tcp), ..usual }, (Check::Transport, "line.transport"),       Some(("transport", Some("tcp"))),   1, 0),
        (auto,          Odd { only_by: Some(Transport::Tcp), ..usual }, (Check::Transport, "line.transport"),       Some(("transport", Some("tcp"))),   1, 0),
        (line(),        Odd { no_options: true, ..usual },                  (Check::Reach, "line.no_options"),          None,                               2, 1),
        (open.clone(),  Odd { no_options: true, ..usual },                  (Check::Reach, "line.no_options"),          None,                               0, 1),
        (open.clone(),  Odd { silent: true, ..usual },                      (Check::Reach, "line.no_response"),         Some(("domain", None)),             0, 1),
        (open,          Odd { only_by: Some(Transport::Tcp), ..usual },     (Check::Transport, "line.transport"),       Some(("transport", Some("tcp"))),   0, 1),
        (line(),        Odd { new_call_id: true, ..usual },                 (Check::Register, "line.reg_cseq"),         Some(("new_call_id", Some("true"))), 4, 1),
        (line(),        Odd { min_expires: 7200, ..usual },                 (Check::Register, "line.too_brief"),        Some(("expires_s", Some("7200"))),  3, 1),
        (line(),        Odd { redirects: true, ..usual },                   (Check::Register, "line.redirected"),       Some(("outbound_proxy", None)),     1, 0),
        (line(),        Odd { refuses: Some(404), ..usual },                (Check::Register, "line.rejected"),         Some(("domain", None)),             2, 0),
        (line(),        Odd { plain_registrar: Some(416), ..usual },        (Check::Register, "line.rejected_uri_param"), Some(("uri_parameters", Some(""))), 3, 1),
        (line(),        Odd { plain_registrar: Some(404), open: true, ..usual }, (Check::Register, "line.rejected_uri_param"), Some(("uri_parameters", Some(""))), 2, 1),
        (line(),        Odd { user: "nobody", ..usual },                    (Check::Authentication, "line.auth_failed"), Some(("password", None)),          2, 0),
        (other_user,    Odd { user: "5678", ..usual },                      (Check::Authentication, "line.auth_failed"), Some(("auth_user", Some(""))),     4, 1),
        (line(),        Odd { not_bound: true, ..usual },                   (Check::Binding, "line.not_bound"),         None,                               2, 0),
        (line(),        Odd { from_account: true, ..usual },                (Check::Call, "line.rejected_from"),        Some(("from_user", Some("account"))), 2, 2),
        (line(),        Odd { plain_uri: true, ..usual },                   (Check::Call, "line.rejected_uri_param"),   Some(("uri_parameters", Some(""))), 2, 2),
        (off,           Odd { needs_100rel: true, ..usual },                (Check::Call, "line.reliable"),             Some(("interop.reliable", Some("auto"))), 2, 2),
        (line(),        Odd { prack: Some(405), ..usual },                  (Check::Call, "line.prack_refused"),        Some(("interop.reliable", Some("off"))), 2, 2),
        (line(),        Odd { min_se: Some(3600), ..usual },                (Check::Call, "line.min_se"),               Some(("interop.session_expires_s", Some("3600"))), 2, 1),
        (line(),        Odd { min_se: Some(8000), ..usual },                (Check::Call, "line.min_se"),               Some(("interop.session_expires_s", Some("0"))), 2, 1),
        (line(),        Odd { codecs: true, ..usual },                      (Check::Call, "media.codec"),               Some(("interop.codecs", Some("PCMA,PCMU"))), 2, 2),
        (Line { enabled: false, ..line() }, usual,                          (Check::Name, "line.off"),                  Some(("enabled", Some("true"))),    0, 0),
    ];
    for (line, odd, (check, code), setting, registers, invites) in table {
        let report = examine(line.clone(), odd);
        let wrong: Vec<_> = report.lights.iter().filter(|it| it.finding.is_some()).collect();
        assert_eq!(wrong.len(), 1, "{odd:?}: {report:?}");
        assert_eq!(
            (wrong[0].check, wrong[0].finding.map(Finding::as_str)),
            (check, Some(code)),
            "{odd:?}"
        );
        let remedy = report.remedy();
        let value = |it: &Remedy| it.change().map(Change::value);
        let found = remedy.map(|it| (it.setting(), value(it)));
        let expected = setting.map(|(name, value)| (name, value.map(str::to_owned)));
        assert_eq!(found, expected, "{odd:?}");
        assert_eq!((report.registers, report.invites), (registers, invites), "{odd:?}");
        // With the change made, the doctor finds nothing.
        if let Some(change) = remedy.and_then(Remedy::change) {
            let mut changed = line;
            change.apply(&mut changed);
            let again = examine(changed, odd);
            assert!(again.remedy().is_none(), "{odd:?}: {again:?}");
        }
    }
}

#[test]
fn a_healthy_line_has_green_lights_and_one_that_does_not_register_dark_ones() {
    let report = examine(line(), Odd::default());
    assert!(report.lights.iter().all(|it| it.colour == Colour::Green), "{report:?}");
    assert_eq!(report.lights.len(), Check::ALL.len());
    let report = examine(Line { register: false, ..line() }, Odd::default());
    let dark: Vec<Check> =
        report.lights.iter().filter(|it| it.colour == Colour::Dark).map(|it| it.check).collect();
    assert_eq!(dark, [Check::Register, Check::Authentication, Check::Binding]);
}

/// Two things at once: the budget holds, and what was tried in vain is said.
#[test]
fn no_run_goes_beyond_its_requests() {
    let odd = Odd {
        from_account: true,
        plain_uri: true,
        new_call_id: true,
        min_expires: 7200,
        ..Odd::default()
    };
    let report = examine(line(), odd);
    assert!(report.registers <= REGISTERS_MAX && report.invites <= INVITES_MAX, "{report:?}");
    let odd = Odd { from_account: true, plain_uri: true, ..Odd::default() };
    let report = examine(line(), odd);
    let call = report.lights.last().expect("a light");
    assert_eq!((call.colour, call.finding), (Colour::Red, Some(ReleaseCode::LineRejected.into())));
    assert!(call.advice.is_some() && call.remedy.is_none());
}
