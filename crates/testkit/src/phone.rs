//! A scripted phone: writes and reads real SIP text and does nothing on its own accord.
//!
//! A test says what it sends; [`Phone::hear`] keeps the books on what comes back: tags, route
//! sets, CSeq, challenges, offers. Ladders and simulator drive the same phone.

mod dialog;
mod edition;
mod request;
mod respond;
pub mod sdp;

pub use dialog::{Dialog, Invite};
pub use request::{Request, Target};

use self::sdp::{Described, USUAL_CODECS};
use ::sdp::Direction;
use bytes::Bytes;
use sip::auth::digest::{Algorithm, Challenge};
use sip::message::{HeaderName, Message, Method, NameAddr, RSeq, TypedHeader};
use sip::{ConnectionId, Flow, Transport};
use std::net::SocketAddr;

/// One phone.
#[derive(Clone, Debug)]
pub struct Phone {
    pub name: String,
    pub number: String,
    pub password: String,
    /// As the server sees it: `local` is the server, `remote` the phone.
    pub flow: Flow,
    /// Where it wants its media.
    pub media: SocketAddr,
    pub codecs: Vec<String>,
    /// Of the audio in its offers: `RTP/AVP` or `RTP/SAVP`.
    pub profile: &'static str,
    /// `+sip.instance`, where it has one.
    pub instance: Option<String>,
    /// The host of its Contact, where that is a name.
    pub host: Option<String>,
    /// Value of the Allow header in its INVITEs and their responses, where it writes one.
    pub allow: Option<String>,
    /// Every call it took part in, in the order they began.
    pub calls: Vec<Dialog>,
    /// Requests of the server it has not finally answered.
    pub open: Vec<Open>,
    /// CSeq of its newest REGISTER.
    pub register_cseq: u32,
    pub register_call_id: String,
    challenge: Option<HeldChallenge>,
    /// Newest request, for sending it again with credentials.
    last: Option<Request>,
    serial: u32,
}

/// A request of the server that awaits the phone's answer.
#[derive(Clone, Debug)]
pub struct Open {
    pub method: String,
    /// Index into [`Phone::calls`]; `None` outside of any dialog.
    pub call: Option<usize>,
    pub bytes: Bytes,
}

/// How a request is to say something about media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// An offer in INVITE, an answer (or, to an INVITE without one, an offer) in its 2xx.
    #[default]
    Usual,
    None,
    /// The phone's newest description once more, its version included.
    Unchanged,
    /// The same with this direction, and these codecs where any are named.
    Described {
        codecs: Vec<String>,
        direction: Direction,
    },
}

/// Departures of one message from what the phone would write.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Replace the phone's header of the same name, or are added.
    pub headers: Vec<(String, String)>,
    /// Headers left out.
    pub without: Vec<String>,
    pub media: Media,
    /// A body that is no SDP, with its type.
    pub body: Option<(String, String)>,
    /// The user it claims to be in From.
    pub from_user: Option<String>,
    pub tag: Option<String>,
    pub to_tag: Option<String>,
    /// The Request-URI outside of a dialog.
    pub uri: Option<String>,
    /// Where it saw the request it answers come from, as `received` and `rport` say.
    pub seen: Option<SocketAddr>,
}

/// What a message turned out to be to the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Request { method: String, call: Option<usize> },
    Response { code: u16, method: String, call: Option<usize> },
}

#[derive(Clone, Debug)]
struct HeldChallenge {
    realm: String,
    nonce: String,
    algorithm: Algorithm,
    qop_auth: bool,
    /// The count used last (RFC 7616 §3.4).
    nc: u32,
}

impl Phone {
    /// A phone of this extension behind `flow`, with media at the address of its signalling.
    pub fn new(name: &str, number: &str, password: &str, flow: Flow) -> Self {
        Self {
            name: name.to_owned(),
            number: number.to_owned(),
            password: password.to_owned(),
            flow,
            media: SocketAddr::new(flow.remote.ip(), 40_000),
            codecs: USUAL_CODECS.iter().map(|&it| it.to_owned()).collect(),
            profile: "RTP/AVP",
            instance: None,
            host: None,
            allow: None,
            calls: Vec::new(),
            open: Vec::new(),
            register_cseq: 0,
            register_call_id: format!("reg-{name}"),
            challenge: None,
            last: None,
            serial: 0,
        }
    }

