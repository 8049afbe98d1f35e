//! Reliable provisional responses (RFC 3262): PRACK in both roles, and descriptions in it.

use testkit::ladder::check;

/// The usual end of a call.
const DOWN: &str = "
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
";

/// The callee decides: we offer, and acknowledge what it sends reliably.
#[test]
fn the_callee_rings_reliably() {
    check(&format!(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE header=Supported:100rel
                 pbx <- bob   180 rseq=7
        alice <- pbx          180 no=RSeq no=Require
                 pbx -> bob   PRACK header=\"RAck:7 1 INVITE\" sdp=none
                 pbx <- bob   200 PRACK
                 pbx <- bob   180 resend
                 pbx <- bob   183 rseq=8 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx -> bob   PRACK header=\"RAck:8 1 INVITE\"
                 pbx <- bob   200 PRACK
        media alice hears bob
                 pbx <- bob   200 INVITE sdp=none
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=answer(pcma)
        alice -> pbx          ACK
        media bob hears alice
        {DOWN}"
    ));
}

/// One that comes too early is not acknowledged (RFC 3262 §4).
#[test]
fn out_of_order() {
    check(&format!(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=5
        alice <- pbx          183
                 pbx -> bob   PRACK header=\"RAck:5 1 INVITE\"
                 pbx <- bob   200 PRACK
                 pbx <- bob   180 rseq=7
                 pbx <- bob   180 rseq=6
        alice <- pbx          180
                 pbx -> bob   PRACK header=\"RAck:6 1 INVITE\"
                 pbx <- bob   200 PRACK
                 pbx <- bob   200 INVITE
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// A phone that asks for PRACK and does not know it: the call goes on.
#[test]
fn prack_is_refused() {
    for code in ["405", "481", "501"] {
        check(&format!(
            "
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
                     pbx <- bob   183 rseq=1 sdp=answer(pcma)
            alice <- pbx          183 sdp=answer(pcma)
                     pbx -> bob   PRACK
                     pbx <- bob   {code} PRACK
                     pbx <- bob   200 INVITE sdp=answer(pcma)
                     pbx -> bob   ACK
            alice <- pbx          200 sdp=answer(pcma)
            alice -> pbx          ACK
            media alice hears bob
            {DOWN}"
        ));
    }
}

/// We start it only where the caller requires it, whatever the callee does.
#[test]
fn the_caller_requires_it() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180 header=Require:100rel header=RSeq:1
        wait 500ms
        alice <- pbx          180 resend
        wait 1s
        alice <- pbx          180 resend
        alice -> pbx          PRACK
        alice <- pbx          200 PRACK
        wait 10s
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=answer
        alice -> pbx          ACK
        media alice hears bob
        {DOWN}"
    ));
}

#[test]
fn the_caller_only_supports_it() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 header=Supported:100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180 no=RSeq
        alice -> pbx          PRACK header=\"RAck:1 2 INVITE\"
        alice <- pbx          481 PRACK
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// One at a time (RFC 3262 §3).
#[test]
fn the_second_waits_for_the_first() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180 header=RSeq:1
                 pbx <- bob   183 sdp=answer(pcma)
        alice -> pbx          PRACK header=\"RAck:9 2 INVITE\"
        alice <- pbx          481
        alice -> pbx          PRACK
        alice <- pbx          200 PRACK
        alice <- pbx          183 header=RSeq:2 sdp=answer(pcma)
        alice -> pbx          PRACK
        alice <- pbx          200 PRACK
        alice -> pbx          PRACK
        alice <- pbx          481
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
        media alice hears bob
        {DOWN}"
    ));
}

/// The 2xx does not overtake a description (RFC 3262 §3), and the call counts from when it is sent.
#[test]
fn the_answer_waits_for_the_prack() {
    check(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 header=RSeq:1 sdp=answer(pcma)
                 pbx <- bob   200
                 pbx -> bob   ACK
        wait 400ms
        alice -> pbx          PRACK
        alice <- pbx          200 PRACK
        alice <- pbx          200 INVITE sdp=none
        alice -> pbx          ACK
        media alice hears bob
        wait 5s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup answered=yes billable=5s duration=5400ms
        ",
    );
}

