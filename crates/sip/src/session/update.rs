//! UPDATE (RFC 3311): a change that needs no INVITE, before the answer and after it.

use super::accept::finish;
use super::{Body, Extra, Seat, Session};
use crate::endpoint::ServerTx;
use crate::message::{HeaderName, Message};

impl Session {
    /// Whether the peer takes UPDATE, as far as it has said.
    pub fn allows_update(&self) -> bool {
        self.allows_update
    }

    /// Answers an UPDATE of the peer. Its 2xx names our Contact as that of an INVITE does (§5.2).
    pub fn answer_update<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (update, code, reason): (ServerTx, u16, &str),
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) {
        let tag = self.dialog.end.tag.text();
        let Some(mut writer) = seat.endpoint.response(update, code, reason, Some(&tag)) else {
            return;
        };
        if (200..300).contains(&code) {
            writer.header("Contact", self.dialog.end.contact());
            if self.is_established() {
                self.timer.accept(&mut writer, seat.now);
                self.timer.keep(body);
            } else {
                self.timer.keep_early(body);
            }
        }
        extra(&mut writer);
        seat.endpoint.respond(update, code, finish(writer, body), seat.now);
    }

    /// What a message of the peer says of the methods it takes; one without Allow says nothing.
    pub(super) fn learn_methods(&mut self, message: &Message<'_>) {
        if message.headers.get(HeaderName::Allow).is_some() {
            self.allows_update = message.headers.has_token(HeaderName::Allow, "UPDATE");
        }
    }
}