    /// A stream phone got its connection, or a new one after the old was lost.
    pub fn connected(&mut self, remote: SocketAddr, connection: ConnectionId) {
        self.flow = Flow { remote, connection: Some(connection), ..self.flow };
    }

    /// The value of its Contact header.
    pub fn contact(&self) -> String {
        let (number, port) = (&self.number, self.address().port());
        let address = match &self.host {
            Some(host) => format!("{host}:{port}"),
            None => self.address().to_string(),
        };
        let transport = match self.flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        format!("<sip:{number}@{address}{transport}>")
    }

    /// Where it listens. A stream phone connects from this port too, which keeps tests readable.
    pub fn address(&self) -> SocketAddr {
        self.flow.remote
    }

    /// The top Via of the newest request it has not answered.
    pub fn open_via(&self) -> Option<String> {
        let message = Message::parse(&self.open.last()?.bytes).ok()?;
        message.headers.values(HeaderName::Via).next().map(str::to_owned)
    }

    /// Drops the challenge it holds: the next request goes out without credentials.
    pub fn forget_challenge(&mut self) {
        self.challenge = None;
    }

    /// Makes the next credentials a replay of the last ones (RFC 7616 §3.4).
    pub fn repeat_nonce_count(&mut self) {
        if let Some(held) = &mut self.challenge {
            held.nc = held.nc.saturating_sub(1);
        }
    }

    /// Reads a message of the server.
    pub fn hear(&mut self, bytes: &Bytes) -> Result<Heard, String> {
        let message = Message::parse(bytes).map_err(|error| format!("no SIP message: {error}"))?;
        sip::message::check(&message).map_err(|error| format!("malformed: {error:?}"))?;
        match message.method() {
            Some(method) => Ok(self.hear_request(&message, method, bytes)),
            None => self.hear_response(&message),
        }
    }

    fn hear_request(&mut self, message: &Message<'_>, method: Method<'_>, bytes: &Bytes) -> Heard {
        let copy = self.open.iter().find(|it| it.bytes == bytes);
        if let Some(copy) = copy {
            return Heard::Request { method: copy.method.clone(), call: copy.call };
        }
        let call_id = message.headers.get(HeaderName::CallId).unwrap_or_default();
        let to_tag = tag_of(message, HeaderName::To);
        let mut call = match method {
            Method::Cancel => self.invite_cancelled_by(message),
            _ => self.calls.iter().position(|it| it.is(call_id, to_tag)),
        };
        if method == Method::Invite && call.is_none() && to_tag.is_none() {
            let tag = self.next_name("t");
            call = Dialog::of_request(message, tag).map(|dialog| {
                self.calls.push(dialog);
                self.calls.len() - 1
            });
        }
        if let Some(dialog) = call.and_then(|it| self.calls.get_mut(it)) {
            match method {
                Method::Invite => {
                    dialog.learn_target(message);
                    dialog.answer_owed = false;
                    dialog.hear_sdp(message, true);
                }
                Method::Ack => dialog.hear_sdp(message, false),
                Method::Bye => dialog.ended = true,
                Method::Prack | Method::Update => dialog.hear_sdp(message, !dialog.offer_open),
                _ => {}
            }
        }
        let method = method.as_str().to_owned();
        if method != "ACK" {
            self.open.push(Open { method: method.clone(), call, bytes: bytes.clone() });
        }
        Heard::Request { method, call }
    }

