//! A simulated phone: mostly right, sometimes slow, silent, rude or confused.

use super::transactions::{Client, Key, Memory, T1, T2, TIMEOUT, Unacked, key};
use super::world::below;
use crate::phone::{Heard, Media, Phone, Request, Target, Wishes};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use sdp::Direction;
use sip::Transport;
use sip::message::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What a phone works with for one step.
pub(super) struct Hands<'a> {
    pub(super) now: Instant,
    pub(super) rng: &'a mut ChaCha8Rng,
    pub(super) out: Vec<Bytes>,
    pub(super) todo: Vec<(Duration, Todo)>,
}

/// What a phone means to do later.
#[derive(Clone, Debug)]
pub(super) enum Todo {
    Register,
    Ask {
        request: Box<Request>,
        tries: u8,
    },
    Answer {
        key: Key,
        code: u16,
    },
    /// Answers an INVITE it has answered before, differently.
    AnswerAgain {
        bytes: Bytes,
        code: u16,
    },
    HangUp(usize),
    GiveUp(usize),
    Change(usize),
    Resend(Key),
    ResendAnswer(usize),
    ResendReliable(usize),
    ResendRefusal(String),
}

/// One phone and its habits.
pub(super) struct Actor {
    pub(super) phone: Phone,
    /// Its password is right.
    pub(super) honest: bool,
    /// It is a carrier or another server: what lines and trunks lead to.
    pub(super) carrier: bool,
    /// Calls that are up, as far as it knows.
    pub(super) up: BTreeSet<usize>,
    /// Calls it has cancelled.
    given_up: BTreeSet<usize>,
    clients: BTreeMap<Key, Client>,
    unacked: BTreeMap<usize, Unacked>,
    /// Reliable provisional responses without a PRACK.
    unpracked: BTreeMap<usize, Unacked>,
    /// Calls whose description went out reliably: their 2xx has none.
    described: BTreeSet<usize>,
    /// INVITEs it refused whose ACK has not come: their branch and Timer G.
    refused: BTreeMap<String, Duration>,
    answers: Memory,
    provisionals: Memory,
    acks: Memory,
}

impl Hands<'_> {
    pub(super) fn chance(&mut self, thousandths: u32) -> bool {
        below(self.rng, 1000) < thousandths
    }

    pub(super) fn ms(&mut self, most: u32) -> Duration {
        Duration::from_millis(below(self.rng, most).into())
    }

    pub(super) fn later(&mut self, delay: Duration, todo: Todo) {
        self.todo.push((delay, todo));
    }
}

impl Actor {
    pub(super) fn new(phone: Phone, honest: bool) -> Self {
        Self {
            phone,
            honest,
            carrier: false,
            up: BTreeSet::new(),
            given_up: BTreeSet::new(),
            clients: BTreeMap::new(),
            unacked: BTreeMap::new(),
            unpracked: BTreeMap::new(),
            described: BTreeSet::new(),
            refused: BTreeMap::new(),
            answers: Memory::default(),
            provisionals: Memory::default(),
            acks: Memory::default(),
        }
    }

    /// Calls whose INVITE has no final response yet.
    pub(super) fn calling(&self) -> Vec<usize> {
        let invites = self.clients.iter().filter(|(key, _)| key.1 == "INVITE");
        invites.filter_map(|(_, client)| self.call_of(&client.bytes)).collect()
    }

