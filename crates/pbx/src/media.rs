//! What the core and the media edge say to each other. Serialisable, so that the edge may one day
//! be another machine.
//!
//! A call has one media *session*. The session has *transports* (a leased port pair and the one
//! peer behind it) and *streams* (an `m=` line carried by a transport); *links* say which stream
//! is heard where. The core always states the whole [`Plan`]; the edge makes it so and
//! acknowledges with the plan's revision.

use crate::digit::Press;
use crate::id::CallId;
use crate::ports::Lease;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

/// An even port for RTP and the next one for RTCP (RFC 3550 §11), both bound by the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortPair {
    pub rtp: u16,
}

impl PortPair {
    pub fn rtcp(self) -> u16 {
        self.rtp + 1
    }
}

/// One transport within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransportId(pub u8);

/// One stream within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u8);

/// Core → edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Open the session, or bring it to this plan. Answered by [`Event::Configured`].
    Configure { call: CallId, plan: Plan },
    /// So many pairs are leased in all, in sessions or not yet; the edge binds more, so that some
    /// are free beyond them. Not answered, but for [`Event::PortsReady`].
    Want { leased: u32 },
    /// End the session; its ports rest and come back as [`Event::PortsReady`]. Answered by
    /// [`Event::Closed`], also for a session the edge does not know.
    ///
    /// `pairs` are all that its plans named: those of a plan that never reached the session come
    /// back as well.
    Close { call: CallId, pairs: Lease },
    /// Send a digit to the peer of this transport, which has [`DigitWay::sent`]. Not answered.
    Press { call: CallId, transport: TransportId, press: Press },
}

/// All a session is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Grows with every plan of the session; the acknowledgement names it.
    pub revision: u32,
    pub transports: Vec<Transport>,
    pub streams: SmallVec<[Stream; 2]>,
    pub links: SmallVec<[Link; 2]>,
    /// A watched transport that receives nothing for so many milliseconds is reported
    /// [`Event::Silent`], once. `None`: never. Default of the system: 60 s.
    pub silence_ms: Option<NonZeroU32>,
    /// Digits that change their form on the way. `None`, as in most calls: nothing is looked at.
    pub digits: Option<Box<Digits>>,
    /// What the session plays of its own. `None`, as in most calls: nothing.
    pub tone: Option<Box<Tone>>,
}

/// A leased port pair and the peer expected behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transport {
    pub id: TransportId,
    pub ports: PortPair,
    /// Our address the peer was told: packets leave from it.
    pub source: IpAddr,
    pub rtcp: Rtcp,
    pub expect: Expect,
    /// Whether silence is counted (not on hold, not before the answer).
    pub watched: bool,
}

/// Where digits change their form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digits {
    /// The source (SSRC) they come from while no voice flows to the peer.
    pub ssrc: u32,
    pub ways: Vec<DigitWay>,
}

/// The digits of one transport, whose only stream is voice without encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitWay {
    pub transport: TransportId,
    /// Those that come as these events are not passed on, but reported as [`Event::Pressed`].
    pub heard: Option<TelephoneEvents>,
    /// [`Command::Press`] sends them as these.
    pub sent: Option<TelephoneEvents>,
}

/// A payload format of RFC 4733.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephoneEvents {
    pub payload_type: u8,
    /// Clock rate in Hz, never 0.
    pub clock: u32,
}

/// A tone for the peer of one transport, whose only stream is voice without encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tone {
    pub transport: TransportId,
    pub companding: Companding,
    pub signal: Signal,
    pub ssrc: u32,
}

/// The two laws of G.711, each with its static payload type (RFC 3551 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Companding {
    ULaw,
    ALaw,
}

/// What a tone says (ITU-T E.180).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// The other side is being alerted.
    Ringing,
}

/// Where RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rtcp {
    /// On the RTP port (RFC 5761).
    Muxed,
    /// On the odd port; to `remote` where the peer named one (RFC 3605), else its RTP port + 1.
    Separate { remote: Option<SocketAddr> },
}

/// Which packets may latch a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Address and port of the peer's SDP; `None` while it has sent none.
    pub advertised: Option<SocketAddr>,
    /// The address the peer's signalling comes from.
    pub signalling: IpAddr,
    pub policy: MediaSource,
    /// Each new SDP of the peer raises it; a raised number makes the transport latch anew.
    pub generation: u32,
}

/// Which sources may send media, per extension or trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MediaSource {
    /// The SDP's address and port, or any port of the signalling address; the latter alone where
    /// the SDP's address is private and the signalling address is not.
    #[default]
    Auto,
    /// Only the SDP's address and port.
    Sdp,
    /// Any port of the signalling address.
    Signalling,
    /// Whoever sends first. For devices that cannot be described otherwise.
    AnyFirst,
}

/// An `m=` line of one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub id: StreamId,
    pub transport: TransportId,
    /// Index of the `m=` line in its SDP.
    pub line: u8,
}

/// What arrives on `from` is sent on `to`. A stream linked to itself is an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub from: StreamId,
    pub to: StreamId,
}

/// Edge → core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// These pairs are bound and may be leased.
    PortsReady {
        pairs: Vec<PortPair>,
    },
    Configured {
        call: CallId,
        revision: u32,
    },
    /// The session could not be made as planned.
    Failed {
        call: CallId,
        reason: String,
    },
    /// The final figures; the session is gone.
    Closed {
        call: CallId,
        figures: Vec<Figures>,
    },
    /// Figures so far, of a running session, about every 5 s.
    Progress {
        call: CallId,
        figures: Vec<Figures>,
    },
    /// The peer of this transport is now known.
    Latched {
        call: CallId,
        transport: TransportId,
        remote: SocketAddr,
    },
    /// A digit came that is not passed on ([`DigitWay::heard`]).
    Pressed {
        call: CallId,
        transport: TransportId,
        press: Press,
    },
    /// A watched transport received nothing for [`Plan::silence_ms`].
    Silent {
        call: CallId,
        transport: TransportId,
    },
}

/// What one transport carried, RTP only unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub transport: TransportId,
    pub packets_in: u64,
    /// Octets of RTP packets received, header included.
    pub bytes_in: u64,
    /// Packets missing by sequence number (RFC 3550 A.3), never negative.
    pub lost_in: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1), in microseconds.
    pub jitter_in_us: u32,
    pub packets_out: u64,
    /// Dropped because they came from a source that does not qualify.
    pub refused: u64,
}
