//! Transfer (RFC 3515): a phone refers its other side to somebody else and is told how that goes.
//!
//! This is the call that is transferred. It stays as it is until the new call has taken its other
//! side ([`join`](super::join)); if that fails, nothing has happened.

use super::counts::Shares;
use super::edition::Edition;
use super::forward::Onward;
use super::media::Half;
use super::pickup::Ringing;
use super::refer_to::{Replaced, refer_to};
use super::{Call, Leg, half};
use crate::directory::Extension;
use crate::event::Undone;
use crate::id::{CallId, TenantId};
use crate::interop::escape_user;
use crate::office::{LegId, Office, Owner};
use crate::record::Side;
use crate::release::ReleaseCode;
use sip::endpoint::ServerTx;
use sip::message::{Essentials, Message, Method, Writer, reason_phrase};
use sip::session::{Body, Session};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Instant;

/// How long the phone may expect to be told (RFC 3515 §2.4.4). Unit: seconds.
const SUBSCRIBED_S: u32 = 180;

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Who asked.
    by: LegId,
    /// The CSeq of its REFER where it wants to be told; that names the subscription (§2.4.6).
    told: Option<u32>,
    /// The new call, once there is one.
    pub target: Option<CallId>,
    /// No phone asked for it, but a person or program.
    ordered: bool,
}

impl Transfer {
    /// As if the phone of this leg had asked, and wanted to hear nothing of it.
    pub(super) fn ordered(by: LegId) -> Self {
        Self { by, told: None, target: None, ordered: true }
    }
}

/// Something one call wants of another; seen to after every input.
#[derive(Debug)]
pub enum Errand {
    /// A new call between a leg of this one and whoever the URI reaches, or the other side of a
    /// dialog.
    Refer {
        from: CallId,
        by: LegId,
        uri: Box<str>,
        replaced: Option<Replaced>,
        /// With whose rights, where that is not who asks.
        rights: Option<SmolStr>,
    },
    /// Who was called first has answered: the call to the second is placed.
    PlaceSecond { call: CallId },
    /// This call's INVITE takes the place of a dialog.
    Replace { call: CallId, replaced: Replaced },
    /// This call's target is there: it wants the leg it was placed for.
    Fetch { call: CallId },
    /// A leg goes back to the call it was borrowed from; it may have been told of ports elsewhere.
    Return { from: (CallId, LegId), to: (CallId, LegId), moved: bool },
    /// A leg that was borrowed will not come back: its phone hung up, or is lost.
    Gone { to: (CallId, LegId), code: ReleaseCode },
    /// Who asked for the transfer has left: the new call keeps what it was placed for, or gets it
    /// from this leg.
    Leave { from: CallId, leg: Option<LegId>, to: CallId, tenant: TenantId, shares: Shares },
    /// The call that is transferred has ended.
    Cancel { call: CallId },
    /// How the new call goes, and what it ended with.
    Report { to: CallId, status: u16, code: Option<ReleaseCode> },
    /// The callee, or a phone of it, sent this call on.
    Forward { call: CallId, onward: Onward },
    /// This call is to pick up one that rings.
    PickUp { call: CallId, by: Arc<Extension>, ringing: Ringing },
    /// It is answered and acknowledged: its phone goes to the call it picked.
    Picked { call: CallId, from: CallId },
    /// A leg that it lent talks in another call: this one is over. `sides` says which of its sides count
    /// there, and as which.
    Joined { call: CallId, to: CallId, sides: SmallVec<[(Half, Half); 2]> },
}

impl Call {
    /// A phone sent REFER.
    pub(super) fn refer_asked(
        &mut self,
        office: &mut Office,
        (by, refer): (LegId, ServerTx),
        (message, it): (&Message<'_>, &Essentials<'_>),
        now: Instant,
    ) {
        let target = match self.may_refer(office, by).and_then(|()| refer_to(message)) {
            Ok(target) => target,
            Err(code) => return self.respond(office, refer, code, now),
        };
        // RFC 4488 §4.
        let silent = message.headers.named("Refer-Sub");
        let silent = silent.is_some_and(|it| it.trim().eq_ignore_ascii_case("false"));
        let tag = self.caller.tag.to_string();
        let end = self.leg(by).map(|it| it.session.end());
        if let Some(mut writer) = office.endpoint.response(refer, 202, "Accepted", Some(&tag)) {
            if let Some(end) = end {
                // Mandatory, as REFER may begin a dialog (RFC 3515 §2.2).
                writer.header("Contact", end.contact());
            }
            if silent {
                writer.header("Refer-Sub", "false");
            }
            office.endpoint.respond(refer, 202, writer.finish(), now);
        }
        let told = (!silent).then_some(it.cseq.number);
        self.transfer = Some(Transfer { by, told, target: None, ordered: false });
        self.notify(office, 100, now);
        let (uri, replaced) = (target.uri, target.replaced);
        let from = self.id;
        office.errands.push_back(Errand::Refer { from, by, uri, replaced, rights: None });
    }

