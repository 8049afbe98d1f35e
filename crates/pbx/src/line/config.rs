//! What an administrator sets for an external line.

use crate::dialplan::rows::DEFAULT_PLAN;
use crate::interop::{CallLimit, Interop, parameters, sip_uri};
use crate::language::Language;
use crate::settings::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sip::Transport;
use std::fmt;
use std::time::Duration;

/// An external line (外线).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// The line's number: its name here, what the carrier knows it by, and the called number of
    /// incoming calls.
    pub account: Box<str>,
    pub description: Box<str>,
    /// Default: yes. A line that is off neither registers nor takes calls.
    pub enabled: bool,
    /// User name for challenges. Default: empty, the account.
    pub auth_user: Box<str>,
    #[serde(skip_serializing_if = "Password::is_empty")]
    pub password: Password,
    /// Peer address or domain (对端地址): the domain of To, From and Request-URI.
    pub domain: Box<str>,
    /// Where requests go, as `host` or `host:port`. Default: empty, the domain.
    pub outbound_proxy: Box<str>,
    pub transport: LineTransport,
    /// Default: yes. Some carriers know their customers by address and want no REGISTER.
    pub register: bool,
    /// Binding asked for. Unit: seconds. Default: 3600. Range: 60..=86400.
    pub expires_s: u32,
    /// A new Call-ID for the authenticated REGISTER. Default: no (RFC 3261 §10.2 keeps it).
    ///
    /// For carriers that answer its CSeq + 1 with 400 "Invalid CSeq number";
    /// `gVarSipRegSameDialog=0` of an imported file.
    pub new_call_id: bool,
    /// The extension the line belongs to. Default: none.
    pub owner: Option<Box<str>>,
    /// Other extensions than the owner may call out by it. Default: yes.
    pub shared: bool,
    pub incoming: Incoming,
    /// Dial plan of its incoming calls. Default: `default`.
    pub plan: Box<str>,
    /// Outgoing group (出呼叫群编号), which selects lines and refines numbers. Default: 0, none.
    pub group: u32,
    /// No-answer time (无应答时长). Unit: seconds. Default: 0, the system's. Range: 0, 5..=600.
    pub no_answer_s: u16,
    /// Request-URI parameters, such as `user=phone`. Default: [`default_uri_parameters`].
    pub uri_parameters: Box<str>,
    /// Most outgoing calls at once. Default: unlimited; 0: none ever.
    pub calls_out_max: CallLimit,
    /// Most incoming calls at once. Default: unlimited; 0: none ever.
    pub calls_in_max: CallLimit,
    /// Which number the called side is shown. Default: the account.
    pub caller_number: CallerNumber,
    /// User part of From. Default: the caller number.
    pub from_user: FromUser,
    /// Domain of From. Default: empty, the line's.
    pub from_domain: Box<str>,
    /// How often the way is kept open. Unit: seconds. Default: 30. Range: 0 (off), 10..=600.
    pub keep_alive_s: u16,
    pub interop: Interop,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            account: Box::default(),
            description: Box::default(),
            enabled: true,
            auth_user: Box::default(),
            password: Password::default(),
            domain: Box::default(),
            outbound_proxy: Box::default(),
            transport: LineTransport::default(),
            register: true,
            expires_s: 3600,
            new_call_id: false,
            owner: None,
            shared: true,
            incoming: Incoming::default(),
            plan: DEFAULT_PLAN.into(),
            group: 0,
            no_answer_s: 0,
            uri_parameters: Box::default(),
            calls_out_max: CallLimit::UNLIMITED,
            calls_in_max: CallLimit::UNLIMITED,
            caller_number: CallerNumber::default(),
            from_user: FromUser::default(),
            from_domain: Box::default(),
            keep_alive_s: 30,
            interop: Interop::default(),
        }
    }
}

impl Line {
    /// The user name for challenges.
    pub fn auth_user(&self) -> &str {
        if self.auth_user.is_empty() { &self.account } else { &self.auth_user }
    }

    /// Whether this extension may call out by it; `None` is a caller from outside.
    pub fn serves(&self, extension: Option<&str>) -> bool {
        self.shared || (extension.is_some() && self.owner.as_deref() == extension)
    }

