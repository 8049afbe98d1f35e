//! Calls that the server places for somebody (third party call control, RFC 3725 flow IV), and sides
//! of a call that somebody sends elsewhere.

use testkit::ladder::check;

/// 100 has answered, 101 rings.
const RINGING: &str = "
        place 100 101
        alice <- pbx          INVITE from=101 sdp=offer(pcma,pcmu,telephone-event) media=pbx
        alice -> pbx          180
        alice -> pbx          200 sdp=answer(pcma,pcmu)
        alice <- pbx          ACK sdp=none
                 pbx -> bob   INVITE from=100 sdp=none
                 pbx <- bob   180
";

#[test]
fn both_talk() {
    check(&format!(
        "{RINGING}
        wait 3s
                 pbx <- bob   200 sdp=offer(pcma)
        alice <- pbx          INVITE sdp=offer(pcma) media=pbx
        alice -> pbx          200
        alice <- pbx          ACK
                 pbx -> bob   ACK sdp=answer media=pbx
        media alice hears bob
        record release=system.joined by=system caller=101 extension=none dialled=100 callee=100 answered=yes ringing=yes fci=callTag=system.joined;cause=16;placedBy=api:test
        wait 10s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup caller=100 extension=100 dialled=101 callee=101 direction=internal linked=yes billable=10s fci=callTag=caller.hangup;cause=16;placedBy=api:test
        "
    ));
}

/// Who was called first hears that the second party is alerted, in the codec it speaks, and no more
/// than that.
#[test]
fn the_first_party_hears_ringing() {
    check(
        "
        place 100 101
        alice <- pbx          INVITE sdp=offer(pcma,pcmu,telephone-event)
        alice -> pbx          200 sdp=answer(pcmu)
        alice <- pbx          ACK
                 pbx -> bob   INVITE
        media alice hears nobody
                 pbx <- bob   180
        media alice hears ringing
        wait 1s
                 pbx <- bob   180
        media alice hears ringing
                 pbx <- bob   200 sdp=offer(pcmu)
        alice <- pbx          INVITE
        alice -> pbx          200
        alice <- pbx          ACK
                 pbx -> bob   ACK
        media alice hears bob
        record release=system.joined
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup
        ",
    );
    // Neither on hold nor in a codec that is not ours.
    for answer in ["answer(pcma) direction=sendonly", "answer(opus)"] {
        check(&format!(
            "
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          200 sdp={answer}
        alice <- pbx          ACK
                 pbx -> bob   INVITE
                 pbx <- bob   180
        media alice hears nobody
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   CANCEL
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled
        record release=callee.hangup
            "
        ));
    }
}

/// Of the first party's phones the one that answers is taken.
#[test]
fn the_first_party_has_two_phones() {
    check(
        "
        place 101 100 answers-itself
        bob <- pbx            INVITE header=Call-Info:<sip:localhost>;answer-after=0
        bob2 <- pbx           INVITE header=Alert-Info:<http://localhost>;info=alert-autoanswer
        bob -> pbx            180
        bob2 -> pbx           200
        bob2 <- pbx           ACK
        bob <- pbx            CANCEL header=Reason:SIP;cause=200
                 pbx -> alice INVITE
        bob -> pbx            200 CANCEL
        bob -> pbx            487 INVITE
        bob <- pbx            ACK
                 pbx <- alice 200
        bob2 <- pbx           INVITE
        bob2 -> pbx           200
        bob2 <- pbx           ACK
                 pbx -> alice ACK
        media alice hears bob2
        record release=system.joined
                 pbx <- alice BYE
                 pbx -> alice 200
        bob2 <- pbx           BYE
        bob2 -> pbx           200
        record release=callee.hangup caller=101
        ",
    );
}

