//! The examination of the registration.

use super::change::{Change, Remedy};
use super::read::Details;
use super::report::{Check, Colour};
use super::{Action, Doctor, Outcome, REGISTERS_MAX, State, words};
use crate::finding::Finding;
use crate::line::register::EXPIRES_MAX_S;
use crate::line::register::answer::Answer;
use crate::line::trouble::Trouble;
use sip::auth::client::Unanswerable;

impl Doctor {
    /// The next REGISTER. `forget`: without the challenges that are known, and with a new Call-ID.
    pub(super) fn register(&mut self, forget: bool) -> Action {
        self.state = State::Registering;
        if self.registers >= REGISTERS_MAX {
            let (finding, text) =
                (Some(Finding::LineEndless), words::registers_spent(REGISTERS_MAX));
            self.light(Check::Register, Colour::Red, finding, text, None);
            return self.stop();
        }
        self.registers += 1;
        if forget {
            self.challenged = false;
        }
        // The switch is about the REGISTER that answers a challenge.
        let new_call_id = forget || (self.line.new_call_id && self.challenged);
        Action::Register { new_call_id, forget }
    }

    pub(super) fn registered(&mut self, answer: &Answer, details: &Details) -> Action {
        if let Answer::Unheard(_) = answer {
            return self.unheard();
        }
        self.transport_works();
        let first = !self.challenged;
        match answer {
            Answer::Challenged(Ok(())) => {
                self.challenged = true;
                if self.tried.is_none() && first {
                    let text = words::challenges(details);
                    self.light(Check::Register, Colour::Green, None, text, None);
                }
                self.register(false)
            }
            Answer::Challenged(Err(Unanswerable::Wrong)) => {
                self.refuses_credentials(Trouble::AuthFailed)
            }
            Answer::Challenged(Err(_)) => {
                self.trouble(Check::Authentication, Trouble::AuthUnknown, None);
                self.stop()
            }
            // Some say it so.
            Answer::Refused { code: 403, .. }
                if self.challenged && self.tried != Some(Change::NewCallId) =>
            {
                self.refuses_credentials(Trouble::Rejected(403))
            }
            Answer::InvalidCseq if self.tried.is_none() && !self.line.new_call_id => {
                self.try_with(Change::NewCallId);
                self.register(true)
            }
            Answer::TooBrief { min_s }
                if self.line.expires_s < *min_s && *min_s <= EXPIRES_MAX_S =>
            {
                self.line.expires_s = *min_s;
                self.take_back(Check::Register);
                let (change, text) = (Change::Expires(*min_s), words::wants_longer(*min_s));
                let remedy = Some(Remedy::Change(change));
                let finding = Some(Finding::LineTooBrief);
                self.light(Check::Register, Colour::Amber, finding, text, remedy);
                self.register(false)
            }
            Answer::Redirected => {
                let change = details.elsewhere.map(|it| Remedy::Change(Change::OutboundProxy(it)));
                let remedy = change.or(Some(Remedy::Setting("outbound_proxy")));
                self.take_back(Check::Register);
                self.trouble(Check::Register, Trouble::Redirected, remedy);
                self.stop()
            }
            Answer::Granted { expires_s: Some(0) } => {
                self.proved();
                self.trouble(Check::Binding, Trouble::NotBound, None);
                self.stop()
            }
            Answer::Granted { expires_s } => {
                self.proved();
                self.bound(*expires_s, details);
                self.call()
            }
            Answer::InvalidCseq | Answer::TooBrief { .. } | Answer::Refused { .. } => {
                self.refused(details.status)
            }
            Answer::Unheard(_) => self.unheard(),
        }
    }

    /// No answer at all.
    fn unheard(&mut self) -> Action {
        if !self.transported {
            return self.try_other_transport();
        }
        // It speaks with us, but not about this.
        let check = if self.challenged { Check::Authentication } else { Check::Register };
        let setting = if self.challenged { "transport" } else { "domain" };
        self.trouble(check, Trouble::NoResponse, Some(Remedy::Setting(setting)));
        self.stop()
    }

