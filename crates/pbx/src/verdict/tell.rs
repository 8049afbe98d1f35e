//! One fact in words, as the timeline shows it.

use super::fact::{SentOn, What, Who};
use super::timeline::Clock;
use crate::language::Text;
use crate::release::ReleaseCode;
use crate::text;
use sip::message::reason_phrase;
use std::borrow::Cow;

impl Who {
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Phone(number) => text!("phone {}", "话机{}", inert(number)),
            Self::Line(account) => text!("line {}", "外线{}", inert(account)),
            Self::Trunk(name) => text!("SIP trunk {}", "SIP中继{}", inert(name)),
        }
    }
}

impl SentOn {
    pub(super) fn text(self) -> Text {
        match self {
            Self::Followed => Text::fixed("it went there", "已转往该处"),
            Self::Elsewhere => Text::fixed(
                "that is no server of the line or trunk",
                "该地址不是该外线或中继的服务器",
            ),
            Self::Denied => {
                Text::fixed("the caller may not dial that number by it", "主叫无权经其拨打该号码")
            }
            Self::Again => Text::fixed(
                "the call was there already, or was sent on too often",
                "呼叫已到过该处，或重定向次数过多",
            ),
        }
    }
}

impl What {
    /// The stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unrouted { .. } => "unrouted",
            Self::NotTaken { .. } => "not-taken",
            Self::Unregistered { .. } => "unregistered",
            Self::NoPhone { .. } => "no-phone",
            Self::Full { .. } => "full",
            Self::Refused { .. } => "refused",
            Self::Silent { .. } => "silent",
            Self::Broken { .. } => "broken",
            Self::Showed { .. } => "showed",
            Self::Parameters(_) => "parameters",
            Self::PrackRefused { .. } => "prack-refused",
            Self::NoAnswer { .. } => "no-answer",
            Self::NoAck { .. } => "no-ack",
            Self::NoPrack => "no-prack",
            Self::NotRefreshed { .. } => "not-refreshed",
            Self::Vanished { .. } => "vanished",
            Self::StreamLost => "stream-lost",
            Self::PrivateAddress { .. } => "private-address",
            Self::NoPackets { .. } => "no-packets",
            Self::MediaStopped { .. } => "media-stopped",
            Self::Offered { .. } => "offered",
            Self::MediaFailed { .. } => "media-failed",
            Self::SentOn { .. } => "sent-on",
            Self::NotJoined { .. } => "not-joined",
        }
    }

    pub(super) fn text(&self, clock: &Clock<'_>) -> Text {
        match self {
            Self::Unrouted { .. } | Self::NotTaken { .. } | Self::Unregistered { .. } => {
                self.of_route(clock)
            }
            Self::NoPhone { since: Some(since) } => text!(
                "no phone has been registered since {}",
                "自{}起没有话机注册",
                clock.time(*since)
            ),
            Self::NoPhone { since: None } => Text::fixed("no phone is registered", "没有话机注册"),
            Self::Full { number, most } => text!(
                "extension {} has its {most} calls already",
                "分机{}的{most}路呼叫已占满",
                inert(number)
            ),
            Self::Refused { .. }
            | Self::Silent { .. }
            | Self::Broken { .. }
            | Self::Showed { .. }
            | Self::Parameters(_)
            | Self::PrackRefused { .. }
            | Self::SentOn { .. }
            | Self::NotJoined { .. }
            | Self::NoAnswer { .. } => self.of_answer(),
            Self::NoAck { .. }
            | Self::NoPrack
            | Self::NotRefreshed { .. }
            | Self::Vanished { .. }
            | Self::StreamLost => self.of_dialog(),
            Self::PrivateAddress { .. }
            | Self::NoPackets { .. }
            | Self::MediaStopped { .. }
            | Self::Offered { .. }
            | Self::MediaFailed { .. } => self.of_media(),
        }
    }
}

