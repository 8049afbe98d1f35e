//! Carriers as they are: what they ask for, refuse and forget (product.md 6, 24).

use testkit::ladder::check;

/// An answered call by the line, for what comes within it.
const ANSWERED: &str = r#"
    alice -> pbx             INVITE 90138
    alice <- pbx             100
             pbx -> telecom  INVITE 0138
             pbx <- telecom  407
             pbx -> telecom  ACK
             pbx -> telecom  INVITE 0138 credentials=right
             pbx <- telecom  200
             pbx -> telecom  ACK header=Proxy-Authorization
    alice <- pbx             200
    alice -> pbx             ACK
"#;

/// RFC 3261 §22.1: the ACK has the credentials of its INVITE; the BYE is challenged anew.
#[test]
fn a_bye_is_challenged_and_the_call_ends_on_both_sides() {
    check(&format!(
        r#"
        given line 5678 at=telecom
        {ANSWERED}
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  401 challenge="realm=telecom, nonce=n2, algorithm=SHA-256, qop=auth"
                 pbx -> telecom  BYE credentials=right call-id=same cseq=4
                 pbx <- telecom  200
        record release=caller.hangup
    "#
    ));
}

#[test]
fn credentials_that_are_refused_once_more_end_the_matter() {
    check(&format!(
        r#"
        given line 5678 at=telecom
        {ANSWERED}
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  407 challenge="realm=telecom, nonce=n2"
                 pbx -> telecom  BYE credentials=right
                 pbx <- telecom  407 challenge="realm=telecom, nonce=n3, stale=true"
                 pbx -> telecom  BYE credentials=right
                 pbx <- telecom  407 challenge="realm=telecom, nonce=n4"
        record release=caller.hangup
    "#
    ));
}

#[test]
fn a_re_invite_and_an_update_are_challenged() {
    check(&format!(
        r#"
        given line 5678 at=telecom
        {ANSWERED}
        alice -> pbx             INVITE direction=sendonly
        alice <- pbx             100
                 pbx -> telecom  INVITE direction=sendonly once=Supported
                 pbx <- telecom  401 challenge="realm=telecom, nonce=n2"
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE direction=sendonly credentials=right cseq=4
                 pbx <- telecom  200
                 pbx -> telecom  ACK header=Authorization cseq=4
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             INFO body=signal=5
                 pbx -> telecom  INFO body=signal=5
                 pbx <- telecom  401 challenge="realm=telecom, nonce=n3"
                 pbx -> telecom  INFO body=signal=5 credentials=right
                 pbx <- telecom  200
        alice <- pbx             200
        hangup
        alice <- pbx             BYE
                 pbx -> telecom  BYE
        alice -> pbx             200
                 pbx <- telecom  200
    "#
    ));
}

/// The refresh of a session (RFC 4028) is ours alone, and so is its challenge.
#[test]
fn a_refresh_is_challenged() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 once=Supported header=Supported:timer
                 pbx <- telecom  200 header=Allow:UPDATE header=Session-Expires:600;refresher=uac
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        wait 300s
                 pbx -> telecom  UPDATE once=Supported
                 pbx <- telecom  407
                 pbx -> telecom  UPDATE credentials=right header=Session-Expires:600
                 pbx <- telecom  200 header=Session-Expires:600;refresher=uac
        wait 300s
                 pbx -> telecom  UPDATE credentials=none
                 pbx <- telecom  200 header=Session-Expires:600;refresher=uac
        hangup
        alice <- pbx             BYE
                 pbx -> telecom  BYE
        alice -> pbx             200
                 pbx <- telecom  200
    "#,
    );
}

/// A carrier that calls us is asked for nothing, and may ask us: our BYE is the first request of ours.
#[test]
fn a_bye_within_an_incoming_call_is_challenged() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 5678 from=0138 nocred
        telecom <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200
        telecom -> pbx           ACK
                 pbx <- bob      BYE
                 pbx -> bob      200
                 pbx -> telecom  BYE credentials=none cseq=1
                 pbx <- telecom  401
                 pbx -> telecom  BYE credentials=right cseq=2
                 pbx <- telecom  200
        record release=callee.hangup line=5678
    "#,
    );
}

#[test]
fn a_prack_is_challenged() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  183 rseq=1 sdp=answer
        alice <- pbx             183
                 pbx -> telecom  PRACK
                 pbx <- telecom  401
                 pbx -> telecom  PRACK credentials=right header="RAck:1 1 INVITE"
                 pbx <- telecom  200 PRACK
                 pbx <- telecom  200 INVITE
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        hangup
        alice <- pbx             BYE
                 pbx -> telecom  BYE
        alice -> pbx             200
                 pbx <- telecom  200
    "#,
    );
}

