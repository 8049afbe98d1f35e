//! One row of a large directory changes: how long the core does nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use pbx::core::{Input, Recovered};
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey};
use store::directory::{ExtensionChange, apply_extension_change};

use crate::inside::{Inside, Watch, directory, extension, flow_of};
use crate::table::{Figure, Report};

const FIRST: u32 = 100_000;
const EXTENSIONS: u32 = 50_000;
const CHANGES: u32 = 200;

/// The server keeps so many versions alive elsewhere, so that the core frees none.
const KEPT: usize = 2;

/// The promise. Unit: microseconds.
const STALL_MAX_US: f64 = 100.0;

pub(super) fn run() -> Result<Report> {
    let all = directory(FIRST, EXTENSIONS);
    let bindings = (0..EXTENSIONS).map(binding).collect();
    let recovered = Recovered { bindings, ..Recovered::default() };
    let mut inside = Inside::new(all.clone(), recovered, Watch::Time);
    let mut versions = VecDeque::from([Arc::new(all)]);
    let mut stalls = vec![];
    for change in 0..CHANGES {
        let number = (FIRST + change * 241 % EXTENSIONS).to_string();
        let changed = ExtensionChange::Put(extension(&number, &format!("changed {change}")));
        let Some(newest) = versions.back() else { break };
        let next = Arc::new(apply_extension_change(newest, TenantId::default(), changed));
        versions.push_back(Arc::clone(&next));
        while versions.len() > KEPT {
            versions.pop_front();
        }
        let before = inside.spent.time;
        inside.give(Input::Directory(next));
        stalls.push(inside.spent.time - before);
    }
    stalls.sort_unstable();
    let at = |part: usize| {
        let index = stalls.len().saturating_sub(1) * part / 100;
        stalls.get(index).map_or(f64::NAN, |it: &Duration| it.as_secs_f64() * 1e6)
    };
    let figure = Figure {
        candidate: "core",
        what: "one changed extension".to_owned(),
        value: at(99),
        unit: "us",
        detail: format!(
            "the 99th percentile of {CHANGES} changes; median {:.1}, longest {:.1}; \
             {EXTENSIONS} extensions, each registered",
            at(50),
            at(100)
        ),
        ..Figure::default()
    };
    let mut report = Report::of(vec![figure]);
    report.promise("us that the core is stalled", at(99), STALL_MAX_US);
    Ok(report)
}

fn binding(place: u32) -> Binding {
    let number = (FIRST + place).to_string();
    let flow = flow_of(place);
    Binding {
        key: BindingKey {
            tenant: TenantId::default(),
            extension: number.as_str().into(),
            device: format!("register-{place}").into(),
        },
        contact: format!("sip:{number}@{}", flow.remote).into(),
        flow,
        call_id: format!("register-{place}").into(),
        cseq: 1,
        q: 1000,
        user_agent: "bench".into(),
        registered_at: pbx::time::UnixMillis(0),
        expires_at: pbx::time::UnixMillis(u64::MAX / 2),
    }
}
