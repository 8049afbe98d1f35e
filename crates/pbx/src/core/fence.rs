//! A fault in one input costs the call it concerned, not the process.

use super::Core;
use crate::event::Event;
use crate::id::CallId;
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::time::Now;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Core {
    /// Runs one input. After a panic its call is evicted by its claims: 500 or BYE to each leg, one
    /// record with `system.internal_error`. The effects it had until then stand, as the state that
    /// goes with them does: a binding in memory has its record, a plan its session at the edge.
    pub(super) fn fenced(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut Self) -> Option<CallId>,
    ) -> Option<CallId> {
        self.calls.touching = None;
        // Whatever was left half done belongs to the call that is evicted next.
        match catch_unwind(AssertUnwindSafe(|| act(self))) {
            Ok(call) => call,
            Err(panic) => self.evict(&message(&*panic), now),
        }
    }

    fn evict(&mut self, message: &str, now: Now) -> Option<CallId> {
        self.office.counters.faults += 1;
        let index = self.calls.touching.take();
        let evicted = catch_unwind(AssertUnwindSafe(|| {
            let id = index.and_then(|it| self.calls.id_at(it))?;
            self.calls.with_id(&mut self.office, id, |call, office| {
                call.end(office, ReleaseCode::SystemInternalError, Side::System, now.instant);
            });
            self.flush(now);
            Some(id)
        }));
        let call = match evicted {
            Ok(call) => call,
            Err(_) => {
                // Even ending it fails: its claims come back, its peers time out.
                self.office.counters.faults += 1;
                index.and_then(|it| self.calls.remove(&mut self.office, it)).map(|it| it.id)
            }
        };
        self.office.event(Event::Fault { call, message: message.into() });
        call
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
