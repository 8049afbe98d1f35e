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
    /// `add`, `change`, `delete`, or what else was done, as `password`, `hangup`, `place`, `transfer`, `backup`.
    pub action: String,
    /// `extensions`, `settings`, `users`, `api_keys`, `webhooks`, `certificate`, a table of the dial plan (`lines` and
    /// `trunks` among them), or `dial_plan` for several rows at once; of what leaves no configuration behind `calls`,
    /// `call_records`, `captures`, `backups`.
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
    /// It is of a kind that can be taken back and has not been, and the secrets that this takes are still kept.
    pub can_undo: bool,
}

/// What was done, as the entries name it.
const ACTIONS: [(&str, Text); 24] = [
    ("add", Text::fixed("added", "添加")),
    ("change", Text::fixed("changed", "修改")),
    ("delete", Text::fixed("deleted", "删除")),
    ("password", Text::fixed("new password of", "重置密码")),
    ("hangup", Text::fixed("hung up", "挂断")),
    ("log_off", Text::fixed("logged off a phone of", "注销话机")),
    ("place", Text::fixed("placed", "发起")),
    ("transfer", Text::fixed("transferred", "转接")),
    ("backup", Text::fixed("made", "生成")),
    ("upload", Text::fixed("uploaded", "上传")),
    ("download", Text::fixed("downloaded", "下载")),
    ("restore", Text::fixed("restored", "恢复")),
    ("standby_off", Text::fixed("ended standby", "结束待命")),
    ("rotate", Text::fixed("new secret of", "更换密钥")),
    ("totp_on", Text::fixed("turned on the second factor of", "启用两步验证")),
    ("totp_off", Text::fixed("turned off the second factor of", "关闭两步验证")),
    ("recovery_codes", Text::fixed("made new recovery codes of", "重新生成恢复码")),
    ("recovery_code", Text::fixed("signed in by a recovery code as", "使用恢复码登录")),
    ("sign_out", Text::fixed("ended a session of", "结束会话")),
    ("begin", Text::fixed("began", "开始")),
    ("stop", Text::fixed("stopped", "停止")),
    ("trace", Text::fixed("followed", "查看")),
    ("export", Text::fixed("exported", "导出")),
    ("import", Text::fixed("imported", "导入")),
];

/// What it was done to. Whatever else there is, is of the dial plan.
const KINDS: [(&str, Text); 20] = [
    ("extensions", Text::fixed("extension", "分机")),
    ("settings", Text::fixed("setting", "系统设置")),
    ("lines", Text::fixed("external line", "外线")),
    ("trunks", Text::fixed("SIP trunk", "SIP中继")),
    ("users", Text::fixed("administrator", "管理员")),
    ("api_keys", Text::fixed("API key", "API密钥")),
    ("calls", Text::fixed("call", "呼叫")),
    ("call_records", Text::fixed("call records", "话单")),
    ("captures", Text::fixed("SIP messages", "SIP消息")),
    ("backups", Text::fixed("backup", "备份")),
    ("webhooks", Text::fixed("webhook", "Webhook端点")),
    ("certificate", Text::fixed("certificate", "证书")),
    ("features", Text::fixed("feature code", "业务码")),
    ("transitions", Text::fixed("transition", "变换")),
    ("callers", Text::fixed("row of analyze caller number", "分析主叫号码记录")),
    ("called", Text::fixed("row of analyze called number", "分析被叫号码记录")),
    ("refine_caller", Text::fixed("row of refine caller number", "规整主叫号码记录")),
    ("refine_called", Text::fixed("row of refine called number", "规整被叫号码记录")),
    ("black_list", Text::fixed("row of the black list", "系统黑名单记录")),
    ("plans", Text::fixed("dial plan", "拨号计划")),
];

fn words(table: &[(&str, Text)], word: &str) -> Option<Text> {
    table.iter().find(|it| it.0 == word).map(|it| it.1.clone())
}

impl AuditEntry {
    /// What was done, for people.
    pub fn action_text(&self) -> Text {
        words(&ACTIONS, &self.action).unwrap_or_else(|| Text::same(self.action.clone()))
    }

    /// What it was done to, for people.
    pub fn kind_text(&self) -> Text {
        words(&KINDS, &self.kind).unwrap_or(Text::fixed("dial plan", "拨号规则"))
    }

    /// Who it was, for people.
    pub fn who(&self) -> Text {
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
    /// An extension that is there again has a new password, shown only now, where the old one is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}
