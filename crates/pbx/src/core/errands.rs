//! What one call wants of another (transfer, RFC 3515; Replaces, RFC 3891): seen to after every
//! input, when no call is being touched.

use super::Core;
use crate::call::Call;
use crate::call::begin::Attempt;
use crate::call::diversion::History;
use crate::call::forward::Onward;
use crate::call::join::Transferee;
use crate::call::pickup::Ringing;
use crate::call::refer_to::Replaced;
use crate::call::transfer::Errand;
use crate::directory::Extension;
use crate::id::CallId;
use crate::office::LegId;
use crate::origin::Origin;
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::time::Now;
use sip::message::{Message, check};
use smol_str::SmolStr;
use std::sync::Arc;

/// What a transfer asks for.
struct Asked<'a> {
    uri: &'a str,
    replaced: Option<Replaced>,
    /// With whose rights, where that is not who asks.
    rights: Option<SmolStr>,
}

/// A dialog that is to be replaced: its call, its leg, and the one on the other side.
struct Found {
    call: CallId,
    partner: LegId,
    dialled: Box<str>,
    /// How it came there.
    history: History,
    answered: bool,
}

impl Core {
    pub(super) fn run_errands(&mut self, now: Now) {
        while let Some(errand) = self.office.errands.pop_front() {
            self.run_errand(errand, now);
        }
    }

    fn run_errand(&mut self, errand: Errand, now: Now) {
        let at = now.instant;
        match errand {
            Errand::Refer { from, by, uri, replaced, rights } => {
                let asked = Asked { uri: &uri, replaced, rights };
                if let Err(status) = self.refer(from, by, &asked, now) {
                    self.with_call(from, |call, office| {
                        call.transfer_reported(office, (status, None), at);
                    });
                }
            }
            Errand::PlaceSecond { call } => {
                if let Err(status) = self.place_second(call, now) {
                    self.with_call(call, |call, office| {
                        call.transfer_reported(office, (status, None), at);
                    });
                }
            }
            Errand::Replace { call, replaced } => {
                if let Err(status) = self.replace(call, &replaced, now) {
                    self.with_call(call, |call, office| call.refuse_replacing(office, status, at));
                }
            }
            Errand::Fetch { call } => self.fetch(call, now),
            Errand::Return { from, to, moved } => {
                self.hand_over(from, to, now);
                if moved {
                    self.with_call(to.0, |call, office| call.bring_back(office, to.1, at));
                }
            }
            Errand::Gone { to: (to, leg), code } => {
                self.with_call(to, |call, office| call.partner_gone(office, leg, code, at));
            }
            Errand::Leave { from, leg, to, tenant, shares } => {
                self.with_call(to, |call, _| call.keep_transferee());
                self.bring_shares(to, tenant, shares);
                if let Some(leg) = leg {
                    self.hand_over((from, leg), (to, LegId::Caller), now);
                }
            }
            Errand::Cancel { call } => {
                self.with_call(call, |call, office| {
                    call.end(office, ReleaseCode::CallerCancelled, Side::Caller, at);
                });
            }
            Errand::Report { to, status, code } => {
                self.with_call(to, |call, office| {
                    call.transfer_reported(office, (status, code), at);
                });
            }
            Errand::Forward { call, onward } => {
                if self.forward(call, onward, now).is_none() {
                    self.with_call(call, |call, office| call.refuse_forward(office, at));
                }
            }
            Errand::PickUp { call, by, ringing } => self.pick_up(call, by, &ringing, now),
            Errand::Picked { call, from } => self.picked(call, from, now),
            Errand::Joined { call, to, sides } => self.joined(call, to, &sides, now),
        }
    }

