//! Administrators, their sessions, and the keys of programs.

use crate::access::Scope;
use pbx::language::Language;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/setup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetupState {
    /// There is no administrator yet.
    pub needed: bool,
    /// The one who asks is not on this machine: he must show the code.
    pub code_needed: bool,
    /// What the browser asks for.
    pub language: Language,
    /// By the control socket only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// `POST /api/v1/setup`: the first administrator.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    pub name: String,
    pub password: String,
    /// Absent: what the browser asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// As the server printed it; not needed on its own machine.
    #[serde(default)]
    pub code: String,
}

/// `POST /api/v1/sessions`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogInRequest {
    pub name: String,
    pub password: String,
    /// Of the second factor, where he has one: six digits, or a recovery code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The session of this request. Its token is in the cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    pub user: String,
    pub language: Language,
    /// To be sent back as the header `X-CSRF-Token` with everything that changes something.
    pub csrf: String,
}

/// A session of an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionInfo {
    pub id: String,
    pub user: String,
    /// RFC 3339.
    pub created_at: String,
    pub used_at: String,
    pub expires_at: String,
    /// The address it was begun from.
    pub source: String,
    pub user_agent: String,
    /// It is the one that asks.
    pub current: bool,
}

/// An administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserInfo {
    pub name: String,
    pub language: Language,
    /// RFC 3339.
    pub created_at: String,
    /// When the password was set.
    pub password_at: String,
    /// A code of his phone is asked for besides the password.
    #[serde(default)]
    pub second_factor: bool,
}

/// `POST /api/v1/users`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub name: String,
    /// At least 10 characters.
    pub password: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// `PATCH /api/v1/users/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// `POST /api/v1/users/{name}:passwd`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPassword {
    pub password: String,
    /// Needed by whoever changes his own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

/// `GET /api/v1/users/{name}/totp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TotpState {
    /// A code is asked for.
    pub on: bool,
    /// RFC 3339.
    pub since: Option<String>,
    /// How many are left.
    pub recovery_codes: u32,
}

/// `POST /api/v1/users/{name}/totp` and `…/totp:off`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpProof {
    /// The password of whoever begins or gives up his own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

/// A secret for the phone, shown once. It counts from its first code on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TotpBegun {
    /// In Base32 (RFC 4648 §6), to be typed.
    pub secret: String,
    /// The same for the camera.
    pub uri: String,
}

/// `POST /api/v1/users/{name}/totp:confirm`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpCode {
    pub code: String,
}

/// In the place of a lost phone, each good once. They are shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

/// A key of a program; the secret part is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyInfo {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// RFC 3339.
    pub created_at: String,
    pub created_by: String,
    /// To the minute; absent: never.
    pub used_at: Option<String>,
}

/// `POST /api/v1/api-keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    pub name: String,
    pub scopes: Vec<Scope>,
}

/// `PATCH /api/v1/api-keys/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeyChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
}

/// A new key with its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeApiKey {
    /// To be sent as `Authorization: Bearer …`.
    pub key: String,
    #[serde(flatten)]
    pub info: ApiKeyInfo,
}
