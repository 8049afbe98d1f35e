//! Requests a phone sends: outside of a dialog, within one, ACK and CANCEL (RFC 3261 §8.1, §12.2).

use super::{Dialog, Invite, Media, Phone, Wishes};
use bytes::Bytes;
use sip::Transport;
use sip::auth::digest::{Challenge, authorization};
use sip::message::{Method, Writer};

/// A request to send.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub target: Target,
    pub wishes: Wishes,
}

/// Whom a request is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The registrar.
    #[default]
    Server,
    /// This number, outside of any dialog; INVITE begins a call.
    Number(String),
    /// The peer of this call.
    Call(usize),
}

/// The parts of a request before they are text.
struct Draft {
    uri: String,
    headers: Vec<(String, String)>,
    body: Option<(String, Vec<u8>)>,
}

impl Phone {
    /// The text of a request; adds credentials when it holds a challenge.
    pub fn request(&mut self, request: Request) -> Result<Bytes, String> {
        let method = request.method.clone();
        let method = Method::from_token(&method);
        let wishes = request.wishes.clone();
        let mut draft = match (&request.target, method) {
            (Target::Server, _) => self.server_request(method),
            (Target::Number(number), Method::Invite) => self.first_invite(number, &wishes),
            (Target::Number(number), _) => self.standalone(number, method),
            (Target::Call(call), Method::Ack) => self.ack(*call, &wishes)?,
            (Target::Call(call), Method::Cancel) => self.cancel(*call)?,
            (Target::Call(call), _) => self.within(*call, method, &wishes)?,
        };
        if let (Target::Server | Target::Number(_), Some(uri)) = (&request.target, &wishes.uri) {
            draft.uri.clone_from(uri);
        }
        if !matches!(method, Method::Ack | Method::Cancel) {
            self.last = Some(request);
            self.add_credentials(method, &mut draft);
        }
        if let Some((content_type, body)) = &wishes.body {
            draft.body = Some((content_type.clone(), body.clone().into_bytes()));
        }
        wishes.apply(&mut draft.headers);
        let mut writer = Writer::request(method, &draft.uri);
        for (name, value) in &draft.headers {
            writer.header(name, value);
        }
        Ok(match draft.body {
            Some((content_type, body)) => writer.finish_with(&content_type, &body),
            None => writer.finish(),
        })
    }

    /// The newest request once more, with credentials for the challenge that came: a new
    /// transaction with the next CSeq (RFC 3261 §22.2).
    pub fn request_with_credentials(&mut self) -> Result<Bytes, String> {
        let mut last = self.last.clone().ok_or("nothing was sent")?;
        let numbers = ["CSeq", "Via", "Authorization"];
        last.wishes.headers.retain(|(name, _)| !numbers.contains(&name.as_str()));
        self.request(last)
    }

    fn server_request(&mut self, method: Method<'_>) -> Draft {
        let host = self.flow.local;
        let own = format!("<sip:{}@{}>", self.number, host.ip_text());
        self.register_cseq += 1;
        let from = format!("{own};tag={}-r", self.name);
        let mut headers = self.head(from, own);
        headers.push(("Call-ID".into(), self.register_call_id.clone()));
        headers.push(("CSeq".into(), format!("{} {method}", self.register_cseq)));
        let instance = match &self.instance {
            Some(it) => format!(";+sip.instance=\"<{it}>\""),
            None => String::new(),
        };
        headers.push(("Contact".into(), format!("{}{instance}", self.contact())));
        headers.push(("Expires".into(), "3600".into()));
        Draft { uri: format!("sip:{}", host.ip_text()), headers, body: None }
    }

    fn standalone(&mut self, number: &str, method: Method<'_>) -> Draft {
        let host = self.flow.local.ip_text();
        let uri = match number {
            "" => format!("sip:{host}"),
            number => format!("sip:{number}@{host}"),
        };
        let from = format!("{};tag={}", self.own(), self.next_name("t"));
        let mut headers = self.head(from, format!("<{uri}>"));
        headers.push(("Call-ID".into(), self.next_name("c")));
        headers.push(("CSeq".into(), format!("1 {method}")));
        Draft { uri, headers, body: None }
    }

