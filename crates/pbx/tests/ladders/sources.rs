//! The worked examples of the users' own pages, as calls that are placed (product.md 5-8). Two offices,
//! the no-answer time of a line and the limits of a trunk stand beside their features.

use testkit::ladder::check;

/// "两根外线，采用不同的拨号方式指定不同的外线": 9xxxx by line 1234, 8xxxx by line 5678, and the prefix is
/// taken off.
#[test]
fn two_lines_by_two_prefixes() {
    for (dialled, account, carrier) in [("90138", 1234, "telecom"), ("80138", 5678, "unicom")] {
        check(&format!(
            "
            given line 1234 at=telecom
            given line 5678 at=unicom
            given transition 1 delete start=0 length=1
            given called 1 prefix=9 line=1234 transition=1
            given called 2 prefix=8 line=5678 transition=1
            alice -> pbx               INVITE {dialled}
            alice <- pbx               100
                     pbx -> {carrier}  INVITE 0138 from={account}
                     pbx <- {carrier}  486
                     pbx -> {carrier}  ACK
            alice <- pbx               486
            alice -> pbx               ACK
            record release=callee.busy line={account} dialled={dialled} sent=0138
            "
        ));
    }
}

/// The specified line is the only one: the other carrier does not get what is not meant for it.
#[test]
fn a_specified_line_that_fails_is_not_replaced() {
    check(
        "
        given line 1234 at=telecom
        given line 5678 at=unicom
        given transition 1 delete start=0 length=1
        given called 1 prefix=9 line=1234 transition=1
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  503
                 pbx -> telecom  ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.failed line=1234
        ",
    );
}

/// "规整被叫号码": one way of dialling, 90xxxx. The local carrier gets 0xxxx, the international one, which
/// has outgoing group 1, 0086xxxx: the 9 is gone before the number is refined.
#[test]
fn refine_0_to_0086_by_outgoing_group() {
    check(
        "
        given line 1234 at=telecom
        given line 5678 at=unicom group=1
        given transition 1 replace start=0 length=1 string=0086
        given refine-called 1 group=1 prefix=0 transition=1
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  503
                 pbx -> telecom  ACK
                 pbx -> unicom   INVITE 0086138
                 pbx <- unicom   486
                 pbx -> unicom   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy line=5678 sent=0086138
        # A number that does not begin with 0 goes as it is.
        alice -> pbx             INVITE 9138
        alice <- pbx             100
                 pbx -> telecom  INVITE 138
                 pbx <- telecom  503
                 pbx -> telecom  ACK
                 pbx -> unicom   INVITE 138
                 pbx <- unicom   486
                 pbx -> unicom   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy sent=138
        ",
    );
}

/// The same for a trunk of that group.
#[test]
fn refine_for_a_trunk() {
    check(
        "
        given trunk 1 at=branch prefix=0 group=1
        given transition 1 replace start=0 length=1 string=0086
        given refine-called 1 group=1 prefix=0 transition=1
        alice -> pbx             INVITE 0138
        alice <- pbx             100
                 pbx -> branch   INVITE 0086138
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy trunk=1 sent=0086138
        ",
    );
}

/// "SIP中继的并发呼叫数": 0 for incoming calls leaves the trunk to outgoing ones.
#[test]
fn a_trunk_for_outgoing_calls_only() {
    check(
        "
        given trunk 1 at=branch prefix=2 in=0
        branch -> pbx            INVITE 101 nocred
        branch <- pbx            100
        branch <- pbx            403
        branch -> pbx            ACK
        record release=trunk.takes_none
        alice -> pbx             INVITE 200
        alice <- pbx             100
                 pbx -> branch   INVITE 200
                 pbx <- branch   486
                 pbx -> branch   ACK
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.busy trunk=1
        ",
    );
}

/// The published table of the system black list: the called prefix counts first, then the caller's.
#[test]
fn the_black_list() {
    const LIST: &str = "
        given line 1234 at=telecom
        given black-list 1 caller=101 called=* rate=100
        given black-list 2 caller=* called=9 rate=100
        given black-list 3 caller=100 called=9 rate=0
        given black-list 4 caller=1 called=913 rate=0
    ";
    let table = [
        ("bob", "100", false),
        ("bob", "913800", true),
        ("alice", "974413800", true),
        ("carol", "974413800", false),
        ("carol", "913800", true),
    ];
    for (phone, dialled, passes) in table {
        let sent = &dialled[1..];
        let what_comes = if passes {
            format!(
                "        pbx -> telecom  INVITE {sent}
                         pbx <- telecom  486
                         pbx -> telecom  ACK
                {phone} <- pbx           486
                {phone} -> pbx           ACK
                record release=callee.busy"
            )
        } else {
            format!(
                "{phone} <- pbx          603
                {phone} -> pbx           ACK
                record release=security.blocked"
            )
        };
        check(&format!(
            "{LIST}
            {phone} -> pbx  INVITE {dialled}
            {phone} <- pbx  100
            {what_comes}"
        ));
    }
    // Nobody here has the number 200: the other office has.
    check(&format!(
        "{LIST}
        given trunk 1 at=branch prefix=2
        branch -> pbx  INVITE 913800 from=200 nocred
        branch <- pbx  100
        branch <- pbx  603
        branch -> pbx  ACK
        record release=security.blocked caller=200"
    ));
}

/// "IP地址鉴权": a device that neither registers nor has a password calls and is called.
#[test]
fn a_device_known_by_its_address() {
    check(
        "
        given bob address
        alice -> pbx            INVITE 101
        alice <- pbx            100
                 pbx -> bob     INVITE
                 pbx <- bob     486
                 pbx -> bob     ACK
        alice <- pbx            486
        alice -> pbx            ACK
        record release=callee.busy
        bob -> pbx              INVITE 100 nocred
        bob <- pbx              100
                 pbx -> alice   INVITE from=101
                 pbx <- alice   486
                 pbx -> alice   ACK
        bob <- pbx              486
        bob -> pbx              ACK
        record release=callee.busy extension=101
        ",
    );
}