    /// Starts something, as the person at the phone.
    pub(super) fn act(&mut self, todo: Todo, hands: &mut Hands<'_>) {
        match todo {
            Todo::Register => self.register(hands),
            Todo::Ask { request, tries } => self.ask(*request, tries, hands),
            Todo::Answer { key, code } => self.answer(&key, code, hands),
            Todo::AnswerAgain { bytes, code } => self.answer_again(bytes, code, hands),
            Todo::HangUp(call) => {
                if self.up.remove(&call) {
                    self.unacked.remove(&call);
                    self.within(call, "BYE", Wishes::default(), hands);
                }
            }
            Todo::GiveUp(call) => {
                let rings = self.clients.values().any(|it| {
                    it.provisional && it.request.method == "INVITE" && self.is_of(it, call)
                });
                let gives_up = rings || (self.calling().contains(&call) && hands.chance(100));
                if gives_up && self.given_up.insert(call) {
                    self.within(call, "CANCEL", Wishes::default(), hands);
                }
            }
            Todo::Change(call) => {
                if !self.up.contains(&call) {
                    // Before the answer, and perhaps before that is allowed.
                    let early = self.phone.calls.get(call).is_some_and(|it| it.rack.is_some());
                    if early && hands.chance(500) {
                        self.within(call, "UPDATE", usual_offer(), hands);
                    }
                } else if hands.chance(300) {
                    self.within(call, "UPDATE", usual_offer(), hands);
                } else if !self.calling().contains(&call) {
                    let directions =
                        [Direction::SendRecv, Direction::SendOnly, Direction::Inactive];
                    let direction = directions[below(hands.rng, 3) as usize];
                    let media = match below(hands.rng, 5) {
                        0 => Media::None,
                        _ => Media::Described { codecs: Vec::new(), direction },
                    };
                    self.within(call, "INVITE", Wishes { media, ..Wishes::default() }, hands);
                }
            }
            Todo::Resend(key) => self.resend(&key, hands),
            Todo::ResendAnswer(call) => self.resend_answer(call, hands),
            Todo::ResendReliable(call) => self.resend_reliable(call, hands),
            Todo::ResendRefusal(branch) => self.resend_refusal(branch, hands),
        }
    }

    fn register(&mut self, hands: &mut Hands<'_>) {
        let expires = [60, 300, 3600][below(hands.rng, 3) as usize];
        let request = Request {
            method: "REGISTER".into(),
            target: Target::Server,
            wishes: Wishes {
                headers: vec![("Expires".into(), expires.to_string())],
                ..Wishes::default()
            },
        };
        self.ask(request, 0, hands);
        let again = Duration::from_secs(u64::from(below(hands.rng, expires)) + 20);
        hands.later(again, Todo::Register);
    }

    /// Sends a request, and again until it is answered.
    pub(super) fn ask(&mut self, request: Request, tries: u8, hands: &mut Hands<'_>) {
        let Ok(bytes) = self.phone.request(request.clone()) else { return };
        let Some(key) = Message::parse(&bytes).ok().and_then(|it| key(&it)) else { return };
        hands.out.push(bytes.clone());
        if request.method == "ACK" {
            return;
        }
        let give_up = hands.now + TIMEOUT;
        let client = Client { request, bytes, interval: T1, give_up, provisional: false, tries };
        self.clients.insert(key.clone(), client);
        hands.later(T1, Todo::Resend(key));
    }

    fn within(&mut self, call: usize, method: &str, wishes: Wishes, hands: &mut Hands<'_>) {
        let request = Request { method: method.to_owned(), target: Target::Call(call), wishes };
        self.ask(request, 0, hands);
    }

    fn resend(&mut self, key: &Key, hands: &mut Hands<'_>) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let rings = key.1 == "INVITE" && client.provisional;
        if rings || self.phone.flow.transport == Transport::Tcp {
            return;
        }
        if hands.now >= client.give_up {
            self.clients.remove(key);
            return;
        }
        client.interval *= 2;
        if key.1 != "INVITE" {
            client.interval = client.interval.min(T2);
        }
        hands.out.push(client.bytes.clone());
        hands.later(client.interval, Todo::Resend(key.clone()));
    }

