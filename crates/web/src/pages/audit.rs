//! The audit log (操作日志): who changed what, from where, what it was and became, and *undo*.

use super::api::segment;
use super::extensions::cards;
use super::failure::PageFailure;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{query, render, to};
use crate::resource::audit::{AuditEntry, AuditPage, Undone};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

/// Where it is, of the API.
const API: &str = "/api/v1/audit-entries";
/// Entries of a page.
const ROWS: &str = "50";

words! {
    Words {
        title: "Audit log", "操作日志";
        none: "Nothing was changed yet.", "还没有修改记录。";
        at: "Time", "时间";
        who: "Who", "操作者";
        what: "What", "操作";
        change: "Before and after", "修改前后";
        cli: "command line", "命令行";
        key: "API key", "接口密钥";
        add: "added", "添加";
        changed: "changed", "修改";
        delete: "deleted", "删除";
        password: "new password of", "重置密码";
        hangup: "hung up", "挂断";
        totp_on: "turned on the second factor of", "启用两步验证";
        totp_off: "turned off the second factor of", "关闭两步验证";
        recovery_codes: "made new recovery codes of", "重新生成恢复码";
        recovery_code: "signed in by a recovery code as", "使用恢复码登录";
        place: "placed", "发起";
        transfer: "transferred", "转接";
        extensions: "extension", "分机";
        settings: "setting", "系统设置";
        lines: "external line", "外线";
        trunks: "SIP trunk", "SIP中继";
        backup: "made", "生成";
        upload: "uploaded", "上传";
        download: "downloaded", "下载";
        restore: "restored", "恢复";
        standby_off: "ended standby", "结束待命";
        backups: "backup", "备份";
        webhooks: "webhook", "Webhook端点";
        certificate: "certificate", "证书";
        users: "administrator", "管理员";
        api_keys: "API key", "接口密钥";
        calls: "call", "呼叫";
        plan: "dial plan", "拨号规则";
        undo: "Undo", "撤销";
        undone: "undone", "已撤销";
        undoes: "takes back an earlier change", "撤销了先前的修改";
        next: "Older changes", "更早的修改";
        first: "Newest changes", "最新修改";
    }
}

/// From which entry on.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    cursor: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    rows: Vec<Row>,
    first: bool,
    next: Option<String>,
}

struct Row {
    id: u64,
    at: When,
    who: String,
    source: String,
    action: &'static str,
    kind: &'static str,
    name: String,
    /// The fields that differ: name, before, after.
    changes: Vec<(String, String, String)>,
    can_undo: bool,
    note: &'static str,
}

pub(crate) async fn on_list(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let (w, zone) = (Words::of(viewer.language), viewer.zone());
    let path = query(API, &[("limit", ROWS), ("cursor", &asked.cursor)]);
    let found: AuditPage = viewer.api.get(&path).await?;
    let row = |it: AuditEntry| Row {
        id: it.id,
        at: when(&it.at, &zone),
        who: match it.actor_kind.as_str() {
            "cli" => w.cli.to_owned(),
            "api-key" => format!("{} {}", w.key, it.actor),
            _ => it.actor,
        },
        source: it.source,
        action: action(&it.action, w),
        kind: kind(&it.kind, w),
        name: it.name,
        changes: changes(it.before.as_ref(), it.after.as_ref()),
        can_undo: it.can_undo,
        note: match (it.undone_by, it.undoes) {
            (Some(_), _) => w.undone,
            (None, Some(_)) => w.undoes,
            (None, None) => "",
        },
    };
    let rows = found.entries.into_iter().map(row).collect();
    let next = found.next.map(|it| query("/audit", &[("cursor", &it.to_string())]));
    let first = asked.cursor.is_empty();
    Ok(render(&Page { page: viewer.layout(), w, rows, first, next }))
}

/// An extension that is there again has a new password: it is shown once, as that of a new one.
pub(crate) async fn on_undo(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let undone: Undone = viewer.api.post(&format!("{API}/{}:undo", segment(&id)), &()).await?;
    Ok(match undone.credentials {
        Some(made) => cards(&viewer, vec![made], false),
        None => to("/audit"),
    })
}

fn action(word: &str, w: &'static Words) -> &'static str {
    match word {
        "add" => w.add,
        "delete" => w.delete,
        "password" => w.password,
        "hangup" => w.hangup,
        "backup" => w.backup,
        "upload" => w.upload,
        "download" => w.download,
        "restore" => w.restore,
        "standby_off" => w.standby_off,
        "totp_on" => w.totp_on,
        "totp_off" => w.totp_off,
        "recovery_codes" => w.recovery_codes,
        "recovery_code" => w.recovery_code,
        "place" => w.place,
        "transfer" => w.transfer,
        _ => w.changed,
    }
}

fn kind(word: &str, w: &'static Words) -> &'static str {
    match word {
        "extensions" => w.extensions,
        "settings" => w.settings,
        "lines" => w.lines,
        "trunks" => w.trunks,
        "users" => w.users,
        "api_keys" => w.api_keys,
        "calls" => w.calls,
        "backups" => w.backups,
        "webhooks" => w.webhooks,
        "certificate" => w.certificate,
        _ => w.plan,
    }
}

/// The fields of one that differ from those of the other, each as short as it can be written.
fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<(String, String, String)> {
    let of = |value: Option<&Value>, name: &str| {
        value.and_then(|it| it.get(name)).map(shown).unwrap_or_default()
    };
    let (Some(old), Some(new)) = (before, after) else { return vec![] };
    let (Some(old_fields), Some(new_fields)) = (old.as_object(), new.as_object()) else {
        return vec![(String::new(), shown(old), shown(new))];
    };
    let mut names: Vec<&String> = old_fields.keys().chain(new_fields.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|it| old.get(it) != new.get(it));
    differing.map(|it| (it.clone(), of(before, it), of(after, it))).collect()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_shown() {
        let before = json!({ "name": "Hall", "calls": 2, "gone": true });
        let after = json!({ "name": "Door", "calls": 2, "new": [1] });
        let expected = [("gone", "true", ""), ("name", "Hall", "Door"), ("new", "", "[1]")];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(changes(Some(&before), Some(&after)), expected);
        assert_eq!(changes(None, Some(&after)), []);
    }
}
