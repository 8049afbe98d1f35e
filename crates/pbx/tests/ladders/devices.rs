//! One number, many phones: forks of one INVITE (RFC 3261 §16.7 for the choice of the status).

use testkit::ladder::check;

#[test]
fn the_first_answer_wins() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob2  180
                 pbx <- bob2  200
                 pbx -> bob   CANCEL reason=\"Call completed elsewhere\"
                 pbx -> bob2  ACK
        alice <- pbx          200
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        alice -> pbx          ACK
        media alice hears bob2
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup callee=101
        ",
    );
}

#[test]
fn both_answer_at_once() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
                 pbx <- bob2  200 INVITE       # no CANCEL: it has not answered yet (RFC 3261 9.1)
                 pbx -> bob2  ACK
                 pbx -> bob2  BYE
                 pbx <- bob2  200 BYE
        alice -> pbx          ACK
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        record none
        ",
    );
}

#[test]
fn busy_on_one_phone_waits_for_the_other() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
                 pbx <- bob2  180
        alice <- pbx          180
                 pbx <- bob2  480
                 pbx -> bob2  ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy status=486
        ",
    );
}

/// 6xx is final for all (RFC 3261 §16.7 step 5).
#[test]
fn declined_on_one_phone_is_declined_on_all() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob2  180
        alice <- pbx          180
                 pbx <- bob   603
                 pbx -> bob   ACK
        alice <- pbx          603
                 pbx -> bob2  CANCEL
                 pbx <- bob2  200 CANCEL
                 pbx <- bob2  487 INVITE
                 pbx -> bob2  ACK
        alice -> pbx          ACK
        record release=callee.declined status=603
        ",
    );
}

#[test]
fn one_phone_is_dead() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE lost
                 pbx -> bob2  INVITE
                 pbx <- bob2  200
                 pbx -> bob2  ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 1s resends
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        wait 40s resends
        record release=caller.hangup
        ",
    );
}

/// Only the newest device has the number where there is no right to many.
#[test]
fn the_newest_phone_replaces() {
    check(
        "
        given bob
        given bob2 unregistered
        given 101 devices=1
        bob2 -> pbx           REGISTER
        bob2 <- pbx           200
        event unregistered=replaced
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob2  INVITE
                 pbx <- bob2  486
                 pbx -> bob2  ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record status=486
        ",
    );
}

/// One phone's early media was heard and another one answers: its description comes in a dialog of
/// its own, as the caller must ignore a second one within the first (RFC 3261 §13.2.1).
#[test]
fn the_answer_of_another_phone_than_the_one_heard() {
    check(
        "
        given 101 devices=2
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx <- bob2  200 sdp=answer(pcma)
                 pbx -> bob   CANCEL
                 pbx -> bob2  ACK
        alice <- pbx          200 sdp=answer(pcma) tag=new
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        alice -> pbx          ACK
        media alice hears bob2
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}

/// The phone whose early media was heard refuses, and another one speaks: within that dialog the
/// caller would ignore it.
#[test]
fn early_media_of_another_phone_when_the_first_refuses() {
    check(
        "
        given 101 devices=2
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx <- bob   486
                 pbx -> bob   ACK
                 pbx <- bob2  183 sdp=answer(pcmu)
        alice <- pbx          183 sdp=answer(pcmu) tag=new
                 pbx <- bob2  200 sdp=answer(pcmu)
                 pbx -> bob2  ACK
        alice <- pbx          200 sdp=answer(pcmu)
        alice -> pbx          ACK
        media alice hears bob2
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}

/// The same where it answers at once.
#[test]
fn the_answer_of_another_phone_when_the_one_heard_has_refused() {
    check(
        "
        given 101 devices=2
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx <- bob   486
                 pbx -> bob   ACK
                 pbx <- bob2  200 sdp=answer(pcmu)
                 pbx -> bob2  ACK
        alice <- pbx          200 sdp=answer(pcmu) tag=new
        alice -> pbx          ACK
        media alice hears bob2
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}
