//! How long somebody waits who tries passwords: the more often, the longer, for his address and for the account.
//!
//! Every attempt counts before it is judged, so that a thousand at once are no better than one after the other; a right
//! password takes the count away.

use pbx::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Attempts that cost no waiting.
const FREE: u32 = 3;
/// Codes of a second factor that whoever is trusted may mistype before he waits too: a million of them are soon tried, and
/// the password is known then.
const FREE_CODES: u32 = 10;
/// The first waiting; each further attempt doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// An account belongs to somebody who would like in, and so does an address from which somebody was let in: this is all
/// that others can do to him.
const ACCOUNT_MAX: Duration = Duration::from_secs(30);
const ADDRESS_MAX: Duration = Duration::from_secs(15 * 60);
/// Without an attempt for so long, everything is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// Addresses and accounts that are remembered; the one unused for longest goes.
const ENTRIES_MAX: usize = 10_000;
/// Addresses from which an account was let in; they do not wait for what others try with it.
const KNOWN_MAX: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Address(IpAddr),
    Account(String),
    /// Of an account, by those who are trusted.
    Code(String),
    /// Of an address, by programs with keys: one whose key was revoked goes on asking, and keeps nobody from signing in.
    Program(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    last: UnixMillis,
}

#[derive(Debug, Default)]
pub(super) struct Throttle {
    tries: BTreeMap<Key, Tries>,
    known: BTreeSet<(String, IpAddr)>,
}

impl Throttle {
    /// Counts an attempt, or says how long to wait before the next.
    pub(super) fn attempt(
        &mut self,
        address: Option<IpAddr>,
        account: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), Duration> {
        self.count(self.keys(address, account), now)
    }

    /// The same for a code by somebody who is trusted: only codes, and only those of the like of him, make him wait.
    pub(super) fn attempt_code(&mut self, account: &str, now: UnixMillis) -> Result<(), Duration> {
        self.count(vec![Key::Code(account.to_lowercase())], now)
    }

    /// The same for the key of a program.
    pub(super) fn attempt_key(
        &mut self,
        address: Option<IpAddr>,
        now: UnixMillis,
    ) -> Result<(), Duration> {
        self.count(address.map(Key::Program).into_iter().collect(), now)
    }

    fn count(&mut self, keys: Vec<Key>, now: UnixMillis) -> Result<(), Duration> {
        let waits = keys.iter().filter_map(|it| self.wait(it, now)).max();
        if let Some(wait) = waits {
            return Err(wait);
        }
        for key in keys {
            self.make_room(now);
            let tries = self.tries.entry(key).or_insert(Tries { count: 0, last: now });
            let is_old = now.since(tries.last) >= FORGOTTEN_AFTER;
            tries.count = if is_old { 1 } else { tries.count.saturating_add(1) };
            tries.last = now;
        }
        Ok(())
    }

    /// The attempt was right.
    pub(super) fn succeeded(&mut self, address: Option<IpAddr>, account: Option<&str>) {
        let code = account.map(|it| Key::Code(it.to_lowercase()));
        for key in self.keys(address, account).into_iter().chain(code) {
            self.tries.remove(&key);
        }
        if let (Some(address), Some(account)) = (address, account) {
            if self.known.len() >= KNOWN_MAX {
                self.known.pop_first();
            }
            self.known.insert((account.to_lowercase(), address));
        }
    }

    fn keys(&self, address: Option<IpAddr>, account: Option<&str>) -> Vec<Key> {
        let account = account.map(str::to_lowercase);
        let is_known = |account: &String| {
            address.is_some_and(|it| self.known.contains(&(account.clone(), it)))
        };
        let account = account.filter(|it| !is_known(it)).map(Key::Account);
        address.map(Key::Address).into_iter().chain(account).collect()
    }

    fn wait(&self, key: &Key, now: UnixMillis) -> Option<Duration> {
        let tries = self.tries.get(key)?;
        let (free, longest) = match key {
            Key::Address(it) if self.is_known(it) => (FREE, ACCOUNT_MAX),
            Key::Address(_) | Key::Program(_) => (FREE, ADDRESS_MAX),
            Key::Account(_) => (FREE, ACCOUNT_MAX),
            Key::Code(_) => (FREE_CODES, ACCOUNT_MAX),
        };
        let doublings = tries.count.checked_sub(free)?.min(31);
        let all = FIRST.saturating_mul(1 << doublings).min(longest);
        // A clock that was set back shall not make it longer.
        all.checked_sub(now.since(tries.last)).filter(|it| !it.is_zero())
    }

