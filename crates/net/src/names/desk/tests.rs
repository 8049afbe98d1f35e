//! The desk under a clock by hand, with a table for DNS.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "some instant to count from")]

use super::*;
use sip::Transport;
use sip::locate::{Kind, Records};
use std::net::{IpAddr, Ipv4Addr};

const SECOND: Duration = Duration::from_secs(1);

/// A desk, the time, and what DNS says; what it does not say does not exist.
struct Office {
    desk: Desk,
    now: Instant,
    answers: BTreeMap<(String, Kind), Answer>,
    ttl: Duration,
    asked: Vec<Question>,
}

impl Office {
    fn new() -> Self {
        let mut draws = 0_u32;
        let dice = move || {
            draws = draws.wrapping_add(0x9e37_79b9);
            draws
        };
        let (answers, asked) = (BTreeMap::new(), Vec::new());
        let desk = Desk::new(Box::new(dice));
        Self { desk, now: Instant::now(), answers, ttl: 100 * SECOND, asked }
    }

    fn address(&mut self, name: &str, last: u8) {
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        self.answers.insert((name.into(), Kind::A), Ok(Records::Addresses(vec![ip])));
    }

    /// Answers all that is asked, in any number of rounds; gives how many were out at most.
    fn serve(&mut self) -> usize {
        let mut most = 0;
        loop {
            let out: Vec<Question> = std::iter::from_fn(|| self.desk.poll_question()).collect();
            if out.is_empty() {
                return most;
            }
            most = most.max(out.len());
            for question in out {
                let key = (question.name.to_string(), question.kind);
                let answer = self.answers.get(&key).cloned().unwrap_or(Err(Lack::NoSuchName));
                self.desk.answered(&question, &answer, self.ttl, self.now);
                self.asked.push(question);
            }
        }
    }

    /// Lets time pass until the next refresh.
    fn next(&mut self) -> Duration {
        let due = self.desk.poll_timeout().unwrap();
        let passed = due.saturating_duration_since(self.now);
        self.now = due;
        self.desk.handle_timeout(due);
        self.serve();
        passed
    }

    fn news(&mut self) -> Vec<String> {
        let one = |(place, resolution): (Place, Resolution)| {
            let how = match &resolution {
                Resolution::Found(_) => "found",
                Resolution::Stale(..) => "stale",
                Resolution::Nothing(Lack::NoAnswer) => "no answer",
                Resolution::Nothing(_) => "nothing",
            };
            let address = resolution.located().map(|it| it.services[0].addresses[0].to_string());
            format!("{} {how} {}", place.name, address.unwrap_or_default()).trim_end().to_owned()
        };
        std::iter::from_fn(|| self.desk.poll_news()).map(one).collect()
    }
}

fn place(name: &str) -> Place {
    Place { name: name.into(), port: Some(5060), transport: Some(Transport::Udp) }
}

#[test]
fn a_question_is_out_once_and_its_answer_is_remembered() {
    let mut office = Office::new();
    office.address("a", 1);
    for _ in 0..3 {
        office.desk.ask(place("a"), office.now);
    }
    office.desk.ask(Place { port: Some(5070), ..place("a") }, office.now);
    office.serve();
    assert_eq!(office.asked.len(), 2, "A and AAAA of one name: {:?}", office.asked);
    assert_eq!(office.news(), ["a found 192.0.2.1"; 2], "one for each place");
    office.now += 99 * SECOND;
    // "There is no AAAA" has ended by now? It is believed for as long as it says, at most 300 s.
    office.desk.ask(place("a"), office.now);
    office.serve();
    assert_eq!((office.asked.len(), office.news().len()), (2, 1));
    office.now += SECOND;
    office.desk.ask(place("a"), office.now);
    office.serve();
    assert_eq!((office.asked.len(), office.news().len()), (4, 1));
}

