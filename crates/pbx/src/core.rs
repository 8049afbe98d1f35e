//! The core: one input at a time with the time as an argument, everything to be done as data.
//!
//! ```text
//!            Input                     Effect
//! driver ───────────▶ Core::handle ───────────▶ send, record, event, media, connect
//! ```
//! The driver handles one input, drains [`Core::poll_effect`], and only then gives the next
//! (architecture, data path rule 3).

use crate::counters::Counters;
use crate::directory::Directory;
use crate::event::Event;
use crate::id::CallId;
use crate::media;
use crate::network::Network;
use crate::record::{Binding, Record};
use crate::release::ReleaseCode;
use crate::time::Now;
use bytes::Bytes;
use rand_core::Rng;
use sip::{ConnectionId, Flow};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Everything that can happen to the core.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram, or a message framed from a stream.
    Message {
        flow: Flow,
        bytes: &'a [u8],
    },
    /// What a stream sent cannot be framed: answer 400 if it can be, the edge closes the stream.
    Malformed {
        flow: Flow,
        head: &'a [u8],
    },
    /// A stream is gone.
    Closed {
        connection: ConnectionId,
    },
    /// The answer to [`Effect::Connect`].
    Connected {
        token: u64,
        flow: Flow,
    },
    ConnectFailed {
        token: u64,
    },
    Media(media::Event),
    Directory(Arc<Directory>),
    Network(Network),
    Command(Command),
}

/// What an administrator or the process itself asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// End one call with [`ReleaseCode::AdminHangup`].
    Hangup(CallId),
    /// Ask for the status of every running call: each comes as [`Event::Call`].
    ReportCalls,
    /// No new call or registration; every running call gets its BYEs. Done when
    /// [`Core::is_idle`].
    Shutdown,
    /// The journal cannot take more: new REGISTER and INVITE get 503 with Retry-After.
    Overload(bool),
}

/// What the surroundings must do. The core never does it itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Send {
        flow: Flow,
        bytes: Bytes,
        /// For the trace.
        call: Option<CallId>,
    },
    /// Open a stream; answered by [`Input::Connected`] or [`Input::ConnectFailed`] within 4 s.
    Connect {
        token: u64,
        remote: SocketAddr,
    },
    /// Append to the journal before anything of this batch is sent.
    Record(Record),
    /// Publish; may be dropped when the reader lags.
    Event(Event),
    Media(media::Command),
}

/// What is fixed for the life of a core.
#[derive(Clone, Debug)]
pub struct Config {
    /// Key of the nonces (RFC 7616 §5.4): kept over a restart so that phones are not challenged
    /// anew all at once.
    pub nonce_key: [u8; 32],
    /// First character of our branches, tags and Contact users: the shard that owns them.
    pub shard: char,
    /// Token bucket of a stranger: tokens per second and most tokens.
    pub guard_rate: u32,
    pub guard_burst: u32,
    /// The same for a source that authenticated within the last hour.
    pub guard_known_rate: u32,
    pub guard_known_burst: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nonce_key: [0; 32],
            shard: 'a',
            guard_rate: 50,
            guard_burst: 200,
            guard_known_rate: 500,
            guard_known_burst: 2000,
        }
    }
}

/// What was recovered from the journal at start.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    pub bindings: Vec<Binding>,
    /// Calls that were running: their records (already written with `system.crash`) and dialogs,
    /// which get a BYE each.
    pub dialogs: Vec<crate::record::DialogFacts>,
}

/// The whole state of one shard.
pub struct Core {
    _private: (),
}

impl Core {
    /// `rng` is a CSPRNG in the server and a seeded generator in tests.
    pub fn new(config: Config, rng: Box<dyn Rng + Send>, recovered: Recovered, now: Now) -> Self {
        let _ = (config, rng, recovered, now);
        Self { _private: () }
    }

    /// Takes one input. Returns the call it belonged to, for the trace.
    pub fn handle(&mut self, input: Input<'_>, now: Now) -> Option<CallId> {
        let _ = (input, now);
        None
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// When [`Core::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next thing to do; drain it after every input.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        None
    }

    pub fn counters(&self) -> &Counters {
        const { &DEFAULT_COUNTERS }
    }

    /// No call, no transaction: the process may exit.
    pub fn is_idle(&self) -> bool {
        true
    }
}

const DEFAULT_COUNTERS: Counters = Counters {
    requests_in: [[0; 12]; 2],
    requests_out: [[0; 12]; 2],
    responses_in: [0; 6],
    responses_out: [0; 6],
    retransmits_out: 0,
    parse_errors: 0,
    throttled: 0,
    challenges: 0,
    auth_failures: 0,
    registrations_ok: 0,
    registrations_refused: 0,
    registrations_active: 0,
    calls_active: 0,
    transactions_active: 0,
    ports_leased: 0,
    ports_free: 0,
    timers: 0,
    calls_started: 0,
    calls_answered: 0,
    calls_ended: 0,
    releases: [0; ReleaseCode::ALL.len()],
    rtp_packets_in: 0,
    rtp_packets_out: 0,
    rtp_lost_in: 0,
    faults: 0,
};
