//! What a backup says of itself, in its first file.

use pbx::time::UnixMillis;
use serde::{Deserialize, Serialize};

/// Of this layout. A reader refuses a larger one.
pub(super) const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Of the program.
    pub version: String,
    /// Of the database.
    pub schema: i64,
    /// Milliseconds since 1970 (UTC).
    pub created_at: UnixMillis,
    /// The machine it was made on.
    pub host: String,
    pub reason: Reason,
    pub counts: Counts,
    /// With a password: the salt, in hexadecimal digits, of the key that its secrets are sealed with.
    #[serde(default)]
    pub salt: Option<String>,
    /// In the order of the archive.
    pub(super) files: Vec<Packed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The nightly one, which goes when it is old.
    Nightly,
    /// The state that a restore was about to replace.
    BeforeRestore,
}

/// How much of what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub extensions: u64,
    pub external_lines: u64,
    pub sip_trunks: u64,
    /// Of all tables of the dial plan.
    pub dial_plan_rows: u64,
    pub administrators: u64,
    pub call_records: u64,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) size: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
