//! An INVITE that begins a call.

use super::Core;
use super::message::unsupported;
use super::reply::Request;
use crate::authenticate::{self, Identity};
use crate::call::begin::{Attempt, Refusal};
use crate::call::body;
use crate::call::headers::ACCEPT;
use crate::id::{CallId, TenantId};
use crate::origin::{Origin, Stranger};
use crate::privacy::Privacy;
use crate::release::ReleaseCode;
use crate::time::Now;
use sip::message::{ContentType, HeaderName, Method, Via};
use sip::session::is_too_brief;

impl Core {
    pub(super) fn invite(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let Request { flow, message, it, raw } = request;
        if self.closing || self.overloaded || self.calls.is_full() {
            return self.unavailable(request);
        }
        if self.is_shed(request) {
            return self.shed(request, now);
        }
        if self.came_back(request) || self.office.endpoint.is_merged(it) {
            return self.reply(request, 482);
        }
        let (tenant, origin) = match self.origin(request, now) {
            Ok(origin) => origin,
            Err(why) => return self.refuse(request, why, now),
        };
        let settings = self.office.settings(tenant);
        if is_too_brief(message, settings.min_se_s) {
            // It is a step towards the call, as a challenge is, and no attempt of its own.
            return self.reply_with(request, 422, |writer| {
                writer.header("Min-SE", settings.min_se_s);
            });
        }
        let refusal = refusal(request);
        let attempt = Attempt { flow, message, it, raw, tenant, origin, refusal };
        Some(self.calls.begin(&mut self.office, &attempt, now.instant))
    }

    /// Who calls: somebody by a line, else an extension that proves it.
    fn origin(
        &mut self,
        request: Request<'_>,
        now: Now,
    ) -> Result<(TenantId, Origin), authenticate::Refusal> {
        if let Some(line) = self.line_called(request) {
            self.guard.authenticated(request.flow.remote.ip(), now.instant);
            return Ok(line);
        }
        let has_credentials = request.message.headers.get(HeaderName::Authorization).is_some();
        if let Some(trunk) = self.trunk_calling(request).filter(|_| !has_credentials) {
            self.guard.authenticated(request.flow.remote.ip(), now.instant);
            return Ok(trunk);
        }
        let identity = self.identify(request, now)?;
        Ok((identity.tenant, Origin::Extension(identity.extension)))
    }

    /// The line a carrier calls: by the Contact we registered, which nobody else knows; from the
    /// carrier's address also by the number in Request-URI or To. Phones of ours behind the same
    /// address prove who they are.
    fn line_called(&self, request: Request<'_>) -> Option<(TenantId, Origin)> {
        let Request { flow, message, it, .. } = request;
        let lines = &self.office.lines;
        if lines.is_empty() {
            return None;
        }
        let called = it.uri.map(|it| it.user_unescaped()).unwrap_or_default();
        let line = lines.by_contact(&called).filter(|it| it.config.enabled).or_else(|| {
            let to = it.to.uri.user_unescaped();
            let is_phone = message.headers.get(HeaderName::Authorization).is_some();
            if is_phone { None } else { lines.at_carrier(flow, &[&called, &to]) }
        })?;
        Some((line.tenant, Origin::Line(line.config.clone(), Stranger::of(message))))
    }

    /// The trunk a call comes from, by its source. Phones of ours behind the same address prove
    /// who they are.
    fn trunk_calling(&self, request: Request<'_>) -> Option<(TenantId, Origin)> {
        let Request { flow, message, .. } = request;
        let trunk = self.office.trunks.from_source(flow.remote, flow.transport)?;
        Some((trunk.tenant, Origin::Trunk(trunk.config.clone(), Stranger::of(message))))
    }

    /// Who sends a request; a known source gets the larger bucket.
    pub(super) fn identify(
        &mut self,
        request: Request<'_>,
        now: Now,
    ) -> Result<Identity, authenticate::Refusal> {
        let Request { flow, message, it, .. } = request;
        let directory = self.office.directory.clone();
        let identity = self.authenticator.identify(&directory, flow, message, it, now)?;
        self.guard.authenticated(flow.remote.ip(), now.instant);
        Ok(identity)
    }

    /// Whether one of its Vias is of a request we have out: a loop (RFC 3261 §16.3 step 4).
    fn came_back(&self, request: Request<'_>) -> bool {
        let mut vias = request.message.headers.each::<Via<'_>>().filter_map(Result::ok);
        vias.any(|via| {
            let branch = via.branch().unwrap_or_default();
            self.office.endpoint.sent_by_us(branch, Method::Invite)
        })
    }
}

/// Why an INVITE of somebody we know cannot be served; it is an attempt all the same.
fn refusal(request: Request<'_>) -> Option<Refusal> {
    let required = unsupported(request.message);
    if request.it.max_forwards == Some(0) {
        Some(Refusal { code: ReleaseCode::LoopDetected, status: 483, header: None })
    } else if let Some(required) = required {
        let header = Some(("Unsupported", required));
        Some(Refusal { code: ReleaseCode::CallerUnsupported, status: 420, header })
    } else if body::check(request.message).is_err() {
        Some(Refusal { code: ReleaseCode::CallerUnsupported, status: 400, header: None })
    } else if Privacy::is_out_of_reach(request.message) {
        Some(Refusal { code: ReleaseCode::CallerUnsupported, status: 500, header: None })
    } else if is_encoded(request) {
        let header = Some(("Accept-Encoding", "identity".to_owned()));
        Some(Refusal { code: ReleaseCode::CallerUnsupported, status: 415, header })
    } else if !body_is_understood(request) {
        let header = Some(("Accept", ACCEPT.to_owned()));
        Some(Refusal { code: ReleaseCode::CallerUnsupported, status: 415, header })
    } else {
        None
    }
}

/// Whether we can read the body, or need not (RFC 3261 §8.2.3).
fn body_is_understood(request: Request<'_>) -> bool {
    let headers = &request.message.headers;
    if request.message.body.is_empty() {
        return true;
    }
    if is_optional(request) {
        return true;
    }
    match headers.find::<ContentType<'_>>() {
        Ok(Some(it)) => {
            it.is("application", "sdp") || it.media_type.eq_ignore_ascii_case("multipart")
        }
        Ok(None) | Err(_) => false,
    }
}

/// Whether the body may be ignored (RFC 3261 §20.11).
fn is_optional(request: Request<'_>) -> bool {
    let disposition = request.message.headers.get(HeaderName::ContentDisposition);
    disposition.is_some_and(|it| it.to_ascii_lowercase().contains("handling=optional"))
}

/// Whether the body is compressed, and may not be ignored.
fn is_encoded(request: Request<'_>) -> bool {
    let encoding = request.message.headers.get(HeaderName::ContentEncoding);
    let encoded = encoding.is_some_and(|it| !it.trim().eq_ignore_ascii_case("identity"));
    encoded && !request.message.body.is_empty() && !is_optional(request)
}