    /// How long an outgoing call may ring.
    pub fn no_answer(&self, settings: &Settings) -> Duration {
        settings.no_answer_or(self.no_answer_s)
    }

    /// The Request-URI of a call to this number.
    pub fn request_uri(&self, called: &str) -> String {
        format!("{}{}", sip_uri(called, &self.domain), parameters(&self.uri_parameters))
    }

    /// The URI of From for this caller number.
    pub fn from_uri(&self, caller: &str) -> String {
        let user = match self.from_user {
            FromUser::Caller => caller,
            FromUser::Account => &self.account,
        };
        let domain = if self.from_domain.is_empty() { &self.domain } else { &self.from_domain };
        sip_uri(user, domain)
    }
}

/// Request-URI parameters a new line begins with: Chinese carriers want to be told that the user
/// part is a telephone number.
pub fn default_uri_parameters(language: Language) -> &'static str {
    match language {
        Language::En => "",
        Language::Zh => "user=phone",
    }
}

/// The password of a line. It must be kept: a carrier names its realm only when it challenges.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Password(pub Box<str>);

impl Password {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Default: UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LineTransport {
    #[default]
    Udp,
    Tcp,
    /// As DNS says (RFC 3263 §4.1): by NAPTR, else by where SRV records are; UDP where it says
    /// nothing, and for a numeric address or a port of one's own.
    Auto,
}

impl LineTransport {
    /// The one that is set; `None`: DNS chooses.
    pub fn fixed(self) -> Option<Transport> {
        match self {
            Self::Udp => Some(Transport::Udp),
            Self::Tcp => Some(Transport::Tcp),
            Self::Auto => None,
        }
    }
}

/// The setting that has this transport and no other.
impl From<Transport> for LineTransport {
    fn from(it: Transport) -> Self {
        match it {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
        }
    }
}

/// Where calls from the line go, unless a service detects the line's number first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Incoming {
    /// To the extension that owns the line. Where none does, the dial plan decides on the line's
    /// number, as if it were dialled.
    #[default]
    Owner,
    /// To this extension, whatever the dial plan says.
    Extension(Box<str>),
    /// Route to another number (路由到其他号码): the dial plan decides on it.
    Number(Box<str>),
    /// A service by its name.
    Service(Box<str>),
}

/// Which number the called side is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallerNumber {
    #[default]
    Account,
    /// The number of who calls, as the analysis of caller numbers left it.
    Caller,
    Fixed(Box<str>),
}

/// The user part of From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FromUser {
    /// The caller number.
    #[default]
    Caller,
    /// The account: for carriers that refuse any other From; the caller number then stands in the
    /// identity header.
    Account,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 15: a call on this line that is not answered in 15 s ends; 0: after the system's time.
    #[test]
    fn the_no_answer_time_is_the_lines_or_the_systems() {
        let settings = Settings { no_answer_s: 60, ..Settings::default() };
        for (no_answer_s, expected) in [(0, 60), (15, 15)] {
            let line = Line { no_answer_s, ..Line::default() };
            assert_eq!(line.no_answer(&settings), Duration::from_secs(expected));
        }
    }

    #[test]
    fn uri_table() {
        let line =
            Line { account: "5678".into(), domain: "sip.example.com".into(), ..Line::default() };
        #[rustfmt::skip]
        let table = [
            ("0138", "",                "sip:0138@sip.example.com"),
            ("0138", "user=phone",      "sip:0138@sip.example.com;user=phone"),
            ("0138", ";user=phone;a=b", "sip:0138@sip.example.com;user=phone;a=b"),
            ("*1#",  "",                "sip:*1%23@sip.example.com"),
        ];
        for (called, uri_parameters, expected) in table {
            let line = Line { uri_parameters: uri_parameters.into(), ..line.clone() };
            assert_eq!(line.request_uri(called), expected);
        }
        assert_eq!(line.from_uri("102"), "sip:102@sip.example.com");
        let own = Line { from_user: FromUser::Account, from_domain: "x".into(), ..line };
        assert_eq!(own.from_uri("102"), "sip:5678@x");
    }

    #[test]
    fn chinese_carriers_are_told_that_the_user_is_a_telephone_number() {
        assert_eq!(default_uri_parameters(Language::Zh), "user=phone");
        assert_eq!(default_uri_parameters(Language::En), "");
    }
}
