//! Supplementary services of an extension in a change of it: what it is granted goes to the database,
//! what its phones could have set goes by the one writer of that.

use crate::resource::{Change, Extension, Failure};
use pbx::id::TenantId;
use pbx::supplementary::{
    Forwarding, PhoneChange, PhoneRecord, PhoneSettings, Services, is_forwardable,
};
use pbx::text;
use store::Db;

/// What the change grants.
pub(crate) fn grant(services: &mut Services, change: &Change) {
    let set = change.forward.iter().filter(|it| !it.1.is_empty());
    let implied = set.fold(services.may_forward, |rights, (when, _)| rights.with(*when));
    services.may_forward = change.may_forward.unwrap_or(implied);
    services.ring_s = change.ring_s.unwrap_or(services.ring_s);
    services.pickup_group = change.pickup_group.unwrap_or(services.pickup_group);
    services.call_waiting = change.call_waiting.unwrap_or(services.call_waiting);
    services.calls_in_max = change.calls_in.unwrap_or(services.calls_in_max);
    services.calls_out_max = change.calls_out.unwrap_or(services.calls_out_max);
}

/// What the change sets in the place of a phone of `number`.
pub(crate) fn by_phone(number: &str, change: &Change) -> Result<Vec<PhoneChange>, Failure> {
    let one = |(when, to): (&Forwarding, &String)| {
        if to.is_empty() {
            return Ok(PhoneChange::Forward(*when, None));
        }
        if !is_forwardable(to) || to == number {
            let word = when.as_str();
            let detail = text!(
                "forward-{word} = {to}: must be another number, of digits, letters, +, *, #, -, . and _",
                "forward-{word} = {to}：应为其他号码，由数字、字母、+、*、#、-、.和_组成"
            );
            return Err(Failure::new(422, "invalid", detail).at(&format!("forward.{word}")));
        }
        Ok(PhoneChange::Forward(*when, Some(to.as_str().into())))
    };
    let disturb = change.do_not_disturb.map(|it| Ok(PhoneChange::DoNotDisturb(it)));
    disturb.into_iter().chain(change.forward.iter().map(one)).collect()
}

/// Sets it in the database.
pub(crate) async fn set_stored(
    db: &Db,
    number: &str,
    changes: Vec<PhoneChange>,
) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let tenant = TenantId::default();
    let mut settings = db.phone(tenant, number).await?;
    changes.into_iter().for_each(|it| settings.apply(it));
    Ok(db.put_phone(&PhoneRecord { tenant, extension: number.into(), settings }).await?)
}

/// Shows what is set.
pub(crate) fn show(extension: &mut Extension, settings: &PhoneSettings) {
    extension.do_not_disturb = settings.do_not_disturb;
    let set = |when: Forwarding| Some((when, settings.forward(when)?.to_owned()));
    extension.forward = Forwarding::ALL.into_iter().filter_map(set).collect();
}