#[test]
fn times_to_live_have_bounds() {
    // (TTL, still believed after, not any more after), for the address alone.
    for (ttl, before, after) in [(0, 9, 10), (100, 99, 100), (1_000_000, 3599, 3600)] {
        let mut office = Office::new();
        office.answers.insert(("a".into(), Kind::Aaaa), Err(Lack::NoRecords));
        office.address("a", 1);
        office.ttl = ttl * SECOND;
        office.desk.ask(place("a"), office.now);
        office.serve();
        let asks_address_after = |office: &mut Office, seconds: u32| {
            let at = office.now + seconds * SECOND;
            let question = Question { name: "a".into(), kind: Kind::A };
            usable(&office.desk.cache, &question, false, at).is_none()
        };
        assert!(!asks_address_after(&mut office, before) && asks_address_after(&mut office, after));
    }
}

#[test]
fn a_kept_name_is_refreshed_before_its_time_and_told_when_it_changes() {
    let mut office = Office::new();
    office.address("a", 1);
    office.desk.keep(&[place("a")], office.now);
    office.serve();
    assert_eq!(office.news(), ["a found 192.0.2.1"]);
    for _ in 0..3 {
        let after = office.next();
        assert!((80 * SECOND..=90 * SECOND).contains(&after), "{after:?}");
        assert_eq!(office.news(), [""; 0]);
    }
    office.address("a", 2);
    office.next();
    assert_eq!(office.news(), ["a found 192.0.2.2"]);
    office.desk.keep(&[], office.now);
    assert_eq!(office.desk.poll_timeout(), None);
}

#[test]
fn what_was_found_stands_in_for_a_day() {
    let mut office = Office::new();
    office.address("a", 1);
    office.desk.keep(&[place("a")], office.now);
    office.serve();
    office.answers.insert(("a".into(), Kind::A), Err(Lack::NoAnswer));
    office.news();
    let start = office.now;
    office.next();
    assert_eq!(office.news(), ["a stale 192.0.2.1"]);
    let mut tries = 0;
    while office.desk.news.is_empty() {
        let after = office.next();
        assert!((7 * SECOND..=300 * SECOND).contains(&after), "{after:?}");
        tries += 1;
    }
    assert_eq!(office.news(), ["a no answer"]);
    let held = office.now - start;
    assert!((STALE_MAX..STALE_MAX + 600 * SECOND).contains(&held), "{held:?} after {tries} tries");
    office.address("a", 3);
    office.next();
    assert_eq!(office.news(), ["a found 192.0.2.3"]);
}

/// Somebody asks for a name that is kept: he is told at once what is known of it.
#[test]
fn who_asks_is_always_told() {
    let mut office = Office::new();
    office.desk.keep(&[place("a")], office.now);
    office.serve();
    assert_eq!(office.news(), ["a nothing"]);
    office.desk.ask(place("a"), office.now);
    office.serve();
    assert_eq!(office.news(), ["a nothing"]);
}

#[test]
fn five_hundred_names_make_no_burst() {
    let mut office = Office::new();
    let places: Vec<Place> = (0..500).map(|it| place(&format!("line{it}.example"))).collect();
    for it in &places {
        office.address(&it.name, 1);
    }
    office.desk.keep(&places, office.now);
    assert_eq!(office.serve(), QUESTIONS_MAX);
    assert_eq!(office.news().len(), 500);
    // Their refreshes spread over a tenth of the TTL.
    let mut a_second: BTreeMap<u64, u32> = BTreeMap::new();
    for (at, _) in &office.desk.due {
        *a_second.entry((*at - office.now).as_secs()).or_default() += 1;
    }
    assert!(a_second.len() >= 10 && a_second.values().all(|it| *it <= 100), "{a_second:?}");
}

#[test]
fn limits_are_kept() {
    let mut office = Office::new();
    for it in 0..SEARCHES_MAX + 1 {
        office.desk.ask(place(&format!("n{it}.example")), office.now);
    }
    assert_eq!(office.news(), [format!("n{SEARCHES_MAX}.example no answer")]);
    office.serve();
    assert_eq!(office.news().len(), SEARCHES_MAX);
    for it in 0..CACHE_MAX / 2 {
        office.desk.ask(place(&format!("m{it}.example")), office.now);
        office.serve();
    }
    assert_eq!(office.desk.cache.len(), CACHE_MAX);
    assert_eq!((office.desk.searches.len(), office.desk.waiting.len(), office.desk.out), (0, 0, 0));
}
