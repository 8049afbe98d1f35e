//! Cases that a browser's script leads: it sets the office up, and has phones and carriers here do what it asks for.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::browser::administered;
use super::setup::{CALLEE_MARK, CALLER_MARK, registered};
use crate::browser;
use crate::clock;
use crate::dialog::Dialog;
use crate::message::{self, Message};
use crate::phone::{Phone, SOON};
use crate::report::Context;
use crate::rtp::{Media, audio_address};
use crate::server::{LOCALHOST, Server};

/// What the carrier knows, which wants the account as the caller.
const ACCOUNT: &str = "5551234";
const LINE_PASSWORD: &str = "Line-7-otter";
const ODDITY: &str = "from-account";

/// So long one is listened to before the next.
const GLANCE: Duration = Duration::from_millis(2);
/// Packets of sound in each direction.
const PACKETS: usize = 50;

/// What the simulator says on its page is what a call then does: whom it rings, under which number, or by what it is
/// refused. Phones and carriers refuse every call, so that each candidate that is named gets its turn.
pub(super) fn browser_simulator(context: &Context) -> Result<()> {
    led(context, "simulator")
}

/// A sheet that was not touched changes nothing; strangers lock nobody out; two factors are two.
pub(super) fn browser_safety(context: &Context) -> Result<()> {
    led(context, "safety")
}

/// The pictures of the README, of an office at work.
pub(super) fn browser_tour(context: &Context) -> Result<()> {
    led(context, "tour")
}

/// All who can be rung: the extensions 100 to 103, then three servers that are known by their addresses.
struct Everybody<'a> {
    server: &'a Server,
    phones: Vec<Phone>,
    calls: Vec<Call>,
}

/// One that rings, or is up.
struct Call {
    caller: usize,
    callee: usize,
    sent: Message,
    invite: Message,
    /// Of the caller and of the callee.
    media: [Media; 2],
    dialogs: Option<[Dialog; 2]>,
}

fn led(context: &Context, script: &str) -> Result<()> {
    let (server, mut known) = administered(context)?;
    let oddities = Oddities::parse(ODDITY).map_err(anyhow::Error::msg)?;
    let listen = SocketAddr::new(LOCALHOST, 0);
    let carrier = Serving::start(listen, &[(ACCOUNT, LINE_PASSWORD)], oddities)?;
    known["carrier"] = json!({
        "address": carrier.address, "account": ACCOUNT, "password": LINE_PASSWORD,
    });
    let mut phones = vec![];
    for number in ["100", "101", "102", "103"] {
        phones.push(registered(&server, number)?);
    }
    let mut peers = Map::new();
    for name in ["trunk-1", "trunk-2", "line"] {
        let peer = Phone::udp(LOCALHOST, server.udp(), name, "")?;
        peers.insert(name.to_owned(), peer.wire.local()?.to_string().into());
        phones.push(peer);
    }
    known["peers"] = peers.into();
    let everybody = RefCell::new(Everybody { server: &server, phones, calls: vec![] });
    browser::run(context, script, &known, |ask, given| everybody.borrow_mut().answer(ask, given))
}

