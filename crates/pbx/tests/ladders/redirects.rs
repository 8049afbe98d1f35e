//! A carrier or another server sends our call on (3xx, RFC 3261 §8.1.3.4).

use testkit::ladder::check;

/// To a number that who calls could dial himself: it goes out by the same line, and he hears 181.
#[test]
fn a_carrier_names_another_number() {
    check(
        r#"
        given line 5678 at=telecom out=1
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0139@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             181 header=Call-Info:0139
                 pbx -> telecom  INVITE 0139 from=5678 call-id=new sdp=offer
                 pbx <- telecom  407
                 pbx -> telecom  ACK
                 pbx -> telecom  INVITE 0139 credentials=right call-id=same
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        media alice hears telecom
        # Its limit is 1, and it is one call.
        alice -> pbx             INVITE 90140
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.all_busy
        alice -> pbx             BYE call=1
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup dialled=90138 sent=0139 line=5678
    "#,
    );
}

/// The host of a Contact is nobody's to choose: the number goes to the carrier, never there.
#[test]
fn a_host_that_nobody_configured() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0138@198.51.100.66>
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted status=480 guilty=network says="Line 5678 sent the call on to sip:0138@198.51.100.66: that is no server of the line or trunk." zh="外线5678将呼叫重定向到sip:0138@198.51.100.66：该地址不是该外线或中继的服务器。"
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0139@198.51.100.66>
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 0139
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy sent=0139
    "#,
    );
}

/// Who may not dial the number does not come to it by a carrier either.
#[test]
fn a_number_that_the_caller_may_not_dial() {
    check(
        r#"
        given line 5678 at=telecom
        given blocked 3 called=90190
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0190@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted says="Line 5678 sent the call on to sip:0190@203.0.113.5: the caller may not dial that number by it."
    "#,
    );
}

/// Back to where it was, and again and again.
#[test]
fn loops() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0139@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 0139
                 pbx <- telecom  302 header=Contact:<sip:0138@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted says="Line 5678 sent the call on to sip:0138@203.0.113.5: the call was there already, or was sent on too often."
        alice -> pbx             INVITE 91
        alice <- pbx             100
                 pbx -> telecom  INVITE 1
                 pbx <- telecom  301 header=Contact:<sip:2@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 2
                 pbx <- telecom  300 header=Contact:<sip:3@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 3
                 pbx <- telecom  302 header=Contact:<sip:4@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 4
                 pbx <- telecom  302 header=Contact:<sip:5@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted sent=4
    "#,
    );
}

/// A trunk's server names the other one; and a number of another office, which is dialled as such.
#[test]
fn another_server_of_a_trunk() {
    check(
        r#"
        given trunk 1 at=branch,branch2 prefix=2
        given trunk 2 at=telecom prefix=3
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   305 header=Contact:<sip:10.23.0.2>
                 pbx -> branch   ACK
                 pbx -> branch2  INVITE 200
                 pbx <- branch2  180
        alice <- pbx             180
                 pbx <- branch2  302 header=Contact:<sip:201@10.23.0.2>
                 pbx -> branch2  ACK
        alice <- pbx             181
                 pbx -> branch2  INVITE 201
                 pbx <- branch2  302 header=Contact:<sip:300@203.0.113.5>
                 pbx -> branch2  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=trunk.diverted trunk=1 sent=201 guilty=network
    "#,
    );
}

/// 3xx without a Contact, and one that names another service, lead nowhere.
#[test]
fn nowhere() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted says="Line 5678: The carrier sent the call on to where it may not go. (302)"
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  380 header=Contact:<sip:0139@203.0.113.5>
                 pbx -> telecom  ACK
        alice <- pbx             480
        alice -> pbx             ACK
        record release=line.diverted
    "#,
    );
}

/// Two servers of a carrier's name: the first sends us to the second.
#[test]
fn another_server_of_a_carrier() {
    check(
        r#"
        given dns _sip._udp.telecom.example SRV 10 0 5060 sip1.telecom.example
        given dns _sip._udp.telecom.example SRV 20 0 5060 sip2.telecom.example
        given dns sip1.telecom.example A telecom
        given dns sip2.telecom.example A telecom2
        given line 5678 domain=telecom.example without-register
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header=Contact:<sip:0138@203.0.113.7>
                 pbx -> telecom  ACK
                 pbx -> telecom2 INVITE 0138 no=Record-Route
                 pbx <- telecom2 486
                 pbx -> telecom2 ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678
    "#,
    );
}

/// The most wanted is tried first, then the others: one that the caller may not dial is passed over.
#[test]
fn several_contacts() {
    check(
        r#"
        given line 5678 at=telecom out=1
        given blocked 3 called=90190
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  300 header="Contact:<sip:0140@203.0.113.5>;q=0.1, <sip:0190@203.0.113.5>, <sip:0139@203.0.113.5>;q=0.8"
                 pbx -> telecom  ACK
        alice <- pbx             181 header=Call-Info:0139
                 pbx -> telecom  INVITE 0139
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             181 header=Call-Info:0140
                 pbx -> telecom  INVITE 0140
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy sent=0140
    "#,
    );
}

/// 6xx speaks for the callee; more than three times a call is not sent on.
#[test]
fn several_contacts_and_an_end() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header="Contact:<sip:1@203.0.113.5>, <sip:2@203.0.113.5>"
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 1
                 pbx <- telecom  603
                 pbx -> telecom  ACK
        alice <- pbx             603
        alice -> pbx             ACK
        record release=callee.declined
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  302 header="Contact:<sip:1@203.0.113.5>, <sip:2@203.0.113.5>, <sip:3@203.0.113.5>, <sip:4@203.0.113.5>"
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 1
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 2
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             181
                 pbx -> telecom  INVITE 3
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             404
        alice -> pbx             ACK
        record release=callee.unknown sent=3
    "#,
    );
}
