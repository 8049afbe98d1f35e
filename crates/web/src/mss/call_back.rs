//! The call-back (回呼): an application server orders a call between two numbers by UDP, and hears when it
//! is over.
//!
//! Only addresses that the settings list are heard; everybody else gets no answer at all. UDP can be
//! forged, so the list is this machine unless somebody makes it longer.

mod message;
mod orders;

use super::port::Port;
use super::{is_among, settings};
use crate::Office;
use crate::calls::new_id;
use crate::events::{Fact, Kind, Kinds, Reader};
use crate::resource::Call;
use message::{MESSAGE_MAX, parse};
use orders::{Act, Orders};
use pbx::event::CallState;
use pbx::id::{CallId, TenantId};
use pbx::record::CallRecord;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::time::Interval;

/// How often it is looked whether the time of an order is over.
const TICK: Duration = Duration::from_secs(1);

/// Listens where the settings say. What was ordered is known wherever the port goes.
pub(super) async fn serve(office: Office) {
    let mut port = Port::of(&office, "call-back", |it| it.call_back_port);
    let reader = Kinds::parse("call.*").ok();
    // From the start on: later, others may have taken all places.
    let reader = reader.and_then(|it| office.running.events().read(None, it));
    let Some(mut reader) = reader else {
        tracing::error!("no call-back: too many programs read events");
        return;
    };
    let mut orders = Orders::default();
    loop {
        let socket: UdpSocket = port.open().await;
        let listener = Listener { office: &office, socket, orders: &mut orders };
        let ticks = tokio::time::interval(TICK);
        tokio::select! {
            () = listener.run(&mut reader, ticks) => {}
            () = port.moved() => {}
        }
    }
}

/// See [`message::holds`].
pub(super) fn fuzz(bytes: &[u8]) {
    message::holds(bytes);
}

struct Listener<'a> {
    office: &'a Office,
    socket: UdpSocket,
    orders: &'a mut Orders,
}

impl Listener<'_> {
    async fn run(mut self, reader: &mut Reader, mut ticks: Interval) {
        // One octet more than is read: a longer message is known by it.
        let mut buffer = [0; MESSAGE_MAX + 1];
        loop {
            let acts = tokio::select! {
                heard = self.socket.recv_from(&mut buffer) => match heard {
                    Ok((length, from)) => self.heard(&buffer[..length], from),
                    // What was sent before could not be delivered.
                    Err(_) => vec![],
                },
                () = reader.wait() => self.followed(reader),
                _ = ticks.tick() => self.orders.tick(now()),
            };
            for act in acts {
                self.act(act).await;
            }
        }
    }

    fn heard(&mut self, bytes: &[u8], from: SocketAddr) -> Vec<Act> {
        let settings = settings(self.office);
        if !is_among(from.ip(), &settings.call_back_clients) {
            return vec![];
        }
        let Some(message) = parse(bytes) else { return vec![] };
        let directory = self.office.running.directory();
        let tenant = directory.tenant(TenantId::default());
        let office = orders::Office {
            is_extension: &|it| tenant.is_some_and(|tenant| tenant.extension(it).is_some()),
            usual_caller: &settings.call_back_caller,
            new_call: new_id(self.office.running.now()).ok(),
        };
        self.orders.heard(from, &message, &office, now())
    }

    /// What happened to calls since.
    fn followed(&mut self, reader: &mut Reader) -> Vec<Act> {
        let mut acts = vec![];
        loop {
            let batch = reader.take();
            if batch.is_empty() {
                return acts;
            }
            if batch.lost.is_some() {
                let running = &self.office.running;
                let is_up = |it: CallId| {
                    running.call(&it.to_string()).is_some_and(|it| it.ended_at.is_none())
                };
                acts.extend(self.orders.lost(is_up, now()));
            }
            for event in batch.events {
                let Fact::Call { kind, record, .. } = &event.fact else { continue };
                if *kind == Kind::CallEnded {
                    acts.extend(self.orders.ended(record, now()));
                } else if *kind != Kind::CallTransferred {
                    // Of a transfer the end is told besides.
                    acts.extend(self.orders.changed(record, now()));
                }
            }
        }
    }

    async fn act(&self, act: Act) {
        match act {
            Act::Send(to, reply) => {
                // It sends its order again where this is lost.
                let _ = self.socket.send_to(reply.to_string().as_bytes(), to).await;
            }
            // Where the core does not take it, nothing is told of it, and the order is over soon.
            Act::Place(order) => drop(self.office.running.place(*order)),
            Act::HangUp(call_id) => {
                let record = CallRecord { call_id, ..CallRecord::default() };
                self.office.running.hangup(&Call::of(&record, CallState::Started));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "orders are pure and told the time")]
fn now() -> Instant {
    Instant::now()
}
