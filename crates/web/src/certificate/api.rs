//! `/api/v1/certificate`: which certificate is in use, and another in its place.

use super::{Certificate, Pem, Shown};
use crate::Office;
use crate::access::Principal;
use crate::audit::Author;
use crate::resource::Failure;
use axum::extract::State;
use axum::{Extension, Json};
use pbx::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A certificate to install.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    /// In PEM: the server's, and those between it and the root.
    pub chain: String,
    /// In PEM, without a passphrase. Nobody is ever shown it again.
    pub key: String,
}

/// What is in use.
pub fn show(office: &Office) -> Result<Shown, Failure> {
    Ok(of(office)?.shown())
}

/// Puts another one in its place, for connections that begin from now on.
pub async fn install(
    office: &Office,
    principal: &Principal,
    new: &NewCertificate,
) -> Result<Shown, Failure> {
    let pem = Pem { chain: new.chain.clone(), key: new.key.clone() };
    // Two at once would write one file.
    let _one_at_a_time = office.edits.lock().await;
    put(of(office)?, Author::of(office, principal), Some(pem)).await
}

/// Back to the server's own.
pub async fn reset(office: &Office, principal: &Principal) -> Result<Shown, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    put(of(office)?, Author::of(office, principal), None).await
}

/// Takes this one into use, or the server's own.
pub async fn put(
    certificate: &Certificate,
    author: Author<'_>,
    new: Option<Pem>,
) -> Result<Shown, Failure> {
    let (before, installed) = (certificate.shown(), certificate.installed());
    let after = match new {
        Some(pem) => certificate.install(&pem.chain, &pem.key, author.now)?,
        None => certificate.reset(author.now)?,
    };
    author.certificate(&before, installed, &after).await;
    Ok(after)
}

pub(crate) async fn on_show(State(office): State<Office>) -> Result<Json<Shown>, Failure> {
    show(&office).map(Json)
}

pub(crate) async fn on_install(
    State(office): State<Office>,
    Extension(principal): Extension<Principal>,
    Json(new): Json<NewCertificate>,
) -> Result<Json<Shown>, Failure> {
    install(&office, &principal, &new).await.map(Json)
}

pub(crate) async fn on_reset(
    State(office): State<Office>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<Shown>, Failure> {
    reset(&office, &principal).await.map(Json)
}

pub(crate) fn of(office: &Office) -> Result<&Certificate, Failure> {
    office.certificate.as_deref().ok_or_else(|| {
        let what = text!(
            "there is no listener for TLS: name one in http.tls_listen",
            "没有TLS监听端口：请在http.tls_listen中设置"
        );
        Failure::new(409, "no_tls", what)
    })
}
