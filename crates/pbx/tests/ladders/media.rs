//! Calls and their media edge: a session that cannot be made, and phones that fall silent.

use testkit::ladder::check;

#[test]
fn the_edge_cannot_make_the_session() {
    check(
        "
        edge fails
        alice -> pbx   INVITE *43
        alice <- pbx   100
        alice <- pbx   200
        alice -> pbx   ACK
        alice <- pbx   BYE
        alice -> pbx   200
        record release=media.failed
        ",
    );
}

#[test]
fn a_silent_phone_ends_the_call() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 60s
        silence bob
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=media.timeout by=system billable=60s
        ",
    );
}
