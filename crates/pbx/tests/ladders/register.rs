//! Registration: refresh, replace, remove, fetch, limits and order (RFC 3261 §10.3).

use testkit::ladder::check;

#[test]
fn challenged_then_registered() {
    check(
        "
        given setting digest=SHA-256,MD5
        given alice unregistered
        alice -> pbx   REGISTER nocred
        alice <- pbx   401 header=WWW-Authenticate:SHA-256 header=WWW-Authenticate:MD5
        alice -> pbx   REGISTER
        alice <- pbx   200 header=Contact:expires=3600
        event registered=100
        ",
    );
}

#[test]
fn refreshed_before_and_lost_after_its_time() {
    check(
        "
        given alice unregistered
        alice -> pbx   REGISTER expires=120
        alice <- pbx   200 header=Contact:expires=120
        wait 100s
        alice -> pbx   REGISTER expires=120
        alice <- pbx   200 header=Contact:expires=120
        event registered=100
        wait 119s
        wait 2s
        event unregistered=expired
        ",
    );
}

#[test]
fn fetched_and_removed() {
    check(
        "
        alice -> pbx   REGISTER without=Contact without=Expires
        alice <- pbx   200 header=Contact:10.0.1.100
        alice -> pbx   REGISTER contact=* expires=0
        alice <- pbx   200 no=Contact
        event unregistered=removed
        alice -> pbx   REGISTER without=Contact
        alice <- pbx   200 no=Contact
        alice -> pbx   REGISTER contact=* expires=60
        alice <- pbx   400
        ",
    );
}

/// Whoever starts anew has another Call-ID and the same Contact, however it is written (RFC 3261 §19.1.4).
#[test]
fn a_phone_that_restarts_is_the_same() {
    check(
        "
        given alice unregistered
        given 100 devices=3
        alice -> pbx   REGISTER call-id=one contact=<sip:100@10.0.1.100:5060;transport=UDP>
        alice <- pbx   200 once=Contact
        alice -> pbx   REGISTER call-id=two contact=<SIP:100@10.0.1.100:5060;transport=udp>
        alice <- pbx   200 once=Contact header=Contact:SIP:100
        event unregistered=restarted
        ",
    );
}

#[test]
fn removed_by_expires_0() {
    check(
        "
        alice -> pbx   REGISTER expires=0
        alice <- pbx   200 no=Contact
        event unregistered=removed
        bob -> pbx     INVITE 100
        bob <- pbx     100
        bob <- pbx     480
        bob -> pbx     ACK
        ",
    );
}

#[test]
fn limits_of_the_interval() {
    check(
        "
        given alice unregistered
        alice -> pbx   REGISTER expires=59
        alice <- pbx   423 header=Min-Expires:60
        alice -> pbx   REGISTER expires=100000
        alice <- pbx   200 header=Contact:expires=7200
        alice -> pbx   REGISTER without=Expires
        alice <- pbx   200 header=Contact:expires=3600
        ",
    );
}

/// A REGISTER that was overtaken by a newer one must not win (RFC 3261 §10.3 step 7).
#[test]
fn order_of_cseq() {
    check(
        "
        alice -> pbx   REGISTER cseq=20
        alice <- pbx   200
        alice -> pbx   REGISTER cseq=19 expires=0
        alice <- pbx   500
        alice -> pbx   REGISTER cseq=20
        alice <- pbx   200
        ",
    );
}

/// The answer to a resent REGISTER is the same answer.
#[test]
fn a_resend_is_no_replay() {
    check(
        "
        alice -> pbx   REGISTER
        alice <- pbx   200 lost
        alice -> pbx   REGISTER resend
        alice <- pbx   200 resend
        ",
    );
}

#[test]
fn the_same_device_replaces_itself() {
    check(
        "
        given alice unregistered instance=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6
        alice -> pbx   REGISTER
        alice <- pbx   200
        alice -> pbx   REGISTER call-id=another
        alice <- pbx   200
        ",
    );
}

#[test]
fn the_oldest_of_too_many_goes() {
    check(
        "
        given bob
        given bob2
        given bob3 unregistered
        given 101 devices=2
        bob3 -> pbx   REGISTER
        bob3 <- pbx   200
        event unregistered=replaced registered=101
        ",
    );
}

#[test]
fn nobody_registers_for_another() {
    check(
        "
        given alice unregistered
        alice -> pbx   REGISTER visible header=To:<sip:101@10.0.0.1>
        alice <- pbx   401
        alice -> pbx   REGISTER visible header=To:<sip:101@10.0.0.1>
        alice <- pbx   403
        event auth_failed=wrong_identity
        ",
    );
}

#[test]
fn a_deleted_extension_is_gone() {
    check(
        "
        alice -> pbx   OPTIONS
        alice <- pbx   200
        change 101 deleted
        alice -> pbx   INVITE 101
        alice <- pbx   100
        alice <- pbx   404
        alice -> pbx   ACK
        bob -> pbx     REGISTER
        bob <- pbx     401
        ",
    );
}
