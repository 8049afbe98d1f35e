//! The fields of external lines (外线) and SIP trunks (SIP中继), in the tabs that miniSIPServer's users know.

use super::interop::{
    CALLS_IN, CALLS_OUT, DESCRIPTION, ENABLED, GROUP, NO_ANSWER, OF_LINE, OF_TRUNK, PLAN,
    RELIABLE_FIELD, TRANSPORT, URI_PARAMETERS,
};
use crate::pages::form::{Choice, Field, Kind, Tab};
use pbx::language::Text;

const fn t(en: &'static str, zh: &'static str) -> Text {
    Text::fixed(en, zh)
}

const ACCOUNT: Field = Field::with_help(
    "account",
    t("Account", "账号"),
    Kind::Text,
    t("The line's number, as the carrier knows it.", "运营商分配的外线号码。"),
);
const PASSWORD: Field = Field::with_help(
    "password",
    t("Password", "密码"),
    Kind::Password,
    t("From the carrier. Empty keeps the one there is.", "由运营商提供；留空则保持原密码。"),
);
const DOMAIN: Field = Field::with_help(
    "domain",
    t("Server: peer address or domain", "服务器：对端地址或对端域名"),
    Kind::Text,
    t("As the carrier names it.", "由运营商提供。"),
);
const AUTH_USER: Field = Field::with_help(
    "auth_user",
    t("User name for authentication", "鉴权用户名"),
    Kind::Text,
    t("Empty: the account.", "留空则为账号。"),
);
const PROXY: Field = Field::with_help(
    "outbound_proxy",
    t("Outbound proxy", "出局代理"),
    Kind::Text,
    t("Empty: requests go to the server.", "留空则直接发往服务器。"),
);
const REGISTER: Field =
    Field::new("register", t("Registers with the carrier", "向运营商注册"), Kind::Check);
const EXPIRES: Field = Field::with_help(
    "expires_s",
    t("Registration asked for, in seconds", "请求的注册有效期（秒）"),
    Kind::Number,
    t("60 to 86400.", "取值60至86400。"),
);

const INCOMING: &[(&str, Text, bool)] = &[
    ("owner", t("the extension it belongs to", "所属分机"), false),
    ("extension", t("this extension", "指定分机"), true),
    ("number", t("route to another number", "路由到其他号码"), true),
    ("service", t("a service", "业务"), true),
];
const CALLER_NUMBER: &[(&str, Text, bool)] = &[
    ("account", t("the account", "账号"), false),
    ("caller", t("the number of who calls", "主叫号码"), false),
    ("fixed", t("this number", "指定号码"), true),
];

const LINE_INCOMING: Tab = Tab {
    id: "incoming",
    title: t("Incoming call", "入呼叫"),
    fields: &[
        Field::new("incoming", t("Calls go to", "来电路由到"), Kind::Tagged(INCOMING)),
        Field::with_help(
            "owner",
            t("Belongs to extension", "所属分机"),
            Kind::ListedOrNone("extensions"),
            t(
                "Empty: to none. The dial plan then decides on the line's number.",
                "留空则不属于任何分机，由拨号规则按外线号码决定。",
            ),
        ),
        PLAN,
        CALLS_IN,
    ],
};
const LINE_OUTGOING: Tab = Tab {
    id: "outgoing",
    title: t("Outgoing call", "出呼叫"),
    fields: &[
        Field::with_help(
            "shared",
            t("Shared", "共享"),
            Kind::Check,
            t(
                "Other extensions than its owner may call out by it.",
                "所属分机以外的分机也可以通过它呼出。",
            ),
        ),
        GROUP,
        NO_ANSWER,
        URI_PARAMETERS,
        RELIABLE_FIELD,
        CALLS_OUT,
        Field::new(
            "caller_number",
            t("Caller number shown", "显示的主叫号码"),
            Kind::Tagged(CALLER_NUMBER),
        ),
    ],
};
const BASIC: &str = "basic";
const BASIC_TITLE: Text = t("Basic", "基本");

