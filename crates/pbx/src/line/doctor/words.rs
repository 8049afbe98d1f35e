//! The sentences of the doctor.

use super::call::Outcome;
use super::change::Change;
use super::read::Details;
use crate::finding::Finding;
use crate::language::Text;
use crate::release::ReleaseCode;
use crate::text;
use sip::Transport;
use sip::locate::Target;
use std::time::Duration;

pub(super) fn leads_to(host: &str, target: Target) -> Text {
    text!("{host} leads to {target}.", "{host}指向{target}。")
}

pub(super) fn leads_to_silence(host: &str, target: Target, silent: Target) -> Text {
    text!(
        "{host} leads to {target}, and also to {silent}, where nobody answers.",
        "{host}指向{target}，但还指向无人应答的{silent}。"
    )
}

pub(super) fn leads_to_nobody(host: &str, target: Target, lost: &str) -> Text {
    text!(
        "{host} leads to {target}, and also to the server {lost}, which has no address.",
        "{host}指向{target}，但还指向没有地址的服务器{lost}。"
    )
}

pub(super) fn answers_options(took: Duration) -> Text {
    let ms = format!("{:.1}", took.as_secs_f64() * 1000.0);
    text!("It answers OPTIONS in {ms} ms.", "OPTIONS往返时间为{ms}毫秒。")
}

pub(super) fn transport_works(transport: Transport) -> Text {
    let name = transport.via_name();
    text!("It is reached by {name}.", "可通过{name}到达。")
}

pub(super) fn only_by(transport: Transport) -> Text {
    let name = transport.via_name();
    text!("It answers by {name} only.", "对端仅支持{name}。")
}

pub(super) fn challenges(details: &Details) -> Text {
    let (realm, algorithm) = details.challenge.clone().unwrap_or_default();
    let status = details.status;
    text!(
        "It challenges with {status}, realm {realm}, algorithm {algorithm}.",
        "对端以{status}要求鉴权，realm为{realm}，算法为{algorithm}。"
    )
}

pub(super) fn takes_register() -> Text {
    text!("It takes the registration.", "对端接受注册。")
}

pub(super) fn no_challenge() -> Text {
    text!("It asks for no password.", "对端不要求密码。")
}

pub(super) fn takes_credentials() -> Text {
    text!("It takes user name and password.", "用户名和密码正确。")
}

pub(super) fn auth_user_is_account() -> Text {
    text!(
        "It takes the account as user name, not the authentication user.",
        "对端只接受以账号作为鉴权用户名。"
    )
}

pub(super) fn wants_longer(min_s: u32) -> Text {
    text!(
        "It wants registrations of at least {min_s} s and has to say so each time after a start.",
        "对端要求注册有效期不少于{min_s}秒，每次启动后都要多一次往返。"
    )
}

pub(super) fn registers_spent(most: u8) -> Text {
    text!(
        "{most} REGISTER requests came to no end; more could get the line banned.",
        "已发送{most}次REGISTER仍无结果；继续尝试可能导致外线被封禁。"
    )
}

pub(super) fn bound(contact: &str, seconds: u32) -> Text {
    text!(
        "It sends calls to {contact} for {seconds} s.",
        "来电将送往{contact}，有效期{seconds}秒。"
    )
}

pub(super) fn bound_otherwise(contact: &str, seconds: u32) -> Text {
    text!(
        "It granted {seconds} s but lists {contact} instead of our Contact: with several lines there, calls may come in by the wrong one.",
        "对端授予{seconds}秒，但保存的是{contact}而不是我们的Contact：若在该运营商有多条外线，来电可能送错外线。"
    )
}

pub(super) fn bound_silently(seconds: u32) -> Text {
    text!(
        "It granted {seconds} s and does not say what it stored.",
        "对端授予{seconds}秒，但没有说明保存的Contact。"
    )
}

pub(super) fn no_register() -> Text {
    text!("The line is set not to register.", "该外线设置为不注册。")
}

