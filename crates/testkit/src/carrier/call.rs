//! The called side (RFC 3261 §13.3): who calls is judged, then it rings, then it is answered.

use super::{Asked, Carrier, RING, Reply, Sent, user_of};
use crate::phone::sdp::Described;
use sip::message::{HeaderName, Message, MinSe, SessionExpires};
use std::time::{Duration, Instant};

/// How often an answer that nobody acknowledges is sent again.
const RESEND: Duration = Duration::from_millis(500);

/// After this the caller is gone.
const RESENDS_MAX: u32 = 8;

/// A call that was let through.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) serial: u64,
    state: State,
    /// The answer, whole.
    answer: Sent,
    /// The response to the INVITE once it is cancelled.
    terminated: Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ringing { until: Instant },
    Answered { again_at: Instant, times: u32 },
    Over,
}

impl Call {
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Ringing { until } => Some(until),
            State::Answered { again_at, .. } => Some(again_at),
            State::Over => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Sent> {
        let times = match self.state {
            State::Ringing { until } if until <= now => 0,
            State::Answered { again_at, times } if again_at <= now => times + 1,
            _ => return None,
        };
        self.state = match times {
            0..RESENDS_MAX => State::Answered { again_at: now + RESEND, times },
            _ => State::Over,
        };
        Some(self.answer.clone())
    }
}

impl Carrier {
    pub(super) fn invite(&mut self, asked: Asked<'_>) -> Vec<Reply> {
        if let Err(refusal) = self.judge(asked) {
            return vec![Reply::of(100), refusal];
        }
        let described = Described::read(asked.message.body);
        let codec = described.and_then(|it| {
            let wanted = self.oddities.codec.clone();
            let spoken = |codec: &&String| match &wanted {
                Some(only) => codec.eq_ignore_ascii_case(only),
                None => ["pcma", "pcmu"].contains(&codec.to_ascii_lowercase().as_str()),
            };
            let plain = ["pcma", "pcmu", "telephone-event"];
            let is_plain = |it: &String| plain.contains(&it.to_ascii_lowercase().as_str());
            if self.oddities.plain_codecs && !it.codecs.iter().all(is_plain) {
                return None;
            }
            it.codecs.iter().find(spoken).cloned()
        });
        let Some(codec) = codec else {
            let why = "305 telecom \"Incompatible media format\"";
            return vec![Reply::of(100), Reply::of(488).with("Warning", why)];
        };
        self.ring(asked, &codec)
    }

    /// What may be wrong with an INVITE before anybody is called.
    fn judge(&mut self, asked: Asked<'_>) -> Result<(), Reply> {
        let headers = &asked.message.headers;
        let odd = &self.oddities;
        let has = |name| headers.has_token(name, "100rel");
        let (requires, supports) = (has(HeaderName::Require), has(HeaderName::Supported));
        if let Some(other) = odd.redirect {
            return Err(Reply::of(302).with("Contact", format!("<sip:{other}>")));
        }
        if odd.refuses_100rel && requires {
            return Err(Reply::of(420).with("Unsupported", "100rel"));
        }
        if odd.needs_100rel && !requires && !supports {
            return Err(Reply::of(421).with("Require", "100rel"));
        }
        if odd.challenges.iter().any(|it| it == "INVITE") {
            self.authenticate(asked)?;
        }
        let odd = &self.oddities;
        if odd.plain_uri && sip::dialog::request_uri(asked.message).contains("user=phone") {
            return Err(Reply::of(484));
        }
        let caller = user_of(asked.message, HeaderName::From);
        if odd.from_account && !self.accounts.contains_key(&caller) {
            return Err(Reply::of(403));
        }
        let asks = headers.find::<SessionExpires>().ok().flatten().map(|it| it.seconds);
        let takes = headers.find::<MinSe>().ok().flatten().map_or(0, |it| it.0);
        if let (Some(least), Some(asks)) = (odd.min_se, asks)
            && asks.max(takes) < least
        {
            return Err(Reply::of(422).with("Min-SE", least.to_string()));
        }
        Ok(())
    }