pub(super) const LINE: &[Tab] = &[
    Tab {
        id: BASIC,
        title: BASIC_TITLE,
        fields: &[
            DESCRIPTION,
            ENABLED,
            PASSWORD,
            DOMAIN,
            AUTH_USER,
            PROXY,
            TRANSPORT,
            REGISTER,
            EXPIRES,
        ],
    },
    LINE_INCOMING,
    LINE_OUTGOING,
    OF_LINE,
];
pub(super) const NEW_LINE: &[Tab] = &[
    Tab {
        id: BASIC,
        title: BASIC_TITLE,
        fields: &[
            ACCOUNT,
            PASSWORD,
            DOMAIN,
            DESCRIPTION,
            AUTH_USER,
            PROXY,
            TRANSPORT,
            REGISTER,
            EXPIRES,
            ENABLED,
        ],
    },
    LINE_INCOMING,
    LINE_OUTGOING,
    OF_LINE,
];

const PORTS: &[Choice] = &[
    ("same", t("the port of the server address", "与服务器地址的端口相同")),
    ("any", t("any port", "任意端口")),
];
const ID: Field = Field::with_help(
    "id",
    t("SIP trunk number", "SIP中继编号"),
    Kind::Number,
    t("Rows of the dial plan refer to it.", "拨号规则的记录按此编号引用。"),
);
const ADDRESSES: Field = Field::with_help(
    "addresses",
    t("Server addresses", "服务器地址"),
    Kind::Texts,
    t(
        "host or host:port, one a line, tried in this order.",
        "主机或主机:端口，每行一个，按此顺序尝试。",
    ),
);
const SOURCES: Field = Field::with_help(
    "sources",
    t("Allowed source addresses", "允许的来源地址"),
    Kind::Texts,
    t("Networks besides the server addresses, one a line.", "服务器地址以外的网段，每行一个。"),
);
const SOURCE_PORTS: Field =
    Field::new("source_ports", t("Calls may come from", "来电端口"), Kind::Choice(PORTS));
const OPTIONS: Field = Field::with_help(
    "options_s",
    t("OPTIONS every so many seconds", "OPTIONS探测间隔（秒）"),
    Kind::Number,
    t("5 to 600; 0: never, it counts as reachable.", "取值5至600；0为不探测，视为可达。"),
);
const TRUNK_INCOMING: Tab = Tab {
    id: "incoming",
    title: t("Incoming call", "入呼叫"),
    fields: &[
        SOURCES,
        SOURCE_PORTS,
        PLAN,
        Field::with_help(
            "levels",
            t("Call levels", "呼叫级别"),
            Kind::Numbers,
            t(
                "Of its incoming calls: numbers from 1 to 16, parted by commas.",
                "用于其呼入呼叫：1至16，用逗号分隔。",
            ),
        ),
        CALLS_IN,
    ],
};
const TRUNK_OUTGOING: Tab = Tab {
    id: "outgoing",
    title: t("Outgoing call", "出呼叫"),
    fields: &[
        GROUP,
        NO_ANSWER,
        URI_PARAMETERS,
        Field::with_help(
            "caller_number",
            t("Unified caller number", "统一主叫号码"),
            Kind::Text,
            t(
                "Stands in the place of every caller's. Empty: the caller's.",
                "替换所有主叫号码。留空则为实际主叫号码。",
            ),
        ),
        Field::new("tel_uri", t("Numbers go out as tel: URIs", "号码以tel: URI发送"), Kind::Check),
        CALLS_OUT,
    ],
};

pub(super) const TRUNK: &[Tab] = &[
    Tab {
        id: BASIC,
        title: BASIC_TITLE,
        fields: &[DESCRIPTION, ENABLED, ADDRESSES, TRANSPORT, OPTIONS],
    },
    TRUNK_INCOMING,
    TRUNK_OUTGOING,
    OF_TRUNK,
];
pub(super) const NEW_TRUNK: &[Tab] = &[
    Tab {
        id: BASIC,
        title: BASIC_TITLE,
        fields: &[ID, ADDRESSES, DESCRIPTION, TRANSPORT, OPTIONS, ENABLED],
    },
    TRUNK_INCOMING,
    TRUNK_OUTGOING,
    OF_TRUNK,
];
