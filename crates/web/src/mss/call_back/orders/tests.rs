//! What becomes of orders, step by step.

#![allow(clippy::unwrap_used)]

use super::super::message::parse;
use super::*;
use pbx::time::UnixMillis;

const AS: &str = "127.0.0.1:6000";
const ORDER: &str =
    "REQUEST: id=7, caller1=100, called1=90138, caller2=5, called2=101, duration=60";

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn now() -> Instant {
    Instant::now()
}

fn call(number: u8) -> CallId {
    CallId::of(UnixMillis(1), [number; 10])
}

fn heard(orders: &mut Orders, text: &str, at: Instant) -> Vec<Act> {
    let office = Office {
        is_extension: &|it| it == "100" || it == "101",
        usual_caller: "",
        new_call: Some(call(1)),
    };
    orders.heard(AS.parse().unwrap(), &parse(text.as_bytes()).unwrap(), &office, at)
}

fn record(this: u8, from: Option<u8>, code: Option<ReleaseCode>) -> CallRecord {
    CallRecord {
        call_id: call(this),
        linked_call_id: from.map(call),
        answered_at: Some(UnixMillis(5)),
        billable_ms: 6_200,
        q850_cause: code.map_or(0, ReleaseCode::cause),
        release_code: code,
        ..CallRecord::default()
    }
}

/// What is sent, as text.
fn sent(acts: &[Act]) -> Vec<String> {
    let text = |it: &Act| match it {
        Act::Send(_, reply) => Some(reply.to_string()),
        Act::Place(_) | Act::HangUp(_) => None,
    };
    acts.iter().filter_map(text).collect()
}

#[test]
fn two_are_brought_together_and_the_end_is_told() {
    let (mut orders, at) = (Orders::default(), now());
    let acts = heard(&mut orders, ORDER, at);
    assert_eq!(sent(&acts), ["ACK: id=7, result=0"]);
    let Some(Act::Place(order)) = acts.last() else { panic!("{acts:?}") };
    assert_eq!([&*order.by, &*order.first, &*order.second], ["100", "90138", "101"]);
    assert_eq!(
        (order.shown.as_deref(), order.shown_to_second.as_deref()),
        (Some("100"), Some("5"))
    );
    orders.changed(&record(1, None, None), at);
    orders.changed(&record(2, Some(1), None), at);
    let joined = record(1, None, Some(ReleaseCode::SystemJoined));
    assert_eq!(orders.ended(&joined, at), []);
    assert_eq!(sent(&heard(&mut orders, ORDER, at)), ["ACK: id=7, result=0"], "a repetition");
    let over = orders.ended(&record(2, Some(1), Some(ReleaseCode::CallerHangup)), at);
    assert_eq!(sent(&over), ["RESPONSE: id=7, duration=7, cause=16"]);
    let again = heard(&mut orders, ORDER, at);
    assert_eq!(sent(&again), ["ACK: id=7, result=0", "RESPONSE: id=7, duration=7, cause=16"]);
    assert_eq!(orders.tick(at + REMEMBERED), []);
    assert!(orders.is_idle());
}

#[test]
fn a_party_that_is_not_reached_ends_it() {
    let (mut orders, at) = (Orders::default(), now());
    heard(&mut orders, ORDER, at);
    let busy = CallRecord { answered_at: None, ..record(1, None, Some(ReleaseCode::CalleeBusy)) };
    assert_eq!(sent(&orders.ended(&busy, at)), ["RESPONSE: id=7, duration=0, cause=17"]);

    let mut orders = Orders::default();
    heard(&mut orders, ORDER, at);
    orders.changed(&record(1, None, None), at);
    let refused = record(2, Some(1), Some(ReleaseCode::CalleeDeclined));
    let refused = CallRecord { billable_ms: 0, ..refused };
    assert_eq!(orders.ended(&refused, at), [], "the first party is there yet");
    let released =
        CallRecord { q850_cause: 21, ..record(1, None, Some(ReleaseCode::SystemNotJoined)) };
    assert_eq!(sent(&orders.ended(&released, at)), ["RESPONSE: id=7, duration=0, cause=21"]);
}

#[test]
fn who_is_forwarded_or_transferred_is_followed() {
    let (mut orders, at) = (Orders::default(), now());
    heard(&mut orders, ORDER, at);
    orders.changed(&record(1, None, None), at);
    orders.ended(&record(2, Some(1), Some(ReleaseCode::CalleeForwardedBusy)), at);
    orders.ended(&record(1, None, Some(ReleaseCode::SystemJoined)), at);
    orders.changed(&record(3, Some(2), None), at);
    assert_eq!(orders.tick(at + BETWEEN), [], "the next call of the chain is up");
    let over = orders.ended(&record(3, Some(2), Some(ReleaseCode::CalleeHangup)), at);
    assert_eq!(sent(&over), ["RESPONSE: id=7, duration=13, cause=16"]);
}

