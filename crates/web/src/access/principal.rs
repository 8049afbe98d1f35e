//! Whom a request comes from, and what he may do.

use super::cookie;
use super::source::Source;
use crate::resource::Failure;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use pbx::language::{Language, Text};
use pbx::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const NOBODY: Text = Text::fixed("sign in, or show an API key", "请登录，或提供API密钥");

/// In every request that the guard has let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub who: Who,
    pub scopes: Scopes,
    pub source: Source,
    /// For what this request shows.
    pub language: Language,
    /// What forms and scripts send back with everything that changes something; of sessions only.
    pub csrf: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// On the paths that are open to everybody: signing in and the set-up.
    Nobody,
    /// By the control socket.
    Cli,
    User {
        name: String,
        session: String,
    },
    ApiKey {
        id: String,
        name: String,
    },
}

/// A right of an API key. People have all of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See everything but administrators, keys and the audit.
    Read,
    /// Change the configuration.
    Config,
    /// Start and end calls.
    Calls,
    /// Administrators, keys, the audit.
    Admin,
}

/// Several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Config, Self::Calls, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Config => "config",
            Self::Calls => "calls",
            Self::Admin => "admin",
        }
    }

    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }

    pub const fn text(self) -> Text {
        match self {
            Self::Read => Text::fixed("read", "查看"),
            Self::Config => Text::fixed("configure", "修改配置"),
            Self::Calls => Text::fixed("control calls", "控制呼叫"),
            Self::Admin => Text::fixed("administer access", "管理权限"),
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scopes {
    pub const ALL: Self = Self(0b1111);

    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |it| self.has(*it))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, it| bits | it.bit()))
    }
}

impl Principal {
    /// Whoever the system lets open the control socket.
    pub fn cli(language: Language) -> Self {
        let source = Source::socket();
        Self { who: Who::Cli, scopes: Scopes::ALL, source, language, csrf: None }
    }

    /// Refuses what needs a scope that this one has not.
    pub(crate) fn permitted(&self, needed: Scope) -> Result<(), Failure> {
        if self.scopes.has(needed) {
            return Ok(());
        }
        let word = needed.as_str();
        let what = text!(
            "the API key may not do this: it lacks the scope {word}",
            "该API密钥无此权限，缺少{word}"
        );
        Err(Failure::new(403, "scope", what))
    }

    /// Whether it is the administrator of this name, however that is written.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(&self.who, Who::User { name: own, .. } if own.eq_ignore_ascii_case(name))
    }

    /// `user`, `api-key` or `cli`, for the audit.
    pub fn kind(&self) -> &'static str {
        match self.who {
            Who::Nobody => "nobody",
            Who::Cli => "cli",
            Who::User { .. } => "user",
            Who::ApiKey { .. } => "api-key",
        }
    }

    /// The administrator's name or that of the key.
    pub fn name(&self) -> &str {
        match &self.who {
            Who::Nobody | Who::Cli => "",
            Who::User { name, .. } | Who::ApiKey { name, .. } => name,
        }
    }

    /// The session that this request belongs to.
    pub fn session(&self) -> Option<&str> {
        match &self.who {
            Who::User { session, .. } => Some(session),
            Who::Nobody | Who::Cli | Who::ApiKey { .. } => None,
        }
    }
}

/// What the guard has put into the request.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let found = parts.extensions.get().cloned();
        found.ok_or_else(|| Failure::new(401, "not_authenticated", NOBODY))
    }
}

/// What the browser was switched to, else what the administrator chose, else what the browser asks for.
pub(super) fn language(chosen: Option<Language>, headers: &HeaderMap) -> Language {
    let word = cookie::find(headers, cookie::LANGUAGE_COOKIE);
    let switched = match word {
        Some("en") => Some(Language::En),
        Some("zh") => Some(Language::Zh),
        Some(_) | None => None,
    };
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
    let first = accepted.and_then(|it| it.split(',').next()).unwrap_or_default().trim();
    let asked =
        if first.to_ascii_lowercase().starts_with("zh") { Language::Zh } else { Language::En };
    switched.or(chosen).unwrap_or(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn language_table() {
        #[rustfmt::skip]
        let table = [
            (None,               None,                         None,                 Language::En),
            (None,               None,                         Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Zh),
            (None,               None,                         Some("en-US,zh;q=0.9"), Language::En),
            (Some(Language::En), None,                         Some("zh-CN"),        Language::En),
            (Some(Language::En), Some("a=b; lang=zh"), Some("en"),          Language::Zh),
            (Some(Language::Zh), Some("lang=fr"),     Some("en"),           Language::Zh),
        ];
        for (chosen, cookie, accepted, expected) in table {
            let mut headers = HeaderMap::new();
            let mut put = |name, value: Option<&'static str>| {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            };
            put(header::COOKIE, cookie);
            put(header::ACCEPT_LANGUAGE, accepted);
            assert_eq!(language(chosen, &headers), expected, "{cookie:?} {accepted:?}");
        }
    }

    #[test]
    fn scopes_are_sets() {
        let scopes: Scopes = [Scope::Read, Scope::Calls].into_iter().collect();
        assert!(scopes.has(Scope::Read) && !scopes.has(Scope::Admin));
        assert_eq!(scopes.iter().collect::<Vec<_>>(), [Scope::Read, Scope::Calls]);
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::ALL);
    }
}
