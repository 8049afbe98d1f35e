//! Callers who withhold their numbers (RFC 3323, RFC 3325): nobody who is not trusted with it sees
//! who they are, by whatever way the call reaches him.

use testkit::ladder::check;

/// A caller from outside, as his carrier says that he hides: each of the words it has for it.
#[test]
fn a_withheld_number_is_not_shown_to_phones() {
    let asserted = "header=P-Asserted-Identity:<sip:0138@telecom>";
    let ways = [
        format!("from=0138 {asserted} header=Privacy:id"),
        format!("from=anonymous {asserted}"),
        "from=0138 header=Privacy:user;critical".to_owned(),
        "from=1 header=Remote-Party-ID:<sip:0138@telecom>;party=calling;privacy=full".to_owned(),
    ];
    for how in ways {
        check(&format!(
            r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 5678 nocred {how} header=Organization:Acme header=Reply-To:<sip:0138@x>
        telecom <- pbx           100
                 pbx -> bob      INVITE header=From:<sip:anonymous@anonymous.invalid> name=Anonymous no=Organization no=Reply-To no=P-Asserted-Identity
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy caller=0138
    "#
        ));
    }
}

#[test]
fn a_number_that_may_be_shown_is_shown() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 5678 nocred from=0138 header=Privacy:none header=Organization:Acme
        telecom <- pbx           100
                 pbx -> bob      INVITE from=0138 header=Organization:Acme
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record caller=0138
    "#,
    );
}

/// What the carrier asserts is what the black list looks at, whoever is shown it.
#[test]
fn the_black_list_knows_who_hides() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        given blocked 1 caller=0138
        telecom -> pbx           INVITE 5678 nocred from=anonymous header=P-Asserted-Identity:<sip:0138@telecom> header=Privacy:id
        telecom <- pbx           100
        telecom <- pbx           603
        telecom -> pbx           ACK
        record release=security.blocked caller=0138
    "#,
    );
}

/// Who wants no hidden numbers means those too that the carrier tells us alone; his own phones may hide.
#[test]
fn the_black_list_blocks_who_hides_though_he_is_known() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        given blocked 1 caller=anonymous
        telecom -> pbx           INVITE 5678 nocred from=anonymous header=P-Asserted-Identity:<sip:0138@telecom> header=Privacy:id
        telecom <- pbx           100
        telecom <- pbx           603
        telecom -> pbx           ACK
        record release=security.blocked caller=0138
    "#,
    );
}

#[test]
fn a_privacy_that_nobody_knows_and_must_be_had() {
    check(
        r#"
        alice -> pbx             INVITE 101 header=Privacy:pigeon;critical
        alice <- pbx             100
        alice <- pbx             500
        alice -> pbx             ACK
        record release=caller.unsupported status=500
    "#,
    );
}

/// Nor does anything he says later on: requests of each kind, and his answers.
#[test]
fn who_hides_does_so_to_the_end() {
    let said = "header=Organization:Acme header=Subject:alice header=Call-Info:<http://a> header=Reply-To:<sip:100@x>";
    let heard = "no=Organization no=Subject no=Call-Info no=Reply-To";
    check(&format!(
        r#"
        alice -> pbx             INVITE 101 header=Privacy:id require=100rel header=Allow:INVITE,UPDATE {said}
        alice <- pbx             100
                 pbx -> bob      INVITE {heard}
                 pbx <- bob      183 rseq=1 sdp=answer(pcma) header=Allow:INVITE,UPDATE header=Organization:Bobs
        alice <- pbx             183 sdp=answer(pcma) header=Organization:Bobs
        alice -> pbx             PRACK sdp=offer(pcmu) {said}
                 pbx -> bob      PRACK sdp=offer(pcmu) {heard}
                 pbx <- bob      200 PRACK sdp=answer(pcmu)
        alice <- pbx             200 PRACK sdp=answer(pcmu)
                 pbx <- bob      200 INVITE sdp=none
                 pbx -> bob      ACK
        alice <- pbx             200 sdp=none
        alice -> pbx             ACK
        alice -> pbx             INVITE direction=sendonly {said}
        alice <- pbx             100
                 pbx -> bob      INVITE direction=sendonly {heard}
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             UPDATE direction=sendrecv {said}
                 pbx -> bob      UPDATE direction=sendrecv {heard}
                 pbx <- bob      200
        alice <- pbx             200
        alice -> pbx             MESSAGE body=hello {said}
                 pbx -> bob      MESSAGE body=hello {heard}
                 pbx <- bob      200 header=Organization:Bobs
        alice <- pbx             200 header=Organization:Bobs
                 pbx <- bob      MESSAGE body=hello header=Organization:Bobs
        alice <- pbx             MESSAGE body=hello header=Organization:Bobs
        alice -> pbx             200 {said}
                 pbx -> bob      200 {heard}
                 pbx <- bob      INVITE direction=sendonly
                 pbx -> bob      100
        alice <- pbx             INVITE direction=sendonly
        alice -> pbx             200 {said}
        alice <- pbx             ACK
                 pbx -> bob      200 {heard}
                 pbx <- bob      ACK
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=caller.hangup
    "#
    ));
}

