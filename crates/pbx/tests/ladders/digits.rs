//! Digits in the form each side takes: what `dtmf` of a line or trunk asks for (RFC 4733, INFO).

use testkit::ladder::check;

/// The end of an answered call by the line.
const END: &str = r#"
    alice -> pbx             BYE
    alice <- pbx             200
             pbx -> telecom  BYE
             pbx <- telecom  200
    record release=caller.hangup
"#;

#[test]
fn info_of_a_phone_goes_to_the_carrier_as_events() {
    check(&format!(
        r#"
        given line 5678 at=telecom dtmf=rtp
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu,telephone-event)
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma,pcmu,telephone-event)
        alice -> pbx             ACK
        alice -> pbx             INFO dtmf=5
        alice <- pbx             200
        alice -> pbx             INFO dtmf=#
        alice <- pbx             200
        digits telecom hears 5#
        # Its events, and the carrier's, pass as they are.
        digits alice sends 7
        digits telecom hears 7
        digits telecom sends 8
        digits alice hears 8
        # INFO about something else passes too.
        alice -> pbx             INFO body=other
                 pbx -> telecom  INFO body=other
                 pbx <- telecom  200
        alice <- pbx             200
        {END}
    "#
    ));
}

/// A phone that knows INFO only: events are offered in its stead, and it gets the carrier's as INFO.
#[test]
fn a_phone_without_events_and_a_carrier_without_info() {
    check(&format!(
        r#"
        given line 5678 at=telecom dtmf=rtp
        alice -> pbx             INVITE 90138 sdp=offer(pcma,pcmu)
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu,telephone-event)
                 pbx <- telecom  200 sdp=answer(pcma,telephone-event)
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma)
        alice -> pbx             ACK
        alice -> pbx             INFO dtmf=0
        alice <- pbx             200
        digits telecom hears 0
        digits telecom sends 3
        alice <- pbx             INFO dtmf=3
        digits telecom sends 4
        alice -> pbx             200 INFO
        alice <- pbx             INFO dtmf=4
        alice -> pbx             200 INFO
        digits alice hears none
        {END}
    "#
    ));
}

#[test]
fn events_of_a_phone_go_to_the_carrier_as_info() {
    check(&format!(
        r#"
        given line 5678 at=telecom dtmf=info
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu)
                 pbx <- telecom  407
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu)
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma,telephone-event)
        alice -> pbx             ACK
        digits alice sends 1
                 pbx -> telecom  INFO dtmf=1
                 pbx <- telecom  401 challenge="realm=telecom, nonce=n3"
                 pbx -> telecom  INFO dtmf=1 credentials=right
        # One after the other: requests may overtake each other.
        digits alice sends 2
        digits alice sends 3
                 pbx <- telecom  200 INFO
                 pbx -> telecom  INFO dtmf=2
                 pbx <- telecom  415 INFO
                 pbx -> telecom  INFO dtmf=3
                 pbx <- telecom  200 INFO
        digits telecom hears none
        telecom -> pbx           INFO dtmf=9
        telecom <- pbx           200
        digits alice hears 9
        # INFO from INFO to INFO.
        alice -> pbx             INFO dtmf=4
                 pbx -> telecom  INFO dtmf=4
                 pbx <- telecom  200
        alice <- pbx             200
        {END}
    "#
    ));
}

/// What is said anew keeps its events, and a carrier that has none gets INFO.
#[test]
fn after_a_re_invite_and_with_a_carrier_that_takes_no_events() {
    check(&format!(
        r#"
        given line 5678 at=telecom dtmf=rtp
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu,telephone-event)
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma,telephone-event)
        alice -> pbx             ACK
        digits alice sends 1
                 pbx -> telecom  INFO dtmf=1
                 pbx <- telecom  200
        telecom -> pbx           INVITE sdp=offer(pcma)
        telecom <- pbx           100
        alice <- pbx             INVITE sdp=offer(pcma,telephone-event)
        alice -> pbx             200
        alice <- pbx             ACK
        telecom <- pbx           200 sdp=answer(pcma)
        telecom -> pbx           ACK
        digits alice sends 2
                 pbx -> telecom  INFO dtmf=2
                 pbx <- telecom  200
        {END}
    "#
    ));
}

#[test]
fn an_incoming_call_of_a_carrier_with_info() {
    check(
        r#"
        given line 5678 at=telecom dtmf=info to-extension=101
        telecom -> pbx           INVITE to-line=5678 from=0138
        telecom <- pbx           100
                 pbx -> bob      INVITE sdp=offer(pcma,pcmu,telephone-event)
                 pbx <- bob      180
        telecom <- pbx           180
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200 sdp=answer(pcma,pcmu)
        telecom -> pbx           ACK
        telecom -> pbx           INFO dtmf=6
        telecom <- pbx           200
        digits bob hears 6
        digits bob sends D
        telecom <- pbx           INFO dtmf=D
        telecom -> pbx           481 INFO
        telecom <- pbx           BYE
                 pbx -> bob      BYE
                 pbx <- bob      200
        telecom -> pbx           200 BYE
        record release=dialog.peer_vanished
    "#,
    );
}

/// From one line to another, each in its own form.
#[test]
fn between_two_trunks() {
    check(
        r#"
        given trunk 1 at=branch prefix=2 dtmf=rtp
        given trunk 2 at=telecom prefix=3 dtmf=info
        branch -> pbx            INVITE 300 from=200 nocred
        branch <- pbx            100
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu)
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        branch <- pbx            200 sdp=answer(pcma,pcmu,telephone-event)
        branch -> pbx            ACK
        digits branch sends 5
                 pbx -> telecom  INFO dtmf=5
                 pbx <- telecom  200
        telecom -> pbx           INFO dtmf=6
        telecom <- pbx           200
        digits branch hears 6
        branch -> pbx            BYE
        branch <- pbx            200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup
    "#,
    );
}

/// Without encryption only, and where the line says nothing all passes.
#[test]
fn what_is_left_alone() {
    check(&format!(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138 sdp=offer(pcma)
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma)
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma)
        alice -> pbx             ACK
        alice -> pbx             INFO dtmf=5
                 pbx -> telecom  INFO dtmf=5
                 pbx <- telecom  200
        alice <- pbx             200
        digits telecom hears none
        {END}
    "#
    ));
    check(&format!(
        r#"
        given alice srtp
        given line 5678 at=telecom dtmf=rtp
        alice -> pbx             INVITE 90138 sdp=offer(pcma)
        alice <- pbx             100
                 pbx -> telecom  INVITE sdp=offer(pcma)
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma)
        alice -> pbx             ACK
        alice -> pbx             INFO dtmf=5
                 pbx -> telecom  INFO dtmf=5
                 pbx <- telecom  200
        alice <- pbx             200
        {END}
    "#
    ));
}
