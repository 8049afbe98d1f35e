//! The second factor of an administrator (两步验证): begun with a code for the camera, confirmed, given up.

use crate::pages::api::segment;
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::provisioning::{Code, code};
use crate::pages::viewer::Viewer;
use crate::pages::when::{When, when};
use crate::pages::words::words;
use crate::pages::{render, to};
use crate::resource::Failure;
use crate::resource::access::{RecoveryCodes, TotpBegun, TotpCode, TotpProof, TotpState};
use askama::Template;
use axum::Form as Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::users::{field, own};

words! {
    Words {
        title: "Second factor", "两步验证";
        administrators: "Administrators", "管理员";
        about: "With a second factor, signing in asks for the password and for a code that your phone shows. Any authenticator app will do; it needs no network.", "启用两步验证后，登录时除密码外还需输入手机上显示的验证码。可使用任何验证器应用，无需联网。";
        current: "Your present password", "当前密码";
        begin: "Set up", "开始设置";
        cancel: "Cancel", "取消";
        scan: "Scan this code with the authenticator app, or type the key. It is shown only now.", "请用验证器应用扫描二维码，或手工输入密钥。仅显示一次。";
        key: "Key", "密钥";
        once: "The code for the camera is not shown a second time. If the app does not have it yet, start over.", "二维码不会再次显示。如果尚未添加到验证器应用，请重新开始。";
        code: "Code", "验证码";
        code_help: "The six digits that the app shows now. From then on they are asked for.", "应用当前显示的六位数字。确认后即生效。";
        confirm: "Confirm", "确认";
        again: "Start over", "重新开始";
        renew: "New recovery codes", "重新生成恢复码";
        renew_help: "Those that are left are good no more.", "原有的恢复码全部失效。";
        codes_new: "Keep these recovery codes: each lets you in once without the phone. Earlier ones are good no more. They are shown only now.", "请保存以下恢复码：手机不在时，每个恢复码可登录一次。以前的恢复码已失效。仅显示一次。";
        codes_once: "The second factor is on. Keep these recovery codes: each lets you in once without the phone. They are shown only now.", "两步验证已启用。请保存以下恢复码：手机不在时，每个恢复码可登录一次。仅显示一次。";
        done: "Done", "完成";
        anothers: "It is off. Only this administrator can turn it on, signed in: it takes his phone.", "未启用。只有该管理员本人登录后才能启用，因为需要其手机。";
        on_since: "On since", "启用时间";
        left: "Recovery codes left:", "剩余恢复码：";
        off: "Turn off", "关闭";
        off_help: "The password alone lets in again.", "此后仅凭密码即可登录。";
    }
}

#[derive(Template)]
#[template(path = "totp.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    name: String,
    action: String,
    step: Step,
    wrong: Vec<String>,
}

enum Step {
    /// One's own, which can be begun.
    Off,
    /// Another's, which is off.
    Anothers,
    /// What the phone needs, where it was made just now.
    Confirm(Option<Begun>),
    /// What is said of them, and they.
    Codes(&'static str, Vec<String>),
    On {
        since: When,
        left: u32,
        own: bool,
    },
}

struct Begun {
    secret: String,
    code: Option<Code>,
}

pub(crate) async fn on_show(
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageFailure> {
    Ok(present(&viewer, name, None).await?)
}

/// As it is now; after a refusal, with what stands against it.
async fn present(
    viewer: &Viewer,
    name: String,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let state: TotpState = viewer.api.get(&api(&name)).await?;
    let is_own = viewer.user().is_some_and(|it| it.eq_ignore_ascii_case(&name));
    let step = match state.since {
        Some(since) => Step::On {
            since: when(&since, &viewer.zone()),
            left: state.recovery_codes,
            own: is_own,
        },
        None if is_own => Step::Off,
        None => Step::Anothers,
    };
    Ok(page(viewer, name, step, failure))
}

pub(crate) async fn on_begin(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let proof = TotpProof { current: Some(field(&sent, "current")) };
    match viewer.api.post::<TotpBegun>(&api(&name), &proof).await {
        Ok(it) => {
            let begun = Begun { code: code(&it.uri), secret: it.secret };
            Ok(page(&viewer, name, Step::Confirm(Some(begun)), None))
        }
        Err(failure) => Ok(present(&viewer, name, Some(&failure)).await?),
    }
}

pub(crate) async fn on_confirm(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Response {
    let shown = TotpCode { code: field(&sent, "code") };
    match viewer.api.post::<RecoveryCodes>(&format!("{}:confirm", api(&name)), &shown).await {
        Ok(it) => {
            let said = Words::of(viewer.language).codes_once;
            page(&viewer, name, Step::Codes(said, it.recovery_codes), None)
        }
        Err(failure) => page(&viewer, name, Step::Confirm(None), Some(&failure)),
    }
}

pub(crate) async fn on_renew(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let proof = TotpProof { current: Some(field(&sent, "current")) };
    match viewer.api.post::<RecoveryCodes>(&format!("{}:renew", api(&name)), &proof).await {
        Ok(it) => {
            let said = Words::of(viewer.language).codes_new;
            Ok(page(&viewer, name, Step::Codes(said, it.recovery_codes), None))
        }
        Err(failure) => Ok(present(&viewer, name, Some(&failure)).await?),
    }
}

pub(crate) async fn on_off(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let proof = TotpProof { current: Some(field(&sent, "current")).filter(|it| !it.is_empty()) };
    match viewer.api.post::<Value>(&format!("{}:off", api(&name)), &proof).await {
        Ok(_) => Ok(to("/administrators")),
        Err(failure) => Ok(present(&viewer, name, Some(&failure)).await?),
    }
}

fn page(viewer: &Viewer, name: String, step: Step, failure: Option<&Failure>) -> Response {
    let status = failure.and_then(|it| StatusCode::from_u16(it.status).ok()).unwrap_or_default();
    let page = render(&Page {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        action: format!("{}/totp", own(&name)),
        step,
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
        name,
    });
    (status, page).into_response()
}

fn api(name: &str) -> String {
    format!("/api/v1/users/{}/totp", segment(name))
}
