//! Backups (备份): made, downloaded, uploaded, and restored after a look at what would change.

use super::api::segment;
use super::dashboard::troubles;
use super::delete::{Delete, delete_page};
use super::failure::{PageFailure, sentences};
use super::form::Sent;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{render, to};
use crate::backups::{figures, kind, reason};
use crate::resource::backup::{
    BackupInfo, BackupPassword, RestoreDifference, RestorePreview, RestoreRequest, Restoring,
};
use crate::resource::{Failure, Status};
use crate::troubles::is_of_backups;
use askama::Template;
use axum::Form as Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use pbx::language::{Language, Text};

/// Where they are, of pages and of the API.
const HOME: &str = "/backups";
const API: &str = "/api/v1/backups";

words! {
    Words {
        title: "Backups", "备份";
        help: "A backup is one file with all that is configured and recorded. One is made every night; how many are kept is a setting.", "备份是一个文件，包含所有配置和记录。每夜自动备份一次，保留的份数可在系统信息中设置。";
        none: "There is no backup yet.", "还没有备份。";
        made: "Made", "生成时间";
        why: "Why", "原因";
        host: "Machine", "机器";
        version: "Version", "版本";
        size: "Size", "大小";
        with_password: "Password", "密码";
        yes: "yes", "有";
        no: "no", "无";
        download: "Download", "下载";
        delete: "Delete", "删除";
        delete_title: "Delete the backup?", "确定删除该备份？";
        delete_help: "It cannot be made again.", "删除后无法恢复。";
        create: "Back up now", "立即备份";
        password: "Password", "密码";
        password_help: "Without one only this machine can restore the backup. With one its keys and certificates are in it, and any machine can. It protects those alone: names, numbers and call records can be read without it.", "不设密码时，只有本机能恢复。设置密码后，备份中包含密钥和证书，可在任何机器上恢复。密码只保护密钥和证书：名称、号码和话单不需要密码即可读出。";
        upload: "Upload a backup", "上传备份";
        file: "File", "文件";
        file_help: "Its name ends with .tar.gz. Without a script in the browser: dialtone restore FILE", "文件名以.tar.gz结尾。浏览器禁用脚本时可用命令：dialtone restore FILE";
        preview: "What would change", "将有哪些变化";
        what: "What", "项目";
        then: "Backup", "备份";
        now: "Now", "当前";
        same: "Extensions, lines, trunks, administrators and API keys have the same names as now.", "分机、外线、中继、管理员和API密钥与当前一致。";
        comes: "would come back:", "将恢复：";
        goes: "would go:", "将删除：";
        restore: "Restore", "恢复";
        restore_help: "Calls that are up end, the server starts anew, and everybody signs in again. A backup of the present state is made before. Passwords are those of then. API keys that were revoked here since, and recovery codes that were used, stay so.", "正在进行的呼叫将结束，服务器重新启动，所有人需重新登录。恢复前会先备份当前数据。密码恢复为备份时的密码；此后在本机吊销的API密钥和已使用的恢复码不会恢复。";
        its_password: "Password of the backup", "备份密码";
        its_password_help: "Needed where the backup comes from another machine; with it, its certificates are restored too.", "备份来自其他机器时需要；提供后还会恢复其中的证书。";
        standby: "Standby", "待命";
        standby_help: "Afterwards no line registers and no trunk is used until standby is ended: the other machine may still be running.", "恢复后外线不注册、中继不使用，直到结束待命：原机器可能仍在运行。";
        cancel: "Cancel", "取消";
        restoring: "The server starts anew", "服务器正在重新启动";
        same_password: "It has the password of the backup that you restored: with that it can be restored in its turn.", "它的密码与所恢复的备份相同，用该密码可以再恢复回来。";
        restoring_help: "In a few seconds you can sign in. What there was until now is in this backup:", "几秒后即可登录。此前的数据保存在以下备份中：";
        go_on: "Sign in", "登录";
    }
}

#[derive(Template)]
#[template(path = "backups.html")]
struct ListPage {
    page: Layout,
    w: &'static Words,
    backups: Vec<Row>,
    /// Why there is none of last night, and what to do.
    troubles: Vec<(String, String)>,
    wrong: Vec<String>,
}

#[derive(Template)]
#[template(path = "backup.html")]
struct OnePage {
    page: Layout,
    w: &'static Words,
    name: String,
    it: Row,
    preview: Option<Preview>,
    /// It was asked for, or the machine is on standby now: two machines with the same lines take them from each other.
    standby: bool,
    wrong: Vec<String>,
}

#[derive(Template)]
#[template(path = "restoring.html")]
struct RestoringPage {
    page: Layout,
    w: &'static Words,
    safety: String,
    same_password: bool,
}

struct Row {
    href: String,
    download: String,
    made: When,
    why: String,
    host: String,
    version: String,
    size: String,
    has_password: bool,
}

struct Preview {
    /// What, then, now.
    figures: Vec<(String, u64, u64)>,
    /// What happens, to whom.
    differences: Vec<(String, String)>,
}

pub(crate) async fn on_list(viewer: Viewer) -> Result<Response, PageFailure> {
    Ok(list(&viewer, None).await?)
}

