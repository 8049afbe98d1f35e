//! What a relayed packet costs: CPU time of the media thread, beside a floor that only receives
//! and sends.
//!
//! `cargo run --release -p dialtone-media --example relay_cost [CALLS] [SECONDS]`. Both carry the
//! same packets on loopback: two phones a call, 160 octets every 20 ms each. On loopback a send
//! also pays for the receiver's side, so that a real network costs less.

use media::{Config, Media};
use pbx::id::CallId;
use pbx::media::{
    Command, Event, Expect, Link, MediaSource, Plan, PortPair, Rtcp, Stream, StreamId, Transport,
    TransportId,
};
use std::error::Error;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use udp::{Batch, Events, Options, Poller, Socket, Transmit};
use uuid::Uuid;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PACKET_INTERVAL: Duration = Duration::from_millis(20);
/// Turns of the generator in one interval, so that packets come spread, as from phones.
const SLICES: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A phone and the port it sends to.
struct Phone {
    socket: Socket,
    to: SocketAddr,
}

/// Packets forwarded and the CPU time that took.
struct Cost {
    packets: u64,
    cpu: Duration,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |it| it.parse());
    let (calls, seconds) = (usize::try_from(number(200)?)?, Duration::from_secs(number(5)?));
    let mut print = std::io::stdout();
    writeln!(print, "{calls} calls, {seconds:?}, {} packets/s offered", calls * 100)?;
    for (name, cost) in [
        ("floor, one datagram a receive", floor(calls, seconds, 1)?),
        ("floor, 16 datagrams a receive", floor(calls, seconds, 16)?),
        ("relay", relay(calls, seconds)?),
    ] {
        let per_packet = cost.cpu.as_secs_f64() * 1e6 / cost.packets.max(1) as f64;
        let packets = cost.packets;
        writeln!(print, "{name:30} {packets:9} packets {per_packet:6.2} us CPU/packet")?;
    }
    Ok(())
}

/// The real thing.
fn relay(calls: usize, seconds: Duration) -> Outcome<Cost> {
    let (sender, events) = sync_channel(10_000);
    let spare_pairs = 2 * calls;
    let sink = move |event| {
        // Nobody reads them once the calls are up.
        let _ = sender.try_send(event);
        Ok(())
    };
    let media = Media::start(Config { spare_pairs, ..Config::default() }, sink, |_| {})?;
    let mut phones = Vec::new();
    let mut ready = Vec::new();
    for number in 0..calls {
        let pairs = [lease(&mut ready, &events)?, lease(&mut ready, &events)?];
        let sockets = [phone()?, phone()?];
        let plan = plan(pairs, [sockets[0].local_addr(), sockets[1].local_addr()]);
        let call = CallId(Uuid::from_u128(number as u128));
        media.command(Command::Configure { call, plan })?;
        for (socket, pair) in sockets.into_iter().zip(pairs) {
            phones.push(Phone { socket, to: SocketAddr::new(LOCAL, pair.rtp) });
        }
    }
    // The first round latches, and is not counted.
    generate(&phones, Duration::from_secs(1));
    let (before, cpu_before) = (media.totals().packets_out, cpu_of("media-0")?);
    generate(&phones, seconds);
    let cost =
        Cost { packets: media.totals().packets_out - before, cpu: cpu_of("media-0")? - cpu_before };
    media.shutdown();
    Ok(cost)
}

