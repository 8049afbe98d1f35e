//! What a phone knows of one call of its own: the dialog and its last INVITE (RFC 3261 §12).

use super::edition::Edition;
use super::sdp::Described;
use sip::message::{Contact, HeaderName, Message, Method, NameAddr, TypedHeader};

/// A phone's end of a dialog.
#[derive(Clone, Debug, Default)]
pub struct Dialog {
    pub call_id: String,
    /// From of the phone's requests, without tag.
    pub local: String,
    pub local_tag: String,
    /// To of the phone's requests, without tag.
    pub remote: String,
    pub remote_tag: Option<String>,
    pub cseq: u32,
    /// Request-URI of the next request within the dialog.
    pub target: String,
    pub routes: Vec<String>,
    pub invite: Option<Invite>,
    /// The newest description the server sent, and whether the phone owes the answer to it.
    pub heard_sdp: Option<Described>,
    pub answer_owed: bool,
    /// What that one said of itself, and what was wrong with it.
    pub(super) edition: Option<Edition>,
    pub broken: Option<String>,
    /// The phone's newest description is an offer without an answer.
    pub offer_open: bool,
    /// RSeq and CSeq of the newest reliable provisional response.
    pub rack: Option<(u32, u32)>,
    /// The newest description the phone sent.
    pub said_sdp: Option<Described>,
    pub sdp_version: u32,
    /// The phone's first INVITE was refused, or a BYE went either way.
    pub ended: bool,
}

/// The newest INVITE the phone sent in a dialog: what its ACK and CANCEL copy.
#[derive(Clone, Debug)]
pub struct Invite {
    pub uri: String,
    pub via: String,
    pub cseq: u32,
    /// To with the tag it had.
    pub to: String,
    /// The newest final response and its To.
    pub answered: Option<(u16, String)>,
    pub with_offer: bool,
}

impl Dialog {
    /// The dialog an INVITE to the phone begins.
    pub fn of_request(message: &Message<'_>, local_tag: String) -> Option<Self> {
        let from = NameAddr::parse(message.headers.get(HeaderName::From)?).ok()?;
        let to = NameAddr::parse(message.headers.get(HeaderName::To)?).ok()?;
        let mut dialog = Self {
            call_id: message.headers.get(HeaderName::CallId)?.to_owned(),
            local: format!("<{}>", to.uri_text),
            local_tag,
            remote: format!("<{}>", from.uri_text),
            remote_tag: from.tag().map(str::to_owned),
            routes: message.headers.values(HeaderName::RecordRoute).map(str::to_owned).collect(),
            ..Self::default()
        };
        dialog.learn_target(message);
        Some(dialog)
    }

    /// Takes over what a response to the phone's INVITE says.
    pub fn learn(&mut self, message: &Message<'_>) {
        let to = message.headers.get(HeaderName::To).and_then(|it| NameAddr::parse(it).ok());
        if let Some(tag) = to.and_then(|it| it.tag()) {
            self.remote_tag = Some(tag.to_owned());
        }
        self.routes = message.headers.values(HeaderName::RecordRoute).map(str::to_owned).collect();
        self.routes.reverse();
        self.learn_target(message);
    }

    pub fn learn_target(&mut self, message: &Message<'_>) {
        let contact = message.headers.get(HeaderName::Contact).map(Contact::parse);
        if let Some(Ok(Contact::Addr(address))) = contact {
            self.target = address.uri_text.to_owned();
        }
    }

    /// Takes over a description; one that comes in a request, or in the 2xx of an INVITE without
    /// one, is an offer the phone must answer.
    pub fn hear_sdp(&mut self, message: &Message<'_>, is_offer: bool) {
        if let Some(described) = Described::read(message.body) {
            self.heard_sdp = Some(described);
            let heard = Edition::of(message.body, self.remote_tag.as_deref());
            self.broken = heard.as_ref().and_then(|it| it.breaks(self.edition.as_ref()?));
            self.edition = heard;
            self.offer_open = false;
            self.answer_owed = is_offer;
        }
    }

    /// From or To with its tag.
    pub fn local_value(&self) -> String {
        format!("{};tag={}", self.local, self.local_tag)
    }

    pub fn remote_value(&self) -> String {
        match &self.remote_tag {
            Some(tag) => format!("{};tag={tag}", self.remote),
            None => self.remote.clone(),
        }
    }

    /// Whether a message with these ids belongs here.
    pub fn is(&self, call_id: &str, tag: Option<&str>) -> bool {
        self.call_id == call_id && tag == Some(self.local_tag.as_str())
    }

    /// The CSeq of the next request; ACK and CANCEL repeat the one of their INVITE.
    pub fn next_cseq(&mut self, method: Method<'_>) -> u32 {
        match (&self.invite, method) {
            (Some(invite), Method::Ack | Method::Cancel) => invite.cseq,
            _ => {
                self.cseq += 1;
                self.cseq
            }
        }
    }
}
