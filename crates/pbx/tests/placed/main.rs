//! What the simulator says of a call is what happens to it: random dial plans and numbers, the printed
//! text against the INVITEs that leave a real core, and against its refusals.

#![allow(clippy::unwrap_used)]

mod plan;

use bytes::Bytes;
use pbx::core::{Command, Config};
use pbx::dialplan::{Caller, Candidate, Live, Query, explain, print};
use pbx::directory::{Directory, Extension, Tenant};
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::line::config::FromUser;
use pbx::line::table::Pool;
use pbx::settings::Settings;
use pbx::supplementary::{Forwarding, PhoneChange};
use plan::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sip::message::{HeaderName, Message, Method, NameAddr, StartLine, reason_phrase, response_to};
use sip::{Flow, Transport};
use std::net::SocketAddr;
use std::time::Duration;
use testkit::office::{Office, Outgoing, SERVER_PORT, SERVER_V4};
use testkit::phone::{Phone, Request, Target, Wishes};

const PLANS: u64 = 10_000;
/// Calls with one plan; those that ring stay up, so that later ones find lines in use.
const CALLS: usize = 3;
/// After this a trunk that is asked and does not answer is known to be down.
const UNTIL_DOWN: Duration = Duration::from_secs(10);

/// What the simulator is told of the present: the test's own books.
#[derive(Default)]
struct Books {
    registered: Vec<String>,
    silent: Vec<u32>,
    /// Lines and trunks with a call, once for each.
    lines_in_use: Vec<String>,
    trunks_in_use: Vec<u32>,
    last: Vec<(Pool, String)>,
    forwards: Vec<(String, Forwarding, String)>,
    undisturbed: Vec<String>,
}

impl Live for Books {
    fn line_is_registered(&self, _: TenantId, account: &str) -> bool {
        self.registered.iter().any(|it| it == account)
    }

    fn line_calls_out(&self, _: TenantId, account: &str) -> u16 {
        self.lines_in_use.iter().filter(|it| *it == account).count().try_into().unwrap()
    }

    fn last_taken(&self, _: TenantId, pool: Pool) -> Option<&str> {
        self.last.iter().rev().find(|it| it.0 == pool).map(|it| it.1.as_str())
    }

    fn trunk_is_healthy(&self, _: TenantId, id: u32) -> bool {
        !self.silent.contains(&id)
    }

    fn trunk_calls_out(&self, _: TenantId, id: u32) -> u16 {
        self.trunks_in_use.iter().filter(|it| **it == id).count().try_into().unwrap()
    }

    fn line_calls_in(&self, _: TenantId, _: &str) -> u16 {
        0
    }

    fn trunk_calls_in(&self, _: TenantId, _: u32) -> u16 {
        0
    }

    fn phones_of(&self, _: TenantId, _: &Extension) -> usize {
        0
    }

    fn extension_may_call(&self, _: TenantId, _: &Extension) -> bool {
        true
    }

    fn forwards_to(&self, _: TenantId, number: &str, when: Forwarding) -> Option<&str> {
        let set = self.forwards.iter().find(|it| it.0 == number && it.1 == when)?;
        Some(&set.2)
    }

    fn does_not_disturb(&self, _: TenantId, number: &str) -> bool {
        self.undisturbed.iter().any(|it| it == number)
    }

    fn extension_has_room(&self, _: TenantId, _: &Extension) -> bool {
        true
    }
}

impl Books {
    fn set(&mut self, number: &str, change: &PhoneChange) {
        match change {
            PhoneChange::DoNotDisturb(on) => self.undisturbed.extend(on.then(|| number.to_owned())),
            PhoneChange::Forward(when, to) => {
                let to = to.iter().map(|to| (number.to_owned(), *when, to.to_string()));
                self.forwards.extend(to);
            }
        }
    }
}

/// Who calls, and whom.
#[derive(Clone, Debug)]
struct Attempt {
    /// No two calls have the same Call-ID.
    serial: usize,
    from: From,
    number: String,
    dialled: String,
}

