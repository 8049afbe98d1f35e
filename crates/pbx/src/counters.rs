//! Plain counts of what the core did; the driver publishes them as metrics after each batch.

mod histogram;
mod mos;

pub use histogram::Histogram;

use crate::record::CallRecord;
use crate::release::ReleaseCode;
use crate::verdict::fact::{Fact, What};
use mos::mos;

/// Methods counted apart; the rest is `other`.
pub const METHODS: [&str; 12] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "MESSAGE", "UPDATE", "PRACK",
    "REFER", "other",
];

/// Directions of calls, in the order of [`crate::record::Direction`].
pub const DIRECTIONS: [&str; 3] = ["internal", "incoming", "outgoing"];

/// What became of calls; [`ReleaseCode`] says more.
pub const RESULTS: [&str; 5] = ["answered", "busy", "no_answer", "cancelled", "failed"];

/// Limits of [`Counters::call_setup_ms`].
pub const SETUP_MS: [u64; 8] = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000];

/// Limits of [`Counters::call_duration_ms`].
pub const DURATION_MS: [u64; 7] = [10_000, 30_000, 60_000, 180_000, 600_000, 1_800_000, 3_600_000];

/// Limits of [`Counters::jitter_ms`].
pub const JITTER_MS: [u64; 6] = [1, 5, 10, 20, 50, 100];

/// Limits of [`Counters::mos`]: below them nearly all, many, some listeners are dissatisfied, above the last but one nobody
/// (ITU-T G.107, annex B).
pub const MOS: [u64; 5] = [2_580, 3_100, 3_600, 4_030, 4_340];

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not SIP.
    Syntax,
    /// A stream's length or start line is wrong.
    Framing,
    /// A header that every message needs is wrong.
    Header,
}

/// The words for [`Unread`], in its order.
pub const UNREAD: [&str; 3] = ["syntax", "framing", "header"];

/// Since the start of the process, unless a field says it is the present value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests received and sent, by [`METHODS`]; over UDP, then TCP.
    pub requests_in: [[u64; METHODS.len()]; 2],
    pub requests_out: [[u64; METHODS.len()]; 2],
    /// Responses by class (1xx … 6xx) and by the method of [`METHODS`] they answer.
    pub responses_in: [[u64; METHODS.len()]; 6],
    pub responses_out: [[u64; METHODS.len()]; 6],
    /// Messages sent again by a transaction or a 2xx without ACK.
    pub retransmits_out: u64,
    /// By [`Unread`].
    pub parse_errors: [u64; UNREAD.len()],
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
    /// The ended ones by [`DIRECTIONS`] and [`RESULTS`].
    pub calls: [[u64; RESULTS.len()]; DIRECTIONS.len()],
    /// From the INVITE to the answer.
    pub call_setup_ms: Histogram<{ SETUP_MS.len() }>,
    /// From the answer to the end.
    pub call_duration_ms: Histogram<{ DURATION_MS.len() }>,
    /// Of each side of an ended call that sent media.
    pub jitter_ms: Histogram<{ JITTER_MS.len() }>,
    /// Of the same sides, how well they could be heard. Unit: thousandths.
    pub mos: Histogram<{ MOS.len() }>,
    /// Answered calls in which one side alone was heard.
    pub media_one_way: u64,
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
            Some(rest) => count_response(&mut self.responses_out, rest),
            None => self.requests_out[transport(flow)][method(bytes)] += 1,
        }
    }

    /// Counts a message that came in.
    pub fn received(&mut self, flow: &sip::Flow, bytes: &[u8]) {
        match bytes.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => count_response(&mut self.responses_in, rest),
            None => self.requests_in[transport(flow)][method(bytes)] += 1,
        }
    }

    /// Counts a message that could not be read.
    pub fn unread(&mut self, why: Unread) {
        self.parse_errors[why as usize] += 1;
    }

    /// Counts a call that is over.
    pub fn ended(&mut self, record: &CallRecord) {
        self.calls_ended += 1;
        self.calls[record.direction as usize][result_of(record)] += 1;
        let code = ReleaseCode::ALL.iter().position(|it| Some(*it) == record.release_code);
        if let Some(at) = code {
            self.releases.0[at] += 1;
        }
        if record.answered_at.is_some() {
            let setup_ms = record.duration_ms.saturating_sub(record.billable_ms);
            self.call_setup_ms.add(&SETUP_MS, setup_ms);
            self.call_duration_ms.add(&DURATION_MS, record.billable_ms);
        }
        for media in [&record.caller_media, &record.callee_media] {
            self.rtp_packets_in += media.rtp_packets_in;
            self.rtp_packets_out += media.rtp_packets_out;
            self.rtp_lost_in += media.rtp_lost_in;
            if media.rtp_packets_in > 0 {
                self.jitter_ms.add(&JITTER_MS, media.rtp_jitter_ms_in.into());
                let lost = media.rtp_lost_in;
                self.mos.add(&MOS, mos(media.rtp_packets_in, lost, media.rtp_jitter_ms_in));
            }
        }
        self.media_one_way += u64::from(is_one_way(record));
    }
}

