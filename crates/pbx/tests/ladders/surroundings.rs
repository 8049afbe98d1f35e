//! What happens around calls: shutdown, crash, clock, overload, directory changes.

use testkit::ladder::check;

#[test]
fn shutdown_ends_calls_properly() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        shutdown
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=system.shutdown by=system status=200
        alice -> pbx          INVITE 101
        alice <- pbx          503
        alice -> pbx          ACK
        ",
    );
}

#[test]
fn shutdown_while_ringing() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        shutdown
        alice <- pbx          503 header=Retry-After:10
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=system.shutdown status=503
        ",
    );
}

/// An answer whose ACK is missing holds the BYE back, but not past the end of the process.
#[test]
fn shutdown_before_the_ack() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        shutdown
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=system.shutdown by=system status=200
        wait 2s resends
        alice <- pbx          BYE
        alice -> pbx          200
        ",
    );
}

/// After kill -9: both ends get a BYE, the record says so, bindings are still there.
#[test]
fn killed_with_a_call_up() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 12s
        kill
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=system.crash answered=yes
        alice -> pbx          INVITE 101
        alice <- pbx          100
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
fn killed_while_ringing() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        kill
        record release=system.crash answered=no
                 pbx <- bob   200              # nobody knows this call any more
        ",
    );
}

/// The wall clock is stepped: durations stay right and nobody loses his registration.
#[test]
fn the_clock_is_set_forward_and_back() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 10s
        clock +25h
        wait 10s
        clock -50h
        wait 10s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup billable=30s duration=30s
        alice -> pbx          INVITE 101
        alice <- pbx          100
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
fn overload_refuses_what_is_new_only() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        overload
        carol -> pbx          INVITE 101
        carol <- pbx          503 header=Retry-After
        carol -> pbx          ACK
        carol -> pbx          REGISTER
        carol <- pbx          503 header=Retry-After
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        overload over
        carol -> pbx          REGISTER
        carol <- pbx          200
        ",
    );
}

#[test]
fn a_core_that_is_behind_goes_on_with_what_was_begun() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
        behind far
        carol -> pbx          INVITE 101
        carol <- pbx          503 header=Retry-After
        carol -> pbx          ACK
        carol -> pbx          REGISTER
        carol <- pbx          503 header=Retry-After
        behind                                      # who was challenged is served
        carol -> pbx          REGISTER
        carol <- pbx          200
        carol -> pbx          INVITE 101 nocred
        carol <- pbx          503 header=Retry-After
        carol -> pbx          ACK
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE direction=sendonly
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        behind over
        carol -> pbx          REGISTER
        carol <- pbx          200
        ",
    );
}

#[test]
fn an_administrator_ends_a_call() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        hangup
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=admin.hangup by=admin
        ",
    );
}

#[test]
fn the_callee_is_deleted_during_the_call() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        change 101 deleted
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        ",
    );
}