#[derive(Clone, Copy, Debug)]
enum From {
    Extension,
    Line(&'static str),
    Trunk(u32),
}

impl Attempt {
    fn draw(dice: &mut Dice, tenant: &Tenant, serial: usize) -> Self {
        let outside = || ["13800".to_owned(), "anonymous".to_owned(), "10".to_owned()];
        let account = dice.pick(&ACCOUNTS);
        let id = dice.pick(&TRUNKS);
        let line = tenant.lines.get(account).filter(|it| it.enabled && !it.register);
        let trunk = tenant.trunks.get(&id).filter(|it| it.enabled);
        let from = match dice.below(8) {
            0 if line.is_some() => From::Line(account),
            1 if trunk.is_some() => From::Trunk(id),
            _ => From::Extension,
        };
        let number = match from {
            From::Extension => CALLER.to_owned(),
            From::Line(_) | From::Trunk(_) => outside()[dice.below(3)].clone(),
        };
        let dialled = match (from, dice.below(12)) {
            (From::Line(account), _) => account.to_owned(),
            (_, 0..4) => dice.pick(&EXTENSIONS).to_owned(),
            (_, 4) => dice.pick(&["*43", "*44", "*1", EMERGENCY, "95"]).to_owned(),
            _ => dice.digits(1, 6),
        };
        Self { serial, from, number, dialled }
    }

    fn caller(&self) -> Caller<'_> {
        let number = &self.number;
        match self.from {
            From::Extension => Caller::Extension(number),
            From::Line(account) => Caller::Line { account, number },
            From::Trunk(id) => Caller::Trunk { id, number },
        }
    }

    fn invite(&self) -> (Flow, Bytes) {
        let remote = match self.from {
            From::Extension => address_of_extension(CALLER),
            From::Line(account) => address_of_line(account),
            From::Trunk(id) => address_of_trunk(id),
        };
        let local = SocketAddr::new(SERVER_V4, SERVER_PORT);
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let mut phone = Phone::new(&format!("caller{}", self.serial), &self.number, "", flow);
        let target = Target::Number(self.dialled.clone());
        // The simulator says which number goes out; whether it is withheld is not the dial plan's.
        let shown = ("Privacy".to_owned(), "none".to_owned());
        let wishes = Wishes { headers: vec![shown], ..Wishes::default() };
        let request = Request { method: "INVITE".into(), target, wishes };
        (flow, phone.request(request).unwrap())
    }
}

/// What became of a placed call.
#[derive(Debug, PartialEq)]
struct Placed {
    /// Each INVITE that left, in the words of the simulator.
    tried: Vec<String>,
    /// Its Request-URI and the user of its From.
    sent: Vec<(String, String)>,
    /// The final response to the caller.
    refused: Option<u16>,
}

/// Places the call. Each candidate refuses, but one that is to ring, where the call stays.
fn place(office: &mut Office, (flow, invite): (Flow, Bytes), rings: usize) -> Placed {
    let mut placed = Placed { tried: vec![], sent: vec![], refused: None };
    let begun = Message::parse(&invite).unwrap();
    let own = begun.headers.get(HeaderName::CallId);
    office.receive(flow, &invite);
    while let Some(sent) = office.poll_sent() {
        let Outgoing::Message { flow, bytes, .. } = sent.what else { continue };
        let message = Message::parse(&bytes).unwrap();
        if message.headers.get(HeaderName::CallId) == own {
            placed.refused = placed.refused.or_else(|| message.status().filter(|it| *it >= 200));
        }
        if message.method() != Some(Method::Invite) {
            continue;
        }
        let words = in_words(&message, flow.remote);
        placed.tried.push(words.0);
        placed.sent.push(words.1);
        // A busy phone is the end; a line or trunk that fails gives way to the next.
        let code = match placed.tried.len() > rings {
            true => 180,
            false if ends_with_a_phone(&placed.tried) => 486,
            false => 503,
        };
        let answer = response_to(&message, code, reason_phrase(code), Some("there"), flow.local);
        office.receive(flow, &answer.finish());
        if code == 180 {
            break;
        }
    }
    while office.poll_sent().is_some() {}
    placed
}

fn ends_with_a_phone(tried: &[String]) -> bool {
    tried.last().is_some_and(|it| it.starts_with("would ring"))
}

