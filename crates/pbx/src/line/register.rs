//! The registration of a line at its carrier: one machine (RFC 3261 §10.2), told what happens,
//! answering with what is to be done.
//!
//! It holds no address, no message and no clock. [`answer`] reads a response for it; whoever owns
//! it sends what it asks for and calls it again at [`Registration::poll_timeout`].

pub mod answer;

use super::trouble::Trouble;
use crate::language::Text;
use crate::time::UnixMillis;
use answer::{Answer, Lack};
use sip::Tag;
use sip::auth::client::{ClientAuth, Unanswerable};
use smallvec::{SmallVec, smallvec};
use std::time::{Duration, Instant};

/// How long a server may be silent while there is another one to be tried. Its resends have gone out
/// three times by then, and trunks give a server as long to answer OPTIONS.
pub const SILENCE_MAX: Duration = Duration::from_secs(4);

/// Wait after a first failure; it doubles with each further one.
pub const BACK_OFF_MIN: Duration = Duration::from_secs(30);

/// Longest wait after failures: a carrier that is back is found again this fast.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// Wait after the carrier refused user name and password, or us although it has them: many ban
/// whoever tries on.
pub const AUTH_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Longest wait that a Retry-After is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Most redirections followed for one registration.
pub const REDIRECTS_MAX: u8 = 3;

/// Longest binding that a carrier's Min-Expires may ask for. Unit: seconds.
pub const EXPIRES_MAX_S: u32 = 86_400;

/// Shortest binding that is taken at its word: a shorter one would be refreshed without pause.
pub const GRANTED_MIN_S: u32 = 10;

/// The machine and what it has come to.
#[derive(Clone, Debug)]
pub struct Registration {
    pub ids: Ids,
    pub auth: ClientAuth,
    state: State,
    /// What the carrier holds for us, whatever is under way.
    binding: Option<Bound>,
    /// Binding to ask for where the carrier wants more than is configured. Unit: seconds.
    least_s: u32,
    /// Failures since the last success.
    failures: u32,
    redirects: u8,
    trouble: Option<Trouble>,
}

/// How the carrier knows our REGISTERs; recorded, so that it survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    pub call_id: Box<str>,
    /// Of the newest REGISTER.
    pub cseq: u32,
    /// User part of our Contact: whose call it is that comes in there.
    pub contact: Tag,
}

/// A binding the carrier granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    pub until: Instant,
    pub until_utc: UnixMillis,
    pub since_utc: UnixMillis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not to be registered.
    Off,
    /// A REGISTER goes out at this time.
    Waiting { at: Instant },
    /// A REGISTER awaits its answer.
    Asking {
        purpose: Purpose,
        /// The line is to be registered after it.
        wanted: bool,
        /// When another address is tried instead.
        until: Option<Instant>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Register,
    Unregister,
}

/// What happens to a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to be registered, from this time on.
    Wanted { at: Instant },
    /// It is not to be registered any more.
    Unwanted,
    /// The stream it registered by is lost: a binding is to be renewed, from this time on.
    Lost { at: Instant },
    /// Its name leads elsewhere: it is to be registered there, from this time on.
    Moved { at: Instant },
    /// The time of [`Registration::poll_timeout`] has come.
    Due,
    /// The answer to the REGISTER that is out.
    Answered(Answer),
}

/// What the surroundings must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a REGISTER with [`Registration::ids`] and [`Registration::auth`].
    Ask {
        /// Binding asked for; 0 removes it.
        expires_s: u32,
        /// With another Call-ID than before.
        new_call_id: bool,
    },
    /// The address tried did not serve: the next one is to be tried.
    NextTarget,
}

pub type Actions = SmallVec<[Action; 2]>;

/// What is configured, as far as the machine cares, and what it cannot know.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    pub expires_s: u32,
    /// A new Call-ID for the authenticated REGISTER.
    pub new_call_id: bool,
    /// The carrier has an address that was not tried since the last success.
    pub untried_target: bool,
}

/// The present, and chance: even over all values.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub instant: Instant,
    pub utc: UnixMillis,
    pub dice: u32,
}

