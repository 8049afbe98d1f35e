//! The registrar (RFC 3261 §10.3), as far as a carrier is one.

use super::{Asked, Carrier, Reply, user_of};
use sip::message::{Contact, Expires, HeaderName};
use std::time::{Duration, Instant};

/// What the carrier holds for an account.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    contact: String,
    until: Instant,
}

impl Carrier {
    /// Who is registered as this account at that time: its Contacts.
    pub fn bound(&self, account: &str, now: Instant) -> Vec<&str> {
        let bounds = self.bindings.get(account).map(Vec::as_slice).unwrap_or_default();
        bounds.iter().filter(|it| it.until > now).map(|it| it.contact.as_str()).collect()
    }

    pub(super) fn register(&mut self, asked: Asked<'_>) -> Reply {
        let Asked { message, it, .. } = asked;
        if let Some(seconds) = self.oddities.busy {
            return Reply::of(503).with("Retry-After", seconds.to_string());
        }
        if let Some(other) = self.oddities.redirect {
            return Reply::of(302).with("Contact", format!("<sip:{other}>"));
        }
        if let Some(code) = self.oddities.plain_registrar
            && sip::dialog::request_uri(message).contains("user=phone")
        {
            return Reply::of(code);
        }
        let again = self.registered_call_ids.iter().any(|known| known == it.call_id);
        let with_credentials = message.headers.get(HeaderName::Authorization).is_some()
            || message.headers.get(HeaderName::ProxyAuthorization).is_some();
        if self.oddities.new_call_id && again && with_credentials {
            return Reply::of(400).with("P-Registrar-Error", "Invalid CSeq number");
        }
        if !again {
            self.registered_call_ids.push(it.call_id.to_owned());
        }
        if let Err(reply) = self.authenticate(asked) {
            return reply;
        }
        let expires = message.headers.find::<Expires>().ok().flatten().map_or(3600, |it| it.0);
        if let Some(least) = self.oddities.min_expires
            && expires > 0
            && expires < least
        {
            return Reply::of(423).with("Min-Expires", least.to_string());
        }
        self.bind(asked, expires)
    }

    fn bind(&mut self, asked: Asked<'_>, expires: u32) -> Reply {
        let Asked { message, now, .. } = asked;
        let account = user_of(message, HeaderName::To);
        let bounds = self.bindings.entry(account).or_default();
        bounds.retain(|it| it.until > now);
        for contact in message.headers.each::<Contact<'_>>().filter_map(Result::ok) {
            let Some(address) = contact.addr() else { continue };
            bounds.retain(|it| it.contact != address.uri_text);
            let seconds = contact.expires().unwrap_or(expires);
            if seconds > 0 && !self.oddities.forgets {
                let until = now + Duration::from_secs(seconds.into());
                bounds.push(Bound { contact: address.uri_text.to_owned(), until });
            }
        }
        let mut reply = Reply::of(200);
        for it in bounds.iter() {
            let left = it.until.saturating_duration_since(now).as_secs();
            reply = reply.with("Contact", format!("<{}>;expires={left}", it.contact));
        }
        if self.oddities.forgets {
            reply = reply.with("Contact", "<sip:nobody@192.0.2.1>;expires=60");
            reply = reply.with("Contact", "<sip:else@192.0.2.2>;expires=60");
            reply = reply.with("Expires", "0");
        }
        if let Some(route) = &self.oddities.service_route {
            reply = reply.with("Service-Route", format!("<{route}>"));
        }
        reply
    }
}
