//! Bugs on purpose: proof that the simulator finds their kind.
//!
//! Behind the build feature `planted-bugs`, which no product build has. Each breaks one invariant.

/// One bug; [`Config::planted`](crate::core::Config) switches it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A cancelled INVITE gets no final response.
    ForgottenRefusal,
    /// A call to several phones is recorded twice.
    SecondRecord,
    /// The ports of a call that was not answered are never given back.
    KeptLease,
    /// The answer of one of several phones gets no ACK.
    UnacknowledgedAnswer,
    /// A second device of an extension is acknowledged and not recorded.
    UnrecordedDevice,
    /// The billed time is taken from the wall clock.
    WallClockBilling,
    /// The last line or trunk of a route is tried first. No invariant of the simulator's; the test that
    /// places the calls of random dial plans must find it.
    OtherRoute,
}

impl Planted {
    /// What the simulator must find.
    pub const ALL: [Self; 6] = [
        Self::ForgottenRefusal,
        Self::SecondRecord,
        Self::KeptLease,
        Self::UnacknowledgedAnswer,
        Self::UnrecordedDevice,
        Self::WallClockBilling,
    ];
}