/// A carrier that demands reliable ringing and then does not know PRACK: with 100rel off it is not
/// tempted; with it, the call goes on all the same.
#[test]
fn a_prack_that_is_refused_kills_no_call() {
    for refusal in ["405", "481", "501"] {
        check(&format!(
            r#"
            given line 5678 at=telecom
            alice -> pbx             INVITE 90138
            alice <- pbx             100
                     pbx -> telecom  INVITE 0138 header=Supported:100rel
                     pbx <- telecom  183 rseq=1 sdp=answer
            alice <- pbx             183
                     pbx -> telecom  PRACK
                     pbx <- telecom  {refusal} PRACK
                     pbx <- telecom  180
            alice <- pbx             180
                     pbx <- telecom  200 INVITE
                     pbx -> telecom  ACK
            alice <- pbx             200
            alice -> pbx             ACK
            media alice hears telecom
            hangup
            alice <- pbx             BYE
                     pbx -> telecom  BYE
            alice -> pbx             200
                     pbx <- telecom  200
        "#
        ));
    }
}

#[test]
fn reliable_ringing_is_demanded_offered_or_left_out() {
    // 421: without it there is no call (RFC 3261 §21.4.16).
    check(
        r#"
        given line 5678 at=telecom 100rel=off
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 no=Require header=Supported:timer
                 pbx <- telecom  421 header=Require:100rel
                 pbx -> telecom  ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.extension
        change line 5678 100rel=auto
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 header=Supported:100rel no=Require
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
    "#,
    );
}

#[test]
fn who_calls_must_be_the_account() {
    check(
        r#"
        given line 5678 at=telecom caller=caller
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=100
                 pbx <- telecom  403
                 pbx -> telecom  ACK
        alice <- pbx             403
        alice -> pbx             ACK
        record release=line.rejected_from
        change line 5678 from=account
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=5678
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
    "#,
    );
}

#[test]
fn parameters_of_the_request_uri_are_refused() {
    check(
        r#"
        given line 5678 at=telecom uri=user=phone
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 header=To:user=phone
                 pbx <- telecom  484
                 pbx -> telecom  ACK
        alice <- pbx             484
        alice -> pbx             ACK
        record release=line.rejected_uri_param guilty=us sure=possible status=484 says="The carrier does not accept the Request-URI parameters user=phone."
        change line 5678 uri=""
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 header="To:<sip:0138@203.0.113.5>"
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
    "#,
    );
}

/// Retry-After would keep a phone from calls within the house too (RFC 3261 §21.5.4).
#[test]
fn what_a_carrier_cannot_do_says_nothing_of_this_server() {
    for told in ["", "header=Retry-After:120"] {
        check(&format!(
            r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  503 {told}
                 pbx -> telecom  ACK
        alice <- pbx             503 no=Retry-After
        alice -> pbx             ACK
        record release=line.failed status=503 cause=38
    "#
        ));
    }
    // A busy callee says it of himself.
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  486 header=Retry-After:120
                 pbx -> telecom  ACK
        alice <- pbx             486 header=Retry-After:120
        alice -> pbx             ACK
    "#,
    );
}

#[test]
fn a_carrier_wants_longer_sessions_and_has_no_codec() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 header=Session-Expires:1800
                 pbx <- telecom  422 header=Min-SE:3600
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 header=Session-Expires:3600 header=Min-SE:3600 cseq=2
                 pbx <- telecom  488 header="Warning:305 telecom \"Incompatible media format\""
                 pbx -> telecom  ACK
        alice <- pbx             488 header="Warning:305 telecom"
        alice -> pbx             ACK
        record release=media.codec
    "#,
    );
}

/// Who knows no extension is asked without it (RFC 3261 §8.1.3.5); once for each.
#[test]
fn a_carrier_that_refuses_extensions() {
    check(
        r#"
        given line 5678 at=telecom 100rel=required
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 header=Require:100rel header=Supported:timer header=Session-Expires
                 pbx <- telecom  420 header=Unsupported:100rel
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 no=Require header=Supported:timer cseq=2 call-id=same sdp=offer
                 pbx <- telecom  420 header=Unsupported:timer
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0138 no=Session-Expires no=Min-SE cseq=3
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        wait 30min
        hangup
        alice <- pbx             BYE
                 pbx -> telecom  BYE
        alice -> pbx             200
                 pbx <- telecom  200
    "#,
    );
}

