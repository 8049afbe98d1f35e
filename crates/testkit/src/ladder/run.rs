//! Runs the steps of a ladder one after the other.

use super::carrier;
use super::cast::adjust;
use super::end;
use super::expect::{self, Surroundings, codecs_in, direction_in};
use super::line::{Step, Word, Words};
use super::stage::Stage;
use crate::office::{Outgoing, SERVER_V4, SERVER_V6};
use crate::phone::{Media, Request, Target, Wishes};
use bytes::Bytes;
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::core::{Command, Input};
use pbx::digit::Press;
use pbx::id::{CallId, TenantId};
use sdp::Direction;
use sip::message::{HeaderName, Message};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// More than a report takes.
const REPORT: Duration = Duration::from_millis(100);
/// The address of a phone whose network has changed.
const MOVED_TO: Ipv4Addr = Ipv4Addr::new(10, 0, 77, 1);

/// A ladder under way.
pub(super) struct Run {
    stage: Stage,
    /// The token of the connection the server last asked for.
    connect_token: Option<u64>,
    /// Call records already looked at.
    records_read: usize,
    /// Calls placed by the server.
    placed: u8,
}

impl Run {
    pub(super) fn new(stage: Stage) -> Self {
        let records_read = stage.office.journal.ended.len();
        Self { stage, connect_token: None, records_read, placed: 0 }
    }

    pub(super) fn transcript(&self) -> String {
        self.stage.transcript()
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        if !matches!(step, Step::Expect { .. }) {
            self.assert_silent()?;
        }
        match step {
            Step::Given(_) => Ok(()),
            Step::Send { phone, words } => self.send(phone, words),
            Step::Expect { phone, words } => self.expect(phone, words),
            Step::Wait { by, through_resends } => self.wait(*by, *through_resends),
            Step::WaitNext { most } => self.wait_next(*most),
            Step::Clock(by_ms) => {
                self.stage.office.clock.step_utc(*by_ms);
                Ok(())
            }
            Step::Kill => {
                self.stage.office.kill();
                self.stage.unanswered.clear();
                self.stage.phones.values_mut().for_each(|it| it.flow.connection = None);
                Ok(())
            }
            Step::Shutdown => self.command(Command::Shutdown),
            Step::Overload(on) => self.command(Command::Overload(*on)),
            Step::Behind(what) => self.command(Command::Shed(*what)),
            Step::Hangup { first } => {
                let call = self.open_call(*first)?;
                self.command(Command::Hangup(call))
            }
            Step::Place(words) => self.place(words),
            Step::Transfer(words) => self.transfer(words),
            Step::Disconnect(phone) => self.disconnect(phone),
            Step::Move(phone) => {
                let phone = self.stage.phone(phone)?;
                phone.flow.remote.set_ip(IpAddr::V4(MOVED_TO));
                Ok(())
            }
            Step::Change(words) => self.change(words),
            Step::Dns(words) => carrier::change_dns(&mut self.stage.office, words),
            Step::Media { hearer, speaker } => self.media(hearer, speaker.as_deref()),
            Step::Presses { phone, digit } => self.presses(phone, *digit),
            Step::Hears { phone, digits } => self.hears(phone, digits),
            Step::EdgeFails => {
                self.stage.office.edge.fail_next = true;
                Ok(())
            }
            Step::Silence(phone) => self.silence(phone),
            Step::Record(words) => self.record(words),
            Step::Event(words) => end::event(&mut self.stage.office.events, words),
            Step::Report(words) => {
                self.stage.office.events.clear();
                self.command(Command::Report)?;
                self.stage.office.advance(REPORT);
                end::report(&mut self.stage.office.events, words)
            }
        }
    }

