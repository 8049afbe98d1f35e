//! What runs: status, registrations, calls and the trace, and their handlers.

use crate::access::Principal;
use crate::audit::{Author, CALLS, CAPTURES};
use crate::captures::Sieve;
use crate::conventions::{Listed, PageQuery, Since, not_of_this_list};
use crate::events::Ring;
use crate::resource::{Call, Failure, Registration, Status, Traced};
use crate::{Office, readings, troubles};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use pbx::SmolStr;
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::dialplan::{Trial, Tried};
use pbx::directory::Directory;
use pbx::event::Undone;
use pbx::id::{CallId, TenantId};
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::supplementary::PhoneChange;
use pbx::text;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Interval;

/// How often a trace looks for new messages.
const TRACE_INTERVAL: Duration = Duration::from_millis(50);
/// Messages looked at in one go; the rest comes with the next.
const TRACE_BATCH: usize = 1000;

/// Registrations that are looked at in one go.
const BINDINGS_BATCH: usize = 1000;

/// Messages of one ladder; a call that has more is shown from its beginning.
const LADDER_MAX: usize = 1000;

/// What was changed in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Extensions with these numbers were added, changed or removed.
    Extensions(Vec<String>),
    Settings,
    /// The tables of the dial plan, lines and trunks.
    DialPlan,
}

/// The future of [`Running::explain`].
pub type Explained<'a> = Pin<Box<dyn Future<Output = Option<Arc<Tried>>> + Send + 'a>>;

/// The future of [`Running::place`] and [`Running::transfer`]; `None` where the core is not there. An order that it
/// has not come to in time is accepted.
pub type Ordered<'a> = Pin<Box<dyn Future<Output = Option<Result<(), Undone>>> + Send + 'a>>;

/// The future of [`Running::changed`].
pub type Changed<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// The running server, as the API needs it. Nothing here waits for the core but `explain`, `place` and
/// `transfer`.
pub trait Running: Send + Sync + 'static {
    fn status(&self) -> Status;
    /// What to enter in a phone.
    fn server_address(&self) -> String;
    /// Registered phones after this one, in the order of extensions, up to so many.
    fn bindings(&self, after: Option<&BindingKey>, most: usize) -> Vec<Arc<Binding>>;
    /// Calls that are up.
    fn calls(&self) -> Vec<Call>;
    /// Calls that began before this one, the newest first, up to so many: those that are up, and where it is wanted
    /// those that ended a short time ago.
    fn newest_calls(&self, before: Option<CallId>, most: usize, ended: bool) -> Vec<Call>;
    /// Calls that ended a short time ago, the newest first.
    fn ended(&self) -> Vec<Call>;
    /// By the whole id or its short form; also calls that ended a short time ago.
    fn call(&self, id: &str) -> Option<Call>;
    /// A record as the API shows calls.
    fn of_record(&self, record: &CallRecord) -> Call;
    /// Asks the core to end a call that is up.
    fn hangup(&self, call: &Call) -> bool;
    /// Has the core place a call. It is ordered also where nobody waits for what comes of it.
    fn place(&self, order: Order) -> Ordered<'_>;
    /// Has the core send this side of a call to a number; the other one is released.
    fn transfer(&self, call: CallId, kept: Half, to: &str) -> Ordered<'_>;
    /// Asks the core to end the registration of a device.
    fn log_off(&self, key: BindingKey) -> bool;
    /// Asks the core to set something in the place of a phone of the extension.
    fn set_by_phone(&self, extension: &str, change: PhoneChange) -> bool;
    /// The remembered messages of a call, the first of them up to `most`.
    fn ladder(&self, call: &Call, most: usize) -> Vec<Traced>;
    /// What happens, for those who follow it.
    fn events(&self) -> &Arc<Ring>;
    /// A place in the stream of messages: at the oldest one remembered, or at the end.
    fn trace(&self, past: bool) -> Box<dyn TraceSource>;
    /// The newest directory that was given to the core.
    fn directory(&self) -> Arc<Directory>;
    /// A phone of the extension is registered.
    fn is_registered(&self, extension: &str) -> bool;
    /// The numbers that are in a call, or called.
    fn talking(&self) -> BTreeSet<SmolStr>;
    /// The core's decision on a call that nobody places, by what is there now; `None` where it does
    /// not answer.
    fn explain(&self, trial: Trial) -> Explained<'_>;
    /// The external lines of the office, as the core last told of them.
    fn lines(&self) -> Vec<LineStatus>;
    /// The SIP trunks of the office.
    fn trunks(&self) -> Vec<TrunkStatus>;
    /// Asks the core to register an external line now.
    fn register_line(&self, account: &str) -> bool;
    /// Asks the core to examine a line, with a test call to a number; the name of the examination.
    fn examine_line(&self, account: &str, call: Option<&str>) -> Option<u64>;
    /// What was found, once; `Some(None)`: it could not be examined.
    fn examined(&self, examination: u64) -> Option<Option<Report>>;
    fn now(&self) -> UnixMillis;
    /// Brings what the database now says to the core.
    fn changed(&self, edit: Edit) -> Changed<'_>;
    /// Ends the calls, the process begins again, and finds what was staged for its start.
    fn start_anew(&self);
    /// In the text format of Prometheus, with what HTTP knows of a figure that both have: wrong credentials.
    fn metrics(&self, auth_failures: u64) -> String;
    /// The core works.
    fn is_alive(&self) -> bool;
    /// New calls are taken: listeners are bound, the directory is loaded, the journal takes what is
    /// promised, and nobody has asked for the end.
    fn is_ready(&self) -> bool;
}

