//! What a scripted phone remembers of a dialog (RFC 3261 §12).

use crate::message::{self, Message};

/// One side of a dialog, enough to send requests within it.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    /// Our From value, tag included.
    pub local: String,
    /// Our To value, tag included.
    pub remote: String,
    /// The other side's Contact URI.
    pub target: String,
    pub routes: Vec<String>,
    /// Of the newest request sent.
    pub cseq: u32,
}

impl Dialog {
    /// The caller's side, made by a response with a To tag.
    pub fn of_caller(invite: &Message, response: &Message) -> Self {
        let mut routes: Vec<String> = response.all("Record-Route").map(str::to_owned).collect();
        routes.reverse();
        Self {
            call_id: invite.text("Call-ID").to_owned(),
            local: response.text("From").to_owned(),
            remote: response.text("To").to_owned(),
            target: message::uri(response.text("Contact")).to_owned(),
            routes,
            cseq: invite.cseq(),
        }
    }

    /// The callee's side, made by the answer it sends.
    pub fn of_callee(invite: &Message, answer: &Message) -> Self {
        Self {
            call_id: invite.text("Call-ID").to_owned(),
            local: answer.text("To").to_owned(),
            remote: answer.text("From").to_owned(),
            target: message::uri(invite.text("Contact")).to_owned(),
            routes: invite.all("Record-Route").map(str::to_owned).collect(),
            cseq: 0,
        }
    }
}
