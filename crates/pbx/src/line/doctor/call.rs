//! The examination by a test call.

use super::change::{Change, Remedy};
use super::report::{Check, Colour};
use super::{Action, Doctor, INVITES_MAX, State, words};
use crate::finding::Finding;
use crate::interop::{Reliable, SessionExpires};
use crate::line::config::{CallerNumber, FromUser};
use crate::release::ReleaseCode;

/// What a test call came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The final status; 408 where nothing came, 503 where the way broke.
    pub code: u16,
    /// Nothing at all came of the carrier.
    pub silent: bool,
    /// Somebody was called: it rang, or there was other progress.
    pub rang: bool,
    /// How our PRACK was refused.
    pub prack: Option<u16>,
    /// The carrier wanted a longer session (422). Unit: seconds.
    pub min_se: Option<u32>,
}

impl Outcome {
    /// The call reached whom it was for, whatever he did with it.
    fn is_through(self) -> bool {
        self.rang || matches!(self.code, 200..=299 | 480 | 486 | 487 | 600 | 603)
    }
}

impl Doctor {
    /// Calls, if a number was given.
    pub(super) fn call(&mut self) -> Action {
        let Some(number) = self.number.clone() else { return self.stop() };
        self.state = State::Calling;
        self.invites += 1;
        Action::Call(number)
    }

    pub(super) fn called(&mut self, outcome: Outcome) -> Action {
        if outcome.silent && !self.transported {
            return self.try_other_transport();
        }
        let said = self.said.clone();
        self.transport_works();
        self.said = said;
        let Some(first) = self.first_call else { return self.called_first(outcome) };
        let Some(change) = self.tried.take() else { return self.stop() };
        let helps = outcome.is_through() && outcome.prack.is_none();
        let (finding, sentence) = words::call(first, Some(&change));
        let colour = if first.is_through() { Colour::Amber } else { Colour::Red };
        if helps {
            self.light(Check::Call, colour, Some(finding), sentence, Some(Remedy::Change(change)));
        } else {
            let (finding, sentence) = words::call(first, None);
            self.light(Check::Call, colour, Some(finding), sentence, None);
            if let Some(light) = self.lights.last_mut() {
                light.advice = Some(words::did_not_help(&change));
            }
        }
        self.stop()
    }

    fn called_first(&mut self, outcome: Outcome) -> Action {
        self.first_call = Some(outcome);
        if let Some(change) = self.remedy_for(outcome)
            && self.invites < INVITES_MAX
        {
            self.try_with(change);
            return self.call();
        }
        match (outcome.is_through(), outcome.min_se) {
            (true, Some(min_se)) => {
                let text = words::session_too_brief(min_se);
                // Longer than we may ask for: without a timer, then.
                let asked = u16::try_from(min_se).ok();
                let asked = asked.filter(|it| SessionExpires::RANGE.contains(it)).unwrap_or(0);
                let remedy = Some(Remedy::Change(Change::SessionExpires(asked)));
                self.light(Check::Call, Colour::Amber, Some(Finding::LineMinSe), text, remedy);
            }
            (true, None) => {
                self.light(Check::Call, Colour::Green, None, words::call_through(outcome), None);
            }
            (false, _) => {
                let (finding, sentence) = words::call(outcome, None);
                let auth_failed = finding == ReleaseCode::LineAuthFailed.into();
                let setting = auth_failed.then_some(Remedy::Setting("password"));
                self.light(Check::Call, Colour::Red, Some(finding), sentence, setting);
            }
        }
        self.stop()
    }

    /// The safest change that could help: one that says less before one that says something else.
    fn remedy_for(&self, outcome: Outcome) -> Option<Change> {
        let line = &self.line;
        let from_other =
            line.from_user == FromUser::Caller && line.caller_number != CallerNumber::Account;
        let parameters = !line.uri_parameters.is_empty();
        let reliable = line.interop.reliable;
        let codecs = line.interop.codecs.iter().map(|it| &**it);
        let usual = super::change::USUAL_CODECS.into_iter().eq(codecs);
        match outcome.code {
            _ if outcome.prack.is_some() => Some(Change::Reliable(Reliable::Off)),
            _ if outcome.is_through() => None,
            403 if from_other => Some(Change::FromAccount),
            420 if reliable == Reliable::Required => Some(Change::Reliable(Reliable::Auto)),
            420 if reliable == Reliable::Auto => Some(Change::Reliable(Reliable::Off)),
            421 if reliable == Reliable::Off => Some(Change::Reliable(Reliable::Auto)),
            421 if reliable == Reliable::Auto => Some(Change::Reliable(Reliable::Required)),
            // It was raised twice already: without a timer, then.
            422 if line.interop.session_expires_s.0 > 0 => Some(Change::SessionExpires(0)),
            415 | 488 | 606 if !usual => Some(Change::Codecs),
            400 | 403 | 404 | 410 | 414 | 416 | 484 | 485 | 604 if parameters => {
                Some(Change::NoUriParameters)
            }
            _ => None,
        }
    }
}
