//! The whole edge against a server of DNS on loopback, written out octet by octet.

#![allow(clippy::unwrap_used)]

use super::*;
use sip::Transport;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::mpsc;

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// Answers what `answers` knows and denies the rest; ends with its first bad question.
fn serve(socket: &UdpSocket, answers: &[(&str, u16, Vec<u8>)]) {
    let mut buffer = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let query = &buffer[..len];
        let end = 12 + query[12..].iter().position(|it| *it == 0).unwrap() + 1;
        let name = text(&query[12..end]);
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        let found: Vec<&Vec<u8>> =
            answers.iter().filter(|it| it.0 == name && it.1 == kind).map(|it| &it.2).collect();
        // RFC 1035 §4.1.1: a response, recursion desired and available; NXDOMAIN without records.
        let code = if found.is_empty() { 3 } else { 0 };
        let mut response = query[..2].to_vec();
        response.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(found.len()).unwrap()]);
        response.extend([0; 4]);
        response.extend(&query[12..end + 4]);
        for data in found {
            response.extend([0xc0, 12]);
            response.extend(kind.to_be_bytes());
            response.extend([0, 1, 0, 0, 0, 60]);
            response.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            response.extend(data);
        }
        socket.send_to(&response, from).unwrap();
    }
}

fn text(mut labels: &[u8]) -> String {
    let mut names = Vec::new();
    while let Some((&len @ 1.., rest)) = labels.split_first() {
        let (label, rest) = rest.split_at(len.into());
        names.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        labels = rest;
    }
    names.join(".")
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

fn srv(priority: u8, port: u16, target: &str) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let mut data = vec![0, priority, 0, 0, high, low];
    data.extend(labels(target));
    data
}

fn naptr(services: &str, replacement: &str) -> Vec<u8> {
    let mut data = vec![0, 10, 0, 10, 1, b's', u8::try_from(services.len()).unwrap()];
    data.extend(services.as_bytes());
    data.push(0);
    data.extend(labels(replacement));
    data
}

/// Runs the edge with this server until it has news of a name.
fn ask(servers: Vec<SocketAddr>, name: &str, port: Option<u16>) -> Resolution {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let (woken, wakes) = mpsc::sync_channel(8);
    let wake: Wake = Arc::new(move || {
        let _ = woken.try_send(());
    });
    let mut names = Names::start(runtime.handle(), servers, wake);
    let place = Place { name: name.into(), port, transport: None };
    names.ask(place.clone());
    wakes.recv_timeout(Duration::from_secs(30)).unwrap();
    let (told, resolution) = names.poll().unwrap();
    assert_eq!(told, place);
    resolution
}

#[test]
fn naptr_srv_and_address_over_the_wire() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    let answers = vec![
        ("example.test", NAPTR, naptr("SIP+D2T", "_sip._tcp.example.test")),
        ("_sip._tcp.example.test", SRV, srv(20, 5060, "b.example.test")),
        ("_sip._tcp.example.test", SRV, srv(10, 5070, "a.example.test")),
        ("a.example.test", A, vec![192, 0, 2, 1]),
        ("b.example.test", A, vec![192, 0, 2, 2]),
    ];
    let serves = move || serve(&socket, &answers);
    std::thread::Builder::new().name("dns".into()).spawn(serves).unwrap();
    let Resolution::Found(located) = ask(vec![server], "example.test", None) else {
        panic!("not found");
    };
    let found: Vec<_> =
        located.services.iter().map(|it| (it.transport, it.port, it.addresses.clone())).collect();
    let ip = |last| vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))];
    assert_eq!(found, [(Transport::Tcp, 5070, ip(1)), (Transport::Tcp, 5060, ip(2))]);
    assert_eq!(ask(vec![server], "other.test", None), Resolution::Nothing(Lack::NoSuchName));
}

#[test]
fn a_server_that_does_not_answer() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap();
    assert_eq!(ask(vec![server], "example.test", Some(5060)), Resolution::Nothing(Lack::NoAnswer));
}
