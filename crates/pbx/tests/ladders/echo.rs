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
