//! Session timers (RFC 4028): 422 in both directions, either refresher, and nobody refreshes.

use testkit::ladder::check;

/// The usual end of a call.
const DOWN: &str = "
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record release=caller.hangup
";

/// A call whose callee has session timers and does what `said` says in its 2xx.
fn callee_with(said: &str) -> String {
    format!(
        "
        given setting rtp_timeout_s=0
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE header=Supported:timer header=Session-Expires:1800 no=Min-SE
                 pbx <- bob   200 {said}
                 pbx -> bob   ACK
        alice <- pbx          200 no=Session-Expires no=Require
        alice -> pbx          ACK
"
    )
}

/// The same for its caller.
fn caller_with(said: &str, granted: &str) -> String {
    format!(
        "
        given setting rtp_timeout_s=0
        alice -> pbx          INVITE 101 {said}
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 {granted}
        alice -> pbx          ACK
"
    )
}

#[test]
fn we_refresh_by_update() {
    let up = callee_with("header=Session-Expires:1800;refresher=uac header=Allow:UPDATE");
    check(&format!(
        "{up}
        wait 900s
                 pbx -> bob   UPDATE sdp=none header=Session-Expires:1800;refresher=uac header=Supported:timer
                 pbx <- bob   200 header=Session-Expires:1800;refresher=uac
        wait 900s
                 pbx -> bob   UPDATE
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
        wait 300s
                 pbx -> bob   UPDATE header=Session-Expires:600;refresher=uac
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
        {DOWN}"
    ));
}

/// The re-INVITE has the description that stands, and its answer changes nothing.
#[test]
fn we_refresh_by_re_invite() {
    let up = callee_with("header=Session-Expires:600;refresher=uac");
    check(&format!(
        "{up}
        wait 300s
                 pbx -> bob   INVITE sdp=offer(pcma,pcmu,telephone-event) media=pbx header=Session-Expires:600;refresher=uac
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        alice -> pbx          INVITE sdp=offer(pcmu)
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=offer(pcmu) header=Session-Expires:600;refresher=uac
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 300s
                 pbx -> bob   INVITE sdp=offer(pcmu)
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        media alice hears bob
        {DOWN}"
    ));
}

/// A phone that says UPDATE and cannot: the refresh goes as a re-INVITE.
#[test]
fn update_is_refused() {
    let up = callee_with("header=Session-Expires:600;refresher=uac header=Allow:UPDATE");
    check(&format!(
        "{up}
        wait 300s
                 pbx -> bob   UPDATE
                 pbx <- bob   501
        wait 0ms
                 pbx -> bob   INVITE sdp=offer
                 pbx <- bob   491
                 pbx -> bob   ACK
        wait 5s
                 pbx -> bob   INVITE sdp=offer
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        {DOWN}"
    ));
}

#[test]
fn the_refresh_finds_nobody() {
    let up = callee_with("header=Session-Expires:600;refresher=uac header=Allow:UPDATE");
    for code in ["481", "408"] {
        let bye = match code {
            "481" => "",
            _ => "pbx -> bob BYE \n pbx <- bob 481",
        };
        check(&format!(
            "{up}
            wait 300s
                     pbx -> bob   UPDATE
                     pbx <- bob   {code}
            alice <- pbx          BYE
            {bye}
            alice -> pbx          200
            record release=dialog.peer_vanished by=system billable=300s
            "
        ));
    }
}

#[test]
fn the_refresh_is_not_answered() {
    let up = callee_with("header=Session-Expires:600;refresher=uac header=Allow:UPDATE");
    check(&format!(
        "{up}
        wait 300s
                 pbx -> bob   UPDATE lost
        wait 32s resends
        alice <- pbx          BYE
                 pbx -> bob   BYE lost
        alice -> pbx          200
        wait 32s resends
        record release=dialog.peer_vanished
        "
    ));
}

/// The callee refreshes, by UPDATE and by a re-INVITE without change: both end here.
#[test]
fn the_callee_refreshes() {
    let up = callee_with("header=Session-Expires:1800;refresher=uas");
    check(&format!(
        "{up}
        wait 900s
                 pbx <- bob   UPDATE header=Supported:timer header=Session-Expires:1800;refresher=uac
                 pbx -> bob   200 header=Session-Expires:1800;refresher=uac header=Require:timer
        wait 900s
                 pbx <- bob   UPDATE header=Supported:timer header=Session-Expires:1800;refresher=uac
                 pbx -> bob   200 header=Session-Expires:1800;refresher=uac
        {DOWN}"
    ));
}

#[test]
fn nobody_refreshes() {
    let up = callee_with("header=Session-Expires:1800;refresher=uas");
    check(&format!(
        "{up}
        wait 1768s
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   481
        record release=dialog.refresh_failed by=system billable=1768s status=200
        "
    ));
}

