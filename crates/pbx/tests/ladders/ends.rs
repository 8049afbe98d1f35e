//! Ends of calls that are not a BYE from a phone.

use testkit::ladder::check;

/// The peer's Reason wins over ours in the record.
#[test]
fn the_reason_of_the_phone_is_recorded() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   480 reason=\"Q.850;cause=27\"
                 pbx -> bob   ACK
        alice <- pbx          480
        alice -> pbx          ACK
        record status=480 fci=\"callTag=callee.no_answer;cause=27\"
        ",
    );
}
