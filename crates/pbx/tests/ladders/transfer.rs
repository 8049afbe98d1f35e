//! Transfer (RFC 3515, 3891, 3892, 4488) from either side, and INVITE with Replaces.

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

/// Its usual end.
const DOWN: &str = "
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
";

/// Bob sends alice on to carol.
#[test]
fn blind_by_the_callee() {
    check(&format!(
        "
        given carol
        {UP}
                 pbx <- bob   REFER header=Refer-To:<sip:102@10.0.0.1>
                 pbx -> bob   202 header=Contact
                 pbx -> bob   NOTIFY header=Subscription-State:active header=Event:refer body=\"SIP/2.0 100\" header=Contact
                 pbx -> carol INVITE from=100 to=102 sdp=none header=Referred-By:<sip:101@
                 pbx <- bob   200 NOTIFY
                 pbx <- carol 180
                 pbx -> bob   NOTIFY body=\"SIP/2.0 180\"
                 pbx <- bob   200 NOTIFY
                 pbx <- carol 200 sdp=offer(pcma)
        alice <- pbx          INVITE sdp=offer(pcma) media=pbx
        alice -> pbx          200 sdp=answer(pcma)
        alice <- pbx          ACK
                 pbx -> carol ACK sdp=answer(pcma) media=pbx
                 pbx -> bob   NOTIFY body=\"SIP/2.0 200\" header=Subscription-State:terminated
                 pbx -> bob   BYE
                 pbx <- bob   200 NOTIFY
                 pbx <- bob   200 BYE
        media alice hears carol
        media carol hears alice
        record release=callee.transferred callee=101 linked=no
        wait 10s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=100 dialled=102 callee=102 linked=yes billable=10s
        record none
        "
    ));
}

/// Alice sends bob on to carol; bob is the caller of the new call.
#[test]
fn blind_by_the_caller() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE from=101 name=bob
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK sdp=answer
        alice <- pbx          NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx          BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        media bob hears carol
        record release=caller.transferred
                 pbx <- carol BYE
                 pbx -> carol 200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=callee.hangup caller=101 callee=102 linked=yes
        "
    ));
}

/// The target does not want: the call is as it was.
#[test]
fn a_failed_transfer_changes_nothing() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          NOTIFY body=\"SIP/2.0 486\" header=Subscription-State:terminated
        alice -> pbx          200 NOTIFY
        record release=callee.busy caller=101 linked=yes answered=no
        media alice hears bob
        alice -> pbx          REFER header=Refer-To:<sip:777@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY body=\"SIP/2.0 100\"
        alice <- pbx          NOTIFY body=\"SIP/2.0 404\"
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
        record release=route.no_match
        {DOWN}"
    ));
}

/// The two have no codec in common: the transferee goes back to who transferred it.
#[test]
fn the_transferee_refuses_the_offer() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 sdp=offer(opus)
                 pbx -> bob   INVITE sdp=offer(opus)
                 pbx <- bob   488
                 pbx -> bob   ACK
                 pbx -> carol ACK
                 pbx -> carol BYE
        alice <- pbx          NOTIFY body=\"SIP/2.0 488\"
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 BYE
        record release=media.codec linked=yes
        {DOWN}"
    ));
}

/// Who transfers need not wait for the answer.
#[test]
fn the_transferor_leaves_at_once() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 180
        alice <- pbx          NOTIFY
        alice -> pbx          200 NOTIFY
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        record release=caller.transferred
                 pbx <- carol 200 INVITE sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK sdp=answer
        media bob hears carol
                 pbx <- bob   BYE
                 pbx -> bob   200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=101 linked=yes
        "
    ));
}

#[test]
fn the_transferor_leaves_and_nobody_answers() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
        alice -> pbx          BYE
        alice <- pbx          200 BYE
        record release=caller.transferred
                 pbx <- carol 486
                 pbx -> carol ACK
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=callee.busy
        "
    ));
}

#[test]
fn the_transferee_hangs_up() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 180
        alice <- pbx          NOTIFY
        alice -> pbx          200 NOTIFY
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
                 pbx -> carol CANCEL
        alice -> pbx          200 BYE
                 pbx <- carol 200 CANCEL
                 pbx <- carol 487 INVITE
                 pbx -> carol ACK
        record release=caller.cancelled
        record release=callee.hangup
        "
    ));
}

/// RFC 4488: who does not want to be told is not.
#[test]
fn without_a_subscription() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1> header=Refer-Sub:false
        alice <- pbx          202 header=Refer-Sub:false
                 pbx -> carol INVITE
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK
        alice <- pbx          BYE
        alice -> pbx          200
        record release=caller.transferred
                 pbx <- carol BYE
                 pbx -> carol 200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=callee.hangup
        "
    ));
}

#[test]
fn what_is_refused() {
    check(&format!(
        "{UP}
        alice -> pbx          REFER
        alice <- pbx          400
        alice -> pbx          REFER header=Refer-To:<http://example.com>
        alice <- pbx          403
        alice -> pbx          REFER header=\"Refer-To:<sip:102@h?Route=%3Csip:x%3E>\"
        alice <- pbx          403
        alice -> pbx          REFER header=Refer-To:<sip:102@h;method=BYE>
        alice <- pbx          403
        {DOWN}
        alice -> pbx          REFER header=Refer-To:<sip:102@h>
        alice <- pbx          481
        "
    ));
}

