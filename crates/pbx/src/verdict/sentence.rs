//! The verdict in a sentence that names the numbers, lines, times and addresses it is about.

use super::Verdict;
use super::action;
use super::fact::{Fact, Place, What, Who};
use super::remedy::remedy;
use super::tell::inert;
use super::timeline::Clock;
use crate::dialplan::time::Zone;
use crate::language::Text;
use crate::record::CallRecord;
use crate::release::ReleaseCode as Code;
use crate::text;
use std::borrow::Cow;

impl Verdict {
    /// What happened. Where the facts do not tell more, it is the meaning of the code.
    pub fn sentence(&self, record: &CallRecord, zone: &Zone) -> Text {
        let fact = self.evidence.and_then(|it| record.facts.get(it));
        let clock = Clock { zone, today: record.started_at };
        let named = of_number(self.code, fact, record, &clock)
            .or_else(|| of_way(self.code, fact?, &clock))
            .or_else(|| of_media(self.code, fact?, record));
        named.unwrap_or_else(|| self.code.sentence())
    }

    /// What to do about it.
    pub fn remedy(&self) -> Text {
        remedy(self.code)
    }

    /// The command that helps.
    pub fn action(&self, record: &CallRecord) -> Option<String> {
        action::action(self.code, record)
    }
}

/// The number that was called, as the dial plan left it.
fn callee(record: &CallRecord) -> Option<Cow<'_, str>> {
    let numbers = [&record.callee_number, &record.dialled_number];
    numbers.into_iter().find(|it| !it.is_empty()).map(|it| inert(it))
}

/// Codes about the number that was called.
fn of_number(
    code: Code,
    fact: Option<&Fact>,
    record: &CallRecord,
    clock: &Clock<'_>,
) -> Option<Text> {
    let callee = callee(record)?;
    let what = fact.map(|it| &it.what);
    Some(match (code, what) {
        (Code::RouteNoMatch, _) => text!(
            "No dial-plan row matches {}.",
            "拨号规则中没有与{}匹配的记录。",
            inert(&record.dialled_number)
        ),
        (Code::RouteDeniedLevel, Some(What::Unrouted { prefix, level: Some(level), .. })) => {
            denied(&inert(&record.caller_number), &callee, prefix, *level)
        }
        (Code::SecurityBlocked, Some(What::Unrouted { row: Some(row), .. })) => text!(
            "The call from {} to {callee} matches row {row} of the black list.",
            "{}对{callee}的呼叫命中系统黑名单第{row}条。",
            inert(&record.caller_number)
        ),
        (Code::RouteRejected, Some(What::Unrouted { row: Some(row), .. })) => {
            text!("Row {row} of the dial plan rejects {callee}.", "拨号规则第{row}条拒绝{callee}。")
        }
        (Code::CalleeNotRegistered, Some(What::NoPhone { since: Some(since) })) => text!(
            "{callee} has not been registered since {}.",
            "分机{callee}自{}起未注册。",
            clock.time(*since)
        ),
        (Code::CalleeNotRegistered, _) => {
            text!("{callee} is not registered.", "分机{callee}未注册。")
        }
        (Code::CallerLimit | Code::CalleeLimit, Some(What::Full { number, most: 1 })) => text!(
            "Extension {} has its only call in use.",
            "分机{}的1路并发呼叫已占用。",
            inert(number)
        ),
        (Code::CallerLimit | Code::CalleeLimit, Some(What::Full { number, most })) => text!(
            "Extension {} has all of its {most} calls in use.",
            "分机{}的{most}路并发呼叫已全部占用。",
            inert(number)
        ),
        (Code::CalleeBusy, _) => text!("{callee} was busy.", "被叫{callee}忙。"),
        (Code::CalleeDeclined, _) => text!("{callee} declined the call.", "被叫{callee}拒接。"),
        (Code::CalleeNoAnswer, Some(What::NoAnswer { after_s })) => text!(
            "{callee} did not answer within {after_s} s.",
            "被叫{callee}在{after_s}秒内无应答。"
        ),
        (Code::CalleeNoAnswer, _) => text!("{callee} did not answer.", "被叫{callee}无应答。"),
        (Code::CalleeUnknown, Some(What::Refused { who, status, .. })) => text!(
            "{} does not know the number {callee} ({status}).",
            "{}：不存在号码{callee}（{status}）。",
            capital(who)
        ),
        (Code::CalleeUnknown, _) => {
            text!("There is no number {callee}.", "号码{callee}不存在。")
        }
        _ => return None,
    })
}

