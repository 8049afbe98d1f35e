//! Facts that must survive: what the journal holds.
//!
//! Each is an [`Effect::Record`](crate::core::Effect); the driver appends a batch's facts before
//! it sends that batch's answers. Start is the database plus the tail of these.

use crate::id::{CallId, TenantId};
use crate::release::ReleaseCode;
use crate::supplementary::PhoneRecord;
use crate::time::UnixMillis;
use crate::verdict::fact::Facts;
use serde::{Deserialize, Serialize};
use sip::message::Short;
use sip::{Flow, Piece};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Borrow;
use std::sync::Arc;

/// One fact. Adding a variant goes at the end: the journal's encoding is by position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A phone registered or refreshed; replaces the binding with the same key.
    Bound(Arc<Binding>),
    /// A binding ended: unregistered, replaced or expired.
    Unbound(BindingKey),
    CallStarted(CallStarted),
    CallAnswered(Box<CallAnswered>),
    /// The one call record of an attempt, with its facts.
    CallEnded(#[serde(with = "with_facts")] Arc<CallRecord>),
    /// The server lived at this time; every 5 s. Calls left open end at the last one.
    Alive(UnixMillis),
    /// A line asked its carrier, or got its answer; replaces what was known of the line.
    LineRegistration(Box<LineRegistration>),
    /// The line is no more.
    LineForgotten {
        tenant: TenantId,
        account: Box<str>,
    },
    /// What the phones of an extension have set; replaces what was known of it.
    Phone(Box<PhoneRecord>),
}

/// Which binding: the device within its address-of-record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BindingKey {
    pub tenant: TenantId,
    pub extension: SmolStr,
    /// `+sip.instance` (RFC 5626 §4.1) where the phone has one, else its Call-ID.
    pub device: SmolStr,
}

/// One registered device (RFC 3261 §10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub key: BindingKey,
    /// The Contact URI as the phone wrote it.
    pub contact: SmolStr,
    pub flow: Flow,
    /// Call-ID and CSeq of the newest REGISTER (RFC 3261 §10.3 step 7).
    pub call_id: SmolStr,
    pub cseq: u32,
    /// Preference in thousandths; 1000 when absent.
    pub q: u16,
    pub user_agent: SmolStr,
    pub registered_at: UnixMillis,
    pub expires_at: UnixMillis,
}

/// A binding as its own key: in a collection it is found by its [`BindingKey`], which is not copied.
#[derive(Clone, Debug)]
pub struct ByKey(pub Arc<Binding>);

impl Borrow<BindingKey> for ByKey {
    fn borrow(&self) -> &BindingKey {
        &self.0.key
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

/// How a line stands with its carrier (RFC 3261 §10.2): its next REGISTER goes on from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRegistration {
    pub tenant: TenantId,
    pub account: Box<str>,
    pub call_id: Box<str>,
    /// Of the newest REGISTER.
    pub cseq: u32,
    /// User part of our Contact.
    pub contact: Box<str>,
    /// Since when the carrier holds a binding, and until when.
    pub since: Option<UnixMillis>,
    pub until: Option<UnixMillis>,
}

/// Enough of a dialog to send its BYE after a crash (RFC 3261 §12.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogFacts {
    pub flow: Flow,
    pub call_id: Piece,
    /// Full From value of our requests, tag included.
    pub local: Piece,
    /// Full To value of our requests, tag included.
    pub remote: Piece,
    pub local_cseq: u32,
    pub remote_target: Piece,
    pub route_set: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallStarted {
    /// As much of the record as is known: who, whom, when. Told again when more is known, until the
    /// answer: the newest counts.
    pub record: Arc<CallRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallAnswered {
    /// The record so far, with `answered_at`.
    pub record: Arc<CallRecord>,
    /// The caller's dialog, then the callee's.
    pub dialogs: SmallVec<[DialogFacts; 2]>,
}

/// Which way a call crosses the office.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    #[default]
    Internal,
    Incoming,
    Outgoing,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Caller,
    Callee,
    /// The server itself.
    System,
    /// The administrator.
    Admin,
}

/// What one side's transports carried in sum over its RTP streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFigures {
    pub rtp_packets_in: u64,
    pub rtp_bytes_in: u64,
    pub rtp_lost_in: u64,
    pub rtp_jitter_ms_in: u32,
    pub rtp_packets_out: u64,
}

