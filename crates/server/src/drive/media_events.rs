//! Media events on their way to the core thread.
//!
//! Most are acknowledgements, and nobody waits for those: to wake the core for each would cost more
//! than the event does. After it gave commands, the core promises to look within [`LOOK`], and until
//! then only what is urgent wakes it. Ports are, where the core has asked for them.

use pbx::media::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use udp::Waker;

/// Events waiting for the core; the media threads keep what does not fit.
const EVENTS_MAX: usize = 4096;
/// How soon the core looks for acknowledgements: a little later than the media threads, which look
/// for commands every 20 ms, give them.
const LOOK: Duration = Duration::from_millis(50);

/// Gives an event back where the core is behind.
pub(crate) type MediaSink = Box<dyn Fn(Event) -> Result<(), Event> + Send + Sync>;

/// The core's end.
pub(crate) struct MediaEvents {
    events: Receiver<Event>,
    promised: Arc<AtomicBool>,
    look_at: Option<Instant>,
    /// Ports were asked for: whatever comes is to wake the core.
    awaits_ports: bool,
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
    (Box::new(sink), MediaEvents { events, promised, look_at: None, awaits_ports: false })
}

impl MediaEvents {
    /// Commands were given whose acknowledgements will come.
    pub(super) fn promise(&mut self, now: Instant) {
        if self.look_at.is_none() && !self.awaits_ports {
            self.look_at = Some(now + LOOK);
            self.promised.store(true, Ordering::SeqCst);
        }
    }

    /// Calls may soon lack ports: nothing may wait until they are here.
    pub(super) fn await_ports(&mut self) {
        self.awaits_ports = true;
        self.look_at = None;
        self.promised.store(false, Ordering::SeqCst);
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

    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        self.awaits_ports &= !matches!(event, Event::PortsReady { .. });
        Some(event)
    }
}

fn is_urgent(event: &Event) -> bool {
    match event {
        Event::Failed { .. } | Event::Silent { .. } => true,
        Event::PortsReady { .. }
        | Event::Configured { .. }
        | Event::Closed { .. }
        | Event::Progress { .. }
        | Event::Latched { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::id::CallId;
    use udp::{Events, Poller};

    fn acknowledged() -> Event {
        Event::Configured { call: CallId(uuid::Uuid::nil()), revision: 1 }
    }

    #[test]
    fn an_acknowledgement_wakes_nobody_who_looks_soon() {
        let poller = Poller::new().unwrap();
        let (sink, mut events) = media_events(poller.waker(1).unwrap());
        let mut ready = Events::new(1);
        let mut wakes = |events: &mut MediaEvents, event: Event| {
            sink(event).unwrap();
            poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
            assert!(events.take().is_some());
            ready.iter().count() > 0
        };
        let ports = || Event::PortsReady { pairs: vec![] };
        let start = crate::clock::now().instant;
        assert!(wakes(&mut events, acknowledged()), "nothing was promised");
        events.promise(start);
        assert!(!wakes(&mut events, acknowledged()));
        assert!(!wakes(&mut events, ports()));
        let failed =
            Event::Failed { call: CallId(uuid::Uuid::nil()), reason: "no port".to_owned() };
        assert!(wakes(&mut events, failed));
        assert_eq!(events.timeout(start), Some(LOOK));
        events.look(start + LOOK);
        assert!(wakes(&mut events, acknowledged()), "the promise was kept");

        events.promise(start);
        events.await_ports();
        events.promise(start);
        assert!(wakes(&mut events, ports()), "they were asked for");
        events.promise(start);
        assert!(!wakes(&mut events, ports()));
    }
}
