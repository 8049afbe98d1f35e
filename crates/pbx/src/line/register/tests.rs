//! The machine against its table of events.

#![allow(clippy::disallowed_methods, reason = "some instant to count from")]

use super::*;

const USUAL: Circumstances =
    Circumstances { expires_s: 3600, new_call_id: false, untried_target: false };

/// A registration, its clock, and what it asked for.
struct Bench {
    machine: Registration,
    start: Instant,
    at: Duration,
    circumstances: Circumstances,
    dice: u32,
}

impl Bench {
    fn new() -> Self {
        let ids = Ids { call_id: "c".into(), cseq: 12, contact: Tag::new('a', 7) };
        let start = Instant::now();
        let machine = Registration::new(ids, None);
        Self { machine, start, at: Duration::ZERO, circumstances: USUAL, dice: 0 }
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        let utc = UnixMillis(1_000_000).after(self.at);
        let moment = Moment { instant: self.start + self.at, utc, dice: self.dice };
        self.machine.handle(event, &self.circumstances, moment).into_vec()
    }

    fn answer(&mut self, answer: Answer) -> Vec<Action> {
        self.event(Event::Answered(answer))
    }

    fn wanted(&mut self) -> Vec<Action> {
        let at = self.start + self.at;
        self.event(Event::Wanted { at })
    }

    /// Goes to its next time-out; how long that took.
    fn due(&mut self) -> (u64, Vec<Action>) {
        let before = self.at;
        self.at = self.machine.poll_timeout().expect("a time-out") - self.start;
        ((self.at - before).as_secs(), self.event(Event::Due))
    }

    /// As far as the first 200.
    fn registered(expires_s: u32) -> Self {
        let mut it = Self::new();
        it.wanted();
        it.due();
        assert_eq!(it.answer(Answer::Granted { expires_s: Some(expires_s) }), []);
        assert_eq!(it.machine.standing(), Standing::Registered);
        it
    }
}

fn ask(expires_s: u32) -> Vec<Action> {
    vec![Action::Ask { expires_s, new_call_id: false }]
}

#[test]
fn challenged_granted_refreshed() {
    let mut it = Bench::new();
    assert_eq!(it.machine.standing(), Standing::Off);
    assert_eq!(it.wanted(), []);
    assert_eq!(it.due(), (0, ask(3600)));
    assert_eq!(it.machine.standing(), Standing::Registering);
    assert_eq!(it.answer(Answer::Challenged(Ok(()))), ask(3600));
    // CSeq + 1, the same Call-ID.
    assert_eq!((it.machine.ids.cseq, &*it.machine.ids.call_id), (14, "c"));
    assert_eq!(it.answer(Answer::Granted { expires_s: Some(600) }), []);
    assert_eq!(it.due(), (540, ask(3600)));
    assert_eq!(it.machine.standing(), Standing::Registered);
    it.dice = u32::MAX;
    it.answer(Answer::Granted { expires_s: Some(600) });
    assert_eq!(it.due(), (480, ask(3600)));
}

#[test]
fn a_new_call_id_for_the_authenticated_register() {
    let mut it = Bench::new();
    it.circumstances.new_call_id = true;
    it.wanted();
    assert_eq!(it.due().1, ask(3600));
    let fresh = [Action::Ask { expires_s: 3600, new_call_id: true }];
    assert_eq!(it.answer(Answer::Challenged(Ok(()))), fresh);
    // The switch is on, so it is not suggested.
    it.answer(Answer::InvalidCseq);
    assert_eq!(it.machine.trouble(), Some(Trouble::Rejected(400)));
}

#[test]
fn each_failure_has_its_trouble_and_its_pause() {
    use Answer::{Challenged, InvalidCseq, Redirected, Refused, TooBrief, Unheard};
    let refused = |code, retry_after| Refused { code, retry_after };
    #[rustfmt::skip]
    let table = [
        // answer                                    trouble                  pause   another address
        (Challenged(Err(Unanswerable::Wrong)),       Trouble::AuthFailed,     900,    false),
        (Challenged(Err(Unanswerable::Unknown)),     Trouble::AuthUnknown,    15,     false),
        (Challenged(Err(Unanswerable::ForeignRealm)), Trouble::AuthUnknown,   15,     false),
        (InvalidCseq,                                Trouble::RegCseq,        15,     false),
        (TooBrief { min_s: 60 },                     Trouble::Rejected(423),  15,     false),
        (TooBrief { min_s: 100_000 },                Trouble::Rejected(423),  15,     false),
        (refused(403, None),                         Trouble::Rejected(403),  15,     false),
        (refused(404, None),                         Trouble::Rejected(404),  15,     false),
        (refused(403, Some(700)),                    Trouble::Rejected(403),  700,    false),
        (refused(503, Some(120)),                    Trouble::Rejected(503),  120,    true),
        (refused(500, Some(1)),                      Trouble::Rejected(500),  15,     true),
        (refused(503, Some(9_999_999)),              Trouble::Rejected(503),  3600,   true),
        (Unheard(Lack::Silent),                      Trouble::NoResponse,     15,     true),
        (Unheard(Lack::Broken),                      Trouble::Unreachable,    15,     true),
        (Unheard(Lack::NoAddress),                   Trouble::Dns,            15,     false),
        (Answer::Granted { expires_s: Some(0) },     Trouble::NotBound,       15,     false),
    ];
    for (answer, trouble, pause, next_target) in table {
        let mut it = Bench::new();
        it.wanted();
        it.due();
        let expected: &[Action] = if next_target { &[Action::NextTarget] } else { &[] };
        assert_eq!(it.answer(answer.clone()), expected, "{answer:?}");
        assert_eq!(it.machine.trouble(), Some(trouble), "{answer:?}");
        assert_eq!(it.machine.standing(), Standing::Failed, "{answer:?}");
        assert_eq!(it.due(), (pause, ask(3600)), "{answer:?}");
    }
    // Where an address is left to try, there is no pause.
    let mut it = Bench::new();
    it.circumstances.untried_target = true;
    it.wanted();
    it.due();
    assert_eq!(it.answer(Unheard(Lack::Silent)), [Action::NextTarget]);
    assert_eq!(it.due(), (0, ask(3600)));
    // Redirected in circles.
    let mut it = Bench::new();
    it.wanted();
    it.due();
    for _ in 0..REDIRECTS_MAX {
        assert_eq!(it.answer(Redirected), ask(3600));
    }
    it.answer(Redirected);
    assert_eq!(it.machine.trouble(), Some(Trouble::Redirected));
}

