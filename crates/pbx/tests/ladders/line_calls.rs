//! Calls by external lines, out and in (product.md 6, 24).

use testkit::ladder::check;

#[test]
fn out_by_the_prefix_and_the_carriers_challenge_answered() {
    check(
        r#"
        given line 5678 at=telecom uri=user=phone
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=5678 credentials=none header=Supported:100rel sdp=offer
                 pbx <- telecom  407
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 credentials=right call-id=same cseq=2
                 pbx <- telecom  100
                 pbx <- telecom  180
        alice <- pbx             180
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        media alice hears telecom
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup line=5678 direction=outgoing sent=0138 dialled=90138 extension=100
    "#,
    );
}

#[test]
fn credentials_that_are_refused_are_not_sent_again() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  401
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 credentials=right
                 pbx <- telecom  401 challenge="realm=telecom, nonce=n2"
                 pbx -> telecom  ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.auth_failed status=503
    "#,
    );
}

/// Before anybody rings, a carrier that fails is passed over; after that its word is final.
#[test]
fn the_next_line_is_tried_when_a_carrier_fails() {
    check(
        r#"
        given line 1234 at=telecom
        given line 5678 at=unicom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=1234
                 pbx <- telecom  503
                 pbx -> telecom  ACK
                 pbx -> unicom   INVITE 0138 from=5678 call-id=new
                 pbx <- unicom   180
        alice <- pbx             180
                 pbx <- unicom   500
                 pbx -> unicom   ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.failed line=5678
        # The next call begins with the line after the one that was taken last.
        alice -> pbx             INVITE 90139
        alice <- pbx             100
                 pbx -> telecom  INVITE 0139
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=1234
    "#,
    );
}

#[test]
fn a_carrier_that_says_nothing_is_left_after_three_seconds() {
    check(
        r#"
        given line 1234 at=telecom
        given line 5678 at=unicom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 lost
        wait 3s resends
                 pbx -> unicom   INVITE 0138
                 pbx <- unicom   200
                 pbx -> unicom   ACK
        alice <- pbx             200
        alice -> pbx             ACK
        wait 32s resends
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> unicom   BYE
                 pbx <- unicom   200
        record release=caller.hangup line=5678
    "#,
    );
}

/// Source S0: 15 at a line ends a call that nobody answers for 15 s; 0 leaves it to the system.
#[test]
fn the_lines_own_no_answer_time() {
    check(
        r#"
        given line 5678 at=telecom no-answer=15
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  180
        alice <- pbx             180
        wait 15s
        alice <- pbx             480
                 pbx -> telecom  CANCEL
        alice -> pbx             ACK
                 pbx <- telecom  200 CANCEL
                 pbx <- telecom  487 INVITE
                 pbx -> telecom  ACK
        record release=callee.no_answer duration=15s
    "#,
    );
}

#[test]
fn who_calls_is_said_as_the_carrier_wants_it() {
    check(
        r#"
        given line 5678 at=telecom from=account caller=caller identity=pai
        given line 1234 at=unicom caller=4930100 privacy identity=rpid
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> unicom   INVITE 0138 from=anonymous header=Privacy:id header="Remote-Party-ID:<sip:4930100@203.0.113.6>;party=calling;screen=yes;privacy=full"
                 pbx <- unicom   503
                 pbx -> unicom   ACK
                 pbx -> telecom  INVITE 0138 from=5678 no=Privacy header="P-Asserted-Identity:<sip:100@203.0.113.5>"
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             404
        alice -> pbx             ACK
        record release=callee.unknown
    "#,
    );
}

/// Several lines at one carrier: told apart by the Contact, then by the number.
#[test]
fn in_by_contact_by_number_and_by_address() {
    let rest = r#"
        telecom <- pbx           100
                 pbx -> bob      INVITE from=0138
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy line=5679 direction=incoming caller=0138 dialled=5679 callee=101
    "#;
    let call = |line: &str| {
        let given = "given line 5678 at=telecom owner=100\n given line 5679 at=telecom owner=101\n";
        check(&format!("{given}\n telecom -> pbx INVITE {line} from=0138 nocred\n{rest}"));
    };
    call("0 to-line=5679");
    call("5679");
    // The only line of the carrier takes what it cannot name.
    check(
        r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 8888 from=0138 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200
        telecom -> pbx           ACK
        telecom -> pbx           BYE
        telecom <- pbx           200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=caller.hangup line=5678 dialled=5678
    "#,
    );
    // From elsewhere a number is nothing.
    check(
        r#"
        given line 5678 at=telecom owner=101
        given unicom stranger
        unicom -> pbx            INVITE 5678 nocred
        unicom <- pbx            401
        unicom -> pbx            ACK
    "#,
    );
}

#[test]
fn limits_of_a_line_each_way() {
    check(
        r#"
        given line 5678 at=telecom owner=101 in=0 out=1
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
        telecom <- pbx           403
        telecom -> pbx           ACK
        record release=line.takes_none
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  180
        alice <- pbx             180
        carol -> pbx             INVITE 90139
        carol <- pbx             100
        carol <- pbx             503
        carol -> pbx             ACK
        record release=line.all_busy
        event line=5678/full*1
        alice -> pbx             CANCEL
        alice <- pbx             200 CANCEL
        alice <- pbx             487 INVITE
                 pbx -> telecom  CANCEL
        alice -> pbx             ACK
                 pbx <- telecom  200 CANCEL
                 pbx <- telecom  487 INVITE
                 pbx -> telecom  ACK
        record release=caller.cancelled
    "#,
    );
}

/// A line that is full is counted for each call it could not take, whichever way.
#[test]
fn calls_that_a_full_line_could_not_take() {
    check(
        r#"
        given line 5678 at=telecom owner=101 in=1
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      180
        telecom <- pbx           180
        telecom -> pbx           INVITE 5678 nocred
        telecom <- pbx           100
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=line.incoming_busy
        event line=5678/full*1
        hangup
        telecom <- pbx           480
                 pbx -> bob      CANCEL
        telecom -> pbx           ACK call=1
                 pbx <- bob      200 CANCEL
                 pbx <- bob      487 INVITE
                 pbx -> bob      ACK
        record release=admin.hangup
    "#,
    );
}

/// Names, in the order that the carrier is to be offered; what the phone does not have is left out.
#[test]
fn codecs_as_the_line_prefers_them() {
    check(
        r#"
        given line 5678 at=telecom codecs=g729,pcmu,pcma
        alice -> pbx             INVITE 90138 sdp=offer(pcma,opus,pcmu)
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 sdp=offer(pcmu,pcma)
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK
        alice <- pbx             200 sdp=answer(pcma)
        alice -> pbx             ACK
        media alice hears telecom
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup line=5678
    "#,
    );
}
