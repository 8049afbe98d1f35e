//! What becomes of a delivery after an attempt: done, tried again later, or given up.

use pbx::time::UnixMillis;
use std::time::Duration;
use store::db::{Delivery, DeliveryState};

/// How long after a failed attempt the next one is made; after the last of them it is given up.
const RETRIES: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(5 * 60 * 60),
    Duration::from_secs(10 * 60 * 60),
];
/// The endpoint is gone for good (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// What an attempt brought: the status of the answer, or why there is none.
pub(super) type Outcome = Result<u16, String>;

/// The delivery after one more attempt, and whether its endpoint wants nothing more.
pub(super) fn after(it: Delivery, outcome: Outcome, now: UnixMillis) -> (Delivery, bool) {
    let attempts = it.attempts.saturating_add(1);
    let retry = usize::try_from(attempts - 1).ok().and_then(|it| RETRIES.get(it));
    let is_gone = outcome == Ok(GONE);
    let (state, next_at) = match (&outcome, retry) {
        (Ok(200..300), _) => (DeliveryState::Delivered, now),
        (_, Some(wait)) if !is_gone => (DeliveryState::Waiting, now.after(*wait)),
        (_, _) => (DeliveryState::Parked, now),
    };
    let (status, error) = match outcome {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    (Delivery { state, attempts, next_at, status, error, tried_at: Some(now), ..it }, is_gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(attempts: u32) -> Delivery {
        Delivery {
            id: 1,
            webhook: "w".to_owned(),
            event: "1-1".to_owned(),
            kind: "call.ended".to_owned(),
            body: "{}".to_owned(),
            state: DeliveryState::Waiting,
            attempts,
            next_at: UnixMillis(0),
            status: None,
            error: None,
            created_at: UnixMillis(0),
            tried_at: None,
        }
    }

    #[test]
    fn attempts_table() {
        use DeliveryState::{Delivered, Parked, Waiting};
        let now = UnixMillis(1_000);
        let refused = || Err("refused".to_owned());
        #[rustfmt::skip]
        let table = [
            // before  outcome    state      next, s  gone
            (0,        Ok(204),   Delivered, 0,       false),
            (6,        Ok(200),   Delivered, 0,       false),
            (0,        Ok(500),   Waiting,   5,       false),
            (0,        Ok(302),   Waiting,   5,       false),
            (1,        refused(), Waiting,   300,     false),
            (2,        refused(), Waiting,   1800,    false),
            (3,        refused(), Waiting,   7200,    false),
            (4,        refused(), Waiting,   18_000,  false),
            (5,        refused(), Waiting,   36_000,  false),
            (6,        refused(), Parked,    0,       false),
            (0,        Ok(410),   Parked,    0,       true),
        ];
        for (attempts, outcome, state, seconds, gone) in table {
            let (it, is_gone) = after(waiting(attempts), outcome.clone(), now);
            let expected = (state, now.after(Duration::from_secs(seconds)), attempts + 1, gone);
            assert_eq!((it.state, it.next_at, it.attempts, is_gone), expected, "{outcome:?}");
            assert_eq!((it.status, it.error.is_some()), (outcome.clone().ok(), outcome.is_err()));
        }
    }
}
