//! What a call counts for: simultaneous calls of extensions, and those of lines and trunks.
//!
//! Each share is of one side of the call, and goes with it into the call in which it goes on: after a
//! transfer, a pickup, or where the two of a call that was placed are brought together.

use super::Call;
use super::media::Half;
use super::outside::Claim;
use crate::directory::Extension;
use crate::id::TenantId;
use crate::office::Office;
use crate::supplementary::Role;
use smallvec::SmallVec;
use std::sync::Arc;

/// One call of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Extension(Arc<Extension>, Role),
    Outside(Claim),
}

impl Counted {
    fn give_back(self, office: &mut Office, tenant: TenantId) {
        match self {
            Self::Extension(it, role) => office.release_call(tenant, &it.number, role),
            Self::Outside(claim) => office.release_outside(claim),
        }
    }

    fn is_outside(&self) -> bool {
        matches!(self, Self::Outside(_))
    }
}

/// All that a call counts for, and for which of its sides.
#[derive(Debug, Default)]
pub(super) struct Counts(SmallVec<[(Half, Counted); 2]>);

impl Counts {
    /// A call of this line or trunk.
    pub(super) fn outside(&mut self, claim: Claim) {
        let half = if claim.is_incoming() { Half::Caller } else { Half::Callee };
        self.0.push((half, Counted::Outside(claim)));
    }

    pub(super) fn give_back(&mut self, office: &mut Office, tenant: TenantId) {
        for (_, it) in std::mem::take(&mut self.0) {
            it.give_back(office, tenant);
        }
    }

    /// Takes out those that this is true of.
    fn extract(&mut self, is_meant: impl Fn(Half, &Counted) -> bool) -> SmallVec<[Counted; 2]> {
        let (meant, rest): (SmallVec<[_; 2]>, _) =
            std::mem::take(&mut self.0).into_iter().partition(|(half, it)| is_meant(*half, it));
        self.0 = rest;
        meant.into_iter().map(|it| it.1).collect()
    }
}

/// The shares of one side, on their way to another call. Whoever has them gives them to it or back.
#[derive(Debug, Default)]
#[must_use]
pub struct Shares(SmallVec<[Counted; 2]>);

impl Shares {
    /// The call that they were for has ended.
    pub fn give_back(self, office: &mut Office, tenant: TenantId) {
        for it in self.0 {
            it.give_back(office, tenant);
        }
    }
}

impl Call {
    /// Counts for an extension, whatever it has already.
    pub(super) fn count_busy(
        &mut self,
        office: &mut Office,
        extension: &Arc<Extension>,
        role: Role,
    ) {
        office.count_call(self.tenant, extension, role);
        self.counts.0.push((half(role), Counted::Extension(Arc::clone(extension), role)));
    }

    /// The same where it may have one more.
    pub(super) fn claim_busy(
        &mut self,
        office: &mut Office,
        extension: &Arc<Extension>,
        role: Role,
    ) -> bool {
        let claimed = office.claim_call(self.tenant, extension, role);
        if claimed {
            self.counts.0.push((half(role), Counted::Extension(Arc::clone(extension), role)));
        }
        claimed
    }

    /// Lets go of what it leaves by.
    pub(super) fn release_out(&mut self, office: &mut Office) {
        let outgoing = self.counts.extract(|half, it| half == Half::Callee && it.is_outside());
        Shares(outgoing).give_back(office, self.tenant);
    }

    /// What one side counts for goes elsewhere.
    pub fn give_shares(&mut self, half: Half) -> Shares {
        Shares(self.counts.extract(|it, _| it == half))
    }

    /// A side that came from elsewhere counts here.
    pub fn take_shares(&mut self, half: Half, shares: Shares) {
        self.counts.0.extend(shares.0.into_iter().map(|it| (half, it)));
    }

    /// It is not over yet: what it counts for, it will give back.
    pub fn is_up(&self) -> bool {
        !matches!(self.state, super::State::Ended { .. })
    }
}

fn half(role: Role) -> Half {
    match role {
        Role::Caller => Half::Caller,
        Role::Callee => Half::Callee,
    }
}
