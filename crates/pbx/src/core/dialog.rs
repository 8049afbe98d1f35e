//! Requests within a dialog: found by our tag, believed only from where the dialog lives.

use super::Core;
use super::reply::Request;
use crate::id::CallId;
use crate::office::Owner;
use crate::time::Now;
use sip::dialog::same_peer;
use sip::message::Method;
use sip::{Flow, Tag};

impl Core {
    /// The leg that put this tag into the world.
    pub(super) fn dialog(&self, tag: &str) -> Option<Owner> {
        self.office.dialogs.get(&Tag::parse(tag)?).copied()
    }

    pub(super) fn within_dialog(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let Request { flow, message, it, .. } = request;
        let owner = it.to_tag.and_then(|tag| self.dialog(tag));
        let known = owner.and_then(|owner| {
            let leg = self.calls.get(owner)?.leg(owner.leg)?;
            leg.session
                .dialog
                .matches(it)
                .then(|| (owner, leg.session.flow, (!leg.outside).then(|| leg.number.clone())))
        });
        let is_ack = it.cseq.method == Method::Ack;
        let Some((owner, known_flow, number)) = known else {
            if is_ack {
                self.stray(flow, now);
                return None;
            }
            self.guard.charge(flow.remote.ip(), now.instant);
            return self.reply(request, 481);
        };
        if !self.comes_from_the_peer(request, known_flow, number.as_deref(), now) {
            return None;
        }
        self.calls.with(&mut self.office, owner, |call, office, leg| {
            call.handle_request(office, leg, flow, (message, it), now.instant);
        })
    }

    /// Whoever knows a dialog's tags but comes from elsewhere must prove that he is the phone: it
    /// may have moved to another network. An ACK cannot be challenged and is dropped.
    fn comes_from_the_peer(
        &mut self,
        request: Request<'_>,
        known: Flow,
        number: Option<&str>,
        now: Now,
    ) -> bool {
        if same_peer(known, request.flow) {
            return true;
        }
        if request.it.cseq.method == Method::Ack {
            self.stray(request.flow, now);
            return false;
        }
        match self.identify(request, now) {
            Ok(identity) if number == Some(&*identity.extension.number) => true,
            Ok(_) => {
                self.reply(request, 403);
                false
            }
            Err(why) => {
                self.refuse(request, why, now);
                false
            }
        }
    }
}
