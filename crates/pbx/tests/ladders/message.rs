//! MESSAGE between extensions, outside of any call (RFC 3428).

use testkit::ladder::check;

#[test]
fn to_every_phone_of_an_extension() {
    check(
        "
        given bob
        given bob2
        alice -> pbx          MESSAGE 101 body=hello
                 pbx -> bob   MESSAGE from=100 to=101 body=hello header=Content-Type:text/plain header=Max-Forwards:69
                 pbx -> bob2  MESSAGE body=hello
        alice <- pbx          202
        alice -> pbx          MESSAGE resend
        alice <- pbx          202 resend
                 pbx <- bob   200
                 pbx <- bob2  415
        ",
    );
}

/// As with calls: who is known by its address need not register.
#[test]
fn to_who_is_known_by_its_address() {
    check(
        "
        given frank address
        given bob
        bob -> pbx            MESSAGE 105 body=hello
                 pbx -> frank MESSAGE from=101 to=105 body=hello
        bob <- pbx            202
                 pbx <- frank 200
        frank -> pbx          MESSAGE 101 body=hello visible
                 pbx -> bob   MESSAGE from=105 body=hello
        frank <- pbx          202
                 pbx <- bob   200
        ",
    );
}

#[test]
fn nobody_there() {
    check(
        "
        given bob unregistered
        alice -> pbx          MESSAGE 101 body=hello
        alice <- pbx          480
        alice -> pbx          MESSAGE 777 body=hello
        alice <- pbx          404
        alice -> pbx          MESSAGE 101 body=hello require=unicorns
        alice <- pbx          420
        ",
    );
}

#[test]
fn too_long() {
    let body = "x".repeat(1301);
    check(&format!(
        "
        given bob
        alice -> pbx          MESSAGE 101 body={body}
        alice <- pbx          413
        "
    ));
}

/// Nobody says who he is for free.
#[test]
fn a_stranger() {
    check(
        "
        given bob
        alice -> pbx          MESSAGE 101 body=hello nocred
        alice <- pbx          401
        ",
    );
}