    /// A person or program sends one side to a number; the other one is released when that has
    /// answered. It is dialled with the rights of the extension that leaves, else of the one that
    /// goes there.
    pub fn transfer_ordered(
        &mut self,
        office: &mut Office,
        kept: Half,
        to: &str,
    ) -> Result<(), Undone> {
        let kept = match kept {
            Half::Caller => Some(LegId::Caller),
            Half::Callee => self.other(LegId::Caller),
        };
        let sides = kept.and_then(|it| Some((it, self.partner(it)?)));
        // Who is called first of a call that was placed waits for the second one.
        let (kept, by) = sides.filter(|_| !self.is_placing()).ok_or(Undone::NotTalking)?;
        if self.transfer.is_some() {
            return Err(Undone::Transferring);
        }
        let extension = |leg: LegId| {
            let leg = self.leg(leg).filter(|it| !it.outside)?;
            office.tenant(self.tenant)?.extension(&leg.number).map(|it| it.number.clone())
        };
        let rights = Some(extension(by).or_else(|| extension(kept)).ok_or(Undone::NoRights)?);
        self.transfer = Some(Transfer::ordered(by));
        let uri = format!("sip:{}@transfer.invalid", escape_user(to)).into();
        let from = self.id;
        office.errands.push_back(Errand::Refer { from, by, uri, replaced: None, rights });
        Ok(())
    }

    /// Only who talks may transfer, one at a time, and only extensions.
    fn may_refer(&self, office: &Office, by: LegId) -> Result<(), u16> {
        let number = self.leg(by).map(|it| &it.number).ok_or(481_u16)?;
        let known = office.tenant(self.tenant).is_some_and(|it| it.extension(number).is_some());
        let talks = self.answered.is_some() && self.other(by).is_some();
        match (known, talks, &self.transfer) {
            (false, ..) | (_, false, _) => Err(403),
            (true, true, Some(_)) => Err(491),
            (true, true, None) => Ok(()),
        }
    }

    /// The new call of the transfer exists.
    pub fn refers_to(&mut self, target: CallId) {
        if let Some(transfer) = &mut self.transfer {
            transfer.target = Some(target);
        }
    }

    /// The new call got this far; a refusal leaves everything as it was.
    pub fn transfer_reported(
        &mut self,
        office: &mut Office,
        (status, code): (u16, Option<ReleaseCode>),
        now: Instant,
    ) {
        self.notify(office, status, now);
        self.second_rings(office, status, now);
        if status >= 200 {
            self.transfer = None;
            self.second_failed(office, (status, code), now);
        }
    }

    /// A leg of this call talks to somebody else now.
    pub fn left_behind(&mut self, office: &mut Office, now: Instant) {
        self.notify(office, 200, now);
        let ordered = self.transfer.take().is_some_and(|it| it.ordered);
        let (code, side) = match self.caller.session.is_closed() {
            _ if self.is_placing() => (ReleaseCode::SystemJoined, Side::System),
            true => (ReleaseCode::CalleeTransferred, Side::Callee),
            false => (ReleaseCode::CallerTransferred, Side::Caller),
        };
        let side = if ordered && !self.is_placing() { Side::Admin } else { side };
        self.end(office, code, side, now);
    }

    /// The phone that transfers hangs up before the target answers: its other side waits on alone.
    pub(super) fn leave_transfer(&mut self, office: &mut Office, by: LegId) -> bool {
        let Some(to) = self.transfer.as_ref().filter(|it| it.by == by).and_then(|it| it.target)
        else {
            return false;
        };
        self.transfer = None;
        let other = self.other(by);
        let leg = other.filter(|it| self.leg(*it).is_some_and(|it| it.session.is_established()));
        self.parting.extend(leg);
        let shares = other.map(|it| self.give_shares(half(it))).unwrap_or_default();
        let (from, tenant) = (self.id, self.tenant);
        office.errands.push_back(Errand::Leave { from, leg, to, tenant, shares });
        true
    }

    /// The call ends while a transfer is under way.
    pub(super) fn cancel_transfer(&mut self, office: &mut Office) {
        let target = self.transfer.take().and_then(|it| it.target);
        office.errands.extend(target.map(|call| Errand::Cancel { call }));
    }

    /// Lends a leg to another call, if nothing is under way with it.
    pub fn lend(&mut self, office: &mut Office, slot: LegId) -> Option<(Box<Leg>, Owner)> {
        let idle = self.modifying.is_none() && self.asks.is_empty();
        let both = self.other(slot).is_some() && self.answered.is_some();
        let free = self.leg(slot).is_some_and(|it| it.session.may_offer());
        if idle && both && free { self.give_leg(office, slot) } else { None }
    }

