//! `*43`: the caller hears himself, with real media.

use testkit::ladder::check;

#[test]
fn echo() {
    check(
        "
        alice -> pbx   INVITE *43
        alice <- pbx   100
        alice <- pbx   200 sdp=answer(pcma,telephone-event) media=pbx
        alice -> pbx   ACK
        media alice hears alice
        wait 30s
        alice -> pbx   BYE
        alice <- pbx   200
        record release=caller.hangup dialled=*43 answered=yes billable=30s
        ",
    );
}

/// Without an offer the echo makes one, and takes the answer from the ACK; so it does later.
#[test]
fn echo_makes_the_offer() {
    check(
        "
        alice -> pbx   INVITE *43 sdp=none
        alice <- pbx   100
        alice <- pbx   200 sdp=offer(pcma,pcmu,telephone-event) media=pbx
        alice -> pbx   ACK sdp=answer(pcma)
        media alice hears alice
        alice -> pbx   INVITE sdp=none
        alice <- pbx   100
        alice <- pbx   200 sdp=offer(pcma,pcmu,telephone-event) media=pbx
        alice -> pbx   ACK sdp=answer(pcma)
        media alice hears alice
        alice -> pbx   BYE
        alice <- pbx   200
        record release=caller.hangup dialled=*43 answered=yes
        ",
    );
}

#[test]
fn echo_without_an_answer_is_no_call() {
    check(
        "
        alice -> pbx   INVITE *43 sdp=none
        alice <- pbx   100
        alice <- pbx   200
        alice -> pbx   ACK sdp=none
        alice <- pbx   BYE
        alice -> pbx   200
        record release=media.codec
        ",
    );
}
