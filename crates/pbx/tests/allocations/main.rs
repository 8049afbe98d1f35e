//! What the core allocates for each datagram, with all that it causes. A ceiling that is exceeded means that something
//! is copied again; whoever undercuts one lowers it.

#![allow(clippy::unwrap_used)]

mod office;

use office::{CALLEE, CALLER, Office};
use std::time::Duration;
use testkit::phone::Target;

/// Enough for tables to have grown.
const ROUNDS: u32 = 40;

/// Most allocations of each kind of datagram.
#[rustfmt::skip]
const CEILINGS: [(&str, u64); 10] = [
    ("REGISTER without digest",0),
    ("REGISTER",               1),
    ("INVITE without digest",  0),
    ("ACK of 401",             0),
    ("INVITE",                 6),
    ("180",                    2),
    ("200",                    5),
    ("ACK",                    0),
    ("BYE",                    1),
    ("200 of BYE",             0),
];

#[test]
fn a_datagram_allocates_no_more_than_it_must() {
    let mut office = Office::new();
    for _ in 0..ROUNDS {
        round(&mut office);
    }
    let over = CEILINGS.into_iter().filter(|(step, most)| office.counts[step] > *most);
    let over: Vec<_> = over.map(|(step, most)| (step, office.counts[step], most)).collect();
    assert!(over.is_empty(), "(datagram, allocations, ceiling): {over:?} of {:?}", office.counts);
    assert_eq!(office.counts.len(), CEILINGS.len());
}

/// Both phones register, one calls the other and hangs up.
fn round(office: &mut Office) {
    for phone in [CALLER, CALLEE] {
        office.phones[phone].forget_challenge();
        office.request(phone, ["REGISTER without digest", "REGISTER"], "REGISTER", Target::Server);
    }
    let callee = Target::Number(office.phones[CALLEE].number.clone());
    office.phones[CALLER].forget_challenge();
    office.request(CALLER, ["INVITE without digest", "INVITE"], "INVITE", callee);
    office.answer(CALLEE, "180", 180);
    office.answer(CALLEE, "200", 200);
    let call = Target::Call(office.phones[CALLER].calls.len() - 1);
    office.request(CALLER, ["ACK", ""], "ACK", call.clone());
    office.phones[CALLER].forget_challenge();
    office.request(CALLER, ["BYE", ""], "BYE", call);
    office.answer(CALLEE, "200 of BYE", 200);
    office.advance(Duration::from_secs(33));
}
