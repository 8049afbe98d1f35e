//! Who exists and what he may: an immutable value, replaced as a whole.
//!
//! The store builds it, the core reads it. Tenants and extensions are shared between versions, so
//! a one-row change costs O(log n) (architecture, data path rule 1).

use crate::dialplan::levels::Levels;
use crate::dialplan::plan::DialPlan;
use crate::dialplan::time::Zone;
use crate::id::TenantId;
use crate::line::table::Lines;
use crate::media::MediaSource;
use crate::settings::Settings;
use crate::supplementary::Services;
use crate::trunk::Trunk;
use imbl::ordmap::DiffItem;
use imbl::{GenericHashMap, OrdMap};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sip::message::{Host, Uri};
use smol_str::SmolStr;
use std::net::IpAddr;
use std::sync::Arc;

/// A map that shares its structure with the versions before.
pub type Map<K, V> = GenericHashMap<K, V, ahash::RandomState, imbl::shared_ptr::DefaultSharedPtr>;

/// One version of everything configured.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Grows with every change.
    pub version: u64,
    pub tenants: Map<TenantId, Tenant>,
}

/// One tenant: its settings, its extensions by number, its lines, trunks and dial plan.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// Host names under which phones address this tenant; empty for the only one.
    pub domains: Vec<String>,
    pub settings: Arc<Settings>,
    /// In order, so that two versions are compared by what they do not share.
    pub extensions: OrdMap<SmolStr, Arc<Extension>>,
    /// Numbers of the extensions with IP-address authorisation, to be tried by source address.
    pub by_address: Map<SmolStr, ()>,
    /// Of `settings.time_zone`: looked up where the directory is built.
    pub zone: Zone,
    pub dial_plan: DialPlan,
    pub lines: Lines,
    /// By their numbers.
    pub trunks: OrdMap<u32, Arc<Trunk>>,
}

/// A local user (分机).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The number: identity, user name and what is dialled.
    pub number: SmolStr,
    /// Shown to the called side; empty: none.
    pub name: SmolStr,
    /// `None` where the extension is authorised by address and has no password.
    pub secret: Option<Secret>,
    /// IP-address authorisation: no REGISTER, no challenge from these sources. Empty: off.
    pub addresses: Vec<AllowedAddress>,
    /// *One number, many phones* (一号多机): `Some` is the right, with the most devices.
    pub devices_max: Option<u8>,
    /// Most simultaneous calls, in and out together. Default 2, range 1..=100.
    pub calls_max: u8,
    pub relay: Relay,
    pub media_source: MediaSource,
    /// Digests without `qop` (RFC 2069) are accepted. Default: yes.
    pub digest_without_qop: bool,
    /// The password is a well-known one (100/100): accepted from private and loopback sources only.
    pub weak_password: bool,
    /// Its dial plan. `None`: `default`.
    pub plan: Option<SmolStr>,
    /// Call levels (呼叫级别): the rights of its calls. Default: none.
    pub levels: Levels,
    /// Its supplementary services (补充业务).
    pub services: Services,
}

/// The digests of a password (RFC 7616 §3.4.2: H(A1)), derived when the directory is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    pub md5: [u8; 16],
    pub sha256: [u8; 32],
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A source that may call as the extension without being challenged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedAddress {
    pub network: IpNet,
    /// `None`: any port. With a port it is also where calls to the extension are sent.
    pub port: Option<u16>,
}

impl AllowedAddress {
    pub fn allows(&self, source: std::net::SocketAddr) -> bool {
        self.network.contains(&source.ip()) && self.port.is_none_or(|port| port == source.port())
    }

    /// The one address it names, where it names one: a call to the extension goes there.
    pub fn host(&self) -> Option<IpAddr> {
        (self.network.prefix_len() == self.network.max_prefix_len()).then(|| self.network.addr())
    }
}

/// Whether media goes through us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relay {
    #[default]
    Always,
    /// When either side is behind NAT or on another network.
    Auto,
    Never,
}

impl Directory {
    /// The tenant a request for this URI belongs to: the one naming that domain, else the first.
    pub fn tenant_for(&self, uri: Option<Uri<'_>>) -> Option<(TenantId, &Tenant)> {
        let host = uri.and_then(|it| it.host());
        let named = |tenant: &Tenant| {
            tenant.domains.iter().any(|it| Host::parse(it).ok() == host && host.is_some())
        };
        if self.tenants.len() > 1
            && let Some((id, tenant)) = self.tenants.iter().find(|(_, tenant)| named(tenant))
        {
            return Some((*id, tenant));
        }
        self.tenants.get(&TenantId::default()).map(|tenant| (TenantId::default(), tenant))
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id)
    }
}

impl Tenant {
    pub fn extension(&self, number: &str) -> Option<&Arc<Extension>> {
        self.extensions.get(number)
    }

    /// Numbers that exist here and no longer in `newer`; costs what changed, not what there is.
    pub fn deleted_in<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = &'a str> {
        self.extensions.diff(&newer.extensions).filter_map(|it| match it {
            DiffItem::Remove(number, _) => Some(&**number),
            DiffItem::Add(..) | DiffItem::Update { .. } => None,
        })
    }

    /// Numbers whose password is another one in `newer`; costs what changed. A new realm makes new
    /// digests of the same passwords.
    pub fn rekeyed_in<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = &'a str> {
        let same_realm = self.settings.realm == newer.settings.realm;
        self.extensions.diff(&newer.extensions).filter_map(move |it| match it {
            DiffItem::Update { old: (number, old), new: (_, new) } => {
                let changed = same_realm && old.secret.is_some() && old.secret != new.secret;
                changed.then_some(&**number)
            }
            DiffItem::Add(..) | DiffItem::Remove(..) => None,
        })
    }

    /// Adds or replaces one extension.
    pub fn put(&mut self, extension: Extension) {
        let number = extension.number.clone();
        if extension.addresses.is_empty() {
            self.by_address.remove(&number);
        } else {
            self.by_address.insert(number.clone(), ());
        }
        self.extensions.insert(number, Arc::new(extension));
    }

    /// Adds or replaces one trunk.
    pub fn put_trunk(&mut self, trunk: Trunk) {
        self.trunks.insert(trunk.id, Arc::new(trunk));
    }

    pub fn remove(&mut self, number: &str) {
        self.by_address.remove(number);
        self.extensions.remove(number);
    }
}
