//! Forwarding by the called phone: 3xx, and the caller hears 181.

use testkit::ladder::check;

#[test]
fn the_phone_sends_its_call_on() {
    check(
        "
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   302 header=Contact:<sip:102@10.0.0.1>
                 pbx -> bob   ACK
        alice <- pbx          181 header=Call-Info:purpose=forwarding header=Call-Info:username=
                 pbx -> carol INVITE from=100 to=102 sdp=offer(pcma,pcmu,telephone-event)
        record release=callee.forwarded status=302 callee=101 linked=no answered=no
                 pbx <- carol 180
        alice <- pbx          180
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200 sdp=answer media=pbx
        alice -> pbx          ACK
        media alice hears carol
        wait 3s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup caller=100 dialled=102 callee=102 linked=yes billable=3s
        record none
        ",
    );
}

/// The number leads back to who forwarded.
#[test]
fn a_loop() {
    check(
        "
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   302 header=Contact:<sip:102@10.0.0.1>
                 pbx -> bob   ACK
        alice <- pbx          181
                 pbx -> carol INVITE
                 pbx <- carol 302 header=Contact:<sip:101@10.0.0.1>
                 pbx -> carol ACK
        alice <- pbx          482
        alice -> pbx          ACK
        record release=callee.forwarded
        record release=loop.detected status=482 linked=yes
        ",
    );
}

/// Six times is once too many.
#[test]
fn the_limit() {
    let hop = |name: &str, next: &str, caller: &str| {
        format!(
            "
                 pbx -> {name}   INVITE
                 pbx <- {name}   302 header=Contact:<sip:{next}@10.0.0.1>
                 pbx -> {name}   ACK
            alice <- pbx {caller}
            "
        )
    };
    let hops = [
        hop("bob", "102", "181"),
        hop("carol", "103", "181"),
        hop("dave", "104", "181"),
        hop("erin", "105", "181"),
        hop("frank", "106", "181"),
        hop("grace", "107", "482"),
    ]
    .concat();
    check(&format!(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
        {hops}
        alice -> pbx          ACK
        "
    ));
}

/// A Contact that is no number, and none at all: the phone refused.
#[test]
fn nowhere_to_go() {
    for contact in ["", "header=Contact:<http://example.com>", "header=Contact:<sip:10.0.0.9>"] {
        check(&format!(
            "
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
                     pbx <- bob   302 {contact}
                     pbx -> bob   ACK
            alice <- pbx          480
            alice -> pbx          ACK
            record status=480 release=callee.rejected
            "
        ));
    }
}

/// The caller gives up while the call is where it was forwarded to.
#[test]
fn given_up_after_forwarding() {
    check(
        "
        given carol
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   302 header=Contact:<sip:102@10.0.0.1>
                 pbx -> bob   ACK
        alice <- pbx          181
                 pbx -> carol INVITE
                 pbx <- carol 180
        alice <- pbx          180
        alice -> pbx          CANCEL
        alice <- pbx          200 CANCEL
        alice <- pbx          487 INVITE
                 pbx -> carol CANCEL
        alice -> pbx          ACK
                 pbx <- carol 200 CANCEL
                 pbx <- carol 487 INVITE
                 pbx -> carol ACK
        record release=callee.forwarded
        record release=caller.cancelled linked=yes
        ",
    );
}

/// Another of the callee's phones may still answer.
#[test]
fn one_of_two_phones() {
    check(
        "
        given bob
        given bob2
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx -> bob2  INVITE
                 pbx <- bob   302 header=Contact:<sip:102@10.0.0.1>
                 pbx -> bob   ACK
                 pbx <- bob2  200
                 pbx -> bob2  ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob2  BYE
                 pbx <- bob2  200
        record release=caller.hangup
        ",
    );
}

/// The most wanted is called first; where that fails, the next one, as bob's phone said.
#[test]
fn several_contacts() {
    let contacts = "header=\"Contact:<sip:102@10.0.0.1>;q=0.3, <sip:10.0.0.9>, <sip:103@10.0.0.1>;q=0.7, <sip:777@10.0.0.1>;q=0.5\"";
    check(&format!(
        "
        given carol
        given dave
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   302 {contacts}
                 pbx -> bob   ACK
        alice <- pbx          181 header=Call-Info:103
                 pbx -> dave  INVITE from=100 header=Diversion:<sip:101@
                 pbx <- dave  486
                 pbx -> dave  ACK
        alice <- pbx          181 header=Call-Info:777
        alice <- pbx          181 header=Call-Info:102
                 pbx -> carol INVITE from=100 header=Diversion:<sip:101@ once=Diversion
                 pbx <- carol 200
                 pbx -> carol ACK
        alice <- pbx          200
        alice -> pbx          ACK
        record release=callee.forwarded callee=101
        record release=callee.busy status=486 callee=103 linked=yes
        record release=route.no_match dialled=777 linked=yes
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> carol BYE
                 pbx <- carol 200
        record release=caller.hangup callee=102 linked=yes
        record none
        "
    ));
}

/// Who is asked and declines has spoken; the last of those that fail is what the caller hears.
#[test]
fn no_contact_is_left() {
    let call = |answer: &str, after: &str| {
        check(&format!(
            "
            given carol
            given dave
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
                     pbx <- bob   300 header=\"Contact:<sip:103@10.0.0.1>, <sip:102@10.0.0.1>\"
                     pbx -> bob   ACK
            alice <- pbx          181
                     pbx -> dave  INVITE
                     pbx <- dave  {answer}
                     pbx -> dave  ACK
            {after}
            alice -> pbx          ACK
            "
        ));
    };
    call("603", "alice <- pbx 603");
    call(
        "486",
        "
            alice <- pbx          181
                     pbx -> carol INVITE
                     pbx <- carol 480
                     pbx -> carol ACK
            alice <- pbx          480
        ",
    );
}
