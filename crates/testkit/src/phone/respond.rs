//! Answers a phone gives to requests of the server (RFC 3261 §8.2.6).

use super::{Dialog, Media, Open, Phone, Wishes};
use bytes::Bytes;
use sip::message::{HeaderName, Message, reason_phrase, response_to};

impl Phone {
    /// Answers the newest open request, of this method where one is given. An answer to INVITE
    /// describes media as 2xx always and as provisional when [`Wishes::media`] says so.
    pub fn answer(
        &mut self,
        code: u16,
        method: Option<&str>,
        wishes: &Wishes,
    ) -> Result<Bytes, String> {
        let asked = |it: &Open| method.is_none_or(|method| it.method == method);
        let index = self.open.iter().rposition(asked).ok_or("no open request to answer")?;
        self.answer_open(index, code, wishes)
    }

    /// Answers the open request at this index.
    pub fn answer_open(
        &mut self,
        index: usize,
        code: u16,
        wishes: &Wishes,
    ) -> Result<Bytes, String> {
        let open = self.open.get(index).ok_or("no such request")?.clone();
        if code >= 200 {
            self.open.remove(index);
        }
        let message = Message::parse(&open.bytes).map_err(|error| error.to_string())?;
        let tag = wishes.tag.clone().unwrap_or_else(|| self.answer_tag(&open));
        let tag = (code > 100).then_some(tag);
        let source = wishes.seen.unwrap_or(self.flow.local);
        let mut writer = response_to(&message, code, reason_phrase(code), tag.as_deref(), source);
        let mut headers = Vec::new();
        let mut body = None;
        let exchange = matches!(open.method.as_str(), "PRACK" | "UPDATE") && code < 300;
        let owes = |dialog: &Dialog| dialog.answer_owed || wishes.media != Media::Usual;
        if let Some(call) = open.call.filter(|&it| exchange && self.calls.get(it).is_some_and(owes))
        {
            body = self.describe(call, &wishes.media);
            self.calls[call].answer_owed = false;
        }
        if open.method == "INVITE" && (101..300).contains(&code) {
            let reliable = wishes.headers.iter().any(|it| it.0 == "RSeq");
            headers.push(("Contact".to_owned(), self.contact()));
            headers.extend(self.allow.clone().map(|it| ("Allow".to_owned(), it)));
            let described = code >= 200 || wishes.media != Media::Usual;
            if let Some(call) = open.call.filter(|_| described) {
                body = self.describe(call, &wishes.media);
                if (code >= 200 || reliable)
                    && let Some(dialog) = self.calls.get_mut(call)
                {
                    dialog.answer_owed = false;
                }
            }
        }
        if open.method == "REGISTER" && (200..300).contains(&code) {
            headers.push(("Contact".to_owned(), bound(&message, wishes)));
        }
        if open.method == "INVITE"
            && code >= 300
            && let Some(dialog) = open.call.and_then(|it| self.calls.get_mut(it))
            && dialog.said_sdp.is_none()
        {
            dialog.ended = true;
        }
        Wishes { tag: None, ..wishes.clone() }.apply(&mut headers);
        for (name, value) in &headers {
            writer.header(name, value);
        }
        Ok(match (body, &wishes.body) {
            (_, Some((content_type, text))) => writer.finish_with(content_type, text.as_bytes()),
            (Some(body), None) => writer.finish_with("application/sdp", &body),
            (None, None) => writer.finish(),
        })
    }

    fn answer_tag(&mut self, open: &Open) -> String {
        match open.call.and_then(|it| self.calls.get(it)) {
            Some(dialog) => dialog.local_tag.clone(),
            None => self.next_name("t"),
        }
    }
}

/// The Contact that was registered, with the time it lives: what a registrar answers.
fn bound(register: &Message<'_>, wishes: &Wishes) -> String {
    let contact = register.headers.get(HeaderName::Contact).unwrap_or_default();
    let wished = wishes.headers.iter().find(|it| it.0 == "Expires").map(|it| it.1.as_str());
    let asked = register.headers.get(HeaderName::Expires);
    format!("{contact};expires={}", wished.or(asked).unwrap_or("3600"))
}