/// Reads the message ring from its own place on.
pub trait TraceSource: Send {
    /// The next message; `None` until one comes.
    fn next(&mut self) -> Option<Traced>;
    /// Whether messages were overwritten before they were read, since the last call.
    fn take_lost(&mut self) -> bool;
}

/// Which messages a trace shows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TraceFilter {
    /// Named in From, To or the request URI.
    pub ext: Option<String>,
    pub ip: Option<IpAddr>,
    /// The account of an external line: what names it, and what goes to its carrier or comes from there.
    pub line: Option<String>,
    /// The number of a SIP trunk: what goes to its servers or comes from there.
    pub trunk: Option<u32>,
    /// The whole or short id of a call.
    pub call: Option<String>,
    /// Begin with what is remembered.
    pub past: bool,
    /// End with what is remembered, in the place of going on with what comes.
    pub ends: bool,
}

/// A call in detail.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CallPage {
    pub call: Call,
    pub ladder: Vec<Traced>,
    /// The ids of the calls that it was forwarded or transferred to.
    #[serde(default)]
    pub followed_by: Vec<String>,
}

impl TraceFilter {
    /// Whether the trace shows this message. `call` is the whole id meant.
    pub fn admits(&self, message: &Traced, call: Option<&str>) -> bool {
        let by_address = self.ip.is_none_or(|ip| is_from(&message.remote, ip));
        let by_number = self.ext.as_deref().is_none_or(|it| names(&message.text, it));
        let by_call = self.call.is_none() || (call.is_some() && message.call.as_deref() == call);
        by_address && by_number && by_call
    }
}

fn is_from(remote: &str, ip: IpAddr) -> bool {
    remote
        .parse::<std::net::SocketAddr>()
        .is_ok_and(|it| it.ip().to_canonical() == ip.to_canonical())
}

/// Whether the request line, From, To or P-Asserted-Identity has the number as its user.
pub(crate) fn names(text: &str, number: &str) -> bool {
    let users = [format!(":{number}@"), format!(":{number};"), format!(":{number}>")];
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let telling = |(at, line): &(usize, &str)| {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        *at == 0 || matches!(name.as_str(), "from" | "f" | "to" | "t" | "p-asserted-identity")
    };
    let named = |(_, line): (usize, &str)| users.iter().any(|it| line.contains(it.as_str()));
    head.lines().enumerate().filter(telling).any(named)
}

pub(crate) async fn metrics(State(office): State<Office>) -> impl IntoResponse {
    let text =
        office.running.metrics(office.access.failures()) + &crate::metrics::of_office(&office);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

pub(crate) async fn healthz(State(running): State<Arc<dyn Running>>) -> impl IntoResponse {
    if running.is_alive() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck\n")
    }
}

