//! Call pickup: `*40*` and an extension, `*50*` for the group; and what crosses it.

use testkit::ladder::check;

/// Alice's call rings at bob, carol dials `code`, hears so, and is offered the call.
fn ladder(code: &str, then: &str) {
    check(&format!(
        "
        given 101 group=1
        given 102 group=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        carol -> pbx          INVITE {code}
        carol <- pbx          100
        carol <- pbx          200
        carol -> pbx          ACK
        carol <- pbx          INVITE sdp=offer(pcma,pcmu,telephone-event)
        record release=feature.done linked=yes
        {then}
        "
    ));
}

#[test]
fn picked_up() {
    for code in ["*40*101", "*50*"] {
        ladder(
            code,
            "
        carol -> pbx          200
                 pbx -> bob   CANCEL header=Reason:SIP;cause=200;text=
        carol <- pbx          ACK
        alice <- pbx          200 sdp=answer media=pbx
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        media alice hears carol
        alice -> pbx          BYE
        alice <- pbx          200
        carol <- pbx          BYE
        carol -> pbx          200
        record release=caller.hangup dialled=101 sent=101 callee=102 answered=yes
            ",
        );
    }
}

/// Bob was heard, reliably: what carol says is of another dialog, and so must be said all the same
/// (RFC 3261 §13.2.1).
#[test]
fn picked_up_after_reliable_early_media() {
    check(
        "
        given 101 group=1
        given 102 group=1
        alice -> pbx          INVITE 101 require=100rel
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma)
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK
                 pbx -> bob   PRACK
        alice <- pbx          200 PRACK
                 pbx <- bob   200 PRACK
        carol -> pbx          INVITE *40*101
        carol <- pbx          100
        carol <- pbx          200
        carol -> pbx          ACK
        carol <- pbx          INVITE
        record release=feature.done linked=yes
        carol -> pbx          200 sdp=answer(pcmu)
                 pbx -> bob   CANCEL
        carol <- pbx          ACK
        alice <- pbx          200 sdp=answer(pcmu) tag=new
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        media alice hears carol
        alice -> pbx          BYE
        alice <- pbx          200
        carol <- pbx          BYE
        carol -> pbx          200
        record release=caller.hangup
        ",
    );
}

/// Bob answers while carol is offered the call: he has it, and she hears that it is gone.
#[test]
fn the_answer_crosses() {
    ladder(
        "*50*",
        "
                 pbx <- bob   200
        carol <- pbx          BYE header=Reason:SIP;cause=200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        carol -> pbx          200 BYE
        carol -> pbx          487 INVITE
        carol <- pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup callee=101
        ",
    );
}

/// Alice gives up while carol is offered the call.
#[test]
fn the_cancel_crosses() {
    ladder(
        "*50*",
        "
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> bob   CANCEL
        carol <- pbx          BYE
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        carol -> pbx          200 BYE
        carol -> pbx          487 INVITE
        carol <- pbx          ACK
        record release=caller.cancelled
        ",
    );
}

/// The call is over before the picker has acknowledged: it is told so by BYE.
#[test]
fn too_late() {
    check(
        "
        given 101 group=1
        given 102 group=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
        carol -> pbx          INVITE *40*101
        carol <- pbx          100
        carol <- pbx          200
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        carol -> pbx          ACK
        carol <- pbx          BYE
        carol -> pbx          200
        record release=feature.nothing_rings
        ",
    );
}

/// Outside the group, without one, and where nothing rings.
#[test]
fn nothing_to_pick_up() {
    #[rustfmt::skip]
    let table = [
        ("*40*101", "group=2", 480, "feature.nothing_rings"),
        ("*50*",    "group=2", 480, "feature.nothing_rings"),
        ("*40*103", "group=1", 480, "feature.nothing_rings"),
        ("*50*",    "",        403, "feature.denied"),
    ];
    for (code, given, status, release) in table {
        check(&format!(
            "
            given 101 group=1
            given 102 {given}
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
            carol -> pbx          INVITE {code}
            carol <- pbx          100
            carol <- pbx          {status} header=Reason:text=
            carol -> pbx          ACK
            record release={release} status={status}
                     pbx <- bob   486
                     pbx -> bob   ACK
            alice <- pbx          486
            alice -> pbx          ACK
            "
        ));
    }
}

/// Two pick the same call up: who answers first has it, and the other hears that it is gone.
#[test]
fn two_pickers() {
    check(
        "
        given 101 group=1
        given 102 group=1
        given 103 group=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        carol -> pbx          INVITE *40*101
        carol <- pbx          100
        carol <- pbx          200
        dave -> pbx           INVITE *50*
        dave <- pbx           100
        dave <- pbx           200
        carol -> pbx          ACK
        carol <- pbx          INVITE sdp=offer
        dave -> pbx           ACK
        dave <- pbx           INVITE sdp=offer
        record release=feature.done linked=yes
        record release=feature.done linked=yes
        dave -> pbx           200
                 pbx -> bob   CANCEL
        carol <- pbx          BYE header=Reason:SIP;cause=200
        dave <- pbx           ACK
        alice <- pbx          200 sdp=answer media=pbx
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        carol -> pbx          200 BYE
        carol -> pbx          487 INVITE
        carol <- pbx          ACK
        media alice hears dave
        alice -> pbx          BYE
        alice <- pbx          200
        dave <- pbx           BYE
        dave -> pbx           200
        record release=caller.hangup dialled=101 sent=101 callee=103 answered=yes
        record none
        ",
    );
}
