//! The client's side of digest authentication: which challenges are answered, and with what
//! (RFC 3261 §22.2-22.3, RFC 7616 §3.4, RFC 8760 §2.4).
//!
//! Whoever sends requests tells it of each 401 and 407, and lets it write into the next request.
//! To whom a request goes is his to judge: credentials are only ever written for realms that
//! challenged *this* value, and only for those that [`Account::realms`] allows.

use super::digest::{Algorithm, Challenge, authorization};
use crate::message::{HeaderName, Headers, Method, Writer};

/// Most realms on one way: a proxy or two, and who serves the request.
const REALMS_MAX: usize = 4;

/// How often one request is sent again because of challenges. Unit: responses.
pub const ROUNDS_MAX: u8 = 5;

/// Who we are to the other side. Without `Debug`, as it holds a password.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub realms: Realms<'a>,
}

/// Which realms get credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realms<'a> {
    /// Whatever the other side calls itself: the request went to the configured host.
    Any,
    /// Only these: the request went somewhere else, on its word.
    Only(&'a [&'a str]),
}

impl Realms<'_> {
    fn allow(self, realm: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(realms) => realms.iter().any(|it| it.eq_ignore_ascii_case(realm)),
        }
    }
}

/// Why a 401 or 407 cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswerable {
    /// It holds no challenge.
    NoChallenge,
    /// Schemes, algorithms or protection (`auth-int`) that are not spoken here.
    Unknown,
    /// Realms that the credentials are not for.
    ForeignRealm,
    /// It refuses credentials made for its own last challenge: they are wrong.
    Wrong,
    /// It challenges without end.
    Endless,
}

/// The challenges held, each with its nonce count.
#[derive(Clone, Debug, Default)]
pub struct ClientAuth {
    held: Vec<Held>,
    /// Challenges taken since [`ClientAuth::begin`].
    rounds: u8,
}

#[derive(Clone, Debug)]
struct Held {
    by: Challenger,
    realm: Box<str>,
    nonce: Box<str>,
    opaque: Option<Box<str>>,
    algorithm: Algorithm,
    qop_auth: bool,
    /// The count used last (RFC 7616 §3.4).
    nc: u32,
    /// It came in answer to the request under way: refused once more, the credentials are wrong.
    fresh: bool,
}

/// Who challenges (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenger {
    Server,
    Proxy,
}

impl ClientAuth {
    /// A new request is about to be sent. What is held from earlier ones may be out of date.
    pub fn begin(&mut self) {
        self.rounds = 0;
        for it in &mut self.held {
            it.fresh = false;
        }
    }

    /// Nothing was challenged yet: the next request goes out without credentials.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets every challenge.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// Takes the challenges of a 401 or 407. `Ok`: send the request again, with [`Self::write`].
    pub fn challenged(
        &mut self,
        headers: &Headers<'_>,
        account: &Account<'_>,
    ) -> Result<(), Unanswerable> {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            return Err(Unanswerable::Endless);
        }
        let mut why = Unanswerable::NoChallenge;
        let mut taken: Vec<(Challenger, Challenge<'_>)> = Vec::new();
        for (by, text) in values(headers) {
            let Ok(challenge) = Challenge::parse(text) else {
                why = Unanswerable::Unknown;
                continue;
            };
            if !account.realms.allow(challenge.realm) {
                why = Unanswerable::ForeignRealm;
                continue;
            }
            let same =
                |it: &&mut (Challenger, Challenge<'_>)| it.0 == by && it.1.realm == challenge.realm;
            match taken.iter_mut().find(same) {
                // Of one realm, the stronger algorithm; of equals, the first (RFC 8760 §2.4).
                Some((_, first)) => {
                    if strength(challenge.algorithm) > strength(first.algorithm) {
                        *first = challenge;
                    }
                }
                None => taken.push((by, challenge)),
            }
        }
        if taken.is_empty() {
            return Err(why);
        }
        for (by, challenge) in taken {
            self.take(by, &challenge)?;
        }
        Ok(())
    }

    /// Adds the credentials to a request to this URI; `cnonce` is random.
    pub fn write(
        &mut self,
        writer: &mut Writer,
        account: &Account<'_>,
        method: Method<'_>,
        uri: &str,
        cnonce: &str,
    ) {
        for (name, value) in self.answers(account, method, uri, cnonce) {
            writer.text_header(name.as_str(), &value);
        }
    }

    /// The headers that [`Self::write`] adds.
    pub fn answers(
        &mut self,
        account: &Account<'_>,
        method: Method<'_>,
        uri: &str,
        cnonce: &str,
    ) -> Vec<(HeaderName, String)> {
        let answer = |it: &mut Held| {
            it.nc = it.nc.saturating_add(1);
            let challenge = Challenge {
                realm: &it.realm,
                nonce: &it.nonce,
                opaque: it.opaque.as_deref(),
                algorithm: it.algorithm,
                qop_auth: it.qop_auth,
                stale: false,
            };
            let Account { user, password, .. } = *account;
            let value = authorization(&challenge, user, password, method, uri, it.nc, cnonce);
            let name = match it.by {
                Challenger::Server => HeaderName::Authorization,
                Challenger::Proxy => HeaderName::ProxyAuthorization,
            };
            (name, value)
        };
        self.held.iter_mut().map(answer).collect()
    }

    fn take(&mut self, by: Challenger, it: &Challenge<'_>) -> Result<(), Unanswerable> {
        let held = self.held.iter().position(|held| held.by == by && *held.realm == *it.realm);
        // RFC 7616 §3.3: `stale` says that the digest was right and only its nonce too old.
        if held.is_some_and(|at| self.held[at].fresh) && !it.stale {
            return Err(Unanswerable::Wrong);
        }
        let new = Held {
            by,
            realm: it.realm.into(),
            nonce: it.nonce.into(),
            opaque: it.opaque.map(Into::into),
            algorithm: it.algorithm,
            qop_auth: it.qop_auth,
            nc: 0,
            fresh: true,
        };
        match held {
            Some(at) => self.held[at] = new,
            None if self.held.len() >= REALMS_MAX => return Err(Unanswerable::Endless),
            None => self.held.push(new),
        }
        Ok(())
    }
}

/// Every challenge, whatever the status: a proxy that forks puts both kinds into one response
/// (RFC 3261 §16.7 step 7).
fn values<'a>(headers: &Headers<'a>) -> impl Iterator<Item = (Challenger, &'a str)> {
    let server = headers.all(HeaderName::WwwAuthenticate).map(|it| (Challenger::Server, it));
    let proxy = headers.all(HeaderName::ProxyAuthenticate).map(|it| (Challenger::Proxy, it));
    server.chain(proxy)
}

fn strength(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Md5 => 0,
        Algorithm::Sha256 => 1,
    }
}

#[cfg(test)]
mod tests;