/// Without a body nothing is lost by overtaking; a late PRACK is right all the same.
#[test]
fn the_answer_overtakes_the_ringing() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=answer
        alice -> pbx          ACK
        alice -> pbx          PRACK
        alice <- pbx          200
        {DOWN}"
    ));
}

#[test]
fn given_up_while_the_answer_waits() {
    check(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> bob   BYE
        alice -> pbx          ACK
                 pbx <- bob   200 BYE
        record release=caller.cancelled answered=no status=487
        ",
    );
}

#[test]
fn the_callee_leaves_while_the_answer_waits() {
    check(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          480 INVITE
        alice -> pbx          ACK
        record release=callee.hangup answered=no status=480
        ",
    );
}

#[test]
fn never_acknowledged() {
    check(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 31900ms resends
        wait 100ms
        alice <- pbx          504
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=dialog.no_prack status=504 answered=no
        ",
    );
}

/// The INVITE has no offer: the callee's is in its reliable response, the answer in the PRACKs.
#[test]
fn late_offer_in_ringing() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 sdp=none require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none header=Supported:100rel
                 pbx <- bob   183 rseq=1 sdp=offer(pcma,pcmu)
        alice <- pbx          183 sdp=offer(pcma,pcmu) media=pbx header=RSeq:1
        alice -> pbx          PRACK sdp=answer(pcma)
                 pbx -> bob   PRACK sdp=answer(pcma) media=pbx
        alice <- pbx          200 PRACK
                 pbx <- bob   200 PRACK
        media alice hears bob
        media bob hears alice
                 pbx <- bob   200 INVITE sdp=none
                 pbx -> bob   ACK sdp=none
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// Nobody could answer an offer before the 2xx here.
#[test]
fn late_offer_of_a_caller_without_prack() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 sdp=none header=Supported:100rel
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none header=Supported:timer
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   200 sdp=offer(pcma)
        alice <- pbx          200 sdp=offer(pcma)
        alice -> pbx          ACK sdp=answer(pcma)
                 pbx -> bob   ACK sdp=answer(pcma)
        {DOWN}"
    ));
}

#[test]
fn a_late_offer_left_unanswered() {
    check(
        "
        alice -> pbx          INVITE 101 sdp=none require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none
                 pbx <- bob   183 rseq=1 sdp=offer(pcma)
        alice <- pbx          183 sdp=offer(pcma)
        alice -> pbx          PRACK sdp=none
                 pbx -> bob   PRACK sdp=none
        alice <- pbx          200 PRACK
        alice <- pbx          488 INVITE
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 PRACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=media.codec
        ",
    );
}

/// A new offer in the PRACK (RFC 3262 §5): it passes in the PRACK to the callee.
#[test]
fn an_offer_in_prack() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK sdp=offer(pcmu)
                 pbx -> bob   PRACK sdp=offer(pcmu) media=pbx
                 pbx <- bob   200 PRACK
        alice <- pbx          200 PRACK sdp=answer(pcmu) media=pbx
        media alice hears bob
                 pbx <- bob   200 INVITE sdp=none
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
        {DOWN}"
    ));
}

#[test]
fn an_offer_in_prack_that_cannot_pass() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK sdp=offer(pcmu)
        alice <- pbx          488 PRACK
                 pbx <- bob   200 INVITE sdp=answer(pcma)
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// Two phones: what the other one said reliably counts when it answers.
#[test]
fn two_phones_ring_reliably() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
                 pbx -> bob   PRACK
                 pbx <- bob   200 PRACK
                 pbx <- bob2  183 rseq=1 sdp=answer(pcmu)
                 pbx -> bob2  PRACK
                 pbx <- bob2  200 PRACK
                 pbx <- bob2  200 INVITE sdp=none
                 pbx -> bob   CANCEL
                 pbx -> bob2  ACK
        alice <- pbx          200 sdp=answer(pcmu)
        alice -> pbx          ACK
        media alice hears bob2
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}

/// A description cannot be taken back: with two phones the caller gets none before the answer.
#[test]
fn two_phones_and_a_caller_that_requires_it() {
    check(
        "
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=none header=RSeq:1
        alice -> pbx          PRACK
        alice <- pbx          200
                 pbx <- bob2  200 INVITE
                 pbx -> bob   CANCEL
                 pbx -> bob2  ACK
        alice <- pbx          200 sdp=answer
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}
