//! Calls between two phones: answered, refused, unanswered, given up (RFC 3261 §13-15).

use testkit::ladder::check;

#[test]
fn answered_and_ended_by_the_caller() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE from=100 to=101 uri=101 sdp=offer(pcma,pcmu,telephone-event)
                 pbx <- bob   180
        alice <- pbx          180 sdp=none
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=answer(pcma,pcmu,telephone-event) media=pbx
        alice -> pbx          ACK
        media alice hears bob
        media bob hears alice
        wait 12s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup by=caller status=200 cause=16 answered=yes ringing=yes
        record none
        ",
    );
}

#[test]
fn the_callee_hangs_up() {
    check(
        "
        given 100 name=\"Alice Liddell\"
        alice -> pbx          INVITE 101 sdp=offer(pcma)
        alice <- pbx          100
                 pbx -> bob   INVITE name=\"Alice Liddell\" from=100
                 pbx <- bob   180
        alice <- pbx          180
        wait 3s
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        media bob hears alice
        wait 7s
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup by=callee caller=100 extension=100 dialled=101 callee=101 billable=7s duration=10s codec=pcma codec-callee=pcma relayed=yes packets=1
        ",
    );
}

#[test]
fn busy() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy status=486 cause=17 answered=no billable=0s by=callee
        ",
    );
}

#[test]
fn declined() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   603
                 pbx -> bob   ACK
        alice <- pbx          603
        alice -> pbx          ACK
        record release=callee.declined status=603 cause=21
        ",
    );
}

#[test]
fn nobody_answers() {
    check(
        "
        given setting no_answer_s=30
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 30s
        alice <- pbx          480
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=callee.no_answer status=480 cause=19 answered=no ringing=yes
        ",
    );
}

#[test]
fn given_up_while_ringing() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 4s
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled by=caller status=487 duration=4s billable=0s
        ",
    );
}

/// RFC 3261 §8.1.3.4: a phone that is redirected elsewhere does not make us call strangers; the
/// number is dialled.
#[test]
fn a_redirect_is_not_followed() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   302 header=Contact:<sip:00900@198.51.100.7>
                 pbx -> bob   ACK
        alice <- pbx          181
        alice <- pbx          404
        alice -> pbx          ACK
        record release=callee.forwarded status=302
        record release=route.no_match status=404
        ",
    );
}

/// Hanging up by BYE before the answer is legal for a caller (RFC 3261 §15).
#[test]
fn bye_in_an_early_dialog() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        alice <- pbx          487 INVITE
                 pbx -> bob   CANCEL
        alice -> pbx          ACK call=1
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled
        ",
    );
}

/// Progress first and ringing later: the caller hears of both, and of copies of neither.
#[test]
fn progress_before_ringing() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   180
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup ringing=yes
        ",
    );
}

/// The caller says how long its invitation is good for (RFC 3261 §13.3.1).
#[test]
fn the_invitation_expires() {
    check(
        "
        alice -> pbx          INVITE 101 header=Expires:5
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 5s
        alice <- pbx          487
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=callee.no_answer status=487
        ",
    );
}
