//! A line that was refused waits its time, whatever becomes of its way meanwhile.

use testkit::ladder::check;

/// Some carriers close the stream with their refusal.
#[test]
fn a_refusal_that_closes_the_stream() {
    check(
        r#"
        given line 5678 at=telecom tcp unregistered
        wait 0s
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=none
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   403
        event trouble=line.rejected
        disconnect telecom
        wait 14min
        wait 2min next
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   503 header=Retry-After:600
        disconnect telecom
        wait 599s
        wait 61s next
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
        event line=registered
    "#,
    );
}

/// The binding stands, and its refresh was refused: the stream is not opened for another before its
/// time.
#[test]
fn a_refused_refresh_that_closes_the_stream() {
    check(
        r#"
        given line 5678 at=telecom tcp
        wait 60min next
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   503 header=Retry-After:120
        event trouble=line.rejected
        disconnect telecom
        wait 119s
        wait 15s next
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
    "#,
    );
}

/// DNS may name other addresses of one carrier each time it is asked.
#[test]
fn a_refusal_by_a_name_whose_addresses_change() {
    check(
        r#"
        given dns telecom.example A telecom
        given line 5678 domain=telecom.example unregistered
        wait 0s
             pbx -> telecom   REGISTER credentials=none
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   403
        event trouble=line.rejected
        dns telecom.example A telecom2
        wait 5min
        dns telecom.example A telecom
        wait 9min
        dns telecom.example A telecom2
        wait 2min next
             pbx -> telecom2  REGISTER credentials=right
             pbx <- telecom2  200
        event line=registered
    "#,
    );
}
