//! What an import of a sheet changed, or would.

use super::Credentials;
use pbx::language::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /api/v1/extensions:import`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SheetReport {
    pub dry_run: bool,
    pub added: Vec<String>,
    pub changed: Vec<SheetChange>,
    pub unchanged: usize,
    /// What is wrong, row by row; then nothing is imported.
    pub problems: Vec<SheetProblem>,
    /// Passwords that were made, shown only now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credentials>,
}

/// An extension that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SheetChange {
    pub number: String,
    pub fields: Vec<String>,
}

/// A cell that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SheetProblem {
    /// The line of the file; the head is line 1.
    pub row: u64,
    /// Absent: the whole row.
    pub column: Option<String>,
    pub reason: Text,
}
