//! Who changed what.

use crate::resource::Credentials;
use pbx::language::Text;
use pbx::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One change of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    pub id: u64,
    /// RFC 3339.
    pub at: String,
    /// `cli`, `user` or `api-key`.
    pub actor_kind: String,
    /// The name of the administrator or key; empty for the command line.
    pub actor: String,
    /// The address, or `socket`.
    pub source: String,
    /// `add`, `change`, `delete`, `password`, `hangup`, `place` or `transfer`.
    pub action: String,
    /// `extensions`, `settings`, `users`, `api_keys`, `calls`, a table of the dial plan (`lines` and `trunks` among them),
    /// or `dial_plan` for several rows at once.
    pub kind: String,
    pub name: String,
    /// What it was; absent: it was not there. Never with a secret.
    pub before: Option<Value>,
    /// What it became; absent: it is gone.
    pub after: Option<Value>,
    /// The entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// The entry that takes this one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<u64>,
    /// It is of a kind that can be taken back, and has not been.
    pub can_undo: bool,
}

impl AuditEntry {
    /// Who it was, for people.
    pub(crate) fn who(&self) -> Text {
        let name = &self.actor;
        match (&*self.actor_kind, name.is_empty()) {
            ("cli", _) => text!("the command line", "命令行"),
            ("api-key", _) => text!("the API key {name}", "API密钥{name}"),
            (kind, true) => Text::same(kind.to_owned()),
            (_, false) => Text::same(name.clone()),
        }
    }
}

/// `GET /api/v1/audit-entries`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// The `cursor` of the next page; absent: there is none.
    pub next: Option<u64>,
}

/// `POST /api/v1/audit-entries/{id}:undo`.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// What taking it back changed.
    pub entry: AuditEntry,
    /// An extension that is there again has a new password, shown only now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}
