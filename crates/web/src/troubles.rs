//! What an administrator is to know before somebody complains: jobs of the server that fail, and what is about to run out.
//!
//! Lines and trunks tell of theirs themselves.

use crate::Office;
use crate::certificate::Shown;
use crate::resource::outside::Trouble;
use crate::resource::{Failure, Status};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::text;
use pbx::time::UnixMillis;
use std::time::Duration;
use store::db::Webhook;

/// Of the disk, less than this is too little. Unit: percent.
const DISK_PERCENT_MIN: u128 = 10;
/// Who issues certificates renews them a month before; two weeks before the end that has failed.
const CERTIFICATE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const BACKUP: &str = "backup.failed";

/// The worst first.
pub(crate) async fn of(office: &Office, status: &Status) -> Result<Vec<Trouble>, Failure> {
    let now = office.running.now();
    let disk = status.disk_free.zip(status.disk_size).and_then(|(free, size)| disk(free, size));
    let backup = office.nightly.trouble();
    let certificate = office.certificate.as_ref().and_then(|it| certificate(&it.shown(), now));
    let hooks = office.db.webhooks(TenantId::default()).await?;
    let hooks = hooks.iter().filter_map(webhook);
    Ok(disk.into_iter().chain(backup).chain(certificate).chain(hooks).collect())
}

/// What keeps backups from being made.
pub(crate) fn is_of_backups(it: &Trouble) -> bool {
    it.code == BACKUP
}

/// The nightly backup that failed, and nothing since.
pub(crate) fn backup(at: &str, why: &Text) -> Trouble {
    Trouble {
        code: BACKUP.to_owned(),
        sentence: text!(
            "The nightly backup of {at} failed: {}.",
            "{at}的每夜自动备份失败：{}。",
            why
        ),
        remedy: text!(
            "When that is mended, press Back up now on the page Backups; the server tries again every ten minutes.",
            "请先排除上述原因，再在“备份”页面点击“立即备份”；服务器每十分钟重试一次。"
        ),
    }
}

fn disk(free: u64, size: u64) -> Option<Trouble> {
    let percent = u128::from(free) * 100 / u128::from(size.max(1));
    (percent < DISK_PERCENT_MIN).then(|| {
        let mib = free / 1024 / 1024;
        Trouble {
            code: "disk.nearly_full".to_owned(),
            sentence: text!(
                "The disk of the data directory is nearly full: {percent} % ({mib} MiB) are free.",
                "数据目录所在磁盘即将写满：剩余{percent}%（{mib} MiB）。"
            ),
            remedy: text!(
                "Download and delete old backups, or make room on the disk. When it is full, no new call is taken.",
                "请下载并删除旧备份，或清理磁盘。磁盘写满后将不再接受新呼叫。"
            ),
        }
    })
}

fn certificate(it: &Shown, now: UnixMillis) -> Option<Trouble> {
    let end = &it.ends_at;
    let sentence = if it.is_unusable {
        text!(
            "The installed certificate cannot be used; the server shows its own.",
            "已安装的证书无法使用，服务器改用自签证书。"
        )
    } else if it.ends_before(now) {
        text!(
            "The certificate ended on {end}: browsers refuse it.",
            "证书已于{end}到期，浏览器会拒绝访问。"
        )
    } else if it.ends_before(now.after(CERTIFICATE)) {
        text!("The certificate ends on {end}.", "证书将于{end}到期。")
    } else {
        return None;
    };
    Some(Trouble {
        code: "certificate.ends".to_owned(),
        sentence,
        remedy: text!("Install another one on the page Certificate.", "请在“证书”页面安装新证书。"),
    })
}

fn webhook(it: &Webhook) -> Option<Trouble> {
    // Its address may be a secret of the office.
    let name = if it.description.is_empty() { &it.id } else { &it.description };
    it.gone.then(|| Trouble {
        code: "webhook.gone".to_owned(),
        sentence: text!(
            "The webhook {} said that it is gone and gets nothing more.",
            "Webhook端点{}已声明停用，不再向其投递。",
            Text::same(name.to_owned())
        ),
        remedy: text!(
            "Delete it on the page Webhooks, or enable it again there.",
            "请在“Webhook端点”页面将其删除或重新启用。"
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scene::Scene;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn disk_table() {
        let table = [(9, 100, true), (10, 100, false), (0, 0, true), (5, 1_000_000_000, true)];
        for (free, size, is_little) in table {
            assert_eq!(disk(free, size).is_some(), is_little, "{free} of {size}");
        }
    }

    #[tokio::test]
    async fn what_failed_is_told_until_it_succeeds() {
        let scene = Scene::new().await;
        let told = async || {
            let status = scene.get("/api/v1/status").by_socket().send().await.json();
            let troubles = status["troubles"].as_array().unwrap().clone();
            troubles.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(told().await.is_empty());
        let folder = scene.office.db.backups();
        std::fs::write(&folder, "in the place of the folder").unwrap();
        crate::backups::look_at_night(&scene.office).await.unwrap_err();
        assert_eq!(told().await, [BACKUP]);
        // Whoever starts the server anew finds it so.
        let anew = || Office::new(scene.office.db.clone(), Arc::clone(&scene.office.running));
        assert_eq!(anew().nightly.trouble(), scene.office.nightly.trouble());
        assert!(anew().nightly.trouble().is_some());
        std::fs::remove_file(&folder).unwrap();
        crate::backups::look_at_night(&scene.office).await.unwrap();
        assert!(told().await.is_empty() && anew().nightly.trouble().is_none());

        let hook = json!({ "url": "https://hooks.example.com/a" });
        let hook = scene.post("/api/v1/webhooks").by_socket().json(&hook).send().await.json();
        let id = [&hook["id"], &hook["webhook"]["id"]].iter().find_map(|it| it.as_str()).unwrap();
        scene.office.db.webhook_gone(id).await.unwrap();
        assert_eq!(told().await, ["webhook.gone"]);
    }
}