/// A phone without session timers is left in peace.
#[test]
fn the_callee_has_none() {
    let up = callee_with("");
    check(&format!(
        "{up}
        wait 4h
        {DOWN}"
    ));
}

#[test]
fn the_caller_refreshes() {
    let up = caller_with(
        "header=Supported:timer header=Session-Expires:600;refresher=uac",
        "header=Session-Expires:600;refresher=uac header=Require:timer",
    );
    check(&format!(
        "{up}
        wait 300s
        alice -> pbx          UPDATE header=Supported:timer header=Session-Expires:600;refresher=uac
        alice <- pbx          200 header=Session-Expires:600;refresher=uac
        wait 300s
        alice -> pbx          UPDATE header=Supported:timer header=Session-Expires:600;refresher=uac
        alice <- pbx          200
        wait 568s
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=dialog.refresh_failed billable=1168s
        "
    ));
}

/// The caller leaves it to us; a phone whose re-INVITE says what it said before is answered here.
#[test]
fn we_refresh_the_caller() {
    let up = caller_with(
        "header=Supported:timer header=Session-Expires:600;refresher=uas header=Allow:UPDATE",
        "header=Session-Expires:600;refresher=uas header=Require:timer",
    );
    check(&format!(
        "{up}
        wait 300s
        alice <- pbx          UPDATE header=Session-Expires:600;refresher=uac
        alice -> pbx          200 header=Session-Expires:600;refresher=uac
        {DOWN}"
    ));
}