fn denied(caller: &str, callee: &str, prefix: &str, level: u8) -> Text {
    match prefix.is_empty() {
        true => text!(
            "{caller} may not call {callee} (call level {level} needed).",
            "{caller}没有呼叫{callee}的权限（需要呼叫级别{level}）。"
        ),
        false => text!(
            "{caller} may not call numbers starting with {} (call level {level} needed).",
            "{caller}没有呼叫前缀{}的权限（需要呼叫级别{level}）。",
            inert(prefix)
        ),
    }
}

/// Codes about a line, a trunk, a phone or the dialog with it.
fn of_way(code: Code, fact: &Fact, clock: &Clock<'_>) -> Option<Text> {
    Some(match (code, &fact.what) {
        (Code::LineAllBusy | Code::TrunkAllBusy, What::NotTaken { who, most: Some(1), .. }) => {
            text!(
                "The only outgoing call of {} is in use.",
                "{}的1路出呼叫已全部占用。",
                who.text()
            )
        }
        (Code::LineAllBusy | Code::TrunkAllBusy, What::NotTaken { who, most: Some(most), .. }) => {
            text!(
                "All {most} outgoing calls of {} are in use.",
                "{}的{most}路出呼叫已全部占用。",
                who.text()
            )
        }
        (
            Code::LineNotShared | Code::LineClosed | Code::TrunkClosed,
            What::NotTaken { who, .. },
        ) => text!("{}: {}", "{}：{}", capital(who), code.sentence()),
        (_, What::Unregistered { .. }) => return unregistered(&fact.what, clock),
        (_, What::Refused { who, status, .. }) if names_carrier(who) => {
            text!("{}: {} ({status})", "{}：{}（{status}）", capital(who), code.sentence())
        }
        (Code::CalleeRejected, What::Refused { who, status, .. }) => {
            text!("{} refused the call with {status}.", "{}以{status}拒绝了呼叫。", capital(who))
        }
        (Code::LineRejectedFrom, What::Showed { number, account }) => text!(
            "The carrier wants the account {} as caller number; the call showed {}.",
            "运营商要求主叫号码为账号{}，而呼叫中的主叫号码为{}。",
            inert(account),
            inert(number)
        ),
        (Code::LineRejectedUriParam, What::Parameters(parameters)) => text!(
            "The carrier does not accept the Request-URI parameters {}.",
            "运营商不识别Request-URI附加参数{}。",
            inert(parameters)
        ),
        (Code::LinePrackRefused, What::PrackRefused { who, status }) => text!(
            "{} demands reliable responses but refuses PRACK ({status}).",
            "{}要求可靠临时响应，却拒绝PRACK（{status}）。",
            capital(who)
        ),
        (_, What::SentOn { who, to, became }) => text!(
            "{} sent the call on to {}: {}.",
            "{}将呼叫重定向到{}：{}。",
            capital(who),
            inert(to),
            became.text()
        ),
        (_, What::NotJoined { number, code }) => text!(
            "The second party {} was not reached. {}",
            "第二方{}未接通。{}",
            inert(number),
            code.sentence()
        ),
        (_, What::Silent { who, to }) => text!(
            "{} did not respond: no answer from {to}.",
            "{}没有任何响应：{to}无应答。",
            capital(who)
        ),
        (_, What::Broken { who, to: Some(to) }) => {
            text!("{} cannot be reached at {to}.", "无法连接到{}（{to}）。", capital(who))
        }
        _ => return of_dialog(fact),
    })
}

