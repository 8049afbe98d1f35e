//! What must hold, checked on every message that passes and in the state that is left.
//!
//! One final response a request, one record an attempt, an ACK for each final response, bounded
//! resending, right billing, nothing without credentials, nothing forgotten, nothing left.

use super::outside;
use super::transactions::{Key, TIMEOUT, key};
use crate::ladder::brief;
use crate::office::Office;
use bytes::Bytes;
use pbx::id::CallId;
use pbx::record::{CallRecord, Direction};
use pbx::time::millis;
use sip::message::{CSeq, Contact, HeaderName, Message, Method, NameAddr, TypedHeader};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// Messages shown below a failure.
const SHOWN: usize = 40;
/// Most times an INVITE is sent: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s (RFC 3261 §17.1.1.2).
const INVITES_MAX: u32 = 7;
/// Most times anything else is sent within 32 s, with the interval capped at T2.
const OTHERS_MAX: u32 = 11;
/// A server transaction answers copies this long after its final response …
const SAME_ANSWER: Duration = Duration::from_secs(30);
/// … or, for a refused INVITE, after its ACK (RFC 3261 §17.2.1, Timer I) …
const T4: Duration = Duration::from_secs(5);
/// … and has forgotten the request after this.
const FORGOTTEN: Duration = Duration::from_secs(40);
/// Far above what eight phones can cause.
const TRANSACTIONS_MAX: u64 = 2_000;
const TIMERS_MAX: u64 = 20_000;

/// A request on its way through the server.
struct Asked {
    what: String,
    copies: u32,
    /// The newest copy was given to the core and neither dropped nor lost to a fault.
    served: bool,
    answered: Option<(u16, Instant)>,
    responses: u32,
    /// Outside of a dialog, and before a transaction begins, each copy is evaluated anew and may be
    /// answered differently.
    stateless: bool,
}

#[derive(Default)]
struct Times {
    started: Option<Instant>,
    answered: Option<Instant>,
}

/// An INVITE of the server.
struct Invited {
    to: String,
    with_offer: bool,
    sent_at: Instant,
    /// A provisional response came: it does not time out any more.
    rings: bool,
}

struct Line {
    at: Instant,
    from: String,
    to: String,
    bytes: Bytes,
}

/// Dialog and CSeq of an INVITE of the server with a final response.
type Owed = (String, u32, String);

/// The books.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) hash: u64,
    pub(super) messages: u64,
    /// More messages to show, where the usual are not enough.
    pub(super) shown: usize,
    start: Option<Instant>,
    life: u32,
    asked: BTreeMap<Key, Asked>,
    /// How often each message was sent.
    sent: BTreeMap<u64, u32>,
    /// The last: by somebody outside.
    attempts: BTreeSet<(u32, Bytes, bool)>,
    times: BTreeMap<CallId, Times>,
    /// Final responses that came, with status and phone.
    acks_owed: BTreeMap<Owed, (u16, String)>,
    /// Those whose ACK waits for nothing: it is sent at once.
    acks_due: BTreeSet<Owed>,
    /// Dialogs with a BYE, by Call-ID: a 2xx that crosses it ends with the dialog.
    byes: BTreeSet<String>,
    invites_sent: BTreeSet<(String, u32)>,
    /// INVITEs of this life without a final response: Call-ID and CSeq.
    invites: BTreeMap<(String, u32), Invited>,
    lines: VecDeque<Line>,
}

impl Watch {
    /// The process died: what it owed, nobody owes any more.
    pub(super) fn killed(&mut self) {
        self.life += 1;
        self.asked.clear();
        self.sent.clear();
        self.times.clear();
        self.acks_owed.clear();
        self.acks_due.clear();
        self.invites.clear();
    }

    /// A phone lost its connection, and with it every transaction of the server on it.
    pub(super) fn disconnected(&mut self, name: &str) {
        self.invites.retain(|_, it| it.to != name);
        self.acks_owed.retain(|_, (_, to)| to != name);
    }

    /// A message reached the server.
    pub(super) fn received(&mut self, name: &str, bytes: &Bytes, at: Instant, served: bool) {
        self.note(name, "pbx", bytes, at);
        let Ok(message) = Message::parse(bytes) else { return };
        if sip::message::check(&message).is_err() {
            return;
        }
        let Some(key) = key(&message).filter(|it| it.0.starts_with("z9hG4bK")) else { return };
        match message.method() {
            Some(Method::Ack) => {}
            Some(method) => {
                self.bye(&message);
                let within = !tag_of_to(&message).is_empty();
                self.asked(name, (method, within), key, at, served);
            }
            None if served => self.response_came(&message, at),
            None => {}
        }
    }

