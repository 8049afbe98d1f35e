//! What stands in a certificate, for whoever has to decide whether it is the right one.

use super::{Pem, refused};
use crate::moment::rfc3339;
use crate::resource::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// Of a chain and its key. Unit: octets.
const LONGEST: usize = 128 * 1024;

/// Characters of a line of PEM.
const LINE: usize = 64;

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
    /// There is an installed one that cannot be used; the server's log says why.
    #[serde(default)]
    pub is_unusable: bool,
    /// The same, for us.
    #[serde(skip)]
    begin: UnixMillis,
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
        let begin = at(validity.not_before.timestamp());
        let end = at(validity.not_after.timestamp());
        let alternatives = certificate.subject_alternative_name().map_err(|_| unreadable())?;
        let names = alternatives.into_iter().flat_map(|it| &it.value.general_names);
        Ok(Self {
            names: names.filter_map(name).collect(),
            issuer: certificate.issuer().to_string(),
            self_signed,
            begins_at: rfc3339(begin),
            ends_at: rfc3339(end),
            is_unusable: false,
            begin,
            end,
        })
    }

    /// It is time for another one.
    pub fn ends_soon(&self, now: UnixMillis) -> bool {
        self.ends_before(now.after(SOON))
    }

    pub(crate) fn ends_before(&self, at: UnixMillis) -> bool {
        self.end < at
    }

    pub(super) fn has_begun(&self, now: UnixMillis) -> bool {
        self.begin <= now
    }

    /// Less than nothing where it has ended.
    pub(crate) fn seconds_left(&self, now: UnixMillis) -> i64 {
        let millis = i128::from(self.end.0) - i128::from(now.0);
        i64::try_from(millis / 1000).unwrap_or_default()
    }

    /// How long browsers that trust its issuer will trust it; `None`: they do not.
    pub(crate) fn trusted_for(&self, now: UnixMillis) -> Option<Duration> {
        let is_trusted = !self.self_signed && self.has_begun(now);
        self.end.0.checked_sub(now.0).filter(|_| is_trusted).map(Duration::from_millis)
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

/// The certificates and the key alone: what people write between them, passes no further.
pub(super) fn plain(pem: &Pem) -> Result<Pem, Failure> {
    let (chain, key) = parts(pem)?;
    let chain: String = chain.iter().map(|it| armoured("CERTIFICATE", it)).collect();
    let (label, der) = match &key {
        PrivateKeyDer::Pkcs1(key) => ("RSA PRIVATE KEY", key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => ("EC PRIVATE KEY", key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => ("PRIVATE KEY", key.secret_pkcs8_der()),
        // Keys of a kind that came later; rustls could not use them here.
        _ => return Err(refused("key", unreadable())),
    };
    let key = armoured(label, der);
    if chain.len() + key.len() > LONGEST {
        let what = text!("it is longer than {LONGEST} bytes", "超过{LONGEST}字节");
        return Err(refused("chain", what));
    }
    Ok(Pem { chain, key })
}

/// RFC 7468 §2.
fn armoured(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(LINE) {
        // Base64 is ASCII.
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    lines + &format!("-----END {label}-----\n")
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