fn unregistered(what: &What, clock: &Clock<'_>) -> Option<Text> {
    let What::Unregistered { line, why, status, at } = what else { return None };
    let why = match (status, why) {
        (Some(status), _) => text!("{status} from the carrier", "运营商返回{status}"),
        (None, Some(why)) => why.text(),
        (None, None) => Text::fixed("no answer yet", "尚无应答"),
    };
    let at = at.map_or_else(|| Text::same(""), |it| text!(", {}", "，{}", clock.time(it)));
    Some(text!(
        "Line {} was not registered ({}{}).",
        "外线{}未注册（{}{}）。",
        inert(line),
        bare(&why),
        at
    ))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about a dialog")]
fn of_dialog(fact: &Fact) -> Option<Text> {
    let side = side(fact.place);
    Some(match &fact.what {
        What::NoAck { told, known_as } if !known_as.is_empty() => text!(
            "The ACK of the {} never came: this server named itself {told}, the phone calls it {}.",
            "应答后未收到{}的ACK：本服务器自称{told}，话机访问的地址是{}。",
            side,
            inert(known_as)
        ),
        What::NoAck { told, .. } => text!(
            "The ACK of the {} never came back to {told}.",
            "应答后未收到{}发往{told}的ACK。",
            side
        ),
        What::NotRefreshed { after_s } => text!(
            "The {} did not refresh the session in time (session timer {after_s} s).",
            "{}未按时刷新会话（会话定时器{after_s}秒）。",
            side
        ),
        What::Vanished { .. } | What::StreamLost => text!(
            "The phone of the {} disappeared (Wi-Fi or power?).",
            "{}话机失联（无线网络或电源？）。",
            side
        ),
        _ => return None,
    })
}

/// Codes about what was heard.
fn of_media(code: Code, fact: &Fact, record: &CallRecord) -> Option<Text> {
    let mute = side(fact.place);
    let heard = match fact.place {
        Place::Caller => side(Place::Callee(0)),
        Place::Callee(_) | Place::Office => side(Place::Caller),
    };
    Some(match (code, &fact.what) {
        (Code::MediaOneWay, What::NoPackets { stated, refused, .. }) => {
            let mut private = None;
            for other in record.facts.iter().filter(|it| it.place == fact.place) {
                if let What::PrivateAddress { stated, source, .. } = other.what {
                    private = Some((stated, source));
                }
            }
            let detail = match (private, stated, refused) {
                (_, _, 1..) => text!(
                    " {refused} packets came from another address and were refused.",
                    "有{refused}个来自其他地址的包被拒收。"
                ),
                (Some((stated, source)), ..) => text!(
                    " It names {stated} and comes from {source}: its router lets no media out.",
                    "其通告地址为{stated}，来源地址为{source}：其路由器未放行语音包。"
                ),
                (None, Some(stated), 0) => {
                    text!(" They were expected from {stated}.", "预期来源为{stated}。")
                }
                (None, None, 0) => Text::same(""),
            };
            text!(
                "The {} is heard, the {} is not: no packets arrive from the {}.{}",
                "单通：能听到{}，听不到{}，没有收到{}侧的语音包。{}",
                heard,
                mute,
                mute,
                detail
            )
        }
        (Code::MediaNone, _) => Text::fixed(
            "No audio in either direction: no packets arrived from either side.",
            "双不通：双方均无语音包。",
        ),
        (Code::MediaPrivateSdp, What::PrivateAddress { stated, source, .. }) => text!(
            "The phone of the {} names {stated} from the internet ({source}), where the other side cannot reach it; media was not relayed.",
            "{}话机在公网（{source}）通告了私网地址{stated}，对方无法访问，且媒体流未经转发。",
            mute
        ),
        (Code::MediaTimeout, What::MediaStopped { for_s }) => {
            text!("The {} sent no media for {for_s} s.", "{}在{for_s}秒内没有发送媒体流。", mute)
        }
        (Code::MediaCodec, What::Offered { codecs, .. }) => text!(
            "No common codec: the offer had {}.",
            "双方没有共同的语音编码：主叫提供{}。",
            inert(codecs)
        ),
        (Code::MediaCrypto, What::Offered { .. }) => text!(
            "The phone of the {} insists on SRTP, which the {} refuses.",
            "{}话机要求SRTP，而{}不支持。",
            side(Place::Caller),
            side(Place::Callee(0))
        ),
        (Code::MediaFailed, What::MediaFailed { reason }) => {
            text!("No media port could be opened: {}.", "无法打开媒体端口：{}。", inert(reason))
        }
        _ => return None,
    })
}

fn side(place: Place) -> Text {
    match place {
        Place::Caller => Text::fixed("caller", "主叫"),
        Place::Callee(_) => Text::fixed("callee", "被叫"),
        Place::Office => Text::fixed("server", "服务器"),
    }
}

fn names_carrier(who: &Who) -> bool {
    matches!(who, Who::Line(_) | Who::Trunk(_))
}

/// The name at the start of a sentence.
fn capital(who: &Who) -> Text {
    let text = who.text();
    let mut en = text.en.into_owned();
    if let Some(first) = en.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Text { en: en.into(), zh: text.zh }
}

/// A sentence to stand within another one.
fn bare(text: &Text) -> Text {
    let (en, zh) = (text.en.trim_end_matches('.'), text.zh.trim_end_matches('。'));
    Text { en: en.to_owned().into(), zh: zh.to_owned().into() }
}