impl What {
    #[expect(clippy::wildcard_enum_match_arm, reason = "[`What::text`] sends the others elsewhere")]
    fn of_route(&self, clock: &Clock<'_>) -> Text {
        match self {
            Self::Unrouted { code, number, row, .. } => {
                let row = row
                    .map_or_else(|| Text::same(""), |it| text!(" (row {it})", "（第{it}条记录）"));
                text!(
                    "the dial plan ends for {}: {}{}",
                    "拨号规则对{}的分析结束：{}{}",
                    inert(number),
                    short(*code),
                    row
                )
            }
            Self::NotTaken { who, code, .. } => {
                text!("{} cannot take the call: {}", "{}不能承接呼叫：{}", who.text(), short(*code))
            }
            Self::Unregistered { line, why, status, at } => {
                let why =
                    why.map_or_else(|| Text::fixed("it has not registered yet", "尚未注册"), short);
                let status =
                    status.map_or_else(|| Text::same(""), |it| text!(" ({it})", "（{it}）"));
                let at = at
                    .map_or_else(|| Text::same(""), |it| text!(", at {}", "，{}", clock.time(it)));
                text!(
                    "line {} is not registered: {}{}{}",
                    "外线{}未注册：{}{}{}",
                    inert(line),
                    why,
                    status,
                    at
                )
            }
            _ => Text::same(self.as_str()),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "[`What::text`] sends the others elsewhere")]
    fn of_answer(&self) -> Text {
        match self {
            Self::Refused { who, from, status, cause, retry_after_s, words } => {
                let mut text = text!(
                    "{} at {from} answered {status} {}",
                    "{}（{from}）应答{status} {}",
                    who.text(),
                    reason_phrase(*status)
                );
                if let Some(cause) = cause {
                    text = text!("{}, Q.850 cause {cause}", "{}，Q.850原因值{cause}", text);
                }
                if let Some(seconds) = retry_after_s {
                    text = text!("{}, retry after {seconds} s", "{}，{seconds}秒后可重试", text);
                }
                if !words.is_empty() {
                    text = text!("{}: \"{}\"", "{}：“{}”", text, inert(words));
                }
                text
            }
            Self::Silent { who, to } => text!(
                "{} at {to} did not respond to the INVITE",
                "{}（{to}）对INVITE没有任何响应",
                who.text()
            ),
            Self::Broken { who, to: Some(to) } => {
                text!("no connection to {} at {to}", "无法连接到{}（{to}）", who.text())
            }
            Self::Broken { who, to: None } => {
                text!("the connection to {} is lost", "与{}的连接已断开", who.text())
            }
            Self::Showed { number, account } => text!(
                "the INVITE showed {} as caller; the account is {}",
                "INVITE中的主叫号码为{}，账号为{}",
                inert(number),
                inert(account)
            ),
            Self::Parameters(parameters) => text!(
                "the Request-URI had the parameters {}",
                "Request-URI带有附加参数{}",
                inert(parameters)
            ),
            Self::PrackRefused { who, status } => text!(
                "{} asked for a PRACK and refused it with {status}",
                "{}要求PRACK，却以{status}拒绝",
                who.text()
            ),
            Self::SentOn { who, to, became } => text!(
                "{} sent the call on to {}: {}",
                "{}将呼叫重定向到{}：{}",
                who.text(),
                inert(to),
                became.text()
            ),
            Self::NotJoined { number, code } => {
                text!("{} was not reached: {}", "未接通{}：{}", inert(number), short(*code))
            }
            Self::NoAnswer { after_s } => {
                text!("no answer for {after_s} s", "{after_s}秒内无应答")
            }
            _ => Text::same(self.as_str()),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "[`What::text`] sends the others elsewhere")]
    fn of_dialog(&self) -> Text {
        match self {
            Self::NoAck { told, known_as } if !known_as.is_empty() => text!(
                "no ACK for the 200: this server named itself {told}, the phone calls it {}",
                "200后未收到ACK：本服务器自称{told}，话机访问的地址是{}",
                inert(known_as)
            ),
            Self::NoAck { told, .. } => text!(
                "no ACK for the 200; this server named itself {told}",
                "200后未收到ACK；本服务器自称{told}"
            ),
            Self::NoPrack => Text::fixed("no PRACK for the ringing", "振铃后未收到PRACK"),
            Self::NotRefreshed { after_s } => text!(
                "the session was not refreshed in time (session timer {after_s} s)",
                "会话未按时刷新（会话定时器{after_s}秒）"
            ),
            Self::Vanished { status: 408 } => {
                Text::fixed("no response within the call", "通话中没有任何响应")
            }
            Self::Vanished { status } => text!(
                "the phone does not know the call any more ({status})",
                "话机上该呼叫已不存在（{status}）"
            ),
            Self::StreamLost => Text::fixed("its connection broke", "其连接已断开"),
            _ => Text::same(self.as_str()),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "[`What::text`] sends the others elsewhere")]
    fn of_media(&self) -> Text {
        match self {
            Self::PrivateAddress { stated, source, relayed: true } => text!(
                "names {stated} for its media and comes from {source}: relayed by its source address",
                "通告的媒体地址为{stated}，实际来自{source}：已按来源地址转发"
            ),
            Self::PrivateAddress { stated, source, relayed: false } => text!(
                "names {stated} for its media and comes from {source}; not relayed",
                "通告的媒体地址为{stated}，实际来自{source}；未转发媒体流"
            ),
            Self::NoPackets { stated, for_s, refused } => {
                let stated =
                    stated.map_or_else(|| Text::same(""), |it| text!(" from {it}", "（{it}）"));
                let text =
                    text!("no RTP packet in {for_s} s{}", "{for_s}秒内没有收到语音包{}", stated);
                match refused {
                    0 => text,
                    _ => text!(
                        "{}; {refused} came from elsewhere and were refused",
                        "{}；另有{refused}个来自其他地址的包被拒收",
                        text
                    ),
                }
            }
            Self::MediaStopped { for_s } => {
                text!("no RTP packet for {for_s} s", "{for_s}秒没有收到语音包")
            }
            Self::Offered { codecs, srtp } => {
                let profile = if *srtp { "SRTP" } else { "RTP" };
                text!(
                    "the offer had {} over {profile}",
                    "提供的编码为{}（{profile}）",
                    inert(codecs)
                )
            }
            Self::MediaFailed { reason } => {
                text!("the media ports failed: {}", "媒体端口失败：{}", inert(reason))
            }
            _ => Text::same(self.as_str()),
        }
    }
}

/// The meaning of a code within another sentence.
fn short(code: ReleaseCode) -> Text {
    let text = code.text();
    let en = text.en.trim_end_matches('.').to_owned();
    Text { en: en.into(), zh: text.zh.trim_end_matches('。').to_owned().into() }
}

/// Somebody else's words, so that they cannot move a cursor or turn the writing around.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let harmless = |it: char| !it.is_control() && !turns(it);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|it| if harmless(it) { it } else { '?' }).collect())
}

/// Controls of the direction of writing (UAX #9), and what is not seen at all.
fn turns(it: char) -> bool {
    matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_are_inert() {
        assert_eq!(inert("Busy here"), "Busy here");
        assert_eq!(inert("\u{1b}[2Jx\r\n"), "?[2Jx??");
        assert_eq!(inert("100\u{202e}001"), "100?001");
    }
}
