//! Whether the loop rests before it looks for input again.
//!
//! A message with a turn of its own costs a wake-up, a wait, a receive, a write of the journal and a
//! send, in caches that others have filled meanwhile. Messages that come in a stream share them:
//! - Registrations may wait long, and no phone notices: it sends again after 500 ms (T1, RFC 3261 §17.1.2.2). So
//!   may what keeps a way through NAT open (CRLF, RFC 5626 §3.5.1; zero octets).
//! - What comes over connections may wait as long as it is on its way in any network; its sender does not
//!   send again at all.
//! - Whoever calls over UDP would notice, so it does not rest while that comes; only the message that ends
//!   such a quiet may wait, for as long as one rest.

use pbx::core::is_keep_alive;
use sip::Transport;
use std::time::{Duration, Instant};

/// How long it rests in a stream of REGISTERs, and so the longest that anything waits for it.
const REST: Duration = Duration::from_millis(25);
/// In a dense one, where enough come meanwhile.
pub(super) const REST_DENSE: Duration = Duration::from_millis(10);
/// In a dense one of anything that comes over connections.
const REST_CONNECTIONS: Duration = Duration::from_millis(1);
/// So many messages within a window are a stream, 40 a second; and a dense one, 1,000.
const WINDOW: Duration = Duration::from_millis(250);
const STREAM: u32 = 10;
const DENSE: u32 = 250;
/// It does not rest until so long after what cannot wait.
const QUIET: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Rest {
    /// What has come since the last rest was decided.
    came: u32,
    /// Of it, whether anything that cannot wait so long came over connections, and over UDP.
    over_connection: bool,
    over_udp: bool,
    /// When the window under way began, what it has seen, and what the one before saw.
    since: Option<Instant>,
    counted: u32,
    lately: u32,
    /// When any such came last, over connections and over UDP.
    connections_at: Option<Instant>,
    udp_at: Option<Instant>,
}

impl Rest {
    /// A message has come.
    pub(super) fn came(&mut self, transport: Transport, message: &[u8]) {
        self.came += 1;
        let can_wait = message.starts_with(b"REGISTER ") || is_keep_alive(message);
        if !can_wait {
            self.over_udp |= !transport.is_reliable();
            self.over_connection |= transport.is_reliable();
        }
    }

    /// How long to rest after a turn that began then.
    pub(super) fn after(&mut self, now: Instant) -> Duration {
        if std::mem::take(&mut self.over_udp) {
            self.udp_at = Some(now);
        }
        if std::mem::take(&mut self.over_connection) {
            self.connections_at = Some(now);
        }
        let came = std::mem::take(&mut self.came);
        if came == 0 {
            return Duration::ZERO;
        }
        self.count(came, now);
        let within =
            |it: Option<Instant>| it.is_some_and(|it| now.saturating_duration_since(it) < QUIET);
        match self.lately {
            _ if within(self.udp_at) => Duration::ZERO,
            DENSE.. if within(self.connections_at) => REST_CONNECTIONS,
            _ if within(self.connections_at) => Duration::ZERO,
            DENSE.. => REST_DENSE,
            STREAM.. => REST,
            _ => Duration::ZERO,
        }
    }

    fn count(&mut self, came: u32, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age >= WINDOW {
            // What came so long ago says nothing of what comes.
            self.lately = if age < 2 * WINDOW { self.counted } else { 0 };
            (self.since, self.counted) = (Some(now), 0);
        }
        self.counted = self.counted.saturating_add(came);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Transport::{Tcp, Udp};

    type Message = (Transport, &'static str);

    /// So many turns, so far apart, that take so many of these messages each: the last rest.
    fn turns(
        rest: &mut Rest,
        at: &mut Instant,
        turns: u32,
        apart_us: u64,
        came: &[Message],
    ) -> Duration {
        let mut last = Duration::ZERO;
        for _ in 0..turns {
            *at += Duration::from_micros(apart_us);
            came.iter().for_each(|(over, it)| rest.came(*over, it.as_bytes()));
            last = rest.after(*at);
        }
        last
    }

    #[test]
    fn it_rests_in_streams_of_what_can_wait() {
        const R: Message = (Udp, "REGISTER sip:");
        const I: Message = (Udp, "INVITE sip:");
        const NAT: Message = (Udp, "\r\n\r\n");
        const ZEROS: Message = (Udp, "\0\0\0\0");
        const OK: Message = (Udp, "SIP/2.0 200 OK");
        const CI: Message = (Tcp, "INVITE sip:");
        const CR: Message = (Tcp, "REGISTER sip:");
        #[rustfmt::skip]
        let rows: [(&str, u32, u64, &[Message], Duration); 18] = [
            ("a phone is challenged",                    2,   1_000, &[R],          Duration::ZERO),
            ("a small office comes back",               20, 100_000, &[R],          Duration::ZERO),
            ("10,000 phones register every 300 s",      50,  15_000, &[R],          REST),
            ("the rests gather them",                   50,  40_000, &[R, R, R],    REST),
            ("and their CRLF through NAT",             100,   3_000, &[R, NAT],     REST),
            ("or other keep-alives",                   100,   3_000, &[R, ZEROS],   REST),
            ("400 a second",                           200,  25_000, &[R; 10],      REST),
            ("after a power cut",                     2000,     800, &[R],          REST_DENSE),
            ("the rests gather them",                   80,  10_000, &[R; 16],      REST_DENSE),
            ("somebody calls meanwhile",                 1,   5_000, &[R, R, I],    Duration::ZERO),
            ("and is answered",                         10,   5_000, &[R, R, OK],   Duration::ZERO),
            ("then they are alone again",              100,   5_000, &[R, R, CR],   REST),
            ("somebody calls over a connection",         1,   5_000, &[R, CI],      Duration::ZERO),
            ("and over one in a dense stream",         1000,     500, &[R, CI],      REST_CONNECTIONS),
            ("50 calls a second over connections",     500,   2_500, &[CI],         Duration::ZERO),
            ("400 calls a second over connections",   2000,     300, &[CI],         REST_CONNECTIONS),
            ("and somebody calls over UDP",            400,     300, &[CI, I],      Duration::ZERO),
            ("1,600 calls a second over UDP",         8000,      70, &[I],          Duration::ZERO),
        ];
        let (mut rest, mut at) = (Rest::default(), crate::clock::now().instant);
        for (what, count, apart_us, came, expected) in rows {
            assert_eq!(turns(&mut rest, &mut at, count, apart_us, came), expected, "{what}");
        }
        assert_eq!(rest.after(at), Duration::ZERO, "a turn in which nothing came");
        at += Duration::from_secs(1);
        assert_eq!(turns(&mut rest, &mut at, 1, 0, &[R]), Duration::ZERO, "a second later");
    }
}
