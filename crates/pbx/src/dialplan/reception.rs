//! What meets a call at the extension it is for, before a phone rings: its forwardings (呼叫转移), do not
//! disturb (免打扰), its limits. One decision for real calls and the simulator.

use super::live::Live;
use crate::directory::Extension;
use crate::id::TenantId;
use crate::release::ReleaseCode;
use crate::supplementary::Forwarding;
use smol_str::SmolStr;

/// What meets a call at an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Its phones ring; where nobody answers, the call goes on to this number.
    Rings {
        no_answer: Option<SmolStr>,
    },
    SentOn {
        by: SmolStr,
        why: Forwarding,
        number: SmolStr,
    },
    DoesNotDisturb,
    /// No phone of it is registered.
    NoPhone,
    /// It has all the calls it may have.
    Full,
}

impl Reception {
    /// Forwarding comes first; where `sends_on` is false the call may not be sent on any more.
    pub fn of(
        live: &dyn Live,
        (tenant, extension): (TenantId, &Extension),
        has_phone: bool,
        sends_on: bool,
    ) -> Self {
        let number = &*extension.number;
        let target = |why| live.forwards_to(tenant, number, why).filter(|_| sends_on);
        let sent_on = |why| {
            let (by, number) = (number.into(), target(why)?.into());
            Some(Self::SentOn { by, why, number })
        };
        if let Some(always) = sent_on(Forwarding::Always) {
            return always;
        }
        let (why, otherwise) = if live.does_not_disturb(tenant, number) {
            (Forwarding::Busy, Self::DoesNotDisturb)
        } else if !has_phone {
            (Forwarding::Unreachable, Self::NoPhone)
        } else if !live.extension_has_room(tenant, extension) {
            (Forwarding::Busy, Self::Full)
        } else {
            return Self::Rings { no_answer: target(Forwarding::NoAnswer).map(Into::into) };
        };
        sent_on(why).unwrap_or(otherwise)
    }

    /// What the call ends with here, unless a phone rings or it goes on.
    pub fn release(&self) -> Option<ReleaseCode> {
        match self {
            Self::Rings { .. } | Self::SentOn { .. } => None,
            Self::DoesNotDisturb => Some(ReleaseCode::CalleeDoNotDisturb),
            Self::NoPhone => Some(ReleaseCode::CalleeNotRegistered),
            Self::Full => Some(ReleaseCode::CalleeLimit),
        }
    }
}