/// An INVITE as the simulator would put it, its Request-URI and the user of its From.
fn in_words(invite: &Message<'_>, to: SocketAddr) -> (String, (String, String)) {
    let StartLine::Request { uri, .. } = invite.start else { panic!("no request") };
    let (scheme, rest) = uri.split_once(':').unwrap();
    let called = match rest.split_once('@') {
        Some((user, _)) => user,
        None if scheme == "tel" => rest.split(';').next().unwrap(),
        None => "",
    };
    let from = NameAddr::parse(invite.headers.get(HeaderName::From).unwrap()).unwrap();
    let from = from.uri.user_unescaped().into_owned();
    let line = ACCOUNTS.iter().find(|it| address_of_line(it) == to);
    let trunk = TRUNKS.iter().find(|it| address_of_trunk(**it) == to);
    let words = match (line, trunk) {
        (Some(account), _) => format!("would send {called} as {from} on line {account}"),
        (_, Some(id)) => format!("would send {called} as {from} on trunk {id}"),
        (None, None) => {
            let number = EXTENSIONS.iter().find(|it| address_of_extension(it) == to).unwrap();
            format!("would ring extension {number}")
        }
    };
    (words, (uri.to_owned(), from))
}

/// A carrier that wants its account in From gets the caller number elsewhere.
fn seen_there(candidate: &Candidate, words: &str) -> String {
    match candidate {
        Candidate::Line(line, out) if line.from_user == FromUser::Account => {
            words.replace(&format!(" as {} ", out.caller), &format!(" as {} ", line.account))
        }
        Candidate::Line(..)
        | Candidate::Trunk(..)
        | Candidate::Extension(_)
        | Candidate::Feature(_) => words.to_owned(),
    }
}

/// What the simulator's text says of the call.
#[derive(Debug, PartialEq)]
struct Said {
    candidates: Vec<String>,
    /// Request-URI and user of From of each, from the steps.
    sent: Vec<(String, String)>,
    refused: Option<(u16, String)>,
}

fn read(text: &str) -> Said {
    let mut said = Said { candidates: vec![], sent: vec![], refused: None };
    for line in text.lines() {
        if let Some((uri, from)) =
            line.split_once("INVITE ").and_then(|it| it.1.split_once("   From "))
        {
            let from = from.split([' ', '>']).next().unwrap();
            let user = match from.strip_prefix("<sip:") {
                Some(address) => address.split_once('@').map_or("", |it| it.0),
                None => from,
            };
            said.sent.push((uri.to_owned(), user.to_owned()));
        }
    }
    let result = text.lines().last().unwrap().strip_prefix("Result: ").unwrap();
    if let Some((_, refused)) = result.split_once("refused") {
        let (_, rest) = refused.split_once(" with ").unwrap();
        let (status, rest) = rest.split_once(" (").unwrap();
        let (code, _) = rest.split_once(')').unwrap();
        said.refused = Some((status.parse().unwrap(), code.to_owned()));
    } else {
        let all = result.strip_suffix('.').unwrap();
        let all = all.split("; if nobody answers, it goes on to ").next().unwrap();
        said.candidates = all.split(", then ").map(str::to_owned).collect();
    }
    said
}

/// Plans and numbers, and what the calls came to.
#[derive(Default)]
struct Tally {
    rang: usize,
    lines: usize,
    trunks: usize,
    refused: usize,
    failed_over: usize,
    sent_on: usize,
}

#[test]
fn the_simulator_names_the_route_that_the_placed_call_takes() {
    // The draw is of all kinds.
    let Tally { rang, lines, trunks, refused, failed_over, sent_on } =
        place_all(Office::usual_config);
    let counts = [rang, lines, trunks, refused, failed_over, sent_on];
    assert!(counts.iter().all(|it| *it > 500), "{counts:?}");
}

/// The test can fail: a core that takes another route than it says is found.
#[cfg(feature = "planted-bugs")]
#[test]
#[should_panic(expected = "seed ")]
fn a_call_that_takes_another_route_is_found() {
    let planted = Some(pbx::planted::Planted::OtherRoute);
    place_all(|| Config { planted, ..Office::usual_config() });
}