/// Phones write their number into their descriptions.
#[test]
fn what_a_description_tells_of_its_author() {
    check(
        r#"
        alice -> pbx             INVITE 101 header=Privacy:id
        alice <- pbx             100
                 pbx -> bob      INVITE body="s=-"
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200 body="s=bob"
        alice -> pbx             ACK
        alice -> pbx             INVITE direction=sendonly
        alice <- pbx             100
                 pbx -> bob      INVITE body="s=-" direction=sendonly
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=caller.hangup
    "#,
    );
}

#[test]
fn a_phone_of_ours_may_hide_too() {
    for how in ["header=Privacy:id", "from=anonymous header=P-Preferred-Identity:<sip:100@x>"] {
        check(&format!(
            r#"
        alice -> pbx             INVITE 101 {how}
        alice <- pbx             100
                 pbx -> bob      INVITE header=From:<sip:anonymous@anonymous.invalid> name=Anonymous no=Privacy
                 pbx <- bob      486
                 pbx -> bob      ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy caller=100 extension=100 caller-name=alice
    "#
        ));
    }
}

/// Its address proves who it is; which of the numbers there it is, the identity it prefers says.
#[test]
fn a_phone_that_is_known_by_its_address_and_hides() {
    check(
        r#"
        given frank address
        frank -> pbx             INVITE 101 visible from=anonymous header=P-Preferred-Identity:<sip:105@x> header=Privacy:id
        frank <- pbx             100
                 pbx -> bob      INVITE from=anonymous
                 pbx <- bob      486
                 pbx -> bob      ACK
        frank <- pbx             486
        frank -> pbx             ACK
        record caller=105
    "#,
    );
}

/// Who is trusted with the identity gets it, and is asked to keep it; the others get nothing.
#[test]
fn towards_carriers() {
    check(
        r#"
        given line 1234 at=unicom
        given line 5678 at=telecom caller=caller identity=pai
        alice -> pbx             INVITE 90138 header=Privacy:id
        alice <- pbx             100
                 pbx -> unicom   INVITE 0138 from=anonymous header=Privacy:id no=P-Asserted-Identity
                 pbx <- unicom   503
                 pbx -> unicom   ACK
                 pbx -> telecom  INVITE 0138 from=anonymous header=Privacy:id header=P-Asserted-Identity:<sip:100@203.0.113.5>
                 pbx <- telecom  404
                 pbx -> telecom  ACK
        alice <- pbx             404
        alice -> pbx             ACK
        record release=callee.unknown caller=100
    "#,
    );
}

#[test]
fn towards_other_servers() {
    let call = |identity: &str, heard: &str| {
        check(&format!(
            r#"
        given trunk 1 at=branch prefix=2 {identity}
        alice -> pbx             INVITE 201 header=Privacy:id
        alice <- pbx             100
                 pbx -> branch   INVITE 201 header=From:<sip:anonymous@anonymous.invalid> name=Anonymous header=Privacy:id {heard}
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record caller=100
    "#
        ));
    };
    call("", "no=P-Asserted-Identity no=Remote-Party-ID");
    call("identity=pai", "header=P-Asserted-Identity:<sip:100@");
}

/// A carrier that knows the line by From alone is asked to hide it.
#[test]
fn a_line_whose_from_is_its_account() {
    check(
        r#"
        given line 5678 at=telecom from=account
        alice -> pbx             INVITE 90138 header=Privacy:id
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=5678 header=Privacy:id
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
    "#,
    );
}

/// What the line withholds of everybody is withheld of what the phone says of itself as well.
#[test]
fn a_line_that_withholds_every_number() {
    check(
        r#"
        given line 5678 at=telecom caller=caller privacy
        alice -> pbx             INVITE 90138 header=Organization:Acme
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138 from=anonymous header=Privacy:id no=Organization body="s=-"
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             INVITE direction=sendonly header=Organization:Acme
        alice <- pbx             100
                 pbx -> telecom  INVITE direction=sendonly no=Organization body="s=-"
                 pbx <- telecom  200
                 pbx -> telecom  ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> telecom  BYE
                 pbx <- telecom  200
        record release=caller.hangup
    "#,
    );
}

/// Who calls for help is found: neither he nor the line withholds anything.
#[test]
fn an_emergency_call_withholds_nothing() {
    check(
        r#"
        given line 5678 at=telecom caller=4930100 privacy identity=rpid
        alice -> pbx             INVITE 112 header=Privacy:id
        alice <- pbx             100
                 pbx -> telecom  INVITE 112 from=4930100 no=Privacy header="Remote-Party-ID:<sip:4930100@203.0.113.5>;party=calling;screen=yes;privacy=off" body="s=alice"
                 pbx <- telecom  486
                 pbx -> telecom  ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
    "#,
    );
}

#[test]
fn a_forwarded_call_stays_anonymous() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        given 101 forward-busy=102
        given carol
        telecom -> pbx           INVITE 5678 nocred from=0138 header=Privacy:id
        telecom <- pbx           100
                 pbx -> bob      INVITE from=anonymous
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           181
                 pbx -> carol    INVITE from=anonymous header=Diversion:<sip:101@
                 pbx <- carol    486
                 pbx -> carol    ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.forwarded_busy caller=0138
        record release=callee.busy caller=0138
    "#,
    );
}

