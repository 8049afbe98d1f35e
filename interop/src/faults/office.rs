//! A larger office for the faults: many registered phones on two sockets, and calls between them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::clock;
use crate::load::{Answering, Callee, CalleeFigures, Caller, User, Wires, register_all};
use crate::phone::SOON;
use crate::report::Context;
use crate::server::{LOCALHOST, PASSWORD, Server};

/// A load from one address looks like an attack to the guard, and a released port rests for five seconds.
pub(super) const NO_GUARD: [&str; 5] = [
    "media.ports=20000-31999",
    "guard.rate=1000000",
    "guard.burst=1000000",
    "guard.known_rate=1000000",
    "guard.known_burst=1000000",
];

/// REGISTERs that begin a second.
const REGISTER_RATE: u32 = 1000;

/// The first number of the office.
const FIRST: u32 = 10_000;

pub(super) struct Office {
    pub(super) server: Server,
    pub(super) callees: Vec<User>,
    pub(super) caller: Caller,
    /// Where the media of the calls is offered: nobody sends any.
    nowhere: SocketAddr,
    /// While nobody answers.
    callee_wires: Option<Wires>,
    /// Memory of the server when all were registered. Unit: KiB.
    resident_kib: u64,
    answering: Option<Callee>,
}

impl Office {
    /// On a server that runs: `callers` and `callees` more extensions, all registered.
    pub(super) fn new(server: Server, callers: u32, callees: u32) -> Result<Self> {
        let last = FIRST + callers + callees - 1;
        server.add(&format!("{FIRST}-{last}"), &["--calls", "100"])?;
        let mut users = User::range(FIRST, callers + callees, PASSWORD);
        let callees = users.split_off(usize::try_from(callers)?);
        let (mut caller_wires, mut callee_wires) = (Wires::udp(LOCALHOST)?, Wires::udp(LOCALHOST)?);
        for (wires, users) in [(&mut caller_wires, &users), (&mut callee_wires, &callees)] {
            let outcome = register_all(wires, server.udp(), users, REGISTER_RATE)?;
            ensure!(outcome.failed == 0, "registrations: {outcome}");
        }
        let nowhere = callee_wires.local(0)?;
        let caller = Caller::new(caller_wires, server.udp(), users);
        let callee_wires = Some(callee_wires);
        let resident_kib = server.resident_kib()?;
        let answering = None;
        let mut office =
            Self { server, callees, caller, nowhere, callee_wires, resident_kib, answering };
        office.answer()?;
        Ok(office)
    }

    /// The callees answer from now on.
    pub(super) fn answer(&mut self) -> Result<()> {
        if let Some(wires) = self.callee_wires.take() {
            self.answering = Some(Callee::start(wires, self.server.udp(), Answering::default())?);
        }
        Ok(())
    }

    /// The callees do nothing any more; what they saw.
    pub(super) fn deaf(&mut self) -> Result<CalleeFigures> {
        let Some(answering) = self.answering.take() else { return Ok(CalleeFigures::default()) };
        let (figures, wires) = answering.stop()?;
        self.callee_wires = Some(wires);
        Ok(figures)
    }

    /// Brings `count` calls up, beside whatever has ended before, and keeps them.
    pub(super) fn bring_up(&mut self, count: usize) -> Result<()> {
        for index in 0..count {
            let number = self.callees[index].number.clone();
            self.caller.call(index, &number, self.nowhere)?;
            self.caller.poll()?;
        }
        let end = clock::now() + SOON;
        while self.caller.up() < count && clock::now() < end {
            self.caller.poll()?;
        }
        ensure!(self.caller.up() == count, "{} of {count} calls are up", self.caller.up());
        Ok(())
    }

    /// Begins one more call, whatever comes of it; the by the place of the caller.
    pub(super) fn try_call(&mut self, caller: usize, number: &str) -> Result<()> {
        self.caller.call(caller, number, self.nowhere)
    }

    /// Handles what comes for so long.
    pub(super) fn idle(&mut self, time: Duration) -> Result<()> {
        let end = clock::now() + time;
        while clock::now() < end {
            self.caller.poll()?;
        }
        Ok(())
    }

    /// The callers wait until the server has ended so many of their calls.
    pub(super) fn wait_byes(&mut self, count: usize) -> Result<()> {
        let end = clock::now() + SOON;
        while self.caller.byes < count && clock::now() < end {
            self.caller.poll()?;
        }
        ensure!(self.caller.byes == count, "callers got {} of {count} BYEs", self.caller.byes);
        Ok(())
    }

    /// Says what the fault cost, as far as the callers and the memory show it. Call records and registrations are
    /// compared where the case counts them, and a difference fails it.
    pub(super) fn tell_cost(&self, context: &Context, lost_calls: usize) -> Result<()> {
        let now = i64::try_from(self.server.resident_kib()?)?;
        let before = i64::try_from(self.resident_kib)?;
        context.cost(|it| {
            it.calls = Some(self.caller.stages().count());
            it.lost_calls = Some(lost_calls);
            (it.lost_records, it.lost_registrations) = (Some(0), Some(0));
            let waited = !self.caller.outcome.waits_us.is_empty();
            it.p99_ms = waited.then(|| self.caller.outcome.wait_ms(0.99));
            it.resident_delta_kib = Some(now - before);
        });
        Ok(())
    }

    /// So many calls at that rate; none may fail.
    pub(super) fn load(&mut self, context: &Context, count: u32, rate: u32) -> Result<()> {
        self.load_with(context, count, rate, Duration::from_millis(500))
    }

    pub(super) fn load_with(
        &mut self,
        context: &Context,
        count: u32,
        rate: u32,
        hold: Duration,
    ) -> Result<()> {
        let failed = self.caller.outcome.failed;
        self.caller.run(&self.callees, count, rate, hold)?;
        context.note(&format!("calls: {}", self.caller.outcome));
        let outcome = &self.caller.outcome;
        ensure!(outcome.failed == failed, "{} calls failed: {outcome}", outcome.failed - failed);
        Ok(())
    }
}