#[test]
fn it_is_cancelled_and_has_its_time() {
    let (mut orders, at) = (Orders::default(), now());
    heard(&mut orders, ORDER, at);
    let early = heard(&mut orders, "CANCEL: id=7", at);
    assert_eq!(early.last(), Some(&Act::HangUp(call(1))), "though nothing is known of it yet");
    orders.changed(&record(1, None, None), at);
    orders.changed(&record(2, Some(1), None), at);
    orders.ended(&record(1, None, Some(ReleaseCode::SystemJoined)), at);
    let late = heard(&mut orders, "CANCEL: id=7", at);
    assert_eq!(late.last(), Some(&Act::HangUp(call(2))));
    assert_eq!(orders.tick(at + Duration::from_secs(59)), []);
    assert_eq!(orders.tick(at + Duration::from_secs(60)), [Act::HangUp(call(2))]);
    assert_eq!(sent(&heard(&mut orders, "CANCEL: id=8", at)), ["ACK: id=8, result=4"]);
}

/// One call of the chain is over and the next is not told of yet: it ends as soon as it is.
#[test]
fn who_cancels_between_two_calls_is_heard() {
    let forwarded = Some(ReleaseCode::CalleeForwardedBusy);
    for by_time in [false, true] {
        let (mut orders, begun) = (Orders::default(), now());
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        heard(&mut orders, ORDER, begun);
        orders.changed(&record(1, None, None), begun);
        orders.changed(&record(2, Some(1), None), begun);
        orders.ended(&record(1, None, Some(ReleaseCode::SystemJoined)), begun);
        orders.ended(&record(2, Some(1), forwarded), at(58));
        if by_time {
            orders.tick(at(60));
        } else {
            heard(&mut orders, "CANCEL: id=7", at(60));
        }
        let next = orders.changed(&record(3, Some(2), None), at(61));
        assert_eq!(next, Some(Act::HangUp(call(3))), "{by_time}");
    }
}

#[test]
fn a_new_order_takes_the_place_of_one_that_is_over() {
    let (mut orders, at) = (Orders::default(), now());
    let order = |id: usize| format!("REQUEST: id={id}, called1=100, called2=101");
    for id in 0..ORDERS_MAX {
        heard(&mut orders, &order(id), at);
    }
    assert!(sent(&heard(&mut orders, &order(999), at))[0].ends_with("=3"), "all are running");
    assert_eq!(orders.tick(at + BETWEEN).len(), ORDERS_MAX, "nothing came of them");
    for id in 0..ORDERS_MAX + 3 {
        let acts = heard(&mut orders, &order(1000 + id), at + BETWEEN);
        let result = if id < ORDERS_MAX { "=0" } else { "=3" };
        assert!(sent(&acts)[0].ends_with(result), "{id}");
    }
}

#[test]
fn what_is_never_told_of_is_over() {
    let (mut orders, at) = (Orders::default(), now());
    heard(&mut orders, ORDER, at);
    assert_eq!(sent(&orders.tick(at + BETWEEN)), ["RESPONSE: id=7, duration=0, cause=41"]);
    let mut orders = Orders::default();
    heard(&mut orders, ORDER, at);
    orders.changed(&record(1, None, None), at);
    assert_eq!(orders.lost(|_| true, at), []);
    assert_eq!(orders.lost(|_| false, at).len(), 1);
}

#[test]
fn orders_that_are_refused() {
    #[rustfmt::skip]
    let table = [
        ("REQUEST: id=1, called1=102, called2=90138",             2),
        ("REQUEST: id=1, called1=100",                            1),
        ("REQUEST: id=1, called1=100, called2=100",               1),
        ("REQUEST: id=1, called1=100, called2=1 2",               1),
        ("REQUEST: id=1, caller1=<x>, called1=100, called2=101",  1),
    ];
    for (text, result) in table {
        let mut orders = Orders::default();
        let acts = heard(&mut orders, text, now());
        assert_eq!(sent(&acts), [format!("ACK: id=1, result={result}")], "{text}");
        assert!(orders.is_idle(), "{text}");
    }
    let mut orders = Orders::default();
    for id in 0..ORDERS_MAX + 3 {
        let text = format!("REQUEST: id={id}, called1=100, called2=101");
        let result = if id < ORDERS_MAX { 0 } else { 3 };
        assert!(sent(&heard(&mut orders, &text, now()))[0].ends_with(&format!("={result}")));
    }
}
