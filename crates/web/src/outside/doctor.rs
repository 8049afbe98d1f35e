//! The trunk doctor: `POST /api/v1/external-lines/{account}:doctor`.

use super::Fields;
use crate::Office;
use crate::resource::Failure;
use crate::resource::outside::{Examination, Examine, Light, Remedy};
use pbx::line::Line;
use pbx::line::doctor::change::{self, Change};
use pbx::line::doctor::report::{self, Report};
use pbx::text;
use serde_json::Value;
use std::time::Duration;

/// How long an examination may take: each of its questions has its own limit.
const EXAMINATION_MAX: Duration = Duration::from_secs(90);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(50);

/// Examines a line and waits for what is found.
pub(super) async fn examine(
    office: &Office,
    account: &str,
    asked: &Examine,
) -> Result<Examination, Failure> {
    if asked.call.as_ref().is_some_and(String::is_empty) {
        let detail = text!("call: a number to call", "call：应为要呼叫的号码");
        return Err(Failure::new(422, "invalid", detail));
    }
    let Some(token) = office.running.examine_line(account, asked.call.as_deref()) else {
        let detail = text!("the server is ending", "服务器正在停止");
        return Err(Failure::new(503, "ending", detail));
    };
    let mut ticks = tokio::time::interval(POLL);
    let mut waited = Duration::ZERO;
    while waited < EXAMINATION_MAX {
        ticks.tick().await;
        waited += POLL;
        match office.running.examined(token) {
            Some(Some(report)) => return Ok(examination(&report)),
            Some(None) => {
                let detail = text!(
                    "the doctor is busy with other lines, or the line is new. Try again",
                    "外线体检正忙，或该外线刚刚添加，请重试"
                );
                return Err(Failure::new(409, "busy", detail));
            }
            None => {}
        }
    }
    let detail = text!("the examination came to no end", "外线体检没有完成");
    Err(Failure::new(504, "timeout", detail))
}

fn examination(report: &Report) -> Examination {
    Examination {
        account: report.account.to_string(),
        colour: report.colour().as_str().to_owned(),
        lights: report.lights.iter().map(light).collect(),
        remedy: report.remedy().map(remedy),
        registers: report.registers,
        invites: report.invites,
    }
}

fn light(it: &report::Light) -> Light {
    Light {
        check: it.check.as_str().to_owned(),
        text: it.check.text(),
        colour: it.colour.as_str().to_owned(),
        code: it.finding.map(|it| it.as_str().to_owned()),
        sentence: it.sentence.clone(),
        advice: it.advice.clone(),
        remedy: it.remedy.as_ref().map(remedy),
        messages: it.messages.iter().map(ToString::to_string).collect(),
    }
}

fn remedy(it: &change::Remedy) -> Remedy {
    Remedy {
        setting: it.setting().to_owned(),
        value: it.change().map(Change::value),
        change: it.change().map(fields),
    }
}

/// The change as `PATCH` takes it.
fn fields(change: &Change) -> Fields {
    let mut line = Line::default();
    change.apply(&mut line);
    let whole = serde_json::to_value(line).unwrap_or_default();
    let value = change.setting().split('.').try_fold(&whole, |it, name| it.get(name));
    let value = value.cloned().unwrap_or_default();
    let mut names = change.setting().rsplit('.');
    let last = names.next().unwrap_or_default().to_owned();
    let mut fields = Fields::from_iter([(last, value)]);
    for name in names {
        fields = Fields::from_iter([(name.to_owned(), Value::Object(fields))]);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::interop::Reliable;
    use serde_json::json;

    #[test]
    fn changes_as_fields() {
        #[rustfmt::skip]
        let table = [
            (Change::NewCallId,               json!({ "new_call_id": true })),
            (Change::NoUriParameters,         json!({ "uri_parameters": "" })),
            (Change::FromAccount,             json!({ "from_user": "account" })),
            (Change::Reliable(Reliable::Off), json!({ "interop": { "reliable": "off" } })),
            (Change::SessionExpires(3600),    json!({ "interop": { "session_expires_s": 3600 } })),
            (Change::Codecs,                  json!({ "interop": { "codecs": ["PCMA", "PCMU"] } })),
        ];
        for (change, expected) in table {
            assert_eq!(Value::Object(fields(&change)), expected, "{change:?}");
        }
    }
}
