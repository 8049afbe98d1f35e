//! Why a call ended: our documented codes, with the sentence for each and the status it sends.
//!
//! `docs/release-codes.md` is generated from here. `callTag=` in a call record is this code.
//! [`verdict`](crate::verdict) decides on the code and has its remedy.

use crate::language::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Declares the codes once: variant, text, SIP status, Q.850 cause, English, Chinese.
macro_rules! release_codes {
    ($($variant:ident $code:literal $status:literal $cause:literal $en:literal $zh:literal;)*) => {
        /// `side.reason`: who ended the call, and why.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ReleaseCode { $($variant,)* }

        impl ReleaseCode {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable text, as in call records and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The final status the caller gets when the call was not answered.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// ITU-T Q.850 cause (mapped as RFC 3398 §7.2.4.1 does, where a status decides it).
            pub fn cause(self) -> u16 {
                match self { $(Self::$variant => $cause,)* }
            }

            /// The sentence for people.
            pub fn text(self) -> Text {
                match self { $(Self::$variant => const { Text::fixed($en, $zh) },)* }
            }

            /// The same as a sentence among others, where the Chinese ends with its stop too.
            pub fn sentence(self) -> Text {
                match self { $(Self::$variant => const { Text::fixed($en, concat!($zh, "。")) },)* }
            }

            pub fn from_code(text: &str) -> Option<Self> {
                match text {
                    $($code => Some(Self::$variant),)*
                    // As records of earlier versions have it.
                    "route.blocked" => Some(Self::SecurityBlocked),
                    _ => None,
                }
            }
        }
    };
}

