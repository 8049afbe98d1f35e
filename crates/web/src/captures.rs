//! Captures (抓包): the SIP messages of an extension, line, trunk, address or call from now on, kept until a
//! time or a size is reached, to be looked at and taken away as pcap.
//!
//! They are kept masked: what is taken away holds no password or key. A reader of its own follows the ring
//! of messages for each, so the core hears nothing of them.

pub mod pcap;
mod sieve;

pub(crate) use sieve::Sieve;

use crate::access::Principal;
use crate::audit::{Author, CAPTURES};
use crate::live::{TraceFilter, TraceSource};
use crate::moment::rfc3339;
use crate::resource::{Capture, CapturePage, Failure, Traced};
use crate::{Office, Running, readings};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Captures at a time, those that have ended included; one more takes the place of the oldest that has
/// ended, or is refused.
pub const CAPTURES_MAX: usize = 4;
/// How long a capture runs unless another time is wanted, and at most. Unit: minutes.
pub const MINUTES: u32 = 5;
pub const MINUTES_MAX: u32 = 60;
/// Most that one capture keeps; then it stops. Unit: octets.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a message costs beside its text. Unit: octets.
const MESSAGE_BYTES: usize = 256;
/// How often a capture looks for new messages.
const INTERVAL: Duration = Duration::from_millis(50);
/// Messages looked at in one go; the rest comes with the next.
const BATCH: usize = 1000;
/// Messages shown in one answer.
const SHOWN_MAX: usize = 200;

/// `POST /api/v1/captures`: what is followed, and for how long.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewCapture {
    /// Named in From, To or the request URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<std::net::IpAddr>,
    /// The account of an external line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The number of a SIP trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<u32>,
    /// 1 to 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
}

/// All captures of the server.
#[derive(Default)]
pub(crate) struct Captures {
    held: Mutex<Held>,
    begun: Notify,
}

#[derive(Default)]
struct Held {
    last: u64,
    each: Vec<Kept>,
}

/// One capture.
struct Kept {
    info: Capture,
    ends: UnixMillis,
    sieve: Sieve,
    /// Where it reads on; `None`: it has ended.
    source: Option<Box<dyn TraceSource>>,
    messages: Vec<Arc<Traced>>,
}

impl Kept {
    /// Takes what there is; ends when its time or its room is over.
    fn follow(&mut self, now: UnixMillis) {
        let Some(source) = &mut self.source else { return };
        for _ in 0..BATCH {
            let Some(message) = source.next() else { break };
            if message.unix_ms > self.ends.0 {
                break;
            }
            if self.sieve.admits(&message) {
                self.info.messages += 1;
                self.info.bytes += message.text.len() + MESSAGE_BYTES;
                self.messages.push(Arc::new(message));
            }
            if self.info.bytes >= BYTES_MAX {
                return self.stop("full", now);
            }
        }
        self.info.lost |= source.take_lost();
        if now >= self.ends {
            self.stop("time", now);
        }
    }

    fn stop(&mut self, why: &str, now: UnixMillis) {
        if self.source.take().is_some() {
            self.info.stopped = Some(why.to_owned());
            self.info.ended_at = Some(rfc3339(now));
        }
    }
}

impl Captures {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Whoever panicked has not left it half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, sieve: Sieve, minutes: u32, running: &dyn Running) -> Result<Capture, Failure> {
        let now = running.now();
        let mut held = self.lock();
        if held.each.len() >= CAPTURES_MAX {
            let oldest = held.each.iter().position(|it| it.source.is_none());
            let oldest = oldest.ok_or_else(|| {
                let text = text!(
                    "{CAPTURES_MAX} captures run: stop one first",
                    "已有{CAPTURES_MAX}个抓包正在进行，请先停止一个"
                );
                Failure::new(409, "too_many", text)
            })?;
            held.each.remove(oldest);
        }
        held.last += 1;
        let ends = UnixMillis(now.0 + u64::from(minutes) * 60_000);
        let info = Capture {
            id: held.last,
            follows: sieve.to_string(),
            started_at: rfc3339(now),
            ends_at: rfc3339(ends),
            ended_at: None,
            stopped: None,
            messages: 0,
            bytes: 0,
            lost: false,
        };
        let (source, messages) = (Some(running.trace(false)), vec![]);
        held.each.push(Kept { info: info.clone(), ends, sieve, source, messages });
        drop(held);
        self.begun.notify_one();
        Ok(info)
    }

    /// Whether any still runs.
    fn follow(&self, now: UnixMillis) -> bool {
        let mut held = self.lock();
        held.each.iter_mut().for_each(|it| it.follow(now));
        held.each.iter().any(|it| it.source.is_some())
    }

    fn with<T>(&self, id: u64, act: impl FnOnce(&mut Kept) -> T) -> Result<T, Failure> {
        let mut held = self.lock();
        let found = held.each.iter_mut().find(|it| it.info.id == id).ok_or_else(|| {
            Failure::new(404, "not_found", text!("there is no capture {id}", "抓包{id}不存在"))
        })?;
        Ok(act(found))
    }
}

