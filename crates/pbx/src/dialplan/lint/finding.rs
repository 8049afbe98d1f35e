//! What is wrong in a dial plan, for the person who can put it right.

use crate::language::Text;
use crate::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is wrong: where, what and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub table: TableName,
    /// The row's number, the line's account or the extension's number.
    pub row: Box<str>,
    /// As in the files of import and export.
    pub field: &'static str,
    pub rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but not as somebody may have meant it.
    Warning,
    /// Refused at save.
    Error,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TableName {
    Callers,
    Called,
    RefineCaller,
    RefineCalled,
    Transitions,
    BlackList,
    Lines,
    Trunks,
    Features,
    Extensions,
    Plans,
}

/// Declares the rules once: severity, name and what it names; what is wrong and the way out, each
/// in English and Chinese.
macro_rules! rules {
    ($( $severity:ident $name:ident $(($($field:ident: $type:ty),*))?
        $en:literal $zh:literal $remedy_en:literal $remedy_zh:literal; )*) => {
        /// What is not so.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Rule { $( $name $(($($type),*))?, )* }

        impl Rule {
            pub fn severity(&self) -> Severity {
                match self { $( Self::$name { .. } => Severity::$severity, )* }
            }

            /// What is wrong.
            pub fn what(&self) -> Text {
                match self { $( Self::$name $(($($field),*))? => text!($en, $zh $($(, $field)*)?), )* }
            }

            /// The way out.
            pub fn remedy(&self) -> Text {
                match self { $( Self::$name { .. } => Text::fixed($remedy_en, $remedy_zh), )* }
            }
        }
    };
}

rules! {
    Error NotANumber(text: Box<str>) "\"{}\" is no number" "“{}”不是号码"
        "Use at most 64 digits, letters, +, *, #, -, . and _, without spaces"
        "号码最多64个字符，由数字、字母和+*#-._组成，不含空格";
    Error Repeated "the number is given twice" "编号重复"
        "Give each row a number of its own" "请为每条记录使用不同的编号";
    Error UnknownPlan(name: Box<str>) "there is no dial plan {}" "没有拨号计划{}"
        "Add it, or name another" "请先添加，或改用已有的";
    Error UnknownTransition(id: u32) "there is no transition {}" "没有变换{}"
        "Add it, or name another" "请先添加，或改用已有的";
    Error UnknownLine(account: Box<str>) "there is no external line {}" "没有外线{}"
        "Add it, or name another" "请先添加，或改用已有的";
    Error UnknownTrunk(id: u32) "there is no SIP trunk {}" "没有SIP中继{}"
        "Add it, or name another" "请先添加，或改用已有的";
    Error UnknownExtension(number: Box<str>) "there is no extension {}" "没有分机{}"
        "Add it, or name another" "请先添加，或改用已有的";
    Error UnknownService(name: Box<str>) "there is no service {}" "没有业务{}"
        "Choose another route" "请选择其他路由";
    Error NoLineInGroup(group: u32)
        "no shared external line is in outgoing group {}" "出呼叫群{}中没有共享的外线"
        "Set the outgoing group of a line first" "请先设置外线的出呼叫群编号";
    Error NoTrunkInGroup(group: u32)
        "no SIP trunk is in outgoing group {}" "出呼叫群{}中没有SIP中继"
        "Set the outgoing group of a trunk first" "请先设置SIP中继的出呼叫群编号";
    Error TrunkCount "a row names 1 to 8 trunks" "一条记录可指定1至8条SIP中继"
        "Name 1 to 8 trunks" "请指定1至8条SIP中继";
    Error SamePrefix(row: u32) "row {} has the same prefix" "记录{}的前缀相同"
        "Change the prefix, or give one of them a time" "请修改前缀，或为其中一条设置时间";
    Error SameTime(row: u32)
        "row {} has the same prefix and a time that overlaps" "记录{}的前缀相同且时间重叠"
        "Part the times" "请错开时间";
    Error Level "a call level is 1 to 16" "呼叫级别为1至16"
        "Choose one, or none" "请选择其中之一，或不设置";
    Error Status
        "a call is refused with 400 to 699, but not with 401 or 407"
        "拒绝呼叫的状态码为400至699，不含401和407"
        "Choose such a status, as 403 or 486" "请选择这样的状态码，例如403或486";
    Error Loop "the number is analysed again and again" "号码会被反复重分析"
        "Turn re-analyze off, or let the transition lead to another prefix"
        "请关闭重分析，或让变换后的号码匹配其他前缀";
    Error SameCode(code: Box<str>, feature: Box<str>)
        "it cannot be told from {}, the code of {}" "与{}（{}的业务码）无法区分"
        "Choose a code that does not begin as the other does" "请选择与之开头不同的业务码";
    Error CodeIsEmergency(number: Box<str>)
        "it stands in the way of the emergency number {}" "与紧急号码{}冲突"
        "Choose another code, or change the emergency numbers" "请更换业务码，或修改紧急号码";
    Error CodeIsExtension(number: Box<str>)
        "who calls extension {} would start the feature" "拨打分机{}会启动该功能"
        "Choose another code, or give the extension another number" "请更换业务码，或更换分机号码";
    Error NumberIsCode(feature: Box<str>)
        "who calls it would start the feature {}" "拨打该号码会启动功能{}"
        "Choose another number, or another code for the feature" "请更换号码，或更换业务码";
    Error EmergencyNumber(number: Box<str>)
        "who calls it calls the emergency number {}" "拨打该号码会呼叫紧急号码{}"
        "Give the extension another number, or change the emergency numbers"
        "请更换分机号码，或修改紧急号码";
    Error Range(rule: Text) "it must be {}" "取值应为{}"
        "Choose such a value" "请修改该值";
    Warning PastTheEnd(transition: u32, shortest: usize)
        "transition {} reaches past the end of numbers of {} digits" "变换{}超出了{}位号码的末尾"
        "Give the row a longer prefix, or the transition a smaller start or length"
        "请使用更长的前缀，或减小变换的起始位置或长度";
    Warning NoEffect "it changes nothing" "该变换不改变号码"
        "Delete it, or give it a length" "请删除，或设置长度";
    Warning NothingToReanalyze
        "re-analyze has no effect without a transition" "没有号码变换时重分析无效"
        "Choose a transition, or turn it off" "请选择变换，或关闭重分析";
    Warning UnusedPlan(name: Box<str>)
        "nobody is in the dial plan {}: the row is never reached"
        "没有人使用拨号计划{}，该记录不会被匹配"
        "Give an extension, line or trunk this plan, or delete the row"
        "请让分机、外线或SIP中继使用该计划，或删除记录";
    Warning UnusedGroup(group: u32)
        "no line and no trunk is in outgoing group {}: the row is never reached"
        "出呼叫群{}中没有外线和SIP中继，该记录不会被匹配"
        "Set the outgoing group of a line or trunk, or delete the row"
        "请设置外线或SIP中继的出呼叫群编号，或删除记录";
    Warning NobodyHasLevel(level: u8)
        "nobody has call level {}: the row refuses every call"
        "没有人具有呼叫级别{}，该记录会拒绝所有呼叫"
        "Give an extension this level, or change the row's" "请为分机设置该级别，或修改记录";
    Warning Over "its dates have passed" "日期已过"
        "Delete the row, or set new dates" "请删除记录，或设置新的日期";
    Warning ShadowedByTime(row: u32)
        "shadowed: row {} of the same prefix holds at all times" "被遮蔽：前缀相同的记录{}始终有效"
        "Delete one of them, or change the times" "请删除其中一条，或修改时间";
    Warning ShadowedByLonger
        "shadowed: each digit that may follow has a row of its own"
        "被遮蔽：其后的每个数字都有单独的记录"
        "Delete the row if numbers of just this length are not dialled"
        "如果不会拨打恰好这么长的号码，请删除记录";
    Warning ShadowedByBlackList(row: u32)
        "row {} of the black list blocks all its calls" "系统黑名单的记录{}禁止了它的所有呼叫"
        "Delete one of them" "请删除其中一条";
    Warning NobodyMayUse
        "it belongs to no extension and is not shared: nobody can call out by it"
        "不属于任何分机也不共享，没有人能用它呼出"
        "Share it, or give it an owner" "请共享，或指定所属分机";
    Warning NobodyAnswers(number: Box<str>)
        "its calls go to {} and reach nobody: no extension has that number, and no row sends them on"
        "其来电送往{}，无人接听：没有该号码的分机，也没有记录将其转往别处"
        "Give it an owner, or another destination for incoming calls"
        "请指定所属分机，或设置其他入呼叫目的地";
}