/// The least any relay does: wait, receive, send.
fn floor(calls: usize, seconds: Duration, datagrams: usize) -> Outcome<Cost> {
    let phone_sockets = (0..2 * calls).map(|_| phone()).collect::<Outcome<Vec<_>>>()?;
    let options = Options::MEDIA;
    let ours = (0..2 * calls)
        .map(|_| Ok(Socket::bind("[::]:0".parse()?, options)?))
        .collect::<Outcome<Vec<_>>>()?;
    let towards = |it: &Socket| SocketAddr::new(LOCAL, it.local_addr().port());
    let peers: Vec<_> = phone_sockets.iter().map(towards).collect();
    let ports: Vec<_> = ours.iter().map(towards).collect();
    let phones: Vec<_> =
        phone_sockets.into_iter().zip(ports).map(|(socket, to)| Phone { socket, to }).collect();

    let (ended, forwarded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let thread = {
        let (ended, forwarded) = (Arc::clone(&ended), Arc::clone(&forwarded));
        let poller = Poller::new()?;
        for (token, socket) in ours.iter().enumerate() {
            poller.add(socket, token)?;
        }
        std::thread::Builder::new().name("floor".to_owned()).spawn(move || {
            let (mut events, mut batch) = (Events::new(256), Batch::new(datagrams, 2048));
            while !ended.load(Ordering::Relaxed) {
                if poller.wait(&mut events, Some(Duration::from_millis(100))).is_err() {
                    break;
                }
                for token in events.iter() {
                    // The other phone of the call.
                    let to = token ^ 1;
                    let _ = ours[token].recv_batch(&mut batch);
                    for datagram in batch.iter() {
                        let bytes = datagram.bytes;
                        let transmit = Transmit { to: peers[to], source: Some(LOCAL), bytes };
                        let sent = ours[to].send_to(&transmit).is_ok();
                        forwarded.fetch_add(u64::from(sent), Ordering::Relaxed);
                    }
                }
            }
        })?
    };
    generate(&phones, Duration::from_secs(1));
    let (before, cpu_before) = (forwarded.load(Ordering::Relaxed), cpu_of("floor")?);
    generate(&phones, seconds);
    let cost = Cost {
        packets: forwarded.load(Ordering::Relaxed) - before,
        cpu: cpu_of("floor")? - cpu_before,
    };
    ended.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| "the floor's thread panicked")?;
    Ok(cost)
}

/// Plays all phones: every one sends each interval, and throws away what it hears.
fn generate(phones: &[Phone], duration: Duration) {
    let mut batch = Batch::new(16, 2048);
    let mut packet = [0; 172];
    packet[0] = 0x80;
    let begin = clock();
    let slices: Vec<&[Phone]> =
        phones.chunks(phones.len().div_ceil(SLICES as usize).max(1)).collect();
    let mut turn = 0;
    while begin.elapsed() < duration {
        let number = u16::try_from(turn / SLICES % 65_536).unwrap_or_default();
        let slice = slices.get((turn % SLICES) as usize).copied().unwrap_or_default();
        packet[2..4].copy_from_slice(&number.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
        for phone in slice {
            let _ = phone.socket.recv_batch(&mut batch);
            let _ = phone.socket.send_to(&Transmit { to: phone.to, source: None, bytes: &packet });
        }
        turn += 1;
        let due = (PACKET_INTERVAL / SLICES) * turn;
        pause(due.saturating_sub(begin.elapsed()));
    }
}

fn phone() -> Outcome<Socket> {
    Ok(Socket::bind(SocketAddr::new(LOCAL, 0), Options::MEDIA)?)
}

fn lease(ready: &mut Vec<PortPair>, events: &Receiver<Event>) -> Outcome<PortPair> {
    loop {
        if let Some(pair) = ready.pop() {
            return Ok(pair);
        }
        if let Event::PortsReady { pairs } = events.recv_timeout(PATIENCE)? {
            ready.extend(pairs);
        }
    }
}

fn plan(pairs: [PortPair; 2], phones: [SocketAddr; 2]) -> Plan {
    let transport = |id: u8| Transport {
        id: TransportId(id),
        ports: pairs[usize::from(id)],
        source: LOCAL,
        rtcp: Rtcp::Separate { remote: None },
        expect: Expect {
            advertised: Some(phones[usize::from(id)]),
            signalling: LOCAL,
            policy: MediaSource::Auto,
            generation: 1,
        },
        watched: true,
    };
    let stream = |id| Stream { id: StreamId(id), transport: TransportId(id), line: 0 };
    let link = |from, to| Link { from: StreamId(from), to: StreamId(to) };
    Plan {
        revision: 1,
        transports: vec![transport(0), transport(1)],
        streams: [stream(0), stream(1)].into(),
        links: [link(0, 1), link(1, 0)].into(),
        silence_ms: NonZeroU32::new(60_000),
        digits: None,
        tone: None,
    }
}

/// CPU time of the thread of this name, as the kernel's scheduler counts it.
fn cpu_of(name: &str) -> Outcome<Duration> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if std::fs::read_to_string(path.join("comm"))?.trim() == name {
            let text = std::fs::read_to_string(path.join("schedstat"))?;
            let nanoseconds = text.split_whitespace().next().ok_or("no schedstat")?;
            return Ok(Duration::from_nanos(nanoseconds.parse()?));
        }
    }
    Err(format!("no thread {name}").into())
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "phones send at their own pace")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