    /// Takes a message of the server.
    pub(super) fn hear(&mut self, bytes: &Bytes, hands: &mut Hands<'_>) {
        let Ok(message) = Message::parse(bytes) else { return };
        let Some(key) = key(&message) else { return };
        if message.is_request() {
            let open = self.phone.open.iter().any(|it| it.bytes == *bytes);
            if let Some(answer) = self.answers.get(&key) {
                hands.out.push(answer);
            } else if open {
                hands.out.extend(self.provisionals.get(&key));
            } else if let Ok(Heard::Request { method, call }) = self.phone.hear(bytes) {
                self.requested(&method, call, key, hands);
            }
            return;
        }
        if let Some(ack) = self.acks.get(&key) {
            if message.status().is_some_and(|it| it >= 200) {
                hands.out.push(ack);
            }
        } else {
            let before: Vec<_> = self.phone.calls.iter().map(|it| it.rack).collect();
            let heard = self.phone.hear(bytes);
            let Ok(Heard::Response { code, call, .. }) = heard else { return };
            let news = call.filter(|&it| before.get(it) != Some(&self.phone.calls[it].rack));
            self.responded(code, call, key, hands);
            // One in twenty does not acknowledge what rings.
            if let Some(call) = news.filter(|_| !hands.chance(50)) {
                let wishes = if hands.chance(100) { usual_offer() } else { Wishes::default() };
                self.within(call, "PRACK", wishes, hands);
                if hands.chance(200) {
                    let pause = hands.ms(2000);
                    hands.later(pause, Todo::Change(call));
                }
            }
        }
    }

    fn responded(&mut self, code: u16, call: Option<usize>, key: Key, hands: &mut Hands<'_>) {
        if code < 200 {
            if let Some(client) = self.clients.get_mut(&key) {
                client.provisional = true;
            }
            return;
        }
        let client = self.clients.remove(&key);
        if key.1 == "INVITE"
            && let Some(call) = call
        {
            // One in fifty never acknowledges its answer.
            if code >= 300 || !hands.chance(20) {
                let request = Request {
                    method: "ACK".into(),
                    target: Target::Call(call),
                    wishes: Wishes::default(),
                };
                if let Ok(ack) = self.phone.request(request) {
                    self.acks.put(key.clone(), ack.clone());
                    hands.out.push(ack);
                }
            }
            if code < 300 && self.up.insert(call) {
                let talk = Duration::from_secs(1) + hands.ms(90_000);
                hands.later(talk, Todo::HangUp(call));
            }
            if matches!(code, 408 | 481) && self.up.remove(&call) {
                self.within(call, "BYE", Wishes::default(), hands);
            }
        }
        if matches!(code, 401 | 407)
            && let Some(client) = client
            && client.tries < 2
            && key.1 != "CANCEL"
        {
            let again = Todo::Ask { request: Box::new(client.request), tries: client.tries + 1 };
            let pause = hands.ms(40);
            hands.later(pause, again);
        }
    }

    fn requested(&mut self, method: &str, call: Option<usize>, key: Key, hands: &mut Hands<'_>) {
        match method {
            "INVITE" if call.is_some_and(|it| self.up.contains(&it)) => changed(key, hands),
            "INVITE" if self.carrier && hands.chance(400) => super::outside::fails(key, hands),
            "INVITE" => rings(key, hands),
            "ACK" => {
                self.refused.remove(&key.0);
                if let Some(call) = call
                    && self.unacked.remove(&call).is_some()
                {
                    let talk = Duration::from_secs(1) + hands.ms(90_000);
                    hands.later(talk, Todo::HangUp(call));
                }
            }
            "CANCEL" => self.cancelled(key, hands),
            "PRACK" => {
                if let Some(call) = call {
                    self.unpracked.remove(&call);
                }
                let code = [200, 200, 200, 200, 481, 405, 500][below(hands.rng, 7) as usize];
                self.answer(&key, code, hands);
            }
            "BYE" => {
                if let Some(call) = call {
                    self.up.remove(&call);
                    self.unacked.remove(&call);
                }
                let code = if call.is_none() { 481 } else { 200 };
                // A phone that is switched off in this moment stays silent.
                if !hands.chance(20) {
                    self.answer(&key, code, hands);
                }
            }
            "REGISTER" | "OPTIONS" if self.carrier => super::outside::serves(key, hands),
            _ => {
                // To UPDATE too, in every state.
                let code = [200, 200, 200, 415, 481][below(hands.rng, 5) as usize];
                let pause = hands.ms(300);
                hands.later(pause, Todo::Answer { key, code });
            }
        }
    }