release_codes! {
    CallerHangup "caller.hangup" 200 16 "The caller hung up." "主叫挂机";
    CalleeHangup "callee.hangup" 200 16 "The called party hung up." "被叫挂机";
    CallerTransferred "caller.transferred" 200 16 "The caller handed the call over to somebody else." "主叫将呼叫转接给他人";
    CalleeTransferred "callee.transferred" 200 16 "The called party handed the call over to somebody else." "被叫将呼叫转接给他人";
    CallerCancelled "caller.cancelled" 487 16 "The caller gave up before the answer." "主叫在应答前放弃呼叫";
    CalleeBusy "callee.busy" 486 17 "The called party was busy." "被叫忙";
    CalleeDeclined "callee.declined" 603 21 "The called party declined the call." "被叫拒接";
    CalleeForwarded "callee.forwarded" 302 23 "The called phone sent the call on to another number." "被叫话机将呼叫转移到其他号码";
    CalleeForwardedBusy "callee.forwarded_busy" 302 17 "The called extension was busy and sent the call on." "被叫分机忙，呼叫已转移";
    CalleeForwardedUnreachable "callee.forwarded_unreachable" 302 20 "The called extension could not be reached and sent the call on." "被叫分机不可达，呼叫已转移";
    CalleeForwardedNoAnswer "callee.forwarded_no_answer" 302 19 "The called extension did not answer and sent the call on." "被叫分机无应答，呼叫已转移";
    CalleeForwardedAlways "callee.forwarded_always" 302 23 "The called extension sends all its calls on." "被叫分机设置了无条件转移，呼叫已转移";
    CalleeDoNotDisturb "callee.do_not_disturb" 480 21 "The called extension does not want to be disturbed." "被叫分机设置了免打扰";
    CalleeNoAnswer "callee.no_answer" 480 19 "The called party did not answer." "被叫无应答";
    CalleeNotRegistered "callee.not_registered" 480 20 "The called extension is not registered." "被叫分机未注册";
    CalleeUnreachable "callee.unreachable" 480 18 "The called phone did not respond." "被叫话机没有响应";
    CalleeFlowLost "callee.flow_lost" 480 27 "The connection to the called phone is lost." "与被叫话机的连接已断开";
    CalleeUnknown "callee.unknown" 404 1 "There is no such number." "被叫号码不存在";
    CalleeRejected "callee.rejected" 488 127 "The called phone refused the call." "被叫话机拒绝了呼叫";
    CallerForbidden "caller.forbidden" 403 57 "The caller may not make this call." "主叫没有此呼叫的权限";
    ReplacedUnknown "caller.replaces_nothing" 481 31 "The call the caller wanted to take over does not exist." "主叫要接管的呼叫不存在";
    CallerUnsupported "caller.unsupported" 420 127 "The caller's phone asked for something this server does not do." "主叫话机要求了本服务器不支持的功能";
    CallerLimit "caller.limit" 486 34 "The caller's extension has no free call left." "主叫分机的并发呼叫数已满";
    CalleeLimit "callee.limit" 486 17 "The called extension has no free call left." "被叫分机的并发呼叫数已满";
    FeatureDone "feature.done" 200 16 "The feature code was carried out." "业务码已执行";
    FeatureUnknown "feature.unknown" 404 1 "There is no such feature code." "业务码不存在";
    FeatureDenied "feature.denied" 403 57 "The extension lacks the right to this feature." "分机没有使用该业务的权限";
    FeatureBadNumber "feature.bad_number" 484 28 "The number after the feature code cannot be used." "业务码后的号码不可用";
    FeatureNothingRings "feature.nothing_rings" 480 31 "No call rings that the extension may pick up." "没有可代答的来电";
    RouteNoMatch "route.no_match" 404 3 "No dial-plan row matches the number." "拨号规则中没有与该号码匹配的记录";
    RouteDeniedLevel "route.denied_level" 403 57 "The caller lacks the call level that the number needs." "主叫没有拨打该号码所需的呼叫级别";
    RouteLoop "route.loop" 482 25 "The dial plan analyses the number again and again." "拨号规则反复重分析同一号码";
    RouteRejected "route.rejected" 403 21 "A dial-plan row rejects the number." "拨号规则拒绝该号码";
    RouteNoLine "route.no_line" 503 34 "There is no external line for the call." "没有可用于该呼叫的外线";
    RouteNoTrunk "route.no_trunk" 503 34 "There is no SIP trunk for the call." "没有可用于该呼叫的SIP中继";
    RouteNoService "route.no_service" 503 79 "The dial plan names a service that does not exist." "拨号规则指向的业务不存在";
    LineNotShared "line.not_shared" 403 57 "The external line belongs to another extension." "该外线属于其他分机";
    LineNotRegistered "line.not_registered" 503 38 "The external line is not registered." "外线未注册";
    LineAllBusy "line.all_busy" 503 34 "All outgoing calls of the external line are in use." "外线的出呼叫已全部占用";
    LineClosed "line.closed" 403 57 "The external line takes no outgoing calls." "该外线不允许出呼叫";
    LineTakesNone "line.takes_none" 403 57 "The external line takes no incoming calls." "该外线不允许入呼叫";
    LineIncomingBusy "line.incoming_busy" 486 17 "All incoming calls of the external line are in use." "该外线的入呼叫已全部占用";
    LineAuthFailed "line.auth_failed" 503 57 "The carrier refused user name or password." "运营商拒绝了用户名或密码";
    LineRejected "line.rejected" 403 21 "The carrier refused the call." "运营商拒绝了呼叫";
    LineRejectedFrom "line.rejected_from" 403 21 "The carrier wants the account as caller number." "运营商要求主叫号码为账号";
    LineRejectedUriParam "line.rejected_uri_param" 403 21 "The carrier does not accept the Request-URI parameters." "运营商不识别Request-URI附加参数";
    LinePrackRefused "line.prack_refused" 503 127 "The carrier demands reliable responses but refuses PRACK." "运营商要求可靠临时响应，却拒绝PRACK";
    LineNoResponse "line.no_response" 503 38 "The carrier did not respond." "运营商没有任何响应";
    LineUnreachable "line.unreachable" 503 38 "The carrier cannot be reached." "无法连接到运营商";
    LineFailed "line.failed" 503 38 "The carrier could not place the call." "运营商无法接续呼叫";
    LineRegCseq "line.reg_cseq" 503 38 "The carrier refuses the second REGISTER of one Call-ID." "运营商拒绝同一Call-ID的再次注册";
    LineAuthUnknown "line.auth_unknown" 503 57 "The carrier asks for a kind of authentication that this server does not speak." "运营商要求的鉴权方式本服务器不支持";
    LineNotBound "line.not_bound" 503 38 "The carrier accepts the registration but does not keep it." "运营商接受了注册请求，但未保存注册地址";
    LineRedirected "line.redirected" 503 38 "The carrier redirects the registration again and again." "运营商反复重定向注册请求";
    LineDiverted "line.diverted" 480 23 "The carrier sent the call on to where it may not go." "运营商将呼叫重定向到不允许的目的地";
    LineExtension "line.extension" 503 127 "The carrier and this server do not agree on an extension of SIP (100rel, timer)." "运营商与本服务器对SIP扩展（100rel、timer）的要求不一致";
    LineDns "line.dns" 503 38 "The name of the carrier has no address here." "本地DNS无法解析运营商的域名";
    TrunkTakesNone "trunk.takes_none" 403 57 "The SIP trunk takes no incoming calls." "该SIP中继不允许入呼叫";
    TrunkIncomingBusy "trunk.incoming_busy" 486 17 "All incoming calls of the SIP trunk are in use." "该SIP中继的入呼叫已全部占用";
    TrunkRejected "trunk.rejected" 403 21 "The other server refused the call." "对端服务器拒绝了呼叫";
    TrunkFailed "trunk.failed" 503 38 "The other server could not place the call." "对端服务器无法接续呼叫";
    TrunkUnreachable "trunk.unreachable" 503 38 "The SIP trunk does not respond." "SIP中继没有响应";
    TrunkDiverted "trunk.diverted" 480 23 "The other server sent the call on to where it may not go." "对端服务器将呼叫重定向到不允许的目的地";
    TrunkExtension "trunk.extension" 503 127 "The other server and this one do not agree on an extension of SIP (100rel, timer)." "对端服务器与本服务器对SIP扩展（100rel、timer）的要求不一致";
    TrunkDns "trunk.dns" 503 38 "The name of the other server has no address here." "本地DNS无法解析对端服务器的域名";
    TrunkAllBusy "trunk.all_busy" 503 34 "All outgoing calls of the SIP trunk are in use." "SIP中继的出呼叫已全部占用";
    TrunkClosed "trunk.closed" 403 57 "The SIP trunk takes no outgoing calls." "该SIP中继不允许出呼叫";
    MediaCodec "media.codec" 488 65 "The two sides have no codec in common." "双方没有共同的语音编码";
    MediaCrypto "media.crypto" 488 65 "One side insists on SRTP and the other has none." "一方要求SRTP，另一方不支持";
    MediaOneWay "media.one_way" 200 16 "Only one side was heard." "语音单通";
    MediaNone "media.none" 200 16 "There was no audio in either direction." "语音双不通";
    MediaPrivateSdp "media.private_sdp" 200 16 "A phone outside named a private address, and its media was not relayed." "外网话机通告了私网地址，且媒体流未经转发";
    MediaTimeout "media.timeout" 200 102 "One side sent no media any more." "一方不再发送媒体流";
    MediaFailed "media.failed" 503 34 "No media port could be opened." "无法打开媒体端口";
    DialogNoAck "dialog.no_ack" 200 102 "The answer was never acknowledged (no ACK)." "应答后未收到ACK";
    DialogNoPrack "dialog.no_prack" 504 102 "The ringing was never acknowledged (no PRACK)." "振铃后未收到PRACK";
    DialogRefreshFailed "dialog.refresh_failed" 200 102 "A phone did not refresh the session in time (session timer)." "话机未按时刷新会话（会话定时器）";
    DialogPeerVanished "dialog.peer_vanished" 200 27 "A phone disappeared during the call." "通话中话机失联";
    DialogGlare "dialog.glare" 491 127 "Both sides changed the call at the same time." "双方同时修改会话";
    SecurityBlocked "security.blocked" 603 21 "The call matches a row of the black list." "呼叫命中系统黑名单";
    LoopDetected "loop.detected" 482 25 "The call came back to where it started." "呼叫路由出现环路";
    AdminHangup "admin.hangup" 480 16 "An administrator ended the call." "管理员结束了呼叫";
    SystemJoined "system.joined" 200 16 "The two parties were brought together; they talk in another call." "双方已接通，在另一个呼叫中通话";
    SystemNotJoined "system.not_joined" 480 31 "The second party was not reached, so the first was released." "第二方未接通，第一方已释放";
    SystemShutdown "system.shutdown" 503 41 "The server was shut down." "服务器关闭";
    SystemCrash "system.crash" 500 41 "The server stopped unexpectedly." "服务器意外终止";
    SystemOverload "system.overload" 503 42 "The server is overloaded." "服务器过载";
    SystemInternalError "system.internal_error" 500 41 "An internal error ended the call." "内部错误导致呼叫结束";
}

impl fmt::Display for ReleaseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// By its text, so that the journal survives a change in the order of the codes.
impl Serialize for ReleaseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReleaseCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_code(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown release code {text}")))
    }
}

/// The Q.850 cause of a SIP refusal (RFC 3398 §8.2.6.1), where the phone gave none itself.
pub fn cause_of_status(status: u16) -> u16 {
    match status {
        400 | 481 | 500 | 503 => 41,
        401..=403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 65,
        502 => 38,
        _ => 127,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_has_a_sentence() {
        for &code in ReleaseCode::ALL {
            assert_eq!(ReleaseCode::from_code(code.as_str()), Some(code));
            assert!(code.as_str().contains('.'), "{code} is not side.reason");
            assert!(code.text().en.ends_with('.'), "{code}");
        }
    }
}
