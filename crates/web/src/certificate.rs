//! The certificate that browsers and programs are shown on `http.tls_listen`.
//!
//! One that was installed, else one that the server signs itself and renews. Both are files of the data directory, so
//! that a backup takes them along; the private keys are for the server's user alone.

pub mod api;
mod files;
pub(crate) mod made;
mod read;
#[cfg(test)]
mod tests;

use crate::resource::Failure;
use arc_swap::ArcSwap;
use files::Files;
use pbx::text;
use pbx::time::UnixMillis;
pub use read::Shown;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Certificates and their keys; below the data directory.
pub const FOLDER: &str = "certs";

/// What is offered in the place of HTTP/2, which the server does not speak.
const ALPN: &[u8] = b"http/1.1";

/// The certificate in use, and where it comes from.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    /// What a certificate of ours is for: names and addresses of this machine.
    names: Vec<String>,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    shown: Shown,
}

/// A chain and its key, in PEM.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pem {
    pub chain: String,
    pub key: String,
}

impl Certificate {
    /// Reads what `folder` holds, or makes a certificate for these names.
    pub fn open(folder: PathBuf, names: Vec<String>, now: UnixMillis) -> Result<Self, Failure> {
        let files = Files::new(folder);
        let current = current(&files, &names, now)?;
        Ok(Self { files, names, current: ArcSwap::from_pointee(current) })
    }

    /// For a connection that begins now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }

    /// What is said of it.
    pub fn shown(&self) -> Shown {
        self.current.load().shown.clone()
    }

    /// Takes another one into use. What cannot be used is refused, and nothing has changed then.
    pub fn install(&self, chain: &str, key: &str, now: UnixMillis) -> Result<Shown, Failure> {
        let pem = Pem { chain: chain.to_owned(), key: key.to_owned() };
        let installed = usable(&pem, false)?;
        in_time(&installed.shown, now)?;
        self.files.install(&read::plain(&pem)?)?;
        let shown = installed.shown.clone();
        self.current.store(Arc::new(installed));
        Ok(shown)
    }

    /// The one that was installed, if it is in use.
    pub(crate) fn installed(&self) -> Option<Pem> {
        let is_own = self.shown().self_signed;
        self.files.installed().ok().flatten().filter(|_| !is_own)
    }

    /// Forgets the installed one: the server's own is shown again.
    pub fn reset(&self, now: UnixMillis) -> Result<Shown, Failure> {
        self.files.forget()?;
        let current = current(&self.files, &self.names, now)?;
        let shown = current.shown.clone();
        self.current.store(Arc::new(current));
        Ok(shown)
    }

    /// Makes the server's own one anew when it is about to end. To be called once a day.
    pub fn renew(&self, now: UnixMillis) -> Result<(), Failure> {
        let shown = self.shown();
        if shown.self_signed && shown.ends_soon(now) {
            self.current.store(Arc::new(current(&self.files, &self.names, now)?));
        }
        Ok(())
    }
}

/// What the files say is to be used. One that cannot be used is told and is no reason to stop: calls need none.
fn current(files: &Files, names: &[String], now: UnixMillis) -> Result<Current, Failure> {
    // One that has ended is shown all the same: browsers say what is wrong with it.
    let installed = files.installed().and_then(|it| it.map(|it| usable(&it, false)).transpose());
    let is_unusable = installed.is_err();
    match installed {
        Ok(Some(installed)) => return Ok(installed),
        Ok(None) => {}
        Err(failure) => {
            let reason = failure.detail_en;
            tracing::error!(
                reason,
                "the installed certificate cannot be used, the server's own is"
            );
        }
    }
    let Current { config, mut shown } = own(files, names, now)?;
    shown.is_unusable = is_unusable;
    Ok(Current { config, shown })
}

/// The one that the server has made, or makes now.
fn own(files: &Files, names: &[String], now: UnixMillis) -> Result<Current, Failure> {
    // One that cannot be read is made anew like one that ends.
    if let Ok(Some(pem)) = files.own()
        && let Ok(own) = usable(&pem, true)
        && !own.shown.ends_soon(now)
        && own.shown.is_for(names)
    {
        return Ok(own);
    }
    let pem = made::self_signed(names, now)?;
    if let Err(failure) = files.keep_own(&pem) {
        // It lasts as long as the process.
        tracing::error!(reason = failure.detail_en, "the server's own certificate is not kept");
    }
    usable(&pem, true)
}

/// Browsers refuse it before and after.
fn in_time(shown: &Shown, now: UnixMillis) -> Result<(), Failure> {
    if shown.ends_before(now) {
        let end = &shown.ends_at;
        return Err(refused("chain", text!("the certificate ended on {end}", "证书已于{end}到期")));
    }
    if !shown.has_begun(now) {
        let begin = &shown.begins_at;
        let what = text!("the certificate begins on {begin}", "证书于{begin}才生效");
        return Err(refused("chain", what));
    }
    Ok(())
}

/// What a chain and its key are good for.
fn usable(pem: &Pem, self_signed: bool) -> Result<Current, Failure> {
    let (chain, key) = read::parts(pem)?;
    let shown = Shown::of(&chain, self_signed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|it| it.with_no_client_auth())
        .and_then(|it| it.with_single_cert(chain, key));
    let mut config = config.map_err(|error| {
        let what = text!(
            "certificate and key cannot be used together: {error}",
            "证书与私钥不能一起使用：{error}"
        );
        refused("key", what)
    })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Current { config: Arc::new(config), shown })
}

fn refused(field: &str, what: pbx::language::Text) -> Failure {
    Failure::new(422, "invalid", what).at(field)
}
