//! Supplementary services of an extension (补充业务): what the administrator grants it, and what its
//! own phones have set.
//!
//! The grants are part of the [`directory`](crate::directory). What a phone sets is applied here at
//! once and recorded; an administrator's change of it takes the same way, so that there is one
//! writer.

use crate::dialplan::number::is_number;
use crate::id::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Longest number a call can be forwarded to. Unit: octets.
pub const FORWARD_LENGTH_MAX: usize = 64;

/// When an extension sends its calls on (呼叫转移).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// It has no free call, or its phones say that they are busy.
    Busy,
    /// No phone of it is registered, or none responds.
    Unreachable,
    NoAnswer,
    Always,
}

impl Forwarding {
    pub const ALL: [Self; 4] = [Self::Busy, Self::Unreachable, Self::NoAnswer, Self::Always];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no-answer",
            Self::Always => "always",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Forwarding>", into = "Vec<Forwarding>")]
pub struct Forwardings(u8);

impl Forwardings {
    pub const NONE: Self = Self(0);

    pub fn has(self, one: Forwarding) -> bool {
        self.0 & one.bit() != 0
    }

    #[must_use]
    pub fn with(self, one: Forwarding) -> Self {
        Self(self.0 | one.bit())
    }
}

impl From<Vec<Forwarding>> for Forwardings {
    fn from(all: Vec<Forwarding>) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Forwardings> for Vec<Forwarding> {
    fn from(set: Forwardings) -> Self {
        Forwarding::ALL.into_iter().filter(|it| set.has(*it)).collect()
    }
}

/// What the administrator grants an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Services {
    /// The right to each kind of forwarding. Without it a number that is set does nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub may_forward: Forwardings,
    /// How long its phones ring before the call counts as not answered. Unit: seconds; 0: as the
    /// system has it.
    #[serde(skip_serializing_if = "is_default")]
    pub ring_s: u16,
    /// Call waiting (呼叫等待): a call may come while there is another one. Without it the extension
    /// is busy then.
    #[serde(skip_serializing_if = "is_true")]
    pub call_waiting: bool,
    /// Most simultaneous calls each way, within the most of both together. Range: 0..=100; 0: none.
    #[serde(skip_serializing_if = "is_unlimited")]
    pub calls_in_max: u8,
    #[serde(skip_serializing_if = "is_unlimited")]
    pub calls_out_max: u8,
    /// Calls of the others in it may be picked up (呼叫代答组编号); 0: none.
    #[serde(skip_serializing_if = "is_default")]
    pub pickup_group: u32,
}

/// No limit of its own for one way.
pub const CALLS_UNLIMITED: u8 = 100;

impl Default for Services {
    fn default() -> Self {
        Self {
            may_forward: Forwardings::NONE,
            ring_s: 0,
            call_waiting: true,
            calls_in_max: CALLS_UNLIMITED,
            calls_out_max: CALLS_UNLIMITED,
            pickup_group: 0,
        }
    }
}

/// Which end of a call an extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Caller,
    Callee,
}

/// The running calls of an extension, by [`Role`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Engaged([u16; 2]);

impl Engaged {
    pub fn begin(&mut self, role: Role) {
        self.0[role as usize] += 1;
    }

    /// Returns whether that was the last one.
    pub fn end(&mut self, role: Role) -> bool {
        let count = &mut self.0[role as usize];
        *count = count.saturating_sub(1);
        self.0 == [0, 0]
    }

    /// Whether an extension with at most `most` calls may have one more.
    pub fn has_room(self, most: u8, services: &Services, role: Role) -> bool {
        let all = self.0[0] + self.0[1];
        let of_role = match role {
            Role::Caller => services.calls_out_max,
            Role::Callee => services.calls_in_max,
        };
        let waits = role == Role::Caller || services.call_waiting || all == 0;
        all < most.into() && self.0[role as usize] < of_role.into() && waits
    }
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_unlimited(value: &u8) -> bool {
    *value == CALLS_UNLIMITED
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the phones of an extension set by feature codes, and an administrator for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhoneSettings {
    /// Do not disturb (免打扰): its phones do not ring.
    pub do_not_disturb: bool,
    /// The number for each kind of forwarding, by [`Forwarding`]; `None`: off.
    forwards: [Option<Box<str>>; Forwarding::ALL.len()],
}

/// One change of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneChange {
    DoNotDisturb(bool),
    Forward(Forwarding, Option<Box<str>>),
}

impl PhoneSettings {
    pub fn forward(&self, when: Forwarding) -> Option<&str> {
        self.forwards[when as usize].as_deref()
    }

