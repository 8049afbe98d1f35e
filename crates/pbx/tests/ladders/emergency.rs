//! Emergency calls: no limit keeps them back, and any way out will do.

use testkit::ladder::check;

#[test]
fn an_extension_with_all_its_calls_up() {
    check(
        r#"
        given 100 calls=1
        given line 5678 at=telecom
        alice -> pbx             INVITE 101
        alice <- pbx             100
                 pbx -> bob      INVITE
                 pbx <- bob      180
        alice <- pbx             180
        alice -> pbx             INVITE 112
        alice <- pbx             100
                 pbx -> telecom  INVITE 112 from=5678
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678
        # Any other number has to wait.
        alice -> pbx             INVITE 90138
        alice <- pbx             100
        alice <- pbx             486
        alice -> pbx             ACK
        record release=caller.limit
                 pbx <- bob      486
                 pbx -> bob      ACK
        alice <- pbx             486
        alice -> pbx             ACK call=1
        record release=callee.busy
    "#,
    );
}

#[test]
fn an_extension_that_may_not_call() {
    check(
        r#"
        given 100 calls-out=0
        given line 5678 at=telecom
        alice -> pbx             INVITE 9112
        alice <- pbx             100
                 pbx -> telecom  INVITE 112 from=5678
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678 sent=112
    "#,
    );
}

/// The carrier decides whether it takes one more.
#[test]
fn a_full_line() {
    check(
        r#"
        given line 5678 at=telecom out=1
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  180
        alice <- pbx             180
        bob -> pbx               INVITE 112
        bob <- pbx               100
                 pbx -> telecom  INVITE 112
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        bob <- pbx               486
        bob -> pbx               ACK
        record release=callee.busy line=5678
        bob -> pbx               INVITE 90139
        bob <- pbx               100
        bob <- pbx               503
        bob -> pbx               ACK
        record release=line.all_busy
                 pbx <- telecom  486 call=1
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
    "#,
    );
}

/// An office without a line reaches the number by its trunk, full or not.
#[test]
fn a_trunk_only() {
    check(
        r#"
        given trunk 1 at=branch prefix=2 out=0
        alice -> pbx             INVITE 112
        alice <- pbx             100
                 pbx -> branch   INVITE 112 from=100
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy trunk=1 sent=112
    "#,
    );
}

/// It counts for who calls as any other does: what he had room for ends, and he has none.
#[test]
fn it_counts_beyond_the_limit_of_an_extension() {
    check(
        r#"
        given 100 calls=1
        given line 5678 at=telecom
        alice -> pbx             INVITE 101
        alice <- pbx             100
                 pbx -> bob      INVITE
                 pbx <- bob      180
        alice <- pbx             180
        alice -> pbx             INVITE 112
        alice <- pbx             100
                 pbx -> telecom  INVITE 112
                 pbx <- telecom  180
        alice <- pbx             180
                 pbx <- bob      486
                 pbx -> bob      ACK
        alice <- pbx             486
        alice -> pbx             ACK call=1
        record release=callee.busy callee=101
        bob -> pbx               INVITE 100
        bob <- pbx               100
        bob <- pbx               486
        bob -> pbx               ACK
        record release=callee.limit
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy sent=112
    "#,
    );
}

/// So it does for the line.
#[test]
fn it_counts_beyond_the_limit_of_a_line() {
    check(
        r#"
        given line 5678 at=telecom out=1
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        bob -> pbx               INVITE 112
        bob <- pbx               100
                 pbx -> telecom  INVITE 112
                 pbx <- telecom  180
        bob <- pbx               180
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200 BYE
        record release=caller.hangup
        carol -> pbx             INVITE 90139
        carol <- pbx             100
        carol <- pbx             503
        carol -> pbx             ACK
        record release=line.all_busy
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        bob <- pbx               486
        bob -> pbx               ACK
        record release=callee.busy sent=112
    "#,
    );
}

/// A carrier may take it though the line is not registered: better than nothing at all.
#[test]
fn a_line_that_is_not_registered() {
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
                 pbx -> telecom  REGISTER credentials=none
                 pbx <- telecom  401
                 pbx -> telecom  REGISTER credentials=right
                 pbx <- telecom  403
        alice -> pbx             INVITE 90138
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.not_registered
        alice -> pbx             INVITE 112
        alice <- pbx             100
                 pbx -> telecom  INVITE 112 from=5678
                 pbx <- telecom  407
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 112 credentials=right
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678 sent=112
    "#,
    );
}
