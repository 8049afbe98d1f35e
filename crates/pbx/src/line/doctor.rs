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
use super::register::answer::Answer;
use crate::finding::Finding;
use change::{Change, Remedy};
use read::Details;
use report::{Check, Colour, Light, Report};
use sip::Transport;
use sip::locate::Target;
use std::time::Duration;

/// Most REGISTER requests of one run: a carrier may ban whoever tries on.
pub const REGISTERS_MAX: u8 = 5;

/// Most calls of one run. An INVITE that is sent again after a challenge is the same call.
pub const INVITES_MAX: u8 = 2;

/// Most addresses of a name that are asked.
pub const PROBES_MAX: usize = 4;

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
    /// The addresses that the name leads to, the one in use first, with what came of asking each.
    probes: Vec<Probe>,
    /// The one that is asked.
    at: usize,
    /// A server of the name that has no address.
    lost: Option<Box<str>>,
    /// It answers OPTIONS; `None` before that is known.
    reached: Option<bool>,
    /// A transport has proved itself.
    transported: bool,
    challenged: bool,
    /// The status of a REGISTER with parameters in its Request-URI that is tried without.
    refused_with_parameters: u16,
    /// What the first call came to.
    first_call: Option<Outcome>,
    lights: Vec<Light>,
    /// What was said since the last light.
    said: Vec<Box<str>>,
    registers: u8,
    invites: u8,
}

/// An address of the carrier.
#[derive(Clone, Debug)]
struct Probe {
    target: Target,
    /// How long it took to answer OPTIONS.
    took: Option<Duration>,
    said: Vec<Box<str>>,
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
    /// Where the carrier's name leads, the address in use first, and the servers it names in vain.
    Begins { targets: Vec<Target>, lost: Vec<Box<str>> },
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
    /// All of them to [`Doctor::target`], this one by a transport of its own.
    Options(Transport),
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
            probes: Vec::new(),
            at: 0,
            lost: None,
            reached: None,
            transported: false,
            challenged: false,
            refused_with_parameters: 0,
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

