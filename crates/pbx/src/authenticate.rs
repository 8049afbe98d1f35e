//! Who sends a request: IP-address authorisation, else digest (RFC 7616, RFC 8760).
//!
//! A stranger learns nothing: an unknown user and a wrong password take the same path, the same
//! time and get the same answer.

mod nonce_counts;

use self::nonce_counts::NonceCounts;
use crate::directory::{Directory, Extension, Secret, Tenant};
use crate::event::AuthFailure;
use crate::id::TenantId;
use crate::network::is_private;
use crate::privacy::ANONYMOUS;
use crate::time::Now;
use rand_core::Rng;
use sip::Flow;
use sip::auth::digest::{self, Algorithm, HexDigest};
use sip::auth::nonce::{NonceKey, NonceState};
use sip::message::{
    Authorization, Credentials, DigestCredentials, Essentials, HeaderName, Message, Method,
    NameAddr, Uri, Writer, uri_equivalent,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Who a request is from.
#[derive(Clone, Debug)]
pub struct Identity {
    pub tenant: TenantId,
    pub extension: Arc<Extension>,
}

/// Why there is no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credentials yet: challenge.
    Challenge,
    /// Right, but on a nonce that has expired or was used: challenge with `stale=true`.
    Stale,
    /// Wrong: challenge again, and tell the security log.
    Wrong { user: Box<str>, why: AuthFailure },
    /// The header cannot be read: 400.
    Malformed(&'static str),
}

/// Checks credentials; makes challenges.
pub struct Authenticator {
    nonces: NonceKey,
    counts: NonceCounts,
}

impl Authenticator {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { nonces: NonceKey::new(secret), counts: NonceCounts::default() }
    }

    /// Gives back the memory of a busier time.
    pub fn give_back(&mut self, now: Instant) {
        self.counts.forget(now);
    }

    /// Whose request this is.
    pub fn identify(
        &mut self,
        directory: &Directory,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
        now: Now,
    ) -> Result<Identity, Refusal> {
        let Some((tenant_id, tenant)) = directory.tenant_for(it.uri) else {
            return Err(Refusal::Challenge);
        };
        if let Some(extension) = by_address(tenant, flow, message, it) {
            return Ok(Identity { tenant: tenant_id, extension });
        }
        // Credentials for another realm may stand first (RFC 3261 §22.3).
        let mut ours = None;
        for header in message.headers.each::<Authorization<'_>>() {
            match header {
                Ok(Authorization(Credentials::Digest(it))) => {
                    if it.realm == tenant.settings.realm {
                        ours = Some(it);
                    }
                }
                Ok(Authorization(Credentials::Other { .. })) => {}
                Err(_) => return Err(Refusal::Malformed("bad Authorization")),
            }
        }
        let Some(credentials) = ours else { return Err(Refusal::Challenge) };
        let extension = self.verify(tenant, flow, message, (it, &credentials), now)?;
        Ok(Identity { tenant: tenant_id, extension })
    }

    /// Adds the challenges of a tenant to a 401, preferred algorithm first (RFC 8760 §2.4).
    pub fn challenge(
        &self,
        tenant: Option<&Tenant>,
        flow: Flow,
        stale: bool,
        rng: &mut dyn Rng,
        now: Now,
        writer: &mut Writer,
    ) {
        let settings = tenant.map(|it| it.settings.clone()).unwrap_or_default();
        let nonce = self.nonces.issue(unix_seconds(now), flow.remote.ip(), rng.next_u64());
        let (realm, nonce) = (&settings.realm, nonce.as_str());
        let stale = if stale { ", stale=true" } else { "" };
        for algorithm in &settings.digest_algorithms {
            writer.header(
                "WWW-Authenticate",
                format_args!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, \
                     qop=\"auth\"{stale}"
                ),
            );
        }
    }

    fn verify(
        &mut self,
        tenant: &Tenant,
        flow: Flow,
        message: &Message<'_>,
        (it, credentials): (&Essentials<'_>, &DigestCredentials<'_>),
        now: Now,
    ) -> Result<Arc<Extension>, Refusal> {
        let wrong = |why| Refusal::Wrong { user: credentials.username.into(), why };
        let Some(algorithm) = Algorithm::parse(credentials.algorithm) else {
            return Err(Refusal::Challenge);
        };
        let offered = tenant.settings.digest_algorithms.iter().any(|it| it == algorithm.as_str());
        if !offered {
            return Err(Refusal::Challenge);
        }
        let known = tenant.extension(credentials.username);
        let secret = known.and_then(|it| it.secret);
        // An unknown user is checked against a secret nobody has: same work, same answer.
        let right = digest_is_right(algorithm, secret.unwrap_or(NOBODY), message, credentials)
            && it.uri.is_some_and(|uri| same_target(&uri, credentials.uri, flow.local.ip()));
        let Some(extension) = known.filter(|_| secret.is_some()) else {
            return Err(wrong(AuthFailure::UnknownUser));
        };
        let without_qop = credentials.qop.is_none();
        if !right || (without_qop && !extension.digest_without_qop) {
            return Err(wrong(AuthFailure::BadDigest));
        }
        if extension.weak_password && !is_private(flow.remote.ip()) {
            return Err(wrong(AuthFailure::WeakPasswordFromOutside));
        }
        match self.nonces.check(credentials.nonce, unix_seconds(now), flow.remote.ip()) {
            NonceState::Fresh => {}
            NonceState::Stale | NonceState::Foreign => return Err(Refusal::Stale),
        }
        if let Some(count) = credentials.nonce_count()
            && !without_qop
        {
            // Copies of an INVITE never come here while its transaction lives: any other is a replay.
            let attempt = (it.cseq.method != Method::Invite)
                .then(|| (it.via.branch().unwrap_or_default(), it.cseq.number));
            if !self.counts.admit(credentials.nonce, count, attempt, now.instant) {
                return Err(Refusal::Stale);
            }
        }
        Ok(extension.clone())
    }
}

