//! Why a line is not registered: a code, a sentence and a remedy in both languages.

use crate::finding::Finding;
use crate::language::Text;
use crate::release::ReleaseCode;
use crate::{text, verdict};

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
    /// 403 or 404 after user name and password were sent: asking on changes nothing, and may get us
    /// banned.
    Denied(u16),
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
        self.finding().as_str()
    }

    pub fn finding(self) -> Finding {
        // The line is registered: no call ends with it.
        if self == Self::DnsStale { Finding::LineDnsStale } else { self.release_code().into() }
    }

    /// What a call ends with that the line cannot take for this reason.
    pub fn release_code(self) -> ReleaseCode {
        match self {
            Self::AuthFailed => ReleaseCode::LineAuthFailed,
            Self::AuthUnknown => ReleaseCode::LineAuthUnknown,
            Self::RegCseq => ReleaseCode::LineRegCseq,
            Self::Rejected(_) | Self::Denied(_) => ReleaseCode::LineRejected,
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
            Self::Rejected(code) => {
                text!(
                    "The carrier refused the registration with {}.",
                    "运营商以{}拒绝了注册。",
                    code
                )
            }
            Self::Denied(code) => {
                text!(
                    "The carrier refused the registration with {} after user name and password were sent.",
                    "发送用户名和密码后，运营商以{}拒绝了注册。",
                    code
                )
            }
            Self::AuthFailed
            | Self::AuthUnknown
            | Self::RegCseq
            | Self::NotBound
            | Self::Redirected
            | Self::NoResponse
            | Self::Unreachable
            | Self::Dns
            | Self::DnsStale => self.finding().sentence(),
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> Text {
        match self {
            // Of a call that is refused more is known.
            Self::Rejected(_) => Text::fixed(
                "Check account and domain, or ask the carrier why.",
                "请检查账号和域名，或向运营商询问原因。",
            ),
            Self::Denied(_) => Text::fixed(
                "Check account, password and domain, or ask the carrier why; it is asked again every 15 minutes.",
                "请检查账号、密码和域名，或向运营商询问原因；每15分钟重试一次。",
            ),
            Self::AuthFailed
            | Self::AuthUnknown
            | Self::RegCseq
            | Self::NotBound
            | Self::Redirected
            | Self::NoResponse
            | Self::Unreachable
            | Self::Dns
            | Self::DnsStale => verdict::remedy(self.release_code()),
        }
    }

    /// The carrier said so: it was reached.
    pub fn was_said(self) -> bool {
        match self {
            Self::AuthFailed
            | Self::AuthUnknown
            | Self::RegCseq
            | Self::Rejected(_)
            | Self::Denied(_)
            | Self::NotBound
            | Self::Redirected => true,
            Self::NoResponse | Self::Unreachable | Self::Dns | Self::DnsStale => false,
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
            | Self::Denied(_)
            | Self::NotBound
            | Self::Redirected
            | Self::Dns
            | Self::DnsStale => false,
        }
    }
}
