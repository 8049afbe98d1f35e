//! Whether a request comes from a customer (RFC 3261 §22, RFC 7616).

use super::{Asked, Carrier, Reply, user_of};
use sip::auth::digest::{Algorithm, ha1, verify};
use sip::message::{Credentials, HeaderName};

impl Carrier {
    /// `Err`: the challenge, or the refusal.
    pub(super) fn authenticate(&mut self, asked: Asked<'_>) -> Result<(), Reply> {
        let headers = &asked.message.headers;
        let name = match self.oddities.proxy {
            true => HeaderName::ProxyAuthorization,
            false => HeaderName::Authorization,
        };
        let given = headers.get(name).map(Credentials::parse);
        let Some(Ok(Credentials::Digest(it))) = given else {
            return Err(self.challenge(false));
        };
        let known = self.nonces.get_mut(it.nonce);
        let Some(uses) = known else { return Err(self.challenge(true)) };
        *uses += 1;
        if std::mem::take(&mut self.oddities.stale) {
            return Err(self.challenge(true));
        }
        let (Some(password), Some(algorithm), Some(method)) = (
            self.accounts.get(it.username),
            Algorithm::parse(it.algorithm),
            asked.message.method(),
        ) else {
            return Err(Reply::of(403));
        };
        let secret = ha1(algorithm, it.username, &self.realm, password);
        if !verify(algorithm, &secret, method, &it) {
            return Err(self.challenge(false));
        }
        // The account of the request is the one that proved itself.
        let account = user_of(asked.message, HeaderName::To);
        let is_register = method.as_str() == "REGISTER";
        if is_register && account != it.username { Err(Reply::of(403)) } else { Ok(()) }
    }

    fn challenge(&mut self, stale: bool) -> Reply {
        self.serial += 1;
        let nonce = format!("n{}", self.serial);
        let (code, name) = match self.oddities.proxy {
            true => (407, "Proxy-Authenticate"),
            false => (401, "WWW-Authenticate"),
        };
        let mut reply = Reply::of(code);
        let algorithms = match self.oddities.algorithms.as_slice() {
            [] => &[Algorithm::Md5][..],
            some => some,
        };
        for algorithm in algorithms {
            let stale = if stale { ", stale=true" } else { "" };
            let (realm, algorithm) = (&self.realm, algorithm.as_str());
            let challenge = format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}"
            );
            reply = reply.with(name, challenge);
        }
        self.nonces.insert(nonce, 0);
        reply
    }
}
