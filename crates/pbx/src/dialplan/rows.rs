//! The rows of the dial plan's tables, as the administrator writes them.

use super::feature::Feature;
use super::table::Row;
use super::time::TimeCondition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plan of everybody whose extension, line or trunk names none. It always exists.
pub const DEFAULT_PLAN: &str = "default";

/// Analyze caller number (分析主叫号码): gives callers another plan or another number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerRow {
    /// The row number that the simulator names.
    pub id: u32,
    /// The plan the caller is in. Default: `default`.
    #[serde(default = "default_plan")]
    pub plan: Box<str>,
    /// Of the caller number; the longest wins, empty matches every caller.
    #[serde(default)]
    pub prefix: Box<str>,
    /// Go on in this plan; absent: in the same.
    #[serde(default)]
    pub to_plan: Option<Box<str>>,
    /// Transition of the caller number.
    #[serde(default)]
    pub transition: Option<u32>,
    /// Absent: always.
    #[serde(default)]
    pub time: Option<TimeCondition>,
    #[serde(default)]
    pub description: Box<str>,
}

/// Analyze called number (分析被叫号码): chooses the route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalledRow {
    /// The row number that the simulator names.
    pub id: u32,
    #[serde(default = "default_plan")]
    pub plan: Box<str>,
    /// Of the called number; the longest wins, empty matches every number.
    #[serde(default)]
    pub prefix: Box<str>,
    pub route: RouteType,
    /// Transition of the called number ("change called number").
    #[serde(default)]
    pub transition: Option<u32>,
    /// After the transition the number is analysed again, and the route of this row not taken.
    #[serde(default)]
    pub reanalyze: bool,
    /// Call level (呼叫级别) the caller needs; absent: everybody may call.
    #[serde(default)]
    pub level: Option<u8>,
    /// Absent: always.
    #[serde(default)]
    pub time: Option<TimeCondition>,
    #[serde(default)]
    pub description: Box<str>,
}

/// Where a number of a row goes (路由类型).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteType {
    /// The extension whose number it is.
    LocalUser,
    ExternalLine(LineChoice),
    SipTrunk(TrunkChoice),
    /// A service by its name.
    Service(Box<str>),
    /// The same as dialling the feature's code.
    FeatureCode(Feature),
    /// Refuse with this SIP status. Range: 400..=699, without 401 and 407.
    Reject(u16),
}

/// Which external line (外线).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LineChoice {
    /// The specified external line (指定外线), by its account.
    Line(Box<str>),
    /// The lines of an outgoing group (出呼叫群), in rotation.
    Group(u32),
    /// All shared lines, in rotation.
    #[default]
    Rotation,
}

/// Which SIP trunk (SIP中继).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrunkChoice {
    /// This one, then the alternatives in their order.
    Listed(Vec<u32>),
    /// Those of an outgoing group, by their numbers.
    Group(u32),
}

/// Most trunks of one row.
pub const TRUNKS_LISTED_MAX: usize = 8;

/// Refine caller number (规整主叫号码) and refine called number (规整被叫号码): the last change before a
/// number goes out, by outgoing group.
///
/// What a carrier wants does not depend on who calls: these rows belong to no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefineRow {
    /// The row number that the simulator names.
    pub id: u32,
    /// Outgoing group of the line or trunk; 0 is the group of those that name none.
    #[serde(default)]
    pub group: u32,
    /// Of the number as the analysis left it: the out-group prefix is gone.
    #[serde(default)]
    pub prefix: Box<str>,
    pub transition: u32,
    #[serde(default)]
    pub time: Option<TimeCondition>,
    #[serde(default)]
    pub description: Box<str>,
}

/// A row of the black list (系统黑名单).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockRow {
    /// The row number that the simulator names.
    pub id: u32,
    /// Of the caller number; `*` is any, `anonymous` who hides his.
    #[serde(default = "any")]
    pub caller: Box<str>,
    /// Of the called number as dialled; `*` is any.
    #[serde(default = "any")]
    pub called: Box<str>,
    /// Percent of the matching calls that are blocked. Range: 0..=100; 0 lets all pass.
    #[serde(default = "all")]
    pub rate: u8,
    #[serde(default)]
    pub description: Box<str>,
}

fn default_plan() -> Box<str> {
    DEFAULT_PLAN.into()
}

fn any() -> Box<str> {
    super::blocklist::ANY.into()
}

fn all() -> u8 {
    100
}

impl Row for CallerRow {
    type Scope = str;
    type Key = Box<str>;

    fn id(&self) -> u32 {
        self.id
    }

    fn scope(&self) -> &str {
        &self.plan
    }

    fn key(&self) -> Box<str> {
        self.plan.clone()
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn time(&self) -> Option<&TimeCondition> {
        self.time.as_ref()
    }
}

impl Row for CalledRow {
    type Scope = str;
    type Key = Box<str>;

    fn id(&self) -> u32 {
        self.id
    }

    fn scope(&self) -> &str {
        &self.plan
    }

    fn key(&self) -> Box<str> {
        self.plan.clone()
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn time(&self) -> Option<&TimeCondition> {
        self.time.as_ref()
    }
}

impl Row for RefineRow {
    type Scope = u32;
    type Key = u32;

    fn id(&self) -> u32 {
        self.id
    }

    fn scope(&self) -> &u32 {
        &self.group
    }

    fn key(&self) -> u32 {
        self.group
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn time(&self) -> Option<&TimeCondition> {
        self.time.as_ref()
    }
}
