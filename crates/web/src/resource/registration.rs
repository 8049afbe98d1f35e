//! A registered device as the API shows it, and the history of those of an extension.

use crate::moment::rfc3339;
use pbx::language::Text;
use pbx::record::Binding;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::db::{self, Why, word};

/// A registered device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    pub extension: String,
    pub contact: String,
    /// `udp` or `tcp`.
    pub transport: String,
    pub source: String,
    pub user_agent: String,
    pub device: String,
    /// RFC 3339.
    pub registered_at: String,
    pub expires_at: String,
    pub expires_in_s: u64,
}

/// The devices of an extension: those that are registered, and what happened before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistrationHistory {
    pub extension: String,
    pub registered: Vec<Registration>,
    /// The newest first: the last 20 changes, and the last 5 refusals among them. A refresh is no change.
    pub changes: Vec<RegistrationChange>,
}

/// One thing that happened to a device of an extension; a text is empty where it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistrationChange {
    /// RFC 3339.
    pub at: String,
    /// `registered`, `changed`, `gone` or `refused`.
    pub what: String,
    /// Of what changed: `address`, `transport`, `user_agent`. Why it is gone: `expired`, `expired_while_off`,
    /// `removed` by the phone itself, `replaced`, `restarted`, `logged_off` by an administrator, `password_changed`.
    /// Why it was refused: `bad_digest`, `weak_password`, `wrong_identity`.
    pub why: String,
    pub text: Text,
    pub device: String,
    pub contact: String,
    pub transport: String,
    pub source: String,
    pub user_agent: String,
}

impl Registration {
    pub fn of(binding: &Binding, now: UnixMillis) -> Self {
        Self {
            extension: binding.key.extension.to_string(),
            contact: binding.contact.to_string(),
            transport: binding.flow.transport.uri_name().to_owned(),
            source: binding.flow.remote.to_string(),
            user_agent: binding.user_agent.to_string(),
            device: binding.key.device.to_string(),
            registered_at: rfc3339(binding.registered_at),
            expires_at: rfc3339(binding.expires_at),
            expires_in_s: binding.expires_at.since(now).as_secs(),
        }
    }
}

impl From<db::RegistrationChange> for RegistrationChange {
    fn from(it: db::RegistrationChange) -> Self {
        Self {
            at: rfc3339(it.at),
            what: word(it.what),
            why: word(it.why),
            text: text(it.why),
            device: it.device,
            contact: it.contact,
            transport: it.transport,
            source: it.source,
            user_agent: it.user_agent,
        }
    }
}

/// In one line.
fn text(why: Why) -> Text {
    match why {
        Why::Registered => Text::fixed("registered", "已注册"),
        Why::Address => Text::fixed("now at another address", "来源地址已变更"),
        Why::Transport => Text::fixed("now by another transport", "传输协议已变更"),
        Why::UserAgent => Text::fixed("another phone or software", "话机型号或软件版本已变更"),
        Why::Expired => Text::fixed("gone: it did not refresh in time", "已离线：到期未刷新注册"),
        Why::ExpiredWhileOff => Text::fixed(
            "gone: its time ended while the server was off",
            "已离线：服务器停机期间到期",
        ),
        Why::Removed => Text::fixed("gone: the phone signed off", "已离线：话机主动注销"),
        Why::Replaced => {
            Text::fixed("gone: a newer registration took its place", "已离线：被较新的注册取代")
        }
        Why::Restarted => Text::fixed(
            "gone: the phone restarted and registered again",
            "已离线：话机重启并重新注册",
        ),
        Why::LoggedOff => {
            Text::fixed("gone: logged off by an administrator", "已离线：被管理员注销")
        }
        Why::PasswordChanged => Text::fixed("gone: the password was changed", "已离线：密码已更改"),
        Why::BadDigest => Text::fixed("refused: wrong password", "被拒绝：密码错误"),
        Why::WeakPassword => Text::fixed(
            "refused: the password is well known, and the address is outside",
            "被拒绝：密码过于简单，不允许从公网接入",
        ),
        Why::WrongIdentity => Text::fixed(
            "refused: signed in as this extension, it asked for another number",
            "被拒绝：以本分机鉴权，却注册其他号码",
        ),
    }
}
