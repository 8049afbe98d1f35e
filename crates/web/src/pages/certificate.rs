//! The certificate (证书) that browsers are shown: which it is, another in its place, and back to the server's own.

use super::failure::{PageFailure, sentences};
use super::form::Sent;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{render, to};
use crate::certificate::Shown;
use crate::certificate::api::NewCertificate;
use crate::resource::Failure;
use askama::Template;
use axum::Form as Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

const HOME: &str = "/certificate";
const API: &str = "/api/v1/certificate";
/// Chains and keys have some thousands. Unit: octets.
const FILE_BYTES_MAX: usize = 1024 * 1024;

words! {
    Words {
        title: "Certificate", "证书";
        help: "What browsers and programs are shown by HTTPS. The server makes one itself until another is installed; browsers warn of the server's own.", "HTTPS向浏览器和程序出示的证书。安装其他证书之前，服务器使用自签证书，浏览器会给出警告。";
        names: "For", "适用于";
        issuer: "Issued by", "颁发者";
        begins: "Valid from", "生效时间";
        ends: "Valid until", "到期时间";
        kind: "Kind", "类型";
        own: "the server's own (self-signed), renewed by itself", "服务器自签，自动更新";
        installed: "installed", "已安装的证书";
        unusable: "A certificate was installed and cannot be used; the log of the server says why. Install it again, or go back to the server's own.", "已安装的证书无法使用，原因见服务器日志。请重新安装，或恢复自签证书。";
        reset: "Back to the server's own", "恢复自签证书";
        install: "Install a certificate", "安装证书";
        long: "The file is too long for a certificate or a key.", "文件过大，不是证书或私钥。";
        chain_file: "File of the certificate", "证书文件";
        chain: "Certificate and those between it and the root", "证书及中间证书";
        chain_help: "In PEM: -----BEGIN CERTIFICATE-----", "PEM格式：-----BEGIN CERTIFICATE-----";
        key_file: "File of the private key", "私钥文件";
        key: "Private key", "私钥";
        key_help: "In PEM, without a passphrase. It is never shown again.", "PEM格式，不带密码。之后不再显示。";
    }
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    shown: Option<Certificate>,
    /// Longest file taken. Unit: octets.
    most: usize,
    wrong: Vec<String>,
}

struct Certificate {
    names: String,
    issuer: String,
    begins: When,
    ends: When,
    self_signed: bool,
    is_unusable: bool,
}

pub(crate) async fn on_show(viewer: Viewer) -> Response {
    page(&viewer, None).await
}

/// What is refused is not shown again: it may be a private key.
async fn page(viewer: &Viewer, failure: Option<&Failure>) -> Response {
    let found = viewer.api.get::<Shown>(API).await;
    let zone = viewer.zone();
    let (shown, missing) = match found {
        Ok(it) => {
            let (begins, ends) = (when(&it.begins_at, &zone), when(&it.ends_at, &zone));
            let Shown { names, issuer, self_signed, is_unusable, .. } = it;
            let names = names.join(", ");
            let found = Certificate { names, issuer, begins, ends, self_signed, is_unusable };
            (Some(found), None)
        }
        Err(failure) => (None, Some(failure)),
    };
    let wrong = failure.or(missing.as_ref()).map(|it| sentences(it, viewer.language));
    let page = render(&Page {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        shown,
        most: FILE_BYTES_MAX,
        wrong: wrong.unwrap_or_default(),
    });
    let status = failure.and_then(|it| StatusCode::from_u16(it.status).ok()).unwrap_or_default();
    (status, page).into_response()
}

pub(crate) async fn on_install(viewer: Viewer, Body(sent): Body<Sent>) -> Response {
    let of = |name: &str| {
        let found = sent.iter().find(|it| it.0 == name);
        found.map(|it| it.1.replace("\r\n", "\n")).unwrap_or_default()
    };
    let new = NewCertificate { chain: of("chain"), key: of("key") };
    match viewer.api.put_if::<Shown>(API, &new, "").await {
        Ok(_) => to(HOME),
        Err(failure) => page(&viewer, Some(&failure)).await,
    }
}

pub(crate) async fn on_reset(viewer: Viewer) -> Result<Response, PageFailure> {
    viewer.api.delete(API).await?;
    Ok(to(HOME))
}
