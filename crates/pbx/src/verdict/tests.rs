//! For each code the facts that lead to it, and near misses that do not.

use super::fact::{Fact, Facts, Place, SentOn, What, Who};
use super::timeline::{Clock, Milestones, timeline};
use super::*;
use crate::dialplan::time::Zone;
use crate::language::Language;
use crate::record::Direction;
use crate::release::ReleaseCode as Code;
use crate::time::UnixMillis;
use std::net::SocketAddr;

/// 2026-11-26T10:40:00Z.
const START: UnixMillis = UnixMillis(1_795_689_600_000);
const CARRIER: Place = Place::Callee(0);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn line() -> Who {
    Who::Line("5678".into())
}

fn trunk() -> Who {
    Who::Trunk("1".into())
}

fn phone() -> Who {
    Who::Phone("101".into())
}

fn refused(who: Who, status: u16) -> What {
    let from = address("203.0.113.9:5060");
    What::Refused { who, from, status, cause: None, retry_after_s: None, words: "".into() }
}

fn showed() -> What {
    What::Showed { number: "100".into(), account: "5678".into() }
}

fn parameters() -> What {
    What::Parameters("user=phone".into())
}

fn prack_refused() -> What {
    prack_refused_by(line())
}

fn prack_refused_by(who: Who) -> What {
    What::PrackRefused { who, status: 405 }
}

fn unregistered(account: &str, why: Option<Code>, status: Option<u16>) -> What {
    let at = Some(UnixMillis(START.0 - 42 * 60_000));
    What::Unregistered { line: account.into(), why, status, at }
}

fn no_packets(refused: u64) -> What {
    What::NoPackets { stated: Some(address("192.168.1.100:4000")), for_s: 12, refused }
}

fn private(relayed: bool) -> What {
    let (stated, source) = ("192.168.1.100".parse(), "203.0.113.7".parse());
    What::PrivateAddress { stated: stated.unwrap(), source: source.unwrap(), relayed }
}

fn offered(srtp: bool) -> What {
    What::Offered { codecs: "G729".into(), srtp }
}

fn unrouted(code: Code, prefix: &str, level: Option<u8>) -> What {
    What::Unrouted { code, number: "8123".into(), row: Some(3), prefix: prefix.into(), level }
}

fn not_taken(code: Code) -> What {
    What::NotTaken { who: Who::Line("Telecom".into()), code, most: Some(4) }
}

fn record(ended: Code, facts: &[(Place, What)]) -> CallRecord {
    let facts: Facts = (0_u32..)
        .zip(facts)
        .map(|(at_ms, (place, what))| Fact { at_ms, place: *place, what: what.clone() })
        .collect();
    CallRecord {
        started_at: START,
        caller_number: "102".into(),
        dialled_number: "8123".into(),
        callee_number: "101".into(),
        release_code: Some(ended),
        facts,
        ..CallRecord::default()
    }
}

/// What a call ended with, its facts, the code and the side of its verdict.
type Row<'a> = (Code, &'a [(Place, What)], Code, Guilty);