    fn ring(&mut self, asked: Asked<'_>, codec: &str) -> Vec<Reply> {
        let Asked { message, it, now, .. } = asked;
        let contact = format!("<sip:carrier@{}>", self.address);
        let sdp = answer(self.address, codec);
        let ringing = |code, sdp: Option<&String>| Reply {
            sdp: sdp.cloned(),
            ..Reply::of(code).with("Contact", contact.clone())
        };
        let mut replies = vec![Reply::of(100)];
        let supports = message.headers.has_token(HeaderName::Supported, "100rel")
            || message.headers.has_token(HeaderName::Require, "100rel");
        if self.oddities.progress {
            replies.push(ringing(183, None));
        }
        if self.oddities.early_media {
            replies.push(ringing(183, Some(&sdp)));
        }
        let reliable = (self.oddities.prack.is_some() || self.oddities.needs_100rel) && supports;
        replies.push(match reliable {
            true => ringing(183, Some(&sdp)).with("Require", "100rel").with("RSeq", "1"),
            false => ringing(180, None),
        });
        if let Some(code) = self.oddities.refuses {
            replies.push(Reply::of(code));
            return replies;
        }
        let serial = self.tag_of(it.call_id);
        let tag = format!("c{serial}");
        let accepted = Reply { sdp: Some(sdp), ..Reply::of(200).with("Contact", contact) };
        let accepted = accepted.with("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE");
        let answer = self.write(asked, &accepted, &tag);
        let terminated = self.write(asked, &Reply::of(487), &tag);
        let state = State::Ringing { until: now + RING };
        self.calls.insert(it.call_id.to_owned(), Call { serial, state, answer, terminated });
        replies
    }

    pub(super) fn acknowledged(&mut self, call_id: &str) {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.state = State::Over;
        }
    }

    /// The INVITE gets its 487 at the next turn of the clock.
    pub(super) fn cancelled(&mut self, asked: Asked<'_>) -> Vec<Reply> {
        let Some(call) = self.calls.get_mut(asked.it.call_id) else {
            return vec![Reply::of(481)];
        };
        if matches!(call.state, State::Ringing { .. }) {
            call.answer = call.terminated.clone();
            call.state = State::Ringing { until: asked.now };
        }
        vec![Reply::of(200)]
    }

    /// A request within a dialog.
    pub(super) fn within(
        &mut self,
        asked: Asked<'_>,
        method: sip::message::Method<'_>,
    ) -> Vec<Reply> {
        if !self.calls.contains_key(asked.it.call_id) {
            return vec![Reply::of(481)];
        }
        if self.oddities.challenges.iter().any(|it| it == method.as_str())
            && let Err(reply) = self.authenticate(asked)
        {
            return vec![reply];
        }
        match (method.as_str(), self.oddities.prack) {
            ("PRACK", Some(code)) => vec![Reply::of(code)],
            ("INVITE", _) => {
                let sdp = answer_to(asked.message, self.address);
                let contact = format!("<sip:carrier@{}>", self.address);
                vec![Reply { sdp, ..Reply::of(200).with("Contact", contact) }]
            }
            ("BYE", _) => {
                self.calls.remove(asked.it.call_id);
                vec![Reply::of(200)]
            }
            _ => vec![Reply::of(200)],
        }
    }
}

fn answer_to(message: &Message<'_>, address: std::net::SocketAddr) -> Option<String> {
    let codecs = Described::read(message.body)?.codecs;
    Some(answer(address, codecs.first()?))
}

fn answer(address: std::net::SocketAddr, codec: &str) -> String {
    let (payload, name) = match codec.to_ascii_lowercase().as_str() {
        "pcmu" => (0, "PCMU"),
        "pcma" => (8, "PCMA"),
        _ => (9, "G722"),
    };
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=carrier 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP {payload}\r\na=rtpmap:{payload} {name}/8000\r\n"
    )
}