/// `rest` begins with the status.
fn count_response(classes: &mut [[u64; METHODS.len()]; 6], rest: &[u8]) {
    if let Some(class) = rest.first().and_then(|it| it.checked_sub(b'1'))
        && let Some(methods) = classes.get_mut(usize::from(class))
    {
        methods[answered(rest)] += 1;
    }
}

/// The method in CSeq, which everybody writes like this; of others it is `other`.
fn answered(rest: &[u8]) -> usize {
    // To look for the whole of it costs more: a searcher is built for each text.
    let mut lines = memchr::memchr_iter(b'\n', rest).map(|at| &rest[at + 1..]);
    let value = lines.find_map(|it| it.strip_prefix(b"CSeq: "));
    let method = value.and_then(|it| {
        let end = it.iter().take(40).position(|it| matches!(it, b'\r' | b'\n'))?;
        it[..end].split(|it| *it == b' ').next_back()
    });
    let known = method.and_then(|method| METHODS.iter().position(|it| it.as_bytes() == method));
    known.unwrap_or(METHODS.len() - 1)
}

/// Its place in [`RESULTS`].
fn result_of(record: &CallRecord) -> usize {
    match record.release_code {
        _ if record.answered_at.is_some() => 0,
        Some(ReleaseCode::CalleeBusy | ReleaseCode::CalleeLimit) => 1,
        Some(ReleaseCode::CalleeNoAnswer) => 2,
        Some(ReleaseCode::CallerCancelled) => 3,
        _ => 4,
    }
}

/// Whether one side alone was never heard.
fn is_one_way(record: &CallRecord) -> bool {
    let silent = |it: &&Fact| matches!(it.what, What::NoPackets { .. });
    record.facts.iter().filter(silent).count() == 1
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
    use crate::record::{Direction, MediaFigures};

    #[test]
    fn messages_are_counted_by_their_first_octets() {
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow =
            sip::Flow { transport: sip::Transport::Tcp, local, remote: local, connection: None };
        let mut counters = Counters::default();
        let busy = "SIP/2.0 486 Busy\r\nCSeq: 7 INVITE\r\n";
        for text in ["INVITE sip:", "FOO sip:", busy, "SIP/2.0 486\nCSeq: 1 ", "SIP/2.0 9", "", "x"]
        {
            counters.received(&flow, text.as_bytes());
        }
        assert_eq!(counters.requests_in[1][0], 1);
        assert_eq!(counters.requests_in[1][11], 3);
        let sums = counters.responses_in.map(|it| it.iter().sum::<u64>());
        assert_eq!(sums, [0, 0, 0, 2, 0, 0]);
        assert_eq!((counters.responses_in[3][0], counters.responses_in[3][11]), (1, 1));
    }

    #[test]
    fn calls_are_counted_by_direction_and_result() {
        use crate::time::UnixMillis;
        use crate::verdict::fact::Place;
        let mut counters = Counters::default();
        let silent = |place| {
            let what = What::NoPackets { stated: None, for_s: 5, refused: 0 };
            Fact { at_ms: 0, place, what }
        };
        let answered = |facts: Vec<Fact>| CallRecord {
            direction: Direction::Outgoing,
            answered_at: Some(UnixMillis(1)),
            release_code: Some(ReleaseCode::CallerHangup),
            duration_ms: 15_000,
            billable_ms: 12_000,
            facts,
            ..CallRecord::default()
        };
        counters.ended(&answered(vec![]));
        counters.ended(&answered(vec![silent(Place::Caller)]));
        counters.ended(&answered(vec![silent(Place::Caller), silent(Place::Callee(0))]));
        let refused = |code| CallRecord { release_code: Some(code), ..CallRecord::default() };
        for code in [
            ReleaseCode::CalleeBusy,
            ReleaseCode::CalleeNoAnswer,
            ReleaseCode::CallerCancelled,
            ReleaseCode::RouteNoMatch,
        ] {
            counters.ended(&refused(code));
        }
        assert_eq!(counters.calls, [[0, 1, 1, 1, 1], [0; 5], [3, 0, 0, 0, 0]]);
        assert_eq!((counters.calls_ended, counters.media_one_way), (7, 1));
        assert_eq!(counters.call_setup_ms.up_to().collect::<Vec<_>>()[2..4], [0, 3]);
        assert_eq!(counters.call_duration_ms.sum(), 36_000);
        let heard = |lost| MediaFigures {
            rtp_packets_in: 100 - lost,
            rtp_lost_in: lost,
            ..MediaFigures::default()
        };
        let (caller_media, callee_media) = (heard(0), heard(20));
        counters.ended(&CallRecord { caller_media, callee_media, ..answered(vec![]) });
        // Who sent nothing was not heard badly.
        assert_eq!(counters.mos.up_to().collect::<Vec<_>>(), [0, 1, 1, 1, 1, 2]);
    }
}
