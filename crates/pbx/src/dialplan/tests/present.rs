//! The present that the tests tell the dial plan of.

use crate::dialplan::Live;
use crate::directory::Extension;
use crate::id::TenantId;
use crate::line::table::Pool;
use crate::supplementary::Forwarding;

/// The present of a test: everything is there and idle, but for this.
#[derive(Default)]
pub(super) struct Present {
    pub(super) unregistered: Vec<&'static str>,
    pub(super) all_unregistered: bool,
    pub(super) calls: Vec<(&'static str, u16)>,
    pub(super) last: Option<&'static str>,
    pub(super) silent: Vec<u32>,
    pub(super) trunk_calls: u16,
    pub(super) forwards: Vec<(&'static str, Forwarding, &'static str)>,
    pub(super) undisturbed: Vec<&'static str>,
    pub(super) full: Vec<&'static str>,
    pub(super) without_phone: Vec<&'static str>,
    pub(super) with_two_phones: Vec<&'static str>,
    /// Extensions that call as often as they may, and incoming calls of each line and trunk.
    pub(super) calling: Vec<&'static str>,
    pub(super) calls_in: u16,
}

impl Live for Present {
    fn line_is_registered(&self, _: TenantId, account: &str) -> bool {
        !self.all_unregistered && !self.unregistered.contains(&account)
    }

    fn line_calls_out(&self, _: TenantId, account: &str) -> u16 {
        self.calls.iter().find(|(it, _)| *it == account).map_or(0, |(_, calls)| *calls)
    }

    fn last_taken(&self, _: TenantId, _: Pool) -> Option<&str> {
        self.last
    }

    fn trunk_is_healthy(&self, _: TenantId, id: u32) -> bool {
        !self.silent.contains(&id)
    }

    fn trunk_calls_out(&self, _: TenantId, _: u32) -> u16 {
        self.trunk_calls
    }

    fn line_calls_in(&self, _: TenantId, _: &str) -> u16 {
        self.calls_in
    }

    fn trunk_calls_in(&self, _: TenantId, _: u32) -> u16 {
        self.calls_in
    }

    fn phones_of(&self, _: TenantId, it: &Extension) -> usize {
        match it.number.as_str() {
            number if self.without_phone.contains(&number) => 0,
            number if self.with_two_phones.contains(&number) => 2,
            _ => 1,
        }
    }

    fn extension_may_call(&self, _: TenantId, it: &Extension) -> bool {
        !self.calling.contains(&it.number.as_str())
    }

    fn forwards_to(&self, _: TenantId, number: &str, when: Forwarding) -> Option<&str> {
        let set = self.forwards.iter().find(|it| it.0 == number && it.1 == when)?;
        Some(set.2)
    }

    fn does_not_disturb(&self, _: TenantId, number: &str) -> bool {
        self.undisturbed.contains(&number)
    }

    fn extension_has_room(&self, _: TenantId, it: &Extension) -> bool {
        !self.full.contains(&it.number.as_str())
    }
}
