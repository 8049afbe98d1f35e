//! Several servers joined by SIP trunks: two offices, and branches around one that bridges them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::joined::{add_rows, add_trunk, address, join, office, recorded};
use super::setup::{CALLEE_MARK, CALLER_MARK, Up, connect, registered};
use crate::phone::{Phone, host_of};
use crate::report::Context;
use crate::rtp::{Media, audio_address};
use crate::server::{ATTACKER, LOCALHOST, Server};

/// Packets that each side sends, and how many must be heard of them.
const PACKETS: usize = 50;
const PACKETS_HEARD: usize = 40;

/// Those of 1xx and those of 2xx call each other by a row of the dial plan each.
pub(super) fn two_offices(context: &Context) -> Result<()> {
    let one = office(context, "one", 2, "1")?;
    let two = office(context, "two", 3, "2")?;
    join(&one, &two, &[("2", &[1])])?;
    join(&two, &one, &[("1", &[1])])?;

    let shown = call([&one, &two], ["101", "201"], &[])?;
    let back = call([&two, &one], ["205", "105"], &[])?;
    for (server, out, coming) in
        [(&one, ["101", "201"], ["205", "105"]), (&two, ["205", "105"], ["101", "201"])]
    {
        let records = server.wait_records(2)?;
        let of = |direction: &str| records.iter().find(|it| it["direction"] == direction);
        let outgoing = of("outgoing").with_context(|| format!("{records:?}"))?;
        let incoming = of("incoming").with_context(|| format!("{records:?}"))?;
        #[rustfmt::skip]
        recorded(outgoing, &[
            ("caller_extension", out[0]), ("caller_number", out[0]), ("dialled_number", out[1]), ("sent_number", out[1]),
            ("callee_number", out[1]), ("trunk", "1"), ("route", "trunk"), ("release_code", "caller.hangup"),
        ])?;
        #[rustfmt::skip]
        recorded(incoming, &[
            ("caller_number", coming[0]), ("dialled_number", coming[1]), ("callee_extension", coming[1]), ("trunk", "1"),
            ("release_code", "caller.hangup"),
        ])?;
        ensure!(incoming["caller_extension"].is_null(), "{incoming}");
    }
    // Over TCP the other side knows us by our address too.
    for (server, to) in [(&one, &two), (&two, &one)] {
        let address = to.tcp().to_string();
        server.json(&["trunk", "set", "1", "--transport", "tcp", "--address", &address])?;
    }
    call([&one, &two], ["102", "202"], &[]).context("over TCP")?;
    recorded(&two.wait_records(3)?[2], &[("caller_number", "102"), ("trunk", "1")])?;
    for server in [&one, &two] {
        refuses_strangers(server)?;
    }
    context.note(&format!("{shown}; {back}"));
    Ok(())
}

/// Branches of 1xx, 2xx and 3xx around one server that has no extension of its own.
pub(super) fn hub(context: &Context) -> Result<()> {
    let hub = Server::start_at(&context.subfolder("hub")?, address(10), &[])?;
    let branches = [
        office(context, "branch1", 11, "1")?,
        office(context, "branch2", 12, "2")?,
        office(context, "branch3", 13, "3")?,
    ];
    for (branch, id) in branches.iter().zip(1..) {
        let others: Vec<(&str, &[u32])> = ["1", "2", "3", "7"]
            .map(|it| (it, &[1][..]))
            .into_iter()
            .filter(|it| it.0 != id.to_string())
            .collect();
        join(branch, &hub, &others)?;
        add_trunk(&hub, id, branch)?;
    }
    add_rows(&hub, &[("1", &[1]), ("2", &[2]), ("3", &[3])])?;

    let [one, two, three] = &branches;
    let shown = call([one, two], ["101", "201"], &[&hub])?;
    let other = call([three, one], ["307", "107"], &[&hub])?;
    context.note(&format!("{shown}; {other}"));

    let bridged = hub.wait_records(2)?;
    #[rustfmt::skip]
    recorded(&bridged[0], &[
        ("caller_number", "101"), ("dialled_number", "201"), ("sent_number", "201"), ("trunk", "2"),
        ("release_code", "caller.hangup"),
    ])?;
    recorded(&bridged[1], &[("caller_number", "307"), ("sent_number", "107"), ("trunk", "1")])?;
    for side in ["caller", "callee"] {
        let packets = bridged[0][format!("{side}_rtp_packets_in")].as_u64();
        ensure!(packets >= Some(PACKETS_HEARD as u64), "{}", bridged[0]);
    }
    let left = one.wait_records(2)?;
    recorded(&left[0], &[("direction", "outgoing"), ("caller_extension", "101"), ("trunk", "1")])?;
    recorded(
        &left[1],
        &[("direction", "incoming"), ("caller_number", "307"), ("callee_extension", "107")],
    )?;
    let arrived = two.wait_records(1)?;
    recorded(
        &arrived[0],
        &[("direction", "incoming"), ("caller_number", "101"), ("callee_extension", "201")],
    )?;

    for server in branches.iter().chain([&hub]) {
        refuses_strangers(server)?;
    }
    nowhere(one, &hub)
}

