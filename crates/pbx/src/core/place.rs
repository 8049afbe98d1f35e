//! Calls that a person or program has the server place (`call::placed`).

use super::Core;
use super::errands::invitation;
use crate::call::Call;
use crate::call::begin::Attempt;
use crate::call::counts::Shares;
use crate::call::diversion::History;
use crate::call::join::Transferee;
use crate::call::media::Half;
use crate::call::placed::Order;
use crate::event::Undone;
use crate::id::{CallId, TenantId};
use crate::interop::escape_user;
use crate::origin::Origin;
use crate::release::ReleaseCode;
use crate::time::Now;
use sip::message::{Message, check};
use sip::{Flow, Transport};
use smallvec::SmallVec;
use std::net::{Ipv4Addr, SocketAddr};

/// Asks a phone to answer by itself: what Yealink, Grandstream, Snom and Polycom, and then what
/// Cisco and Linksys look for.
const ANSWER_YOURSELF: &str = "Alert-Info: <http://localhost>;info=alert-autoanswer;delay=0\r\n\
                               Call-Info: <sip:localhost>;answer-after=0\r\n";

impl Core {
    /// Calls the first party. A call that ends at once, as while the server stops, has its record.
    pub(super) fn place(&mut self, order: Order, now: Now) -> Result<(), Undone> {
        let by = self.office.tenant(order.tenant).and_then(|it| it.extension(&order.by)).cloned();
        let by = by.ok_or(Undone::NoRights)?;
        if self.calls.is_full() {
            return Err(Undone::Full);
        }
        let refused = match (self.closing, self.overloaded) {
            (true, _) => Some(ReleaseCode::SystemShutdown),
            (false, true) => Some(ReleaseCode::SystemOverload),
            (false, false) => None,
        };
        let mut text = invitation(&dialled(&order.first), &escape_user(&order.second));
        if order.answers_itself {
            let at = text.find("Content-Length").unwrap_or_default();
            text.insert_str(at, ANSWER_YOURSELF);
        }
        let message = Message::parse(text.as_bytes()).map_err(|_| Undone::NoCall)?;
        let it = check(&message).map_err(|_| Undone::NoCall)?;
        let (tenant, origin, raw) = (order.tenant, Origin::Extension(by), text.as_bytes());
        let (flow, refusal) = (self.no_flow(), None);
        let attempt = Attempt { flow, message: &message, it: &it, raw, tenant, origin, refusal };
        let place = self.calls.next_place();
        let new = Call::placed(&mut self.office, place, &attempt, order, now.instant);
        let id = self.calls.insert(new);
        self.with_call(id, |call, office| {
            call.begin_placed(office, &attempt, refused, now.instant);
        });
        Ok(())
    }

    /// Who was called first has answered: the second party is called in its name.
    pub(super) fn place_second(&mut self, from: CallId, now: Now) -> Result<(), u16> {
        if self.closing || self.overloaded || self.calls.is_full() {
            return Err(503);
        }
        let place = self.calls.next_place();
        let call = self.calls.find(from).ok_or(481_u16)?;
        let (placing, slot) = call.placing().ok_or(481_u16)?;
        let leg = call.leg(slot).ok_or(481_u16)?;
        let by = self.office.tenant(call.tenant).and_then(|it| it.extension(&placing.by));
        let by = by.cloned().ok_or(403_u16)?;
        let text = invitation(&dialled(&placing.second), &escape_user(&leg.number));
        let message = Message::parse(text.as_bytes()).map_err(|_| 400_u16)?;
        let it = check(&message).map_err(|_| 400_u16)?;
        let transferee = Transferee {
            call: from,
            slot,
            leg,
            name: call.name_of(slot, &self.office),
            codec: call.codec_of(slot),
            by: None,
            history: History::default(),
        };
        let (flow, raw, refusal) = (leg.session.flow, text.as_bytes(), None);
        let (tenant, origin) = (call.tenant, Origin::Extension(by));
        let attempt = Attempt { flow, message: &message, it: &it, raw, tenant, origin, refusal };
        let office = &mut self.office;
        let mut new = Call::for_transferee(office, place, &attempt, &transferee, now.instant);
        new.show_as(placing);
        let id = self.calls.insert(new);
        self.with_call(from, |call, _| call.refers_to(id));
        self.with_call(id, |call, office| call.begin(office, &attempt, now.instant));
        Ok(())
    }

    /// A leg of this call talks to somebody else now; what its side counted for goes with it.
    pub(super) fn joined(&mut self, id: CallId, to: CallId, sides: &[(Half, Half)], now: Now) {
        let is_up = self.calls.find(to).is_some_and(Call::is_up);
        let mut moved = SmallVec::<[_; 2]>::new();
        self.with_call(id, |call, office| {
            let sides = if is_up { sides } else { &[] };
            moved.extend(sides.iter().map(|(here, there)| (*there, call.give_shares(*here))));
            call.left_behind(office, now.instant);
        });
        self.with_call(to, |call, _| {
            moved.into_iter().for_each(|(half, shares)| call.take_shares(half, shares));
        });
    }

    /// What a leg counted for is on its way to this call, which may have ended.
    pub(super) fn bring_shares(&mut self, to: CallId, tenant: TenantId, shares: Shares) {
        if self.calls.find(to).is_some_and(Call::is_up) {
            self.with_call(to, |call, _| call.take_shares(Half::Caller, shares));
        } else {
            shares.give_back(&mut self.office, tenant);
        }
    }

    /// Nobody sent it.
    fn no_flow(&self) -> Flow {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, self.office.config.udp_port));
        Flow { transport: Transport::Udp, local, remote: local, connection: None }
    }
}

fn dialled(number: &str) -> String {
    format!("sip:{}@placed.invalid", escape_user(number))
}
