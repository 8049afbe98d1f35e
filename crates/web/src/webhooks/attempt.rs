//! What becomes of a delivery after an attempt: done, tried again later, or given up.

use pbx::language::Text;
use pbx::text;
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
pub(super) type Outcome = Result<u16, Trouble>;

/// Why there is no answer, with what the system says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The name leads nowhere, or where nothing is sent to.
    Name(String),
    /// Nobody takes the connection.
    Connection(String),
    /// It is not who it should be, or speaks no TLS.
    Tls(String),
    /// The connection ended, or what came over it is no HTTP.
    Broken(String),
    Silent,
}

impl Trouble {
    /// As it is stored; [`told`] makes a sentence of it.
    fn stored(self) -> String {
        match self {
            Self::Name(what) => format!("{NAME}: {what}"),
            Self::Connection(what) => format!("{CONNECTION}: {what}"),
            Self::Tls(what) => format!("{TLS}: {what}"),
            Self::Broken(what) => format!("{BROKEN}: {what}"),
            Self::Silent => SILENT.to_owned(),
        }
    }
}

const NAME: &str = "name";
const CONNECTION: &str = "connection";
const TLS: &str = "TLS";
const BROKEN: &str = "broken";
const SILENT: &str = "no answer in time";

/// For people. What an older version stored, and what the system says, stays as it is.
pub(super) fn told(stored: &str) -> Text {
    let (kind, what) = stored.split_once(": ").unwrap_or((stored, ""));
    match kind {
        NAME => text!("the host is not found: {what}", "找不到主机：{what}"),
        CONNECTION => text!("nobody takes the connection: {what}", "无法连接：{what}"),
        TLS => text!("TLS failed: {what}", "TLS失败：{what}"),
        BROKEN => text!("the connection broke: {what}", "连接中断：{what}"),
        SILENT => text!("no answer in time", "对方未在规定时间内应答"),
        _ => Text::same(stored.to_owned()),
    }
}

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
        Err(trouble) => (None, Some(trouble.stored())),
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
    fn trouble_is_told_in_both_languages() {
        let what = || "x: y".to_owned();
        for trouble in [
            Trouble::Name(what()),
            Trouble::Connection(what()),
            Trouble::Tls(what()),
            Trouble::Broken(what()),
            Trouble::Silent,
        ] {
            let silent = trouble == Trouble::Silent;
            let said = told(&trouble.stored());
            assert!(silent || (said.en.ends_with("x: y") && said.zh.ends_with("x: y")), "{said:?}");
            assert!(!said.zh.is_ascii(), "{said:?}");
        }
        assert_eq!(
            told("Connection refused (os error 111)").zh,
            "Connection refused (os error 111)"
        );
    }

    #[test]
    fn attempts_table() {
        use DeliveryState::{Delivered, Parked, Waiting};
        let now = UnixMillis(1_000);
        let refused = || Err(Trouble::Connection("refused".to_owned()));
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