/// What a registration is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Off,
    /// The first REGISTER, or one after failures, is out or about to go out.
    Registering,
    Registered,
    /// Waiting after a failure.
    Failed,
    Unregistering,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Registering => "registering",
            Self::Registered => "registered",
            Self::Failed => "failed",
            Self::Unregistering => "unregistering",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::Off => Text::fixed("off", "未启用"),
            Self::Registering => Text::fixed("registering", "正在注册"),
            Self::Registered => Text::fixed("registered", "已注册"),
            Self::Failed => Text::fixed("not registered", "注册失败"),
            Self::Unregistering => Text::fixed("unregistering", "正在注销"),
        }
    }
}

impl Registration {
    /// A registration as it was recorded, or a new one without a binding.
    pub fn new(ids: Ids, binding: Option<Bound>) -> Self {
        Self {
            ids,
            auth: ClientAuth::default(),
            state: State::Off,
            binding,
            least_s: 0,
            failures: 0,
            redirects: 0,
            trouble: None,
        }
    }

    /// When [`Event::Due`] is due: the next REGISTER, or the end of the binding.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = match self.state {
            State::Waiting { at } => Some(at),
            State::Asking { until, .. } => until,
            State::Off => None,
        };
        let end = self.binding.map(|it| it.until);
        next.into_iter().chain(end).min()
    }

    /// When the next REGISTER goes out.
    pub fn next_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { at } => Some(at),
            State::Off | State::Asking { .. } => None,
        }
    }

    pub fn binding(&self) -> Option<Bound> {
        self.binding
    }

    /// Why the last attempt failed; `None` after a success.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// A REGISTER awaits its answer.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    pub fn standing(&self) -> Standing {
        match (self.state, self.binding) {
            (State::Asking { purpose: Purpose::Unregister, .. }, _) => Standing::Unregistering,
            (State::Waiting { .. } | State::Asking { .. }, Some(_)) => Standing::Registered,
            (State::Waiting { .. }, None) if self.trouble.is_some() => Standing::Failed,
            (State::Waiting { .. } | State::Asking { .. }, None) => Standing::Registering,
            (State::Off, _) => Standing::Off,
        }
    }

    /// The REGISTER was sent. With another address to be tried it is not waited for as long as its
    /// transaction lives.
    pub fn sent(&mut self, untried_target: bool, now: Instant) {
        if let State::Asking { purpose: Purpose::Register, until, .. } = &mut self.state {
            *until = untried_target.then(|| now + SILENCE_MAX);
        }
    }

    /// The carrier said that it is at it (1xx).
    pub fn heard(&mut self) {
        if let State::Asking { until, .. } = &mut self.state {
            *until = None;
        }
    }

    /// The REGISTER that is out is given up: the next one goes out at this time. `false`: there is
    /// none, or it takes the binding back.
    pub fn give_up(&mut self, at: Instant) -> bool {
        let asks =
            matches!(self.state, State::Asking { purpose: Purpose::Register, wanted: true, .. });
        if asks {
            self.state = State::Waiting { at };
        }
        asks
    }

    /// Takes one event.
    pub fn handle(&mut self, event: Event, it: &Circumstances, moment: Moment) -> Actions {
        if self.binding.is_some_and(|bound| bound.until <= moment.instant) {
            self.binding = None;
        }
        match (self.state, event) {
            (State::Off | State::Waiting { .. }, Event::Wanted { at }) => {
                self.failures = 0;
                self.wait(at)
            }
            (State::Off | State::Waiting { .. }, Event::Unwanted) => self.leave(it),
            // Whoever fails waits its time, or a carrier that closes the stream with its refusal is
            // asked again at once, for ever.
            (State::Waiting { at: planned }, Event::Lost { at }) if self.failures == 0 => {
                self.wait(at.min(planned))
            }
            // What a carrier said stands, wherever its name leads.
            (State::Waiting { at: planned }, Event::Moved { at })
                if !self.trouble.is_some_and(Trouble::was_said) =>
            {
                self.wait(at.min(planned))
            }
            (State::Asking { purpose, until, .. }, Event::Wanted { .. }) => {
                self.state = State::Asking { purpose, wanted: true, until };
                Actions::new()
            }
            (State::Asking { purpose, until, .. }, Event::Unwanted) => {
                self.state = State::Asking { purpose, wanted: false, until };
                Actions::new()
            }
            (
                State::Asking { purpose: Purpose::Register, wanted, until: Some(until) },
                Event::Due,
            ) if until <= moment.instant => {
                self.heard();
                match it.untried_target {
                    true => self.failed(Trouble::NoResponse, None, wanted, it, moment),
                    // DNS took the other one away meanwhile.
                    false => Actions::new(),
                }
            }
            (State::Waiting { at }, Event::Due) if at <= moment.instant => {
                self.redirects = 0;
                self.ask(Purpose::Register, true, it)
            }
            (State::Asking { purpose, wanted, .. }, Event::Answered(answer)) => {
                self.answered((purpose, wanted), answer, it, moment)
            }
            // Only a binding ended, an answer comes to a question that was dropped, or the REGISTER
            // that is out will tell.
            (
                State::Off | State::Waiting { .. } | State::Asking { .. },
                Event::Due | Event::Lost { .. } | Event::Moved { .. },
            )
            | (State::Off | State::Waiting { .. }, Event::Answered(_)) => Actions::new(),
        }
    }

    fn answered(
        &mut self,
        (purpose, wanted): (Purpose, bool),
        answer: Answer,
        it: &Circumstances,
        moment: Moment,
    ) -> Actions {
        match (purpose, answer) {
            (Purpose::Register, Answer::Granted { expires_s: Some(0) }) => {
                self.failed(Trouble::NotBound, None, wanted, it, moment)
            }
            (Purpose::Register, Answer::Granted { expires_s }) => {
                let asked = it.expires_s.max(self.least_s);
                self.granted(expires_s.unwrap_or(asked), moment);
                if wanted { self.wait_for_refresh(moment) } else { self.leave(it) }
            }
            (Purpose::Unregister, Answer::Granted { .. }) => self.unbound(wanted, moment),
            (_, Answer::Challenged(Ok(()))) => {
                let actions = self.again(purpose, wanted, it);
                let fresh = |action| match action {
                    Action::Ask { expires_s, .. } => {
                        Action::Ask { expires_s, new_call_id: it.new_call_id }
                    }
                    Action::NextTarget => action,
                };
                actions.into_iter().map(fresh).collect()
            }
            (Purpose::Register, Answer::TooBrief { min_s })
                if min_s > it.expires_s.max(self.least_s) && min_s <= EXPIRES_MAX_S =>
            {
                self.least_s = min_s;
                self.again(purpose, wanted, it)
            }
            (_, Answer::Redirected) if self.redirects < REDIRECTS_MAX => {
                self.redirects += 1;
                self.again(purpose, wanted, it)
            }
            // The binding goes by itself.
            (Purpose::Unregister, _) => self.unbound(wanted, moment),
            (Purpose::Register, answer) => {
                let retry_after = match answer {
                    Answer::Refused { retry_after, .. } => retry_after,
                    Answer::Granted { .. }
                    | Answer::Challenged(_)
                    | Answer::TooBrief { .. }
                    | Answer::Redirected
                    | Answer::InvalidCseq
                    | Answer::Unheard(_) => None,
                };
                let mut trouble = trouble(&answer, it);
                if let Trouble::Rejected(code @ (403 | 404)) = trouble
                    && !self.auth.is_empty()
                {
                    trouble = Trouble::Denied(code);
                }
                self.failed(trouble, retry_after, wanted, it, moment)
            }
        }
    }

    fn granted(&mut self, expires_s: u32, moment: Moment) {
        let life = Duration::from_secs(expires_s.max(GRANTED_MIN_S).into());
        let since_utc = self.binding.map_or(moment.utc, |it| it.since_utc);
        let (until, until_utc) = (moment.instant + life, moment.utc.after(life));
        self.binding = Some(Bound { until, until_utc, since_utc });
        (self.failures, self.trouble) = (0, None);
    }

    /// Between 80 % and 90 % of the binding's life, so that lines that began together part.
    fn wait_for_refresh(&mut self, moment: Moment) -> Actions {
        let until = self.binding.map_or(moment.instant, |it| it.until);
        let life = until.saturating_duration_since(moment.instant);
        let early = life / 10 + spread(life / 10, moment.dice);
        self.wait(until - early)
    }

    fn failed(
        &mut self,
        trouble: Trouble,
        retry_after: Option<u32>,
        wanted: bool,
        it: &Circumstances,
        moment: Moment,
    ) -> Actions {
        self.trouble = Some(trouble);
        if !wanted {
            return self.leave(it);
        }
        self.failures = self.failures.saturating_add(1);
        let elsewhere = trouble.may_be_the_address();
        let pause = if elsewhere && it.untried_target {
            Duration::ZERO
        } else {
            let asked = retry_after.map_or(Duration::ZERO, |it| Duration::from_secs(it.into()));
            let asked = asked.min(RETRY_AFTER_MAX);
            let may_ban = matches!(trouble, Trouble::AuthFailed | Trouble::Denied(_));
            let least = if may_ban { AUTH_PAUSE } else { back_off(self.failures, moment.dice) };
            (asked + spread(asked / 10, moment.dice)).max(least)
        };
        let mut actions = self.wait(moment.instant + pause);
        if elsewhere {
            actions.push(Action::NextTarget);
        }
        actions
    }

    /// The binding is no more.
    fn unbound(&mut self, wanted: bool, moment: Moment) -> Actions {
        self.binding = None;
        if wanted {
            return self.wait(moment.instant);
        }
        self.state = State::Off;
        Actions::new()
    }

    fn leave(&mut self, it: &Circumstances) -> Actions {
        if self.binding.is_some() {
            return self.ask(Purpose::Unregister, false, it);
        }
        self.state = State::Off;
        Actions::new()
    }

    fn wait(&mut self, at: Instant) -> Actions {
        self.state = State::Waiting { at };
        Actions::new()
    }

    /// A REGISTER that is not an answer to a challenge.
    fn ask(&mut self, purpose: Purpose, wanted: bool, it: &Circumstances) -> Actions {
        self.auth.begin();
        if it.new_call_id {
            // Such a carrier wants to challenge each time.
            self.auth.clear();
        }
        self.again(purpose, wanted, it)
    }

    fn again(&mut self, purpose: Purpose, wanted: bool, it: &Circumstances) -> Actions {
        self.state = State::Asking { purpose, wanted, until: None };
        self.ids.cseq += 1;
        let expires_s = match purpose {
            Purpose::Register => it.expires_s.max(self.least_s),
            Purpose::Unregister => 0,
        };
        smallvec![Action::Ask { expires_s, new_call_id: false }]
    }
}