/// The call record (话单): one row for each call attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub call_id: CallId,
    /// The call this one was forwarded or transferred from.
    pub linked_call_id: Option<CallId>,
    pub tenant: TenantId,
    pub direction: Direction,
    pub started_at: UnixMillis,
    pub ringing_at: Option<UnixMillis>,
    pub answered_at: Option<UnixMillis>,
    pub ended_at: Option<UnixMillis>,
    /// From start to end by the monotonic clock.
    pub duration_ms: u64,
    /// From answer to end by the monotonic clock; 0 if never answered.
    pub billable_ms: u64,
    pub caller_number: SmolStr,
    pub caller_name: SmolStr,
    pub caller_extension: Option<SmolStr>,
    /// User-Agent and source address of the caller's device.
    pub caller_device: SmolStr,
    pub dialled_number: SmolStr,
    /// What was sent to the callee after the dial plan.
    pub sent_number: SmolStr,
    pub callee_number: SmolStr,
    pub callee_extension: Option<SmolStr>,
    pub callee_device: SmolStr,
    pub line: Option<SmolStr>,
    pub trunk: Option<SmolStr>,
    pub dial_plan: SmolStr,
    pub route: SmolStr,
    /// The final status the caller got; 200 for an answered call.
    pub sip_status: u16,
    /// ITU-T Q.850 cause.
    pub q850_cause: u16,
    pub released_by: Option<Side>,
    pub release_code: Option<ReleaseCode>,
    /// `callTag=…;cause=…;placedBy=…` (Furnish Charge Information).
    pub fci: SmolStr,
    pub codec_caller: SmolStr,
    pub codec_callee: SmolStr,
    pub video: bool,
    pub relayed: bool,
    pub caller_media: MediaFigures,
    pub callee_media: MediaFigures,
    pub recording: Option<SmolStr>,
    /// What led to its end; in the journal only behind the whole record of an ended call.
    #[serde(skip)]
    pub facts: Facts,
}

impl CallRecord {
    /// Charging information: what the call ended with, and who had it placed, where somebody had.
    pub fn furnish(&mut self, code: ReleaseCode) {
        let fci = Short::new().text("callTag=").text(code.as_str()).text(";cause=");
        let fci = fci.decimal(self.q850_cause.into());
        let placed = self.fci.find(PLACED_BY).and_then(|at| self.fci.get(at..));
        self.fci = match placed {
            Some(placed) => format!("{};{placed}", fci.as_str()).into(),
            None => fci.as_str().into(),
        };
    }

    /// No phone began it: who had it placed is in its charging information.
    pub fn place_for(&mut self, who: &str) {
        let plain: String = who.chars().filter(|it| !matches!(it, ';' | '=')).collect();
        self.fci = format!("{PLACED_BY}{plain}").into();
    }

    /// Who had it placed; `None`: a phone began it.
    pub fn placed_by(&self) -> Option<&str> {
        self.fci.split_once(PLACED_BY).map(|it| it.1)
    }
}

/// The last of a record's charging information.
const PLACED_BY: &str = "placedBy=";

/// A record followed by its facts: what is last can be absent in what an earlier version wrote.
mod with_facts {
    use super::CallRecord;
    use crate::verdict::fact::Facts;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(
        record: &CallRecord,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (record, &record.facts).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<CallRecord>, D::Error> {
        let (record, facts) = <(CallRecord, Facts)>::deserialize(deserializer)?;
        Ok(Arc::new(CallRecord { facts, ..record }))
    }
}