/// The extension that may call from this address without a challenge; its number must be the
/// From user, or that of the identity it prefers where From is anonymous (RFC 3325 §9.2). A REGISTER
/// is never taken this way.
fn by_address(
    tenant: &Tenant,
    flow: Flow,
    message: &Message<'_>,
    it: &Essentials<'_>,
) -> Option<Arc<Extension>> {
    if tenant.by_address.is_empty() || it.cseq.method == Method::Register {
        return None;
    }
    let mut number = it.from.uri.user_unescaped();
    if number.eq_ignore_ascii_case(ANONYMOUS) {
        let names = [HeaderName::PPreferredIdentity, HeaderName::PAssertedIdentity];
        let stated = names.into_iter().find_map(|it| message.headers.values(it).next())?;
        number = NameAddr::parse(stated).ok()?.uri.user_unescaped();
    }
    let extension = tenant.extension(&number)?;
    let allowed = extension.addresses.iter().any(|it| it.allows(flow.remote));
    allowed.then(|| extension.clone())
}

const NOBODY: Secret = Secret { md5: [0; 16], sha256: [0; 32] };

fn digest_is_right(
    algorithm: Algorithm,
    secret: Secret,
    message: &Message<'_>,
    credentials: &DigestCredentials<'_>,
) -> bool {
    let ha1 = match algorithm {
        Algorithm::Md5 => HexDigest::of(&secret.md5),
        Algorithm::Sha256 => HexDigest::of(&secret.sha256),
    };
    message.method().is_some_and(|it| digest::verify(algorithm, &ha1, it, credentials))
}

/// Whether the digest was made for this request's target: the same URI, or at least the same user
/// at the same host, since phones and middle boxes add and drop parameters. Some sign the server
/// alone, whatever they ask of it.
fn same_target(request: &Uri<'_>, signed: &str, server: IpAddr) -> bool {
    let Ok(signed) = Uri::parse(signed) else { return false };
    let same_host = request.host() == signed.host();
    let is_server =
        signed.host().and_then(|it| it.ip()).map(|it| it.to_canonical()) == Some(server);
    uri_equivalent(request, &signed)
        || (same_host && request.user_unescaped() == signed.user_unescaped())
        || ((same_host || is_server) && signed.user().is_none())
}

fn unix_seconds(now: Now) -> u32 {
    u32::try_from(now.utc.seconds()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_may_differ_in_parameters_only() {
        let request = Uri::parse("sip:101@192.0.2.1;transport=udp").unwrap();
        let server = "192.0.2.9".parse().unwrap();
        for (signed, same) in [
            ("sip:192.0.2.1:5060", true),
            ("sip:192.0.2.9:5060", true),
            ("sip:192.0.2.8:5060", false),
            ("sip:101@192.0.2.1", true),
            ("sip:101@192.0.2.1;transport=udp", true),
            ("sip:102@192.0.2.1", false),
            ("sip:101@192.0.2.9", false),
            ("*", false),
        ] {
            assert_eq!(same_target(&request, signed, server), same, "{signed}");
        }
    }
}
