//! Whom an endpoint that speaks TLS is believed by: the authorities that this machine trusts, read from where its system
//! keeps them, and again where they were changed.

use super::attempt::Trouble;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// As programs are told that use OpenSSL.
const VARIABLE: &str = "SSL_CERT_FILE";
/// Debian and those after it; Red Hat; SUSE; Alpine and the BSDs.
const FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities, as they were when their file was last changed.
#[derive(Default)]
pub(super) struct Trust(Option<(PathBuf, SystemTime, Arc<ClientConfig>)>);

impl Trust {
    /// For a connection that begins now.
    pub(super) fn config(&mut self) -> Result<Arc<ClientConfig>, Trouble> {
        let file = std::env::var_os(VARIABLE).map(PathBuf::from);
        let file = file.or_else(|| FILES.iter().map(PathBuf::from).find(|it| it.is_file()));
        let Some(file) = file else {
            let what = format!("no authorities are installed ({})", FILES[0]);
            return Err(Trouble::Tls(what));
        };
        self.of_file(&file)
    }

    fn of_file(&mut self, file: &Path) -> Result<Arc<ClientConfig>, Trouble> {
        let failed =
            |what: &dyn ToString| Trouble::Tls(format!("{}: {}", file.display(), what.to_string()));
        let changed = file.metadata().and_then(|it| it.modified()).map_err(|it| failed(&it))?;
        if let Some((path, at, config)) = &self.0
            && path == file
            && *at == changed
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(read(file).map_err(|it| failed(&it))?);
        self.0 = Some((file.to_owned(), changed, Arc::clone(&config)));
        Ok(config)
    }
}

fn read(file: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|it| it.to_string())?;
    // Some that systems still have, nobody could read any more.
    let (read, _) = roots.add_parsable_certificates(found.filter_map(Result::ok));
    if read == 0 {
        return Err("no certificates are in it".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|it| it.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
impl Trust {
    /// Of what this file has.
    pub(super) fn only(file: &Path) -> Self {
        let mut trust = Self::default();
        let _ = trust.of_file(file);
        trust
    }

    pub(super) fn known(&self) -> Option<Arc<ClientConfig>> {
        self.0.as_ref().map(|it| Arc::clone(&it.2))
    }
}
