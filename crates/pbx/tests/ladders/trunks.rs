//! Calls by SIP trunks, out and in (product.md 7).

use testkit::ladder::check;

/// Source S0: two offices, 1xx here and 2xx there; numbers go as they are.
#[test]
fn two_offices() {
    check(
        r#"
        given trunk 1 at=branch prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200 from=100 name=alice
                 pbx <- branch   180
        alice <- pbx             180
                 pbx <- branch   200
                 pbx -> branch   ACK
        alice <- pbx             200
        alice -> pbx             ACK
        media alice hears branch
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> branch   BYE
                 pbx <- branch   200
        record release=caller.hangup trunk=1 direction=outgoing sent=200
        branch -> pbx            INVITE 101 from=200 nocred
        branch <- pbx            100
                 pbx -> bob      INVITE from=200
                 pbx <- bob      200
                 pbx -> bob      ACK
        branch <- pbx            200
        branch -> pbx            ACK
        branch -> pbx            BYE
        branch <- pbx            200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=caller.hangup trunk=1 direction=incoming caller=200 dialled=101
    "#,
    );
}

/// Source S1: a limit of 0 closes its direction; the two are independent of each other.
#[test]
fn limits_of_a_trunk_each_way() {
    check(
        r#"
        given trunk 1 at=branch prefix=2 out=0 in=1
        alice -> pbx             INVITE 200
        alice <- pbx             100
        alice <- pbx             403
        alice -> pbx             ACK
        record release=trunk.closed
        branch -> pbx            INVITE 101 nocred
        branch <- pbx            100
                 pbx -> bob      INVITE
                 pbx <- bob      180
        branch <- pbx            180
        branch -> pbx            INVITE 102 nocred
        branch <- pbx            100
        branch <- pbx            486
        branch -> pbx            ACK
        record release=trunk.incoming_busy
        branch -> pbx            CANCEL call=1
        branch <- pbx            200 CANCEL
        branch <- pbx            487 INVITE
                 pbx -> bob      CANCEL
        branch -> pbx            ACK call=1
                 pbx <- bob      200 CANCEL
                 pbx <- bob      487 INVITE
                 pbx -> bob      ACK
        record release=caller.cancelled
    "#,
    );
}

#[test]
fn a_unified_caller_number_and_parameters() {
    check(
        r#"
        given trunk 1 at=branch prefix=2 caller=4930100 uri=user=phone
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200 from=4930100
                 pbx <- branch   404
                 pbx -> branch   ACK
        alice <- pbx             404
        alice -> pbx             ACK
        record release=callee.unknown
    "#,
    );
}

/// A server that says nothing is left within four seconds, and not tried again until it answers.
#[test]
fn failover_and_the_circuit_breaker() {
    check(
        r#"
        given trunk 1 at=branch,branch2 prefix=2 options=30
        wait 0s
                 pbx -> branch   OPTIONS
                 pbx <- branch   200
        wait 40ms
                 pbx -> branch2  OPTIONS
                 pbx <- branch2  404
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200 lost
        wait 3s resends
                 pbx -> branch   OPTIONS lost
                 pbx -> branch2  INVITE 200
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        event trunk=1/1
        record release=callee.busy
        # Straight to the one that is there.
        alice -> pbx             INVITE 201
        alice <- pbx             100
                 pbx -> branch2  INVITE 201
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
        wait 4s resends
        change trunk 1 deleted
        wait 32s resends
    "#,
    );
}

#[test]
fn a_trunk_that_is_down_and_one_that_asks_for_a_password() {
    check(
        r#"
        given trunk 1 at=branch prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   407
                 pbx -> branch   ACK
        alice <- pbx             403
        alice -> pbx             ACK
        record release=trunk.rejected
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
        wait 12s resends
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.unreachable
        # He wakes up too late.
        wait 5s resends
                 pbx <- branch   200
                 pbx -> branch   ACK
                 pbx -> branch   BYE
                 pbx <- branch   200
    "#,
    );
}

/// A hub that took the call and cannot place it, or says what the network behind it said, still
/// places others; one that refuses outright is asked first whether it is there.
#[test]
fn one_busy_way_of_a_hub_closes_no_other() {
    let again = "
        alice -> pbx             INVITE 201
        alice <- pbx             100
                 pbx -> branch   INVITE 201
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
        change trunk 1 deleted
    ";
    let down = "
                 pbx -> branch   OPTIONS
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.failed
        alice -> pbx             INVITE 201
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.unreachable
        change trunk 1 deleted
        wait 32s resends
    ";
    let up = format!(
        "
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.failed
        {again}"
    );
    let table = [
        ("pbx <- branch 100", "503", &*up),
        ("", "503 header=Reason:Q.850;cause=34", &*up),
        ("", "503 header=Reason:SIP;cause=503", down),
        ("", "503", down),
    ];
    for (said, refusal, after) in table {
        check(&format!(
            "
        given trunk 1 at=branch prefix=2 options=30
        wait 0s
                 pbx -> branch   OPTIONS
                 pbx <- branch   200
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 {said}
                 pbx <- branch   {refusal}
                 pbx -> branch   ACK
        {after}"
        ));
    }
}

/// The call itself goes on to the next server, whatever is known of the one that failed.
#[test]
fn a_server_that_serves_others_is_left_all_the_same() {
    check(
        "
        given trunk 1 at=branch,branch2 prefix=2 options=30
        wait 0s
                 pbx -> branch   OPTIONS
                 pbx <- branch   200
        wait 40ms
                 pbx -> branch2  OPTIONS
                 pbx <- branch2  200
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   100
                 pbx <- branch   503
                 pbx -> branch   ACK
                 pbx -> branch2  INVITE 200
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
        change trunk 1 deleted
        ",
    );
}