    pub(super) fn with_call(
        &mut self,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut crate::office::Office),
    ) -> Option<CallId> {
        self.calls.with_id(&mut self.office, id, act)
    }

    /// Places the call of a transfer, as the phone that asked would.
    fn refer(&mut self, from: CallId, by: LegId, asked: &Asked<'_>, now: Now) -> Result<(), u16> {
        let Asked { uri, replaced, rights } = asked;
        if self.closing || self.overloaded || self.calls.is_full() {
            return Err(503);
        }
        let place = self.calls.next_place();
        let call = self.calls.find(from).ok_or(481_u16)?;
        let slot = call.partner(by).ok_or(481_u16)?;
        let transferor = call.leg(by).ok_or(481_u16)?;
        if transferor.outside && rights.is_none() {
            // Nobody outside sends our calls elsewhere.
            return Err(403);
        }
        let rights = rights.as_deref().unwrap_or(&transferor.number);
        let extension = self.office.tenant(call.tenant).and_then(|it| it.extension(rights));
        let extension = extension.cloned().ok_or(403_u16)?;
        let found = match replaced {
            Some(it) => Some(self.find(it, &extension.number)?),
            None => None,
        };
        if found.as_ref().is_some_and(|it| it.call == from) {
            return Err(403);
        }
        let leg = call.leg(slot).ok_or(481_u16)?;
        let dialled = found.as_ref().map(|it| format!("sip:{}@transfer.invalid", it.dialled));
        let text = invitation(dialled.as_deref().unwrap_or(uri), &leg.number);
        let message = Message::parse(text.as_bytes()).map_err(|_| 400_u16)?;
        let it = check(&message).map_err(|_| 400_u16)?;
        // Who rings because somebody sent the call there is called with his rights, as he was before.
        let history = found.as_ref().filter(|it| !it.answered).map(|it| it.history.clone());
        let history = history.unwrap_or_default();
        let dials = history.last().unwrap_or(&extension.number);
        let dials = self.office.tenant(call.tenant).and_then(|it| it.extension(dials));
        let dials = dials.cloned().ok_or(403_u16)?;
        let transferee = Transferee {
            call: from,
            slot,
            leg,
            name: call.name_of(slot, &self.office),
            codec: call.codec_of(slot),
            by: (!transferor.privacy.identity).then_some(&*extension.number),
            history,
        };
        let (tenant, origin) = (call.tenant, Origin::Extension(dials));
        let (flow, raw) = (leg.session.flow, text.as_bytes());
        let refusal = None;
        let attempt = Attempt { flow, message: &message, it: &it, raw, tenant, origin, refusal };
        let office = &mut self.office;
        let new = Call::for_transferee(office, place, &attempt, &transferee, now.instant);
        let id = self.calls.insert(new);
        self.with_call(from, |call, _| call.refers_to(id));
        match found.filter(|it| it.answered) {
            None => {
                self.with_call(id, |call, office| call.begin(office, &attempt, now.instant));
            }
            Some(found) => {
                let lent = self.borrow((found.call, found.partner), (id, LegId::Callee(0)));
                self.with_call(id, |call, office| match lent {
                    true => call.ask_target(office, now.instant),
                    false => call.end(office, ReleaseCode::DialogGlare, Side::System, now.instant),
                });
            }
        }
        Ok(())
    }

    /// A call is sent on: the caller's leg goes to a new one.
    fn forward(&mut self, from: CallId, onward: Onward, now: Now) -> Option<()> {
        if self.closing || self.overloaded || self.calls.is_full() {
            return None;
        }
        let call = self.calls.find(from)?;
        let (tenant, flow, raw) = (call.tenant, call.caller.session.flow, call.invitation()?);
        let extension = self.office.tenant(tenant)?.extension(&onward.by)?.clone();
        // Parsed once already when it came.
        let message = Message::parse(&raw).ok()?;
        let it = check(&message).ok()?;
        let origin = Origin::Extension(extension);
        let raw = &*raw;
        let refusal = None;
        let attempt = Attempt { flow, message: &message, it: &it, raw, tenant, origin, refusal };
        let id = CallId::new(self.office.utc, &mut *self.office.rng);
        let mut forwarded = None;
        self.with_call(from, |call, office| {
            forwarded = call.hand_over(office, onward, now.instant);
        });
        // Only now: the call it comes from may have left its place.
        let place = self.calls.next_place();
        let office = &mut self.office;
        let new = Call::for_forwarded(office, (id, place), &attempt, forwarded?, now.instant);
        let told = new.told();
        let id = self.calls.insert(new);
        if let Some(told) = told {
            self.with_call(told, |call, _| call.refers_to(id));
        }
        self.with_call(id, |call, office| call.begin_forwarded(office, &attempt, now.instant));
        Some(())
    }

    /// Looks for what rings: the first that began to.
    fn pick_up(&mut self, id: CallId, by: Arc<Extension>, ringing: &Ringing, now: Now) {
        let tenant = self.calls.find(id).map(|it| it.tenant);
        let rings = |it: &Call| {
            let since = it.rings_for(&self.office, &by, ringing)?;
            (Some(it.tenant) == tenant && it.id != id).then_some((since, it.id))
        };
        let found = self.calls.each().filter_map(rings).min();
        self.with_call(id, |call, office| match found {
            Some((_, from)) => call.begin_pickup(office, (by, from), now.instant),
            None => call.nothing_rings(office, now.instant),
        });
    }

    /// The picker's leg goes to the call it takes, where that still waits.
    fn picked(&mut self, id: CallId, from: CallId, now: Now) {
        let at = now.instant;
        let waits = self.calls.find(from).is_some_and(Call::may_be_picked_up);
        let mut picker = None;
        self.with_call(id, |call, office| {
            picker = if waits { call.give_picker(office, at) } else { None };
            if picker.is_none() {
                call.picked_too_late(office, at);
            }
        });
        if let Some(picker) = picker {
            self.with_call(from, |call, office| call.take_picker(office, picker, at));
        }
    }

    /// An INVITE takes the place of a dialog of the same extension (RFC 3891 §3).
    fn replace(&mut self, id: CallId, replaced: &Replaced, now: Now) -> Result<(), u16> {
        let call = self.calls.find(id).ok_or(481_u16)?;
        let number = call.caller.number.clone();
        let found = self.find(replaced, &number)?;
        if !found.answered {
            return Err(481);
        }
        if replaced.early_only {
            return Err(486);
        }
        if !self.borrow((found.call, found.partner), (id, LegId::Callee(0))) {
            return Err(491);
        }
        self.with_call(id, |call, office| call.ask_partner(office, now.instant));
        Ok(())
    }

    /// The dialog that Replaces names; only its own extension may have it replaced.
    fn find(&self, replaced: &Replaced, number: &str) -> Result<Found, u16> {
        let owner = self.dialog(&replaced.to_tag).ok_or(481_u16)?;
        let call = self.calls.get(owner).ok_or(481_u16)?;
        let leg = call.leg(owner.leg).ok_or(481_u16)?;
        let dialog = &leg.session.dialog;
        if *dialog.call_id != *replaced.call_id || *dialog.remote_tag != *replaced.from_tag {
            return Err(481);
        }
        if *leg.number != *number {
            return Err(403);
        }
        let partner = call.partner(owner.leg);
        if partner.is_none() && !leg.session.is_early() {
            return Err(481);
        }
        Ok(Found {
            call: call.id,
            partner: partner.unwrap_or(LegId::Caller),
            dialled: call.dialled().into(),
            history: call.history().clone(),
            answered: partner.is_some(),
        })
    }

    /// Moves a leg from one call to another.
    fn borrow(&mut self, from: (CallId, LegId), to: (CallId, LegId)) -> bool {
        let mut leg = None;
        self.with_call(from.0, |call, office| leg = call.lend(office, from.1));
        let Some(leg) = leg else { return false };
        self.with_call(to.0, |call, office| call.borrow_leg(office, to.1, leg, from)).is_some()
    }

    /// The target has answered: the leg the call was placed for comes over.
    fn fetch(&mut self, id: CallId, now: Now) {
        let awaited = self.calls.find(id).and_then(Call::awaited);
        let here = awaited.is_none_or(|from| self.borrow(from, (id, LegId::Caller)));
        self.with_call(id, |call, office| match here {
            true => call.offer_to_transferee(office, now.instant),
            false => call.join_failed(office, 480, now.instant),
        });
    }

    /// Moves a leg to the call that waits for it; one that has ended meanwhile takes none.
    fn hand_over(&mut self, from: (CallId, LegId), to: (CallId, LegId), now: Now) {
        let awaited = self.calls.find(to.0).is_some_and(|it| it.awaits(to.1));
        let mut leg = None;
        self.with_call(from.0, |call, office| {
            leg = call.part_with(office, from.1, awaited, now.instant);
        });
        if let Some(leg) = leg {
            self.with_call(to.0, |call, office| call.take_leg(office, to.1, leg));
        }
    }
}

/// The INVITE that a transferee would send, had it dialled.
pub(super) fn invitation(uri: &str, number: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP transfer.invalid;branch=z9hG4bKrefer\r\n\
         From: <sip:{number}@transfer.invalid>;tag=refer\r\nTo: <{uri}>\r\nCall-ID: refer\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}
