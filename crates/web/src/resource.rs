//! The shapes of the API: what the control socket and the CLI say to each other, as JSON.

pub mod access;
pub mod audit;
pub mod backup;
mod call;
pub mod outside;
mod registration;
pub mod sheet;

pub use registration::{Registration, RegistrationChange, RegistrationHistory};

use crate::conventions::{object, some_object};
use pbx::dialplan::Tables;
use pbx::dialplan::levels::Levels;
use pbx::dialplan::lint::finding::TableName;
use pbx::directory::Relay;
use pbx::language::Text;
use pbx::media::MediaSource;
use pbx::supplementary::{Forwarding, Forwardings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An extension as the API shows it: never with its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extension {
    pub number: String,
    pub name: String,
    /// Devices at a time; above 1 it has the right *one number, many phones*.
    pub devices: u8,
    /// Simultaneous calls, in and out together.
    pub calls: u8,
    pub relay: Relay,
    pub media_source: MediaSource,
    /// Sources that may call without being challenged: address, network, or address with port.
    pub addresses: Vec<String>,
    pub digest_without_qop: bool,
    /// Its dial plan.
    pub plan: String,
    /// Call levels.
    pub levels: Levels,
    /// The right to each kind of forwarding.
    pub may_forward: Forwardings,
    /// How long its phones ring. Unit: seconds; 0: as the system has it.
    pub ring_s: u16,
    /// Where its calls go, as its phones or an administrator have set it.
    pub forward: BTreeMap<Forwarding, String>,
    pub do_not_disturb: bool,
    /// A call may come while there is another one.
    pub call_waiting: bool,
    /// Simultaneous calls each way; 100: no limit besides `calls`.
    pub calls_in: u8,
    pub calls_out: u8,
    /// 0: none.
    pub pickup_group: u32,
    pub has_password: bool,
    pub weak_password: bool,
}

/// An extension and what its phones do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionNow {
    #[serde(flatten)]
    pub extension: Extension,
    pub state: ExtensionState,
}

/// What the phones of an extension do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionState {
    /// None is registered.
    Offline,
    Idle,
    /// In a call, or called.
    Talking,
    /// It has no password: it is known by its address and does not register.
    ByAddress,
}

/// What to change, or to make a new extension of; what is absent keeps its value or default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[schemars(range(min = 1, max = store::db::DEVICES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<u8>,
    /// 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_source: Option<MediaSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_without_qop: Option<bool>,
    /// `default`, or another that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_forward: Option<Forwardings>,
    /// 0 to 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_s: Option<u16>,
    /// An empty number takes a forwarding off; any other one also gives the right to it, unless
    /// `may_forward` says otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forward: BTreeMap<Forwarding, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_disturb: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_waiting: Option<bool>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_in: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_out: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickup_group: Option<u32>,
}

/// One extension to make.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExtension {
    /// Or a range, as `100-199`, of which emergency numbers are left out.
    pub number: String,
    /// Absent: generated, or none where addresses are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default)]
    pub change: Change,
}

/// `POST /api/v1/extensions`: all of them, or none.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    pub extensions: Vec<NewExtension>,
    #[serde(default)]
    pub allow_weak: bool,
    /// Emergency numbers among them are left out, as of a range; else they are refused.
    #[serde(default)]
    pub skip_emergency: bool,
}

/// `POST /api/v1/extensions/{number}:passwd`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordRequest {
    /// Absent: generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    pub allow_weak: bool,
}

/// Shown once, when a password is made or reset.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credentials {
    pub number: String,
    /// `None`: authorised by address.
    pub password: Option<String>,
}

/// `POST /api/v1/extensions/{number}:provisioning-token`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisioningRequest {
    /// The one that the extension has; nobody is told it whom it was not shown.
    pub password: String,
}

/// Where a phone finds what it needs: good once, and for ten minutes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvisioningToken {
    pub token: String,
    /// Behind scheme, host and port of the pages it is what the code for the camera says.
    pub path: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// A setting of the office, with what there is to know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    pub key: String,
    pub value: Value,
    pub default: Value,
    pub unit: Option<Text>,
    pub range: Text,
    pub help: Text,
}