    fn hear_response(&mut self, message: &Message<'_>) -> Result<Heard, String> {
        let cseq = sip::message::CSeq::parse(message.headers.get(HeaderName::CSeq).unwrap_or(""))?;
        let code = message.status().unwrap_or_default();
        if matches!(code, 401 | 407) {
            self.keep_challenge(message);
        }
        let call_id = message.headers.get(HeaderName::CallId).unwrap_or_default();
        let tag = tag_of(message, HeaderName::From);
        let call = self.calls.iter().position(|it| it.is(call_id, tag));
        if let Some(dialog) = call.and_then(|it| self.calls.get_mut(it)) {
            match cseq.method {
                Method::Invite => hear_invite_response(dialog, message, cseq.number, code),
                Method::Bye => dialog.ended |= code >= 200,
                Method::Prack | Method::Update => dialog.hear_sdp(message, false),
                _ => {}
            }
        }
        Ok(Heard::Response { code, method: cseq.method.as_str().to_owned(), call })
    }

    /// The call whose INVITE has the branch of this CANCEL (RFC 3261 §9.2).
    fn invite_cancelled_by(&self, cancel: &Message<'_>) -> Option<usize> {
        let via = cancel.headers.get(HeaderName::Via);
        let is_its_invite = |it: &&Open| {
            let invite = Message::parse(&it.bytes).ok();
            it.method == "INVITE" && invite.is_some_and(|it| it.headers.get(HeaderName::Via) == via)
        };
        self.open.iter().find(is_its_invite)?.call
    }

    fn keep_challenge(&mut self, message: &Message<'_>) {
        let values = message.headers.all(HeaderName::WwwAuthenticate);
        let Some(challenge) = values.filter_map(|it| Challenge::parse(it).ok()).next() else {
            return;
        };
        self.challenge = Some(HeldChallenge {
            realm: challenge.realm.to_owned(),
            nonce: challenge.nonce.to_owned(),
            algorithm: challenge.algorithm,
            qop_auth: challenge.qop_auth,
            nc: 0,
        });
    }

    /// A name nobody else has: the phone's, a letter, a count.
    fn next_name(&mut self, letter: &str) -> String {
        self.serial += 1;
        format!("{}-{letter}{}", self.name, self.serial)
    }

    /// The description a message carries, in text; `None` for one without.
    fn describe(&mut self, call: usize, media: &Media) -> Option<Vec<u8>> {
        let (address, known) = (self.media, self.codecs.clone());
        let dialog = self.calls.get_mut(call)?;
        let described = match (media, &dialog.heard_sdp, dialog.answer_owed) {
            (Media::None, _, _) => return None,
            (Media::Unchanged, _, _) => dialog.said_sdp.clone()?,
            (Media::Usual, Some(offer), true) => offer.answer(&known, address),
            (Media::Usual, _, _) => {
                Described { codecs: known, address, direction: Direction::SendRecv }
            }
            (Media::Described { codecs, direction }, offer, owed) => {
                let usual = match offer {
                    Some(offer) if owed => offer.answer(&known, address).codecs,
                    Some(_) | None => known,
                };
                let codecs = if codecs.is_empty() { usual } else { codecs.clone() };
                Described { codecs, address, direction: *direction }
            }
        };
        dialog.sdp_version += u32::from(*media != Media::Unchanged);
        dialog.offer_open = !dialog.answer_owed;
        let text = described.write(&self.name, dialog.sdp_version, self.profile);
        dialog.said_sdp = Some(described);
        Some(text)
    }
}

fn hear_invite_response(dialog: &mut Dialog, message: &Message<'_>, cseq: u32, code: u16) {
    let Some(invite) = dialog.invite.as_mut().filter(|it| it.cseq == cseq) else { return };
    let with_offer = invite.with_offer;
    if code >= 200 {
        let to = message.headers.get(HeaderName::To).unwrap_or_default();
        invite.answered = Some((code, to.to_owned()));
    }
    if let Ok(Some(rseq)) = message.headers.find::<RSeq>() {
        dialog.rack = Some((rseq.0, cseq));
    }
    if (101..300).contains(&code) {
        dialog.learn(message);
        dialog.hear_sdp(message, !with_offer);
    }
}

/// The tag of From or To.
fn tag_of<'a>(message: &Message<'a>, name: HeaderName) -> Option<&'a str> {
    NameAddr::parse(message.headers.get(name)?).ok()?.tag()
}
