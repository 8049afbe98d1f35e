//! Call flows as text: the reader sees the ladder, the machine runs it on the real core.
//!
//! `alice -> pbx  INVITE 101` is done to the server; `alice <- pbx  180` is expected of it, next.
//! Whatever the server sends and the ladder does not show is an error: silence is checked before
//! each step and for 64·T1 after the last one, and then nothing may be left in the core.
//!
//! ```text
//! given bob tcp unregistered                what differs from a registered UDP phone
//! given bob nat srtp                        behind a router; offers RTP/SAVP
//! given bob mute                            sends no media; the others are heard by the end
//! given 101 calls=1 devices=3               what differs from a usual extension
//! given 101 forward-busy=102 ring=15        with the right to it; may-forward=busy is the right alone
//! given setting no_answer_s=20
//! alice -> pbx            INVITE 101        a phone sends; words on the right say how
//! alice <- pbx            100               the server sends; words on the right are checked
//!          pbx -> bob     INVITE from=100 sdp=offer(pcma,pcmu) reason="..." header=Name:value
//!          pbx <- bob     200 INVITE        the method, where the newest request is not meant
//!          pbx -> bob     ACK lost          written, but the network loses it
//!          pbx -> bob     BYE gone          written to a connection that is lost
//! alice -> pbx            INVITE unchanged  with the description it sent last
//! alice -> pbx            REFER replaces=2  to the other side of the phone's second call
//! wait 500ms              time passes; what is sent must be sent at its end
//! wait 32s resends        … except copies of what was sent before
//! wait 10min next         until the server sends something, at most this long
//! media alice hears bob                     `nobody`; `ringing`: the tone
//! digits alice sends 5 | digits bob hears 5     as telephone events; `dtmf=5` is the body of an INFO
//! record release=caller.hangup status=200   the next call record
//! record guilty=us says="…" zh="…"          its verdict
//! report registered=100 call=answered       all that is told anew, in this order
//! clock +1h | kill | shutdown | hangup [first] | overload | behind | disconnect bob | move bob
//! place 100 101 by=102 shown=5 shown-to-second=6 answers-itself     the server calls 100, then 101
//! transfer caller 102                       the caller of the newest call is to talk to 102
//! change 101 deleted
//! edge fails | silence bob                  the media edge: no session; no packets from bob
//! alice -> pbx  INVITE forked               the same once more, with another branch
//! pbx <- bob  INVITE looped                 with the Via of the request bob has open below its own
//! ```
//! pbx <- telecom  200 seen=198.51.100.7:1024    behind NAT: `received` and `rport` of its answer
//! pbx -> telecom  INVITE once=Supported     in one line
//! Phones register, and answer challenges, behind the curtain; `nocred` and `visible` show it.

mod carrier;
mod cast;
mod end;
mod expect;
mod line;
mod plan;
mod run;
mod stage;

use self::line::Step;
use self::run::Run;

pub(crate) use self::end::what_is_left;
pub(crate) use self::stage::brief;

/// Runs a ladder.
///
/// # Panics
/// Where the server does anything else; the message names the line.
#[track_caller]
pub fn check(text: &str) {
    if let Err(problem) = run(text) {
        panic!("\n{problem}\n");
    }
}

/// The same, with what is wrong as text.
pub fn run(text: &str) -> Result<(), String> {
    let mut steps = Vec::new();
    for (index, written) in text.lines().enumerate() {
        let at = format!("ladder line {}: {}", index + 1, written.trim());
        let step = line::parse(written).map_err(|problem| format!("{at}\n  {problem}"))?;
        steps.extend(step.map(|step| (at, step)));
    }
    let only_steps: Vec<&Step> = steps.iter().map(|(_, step)| step).collect();
    let mut run = Run::new(cast::set_the_stage(&only_steps)?);
    for (at, step) in &steps {
        run.step(step).map_err(|problem| format!("{at}\n  {problem}\n{}", run.transcript()))?;
    }
    run.finish().map_err(|problem| format!("after the ladder\n  {problem}\n{}", run.transcript()))
}

#[cfg(test)]
mod tests;