    fn asked(
        &mut self,
        name: &str,
        (method, within): (Method<'_>, bool),
        key: Key,
        at: Instant,
        served: bool,
    ) {
        let known = self.asked.get_mut(&key);
        let age = known.as_ref().and_then(|it| it.answered).map(|it| at - it.1);
        match known {
            Some(known) if age.is_none_or(|it| it < FORGOTTEN) => {
                known.copies += 1;
                known.served &= served;
                let refused = key.1 == "INVITE" && known.answered.is_some_and(|it| it.0 >= 300);
                let remembered = if refused { T4 } else { SAME_ANSWER };
                known.stateless |= age.is_some_and(|it| it > remembered);
            }
            _ => {
                let outside = !within || matches!(method, Method::Register | Method::Options);
                let stateless = outside && method != Method::Cancel;
                let what = format!("{name}'s {method} {}", key.0);
                self.asked.insert(
                    key,
                    Asked { what, copies: 1, served, answered: None, responses: 0, stateless },
                );
            }
        }
    }

    fn bye(&mut self, message: &Message<'_>) {
        if message.method() == Some(Method::Bye)
            && let Some(((call_id, ..), _)) = dialog_of(message)
        {
            self.byes.insert(call_id);
        }
    }

    /// The first final response to an INVITE of ours must be acknowledged, unless it comes when the
    /// INVITE has timed out or its dialog has ended.
    fn response_came(&mut self, message: &Message<'_>, at: Instant) {
        let code = message.status().unwrap_or_default();
        let Some((owed, _)) = dialog_of(message).filter(|it| it.1 == "INVITE") else { return };
        let place = (owed.0.clone(), owed.1);
        let Some(invite) = self.invites.get_mut(&place) else { return };
        let in_time = at < invite.sent_at + TIMEOUT;
        if code < 200 {
            // One that comes when the INVITE has timed out revives nothing.
            invite.rings |= in_time;
            return;
        }
        let timed_out = !invite.rings && !in_time;
        let crossed_bye = code < 300 && self.byes.contains(&owed.0);
        let Some(invite) = self.invites.remove(&place) else { return };
        if !timed_out && !crossed_bye {
            if code >= 300 || invite.with_offer {
                self.acks_due.insert(owed.clone());
            }
            self.acks_owed.insert(owed, (code, invite.to));
        }
    }

    /// A message leaves the server.
    pub(super) fn sent(
        &mut self,
        to: &str,
        bytes: &Bytes,
        call: Option<CallId>,
        at: Instant,
        honest: bool,
        office: &Office,
    ) -> Result<(), String> {
        if bytes.iter().all(|it| matches!(it, b'\r' | b'\n')) {
            // Keeps the way to a carrier open (RFC 5626 §3.5.1).
            return Ok(());
        }
        self.note("pbx", to, bytes, at);
        let message = Message::parse(bytes).map_err(|error| format!("sent junk: {error}"))?;
        self.attempt(to, (&message, bytes), call, at);
        let key = key(&message);
        // The answer to a request that is malformed has its faults.
        let to_junk = message.status().is_some()
            && key.as_ref().is_none_or(|it| !self.asked.contains_key(it));
        let Some(key) = key.filter(|_| !to_junk) else { return Ok(()) };
        sip::message::check(&message).map_err(|error| format!("sent junk: {error:?}"))?;
        match message.status() {
            Some(code) => {
                self.responded(&key, code, at, honest)?;
                if code == 200 && key.1 == "REGISTER" {
                    bindings_are_recorded(&message, office)?;
                }
                Ok(())
            }
            None if key.1 == "ACK" => {
                if let Some((owed, _)) = dialog_of(&message) {
                    self.acks_due.remove(&owed);
                    self.acks_owed.remove(&owed);
                    // A fault may have taken the response after its ACK: it came all the same.
                    let (call_id, cseq, _) = owed;
                    self.invites.remove(&(call_id, cseq));
                }
                Ok(())
            }
            None => {
                self.bye(&message);
                if let Some(((call_id, cseq, _), method)) = dialog_of(&message)
                    && method == "INVITE"
                    && self.invites_sent.insert((call_id.clone(), cseq))
                {
                    let with_offer = !message.body.is_empty();
                    let to = to.to_owned();
                    let invited = Invited { to, with_offer, sent_at: at, rings: false };
                    self.invites.insert((call_id, cseq), invited);
                }
                self.bounded(to, bytes, &key)
            }
        }
    }

    /// Counts attempts and takes their times, from the responses to their INVITEs.
    fn attempt(
        &mut self,
        to: &str,
        (message, bytes): (&Message<'_>, &Bytes),
        call: Option<CallId>,
        at: Instant,
    ) {
        let code = message.status().unwrap_or_default();
        let is_invite = dialog_of(message).is_some_and(|it| it.1 == "INVITE");
        if let Some(call) = call.filter(|_| is_invite) {
            let times = self.times.entry(call).or_default();
            if code == 100 {
                times.started.get_or_insert(at);
            }
            if (200..300).contains(&code) {
                times.answered.get_or_insert(at);
            }
        }
        // A 100 has the To of its request: with a tag it is of a re-INVITE. A copy of an INVITE from
        // outside that comes after its end is a call again, as no nonce tells it from a new one:
        // those are not counted.
        if is_invite
            && code == 100
            && tag_of_to(message).is_empty()
            && self.attempts.insert((self.life, bytes.clone(), outside::is_carrier(to)))
            && let Some(asked) = key(message).and_then(|it| self.asked.get_mut(&it))
        {
            // What was said before the transaction began does not count.
            (asked.stateless, asked.answered) = (false, None);
        }
    }

    fn responded(&mut self, key: &Key, code: u16, at: Instant, honest: bool) -> Result<(), String> {
        let is_invite = key.1 == "INVITE";
        if is_invite && code < 300 && !honest {
            return Err(format!("{code} to an INVITE without credentials"));
        }
        if code < 200 {
            return Ok(());
        }
        let Some(asked) = self.asked.get_mut(key) else { return Ok(()) };
        asked.responses += 1;
        if asked.responses > OTHERS_MAX + asked.copies {
            return Err(format!("{} got {} final responses", asked.what, asked.responses));
        }
        match asked.answered {
            // A CANCEL that overtakes its INVITE, or a BYE or re-INVITE its 2xx, finds nothing; its next
            // copy does.
            Some((481, _)) => Ok(()),
            Some((before, _)) if before != code && !asked.stateless => {
                Err(format!("{} got {before}, then {code}", asked.what))
            }
            Some(_) => Ok(()),
            None => {
                asked.answered = Some((code, at));
                Ok(())
            }
        }
    }

    /// Whether a request was not sent too often.
    fn bounded(&mut self, to: &str, bytes: &Bytes, key: &Key) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        (to, bytes).hash(&mut hasher);
        let count = self.sent.entry(hasher.finish()).or_default();
        *count += 1;
        let most = if key.1 == "INVITE" { INVITES_MAX } else { OTHERS_MAX };
        if *count > most {
            return Err(format!("{} was sent {count} times", brief(bytes)));
        }
        Ok(())
    }

    /// A call record came out: its times must be those we saw.
    pub(super) fn ended(&mut self, record: &CallRecord, office: &Office) -> Result<(), String> {
        let now = office.clock.now().instant;
        let Some(times) = self.times.remove(&record.call_id) else { return Ok(()) };
        if record.linked_call_id.is_some() {
            // No INVITE of its own began it.
            return Ok(());
        }
        let since = |at: Option<Instant>| at.map_or(0, |at| millis(now - at));
        let expected = (since(times.started), since(times.answered));
        let found = (record.duration_ms, record.billable_ms);
        if times.started.is_some() && found != expected {
            let id = record.call_id;
            return Err(format!("{id:?}: lasted and billed {found:?} ms, should be {expected:?}"));
        }
        if times.answered.is_some() != record.answered_at.is_some() {
            return Err(format!("{:?}: answered or not?", record.call_id));
        }
        Ok(())
    }

    pub(super) fn after_each_step(&self, office: &Office) -> Result<(), String> {
        let counters = office.core().counters();
        if let Some(complaint) =
            [&office.journal.complaints, &office.edge.complaints].into_iter().flatten().next()
        {
            return Err(complaint.clone());
        }
        let bound = office.journal.bindings.len() as u64;
        if let Some((call_id, cseq, _)) = self.acks_due.first() {
            return Err(format!("INVITE {cseq} of {call_id} was answered and got no ACK at once"));
        }
        if counters.registrations_active != bound {
            let held = counters.registrations_active;
            return Err(format!("the core holds {held} bindings, the journal {bound}"));
        }
        if counters.faults != u64::from(office.faults_of_this_life()) {
            return Err("the core panicked by itself".into());
        }
        if counters.transactions_active > TRANSACTIONS_MAX || counters.timers > TIMERS_MAX {
            let (held, timers) = (counters.transactions_active, counters.timers);
            return Err(format!("{held} transactions, {timers} timers"));
        }
        Ok(())
    }

    pub(super) fn at_the_end(&self, office: &Office) -> Result<(), String> {
        if let Some(asked) = self.asked.values().find(|it| it.served && it.answered.is_none()) {
            return Err(format!("{} got no final response", asked.what));
        }
        if let Some(((call_id, cseq, _), (code, _))) = self.acks_owed.first_key_value() {
            return Err(format!("the {code} to INVITE {cseq} of {call_id} got no ACK"));
        }
        let left = crate::ladder::what_is_left(office);
        if let Some(left) = left {
            return Err(left);
        }
        // A transfer and a forward make a record without an attempt of its own, a pickup with one.
        let is_attempt = |it: &&CallRecord| {
            it.linked_call_id.is_none() && it.direction != Direction::Incoming
                || matches!(&*it.route, "pick-up" | "pick-up-in-group")
        };
        let attempted = office.journal.ended.iter().filter(is_attempt);
        let attempts = self.attempts.iter().filter(|it| !it.2).count();
        let records = attempted.count();
        if attempts != records {
            return Err(format!("{attempts} attempts, {records} records"));
        }
        Ok(())
    }

    /// The last messages in words.
    pub(super) fn trace(&self) -> Vec<String> {
        let start = self.start;
        let line = |it: &Line| {
            let at = start.map_or(Duration::ZERO, |start| it.at - start);
            let (what, whose) = (brief(&it.bytes), whose(&it.bytes));
            format!("{:9.3} {:>8} -> {:8} {what:40} {whose}", at.as_secs_f64(), it.from, it.to)
        };
        self.lines.iter().map(line).collect()
    }

    /// Something besides messages, for the trace.
    pub(super) fn happened(&mut self, what: &'static str, at: Instant) {
        self.note(what, "", &Bytes::new(), at);
    }

    fn note(&mut self, from: &str, to: &str, bytes: &Bytes, at: Instant) {
        let start = *self.start.get_or_insert(at);
        self.messages += 1;
        let mut hasher = DefaultHasher::new();
        (self.hash, at - start, from, to, bytes).hash(&mut hasher);
        self.hash = hasher.finish();
        if self.lines.len() == SHOWN.max(self.shown) {
            self.lines.pop_front();
        }
        let (from, to, bytes) = (from.to_owned(), to.to_owned(), bytes.clone());
        self.lines.push_back(Line { at, from, to, bytes });
    }
}

/// Call-ID and CSeq number.
fn whose(bytes: &Bytes) -> String {
    let message = Message::parse(bytes).ok();
    let owed = message.and_then(|it| dialog_of(&it));
    owed.map_or_else(String::new, |((call_id, cseq, _), _)| format!("{call_id} {cseq}"))
}

/// A 200 to REGISTER promises that what it lists survives the process.
fn bindings_are_recorded(message: &Message<'_>, office: &Office) -> Result<(), String> {
    let to = message.headers.get(HeaderName::To).and_then(|it| NameAddr::parse(it).ok());
    let number = to.map(|it| it.uri.user_unescaped().into_owned()).unwrap_or_default();
    for contact in message.headers.values(HeaderName::Contact) {
        let Ok(Contact::Addr(contact)) = Contact::parse(contact) else { continue };
        let recorded = office
            .journal
            .bindings
            .values()
            .any(|it| *it.key.extension == *number && *it.contact == *contact.uri_text);
        if !recorded {
            return Err(format!("{number} is told {}, which no record has", contact.uri_text));
        }
    }
    Ok(())
}

/// Call-ID, CSeq number and To tag, and the method of CSeq.
fn dialog_of(message: &Message<'_>) -> Option<(Owed, String)> {
    let cseq = CSeq::parse(message.headers.get(HeaderName::CSeq)?).ok()?;
    let call_id = message.headers.get(HeaderName::CallId)?.to_owned();
    Some(((call_id, cseq.number, tag_of_to(message)), cseq.method.as_str().to_owned()))
}

fn tag_of_to(message: &Message<'_>) -> String {
    let to = message.headers.get(HeaderName::To).and_then(|it| NameAddr::parse(it).ok());
    to.and_then(|it| it.tag()).unwrap_or_default().to_owned()
}
