//! Which of the core's events are news to the outside: a call that is told anew each second has changed once.

use super::Kind;
use crate::Edit;
use pbx::event::{AuthFailure, CallState, CallStatus, Event, UnregisterReason};
use pbx::id::TenantId;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::release::ReleaseCode;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use std::net::SocketAddr;
use std::sync::Arc;

/// One thing that happened, as it is kept until somebody wants to read it.
#[derive(Clone, Debug)]
pub enum Fact {
    Call {
        kind: Kind,
        state: CallState,
        record: Arc<CallRecord>,
    },
    Registered(Arc<Binding>),
    /// A refresh brought something new.
    Refreshed {
        binding: Arc<Binding>,
        new: Novelty,
    },
    Unregistered {
        key: BindingKey,
        why: UnregisterReason,
        /// Where it was known.
        binding: Option<Arc<Binding>>,
    },
    /// Somebody did not get in as this extension.
    Refused {
        extension: Box<str>,
        source: SocketAddr,
        why: AuthFailure,
    },
    Line(Box<LineStatus>),
    LineGone {
        tenant: TenantId,
        account: Box<str>,
    },
    Trunk(Box<TrunkStatus>),
    TrunkGone {
        tenant: TenantId,
        id: u32,
    },
    /// Something was changed in the database, and the core goes by it.
    Changed(Edit),
    /// Events were dropped before they came here: whoever keeps a picture asks for it anew.
    Lost,
}

/// What is no longer as it was when the device registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is elsewhere. Another port of the same address says nothing: routers and streams change it at will.
    Address,
    Transport,
    /// Another phone, or a newer program in it.
    UserAgent,
}

/// What was known of the same thing before an event.
#[derive(Debug, Default)]
pub struct Before {
    pub call: Option<CallState>,
    pub binding: Option<Arc<Binding>>,
    pub line: Option<LineStatus>,
    pub trunk: Option<TrunkStatus>,
}

impl Fact {
    /// `None`: it goes to every reader.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Call { kind, .. } => *kind,
            Self::Registered(_) => Kind::RegistrationAdded,
            Self::Refreshed { .. } => Kind::RegistrationChanged,
            Self::Unregistered { .. } => Kind::RegistrationRemoved,
            Self::Refused { .. } => Kind::RegistrationRefused,
            Self::Line(_) | Self::LineGone { .. } => Kind::LineStateChanged,
            Self::Trunk(_) | Self::TrunkGone { .. } => Kind::TrunkStateChanged,
            Self::Changed(_) => Kind::ConfigChanged,
            Self::Lost => return None,
        })
    }

    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Call { record, .. } => record.tenant,
            Self::Registered(binding) | Self::Refreshed { binding, .. } => binding.key.tenant,
            Self::Unregistered { key, .. } => key.tenant,
            Self::Line(status) => status.tenant,
            Self::Trunk(status) => status.tenant,
            Self::LineGone { tenant, .. } | Self::TrunkGone { tenant, .. } => *tenant,
            Self::Refused { .. } | Self::Changed(_) | Self::Lost => TenantId::default(),
        }
    }

    /// When it happened, where the fact itself knows it better than who tells it.
    pub fn at(&self) -> Option<UnixMillis> {
        let Self::Call { kind, record, .. } = self else { return None };
        match kind {
            Kind::CallCreated => Some(record.started_at),
            Kind::CallRinging => record.ringing_at,
            Kind::CallAnswered => record.answered_at,
            Kind::CallEnded | Kind::CallTransferred => record.ended_at,
            // A record does not say when a call was put on hold; the others have no record.
            Kind::CallHeld
            | Kind::CallResumed
            | Kind::RegistrationAdded
            | Kind::RegistrationChanged
            | Kind::RegistrationRemoved
            | Kind::RegistrationRefused
            | Kind::LineStateChanged
            | Kind::TrunkStateChanged
            | Kind::ConfigChanged => None,
        }
    }
}

