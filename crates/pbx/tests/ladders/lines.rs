//! External lines at their carriers: registration and its oddities (RFC 3261 §10.2, product.md 6).

use pbx::line::Line;
use pbx::line::config::Password;
use pbx::settings::Settings;
use std::time::Duration;
use testkit::ladder::check;
use testkit::office::Office;

#[test]
fn a_line_registers_and_refreshes() {
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER credentials=none to=5678 from=5678 header=Expires:3600 header=Supported:path
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right call-id=same cseq=2
             pbx <- telecom   200 expires=600
        event line=registered
        wait 540s next
             pbx -> telecom   REGISTER credentials=right call-id=same cseq=3
             pbx <- telecom   401 challenge="realm=telecom, nonce=n2, algorithm=SHA-256, qop=auth, stale=true"
             pbx -> telecom   REGISTER credentials=right call-id=same cseq=4
             pbx <- telecom   200
    "#,
    );
}

#[test]
fn a_carrier_that_wants_a_new_call_id_is_recognised_and_the_switch_helps() {
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER cseq=1
             pbx <- telecom   401
             pbx -> telecom   REGISTER call-id=same cseq=2
             pbx <- telecom   400 header="P-Registrar-Error:Invalid CSeq number"
        event trouble=line.reg_cseq
        # Suggested, and applied by nobody but the administrator.
        change line 5678 new-call-id
        wait 1s next
             pbx -> telecom   REGISTER credentials=none call-id=same cseq=3
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right call-id=new
             pbx <- telecom   200
        event line=registered
    "#,
    );
}

/// The second refusal of the same credentials is an answer; asking on would get us banned.
#[test]
fn a_wrong_password_is_said_and_not_tried_on() {
    check(
        r#"
        given line 5678 at=telecom unregistered password=guess
        wait 0s
             pbx -> telecom   REGISTER credentials=none
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=wrong
             pbx <- telecom   401 challenge="realm=telecom, nonce=n2"
        event trouble=line.auth_failed
        wait 14min
        change line 5678 password=secret-5678
        wait 1s next
             pbx -> telecom   REGISTER credentials=none
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
    "#,
    );
}

/// The carrier has the password and says no: it is asked again after a quarter of an hour.
#[test]
fn a_registration_refused_after_the_password_is_not_tried_on() {
    for status in [403, 404] {
        check(&format!(
            r#"
            given line 5678 at=telecom unregistered
            wait 0s
                 pbx -> telecom   REGISTER credentials=none
                 pbx <- telecom   401
                 pbx -> telecom   REGISTER credentials=right
                 pbx <- telecom   {status}
            event trouble=line.rejected
            wait 14min
            wait 2min next
                 pbx -> telecom   REGISTER credentials=right
                 pbx <- telecom   200
            event line=registered
        "#
        ));
    }
}

/// Request-URI parameters are for calls as well: a line that is registered stays so, and one that was
/// refused is tried with the new ones.
#[test]
fn other_uri_parameters() {
    check(
        r#"
        given line 5678 at=telecom
        change line 5678 uri=user=phone
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678
    "#,
    );
    check(
        r#"
        given line 5678 at=telecom unregistered uri=user=phone
        wait 0s
             pbx -> telecom   REGISTER
             pbx <- telecom   416
        event trouble=line.rejected
        change line 5678 uri=
        wait 1s next
             pbx -> telecom   REGISTER
             pbx <- telecom   200
    "#,
    );
}

#[test]
fn interval_too_brief_redirection_and_proxy() {
    check(
        r#"
        given line 5678 at=telecom unregistered expires=60
        wait 0s
             pbx -> telecom   REGISTER header=Expires:60
             pbx <- telecom   423 header=Min-Expires:1800
             pbx -> telecom   REGISTER header=Expires:1800 cseq=2
             pbx <- telecom   302 contact=<sip:203.0.113.7>
             pbx -> telecom2  REGISTER cseq=3
        # Sent on by the carrier's word, we are only to be known where its own name is.
             pbx <- telecom2  401 challenge="realm=elsewhere, nonce=n1"
        event trouble=line.auth_unknown
        change line 5678 deleted
    "#,
    );
    check(
        r#"
        given line 5678 at=telecom proxy=telecom2 unregistered
        wait 0s
             pbx -> telecom2  REGISTER header="Route:<sip:203.0.113.7;lr>"
             pbx <- telecom2  407
             pbx -> telecom2  REGISTER credentials=right header="Proxy-Authorization"
             pbx <- telecom2  200
    "#,
    );
}

#[test]
fn a_silent_carrier_and_one_that_asks_for_patience() {
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER lost
        wait 32s resends
        event trouble=line.no_response
        wait 14s
        wait 16s next
             pbx -> telecom   REGISTER cseq=2
             pbx <- telecom   503 header=Retry-After:120
        event trouble=line.rejected
        wait 119s
        change line 5678 deleted
    "#,
    );
}

/// What the carrier holds outlives the process: it is told the next CSeq, and the same Contact.
#[test]
fn a_restart_goes_on_where_the_last_process_was() {
    check(
        r#"
        given line 5678 at=telecom
        kill
        wait 0s
             pbx -> telecom   REGISTER cseq=3 credentials=none
        event line=registered
             pbx <- telecom   401
             pbx -> telecom   REGISTER call-id=same cseq=4
             pbx <- telecom   200
    "#,
    );
}

#[test]
fn whoever_leaves_says_so() {
    check(
        r#"
        given line 5678 at=telecom
        change line 5678 deleted
             pbx -> telecom   REGISTER header=Expires:0 credentials=right
             pbx <- telecom   401 challenge="realm=telecom, nonce=n2"
             pbx -> telecom   REGISTER header=Expires:0 credentials=right
             pbx <- telecom   200
        event line=gone
    "#,
    );
    check(
        r#"
        given line 5678 at=telecom
        shutdown
             pbx -> telecom   REGISTER header=Expires:0
             pbx <- telecom   200
    "#,
    );
}

#[test]
fn a_lost_stream_is_opened_again() {
    check(
        r#"
        given line 5678 at=telecom tcp
        disconnect telecom
        wait 2s
             pbx -> telecom   connect
             pbx <- telecom   refused
        event trouble=line.unreachable
        wait 30s next
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
    "#,
    );
}

#[test]
fn the_way_is_kept_open() {
    check(
        r#"
        given line 5678 at=telecom keep-alive=30
        wait 30s
             pbx -> telecom   keep-alive
        wait 30s
             pbx -> telecom   keep-alive
        change line 5678 off
             pbx -> telecom   REGISTER header=Expires:0
             pbx <- telecom   200
        wait 60s
    "#,
    );
}

/// Its place in the counters.
const REGISTER: usize = 5;

/// All lines of a carrier begin within 20 s, and no second is crowded.
#[test]
fn five_hundred_lines_register_without_a_burst() {
    let mut office = Office::new(1, Settings::default(), Vec::new());
    office.change(|tenant| {
        for number in 0..500 {
            tenant.lines.put(Line {
                account: format!("{}", 1000 + number).into(),
                password: Password("secret".into()),
                domain: "203.0.113.5".into(),
                ..Line::default()
            });
        }
    });
    let mut asked = 0;
    for second in 0..20 {
        office.advance(Duration::from_secs(1));
        // Nobody answers: what is sent again is not new.
        let counters = office.core().counters();
        let fresh = counters.requests_out[0][REGISTER] - counters.retransmits_out;
        let now = usize::try_from(fresh).expect("a small number");
        assert!(now - asked <= 26, "{} in second {second}", now - asked);
        asked = now;
    }
    assert_eq!(asked, 500);
}
