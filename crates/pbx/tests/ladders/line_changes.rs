//! A running call is never affected by what an administrator changes or deletes.

use testkit::ladder::check;

#[test]
fn a_call_goes_on_whatever_becomes_of_its_line() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        change line 5678 out=0 in=0 no-answer=15 caller=0755
        wait 60s
        media alice hears telecom
        change line 5678 deleted
                 pbx -> telecom  REGISTER header=Expires:0
                 pbx <- telecom  200
        event line=gone
        wait 60s
        media alice hears telecom
        telecom -> pbx           BYE
        telecom <- pbx           200
                 pbx -> alice    BYE
                 pbx <- alice    200
        record release=callee.hangup line=5678
    "#,
    );
}

#[test]
fn a_call_goes_on_whatever_becomes_of_its_trunk() {
    check(
        r#"
        given trunk 1 at=branch prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   200
                 pbx -> branch   ACK
        alice <- pbx             200
        alice -> pbx             ACK
        change trunk 1 deleted
        wait 60s
        media alice hears branch
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> branch   BYE
                 pbx <- branch   200
        record release=caller.hangup trunk=1
    "#,
    );
}
