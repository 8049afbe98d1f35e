//! The codes themselves (TOTP, RFC 6238): pure, of a secret and the time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use pbx::time::UnixMillis;
use sha1::Sha1;

/// How long a code is shown (RFC 6238 §5.2). Unit: milliseconds.
const STEP_MS: u64 = 30_000;
/// One more than the largest code: what every phone shows are six digits.
const CODES: u32 = 1_000_000;
/// How far the clock of a phone may be from ours. Unit: steps.
const SKEW: u64 = 1;

/// The step, later than `after`, whose code this is.
pub(super) fn step_of(secret: &[u8], code: u32, now: UnixMillis, after: u64) -> Option<u64> {
    let present = now.0 / STEP_MS;
    let steps = present.saturating_sub(SKEW)..=present.saturating_add(SKEW);
    steps.filter(|it| *it > after).find(|it| at(secret, *it) == Some(code))
}

/// The code of the present, for tests that hold the phone.
#[cfg(test)]
pub(crate) fn present(secret: &[u8], now: UnixMillis) -> String {
    format!("{:06}", at(secret, now.0 / STEP_MS).unwrap_or_default())
}

/// HOTP (RFC 4226 §5.3) of a step. HMAC takes keys of any length.
fn at(secret: &[u8], step: u64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0xf);
    let four: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(four) & 0x7fff_ffff) % CODES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B, the last six of its eight digits.
    const VECTORS: [(u64, u32); 6] = [
        (59, 287_082),
        (1_111_111_109, 81_804),
        (1_111_111_111, 50_471),
        (1_234_567_890, 5_924),
        (2_000_000_000, 279_037),
        (20_000_000_000, 353_130),
    ];

    #[test]
    fn the_vectors_of_the_rfc() {
        for (seconds, code) in VECTORS {
            assert_eq!(at(SECRET, seconds / 30), Some(code), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_a_step_early_and_late_but_never_again() {
        let step = 1_111_111_109_u64 / 30;
        #[rustfmt::skip]
        let table = [
            // steps from its own, newest step taken, accepted
            (0,  0,        true),
            (1,  0,        true),
            (-1, 0,        true),
            (2,  0,        false),
            (-2, 0,        false),
            (0,  step - 1, true),
            (0,  step,     false),
            (1,  step + 1, false),
        ];
        for (off, after, accepted) in table {
            let now = UnixMillis((step.saturating_add_signed(off)) * STEP_MS + 7);
            let found = step_of(SECRET, 81_804, now, after);
            assert_eq!(found, accepted.then_some(step), "{off} {after}");
        }
        assert_eq!(step_of(SECRET, 81_805, UnixMillis(step * STEP_MS), 0), None);
    }
}
