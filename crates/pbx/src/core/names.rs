//! Names and who needs their addresses (RFC 3263): lines and trunks are told what changes, whoever
//! waits goes on.

use super::{Core, Effect};
use crate::names::Waiter;
use crate::time::Now;
use sip::locate::{Place, Resolution};
use std::collections::BTreeSet;

impl Core {
    /// Brings the names that are kept to those that lines and trunks have.
    pub(super) fn keep_names(&mut self, now: Now) {
        let office = &mut self.office;
        let of_lines = office.lines.iter().filter_map(|it| it.targets.place());
        let of_trunks = office.trunks.iter().flat_map(|it| it.places());
        let places: BTreeSet<&Place> = of_lines.chain(of_trunks).collect();
        if let Some(places) = office.names.keep(&places, now.instant) {
            office.effects.push_back(Effect::KeepResolved(places));
        }
    }

    /// Our addresses changed: every line and trunk gets those of its name that can be reached now.
    pub(super) fn reach_names_anew(&mut self, now: Now) {
        for key in self.office.lines.keys() {
            self.line_resolved(key, now);
        }
        for key in self.office.trunks.keys() {
            self.trunk_resolved(key, now);
        }
    }

    pub(super) fn names_due(&mut self, now: Now) {
        while let Some((place, resolution)) = self.office.names.pop_overdue(now.instant) {
            self.resolved(&place, &resolution, now);
        }
    }

    /// It is known where a name leads.
    pub(super) fn resolved(&mut self, place: &Place, resolution: &Resolution, now: Now) {
        let waiters = self.office.names.resolved(place, resolution);
        for key in self.office.lines.at_place(place) {
            self.line_resolved(key, now);
        }
        for key in self.office.trunks.at_place(place) {
            self.trunk_resolved(key, now);
        }
        for waiter in waiters {
            match waiter {
                Waiter::Call(owner) => {
                    self.calls.with(&mut self.office, owner, |call, office, _| {
                        call.name_resolved(office, now.instant);
                    });
                }
                Waiter::Contact(owner) => {
                    self.calls.with(&mut self.office, owner, |call, office, leg| {
                        call.contact_resolved(office, leg, resolution, now.instant);
                    });
                }
                Waiter::Orphan(waiter) => {
                    self.orphans.resolved(&mut self.office, waiter, resolution, now);
                }
                Waiter::Redirected(key) => self.line_redirected(key, place, resolution, now),
            }
        }
    }
}
