//! A small server of DNS on loopback: SRV and NAPTR records, one host, and silence where that is wanted.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::server::LOCALHOST;

/// The one host that has an address, which is that of loopback.
pub const HOST: &str = "sip.carrier.test";

/// How long answers hold. Unit: seconds.
const TTL: u8 = 5;

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// What it knows.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    /// Services by their names, and their servers, the first one first.
    pub services: Vec<(String, Vec<(&'static str, u16)>)>,
    /// A name with NAPTR records: TCP is preferred.
    pub choosing: Option<&'static str>,
    /// It answers nobody.
    pub silent: bool,
}

/// A server that answers until the process ends.
#[derive(Clone, Debug)]
pub struct Dns {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl Dns {
    pub fn start(zone: Zone) -> Result<Self> {
        let socket = UdpSocket::bind((LOCALHOST, 0))?;
        let dns = Self { address: socket.local_addr()?, zone: Arc::new(Mutex::new(zone)) };
        let zone = Arc::clone(&dns.zone);
        std::thread::Builder::new().name("dns".into()).spawn(move || serve(&socket, &zone))?;
        Ok(dns)
    }

    /// It knows something else from now on.
    pub fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.zone.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>) {
    let mut buffer = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let zone = zone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let query = &buffer[..len];
        let end = query.iter().skip(12).position(|it| *it == 0).map(|it| it + 13);
        let Some(end) = end.filter(|_| !zone.silent) else { continue };
        let Some(&[high, low, ..]) = query.get(end..) else { continue };
        let kind = u16::from_be_bytes([high, low]);
        answer(socket, from, (query, end), kind, &zone.records(&query[12..end], kind));
    }
}

impl Zone {
    /// The data of the records of this name and type.
    fn records(&self, name: &[u8], kind: u16) -> Vec<Vec<u8>> {
        match kind {
            SRV => {
                let asked = self.services.iter().find(|it| name == labels(&it.0));
                asked.into_iter().flat_map(|it| (1..).zip(&it.1)).map(srv).collect()
            }
            NAPTR => {
                let choosing = self.choosing.filter(|it| name == labels(it));
                let of = |it| {
                    [naptr(it, (1, "SIP+D2T", "_sip._tcp")), naptr(it, (2, "SIP+D2U", "_sip._udp"))]
                };
                choosing.into_iter().flat_map(of).collect()
            }
            A if name == labels(HOST) => vec![vec![127, 0, 0, 1]],
            _ => vec![],
        }
    }
}

fn srv((priority, &(host, port)): (u8, &(&str, u16))) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [&[0, priority, 0, 0, high, low], &labels(host)[..]].concat()
}

fn naptr(name: &str, (preference, service, prefix): (u8, &str, &str)) -> Vec<u8> {
    let words = [text("s"), text(service), text("")].concat();
    let replacement = labels(&format!("{prefix}.{name}"));
    [&[0, 1, 0, preference], &words[..], &replacement].concat()
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
        response.extend([0, 1, 0, 0, 0, TTL]);
        response.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
        response.extend(data);
    }
    // Whoever asks sends again.
    let _ = socket.send_to(&response, to);
}

/// A character-string (RFC 1035 §3.3).
fn text(it: &str) -> Vec<u8> {
    [&[u8::try_from(it.len()).unwrap_or_default()], it.as_bytes()].concat()
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