    fn refuses_credentials(&mut self, trouble: Trouble) -> Action {
        let other_user =
            !self.line.auth_user.is_empty() && self.line.auth_user != self.line.account;
        if self.tried.is_none() && other_user {
            self.try_with(Change::AuthUserIsAccount);
            return self.register(true);
        }
        let setting = Remedy::Setting("password");
        self.trouble(Check::Authentication, trouble, Some(setting));
        self.stop()
    }

    fn refused(&mut self, status: u16) -> Action {
        let parameters = !self.line.uri_parameters.is_empty();
        if self.tried.is_none() && parameters && matches!(status, 400 | 404 | 414 | 416 | 484) {
            self.refused_with_parameters = status;
            self.try_with(Change::NoUriParameters);
            return self.register(true);
        }
        // With a change it is refused as well: that was not it.
        if let Some(Change::NewCallId) = self.tried {
            self.take_back(Check::Register);
            let trouble = Trouble::RegCseq;
            self.trouble(Check::Register, trouble, Some(Remedy::Change(Change::NewCallId)));
            return self.stop();
        }
        let check = if self.challenged { Check::Authentication } else { Check::Register };
        let setting = matches!(status, 403 | 404).then_some(Remedy::Setting("domain"));
        self.trouble(check, Trouble::Rejected(status), setting);
        self.stop()
    }

    /// The registration went through, perhaps with a change.
    fn proved(&mut self) {
        match self.tried.take() {
            Some(change @ Change::NewCallId) => {
                self.take_back(Check::Register);
                let said = self.said.clone();
                self.trouble(Check::Register, Trouble::RegCseq, Some(Remedy::Change(change)));
                self.said = said;
            }
            Some(change @ Change::NoUriParameters) => {
                self.take_back(Check::Register);
                let said = self.said.clone();
                let before = Outcome { code: self.refused_with_parameters, ..Outcome::default() };
                let (finding, text) = words::call(before, Some(&change));
                let remedy = Some(Remedy::Change(change));
                self.light(Check::Register, Colour::Red, Some(finding), text, remedy);
                self.said = said;
            }
            Some(change) => {
                let text = words::auth_user_is_account();
                let remedy = Some(Remedy::Change(change));
                let finding = Some(Trouble::AuthFailed.finding());
                let said = self.said.clone();
                self.light(Check::Authentication, Colour::Red, finding, text, remedy);
                self.said = said;
                return;
            }
            None => {}
        }
        let said = self.said.clone();
        let text = if self.challenged { words::takes_credentials() } else { words::no_challenge() };
        if self.lights.iter().all(|it| it.check != Check::Register) {
            self.light(Check::Register, Colour::Green, None, words::takes_register(), None);
            self.said.clone_from(&said);
        }
        self.light(Check::Authentication, Colour::Green, None, text, None);
        self.said = said;
    }

    fn bound(&mut self, expires_s: Option<u32>, details: &Details) {
        let seconds = expires_s.unwrap_or(self.line.expires_s);
        let (colour, text) = match (&details.ours, details.others.first()) {
            (Some(ours), _) => (Colour::Green, words::bound(ours, seconds)),
            (None, Some(other)) => (Colour::Amber, words::bound_otherwise(other, seconds)),
            (None, None) => (Colour::Amber, words::bound_silently(seconds)),
        };
        let finding = (colour != Colour::Green).then_some(Finding::LineBinding);
        self.light(Check::Binding, colour, finding, text, None);
    }

    pub(super) fn try_with(&mut self, change: Change) {
        change.apply(&mut self.line);
        self.tried = Some(change);
    }

    /// What was said of a check does not stand.
    pub(super) fn take_back(&mut self, check: Check) {
        self.lights.retain(|it| it.check != check);
    }
}
