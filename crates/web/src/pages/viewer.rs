//! Who looks at a page, and in which language.

use super::Pages;
use super::api::Api;
use super::layout::{Layout, Who};
use crate::access::{LANGUAGE_COOKIE, Peer, Principal};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{Uri, header};
use pbx::dialplan::rows::DEFAULT_PLAN;
use pbx::id::TenantId;
use pbx::language::{Language, Text};
use serde::Deserialize;
use std::convert::Infallible;
use std::net::SocketAddr;

pub(crate) struct Viewer {
    pub(crate) language: Language,
    /// Chosen with this request: it is to be kept.
    chosen: bool,
    pub(crate) api: Api,
    pub(crate) pages: Pages,
    principal: Option<Principal>,
    uri: Uri,
    /// What the browser asked: `192.168.1.10:8080`.
    host: String,
    is_secure: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chosen {
    lang: Option<String>,
}

impl Viewer {
    pub(crate) fn of(parts: &Parts, pages: &Pages) -> Self {
        let chosen = Query::<Chosen>::try_from_uri(&parts.uri).unwrap_or_default().0.lang;
        let chosen = chosen.as_deref().and_then(named);
        let text = |name: &str| {
            parts.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
        };
        let principal = parts.extensions.get::<Principal>().cloned();
        let usual = principal.as_ref().map(|it| it.language);
        Self {
            language: chosen.or(usual).unwrap_or_default(),
            chosen: chosen.is_some(),
            api: Api::new(pages.api.clone(), principal.clone()),
            principal,
            pages: pages.clone(),
            uri: parts.uri.clone(),
            host: text(header::HOST.as_str()).to_owned(),
            is_secure: parts.extensions.get::<Peer>().is_some_and(|it| it.tls)
                || text("x-forwarded-proto") == "https",
        }
    }

    /// What stands around the page.
    pub(crate) fn layout(&self) -> Layout {
        let user = self.user().unwrap_or_default().to_owned();
        let who = Who { standby: self.pages.office.db.is_standby(), user, csrf: self.csrf() };
        Layout::new(self.language, &self.uri, self.pages.running.status().calls, who)
    }

    /// The names of the dial plans, for forms to choose from.
    pub(crate) fn plans(&self) -> Vec<String> {
        let directory = self.pages.running.directory();
        let names = directory.tenant(TenantId::default()).map(|it| &it.dial_plan.names);
        let others = names.into_iter().flatten().map(ToString::to_string);
        let default = std::iter::once(DEFAULT_PLAN.to_owned());
        default.chain(others.filter(|it| it != DEFAULT_PLAN)).collect()
    }

    /// What a form of who looks must bring back.
    pub(crate) fn csrf(&self) -> String {
        self.principal.as_ref().and_then(|it| it.csrf.clone()).unwrap_or_default()
    }

    /// Where phones find the pages: as the browser does, unless that is on this machine.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        let name = self.host.rsplit_once(':').map_or(&*self.host, |it| it.0);
        let is_here =
            name.is_empty() || name == "localhost" || name.starts_with("127.") || name == "[::1]";
        if !is_here {
            return format!("{scheme}://{}", self.host);
        }
        let port = self.host.rsplit_once(':').map_or("80", |it| it.1);
        let server = self.pages.running.server_address();
        let ip = match server.parse::<SocketAddr>() {
            Ok(socket) => socket.ip().to_string(),
            Err(_) => server,
        };
        let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
        format!("{scheme}://{ip}:{port}")
    }

    /// The administrator who is signed in.
    pub(crate) fn user(&self) -> Option<&str> {
        self.principal.as_ref().map(Principal::name).filter(|it| !it.is_empty())
    }

    pub(crate) fn say<'a>(&self, text: &'a Text) -> &'a str {
        text.get(self.language)
    }

    /// The cookie that keeps the language, where it was chosen with this request.
    pub(crate) fn cookie(&self) -> Option<String> {
        let word = word(self.language);
        let cookie = || format!("{LANGUAGE_COOKIE}={word}; Path=/; Max-Age=31536000; SameSite=Lax");
        self.chosen.then(cookie)
    }
}

impl FromRequestParts<Pages> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Infallible> {
        Ok(Self::of(parts, pages))
    }
}

/// As HTML names it.
pub(crate) fn word(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Zh => "zh",
    }
}

fn named(word: &str) -> Option<Language> {
    [Language::En, Language::Zh].into_iter().find(|it| self::word(*it) == word)
}