    /// Where the next question goes.
    pub fn target(&self) -> Option<Target> {
        self.probes.get(self.at).map(|it| it.target)
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
            (State::Reaching, Event::Begins { targets, lost }) => self.begin(&targets, lost),
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

    fn begin(&mut self, targets: &[Target], lost: Vec<Box<str>>) -> Action {
        if !self.line.enabled {
            let change = Remedy::Change(Change::Enabled);
            let finding = Finding::LineOff;
            let (finding, text) = (Some(finding), finding.sentence());
            self.light(Check::Name, Colour::Red, finding, text, Some(change));
            return self.stop();
        }
        if targets.is_empty() {
            let trouble = super::trouble::Trouble::Dns;
            self.trouble(Check::Name, trouble, Some(Remedy::Setting(self.server_setting())));
            return self.stop();
        }
        let probe = |&target: &Target| Probe { target, took: None, said: Vec::new() };
        self.probes = targets.iter().take(PROBES_MAX).map(probe).collect();
        self.lost = lost.into_iter().next();
        Action::Options(self.transport())
    }

    /// Asks every address of the name, then goes on with the first that answers.
    fn reached(&mut self, took: Option<Duration>) -> Action {
        if let Some(probe) = self.probes.get_mut(self.at) {
            (probe.took, probe.said) = (took, std::mem::take(&mut self.said));
        }
        self.at += 1;
        if self.at < self.probes.len() {
            return Action::Options(self.transport());
        }
        self.at = self.probes.iter().position(|it| it.took.is_some()).unwrap_or(0);
        self.name_leads();
        let probe = self.probes.get_mut(self.at);
        let (took, said) =
            probe.map(|it| (it.took, std::mem::take(&mut it.said))).unwrap_or_default();
        self.said = said;
        self.reached = Some(took.is_some());
        if let Some(took) = took {
            self.light(Check::Reach, Colour::Green, None, words::answers_options(took), None);
            self.transport_works();
        }
        match self.line.register {
            true => self.register(true),
            // Some answer no OPTIONS, but calls.
            false if took.is_some() || self.number.is_some() => self.call(),
            false => self.try_other_transport(),
        }
    }

    /// The light of the name: it should lead to servers that are there, and to no others.
    fn name_leads(&mut self) {
        let Some(target) = self.target() else { return };
        let (host, answers) = (self.host(), self.reaches(self.at));
        let silent = (0..self.probes.len()).find(|it| answers && !self.reaches(*it));
        let silent = silent.and_then(|it| self.probes.get(it)).map(|it| it.target);
        let text = match (silent, &self.lost) {
            (Some(silent), _) => words::leads_to_silence(host, target, silent),
            (None, Some(lost)) => words::leads_to_nobody(host, target, lost),
            (None, None) => {
                let text = words::leads_to(host, target);
                return self.light(Check::Name, Colour::Green, None, text, None);
            }
        };
        let remedy = Some(Remedy::Setting(self.server_setting()));
        self.light(Check::Name, Colour::Amber, Some(Finding::LineDnsPartly), text, remedy);
        if let Some(light) = self.lights.last_mut() {
            light.advice = Some(super::trouble::Trouble::Dns.remedy());
        }
    }

    fn reaches(&self, probe: usize) -> bool {
        self.probes.get(probe).is_some_and(|it| it.took.is_some())
    }

    /// The carrier answered something by the line's transport.
    fn transport_works(&mut self) {
        if std::mem::replace(&mut self.transported, true) {
            return;
        }
        if self.reached == Some(false) {
            // Some answer only to who registers or calls.
            let said = self.said.clone();
            let finding = Finding::LineNoOptions;
            let (finding, text) = (Some(finding), finding.sentence());
            self.light(Check::Reach, Colour::Amber, finding, text, None);
            self.said = said;
        }
        let text = words::transport_works(self.transport());
        self.light(Check::Transport, Colour::Green, None, text, None);
    }

    fn try_other_transport(&mut self) -> Action {
        self.state = State::ReachingOtherwise;
        Action::Options(other(self.transport()))
    }

    fn reached_otherwise(&mut self, took: Option<Duration>) -> Action {
        match took {
            Some(took) => {
                let other = other(self.transport());
                self.light(Check::Reach, Colour::Green, None, words::answers_options(took), None);
                let text = words::only_by(other);
                let change = Remedy::Change(Change::Transport(other.into()));
                let finding = Some(Finding::LineTransport);
                self.light(Check::Transport, Colour::Red, finding, text, Some(change));
            }
            None => {
                let trouble = super::trouble::Trouble::NoResponse;
                let setting = Remedy::Setting(self.server_setting());
                self.trouble(Check::Reach, trouble, Some(setting));
            }
        }
        self.stop()
    }

    /// How the server that is asked is reached.
    pub fn transport(&self) -> Transport {
        self.target().map_or(Transport::Udp, |it| it.transport)
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
        finding: Option<Finding>,
        sentence: crate::language::Text,
        remedy: Option<Remedy>,
    ) {
        let mut said = std::mem::take(&mut self.said);
        // The question and its answer are the newest two.
        let messages = said.split_off(said.len().saturating_sub(2));
        self.lights.push(Light {
            check,
            colour,
            finding,
            sentence,
            remedy,
            advice: None,
            messages,
        });
    }

    /// A light for what also keeps the line itself from registering.
    fn trouble(&mut self, check: Check, trouble: super::trouble::Trouble, remedy: Option<Remedy>) {
        self.light(check, Colour::Red, Some(trouble.finding()), trouble.sentence(), remedy);
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

fn other(transport: Transport) -> Transport {
    match transport {
        Transport::Udp => Transport::Tcp,
        Transport::Tcp => Transport::Udp,
    }
}
