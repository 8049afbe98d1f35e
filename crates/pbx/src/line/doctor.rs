//! The trunk doctor (ux.md 2.3): examines a line from its name to a call and names the one setting
//! to change. A pure machine: it is told what came of each question and says what to ask next.
//!
//! ```text
//! name → reach (OPTIONS) → transport → register → authentication → binding → test call
//! ```
//! Where a check fails in a way that a setting could help, the doctor tries it with that setting
//! changed for itself alone, the safest first. It changes nothing.

mod call;
pub mod change;
pub mod read;
mod register;
pub mod report;
mod words;

#[cfg(test)]
mod tests;

use super::Line;
use super::config::LineTransport;
use super::register::answer::Answer;
use change::{Change, Remedy};
use read::Details;
use report::{Check, Colour, Light, Report};
use std::net::SocketAddr;
use std::time::Duration;

/// Most REGISTER requests of one run: a carrier may ban whoever tries on.
pub const REGISTERS_MAX: u8 = 5;

/// Most calls of one run. An INVITE that is sent again after a challenge is the same call.
pub const INVITES_MAX: u8 = 2;

/// How long an OPTIONS is waited for.
pub const OPTIONS_WAIT: Duration = Duration::from_secs(4);

/// How long a REGISTER is: its first four copies have gone out by then.
pub const REGISTER_WAIT: Duration = Duration::from_secs(8);

/// How long a test call is, until something comes of it.
pub const CALL_WAIT: Duration = Duration::from_secs(20);

/// How long it may ring.
pub const RING: Duration = Duration::from_secs(3);

/// The examination of one line.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// The line as it is examined: with the settings that are tried.
    line: Line,
    /// Who calls in the test call, and whom; without a number there is none.
    caller: Box<str>,
    number: Option<Box<str>>,
    state: State,
    /// What is tried now instead of what is configured.
    tried: Option<Change>,
    /// It answers OPTIONS; `None` before that is known.
    reached: Option<bool>,
    /// A transport has proved itself.
    transported: bool,
    challenged: bool,
    /// What the first call came to.
    first_call: Option<Outcome>,
    lights: Vec<Light>,
    /// What was said since the last light.
    said: Vec<Box<str>>,
    registers: u8,
    invites: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reaching,
    /// The configured transport is silent; the other one is tried.
    ReachingOtherwise,
    Registering,
    Calling,
    Done,
}

/// What came of a question.
#[derive(Clone, Debug)]
pub enum Event {
    /// Where the carrier's name leads.
    Begins { address: Option<SocketAddr> },
    /// How long the answer to OPTIONS took; `None`: there was none.
    Reached { took: Option<Duration> },
    /// What a REGISTER was answered.
    Registered { answer: Answer, details: Details },
    /// What the test call came to.
    Called(Outcome),
}

/// What to ask next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Options(LineTransport),
    Register {
        /// Whether it has a new Call-ID, and forgets the challenges it knows.
        new_call_id: bool,
        forget: bool,
    },
    /// To this number.
    Call(Box<str>),
    /// [`Doctor::report`] says everything.
    Done,
}

pub use call::Outcome;

impl Doctor {
    /// `caller` is who calls in the test call to `number`.
    pub fn new(line: Line, caller: &str, number: Option<&str>) -> Self {
        Self {
            line,
            caller: caller.into(),
            number: number.map(Into::into),
            state: State::Reaching,
            tried: None,
            reached: None,
            transported: false,
            challenged: false,
            first_call: None,
            lights: Vec::new(),
            said: Vec::new(),
            registers: 0,
            invites: 0,
        }
    }

