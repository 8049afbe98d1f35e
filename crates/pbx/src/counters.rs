//! Plain counts of what the core did; the driver publishes them as metrics after each batch.

use crate::release::ReleaseCode;

/// Methods counted apart; the rest is `other`.
pub const METHODS: [&str; 12] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "MESSAGE", "UPDATE", "PRACK",
    "REFER", "other",
];

/// Since the start of the process, unless a field says it is the present value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests received and sent, by [`METHODS`]; over UDP, then TCP.
    pub requests_in: [[u64; METHODS.len()]; 2],
    pub requests_out: [[u64; METHODS.len()]; 2],
    /// Responses by class (1xx … 6xx).
    pub responses_in: [u64; 6],
    pub responses_out: [u64; 6],
    /// Messages sent again by a transaction or a 2xx without ACK.
    pub retransmits_out: u64,
    pub parse_errors: u64,
    /// Datagrams dropped because their source had no token left.
    pub throttled: u64,
    pub challenges: u64,
    pub auth_failures: u64,
    pub registrations_ok: u64,
    pub registrations_refused: u64,
    /// Present values.
    pub registrations_active: u64,
    pub calls_active: u64,
    pub transactions_active: u64,
    pub ports_leased: u64,
    pub ports_free: u64,
    pub timers: u64,
    pub calls_started: u64,
    pub calls_answered: u64,
    pub calls_ended: u64,
    /// Ended calls by [`ReleaseCode`], in the order of [`ReleaseCode::ALL`].
    pub releases: [u64; ReleaseCode::ALL.len()],
    pub rtp_packets_in: u64,
    pub rtp_packets_out: u64,
    pub rtp_lost_in: u64,
    pub faults: u64,
}