#[test]
fn not_before_the_answer_and_not_from_the_echo_test() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          REFER header=Refer-To:<sip:102@h>
        alice <- pbx          403 REFER
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486 INVITE
        alice -> pbx          ACK
        alice -> pbx          INVITE *43
        alice <- pbx          100
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          REFER header=Refer-To:<sip:102@h>
        alice <- pbx          403
        alice -> pbx          BYE
        alice <- pbx          200
        record release=callee.busy
        record release=caller.hangup
        ",
    );
}

/// Alice talks to bob, asks carol, and brings them together.
#[test]
fn attended() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE 102
        alice <- pbx          100
                 pbx -> carol INVITE
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 5s
        alice -> pbx          REFER replaces=2 call=1
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE sdp=none
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- bob   200
                 pbx -> bob   ACK
                 pbx -> carol ACK sdp=answer
        alice <- pbx          BYE
        alice <- pbx          NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx          BYE
        alice -> pbx          200 BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        media bob hears carol
        media carol hears bob
        record release=caller.transferred callee=102 billable=5s
        record release=caller.transferred callee=101
                 pbx <- bob   BYE
                 pbx -> bob   200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=101 callee=102 linked=yes
        "
    ));
}

/// The target refuses: both calls are as they were.
#[test]
fn attended_and_refused() {
    check(&format!(
        "{UP}
        alice -> pbx          INVITE 102
        alice <- pbx          100
                 pbx -> carol INVITE
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          REFER replaces=2 call=1
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE sdp=none
        alice -> pbx          200 NOTIFY
                 pbx <- carol 488
                 pbx -> carol ACK
        alice <- pbx          NOTIFY body=\"SIP/2.0 488\"
        alice -> pbx          200 NOTIFY
        record release=media.codec answered=no
        alice -> pbx          BYE call=2
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup callee=102
        alice -> pbx          BYE call=1
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup callee=101
        "
    ));
}

/// Replaces names no dialog of the phone that transfers (RFC 3891 §3).
#[test]
fn a_dialog_that_is_not_there() {
    check(&format!(
        "{UP}
        alice -> pbx          REFER header=\"Refer-To:<sip:102@h?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>\"
        alice <- pbx          202
        alice <- pbx          NOTIFY body=\"SIP/2.0 100\"
        alice <- pbx          NOTIFY body=\"SIP/2.0 481\"
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 NOTIFY
        {DOWN}"
    ));
}

/// Another phone of the same extension takes the call over.
#[test]
fn an_invite_that_replaces() {
    check(
        "
        given bob
        given bob2
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob2  486
                 pbx -> bob2  ACK
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
                 pbx <- bob2  INVITE 100 replaces=bob
                 pbx -> bob2  100
        alice <- pbx          INVITE sdp=offer
        alice -> pbx          200
        alice <- pbx          ACK
                 pbx -> bob2  200 sdp=answer
                 pbx -> bob   BYE
                 pbx <- bob2  ACK
                 pbx <- bob   200
        media alice hears bob2
        record release=callee.transferred
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=callee.hangup
        ",
    );
}

/// Nobody else may.
#[test]
fn an_invite_that_replaces_the_call_of_others() {
    check(&format!(
        "
        given carol
        {UP}
                 pbx <- carol INVITE 100 replaces=bob
                 pbx -> carol 100
                 pbx -> carol 403
                 pbx <- carol ACK
        record release=caller.forbidden
                 pbx <- carol INVITE 100 header=Replaces:x;to-tag=a;from-tag=b
                 pbx -> carol 100
                 pbx -> carol 481
                 pbx <- carol ACK
        record release=caller.replaces_nothing
        {DOWN}"
    ));
}

/// Both calls end at once while the transferee has yet to answer: its late answer is acknowledged
/// all the same.
#[test]
fn both_calls_end_while_the_transferee_is_asked() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
        silence alice
        alice <- pbx          BYE
                 pbx -> carol ACK
                 pbx -> carol BYE
                 pbx -> bob   BYE
        alice -> pbx          200 BYE
                 pbx <- carol 200 BYE
                 pbx <- bob   200 BYE
                 pbx <- bob   200 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled linked=yes
        record release=media.timeout
        "
    ));
}

/// The transferee hangs up while it is asked: nobody is left on the other side of who transfers.
#[test]
fn the_transferee_hangs_up_while_it_is_asked() {
    check(&format!(
        "
        given carol
        {UP}
        alice -> pbx          REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx          202
        alice <- pbx          NOTIFY
                 pbx -> carol INVITE
        alice -> pbx          200 NOTIFY
                 pbx <- carol 200 sdp=offer(pcma)
                 pbx -> bob   INVITE sdp=offer(pcma)
                 pbx <- bob   BYE
                 pbx -> bob   200 BYE
                 pbx -> carol ACK
                 pbx -> carol BYE
        alice <- pbx          NOTIFY body=\"SIP/2.0 487\" header=Subscription-State:terminated
        alice <- pbx          BYE
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
                 pbx <- carol 200 BYE
        alice -> pbx          200 NOTIFY
        alice -> pbx          200 BYE
        record release=caller.cancelled linked=yes
        record release=callee.hangup
        "
    ));
}