    fn cancelled(&mut self, key: Key, hands: &mut Hands<'_>) {
        let invite = (key.0.clone(), "INVITE".to_owned());
        if hands.chance(150) {
            // The answer and the CANCEL cross.
            self.answer(&invite, 200, hands);
        }
        self.answer(&key, 200, hands);
        self.answer(&invite, 487, hands);
    }

    /// Answers an open request; nothing where it has been answered finally.
    fn answer(&mut self, key: &Key, code: u16, hands: &mut Hands<'_>) {
        let of_key = |bytes: &Bytes| Message::parse(bytes).ok().and_then(|it| self::key(&it));
        let open = self.phone.open.iter().position(|it| of_key(&it.bytes).as_ref() == Some(key));
        let Some(index) = open else { return };
        let (request, call) = (self.phone.open[index].bytes.clone(), self.phone.open[index].call);
        let described = call.is_some_and(|it| self.described.contains(&it));
        let media = match code {
            183 => Media::Described { codecs: Vec::new(), direction: Direction::SendRecv },
            200..=299 if described && key.1 == "INVITE" => {
                self.described.retain(|it| Some(*it) != call);
                Media::None
            }
            _ => Media::Usual,
        };
        let mut wishes = Wishes { media, ..Wishes::default() };
        if code == 302 && hands.chance(700) {
            let contact = format!("<sip:{}@10.0.0.1>", 100 + below(hands.rng, 8));
            wishes.headers.push(("Contact".into(), contact));
        }
        if self.carrier && matches!(code, 401 | 407) {
            wishes.headers.push(super::outside::challenge(code, hands.rng));
        }
        let reliable = call.filter(|_| matches!(code, 180 | 183) && may_be_reliable(&request));
        let reliable = reliable.filter(|_| hands.chance(500));
        if reliable.is_some() {
            wishes.headers = vec![
                ("Require".into(), "100rel".into()),
                ("RSeq".into(), (1 + below(hands.rng, 1000)).to_string()),
            ];
        }
        if key.1 == "INVITE" && (200..300).contains(&code) && hands.chance(150) {
            let expires = super::director::session_expires(hands.rng);
            wishes.headers.push(("Require".into(), "timer".into()));
            wishes.headers.push(("Session-Expires".into(), expires));
        }
        let Ok(bytes) = self.phone.answer_open(index, code, &wishes) else { return };
        hands.out.push(bytes.clone());
        if code < 200 {
            if let Some(call) = reliable {
                self.described.extend((code == 183).then_some(call));
                let give_up = hands.now + TIMEOUT;
                let unacked = Unacked { bytes: bytes.clone(), interval: T1, give_up };
                self.unpracked.insert(call, unacked);
                hands.later(T1, Todo::ResendReliable(call));
            }
            self.provisionals.put(key.clone(), bytes);
            return;
        }
        if let Some(call) = call.filter(|_| key.1 == "INVITE") {
            self.unpracked.remove(&call);
        }
        if key.1 == "INVITE" && code >= 300 {
            self.refused.insert(key.0.clone(), T1);
            hands.later(T1, Todo::ResendRefusal(key.0.clone()));
        }
        self.answers.put(key.clone(), bytes.clone());
        if key.1 == "INVITE" && hands.chance(30) {
            let (pause, code) = (hands.ms(2000), [486, 200, 183][below(hands.rng, 3) as usize]);
            hands.later(pause, Todo::AnswerAgain { bytes: request, code });
        }
        if let Some(call) = call.filter(|_| key.1 == "INVITE" && code < 300) {
            self.up.insert(call);
            let give_up = hands.now + TIMEOUT;
            self.unacked.insert(call, Unacked { bytes, interval: T1, give_up });
            hands.later(T1, Todo::ResendAnswer(call));
        }
    }

    fn answer_again(&mut self, bytes: Bytes, code: u16, hands: &mut Hands<'_>) {
        let open = crate::phone::Open { method: "INVITE".into(), call: None, bytes };
        self.phone.open.push(open);
        let index = self.phone.open.len() - 1;
        let wishes = Wishes {
            tag: Some(format!("{}-again", self.phone.name)),
            headers: vec![("Contact".into(), self.phone.contact())],
            ..Wishes::default()
        };
        if let Ok(bytes) = self.phone.answer_open(index, code, &wishes) {
            hands.out.push(bytes);
        }
        self.phone.open.truncate(index);
    }

