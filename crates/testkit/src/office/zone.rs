//! DNS as tests have it: records by name and type, answered at once, late, or never.
//!
//! What the edge of the server does with the wire it does with a table: it searches as RFC 3263
//! says, keeps the names of lines and trunks fresh, and lets what was found stand in for what is
//! lost.

use sip::locate::search::{Step, locate};
use sip::locate::{Answer, Kind, Lack, Naptr, Place, Question, Records, Resolution, Srv, plain};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is asked and what is answered.
#[derive(Default)]
pub struct Zone {
    answers: BTreeMap<Question, Answer>,
    /// Nobody answers.
    pub silent: bool,
    /// How long each answer takes.
    pub delay: Duration,
    kept: Option<Arc<[Place]>>,
    /// What the core was told last of the names that are kept.
    told: BTreeMap<Place, Resolution>,
    due: VecDeque<(Instant, Place)>,
}

impl Zone {
    /// Adds a record: `["10", "0", "5060", "sip1.example"]` to an SRV.
    pub fn add(&mut self, name: &str, kind: &str, data: &[&str]) -> Result<(), String> {
        let kind = kind_of(kind)?;
        let question = Question { name: plain(name), kind };
        let number = |index: usize| {
            let text = data.get(index).copied().unwrap_or_default();
            text.parse::<u16>().map_err(|_| format!("{text:?}: not a number"))
        };
        let text = |index: usize| Box::from(data.get(index).copied().unwrap_or_default());
        let answer = self.answers.entry(question).or_insert(Err(Lack::NoRecords));
        if data.is_empty() {
            return Ok(());
        }
        match kind {
            Kind::Naptr => {
                let record = Naptr {
                    order: number(0)?,
                    preference: number(1)?,
                    flags: text(2),
                    services: text(3),
                    regexp: "".into(),
                    replacement: text(4),
                };
                match answer {
                    Ok(Records::Naptr(all)) => all.push(record),
                    _ => *answer = Ok(Records::Naptr(vec![record])),
                }
            }
            Kind::Srv => {
                let (priority, weight, port) = (number(0)?, number(1)?, number(2)?);
                let record = Srv { priority, weight, port, target: text(3) };
                match answer {
                    Ok(Records::Srv(all)) => all.push(record),
                    _ => *answer = Ok(Records::Srv(vec![record])),
                }
            }
            Kind::A | Kind::Aaaa => {
                let found: Result<Vec<IpAddr>, _> = data.iter().map(|it| it.parse()).collect();
                *answer = Ok(Records::Addresses(found.map_err(|error| error.to_string())?));
            }
        }
        Ok(())
    }

    /// The name has nothing of this type any more.
    pub fn clear(&mut self, name: &str, kind: &str) -> Result<(), String> {
        self.answers.remove(&Question { name: plain(name), kind: kind_of(kind)? });
        Ok(())
    }

    /// What lines and trunks depend on is looked up again.
    pub fn refresh(&mut self, now: Instant) {
        let kept = self.kept.clone().unwrap_or_default();
        kept.iter().for_each(|it| self.ask(it.clone(), now));
    }

    /// The process dies, and what it asked and knew with it.
    pub(super) fn forget(&mut self) {
        self.kept = None;
        self.told.clear();
        self.due.clear();
    }

    /// These names are kept from now on.
    pub(super) fn keep(&mut self, places: Arc<[Place]>, now: Instant) {
        self.told.retain(|it, _| places.contains(it));
        self.kept = Some(Arc::clone(&places));
        for place in
            places.iter().filter(|it| !self.told.contains_key(it)).cloned().collect::<Vec<_>>()
        {
            self.ask(place, now);
        }
    }

    pub(super) fn ask(&mut self, place: Place, now: Instant) {
        if !self.silent {
            self.due.push_back((now + self.delay, place));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.iter().map(|it| it.0).min()
    }

    /// The next answer that is due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(Place, Resolution)> {
        loop {
            let index = self.due.iter().position(|it| it.0 <= now)?;
            let (_, place) = self.due.remove(index)?;
            let resolution = self.search(&place);
            let is_kept = self.kept.as_ref().is_some_and(|it| it.contains(&place));
            if !is_kept {
                return Some((place, resolution));
            }
            if self.told.get(&place) != Some(&resolution) {
                self.told.insert(place.clone(), resolution.clone());
                return Some((place, resolution));
            }
        }
    }

    fn search(&self, place: &Place) -> Resolution {
        const NOBODY: Answer = Err(Lack::NoSuchName);
        let answered = |question: &Question| Some(self.answers.get(question).unwrap_or(&NOBODY));
        let found = match locate(place, &answered) {
            Step::Done(found) => found,
            // Every question has its answer.
            Step::Ask(_) => Err(Lack::NoAnswer),
        };
        let before = self.told.get(place).and_then(Resolution::located);
        match (found, before) {
            (Ok(located), _) => Resolution::Found(located),
            (Err(lack), Some(before)) => Resolution::Stale(before.clone(), lack),
            (Err(lack), None) => Resolution::Nothing(lack),
        }
    }
}

fn kind_of(text: &str) -> Result<Kind, String> {
    let kinds = [Kind::Naptr, Kind::Srv, Kind::A, Kind::Aaaa];
    kinds.into_iter().find(|it| it.as_str() == text).ok_or_else(|| format!("no type {text}"))
}
