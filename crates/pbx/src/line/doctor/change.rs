//! The setting that a finding leads to.

use crate::interop::{Reliable, SessionExpires};
use crate::line::Line;
use crate::line::config::{FromUser, LineTransport};
use std::net::SocketAddr;

/// What to do about a light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// This helps, or is as good as sure to.
    Change(Change),
    /// This setting is wrong; what is right the administrator must know.
    Setting(&'static str),
}

/// One setting and its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Enabled,
    Transport(LineTransport),
    OutboundProxy(SocketAddr),
    NewCallId,
    Expires(u32),
    AuthUserIsAccount,
    FromAccount,
    NoUriParameters,
    Reliable(Reliable),
    SessionExpires(u16),
    Codecs,
}

/// The codecs every carrier has.
pub const USUAL_CODECS: [&str; 2] = ["PCMA", "PCMU"];

impl Remedy {
    /// The name of the setting, as the commands have it.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Setting(name) => name,
            Self::Change(change) => change.setting(),
        }
    }

    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Setting(_) => None,
        }
    }
}

impl Change {
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Transport(_) => "transport",
            Self::OutboundProxy(_) => "outbound_proxy",
            Self::NewCallId => "new_call_id",
            Self::Expires(_) => "expires_s",
            Self::AuthUserIsAccount => "auth_user",
            Self::FromAccount => "from_user",
            Self::NoUriParameters => "uri_parameters",
            Self::Reliable(_) => "interop.reliable",
            Self::SessionExpires(_) => "interop.session_expires_s",
            Self::Codecs => "interop.codecs",
        }
    }

    /// Its new value, as the commands have it.
    pub fn value(&self) -> String {
        match self {
            Self::Enabled | Self::NewCallId => "true".to_owned(),
            Self::Transport(LineTransport::Udp) => "udp".to_owned(),
            Self::Transport(LineTransport::Tcp) => "tcp".to_owned(),
            Self::Transport(LineTransport::Auto) => "auto".to_owned(),
            Self::OutboundProxy(address) => address.to_string(),
            Self::Expires(seconds) => seconds.to_string(),
            Self::AuthUserIsAccount | Self::NoUriParameters => String::new(),
            Self::FromAccount => "account".to_owned(),
            Self::Reliable(Reliable::Auto) => "auto".to_owned(),
            Self::Reliable(Reliable::Required) => "required".to_owned(),
            Self::Reliable(Reliable::Off) => "off".to_owned(),
            Self::SessionExpires(seconds) => seconds.to_string(),
            Self::Codecs => USUAL_CODECS.join(","),
        }
    }

    pub fn apply(&self, line: &mut Line) {
        match self {
            Self::Enabled => line.enabled = true,
            Self::Transport(it) => line.transport = *it,
            Self::OutboundProxy(address) => line.outbound_proxy = address.to_string().into(),
            Self::NewCallId => line.new_call_id = true,
            Self::Expires(seconds) => line.expires_s = *seconds,
            Self::AuthUserIsAccount => line.auth_user = Box::default(),
            Self::FromAccount => line.from_user = FromUser::Account,
            Self::NoUriParameters => line.uri_parameters = Box::default(),
            Self::Reliable(it) => line.interop.reliable = *it,
            Self::SessionExpires(it) => line.interop.session_expires_s = SessionExpires(*it),
            Self::Codecs => line.interop.codecs = USUAL_CODECS.map(Into::into).into(),
        }
    }
}