impl Everybody<'_> {
    fn answer(&mut self, ask: &str, given: &Value) -> Result<Value> {
        let text = |it: &str| given[it].as_str().with_context(|| format!("no {it}"));
        let done = json!(true);
        match ask {
            "run" => {
                let words = given["arguments"].as_array().context("no arguments")?;
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                self.server.json(&words)
            }
            "call" => self.refused(text("from")?, text("way")?, text("dial")?),
            "ring" => self.ring(text("from")?, text("dial")?).map(|()| done),
            "pick up" => self.pick_up().map(|()| done),
            "hang up" => self.hang_up().map(|()| done),
            "records" => {
                let count = given["count"].as_u64().context("no count")?;
                Ok(self.server.wait_records(usize::try_from(count)?)?.into())
            }
            other => bail!("nobody does {other} here"),
        }
    }

    fn place(&self, name: &str) -> Result<usize> {
        let found = self.phones.iter().position(|it| it.number == name);
        found.with_context(|| format!("there is no {name}"))
    }

    /// Places a call that everybody refuses; the final status, and who was rung on the way there: by whom and as what.
    fn refused(&mut self, from: &str, way: &str, dial: &str) -> Result<Value> {
        let at = self.place(if way.is_empty() { from } else { way })?;
        let sdp = Media::new(LOCALHOST, CALLER_MARK)?.sdp()?;
        let sent = if way.is_empty() {
            self.phones[at].invite(dial, &sdp)?
        } else {
            comes_in(&mut self.phones[at], from, dial, &sdp)?
        };
        let end = clock::now() + SOON;
        let mut rung = vec![];
        while clock::now() < end {
            for phone in &mut self.phones {
                if let Some(invite) = phone.request_within("INVITE", GLANCE)? {
                    // A phone is busy; of a server, the next is asked.
                    let is_phone = phone.number.starts_with('1');
                    let status = if is_phone { 486 } else { 503 };
                    phone.respond(&invite, status, "Not Now")?;
                    rung.push(seen(&phone.number, &invite));
                }
            }
            let caller = &mut self.phones[at];
            let Some(answer) = caller.response(&sent, GLANCE)? else { continue };
            let Some(status @ 200..) = answer.status() else { continue };
            if status == 200 {
                let mut dialog = caller.ack(&sent, &answer)?;
                caller.bye(&mut dialog)?;
            } else {
                caller.ack_refusal(&sent, &answer)?;
            }
            return Ok(json!({ "status": status, "rung": rung }));
        }
        bail!("no final answer to {dial} of {from}")
    }

    fn ring(&mut self, from: &str, dial: &str) -> Result<()> {
        let (caller, callee) = (self.place(from)?, self.place(dial)?);
        let media = [Media::new(LOCALHOST, CALLER_MARK)?, Media::new(LOCALHOST, CALLEE_MARK)?];
        let sent = self.phones[caller].invite(dial, &media[0].sdp()?)?;
        let invite = self.phones[callee].expect_request("INVITE")?;
        self.phones[callee].respond(&invite, 180, "Ringing")?;
        self.calls.push(Call { caller, callee, sent, invite, media, dialogs: None });
        Ok(())
    }

    /// The newest call that rings is answered, and each side hears the other.
    fn pick_up(&mut self) -> Result<()> {
        let call = self.calls.iter_mut().rev().find(|it| it.dialogs.is_none());
        let call = call.context("nothing rings")?;
        let sdp = call.media[1].sdp()?;
        let callee = self.phones[call.callee].accept(&call.invite, &sdp)?;
        let caller = &mut self.phones[call.caller];
        let answer = caller.expect(&call.sent, 200)?;
        call.dialogs = Some([caller.ack(&call.sent, &answer)?, callee]);
        let towards =
            [audio_address(&answer.body_text())?, audio_address(&call.invite.body_text())?];
        for _ in 0..PACKETS {
            for (media, to) in call.media.iter_mut().zip(towards) {
                media.send(to)?;
            }
        }
        Ok(())
    }

    /// The caller of the oldest call that is up hangs up.
    fn hang_up(&mut self) -> Result<()> {
        let at = self.calls.iter().position(|it| it.dialogs.is_some()).context("none is up")?;
        let call = self.calls.remove(at);
        let [mut dialog, _] = call.dialogs.context("none is up")?;
        self.phones[call.caller].bye(&mut dialog)?;
        let callee = &mut self.phones[call.callee];
        let bye = callee.expect_request("BYE")?;
        callee.respond(&bye, 200, "OK").map(drop)
    }
}

/// A call from outside, by a server that is known by its address.
fn comes_in(by: &mut Phone, from: &str, dial: &str, sdp: &str) -> Result<Message> {
    let uri = format!("sip:{dial}@{}", by.server);
    let mut request = by.request("INVITE", &uri, &uri)?.with_sdp(sdp);
    let (own, theirs) = (by.aor(), format!("sip:{from}@{}", by.server));
    for (_, value) in request.headers.iter_mut().filter(|it| it.0 == "From") {
        *value = value.replace(&own, &theirs);
    }
    by.send(&request)?;
    Ok(request)
}

/// Who got the INVITE, with its Request-URI and who calls.
fn seen(who: &str, invite: &Message) -> Value {
    let uri = invite.start.split(' ').nth(1).unwrap_or_default();
    json!({ "who": who, "uri": uri, "from": message::uri(invite.text("From")) })
}
