//! One run: the agenda of everything that will happen, the network, and the clock.

use super::actor::{Actor, Hands, Todo};
use super::director;
use super::names;
use super::outside;
use super::watch::Watch;
use crate::office::{Office, Outgoing};
use bytes::Bytes;
use pbx::core::Input;
use pbx::event::Event;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sip::{Flow, Transport};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// How long phones and director act.
const ACTING: Duration = Duration::from_secs(600);
/// How long everything has afterwards to come to its end: ringing (60 s), BYE and its answer,
/// 64·T1 for the transactions, the rest of the ports.
const ENDING: Duration = Duration::from_secs(240);
/// Messages of the phones kept to be replayed and mutilated.
const SAID_MAX: usize = 200;
/// Most steps of one run; a run that needs more goes in circles.
const STEPS_MAX: u64 = 2_000_000;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Messages shown below a failure, where 40 are not enough.
    pub shown: usize,
    /// A bug the core is told to have.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<pbx::planted::Planted>,
}

impl Plan {
    /// A run with the core as it is.
    pub fn new(seed: u64, shown: usize) -> Self {
        Self {
            seed,
            shown,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

/// What a run without a failure amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Of every message with its time: the same for the same seed.
    pub trace_hash: u64,
    pub steps: u64,
    pub messages: u64,
    pub calls: u64,
    pub answered: u64,
    pub registrations: u64,
    pub restarts: u64,
    pub faults: u64,
}

/// A broken invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub step: u64,
    pub at: Duration,
    pub problem: String,
    /// The last messages before it.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, at, problem, trace } = self;
        writeln!(f, "seed {seed}, step {step}, at {:.3} s: {problem}", at.as_secs_f64())?;
        trace.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// Runs one seed to its end.
pub fn run(plan: Plan) -> Result<Outcome, Box<Failure>> {
    let mut world = World::new(plan);
    let outcome = world.play();
    outcome.map_err(|problem| {
        Box::new(Failure {
            seed: plan.seed,
            step: world.steps,
            at: world.office.clock.elapsed(),
            problem,
            trace: world.watch.trace(),
        })
    })
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Happening {
    ToServer { actor: usize, flow: Flow, bytes: Bytes },
    ToPhone { actor: usize, flow: Flow, bytes: Bytes },
    Todo { actor: usize, todo: Todo },
    Connect { token: u64, actor: Option<usize>, works: bool },
    Direct,
}

pub(super) struct World {
    pub(super) office: Office,
    pub(super) actors: Vec<Actor>,
    pub(super) rng: ChaCha8Rng,
    pub(super) watch: Watch,
    pub(super) net: Net,
    /// The newest messages of the phones, with their time and phone.
    pub(super) said: VecDeque<(Instant, usize, Bytes)>,
    agenda: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
    steps: u64,
    restarts: u64,
    registrations: u64,
}

/// How bad the network is, in thousandths of datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Net {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) late: u32,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let (office, actors) = director::cast(plan, &mut rng);
        let net = Net {
            lost: below(&mut rng, 4) * 50,
            doubled: below(&mut rng, 3) * 30,
            late: below(&mut rng, 3) * 50,
        };
        let mut watch = Watch::default();
        watch.shown = plan.shown;
        Self {
            office,
            actors,
            rng,
            watch,
            net,
            said: VecDeque::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            steps: 0,
            restarts: 0,
            registrations: 0,
        }
    }

    fn play(&mut self) -> Result<Outcome, String> {
        names::heal(&mut self.office.zone, &self.actors)?;
        self.office.change(outside::furnish);
        let start = self.office.clock.now().instant;
        self.set(start, Happening::Direct);
        for actor in 0..self.actors.len() {
            if self.actors[actor].carrier {
                continue;
            }
            let delay = self.ms(1000);
            self.set(start + delay, Happening::Todo { actor, todo: Todo::Register });
        }
        self.until(start + ACTING)?;
        self.net = Net { lost: 0, doubled: 0, late: 0 };
        director::call_it_a_day(self)?;
        self.until(start + ACTING + ENDING)?;
        self.watch.at_the_end(&self.office)?;
        Ok(Outcome {
            trace_hash: self.watch.hash,
            steps: self.steps,
            messages: self.watch.messages,
            calls: self.office.journal.ended.len() as u64,
            answered: self.office.journal.ended.iter().filter(|it| it.answered_at.is_some()).count()
                as u64,
            registrations: self.registrations,
            restarts: self.restarts,
            faults: self.office.faults.caused().into(),
        })
    }

    fn until(&mut self, end: Instant) -> Result<(), String> {
        loop {
            let next = self.agenda.first_key_value().map(|it| it.0.0);
            let due = [next, self.office.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due.filter(|it| *it <= end) else { break };
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err("too many steps".into());
            }
            let pause = due.saturating_duration_since(self.office.clock.now().instant);
            self.office.advance(pause);
            self.collect()?;
            if next.is_some_and(|it| it <= due)
                && let Some((_, happening)) = self.agenda.pop_first()
            {
                self.happen(happening)?;
                self.collect()?;
            }
            self.watch.after_each_step(&self.office)?;
        }
        let rest = end.saturating_duration_since(self.office.clock.now().instant);
        self.office.advance(rest);
        self.collect()
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Direct => {
                let elapsed = self.office.clock.elapsed();
                if elapsed < ACTING {
                    director::direct(self)?;
                    let pause = self.ms(1000);
                    self.set_in(pause, Happening::Direct);
                }
            }
            Happening::ToServer { actor, flow, bytes } => {
                self.at_the_server(actor, flow, &bytes)?
            }
            Happening::ToPhone { actor, flow, bytes } => {
                if self.actors[actor].phone.flow.connection == flow.connection {
                    self.with_actor(actor, |it, hands| it.hear(&bytes, hands));
                }
            }
            Happening::Todo { actor, todo } => {
                self.with_actor(actor, |it, hands| it.act(todo, hands));
            }
            Happening::Connect { token, actor, works } => self.connected(token, actor, works),
        }
        Ok(())
    }

