//! What an administrator sets for a SIP trunk.

use crate::dialplan::levels::Levels;
use crate::dialplan::rows::DEFAULT_PLAN;
use crate::interop::{CallLimit, Interop, escape_user, parameters, sip_uri};
use crate::line::config::LineTransport;
use crate::settings::Settings;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Most server addresses of one trunk.
pub const ADDRESSES_MAX: usize = 16;

/// Most source networks of one trunk.
pub const SOURCES_MAX: usize = 64;

/// A SIP trunk (SIP中继).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trunk {
    /// SIP trunk number (SIP中继编号): what rows refer to.
    pub id: u32,
    pub description: Box<str>,
    /// Default: yes. A trunk that is off takes no calls either way.
    pub enabled: bool,
    /// Server addresses (服务器地址), tried by priority.
    pub addresses: Vec<TrunkAddress>,
    /// Networks its calls may come from, besides its server addresses. Default: none.
    #[schemars(with = "Vec<String>")]
    pub sources: Vec<IpNet>,
    /// Which ports its calls may come from. Default: the port of the address over UDP.
    pub source_ports: SourcePorts,
    pub transport: LineTransport,
    /// Dial plan of its incoming calls. Default: `default`.
    pub plan: Box<str>,
    /// Call levels of its incoming calls. Default: none.
    pub levels: Levels,
    /// Most outgoing calls at once. Default: unlimited; 0: none ever.
    pub calls_out_max: CallLimit,
    /// Most incoming calls at once. Default: unlimited; 0: none ever.
    pub calls_in_max: CallLimit,
    /// Outgoing group (出呼叫群编号), which selects trunks and refines numbers. Default: 0, none.
    pub group: u32,
    /// Unified caller number: stands in the place of every caller's. Default: empty, the caller's.
    pub caller_number: Box<str>,
    /// Request-URI parameters, such as `user=phone`. Default: none.
    pub uri_parameters: Box<str>,
    /// Numbers go out as tel: URIs (RFC 3966). Default: no.
    pub tel_uri: bool,
    /// No-answer time (无应答时长). Unit: seconds. Default: 0, the system's. Range: 0, 5..=600.
    pub no_answer_s: u16,
    /// How often OPTIONS asks whether it is there. Unit: seconds. Default: 30. Range: 0 (off, it
    /// is always taken for healthy), 5..=600.
    pub options_s: u16,
    pub interop: Interop,
}

/// A server of the trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkAddress {
    /// A name or an address.
    pub host: Box<str>,
    /// Default: 5060, which leaves the port of a name to DNS (RFC 3263 §4.2).
    #[serde(default = "sip_port")]
    pub port: u16,
    /// The lowest is tried first.
    #[serde(default)]
    pub priority: u16,
}

fn sip_port() -> u16 {
    5060
}

/// Which ports calls may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePorts {
    /// Over UDP the port of the server address; a stream may come from any.
    #[default]
    Same,
    /// For servers behind NAT.
    Any,
}

impl Default for Trunk {
    fn default() -> Self {
        Self {
            id: 0,
            description: Box::default(),
            enabled: true,
            addresses: vec![],
            sources: vec![],
            source_ports: SourcePorts::default(),
            transport: LineTransport::default(),
            plan: DEFAULT_PLAN.into(),
            levels: Levels::NONE,
            calls_out_max: CallLimit::UNLIMITED,
            calls_in_max: CallLimit::UNLIMITED,
            group: 0,
            caller_number: Box::default(),
            uri_parameters: Box::default(),
            tel_uri: false,
            no_answer_s: 0,
            options_s: 30,
            interop: Interop::default(),
        }
    }
}

impl Trunk {
    /// The Request-URI of a call to this number at the address tried first.
    pub fn request_uri(&self, called: &str) -> String {
        self.request_uri_at(called, self.addresses.iter().min_by_key(|it| it.priority))
    }

    /// The Request-URI of a call to this number at one of its addresses.
    pub fn request_uri_at(&self, called: &str, address: Option<&TrunkAddress>) -> String {
        let parameters = parameters(&self.uri_parameters);
        // There is no tel: URI of nothing.
        match address.filter(|_| !self.tel_uri || called.is_empty()) {
            Some(TrunkAddress { host, port: 5060, .. }) => sip_uri(called, host) + &parameters,
            Some(TrunkAddress { host, port, .. }) => {
                sip_uri(called, &format!("{host}:{port}")) + &parameters
            }
            None => format!("tel:{}{parameters}", escape_user(called)),
        }
    }

    /// How long an outgoing call may ring.
    pub fn no_answer(&self, settings: &Settings) -> Duration {
        settings.no_answer_or(self.no_answer_s)
    }

    /// Its calls may come from any port.
    pub fn any_source_port(&self, transport: sip::Transport) -> bool {
        self.source_ports == SourcePorts::Any || transport != sip::Transport::Udp
    }

    /// Whether a call from this source is the trunk's, as far as addresses written as numbers and
    /// the source networks tell.
    pub fn admits(&self, source: SocketAddr, transport: sip::Transport) -> bool {
        let ip = source.ip().to_canonical();
        let any_port = self.any_source_port(transport);
        let server = |it: &TrunkAddress| {
            let host = it.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            host.is_ok_and(|host| host.to_canonical() == ip)
                && (any_port || it.port == source.port())
        };
        self.addresses.iter().any(server) || self.sources.iter().any(|it| it.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Transport::{Tcp, Udp};

    #[test]
    fn admission_table() {
        let address = |host: &str, port| TrunkAddress { host: host.into(), port, priority: 0 };
        let same = Trunk {
            addresses: vec![address("10.23.0.1", 5060), address("[2001:db8::1]", 5080)],
            sources: vec!["192.0.2.0/24".parse().expect("a network")],
            ..Trunk::default()
        };
        let any = Trunk { source_ports: SourcePorts::Any, ..same.clone() };
        #[rustfmt::skip]
        let table = [
            (&same, "10.23.0.1:5060",          Udp, true),
            (&same, "10.23.0.1:5061",          Udp, false),
            (&same, "10.23.0.1:40000",         Tcp, true),
            (&same, "[::ffff:10.23.0.1]:5060", Udp, true),
            (&same, "[2001:db8::1]:5080",      Udp, true),
            (&same, "10.23.0.2:5060",          Udp, false),
            (&same, "192.0.2.9:1234",          Udp, true),
            (&any,  "10.23.0.1:5061",          Udp, true),
            (&any,  "10.23.0.2:5061",          Udp, false),
        ];
        for (trunk, source, transport, expected) in table {
            let source = source.parse().expect("an address");
            assert_eq!(trunk.admits(source, transport), expected, "{source} {transport:?}");
        }
    }

    #[test]
    fn uri_table() {
        let address = TrunkAddress { host: "10.23.0.1".into(), port: 5060, priority: 1 };
        let second = TrunkAddress { host: "10.23.0.2".into(), port: 5070, priority: 0 };
        let one = Trunk { addresses: vec![address.clone()], ..Trunk::default() };
        let two = Trunk { addresses: vec![address, second], ..Trunk::default() };
        let tel = Trunk { tel_uri: true, uri_parameters: "a=b".into(), ..one.clone() };
        assert_eq!(one.request_uri("200"), "sip:200@10.23.0.1");
        assert_eq!(two.request_uri("200"), "sip:200@10.23.0.2:5070");
        assert_eq!(tel.request_uri("200"), "tel:200;a=b");
    }
}