fn check(rows: &[Row<'_>]) {
    for (ended, facts, code, guilty) in rows {
        let mut record = record(*ended, facts);
        let verdict = judge(&record).unwrap();
        assert_eq!((verdict.code, verdict.guilty), (*code, *guilty), "{ended} {facts:?}");
        record.release_code = Some(verdict.code);
        let again = judge(&record).unwrap();
        assert_eq!((again.code, again.evidence), (verdict.code, verdict.evidence), "{facts:?}");
    }
}

#[test]
fn a_carrier_that_refuses() {
    use Guilty::{Callee, Network, Us};
    let other = Place::Callee(1);
    #[rustfmt::skip]
    check(&[
        (Code::LineRejected, &[(CARRIER, showed()), (CARRIER, refused(line(), 403))], Code::LineRejectedFrom, Us),
        // The account was shown: it is something else.
        (Code::LineRejected, &[(CARRIER, refused(line(), 403))], Code::LineRejected, Network),
        // Another line had refused it so; the last one did not.
        (Code::LineRejected, &[(CARRIER, showed()), (CARRIER, refused(line(), 403)), (other, refused(line(), 500))], Code::LineRejected, Network),
        (Code::CalleeRejected, &[(CARRIER, parameters()), (CARRIER, refused(line(), 400))], Code::LineRejectedUriParam, Us),
        (Code::CalleeRejected, &[(CARRIER, parameters()), (CARRIER, refused(line(), 416))], Code::LineRejectedUriParam, Us),
        (Code::CalleeUnknown, &[(CARRIER, parameters()), (CARRIER, refused(line(), 484))], Code::LineRejectedUriParam, Us),
        (Code::CalleeUnknown, &[(CARRIER, refused(line(), 484))], Code::CalleeUnknown, Guilty::Caller),
        (Code::CalleeUnknown, &[(CARRIER, parameters()), (CARRIER, refused(trunk(), 484))], Code::CalleeUnknown, Guilty::Caller),
        // A number that does not exist is one with any parameters.
        (Code::CalleeUnknown, &[(CARRIER, parameters()), (CARRIER, refused(line(), 404))], Code::CalleeUnknown, Guilty::Caller),
        (Code::CalleeBusy, &[(CARRIER, parameters()), (CARRIER, refused(line(), 486))], Code::CalleeBusy, Callee),
        (Code::CalleeRejected, &[(CARRIER, refused(line(), 400))], Code::CalleeRejected, Callee),
        (Code::LineFailed, &[(CARRIER, prack_refused()), (CARRIER, refused(line(), 500))], Code::LinePrackRefused, Network),
        (Code::CalleeRejected, &[(CARRIER, prack_refused()), (CARRIER, refused(line(), 481))], Code::LinePrackRefused, Network),
        (Code::LineDiverted, &[(CARRIER, refused(line(), 302)), (CARRIER, What::SentOn { who: line(), to: "sip:1@h".into(), became: SentOn::Denied })], Code::LineDiverted, Network),
        // It was followed, and refused there.
        (Code::CalleeBusy, &[(CARRIER, What::SentOn { who: line(), to: "sip:1@h".into(), became: SentOn::Followed }), (other, refused(line(), 486))], Code::CalleeBusy, Callee),
        // The PRACK was refused and the call went on, as it may.
        (Code::CallerHangup, &[(CARRIER, prack_refused())], Code::CallerHangup, Guilty::Nobody),
        (Code::LineFailed, &[(CARRIER, prack_refused()), (other, refused(line(), 500))], Code::LineFailed, Network),
        (Code::LineFailed, &[(CARRIER, refused(line(), 500)), (CARRIER, prack_refused())], Code::LineFailed, Network),
        (Code::LineAuthFailed, &[(CARRIER, refused(line(), 401))], Code::LineAuthFailed, Us),
        (Code::LineNoResponse, &[(CARRIER, What::Silent { who: line(), to: address("203.0.113.9:5060") })], Code::LineNoResponse, Network),
    ]);
}

/// What a phone or a trunk refuses is no fault of a line, nor what one line refuses that of another.
#[test]
fn nobody_else_is_blamed() {
    use Guilty::{Callee, Network};
    let other = Place::Callee(1);
    #[rustfmt::skip]
    check(&[
        (Code::CalleeRejected, &[(CARRIER, prack_refused_by(phone())), (CARRIER, refused(phone(), 481))], Code::CalleeRejected, Callee),
        (Code::CalleeRejected, &[(CARRIER, prack_refused_by(trunk())), (CARRIER, refused(trunk(), 481))], Code::CalleeRejected, Callee),
        (Code::CalleeRejected, &[(CARRIER, parameters()), (CARRIER, refused(trunk(), 400))], Code::CalleeRejected, Callee),
        (Code::CalleeRejected, &[(CARRIER, parameters()), (CARRIER, refused(line(), 408)), (other, refused(trunk(), 400))], Code::CalleeRejected, Callee),
        (Code::CalleeRejected, &[(CARRIER, prack_refused()), (CARRIER, refused(line(), 500)), (other, refused(line(), 488))], Code::CalleeRejected, Callee),
        (Code::TrunkFailed, &[(CARRIER, prack_refused_by(trunk())), (CARRIER, refused(trunk(), 500))], Code::TrunkFailed, Network),
    ]);
}

#[test]
fn the_command_is_about_whom_it_was() {
    use Direction::{Incoming, Outgoing};
    let refusals = |who: Who, status| {
        vec![(CARRIER, prack_refused_by(who.clone())), (CARRIER, refused(who, status))]
    };
    let parameters = |who| vec![(CARRIER, parameters()), (CARRIER, refused(who, 400))];
    #[rustfmt::skip]
    let table = [
        (Code::LineFailed,       Outgoing, refusals(line(), 500),   Some("dialtone line set 5678 --100rel off")),
        (Code::TrunkFailed,      Outgoing, refusals(trunk(), 500),  Some("dialtone trunk set 1 --100rel off")),
        (Code::CalleeRejected,   Outgoing, parameters(trunk()),     Some("dialtone trunk set 1 --uri-parameters ''")),
        (Code::CalleeRejected,   Outgoing, parameters(line()),      Some("dialtone line set 5678 --uri-parameters ''")),
        // It came by a line; what refused it is a phone.
        (Code::CalleeRejected,   Incoming, refusals(phone(), 481),  None),
        (Code::LineIncomingBusy, Incoming, vec![],                  Some("dialtone line show 1234")),
        (Code::LineFailed,       Outgoing, vec![],                  Some("dialtone line doctor 1234")),
        (Code::LineFailed,       Incoming, vec![],                  None),
    ];
    for (ended, direction, facts, command) in table {
        let mut record = record(ended, &facts);
        (record.direction, record.line) = (direction, Some("1234".into()));
        let action = judge(&record).unwrap().action(&record);
        assert_eq!(action.as_deref(), command, "{ended} {facts:?}");
    }
}

#[test]
fn a_line_that_is_not_registered() {
    let because = |why, status| (Place::Office, unregistered("5678", why, status));
    let other = |why| (Place::Office, unregistered("5679", why, None));
    let end = (Place::Office, unrouted(Code::LineNotRegistered, "", None));
    use Guilty::{Network, Us};
    #[rustfmt::skip]
    check(&[
        (Code::LineNotRegistered, &[because(Some(Code::LineRegCseq), None), end.clone()], Code::LineRegCseq, Network),
        (Code::LineNotRegistered, &[because(Some(Code::LineAuthFailed), None), end], Code::LineAuthFailed, Us),
        (Code::LineNotRegistered, &[because(Some(Code::LineDns), None)], Code::LineDns, Network),
        (Code::LineNotRegistered, &[because(Some(Code::LineNoResponse), None), other(Some(Code::LineNoResponse))], Code::LineNoResponse, Network),
        // A status alone says less than that the line is not registered.
        (Code::LineNotRegistered, &[because(Some(Code::LineRejected), Some(403))], Code::LineNotRegistered, Us),
        // Two lines fail for two reasons.
        (Code::LineNotRegistered, &[because(Some(Code::LineDns), None), other(Some(Code::LineRegCseq))], Code::LineNotRegistered, Us),
        (Code::LineNotRegistered, &[because(Some(Code::LineDns), None), other(None)], Code::LineNotRegistered, Us),
        (Code::LineNotRegistered, &[because(None, None)], Code::LineNotRegistered, Us),
        // One is down and the other full: it is the limit that kept the call.
        (Code::LineAllBusy, &[because(Some(Code::LineDns), None), (Place::Office, not_taken(Code::LineAllBusy))], Code::LineAllBusy, Us),
    ]);
}

#[test]
fn a_call_without_sound() {
    let (caller, callee) = ((Place::Caller, no_packets(0)), (CARRIER, no_packets(0)));
    #[rustfmt::skip]
    check(&[
        (Code::CallerHangup, std::slice::from_ref(&callee), Code::MediaOneWay, Guilty::Callee),
        (Code::CalleeHangup, std::slice::from_ref(&caller), Code::MediaOneWay, Guilty::Caller),
        (Code::CallerHangup, &[caller.clone(), callee.clone()], Code::MediaNone, Guilty::Network),
        (Code::CallerHangup, &[], Code::CallerHangup, Guilty::Nobody),
        (Code::CallerHangup, &[(Place::Caller, private(false))], Code::MediaPrivateSdp, Guilty::Caller),
        // Relayed by its source address: all is well.
        (Code::CallerHangup, &[(Place::Caller, private(true))], Code::CallerHangup, Guilty::Nobody),
        (Code::CallerHangup, &[(CARRIER, private(true)), callee.clone()], Code::MediaOneWay, Guilty::Callee),
        // What ended the call is worse than that nothing was heard.
        (Code::DialogNoAck, &[(Place::Caller, What::NoAck { told: address("192.168.1.10:5060"), known_as: "203.0.113.5".into() }), caller.clone()], Code::DialogNoAck, Guilty::Caller),
        (Code::MediaTimeout, &[(CARRIER, What::MediaStopped { for_s: 60 }), callee.clone()], Code::MediaTimeout, Guilty::Callee),
        (Code::MediaTimeout, &[(Place::Caller, What::MediaStopped { for_s: 60 })], Code::MediaTimeout, Guilty::Caller),
        (Code::MediaCodec, &[(CARRIER, offered(true)), (CARRIER, refused(phone(), 488))], Code::MediaCrypto, Guilty::Callee),
        (Code::MediaCodec, &[(CARRIER, offered(false)), (CARRIER, refused(phone(), 488))], Code::MediaCodec, Guilty::Callee),
        (Code::MediaCodec, &[], Code::MediaCodec, Guilty::Callee),
    ]);
}

#[test]
fn a_dialog_that_broke() {
    use Guilty::{Callee, Caller};
    #[rustfmt::skip]
    check(&[
        (Code::DialogRefreshFailed, &[(Place::Caller, What::NotRefreshed { after_s: 900 })], Code::DialogRefreshFailed, Caller),
        (Code::DialogRefreshFailed, &[(CARRIER, What::NotRefreshed { after_s: 900 })], Code::DialogRefreshFailed, Callee),
        (Code::DialogPeerVanished, &[(Place::Caller, What::Vanished { status: 408 })], Code::DialogPeerVanished, Caller),
        (Code::DialogPeerVanished, &[(CARRIER, What::Vanished { status: 481 })], Code::DialogPeerVanished, Callee),
        // It vanished after the end had another cause.
        (Code::CallerHangup, &[(CARRIER, What::Vanished { status: 481 })], Code::CallerHangup, Guilty::Nobody),
    ]);
}

#[test]
fn a_running_call_has_no_verdict() {
    let mut record = record(Code::CallerHangup, &[]);
    record.release_code = None;
    assert_eq!(judge(&record), None);
}

#[test]
fn sentences_name_what_they_are_about() {
    let ten_thirty_two = UnixMillis(START.0 - 8 * 60_000);
    let yesterday = UnixMillis(START.0 - 24 * 3_600_000);
    let office = |what| (Place::Office, what);
    #[rustfmt::skip]
    let table = [
        (Code::RouteNoMatch, office(unrouted(Code::RouteNoMatch, "", None)),
            "No dial-plan row matches 8123.", "拨号规则中没有与8123匹配的记录。"),
        (Code::RouteDeniedLevel, office(unrouted(Code::RouteDeniedLevel, "9", Some(1))),
            "102 may not call numbers starting with 9 (call level 1 needed).", "102没有呼叫前缀9的权限（需要呼叫级别1）。"),
        (Code::SecurityBlocked, office(unrouted(Code::SecurityBlocked, "", None)),
            "The call from 102 to 101 matches row 3 of the black list.", "102对101的呼叫命中系统黑名单第3条。"),
        (Code::CalleeNotRegistered, office(What::NoPhone { since: Some(ten_thirty_two) }),
            "101 has not been registered since 10:32.", "分机101自10:32起未注册。"),
        (Code::CalleeNotRegistered, office(What::NoPhone { since: Some(yesterday) }),
            "101 has not been registered since 2026-11-25 10:40.", "分机101自2026-11-25 10:40起未注册。"),
        (Code::CalleeNoAnswer, office(What::NoAnswer { after_s: 15 }),
            "101 did not answer within 15 s.", "被叫101在15秒内无应答。"),
        (Code::LineAllBusy, office(not_taken(Code::LineAllBusy)),
            "All 4 outgoing calls of line Telecom are in use.", "外线Telecom的4路出呼叫已全部占用。"),
        (Code::LineNotRegistered, office(unregistered("123456", Some(Code::LineRejected), Some(403))),
            "Line 123456 was not registered (403 from the carrier, 09:58).", "外线123456未注册（运营商返回403，09:58）。"),
        (Code::LineNotRegistered, office(unregistered("123456", Some(Code::LineRegCseq), None)),
            "Line 123456 was not registered (The carrier refuses the second REGISTER of one Call-ID, 09:58).", "外线123456未注册（运营商拒绝同一Call-ID的再次注册，09:58）。"),
        (Code::LineAuthFailed, (CARRIER, refused(line(), 401)),
            "Line 5678: The carrier refused user name or password. (401)", "外线5678：运营商拒绝了用户名或密码。（401）"),
        (Code::LineNoResponse, (CARRIER, What::Silent { who: line(), to: address("203.0.113.9:5060") }),
            "Line 5678 did not respond: no answer from 203.0.113.9:5060.", "外线5678没有任何响应：203.0.113.9:5060无应答。"),
        (Code::DialogNoAck, (Place::Caller, What::NoAck { told: address("192.168.1.10:5060"), known_as: "203.0.113.5".into() }),
            "The ACK of the caller never came: this server named itself 192.168.1.10:5060, the phone calls it 203.0.113.5.",
            "应答后未收到主叫的ACK：本服务器自称192.168.1.10:5060，话机访问的地址是203.0.113.5。"),
        (Code::CallerHangup, (CARRIER, no_packets(0)),
            "The caller is heard, the callee is not: no packets arrive from the callee. They were expected from 192.168.1.100:4000.",
            "单通：能听到主叫，听不到被叫，没有收到被叫侧的语音包。预期来源为192.168.1.100:4000。"),
        (Code::MediaCodec, (CARRIER, offered(false)),
            "No common codec: the offer had G729.", "双方没有共同的语音编码：主叫提供G729。"),
    ];
    for (ended, fact, en, zh) in table {
        let record = record(ended, &[fact]);
        let sentence = judge(&record).unwrap().sentence(&record, &Zone::default());
        assert_eq!((sentence.get(Language::En), sentence.get(Language::Zh)), (en, zh));
    }
}

#[test]
fn every_code_has_its_words() {
    for &code in Code::ALL {
        let record = record(code, &[]);
        let verdict = judge(&record).unwrap();
        let (sentence, remedy) = (verdict.sentence(&record, &Zone::default()), verdict.remedy());
        for text in [&sentence, &remedy] {
            assert!(text.en.is_ascii() && text.en.ends_with('.'), "{code}: {}", text.en);
            assert!(text.zh.ends_with('。') && !text.zh.ends_with("。。"), "{code}: {}", text.zh);
        }
    }
}

#[test]
fn the_command_does_what_the_remedy_says() {
    #[rustfmt::skip]
    let table = [
        ("doctor of the line",     "dialtone line doctor 5678"),
        ("the simulator",          "dialtone dialplan simulate --from 102 --dial 8123"),
        ("(from_user = account)",  "dialtone line set 5678 --from-user account"),
        ("(uri_parameters)",       "dialtone line set 5678 --uri-parameters ''"),
        ("(reliable = off)",       "dialtone line set 5678 --100rel off"),
        ("(new_call_id)",          "dialtone line set 5678 --new-call-id true"),
        ("media relay",            "dialtone line set 5678 --relay always"),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for &code in Code::ALL {
        let mut record = record(code, &[(CARRIER, private(false))]);
        (record.line, record.direction) = (Some("5678".into()), Direction::Outgoing);
        let verdict = Verdict { code, ..judge(&record).unwrap() };
        let remedy = verdict.remedy();
        for (words, command) in table.iter().filter(|it| remedy.en.contains(it.0)) {
            assert_eq!(verdict.action(&record).as_deref(), Some(*command), "{code}");
            seen.insert(*words);
        }
    }
    assert_eq!(seen.len(), table.len(), "{seen:?}");
}

#[test]
fn a_private_address_is_relayed_on_its_side() {
    let command = |place, direction, trunk: Option<&str>| {
        let mut record = record(Code::MediaPrivateSdp, &[(place, private(false))]);
        (record.direction, record.trunk) = (direction, trunk.map(Into::into));
        record.caller_extension = Some("102".into());
        record.callee_extension = Some("101".into());
        judge(&record).unwrap().action(&record).unwrap()
    };
    use Direction::{Incoming, Internal, Outgoing};
    #[rustfmt::skip]
    let table = [
        (Place::Caller, Internal, None,      "dialtone ext set 102 --relay always"),
        (CARRIER,       Internal, None,      "dialtone ext set 101 --relay always"),
        (Place::Caller, Outgoing, Some("1"), "dialtone ext set 102 --relay always"),
        (CARRIER,       Outgoing, Some("1"), "dialtone trunk set 1 --relay always"),
        (Place::Caller, Incoming, Some("1"), "dialtone trunk set 1 --relay always"),
        (CARRIER,       Incoming, Some("1"), "dialtone ext set 101 --relay always"),
    ];
    for (place, direction, trunk, expected) in table {
        assert_eq!(command(place, direction, trunk), expected);
    }
}

#[test]
fn hostile_words_stay_inert() {
    let mut record = record(Code::RouteNoMatch, &[]);
    record.dialled_number = "\u{1b}[2J\u{202e}x".into();
    let verdict = judge(&record).unwrap();
    let sentence = verdict.sentence(&record, &Zone::default());
    assert_eq!(sentence.en, "No dial-plan row matches ?[2J?x.");
    assert_eq!(verdict.action(&record), None, "no foreign word stands in a command");
    record.dialled_number = "*43;reboot".into();
    assert_eq!(verdict.action(&record), None);
    record.dialled_number = "*43".into();
    let command = "dialtone dialplan simulate --from 102 --dial '*43'";
    assert_eq!(verdict.action(&record).as_deref(), Some(command));
}

#[test]
fn the_timeline_is_in_order() {
    let mut record =
        record(Code::CalleeNoAnswer, &[(Place::Office, What::NoAnswer { after_s: 15 })]);
    record.facts[0].at_ms = 15_000;
    let milestones = Milestones {
        started: START,
        ringing: Some(UnixMillis(START.0 + 200)),
        answered: None,
        ended: Some(UnixMillis(START.0 + 15_000)),
    };
    let entries = timeline(&milestones, &record.facts, &Zone::default());
    let told: Vec<_> = entries.iter().map(|it| (it.at_ms, it.what)).collect();
    assert_eq!(told, [(0, "started"), (200, "ringing"), (15_000, "no-answer"), (15_000, "ended")]);
}

/// The attempt that rang, not the first one.
#[test]
fn milestones_belong_to_the_attempt_that_was_left() {
    let at = |ms| UnixMillis(START.0 + ms);
    let failed = |place, at_ms, what| Fact { at_ms, place, what };
    let (to, who) = (address("203.0.113.9:5060"), line());
    let facts = [
        failed(Place::Callee(0), 100, What::Silent { who: who.clone(), to }),
        failed(Place::Callee(1), 150, What::Broken { who: who.clone(), to: None }),
        // After it had rung.
        failed(Place::Callee(2), 9_000, What::Silent { who, to }),
    ];
    let places = |ringing, answered| {
        let milestones = Milestones { started: START, ringing, answered, ended: None };
        let entries = timeline(&milestones, &facts, &Zone::default());
        let marks = entries.iter().filter(|it| matches!(it.what, "ringing" | "answered"));
        marks.map(|it| it.place).collect::<Vec<_>>()
    };
    assert_eq!(places(Some(at(50)), None), [Place::Callee(0)]);
    assert_eq!(places(Some(at(120)), None), [Place::Callee(1)]);
    assert_eq!(places(Some(at(200)), Some(at(9_500))), [Place::Callee(2), Place::Callee(3)]);
}

#[test]
fn every_fact_is_told_in_both_languages() {
    let who = || line();
    let to = address("203.0.113.9:5060");
    let all = [
        unrouted(Code::RouteNoMatch, "", None),
        not_taken(Code::LineAllBusy),
        unregistered("5678", Some(Code::LineDns), None),
        What::NoPhone { since: None },
        What::NoPhone { since: Some(START) },
        What::Full { number: "100".into(), most: 2 },
        refused(line(), 503),
        What::Silent { who: who(), to },
        What::Broken { who: who(), to: Some(to) },
        What::Broken { who: phone(), to: None },
        showed(),
        parameters(),
        prack_refused(),
        What::NoAnswer { after_s: 60 },
        What::NoAck { told: to, known_as: "".into() },
        What::NoAck { told: to, known_as: "pbx.example".into() },
        What::NoPrack,
        What::NotRefreshed { after_s: 900 },
        What::Vanished { status: 408 },
        What::Vanished { status: 481 },
        What::StreamLost,
        private(true),
        private(false),
        no_packets(0),
        no_packets(7),
        What::MediaStopped { for_s: 60 },
        offered(true),
        What::MediaFailed { reason: "no socket".into() },
    ];
    let zone = Zone::default();
    let clock = Clock { zone: &zone, today: START };
    let mut told = std::collections::BTreeSet::new();
    for what in all {
        let text = what.text(&clock);
        assert_ne!(text.en, what.as_str());
        assert!(text.en.is_ascii() && !text.zh.is_ascii(), "{text:?}");
        told.insert(what.as_str());
    }
    assert_eq!(told.len(), 22, "a fact without its row here");
}
