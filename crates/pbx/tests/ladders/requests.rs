//! Requests outside of calls: OPTIONS, MESSAGE, what is not served, what is malformed.

use testkit::ladder::check;

/// No product name for strangers.
#[test]
fn options_to_us() {
    check(
        "
        given mallory stranger
        mallory -> pbx   OPTIONS nocred
        mallory <- pbx   200 header=Allow:INVITE no=Server no=User-Agent
        ",
    );
}

#[test]
fn methods_we_do_not_have() {
    check(
        "
        alice -> pbx   SUBSCRIBE 101
        alice <- pbx   405 header=Allow
        alice -> pbx   PUBLISH 101
        alice <- pbx   405
        alice -> pbx   FLY 101
        alice <- pbx   501
        ",
    );
}

/// REFER is taken within a call, so it is not 405 (RFC 3261 §8.2.1); outside of one there is nothing to transfer.
#[test]
fn refer_outside_of_a_dialog() {
    check(
        "
        given mallory stranger
        mallory -> pbx   REFER 101 nocred header=Refer-To:<sip:102@10.0.0.1>
        mallory <- pbx   401
        alice -> pbx     REFER 101
        alice <- pbx     400
        alice -> pbx     REFER 101 header=Refer-To:<sip:102@10.0.0.1> require=fly
        alice <- pbx     420 header=Unsupported:fly
        alice -> pbx     REFER 101 header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx     403 no=Allow
        ",
    );
}

/// Who sends a request to `sips` asks for TLS on each hop (RFC 3261 §26.2.2): he is told that there is none, and it reaches
/// nobody without it.
#[test]
fn sips_is_not_served_without_tls() {
    check(
        "
        alice -> pbx          INVITE uri=sips:101@10.0.0.1
        alice <- pbx          416
        alice -> pbx          ACK
        bob -> pbx            REGISTER uri=sips:10.0.0.1 nocred
        bob <- pbx            416
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}

/// Our own Via in a request means that it came back to us (RFC 3261 §16.3).
#[test]
fn a_loop_is_detected() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   INVITE 102 looped
                 pbx -> bob   482
                 pbx <- bob   ACK
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record status=486
        ",
    );
}

/// A proxy before us forked the request and both branches lead here (RFC 3261 §8.2.2.2).
#[test]
fn a_merged_request() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
        alice -> pbx          INVITE forked
        alice <- pbx          482
        alice -> pbx          ACK
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record release=callee.busy
        ",
    );
}