pub(crate) async fn readyz(State(running): State<Arc<dyn Running>>) -> impl IntoResponse {
    if running.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

pub(crate) async fn status(State(office): State<Office>) -> Result<Json<Status>, Failure> {
    let running = &office.running;
    let status = Status { server: running.server_address(), ..running.status() };
    let troubles = troubles::of(&office, &status).await?;
    Ok(Json(Status { troubles, ..status }))
}

pub(crate) async fn registrations(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Since<Listed<Registration>>, Failure> {
    let position = office.running.events().position();
    let place = Some(&*query.cursor).filter(|it| !it.is_empty()).map(place).transpose()?;
    let wanted = usize::try_from(query.wanted()).unwrap_or(usize::MAX);
    let found = look(&*office.running, place, query.search(), wanted);
    let listed = query.listed("/api/v1/registrations", found, |it| {
        format!("{}/{}", it.key.extension, it.key.device)
    });
    let now = office.running.now();
    let shown = listed.shown.iter().map(|it| Registration::of(it, now)).collect();
    Ok(Since(position, Listed { shown, next: listed.next }))
}

/// Where a page of registrations begins. No number of an extension has a slash.
fn place(cursor: &str) -> Result<BindingKey, Failure> {
    let (extension, device) = cursor.split_once('/').ok_or_else(not_of_this_list)?;
    let (extension, device) = (extension.into(), device.into());
    Ok(BindingKey { tenant: TenantId::default(), extension, device })
}

/// Registrations like `search`, bit by bit until there are enough of them.
fn look(
    running: &dyn Running,
    mut after: Option<BindingKey>,
    search: &str,
    wanted: usize,
) -> Vec<Arc<Binding>> {
    // One text for all of them: where few are like it, every registration there is is looked at.
    let mut source = String::new();
    let mut is_like = |it: &Arc<Binding>| {
        let texts = [&it.key.extension, &it.user_agent, &it.contact];
        if search.is_empty() || texts.iter().any(|text| has(text, search)) {
            return true;
        }
        source.clear();
        // Writing into a string does not fail.
        let _ = write!(source, "{}", it.flow.remote);
        has(&source, search)
    };
    let mut found = vec![];
    while found.len() < wanted {
        // Without a search there is nothing to be left out.
        let most = if search.is_empty() { wanted.min(BINDINGS_BATCH) } else { BINDINGS_BATCH };
        let batch = running.bindings(after.as_ref(), most);
        let is_last = batch.len() < most;
        after = batch.last().map(|it| it.key.clone());
        found.extend(batch.into_iter().filter(&mut is_like));
        if is_last {
            break;
        }
    }
    found
}

/// Whether one text is in the other; capitals of ASCII do not matter.
pub(crate) fn has(text: &str, part: &str) -> bool {
    part.is_empty()
        || text.as_bytes().windows(part.len()).any(|it| it.eq_ignore_ascii_case(part.as_bytes()))
}

pub(crate) async fn call(
    State(office): State<Office>,
    Path(id): Path<String>,
) -> Result<Json<CallPage>, Failure> {
    let call = find(&office, &id).await?;
    let ladder = office.running.ladder(&call, LADDER_MAX);
    let followed_by = following(&office, &call).await?;
    Ok(Json(CallPage { call, ladder, followed_by }))
}

/// Those that are up or ended a short time ago, and those that have records.
async fn following(office: &Office, call: &Call) -> Result<Vec<String>, Failure> {
    let Ok(id) = call.id.parse::<CallId>() else { return Ok(vec![]) };
    let present = office.running.calls().into_iter().chain(office.running.ended());
    let present = present.filter(|it| it.linked.as_ref() == Some(&call.id)).map(|it| it.id);
    let stored = office.db.calls_following(id).await?;
    let all: BTreeSet<_> = present.chain(stored.iter().map(ToString::to_string)).collect();
    Ok(all.into_iter().collect())
}

pub(crate) async fn hangup(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Call>, Failure> {
    let call = find(&office, &id).await?;
    if call.ended_at.is_some() || !office.running.hangup(&call) {
        return Err(Failure::new(409, "not_running", text!("this call has ended", "该呼叫已结束")));
    }
    Author::of(&office, &principal).done("hangup", CALLS, &call.id).await;
    Ok(Json(call))
}

pub(crate) async fn trace(
    State(office): State<Office>,
    principal: Principal,
    Query(filter): Query<TraceFilter>,
) -> Result<Response, Failure> {
    let call = match &filter.call {
        Some(id) => Some(find(&office, id).await?.id),
        None => None,
    };
    let source = office.running.trace(filter.past);
    let interval = tokio::time::interval(TRACE_INTERVAL);
    let ends = filter.ends;
    let followed = call.clone();
    let sieve = Sieve::of(filter, call, &*office.running)?;
    let name = followed.unwrap_or_else(|| sieve.to_string());
    let name = if name.is_empty() { "*" } else { &name };
    readings::told(&office, &principal, "trace", (CAPTURES, name)).await;
    let body = Body::new(TraceBody { source, interval, sieve, ends, is_over: false });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

pub(crate) async fn no_such_path() -> Failure {
    Failure::new(404, "not_found", text!("there is no such path", "没有这个路径"))
}

/// Digits of a call's id that tell it from others of its minute.
const PREFIX_LEN_MIN: usize = 9;

/// A call that is up or ended a short time ago, by either form of its id; any older one also by how
/// its id begins, where only one begins so.
pub(crate) async fn find(office: &Office, id: &str) -> Result<Call, Failure> {
    if let Some(call) = office.running.call(id) {
        return Ok(call);
    }
    let mut stored = match (id.parse::<CallId>(), id.strip_prefix("c-")) {
        (Ok(id), _) => office.db.call_record(id).await?.into_iter().collect(),
        (Err(_), Some(ends)) if is_part(ends) => office.db.call_records_ending(ends).await?,
        (Err(_), None) if is_part(id) => office.db.call_records_like(id).await?,
        (Err(_), _) => vec![],
    };
    match (stored.pop(), stored.is_empty()) {
        (Some(one), true) => Ok(office.running.of_record(&one.record)),
        (Some(_), false) => {
            let text = text!("more than one call is named like {id}", "与{id}相符的呼叫不止一个");
            Err(Failure::new(409, "ambiguous", text))
        }
        (None, _) => {
            let text = text!("there is no call {id}", "呼叫{id}不存在");
            Err(Failure::new(404, "not_found", text))
        }
    }
}

/// Whether this may be a part of an id.
fn is_part(text: &str) -> bool {
    let digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f' | b'-');
    text.len() >= PREFIX_LEN_MIN && text.bytes().all(digit)
}

/// Lines of JSON as messages come. It ends when the reader goes away or the server ends.
struct TraceBody {
    source: Box<dyn TraceSource>,
    interval: Interval,
    sieve: Sieve,
    /// With what is remembered.
    ends: bool,
    /// Everything that was remembered has been read, and no more is wanted.
    is_over: bool,
}

impl http_body::Body for TraceBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            ready!(this.interval.poll_tick(context));
            if this.is_over {
                return Poll::Ready(None);
            }
            let lines = this.lines();
            if !lines.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(lines.into()))));
            }
        }
    }
}

