//! Zones and what is found in them; the first two are the examples of RFC 3263 §4.1 and §4.2.

use super::*;
use crate::locate::Way;
use crate::message::Uri;
use std::collections::BTreeMap;

/// Answers by `NAME TYPE`. What a zone does not name does not exist; `!` never answers.
#[derive(Default)]
struct Zone {
    answers: BTreeMap<Question, Answer>,
    nobody: Option<Answer>,
}

impl Zone {
    fn of(text: &str) -> Self {
        let mut zone = Self { nobody: Some(Err(Lack::NoSuchName)), ..Self::default() };
        for line in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
            zone.add(line);
        }
        zone
    }

    fn add(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, kind, rest @ ..] = &words[..] else { panic!("{line}") };
        let kind = match *kind {
            "NAPTR" => Kind::Naptr,
            "SRV" => Kind::Srv,
            "A" => Kind::A,
            "AAAA" => Kind::Aaaa,
            other => panic!("{other}"),
        };
        let question = Question { name: plain(name), kind };
        if rest == ["!"] {
            self.answers.insert(question, Err(Lack::NoAnswer));
            return;
        }
        if rest.is_empty() {
            self.answers.insert(question, Err(Lack::NoRecords));
            return;
        }
        let number = |index: usize| rest[index].parse().expect("a number");
        let text = |index: usize| rest[index].trim_matches('"').into();
        let old = self.answers.remove(&question);
        let records = match (kind, old) {
            (Kind::Naptr, old) => {
                let Some(Ok(Records::Naptr(mut all))) = old.or(Some(Ok(Records::Naptr(vec![]))))
                else {
                    panic!("{line}")
                };
                all.push(Naptr {
                    order: number(0),
                    preference: number(1),
                    flags: text(2),
                    services: text(3),
                    regexp: text(4),
                    replacement: text(5),
                });
                Records::Naptr(all)
            }
            (Kind::Srv, old) => {
                let Some(Ok(Records::Srv(mut all))) = old.or(Some(Ok(Records::Srv(vec![])))) else {
                    panic!("{line}")
                };
                all.push(Srv {
                    priority: number(0),
                    weight: number(1),
                    port: number(2),
                    target: text(3),
                });
                Records::Srv(all)
            }
            (Kind::A | Kind::Aaaa, _) => {
                Records::Addresses(rest.iter().map(|it| it.parse().expect("an address")).collect())
            }
        };
        self.answers.insert(question, Ok(records));
    }

    /// Runs a search to its end: what was asked in each round, and what was found.
    fn search(&self, uri: &str) -> (Vec<String>, Result<Located, Lack>) {
        let uri = Uri::parse(uri).expect("a URI");
        let Ok(Way::Named(place)) = Way::of_uri(&uri) else { panic!("not a name") };
        let mut known = BTreeMap::new();
        let mut rounds = Vec::new();
        loop {
            match locate(&place, &|question| known.get(question)) {
                Step::Done(found) => return (rounds, found),
                Step::Ask(questions) => {
                    assert!(rounds.len() < 5 && !questions.is_empty());
                    let asked =
                        questions.iter().map(|it| format!("{} {}", it.name, it.kind.as_str()));
                    rounds.push(asked.collect::<Vec<_>>().join(", "));
                    for question in questions {
                        let answer =
                            self.answers.get(&question).cloned().or_else(|| self.nobody.clone());
                        known.insert(question, answer.expect("an answer"));
                    }
                }
            }
        }
    }
}

/// The services as `rank:weight transport port address,…`.
fn written(found: Result<Located, Lack>) -> Vec<String> {
    match found {
        Err(lack) => vec![format!("{lack:?}")],
        Ok(located) => {
            let one = |it: &Service| {
                let addresses: Vec<String> = it.addresses.iter().map(IpAddr::to_string).collect();
                let transport = it.transport.uri_name();
                format!("{}:{} {transport} {} {}", it.rank, it.weight, it.port, addresses.join(","))
            };
            located.services.iter().map(one).collect()
        }
    }
}

/// RFC 3263 §4.1 and §4.2 without its TLS, which is not spoken here.
const OF_THE_RFC: &str = r#"
    example.com           NAPTR 50 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.
    example.com           NAPTR 90 50 "s" "SIP+D2T"  "" _sip._tcp.example.com.
    example.com           NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp.example.com.
    _sip._tcp.example.com SRV 0 1 5060 server1.example.com.
    _sip._tcp.example.com SRV 0 2 5060 server2.example.com.
    _sip._udp.example.com SRV 0 1 5060 server1.example.com.
    server1.example.com   A 192.0.2.1
    server2.example.com   A 192.0.2.2
    server2.example.com   AAAA
    example.com           A 192.0.2.80
"#;