    /// Begins a call, or goes on with the one whose INVITE was challenged.
    fn first_invite(&mut self, number: &str, wishes: &Wishes) -> Draft {
        let usual = || format!("sip:{number}@{}", self.flow.local.ip_text());
        let uri = wishes.uri.clone().unwrap_or_else(usual);
        let challenged = |it: &Dialog| {
            let answered = it.invite.as_ref().and_then(|it| it.answered.as_ref());
            matches!(answered, Some((401 | 407, _))) && it.remote_tag.is_none()
        };
        let call = match self.calls.iter().rposition(challenged) {
            Some(call) if call + 1 == self.calls.len() => call,
            Some(_) | None => {
                let dialog = Dialog {
                    call_id: self.next_name("c"),
                    local: self.own(),
                    local_tag: self.next_name("t"),
                    remote: format!("<{uri}>"),
                    target: uri,
                    ..Dialog::default()
                };
                self.calls.push(dialog);
                self.calls.len() - 1
            }
        };
        self.invite(call, wishes)
    }

    fn within(
        &mut self,
        call: usize,
        method: Method<'_>,
        wishes: &Wishes,
    ) -> Result<Draft, String> {
        if method == Method::Invite {
            self.known(call)?.answer_owed = false;
            return Ok(self.invite(call, wishes));
        }
        let dialog = self.known(call)?;
        let cseq = dialog.next_cseq(method);
        let (rack, answer_owed) = (dialog.rack, dialog.answer_owed);
        dialog.ended |= method == Method::Bye;
        let mut draft = self.in_dialog(call, method, cseq);
        let describes = match method {
            Method::Prack => {
                let (rseq, cseq) = rack.unwrap_or_default();
                draft.headers.push(("RAck".into(), format!("{rseq} {cseq} INVITE")));
                answer_owed || wishes.media != Media::Usual
            }
            Method::Update => {
                draft.headers.push(("Contact".into(), self.contact()));
                wishes.media != Media::Usual
            }
            _ => false,
        };
        if describes {
            let body = self.describe(call, &wishes.media);
            draft.body = body.map(|it| ("application/sdp".to_owned(), it));
            self.calls[call].answer_owed &= method != Method::Prack;
        }
        Ok(draft)
    }