    /// Takes a leg out and leaves an empty chair.
    pub(super) fn give_leg(
        &mut self,
        office: &mut Office,
        slot: LegId,
    ) -> Option<(Box<Leg>, Owner)> {
        let owner = self.owner(slot);
        let leg = self.leg_mut(slot)?;
        let empty = Leg::absent(office, owner, leg);
        Some((Box::new(std::mem::replace(leg, empty)), owner))
    }

    /// A leg was to go to another call, which takes it, or has ended meanwhile: then the leg ends
    /// here, where what is under way with it comes to its end too.
    pub fn part_with(
        &mut self,
        office: &mut Office,
        slot: LegId,
        awaited: bool,
        now: Instant,
    ) -> Option<(Box<Leg>, Owner)> {
        self.parting.retain(|it| *it != slot);
        if awaited {
            return self.give_leg(office, slot);
        }
        let reason = "Q.850;cause=16";
        self.with_session(office, slot, now, |session, seat| session.close(seat, reason));
        None
    }

    /// Puts a leg of another call into this one.
    pub fn take_leg(&mut self, office: &mut Office, slot: LegId, leg: (Box<Leg>, Owner)) {
        let leg = self.move_in(office, slot, leg);
        if let Some(chair) = self.leg_mut(slot) {
            let empty = std::mem::replace(chair, leg);
            office.release_tag(empty.tag);
        }
    }

    /// What belongs to a leg follows it.
    pub(super) fn move_in(
        &self,
        office: &mut Office,
        slot: LegId,
        (leg, was): (Box<Leg>, Owner),
    ) -> Leg {
        let owner = self.owner(slot);
        office.endpoint.change_owner(was.into(), owner.into());
        office.dialogs.insert(leg.tag, owner);
        *leg
    }

    /// Whether a leg may come: whom this call is placed for, or back to the one that is still there.
    pub fn awaits(&self, slot: LegId) -> bool {
        let there = self.other(slot).and_then(|it| self.leg(it));
        let placed_for = self.is_joining() && slot == LegId::Caller;
        placed_for || there.is_some_and(|it| it.session.is_established())
    }

    /// A leg that was lent is lost: nobody is left to talk to.
    pub fn partner_gone(
        &mut self,
        office: &mut Office,
        slot: LegId,
        code: ReleaseCode,
        now: Instant,
    ) {
        use ReleaseCode::{CalleeHangup, CallerCancelled, CallerHangup};
        let (hangup, side) = match slot {
            LegId::Caller => (CallerHangup, Side::Caller),
            LegId::Callee(_) => (CalleeHangup, Side::Callee),
        };
        // It was another side there.
        let hung_up = matches!(code, CallerCancelled | CallerHangup | CalleeHangup);
        let code = if hung_up { hangup } else { code };
        self.end(office, code, side, now);
    }

    /// The other side of a leg in an answered call, for whoever wants to talk to it.
    pub fn partner(&self, leg: LegId) -> Option<LegId> {
        self.other(leg).filter(|_| self.answered.is_some())
    }

    /// Tells the phone that asked (§2.4.4): a status line in the body (RFC 3420).
    fn notify(&mut self, office: &mut Office, status: u16, now: Instant) {
        let Some(Transfer { by, told: Some(id), .. }) = self.transfer else { return };
        let text = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        self.with_session(office, by, now, |session, seat| {
            if !session.is_established() {
                return;
            }
            let extra = |writer: &mut Writer| {
                writer.header("Event", format_args!("refer;id={id}"));
                if status < 200 {
                    let state = format_args!("active;expires={SUBSCRIBED_S}");
                    writer.header("Subscription-State", state);
                } else {
                    writer.header("Subscription-State", "terminated;reason=noresource");
                }
            };
            let content_type = "message/sipfrag;version=2.0";
            let body = Body { content_type, bytes: text.as_bytes() };
            session.request(seat, Method::Notify, &extra, Some(body));
        });
    }
}

impl Leg {
    /// The place of a leg that is with another call.
    pub(super) fn absent(office: &mut Office, owner: Owner, leg: &Self) -> Self {
        let tag = office.claim_tag(owner);
        let flow = leg.session.flow;
        Self {
            session: Session::absent(flow, office.local_end(flow, tag)),
            tag,
            number: leg.number.clone(),
            user_agent: leg.user_agent.clone(),
            media_source: leg.media_source,
            dtmf: leg.dtmf,
            outside: leg.outside,
            credentials: None,
            privacy: leg.privacy,
            edition: Edition::of_dialog(tag),
        }
    }
}
