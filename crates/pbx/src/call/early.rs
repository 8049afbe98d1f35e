//! Early media: whose the caller hears, and in which of his dialogs.
//!
//! Within a dialog the caller ignores every description but the callee's first (RFC 3261 §13.2.1).
//! What another phone says, or the one a call is sent on to, goes to him with another tag.

use super::edition::Edition;
use super::{Call, State};
use crate::office::{LegId, Office};

/// What the caller's tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// Nobody has described himself with it.
    Silent,
    /// This fork has; its early media is heard.
    Of(usize),
    /// The fork that has is out: another one's early media may be heard, with another tag.
    Over,
}

impl Early {
    /// The fork whose early media is heard.
    pub(super) fn fork(self) -> Option<usize> {
        match self {
            Self::Of(fork) => Some(fork),
            Self::Silent | Self::Over => None,
        }
    }

    /// A fork is out.
    pub(super) fn lose(&mut self, fork: usize) {
        if *self == Self::Of(fork) {
            *self = Self::Over;
        }
    }
}

impl Call {
    /// The caller is to be told of this fork's description. Returns whether that takes another dialog.
    pub(super) fn describes_itself(&mut self, office: &mut Office, fork: usize) -> bool {
        let State::Calling { early, .. } = &mut self.state else { return false };
        match std::mem::replace(early, Early::Of(fork)) {
            Early::Silent => false,
            Early::Of(before) if before == fork => false,
            Early::Of(_) | Early::Over => self.begin_another_dialog(office),
        }
    }

    /// What the fork said cannot be passed on.
    pub(super) fn says_nothing(&mut self, fork: usize) {
        if let State::Calling { early, .. } = &mut self.state {
            early.lose(fork);
        }
    }

    /// The call goes on elsewhere: who is reached there describes himself anew.
    pub(super) fn leave_early_dialog(&mut self, office: &mut Office) {
        if matches!(self.state, State::Calling { early: Early::Of(_) | Early::Over, .. }) {
            self.begin_another_dialog(office);
        }
    }

    /// A transferee's dialog stands, whoever is called for him.
    fn begin_another_dialog(&mut self, office: &mut Office) -> bool {
        if !self.caller.session.is_early() {
            return false;
        }
        let tag = office.claim_tag(self.owner(LegId::Caller));
        office.release_tag(std::mem::replace(&mut self.caller.tag, tag));
        self.caller.session.dialog.set_tag(tag);
        self.caller.edition = Edition::of_dialog(tag);
        true
    }
}
