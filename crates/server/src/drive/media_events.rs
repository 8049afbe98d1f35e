//! Media events on their way to the core thread.
//!
//! Most are acknowledgements, and nobody waits for those: to wake the core for each would cost more
//! than the event does. After it gave commands, the core promises to look within [`LOOK`], and until
//! then only what is urgent wakes it.

use pbx::media::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use udp::Waker;

/// Events waiting for the core; the media threads keep what does not fit.
const EVENTS_MAX: usize = 4096;
/// How soon the core looks for acknowledgements.
const LOOK: Duration = Duration::from_millis(10);

/// Gives an event back where the core is behind.
pub(crate) type MediaSink = Box<dyn Fn(Event) -> Result<(), Event> + Send + Sync>;

/// The core's end.
pub(crate) struct MediaEvents {
    events: Receiver<Event>,
    promised: Arc<AtomicBool>,
    look_at: Option<Instant>,
}

/// What the media threads call with their events, and where those arrive.
pub(crate) fn media_events(waker: Waker) -> (MediaSink, MediaEvents) {
    let (sender, events): (SyncSender<Event>, _) = sync_channel(EVENTS_MAX);
    let promised = Arc::new(AtomicBool::new(false));
    let is_promised = Arc::clone(&promised);
    let sink = move |event| {
        let urgent = is_urgent(&event);
        let put = sender.try_send(event).map_err(|error| match error {
            TrySendError::Full(event) | TrySendError::Disconnected(event) => event,
        });
        // After the event is in: the core takes its promise back before it looks for the last time.
        if urgent || put.is_err() || !is_promised.load(Ordering::SeqCst) {
            waker.wake();
        }
        put
    };
    (Box::new(sink), MediaEvents { events, promised, look_at: None })
}

impl MediaEvents {
    /// Commands were given whose acknowledgements will come.
    pub(super) fn promise(&mut self, now: Instant) {
        if self.look_at.is_none() {
            self.look_at = Some(now + LOOK);
            self.promised.store(true, Ordering::SeqCst);
        }
    }

    /// When the promise is due.
    pub(super) fn timeout(&self, now: Instant) -> Option<Duration> {
        self.look_at.map(|at| at.saturating_duration_since(now))
    }

    /// Keeps the promise, where it is due: call it before [`MediaEvents::take`].
    pub(super) fn look(&mut self, now: Instant) {
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.promised.store(false, Ordering::SeqCst);
        }
    }

    pub(super) fn take(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

fn is_urgent(event: &Event) -> bool {
    match event {
        Event::Failed { .. } | Event::Silent { .. } | Event::PortsReady { .. } => true,
        Event::Configured { .. }
        | Event::Closed { .. }
        | Event::Progress { .. }
        | Event::Latched { .. } => false,
    }
}
