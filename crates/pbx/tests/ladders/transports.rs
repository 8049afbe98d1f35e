//! Lines and trunks whose transport DNS chooses (RFC 3263 §4.1): NAPTR, else where SRV records are,
//! else UDP; over all of them the next server where one does not serve.

use testkit::ladder::check;

/// NAPTR prefers TCP, whose server refuses the stream: the line registers over UDP.
#[test]
fn a_line_registers_as_naptr_prefers_then_otherwise() {
    check(
        r#"
        given telecom tcp
        given dns telecom.example NAPTR 10 20 s SIP+D2U _sip._udp.telecom.example
        given dns telecom.example NAPTR 10 10 s SIP+D2T _sip._tcp.telecom.example
        given dns telecom.example NAPTR 5 10 s SIPS+D2T _sips._tcp.telecom.example
        given dns _sip._tcp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip2.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example auto unregistered
        wait 0s
             pbx -> telecom   connect
             pbx <- telecom   refused
        wait 0s
             pbx -> telecom2  REGISTER credentials=none
             pbx <- telecom2  401
             pbx -> telecom2  REGISTER credentials=right
             pbx <- telecom2  200
        event line=registered
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom2  INVITE 0138
                 pbx <- telecom2  486
                 pbx -> telecom2  ACK
        alice <- pbx              486
        alice -> pbx              ACK
        record release=callee.busy line=5678
    "#,
    );
}

/// Without NAPTR the SRV records say by what the carrier is reached.
#[test]
fn a_line_registers_by_the_transport_that_has_servers() {
    check(
        r#"
        given telecom tcp
        given dns _sip._tcp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns sip1.telecom.example A telecom
        given line 5678 domain=telecom.example auto unregistered
        wait 0s
             pbx -> telecom   connect
             pbx <- telecom   connected
             pbx -> telecom   REGISTER credentials=none
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
        event line=registered
        telecom -> pbx            INVITE to-line=5678
        telecom <- pbx            100
        telecom <- pbx            404
        telecom -> pbx            ACK
        record release=route.no_match direction=incoming line=5678
    "#,
    );
}

/// Neither NAPTR nor SRV, a port of one's own, a numeric address: UDP.
#[test]
fn what_dns_leaves_open_is_udp() {
    for domain in ["domain=telecom.example", "domain=telecom.example:5060", "at=telecom"] {
        check(&format!(
            r#"
            given dns telecom.example A telecom
            given line 5678 {domain} auto unregistered
            wait 0s
                 pbx -> telecom   REGISTER credentials=none
                 pbx <- telecom   401
                 pbx -> telecom   REGISTER credentials=right
                 pbx <- telecom   200
            event line=registered
        "#
        ));
    }
}

/// DNS takes the carrier from UDP to TCP: the line goes along.
#[test]
fn a_carrier_that_changes_its_transport() {
    check(
        r#"
        given telecom2 tcp
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example auto
        dns _sip._udp.telecom.example SRV
        dns _sip._tcp.telecom.example SRV 10 0 5060 sip2.telecom.example
        wait 1s next
             pbx -> telecom2  connect
             pbx <- telecom2  connected
             pbx -> telecom2  REGISTER
             pbx <- telecom2  200
        event line=registered
    "#,
    );
}

/// The servers of a trunk, each by its own transport: OPTIONS and calls.
#[test]
fn the_servers_of_a_trunk() {
    check(
        r#"
        given branch tcp
        given dns branch.example NAPTR 10 10 s SIP+D2T _sip._tcp.branch.example
        given dns branch.example NAPTR 10 20 s SIP+D2U _sip._udp.branch.example
        given dns _sip._tcp.branch.example SRV 10 0 5060 a.branch.example
        given dns _sip._udp.branch.example SRV 10 0 5060 b.branch.example
        given dns a.branch.example A branch
        given dns b.branch.example A branch2
        given trunk 1 host=branch.example prefix=2 auto
        alice -> pbx             INVITE 200
                 pbx -> branch   connect
        alice <- pbx             100
                 pbx <- branch   refused
                 pbx -> branch2  INVITE 200
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy trunk=1
        branch2 -> pbx           INVITE 101 nocred
        branch2 <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      486
                 pbx -> bob      ACK
        branch2 <- pbx           486
        branch2 -> pbx           ACK
        record release=callee.busy direction=incoming trunk=1
    "#,
    );
}

/// A call by a line without registration: the stream is refused, the next server gets it over UDP.
#[test]
fn a_call_by_a_line_without_registration() {
    check(
        r#"
        given telecom tcp
        given dns _sip._tcp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns telecom.example NAPTR 10 10 s SIP+D2T _sip._tcp.telecom.example
        given dns telecom.example NAPTR 20 10 s SIP+D2U _sip._udp.telecom.example
        given dns sip1.telecom.example A telecom
        given line 5678 domain=telecom.example auto without-register
        alice -> pbx              INVITE 90138
                 pbx -> telecom   connect
        alice <- pbx              100
                 pbx <- telecom   connected
                 pbx -> telecom   INVITE 0138
                 pbx <- telecom   486
                 pbx -> telecom   ACK
        alice <- pbx              486
        alice -> pbx              ACK
        record release=callee.busy line=5678
    "#,
    );
}