    /// The end: silence, then nothing left.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.assert_silent()?;
        end::check(&mut self.stage)
    }

    fn assert_silent(&mut self) -> Result<(), String> {
        match self.stage.office.poll_sent() {
            Some(sent) => Err(format!("before it, the server {}", self.stage.describe(&sent))),
            None => Ok(()),
        }
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        self.stage.office.command(command);
        Ok(())
    }

    fn open_call(&self, first: bool) -> Result<CallId, String> {
        let mut open = self.stage.office.journal.open.keys();
        let call = if first { open.next() } else { open.next_back() };
        call.copied().ok_or_else(|| "there is no call".to_owned())
    }

    /// `place 100 101 by=102 shown=5 shown-to-second=6 answers-itself`
    fn place(&mut self, words: &Words) -> Result<(), String> {
        let second = words.flags().next().ok_or("whom is it to call then?")?;
        self.placed += 1;
        let utc = self.stage.office.clock.now().utc;
        let text = |name: &str| words.get(name).map(Into::into);
        let order = Order {
            call: CallId::of(utc, [self.placed; 10]),
            tenant: TenantId::default(),
            by: words.get("by").unwrap_or(&words.head).into(),
            first: words.head.as_str().into(),
            second: second.into(),
            shown: text("shown"),
            shown_to_second: text("shown-to-second"),
            placed_by: "api:test".into(),
            answers_itself: words.has("answers-itself"),
        };
        self.command(Command::Place { order: Box::new(order), token: 0 })
    }

    /// `transfer caller 102`: the caller talks to 102 then.
    fn transfer(&mut self, words: &Words) -> Result<(), String> {
        let kept = match words.head.as_str() {
            "caller" => Half::Caller,
            "callee" => Half::Callee,
            other => return Err(format!("transfer {other}?")),
        };
        let to = words.flags().next().ok_or("where to?")?.into();
        let call = self.open_call(false)?;
        self.command(Command::Transfer { call, kept, to, token: 0 })
    }

    fn send(&mut self, name: &str, words: &Words) -> Result<(), String> {
        match words.head.as_str() {
            "connected" => return self.connected(name),
            "refused" => {
                let token = self.connect_token.take().ok_or("no connection was asked for")?;
                self.stage.office.input(Input::ConnectFailed { token });
                return Ok(());
            }
            _ => {}
        }
        let password = self.stage.phone(name)?.password.clone();
        if words.has("wrong") {
            self.stage.phone(name)?.password = "wrong".into();
        }
        let outcome = self.send_as_told(name, words);
        self.stage.phone(name)?.password = password;
        outcome
    }

    fn send_as_told(&mut self, name: &str, words: &Words) -> Result<(), String> {
        let bytes = if words.has("resend") || words.has("forked") {
            let earlier = |it: &&(String, String, Bytes)| it.0 == name && it.1 == words.head;
            let found = self.stage.sent.iter().rfind(earlier);
            let found = found.map(|it| it.2.clone()).ok_or("nothing like it was sent before")?;
            if words.has("forked") { by_another_way(&found) } else { found }
        } else {
            self.write(name, words)?
        };
        self.stage.sent.push((name.to_owned(), words.head.clone(), bytes.clone()));
        if words.has("lost") {
            return Ok(());
        }
        self.stage.deliver(name, &bytes)?;
        if words.has("ignored") {
            self.stage.unanswered.clear();
        }
        let behind_the_curtain =
            !["nocred", "visible", "resend", "forked"].iter().any(|it| words.has(it))
                && words.code().is_none();
        if behind_the_curtain && let Some(again) = self.stage.answer_challenge(name)? {
            self.stage.sent.push((name.to_owned(), words.head.clone(), again.clone()));
            self.stage.deliver(name, &again)?;
        }
        Ok(())
    }

    fn write(&mut self, name: &str, words: &Words) -> Result<Bytes, String> {
        let mut wishes = wishes(words)?;
        if let (Some(code @ (401 | 407)), true) = (words.code(), carrier::is_carrier(name)) {
            let params = words.get("challenge").unwrap_or(carrier::USUAL_CHALLENGE);
            let header = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
            wishes.headers.push((header.to_owned(), format!("Digest {params}")));
        }
        if let Some(which) = words.get("replaces") {
            wishes.headers.push(self.replaces(name, which)?);
        }
        if let Some(account) = words.get("to-line") {
            let contact = self.stage.contacts.get(account).ok_or("it never registered")?;
            wishes.uri = Some(contact.clone());
        }
        let phone = self.stage.phone(name)?;
        if words.has("looped") {
            let theirs = phone.open_via().ok_or("there is no request to send back")?;
            let own = format!("SIP/2.0/UDP {};rport;branch=z9hG4bKloop", phone.address());
            wishes.headers.push(("Via".to_owned(), format!("{own}, {theirs}")));
        }
        if let Some(code) = words.code() {
            return phone.answer(code, words.method(), &wishes);
        }
        if words.has("nocred") {
            phone.forget_challenge();
        }
        if words.has("replay") {
            phone.repeat_nonce_count();
        }
        let number = words.flags().find(|it| it.starts_with(|it: char| !it.is_ascii_alphabetic()));
        let call = match words.get("call") {
            Some(number) => {
                number.parse::<usize>().map_err(|error| error.to_string())?.checked_sub(1)
            }
            None => phone.calls.len().checked_sub(1),
        };
        let target = match (words.head.as_str(), number, call) {
            ("REGISTER", ..) => Target::Server,
            (_, Some(number), _) => Target::Number(number.to_owned()),
            (_, None, Some(call)) => Target::Call(call),
            (_, None, None) => Target::Number(String::new()),
        };
        phone.request(Request { method: words.head.clone(), target, wishes })
    }

    /// `replaces=2` points Refer-To at the phone's own second call, `replaces=bob` takes the place
    /// of bob in his newest one.
    fn replaces(&mut self, name: &str, which: &str) -> Result<(String, String), String> {
        let own = which.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
        let phone = self.stage.phone(if own.is_some() { name } else { which })?;
        let dialog = match own {
            Some(call) => phone.calls.get(call),
            None => phone.calls.last(),
        };
        let dialog = dialog.ok_or("there is no such call")?;
        let remote = dialog.remote_tag.as_deref().unwrap_or_default();
        let (call_id, local, target) = (&dialog.call_id, &dialog.local_tag, &dialog.target);
        Ok(match own {
            Some(_) => {
                let uri = format!("{target}?Replaces={call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D");
                ("Refer-To".to_owned(), format!("<{uri}{local}>"))
            }
            None => {
                let tags = format!("to-tag={remote};from-tag={local}");
                ("Replaces".to_owned(), format!("{call_id};{tags}"))
            }
        })
    }

    fn expect(&mut self, name: &str, words: &Words) -> Result<(), String> {
        let office = &mut self.stage.office;
        let sent = office.poll_sent().ok_or("the server sent nothing")?;
        if words.head == "connect" {
            let to = self.stage.recipient(&sent);
            return match sent.what {
                Outgoing::Connect { token, .. } if to == name => {
                    self.connect_token = Some(token);
                    Ok(())
                }
                _ => Err(format!("the server {}", self.stage.describe(&sent))),
            };
        }
        let what_came = self.stage.describe(&sent);
        let but = |problem: String| format!("{problem}\n  the server {what_came}");
        let Outgoing::Message { flow, bytes, .. } = &sent.what else {
            return Err(but(String::new()));
        };
        let recipient = match words.has("gone") {
            true => self.stage.recipient_by_address(flow.remote),
            false => self.stage.recipient(&sent),
        };
        if recipient != name {
            return Err(but("another message came".into()));
        }
        if words.head == "keep-alive" {
            let is_one = bytes.iter().all(|it| matches!(it, b'\r' | b'\n'));
            return if is_one { Ok(()) } else { Err(but("it is no keep-alive".into())) };
        }
        let message = Message::parse(bytes).map_err(|error| error.to_string())?;
        let owner_of = |address| owner_of(&self.stage, address);
        let newest = self.stage.phones.get(name).and_then(|it| it.calls.last());
        let known_tag = newest.and_then(|it| it.remote_tag.as_deref()).unwrap_or_default();
        let call_ids = &self.stage.call_ids;
        let surroundings = Surroundings {
            owner_of: &owner_of,
            known_tag,
            last_call_id: call_ids.get(name).map(String::as_str),
        };
        expect::check(&message, words, &surroundings).map_err(but)?;
        if let Some(call_id) =
            message.headers.get(HeaderName::CallId).filter(|_| message.is_request())
        {
            self.stage.call_ids.insert(name.to_owned(), call_id.to_owned());
        }
        let is_news = self.stage.said_now(name, bytes);
        match (is_news, words.has("resend")) {
            (true, true) => return Err(but("it was not sent before".into())),
            (false, false) => return Err(but("it was sent before: say `resend`".into())),
            (true, false) | (false, true) => {}
        }
        if words.has("gone") {
            let connection = flow.connection.ok_or("it was not sent over a connection")?;
            self.stage.office.input(Input::Closed { connection });
        } else if !words.has("lost") {
            let phone = self.stage.phone(name)?;
            phone.hear(bytes).map_err(but)?;
            if let Some(why) = phone.calls.iter_mut().find_map(|it| it.broken.take()) {
                return Err(but(format!("another session in the same dialog: {why}")));
            }
        }
        Ok(())
    }

    fn wait(&mut self, by: Duration, through_resends: bool) -> Result<(), String> {
        let end = self.stage.office.clock.now().instant + by;
        self.stage.office.advance(by);
        if through_resends {
            // Copies are as if lost: phones that answered have said so already.
            while let Some(Outgoing::Message { bytes, .. }) =
                self.stage.office.peek_sent().map(|it| &it.what)
                && self.stage.said.iter().any(|it| it.1 == bytes)
            {
                self.stage.office.poll_sent();
            }
        }
        if let Some(sent) = self.stage.office.peek_sent()
            && sent.at < end
        {
            let early = end - sent.at;
            let sent = sent.clone();
            let what = self.stage.describe(&sent);
            return Err(format!("{early:?} before its end, the server {what}"));
        }
        Ok(())
    }

    fn wait_next(&mut self, most: Duration) -> Result<(), String> {
        let office = &mut self.stage.office;
        let end = office.clock.now().instant + most;
        while office.peek_sent().is_none() {
            let next = office.poll_timeout().filter(|it| *it <= end);
            let next = next.ok_or_else(|| format!("nothing is sent in {most:?}"))?;
            office.advance(next.saturating_duration_since(office.clock.now().instant));
        }
        Ok(())
    }

    fn connected(&mut self, name: &str) -> Result<(), String> {
        let token = self.connect_token.take().ok_or("no connection was asked for")?;
        let connection = self.stage.office.next_connection();
        let phone = self.stage.phone(name)?;
        phone.connected(phone.flow.remote, connection);
        let flow = phone.flow;
        self.stage.office.input(Input::Connected { token, flow });
        Ok(())
    }

    fn disconnect(&mut self, name: &str) -> Result<(), String> {
        let phone = self.stage.phone(name)?;
        let connection = phone.flow.connection.take().ok_or("it has no connection")?;
        self.stage.office.input(Input::Closed { connection });
        Ok(())
    }

    fn change(&mut self, words: &Words) -> Result<(), String> {
        let mut outcome = Ok(());
        if words.head == "trunk" && words.has("deleted") {
            let id = words.flags().next().and_then(|it| it.parse::<u32>().ok());
            let id = id.ok_or("which trunk?")?;
            self.stage.office.change(|tenant| drop(tenant.trunks.remove(&id)));
            return Ok(());
        }
        if words.head == "line" {
            let account = words.flags().next().ok_or("which line?")?;
            self.stage.office.change(|tenant| match tenant.lines.get(account) {
                Some(_) if words.has("deleted") => drop(tenant.lines.remove(account)),
                Some(line) => {
                    let mut line = (**line).clone();
                    outcome = carrier::adjust(&mut line, words);
                    tenant.lines.put(line);
                }
                None => outcome = Err(format!("no line {account}")),
            });
            return outcome;
        }
        self.stage.office.change(|tenant| match tenant.extension(&words.head) {
            Some(_) if words.has("deleted") => tenant.remove(&words.head),
            Some(extension) => {
                let mut extension = (**extension).clone();
                outcome = adjust(&mut extension, words);
                tenant.put(extension);
            }
            None => outcome = Err(format!("no extension {}", words.head)),
        });
        outcome
    }

    /// Every phone with a call says something; who of them is heard?
    fn media(&mut self, hearer: &str, speaker: Option<&str>) -> Result<(), String> {
        let to = self.stage.phone(hearer)?.media;
        let now = self.stage.office.clock.now().instant;
        let edge = &mut self.stage.office.edge;
        let mut heard = Vec::new();
        for phone in self.stage.phones.values() {
            let Some(call) = phone.calls.last() else { continue };
            let Some(server) = call.heard_sdp.as_ref().map(|it| it.address) else { continue };
            if edge.packet(phone.media, server, now).contains(&to) {
                heard.push(phone.name.as_str());
            }
        }
        if edge.rings(to, now) {
            heard.push("ringing");
        }
        expect::same("who is heard", &heard.join(" and "), speaker.unwrap_or_default())
    }

    fn presses(&mut self, phone: &str, digit: char) -> Result<(), String> {
        let phone = self.stage.phone(phone)?;
        let (from, call) = (phone.media, phone.calls.last());
        let told = call.and_then(|it| it.heard_sdp.clone()).ok_or("it has no call")?;
        if !told.codecs.iter().any(|it| it == "telephone-event") {
            return Err("it was not told that it may send events".into());
        }
        let now = self.stage.office.clock.now().instant;
        self.stage.office.edge.press(from, told.address, digit, now)?;
        self.stage.office.advance(Duration::ZERO);
        Ok(())
    }

    fn hears(&mut self, phone: &str, digits: &str) -> Result<(), String> {
        let media = self.stage.phone(phone)?.media;
        let heard = self.stage.office.edge.take_digits(media);
        expect::same("what digits it hears", &heard, digits)
    }

    fn silence(&mut self, phone: &str) -> Result<(), String> {
        let media = self.stage.phone(phone)?.media;
        let event = self.stage.office.edge.silence_of(media).ok_or("it is not watched")?;
        self.stage.office.input(Input::Media(event));
        Ok(())
    }

    fn record(&mut self, words: &Words) -> Result<(), String> {
        let ended = &self.stage.office.journal.ended;
        let record = ended.get(self.records_read);
        if words.has("none") {
            return record.map_or(Ok(()), |it| Err(format!("there is one: {it:?}")));
        }
        let record = record.ok_or("there is no further record")?;
        end::record(record, words)?;
        self.records_read += 1;
        Ok(())
    }
}