#[test]
fn a_re_invite_without_change_ends_here() {
    let timer = "header=Supported:timer header=Session-Expires:600;refresher=uac";
    let up = caller_with(timer, "header=Session-Expires:600;refresher=uac");
    check(&format!(
        "{up}
        wait 300s
        alice -> pbx          INVITE unchanged {timer}
        alice <- pbx          100
        alice <- pbx          200 sdp=answer(pcma,pcmu,telephone-event) media=pbx header=Session-Expires:600;refresher=uac
        alice -> pbx          ACK
        alice -> pbx          INVITE direction=sendonly {timer}
        alice <- pbx          100
                 pbx -> bob   INVITE direction=sendonly
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 direction=recvonly header=Session-Expires:600
        alice -> pbx          ACK
        wait 300s
        alice -> pbx          INVITE unchanged {timer}
        alice <- pbx          100
        alice <- pbx          200 direction=recvonly
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// Too small an interval: the phone is told, and what it sends then is the attempt.
#[test]
fn the_caller_asks_for_too_little() {
    check(&format!(
        "
        given setting min_se_s=120
        alice -> pbx          INVITE 101 header=Supported:timer header=Session-Expires:90
        alice <- pbx          422 header=Min-SE:120
        alice -> pbx          ACK
        record none
        alice -> pbx          INVITE 101 header=Supported:timer header=Session-Expires:120 header=Min-SE:120
        alice <- pbx          100
                 pbx -> bob   INVITE header=Min-SE:120
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 header=Session-Expires:120;refresher=uac
        alice -> pbx          ACK
        alice -> pbx          UPDATE header=Supported:timer header=Session-Expires:100
        alice <- pbx          422 header=Min-SE:120
        {DOWN}"
    ));
}

#[test]
fn the_callee_wants_more() {
    check(&format!(
        "
        given setting session_expires_s=600
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE header=Session-Expires:600 header=\"CSeq:1 INVITE\"
                 pbx <- bob   180
        alice <- pbx          180
                 pbx <- bob   422 header=Min-SE:1000
                 pbx -> bob   ACK
                 pbx -> bob   INVITE sdp=offer header=Session-Expires:1000 header=Min-SE:1000 header=\"CSeq:2 INVITE\"
                 pbx <- bob   200 header=Session-Expires:1000;refresher=uac
                 pbx -> bob   ACK header=\"CSeq:2 ACK\"
        alice <- pbx          200
        alice -> pbx          ACK
        media alice hears bob
        {DOWN}"
    ));
}

/// It goes on asking for more: at last it is a refusal.
#[test]
fn the_callee_is_never_content() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   422 header=Min-SE:2000
                 pbx -> bob   ACK
                 pbx -> bob   INVITE
                 pbx <- bob   422 header=Min-SE:3000
                 pbx -> bob   ACK
                 pbx -> bob   INVITE
                 pbx <- bob   422 header=Min-SE:4000
                 pbx -> bob   ACK
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.rejected
        ",
    );
}

#[test]
fn switched_off() {
    check(&format!(
        "
        given setting session_expires_s=0
        alice -> pbx          INVITE 101 header=Supported:timer
        alice <- pbx          100
                 pbx -> bob   INVITE no=Session-Expires
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 no=Session-Expires
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// A line has its own interval, for the calls that come by it too.
#[test]
fn the_interval_of_a_line() {
    for (given, answer) in
        [("0", "no=Session-Expires"), ("900", "header=Session-Expires:900;refresher=uas")]
    {
        check(&format!(
            "
            given line 5678 at=telecom owner=101 session_expires_s={given}
            telecom -> pbx        INVITE 5678 nocred header=Supported:timer
            telecom <- pbx        100
                     pbx -> bob   INVITE
                     pbx <- bob   200
                     pbx -> bob   ACK
            telecom <- pbx        200 {answer}
            telecom -> pbx        ACK
            telecom -> pbx        BYE
            telecom <- pbx        200
                     pbx -> bob   BYE
                     pbx <- bob   200
            record release=caller.hangup line=5678
            "
        ));
    }
}

#[test]
fn the_echo_test_is_refreshed_too() {
    check(
        "
        given setting rtp_timeout_s=0
        alice -> pbx          INVITE *43 header=Supported:timer header=Session-Expires:300;refresher=uas
        alice <- pbx          100
        alice <- pbx          200 header=Session-Expires:300;refresher=uas
        alice -> pbx          ACK
        wait 150s
        alice <- pbx          INVITE sdp=offer
        alice -> pbx          200 header=Session-Expires:300;refresher=uac
        alice <- pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
        record release=caller.hangup
        ",
    );
}

/// A refresh whose way is broken is tried again: the phone may be back before the session is over.
#[test]
fn the_refresh_meets_a_lost_connection() {
    let up = callee_with("header=Session-Expires:600;refresher=uac header=Allow:UPDATE");
    check(&format!(
        "
        given bob tcp{up}
        disconnect bob
        wait 300s
                 pbx -> bob   UPDATE gone
        wait 5s
                 pbx -> bob   UPDATE gone
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE
        alice -> pbx          200
        record release=callee.hangup billable=305s
        "
    ));
}

/// A phone whose network has changed describes itself as before: its media is looked for anew.
#[test]
fn the_same_description_from_elsewhere_is_news() {
    let up = caller_with(
        "header=Supported:timer header=Session-Expires:600;refresher=uac",
        "header=Session-Expires:600;refresher=uac",
    );
    check(&format!(
        "{up}
        wait 300s
        alice -> pbx          INVITE unchanged header=Supported:timer header=Session-Expires:600;refresher=uac
        alice <- pbx          100
        alice <- pbx          200
        alice -> pbx          ACK
        move alice
        alice -> pbx          INVITE unchanged header=Supported:timer header=Session-Expires:600;refresher=uac
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        {DOWN}"
    ));
}

/// What a phone was told by UPDATE before its answer is what a refresh tells it again.
#[test]
fn an_early_update_is_what_stands() {
    check(&format!(
        "
        given setting rtp_timeout_s=0
        alice -> pbx          INVITE 101 require=100rel header=Allow:INVITE,UPDATE
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma) header=Allow:INVITE,UPDATE
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK
                 pbx -> bob   PRACK
        alice <- pbx          200 PRACK
                 pbx <- bob   200 PRACK
        alice -> pbx          UPDATE sdp=offer(pcmu)
                 pbx -> bob   UPDATE sdp=offer(pcmu)
                 pbx <- bob   200
        alice <- pbx          200
                 pbx <- bob   200 INVITE sdp=none header=Allow:INVITE header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none
        alice -> pbx          ACK
        wait 300s
                 pbx -> bob   INVITE sdp=offer(pcmu)
                 pbx <- bob   200 header=Session-Expires:600;refresher=uac
                 pbx -> bob   ACK
        media alice hears bob
        {DOWN}"
    ));
}

/// The same for what it was told in the answer to its own UPDATE.
#[test]
fn the_answer_to_an_early_update_is_what_stands() {
    check(&format!(
        "
        given setting rtp_timeout_s=0
        alice -> pbx          INVITE 101 require=100rel header=Supported:timer header=Session-Expires:600;refresher=uas
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   183 rseq=1 sdp=answer(pcma) header=Allow:INVITE,UPDATE
        alice <- pbx          183 sdp=answer(pcma)
        alice -> pbx          PRACK
                 pbx -> bob   PRACK
        alice <- pbx          200 PRACK
                 pbx <- bob   200 PRACK
        alice -> pbx          UPDATE sdp=offer(pcmu)
                 pbx -> bob   UPDATE sdp=offer(pcmu)
                 pbx <- bob   200
        alice <- pbx          200
                 pbx <- bob   200 INVITE sdp=none
                 pbx -> bob   ACK
        alice <- pbx          200 sdp=none header=Session-Expires:600;refresher=uas
        alice -> pbx          ACK
        wait 300s
        alice <- pbx          INVITE sdp=offer(pcmu)
        alice -> pbx          200 header=Session-Expires:600;refresher=uac
        alice <- pbx          ACK
        {DOWN}"
    ));
}
