//! The core in a box, as the driver has it: what each input costs in allocations is counted, and what the phones,
//! the media edge and this box itself do is not.

use allocation_counter::measure;
use bytes::Bytes;
use pbx::core::{Config, Core, Effect, Input, Recovered};
use pbx::directory::{Directory, Tenant};
use pbx::id::TenantId;
use pbx::media::{Command, Event, PortPair};
use pbx::network::Network;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sip::{Flow, Transport};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use testkit::clock::Clock;
use testkit::office::{SERVER_V4, extension, flow_of};
use testkit::phone::{Heard, Phone, Request, Target, Wishes};

/// What one kind of datagram allocates, over all rounds: the least is what it always costs; what is above it is the
/// growing of tables that calls share.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

pub(crate) struct Office {
    core: Core,
    clock: Clock,
    pub(crate) phones: [Phone; 2],
    pub(crate) counts: Counts,
}

pub(crate) const CALLER: usize = 0;
pub(crate) const CALLEE: usize = 1;

impl Office {
    pub(crate) fn new() -> Self {
        let clock = Clock::default();
        let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
        let core = Core::new(Config::default(), rng, Recovered::default(), clock.now());
        let phone = |name: &str, number: &str| {
            Phone::new(name, number, "secret", flow_of(number, 1, Transport::Udp, false))
        };
        let phones = [phone("alice", "100"), phone("bob", "101")];
        let mut office = Self { core, clock, phones, counts: Counts::new() };
        let mut tenant = Tenant::default();
        for phone in &office.phones {
            tenant.put(extension(&phone.number, &phone.name, "secret", &tenant.settings.clone()));
        }
        let mut directory = Directory { version: 1, ..Directory::default() };
        directory.tenants.insert(TenantId::default(), tenant);
        let network = Network {
            interfaces: ipnet::IpNet::new(SERVER_V4, 16).into_iter().collect(),
            default_v4: Some(SERVER_V4),
            ..Network::default()
        };
        let pairs = (0..100).map(|it| PortPair { rtp: 20_000 + 2 * it }).collect();
        office.input(Input::Network(network));
        office.input(Input::Directory(Arc::new(directory)));
        office.input(Input::Media(Event::PortsReady { pairs }));
        office
    }

    /// A phone's request; challenged, it is sent again. Everything it causes at the phones is heard there.
    pub(crate) fn request(
        &mut self,
        phone: usize,
        steps: [&'static str; 2],
        method: &str,
        to: Target,
    ) {
        let request = Request { method: method.into(), target: to, wishes: Wishes::default() };
        let bytes = self.phones[phone].request(request).unwrap();
        let heard = self.receive(steps[0], phone, &bytes);
        let challenged = |it: &Heard| matches!(it, Heard::Response { code: 401, .. });
        if !heard.iter().any(challenged) {
            return;
        }
        if let [Heard::Response { method, call: Some(call), .. }] = &heard[..]
            && method == "INVITE"
        {
            let target = Target::Call(*call);
            let ack = Request { method: "ACK".into(), target, wishes: Wishes::default() };
            let ack = self.phones[phone].request(ack).unwrap();
            self.receive("ACK of 401", phone, &ack);
        }
        let bytes = self.phones[phone].request_with_credentials().unwrap();
        self.receive(steps[1], phone, &bytes);
    }

    /// A phone answers the newest request it heard.
    pub(crate) fn answer(&mut self, phone: usize, step: &'static str, code: u16) {
        let bytes = self.phones[phone].answer(code, None, &Wishes::default()).unwrap();
        self.receive(step, phone, &bytes);
    }

    fn receive(&mut self, step: &'static str, phone: usize, bytes: &Bytes) -> Vec<Heard> {
        let flow = self.phones[phone].flow;
        let (count, sent) = self.input(Input::Message { flow, bytes });
        let least = self.counts.entry(step).or_insert(count);
        *least = count.min(*least);
        sent.iter().map(|(flow, bytes)| self.hear(*flow, bytes)).collect()
    }

    fn hear(&mut self, flow: Flow, bytes: &Bytes) -> Heard {
        let phone = self.phones.iter_mut().find(|it| it.flow.remote == flow.remote);
        phone.expect("it is for one of the two").hear(bytes).unwrap()
    }

    /// Time passes, with whatever it brings.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        while self.core.poll_timeout().is_some_and(|at| at <= self.clock.now().instant) {
            self.core.handle_timeout(self.clock.now());
            while self.core.poll_effect().is_some() {}
        }
    }

    /// One input with all its effects: what it allocates, and what leaves. The media edge obeys at once.
    fn input(&mut self, input: Input<'_>) -> (u64, Vec<(Flow, Bytes)>) {
        let mut effects = Vec::with_capacity(32);
        let now = self.clock.now();
        let core = &mut self.core;
        let count = measure(|| {
            core.handle(input, now);
            while let Some(effect) = core.poll_effect() {
                effects.push(effect);
            }
        });
        let mut sent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { flow, bytes, .. } => sent.push((flow, bytes)),
                Effect::Media(Command::Configure { call, plan }) => {
                    let event = Event::Configured { call, revision: plan.revision };
                    sent.extend(self.input(Input::Media(event)).1);
                }
                Effect::Media(Command::Close { call, pairs }) => {
                    let closed = Event::Closed { call, figures: vec![] };
                    sent.extend(self.input(Input::Media(closed)).1);
                    self.input(Input::Media(Event::PortsReady { pairs: pairs.into_vec() }));
                }
                Effect::Media(Command::Want { .. } | Command::Press { .. })
                | Effect::Connect { .. }
                | Effect::Resolve(_)
                | Effect::KeepResolved(_)
                | Effect::Record(_)
                | Effect::Event(_) => {}
            }
        }
        (count.count_total, sent)
    }
}
