//! The task that serves the endpoints. One half writes down what is to be sent to whom, the other sends it and writes
//! down what came of it; so what was written down is sent also after a restart.

use super::attempt::{Outcome, after};
use super::send::{attempt, is_tls};
use super::trust::Trust;
use crate::Office;
use crate::events::{Batch, Kinds, Position, lost};
use crate::resource::Failure;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use std::collections::BTreeSet;
use std::time::Duration;
use store::db::{Delivery, NewDelivery, Webhook};
use tokio::task::JoinSet;

/// Attempts at a time of one endpoint: a slow one keeps no other waiting.
const ATTEMPTS_MAX: u32 = 4;
/// How long to wait where the database fails, and at most for anything.
const PAUSE: Duration = Duration::from_secs(10);

/// Serves the endpoints until it is dropped.
pub async fn run(office: Office) {
    tokio::join!(again(&office, collect), again(&office, deliver));
}

/// Runs one half, and again after a while where the database failed.
async fn again(office: &Office, half: impl AsyncFn(&Office) -> Result<(), Failure>) {
    loop {
        if let Err(failure) = half(office).await {
            tracing::warn!(reason = failure.detail_en, "webhooks wait");
            let mut changed = office.webhooks.changed();
            let _ = tokio::time::timeout(PAUSE, changed.changed()).await;
        }
    }
}

async fn in_use(office: &Office) -> Result<Vec<Webhook>, Failure> {
    let mut hooks = office.db.webhooks(TenantId::default()).await?;
    hooks.retain(|it| it.enabled);
    Ok(hooks)
}

/// Writes down which events go where. While there are no endpoints, nobody reads.
async fn collect(office: &Office) -> Result<(), Failure> {
    let mut changed = office.webhooks.changed();
    let mut place: Option<Position> = None;
    loop {
        changed.mark_unchanged();
        let hooks = in_use(office).await?;
        if hooks.is_empty() {
            place = None;
            let _ = changed.changed().await;
            continue;
        }
        let events = office.running.events();
        let from = *place.get_or_insert_with(|| events.position());
        let Some(mut reader) = events.read(Some(from), Kinds::ALL) else {
            return Err(crate::events::too_many());
        };
        while !changed.has_changed().unwrap_or(true) {
            let batch = reader.take();
            if batch.is_empty() {
                tokio::select! {
                    () = reader.wait() => {}
                    _ = changed.changed() => changed.mark_changed(),
                }
                continue;
            }
            place = batch.end().or(place);
            write_down(office, &hooks, &batch).await?;
        }
    }
}

async fn write_down(office: &Office, hooks: &[Webhook], batch: &Batch) -> Result<(), Failure> {
    let (running, events) = (&*office.running, office.running.events());
    let mut new = vec![];
    for hook in hooks {
        // It was checked when it was stored.
        let kinds = Kinds::parse(&hook.types)?;
        let to = |event: Position, kind: &str, body: &str| NewDelivery {
            webhook: hook.id.clone(),
            event: event.to_string(),
            kind: kind.to_owned(),
            body: body.to_owned(),
        };
        if let Some((missed, position)) = batch.lost {
            let shown = lost(missed, position, running.now(), &events.node);
            new.push(to(position, crate::events::LOST, shown.text()));
        }
        for event in &batch.events {
            let kind = event.fact.kind();
            if kind.is_none_or(|it| kinds.has(it)) {
                let name = kind.map_or(crate::events::LOST, crate::events::Kind::name);
                new.push(to(event.position, name, event.shown(running, &events.node).text()));
            }
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let refused = office.db.add_deliveries(&new, running.now()).await?;
    if refused > 0 {
        office.webhooks.dropped(refused);
        tracing::warn!(refused, "events for webhooks were dropped: too many wait");
    }
    office.webhooks.added();
    Ok(())
}

/// Sends what is due.
async fn deliver(office: &Office) -> Result<(), Failure> {
    let mut changed = office.webhooks.changed();
    let mut added = office.webhooks.arrivals();
    let mut under_way = UnderWay::default();
    loop {
        changed.mark_unchanged();
        added.mark_unchanged();
        let now = office.running.now();
        let mut next = now.after(PAUSE);
        for hook in in_use(office).await? {
            let due = office.db.due_deliveries(&hook.id, now, ATTEMPTS_MAX).await?;
            due.into_iter().for_each(|it| under_way.begin(&hook, it, now));
            // What is due and was not begun begins when one of those under way ends.
            next = next.min(office.db.next_delivery(&hook.id, now).await?.unwrap_or(next));
        }
        tokio::select! {
            Some((delivery, outcome)) = under_way.next() => settle(office, delivery, outcome).await?,
            _ = changed.changed() => {}
            _ = added.changed() => {}
            () = pause(next.since(now)) => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the time of the next attempt is what it waits for")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The attempts that have begun. Of each endpoint they are its oldest deliveries that are due.
#[derive(Default)]
struct UnderWay {
    attempts: JoinSet<(Delivery, Outcome)>,
    /// The deliveries that they are of.
    ids: BTreeSet<i64>,
    trust: Trust,
}

impl UnderWay {
    fn begin(&mut self, hook: &Webhook, delivery: Delivery, now: UnixMillis) {
        if self.ids.insert(delivery.id) {
            let hook = hook.clone();
            let trusted = is_tls(&hook).then(|| self.trust.config());
            self.attempts.spawn(async move {
                let outcome = attempt(&hook, &delivery, trusted, now).await;
                (delivery, outcome)
            });
        }
    }

    /// The next that ends; `None` where there is none.
    async fn next(&mut self) -> Option<(Delivery, Outcome)> {
        // One that panicked is left as it is until the next start.
        let done = self.attempts.join_next().await?.ok()?;
        self.ids.remove(&done.0.id);
        Some(done)
    }
}

async fn settle(office: &Office, delivery: Delivery, outcome: Outcome) -> Result<(), Failure> {
    let (delivery, is_gone) = after(delivery, outcome, office.running.now());
    office.webhooks.tried(delivery.state);
    office.db.tried(&delivery).await?;
    if is_gone {
        tracing::warn!(webhook = delivery.webhook, "the endpoint is gone (410): it gets no more");
        office.db.webhook_gone(&delivery.webhook).await?;
        office.webhooks.changed_now();
    }
    Ok(())
}
