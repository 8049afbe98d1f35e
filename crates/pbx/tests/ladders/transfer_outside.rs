//! Transfer to who is behind a line or trunk: carriers refuse an INVITE without an offer, so each that
//! goes out has one.

use testkit::ladder::check;

/// Alice talks to bob, and to a number outside.
const UP: &str = "
        given line 5678 at=telecom
        alice -> pbx             INVITE 101
        alice <- pbx             100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
";

/// Alice brings them together: the carrier is asked first, with an offer.
const REFERRED: &str = "
        alice -> pbx             REFER replaces=2 call=1
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu,telephone-event) media=pbx
        alice -> pbx             200 NOTIFY
";

/// Who transfers is free again, and the two go on.
const DONE: &str = "
        alice <- pbx             BYE
        alice <- pbx             NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx             BYE
        alice -> pbx             200 BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        media bob hears telecom
        media telecom hears bob
        record release=caller.transferred
        record release=caller.transferred callee=101
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup caller=101 linked=yes
";

#[test]
fn attended() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE sdp=offer(pcma) media=pbx
                 pbx <- bob      200
                 pbx -> bob      ACK
        {DONE}"
    ));
}

/// Bob takes one of the two that the carrier chose: the carrier is told.
#[test]
fn attended_and_they_agree_on_less() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- telecom  200 sdp=answer(pcma,pcmu)
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE sdp=offer(pcma,pcmu)
                 pbx <- bob      200 sdp=answer(pcmu)
                 pbx -> bob      ACK
                 pbx -> telecom  INVITE sdp=offer(pcmu) media=pbx
        alice <- pbx             BYE
        alice <- pbx             NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx             BYE
                 pbx <- telecom  200 INVITE sdp=answer(pcmu)
                 pbx -> telecom  ACK sdp=none
        alice -> pbx             200 BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        media bob hears telecom
        media telecom hears bob
        record release=caller.transferred
        record release=caller.transferred callee=101
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup caller=101 linked=yes
        "
    ));
}

/// A carrier that does not want to hear of it goes on with what it chose.
#[test]
fn attended_and_the_last_word_is_refused() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- telecom  200 sdp=answer(pcma,pcmu)
                 pbx -> telecom  ACK
                 pbx -> bob      INVITE
                 pbx <- bob      200 sdp=answer(pcmu)
                 pbx -> bob      ACK
                 pbx -> telecom  INVITE sdp=offer(pcmu)
        alice <- pbx             BYE
        alice <- pbx             NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx             BYE
                 pbx <- telecom  488 INVITE
                 pbx -> telecom  ACK
        alice -> pbx             200 BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        media bob hears telecom
        record release=caller.transferred
        record release=caller.transferred callee=101
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup caller=101 linked=yes
        "
    ));
}

/// The transferee refuses: everybody is where he was, and the carrier, which was told of other ports,
/// hears of those of its call again.
#[test]
fn attended_and_the_transferee_refuses() {
    check(&format!(
        "{UP}{REFERRED}
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK
                 pbx -> bob      INVITE
                 pbx <- bob      488
                 pbx -> bob      ACK
        alice <- pbx             NOTIFY body=\"SIP/2.0 488\"
                 pbx -> telecom  INVITE sdp=offer(pcma,pcmu,telephone-event) media=pbx
                 pbx <- telecom  200 INVITE sdp=answer(pcma)
                 pbx -> telecom  ACK sdp=none
        alice -> pbx             200 NOTIFY
        media alice hears telecom
        media telecom hears alice
        record release=media.codec linked=yes
        alice -> pbx             BYE call=2
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup line=5678
        alice -> pbx             BYE call=1
        alice <- pbx             200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=caller.hangup callee=101
        "
    ));
}

/// Who is transferred holds, or was held: the offer knows nothing of that.
#[test]
fn attended_while_the_transferee_is_on_hold() {
    check(&format!(
        "{UP}
        alice -> pbx             INVITE call=1 direction=sendonly
        alice <- pbx             100
                 pbx -> bob      INVITE direction=sendonly
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200 direction=recvonly
        alice -> pbx             ACK call=1
        alice -> pbx             REFER replaces=2 call=1
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> telecom  INVITE direction=sendrecv
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  200 sdp=answer(pcma)
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE sdp=offer(pcma) direction=sendrecv
                 pbx <- bob      200
                 pbx -> bob      ACK
        {DONE}"
    ));
}

/// A carrier that demands PRACK says in its reliable response what it chooses, and in its 2xx nothing.
#[test]
fn blind_to_a_carrier_that_answers_early() {
    check(
        "
        given line 5678 at=telecom 100rel=required
        alice -> pbx             INVITE 101
        alice <- pbx             100
                 pbx -> bob      INVITE
                 pbx <- bob      200 sdp=answer(pcmu)
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             REFER header=Refer-To:<sip:90138@10.0.0.1>
        alice <- pbx             202
        alice <- pbx             NOTIFY
                 pbx -> telecom  INVITE 0138 sdp=offer(pcmu,pcma,telephone-event) header=Require:100rel
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  183 rseq=1 sdp=answer(pcmu)
                 pbx -> telecom  PRACK sdp=none
        alice <- pbx             NOTIFY body=\"SIP/2.0 183\"
        alice -> pbx             200 NOTIFY
                 pbx <- telecom  200 PRACK
                 pbx <- telecom  200 INVITE sdp=none
                 pbx -> telecom  ACK sdp=none
                 pbx -> bob      INVITE sdp=offer(pcmu)
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             NOTIFY body=\"SIP/2.0 200\"
        alice <- pbx             BYE
        alice -> pbx             200 NOTIFY
        alice -> pbx             200 BYE
        media bob hears telecom
        media telecom hears bob
        record release=caller.transferred
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup caller=101 line=5678 linked=yes
        ",
    );
}
