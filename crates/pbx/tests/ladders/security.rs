//! Who is believed: nonces, replays, guesses, identities, sources (RFC 7616, RFC 8760).

use pbx::core::Config;
use pbx::settings::Settings;
use sip::{Flow, Transport};
use testkit::ladder::check;
use testkit::office::Office;

#[test]
fn a_stranger_is_challenged_for_everything_and_leaves_nothing() {
    check(
        "
        given mallory stranger
        mallory -> pbx   INVITE 101 nocred
        mallory <- pbx   401
        mallory -> pbx   ACK
        mallory -> pbx   INVITE 999 nocred
        mallory <- pbx   401
        mallory -> pbx   ACK
        mallory -> pbx   MESSAGE 101 nocred
        mallory <- pbx   401
        mallory -> pbx   REGISTER nocred
        mallory <- pbx   401
        mallory -> pbx   OPTIONS 0 nocred
        mallory <- pbx   200
        record none
        ",
    );
}

/// An unknown user and a wrong password look the same.
#[test]
fn unknown_user_and_wrong_password() {
    check(
        "
        given mallory stranger
        given alice unregistered
        mallory -> pbx   REGISTER
        mallory <- pbx   401
        event auth_failed=unknown_user
        alice -> pbx     REGISTER wrong
        alice <- pbx     401
        event auth_failed=bad_digest
        ",
    );
}

/// Who is outside does not make a phone answer by itself; a colleague with an intercom key does.
#[test]
fn no_stranger_opens_a_microphone() {
    let asks = "header=Alert-Info:<http://a>;info=alert-autoanswer header=Call-Info:<sip:a>;answer-after=0 \
                header=Answer-Mode:Auto header=Priv-Answer-Mode:Auto header=P-Auto-Answer:normal header=Subject:x";
    check(&format!(
        "
        given trunk 1 at=branch prefix=2
        branch -> pbx           INVITE 101 from=200 nocred {asks}
        branch <- pbx           100
                  pbx -> bob    INVITE header=Subject:x no=Alert-Info no=Call-Info no=Answer-Mode no=Priv-Answer-Mode no=P-Auto-Answer
                  pbx <- bob    486
                  pbx -> bob    ACK
        branch <- pbx           486
        branch -> pbx           ACK
        record release=callee.busy
        alice -> pbx            INVITE 101 {asks}
        alice <- pbx            100
                 pbx -> bob     INVITE {asks}
                 pbx <- bob     486
                 pbx -> bob     ACK
        alice <- pbx            486
        alice -> pbx            ACK
        record release=callee.busy
        ",
    ));
}

#[test]
fn an_old_nonce_is_stale_not_wrong() {
    check(
        "
        wait 301s
        alice -> pbx   REGISTER visible
        alice <- pbx   401 header=WWW-Authenticate:stale=true
        alice -> pbx   REGISTER
        alice <- pbx   200
        ",
    );
}

#[test]
fn a_nonce_count_is_good_once() {
    check(
        "
        alice -> pbx   REGISTER
        alice <- pbx   200
        alice -> pbx   REGISTER replay visible
        alice <- pbx   401 header=WWW-Authenticate:stale=true
        ",
    );
}

/// The caller's identity is set by us, whatever the phone claims.
#[test]
fn a_claimed_identity_is_not_believed() {
    check(
        "
        alice -> pbx          INVITE 101 from=102
        alice <- pbx          100
                 pbx -> bob   INVITE from=100 name=alice
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        record caller=100 caller-name=alice
        ",
    );
}

#[test]
fn claims_in_other_headers_do_not_pass() {
    check(
        "
        alice -> pbx          INVITE 101 header=P-Asserted-Identity:<sip:1@boss.example> header=Remote-Party-ID:<sip:1@boss.example>
        alice <- pbx          100
                 pbx -> bob   INVITE from=100 no=P-Asserted-Identity no=Remote-Party-ID no=Authorization
                 pbx <- bob   486
                 pbx -> bob   ACK
        alice <- pbx          486
        alice -> pbx          ACK
        ",
    );
}

/// IP-address authorisation: no REGISTER, no challenge, and calls go to that address.
#[test]
fn authorised_by_address() {
    check(
        "
        given frank address
        frank -> pbx            INVITE 101 visible
        frank <- pbx            100
                 pbx -> bob     INVITE from=105
                 pbx <- bob     486
                 pbx -> bob     ACK
        frank <- pbx            486
        frank -> pbx            ACK
        bob -> pbx              INVITE 105
        bob <- pbx              100
                 pbx -> frank   INVITE
                 pbx <- frank   603
                 pbx -> frank   ACK
        bob <- pbx              603
        bob -> pbx              ACK
        ",
    );
}

