//! Datagrams that are lost: what is sent again, how often, and when it is given up.

use testkit::ladder::check;

#[test]
fn invite_is_sent_again_and_again() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE lost
        wait 500ms
                 pbx -> bob   INVITE resend lost
        alice -> pbx          INVITE resend
        alice <- pbx          100 resend
        wait 1s
                 pbx -> bob   INVITE resend
                 pbx <- bob   486
                 pbx -> bob   ACK lost
        alice <- pbx          486 lost
                 pbx <- bob   486 resend
                 pbx -> bob   ACK resend
        wait 500ms
        alice <- pbx          486 resend
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}

/// The callee answers nothing at all: 32 s later the caller gets a 480.
#[test]
fn callee_unreachable() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE lost
        wait 32s resends
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.unreachable status=480 cause=18
        ",
    );
}

/// The caller's ACK never comes: the 200 is sent again for 32 s, then both ends get a BYE.
#[test]
fn lost_ack() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK lost
        wait 500ms
        alice <- pbx          200 resend
        wait 1s
        alice <- pbx          200 resend
        wait 2s
        alice <- pbx          200 resend
        wait 4s
        alice <- pbx          200 resend
        wait 4s
        alice <- pbx          200 resend
        wait 20500ms resends
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=dialog.no_ack answered=yes
        ",
    );
}

#[test]
fn lost_200() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200 lost
        wait 500ms
                 pbx -> bob   INVITE resend
                 pbx <- bob   200 resend
                 pbx -> bob   ACK lost
        alice <- pbx          200 lost
                 pbx <- bob   200 resend
                 pbx -> bob   ACK resend
        wait 500ms
        alice <- pbx          200 resend
        alice -> pbx          ACK
        alice -> pbx          ACK resend
        alice -> pbx          BYE
        alice <- pbx          200 lost
                 pbx -> bob   BYE lost
        alice -> pbx          BYE resend
        alice <- pbx          200 resend
        wait 500ms
                 pbx -> bob   BYE resend
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}

/// A phone that disappears with the call up is noticed when it does not answer its BYE; the call
/// is over for the other side at once.
#[test]
fn the_caller_is_gone() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE lost
        wait 32s resends
        record release=callee.hangup
        ",
    );
}

/// The callee does not answer a request within the dialog: the call is dead (RFC 3261 §12.2.1.2).
#[test]
fn the_callee_vanished() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   481
                 pbx -> bob   ACK
        alice <- pbx          481
        alice <- pbx          BYE
        alice -> pbx          ACK
        alice -> pbx          200
        record release=dialog.peer_vanished
        ",
    );
}
