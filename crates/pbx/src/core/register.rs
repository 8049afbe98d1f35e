//! REGISTER (RFC 3261 §10.3): authenticated, decided by the registrar, recorded, answered.

use super::Core;
use super::reply::Request;
use crate::event::{AuthFailure, Event, UnregisterReason};
use crate::id::{CallId, TenantId};
use crate::record::Record;
use crate::registrar::{Bound, Changes, Reject, decide};
use crate::time::Now;
use std::fmt;
use std::sync::Arc;

impl Core {
    pub(super) fn register(&mut self, request: Request<'_>, now: Now) -> Option<CallId> {
        let it = request.it;
        if self.closing || self.overloaded {
            return self.unavailable(request);
        }
        if self.is_shed(request) {
            return self.shed(request, now);
        }
        let identity = match self.identify(request, now) {
            Ok(identity) => identity,
            Err(why) => return self.refuse(request, why, now),
        };
        if self.unsupported(request) {
            return None;
        }
        let (tenant, extension) = (identity.tenant, identity.extension);
        if it.to.uri.user_unescaped() != *extension.number {
            self.office.counters.registrations_refused += 1;
            self.office.event(Event::AuthFailed {
                source: request.flow.remote,
                user: extension.number.as_str().into(),
                method: "REGISTER".into(),
                why: AuthFailure::WrongIdentity,
            });
            return self.reply(request, 403);
        }
        let settings = self.office.settings(tenant);
        let bound = self.office.registrar.bindings(tenant, &extension.number);
        let message = (request.message, it);
        match decide(tenant, &extension, bound, message, request.flow, &settings, now.utc) {
            Ok(changes) => {
                self.office.counters.registrations_ok += 1;
                self.apply(changes, now);
                self.registered(request, (tenant, &extension.number), now)
            }
            Err(why) => {
                self.office.counters.registrations_refused += 1;
                self.reply_with(request, why.status(), |writer| {
                    if let Reject::IntervalTooBrief { min } = why {
                        writer.header("Min-Expires", min.as_secs());
                    }
                })
            }
        }
    }

    fn apply(&mut self, changes: Changes, now: Now) {
        for (keys, why) in [
            (changes.removed, UnregisterReason::Removed),
            (changes.replaced, UnregisterReason::Replaced),
            (changes.restarted, UnregisterReason::Restarted),
        ] {
            for key in keys {
                self.office.registrar.remove(&key);
                self.unbound(key, why);
            }
        }
        for binding in changes.bound.into_iter().map(Arc::new) {
            #[cfg(feature = "planted-bugs")]
            if !self
                .office
                .registrar
                .bindings(binding.key.tenant, &binding.key.extension)
                .is_empty()
                && self.office.is_planted(crate::planted::Planted::UnrecordedDevice)
            {
                self.office.registrar.put(binding, now);
                continue;
            }
            self.office.record(Record::Bound(Arc::clone(&binding)));
            self.office.event(Event::Registered(Arc::clone(&binding)));
            self.office.registrar.put(binding, now);
        }
    }

    /// 200 with every binding of the number (RFC 3261 §10.3 step 8).
    fn registered(
        &mut self,
        request: Request<'_>,
        (tenant, number): (TenantId, &str),
        now: Now,
    ) -> Option<CallId> {
        let mut writer = self.response(request, 200, "OK");
        for Bound { binding, until } in self.office.registrar.bindings(tenant, number) {
            let left = until.saturating_duration_since(now.instant).as_millis().div_ceil(1000);
            let value = fmt::from_fn(|f| {
                write!(f, "<{}>;expires={left}", binding.contact)?;
                if binding.q < 1000 { write!(f, ";q=0.{:03}", binding.q) } else { Ok(()) }
            });
            writer.header("Contact", value);
        }
        self.send(request, writer);
        None
    }
}
