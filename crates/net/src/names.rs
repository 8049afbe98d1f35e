//! Names for the core (RFC 3263, architecture rule 8): a task that asks DNS, and the core's end of
//! it, which never waits.
//!
//! [`desk`] decides what is asked and told, [`system`] asks. Both run on the runtime; the core's
//! thread hands in names with [`Names::ask`] and [`Names::keep`] and takes news with
//! [`Names::poll`].

mod desk;
mod system;

pub use desk::{NEGATIVE_TTL, POSITIVE_TTL, STALE_MAX};

use desk::Desk;
use sip::locate::{Answer, Lack, Place, Question, Resolution};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use system::System;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::Wake;

/// Most names waiting to be looked at, and most news waiting for the core. A name beyond is not
/// asked for: whoever waits for it gives up in time.
pub const QUEUE: usize = 1024;

/// How often the files of the system are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The core's end. When it is dropped, the task ends.
pub struct Names {
    asked: mpsc::Sender<Place>,
    kept: watch::Sender<Arc<[Place]>>,
    news: mpsc::Receiver<(Place, Resolution)>,
    _task: JoinSet<()>,
}

impl Names {
    /// Starts the task. `servers` are those of DNS; none: those of the system.
    pub fn start(runtime: &Handle, servers: Vec<SocketAddr>, wake: Wake) -> Self {
        let (asked, asks) = mpsc::channel(QUEUE);
        let (kept, keeps) = watch::channel(Arc::from([]));
        let (to_core, news) = mpsc::channel(QUEUE);
        let seed = RandomState::new();
        let mut draws: u64 = 0;
        let dice = move || {
            draws += 1;
            // The low half of a keyed hash; as good as a draw for spreading in time.
            (seed.hash_one(draws) & u64::from(u32::MAX)).try_into().unwrap_or_default()
        };
        let task = Task {
            desk: Desk::new(Box::new(dice)),
            system: System::new(servers),
            lookups: JoinSet::new(),
            questions: BTreeMap::new(),
            unsent: VecDeque::new(),
            wake,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn_on(task.run(asks, keeps, to_core), runtime);
        Self { asked, kept, news, _task: tasks }
    }

    /// Looks a name up; the answer comes by [`Names::poll`].
    pub fn ask(&self, place: Place) {
        // A full queue is as good as a server that does not answer.
        let _ = self.asked.try_send(place);
    }

    /// Keeps these names fresh, and no others.
    pub fn keep(&self, places: Arc<[Place]>) {
        self.kept.send_replace(places);
    }

    /// The next news for the core, or `None` until the next wake-up.
    pub fn poll(&mut self) -> Option<(Place, Resolution)> {
        self.news.try_recv().ok()
    }
}

/// The task: all it does at once is to wait for the next thing to happen.
struct Task {
    desk: Desk,
    system: System,
    lookups: JoinSet<(Answer, Duration)>,
    /// What each of them asks.
    questions: BTreeMap<Id, Question>,
    /// News that the core has no room for yet.
    unsent: VecDeque<(Place, Resolution)>,
    wake: Wake,
}

impl Task {
    async fn run(
        mut self,
        mut asks: mpsc::Receiver<Place>,
        mut keeps: watch::Receiver<Arc<[Place]>>,
        to_core: mpsc::Sender<(Place, Resolution)>,
    ) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let due = self.desk.poll_timeout().map(Instant::from_std);
            tokio::select! {
                asked = asks.recv(), if self.unsent.len() < QUEUE => match asked {
                    Some(place) => self.desk.ask(place, now()),
                    // The core is gone.
                    None => return,
                },
                changed = keeps.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let places = Arc::clone(&keeps.borrow_and_update());
                    self.desk.keep(&places, now());
                }
                Some(done) = self.lookups.join_next_with_id() => match done {
                    Ok((id, (answer, ttl))) => self.answered(id, answer, ttl),
                    // It panicked or was cancelled: nobody answered.
                    Err(error) => {
                        self.answered(error.id(), Err(Lack::NoAnswer), Duration::ZERO);
                    }
                },
                () = sleep_until(due) => self.desk.handle_timeout(now()),
                permit = to_core.reserve(), if !self.unsent.is_empty() => {
                    let Ok(permit) = permit else { return };
                    if let Some(news) = self.unsent.pop_front() {
                        permit.send(news);
                        (self.wake)();
                    }
                }
                _ = look.tick() => self.system.look_again(),
            }
            while let Some(question) = self.desk.poll_question() {
                let lookup = self.system.lookup(question.clone());
                self.questions.insert(self.lookups.spawn(lookup).id(), question);
            }
            while let Some(news) = self.desk.poll_news() {
                self.unsent.push_back(news);
            }
        }
    }

    fn answered(&mut self, id: Id, answer: Answer, ttl: Duration) {
        if let Some(question) = self.questions.remove(&id) {
            self.desk.answered(&question, &answer, ttl, now());
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "this edge gives the desk its time")]
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests;
