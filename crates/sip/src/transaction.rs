//! The four transactions of RFC 3261 §17 as tables: state and event in, state and actions out.
//!
//! Nothing here knows a message, a socket or a clock; the [`endpoint`](crate::endpoint) does what
//! the actions say.

pub mod client;
pub mod invite_client;
pub mod invite_server;
pub mod key;
pub mod server;

use smallvec::SmallVec;
use std::time::Duration;

/// Round-trip estimate (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest pause between two retransmissions of a non-INVITE request or a response.
pub const T2: Duration = Duration::from_secs(4);
/// Longest time a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// How long a transaction waits for its peer: Timers B, F, H, L and M.
pub const TIMEOUT: Duration = Duration::from_secs(32);

/// The timers of RFC 3261 table 4 and RFC 6026 §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Resend the INVITE. Unreliable transports only.
    A,
    /// Give up waiting for any response to the INVITE.
    B,
    /// Stop acknowledging copies of a final response to the INVITE.
    D,
    /// Resend the request. Unreliable transports only.
    E,
    /// Give up waiting for a final response.
    F,
    /// Resend the final response to the INVITE. Unreliable transports only.
    G,
    /// Give up waiting for the ACK.
    H,
    /// Stop swallowing ACKs.
    I,
    /// Stop answering copies of the request.
    J,
    /// Stop swallowing copies of the response.
    K,
    /// Stop swallowing copies of the INVITE after a 2xx.
    L,
    /// Stop passing on further 2xx from forks.
    M,
}

impl Timer {
    /// Whether it drives retransmission; the others end a wait. A transaction has at most one of
    /// either kind running.
    pub fn resends(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G)
    }
}

/// What a transaction wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the newest message of ours for the first time.
    Send,
    /// Send it again.
    Resend,
    /// Acknowledge the non-2xx final response (RFC 3261 §17.1.1.3).
    SendAck,
    Start(Timer, Duration),
    Stop(Timer),
    /// Hand what came to the transaction user.
    Pass,
    /// Tell the transaction user that nobody answered.
    TimedOut,
    /// Tell the transaction user that the transport failed.
    Failed,
}

/// The actions of one step; never more than fit.
pub type Actions = SmallVec<[Action; 4]>;

/// Builds [`Actions`] as `vec!` would.
macro_rules! actions {
    ($($action:expr),* $(,)?) => { ::smallvec::smallvec![$($action),*] };
}
pub(crate) use actions;
