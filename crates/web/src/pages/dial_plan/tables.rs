//! The tables of the dial plan (拨号规则) as grids: their columns, in the words that miniSIPServer's users know.

use crate::pages::form::{Choice, Field, Kind, Tab};
use pbx::dialplan::lint::finding::TableName;
use pbx::language::Text;

const fn t(en: &'static str, zh: &'static str) -> Text {
    Text::fixed(en, zh)
}

/// A table and the page it is on.
pub(super) struct Table {
    pub(super) name: TableName,
    /// Its part of the page's path.
    pub(super) path: &'static str,
    /// Where its rows are in the JSON of all tables.
    pub(super) list: &'static str,
    pub(super) title: Text,
    pub(super) help: Text,
    /// One tab, whose fields are the columns.
    pub(super) columns: &'static [Tab],
    /// Columns without which a row is none.
    pub(super) needed: &'static [&'static str],
}

const ID: Field = Field::new("id", t("Row", "记录"), Kind::NumberOrNone);
const PLAN: Field = Field::new("plan", t("Dial plan", "拨号计划"), Kind::Listed("plans"));
const TRANSITION: Field =
    Field::new("transition", t("Transition ID", "变换编号"), Kind::NumberOrNone);
const TIME: Field = Field::new("time", t("Time", "时间"), Kind::ListedOrNone("times"));
const DESCRIPTION: Field = Field::new("description", t("Description", "描述"), Kind::Text);

/// How a route is written in a grid: what it is, and by what it is named.
pub(super) const ROUTES: &[(&str, Text, bool)] = &[
    ("local-user", t("extension", "分机"), false),
    ("line", t("specified external line", "指定外线"), true),
    ("line-group", t("external lines of group", "外线（出呼叫群）"), true),
    ("lines", t("external lines in rotation", "外线（轮选）"), false),
    ("trunk", t("SIP trunk", "SIP中继"), true),
    ("trunk-group", t("SIP trunks of group", "SIP中继（出呼叫群）"), true),
    ("service", t("service", "业务"), true),
    ("feature-code", t("feature code", "业务码"), true),
    ("reject", t("reject with", "拒绝，状态码"), true),
];

const KINDS: &[Choice] = &[
    ("delete", t("delete", "删除")),
    ("replace", t("replace", "替换")),
    ("insert", t("insert", "插入")),
];

const CALLER: &[Tab] = &[Tab {
    id: "callers",
    title: t("Analyze caller number", "分析主叫号码"),
    fields: &[
        ID,
        PLAN,
        Field::new("prefix", t("Caller number prefix", "主叫号码前缀"), Kind::Text),
        Field::new("to_plan", t("Goes on in plan", "转到拨号计划"), Kind::ListedOrNone("plans")),
        TRANSITION,
        TIME,
        DESCRIPTION,
    ],
}];
const CALLED: &[Tab] = &[Tab {
    id: "called",
    title: t("Analyze called number", "分析被叫号码"),
    fields: &[
        ID,
        PLAN,
        Field::new("prefix", t("Called number prefix", "被叫号码前缀"), Kind::Text),
        Field::new("route", t("Route type", "路由类型"), Kind::Tagged(ROUTES)),
        TRANSITION,
        Field::new("reanalyze", t("Re-analyze", "重分析"), Kind::Check),
        Field::new("level", t("Call level", "呼叫级别"), Kind::NumberOrNone),
        TIME,
        DESCRIPTION,
    ],
}];
const TRANSITIONS: &[Tab] = &[Tab {
    id: "transitions",
    title: t("Transitions", "变换"),
    fields: &[
        Field::new("id", t("Transition ID", "变换编号"), Kind::NumberOrNone),
        Field::new("type", t("Transition type", "变换类型"), Kind::Choice(KINDS)),
        Field::new("start", t("Start position", "起始位置"), Kind::NumberOrNone),
        Field::new("length", t("Length", "长度"), Kind::NumberOrNone),
        Field::new("string", t("String", "字符串"), Kind::Text),
        DESCRIPTION,
    ],
}];
const REFINE: &[Tab] = &[Tab {
    id: "refine",
    title: t("Refine", "规整"),
    fields: &[
        ID,
        Field::new("group", t("Outgoing group ID", "出呼叫群编号"), Kind::NumberOrNone),
        Field::new("prefix", t("Prefix", "前缀"), Kind::Text),
        TRANSITION,
        TIME,
        DESCRIPTION,
    ],
}];
const BLACK_LIST: &[Tab] = &[Tab {
    id: "black-list",
    title: t("Black list", "系统黑名单"),
    fields: &[
        ID,
        Field::new("caller", t("Caller number prefix", "主叫号码前缀"), Kind::Text),
        Field::new("called", t("Called number prefix", "被叫号码前缀"), Kind::Text),
        Field::new("rate", t("Percent blocked", "阻断比例（%）"), Kind::NumberOrNone),
        DESCRIPTION,
    ],
}];

pub(super) const TABLES: &[Table] = &[
    Table {
        name: TableName::Callers,
        path: "analyze-caller",
        list: "callers",
        title: t("Analyze caller number", "分析主叫号码"),
        help: t(
            "Gives callers another dial plan or another number. The longest prefix wins.",
            "为主叫指定其他拨号计划或变换主叫号码，按最长匹配。",
        ),
        columns: CALLER,
        needed: &[],
    },
    Table {
        name: TableName::Called,
        path: "analyze-called",
        list: "called",
        title: t("Analyze called number", "分析被叫号码"),
        help: t(
            "Chooses the route. The longest prefix wins; an empty one matches every number.",
            "决定路由，按最长匹配；前缀为空则匹配所有号码。",
        ),
        columns: CALLED,
        needed: &["route"],
    },
    Table {
        name: TableName::Transitions,
        path: "transitions",
        list: "transitions",
        title: t("Transitions", "变换"),
        help: t(
            "Change a number; rows of the other tables name them. Positions count from 0.",
            "变换号码，由其他表的记录引用。起始位置从0开始。",
        ),
        columns: TRANSITIONS,
        needed: &["type"],
    },
    Table {
        name: TableName::RefineCaller,
        path: "refine-caller",
        list: "refine_caller",
        title: t("Refine caller number", "规整主叫号码"),
        help: t(
            "The last change of the caller number before it goes out, by outgoing group.",
            "呼出前对主叫号码的最后一次变换，按出呼叫群编号。",
        ),
        columns: REFINE,
        needed: &["transition"],
    },
    Table {
        name: TableName::RefineCalled,
        path: "refine-called",
        list: "refine_called",
        title: t("Refine called number", "规整被叫号码"),
        help: t(
            "The last change of the called number before it goes out, by outgoing group.",
            "呼出前对被叫号码的最后一次变换，按出呼叫群编号。",
        ),
        columns: REFINE,
        needed: &["transition"],
    },
    Table {
        name: TableName::BlackList,
        path: "black-list",
        list: "black_list",
        title: t("System black list", "系统黑名单"),
        help: t(
            "Calls that are blocked. * is any number, anonymous a caller who hides his.",
            "禁止的呼叫。*表示任意号码，anonymous表示隐藏号码的主叫。",
        ),
        columns: BLACK_LIST,
        needed: &[],
    },
];

impl Table {
    pub(super) fn fields(&self) -> &'static [Field] {
        self.columns.first().map_or(&[], |it| it.fields)
    }
}

pub(super) fn named(path: &str) -> Option<&'static Table> {
    TABLES.iter().find(|it| it.path == path)
}
