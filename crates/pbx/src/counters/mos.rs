//! How well a side of a call could be heard, as the E-model has it (ITU-T G.107): from what the relay measures, loss and
//! jitter. How long the way is nobody tells us, and whatever the codec is, it is taken for G.711.

/// Without any impairment of ours.
const RATING: f64 = 93.2;
/// How well G.711 with concealment bears single losses (G.113, appendix I). Unit: percent.
const ROBUSTNESS: f64 = 25.1;
/// What a millisecond of delay costs: more, once a conversation is disturbed by it.
const OF_DELAY: f64 = 0.024;
const OF_LONG_DELAY: f64 = 0.11;
const LONG_DELAY_MS: f64 = 177.3;

/// The mean opinion score of a side whose packets came, or did not. Unit: thousandths, of 1 (bad) to 5 (excellent).
pub(super) fn mos(received: u64, lost: u64, jitter_ms: u32) -> u64 {
    // Of thousandths: a share that a float holds without loss.
    let share = u128::from(lost) * 100_000 / u128::from(received.saturating_add(lost).max(1));
    let loss = f64::from(u32::try_from(share).unwrap_or(100_000)) / 1000.0;
    let of_loss = 95.0 * loss / (loss + ROBUSTNESS);
    // The buffer of whoever listens is as long as twice the jitter.
    let delay = 2.0 * f64::from(jitter_ms);
    let of_delay = OF_DELAY * delay + OF_LONG_DELAY * (delay - LONG_DELAY_MS).max(0.0);
    let rating = (RATING - of_loss - of_delay).clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    thousandths(score.clamp(1.0, 4.5))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 1 and 5")]
fn thousandths(score: f64) -> u64 {
    (score * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is what G.107 says of a rating of 93.2; the others were computed beside this from its formulas.
    #[test]
    fn mos_table() {
        #[rustfmt::skip]
        let table = [
            // received, lost,  jitter,   score
            (1000,       0,     0,        4409),
            (1000,       0,     20,       4390),
            (990,        10,    0,        4328),
            (950,        50,    10,       3903),
            (800,        200,   50,       2505),
            (1,          1,     0,        1607),
            (0,          1000,  0,        1177),
            (1,          0,     u32::MAX, 1000),
        ];
        for (received, lost, jitter, score) in table {
            assert_eq!(mos(received, lost, jitter), score, "{received} {lost} {jitter}");
        }
    }
}
