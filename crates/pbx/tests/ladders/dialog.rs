//! What changes a running call: hold, re-INVITE, glare, BYE in between (RFC 3261 §14, RFC 3264 §8).

use testkit::ladder::check;

/// A call that is up, for the ladders that start there.
const UP: &str = "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
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
fn hold_and_resume() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE direction=sendonly
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 direction=recvonly
        alice -> pbx          ACK
        wait 5min
        alice -> pbx          INVITE
        alice <- pbx          100
                 pbx -> bob   INVITE direction=sendrecv
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 direction=sendrecv
        alice -> pbx          ACK
        media alice hears bob
        {DOWN}"
    ));
}

#[test]
fn the_callee_changes_the_codec() {
    check(&format!(
        "{UP}
                 pbx <- bob   INVITE sdp=offer(g722,pcma)
                 pbx -> bob   100
        alice <- pbx          INVITE sdp=offer(g722,pcma)
        alice -> pbx          200 sdp=answer(pcma)
        alice <- pbx          ACK
                 pbx -> bob   200 sdp=answer(pcma)
                 pbx <- bob   ACK
        {DOWN}"
    ));
}

/// The offer then comes in the 2xx and the answer in the ACK (RFC 3261 §14.1).
#[test]
fn re_invite_without_offer() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE sdp=none
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none
                 pbx <- bob   200 sdp=offer(pcmu,pcma)
        alice <- pbx          200 sdp=offer(pcmu,pcma)
        alice -> pbx          ACK sdp=answer(pcmu)
                 pbx -> bob   ACK sdp=answer(pcmu)
        media bob hears alice
        {DOWN}"
    ));
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE sdp=offer(opus)
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=offer(opus)
                 pbx <- bob   488
                 pbx -> bob   ACK
        alice <- pbx          488
        alice -> pbx          ACK
        media alice hears bob
        {DOWN}"
    ));
}

/// Both sides change the call at once (RFC 3261 §14.2).
#[test]
fn glare() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   INVITE
                 pbx -> bob   491
                 pbx <- bob   ACK
                 pbx <- bob   491
                 pbx -> bob   ACK
        alice <- pbx          491
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// Theirs came while the other one waits for us to answer ours (RFC 3261 §14.2).
#[test]
fn a_second_change_before_the_first_is_answered() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE lost
        alice -> pbx          INVITE direction=inactive
        alice <- pbx          500 header=Retry-After
        alice -> pbx          ACK
        wait 500ms
                 pbx -> bob   INVITE resend
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK cseq=3
        {DOWN}"
    ));
}

#[test]
fn bye_while_a_change_is_open() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        alice <- pbx          487 INVITE
                 pbx -> bob   BYE
        alice -> pbx          ACK
                 pbx <- bob   200 BYE
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.hangup
        "
    ));
}

#[test]
fn the_other_side_hangs_up_during_a_change() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          487 INVITE
        alice <- pbx          BYE
        alice -> pbx          ACK
        alice -> pbx          200 BYE
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=callee.hangup
        "
    ));
}

/// The INVITE of a call may have no offer at all.
#[test]
fn late_offer() {
    check(
        "
        alice -> pbx          INVITE 101 sdp=none
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=none
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   200 sdp=offer(pcma,pcmu)
        alice <- pbx          200 sdp=offer(pcma,pcmu) media=pbx
        alice -> pbx          ACK sdp=answer(pcma)
                 pbx -> bob   ACK sdp=answer(pcma) media=pbx
        media alice hears bob
        media bob hears alice
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup codec=pcma
        ",
    );
}

#[test]
fn early_media() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma) media=pbx
        media alice hears bob
                 pbx <- bob   200 sdp=answer(pcma)
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=answer(pcma)
        alice -> pbx          ACK
        media alice hears bob
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        ",
    );
}

#[test]
fn info_and_message_travel_within_the_call() {
    check(&format!(
        "{UP}
        alice -> pbx          INFO body=\"Signal=5\"
                 pbx -> bob   INFO body=\"Signal=5\"
                 pbx <- bob   200
        alice <- pbx          200
                 pbx <- bob   MESSAGE body=hello
        alice <- pbx          MESSAGE body=hello
        alice -> pbx          415
                 pbx -> bob   415
        alice -> pbx          OPTIONS
        alice <- pbx          200
        alice -> pbx          SUBSCRIBE
        alice <- pbx          405 header=Allow
        {DOWN}"
    ));
}

/// The answer to a re-INVITE crosses the BYE: it is acknowledged all the same (RFC 3261 §13.2.2.4).
#[test]
fn re_invite_answered_after_the_bye() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        alice <- pbx          487 INVITE
                 pbx -> bob   BYE
        alice -> pbx          ACK
                 pbx <- bob   200 INVITE
                 pbx -> bob   ACK
                 pbx <- bob   200 BYE
        record release=caller.hangup
        "
    ));
}

/// A re-INVITE can be given up too (RFC 3261 §9.1).
#[test]
fn re_invite_cancelled() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
        alice -> pbx          ACK
                 pbx <- bob   180
                 pbx -> bob   CANCEL
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        {DOWN}"
    ));
}

/// Digits while it rings, or to early media: they pass as they do later.
#[test]
fn info_before_the_answer() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          INFO body=\"Signal=5\"
                 pbx -> bob   INFO body=\"Signal=5\"
                 pbx <- bob   200 INFO
        alice <- pbx          200 INFO
                 pbx <- bob   486 INVITE
                 pbx -> bob   ACK
        alice <- pbx          486 INVITE
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}
