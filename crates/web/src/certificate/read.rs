//! What stands in a certificate, for whoever has to decide whether it is the right one.

use super::{Pem, refused};
use crate::moment::rfc3339;
use crate::resource::Failure;
use pbx::language::Text;
use pbx::text;
use pbx::time::UnixMillis;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates of a chain; a longer one is refused.
const CHAIN_MAX: usize = 10;

/// Time enough to see to another one.
const SOON: Duration = Duration::from_hours(24 * 30);

/// A certificate as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Certificate")]
pub struct Shown {
    /// Hosts and addresses that it is for.
    pub names: Vec<String>,
    pub issuer: String,
    /// The server made it, and browsers warn of it.
    pub self_signed: bool,
    /// RFC 3339, UTC.
    pub begins_at: String,
    pub ends_at: String,
    /// The same, for us.
    #[serde(skip)]
    end: UnixMillis,
}

impl Shown {
    pub(super) fn of(chain: &[CertificateDer<'_>], self_signed: bool) -> Result<Self, Failure> {
        let unreadable = || refused("chain", unreadable());
        let first = chain.first().ok_or_else(|| refused("chain", none()))?;
        let (_, certificate) = X509Certificate::from_der(first).map_err(|_| unreadable())?;
        let validity = certificate.validity();
        let at =
            |seconds: i64| UnixMillis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
        let end = at(validity.not_after.timestamp());
        let alternatives = certificate.subject_alternative_name().map_err(|_| unreadable())?;
        let names = alternatives.into_iter().flat_map(|it| &it.value.general_names);
        Ok(Self {
            names: names.filter_map(name).collect(),
            issuer: certificate.issuer().to_string(),
            self_signed,
            begins_at: rfc3339(at(validity.not_before.timestamp())),
            ends_at: rfc3339(end),
            end,
        })
    }

    /// It is time for another one.
    pub fn ends_soon(&self, now: UnixMillis) -> bool {
        self.ends_before(now.after(SOON))
    }

    pub(super) fn ends_before(&self, at: UnixMillis) -> bool {
        self.end < at
    }

    /// For each of these.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        names.iter().all(|it| self.names.contains(it))
    }
}

/// The certificates and the key of a PEM.
pub(super) fn parts(
    pem: &Pem,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.chain.as_bytes()).take(CHAIN_MAX + 1).collect();
    let chain = chain.map_err(|_| refused("chain", unreadable()))?;
    if chain.is_empty() {
        return Err(refused("chain", none()));
    }
    if chain.len() > CHAIN_MAX {
        let what = text!(
            "there are more than {CHAIN_MAX} certificates: name the server's own and those between it and the root",
            "证书超过{CHAIN_MAX}个：只需服务器证书和中间证书"
        );
        return Err(refused("chain", what));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(|_| {
        let what = text!(
            "there is no private key in PEM without a passphrase (-----BEGIN PRIVATE KEY-----)",
            "没有未加密的PEM私钥（-----BEGIN PRIVATE KEY-----）"
        );
        refused("key", what)
    })?;
    Ok((chain, key))
}

fn none() -> Text {
    text!(
        "there is no certificate in PEM (-----BEGIN CERTIFICATE-----)",
        "没有PEM证书（-----BEGIN CERTIFICATE-----）"
    )
}

fn unreadable() -> Text {
    text!("the certificate cannot be read", "无法读取证书")
}

fn name(it: &GeneralName<'_>) -> Option<String> {
    match it {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match **octets {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|it| IpAddr::from(it).to_string()),
        },
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}
