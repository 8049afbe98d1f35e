//! Feature codes that an administrator chose: they do what the usual ones did, and those do nothing.

use testkit::ladder::check;

#[test]
fn a_changed_code_works_and_the_usual_one_does_not() {
    check(
        "
        given feature echo code=8800
        alice -> pbx   INVITE 8800
        alice <- pbx   100
        alice <- pbx   200 sdp=answer(pcma,telephone-event) media=pbx
        alice -> pbx   ACK
        media alice hears alice
        alice -> pbx   BYE
        alice <- pbx   200
        record release=caller.hangup dialled=8800 answered=yes
        alice -> pbx   INVITE *43
        alice <- pbx   100
        alice <- pbx   404
        alice -> pbx   ACK
        record release=feature.unknown dialled=*43
        ",
    );
}

/// The number follows the code, whatever its length.
#[test]
fn a_changed_code_takes_the_number_that_follows() {
    check(
        "
        given feature forward-always code=*1
        given 101 may-forward=always
        given carol
        bob -> pbx            INVITE *1102
        bob <- pbx            100
        bob <- pbx            200
        bob -> pbx            ACK
        wait 1s
        bob <- pbx            BYE header=Reason:always header=Reason:102
        bob -> pbx            200
        record release=feature.done dialled=*1102
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> carol INVITE
        record release=callee.forwarded_always callee=101
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        bob -> pbx            INVITE *93*102
        bob <- pbx            100
        bob <- pbx            404
        bob -> pbx            ACK
        ",
    );
}

#[test]
fn a_code_that_is_off_does_nothing() {
    check(
        "
        given feature do-not-disturb code=off
        alice -> pbx   INVITE *78
        alice <- pbx   100
        alice <- pbx   404
        alice -> pbx   ACK
        record release=feature.unknown dialled=*78
        ",
    );
}
