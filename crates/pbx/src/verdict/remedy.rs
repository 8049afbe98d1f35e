//! What each release code asks of the person who reads it, and whose fault it is as a rule.

use super::Guilty;
use crate::language::Text;
use crate::release::ReleaseCode;

/// Declares side and remedy of every code; a code without its row does not compile.
macro_rules! remedies {
    ($($($code:ident)* => $guilty:ident $en:literal $zh:literal;)*) => {
        /// Whose fault a code is, where no fact says otherwise.
        pub fn guilty(code: ReleaseCode) -> Guilty {
            match code { $($(ReleaseCode::$code)|* => Guilty::$guilty,)* }
        }

        /// What to do about a code.
        pub fn remedy(code: ReleaseCode) -> Text {
            match code { $($(ReleaseCode::$code)|* => const { Text::fixed($en, $zh) },)* }
        }
    };
}

remedies! {
    CallerHangup CalleeHangup CallerTransferred CalleeTransferred CalleeForwarded
    CalleeForwardedBusy CalleeForwardedUnreachable CalleeForwardedNoAnswer CalleeForwardedAlways
    FeatureDone AdminHangup SystemJoined => Nobody
        "Nothing needs to be done."
        "无需处理。";
    CallerCancelled => Caller
        "Nothing needs to be done."
        "无需处理。";
    CalleeBusy CalleeDeclined => Callee
        "Nothing needs to be done."
        "无需处理。";
    CalleeNoAnswer => Callee
        "Nothing needs to be done; if it rang too briefly, raise the no-answer time."
        "无需处理；若振铃时间过短，请调大无应答时长。";
    CalleeNotRegistered => Callee
        "Look whether the phone has power and network, and whether its password is right."
        "请检查话机的电源、网络和密码。";
    CalleeUnreachable CalleeFlowLost DialogPeerVanished => Callee
        "Look whether the phone has power and network; behind a router, let it register more often."
        "请检查话机的电源和网络；若在路由器后面，请缩短话机的注册周期。";
    CalleeDoNotDisturb => Callee
        "Dial *79 on the phone when calls are to come in again."
        "需要恢复来电时，请在话机上拨*79。";
    FeatureNothingRings => Caller
        "Nothing needs to be done; a call can be picked up while it rings in the same pickup group."
        "无需处理；只能代答同一呼叫代答组内正在振铃的来电。";
    CalleeUnknown => Caller
        "Check the number that was dialled."
        "请检查所拨号码。";
    CalleeRejected => Callee
        "Look at the status in the timeline, and in the log of that phone."
        "请查看时间线中的状态码和该话机的日志。";
    SystemNotJoined => Callee
        "Look at the call to the second number: its record is linked to this one."
        "请查看对第二个号码的呼叫：其话单与本话单相关联。";
    FeatureUnknown FeatureBadNumber => Caller
        "Check the feature code that was dialled, and the number after it."
        "请检查所拨的业务码及其后的号码。";
    FeatureDenied => Caller
        "Give the extension the right to this feature, if it is to have it."
        "如需允许，请为该分机开通此业务的权限。";
    CallerForbidden => Caller
        "Give the extension the right, if it is to have it."
        "如需允许，请给该分机相应的权限。";
    ReplacedUnknown => Caller
        "Nothing needs to be done: the other call had ended already."
        "无需处理：另一个呼叫已经结束。";
    CallerUnsupported => Caller
        "Turn off in the phone what the timeline names."
        "请在话机上关闭时间线中指出的功能。";
    CallerLimit => Caller
        "End another call, or raise the concurrent calls of the extension."
        "请结束其他呼叫，或调大该分机的并发呼叫数。";
    CalleeLimit => Callee
        "End another call, or raise the concurrent calls of the extension."
        "请结束其他呼叫，或调大该分机的并发呼叫数。";
    RouteNoMatch => Caller
        "Check the number, or add a row for it to the dial plan."
        "请检查号码，或在拨号规则中增加相应记录。";
    RouteDeniedLevel => Caller
        "Give the caller this call level, if it is to have it."
        "如需允许，请给主叫加上该呼叫级别。";
    SecurityBlocked => Caller
        "Remove or narrow the row of the black list, if the call was to pass."
        "如需放行，请在系统黑名单中删除该记录或缩小其匹配范围。";
    RouteLoop RouteRejected RouteNoService => Us
        "Change the row of the dial plan; the simulator shows how it comes there."
        "请修改拨号规则中的该记录；“拨号模拟”可显示分析过程。";
    RouteNoLine RouteNoTrunk => Us
        "Add a line or trunk that this call may use, or turn one on."
        "请增加或启用该呼叫可用的外线或SIP中继。";
    LineNotShared => Caller
        "Share the line, or give the caller one of its own."
        "请将该外线设为共享，或为主叫分配自己的外线。";
    LineNotRegistered => Us
        "Run the doctor of the line."
        "请执行外线体检。";
    LineAllBusy TrunkAllBusy => Us
        "Raise the limit of outgoing calls, or add another line."
        "请调大出呼叫数限制，或增加外线。";
    LineClosed TrunkClosed => Us
        "Its limit of outgoing calls is 0: set another one, if it is to take calls."
        "其出呼叫数限制为0：如需允许呼出，请改为其他值。";
    LineTakesNone TrunkTakesNone => Us
        "Its limit of incoming calls is 0: set another one, if it is to take calls."
        "其入呼叫数限制为0：如需允许呼入，请改为其他值。";
    LineIncomingBusy TrunkIncomingBusy => Us
        "Raise the limit of incoming calls."
        "请调大入呼叫数限制。";
    LineAuthFailed => Us
        "Check account, authentication user and password of the line."
        "请检查外线的账号、鉴权用户名和密码。";
    LineAuthUnknown => Us
        "Ask the carrier for digest authentication with MD5 or SHA-256."
        "请运营商改用MD5或SHA-256摘要鉴权。";
    LineRejected => Network
        "Ask the carrier why it refuses this call: number, balance, rights."
        "请向运营商询问拒绝的原因（号码、余额、权限）。";
    LineRejectedFrom => Us
        "Set \"From\" of the line to the account (from_user = account)."
        "请将该外线的From设为账号（from_user = account）。";
    LineRejectedUriParam => Us
        "Clear the Request-URI parameters of the line (uri_parameters)."
        "请清空该外线的Request-URI附加参数（uri_parameters）。";
    LinePrackRefused => Network
        "Turn 100rel off for the line (reliable = off)."
        "请关闭该外线的100rel（reliable = off）。";
    LineRegCseq => Network
        "Turn on \"new Call-ID per REGISTER\" of the line (new_call_id)."
        "请打开该外线的“每次注册使用新Call-ID”（new_call_id）。";
    LineNotBound => Network
        "Check account and domain of the line, or ask the carrier."
        "请检查外线的账号和域名，或向运营商询问。";
    LineRedirected => Network
        "Enter the server that the carrier names as outbound proxy of the line."
        "请将运营商指定的服务器填为该外线的出局代理。";
    LineExtension TrunkExtension => Us
        "Set 100rel (reliable) or the session timer of the line or trunk as the timeline says the other side wants it."
        "请按时间线中对方的要求设置该外线或中继的100rel（reliable）或会话定时器。";
    LineDiverted TrunkDiverted => Network
        "Give the caller the right to that number, or add the address to the line's or trunk's, if the call is to go there."
        "如需允许，请为主叫开通拨打该号码的权限，或将该地址加入外线或中继的服务器地址。";
    LineDns TrunkDns => Network
        "Check the name, or use another DNS server."
        "请检查域名，或改用其他DNS服务器。";
    LineNoResponse LineUnreachable TrunkUnreachable => Network
        "Check address, port, transport and the firewall."
        "请检查地址、端口、传输协议和防火墙。";
    LineFailed TrunkFailed TrunkRejected => Network
        "Ask the other side about the status in the timeline."
        "请将时间线中的状态码告知对方并询问原因。";
    MediaCodec => Callee
        "Allow the same codec on both sides."
        "请在双方启用同一种语音编码。";
    MediaCrypto => Callee
        "Make SRTP optional in the phone, or turn it off."
        "请在话机上将SRTP设为可选，或关闭SRTP。";
    MediaOneWay => Callee
        "Open the media ports (media.ports) in router and firewall, and check media.advertise."
        "请在路由器和防火墙上放行媒体端口（media.ports），并检查media.advertise。";
    MediaNone => Network
        "Open the media ports (media.ports) in router and firewall, and check media.advertise."
        "请在路由器和防火墙上放行媒体端口（media.ports），并检查media.advertise。";
    MediaPrivateSdp => Callee
        "Set media relay of the extension, line or trunk to always."
        "请将该分机、外线或中继的“转发媒体流”设为始终（always）。";
    MediaTimeout => Callee
        "Look at the network of that side; rtp_timeout_s is how long silence is borne."
        "请检查该侧的网络；静音容忍时长由rtp_timeout_s设置。";
    MediaFailed => Us
        "Widen media.ports, and look into the log."
        "请扩大media.ports的范围，并查看日志。";
    DialogNoAck DialogNoPrack => Caller
        "Set media.advertise to the address that phones reach this server by, and turn off SIP ALG in the router."
        "请将media.advertise设为话机能够访问的服务器地址，并关闭路由器的SIP ALG。";
    DialogRefreshFailed => Callee
        "Look at the network of that side, or change its session timer (session_expires_s; 0 turns it off)."
        "请检查该侧的网络，或调整会话定时器（session_expires_s，0为关闭）。";
    DialogGlare => Callee
        "Try again."
        "请重试。";
    LoopDetected => Us
        "Look where the other server sends this number: it comes back here."
        "请检查对端服务器对该号码的路由：呼叫又回到了本服务器。";
    SystemShutdown => Nobody
        "Call again when the server is back."
        "请在服务器恢复后重新呼叫。";
    SystemCrash SystemInternalError => Us
        "Look into the log and report what it says."
        "请查看日志并反馈其中的错误。";
    SystemOverload => Us
        "Look at disk and load of the server."
        "请检查服务器的磁盘和负载。";
}
