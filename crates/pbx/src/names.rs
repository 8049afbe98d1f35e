//! The names the core depends on (RFC 3263): those of lines and trunks, which the edge keeps fresh,
//! and those that somebody waits for (architecture, rule 8).
//!
//! Nobody waits longer than [`RESOLVE_MAX`], whatever becomes of the edge.

use crate::finding::Finding;
use crate::language::Text;
use crate::line::live::LineKey;
use crate::office::Owner;
use crate::release::ReleaseCode;
use sip::locate::{Lack, Place, Resolution};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a request waits for the addresses of a name; then it has none.
pub const RESOLVE_MAX: Duration = Duration::from_secs(4);

/// Who waits for a name. Each waits for one, so there are no more than calls, their legs, lines, and
/// BYEs of calls that ended within the last seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// A call, for the way to its next candidate.
    Call(Owner),
    /// A line, which was sent there by its carrier.
    Redirected(LineKey),
    /// A session, for the port behind its peer's Contact.
    Contact(Owner),
    /// A BYE whose stream is lost.
    Orphan(u64),
}

/// What is known and what is asked.
#[derive(Debug, Default)]
pub struct Names {
    /// The names of lines and trunks.
    kept: BTreeMap<Place, State>,
    /// Who waits, and how long at most.
    waiting: BTreeMap<Place, Vec<(Waiter, Instant)>>,
    /// When somebody has waited long enough; all wait equally long, so they are in order.
    deadlines: VecDeque<(Instant, Place)>,
}

#[derive(Debug)]
enum State {
    /// For the first time.
    Asked {
        until: Instant,
    },
    Known(Resolution),
}

impl Names {
    /// These are the names of lines and trunks from now on. Gives them, where they are others than
    /// before.
    pub fn keep(&mut self, places: &BTreeSet<&Place>, now: Instant) -> Option<Arc<[Place]>> {
        if places.iter().copied().eq(self.kept.keys()) {
            return None;
        }
        self.kept.retain(|it, _| places.contains(it));
        let until = now + RESOLVE_MAX;
        for &place in places {
            if !self.kept.contains_key(place) {
                self.kept.insert(place.clone(), State::Asked { until });
                self.deadlines.push_back((until, place.clone()));
            }
        }
        Some(places.iter().map(|it| (*it).clone()).collect())
    }

    /// What is known of a name of a line or trunk.
    pub fn known(&self, place: &Place) -> Option<&Resolution> {
        match self.kept.get(place)? {
            State::Known(resolution) => Some(resolution),
            State::Asked { .. } => None,
        }
    }

    /// The name of a line or trunk is asked for the first time.
    pub fn is_asked(&self, place: &Place) -> bool {
        matches!(self.kept.get(place), Some(State::Asked { .. }))
    }

    /// Somebody waits for a name. `true`: it is to be asked.
    pub fn wait(&mut self, place: &Place, waiter: Waiter, now: Instant) -> bool {
        let asked = self.is_asked(place) || self.waiting.contains_key(place);
        let until = now + RESOLVE_MAX;
        self.waiting.entry(place.clone()).or_default().push((waiter, until));
        self.deadlines.push_back((until, place.clone()));
        !asked
    }

    /// Takes what was found out. Gives those who waited for it.
    pub fn resolved(&mut self, place: &Place, resolution: &Resolution) -> Vec<Waiter> {
        if let Some(state) = self.kept.get_mut(place) {
            *state = State::Known(resolution.clone());
        }
        let waiting = self.waiting.remove(place).unwrap_or_default();
        waiting.into_iter().map(|it| it.0).collect()
    }

    /// The next name that nobody answered for in time, and what it is taken for: a name that is kept
    /// keeps what is known of it.
    pub fn pop_overdue(&mut self, now: Instant) -> Option<(Place, Resolution)> {
        while let Some((_, place)) = self.deadlines.pop_front_if(|it| it.0 <= now) {
            let kept = match self.kept.get(&place) {
                Some(State::Asked { until }) => *until <= now,
                Some(State::Known(_)) | None => false,
            };
            let waiting =
                self.waiting.get(&place).is_some_and(|it| it.iter().any(|it| it.1 <= now));
            if kept || waiting {
                let known = self.known(&place).cloned();
                return Some((place, known.unwrap_or(Resolution::Nothing(Lack::NoAnswer))));
            }
        }
        None
    }

    /// How many wait.
    pub fn waiters(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.front().map(|it| it.0)
    }
}

/// Something is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTrouble {
    pub lack: Lack,
    /// Earlier addresses stand in.
    pub stale: bool,
}

impl NameTrouble {
    pub fn of(resolution: &Resolution) -> Option<Self> {
        let lack = resolution.lack()?;
        Some(Self { lack, stale: resolution.located().is_some() })
    }

