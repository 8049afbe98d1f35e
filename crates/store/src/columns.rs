//! The call record as a row: one list of columns for SQL, CSV and exports.
//!
//! The names are a contract with those who read records by other programs.

use crate::db::word;
use crate::journal::Sequence;
use jiff::Timestamp;
use pbx::record::{CallRecord, MediaFigures};
use pbx::time::UnixMillis;
use std::borrow::Cow;

/// The columns in their order. In SQL, `tenant` is `tenant_id`.
pub const COLUMNS: [&str; 44] = [
    "call_id",
    "linked_call_id",
    "tenant",
    "direction",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "duration_ms",
    "billable_ms",
    "caller_number",
    "caller_name",
    "caller_extension",
    "caller_device",
    "dialled_number",
    "sent_number",
    "callee_number",
    "callee_extension",
    "callee_device",
    "line",
    "trunk",
    "dial_plan",
    "route",
    "sip_status",
    "q850_cause",
    "released_by",
    "release_code",
    "fci",
    "codec_caller",
    "codec_callee",
    "video",
    "relayed",
    "caller_rtp_packets_in",
    "caller_rtp_bytes_in",
    "caller_rtp_lost_in",
    "caller_rtp_jitter_ms_in",
    "caller_rtp_packets_out",
    "callee_rtp_packets_in",
    "callee_rtp_bytes_in",
    "callee_rtp_lost_in",
    "callee_rtp_jitter_ms_in",
    "callee_rtp_packets_out",
    "recording",
    "journal_seq",
];

/// One field of a row, before it takes the form of SQL or CSV.
#[derive(Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Number(u64),
    Flag(bool),
    Time(UnixMillis),
    /// Its number in SQL, its name in a file.
    Tenant(u32),
}

/// The fields of a record, in the order of [`COLUMNS`].
pub(crate) fn cells(record: &CallRecord, sequence: Sequence) -> [Cell<'_>; COLUMNS.len()] {
    let [caller_in, caller_bytes, caller_lost, caller_jitter, caller_out] =
        figures(&record.caller_media);
    let [callee_in, callee_bytes, callee_lost, callee_jitter, callee_out] =
        figures(&record.callee_media);
    [
        Cell::Text(record.call_id.to_string().into()),
        record.linked_call_id.map_or(Cell::Nothing, |it| Cell::Text(it.to_string().into())),
        Cell::Tenant(record.tenant.0),
        Cell::Text(word(record.direction).into()),
        Cell::Time(record.started_at),
        time(record.ringing_at),
        time(record.answered_at),
        time(record.ended_at),
        Cell::Number(record.duration_ms),
        Cell::Number(record.billable_ms),
        text(&record.caller_number),
        text(&record.caller_name),
        optional(record.caller_extension.as_deref()),
        text(&record.caller_device),
        text(&record.dialled_number),
        text(&record.sent_number),
        text(&record.callee_number),
        optional(record.callee_extension.as_deref()),
        text(&record.callee_device),
        optional(record.line.as_deref()),
        optional(record.trunk.as_deref()),
        text(&record.dial_plan),
        text(&record.route),
        Cell::Number(record.sip_status.into()),
        Cell::Number(record.q850_cause.into()),
        record.released_by.map_or(Cell::Nothing, |it| Cell::Text(word(it).into())),
        optional(record.release_code.map(|it| it.as_str())),
        text(&record.fci),
        text(&record.codec_caller),
        text(&record.codec_callee),
        Cell::Flag(record.video),
        Cell::Flag(record.relayed),
        caller_in,
        caller_bytes,
        caller_lost,
        caller_jitter,
        caller_out,
        callee_in,
        callee_bytes,
        callee_lost,
        callee_jitter,
        callee_out,
        optional(record.recording.as_deref()),
        Cell::Number(sequence),
    ]
}

/// The instant of a record; far beyond the year 9999 it stops growing.
pub(crate) fn timestamp(at: UnixMillis) -> Timestamp {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

fn figures(media: &MediaFigures) -> [Cell<'static>; 5] {
    [
        Cell::Number(media.rtp_packets_in),
        Cell::Number(media.rtp_bytes_in),
        Cell::Number(media.rtp_lost_in),
        Cell::Number(media.rtp_jitter_ms_in.into()),
        Cell::Number(media.rtp_packets_out),
    ]
}

fn time(at: Option<UnixMillis>) -> Cell<'static> {
    at.map_or(Cell::Nothing, Cell::Time)
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn optional(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Nothing, |it| Cell::Text(it.into()))
}