/// Who is transferred hides from whom he is transferred to as well.
#[test]
fn a_transferred_call_stays_anonymous() {
    check(
        r#"
        given line 5678 at=telecom owner=101
        given carol
        telecom -> pbx           INVITE 5678 nocred from=0138 header=Privacy:id
        telecom <- pbx           100
                 pbx -> bob      INVITE from=anonymous
                 pbx <- bob      200
                 pbx -> bob      ACK
        telecom <- pbx           200
        telecom -> pbx           ACK
        bob -> pbx               REFER header=Refer-To:<sip:102@10.0.0.1>
        bob <- pbx               202
        bob <- pbx               NOTIFY body="SIP/2.0 100"
                 pbx -> carol    INVITE header=From:<sip:anonymous@anonymous.invalid> name=Anonymous header=Referred-By:<sip:101@
                 pbx <- carol    486
                 pbx -> carol    ACK
        bob <- pbx               NOTIFY body="SIP/2.0 486"
        bob -> pbx               200
        bob -> pbx               200
        bob -> pbx               BYE
        bob <- pbx               200
        telecom <- pbx           BYE
        telecom -> pbx           200
        record release=callee.busy caller=0138
        record caller=0138
    "#,
    );
}

/// Neither does who transfers show himself, where he hid when he called.
#[test]
fn who_hid_and_transfers_is_not_named() {
    check(
        r#"
        given carol
        alice -> pbx             INVITE 101 header=Privacy:id
        alice <- pbx             100
                 pbx -> bob      INVITE from=anonymous
                 pbx <- bob      200
                 pbx -> bob      ACK
        alice <- pbx             200
        alice -> pbx             ACK
        alice -> pbx             REFER header=Refer-To:<sip:102@10.0.0.1>
        alice <- pbx             202
        alice <- pbx             NOTIFY body="SIP/2.0 100"
                 pbx -> carol    INVITE from=101 no=Referred-By
                 pbx <- carol    486
                 pbx -> carol    ACK
        alice <- pbx             NOTIFY body="SIP/2.0 486"
        alice -> pbx             200
        alice -> pbx             200
        alice -> pbx             BYE
        alice <- pbx             200
                 pbx -> bob      BYE
                 pbx <- bob      200
        record release=callee.busy caller=101
        record caller=100
    "#,
    );
}

/// Whoever sent the call on may hide by himself (RFC 5806 §4, RFC 7044 §10.1.1).
#[test]
fn who_sent_the_call_on_and_hides() {
    let history = r#"header=Diversion:"<sip:0139@telecom>;reason=no-answer;privacy=full;counter=1" header=History-Info:"<sip:0139@telecom?Privacy=history>;index=1, <sip:5678@telecom>;index=1.1""#;
    let anonymous = r#"header="Diversion:<sip:anonymous@anonymous.invalid>;reason=no-answer;privacy=full;counter=1" header="History-Info:<sip:anonymous@anonymous.invalid>;index=1""#;
    check(&format!(
        r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 5678 nocred from=0138 {history}
        telecom <- pbx           100
                 pbx -> bob      INVITE from=0138 {anonymous} header="History-Info:<sip:5678@telecom>;index=1.1"
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy
    "#
    ));
    // Who is trusted with identities gets them with the wish.
    check(&format!(
        r#"
        given line 5678 at=telecom to=201
        given trunk 1 at=branch prefix=2 identity=pai
        telecom -> pbx           INVITE 5678 nocred from=0138 {history} header=Privacy:history
        telecom <- pbx           100
                 pbx -> branch   INVITE 201 from=0138 header=Privacy:history header="Diversion:<sip:0139@telecom>;reason=no-answer;privacy=full;counter=1" header="History-Info:<sip:0139@telecom?Privacy=history>;index=1"
                 pbx <- branch   486
                 pbx -> branch   ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy
    "#
    ));
    // The caller may ask it for all of them.
    check(
        r#"
        given line 5678 at=telecom owner=101
        telecom -> pbx           INVITE 5678 nocred from=0138 header=Privacy:history header=Diversion:<sip:0139@telecom>;reason=no-answer
        telecom <- pbx           100
                 pbx -> bob      INVITE from=0138 header="Diversion:<sip:anonymous@anonymous.invalid>;reason=no-answer"
                 pbx <- bob      486
                 pbx -> bob      ACK
        telecom <- pbx           486
        telecom -> pbx           ACK
        record release=callee.busy
    "#,
    );
}

/// Where media go straight from phone to phone, the address tells who calls.
#[test]
fn the_address_of_who_hides_his_session() {
    check(
        r#"
        given 100 relay=never
        given 101 relay=never
        alice -> pbx             INVITE 101 header=Privacy:session
        alice <- pbx             100
                 pbx -> bob      INVITE from=100 media=pbx
                 pbx <- bob      486
                 pbx -> bob      ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy
    "#,
    );
}