/// Fills the captures until it is dropped.
pub async fn run(office: Office) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !office.captures.follow(office.running.now()) {
            office.captures.begun.notified().await;
        }
    }
}

pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/captures", get(on_list).post(on_begin))
        .route("/api/v1/captures/{id}", get(on_show).delete(on_delete).post(on_verb))
        .route("/api/v1/captures/{id}/pcap", get(on_pcap))
}

pub(crate) async fn on_list(State(office): State<Office>) -> Json<Vec<Capture>> {
    office.captures.follow(office.running.now());
    let held = office.captures.lock();
    Json(held.each.iter().rev().map(|it| it.info.clone()).collect())
}

pub(crate) async fn on_begin(
    State(office): State<Office>,
    principal: Principal,
    Json(wanted): Json<NewCapture>,
) -> Result<Json<Capture>, Failure> {
    let minutes = wanted.minutes.unwrap_or(MINUTES);
    if !(1..=MINUTES_MAX).contains(&minutes) {
        let text = text!("minutes: 1 to {MINUTES_MAX}", "时长：1至{MINUTES_MAX}分钟");
        return Err(Failure::new(422, "invalid", text).at("minutes"));
    }
    let NewCapture { ext, ip, line, trunk, .. } = wanted;
    let filter = TraceFilter { ext, ip, line, trunk, ..TraceFilter::default() };
    let sieve = Sieve::of(filter, None, &*office.running)?;
    let begun = office.captures.begin(sieve, minutes, &*office.running)?;
    let name = format!("{} {}, {minutes} min", begun.id, followed(&begun));
    Author::of(&office, &principal).done("begin", CAPTURES, &name).await;
    Ok(Json(begun))
}

/// As the audit names it.
fn followed(it: &Capture) -> &str {
    if it.follows.is_empty() { "*" } else { &it.follows }
}

/// Somebody did something with a capture.
async fn told(office: &Office, principal: &Principal, action: &'static str, it: &Capture) {
    Author::of(office, principal).done(action, CAPTURES, &name(it)).await;
}

fn name(it: &Capture) -> String {
    format!("{} {}", it.id, followed(it))
}

/// From which message on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct After {
    after: usize,
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(id): Path<u64>,
    Query(After { after }): Query<After>,
) -> Result<Json<CapturePage>, Failure> {
    office.captures.follow(office.running.now());
    let page = office.captures.with(id, |it| {
        let ladder = it.messages.iter().skip(after).take(SHOWN_MAX);
        let ladder = ladder.map(|it| Traced::clone(it)).collect();
        CapturePage { capture: it.info.clone(), ladder }
    });
    page.map(Json)
}

fn stop(office: &Office, id: u64) -> Result<Json<Capture>, Failure> {
    let now = office.running.now();
    office.captures.follow(now);
    let stopped = office.captures.with(id, |it| {
        it.stop("stopped", now);
        it.info.clone()
    });
    stopped.map(Json)
}

/// `POST …/{id}:stop`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Capture>, Failure> {
    let Some(id) = id.strip_suffix(":stop").and_then(|it| it.parse().ok()) else {
        return Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")));
    };
    let stopped = stop(&office, id)?;
    told(&office, &principal, "stop", &stopped).await;
    Ok(stopped)
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<u64>,
) -> Result<Json<Capture>, Failure> {
    let info = office.captures.with(id, |it| it.info.clone())?;
    office.captures.lock().each.retain(|it| it.info.id != id);
    told(&office, &principal, "delete", &info).await;
    Ok(Json(info))
}

pub(crate) async fn on_pcap(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<u64>,
) -> Result<Response, Failure> {
    office.captures.follow(office.running.now());
    // Shared: the lock is not held for as long as all of them take.
    let (info, messages) = office.captures.with(id, |it| (it.info.clone(), it.messages.clone()))?;
    readings::told(&office, &principal, "download", (CAPTURES, &name(&info))).await;
    let mut file = pcap::head();
    messages.iter().for_each(|it| pcap::append(&mut file, it));
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"dialtone-{id}.pcap\"")),
    ];
    Ok((headers, file).into_response())
}

#[cfg(test)]
mod tests;