/// The first party does not answer, is busy, or has no phone: the second one is never called.
#[test]
fn the_first_party_is_not_there() {
    check(
        "
        given setting no_answer_s=20
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          180
        wait 20s
        alice <- pbx          CANCEL
        alice -> pbx          200 CANCEL
        alice -> pbx          487 INVITE
        alice <- pbx          ACK
        record release=callee.no_answer status=480 callee=100 answered=no
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          486
        alice <- pbx          ACK
        record release=callee.busy callee=100
        place 103 101
        record release=callee.not_registered callee=103
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          302 header=Contact:<sip:102@10.0.0.1>
        alice <- pbx          ACK
        record release=callee.rejected
        ",
    );
}

/// The second party refuses: the first one is released, and the verdict says why.
#[test]
fn the_second_party_refuses() {
    check(&format!(
        "{RINGING}
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          BYE header=Reason:Q.850;cause=17
        alice -> pbx          200
        record release=callee.busy caller=100 callee=101 status=486 linked=yes
        record release=system.not_joined cause=17 facts=not-joined guilty=callee says=\"The second party 101 was not reached. The called party was busy.\" zh=\"第二方101未接通。被叫忙。\"
        "
    ));
}

/// There is no such second party.
#[test]
fn the_second_number_leads_nowhere() {
    for (number, release) in [("8888", "route.no_match"), ("*43", "caller.forbidden")] {
        check(&format!(
            "
        place 100 {number}
        alice <- pbx          INVITE
        alice -> pbx          200
        alice <- pbx          ACK
        alice <- pbx          BYE
        alice -> pbx          200
        record release={release} caller=100
        record release=system.not_joined
            "
        ));
    }
}

/// What the second party offers suits the first one's phone in nothing.
#[test]
fn they_have_no_codec_in_common() {
    check(&format!(
        "{RINGING}
                 pbx <- bob   200 sdp=offer(pcma)
        alice <- pbx          INVITE
        alice -> pbx          488
        alice <- pbx          ACK
                 pbx -> bob   ACK
                 pbx -> bob   BYE
        alice <- pbx          BYE
                 pbx <- bob   200 BYE
        alice -> pbx          200 BYE
        record release=media.codec
        record release=system.not_joined
        "
    ));
}

/// The first party hangs up while the second one rings.
#[test]
fn the_first_party_leaves() {
    check(&format!(
        "{RINGING}
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   CANCEL
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled caller=100 callee=101
        record release=callee.hangup callee=100
        "
    ));
}

/// The first party hangs up while it is asked for its answer.
#[test]
fn the_first_party_leaves_at_the_last_moment() {
    check(&format!(
        "{RINGING}
                 pbx <- bob   200
        alice <- pbx          INVITE
        alice -> pbx          BYE
        alice <- pbx          200 BYE
                 pbx -> bob   ACK
                 pbx -> bob   BYE
        alice -> pbx          487 INVITE
        alice <- pbx          ACK
                 pbx <- bob   200 BYE
        record release=caller.cancelled
        record release=callee.hangup callee=100
        "
    ));
}

/// Whoever ordered it cancels it, by either of its calls.
#[test]
fn it_is_cancelled() {
    check(
        "
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          180
        hangup
        alice <- pbx          CANCEL
        alice -> pbx          200 CANCEL
        alice -> pbx          487 INVITE
        alice <- pbx          ACK
        record release=admin.hangup by=admin answered=no
        ",
    );
    check(&format!(
        "{RINGING}
        hangup first
        alice <- pbx          BYE
                 pbx -> bob   CANCEL
        alice -> pbx          200 BYE
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=caller.cancelled
        record release=admin.hangup by=admin
        "
    ));
    check(&format!(
        "{RINGING}
        hangup
                 pbx -> bob   CANCEL
        alice <- pbx          BYE
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        alice -> pbx          200 BYE
        record release=admin.hangup
        record release=system.not_joined
        "
    ));
}

