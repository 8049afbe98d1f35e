//! MESSAGE outside of a dialog (RFC 3428): passed to the phones of an extension.
//!
//! It is accepted, not answered for: 202 says that it went out, and no phone's answer is waited for
//! (§7).

use super::Core;
use super::reply::Request;
use crate::authenticate::Identity;
use crate::call::begin::{dialled, known_at};
use crate::call::body;
use crate::call::fork::{bracketed, escaped};
use crate::call::headers;
use crate::directory::Extension;
use crate::id::CallId;
use crate::office::Owner;
use crate::privacy::{ANONYMOUS_FROM, Privacy};
use crate::time::Now;
use rand_core::Rng;
use sip::dialog::Dialog;
use sip::message::{Method, reason_phrase};
use sip::{Flow, Tag, Transport};
use smol_str::SmolStr;

/// Largest body that passes (RFC 3428 §8). Unit: octets.
const BODY_MAX: usize = 1300;

impl Core {
    pub(super) fn page(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let identity = match self.identify(request, now) {
            Ok(identity) => identity,
            Err(why) => return self.refuse(request, why, now),
        };
        if self.unsupported(request) {
            return None;
        }
        match self.page_from(&identity, request, now) {
            Ok(()) => self.accept_page(request, now),
            Err(status) => {
                self.reply(request, status);
            }
        }
        None
    }

    /// A copy of the request finds this answer, and does not go out again.
    fn accept_page(&mut self, request: Request<'_>, now: Now) {
        let Request { flow, message, it, .. } = request;
        let endpoint = &mut self.office.endpoint;
        let page = endpoint.open(flow, message, it, Owner::NOBODY.into());
        let tag = Tag::new(self.office.config.shard, self.office.rng.next_u64()).to_string();
        let response = endpoint.response(page, 202, reason_phrase(202), Some(&tag));
        if let Some(writer) = response {
            endpoint.respond(page, 202, writer.finish(), now.instant);
        }
    }

    fn page_from(&mut self, from: &Identity, request: Request<'_>, now: Now) -> Result<(), u16> {
        if request.message.body.len() > BODY_MAX {
            return Err(413);
        }
        if request.it.max_forwards == Some(0) {
            return Err(483);
        }
        let number = dialled(request.it);
        let directory = self.office.directory.clone();
        let to = directory.tenant(from.tenant).and_then(|it| it.extension(&number));
        let to = to.ok_or(404_u16)?;
        let bindings = self.office.registrar.bindings(from.tenant, &to.number);
        let is_open = |it: &Flow| it.transport == Transport::Udp || it.connection.is_some();
        let phones = bindings.iter().map(|it| (it.binding.flow, it.binding.contact.clone()));
        let mut phones: Vec<(Flow, SmolStr)> = phones.filter(|it| is_open(&it.0)).collect();
        // As with calls: who is known by its address need not register.
        if bindings.is_empty() {
            phones.extend(known_at(&self.office, to));
        }
        for (flow, contact) in &phones {
            self.send_page(&from.extension, (*flow, &to.number, contact), request, now);
        }
        if phones.is_empty() { Err(480) } else { Ok(()) }
    }

    fn send_page(
        &mut self,
        from: &Extension,
        (flow, called, contact): (Flow, &str, &str),
        request: Request<'_>,
        now: Now,
    ) {
        let office = &mut self.office;
        let tag = Tag::new(office.config.shard, office.rng.next_u64());
        let end = office.local_end(flow, tag);
        let host = bracketed(end.address.ip());
        let (number, name) = (&from.number, escaped(&from.name));
        let privacy = Privacy::of(request.message);
        let from = match privacy.identity {
            true => ANONYMOUS_FROM.to_owned(),
            false => format!("\"{name}\" <sip:{number}@{host}>"),
        };
        let callee = format!("<sip:{called}@{host}>");
        let call_id = office.new_call_id();
        let dialog = Dialog::of_our_request(&call_id, end, &from, &callee, contact);
        let hops = request.it.max_forwards.unwrap_or(70).saturating_sub(1);
        let branch = office.endpoint.new_branch();
        let mut writer = dialog.request_with(Method::Message, 1, branch, hops);
        headers::pass(privacy, &request.message.headers, &mut writer);
        let bytes = match body::of(request.message) {
            Some(it) => writer.finish_with(it.content_type, it.bytes),
            None => writer.finish(),
        };
        office.endpoint.request(flow, Method::Message, branch, bytes, None, now.instant);
    }
}