#[test]
fn the_example_of_the_rfc() {
    let (asked, found) = Zone::of(OF_THE_RFC).search("sip:user@example.com");
    let expected = [
        "example.com NAPTR",
        "_sip._tcp.example.com SRV",
        "server1.example.com AAAA, server1.example.com A, server2.example.com AAAA, server2.example.com A",
    ];
    assert_eq!(asked, expected);
    assert_eq!(written(found), ["0:1 tcp 5060 192.0.2.1", "0:2 tcp 5060 192.0.2.2"]);
}

#[test]
fn what_uri_and_zone_make() {
    #[rustfmt::skip]
    let table: [(&str, &str, &[&str], usize); 15] = [
        // The transport is given: no NAPTR; the port is given: no SRV either.
        (OF_THE_RFC, "sip:a@example.com;transport=udp", &["0:1 udp 5060 192.0.2.1"], 2),
        (OF_THE_RFC, "sip:a@example.com:5080",          &["0:0 udp 5080 192.0.2.80"], 1),
        (OF_THE_RFC, "sip:a@example.com:5080;transport=tcp", &["0:0 tcp 5080 192.0.2.80"], 1),
        // Neither NAPTR nor SRV: the name itself, over UDP.
        ("a.example A 192.0.2.9",             "sip:a.example",               &["0:0 udp 5060 192.0.2.9"], 3),
        ("a.example A 192.0.2.9",             "sip:a.example;transport=tcp", &["0:0 tcp 5060 192.0.2.9"], 2),
        // No NAPTR, but SRV: every transport that has some, ours first.
        ("_sip._tcp.a.example SRV 1 0 5060 b.example
          _sip._udp.a.example SRV 2 0 5070 b.example
          _sip._udp.a.example SRV 1 0 5060 b.example
          b.example A 192.0.2.9 192.0.2.8",   "sip:a.example",
            &["0:0 udp 5060 192.0.2.9,192.0.2.8", "1:0 udp 5070 192.0.2.9,192.0.2.8", "2:0 tcp 5060 192.0.2.9,192.0.2.8"], 3),
        // NAPTR to another domain; what is not for SIP is left out.
        (r#"a.example NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .
            a.example NAPTR 20 20 "S" "sip+d2u" "" _sip._udp.b.example
            a.example NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.b.example
            a.example NAPTR 30 10 "s" "SIP+D2U" "" _sip._udp.c.example
            _sip._udp.b.example SRV 0 0 5060 b.example
            _sip._tcp.b.example SRV 0 0 5060 b.example
            b.example AAAA 2001:db8::9"#,     "sip:a.example",
            &["0:0 tcp 5060 2001:db8::9", "1:0 udp 5060 2001:db8::9"], 3),
        // The service is decidedly not available.
        ("_sip._udp.a.example SRV 0 0 0 .
          a.example A 192.0.2.9",             "sip:a.example;transport=udp", &["NoRecords"], 1),
        // A server without an address is left out.
        ("_sip._udp.a.example SRV 0 0 5060 gone.example
          _sip._udp.a.example SRV 1 0 5060 b.example
          b.example A 192.0.2.9",             "sip:a.example;transport=udp", &["1:0 udp 5060 192.0.2.9"], 2),
        ("_sip._udp.a.example SRV 0 0 5060 gone.example", "sip:a.example;transport=udp", &["NoSuchName"], 2),
        // Who does not answer to NAPTR is asked on; without SRV nothing can be guessed.
        ("a.example NAPTR !
          a.example A 192.0.2.9",             "sip:a.example",               &["0:0 udp 5060 192.0.2.9"], 3),
        ("_sip._udp.a.example SRV !
          a.example A 192.0.2.9",             "sip:a.example;transport=udp", &["NoAnswer"], 1),
        ("a.example A 192.0.2.9
          a.example AAAA !",                  "sip:a.example:5060",          &["0:0 udp 5060 192.0.2.9"], 1),
        ("a.example A
          a.example AAAA",                    "sip:a.example:5060",          &["NoRecords"], 1),
        ("",                                  "sip:a.example",               &["NoSuchName"], 3),
    ];
    for (zone, uri, expected, rounds) in table {
        let (asked, found) = Zone::of(zone).search(uri);
        assert_eq!(written(found), expected, "{uri} in\n{zone}");
        assert_eq!(asked.len(), rounds, "{uri}: {asked:?}");
    }
}

#[test]
fn a_name_has_a_bounded_number_of_servers() {
    let mut zone = String::new();
    for index in 0..40 {
        zone += &format!("_sip._udp.a.example SRV {index} 0 5060 s{index}.example\n");
        zone += &format!("s{index}.example A 192.0.2.{index}\n");
    }
    let (asked, found) = Zone::of(&zone).search("sip:a.example;transport=udp");
    assert_eq!(written(found).len(), SERVICES_MAX);
    assert_eq!(asked[1].split(", ").count(), 2 * SERVICES_MAX);
}