/// A call that was placed counts for both, until it ends.
#[test]
fn it_counts_for_both() {
    check(&format!(
        "
        given 100 calls=1
        {RINGING}
                 pbx <- bob   200
        alice <- pbx          INVITE
        alice -> pbx          200
        alice <- pbx          ACK
                 pbx -> bob   ACK
        record release=system.joined
        place 100 101
        record release=callee.limit callee=100
        carol -> pbx          INVITE 100
        carol <- pbx          100
        carol <- pbx          486
        carol -> pbx          ACK
        record release=callee.limit
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        place 100 101
        alice <- pbx          INVITE
        alice -> pbx          486
        alice <- pbx          ACK
        record release=callee.busy
        "
    ));
}

/// Both are outside: the rights are those of an extension, and each is shown what the order says.
#[test]
fn both_are_outside() {
    check(
        "
        given line 5678 at=telecom
        place 90138 90139 by=100 shown-to-second=7
        telecom <- pbx           INVITE 0138 sdp=offer(pcma,pcmu,telephone-event) media=pbx
        telecom -> pbx           200 sdp=answer(pcma)
        telecom <- pbx           ACK
        telecom <- pbx           INVITE 0139 sdp=offer(pcma,pcmu,telephone-event) media=pbx
        telecom -> pbx           200 sdp=answer(pcma)
        telecom <- pbx           ACK
        telecom <- pbx           INVITE sdp=offer(pcma) media=pbx
        telecom -> pbx           200
        telecom <- pbx           ACK
        record release=system.joined direction=outgoing line=5678
        hangup
        telecom <- pbx           BYE
        telecom <- pbx           BYE
        telecom -> pbx           200 call=1
        telecom -> pbx           200 call=2
        record release=admin.hangup direction=outgoing line=5678 caller=7
        ",
    );
}

/// The process dies while the second party rings: the first one is told, and both calls have records.
#[test]
fn the_process_dies() {
    check(&format!(
        "{RINGING}
        kill
        alice <- pbx          BYE
        alice -> pbx          200
        record release=system.crash
        record release=system.crash
                 pbx <- bob   487 INVITE
        "
    ));
}

/// Alice and bob talk.
const UP: &str = "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
";

/// Alice is sent to carol; bob is released once she has answered.
#[test]
fn the_caller_is_sent_on() {
    check(&format!(
        "{UP}
        transfer caller 102
                 pbx -> carol INVITE from=100
                 pbx <- carol 200
        alice <- pbx          INVITE
        alice -> pbx          200
        alice <- pbx          ACK
                 pbx -> carol ACK
                 pbx -> bob   BYE
                 pbx <- bob   200
        media alice hears carol
        record release=callee.transferred by=admin
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=100 callee=102 linked=yes
        "
    ));
}

/// Bob is sent to carol, who refuses: nothing has happened.
#[test]
fn the_callee_is_sent_on_in_vain() {
    check(&format!(
        "{UP}
        transfer callee 102
                 pbx -> carol INVITE from=101
                 pbx <- carol 486
                 pbx -> carol ACK
        record release=callee.busy caller=101 callee=102 linked=yes
        media alice hears bob
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        "
    ));
}

/// One transfer at a time; after one that came to nothing there may be another. Who is alone is not transferred, and
/// what nobody knows neither.
#[test]
fn whoever_orders_is_told_what_comes_of_it() {
    check(&format!(
        "{UP}
        transfer callee 102
                 pbx -> carol INVITE from=101
        event ordered=done
        transfer caller 102
        event ordered=transferring
                 pbx <- carol 486
                 pbx -> carol ACK
        record release=callee.busy caller=101 callee=102 linked=yes
        transfer caller 102
                 pbx -> carol INVITE from=100
        event ordered=done
                 pbx <- carol 486
                 pbx -> carol ACK
        record release=callee.busy caller=100 callee=102 linked=yes
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
        "
    ));
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        transfer caller 102
        event ordered=not-talking
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        place 100 101 by=999
        event ordered=no-rights
        ",
    );
}
