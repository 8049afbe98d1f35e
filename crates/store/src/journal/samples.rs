//! Records for the tests of this crate.

use pbx::id::{CallId, TenantId};
use pbx::record::{
    Binding, BindingKey, CallAnswered, CallRecord, CallStarted, DialogFacts, Record,
};
use pbx::release::ReleaseCode;
use pbx::time::UnixMillis;
use sip::{Flow, Transport};

/// 2025-11-23T08:00:00Z.
pub(crate) const START: UnixMillis = UnixMillis(1_763_884_800_000);

pub(crate) fn flow() -> Flow {
    let local = ([192, 0, 2, 1], 5060).into();
    let remote = ([192, 0, 2, 10], 5062).into();
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

pub(crate) fn binding(extension: &str, device: &str, cseq: u32) -> Binding {
    let key = BindingKey {
        tenant: TenantId::default(),
        extension: extension.into(),
        device: device.into(),
    };
    Binding {
        key,
        contact: format!("sip:{extension}@192.0.2.10:5062").into(),
        flow: flow(),
        call_id: format!("{device}@192.0.2.10").into(),
        cseq,
        q: 1000,
        user_agent: "Sample 1.0".into(),
        registered_at: START,
        expires_at: UnixMillis(START.0 + 3_600_000),
    }
}

pub(crate) fn call_id(number: u64) -> CallId {
    CallId(uuid::Uuid::from_u128(u128::from(number) | 0x7000_8000 << 64))
}

pub(crate) fn started(number: u64) -> Record {
    Record::CallStarted(CallStarted { record: call(number).into() })
}

pub(crate) fn answered(number: u64) -> Record {
    let record =
        CallRecord { answered_at: Some(UnixMillis(START.0 + 2000)), ..call(number) }.into();
    let dialog = DialogFacts {
        flow: flow(),
        call_id: format!("leg-{number}").into(),
        local: "<sip:101@192.0.2.1>;tag=a".into(),
        remote: "<sip:100@192.0.2.1>;tag=b".into(),
        local_cseq: 1,
        remote_target: "sip:100@192.0.2.10:5062".into(),
        route_set: vec![],
    };
    Record::CallAnswered(Box::new(CallAnswered {
        record,
        dialogs: [dialog.clone(), dialog].into(),
    }))
}

pub(crate) fn ended(number: u64) -> Record {
    let mut record = call(number);
    record.answered_at = Some(UnixMillis(START.0 + 2000));
    record.ended_at = Some(UnixMillis(START.0 + 5000));
    record.duration_ms = 5000;
    record.billable_ms = 3000;
    record.sip_status = 200;
    record.release_code = Some(ReleaseCode::CallerHangup);
    Record::CallEnded(record.into())
}

fn call(number: u64) -> CallRecord {
    CallRecord {
        call_id: call_id(number),
        started_at: START,
        caller_number: "100".into(),
        dialled_number: "101".into(),
        ..CallRecord::default()
    }
}
