//! Calls that cannot be: unknown, not there, too many, malformed, looping.

use testkit::ladder::check;

#[test]
fn unknown_number() {
    check(
        "
        alice -> pbx   INVITE 555
        alice <- pbx   100
        alice <- pbx   404
        alice -> pbx   ACK
        record release=route.no_match status=404 cause=3 dialled=555
        ",
    );
}

#[test]
fn out_without_an_external_line() {
    check(
        "
        alice -> pbx   INVITE 913800
        alice <- pbx   100
        alice <- pbx   503 no=Retry-After
        alice -> pbx   ACK
        record release=route.no_line status=503 cause=34 dialled=913800
        ",
    );
}

#[test]
fn not_registered() {
    check(
        "
        alice -> pbx   INVITE 105
        alice <- pbx   100
        alice <- pbx   480
        alice -> pbx   ACK
        record release=callee.not_registered status=480 cause=20
        ",
    );
}

#[test]
fn the_caller_has_too_many_calls() {
    check(
        "
        given 100 calls=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        alice -> pbx          INVITE 102
        alice <- pbx          100
        alice <- pbx          486
        alice -> pbx          ACK
        record release=caller.limit status=486
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK call=1
        record release=callee.busy
        ",
    );
}

#[test]
fn the_callee_has_too_many_calls() {
    check(
        "
        given 101 calls=1
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        carol -> pbx          INVITE 101
        carol <- pbx          100
        carol <- pbx          486
        carol -> pbx          ACK
        record release=callee.limit status=486
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}

#[test]
fn max_forwards_is_used_up() {
    check(
        "
        alice -> pbx   INVITE 101 max-forwards=0
        alice <- pbx   100
        alice <- pbx   483
        alice -> pbx   ACK
        record release=loop.detected status=483
        alice -> pbx   OPTIONS max-forwards=0
        alice <- pbx   200
        ",
    );
}

#[test]
fn an_unknown_extension_is_required() {
    check(
        "
        alice -> pbx   INVITE 101 require=teleport
        alice <- pbx   100
        alice <- pbx   420 header=Unsupported:teleport
        alice -> pbx   ACK
        record release=caller.unsupported status=420
        ",
    );
}

#[test]
fn no_codec_in_common() {
    check(
        "
        alice -> pbx          INVITE 101 sdp=offer(opus)
        alice <- pbx          100
                 pbx -> bob   INVITE sdp=offer(opus)
                 pbx <- bob   488
                 pbx -> bob   ACK
        alice <- pbx          488
        alice -> pbx          ACK
        record status=488
        ",
    );
}

/// What the phone refuses with its own challenge is its own fault.
#[test]
fn a_challenge_of_the_phone_is_not_passed_on() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   401
                 pbx -> bob   ACK
        alice <- pbx          480
        alice -> pbx          ACK
        record status=480
        ",
    );
}

#[test]
fn calling_oneself() {
    check(
        "
        alice -> pbx   INVITE 100
        alice <- pbx   100
        alice <- pbx   480
        alice -> pbx   ACK
        record status=480
        ",
    );
}

/// The phone's own words of why.
#[test]
fn a_warning_reaches_the_caller() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   488 header=\"Warning:304 bob no codec\"
                 pbx -> bob   ACK
        alice <- pbx          488 header=\"Warning:304 bob no codec\"
        alice -> pbx          ACK
        record release=media.codec
        ",
    );
}