/// What a line that sends wants changed in the message.
fn wishes(words: &Words) -> Result<Wishes, String> {
    let mut wishes = Wishes::default();
    let mut direction = Direction::SendRecv;
    let mut codecs = None;
    if words.has("unchanged") {
        wishes.media = Media::Unchanged;
    }
    for word in &words.rest {
        let Word::Pair(name, value) = word else { continue };
        let mut header = |name: &str, value: &str| {
            wishes.headers.push((name.to_owned(), value.to_owned()));
        };
        match name.as_str() {
            "header" => {
                let (name, value) = value.split_once(':').ok_or("write header=Name:value")?;
                header(name, value.trim());
            }
            "reason" => header("Reason", value),
            "require" => header("Require", value),
            "rseq" => {
                header("Require", "100rel");
                header("RSeq", value);
            }
            "max-forwards" => header("Max-Forwards", value),
            "expires" => header("Expires", value),
            "contact" => header("Contact", value),
            "call-id" => header("Call-ID", value),
            "cseq" => header("CSeq", &format!("{value} {}", words.head)),
            "via" => header("Via", value),
            "seen" => {
                let seen = value.parse().map_err(|_| format!("seen={value}: no address"))?;
                wishes.seen = Some(seen);
            }
            "uri" => wishes.uri = Some(value.clone()),
            "from" => wishes.from_user = Some(value.clone()),
            "without" => wishes.without.push(value.clone()),
            "tag" => wishes.tag = Some(value.clone()),
            "to-tag" => wishes.to_tag = Some(value.clone()),
            "dtmf" => {
                let body = format!("Signal={value}\r\nDuration=160\r\n");
                wishes.body = Some((Press::CONTENT_TYPE.to_owned(), body));
            }
            "body" => wishes.body = Some(("text/plain".to_owned(), value.clone())),
            "sdp" if value == "none" => wishes.media = Media::None,
            "sdp" => codecs = codecs_in(value).or(Some(Vec::new())),
            "direction" => {
                direction = direction_in(value)?;
                codecs = codecs.or(Some(Vec::new()));
            }
            "call" | "challenge" | "replaces" | "to-line" => {}
            _ => return Err(format!("nothing to send as {name}")),
        }
    }
    if let Some(codecs) = codecs {
        wishes.media = Media::Described { codecs, direction };
    }
    Ok(wishes)
}

/// A copy that a forking proxy sent by another way: the same request with another branch.
fn by_another_way(bytes: &Bytes) -> Bytes {
    String::from_utf8_lossy(bytes).replacen("branch=z9hG4bK", "branch=z9hG4bKfork", 1).into()
}

fn owner_of(stage: &Stage, address: IpAddr) -> String {
    if [SERVER_V4, SERVER_V6].contains(&address) {
        return "pbx".into();
    }
    let phone = stage.phones.values().find(|it| it.media.ip() == address);
    phone.map_or_else(|| address.to_string(), |it| it.name.clone())
}
