//! A call as the API shows it, from its record: while it is up, the record holds what is known so far.

use super::Call;
use crate::moment::rfc3339;
use pbx::counters::DIRECTIONS;
use pbx::event::CallState;
use pbx::record::CallRecord;

impl Call {
    /// Without what only the running server knows: its legs, the reasons of its end.
    pub fn of(record: &CallRecord, state: CallState) -> Self {
        let text = |it: &str| it.to_owned();
        let over = state == CallState::Released;
        Self {
            id: record.call_id.to_string(),
            short_id: record.call_id.short().to_string(),
            state: state.as_str().to_owned(),
            direction: DIRECTIONS[record.direction as usize].to_owned(),
            caller: text(&record.caller_number),
            caller_name: text(&record.caller_name),
            dialled: text(&record.dialled_number),
            sent: text(&record.sent_number),
            callee: text(&record.callee_number),
            line: record.line.as_deref().map(text),
            trunk: record.trunk.as_deref().map(text),
            linked: record.linked_call_id.map(|it| it.to_string()),
            started_at: rfc3339(record.started_at),
            answered_at: record.answered_at.map(rfc3339),
            ended_at: record.ended_at.filter(|_| over).map(rfc3339),
            duration_s: record.duration_ms / 1000,
            codec_caller: text(&record.codec_caller),
            codec_callee: text(&record.codec_callee),
            relayed: record.relayed,
            release_code: record.release_code.map(|it| it.as_str().to_owned()),
            sip_status: over.then_some(record.sip_status),
            verdict: None,
            timeline: vec![],
            legs: vec![],
        }
    }
}