/// A number that no branch has is refused by the hub; the caller's office tells why.
fn nowhere(branch: &Server, hub: &Server) -> Result<()> {
    let mut caller = registered(branch, "101")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("700", &media.sdp()?)?;
    let answer = caller.expect(&sent, 404)?;
    caller.ack_refusal(&sent, &answer)?;
    let refused = hub.wait_records(3)?;
    recorded(&refused[2], &[("caller_number", "101"), ("release_code", "route.no_match")])?;
    let told = branch.wait_records(3)?;
    recorded(
        &told[2],
        &[("dialled_number", "700"), ("release_code", "callee.unknown"), ("trunk", "1")],
    )
}

/// A call with audio both ways; every server names itself, and its own address alone.
fn call(
    [from, to]: [&Server; 2],
    [caller, callee]: [&str; 2],
    between: &[&Server],
) -> Result<String> {
    let mut up = connect(registered(from, caller)?, registered(to, callee)?)?;
    let shown = up.invite.text("From").to_owned();
    ensure!(shown.contains(&format!("sip:{caller}@{}", to.address)), "called from {shown}");
    for (message, server) in [(&up.invite, to), (&up.answer, from)] {
        let contact = host_of(message.text("Contact")).to_owned();
        ensure!(contact == server.udp().to_string(), "{contact} is no {}", server.udp());
        let audio = audio_address(&message.body_text())?;
        ensure!(audio.ip() == server.address, "audio at {audio}, not at {}", server.address);
    }
    let via = up.invite.text("Via");
    ensure!(via.contains(&to.udp().to_string()), "{via}");
    hear_each_other(&mut up).with_context(|| format!("{caller} and {callee}"))?;
    for server in [from, to].into_iter().chain(between.iter().copied()) {
        let calls = server.json(&["calls"])?;
        let count = calls.as_array().map_or(0, Vec::len);
        ensure!(count == 1 && calls[0]["caller"] == caller, "{calls}");
    }
    up.end()?;
    Ok(format!("{callee} saw {shown}"))
}

fn hear_each_other(up: &mut Up) -> Result<()> {
    let to_callee = audio_address(&up.answer.body_text())?;
    let to_caller = audio_address(&up.invite.body_text())?;
    for _ in 0..PACKETS {
        up.caller_media.send(to_callee)?;
        up.callee_media.send(to_caller)?;
        crate::clock::pause(Duration::from_millis(10));
    }
    for (media, mark) in [(&up.caller_media, CALLEE_MARK), (&up.callee_media, CALLER_MARK)] {
        let heard = media.heard(Duration::from_millis(300))?;
        let right = heard.iter().filter(|it| it.0 == mark).count();
        ensure!(
            right >= PACKETS_HEARD && right == heard.len(),
            "{right} of {} packets",
            heard.len()
        );
    }
    Ok(())
}

/// Neither from anywhere nor from another port of a server that a trunk leads to.
fn refuses_strangers(server: &Server) -> Result<()> {
    let before = server.count_records()?;
    let of_a_trunk = server.json(&["trunk", "show", "1"])?;
    let host = of_a_trunk["addresses"][0]["host"].as_str().context("no address")?.parse()?;
    for local in [ATTACKER, host] {
        let mut stranger = Phone::udp(local, server.udp(), "101", "")?;
        for number in ["101", "201", "301"] {
            let uri = format!("sip:{number}@{}", server.udp());
            let media = Media::new(local, CALLER_MARK)?;
            let invite = stranger.request("INVITE", &uri, &uri)?.with_sdp(&media.sdp()?);
            let answer = stranger.transact(&invite)?;
            ensure!(answer.status() == Some(401), "a stranger at {local} got {}", answer.start);
            stranger.ack_refusal(&invite, &answer)?;
        }
    }
    let after = server.count_records()?;
    ensure!(after == before, "strangers made {} records", after - before);
    Ok(())
}