/// Who is known by its address does not ring itself, as who registers does not.
#[test]
fn authorised_by_address_and_called_by_itself() {
    check(
        "
        given frank address
        frank -> pbx            INVITE 105 visible
        frank <- pbx            100
        frank <- pbx            480
        frank -> pbx            ACK
        record release=callee.not_registered
        ",
    );
}

/// A new password locks the old devices out at once; a call that is up goes on.
#[test]
fn a_new_password_ends_the_old_registrations() {
    check(
        "
        alice -> pbx            INVITE 101
        alice <- pbx            100
                 pbx -> bob     INVITE
                 pbx <- bob     200
                 pbx -> bob     ACK
        alice <- pbx            200
        alice -> pbx            ACK
        change 101 name=Bob
        change 101 password=another
        event unregistered=password
        media alice hears bob
        carol -> pbx            INVITE 101
        carol <- pbx            100
        carol <- pbx            480
        carol -> pbx            ACK
        record release=callee.not_registered
                 pbx <- bob     REGISTER visible
                 pbx -> bob     401
                 pbx <- bob     REGISTER visible
                 pbx -> bob     401
        event auth_failed=bad_digest
        alice -> pbx            BYE
        alice <- pbx            200
                 pbx -> bob     BYE
                 pbx <- bob     200
        ",
    );
}

#[test]
fn a_source_without_tokens_is_silence() {
    check(
        "
        given mallory stranger
        given guard rate=1 burst=2
        mallory -> pbx   REGISTER nocred
        mallory <- pbx   401
        mallory -> pbx   REGISTER nocred
        mallory <- pbx   401
        mallory -> pbx   REGISTER nocred ignored
        event throttled
        mallory -> pbx   REGISTER nocred ignored
        alice -> pbx     REGISTER
        alice <- pbx     200
        wait 1s
        mallory -> pbx   REGISTER nocred
        mallory <- pbx   401
        ",
    );
}

/// Guessed or stale dialog ids get 481, whatever the method.
#[test]
fn requests_for_no_dialog() {
    check(
        "
        given mallory stranger
        mallory -> pbx   BYE 101 to-tag=a0123456789abcde nocred
        mallory <- pbx   481
        mallory -> pbx   INFO 101 to-tag=guess nocred
        mallory <- pbx   481
        mallory -> pbx   ACK 101 to-tag=guess nocred
        mallory -> pbx   INVITE 101 to-tag=guess nocred
        mallory <- pbx   481
        mallory -> pbx   ACK
        ",
    );
}

/// What cannot be read costs a token, what belongs to nothing a token of another kind; without one they are no part of
/// the trace (`throttled`).
#[test]
fn whoever_sends_nonsense_is_throttled() {
    const REST: &str = "Via: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:101@c>;tag=2\r\nCall-ID: 1@b\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n";
    let response = |cseq: &str| format!("SIP/2.0 200 OK\r\n{REST}CSeq: {cseq}\r\n\r\n");
    let request =
        |method: &str| format!("{method} sip:101@c SIP/2.0\r\n{REST}CSeq: 1 {method}\r\n\r\n");
    let two_vias =
        response("1 INVITE").replacen("Via", "Via: SIP/2.0/UDP x;branch=z9hG4bK2\r\nVia", 1);
    #[rustfmt::skip]
    let table = [
        ("no SIP",                    b"this is no SIP".to_vec(),             false),
        ("no text",                   b"\xff\xfe\xff\xfe".to_vec(),           false),
        ("nobody's response",         response("1 INVITE").into_bytes(),      true),
        ("one for somebody behind",   two_vias.into_bytes(),                  true),
        ("one that cannot be read",   response("INVITE").into_bytes(),        true),
        ("nobody's ACK",              request("ACK").into_bytes(),            true),
    ];
    let at = |text: &str| text.parse().expect("an address");
    let (local, remote) = (at("10.0.0.1:5060"), at("198.51.100.9:5060"));
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    let burst = u64::from(Config::default().guard_burst);
    for (what, bytes, is_served) in table {
        let mut office = Office::new(1, Settings::default(), Vec::new());
        for _ in 0..1000 {
            office.receive(flow, &bytes);
        }
        assert_eq!(office.core().counters().throttled, 1000 - burst, "{what}");
        assert!(office.poll_sent().is_none(), "{what}");
        office.receive(flow, request("BYE").as_bytes());
        assert_eq!(office.poll_sent().is_some(), is_served, "{what}");
    }
}