    fn resend_answer(&mut self, call: usize, hands: &mut Hands<'_>) {
        let Some(unacked) = self.unacked.get_mut(&call) else { return };
        if hands.now >= unacked.give_up {
            self.unacked.remove(&call);
            self.act(Todo::HangUp(call), hands);
            return;
        }
        unacked.interval = (unacked.interval * 2).min(T2);
        hands.out.push(unacked.bytes.clone());
        let interval = unacked.interval;
        hands.later(interval, Todo::ResendAnswer(call));
    }

    fn resend_reliable(&mut self, call: usize, hands: &mut Hands<'_>) {
        let Some(unacked) = self.unpracked.get_mut(&call) else { return };
        if hands.now >= unacked.give_up {
            self.unpracked.remove(&call);
            return;
        }
        unacked.interval *= 2;
        hands.out.push(unacked.bytes.clone());
        let interval = unacked.interval;
        hands.later(interval, Todo::ResendReliable(call));
    }

    /// Timer G, until the ACK comes or T2 is passed (RFC 3261 §17.2.1).
    fn resend_refusal(&mut self, branch: String, hands: &mut Hands<'_>) {
        let Some(interval) = self.refused.get_mut(&branch) else { return };
        *interval *= 2;
        let (interval, key) = (*interval, (branch.clone(), "INVITE".to_owned()));
        if interval > T2 * 4 || self.phone.flow.transport == Transport::Tcp {
            self.refused.remove(&branch);
            return;
        }
        hands.out.extend(self.answers.get(&key));
        hands.later(interval, Todo::ResendRefusal(branch));
    }

    fn is_of(&self, client: &Client, call: usize) -> bool {
        self.call_of(&client.bytes) == Some(call)
    }

    /// The call one of its own requests belongs to.
    fn call_of(&self, bytes: &Bytes) -> Option<usize> {
        let message = Message::parse(bytes).ok()?;
        let call_id = message.headers.get(sip::message::HeaderName::CallId)?;
        self.phone.calls.iter().position(|it| it.call_id == call_id)
    }
}

/// A description in a request that need not have one.
fn usual_offer() -> Wishes {
    let media = Media::Described { codecs: Vec::new(), direction: Direction::SendRecv };
    Wishes { media, ..Wishes::default() }
}

/// An INVITE that offers 100rel and begins a call.
fn may_be_reliable(invite: &Bytes) -> bool {
    let Ok(message) = Message::parse(invite) else { return false };
    message.headers.has_token(sip::message::HeaderName::Supported, "100rel")
}

/// An INVITE for a new call.
fn rings(key: Key, hands: &mut Hands<'_>) {
    let ring = hands.ms(400);
    let provisional = [180, 180, 180, 183, 100][below(hands.rng, 5) as usize];
    let rings = hands.chance(800);
    if rings {
        hands.later(ring, Todo::Answer { key: key.clone(), code: provisional });
    }
    let refusals = [486, 603, 480, 404, 302, 401, 500, 488, 600, 503];
    let code = match below(hands.rng, 100) {
        // Nobody is there, and the phone rings on or says nothing at all.
        0..15 => return,
        15..40 => refusals[below(hands.rng, 10) as usize],
        _ => 200,
    };
    // Whoever does not ring answers before our INVITE times out.
    let longest = if rings { 70_000 } else { 10_000 };
    let most = [200, 2_000, 10_000, longest][below(hands.rng, 4) as usize];
    let delay = ring + hands.ms(most);
    hands.later(delay, Todo::Answer { key, code });
}

/// A re-INVITE.
fn changed(key: Key, hands: &mut Hands<'_>) {
    let code = [200, 200, 200, 200, 488, 491, 481, 500][below(hands.rng, 8) as usize];
    let pause = hands.ms(1500);
    if !hands.chance(30) {
        hands.later(pause, Todo::Answer { key, code });
    }
}