async fn list(viewer: &Viewer, failure: Option<&Failure>) -> Result<Response, Failure> {
    let all: Vec<BackupInfo> = viewer.api.get(API).await?;
    let mut server: Status = viewer.api.get("/api/v1/status").await?;
    server.troubles.retain(is_of_backups);
    let page = render(&ListPage {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        backups: all.into_iter().map(|it| row(viewer, it)).collect(),
        troubles: troubles(&server.troubles, viewer.language),
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    });
    Ok((status(failure), page).into_response())
}

pub(crate) async fn on_create(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let password = Some(field(&sent, "password")).filter(|it| !it.is_empty());
    match viewer.api.post::<BackupInfo>(API, &BackupPassword { password }).await {
        Ok(_) => Ok(to(HOME)),
        Err(failure) => Ok(list(&viewer, Some(&failure)).await?),
    }
}

/// What it is, and what would change. A backup that cannot be restored says why.
pub(crate) async fn on_show(
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageFailure> {
    let preview = format!("{}:preview", api(&name));
    match viewer.api.post::<RestorePreview>(&preview, &BackupPassword::default()).await {
        Ok(it) => Ok(one(&viewer, (name, it.backup.clone()), Some(&it), false, None)),
        Err(failure) => {
            let it: BackupInfo = viewer.api.get(&api(&name)).await?;
            Ok(one(&viewer, (name, it), None, false, Some(&failure)))
        }
    }
}

pub(crate) async fn on_restore(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let password = Some(field(&sent, "password")).filter(|it| !it.is_empty());
    let standby = !field(&sent, "standby").is_empty();
    let request = RestoreRequest { password, standby };
    match viewer.api.post::<Restoring>(&format!("{}:restore", api(&name)), &request).await {
        Ok(it) => {
            let (page, w) = (viewer.layout(), Words::of(viewer.language));
            let (safety, same_password) = (it.safety, it.has_password);
            Ok(render(&RestoringPage { page, w, safety, same_password }))
        }
        Err(failure) => {
            let it: BackupInfo = viewer.api.get(&api(&name)).await?;
            // What was asked for stays so, for who has mistyped the password.
            Ok(one(&viewer, (name, it), None, standby, Some(&failure)))
        }
    }
}

fn one(
    viewer: &Viewer,
    (name, it): (String, BackupInfo),
    found: Option<&RestorePreview>,
    standby: bool,
    failure: Option<&Failure>,
) -> Response {
    let (layout, w) = (viewer.layout(), Words::of(viewer.language));
    let page = render(&OnePage {
        standby: standby || layout.standby,
        page: layout,
        w,
        name,
        it: row(viewer, it),
        preview: found.map(|it| preview(it, w, viewer.language)),
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    });
    (status(failure), page).into_response()
}

fn preview(it: &RestorePreview, w: &Words, language: Language) -> Preview {
    let both = figures(&it.then).into_iter().zip(figures(&it.now));
    let row = |((name, then), (_, now)): ((Text, u64), (Text, u64))| {
        (name.get(language).to_owned(), then, now)
    };
    let mut differences = vec![];
    for RestoreDifference { kind: of, comes, comes_count, goes, goes_count } in &it.differences {
        for (word, names, count) in [(w.comes, comes, *comes_count), (w.goes, goes, *goes_count)] {
            if count > 0 {
                let more = if count > names.len() { " …" } else { "" };
                let what = format!("{} ({count}) {word}", kind(of).get(language));
                differences.push((what, format!("{}{more}", names.join(", "))));
            }
        }
    }
    Preview { figures: both.map(row).collect(), differences }
}

pub(crate) async fn on_delete_form(viewer: Viewer, Path(name): Path<String>) -> Response {
    delete_page(&viewer, delete(&viewer, name), None)
}

pub(crate) async fn on_delete(viewer: Viewer, Path(name): Path<String>) -> Response {
    match viewer.api.delete(&api(&name)).await {
        Ok(()) => to(HOME),
        Err(failure) => delete_page(&viewer, delete(&viewer, name), Some(&failure)),
    }
}

pub(crate) async fn on_standby_off(viewer: Viewer) -> Result<Response, PageFailure> {
    viewer.api.delete("/api/v1/standby").await?;
    Ok(to("/"))
}

fn delete(viewer: &Viewer, name: String) -> Delete {
    let w = Words::of(viewer.language);
    let action = format!("{HOME}/{}/delete", segment(&name));
    Delete { title: w.delete_title, help: w.delete_help, name, action, back: HOME.to_owned() }
}

fn row(viewer: &Viewer, it: BackupInfo) -> Row {
    Row {
        href: format!("{HOME}/{}", segment(&it.name)),
        download: format!("{}:download", api(&it.name)),
        made: when(&it.created_at, &viewer.zone()),
        why: reason(it.reason).get(viewer.language).to_owned(),
        size: size(it.size),
        host: it.host,
        version: it.version,
        has_password: it.has_secrets,
    }
}

fn size(octets: u64) -> String {
    const KIB: u64 = 1024;
    match octets {
        0..KIB => format!("{octets} B"),
        it if it < KIB * KIB => format!("{} KiB", it / KIB),
        it => format!("{} MiB", it / KIB / KIB),
    }
}

fn status(failure: Option<&Failure>) -> StatusCode {
    failure.and_then(|it| StatusCode::from_u16(it.status).ok()).unwrap_or_default()
}

fn api(name: &str) -> String {
    format!("{API}/{}", segment(name))
}

/// As it was written: blanks may be part of a password.
fn field(sent: &Sent, name: &str) -> String {
    sent.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap_or_default()
}
