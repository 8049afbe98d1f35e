//! A connection whose other side takes what it asked for. Whoever asks for much and reads nothing would keep a
//! connection, and the answer, for as long as he likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, interval};

/// That nothing at all is taken for so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Patient<S> {
    stream: S,
    /// Runs while nothing is taken.
    clock: Option<Interval>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, clock: None }
    }

    /// Some of it was taken, or the time for it runs.
    fn waited<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.clock = None;
            return done;
        }
        let clock = self.clock.get_or_insert_with(|| {
            let mut clock = interval(PATIENCE);
            // Not at once.
            clock.reset();
            clock
        });
        match clock.poll_tick(context) {
            Poll::Ready(_) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, "the answer is not taken");
                Poll::Ready(Err(late))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.waited(done, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = Pin::new(&mut this.stream).poll_flush(context);
        this.waited(done, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = Pin::new(&mut this.stream).poll_shutdown(context);
        this.waited(done, context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_loses_the_connection() {
        let (mut taker, giver) = duplex(1000);
        let mut giver = Patient::new(giver);
        let refused = giver.write_all(&[0; 10_000]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        assert_eq!(taker.read(&mut [0; 10_000]).await.unwrap(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_is_borne() {
        let (mut taker, giver) = duplex(1000);
        let taking = async {
            let mut clock = interval(PATIENCE - Duration::from_secs(1));
            let mut taken = 0;
            while taken < 10_000 {
                clock.tick().await;
                taken += taker.read(&mut [0; 1000]).await.unwrap();
            }
        };
        let mut giver = Patient::new(giver);
        let (given, ()) = tokio::join!(giver.write_all(&[0; 10_000]), taking);
        given.unwrap();
    }
}