/// `PATCH /api/v1/settings/{key}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingRequest {
    /// In the setting's own type, or as the text of it.
    pub value: Value,
}

/// `POST /api/v1/dial-plan:simulate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulateRequest {
    /// The extension that calls; of a line or trunk, the number that is shown.
    pub from: String,
    /// As dialled; not read where a line is named, whose account is what is called then.
    pub dial: String,
    /// The call comes in by this line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The call comes in by this trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<u32>,
    /// Day or time by the office's clock. Absent: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// 0 to 99; a row of the black list blocks it where it is below the row's rate. Absent: 99.
    #[schemars(range(max = 99))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dice: Option<u8>,
    /// Take everything for registered and idle, and nothing for forwarded.
    pub all_up: bool,
    /// Decide by these tables, which are not stored. Absent: by those in force.
    #[serde(deserialize_with = "some_object", skip_serializing_if = "Option::is_none")]
    pub tables: Option<Tables>,
    /// Only these of them; the others are those in force. Absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<TableName>>,
}

/// Where a simulated call would go, or why it would not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Simulation {
    /// The plan that decided.
    pub plan: String,
    /// By the office's clock.
    pub at: String,
    /// The extensions that would send the call on, in their order; what follows is of the last number.
    pub forwarded_by: Vec<String>,
    /// In the order they would be tried.
    pub candidates: Vec<Endpoint>,
    /// What would end the call now; an extension that has no phone to ring is a candidate too.
    pub refusal: Option<SimulationRefusal>,
    /// What is wrong with the rows that were looked at.
    pub warnings: Vec<Finding>,
    /// Every step, as people read it.
    pub text: Text,
}

/// One place a call could go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// `extension`, `line`, `trunk` or the word of a feature.
    pub kind: String,
    pub name: String,
    /// The called number that would be sent to a line or trunk.
    pub called: Option<String>,
    /// The caller number that would be sent to it.
    pub caller: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SimulationRefusal {
    /// As in call records.
    pub code: String,
    pub status: u16,
    /// The row that refuses, where one does.
    pub row: Option<u32>,
}

/// One thing that is wrong in the dial plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: String,
    /// As in the files of import and export.
    pub table: String,
    /// The row's number, the line's account or the extension's number.
    pub row: String,
    pub field: String,
    pub what: Text,
    pub remedy: Text,
    /// All of it in one sentence.
    pub text: Text,
}

/// `PUT /api/v1/dial-plan`: these tables in the place of those there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DialPlanRequest {
    /// A line without password keeps the one it has.
    #[serde(deserialize_with = "object")]
    pub tables: Tables,
    /// Only these tables; the others stay as they are. Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<TableName>>,
    /// Check, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import changed, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    pub dry_run: bool,
    pub changes: Vec<TableChange>,
    /// What was not refused, and yet may not be meant so.
    pub warnings: Vec<Finding>,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableChange {
    /// As in the files of import and export.
    pub table: String,
    pub name: Text,
    /// Rows after the import.
    pub rows: usize,
    /// The numbers, accounts or names of the rows.
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
}

/// A feature and what is dialled for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureCode {
    pub feature: String,
    /// `off`: nothing.
    pub code: String,
    /// Where nobody chose another.
    pub usual: String,
    /// A number follows the code.
    pub takes_number: bool,
    pub help: Text,
}

/// `PATCH /api/v1/feature-codes/{feature}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureCodeRequest {
    pub code: String,
}

