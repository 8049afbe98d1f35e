//! What the page of the second step holds in the place of the password: that it was right a moment ago.

use super::token;
use crate::resource::Failure;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use std::time::Duration;
use store::db::User;

/// Time to find the phone.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// Codes that may be shown for one right password.
const TRIES: u32 = 5;
/// Most of them at a time; the oldest goes for a new one.
const TICKETS_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Tickets(BTreeMap<[u8; 32], Ticket>);

struct Ticket {
    user: String,
    /// With another password since, it is worth nothing.
    password_at: UnixMillis,
    until: UnixMillis,
    tries: u32,
}

impl Tickets {
    pub(super) fn issue(&mut self, user: &User, now: UnixMillis) -> Result<String, Failure> {
        let secret = token::random(token::SECRET_BYTES)?;
        self.0.retain(|_, it| it.until > now);
        if self.0.len() >= TICKETS_MAX {
            let oldest = self.0.iter().min_by_key(|it| it.1.until).map(|it| *it.0);
            oldest.map(|it| self.0.remove(&it));
        }
        let ticket = Ticket {
            user: user.name.clone(),
            password_at: user.password_at,
            until: now.after(LIFE),
            tries: TRIES,
        };
        self.0.insert(token::hash(&secret), ticket);
        Ok(secret)
    }

    /// Whose it is and of which password, while it is good.
    pub(super) fn find(&self, secret: &str, now: UnixMillis) -> Option<(String, UnixMillis)> {
        let ticket = self.0.get(&token::hash(secret))?;
        let is_good = ticket.until > now && ticket.tries > 0;
        is_good.then(|| (ticket.user.clone(), ticket.password_at))
    }

    /// A code is about to be shown for it.
    pub(super) fn count(&mut self, secret: &str) {
        if let Some(ticket) = self.0.get_mut(&token::hash(secret)) {
            ticket.tries = ticket.tries.saturating_sub(1);
        }
    }

    pub(super) fn remove(&mut self, secret: &str) {
        self.0.remove(&token::hash(secret));
    }
}
