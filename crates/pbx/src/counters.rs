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
    /// Calls and registrations refused because the core was behind.
    pub shed: u64,
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
    pub releases: Releases,
    pub rtp_packets_in: u64,
    pub rtp_packets_out: u64,
    pub rtp_lost_in: u64,
    pub faults: u64,
}

/// One count for each code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releases(pub [u64; ReleaseCode::ALL.len()]);

impl Default for Releases {
    fn default() -> Self {
        Self([0; ReleaseCode::ALL.len()])
    }
}

impl Counters {
    /// Counts a message that goes out; its first octets tell what it is.
    pub fn sent(&mut self, flow: &sip::Flow, bytes: &[u8]) {
        match bytes.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => count_class(&mut self.responses_out, rest.first()),
            None => self.requests_out[transport(flow)][method(bytes)] += 1,
        }
    }

    /// Counts a message that came in.
    pub fn received(&mut self, flow: &sip::Flow, bytes: &[u8]) {
        match bytes.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => count_class(&mut self.responses_in, rest.first()),
            None => self.requests_in[transport(flow)][method(bytes)] += 1,
        }
    }

    /// REGISTERs received.
    pub fn registers_in(&self) -> u64 {
        let place = method(b"REGISTER ");
        self.requests_in.iter().map(|it| it[place]).sum()
    }
}

fn count_class(classes: &mut [u64; 6], digit: Option<&u8>) {
    if let Some(class) = digit.and_then(|it| it.checked_sub(b'1'))
        && let Some(count) = classes.get_mut(usize::from(class))
    {
        *count += 1;
    }
}

fn transport(flow: &sip::Flow) -> usize {
    usize::from(flow.transport == sip::Transport::Tcp)
}

fn method(bytes: &[u8]) -> usize {
    let end = bytes.iter().take(12).position(|&it| it == b' ').unwrap_or_default();
    let known = METHODS.iter().position(|it| it.as_bytes() == &bytes[..end]);
    known.unwrap_or(METHODS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_their_first_octets() {
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow =
            sip::Flow { transport: sip::Transport::Tcp, local, remote: local, connection: None };
        let mut counters = Counters::default();
        for text in ["INVITE sip:", "FOO sip:", "SIP/2.0 486 Busy", "SIP/2.0 9", "", "x"] {
            counters.received(&flow, text.as_bytes());
        }
        assert_eq!(counters.requests_in[1][0], 1);
        assert_eq!(counters.requests_in[1][11], 3);
        assert_eq!(counters.responses_in, [0, 0, 0, 1, 0, 0]);
    }
}
