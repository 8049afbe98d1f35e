//! Phones on TCP: answers and calls use their connection; when it is lost, one is opened.

use testkit::ladder::check;

#[test]
fn a_call_between_tcp_and_udp() {
    check(
        "
        given alice tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        media bob hears alice
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        ",
    );
}

#[test]
fn a_lost_connection_is_opened_anew() {
    check(
        "
        given bob tcp
        disconnect bob
        alice -> pbx          INVITE 101
                 pbx -> bob   connect
        alice <- pbx          100
                 pbx <- bob   connected
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}

#[test]
fn a_lost_connection_that_cannot_be_opened_is_said_at_once() {
    check(
        "
        given bob tcp
        disconnect bob
        alice -> pbx          INVITE 101
                 pbx -> bob   connect
        alice <- pbx          100
                 pbx <- bob   refused
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.flow_lost status=480
        ",
    );
}

/// The caller gives up while the connection is being opened.
#[test]
fn given_up_before_the_connection_stands() {
    check(
        "
        given bob tcp
        disconnect bob
        alice -> pbx          INVITE 101
                 pbx -> bob   connect
        alice <- pbx          100
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
        alice -> pbx          ACK
                 pbx <- bob   connected
        record release=caller.cancelled
        ",
    );
}

#[test]
fn the_connection_breaks_while_ringing() {
    check(
        "
        given bob tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        disconnect bob
        alice <- pbx          480
        alice -> pbx          ACK
        record status=480
        ",
    );
}

/// A connection may come and go without the call being touched.
#[test]
fn the_connection_breaks_during_the_call() {
    check(
        "
        given bob tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        disconnect bob
        wait 5s
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        ",
    );
}

/// The callee hangs up while the caller's stream is lost: the BYE opens a new one.
#[test]
fn the_bye_to_a_lost_connection_opens_another() {
    check(
        "
        given alice tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        disconnect alice
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE gone
        alice <- pbx          connect
        alice -> pbx          connected
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        ",
    );
}

/// A re-INVITE whose way is broken is refused; the call goes on.
#[test]
fn a_hold_towards_a_lost_connection() {
    check(
        "
        given alice tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        disconnect alice
                 pbx <- bob   INVITE sdp=offer(pcma,sendonly)
                 pbx -> bob   100
        alice <- pbx          INVITE gone
                 pbx -> bob   503
                 pbx <- bob   ACK
        media bob hears alice
        wait 2s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}

#[test]
fn ipv6_to_ipv4() {
    check(
        "
        given alice ipv6
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE media=pbx
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 media=pbx
        alice -> pbx          ACK
        media alice hears bob
        media bob hears alice
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}

/// The caller's connection breaks while it rings: nobody waits for the answer any more.
#[test]
fn the_callers_connection_breaks_while_ringing() {
    check(
        "
        given alice tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        disconnect alice
        alice <- pbx          487 gone
                 pbx -> bob   CANCEL
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=dialog.peer_vanished by=caller
        ",
    );
}

/// The same for what else passes from phone to phone.
#[test]
fn a_digit_towards_a_lost_connection() {
    check(
        "
        given alice tcp
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        disconnect alice
                 pbx <- bob   INFO body=\"Signal=5\"
        alice <- pbx          INFO gone
                 pbx -> bob   503 INFO
        wait 2s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}
