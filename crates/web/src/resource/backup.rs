//! Backups, what a restore of one would change, and standby.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::backup::{Counts, Reason};

/// A backup that lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupInfo {
    /// Of its file.
    pub name: String,
    /// Unit: octets.
    pub size: u64,
    /// RFC 3339.
    pub created_at: String,
    /// Of the program that made it.
    pub version: String,
    /// Of the database.
    pub schema: i64,
    /// The machine it was made on.
    pub host: String,
    #[schemars(with = "String")]
    pub reason: Reason,
    /// It has a password, and in it the key file and the certificates.
    pub has_secrets: bool,
    #[schemars(with = "BTreeMap<String, u64>")]
    pub counts: Counts,
}

/// `POST /api/v1/backups`, and the verbs of one.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupPassword {
    /// At least 10 characters; with it another machine can restore the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// `POST /api/v1/backups/{name}:restore`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// No line registers and no trunk is used until standby is ended.
    pub standby: bool,
}

/// What a restore would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestorePreview {
    pub backup: BackupInfo,
    /// What its database holds, counted.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub then: Counts,
    /// What there is now.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub now: Counts,
    pub differences: Vec<RestoreDifference>,
}

/// Of extensions, external lines, SIP trunks, administrators or API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreDifference {
    /// `extensions`, `external_lines`, `sip_trunks`, `administrators` or `api_keys`.
    pub kind: String,
    /// In the backup and not there now: the first of them.
    pub comes: Vec<String>,
    pub comes_count: usize,
    /// There now and not in the backup: the first of them.
    pub goes: Vec<String>,
    pub goes_count: usize,
}

/// The server starts anew with what the backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restoring {
    /// The backup of what there was until then.
    pub safety: String,
    /// It has the password of the backup that was restored, which brought another key file.
    pub has_password: bool,
}

/// `GET /api/v1/standby`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standby {
    pub standby: bool,
}