/// A running call, or one that ended a short time ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    pub id: String,
    pub short_id: String,
    /// `started`, `ringing`, `answered`, `held` or `released`.
    pub state: String,
    /// `internal`, `incoming` or `outgoing`.
    pub direction: String,
    pub caller: String,
    pub caller_name: String,
    pub dialled: String,
    /// The called number as it was sent, after the dial plan.
    pub sent: String,
    pub callee: String,
    /// The external line it goes by.
    pub line: Option<String>,
    /// The SIP trunk it goes by.
    pub trunk: Option<String>,
    /// The call that this one was forwarded or transferred from.
    pub linked: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    pub answered_at: Option<String>,
    pub ended_at: Option<String>,
    pub duration_s: u64,
    pub codec_caller: String,
    pub codec_callee: String,
    pub relayed: bool,
    pub release_code: Option<String>,
    pub sip_status: Option<u16>,
    /// Why it ended so; absent while it is up.
    pub verdict: Option<Verdict>,
    /// What happened to it, in its order.
    pub timeline: Vec<Happening>,
    pub legs: Vec<Leg>,
}

/// Why a call ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// As in call records.
    pub code: String,
    /// `caller`, `callee`, `us`, `network` or `nobody`.
    pub guilty: String,
    pub sentence: Text,
    pub remedy: Text,
    /// The command that helps, where there is one.
    pub action: Option<String>,
    /// `certain`, `likely` or `possible`.
    pub confidence: String,
}

/// One line of a call's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// Since the call started.
    pub at_ms: u64,
    /// `office`, `caller` or `callee`.
    #[serde(rename = "where")]
    pub place: String,
    /// Which of the phones, lines and trunks that were tried, from 1.
    pub attempt: Option<u8>,
    /// A stable word.
    pub what: String,
    pub text: Text,
    /// The verdict rests on it.
    pub decisive: bool,
}

/// One side of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// `caller` or `callee`.
    pub side: String,
    pub number: String,
    pub remote: String,
    pub sip_call_id: String,
    pub user_agent: String,
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub lost_in: u64,
    pub jitter_ms: f64,
    pub refused: u64,
    /// Whether media flowed lately: `green` both ways, `yellow` one way, `red` not at all; absent
    /// where nobody knows, or nothing is to flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light: Option<String>,
}

/// A capture, without its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    pub id: u64,
    /// As in `ext=100 ip=10.0.0.1`; empty: everything.
    pub follows: String,
    pub started_at: String,
    /// When it ends by itself.
    pub ends_at: String,
    pub ended_at: Option<String>,
    /// `time`, `full` or `stopped`, once it has ended.
    pub stopped: Option<String>,
    pub messages: usize,
    pub bytes: usize,
    /// Messages came faster than they could be kept.
    pub lost: bool,
}

/// `GET /api/v1/captures/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapturePage {
    pub capture: Capture,
    /// At most 200 of its messages, after the first `after`.
    pub ladder: Vec<Traced>,
}

/// A call that is being placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    pub id: String,
    pub short_id: String,
}

/// One SIP message, already masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traced {
    pub unix_ms: u64,
    /// Whether we sent it.
    pub sent: bool,
    pub transport: String,
    pub local: String,
    pub remote: String,
    /// The call's id where the message belongs to one.
    pub call: Option<String>,
    pub text: String,
}

/// What the server is and does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    pub version: String,
    pub uptime_s: u64,
    pub ready: bool,
    pub sip_udp: Vec<String>,
    pub sip_tcp: Vec<String>,
    pub http: Vec<String>,
    /// HTTP over TLS.
    #[serde(default)]
    pub https: Vec<String>,
    /// Where phones of the network find the server.
    #[serde(default)]
    pub server: String,
    /// After a restore: no line registers and no trunk is used until `dialtone standby off`.
    #[serde(default)]
    pub standby: bool,
    pub registrations: u64,
    pub calls: u64,
    /// Of the disk with the data directory, where that is known. Unit: octets.
    #[serde(default)]
    pub disk_free: Option<u64>,
    #[serde(default)]
    pub disk_size: Option<u64>,
    /// What the server does by itself and could not do, and what will soon be in its way.
    #[serde(default)]
    pub troubles: Vec<outside::Trouble>,
}

/// What went wrong, after RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub status: u16,
    /// A stable word.
    pub code: String,
    pub detail_en: Box<str>,
    pub detail_zh: Box<str>,
    /// Which of several inputs is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Box<str>>,
    /// Which field of the input is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// When it may be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// What the change would break, row by row.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub findings: Box<[Finding]>,
}
