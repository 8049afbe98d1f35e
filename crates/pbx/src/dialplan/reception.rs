//! What meets a call at the extension it is for, before a phone rings: its forwardings (呼叫转移), do not
//! disturb (免打扰), its limits. One decision for real calls and the simulator.

use super::live::Live;
use crate::directory::Extension;
use crate::id::TenantId;
use crate::release::ReleaseCode;
use crate::supplementary::Forwarding;
use smol_str::SmolStr;

/// Most times that a call is sent on, by other servers too; once more is a loop.
pub const DIVERSIONS_MAX: u32 = 5;

/// What meets a call at an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Its phones ring.
    Rings,
    /// The extension `by` forwards it to another number.
    SentOn { by: SmolStr, why: Forwarding, number: SmolStr },
    /// It wants no calls now.
    DoesNotDisturb,
    /// No phone of it is registered.
    NoPhone,
    /// It has all the calls it may have.
    Full,
}

/// What counts of the call itself.
#[derive(Clone, Copy, Debug)]
pub struct Arriving {
    /// A phone of the extension can be called.
    pub has_phone: bool,
    /// The caller still waits for an answer, and has had none.
    pub may_be_sent_on: bool,
}

impl Reception {
    /// Forwarding comes first.
    pub fn of(
        live: &dyn Live,
        tenant: TenantId,
        extension: &Extension,
        arriving: Arriving,
    ) -> Self {
        let number = &*extension.number;
        let sent_on = |why| {
            let to = live.forwards_to(tenant, number, why).filter(|_| arriving.may_be_sent_on)?;
            Some(Self::SentOn { by: number.into(), why, number: to.into() })
        };
        if let Some(always) = sent_on(Forwarding::Always) {
            return always;
        }
        let (why, otherwise) = if live.does_not_disturb(tenant, number) {
            (Forwarding::Busy, Self::DoesNotDisturb)
        } else if !arriving.has_phone {
            (Forwarding::Unreachable, Self::NoPhone)
        } else if !live.extension_has_room(tenant, extension) {
            (Forwarding::Busy, Self::Full)
        } else {
            return Self::Rings;
        };
        sent_on(why).unwrap_or(otherwise)
    }

    /// What the call ends with here, unless a phone rings or it goes on.
    pub fn release(&self) -> Option<ReleaseCode> {
        match self {
            Self::Rings | Self::SentOn { .. } => None,
            Self::DoesNotDisturb => Some(ReleaseCode::CalleeDoNotDisturb),
            Self::NoPhone => Some(ReleaseCode::CalleeNotRegistered),
            Self::Full => Some(ReleaseCode::CalleeLimit),
        }
    }
}

/// Whether a call that these have sent on before would come back, if `by` sent it to `number`.
pub fn comes_back<'a>(mut before: impl Iterator<Item = &'a str>, by: &str, number: &str) -> bool {
    number == by || before.any(|it| it == number || it == by)
}
