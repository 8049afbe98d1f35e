//! UPDATE in both roles (RFC 3311), and requests that only ask whether the session is there.

use testkit::ladder::check;

/// A call that is up between phones that take UPDATE.
const UP: &str = "
        alice -> pbx          INVITE 101 header=Allow:INVITE,UPDATE
        alice <- pbx          100
                 pbx -> bob   INVITE header=Allow:UPDATE
                 pbx <- bob   200 header=Allow:INVITE,UPDATE
                 pbx -> bob   ACK
        alice <- pbx          200 header=Allow:UPDATE
        alice -> pbx          ACK
";

/// The same up to the answer, with early media said reliably on both legs.
const EARLY: &str = "
        alice -> pbx          INVITE 101 require=100rel header=Allow:INVITE,UPDATE
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma) header=Allow:INVITE,UPDATE
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK
                 pbx -> bob   PRACK
        alice <- pbx          200 PRACK
                 pbx <- bob   200 PRACK
";

const ANSWERED: &str = "
                 pbx <- bob   200 INVITE sdp=none
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
";

/// And its usual end.
const DOWN: &str = "
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
";

#[test]
fn hold_by_update() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE direction=sendonly media=pbx header=Contact
                 pbx <- bob   200
        alice <- pbx          200 direction=recvonly media=pbx header=Contact
        wait 5min
                 pbx <- bob   UPDATE sdp=offer(pcmu)
        alice <- pbx          UPDATE sdp=offer(pcmu)
        alice -> pbx          200
                 pbx -> bob   200 sdp=answer(pcmu)
        media alice hears bob
        {DOWN}"
    ));
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE sdp=offer(opus)
                 pbx -> bob   UPDATE sdp=offer(opus)
                 pbx <- bob   488
        alice <- pbx          488
        media alice hears bob
        {DOWN}"
    ));
}

/// A phone without UPDATE gets a re-INVITE, whatever the other one sent.
#[test]
fn towards_a_phone_without_update() {
    check(&format!(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200 header=Allow:INVITE
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   INVITE direction=sendonly
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 UPDATE direction=recvonly
        alice -> pbx          UPDATE sdp=offer(opus)
                 pbx -> bob   INVITE sdp=offer(opus)
                 pbx <- bob   488
                 pbx -> bob   ACK
        alice <- pbx          488 UPDATE
        media alice hears bob
        {DOWN}"
    ));
}

/// Both offer at once: each gets 491 (RFC 3311 §5.2).
#[test]
fn glare() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE
                 pbx <- bob   UPDATE direction=inactive
                 pbx -> bob   491
                 pbx <- bob   491 UPDATE
        alice <- pbx          491
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE
                 pbx <- bob   INVITE
                 pbx -> bob   100
                 pbx -> bob   491
                 pbx <- bob   ACK
                 pbx <- bob   200 UPDATE direction=recvonly
        alice <- pbx          200 direction=recvonly
        {DOWN}"
    ));
}

/// A second offer of the same phone before the answer to its first: 500, to be tried again.
#[test]
fn too_soon() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE
        alice -> pbx          UPDATE direction=inactive
        alice <- pbx          500 header=Retry-After
                 pbx <- bob   200 UPDATE
        alice <- pbx          200
        alice -> pbx          INVITE
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          UPDATE direction=inactive
        alice <- pbx          500 UPDATE
                 pbx <- bob   UPDATE direction=inactive
                 pbx -> bob   491 UPDATE
                 pbx <- bob   200 INVITE
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// The offer in a 2xx awaits its answer in the ACK.
#[test]
fn before_the_ack_of_a_late_offer() {
    check(&format!(
        "
        alice -> pbx          INVITE 101 sdp=none
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none
                 pbx <- bob   200 sdp=offer(pcma) header=Allow:UPDATE
        alice <- pbx          200 sdp=offer(pcma)
        alice -> pbx          UPDATE sdp=offer(pcmu)
        alice <- pbx          491
                 pbx <- bob   UPDATE sdp=offer(pcmu)
                 pbx -> bob   500
        alice -> pbx          ACK sdp=answer(pcma)
                 pbx -> bob   ACK sdp=answer(pcma)
        {DOWN}"
    ));
}

#[test]
fn before_the_answer() {
    check(&format!(
        "{EARLY}
        alice -> pbx          UPDATE sdp=offer(pcmu)
                 pbx -> bob   UPDATE sdp=offer(pcmu)
                 pbx <- bob   200 UPDATE
        alice <- pbx          200 sdp=answer(pcmu)
        media alice hears bob
                 pbx <- bob   UPDATE sdp=offer(pcma)
        alice <- pbx          UPDATE sdp=offer(pcma)
        alice -> pbx          200
                 pbx -> bob   200 sdp=answer(pcma)
        {ANSWERED}
        media bob hears alice
        {DOWN}"
    ));
}

