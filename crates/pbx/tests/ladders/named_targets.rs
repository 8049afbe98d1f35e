//! Dialogs whose peer names itself by a host name (RFC 3261 §12.2.1.1, RFC 3263): nothing waits for
//! DNS that can go another way, and what cannot waits for it alone.

use testkit::ladder::check;

/// Alice's stream is lost, bob hangs up: the ladder up to what becomes of her BYE.
fn lost_stream(dns: &str, headers: &str, then: &str) {
    check(&format!(
        r#"
        {dns}
        given alice tcp
        alice -> pbx          INVITE 101 {headers}
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        disconnect alice
                 pbx <- bob   BYE
                 pbx -> bob   200
        alice <- pbx          BYE gone
        {then}
        record release=callee.hangup
    "#
    ));
}

const NAMED: &str = "contact=<sip:100@pc.example;transport=tcp>";

#[test]
fn the_bye_to_a_named_contact_waits_for_its_address() {
    lost_stream(
        r#"given dns pc.example A 10.0.1.100
        given dns delay=2s"#,
        NAMED,
        r#"wait 2s
        alice <- pbx          connect
        alice -> pbx          connected
        alice <- pbx          BYE
        alice -> pbx          200"#,
    );
}

/// The first server that SRV names refuses; the next one is tried.
#[test]
fn the_bye_goes_to_the_next_address() {
    lost_stream(
        r#"given dns _sip._tcp.pc.example SRV 10 0 5060 b.pc.example
        given dns _sip._tcp.pc.example SRV 20 0 5060 a.pc.example
        given dns b.pc.example A branch
        given dns a.pc.example A 10.0.1.100"#,
        NAMED,
        r#"branch <- pbx         connect
        branch -> pbx         refused
        alice <- pbx          connect
        alice -> pbx          connected
        alice <- pbx          BYE
        alice -> pbx          200"#,
    );
}

/// The route comes before the Contact (RFC 3261 §8.1.2).
#[test]
fn the_bye_goes_by_its_first_route() {
    lost_stream(
        "given dns edge.example A 10.0.1.100",
        r#"header="Record-Route:<sip:edge.example;transport=tcp;lr>""#,
        r#"alice <- pbx          connect
        alice -> pbx          connected
        alice <- pbx          BYE header=Route:edge.example
        alice -> pbx          200"#,
    );
}

/// No such name, no answer in four seconds, or a name that leads into another network: nobody is
/// asked, and nothing is left waiting.
#[test]
fn a_bye_without_an_address_is_given_up() {
    lost_stream("", NAMED, "");
    lost_stream("given dns silent", NAMED, "wait 4s");
    lost_stream("given dns pc.example A telecom", NAMED, "");
    lost_stream("given dns pc.example A 127.0.0.1", NAMED, "");
}

/// The Contact of the 2xx leads to another port of the carrier's host. The ACK goes out at once the
/// way the INVITE went, and once more when the name is known, as does all that follows.
#[test]
fn the_ack_of_a_named_contact() {
    check(
        r#"
        given line 5678 at=telecom
        given dns gw.telecom.example A telecom
        given dns delay=2s
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom   INVITE 0138
                 pbx <- telecom   200 contact=<sip:0138@gw.telecom.example:5070>
                 pbx -> telecom   ACK
        alice <- pbx              200
        alice -> pbx              ACK
        wait 2s
                 pbx -> gateway   ACK
        alice -> pbx              BYE
        alice <- pbx              200
                 pbx -> gateway   BYE
                 pbx <- gateway   200
        record release=caller.hangup line=5678
    "#,
    );
}

/// The same with a name that does not exist, with one that leads to another host, and with the name
/// the INVITE went to: everything goes the way it went.
#[test]
fn a_named_contact_that_leads_nowhere_else() {
    for contact in ["nowhere.example:5070", "sip.unicom.example", "telecom.example"] {
        check(&format!(
            r#"
            given dns telecom.example A telecom
            given dns sip.unicom.example A unicom
            given line 5678 domain=telecom.example
            alice -> pbx              INVITE 90138
            alice <- pbx              100
                     pbx -> telecom   INVITE 0138
                     pbx <- telecom   200 contact=<sip:0138@{contact}>
                     pbx -> telecom   ACK
            alice <- pbx              200
            alice -> pbx              ACK
            wait 5s
            alice -> pbx              BYE
            alice <- pbx              200
                     pbx -> telecom   BYE
                     pbx <- telecom   200
            record release=caller.hangup line=5678
        "#
        ));
    }
}
