//! What calls count for, where their sides go on in another call: nobody is counted twice, nobody is
//! forgotten.

use testkit::ladder::check;

/// Alice and bob talk; each may have one call.
const UP: &str = "
        given 100 calls=1
        given 101 calls=1
        given carol
        given dave
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
";

/// Alice sends bob on to carol.
const REFERRED: &str = "
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
";

/// Bob has the call that he may have; alice, who has left, can be called again.
const BOB_IS_FULL: &str = "
        dave -> pbx           INVITE 101
        dave <- pbx           100
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.limit callee=101
        dave -> pbx           INVITE 100
        dave <- pbx           100
                 pbx -> alice INVITE
                 pbx <- alice 486
                 pbx -> alice ACK
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.busy callee=100
";

/// It is over, and bob can be called again.
const DOWN: &str = "
                 pbx <- bob   BYE
                 pbx -> bob   200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=101
        dave -> pbx           INVITE 101
        dave <- pbx           100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.busy callee=101
";

#[test]
fn who_is_transferred_counts_on() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK
        alice <- pbx          NOTIFY
        alice <- pbx          BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        record release=caller.transferred
        {BOB_IS_FULL}{DOWN}"
    ));
}

/// Alice does not wait for carol's answer: bob, who does, counts.
#[test]
fn who_waits_alone_counts_on() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- carol 180
        alice <- pbx          NOTIFY
        alice -> pbx          200 NOTIFY
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        record release=caller.transferred
        {BOB_IS_FULL}
                 pbx <- carol 200 INVITE sdp=offer(pcma)
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK
        {DOWN}"
    ));
}

/// Carol forwards meanwhile: bob counts in the call that this has become.
#[test]
fn who_waits_alone_is_forwarded() {
    check(&format!(
        "{UP}{REFERRED}
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        record release=caller.transferred
                 pbx <- carol 302 header=Contact:<sip:104@10.0.0.1>
                 pbx -> carol ACK
                 pbx -> erin  INVITE
        record release=callee.forwarded
        {BOB_IS_FULL}
                 pbx <- erin  486
                 pbx -> erin  ACK
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=callee.busy
        dave -> pbx           INVITE 101
        dave <- pbx           100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.busy callee=101
        "
    ));
}

/// A line is in use as long as somebody talks by it, whoever that is.
#[test]
fn a_line_counts_on() {
    check(
        "
        given line 5678 at=telecom owner=101 in=1
        given carol
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200
        telecom -> pbx           ACK
                 pbx <- bob      REFER header=Refer-To:<sip:102@10.0.0.1>
                 pbx -> bob      202
                 pbx -> bob      NOTIFY
                 pbx -> carol    INVITE
                 pbx <- bob      200 NOTIFY
                 pbx <- carol    200 sdp=offer(pcma)
        telecom <- pbx           INVITE
        telecom -> pbx           200
        telecom <- pbx           ACK
                 pbx -> carol    ACK
                 pbx -> bob      NOTIFY
                 pbx -> bob      BYE
                 pbx <- bob      200 NOTIFY
                 pbx <- bob      200 BYE
        record release=callee.transferred
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=line.incoming_busy
                 pbx <- carol    BYE
                 pbx -> carol    200
        telecom <- pbx           BYE
        telecom -> pbx           200 call=1
        record release=callee.hangup
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy
        ",
    );
}

/// Alice brings bob together with who is outside, by the only call that the line may have: the line
/// stays full, and alice is free.
#[test]
fn both_of_an_attended_transfer_count_on() {
    check(
        "
        given line 5678 at=telecom out=1
        given 101 calls=1
        given carol
        alice -> pbx             INVITE 101
        alice <- pbx             100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             REFER replaces=2 call=1
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> telecom  INVITE
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             BYE
        alice <- pbx             NOTIFY
        alice <- pbx             BYE
        alice -> pbx             200 BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        record release=caller.transferred
        record release=caller.transferred
        carol -> pbx             INVITE 90139
        carol <- pbx             100
        carol <- pbx             503
        carol -> pbx             ACK
        record release=line.all_busy
        carol -> pbx             INVITE 101
        carol <- pbx             100
        carol <- pbx             486
        carol -> pbx             ACK
        record release=callee.limit
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup
        carol -> pbx             INVITE 90139
        carol <- pbx             100
                 pbx -> telecom  INVITE 0139
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        carol <- pbx             486
        carol -> pbx             ACK
        record release=callee.busy
        ",
    );
}

/// Another phone of bob's takes his only call over (RFC 3891): it counts for him once, as before, and
/// so does alice.
#[test]
fn who_takes_a_call_over_counts_in_the_others_stead() {
    let full = |number: u32| {
        format!(
            "
        dave -> pbx           INVITE {number}
        dave <- pbx           100
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.limit callee={number}
            "
        )
    };
    let (alice_is_full, bob_is_full) = (full(100), full(101));
    check(&format!(
        "
        given 100 calls=1
        given 101 calls=1
        given bob
        given bob2
        given dave
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob2  486
                 pbx -> bob2  ACK
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
                 pbx <- bob2  INVITE 100 replaces=bob
                 pbx -> bob2  100
        alice <- pbx          INVITE sdp=offer
        {alice_is_full}{bob_is_full}
        alice -> pbx          200 INVITE
        alice <- pbx          ACK
                 pbx -> bob2  200 sdp=answer
                 pbx -> bob   BYE
                 pbx <- bob2  ACK
                 pbx <- bob   200
        record release=callee.transferred
        {alice_is_full}{bob_is_full}
                 pbx <- bob2  BYE
                 pbx -> bob2  200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=caller.hangup caller=101
        dave -> pbx           INVITE 100
        dave <- pbx           100
                 pbx -> alice INVITE
                 pbx <- alice 486
                 pbx -> alice ACK
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.busy callee=100
        dave -> pbx           INVITE 101
        dave <- pbx           100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
                 pbx <- bob2  486
                 pbx -> bob2  ACK
        dave <- pbx           486
        dave -> pbx           ACK
        record release=callee.busy callee=101
        "
    ));
}
