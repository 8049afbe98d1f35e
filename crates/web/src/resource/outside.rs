//! External lines and SIP trunks: how they are configured, and how they are now.

use crate::outside::Fields;
use pbx::language::Text;
use pbx::line::Line;
use pbx::trunk::Trunk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An external line: its fields as in the files of import and export, never with its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalLine {
    #[serde(flatten)]
    pub line: Line,
    pub has_password: bool,
    /// Absent while no server runs, or before it has looked at the line.
    pub state: Option<LineState>,
}

/// A line as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineState {
    /// `off`, `registering`, `registered`, `failed` or `unregistering`.
    pub standing: String,
    /// The same in words.
    pub text: Text,
    /// Since when, and until when the carrier holds our registration. RFC 3339.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Where requests of the line go.
    pub target: Option<String>,
    pub last_request: Option<Said>,
    pub last_answer: Option<Said>,
    /// When the next REGISTER goes out; absent while one awaits its answer. RFC 3339.
    pub next_at: Option<String>,
    /// Why the last REGISTER failed.
    pub trouble: Option<Trouble>,
    pub calls_in: u16,
    pub calls_out: u16,
}

/// Something one side said, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// RFC 3339.
    pub at: String,
    pub what: Text,
}

/// What is wrong with a line or trunk, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// A stable word, as `line.auth_failed`.
    pub code: String,
    pub sentence: Text,
    pub remedy: Text,
}

/// A SIP trunk: its fields as in the files of import and export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SipTrunk {
    #[serde(flatten)]
    pub trunk: Trunk,
    /// Absent while no server runs, or before it has looked at the trunk.
    pub state: Option<TrunkState>,
}

/// A trunk as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrunkState {
    /// One of its servers is there.
    pub healthy: bool,
    /// In the order they are configured; a name may lead to several.
    pub servers: Vec<ServerState>,
    /// What is wrong with a name of its servers.
    pub trouble: Option<Trouble>,
    pub calls_in: u16,
    pub calls_out: u16,
}

/// A server of a trunk as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerState {
    /// As configured.
    pub server: String,
    /// Absent where its name has none.
    pub address: Option<String>,
    /// It is taken to be there.
    pub up: bool,
    /// The next call goes there first.
    pub next: bool,
    /// What it last said to OPTIONS.
    pub last_answer: Option<Said>,
}

/// What the trunk doctor is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Examine {
    /// The number of a test call. Default: none is made.
    pub call: Option<String>,
}

/// What the trunk doctor found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Examination {
    pub account: String,
    /// `green`, `amber` or `red`: the worst of the lights.
    pub colour: String,
    /// In the order of the checks.
    pub lights: Vec<Light>,
    /// The one setting to change.
    pub remedy: Option<Remedy>,
    /// Requests it took.
    pub registers: u8,
    pub invites: u8,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Light {
    /// `name`, `reach`, `transport`, `register`, `authentication`, `binding` or `call`.
    pub check: String,
    /// The same in words.
    pub text: Text,
    /// `dark` (not checked), `green`, `amber` or `red`.
    pub colour: String,
    /// A stable word for what is wrong, as `line.reg_cseq`.
    pub code: Option<String>,
    pub sentence: Text,
    pub advice: Option<Text>,
    pub remedy: Option<Remedy>,
    /// The question and its answer, without the digests.
    pub messages: Vec<String>,
}

/// A setting that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// As the fields of a line are called, as `interop.reliable`.
    pub setting: String,
    /// Absent where the administrator must know it.
    pub value: Option<String>,
    /// The fields that `PATCH` takes.
    pub change: Option<Fields>,
}
