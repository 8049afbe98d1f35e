//! Media events on their way to the core thread.
//!
//! Most are acknowledgements, and nobody waits for those: to wake the core for each would cost more
//! than the event does. After it gave commands, the core promises to look within [`LOOK`], and until
//! then only what is urgent wakes it. Where ports run short, everything is.

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
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// With fewer free port pairs, the next calls may lack some before the core looks.
pub(super) const PLENTY: u64 = 64;

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
        let urgency = urgency(&event);
        let put = sender.try_send(event).map_err(|error| match error {
            TrySendError::Full(event) | TrySendError::Disconnected(event) => event,
        });
        let wakes = match urgency {
            Urgency::Now => true,
            // After the event is in: the core takes its promise back before it looks for the last
            // time.
            Urgency::Soon => !is_promised.load(Ordering::SeqCst),
            Urgency::Whenever => false,
        };
        if wakes || put.is_err() {
            waker.wake();
        }
        put
    };
    (Box::new(sink), MediaEvents { events, promised, look_at: None })
}

impl MediaEvents {
    /// Commands were given whose acknowledgements will come, while so many ports are free.
    pub(super) fn promise(&mut self, free_ports: u64, now: Instant) {
        if free_ports < PLENTY {
            self.look_at = None;
            self.promised.store(false, Ordering::SeqCst);
        } else if self.look_at.is_none() {
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

/// How soon the core is to hear of an event.
enum Urgency {
    Now,
    /// Within [`LOOK`].
    Soon,
    /// With its next turn: it takes one a second at least.
    Whenever,
}

fn urgency(event: &Event) -> Urgency {
    match event {
        Event::Failed { .. } | Event::Silent { .. } | Event::Pressed { .. } => Urgency::Now,
        Event::PortsReady { .. } | Event::Configured { .. } | Event::Closed { .. } => Urgency::Soon,
        Event::Progress { .. } | Event::Latched { .. } => Urgency::Whenever,
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
        let mut wakes = |events: &MediaEvents, event: Event| {
            sink(event).unwrap();
            poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
            assert!(events.take().is_some());
            ready.iter().count() > 0
        };
        let ports = || Event::PortsReady { pairs: vec![] };
        let start = crate::clock::now().instant;
        assert!(wakes(&events, acknowledged()), "nothing was promised");
        events.promise(PLENTY, start);
        assert!(!wakes(&events, acknowledged()));
        assert!(!wakes(&events, ports()));
        let failed =
            Event::Failed { call: CallId(uuid::Uuid::nil()), reason: "no port".to_owned() };
        assert!(wakes(&events, failed));
        assert_eq!(events.timeout(start), Some(LOOK));
        events.look(start + LOOK);
        assert!(wakes(&events, acknowledged()), "the promise was kept");

        let figures = Event::Progress { call: CallId(uuid::Uuid::nil()), figures: vec![] };
        assert!(!wakes(&events, figures), "nobody waits for them");

        events.promise(PLENTY, start);
        events.promise(PLENTY - 1, start);
        assert!(wakes(&events, ports()), "they run short");
        assert_eq!(events.timeout(start), None);
        events.promise(PLENTY, start);
        assert!(!wakes(&events, ports()));
    }
}