/// Every call of every plan, with what the simulator says of it.
fn place_all(config: impl Fn() -> Config) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..PLANS {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let mut office = Office::with_config(seed, Settings::default(), vec![], config());
        office.change(|tenant| dice.furnish(tenant));
        let mut books = Books::default();
        let tenant = office.directory.tenants.get(&TenantId::default()).unwrap().clone();
        for trunk in tenant.trunks.values().filter(|it| it.enabled && it.options_s > 0) {
            books.silent.push(trunk.id);
        }
        if !books.silent.is_empty() {
            office.advance(UNTIL_DOWN);
        }
        for number in EXTENSIONS {
            for change in dice.set_by_phones(number) {
                books.set(number, &change);
                let (tenant, extension) = (TenantId::default(), number.into());
                office.command(Command::SetPhone { tenant, extension, change });
            }
        }
        while office.poll_sent().is_some() {}
        for serial in 0..CALLS {
            let attempt = Attempt::draw(&mut dice, &tenant, serial);
            let rings = dice.below(4);
            let context = (seed, rings);
            call(&mut office, &attempt, &mut books, &mut tally, context);
        }
    }
    tally
}

/// The status of a call for which no phone, line or trunk is tried.
fn nobody_tried(caller: Caller<'_>, said: Option<&String>) -> Option<u16> {
    match said?.as_str() {
        "would start the feature echo" => Some(200),
        it if it.ends_with("no phone of it is registered now") => Some(480),
        it if it.ends_with("do not disturb is on") => Some(480),
        // Nobody rings himself: whoever is known by his address has no other phone here.
        it => matches!(caller, Caller::Extension(number) if it == format!("would ring extension {number}"))
            .then_some(480),
    }
}

fn call(
    office: &mut Office,
    attempt: &Attempt,
    books: &mut Books,
    tally: &mut Tally,
    (seed, rings): (u64, usize),
) {
    let query = Query {
        tenant: TenantId::default(),
        caller: attempt.caller(),
        dialled: &attempt.dialled,
        on_behalf_of: None,
        hides: false,
        at: office.clock.now().utc,
        dice: 0,
    };
    let explained = explain(&office.directory as &Directory, books, &query);
    let text = print(&explained, Language::En);
    let said = read(&text);
    tally.sent_on += usize::from(explained.onward.is_some());
    let placed = place(office, attempt.invite(), rings);
    let context = format!("seed {seed}: {attempt:?}\n{text}{placed:#?}");

    if let Some((status, code)) = &said.refused {
        assert!(placed.tried.is_empty(), "{context}");
        assert_eq!(placed.refused, Some(*status), "{context}");
        let record = office.journal.ended.last().unwrap();
        assert_eq!(record.release_code.map(|it| it.as_str()), Some(code.as_str()), "{context}");
        tally.refused += 1;
        return;
    }
    if let Some(status) = nobody_tried(attempt.caller(), said.candidates.first()) {
        assert_eq!((placed.tried.len(), placed.refused), (0, Some(status)), "{context}");
        return;
    }
    // All of them where each refuses; else up to the one that rings.
    let tried = said.candidates.len().min(rings + 1);
    let candidates = explained.last().route.outcome.as_deref().unwrap();
    let expected: Vec<String> =
        candidates.iter().zip(&said.candidates).map(|(it, words)| seen_there(it, words)).collect();
    assert_eq!(placed.tried, expected[..tried], "{context}");
    assert_eq!(placed.refused.is_some(), tried <= rings, "{context}");
    tally.failed_over += usize::from(tried > 1);
    if ends_with_a_phone(&placed.tried) {
        tally.rang += 1;
        return;
    }
    assert_eq!(placed.sent, said.sent[..tried], "{context}");
    for candidate in &candidates[..tried] {
        if let Candidate::Line(line, out) = candidate {
            books.last.extend(out.pool.map(|it| (it, line.account.to_string())));
        }
    }
    match &candidates[tried - 1] {
        Candidate::Line(line, _) => {
            books.lines_in_use.extend((tried > rings).then(|| line.account.to_string()));
            tally.lines += 1;
        }
        Candidate::Trunk(trunk, _) => {
            books.trunks_in_use.extend((tried > rings).then_some(trunk.id));
            // Whoever answers is there.
            books.silent.retain(|it| *it != trunk.id);
            tally.trunks += 1;
        }
        Candidate::Extension(_) | Candidate::Feature(_) => {}
    }
}
