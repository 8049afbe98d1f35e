//! DNS as the system has it: the servers of the settings or of `/etc/resolv.conf`, and `/etc/hosts`.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use sip::locate::{Answer, Kind, Lack, Naptr, Question, Records, Srv, plain};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long one server of DNS has for an answer; then the question is sent again.
const ATTEMPT: Duration = Duration::from_millis(1200);
const ATTEMPTS: usize = 2;

/// How long a question has, with all its attempts and servers.
const QUESTION: Duration = Duration::from_millis(3500);

/// What is looked at for changes.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

pub(super) struct System {
    /// Of the settings; none: those of the system.
    servers: Vec<SocketAddr>,
    resolver: Option<Arc<TokioResolver>>,
    changed: [Option<SystemTime>; 2],
}

impl System {
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        let resolver = resolver(&servers);
        Self { servers, resolver, changed: FILES.map(changed) }
    }

    /// Reads the files of the system again where they have changed.
    pub(super) fn look_again(&mut self) {
        let now = FILES.map(changed);
        if self.changed != now {
            (self.resolver, self.changed) = (resolver(&self.servers), now);
        }
    }

    /// Asks; gives the answer and how long it holds.
    pub(super) fn lookup(
        &self,
        question: Question,
    ) -> impl Future<Output = (Answer, Duration)> + Send + 'static {
        let resolver = self.resolver.clone();
        async move {
            const NOBODY: (Answer, Duration) = (Err(Lack::NoAnswer), Duration::ZERO);
            let (Some(resolver), Some(name)) = (resolver, name_of(&question)) else {
                return NOBODY;
            };
            let lookup = resolver.lookup(name, type_of(question.kind));
            match tokio::time::timeout(QUESTION, lookup).await {
                Ok(Ok(lookup)) => read(question.kind, &lookup),
                Ok(Err(error)) => lack(&error),
                Err(_) => NOBODY,
            }
        }
    }
}

fn changed(path: &str) -> Option<SystemTime> {
    Path::new(path).metadata().ok()?.modified().ok()
}

/// `None`: without servers there is nobody to ask.
fn resolver(servers: &[SocketAddr]) -> Option<Arc<TokioResolver>> {
    let (config, mut options) = match servers {
        [] => read_system_conf().unwrap_or_else(|_| (ResolverConfig::default(), usual())),
        servers => {
            let servers = servers.iter().map(server).collect();
            (ResolverConfig::from_parts(None, Vec::new(), servers), usual())
        }
    };
    options.timeout = options.timeout.min(ATTEMPT);
    options.attempts = options.attempts.clamp(1, ATTEMPTS);
    // The desk remembers.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Always;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().ok().map(Arc::new)
}

fn usual() -> ResolverOpts {
    ResolverOpts::default()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let at_port = |mut it: ConnectionConfig| {
        it.port = address.port();
        it
    };
    server.connections = server.connections.into_iter().map(at_port).collect();
    server
}

/// Names are whole (RFC 3263 has no search list), but one without a dot may be of this network.
fn name_of(question: &Question) -> Option<Name> {
    let mut name = Name::from_str_relaxed(&question.name).ok()?;
    let is_local = !question.name.contains('.') && matches!(question.kind, Kind::A | Kind::Aaaa);
    name.set_fqdn(!is_local);
    Some(name)
}

fn type_of(kind: Kind) -> RecordType {
    match kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    }
}

/// The records of the type that was asked for; those that led there (CNAME) count for the time.
fn read(kind: Kind, lookup: &Lookup) -> (Answer, Duration) {
    let answers = lookup.answers();
    let ttl = answers.iter().map(|it| it.ttl).min().unwrap_or_default();
    let ttl = Duration::from_secs(ttl.into());
    let data = answers.iter().map(|it| &it.data);
    let records = match kind {
        Kind::Naptr => {
            let all: Vec<Naptr> = data.filter_map(naptr).collect();
            (!all.is_empty()).then_some(Records::Naptr(all))
        }
        Kind::Srv => {
            let all: Vec<Srv> = data.filter_map(srv).collect();
            (!all.is_empty()).then_some(Records::Srv(all))
        }
        Kind::A | Kind::Aaaa => {
            let all: Vec<_> = data.filter_map(RData::ip_addr).collect();
            (!all.is_empty()).then_some(Records::Addresses(all))
        }
    };
    (records.ok_or(Lack::NoRecords), ttl)
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(it) = data else { return None };
    let text = |it: &[u8]| String::from_utf8_lossy(it).into();
    Some(Naptr {
        order: it.order,
        preference: it.preference,
        flags: text(&it.flags),
        services: text(&it.services),
        regexp: text(&it.regexp),
        replacement: plain(&it.replacement.to_ascii()),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(it) = data else { return None };
    let target = plain(&it.target.to_ascii());
    Some(Srv { priority: it.priority, weight: it.weight, port: it.port, target })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong, nobody answered")]
fn lack(error: &NetError) -> (Answer, Duration) {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(it)) => {
            let ttl = Duration::from_secs(it.negative_ttl.unwrap_or_default().into());
            match it.response_code {
                ResponseCode::NXDomain => (Err(Lack::NoSuchName), ttl),
                ResponseCode::NoError => (Err(Lack::NoRecords), ttl),
                _ => (Err(Lack::NoAnswer), ttl),
            }
        }
        _ => (Err(Lack::NoAnswer), Duration::ZERO),
    }
}