/// Until a description was exchanged reliably there is an offer open (RFC 3311 §5.1).
#[test]
fn before_anything_is_settled() {
    check(&format!(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma) header=Allow:UPDATE
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          UPDATE sdp=offer(pcmu)
        alice <- pbx          500
                 pbx <- bob   UPDATE sdp=offer(pcmu)
                 pbx -> bob   491
                 pbx <- bob   200 INVITE sdp=answer(pcma)
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// An offer in the caller's PRACK, when the phone's own PRACK is through.
#[test]
fn an_offer_in_prack_goes_on_as_update() {
    check(&format!(
        "{EARLY}
                 pbx <- bob   180 rseq=2
        alice <- pbx          180 header=RSeq:2
                 pbx -> bob   PRACK
                 pbx <- bob   200 PRACK
        alice -> pbx          PRACK sdp=offer(pcmu)
                 pbx -> bob   UPDATE sdp=offer(pcmu)
                 pbx <- bob   200 UPDATE
        alice <- pbx          200 PRACK sdp=answer(pcmu)
        {ANSWERED}
        media alice hears bob
        {DOWN}"
    ));
}

/// Without SDP they ask whether the session exists, and go no further.
#[test]
fn keep_alive() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE
        alice <- pbx          200 header=Contact no=Content-Type
                 pbx <- bob   INFO
                 pbx -> bob   200
        alice -> pbx          MESSAGE
        alice <- pbx          200
        {DOWN}
        alice -> pbx          UPDATE
        alice <- pbx          481
                 pbx <- bob   MESSAGE
                 pbx -> bob   481
        "
    ));
}

/// A phone that moved says so by its Contact (RFC 3311 §5.1).
#[test]
fn the_target_follows() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE contact=<sip:elsewhere@10.0.1.100:5060>
        alice <- pbx          200
                 pbx <- bob   UPDATE sdp=offer(pcmu)
        alice <- pbx          UPDATE uri=elsewhere
        alice -> pbx          200
                 pbx -> bob   200
        {DOWN}"
    ));
}

#[test]
fn to_the_echo_test() {
    check(
        "
        alice -> pbx          INVITE *43
        alice <- pbx          100
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          UPDATE sdp=offer(pcmu)
        alice <- pbx          200 sdp=answer(pcmu)
        alice -> pbx          BYE
        alice <- pbx          200
        record release=caller.hangup
        ",
    );
}

#[test]
fn hung_up_while_it_is_open() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice <- pbx          487 UPDATE
        alice -> pbx          200 BYE
                 pbx <- bob   481 UPDATE
        record release=callee.hangup
        "
    ));
}

#[test]
fn the_other_side_is_gone() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE direction=sendonly
                 pbx -> bob   UPDATE
                 pbx <- bob   481
        alice <- pbx          481 UPDATE
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   481
        record release=dialog.peer_vanished
        "
    ));
}

#[test]
fn junk_in_an_update() {
    check(&format!(
        "{UP}
        alice -> pbx          UPDATE body=hello
        alice <- pbx          415
        {DOWN}"
    ));
}

/// Eight requests under way are enough: an offer is one more.
#[test]
fn too_many_requests_under_way() {
    let asked = "
        alice -> pbx          INFO body=\"Signal=5\"
                 pbx -> bob   INFO
    "
    .repeat(8);
    let answered = "
                 pbx <- bob   200 INFO
        alice <- pbx          200 INFO
    "
    .repeat(8);
    check(&format!(
        "{UP}{asked}
        alice -> pbx          UPDATE direction=sendonly
        alice <- pbx          503 UPDATE
        {answered}{DOWN}"
    ));
}

/// A PRACK goes on all the same, without its offer.
#[test]
fn too_many_requests_under_way_before_the_answer() {
    let asked = "
        alice -> pbx          INFO body=\"Signal=5\"
                 pbx -> bob   INFO
    "
    .repeat(8);
    let answered = "
                 pbx <- bob   200 INFO
        alice <- pbx          200 INFO
    "
    .repeat(8);
    check(&format!(
        "
        alice -> pbx          INVITE 101 require=100rel header=Allow:INVITE,UPDATE
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma) header=Allow:INVITE,UPDATE
        alice <- pbx          183 sdp=answer(pcma)
        {asked}
        alice -> pbx          PRACK sdp=offer(pcmu)
                 pbx -> bob   PRACK sdp=none
        alice <- pbx          488 PRACK
                 pbx <- bob   200 PRACK
        {answered}{ANSWERED}{DOWN}"
    ));
}
