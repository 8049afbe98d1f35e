//! What is odd about a carrier, by name.

use sip::auth::digest::Algorithm;
use std::net::SocketAddr;

/// How a carrier departs from the usual one, which challenges REGISTER with 401 and MD5, grants
/// what is asked, and answers every call.
#[derive(Clone, Debug, Default)]
pub struct Oddities {
    /// `silent`: it answers nothing.
    pub silent: bool,
    /// `no-options`: it does not answer OPTIONS.
    pub no_options: bool,
    /// `new-call-id`: 400 "Invalid CSeq number" to the second REGISTER of one Call-ID.
    pub new_call_id: bool,
    /// `proxy`: it challenges with 407.
    pub proxy: bool,
    /// `algorithms=MD5,SHA-256`: what it offers, one challenge each.
    pub algorithms: Vec<Algorithm>,
    /// `stale`: the first credentials are too old.
    pub stale: bool,
    /// `min-expires=1800`: 423.
    pub min_expires: Option<u32>,
    /// `redirect=203.0.113.7:5060`: 302 to REGISTER and INVITE.
    pub redirect: Option<SocketAddr>,
    /// `busy=30`: 503 with this Retry-After to REGISTER.
    pub busy: Option<u32>,
    /// `forgets`: 200 to REGISTER and no binding.
    pub forgets: bool,
    /// `service-route=sip:edge;lr`.
    pub service_route: Option<String>,
    /// `from-account`: 403 to who calls as somebody else.
    pub from_account: bool,
    /// `plain-uri`: 484 to the Request-URI of a call with `user=phone`.
    pub plain_uri: bool,
    /// `plain-registrar=416`: this to the Request-URI of a REGISTER with `user=phone`.
    pub plain_registrar: Option<u16>,
    /// `needs-100rel`: 421 to who has it not; `refuses-100rel`: 420 to who requires it.
    pub needs_100rel: bool,
    pub refuses_100rel: bool,
    /// `prack=405`: rings reliably and answers PRACK so.
    pub prack: Option<u16>,
    /// `min-se=3600`: 422 to a shorter session.
    pub min_se: Option<u32>,
    /// `codec=PCMA`: 488 to an offer without it.
    pub codec: Option<String>,
    /// `plain-codecs`: 488 to an offer with any other than PCMA and PCMU.
    pub plain_codecs: bool,
    /// `challenges=INVITE,BYE`: methods it challenges besides REGISTER.
    pub challenges: Vec<String>,
    /// `progress`: 183 without a description before it rings.
    pub progress: bool,
    /// `early-media`: 183 with one.
    pub early_media: bool,
    /// `refuses=503`: every call, after its progress.
    pub refuses: Option<u16>,
}

impl Oddities {
    /// Reads `new-call-id min-expires=1800 …`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut it = Self::default();
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            it.set(name, value).ok_or_else(|| format!("no such oddity: {word}"))?;
        }
        Ok(it)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match (name, value) {
            ("silent", "") => self.silent = true,
            ("no-options", "") => self.no_options = true,
            ("new-call-id", "") => self.new_call_id = true,
            ("proxy", "") => self.proxy = true,
            ("stale", "") => self.stale = true,
            ("forgets", "") => self.forgets = true,
            ("from-account", "") => self.from_account = true,
            ("plain-uri", "") => self.plain_uri = true,
            ("needs-100rel", "") => self.needs_100rel = true,
            ("refuses-100rel", "") => self.refuses_100rel = true,
            ("plain-codecs", "") => self.plain_codecs = true,
            ("progress", "") => self.progress = true,
            ("early-media", "") => self.early_media = true,
            ("algorithms", list) => {
                let all = list.split(',').map(|it| Algorithm::parse(Some(it)));
                self.algorithms = all.collect::<Option<_>>()?;
            }
            ("challenges", list) => self.challenges = list.split(',').map(str::to_owned).collect(),
            ("min-expires", seconds) => self.min_expires = Some(seconds.parse().ok()?),
            ("busy", seconds) => self.busy = Some(seconds.parse().ok()?),
            ("min-se", seconds) => self.min_se = Some(seconds.parse().ok()?),
            ("plain-registrar", code) => self.plain_registrar = Some(code.parse().ok()?),
            ("prack", code) => self.prack = Some(code.parse().ok()?),
            ("refuses", code) => self.refuses = Some(code.parse().ok()?),
            ("redirect", address) => self.redirect = Some(address.parse().ok()?),
            ("service-route", uri) => self.service_route = Some(uri.to_owned()),
            ("codec", name) => self.codec = Some(name.to_owned()),
            _ => return None,
        }
        Some(())
    }
}