/// What it refuses is none of ours, or it demands what the line is not to offer.
#[test]
fn a_carrier_that_demands_an_extension() {
    for answer in ["420 header=Unsupported:foo", "421 header=Require:100rel"] {
        check(&format!(
            r#"
            given line 5678 at=telecom 100rel=off
            alice -> pbx             INVITE 90138
            alice <- pbx             100
                     pbx -> telecom  INVITE 0138
                     pbx <- telecom  {answer}
                     pbx -> telecom  ACK
            alice <- pbx             503
            alice -> pbx             ACK
            record release=line.extension status=503 guilty=us
        "#
        ));
    }
}

/// A progress without a description is one; early media is heard; after it the carrier's word is
/// final, and no other line is tried.
#[test]
fn progress_with_and_without_media_then_a_refusal() {
    check(
        r#"
        given line 1234 at=telecom
        given line 5678 at=unicom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  180 sdp=none
        alice <- pbx             180 sdp=none
                 pbx <- telecom  183 sdp=answer
        alice <- pbx             183 sdp=answer
        media alice hears telecom
                 pbx <- telecom  503
                 pbx -> telecom  ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.failed line=1234
    "#,
    );
}

/// Several challenges at once: each realm gets its own, the stronger algorithm where one realm
/// offers two; what nobody here speaks is passed over.
#[test]
fn several_challenges() {
    let two = r#"challenge="realm=telecom, nonce=m1, algorithm=SHA-256, qop=auth" header="WWW-Authenticate:Bearer realm=telecom" header="Proxy-Authenticate:Digest realm=edge, nonce=p1, algorithm=MD5""#;
    check(&format!(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER
             pbx <- telecom   401 {two}
             pbx -> telecom   REGISTER credentials=right header="Authorization:algorithm=SHA-256" header=Proxy-Authorization:p1 once=Authorization
             pbx <- telecom   200
    "#
    ));
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER
             pbx <- telecom   401 challenge="realm=telecom, nonce=m1, algorithm=AKAv1-MD5"
        event trouble=line.auth_unknown
        change line 5678 deleted
    "#,
    );
}

/// RFC 3608: calls go by the routes the registrar gave; RFC 3327: a Path of its own is not ours.
#[test]
fn service_route_and_path() {
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER header=Supported:path
             pbx <- telecom   401
             pbx -> telecom   REGISTER
             pbx <- telecom   200 header="Service-Route:<sip:orig@203.0.113.7;lr>" header="Path:<sip:edge@203.0.113.7;lr>"
        alice -> pbx          INVITE 90138
        alice <- pbx          100
             pbx -> telecom   INVITE 0138 header="Route:<sip:orig@203.0.113.7;lr>" no=Path
             pbx <- telecom   486
             pbx -> telecom   ACK
        alice <- pbx          486
        alice -> pbx          ACK
    "#,
    );
}

/// RFC 3581: the first answer tells a line behind NAT where it is seen; its Contact says so from
/// then on, in its calls too.
#[test]
fn behind_nat_the_contact_is_where_the_carrier_sees_us() {
    check(
        r#"
        given line 5678 at=telecom unregistered owner=101
        wait 0s
             pbx -> telecom   REGISTER contact=10.0.0.1:5060
             pbx <- telecom   401 seen=198.51.100.7:1024
             pbx -> telecom   REGISTER contact=198.51.100.7:1024 header=Via:10.0.0.1:5060
             pbx <- telecom   200 seen=198.51.100.7:1024
        alice -> pbx          INVITE 90138
        alice <- pbx          100
             pbx -> telecom   INVITE 0138 contact=198.51.100.7:1024
             pbx <- telecom   486
             pbx -> telecom   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        telecom -> pbx        INVITE 0 to-line=5678 from=0138 nocred
        telecom <- pbx        100
             pbx -> bob       INVITE contact=10.0.0.1:5060
             pbx <- bob       200
             pbx -> bob       ACK
        telecom <- pbx        200 contact=198.51.100.7:1024
        telecom -> pbx        ACK
        telecom -> pbx        BYE
        telecom <- pbx        200
             pbx -> bob       BYE
             pbx <- bob       200
    "#,
    );
}

/// A binding for the old address is corrected at once, and once only.
#[test]
fn a_nat_that_changes() {
    check(
        r#"
        given line 5678 at=telecom
        wait 3600s next
             pbx -> telecom   REGISTER contact=10.0.0.1:5060
             pbx <- telecom   200 seen=198.51.100.7:1024
             pbx -> telecom   REGISTER contact=198.51.100.7:1024 call-id=same
             pbx <- telecom   200 seen=198.51.100.7:1025
        wait 3600s next
             pbx -> telecom   REGISTER contact=198.51.100.7:1025
             pbx <- telecom   200 seen=198.51.100.7:1025
    "#,
    );
}
