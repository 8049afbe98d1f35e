//! The names of carriers (RFC 3263): what becomes of a line when its own leads elsewhere, and when
//! the carrier sends it to another one.

use super::Core;
use super::lines::ask;
use crate::language::Text;
use crate::line::live::{LineKey, Said};
use crate::line::register::answer::{self, Answer, Lack};
use crate::line::register::{Event as Happens, Standing};
use crate::line::target;
use crate::names::{NameTrouble, Waiter};
use crate::time::Now;
use sip::locate::{Place, Resolution, Way};
use sip::message::Message;

impl Core {
    /// What the name of a line leads to may be known, or may have changed.
    pub(super) fn line_resolved(&mut self, key: LineKey, now: Now) {
        let office = &mut self.office;
        let place = office.lines.get(key).and_then(|it| it.targets.place()).cloned();
        let Some(place) = place else { return };
        let Some(resolution) = office.names.known(&place).cloned() else { return };
        let targets = office.targets_of(&resolution);
        let Some([before, after]) = office.lines.resolve(key, &targets, &resolution) else {
            return;
        };
        let Some(line) = office.lines.get(key) else { return };
        if line.resolving.is_some() {
            return self.go_on_resolved(key, now);
        }
        // Until it is registered at the new address, calls go by the old one.
        let moved = before.is_some() && after.is_some() && before != after;
        let found = before.is_none() && line.registration.standing() == Standing::Failed;
        if moved || (found && after.is_some()) {
            let at = self.office.lines.slot(now.instant);
            // Where it asks now the carrier is no more.
            let line = self.office.lines.get_mut(key);
            if line.is_some_and(|it| it.registration.give_up(at)) {
                self.stop_asking(key);
            }
            return self.line_event(key, Happens::Moved { at }, now);
        }
        self.line_settled(key, now);
    }

    /// A REGISTER that waited for addresses goes out, or has nowhere to go.
    pub(super) fn go_on_resolved(&mut self, key: LineKey, now: Now) {
        let Some(line) = self.office.lines.get_mut(key) else { return };
        let Some(expires_s) = line.resolving.take() else { return };
        match ask(&mut self.office, key, expires_s, false, now) {
            Ok(()) => self.line_settled(key, now),
            Err(lack) => self.line_unasked(key, lack, now),
        }
    }

    /// A 3xx to a REGISTER: what it means, or `None` until the name it gives is resolved.
    pub(super) fn redirected(
        &mut self,
        key: LineKey,
        message: &Message<'_>,
        now: Now,
    ) -> Option<Answer> {
        let line = self.office.lines.get_to_move(key)?;
        let transport = line.config.transport.fixed();
        let uri = answer::redirection(message);
        match uri.and_then(|it| target::redirection(it, transport).ok()) {
            None => Some(answer::read(message, &line.registration.ids.contact.to_string())),
            Some(Way::Straight(target)) => {
                line.targets.redirect(target);
                Some(Answer::Redirected)
            }
            Some(Way::Named(place)) => {
                line.redirecting = Some(place.clone());
                self.office.wait_for(&place, Waiter::Redirected(key), now.instant);
                self.line_settled(key, now);
                None
            }
        }
    }

    /// The name that the carrier sent a line to is resolved.
    pub(super) fn line_redirected(
        &mut self,
        key: LineKey,
        place: &Place,
        resolution: &Resolution,
        now: Now,
    ) {
        let target = self.office.targets_of(resolution).first().copied();
        let Some(line) = self.office.lines.get_to_move(key) else { return };
        if line.redirecting.take_if(|it| it == place).is_none() {
            return;
        }
        match target {
            Some(target) => {
                line.targets.redirect(target);
                self.line_event(key, Happens::Answered(Answer::Redirected), now);
            }
            None => {
                let what = NameTrouble::of(resolution).map(NameTrouble::sentence);
                let what = what.unwrap_or_else(|| in_words(Lack::NoAddress));
                line.last_answer = Some(Said { at: now.utc, what });
                let answer = Answer::Unheard(Lack::NoAddress);
                self.line_event(key, Happens::Answered(answer), now);
            }
        }
    }

    /// A REGISTER found no way.
    fn line_unasked(&mut self, key: LineKey, lack: Lack, now: Now) {
        self.line_says(key, lack, now);
        self.line_event(key, Happens::Answered(Answer::Unheard(lack)), now);
    }

    /// Why there is no answer stands where the answer would.
    pub(super) fn line_says(&mut self, key: LineKey, lack: Lack, now: Now) {
        let Some(line) = self.office.lines.get_mut(key) else { return };
        let trouble = line.targets.name_trouble().filter(|_| lack == Lack::NoAddress);
        let what = trouble.map_or_else(|| in_words(lack), NameTrouble::sentence);
        line.last_answer = Some(Said { at: now.utc, what });
    }
}

fn in_words(lack: Lack) -> Text {
    match lack {
        Lack::Silent => Text::fixed("no answer in 32 s", "32秒内无应答"),
        Lack::Broken => Text::fixed("the connection failed", "连接失败"),
        Lack::NoAddress => Text::fixed("the name has no address", "域名没有地址"),
    }
}
