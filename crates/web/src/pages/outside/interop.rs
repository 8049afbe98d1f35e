//! The fields that lines and trunks have in common: how to speak with the other side (兼容).

use crate::pages::form::{Choice, Field, Kind, Tab};
use pbx::language::Text;

const fn t(en: &'static str, zh: &'static str) -> Text {
    Text::fixed(en, zh)
}

pub(super) const TRANSPORTS: &[Choice] = &[
    ("udp", t("UDP only", "仅UDP")),
    ("tcp", t("TCP only", "仅TCP")),
    ("auto", t("as DNS says", "由DNS决定")),
];
const RELIABLE: &[Choice] = &[
    ("auto", t("automatic: the other side decides", "自动：由对端决定")),
    ("required", t("required", "必需")),
    ("off", t("off", "关闭")),
];
const IDENTITY: &[Choice] = &[
    ("none", t("nowhere", "不携带")),
    ("p-asserted-identity", t("in P-Asserted-Identity", "P-Asserted-Identity头域")),
    ("remote-party-id", t("in Remote-Party-ID", "Remote-Party-ID头域")),
];
const DTMF: &[Choice] = &[
    ("pass", t("as they come", "透传")),
    ("rtp", t("in the media (RFC 4733)", "随媒体流发送（RFC 4733）")),
    ("info", t("as INFO requests", "INFO请求")),
];
const RELAY: &[Choice] = &[
    ("always", t("always", "总是")),
    ("auto", t("automatic", "自动")),
    ("never", t("never", "从不")),
];
const SOURCE: &[Choice] = &[
    ("auto", t("automatic", "自动")),
    ("sdp", t("only the address and port of the SDP", "仅SDP中的地址和端口")),
    ("signalling", t("any port of the address that signals", "信令来源地址的任意端口")),
    ("any-first", t("whoever sends first", "最先发送者")),
];

pub(super) const RELIABLE_FIELD: Field = Field::new(
    "interop.reliable",
    t("Reliable provisional responses (100rel)", "临时响应的可靠性（100rel）"),
    Kind::Choice(RELIABLE),
);

const IDENTITY_FIELD: Field = Field::new(
    "interop.identity",
    t("The caller number stands besides From", "主叫号码另外携带于"),
    Kind::Choice(IDENTITY),
);
const PRIVACY: Field = Field::new(
    "interop.privacy",
    t("Ask the other side to hide the caller number", "请求对端隐藏主叫号码"),
    Kind::Check,
);
const CODECS: Field = Field::with_help(
    "interop.codecs",
    t("Codecs", "编码"),
    Kind::Texts,
    t(
        "In this order, one a line. Empty: as the phone offers.",
        "按此顺序，每行一个。留空则与话机提供的一致。",
    ),
);
const EXPIRES: Field = Field::with_help(
    "interop.session_expires_s",
    t("Session timer in seconds", "会话定时器（秒）"),
    Kind::Number,
    t("90 to 7200; 0 turns it off.", "取值90至7200；0为关闭。"),
);
const DTMF_FIELD: Field =
    Field::new("interop.dtmf", t("How digits are sent", "按键发送方式"), Kind::Choice(DTMF));
const RELAY_FIELD: Field =
    Field::new("interop.relay", t("Media relay", "转发媒体流"), Kind::Choice(RELAY));
const SOURCE_FIELD: Field = Field::new(
    "interop.media_source",
    t("Media is taken from", "媒体流来源"),
    Kind::Choice(SOURCE),
);

pub(super) const TITLE: Text = t("Interop", "兼容");

pub(super) const OF_TRUNK: Tab = Tab {
    id: "interop",
    title: TITLE,
    fields: &[
        RELIABLE_FIELD,
        IDENTITY_FIELD,
        PRIVACY,
        CODECS,
        EXPIRES,
        DTMF_FIELD,
        RELAY_FIELD,
        SOURCE_FIELD,
    ],
};

pub(super) const OF_LINE: Tab = Tab {
    id: "interop",
    title: TITLE,
    fields: &[
        Field::with_help(
            "new_call_id",
            t("A new Call-ID for each REGISTER", "每次注册使用新的Call-ID"),
            Kind::Check,
            t(
                "For carriers that refuse the second REGISTER of one Call-ID.",
                "用于拒绝同一Call-ID再次注册的运营商。",
            ),
        ),
        Field::new("from_user", t("User of From", "From头域的用户部分"), Kind::Choice(FROM_USER)),
        Field::with_help(
            "from_domain",
            t("Domain of From", "From头域的域名"),
            Kind::Text,
            t("Empty: the line's own.", "留空则为对端域名。"),
        ),
        IDENTITY_FIELD,
        PRIVACY,
        CODECS,
        EXPIRES,
        DTMF_FIELD,
        RELAY_FIELD,
        SOURCE_FIELD,
        Field::with_help(
            "keep_alive_s",
            t("Keep-alive in seconds", "保活间隔（秒）"),
            Kind::Number,
            t("10 to 600; 0: off.", "取值10至600；0为关闭。"),
        ),
    ],
};

const FROM_USER: &[Choice] =
    &[("caller", t("the caller number", "主叫号码")), ("account", t("the account", "账号"))];

/// Of both directions and all kinds.
pub(super) const NO_ANSWER: Field = Field::with_help(
    "no_answer_s",
    t("No-answer time in seconds", "无应答时长（秒）"),
    Kind::Number,
    t("5 to 600; 0: as the system has it.", "取值5至600；0为系统默认值。"),
);
pub(super) const URI_PARAMETERS: Field = Field::with_help(
    "uri_parameters",
    t("Request-URI parameters", "Request-URI附加参数"),
    Kind::Text,
    t("Such as user=phone. Empty: none.", "例如user=phone。留空则不附加。"),
);
pub(super) const GROUP: Field = Field::with_help(
    "group",
    t("Outgoing group ID", "出呼叫群编号"),
    Kind::Number,
    t("0: none. Rows of the dial plan name it.", "0为无。拨号规则的记录按此编号选择。"),
);
pub(super) const CALLS_OUT: Field = Field::with_help(
    "calls_out_max",
    t("Concurrent outgoing calls", "并发呼出数"),
    Kind::NumberOrNone,
    t("Empty: no limit; 0: closed.", "留空则不限制；0为禁止呼出。"),
);
pub(super) const CALLS_IN: Field = Field::with_help(
    "calls_in_max",
    t("Concurrent incoming calls", "并发呼入数"),
    Kind::NumberOrNone,
    t("Empty: no limit; 0: closed.", "留空则不限制；0为禁止呼入。"),
);
pub(super) const PLAN: Field = Field::with_help(
    "plan",
    t("Dial plan", "拨号计划"),
    Kind::Listed("plans"),
    t("Of its incoming calls.", "用于其呼入呼叫。"),
);
pub(super) const DESCRIPTION: Field =
    Field::new("description", t("Description", "描述"), Kind::Text);
pub(super) const ENABLED: Field = Field::new("enabled", t("In use", "启用"), Kind::Check);
pub(super) const TRANSPORT: Field =
    Field::new("transport", t("Transport", "传输协议"), Kind::Choice(TRANSPORTS));