/// What a failed REGISTER tells.
fn trouble(answer: &Answer, it: &Circumstances) -> Trouble {
    match answer {
        Answer::Challenged(Err(Unanswerable::Wrong)) => Trouble::AuthFailed,
        Answer::Challenged(_) => Trouble::AuthUnknown,
        Answer::InvalidCseq if !it.new_call_id => Trouble::RegCseq,
        Answer::InvalidCseq => Trouble::Rejected(400),
        Answer::Refused { code, .. } => Trouble::Rejected(*code),
        Answer::Redirected => Trouble::Redirected,
        Answer::TooBrief { .. } => Trouble::Rejected(423),
        Answer::Unheard(Lack::Silent) => Trouble::NoResponse,
        Answer::Unheard(Lack::Broken) => Trouble::Unreachable,
        Answer::Unheard(Lack::NoAddress) => Trouble::Dns,
        Answer::Granted { .. } => Trouble::NotBound,
    }
}

/// Doubles with each failure; half of it is chance (cf. RFC 5626 §4.5).
fn back_off(failures: u32, dice: u32) -> Duration {
    let doubled = BACK_OFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(8));
    let longest = doubled.min(BACK_OFF_MAX);
    longest / 2 + spread(longest / 2, dice)
}

/// A part of `most` by chance.
fn spread(most: Duration, dice: u32) -> Duration {
    most.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