    /// What it means for a trunk.
    pub fn of_trunk(self) -> Finding {
        // The trunk takes calls: none ends with it.
        if self.stale { Finding::TrunkDnsStale } else { ReleaseCode::TrunkDns.into() }
    }

    /// What is wrong, in the words of a state.
    pub fn sentence(self) -> Text {
        match (self.stale, self.lack) {
            (true, _) => Text::fixed(
                "The name is not resolved any more; its last addresses are used.",
                "域名已无法解析，暂用上次得到的地址。",
            ),
            (false, Lack::NoSuchName) => {
                Text::fixed("There is no such name in DNS.", "DNS中没有该域名。")
            }
            (false, Lack::NoRecords) => {
                Text::fixed("The name has no address that can be used.", "该域名没有可用的地址。")
            }
            (false, Lack::NoAnswer) => {
                Text::fixed("The DNS servers do not answer.", "DNS服务器没有应答。")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]

    use super::*;
    use crate::office::LegId;
    use sip::locate::Located;

    fn place(name: &str) -> Place {
        Place { name: name.into(), port: None, transport: None }
    }

    fn call(number: usize) -> Waiter {
        Waiter::Call(Owner { call: number, serial: 1, leg: LegId::Caller })
    }

    #[test]
    fn names_come_and_go_with_their_lines() {
        let now = Instant::now();
        let (a, b) = (place("a"), place("b"));
        let nothing = Resolution::Nothing(Lack::NoSuchName);
        let mut names = Names::default();
        assert!(names.keep(&BTreeSet::new(), now).is_none());
        assert_eq!(names.keep(&BTreeSet::from([&a]), now).as_deref(), Some(&[a.clone()][..]));
        assert!(names.is_asked(&a) && names.known(&a).is_none());
        assert!(names.keep(&BTreeSet::from([&a]), now).is_none());
        assert_eq!(names.resolved(&a, &nothing), []);
        assert!(!names.is_asked(&a) && names.known(&a) == Some(&nothing));
        assert!(names.keep(&BTreeSet::from([&b]), now).is_some());
        assert!(names.known(&a).is_none() && names.is_asked(&b));
        assert_eq!(names.resolved(&a, &nothing), [], "late, and of a line that is gone");
        assert!(names.known(&a).is_none());
    }

    #[test]
    fn a_question_is_asked_once_and_given_up_in_time() {
        let now = Instant::now();
        let (a, b) = (place("a"), place("b"));
        let mut names = Names::default();
        names.keep(&BTreeSet::from([&a]), now);
        assert!(!names.wait(&a, call(1), now), "asked already");
        assert!(names.wait(&b, call(2), now));
        assert!(!names.wait(&b, call(3), now));
        let nothing = Resolution::Nothing(Lack::NoAnswer);
        assert_eq!(names.resolved(&b, &nothing), [call(2), call(3)]);
        let end = now + RESOLVE_MAX;
        assert_eq!((names.poll_timeout(), names.pop_overdue(now)), (Some(end), None));
        assert_eq!(names.pop_overdue(end), Some((a.clone(), nothing.clone())));
        assert_eq!(names.resolved(&a, &nothing), [call(1)]);
        assert_eq!((names.pop_overdue(end), names.poll_timeout()), (None, None));
    }

    #[test]
    fn an_earlier_question_does_not_end_a_later_one() {
        let now = Instant::now();
        let a = place("a");
        let mut names = Names::default();
        names.wait(&a, call(1), now);
        names.resolved(&a, &Resolution::Nothing(Lack::NoAnswer));
        let later = now + Duration::from_secs(3);
        assert!(names.wait(&a, call(2), later));
        assert_eq!(names.pop_overdue(now + RESOLVE_MAX), None);
        let nothing = Resolution::Nothing(Lack::NoAnswer);
        assert_eq!(names.pop_overdue(later + RESOLVE_MAX), Some((a, nothing)));
    }

    /// Somebody else asks for the name of a line while DNS is silent.
    #[test]
    fn what_is_known_of_a_kept_name_outlives_a_question_without_answer() {
        let now = Instant::now();
        let a = place("a");
        let found = Resolution::Found(Located { services: vec![], lost: vec![] });
        let mut names = Names::default();
        names.keep(&BTreeSet::from([&a]), now);
        names.resolved(&a, &found);
        names.wait(&a, call(1), now);
        assert_eq!(names.pop_overdue(now + RESOLVE_MAX), Some((a.clone(), found.clone())));
        assert_eq!(names.resolved(&a, &found), [call(1)]);
        assert_eq!(names.known(&a), Some(&found));
    }
}
