//! A carrier behind a name: SRV records of a server of DNS on loopback, the first target dead.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context as _, Result, ensure};

use super::setup::{CALLER_MARK, office_with, registered};
use crate::clock;
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD};

const A: u16 = 1;
const SRV: u16 = 33;
const SERVICE: &str = "_sip._udp.carrier.test";
const HOST: &str = "sip.carrier.test";

/// A line without registration calls by name; the server that is silent is left, the next one called.
pub(super) fn srv_failover(context: &Context) -> Result<()> {
    let dns = UdpSocket::bind((LOCALHOST, 0))?;
    let server = office_with(context, &[&format!("dns.servers={}", dns.local_addr()?)])?;
    // Bound, so that its port is not another's: it never answers.
    let dead = UdpSocket::bind((LOCALHOST, 0))?;
    let mut carrier = Phone::udp(LOCALHOST, server.udp(), "0138", PASSWORD)?;
    let ports = [dead.local_addr()?.port(), carrier.wire.local()?.port()];
    std::thread::Builder::new().name("dns".into()).spawn(move || serve(&dns, ports))?;

    let mut caller = registered(&server, "100")?;
    #[rustfmt::skip]
    server.json(&["line", "add", "5678", "--domain", "carrier.test", "--password", PASSWORD, "--register", "false"])?;
    let begun = clock::now();
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("90138", &media.sdp()?)?;
    let invite = carrier.expect_request("INVITE").context("the second server of the name")?;
    let took = clock::now().duration_since(begun);
    ensure!(invite.text("To").contains("sip:0138@carrier.test"), "{}", invite.text("To"));
    carrier.respond(&invite, 486, "Busy Here")?;
    caller.expect(&sent, 486)?;
    let records = server.wait_records(1)?;
    ensure!(
        records[0]["line"] == "5678" && records[0]["release_code"] == "callee.busy",
        "{records:?}"
    );
    ensure!(took.as_secs() < 5, "the dead server was left only after {took:?}");
    context.note(&format!("left after {} ms", took.as_millis()));
    Ok(())
}

/// Answers with two SRV records, the dead server first, and the address of both.
fn serve(socket: &UdpSocket, [dead, alive]: [u16; 2]) {
    let srv = |priority: u8, port: u16| {
        let [high, low] = port.to_be_bytes();
        [&[0, priority, 0, 0, high, low], &labels(HOST)[..]].concat()
    };
    let mut buffer = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let query = &buffer[..len];
        let Some(end) = query.iter().skip(12).position(|it| *it == 0).map(|it| it + 13) else {
            continue;
        };
        let Some(&[high, low, ..]) = query.get(end..) else { continue };
        let kind = u16::from_be_bytes([high, low]);
        let found = match kind {
            SRV if query[12..end] == labels(SERVICE) => vec![srv(1, dead), srv(2, alive)],
            A if query[12..end] == labels(HOST) => vec![vec![127, 0, 0, 1]],
            _ => vec![],
        };
        answer(socket, from, (query, end), kind, &found);
    }
}

/// RFC 1035 §4.1: the question again, and the records with a pointer to its name; NXDOMAIN without any.
fn answer(
    socket: &UdpSocket,
    to: SocketAddr,
    (query, end): (&[u8], usize),
    kind: u16,
    found: &[Vec<u8>],
) {
    let Some(question) = query.get(12..end + 4) else { return };
    let code = if found.is_empty() { 3 } else { 0 };
    let mut response = query[..2].to_vec();
    response.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(found.len()).unwrap_or_default()]);
    response.extend([0; 4]);
    response.extend(question);
    for data in found {
        response.extend([0xc0, 12]);
        response.extend(kind.to_be_bytes());
        response.extend([0, 1, 0, 0, 0, 60]);
        response.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
        response.extend(data);
    }
    // Whoever asks sends again.
    let _ = socket.send_to(&response, to);
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap_or_default());
        octets.extend(label.to_ascii_lowercase().as_bytes());
    }
    octets.push(0);
    octets
}
