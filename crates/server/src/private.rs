//! Keeps numbers, names and addresses out of the log above DEBUG.
//!
//! `info!(from = %Private(&number))` prints a number's first digit and its length as stars, and an
//! address' network; with log level `debug` or `trace` everything is printed as it is. Credentials
//! are never given to the log at all, so they need no wrapper.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

static REVEAL: AtomicBool = AtomicBool::new(false);

/// Called where the log level is set: at DEBUG and below the wrapper is transparent.
pub(crate) fn reveal(all: bool) {
    REVEAL.store(all, Ordering::Relaxed);
}

/// A value of a person, masked in logs.
pub(crate) struct Private<T>(pub(crate) T);

impl fmt::Display for Private<&str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if REVEAL.load(Ordering::Relaxed) {
            return f.write_str(self.0);
        }
        f.write_str(&masked(self.0))
    }
}

impl fmt::Display for Private<SocketAddr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if REVEAL.load(Ordering::Relaxed) {
            return self.0.fmt(f);
        }
        f.write_str(&masked_address(self.0))
    }
}

/// `100` becomes `1**`: enough to follow a call beside its id, too little to know who it was.
fn masked(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().collect();
    first + &"*".repeat(characters.count())
}

/// The /16 or /32 of an address stays: it says which network, not which person.
fn masked_address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(it) => {
            let [a, b, ..] = it.octets();
            format!("{a}.{b}.*.*")
        }
        IpAddr::V6(it) => {
            let [a, b, ..] = it.segments();
            format!("[{a:x}:{b:x}:*]")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn masking_table() {
        let table = [
            ("", ""),
            ("1", "1"),
            ("100", "1**"),
            ("+8613800138000", "+*************"),
            ("李雷", "李*"),
        ];
        for (text, expected) in table {
            assert_eq!(masked(text), expected);
        }
        assert_eq!(masked_address("192.168.1.77:5060".parse().unwrap()), "192.168.*.*");
        assert_eq!(masked_address("[2001:db8::7]:5060".parse().unwrap()), "[2001:db8:*]");
    }
}
