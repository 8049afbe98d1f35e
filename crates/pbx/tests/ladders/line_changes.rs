//! What an administrator changes or deletes: a running call is never affected, and a line that moves
//! leaves its old carrier.

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

/// A line that registers elsewhere is not registered until that carrier has granted it; the old one is
/// told that it leaves, and what it said of the way is forgotten. The new Contact outlives the process.
#[test]
fn a_line_that_moves_leaves_its_old_carrier() {
    for change in ["at=telecom2", "proxy=telecom2"] {
        check(&format!(
            r#"
            given line 5678 at=telecom unregistered
            wait 0s
                 pbx -> telecom   REGISTER
                 pbx <- telecom   200 header="Service-Route:<sip:orig@203.0.113.5;lr>"
            event line=registered
            change line 5678 {change}
                 pbx -> telecom   REGISTER header=Expires:0
            event line=registering
            alice -> pbx              INVITE 90138
            alice <- pbx              100
            alice <- pbx              503
            alice -> pbx              ACK
            record release=line.not_registered
                 pbx <- telecom   401
                 pbx -> telecom   REGISTER header=Expires:0 credentials=right
            wait 1s next
                 pbx -> telecom2  REGISTER header=Expires:3600 credentials=none cseq=1
                 pbx <- telecom   200 REGISTER
                 pbx <- telecom2  401 REGISTER
                 pbx -> telecom2  REGISTER credentials=right cseq=2
                 pbx <- telecom2  200
            event line=registered
            kill
            wait 0s
                 pbx -> telecom2  REGISTER cseq=3
                 pbx <- telecom2  200
            alice -> pbx              INVITE 90138
            alice <- pbx              100
                 pbx -> telecom2  INVITE 0138
                 pbx <- telecom2  486
                 pbx -> telecom2  ACK
            alice <- pbx              486
            alice -> pbx              ACK
            record release=callee.busy line=5678
        "#
        ));
    }
}
