//! Transfer (RFC 3515) to who is not simply there: an extension that forwards, a number outside.

use testkit::ladder::check;

/// A call that is up.
const UP: &str = "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
";

/// Alice refers bob to 102, which is told to her.
const REFERRED: &str = "
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY body=\"SIP/2.0 100\"
";

/// Dave answers: bob and he talk.
const TALK: &str = "
                 pbx <- dave  200 sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> dave  ACK sdp=answer
";

/// Who transfers is free again, and the two go on.
const DONE: &str = "
        alice <- pbx          NOTIFY body=\"SIP/2.0 200\" header=Subscription-State:terminated
        alice <- pbx          BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        media bob hears dave
        media dave hears bob
";

/// Bob ends it.
const OVER: &str = "
                 pbx <- bob   BYE
                 pbx -> bob   200
                 pbx -> dave  BYE
                 pbx <- dave  200
";

#[test]
fn to_who_always_forwards() {
    check(&format!(
        "
        given dave
        given 102 forward-always=103
        {UP}{REFERRED}
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\" header=Subscription-State:active
                 pbx -> dave  INVITE from=101 sdp=none header=Referred-By:<sip:100@ header=Diversion:<sip:102@10.0.0.1>;reason=unconditional
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
                 pbx <- dave  180
        alice <- pbx          NOTIFY body=\"SIP/2.0 180\"
        alice -> pbx          200 NOTIFY
        {TALK}{DONE}
        record release=callee.forwarded_always status=302 caller=101 callee=102 answered=no linked=yes
        record release=caller.transferred callee=101
        {OVER}
        record release=caller.hangup caller=101 dialled=103 callee=103 linked=yes
        record none
        "
    ));
}

#[test]
fn to_who_forwards_when_busy() {
    check(&format!(
        "
        given carol
        given dave
        given 102 forward-busy=103
        {UP}{REFERRED}
                 pbx -> carol INVITE from=101
        alice -> pbx          200 NOTIFY
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\"
                 pbx -> dave  INVITE from=101 header=Diversion:user-busy
        alice -> pbx          200 NOTIFY
        {TALK}{DONE}
        record release=callee.forwarded_busy callee=102
        record release=caller.transferred callee=101
        {OVER}
        record release=caller.hangup caller=101 callee=103 linked=yes
        "
    ));
}

/// Her phone rings for its time first; she who transfers may have left by then.
#[test]
fn to_who_forwards_when_nobody_answers() {
    check(&format!(
        "
        given carol
        given dave
        given 102 forward-no-answer=103 ring=15
        {UP}{REFERRED}
                 pbx -> carol INVITE from=101
        alice -> pbx          200 NOTIFY
                 pbx <- carol 180
        alice <- pbx          NOTIFY body=\"SIP/2.0 180\"
        alice -> pbx          200 NOTIFY
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        record release=caller.transferred
        wait 15s
                 pbx -> carol CANCEL
                 pbx -> dave  INVITE from=101 header=Diversion:no-answer
                 pbx <- carol 200 CANCEL
                 pbx <- carol 487 INVITE
                 pbx -> carol ACK
        {TALK}
        media bob hears dave
        record release=callee.forwarded_no_answer linked=yes
        {OVER}
        record release=caller.hangup caller=101 callee=103 linked=yes
        record none
        "
    ));
}

/// Who forwards does it by her phone's 3xx.
#[test]
fn to_a_phone_that_redirects() {
    check(&format!(
        "
        given carol
        given dave
        {UP}{REFERRED}
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 302 header=Contact:<sip:103@10.0.0.1>
                 pbx -> carol ACK
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\"
                 pbx -> dave  INVITE header=Diversion:deflection
        alice -> pbx          200 NOTIFY
        {TALK}{DONE}
        record release=callee.forwarded
        record release=caller.transferred
        {OVER}
        "
    ));
}

/// Nobody takes it there either: who transferred still has the call, and is told why.
#[test]
fn to_where_nobody_wants_it() {
    check(&format!(
        "
        given dave
        given 102 forward-always=103
        {UP}{REFERRED}
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\"
                 pbx -> dave  INVITE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
                 pbx <- dave  486
                 pbx -> dave  ACK
        alice <- pbx          NOTIFY body=\"SIP/2.0 486\" header=Subscription-State:terminated
        alice -> pbx          200 NOTIFY
        record release=callee.forwarded_always linked=yes
        record release=callee.busy callee=103 linked=yes
        media alice hears bob
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        record none
        "
    ));
}

/// Two who forward to each other: the transfer fails, and nothing else.
#[test]
fn to_a_loop() {
    check(&format!(
        "
        given 102 forward-always=103
        given 103 forward-always=102
        {UP}{REFERRED}
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\"
        alice <- pbx          NOTIFY body=\"SIP/2.0 482\" header=Subscription-State:terminated
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
        record release=callee.forwarded_always
        record release=loop.detected
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        "
    ));
}

/// The transferee hangs up while the second phone rings.
#[test]
fn the_transferee_hangs_up_meanwhile() {
    check(&format!(
        "
        given dave
        given 102 forward-always=103
        {UP}{REFERRED}
        alice <- pbx          NOTIFY body=\"SIP/2.0 181\"
                 pbx -> dave  INVITE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
                 pbx <- dave  180
        alice <- pbx          NOTIFY
        alice -> pbx          200 NOTIFY
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
                 pbx -> dave  CANCEL
        alice -> pbx          200 BYE
                 pbx <- dave  200 CANCEL
                 pbx <- dave  487 INVITE
                 pbx -> dave  ACK
        record release=callee.forwarded_always
        record release=caller.cancelled
        record release=callee.hangup
        "
    ));
}