#[test]
fn pauses_double_up_to_their_limit_and_success_begins_anew() {
    let mut it = Bench::new();
    it.wanted();
    for pause in [0, 15, 30, 60, 120, 150, 150] {
        assert_eq!(it.due().0, pause);
        it.answer(Answer::Unheard(Lack::Silent));
    }
    it.dice = u32::MAX;
    it.due();
    it.answer(Answer::Unheard(Lack::Silent));
    assert_eq!(it.due().0, 300);
    it.answer(Answer::Granted { expires_s: None });
    assert_eq!(it.machine.trouble(), None);
    it.due();
    it.answer(Answer::Unheard(Lack::Silent));
    it.dice = 0;
    assert_eq!(it.due().0, 30);
}

/// A refresh is pulled forward when its way is gone; what a carrier said stands.
#[test]
fn a_lost_stream_and_a_moved_name() {
    use Answer::{Challenged, Refused, Unheard};
    #[rustfmt::skip]
    let table = [
        // answer                               pause, stream lost, name moved
        (Answer::Granted { expires_s: None },   3240,  0,           0),
        (Challenged(Err(Unanswerable::Wrong)),  900,   900,         900),
        (Refused { code: 503, retry_after: Some(120) }, 120, 120,   120),
        (Unheard(Lack::Broken),                 15,    15,          0),
    ];
    for (answer, pause, lost, moved) in table {
        let waits = |event: fn(Instant) -> Option<Event>| {
            let mut it = Bench::new();
            it.wanted();
            it.due();
            it.answer(answer.clone());
            if let Some(event) = event(it.start) {
                assert_eq!(it.event(event), [], "{answer:?}");
            }
            it.due().0
        };
        assert_eq!(waits(|_| None), pause, "{answer:?}");
        assert_eq!(waits(|at| Some(Event::Lost { at })), lost, "{answer:?}");
        assert_eq!(waits(|at| Some(Event::Moved { at })), moved, "{answer:?}");
    }
}

/// A carrier that wants longer bindings gets them from then on.
#[test]
fn interval_too_brief() {
    let mut it = Bench::new();
    it.circumstances.expires_s = 300;
    it.wanted();
    assert_eq!(it.due().1, ask(300));
    assert_eq!(it.answer(Answer::TooBrief { min_s: 1800 }), ask(1800));
    it.answer(Answer::Granted { expires_s: None });
    assert_eq!(it.due(), (1620, ask(1800)));
}

/// Failed refreshes leave the line registered until the carrier forgets it.
#[test]
fn the_binding_lives_as_long_as_was_granted() {
    let mut it = Bench::registered(600);
    assert_eq!(it.due().0, 540);
    it.answer(Answer::Refused { code: 503, retry_after: None });
    assert_eq!(it.machine.standing(), Standing::Registered);
    assert_eq!(it.due(), (15, ask(3600)));
    it.answer(Answer::Refused { code: 503, retry_after: None });
    assert_eq!(it.due().0, 30);
    assert_eq!(it.due(), (15, vec![]));
    assert_eq!(it.machine.standing(), Standing::Registering);
    it.answer(Answer::Refused { code: 503, retry_after: None });
    assert_eq!(it.machine.standing(), Standing::Failed);
}

#[test]
fn leaving_and_coming_back() {
    let unregister = ask(0);
    let mut it = Bench::registered(600);
    assert_eq!(it.event(Event::Unwanted), unregister);
    assert_eq!(it.machine.standing(), Standing::Unregistering);
    assert_eq!(it.answer(Answer::Challenged(Ok(()))), unregister);
    assert_eq!(it.answer(Answer::Granted { expires_s: None }), []);
    assert_eq!((it.machine.standing(), it.machine.binding()), (Standing::Off, None));
    assert_eq!(it.machine.poll_timeout(), None);

    // Wanted again before the answer is in.
    let mut it = Bench::registered(600);
    it.event(Event::Unwanted);
    assert_eq!(it.wanted(), []);
    assert_eq!(it.answer(Answer::Refused { code: 404, retry_after: None }), []);
    assert_eq!(it.due(), (0, ask(3600)));

    // Not wanted any more while the first REGISTER is out.
    let mut it = Bench::new();
    it.wanted();
    it.due();
    assert_eq!(it.event(Event::Unwanted), []);
    assert_eq!(it.answer(Answer::Granted { expires_s: Some(600) }), unregister);

    // Nothing to leave.
    let mut it = Bench::new();
    it.wanted();
    assert_eq!(it.event(Event::Unwanted), []);
    assert_eq!(it.machine.poll_timeout(), None);
    assert_eq!(it.answer(Answer::Granted { expires_s: Some(600) }), [], "a late answer");
    assert_eq!(it.machine.binding(), None);
}
