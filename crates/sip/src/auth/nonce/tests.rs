//! Life and origin of nonces (RFC 7616 §5.4).

#![allow(clippy::unwrap_used)]

use super::*;

const NOW: u32 = 1_800_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn life_and_source() {
    let key = NonceKey::new(&[7; 32]);
    let home = ip("192.0.2.1");
    let nonce = key.issue(NOW, home, 42);
    assert_eq!(nonce.as_str().len(), 32);
    let table = [
        (NOW, "192.0.2.1", NonceState::Fresh),
        (NOW + LIFE_SECONDS, "192.0.2.1", NonceState::Fresh),
        (NOW + LIFE_SECONDS + 1, "192.0.2.1", NonceState::Stale),
        (NOW - 1, "192.0.2.1", NonceState::Stale),
        (NOW, "192.0.2.2", NonceState::Stale),
        (NOW, "2001:db8::1", NonceState::Stale),
        (NOW, "::ffff:192.0.2.1", NonceState::Fresh),
    ];
    for (now, source, expected) in table {
        assert_eq!(key.check(nonce.as_str(), now, ip(source)), expected, "{now} {source}");
    }
}

#[test]
fn what_is_not_ours_is_foreign() {
    let key = NonceKey::new(&[7; 32]);
    let home = ip("2001:db8::1");
    let nonce = key.issue(NOW, home, 42);
    let text = nonce.as_str();
    assert_eq!(NonceKey::new(&[8; 32]).check(text, NOW, home), NonceState::Foreign);
    for bad in ["", "n", &text[1..], &format!("{text}A"), &"=".repeat(32), &"\0".repeat(32)] {
        assert_eq!(key.check(bad, NOW, home), NonceState::Foreign, "{bad:?}");
    }
    // A change anywhere is noticed; in the proof of the source it makes the nonce stale.
    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8_lossy(&changed);
        let state = key.check(&changed, NOW, home);
        assert_ne!(state, NonceState::Fresh, "{at}");
        assert_eq!(state == NonceState::Foreign, at <= SOURCE_AT * 4 / 3, "{at}");
    }
}

#[test]
fn two_nonces_of_one_second_differ() {
    let key = NonceKey::new(&[7; 32]);
    let home = ip("192.0.2.1");
    assert_ne!(key.issue(NOW, home, 1), key.issue(NOW, home, 2));
}