    pub fn apply(&mut self, change: PhoneChange) {
        match change {
            PhoneChange::DoNotDisturb(on) => self.do_not_disturb = on,
            PhoneChange::Forward(when, number) => self.forwards[when as usize] = number,
        }
    }

    /// Nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether calls can be forwarded to this, as far as its characters tell.
pub fn is_forwardable(number: &str) -> bool {
    (1..=FORWARD_LENGTH_MAX).contains(&number.len()) && is_number(number)
}

/// The settings of all phones of a shard; an extension without any has no entry.
#[derive(Debug, Default)]
pub struct PhoneTable(BTreeMap<TenantId, BTreeMap<Box<str>, PhoneSettings>>);

/// The settings of one extension, as the journal has them: they replace those before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    pub tenant: TenantId,
    pub extension: Box<str>,
    pub settings: PhoneSettings,
}

impl PhoneTable {
    pub fn get(&self, tenant: TenantId, extension: &str) -> Option<&PhoneSettings> {
        self.0.get(&tenant)?.get(extension)
    }

    /// The newest settings of one extension, recovered or changed.
    pub fn put(&mut self, it: PhoneRecord) {
        let of_tenant = self.0.entry(it.tenant).or_default();
        if it.settings.is_empty() {
            of_tenant.remove(&it.extension);
        } else {
            of_tenant.insert(it.extension, it.settings);
        }
    }

    /// Changes one extension; what is to be recorded, where that differs from before.
    pub fn change(
        &mut self,
        tenant: TenantId,
        extension: &str,
        change: PhoneChange,
    ) -> Option<PhoneRecord> {
        let before = self.get(tenant, extension).cloned().unwrap_or_default();
        let mut settings = before.clone();
        settings.apply(change);
        if settings == before {
            return None;
        }
        let record = PhoneRecord { tenant, extension: extension.into(), settings };
        self.put(record.clone());
        Some(record)
    }

    /// The extension is gone: whoever gets its number next begins with nothing.
    pub fn forget(&mut self, tenant: TenantId, extension: &str) -> Option<PhoneRecord> {
        self.0.get_mut(&tenant)?.remove(extension)?;
        let settings = PhoneSettings::default();
        Some(PhoneRecord { tenant, extension: extension.into(), settings })
    }

    /// Every extension that has any.
    pub fn extensions(&self) -> Vec<(TenantId, SmolStr)> {
        let of = |(tenant, of_tenant): (&TenantId, &BTreeMap<Box<str>, PhoneSettings>)| {
            of_tenant.keys().map(|it| (*tenant, (&**it).into())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_table() {
        let usual = Services::default();
        let no_waiting = Services { call_waiting: false, ..Services::default() };
        let limited = Services { calls_in_max: 0, calls_out_max: 1, ..Services::default() };
        use Role::{Callee, Caller};
        #[rustfmt::skip]
        let table = [
            (&usual,      [0, 0], Callee, true),
            (&usual,      [1, 0], Callee, true),
            (&usual,      [1, 1], Callee, false),
            (&usual,      [1, 1], Caller, false),
            (&no_waiting, [0, 0], Callee, true),
            (&no_waiting, [1, 0], Callee, false),
            (&no_waiting, [0, 1], Caller, true),
            (&limited,    [0, 0], Callee, false),
            (&limited,    [0, 0], Caller, true),
            (&limited,    [1, 0], Caller, false),
        ];
        for (services, engaged, role, expected) in table {
            let has_room = Engaged(engaged).has_room(2, services, role);
            assert_eq!(has_room, expected, "{services:?} {engaged:?} {role:?}");
        }
    }

    #[test]
    fn only_changes_are_recorded() {
        let mut table = PhoneTable::default();
        let tenant = TenantId::default();
        let to =
            |number: Option<&str>| PhoneChange::Forward(Forwarding::Busy, number.map(Into::into));
        let record = table.change(tenant, "101", to(Some("102"))).expect("a change");
        assert_eq!(record.settings.forward(Forwarding::Busy), Some("102"));
        assert_eq!(record.settings.forward(Forwarding::Always), None);
        assert_eq!(table.change(tenant, "101", to(Some("102"))), None);
        assert!(table.change(tenant, "101", to(None)).is_some_and(|it| it.settings.is_empty()));
        assert_eq!(table.get(tenant, "101"), None);
        assert_eq!(table.forget(tenant, "101"), None);
    }
}
