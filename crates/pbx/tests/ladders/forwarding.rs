//! Forwarding of an extension (呼叫转移): set by codes, and what happens to its calls.

use testkit::ladder::check;

/// The code is answered, shown for a moment, and ended with a Reason that says what was done; the
/// next call obeys it, also after a crash.
#[test]
fn set_by_its_code() {
    check(
        "
        given 101 may-forward=always
        given carol
        bob -> pbx            INVITE *93*102
        bob <- pbx            100
        bob <- pbx            200 sdp=answer(pcma,telephone-event) media=pbx
        bob -> pbx            ACK
        wait 1s
        bob <- pbx            BYE header=Reason:SIP;cause=200 header=Reason:always header=Reason:102
        bob -> pbx            200
        record release=feature.done status=200 answered=yes billable=1s dialled=*93*102
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181 header=Call-Info:username= header=Call-Info:102
                 pbx -> carol INVITE from=100 header=Diversion:<sip:101@10.0.0.1>;reason=unconditional header=History-Info:index=1
        record release=callee.forwarded_always status=302 callee=101 answered=no
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy callee=102 linked=yes
        kill
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> carol INVITE
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        bob -> pbx            INVITE *93#
        bob <- pbx            100
        bob <- pbx            200
        bob -> pbx            ACK
        bob -> pbx            BYE
        bob <- pbx            200
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}

/// Each code sets its own condition, and its `#` form takes that one back.
#[test]
fn each_code_has_its_condition() {
    let refused = "
                     pbx <- bob   486
                     pbx -> bob   ACK";
    let silent = "
                     pbx <- bob   180
            alice <- pbx          180
            wait 15s
            alice <- pbx          181
                     pbx -> bob   CANCEL
                     pbx -> carol INVITE header=Diversion:no-answer
                     pbx <- bob   200 CANCEL
                     pbx <- bob   487 INVITE
                     pbx -> bob   ACK";
    let busy = format!(
        "{refused}
            alice <- pbx          181
                     pbx -> carol INVITE header=Diversion:user-busy"
    );
    for (condition, code, forwarded) in [("busy", "*90", &*busy), ("no-answer", "*92", silent)] {
        let dial = |rest: &str| {
            format!(
                "
            bob -> pbx            INVITE {code}{rest}
            bob <- pbx            100
            bob <- pbx            200
            bob -> pbx            ACK
            bob -> pbx            BYE
            bob <- pbx            200"
            )
        };
        let call = "
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE";
        check(&format!(
            "
            given 101 may-forward={condition} ring=15
            given carol
            {on}{call}{forwarded}
                     pbx <- carol 486
                     pbx -> carol ACK
            alice <- pbx          486
            alice -> pbx          ACK
            {off}{call}{refused}
            alice <- pbx          486
            alice -> pbx          ACK
            ",
            on = dial("*102"),
            off = dial("#"),
        ));
    }
}

/// One of its phones sets it, and then none is there.
#[test]
fn set_by_its_code_for_when_not_registered() {
    check(
        "
        given 101 may-forward=unreachable
        given carol
        bob -> pbx            INVITE *91*102
        bob <- pbx            100
        bob <- pbx            200
        bob -> pbx            ACK
        bob -> pbx            BYE
        bob <- pbx            200
        bob -> pbx            REGISTER expires=0
        bob <- pbx            200
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> carol INVITE header=Diversion:unavailable
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}

/// Who only hears that it was done is not played his own voice, whatever his phone asks meanwhile.
#[test]
fn set_by_a_phone_that_changes_its_media() {
    check(
        "
        given 101 may-forward=always
        bob -> pbx            INVITE *93*102
        bob <- pbx            100
        bob <- pbx            200
        bob -> pbx            ACK
        media bob hears nobody
        bob -> pbx            INVITE
        bob <- pbx            100
        bob <- pbx            200
        bob -> pbx            ACK
        media bob hears nobody
        wait 1s
        bob <- pbx            BYE header=Reason:SIP;cause=200
        bob -> pbx            200
        record release=feature.done
        ",
    );
}

/// What cannot be set is refused, with a status and a Reason in words.
#[test]
fn codes_that_are_refused() {
    #[rustfmt::skip]
    let table = [
        ("*90*102",  403, "feature.denied"),
        ("*93*",     404, "feature.unknown"),
        ("*99",      404, "feature.unknown"),
        ("*93*101",  484, "feature.bad_number"),
        ("*93*77",   484, "feature.bad_number"),
        ("*93**43",  484, "feature.bad_number"),
    ];
    for (code, status, release) in table {
        let reason = match release {
            "feature.unknown" => "",
            _ => "header=Reason:text=",
        };
        check(&format!(
            "
            given 101 may-forward=always
            bob -> pbx   INVITE {code}
            bob <- pbx   100
            bob <- pbx   {status} {reason}
            bob -> pbx   ACK
            record release={release} status={status}
            "
        ));
    }
}

/// Without the right a number that is set does nothing.
#[test]
fn the_right_is_taken_away() {
    check(
        "
        given 101 forward-always=102
        given bob
        change 101 may-forward=busy
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}

#[test]
fn when_busy() {
    check(
        "
        given 101 forward-busy=102
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          181
                 pbx -> carol INVITE header=Diversion:user-busy
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200 sdp=answer media=pbx
        alice -> pbx          ACK
        media alice hears carol
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=callee.forwarded_busy cause=17 status=302
        record release=caller.hangup linked=yes
        ",
    );
}

/// The office knows without asking: the extension has all the calls it may have.
#[test]
fn when_no_call_is_free() {
    check(
        "
        given 101 calls=1 forward-busy=102
        given dave
        bob -> pbx            INVITE 103
        bob <- pbx            100
                 pbx -> dave  INVITE
                 pbx <- dave  180
        bob <- pbx            180
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> carol INVITE header=Diversion:user-busy
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
                 pbx <- dave  486
                 pbx -> dave  ACK
        bob <- pbx            486
        bob -> pbx            ACK
        ",
    );
}

#[test]
fn when_not_registered() {
    check(
        "
        given 101 forward-unreachable=102
        given bob unregistered
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
                 pbx -> carol INVITE header=Diversion:unavailable
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.forwarded_unreachable cause=20
        record release=callee.busy linked=yes
        ",
    );
}

/// Its phone rings as long as the extension says; early media of it is gone with it.
#[test]
fn when_nobody_answers() {
    check(
        "
        given 101 forward-no-answer=102 ring=15
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer
        alice <- pbx          183 sdp=answer
        wait 15s
        alice <- pbx          181
                 pbx -> bob   CANCEL
                 pbx -> carol INVITE header=Diversion:no-answer
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200 sdp=answer media=pbx tag=new
        alice -> pbx          ACK
        media alice hears carol
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=callee.forwarded_no_answer cause=19
        record release=caller.hangup linked=yes
        ",
    );
}

/// Its phone is busy, or sends the caller on itself, after early media: whoever is reached then
/// describes himself in a dialog of his own (RFC 3261 §13.2.1).
#[test]
fn early_media_of_who_then_refuses() {
    for (refusal, release) in [
        ("486", "callee.forwarded_busy cause=17"),
        ("302 header=Contact:<sip:102@127.0.0.1>", "callee.forwarded"),
    ] {
        check(&format!(
            "
        given 101 forward-busy=102
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 sdp=answer
        alice <- pbx          183 sdp=answer
                 pbx <- bob   {refusal}
                 pbx -> bob   ACK
        alice <- pbx          181
                 pbx -> carol INVITE
                 pbx <- carol 183 sdp=answer
        alice <- pbx          183 sdp=answer tag=new
                 pbx <- carol 200 sdp=answer
                 pbx -> carol ACK
        alice <- pbx          200 sdp=answer
        alice -> pbx          ACK
        media alice hears carol
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release={release}
        record release=caller.hangup linked=yes
            "
        ));
    }
}

/// The answer crosses the CANCEL of a call that went on: that phone is told, nobody else notices.
#[test]
fn the_answer_comes_too_late() {
    check(
        "
        given 101 forward-no-answer=102 ring=15
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 15s
        alice <- pbx          181
                 pbx -> bob   CANCEL
                 pbx -> carol INVITE
                 pbx <- bob   200 INVITE
                 pbx -> bob   ACK
                 pbx -> bob   BYE
                 pbx <- bob   200 BYE
                 pbx <- bob   200 CANCEL
                 pbx <- carol 486
                 pbx -> carol ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}

/// Two extensions that forward to each other, and one whose number comes back another way.
#[test]
fn loops() {
    check(
        "
        given 101 forward-always=102
        given 102 forward-always=101
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
        alice <- pbx          482
        alice -> pbx          ACK
        record release=callee.forwarded_always
        record release=loop.detected status=482 linked=yes
        ",
    );
}

/// A code is for who dials it, not for whose call comes there.
#[test]
fn nobody_is_forwarded_to_a_code() {
    check(
        "
        given 101 forward-always=*93#
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          181
        alice <- pbx          403
        alice -> pbx          ACK
        record release=callee.forwarded_always
        record release=caller.forbidden linked=yes
        ",
    );
}

/// Do not disturb: the phones do not ring until it is taken off.
#[test]
fn do_not_disturb() {
    let dials = |code: &str| {
        format!(
            "
            bob -> pbx            INVITE {code}
            bob <- pbx            100
            bob <- pbx            200
            bob -> pbx            ACK
            bob -> pbx            BYE
            bob <- pbx            200
            "
        )
    };
    let (on, off) = (dials("*78"), dials("*79"));
    check(&format!(
        "
        {on}
        record release=caller.hangup dialled=*78
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.do_not_disturb status=480
        kill
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          480
        alice -> pbx          ACK
        {off}
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        "
    ));
}

/// Without call waiting whoever has a call is busy, and may still call out.
#[test]
fn no_call_waiting() {
    check(
        "
        given 101 no-waiting
        given carol
        bob -> pbx            INVITE 102
        bob <- pbx            100
                 pbx -> carol INVITE
                 pbx <- carol 180
        bob <- pbx            180
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.limit status=486
                 pbx <- carol 486
                 pbx -> carol ACK
        bob <- pbx            486
        bob -> pbx            ACK
        ",
    );
}

/// A limit for each way; 0 closes it.
#[test]
fn limits_each_way() {
    check(
        "
        given 100 calls-out=0
        given 101 calls-in=0
        given bob
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          486
        alice -> pbx          ACK
        record release=caller.limit
        change 100 calls-out=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.limit
        ",
    );
}

/// Who calls from outside is told that the call goes on, not among which extensions.
#[test]
fn what_a_carrier_hears_of_it() {
    let table = [
        ("given line 5678 at=telecom owner=101", "telecom", "INVITE 5678 nocred from=0138"),
        ("given trunk 1 at=branch prefix=2", "branch ", "INVITE 101 nocred from=200"),
    ];
    for (given, caller, invite) in table {
        check(&format!(
            "
        {given}
        given 101 forward-busy=102
        given carol
        {caller} -> pbx          {invite}
        {caller} <- pbx          100
                 pbx -> bob      INVITE
                 pbx <- bob      486
                 pbx -> bob      ACK
        {caller} <- pbx          181 no=Call-Info
                 pbx -> carol    INVITE
                 pbx <- carol    486
                 pbx -> carol    ACK
        {caller} <- pbx          486
        {caller} -> pbx          ACK
        record release=callee.forwarded_busy
        record release=callee.busy
        "
        ));
    }
}

/// Whom a call is sent on to outside hears nothing of it either; the phone here does.
#[test]
fn what_a_phone_hears_of_a_call_that_leaves() {
    check(
        "
        given line 5678 at=telecom
        given 101 forward-busy=90138
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          181 header=Call-Info:username= header=Call-Info:101 header=Call-Info:90138@
                 pbx -> telecom INVITE 0138 no=Call-Info
                 pbx <- telecom 486
                 pbx -> telecom ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}