/// What the event changes, in the order it is told.
pub fn news(event: &Event, before: &Before, mut tell: impl FnMut(Fact)) {
    match event {
        Event::Call(status) => of_call(before.call, status, &mut tell),
        Event::CallEnded(record) => of_end(before.call, record, &mut tell),
        Event::Registered(binding) => match &before.binding {
            None => tell(Fact::Registered(Arc::clone(binding))),
            Some(known) => {
                if let Some(new) = novelty(known, binding) {
                    tell(Fact::Refreshed { binding: Arc::clone(binding), new });
                }
            }
        },
        Event::Unregistered { key, why } => {
            let binding = before.binding.clone();
            tell(Fact::Unregistered { key: key.clone(), why: *why, binding });
        }
        Event::Line(status) => {
            let known = before.line.as_ref().map(|it| (it.standing, it.trouble));
            if known != Some((status.standing, status.trouble)) {
                tell(Fact::Line(status.clone()));
            }
        }
        Event::LineGone { tenant, account } => {
            tell(Fact::LineGone { tenant: *tenant, account: account.clone() });
        }
        Event::Trunk(status) => {
            if !before.trunk.as_ref().is_some_and(|it| same_servers(it, status)) {
                tell(Fact::Trunk(status.clone()));
            }
        }
        Event::TrunkGone { tenant, id } => {
            tell(Fact::TrunkGone { tenant: *tenant, id: *id });
        }
        // For the log only, or for who asked. Who was refused is told with less haste than strangers have.
        Event::AuthFailed { .. }
        | Event::Examined { .. }
        | Event::Ordered { .. }
        | Event::Tried { .. }
        | Event::Throttled { .. }
        | Event::Fault { .. } => {}
    }
}

fn novelty(known: &Binding, binding: &Binding) -> Option<Novelty> {
    if known.flow.remote.ip() != binding.flow.remote.ip() {
        Some(Novelty::Address)
    } else if known.flow.transport != binding.flow.transport {
        Some(Novelty::Transport)
    } else if known.user_agent != binding.user_agent {
        Some(Novelty::UserAgent)
    } else {
        None
    }
}

fn of_call(before: Option<CallState>, status: &CallStatus, tell: &mut impl FnMut(Fact)) {
    let (state, record) = (status.state, &status.record);
    let mut say = |kind, state| tell(Fact::Call { kind, state, record: Arc::clone(record) });
    use CallState::{Answered, Held, Released, Ringing, Started};
    // A call is told from its beginning, though the core may have spoken of it later.
    if before.is_none() {
        say(Kind::CallCreated, Started);
    }
    match (before.unwrap_or(Started), state) {
        (Started, Ringing) => say(Kind::CallRinging, state),
        (Started | Ringing, Answered) => say(Kind::CallAnswered, state),
        (Started | Ringing, Held) => {
            say(Kind::CallAnswered, Answered);
            say(Kind::CallHeld, state);
        }
        (Answered, Held) => say(Kind::CallHeld, state),
        (Held, Answered) => say(Kind::CallResumed, state),
        // Told again; the end comes with its record; and no call goes back.
        (_, Started | Ringing | Answered | Held | Released) => {}
    }
}

fn of_end(before: Option<CallState>, record: &Arc<CallRecord>, tell: &mut impl FnMut(Fact)) {
    let mut say = |kind, state| tell(Fact::Call { kind, state, record: Arc::clone(record) });
    if before.is_none() {
        say(Kind::CallCreated, CallState::Started);
    }
    let code = record.release_code;
    if matches!(code, Some(ReleaseCode::CallerTransferred | ReleaseCode::CalleeTransferred)) {
        say(Kind::CallTransferred, CallState::Released);
    }
    say(Kind::CallEnded, CallState::Released);
}