    /// The line as the next question is to be asked.
    pub fn line(&self) -> &Line {
        &self.line
    }

    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// A message that belongs to the question under way, for the report.
    pub fn said(&mut self, text: Box<str>) {
        self.said.push(text);
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what came of the last question.
    pub fn handle(&mut self, event: Event) -> Action {
        match (self.state, event) {
            (State::Reaching, Event::Begins { address }) => self.begin(address),
            (State::Reaching, Event::Reached { took }) => self.reached(took),
            (State::ReachingOtherwise, Event::Reached { took }) => self.reached_otherwise(took),
            (State::Registering, Event::Registered { answer, details }) => {
                self.registered(&answer, &details)
            }
            (State::Calling, Event::Called(outcome)) => self.called(outcome),
            // It answers a question that is not asked any more.
            (state, _) if state != State::Done => self.stop(),
            (_, _) => Action::Done,
        }
    }

    /// Everything that was found, the checks that were not made included.
    pub fn report(&self) -> Report {
        let mut lights = self.lights.clone();
        for check in Check::ALL {
            if lights.iter().all(|it| it.check != check) {
                lights.push(Light::dark(check, self.why_dark(check)));
            }
        }
        lights.sort_by_key(|it| it.check);
        let (account, registers, invites) =
            (self.line.account.clone(), self.registers, self.invites);
        Report { account, lights, registers, invites }
    }

    fn begin(&mut self, address: Option<SocketAddr>) -> Action {
        if !self.line.enabled {
            let change = Remedy::Change(Change::Enabled);
            self.light(Check::Name, Colour::Red, "line.off", words::off(), Some(change));
            return self.stop();
        }
        let name = self.server_setting();
        let Some(address) = address else {
            let trouble = super::trouble::Trouble::Dns;
            self.trouble(Check::Name, trouble, Some(Remedy::Setting(name)));
            return self.stop();
        };
        let host = self.host().to_owned();
        self.light(Check::Name, Colour::Green, "", words::leads_to(&host, address), None);
        Action::Options(self.line.transport)
    }

    fn reached(&mut self, took: Option<Duration>) -> Action {
        self.reached = Some(took.is_some());
        if let Some(took) = took {
            self.light(Check::Reach, Colour::Green, "", words::answers_options(took), None);
            self.transport_works();
        }
        match self.line.register {
            true => self.register(true),
            false if took.is_some() => self.call(),
            false => self.try_other_transport(),
        }
    }

    /// The carrier answered something by the line's transport.
    fn transport_works(&mut self) {
        if std::mem::replace(&mut self.transported, true) {
            return;
        }
        if self.reached == Some(false) {
            // Some answer only to who registers.
            let said = std::mem::take(&mut self.said);
            self.light(Check::Reach, Colour::Amber, "line.no_options", words::no_options(), None);
            self.said = said;
        }
        let text = words::transport_works(self.line.transport);
        self.light(Check::Transport, Colour::Green, "", text, None);
    }

    fn try_other_transport(&mut self) -> Action {
        self.state = State::ReachingOtherwise;
        Action::Options(other(self.line.transport))
    }

    fn reached_otherwise(&mut self, took: Option<Duration>) -> Action {
        match took {
            Some(took) => {
                let other = other(self.line.transport);
                self.light(Check::Reach, Colour::Green, "", words::answers_options(took), None);
                let text = words::only_by(other);
                let change = Remedy::Change(Change::Transport(other));
                self.light(Check::Transport, Colour::Red, "line.transport", text, Some(change));
            }
            None => {
                let trouble = super::trouble::Trouble::NoResponse;
                let setting = Remedy::Setting(self.server_setting());
                self.trouble(Check::Reach, trouble, Some(setting));
            }
        }
        self.stop()
    }

    /// The setting that names the server.
    fn server_setting(&self) -> &'static str {
        if self.line.outbound_proxy.is_empty() { "domain" } else { "outbound_proxy" }
    }

    fn host(&self) -> &str {
        match &*self.line.outbound_proxy {
            "" => &self.line.domain,
            proxy => proxy,
        }
    }

    fn light(
        &mut self,
        check: Check,
        colour: Colour,
        code: &'static str,
        sentence: crate::language::Text,
        remedy: Option<Remedy>,
    ) {
        let mut said = std::mem::take(&mut self.said);
        // The question and its answer are the newest two.
        let messages = said.split_off(said.len().saturating_sub(2));
        self.lights.push(Light { check, colour, code, sentence, remedy, advice: None, messages });
    }

    /// A light for what also keeps the line itself from registering.
    fn trouble(&mut self, check: Check, trouble: super::trouble::Trouble, remedy: Option<Remedy>) {
        self.light(check, Colour::Red, trouble.code(), trouble.sentence(), remedy);
        if let Some(light) = self.lights.last_mut() {
            light.advice = Some(trouble.remedy());
        }
    }

    fn stop(&mut self) -> Action {
        self.state = State::Done;
        Action::Done
    }

    fn why_dark(&self, check: Check) -> crate::language::Text {
        match check {
            Check::Register | Check::Authentication | Check::Binding if !self.line.register => {
                words::no_register()
            }
            Check::Call if self.number.is_none() => words::no_number(),
            Check::Name
            | Check::Reach
            | Check::Transport
            | Check::Register
            | Check::Authentication
            | Check::Binding
            | Check::Call => words::not_that_far(),
        }
    }
}

fn other(transport: LineTransport) -> LineTransport {
    match transport {
        LineTransport::Udp => LineTransport::Tcp,
        LineTransport::Tcp => LineTransport::Udp,
    }
}
