//! The five races every SIP server gets wrong, as the first five ladders.

use testkit::ladder::check;

/// Race 1: The answer crosses our CANCEL: the leg is up, so it must be acknowledged and ended.
#[test]
fn answer_crosses_cancel() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 INVITE       # sent before the CANCEL arrived
                 pbx -> bob   ACK
                 pbx -> bob   BYE
                 pbx <- bob   200 BYE
                 pbx <- bob   481 CANCEL
        record release=caller.cancelled status=487 answered=no
        ",
    );
}

/// Race 2: Responses decided on a stale picture: after the answer, neither the second answer nor a late
/// ringing may reach the caller.
#[test]
fn responses_after_the_answer() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob2  180
                 pbx <- bob   200
                 pbx -> bob2  CANCEL
                 pbx -> bob   ACK
        alice <- pbx          200
                 pbx <- bob2  183 INVITE       # both were on their way
                 pbx <- bob2  200 INVITE
                 pbx -> bob2  ACK
                 pbx -> bob2  BYE
                 pbx <- bob2  200 BYE
                 pbx <- bob2  481 CANCEL
                 pbx <- bob   200 INVITE resend
                 pbx -> bob   ACK resend
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup answered=yes
        record none
        ",
    );
}

/// Race 3: CANCEL before its INVITE matches nothing; the copy of one that matched gets the same answer.
#[test]
fn cancel_without_and_with_its_transaction() {
    check(
        "
        alice -> pbx          INVITE 101 lost
        alice -> pbx          CANCEL
        alice <- pbx          481 CANCEL
        alice -> pbx          INVITE resend
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
        alice -> pbx          CANCEL resend
        alice <- pbx          200 CANCEL resend
        alice -> pbx          ACK
                 pbx <- bob   180              # only now may bob be told (RFC 3261 9.1)
                 pbx -> bob   CANCEL
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled
        ",
    );
}

/// Race 4: The 487 to our CANCEL is acknowledged, each copy of it too, though the call is long over.
#[test]
fn late_487_is_acknowledged() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
        wait 20s
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        wait 3s
                 pbx <- bob   487 resend
                 pbx -> bob   ACK resend
        record release=caller.cancelled
        ",
    );
}

/// Race 5: Both hang up at once: each BYE is answered, and one too many gets 481.
#[test]
fn both_hang_up() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   BYE              # crosses ours
                 pbx -> bob   200
                 pbx <- bob   200 BYE
        wait 40s
                 pbx <- bob   BYE
                 pbx -> bob   481
        alice -> pbx          BYE
        alice <- pbx          481
        record release=caller.hangup
        record none
        ",
    );
}
