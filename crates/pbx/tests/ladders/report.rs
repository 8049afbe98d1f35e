//! What is told anew to a reader that has lost events.

use pbx::core::{Command, Config, Core, Effect, Input, Recovered};
use pbx::event::Event;
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sip::Transport;
use std::time::Duration;
use testkit::clock::Clock;
use testkit::ladder::check;
use testkit::office::flow_of;

/// Of a call that has ended the record was told; to tell it anew would be to begin it once more.
#[test]
fn what_stands_is_told_anew() {
    check(
        "
        given line 5678 at=telecom
        given trunk 1 at=branch prefix=2
        report registered=100 registered=101 line=registered trunk=1/1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        report registered=100 registered=101 line=registered trunk=1/1 call=answered
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE lost
        report registered=100 registered=101 line=registered trunk=1/1
        wait 400ms
                 pbx -> bob   BYE resend
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}

/// Messages wait for no more than a slice, and the reader has time to empty its channel.
#[test]
fn many_are_told_in_slices() {
    const PHONES: u64 = 1000;
    let mut clock = Clock::default();
    let now = clock.now();
    let bindings = (0..PHONES).map(|it| binding(it, &clock)).collect();
    let recovered = Recovered { bindings, ..Recovered::default() };
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let mut core = Core::new(Config::default(), rng, recovered, now);
    while core.poll_effect().is_some() {}
    core.handle(Input::Command(Command::Report), now);
    let mut told = Vec::new();
    let mut most = 0;
    for _ in 0..10 {
        let before = told.len();
        while let Some(effect) = core.poll_effect() {
            if let Effect::Event(Event::Registered(it)) = effect {
                told.push(it.key.extension.clone());
            }
        }
        most = most.max(told.len() - before);
        let Some(due) = core.poll_timeout().filter(|it| *it < now.instant + DONE) else { break };
        clock.advance_to(due);
        core.handle_timeout(clock.now());
    }
    told.sort();
    told.dedup();
    assert_eq!((told.len() as u64, most), (PHONES, 256));
}

/// By then the report has ended, and nothing else is due.
const DONE: Duration = Duration::from_secs(1);

fn binding(number: u64, clock: &Clock) -> Binding {
    let extension = format!("{number}");
    let flow = flow_of("100", 1, Transport::Udp, false);
    Binding {
        key: BindingKey {
            tenant: TenantId::default(),
            extension: extension.as_str().into(),
            device: "d".into(),
        },
        contact: format!("sip:{number}@{}", flow.remote).into(),
        flow,
        call_id: "c".into(),
        cseq: 1,
        q: 1000,
        user_agent: "".into(),
        registered_at: clock.now().utc,
        expires_at: clock.now().utc.after(Duration::from_secs(3600)),
    }
}
