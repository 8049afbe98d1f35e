//! Calls and their media edge: a session that cannot be made, and phones that fall silent.

use testkit::ladder::check;

#[test]
fn the_edge_cannot_make_the_session() {
    check(
        "
        edge fails
        alice -> pbx   INVITE *43
        alice <- pbx   100
        alice <- pbx   200
        alice -> pbx   ACK
        alice <- pbx   BYE
        alice -> pbx   200
        record release=media.failed
        ",
    );
}

#[test]
fn a_silent_phone_ends_the_call() {
    check(
        "
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 60s
        silence bob
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=media.timeout by=system billable=60s
        ",
    );
}

/// Neither side wants the relay: each is told of the other, and no port is taken.
#[test]
fn no_relay_where_neither_wants_it() {
    check(
        "
        given 100 relay=never
        given 101 relay=never
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE media=alice
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200 media=bob
        alice -> pbx          ACK
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record relayed=no
        ",
    );
}

/// `auto` leaves two phones of one network to themselves, and stands between IPv4 and IPv6.
#[test]
fn relay_where_it_is_needed() {
    let call = |between: &str, to_bob: &str, to_alice: &str, relayed: &str| {
        check(&format!(
            "
            {between}
            given 100 relay=auto
            given 101 relay=auto
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE media={to_bob}
                     pbx <- bob   200
                     pbx -> bob   ACK
            alice <- pbx          200 media={to_alice}
            alice -> pbx          ACK
            alice -> pbx          BYE
            alice <- pbx          200
                     pbx -> bob   BYE
                     pbx <- bob   200
            record relayed={relayed}
            "
        ));
    };
    call("", "alice", "bob", "no");
    call("given alice ipv6", "pbx", "pbx", "yes");
}