    fn at_the_server(&mut self, actor: usize, flow: Flow, bytes: &Bytes) -> Result<(), String> {
        let is_open = self.actors[actor].phone.flow.connection == flow.connection;
        if flow.transport == Transport::Tcp && !is_open {
            return Ok(());
        }
        let before = self.office.core().counters().clone();
        let at = self.office.clock.now().instant;
        let name = self.actors[actor].phone.name.clone();
        self.office.receive(flow, bytes);
        let after = self.office.core().counters().clone();
        if after.faults > before.faults {
            self.watch.happened("--- panicked", at);
        }
        let served = after.throttled == before.throttled && after.faults == before.faults;
        self.watch.received(&name, bytes, at, served);
        Ok(())
    }

    /// Puts what the server sent on the network, after a look at it.
    fn collect(&mut self) -> Result<(), String> {
        while let Some(sent) = self.office.poll_sent() {
            match sent.what {
                Outgoing::Message { flow, bytes, call } => {
                    let actor = self.actors.iter().position(|it| it.phone.flow == flow);
                    let to = actor.map_or("nobody", |it| self.actors[it].phone.name.as_str());
                    let honest = actor.is_none_or(|it| self.actors[it].honest);
                    if let (None, Some(connection)) = (actor, flow.connection) {
                        // Written to a stream that is gone: the edge says so.
                        self.office.input(Input::Closed { connection });
                    }
                    self.watch.sent(to, &bytes, call, sent.at, honest, &self.office)?;
                    if let Some(actor) = actor {
                        self.transmit(flow, bytes, |flow, bytes| Happening::ToPhone {
                            actor,
                            flow,
                            bytes,
                        });
                    }
                }
                Outgoing::Connect { token, remote } => {
                    let listens = |it: &Actor| {
                        it.phone.flow.transport == Transport::Tcp && it.phone.address() == remote
                    };
                    let actor = self.actors.iter().position(listens);
                    let works = self.chance(700);
                    let delay = self.ms(3000);
                    self.set_in(delay, Happening::Connect { token, actor, works });
                }
            }
        }
        for event in std::mem::take(&mut self.office.events) {
            match event {
                Event::Registered(_) => self.registrations += 1,
                Event::CallEnded(record) => self.watch.ended(&record, &self.office)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn connected(&mut self, token: u64, actor: Option<usize>, works: bool) {
        match actor.filter(|_| works) {
            Some(actor) => {
                self.disconnect(actor);
                let connection = self.office.next_connection();
                let phone = &mut self.actors[actor].phone;
                phone.connected(phone.flow.remote, connection);
                let flow = phone.flow;
                self.office.input(Input::Connected { token, flow });
            }
            None => self.office.input(Input::ConnectFailed { token }),
        }
    }

    /// A stream phone loses its connection.
    pub(super) fn disconnect(&mut self, actor: usize) {
        if let Some(connection) = self.actors[actor].phone.flow.connection.take() {
            self.watch.disconnected(&self.actors[actor].phone.name);
            self.office.input(Input::Closed { connection });
        }
    }

    /// The process dies; what was on its streams is lost.
    pub(super) fn kill(&mut self) {
        self.restarts += 1;
        let at = self.office.clock.now().instant;
        self.watch.happened("--- killed", at);
        self.watch.killed();
        for actor in &mut self.actors {
            actor.phone.flow.connection = None;
        }
        self.office.kill();
    }

    /// Lets a phone do something, then sends what it wrote and notes what it means to do.
    pub(super) fn with_actor(
        &mut self,
        actor: usize,
        act: impl FnOnce(&mut Actor, &mut Hands<'_>),
    ) {
        let now = self.office.clock.now().instant;
        let mut hands = Hands { now, rng: &mut self.rng, out: Vec::new(), todo: Vec::new() };
        act(&mut self.actors[actor], &mut hands);
        let Hands { out, todo, .. } = hands;
        for bytes in out {
            self.send(actor, bytes);
        }
        for (delay, todo) in todo {
            self.set_in(delay, Happening::Todo { actor, todo });
        }
    }

    /// A phone sends; a stream phone opens a connection where it has none.
    pub(super) fn send(&mut self, actor: usize, bytes: Bytes) {
        let phone = &mut self.actors[actor].phone;
        if phone.flow.transport == Transport::Tcp && phone.flow.connection.is_none() {
            let connection = self.office.next_connection();
            phone.connected(phone.flow.remote, connection);
        }
        let flow = self.actors[actor].phone.flow;
        if self.said.len() == SAID_MAX {
            self.said.pop_front();
        }
        self.said.push_back((self.office.clock.now().instant, actor, bytes.clone()));
        self.transmit(flow, bytes, |flow, bytes| Happening::ToServer { actor, flow, bytes });
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes, arrival: impl Fn(Flow, Bytes) -> Happening) {
        if flow.transport == Transport::Tcp {
            // In order: all take the same time.
            self.set_in(Duration::from_millis(10), arrival(flow, bytes));
            return;
        }
        let copies = if self.chance(self.net.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if self.chance(self.net.lost) {
                continue;
            }
            let most = if self.chance(self.net.late) { 1500 } else { 60 };
            let delay = Duration::from_millis(1) + self.ms(most);
            self.set_in(delay, arrival(flow, bytes.clone()));
        }
    }

    fn set_in(&mut self, delay: Duration, happening: Happening) {
        self.set(self.office.clock.now().instant + delay, happening);
    }

    fn set(&mut self, at: Instant, happening: Happening) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), happening);
    }

    pub(super) fn chance(&mut self, thousandths: u32) -> bool {
        below(&mut self.rng, 1000) < thousandths
    }

    /// Up to this many milliseconds.
    pub(super) fn ms(&mut self, most: u32) -> Duration {
        Duration::from_millis(below(&mut self.rng, most).into())
    }

    pub(super) fn pick(&mut self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        below(&mut self.rng, count) as usize
    }
}

/// A number from 0 to below `limit`.
pub(super) fn below(rng: &mut impl Rng, limit: u32) -> u32 {
    rng.next_u32() % limit.max(1)
}