impl Finding {
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// `Analyze called number, row 5, route: there is no external line 5678. Add it, or name
    /// another.`
    pub fn text(&self) -> Text {
        let Self { table, row, field, rule } = self;
        text!(
            "{}, row {}, {}: {}. {}.",
            "{}，记录{}，{}：{}。{}。",
            table.text(),
            row,
            field,
            rule.what(),
            rule.remedy(),
        )
    }

    /// By table, then by row, numbers in their order.
    pub(super) fn order(&self) -> (TableName, usize, &str, &str) {
        (self.table, self.row.len(), &self.row, self.field)
    }
}

impl Severity {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::Warning => Text::fixed("Warning", "警告"),
            Self::Error => Text::fixed("Error", "错误"),
        }
    }
}

impl TableName {
    /// The word for programs: the table's name in the files of import and export.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Callers => "callers",
            Self::Called => "called",
            Self::RefineCaller => "refine_caller",
            Self::RefineCalled => "refine_called",
            Self::Transitions => "transitions",
            Self::BlackList => "black_list",
            Self::Lines => "lines",
            Self::Trunks => "trunks",
            Self::Features => "features",
            Self::Extensions => "extensions",
            Self::Plans => "plans",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::Callers => Text::fixed("Analyze caller number", "分析主叫号码"),
            Self::Called => Text::fixed("Analyze called number", "分析被叫号码"),
            Self::RefineCaller => Text::fixed("Refine caller number", "规整主叫号码"),
            Self::RefineCalled => Text::fixed("Refine called number", "规整被叫号码"),
            Self::Transitions => Text::fixed("Transition", "变换"),
            Self::BlackList => Text::fixed("Black list", "系统黑名单"),
            Self::Lines => Text::fixed("External line", "外线"),
            Self::Trunks => Text::fixed("SIP trunk", "SIP中继"),
            Self::Features => Text::fixed("Feature code", "业务码"),
            Self::Extensions => Text::fixed("Extension", "分机"),
            Self::Plans => Text::fixed("Dial plan", "拨号计划"),
        }
    }
}
