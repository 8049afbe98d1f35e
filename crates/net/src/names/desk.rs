//! What is asked of DNS, and what the core is told: searches (RFC 3263), a cache, and names that are
//! kept fresh. It asks nobody and has no clock.
//!
//! ```text
//! ask, keep ──▶ search ──▶ cache ──▶ poll_question … answered ──▶ search ──▶ poll_news
//! ```

use sip::locate::search::{Step, locate};
use sip::locate::{Answer, Lack, Located, Place, Question, Resolution};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How long an answer is believed, whatever its TTL says.
pub const POSITIVE_TTL: RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(3600);

/// How long "there is none" is believed (RFC 2308).
pub const NEGATIVE_TTL: RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(300);

/// How long nobody is asked again after he did not answer.
const NO_ANSWER_TTL: Duration = Duration::from_secs(5);

/// How long what was found stands in for a name that leads nowhere any more.
pub const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Pause after a name of a line or trunk was not found; it doubles up to the second.
const RETRY: RangeInclusive<Duration> = Duration::from_secs(15)..=Duration::from_secs(300);

/// Most answers remembered; further ones serve only the search that asked.
const CACHE_MAX: usize = 10_000;

/// Most searches at once; a further name is told at once that nobody answers.
const SEARCHES_MAX: usize = 4096;

/// Most questions out at once; the others wait for their turn.
const QUESTIONS_MAX: usize = 64;

type Dice = Box<dyn FnMut() -> u32 + Send>;

pub(super) struct Desk {
    dice: Dice,
    cache: BTreeMap<Question, Entry>,
    searches: BTreeMap<Place, Search>,
    /// Who waits for the answer to each question that is out or about to go out.
    waiting: BTreeMap<Question, BTreeSet<Place>>,
    /// About to go out.
    unasked: VecDeque<Question>,
    out: usize,
    kept: BTreeMap<Place, Kept>,
    /// When each kept name is looked up again.
    due: BTreeSet<(Instant, Place)>,
    news: VecDeque<(Place, Resolution)>,
}

#[derive(Clone)]
struct Entry {
    answer: Answer,
    since: Instant,
    until: Instant,
}

/// One name on its way through its questions.
struct Search {
    answers: BTreeMap<Question, Answer>,
    /// When the first of them ends.
    until: Instant,
    /// Somebody waits for this name; else it is only refreshed.
    asked: bool,
    /// It is looked up before its time: what the cache has is old.
    refreshes: bool,
}

/// A name of a line or trunk.
#[derive(Default)]
struct Kept {
    /// What was found last, and how long it may stand in.
    good: Option<(Located, Instant)>,
    /// What the core was told last.
    told: Option<Resolution>,
    failures: u32,
    due: Option<Instant>,
}

impl Desk {
    /// `dice` is even over all values.
    pub(super) fn new(dice: Dice) -> Self {
        Self {
            dice,
            cache: BTreeMap::new(),
            searches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            unasked: VecDeque::new(),
            out: 0,
            kept: BTreeMap::new(),
            due: BTreeSet::new(),
            news: VecDeque::new(),
        }
    }

    /// Somebody wants to know where this name leads.
    pub(super) fn ask(&mut self, place: Place, now: Instant) {
        self.search(place, (true, false), now);
    }

    /// The names of lines and trunks, in the place of those before.
    pub(super) fn keep(&mut self, places: &[Place], now: Instant) {
        let places: BTreeSet<&Place> = places.iter().collect();
        self.kept.retain(|it, _| places.contains(it));
        let kept = &self.kept;
        self.due.retain(|it| kept.contains_key(&it.1));
        for place in places {
            if !self.kept.contains_key(place) {
                self.kept.insert(place.clone(), Kept::default());
                self.search(place.clone(), (false, false), now);
            }
        }
    }

    /// The next question that may go out; each is followed by one [`Desk::answered`].
    pub(super) fn poll_question(&mut self) -> Option<Question> {
        if self.out >= QUESTIONS_MAX {
            return None;
        }
        let question = self.unasked.pop_front()?;
        self.out += 1;
        Some(question)
    }

    /// What DNS says; `ttl` is how long that holds.
    pub(super) fn answered(
        &mut self,
        question: &Question,
        answer: &Answer,
        ttl: Duration,
        now: Instant,
    ) {
        self.out = self.out.saturating_sub(1);
        let life = match answer {
            Ok(_) => within(ttl, &POSITIVE_TTL),
            Err(Lack::NoSuchName | Lack::NoRecords) => within(ttl, &NEGATIVE_TTL),
            Err(Lack::NoAnswer) => NO_ANSWER_TTL,
        };
        let until = now + life;
        self.remember(question, Entry { answer: answer.clone(), since: now, until }, now);
        for place in self.waiting.remove(question).unwrap_or_default() {
            if let Some(search) = self.searches.get_mut(&place) {
                search.answers.insert(question.clone(), answer.clone());
                search.until = search.until.min(until);
            }
            self.go_on(&place, now);
        }
    }