/// Attended, with the second call forwarded and answered before it.
#[test]
fn attended_to_who_was_forwarded() {
    check(&format!(
        "
        given dave
        given 102 forward-always=103
        {UP}
        alice -> pbx          INVITE 102
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> dave  INVITE
                 pbx <- dave  200
                 pbx -> dave  ACK
        alice <- pbx          200
        alice -> pbx          ACK
        record release=callee.forwarded_always
        alice -> pbx          REFER replaces=2 call=1
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> dave  INVITE sdp=none
        alice -> pbx          200 NOTIFY
        {TALK}
        alice <- pbx          BYE
        alice <- pbx          NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx          BYE
        alice -> pbx          200 BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        media bob hears dave
        record release=caller.transferred callee=103
        record release=caller.transferred callee=101
        {OVER}
        record release=caller.hangup caller=101 callee=103 linked=yes
        "
    ));
}

/// … or while it rings: it goes to where it rings, with the rights of who sent it there.
#[test]
fn attended_while_the_forwarded_call_rings() {
    check(&format!(
        "
        given dave
        given 102 forward-always=103
        {UP}
        alice -> pbx          INVITE 102
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> dave  INVITE
                 pbx <- dave  180
        alice <- pbx          180
        record release=callee.forwarded_always
        alice -> pbx          REFER replaces=2 call=1
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> dave  INVITE from=101 sdp=none header=Diversion:<sip:102@
        alice -> pbx          200 NOTIFY
        alice -> pbx          CANCEL call=2
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> dave  CANCEL
        alice -> pbx          ACK call=2
                 pbx <- dave  200 CANCEL
                 pbx <- dave  200 INVITE sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- dave  487 INVITE
                 pbx -> dave  ACK
        record release=caller.cancelled callee=103
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> dave  ACK sdp=answer
        alice <- pbx          NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx          BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        record release=caller.transferred callee=101
        {OVER}
        record release=caller.hangup caller=101 dialled=103 callee=103 linked=yes
        "
    ));
}

/// A number outside goes by the rules of who transfers; the carrier's challenge is answered.
#[test]
fn to_a_number_outside_by_a_line() {
    check(&format!(
        "
        given line 5678 at=telecom
        {UP}
        alice -> pbx             REFER header=Refer-To:<sip:90138@10.0.0.1>
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> telecom  INVITE 0138 from=5678 sdp=offer(pcma,pcmu,telephone-event) media=pbx no=Referred-By
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  407
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 credentials=right call-id=same sdp=offer
                 pbx <- telecom  180
        alice <- pbx             NOTIFY body=\"SIP/2.0 180\"
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE sdp=offer(pcma) media=pbx
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx             BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        media bob hears telecom
        record release=caller.transferred
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup caller=101 dialled=90138 sent=0138 line=5678 linked=yes
        "
    ));
}

/// A trunk is shown who calls: the transferee.
#[test]
fn to_another_office_by_a_trunk() {
    check(&format!(
        "
        given trunk 1 at=branch prefix=2
        {UP}
        alice -> pbx             REFER header=Refer-To:<sip:200@10.0.0.1>
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> branch   INVITE 200 from=101 name=bob sdp=offer
        alice -> pbx             200 NOTIFY
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             NOTIFY body=\"SIP/2.0 486\"
        alice -> pbx             200 NOTIFY
        record release=callee.busy caller=101 sent=200 trunk=1 linked=yes
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> bob      BYE
                 pbx <- bob      200
        "
    ));
}

/// A call that came by a line is transferred to who forwards outside, by another line.
#[test]
fn what_came_by_a_line_leaves_by_another() {
    check(
        "
        given line 5678 at=telecom owner=101
        given line 1234 at=unicom owner=102
        given 102 forward-always=90138
        telecom -> pbx           INVITE 5678 from=0755 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200
        telecom -> pbx           ACK
                 pbx <- bob      REFER header=Refer-To:<sip:102@10.0.0.1>
                 pbx -> bob      202
                 pbx -> bob      NOTIFY
                 pbx -> bob      NOTIFY body=\"SIP/2.0 181\"
                 pbx -> unicom   INVITE 0138 from=1234 header=Diversion:<sip:1234@
                 pbx <- bob      200 NOTIFY
                 pbx <- bob      200 NOTIFY
                 pbx <- unicom   200 sdp=answer(pcma)
                 pbx -> unicom   ACK sdp=none
        telecom <- pbx           INVITE sdp=offer(pcma)
        telecom -> pbx           200
        telecom <- pbx           ACK
                 pbx -> bob      NOTIFY body=\"SIP/2.0 200\"
                 pbx -> bob      BYE
                 pbx <- bob      200 NOTIFY
                 pbx <- bob      200 BYE
        media telecom hears unicom
        record release=callee.forwarded_always
        record release=callee.transferred line=5678
        telecom -> pbx           BYE
        telecom <- pbx           200
                 pbx -> unicom   BYE
                 pbx <- unicom   200
        record release=caller.hangup caller=0755 line=1234
        ",
    );
}