pub(super) fn no_number() -> Text {
    text!("No number was given to call.", "没有指定测试号码。")
}

pub(super) fn not_that_far() -> Text {
    text!("It did not come to that.", "未检查到这一步。")
}

pub(super) fn call_through(outcome: Outcome) -> Text {
    match outcome.code {
        486 | 600 | 603 => text!("The call went through; it was busy.", "呼叫已接通对端，被叫忙。"),
        480 => text!("The call went through; nobody was there.", "呼叫已到达对端，被叫不在。"),
        _ => text!("The call went through.", "呼叫已接通。"),
    }
}

pub(super) fn session_too_brief(min_se: u32) -> Text {
    text!(
        "It wants sessions of at least {min_se} s (422) and refuses the first INVITE of each call.",
        "对端要求会话时长不少于{min_se}秒（422），每次呼叫的首个INVITE都被拒绝。"
    )
}

/// Code and sentence of a call that failed, or did not go as it should; with the change that helped.
/// Of a REGISTER, too, where the change is about both.
pub(super) fn call(outcome: Outcome, helped: Option<&Change>) -> (Finding, Text) {
    let code = outcome.code;
    match helped {
        Some(Change::FromAccount) => (
            ReleaseCode::LineRejectedFrom.into(),
            text!(
                "It takes calls from the account only ({code}).",
                "运营商要求主叫号码为账号（{code}）。"
            ),
        ),
        Some(Change::NoUriParameters) => (
            ReleaseCode::LineRejectedUriParam.into(),
            text!(
                "It does not take parameters of the Request-URI ({code}).",
                "运营商不识别Request-URI附加参数（{code}）。"
            ),
        ),
        Some(Change::Codecs) => (
            ReleaseCode::MediaCodec.into(),
            text!(
                "It has none of the codecs offered ({code}).",
                "双方没有共同的语音编码（{code}）。"
            ),
        ),
        Some(Change::SessionExpires(_)) => (
            Finding::LineMinSe,
            text!(
                "It takes no session timer of ours ({code}).",
                "对端不接受我们的会话定时器（{code}）。"
            ),
        ),
        Some(Change::Reliable(_)) if outcome.prack.is_some() => prack_refused(outcome),
        Some(Change::Reliable(_)) => (
            Finding::LineReliable,
            text!(
                "It wants reliable provisional responses (100rel) otherwise than they are set ({code}).",
                "对端对临时响应可靠性（100rel）的要求与设置不符（{code}）。"
            ),
        ),
        _ if outcome.prack.is_some() => prack_refused(outcome),
        _ => match code {
            401 | 407 => (
                ReleaseCode::LineAuthFailed.into(),
                text!("It refused the password of the call.", "呼叫鉴权失败（用户名或密码错误）。"),
            ),
            408 => (
                ReleaseCode::LineNoResponse.into(),
                text!("It did not answer the call.", "对端对呼叫没有响应。"),
            ),
            503 => (
                ReleaseCode::LineFailed.into(),
                text!("It cannot take the call now (503).", "对端目前无法受理呼叫（503）。"),
            ),
            _ => (
                ReleaseCode::LineRejected.into(),
                text!("It refused the call with {code}.", "对端以{code}拒绝了呼叫。"),
            ),
        },
    }
}

fn prack_refused(outcome: Outcome) -> (Finding, Text) {
    let prack = outcome.prack.unwrap_or_default();
    (
        ReleaseCode::LinePrackRefused.into(),
        text!(
            "It demands reliable provisional responses and refuses PRACK ({prack}).",
            "运营商要求可靠临时响应却拒绝PRACK（{prack}）。"
        ),
    )
}

pub(super) fn did_not_help(change: &Change) -> Text {
    let (setting, value) = (change.setting(), change.value());
    text!(
        "It did so with {setting} = \"{value}\" too. Ask the carrier.",
        "将{setting}设为“{value}”后仍然如此，请咨询运营商。"
    )
}