    /// Where a name leads.
    pub(super) fn poll_news(&mut self) -> Option<(Place, Resolution)> {
        self.news.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|it| it.0)
    }

    /// Looks up again what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while self.due.first().is_some_and(|it| it.0 <= now) {
            let Some((_, place)) = self.due.pop_first() else { return };
            if let Some(kept) = self.kept.get_mut(&place) {
                kept.due = None;
                self.search(place, (false, true), now);
            }
        }
    }

    fn search(&mut self, place: Place, (asked, refreshes): (bool, bool), now: Instant) {
        if let Some(running) = self.searches.get_mut(&place) {
            running.asked |= asked;
            return;
        }
        if self.searches.len() >= SEARCHES_MAX {
            return self.found(place, (asked, now), Err(Lack::NoAnswer), now);
        }
        let until = now + *POSITIVE_TTL.end();
        let search = Search { answers: BTreeMap::new(), until, asked, refreshes };
        self.searches.insert(place.clone(), search);
        self.go_on(&place, now);
    }

    /// Takes a search as far as the answers go. Each is asked for once, so it comes to an end.
    fn go_on(&mut self, place: &Place, now: Instant) {
        while let Some(search) = self.searches.get_mut(place) {
            let questions = match locate(place, &|question| search.answers.get(question)) {
                Step::Done(found) => return self.done(place, found, now),
                Step::Ask(questions) => questions,
            };
            let mut all_there = true;
            for question in questions {
                if let Some(entry) = usable(&self.cache, &question, search.refreshes, now) {
                    search.until = search.until.min(entry.until);
                    search.answers.insert(question, entry.answer.clone());
                    continue;
                }
                all_there = false;
                let waiting = self.waiting.entry(question.clone()).or_insert_with(|| {
                    self.unasked.push_back(question);
                    BTreeSet::new()
                });
                waiting.insert(place.clone());
            }
            if !all_there {
                return;
            }
        }
    }

    fn done(&mut self, place: &Place, found: Result<Located, Lack>, now: Instant) {
        if let Some(search) = self.searches.remove(place) {
            self.found(place.clone(), (search.asked, search.until), found, now);
        }
    }

    /// Tells who must know, and sees to the next time.
    fn found(
        &mut self,
        place: Place,
        (asked, until): (bool, Instant),
        found: Result<Located, Lack>,
        now: Instant,
    ) {
        let chance = (self.dice)();
        let Some(kept) = self.kept.get_mut(&place) else {
            if asked {
                self.news.push_back((place, resolution(found, None)));
            }
            return;
        };
        let wait = match &found {
            Ok(located) => {
                kept.failures = 0;
                kept.good = Some((located.clone(), until + STALE_MAX));
                // Before the TTL ends, and not all at once.
                let life = within(until.saturating_duration_since(now), &POSITIVE_TTL);
                life * 4 / 5 + part(life / 10, chance)
            }
            Err(_) => {
                kept.failures = kept.failures.saturating_add(1);
                let doubled = RETRY.start().saturating_mul(1 << (kept.failures - 1).min(8));
                let longest = doubled.min(*RETRY.end());
                longest / 2 + part(longest / 2, chance)
            }
        };
        kept.good.take_if(|it| it.1 <= now);
        let told = resolution(found, kept.good.as_ref().map(|it| it.0.clone()));
        if let Some(due) = kept.due.replace(now + wait) {
            self.due.remove(&(due, place.clone()));
        }
        self.due.insert((now + wait, place.clone()));
        if asked || kept.told.as_ref() != Some(&told) {
            kept.told = Some(told.clone());
            self.news.push_back((place, told));
        }
    }

    fn remember(&mut self, question: &Question, entry: Entry, now: Instant) {
        if self.cache.len() >= CACHE_MAX {
            self.cache.retain(|_, it| it.until > now);
        }
        if self.cache.len() < CACHE_MAX || self.cache.contains_key(question) {
            self.cache.insert(question.clone(), entry);
        }
    }
}

/// What the cache has for a question. A refresh takes what is young: several names often lead to the
/// same servers.
fn usable<'a>(
    cache: &'a BTreeMap<Question, Entry>,
    question: &Question,
    refreshes: bool,
    now: Instant,
) -> Option<&'a Entry> {
    let entry = cache.get(question).filter(|it| it.until > now)?;
    let life = entry.until.saturating_duration_since(entry.since);
    let is_young = now.saturating_duration_since(entry.since) < life / 2;
    (is_young || !refreshes).then_some(entry)
}

fn resolution(found: Result<Located, Lack>, good: Option<Located>) -> Resolution {
    match (found, good) {
        (Ok(located), _) => Resolution::Found(located),
        (Err(lack), Some(good)) => Resolution::Stale(good, lack),
        (Err(lack), None) => Resolution::Nothing(lack),
    }
}

fn within(ttl: Duration, range: &RangeInclusive<Duration>) -> Duration {
    ttl.clamp(*range.start(), *range.end())
}

/// A part of `most` by chance.
fn part(most: Duration, dice: u32) -> Duration {
    most.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