    /// Somebody was let in from there.
    fn is_known(&self, address: &IpAddr) -> bool {
        self.known.iter().any(|it| it.1 == *address)
    }

    fn make_room(&mut self, now: UnixMillis) {
        if self.tries.len() < ENTRIES_MAX {
            return;
        }
        self.tries.retain(|_, it| now.since(it.last) < FORGOTTEN_AFTER);
        if self.tries.len() >= ENTRIES_MAX {
            let oldest =
                self.tries.iter().min_by_key(|(_, it)| it.last).map(|(key, _)| key.clone());
            oldest.map(|it| self.tries.remove(&it));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis(1_700_000_000_000 + 1000 * seconds)
    }

    #[test]
    fn the_waiting_grows_to_its_limit() {
        let mut throttle = Throttle::default();
        let mut now = 0;
        let mut waits = vec![];
        for _ in 0..20 {
            assert_eq!(throttle.attempt(HERE, None, at(now)), Ok(()));
            let wait = throttle.attempt(HERE, None, at(now)).err().map_or(0, |it| it.as_secs());
            // One without waiting was counted by the second question.
            waits.push(wait);
            now += wait;
        }
        assert_eq!(&waits[..6], [0, 1, 2, 4, 8, 16]);
        assert_eq!(waits.last(), Some(&ADDRESS_MAX.as_secs()));
    }

    #[test]
    fn a_right_password_takes_it_away() {
        let mut throttle = Throttle::default();
        for _ in 0..3 {
            assert_eq!(throttle.attempt(HERE, Some("Ann"), at(0)), Ok(()));
        }
        assert_eq!(throttle.attempt(HERE, Some("ann"), at(0)), Err(FIRST));
        assert_eq!(throttle.attempt(HERE, Some("ann"), at(1)), Ok(()));
        throttle.succeeded(HERE, Some("ann"));
        assert_eq!(throttle.attempt(HERE, Some("ann"), at(1)), Ok(()));
    }

    #[test]
    fn an_account_that_others_try_stays_open_where_it_was_let_in() {
        let mut throttle = Throttle::default();
        throttle.succeeded(HERE, Some("ann"));
        for seconds in 0..1000 {
            let _ = throttle.attempt(THERE, Some("ann"), at(seconds));
        }
        assert!(throttle.attempt(THERE, Some("ann"), at(1000)).is_err());
        assert_eq!(throttle.attempt(HERE, Some("ann"), at(1000)), Ok(()));
    }

    /// Behind one router are the administrator and whoever types wrong passwords, or a program with an old key.
    #[test]
    fn an_address_that_others_share_is_not_closed_to_who_was_let_in() {
        let mut throttle = Throttle::default();
        throttle.succeeded(HERE, Some("ann"));
        let mut now = 0;
        for _ in 0..20 {
            let _ = throttle.attempt(HERE, Some("bob"), at(now));
            now += ACCOUNT_MAX.as_secs();
        }
        let _ = throttle.attempt(HERE, Some("bob"), at(now));
        let waits = throttle.attempt(HERE, Some("ann"), at(now));
        assert!(waits.is_err_and(|it| it <= ACCOUNT_MAX), "{waits:?}");

        let mut throttle = Throttle::default();
        while throttle.attempt_key(HERE, at(0)).is_ok() {}
        assert_eq!(throttle.attempt(HERE, Some("ann"), at(0)), Ok(()));
    }

    #[test]
    fn it_forgets_and_is_bounded() {
        let mut throttle = Throttle::default();
        for _ in 0..3 {
            assert_eq!(throttle.attempt(HERE, None, at(0)), Ok(()));
        }
        let later = FORGOTTEN_AFTER.as_secs();
        for _ in 0..3 {
            assert_eq!(throttle.attempt(HERE, None, at(later)), Ok(()));
        }
        for number in 0..ENTRIES_MAX + 10 {
            let _ = throttle.attempt(None, Some(&number.to_string()), at(later));
        }
        assert_eq!(throttle.tries.len(), ENTRIES_MAX);
    }
}