impl TraceBody {
    fn lines(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        if self.source.take_lost() {
            // An object without a message: readers say that something is missing.
            lines.extend_from_slice(b"{\"lost\":true}\n");
        }
        let mut left = TRACE_BATCH;
        while left > 0 {
            let Some(message) = self.source.next() else {
                self.is_over = self.ends;
                break;
            };
            left -= 1;
            if self.sieve.admits(&message) && serde_json::to_writer(&mut lines, &message).is_ok() {
                lines.push(b'\n');
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn filter_table() {
        let message = Traced {
            unix_ms: 0,
            sent: false,
            transport: "udp".to_owned(),
            local: "10.0.0.1:5060".to_owned(),
            remote: "10.0.0.7:5062".to_owned(),
            call: Some("id".to_owned()),
            text: "INVITE sip:102@10.0.0.1 SIP/2.0\r\nf: <sip:101@x>\r\nTo: <sip:102@x>\r\nX: <sip:100@x>\r\n\r\n".to_owned(),
        };
        let ext = |it: &str| TraceFilter { ext: Some(it.to_owned()), ..TraceFilter::default() };
        let ip = |it: &str| TraceFilter { ip: Some(it.parse().unwrap()), ..TraceFilter::default() };
        let call = TraceFilter { call: Some("c-1".to_owned()), ..TraceFilter::default() };
        #[rustfmt::skip]
        let table = [
            (TraceFilter::default(), None,       true),
            (ext("101"),             None,       true),
            (ext("102"),             None,       true),
            (ext("100"),             None,       false),
            (ext("10"),              None,       false),
            (ip("10.0.0.7"),         None,       true),
            (ip("::ffff:10.0.0.7"),  None,       true),
            (ip("10.0.0.1"),         None,       false),
            (call.clone(),           Some("id"), true),
            (call,                   Some("no"), false),
        ];
        for (filter, id, expected) in table {
            assert_eq!(filter.admits(&message, id), expected, "{filter:?}");
        }
    }
}
