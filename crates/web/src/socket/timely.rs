//! A body that comes in time. Whoever sends it drop by drop would keep a connection, and what waits for the body's end,
//! for as long as he likes.

use axum::BoxError;
use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// That a body may be behind. Unit: seconds.
const GRACE_S: u64 = 20;
/// The slowest that is waited for. Unit: octets a second.
const RATE: u64 = 1024;
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn timely<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    Body::new(Timely { body, clock: None, waited_s: 0, received: 0 })
}

struct Timely<B> {
    body: B,
    /// Runs from the first waiting on.
    clock: Option<Interval>,
    waited_s: u64,
    /// Unit: octets.
    received: u64,
}

impl<B> http_body::Body for Timely<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let octets = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref());
            let octets = octets.map_or(0, Bytes::len) as u64;
            this.received = this.received.saturating_add(octets);
            return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
        }
        let clock = this.clock.get_or_insert_with(|| {
            let mut clock = interval(SECOND);
            // Only waiting for the sender counts, not what is done with what he has sent.
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            clock
        });
        while clock.poll_tick(context).is_ready() {
            this.waited_s += 1;
            if this.waited_s > GRACE_S + this.received / RATE {
                let late = io::Error::new(io::ErrorKind::TimedOut, "the body is too slow");
                return Poll::Ready(Some(Err(late.into())));
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::body::to_bytes;
    use futures_util::stream;

    /// So many pieces of so many octets, with so many seconds before each.
    async fn sent(pieces: u32, octets: usize, wait_s: u64) -> bool {
        let all = stream::unfold(0, move |number| async move {
            let mut clock = interval(Duration::from_secs(wait_s));
            clock.tick().await;
            clock.tick().await;
            let piece = Ok::<_, io::Error>(Bytes::from(vec![0; octets]));
            (number < pieces).then_some((piece, number + 1))
        });
        let body = timely(Body::from_stream(all));
        to_bytes(body, usize::MAX).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_borne_and_a_drop_now_and_then_is_not() {
        #[rustfmt::skip]
        let table = [
            // pieces, octets, wait, taken
            (10,     100_000, 10,   true),
            (5,      1,       3,    true),
            (1000,   2_000,   1,    true),
            (1000,   1,       1,    false),
            (1000,   100,     1,    false),
            (1,      1,       60,   false),
        ];
        for (pieces, octets, wait_s, taken) in table {
            assert_eq!(sent(pieces, octets, wait_s).await, taken, "{pieces} {octets} {wait_s}");
        }
    }
}
