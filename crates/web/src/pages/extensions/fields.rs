//! The fields of an extension (分机), in the tabs that miniSIPServer's users know.

use crate::pages::form::{Choice, Field, Kind, Tab};
use pbx::language::Text;

const RELAY: &[Choice] = &[
    ("always", Text::fixed("always", "总是")),
    (
        "auto",
        Text::fixed(
            "automatic: where a phone is behind NAT or on another network",
            "自动：仅在话机位于NAT之后或其他网络时",
        ),
    ),
    ("never", Text::fixed("never", "从不")),
];
const SOURCE: &[Choice] = &[
    ("auto", Text::fixed("automatic", "自动")),
    ("sdp", Text::fixed("only the address and port of the SDP", "仅SDP中的地址和端口")),
    ("signalling", Text::fixed("any port of the address that signals", "信令来源地址的任意端口")),
    ("any-first", Text::fixed("whoever sends first", "最先发送者")),
];
const FORWARDINGS: &[Choice] = &[
    ("always", Text::fixed("always", "无条件")),
    ("busy", Text::fixed("busy", "遇忙")),
    ("unreachable", Text::fixed("unreachable", "不可达")),
    ("no-answer", Text::fixed("no answer", "无应答")),
];

const fn t(en: &'static str, zh: &'static str) -> Text {
    Text::fixed(en, zh)
}

const NUMBER: Field = Field::with_help(
    "number",
    t("Number", "号码"),
    Kind::Text,
    t("What is dialled, and the user name of its phones.", "拨打的号码，也是话机的用户名。"),
);
const PASSWORD: Field = Field::with_help(
    "password",
    t("Password", "密码"),
    Kind::Password,
    t("Empty: one is made and shown once.", "留空则自动生成，只显示一次。"),
);
const NAME: Field = Field::with_help(
    "name",
    t("Description", "描述"),
    Kind::Text,
    t("The name that other phones show.", "显示在其他话机上的名称。"),
);
const DEVICES: Field = Field::with_help(
    "devices",
    t("One number, many phones: devices at a time", "一号多机：同时注册的话机数"),
    Kind::Number,
    t(
        "1 to 32. With 1 the newest phone takes the place of the one before.",
        "取值1至32。为1时无一号多机权限，新注册的话机替换原话机。",
    ),
);
const ADDRESSES: Field = Field::with_help(
    "addresses",
    t("IP-address authentication", "IP地址鉴权"),
    Kind::Texts,
    t(
        "Sources that call without REGISTER and password: an address, address:port or network, one a line.",
        "无需注册和密码即可呼叫的来源：地址、地址:端口或网段，每行一个。",
    ),
);
const QOP: Field = Field::new(
    "digest_without_qop",
    t("Accept digests without qop (old phones)", "接受不含qop的摘要（旧式话机）"),
    Kind::Check,
);

const BASIC: &str = "basic";
const BASIC_TITLE: Text = t("Basic", "基本信息");
const CALL: Tab = Tab {
    id: "call",
    title: t("Basic call", "基本呼叫"),
    fields: &[
        Field::with_help(
            "levels",
            t("Call levels", "呼叫级别"),
            Kind::Numbers,
            t(
                "Numbers from 1 to 16, parted by commas: what it may call.",
                "1至16，用逗号分隔：决定可以拨打的号码。",
            ),
        ),
        Field::new("plan", t("Dial plan", "拨号计划"), Kind::Listed("plans")),
        Field::with_help(
            "calls",
            t("Concurrent calls", "并发呼叫数"),
            Kind::Number,
            t("1 to 100, in and out together.", "取值1至100，呼入和呼出合计。"),
        ),
        Field::with_help(
            "calls_in",
            t("Concurrent incoming calls", "并发呼入数"),
            Kind::Number,
            t(
                "0 to 100; 0: none, 100: no limit of its own.",
                "取值0至100；0为禁止，100为不单独限制。",
            ),
        ),
        Field::with_help(
            "calls_out",
            t("Concurrent outgoing calls", "并发呼出数"),
            Kind::Number,
            t(
                "0 to 100; 0: none, 100: no limit of its own.",
                "取值0至100；0为禁止，100为不单独限制。",
            ),
        ),
        Field::with_help(
            "ring_s",
            t("No-answer time in seconds", "无应答时长（秒）"),
            Kind::Number,
            t("0: as the system has it.", "0为系统默认值。"),
        ),
        Field::new("relay", t("Media relay", "转发媒体流"), Kind::Choice(RELAY)),
        Field::new("media_source", t("Media is taken from", "媒体流来源"), Kind::Choice(SOURCE)),
    ],
};
const SERVICES: Tab = Tab {
    id: "services",
    title: t("Supplementary services", "补充业务"),
    fields: &[
        Field::with_help(
            "call_waiting",
            t("Call waiting", "呼叫等待"),
            Kind::Check,
            t("Without it a second call finds it busy.", "未启用时，通话中的新来电遇忙。"),
        ),
        Field::new("do_not_disturb", t("Do not disturb", "免打扰"), Kind::Check),
        Field::with_help(
            "pickup_group",
            t("Pickup group number", "呼叫代答组编号"),
            Kind::Number,
            t(
                "0: none. Its members pick up each other's calls.",
                "0为不加入。同组成员可以互相代答。",
            ),
        ),
    ],
};
const FORWARD: Tab = Tab {
    id: "forward",
    title: t("Forwarding", "呼叫转移"),
    fields: &[
        Field::with_help(
            "may_forward",
            t("The right to forward", "呼叫转移权限"),
            Kind::Checks(FORWARDINGS),
            t(
                "A number that is entered below gives the right too.",
                "在下方填写号码时自动授予相应权限。",
            ),
        ),
        Field::new("forward.always", t("Always, to", "无条件转移到"), Kind::Text),
        Field::new("forward.busy", t("When busy, to", "遇忙转移到"), Kind::Text),
        Field::new("forward.no-answer", t("Without an answer, to", "无应答转移到"), Kind::Text),
        Field::new("forward.unreachable", t("When unreachable, to", "不可达转移到"), Kind::Text),
    ],
};

pub(super) const TABS: &[Tab] = &[
    Tab { id: BASIC, title: BASIC_TITLE, fields: &[NAME, DEVICES, ADDRESSES, QOP] },
    CALL,
    SERVICES,
    FORWARD,
];

/// Those of a new extension.
pub(super) const NEW_TABS: &[Tab] = &[
    Tab {
        id: BASIC,
        title: BASIC_TITLE,
        fields: &[NUMBER, PASSWORD, NAME, DEVICES, ADDRESSES, QOP],
    },
    CALL,
    SERVICES,
    FORWARD,
];