fn same_servers(one: &TrunkStatus, other: &TrunkStatus) -> bool {
    let servers = |it: &TrunkStatus| -> Vec<_> {
        it.servers.iter().map(|it| (it.configured, it.address, it.up)).collect()
    };
    one.trouble == other.trouble && servers(one) == servers(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::line::register::Standing;

    fn told(event: &Event, before: &Before) -> Vec<Kind> {
        let mut kinds = vec![];
        news(event, before, |it| kinds.extend(it.kind()));
        kinds
    }

    fn call(state: CallState) -> Event {
        Event::Call(Box::new(CallStatus {
            call: Default::default(),
            tenant: TenantId(0),
            state,
            record: Arc::default(),
            codec_caller: "".into(),
            codec_callee: "".into(),
            relayed: true,
            legs: Default::default(),
        }))
    }

    fn end(code: ReleaseCode) -> Event {
        let release_code = Some(code);
        Event::CallEnded(Arc::new(CallRecord { release_code, ..CallRecord::default() }))
    }

    #[test]
    fn calls_table() {
        use CallState::{Answered, Held, Released, Ringing, Started};
        use Kind::{
            CallAnswered, CallCreated, CallEnded, CallHeld, CallResumed, CallRinging,
            CallTransferred,
        };
        let hangup = || end(ReleaseCode::CallerHangup);
        #[rustfmt::skip]
        let table: [(Option<CallState>, Event, &[Kind]); 15] = [
            (None,           call(Started),  &[CallCreated]),
            (None,           call(Ringing),  &[CallCreated, CallRinging]),
            (None,           call(Answered), &[CallCreated, CallAnswered]),
            (None,           hangup(),       &[CallCreated, CallEnded]),
            (Some(Started),  call(Started),  &[]),
            (Some(Started),  call(Ringing),  &[CallRinging]),
            (Some(Ringing),  call(Answered), &[CallAnswered]),
            (Some(Ringing),  call(Held),     &[CallAnswered, CallHeld]),
            (Some(Answered), call(Answered), &[]),
            (Some(Answered), call(Held),     &[CallHeld]),
            (Some(Held),     call(Answered), &[CallResumed]),
            (Some(Answered), call(Ringing),  &[]),
            (Some(Answered), call(Released), &[]),
            (Some(Answered), hangup(),       &[CallEnded]),
            (Some(Answered), end(ReleaseCode::CallerTransferred), &[CallTransferred, CallEnded]),
        ];
        for (call, event, expected) in table {
            let before = Before { call, ..Before::default() };
            assert_eq!(told(&event, &before), expected, "{call:?} {event:?}");
        }
    }

    #[test]
    fn a_refresh_is_told_where_it_brings_something_new() {
        use sip::{Flow, Transport};
        let binding = |transport, remote: &str, user_agent: &str| {
            let remote = remote.parse().expect("an address");
            Arc::new(Binding {
                key: BindingKey {
                    tenant: TenantId(0),
                    extension: "100".into(),
                    device: "d".into(),
                },
                contact: "sip:100@192.168.1.20".into(),
                flow: Flow { transport, local: remote, remote, connection: None },
                call_id: "c".into(),
                cseq: 1,
                q: 1000,
                user_agent: user_agent.into(),
                registered_at: UnixMillis(0),
                expires_at: UnixMillis(60_000),
            })
        };
        let known = binding(Transport::Udp, "192.168.1.20:5060", "phone 1");
        let before =
            |it: &Arc<Binding>| Before { binding: Some(Arc::clone(it)), ..Before::default() };
        #[rustfmt::skip]
        let table = [
            (Transport::Udp, "192.168.1.20:5060", "phone 1", None),
            (Transport::Udp, "192.168.1.20:6060", "phone 1", None),
            (Transport::Udp, "192.168.1.21:5060", "phone 2", Some(Novelty::Address)),
            (Transport::Tcp, "192.168.1.20:5060", "phone 1", Some(Novelty::Transport)),
            (Transport::Udp, "192.168.1.20:5060", "phone 2", Some(Novelty::UserAgent)),
        ];
        for (transport, remote, agent, expected) in table {
            let mut found = vec![];
            let event = Event::Registered(binding(transport, remote, agent));
            news(&event, &before(&known), |it| {
                let Fact::Refreshed { new, .. } = it else { panic!("{it:?}") };
                found.push(new);
            });
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{remote} {agent}");
        }
        let event = Event::Registered(Arc::clone(&known));
        assert_eq!(told(&event, &Before::default()), [Kind::RegistrationAdded]);
        let gone = Event::Unregistered { key: known.key.clone(), why: UnregisterReason::Expired };
        assert_eq!(told(&gone, &before(&known)), [Kind::RegistrationRemoved]);
    }

    #[test]
    fn a_line_is_told_when_its_state_changes() {
        let line = |standing, calls_in| {
            Box::new(LineStatus {
                tenant: TenantId(0),
                account: "5678".into(),
                standing,
                since: None,
                until: None,
                target: None,
                last_request: None,
                last_answer: None,
                next_at: None,
                trouble: None,
                calls_in,
                calls_out: 0,
                limit_hits: 0,
            })
        };
        let before = Before { line: Some(*line(Standing::Registered, 0)), ..Before::default() };
        assert_eq!(told(&Event::Line(line(Standing::Registered, 1)), &before), []);
        let changed = [Kind::LineStateChanged];
        assert_eq!(told(&Event::Line(line(Standing::Failed, 0)), &before), changed);
        assert_eq!(told(&Event::Line(line(Standing::Registered, 0)), &Before::default()), changed);
    }
}
