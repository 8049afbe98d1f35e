//! Names of carriers and other servers (RFC 3263): found, lost, moved, and slow.

use testkit::ladder::check;

/// The first server of the SRV record says nothing: after four seconds the second one is tried, and
/// kept. The first one hears no more of it, and its late answer counts for nothing.
#[test]
fn a_line_registers_at_the_next_server() {
    check(
        r#"
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 20 0 5060 sip2.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example unregistered
        wait 0s
             pbx -> telecom   REGISTER to=5678 lost
        wait 4s resends
             pbx -> telecom2  REGISTER credentials=none cseq=2
             pbx <- telecom2  401
             pbx -> telecom2  REGISTER credentials=right
             pbx <- telecom2  200
        event line=registered
        wait 32s
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

/// 503 says that this server serves nobody: the same line's other server gets a new INVITE.
#[test]
fn a_call_goes_to_the_next_server_of_the_same_line() {
    check(
        r#"
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 20 0 5060 sip2.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom   INVITE 0138
                 pbx <- telecom   503
                 pbx -> telecom   ACK
                 pbx -> telecom2  INVITE 0138 call-id=new
                 pbx <- telecom2  200
                 pbx -> telecom2  ACK
        alice <- pbx              200
        alice -> pbx              ACK
        alice -> pbx              BYE
        alice <- pbx              200
                 pbx -> telecom2  BYE
                 pbx <- telecom2  200
        record release=caller.hangup line=5678
        # 500 is the word of the carrier, whichever of its servers speaks it.
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom   INVITE 0138
                 pbx <- telecom   500
                 pbx -> telecom   ACK
        alice <- pbx              503
        alice -> pbx              ACK
        record release=line.failed
        # Silence counts for three seconds.
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom   INVITE 0138 lost
        wait 3s resends
                 pbx -> telecom2  INVITE 0138
                 pbx <- telecom2  486
                 pbx -> telecom2  ACK
        alice <- pbx              486
        alice -> pbx              ACK
        record release=callee.busy
        wait 32s resends
    "#,
    );
}

#[test]
fn a_name_that_does_not_exist_is_said_and_tried_again_when_it_does() {
    check(
        r#"
        given line 5678 domain=telecom.example unregistered
        wait 0s
        event trouble=line.dns
        alice -> pbx             INVITE 90138
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.dns
        dns telecom.example A telecom
        wait 1s next
             pbx -> telecom   REGISTER
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
        event line=registered
    "#,
    );
}

/// Where DNS is slow the REGISTER waits, at most four seconds; an answer that comes later still
/// counts.
#[test]
fn a_register_waits_for_the_name() {
    check(
        r#"
        given dns telecom.example A telecom
        given dns delay=3s
        given line 5678 domain=telecom.example unregistered
        wait 3s
             pbx -> telecom   REGISTER
             pbx <- telecom   401
             pbx -> telecom   REGISTER credentials=right
             pbx <- telecom   200
        event line=registered
    "#,
    );
    check(
        r#"
        given dns telecom.example A telecom
        given dns delay=9s
        given line 5678 domain=telecom.example unregistered
        wait 4s
        event trouble=line.dns
        wait 6s next
             pbx -> telecom   REGISTER
             pbx <- telecom   200
        event line=registered
    "#,
    );
}

/// The carrier moves: the line registers there at once, and calls go by the old address until it has.
#[test]
fn a_name_that_leads_elsewhere_takes_the_line_along() {
    check(
        r#"
        given dns telecom.example A telecom
        given line 5678 domain=telecom.example
        dns telecom.example A telecom2
        wait 1s next
             pbx -> telecom2  REGISTER cseq=3
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom   INVITE 0138
                 pbx <- telecom   486
                 pbx -> telecom   ACK
        alice <- pbx              486
        alice -> pbx              ACK
             pbx <- telecom2  200 REGISTER
        event line=registered
        record release=callee.busy
        alice -> pbx              INVITE 90138
        alice <- pbx              100
                 pbx -> telecom2  INVITE 0138
                 pbx <- telecom2  486
                 pbx -> telecom2  ACK
        alice <- pbx              486
        alice -> pbx              ACK
        record release=callee.busy
    "#,
    );
}

/// A name that is not resolved any more: what it had is used on, and it is said.
#[test]
fn the_last_good_addresses_stand_in() {
    check(
        r#"
        given dns telecom.example A telecom
        given line 5678 domain=telecom.example
        given dns branch.example A branch
        given trunk 1 host=branch.example prefix=2
        dns telecom.example A
        dns branch.example A
        event trouble=line.dns_stale trunk=1/1/stale
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy trunk=1
        dns telecom.example A telecom
        event line=registered
    "#,
    );
}

/// RFC 3261 §10.2.7 with a name in the Contact of the 3xx.
#[test]
fn a_redirection_to_a_name() {
    check(
        r#"
        given dns sip2.telecom.example A telecom2
        given dns delay=2s
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER
             pbx <- telecom   302 header="Contact:<sip:5678@sip2.telecom.example>"
        wait 2s
             pbx -> telecom2  REGISTER cseq=2
             pbx <- telecom2  200
        event line=registered
    "#,
    );
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER
             pbx <- telecom   302 header="Contact:<sip:5678@nowhere.example>"
        event trouble=line.dns
        change line 5678 off
    "#,
    );
}

/// Several servers of one name and several names: by the trunk's priority, then by DNS's.
#[test]
fn a_trunk_with_names() {
    check(
        r#"
        given dns _sip._udp.branch.example SRV 10 0 5060 a.branch.example
        given dns _sip._udp.branch.example SRV 20 0 5060 b.branch.example
        given dns a.branch.example A branch
        given dns b.branch.example A branch2
        given trunk 1 host=branch.example prefix=2 options=30
        wait 0s
                 pbx -> branch   OPTIONS
                 pbx <- branch   200
        wait 40ms
                 pbx -> branch2  OPTIONS
                 pbx <- branch2  200
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   503
                 pbx -> branch   ACK
                 pbx -> branch   OPTIONS
                 pbx -> branch2  INVITE 200
                 pbx <- branch   200 OPTIONS
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
        # From any of them calls come in.
        branch2 -> pbx           INVITE 101 nocred
        branch2 <- pbx           100
                 pbx -> bob      INVITE
                 pbx <- bob      486
                 pbx -> bob      ACK
        branch2 <- pbx           486
        branch2 -> pbx           ACK
        record release=callee.busy direction=incoming trunk=1
        change trunk 1 deleted
        wait 32s resends
    "#,
    );
}

/// Who calls while DNS is asked for the first time waits; who hangs up meanwhile is gone.
#[test]
fn a_call_waits_for_a_name() {
    check(
        r#"
        given dns branch.example A branch
        given dns delay=2s
        given trunk 1 host=branch.example prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
        bob -> pbx               INVITE 200
        bob <- pbx               100
        wait 1s
        bob -> pbx               CANCEL
        bob <- pbx               200 CANCEL
        bob <- pbx               487 INVITE
        bob -> pbx               ACK
        record release=caller.cancelled
        wait 1s
                 pbx -> branch   INVITE 200
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
    "#,
    );
}

/// The process dies while a call waits for a name: the call has its record.
#[test]
fn killed_while_a_call_waits_for_a_name() {
    check(
        r#"
        given dns branch.example A branch
        given dns delay=2s
        given trunk 1 host=branch.example prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
        wait 1s
        kill
        record release=system.crash answered=no dialled=200
    "#,
    );
}

/// The process dies while it rings outside: the record says by what the call went last.
#[test]
fn killed_while_it_rings_outside() {
    check(
        r#"
        given dns branch.example A branch
        given dns delay=2s
        given trunk 1 host=branch.example prefix=2
        alice -> pbx             INVITE 200
        alice <- pbx             100
        wait 2s
                 pbx -> branch   INVITE 200
                 pbx <- branch   180
        alice <- pbx             180
        kill
        record release=system.crash answered=no trunk=1 sent=200 direction=outgoing
    "#,
    );
    check(
        r#"
        given line 1234 at=telecom without-register
        given line 5678 at=unicom without-register
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  503
                 pbx -> telecom  ACK
                 pbx -> unicom   INVITE 0138
                 pbx <- unicom   180
        alice <- pbx             180
        kill
        record release=system.crash answered=no line=5678 sent=0138 direction=outgoing
    "#,
    );
}

/// DNS is dead: nobody else waits for it, and whoever needs it is told after four seconds.
#[test]
fn dead_dns_holds_up_nobody_else() {
    check(
        r#"
        given dns silent
        given trunk 1 host=branch.example prefix=2
        given trunk 2 at=branch2 prefix=3
        given line 5678 domain=telecom.example unregistered
        alice -> pbx             INVITE 200
        alice <- pbx             100
        bob -> pbx               INVITE 300
        bob <- pbx               100
                 pbx -> branch2  INVITE 300
                 pbx <- branch2  486
                 pbx -> branch2  ACK
        bob <- pbx               486
        bob -> pbx               ACK
        record release=callee.busy trunk=2
        wait 4s
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.dns status=503
        event trouble=line.dns
        # It is known by now: the next one need not wait.
        alice -> pbx             INVITE 200
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=trunk.dns
    "#,
    );
}

/// The name of a line that does not register.
#[test]
fn a_line_without_registration_by_name() {
    check(
        r#"
        given dns silent
        given line 5678 domain=telecom.example without-register
        given line 6789 at=unicom without-register
        alice -> pbx             INVITE 90138
        alice <- pbx             100
        wait 4s
                 pbx -> unicom   INVITE 0138
                 pbx <- unicom   486
                 pbx -> unicom   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=6789
        change line 6789 off
        alice -> pbx             INVITE 90138
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.dns
        dns answers
        dns telecom.example A telecom
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
}

/// The last server that is left has as long as its transaction; a server that is at it (1xx) is not left.
#[test]
fn how_long_a_register_waits() {
    check(
        r#"
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 20 0 5060 sip2.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example unregistered
        wait 0s
             pbx -> telecom   REGISTER lost
        wait 4s resends
             pbx -> telecom2  REGISTER cseq=2
             pbx <- telecom2  100
        wait 20s resends
             pbx <- telecom2  200
        event line=registered
    "#,
    );
    check(
        r#"
        given line 5678 at=telecom unregistered
        wait 0s
             pbx -> telecom   REGISTER lost
        wait 32s resends
        event trouble=line.no_response
        change line 5678 off
    "#,
    );
}

/// DNS lied: while the line asks where nobody is, the name leads to the carrier again. It is asked at
/// once.
#[test]
fn a_register_does_not_wait_for_where_the_carrier_was() {
    check(
        r#"
        given dns telecom.example A telecom2
        given line 5678 domain=telecom.example unregistered
        wait 0s
             pbx -> telecom2  REGISTER lost
        wait 5s resends
        dns telecom.example A telecom
        wait 1s next
             pbx -> telecom   REGISTER cseq=2
             pbx <- telecom   200
        event line=registered
        wait 32s
    "#,
    );
}
