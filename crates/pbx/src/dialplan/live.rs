//! What the dial plan asks of the present: which lines and trunks can take a call now, and what an
//! extension does with it.

use crate::directory::Extension;
use crate::id::TenantId;
use crate::line::table::Pool;
use crate::supplementary::Forwarding;

/// The state of lines, trunks and extensions. Asked, never changed: taking a candidate is a separate act.
pub trait Live {
    /// The line is registered, or needs no registration.
    fn line_is_registered(&self, tenant: TenantId, account: &str) -> bool;

    /// Outgoing calls the line has now.
    fn line_calls_out(&self, tenant: TenantId, account: &str) -> u16;

    /// The line of the pool that was taken last.
    fn last_taken(&self, tenant: TenantId, pool: Pool) -> Option<&str>;

    /// The trunk answers, or nobody asks it.
    fn trunk_is_healthy(&self, tenant: TenantId, id: u32) -> bool;

    /// Outgoing calls the trunk has now.
    fn trunk_calls_out(&self, tenant: TenantId, id: u32) -> u16;

    /// Incoming calls the line has now.
    fn line_calls_in(&self, tenant: TenantId, account: &str) -> u16;

    /// Incoming calls the trunk has now.
    fn trunk_calls_in(&self, tenant: TenantId, id: u32) -> u16;

    /// How many phones of the extension are registered.
    fn phones_of(&self, tenant: TenantId, extension: &Extension) -> usize;

    /// It may begin one more call.
    fn extension_may_call(&self, tenant: TenantId, extension: &Extension) -> bool;

    /// Where the extension sends its calls then; it has the right to it.
    fn forwards_to(&self, tenant: TenantId, number: &str, when: Forwarding) -> Option<&str>;

    /// The extension wants no calls now (免打扰).
    fn does_not_disturb(&self, tenant: TenantId, number: &str) -> bool;

    /// It may have one more incoming call.
    fn extension_has_room(&self, tenant: TenantId, extension: &Extension) -> bool;
}

/// Everything is registered, answers and is idle: for a plan looked at away from its server.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllUp;

impl Live for AllUp {
    fn line_is_registered(&self, _: TenantId, _: &str) -> bool {
        true
    }

    fn line_calls_out(&self, _: TenantId, _: &str) -> u16 {
        0
    }

    fn last_taken(&self, _: TenantId, _: Pool) -> Option<&str> {
        None
    }

    fn trunk_is_healthy(&self, _: TenantId, _: u32) -> bool {
        true
    }

    fn trunk_calls_out(&self, _: TenantId, _: u32) -> u16 {
        0
    }

    fn line_calls_in(&self, _: TenantId, _: &str) -> u16 {
        0
    }

    fn trunk_calls_in(&self, _: TenantId, _: u32) -> u16 {
        0
    }

    fn phones_of(&self, _: TenantId, extension: &Extension) -> usize {
        extension.devices_max.map_or(1, usize::from)
    }

    fn extension_may_call(&self, _: TenantId, _: &Extension) -> bool {
        true
    }

    fn forwards_to(&self, _: TenantId, _: &str, _: Forwarding) -> Option<&str> {
        None
    }

    fn does_not_disturb(&self, _: TenantId, _: &str) -> bool {
        false
    }

    fn extension_has_room(&self, _: TenantId, _: &Extension) -> bool {
        true
    }
}
