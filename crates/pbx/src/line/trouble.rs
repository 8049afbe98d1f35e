//! Why a line is not registered: a code, a sentence and a remedy in both languages.

use crate::language::Text;
use crate::release::ReleaseCode;
use crate::text;

/// What kept the last REGISTER from its success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// User name and password were refused.
    AuthFailed,
    /// It challenges in a way that is not spoken here, or for a foreign realm.
    AuthUnknown,
    /// It takes no second REGISTER of one Call-ID.
    RegCseq,
    /// A final status that says no.
    Rejected(u16),
    /// It answered 200 and holds no binding for us.
    NotBound,
    /// It sends us from one address to the next.
    Redirected,
    /// Nobody answered in 64·T1.
    NoResponse,
    /// The way there is broken: refused, reset, no route.
    Unreachable,
    /// The name has no address.
    Dns,
    /// It has none any more; those it had are used on.
    DnsStale,
}

impl Trouble {
    /// The stable code, `line.reason`.
    pub fn code(self) -> &'static str {
        // The line is registered: no call ends with it.
        if self == Self::DnsStale { "line.dns_stale" } else { self.release_code().as_str() }
    }

    /// What a call ends with that the line cannot take for this reason.
    pub fn release_code(self) -> ReleaseCode {
        match self {
            Self::AuthFailed => ReleaseCode::LineAuthFailed,
            Self::AuthUnknown => ReleaseCode::LineAuthUnknown,
            Self::RegCseq => ReleaseCode::LineRegCseq,
            Self::Rejected(_) => ReleaseCode::LineRejected,
            Self::NotBound => ReleaseCode::LineNotBound,
            Self::Redirected => ReleaseCode::LineRedirected,
            Self::NoResponse => ReleaseCode::LineNoResponse,
            Self::Unreachable => ReleaseCode::LineUnreachable,
            Self::Dns | Self::DnsStale => ReleaseCode::LineDns,
        }
    }

    /// What happened.
    pub fn sentence(self) -> Text {
        match self {
            Self::AuthFailed => Text::fixed(
                "The carrier refused user name or password.",
                "运营商拒绝了用户名或密码。",
            ),
            Self::AuthUnknown => Text::fixed(
                "The carrier asks for a kind of authentication that this server does not speak.",
                "运营商要求的鉴权方式本服务器不支持。",
            ),
            Self::RegCseq => Text::fixed(
                "The carrier refuses the second REGISTER of one Call-ID.",
                "运营商拒绝同一Call-ID的再次注册。",
            ),
            Self::Rejected(code) => {
                text!(
                    "The carrier refused the registration with {}.",
                    "运营商以{}拒绝了注册。",
                    code
                )
            }
            Self::NotBound => Text::fixed(
                "The carrier said yes but holds no registration for this server.",
                "运营商应答成功，但没有保存本服务器的注册。",
            ),
            Self::Redirected => Text::fixed(
                "The carrier redirects the registration again and again.",
                "运营商反复重定向注册请求。",
            ),
            Self::NoResponse => {
                Text::fixed("The carrier does not respond.", "运营商没有任何响应。")
            }
            Self::Unreachable => {
                Text::fixed("The carrier cannot be reached.", "无法连接到运营商。")
            }
            Self::Dns => Text::fixed(
                "The name of the carrier has no address here.",
                "本地DNS无法解析运营商的域名。",
            ),
            Self::DnsStale => Text::fixed(
                "The name of the carrier is not resolved any more; its last addresses are used.",
                "运营商的域名已无法解析，暂用上次得到的地址。",
            ),
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> Text {
        match self {
            Self::AuthFailed => Text::fixed(
                "Check account, authentication user and password.",
                "请检查账号、鉴权用户名和密码。",
            ),
            Self::AuthUnknown => Text::fixed(
                "Ask the carrier for digest authentication with MD5 or SHA-256.",
                "请运营商改用MD5或SHA-256摘要鉴权。",
            ),
            Self::RegCseq => Text::fixed(
                "Turn on \"new Call-ID per REGISTER\" (new_call_id) of this line.",
                "请打开该外线的“每次注册使用新Call-ID”（new_call_id）。",
            ),
            Self::Rejected(_) | Self::NotBound => Text::fixed(
                "Check account and domain, or ask the carrier why.",
                "请检查账号和域名，或向运营商询问原因。",
            ),
            Self::Redirected => Text::fixed(
                "Enter the server that the carrier names as outbound proxy.",
                "请将运营商指定的服务器填为出局代理。",
            ),
            Self::NoResponse | Self::Unreachable => Text::fixed(
                "Check address, port, transport and the firewall.",
                "请检查地址、端口、传输协议和防火墙。",
            ),
            Self::Dns | Self::DnsStale => Text::fixed(
                "Check the name, or use another DNS server.",
                "请检查域名，或改用其他DNS服务器。",
            ),
        }
    }

    /// Another address of the same carrier may do better (RFC 3263 §4.3).
    pub fn may_be_the_address(self) -> bool {
        match self {
            Self::NoResponse | Self::Unreachable => true,
            Self::Rejected(code) => code == 408 || (500..600).contains(&code),
            Self::AuthFailed
            | Self::AuthUnknown
            | Self::RegCseq
            | Self::NotBound
            | Self::Redirected
            | Self::Dns
            | Self::DnsStale => false,
        }
    }
}