    fn invite(&mut self, call: usize, wishes: &Wishes) -> Draft {
        let cseq = self.calls[call].next_cseq(Method::Invite);
        let mut draft = self.in_dialog(call, Method::Invite, cseq);
        draft.headers.push(("Contact".into(), self.contact()));
        draft.headers.extend(self.allow.clone().map(|it| ("Allow".into(), it)));
        let body = self.describe(call, &wishes.media);
        let header = |name: &str| {
            let own = draft.headers.iter().find(|it| it.0 == name);
            let wish = wishes.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name));
            wish.or(own).map(|it| it.1.clone()).unwrap_or_default()
        };
        self.calls[call].invite = Some(Invite {
            uri: draft.uri.clone(),
            via: header("Via"),
            cseq,
            to: header("To"),
            answered: None,
            with_offer: body.is_some(),
        });
        draft.body = body.map(|it| ("application/sdp".to_owned(), it));
        draft
    }

    /// For a 2xx a request of its own with the answer that is owed; for a refusal a part of the
    /// INVITE's transaction (RFC 3261 §13.2.2.4, §17.1.1.3).
    fn ack(&mut self, call: usize, wishes: &Wishes) -> Result<Draft, String> {
        let invite = self.known(call)?.invite.clone().ok_or("no INVITE was sent")?;
        let (code, to) = invite.answered.clone().ok_or("the INVITE has no final response")?;
        let mut draft = self.in_dialog(call, Method::Ack, invite.cseq);
        if (200..300).contains(&code) {
            if self.calls[call].answer_owed {
                let body = self.describe(call, &wishes.media);
                draft.body = body.map(|it| ("application/sdp".to_owned(), it));
                self.calls[call].answer_owed = false;
            }
        } else {
            draft.uri = invite.uri;
            replace(&mut draft.headers, "Via", &invite.via);
            replace(&mut draft.headers, "To", &to);
        }
        Ok(draft)
    }

    fn cancel(&mut self, call: usize) -> Result<Draft, String> {
        let invite = self.known(call)?.invite.clone().ok_or("no INVITE was sent")?;
        let mut draft = self.in_dialog(call, Method::Cancel, invite.cseq);
        draft.uri = invite.uri;
        replace(&mut draft.headers, "Via", &invite.via);
        replace(&mut draft.headers, "To", &invite.to);
        Ok(draft)
    }

    fn in_dialog(&mut self, call: usize, method: Method<'_>, cseq: u32) -> Draft {
        let dialog = self.calls[call].clone();
        let mut headers = self.head(dialog.local_value(), dialog.remote_value());
        headers.push(("Call-ID".into(), dialog.call_id));
        headers.push(("CSeq".into(), format!("{cseq} {method}")));
        headers.extend(dialog.routes.into_iter().map(|it| ("Route".to_owned(), it)));
        Draft { uri: dialog.target, headers, body: None }
    }

    fn known(&mut self, call: usize) -> Result<&mut Dialog, String> {
        let (name, calls) = (&self.name, self.calls.len());
        self.calls
            .get_mut(call)
            .ok_or_else(|| format!("{name} has {calls} calls, not call {}", call + 1))
    }

    /// What every request has: Via, Max-Forwards, From, To.
    fn head(&mut self, from: String, to: String) -> Vec<(String, String)> {
        let branch = self.next_name("b");
        let (transport, address) = (self.flow.transport, self.address());
        let via = format!(
            "SIP/2.0/{} {address};rport;branch=z9hG4bK{branch}",
            match transport {
                Transport::Udp => "UDP",
                Transport::Tcp => "TCP",
            }
        );
        let named = [("Via", via), ("Max-Forwards", "70".into()), ("From", from), ("To", to)];
        named.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn own(&self) -> String {
        format!("\"{}\" <sip:{}@{}>", self.name, self.number, self.flow.local.ip_text())
    }

    fn add_credentials(&mut self, method: Method<'_>, draft: &mut Draft) {
        let Some(held) = &mut self.challenge else { return };
        held.nc += 1;
        let challenge = Challenge {
            realm: &held.realm,
            nonce: &held.nonce,
            opaque: None,
            algorithm: held.algorithm,
            qop_auth: held.qop_auth,
            stale: false,
        };
        let (user, password) = (&self.number, &self.password);
        let value =
            authorization(&challenge, user, password, method, &draft.uri, held.nc, "0a4f113b");
        draft.headers.push(("Authorization".into(), value));
    }
}

impl Wishes {
    /// Replaces, adds and drops headers, and sets the tags.
    pub(super) fn apply(&self, headers: &mut Vec<(String, String)>) {
        for (name, value) in &self.headers {
            replace(headers, name, value);
        }
        if let Some(user) = &self.from_user
            && let Some((_, from)) = headers.iter_mut().find(|it| it.0 == "From")
            && let (Some(start), Some(end)) = (from.find("sip:"), from.find('@'))
        {
            from.replace_range(start + 4..end, user);
        }
        for (header, tag) in [("From", &self.tag), ("To", &self.to_tag)] {
            let value = headers.iter_mut().find(|it| it.0 == header);
            if let (Some((_, value)), Some(tag)) = (value, tag) {
                let bare = value.split(";tag=").next().unwrap_or_default();
                *value = format!("{bare};tag={tag}");
            }
        }
        headers.retain(|(name, _)| !self.without.iter().any(|it| it.eq_ignore_ascii_case(name)));
    }

    /// An INVITE or its answer without a description.
    pub fn without_sdp() -> Self {
        Self { media: Media::None, ..Self::default() }
    }
}

fn replace(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    match headers.iter_mut().find(|it| it.0.eq_ignore_ascii_case(name)) {
        Some((_, old)) => value.clone_into(old),
        None => headers.push((name.to_owned(), value.to_owned())),
    }
}

/// An address without its port, as it stands in a URI.
trait IpText {
    fn ip_text(&self) -> String;
}

impl IpText for std::net::SocketAddr {
    fn ip_text(&self) -> String {
        if self.is_ipv4() { self.ip().to_string() } else { format!("[{}]", self.ip()) }
    }
}
