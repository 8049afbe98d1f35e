//! Relayed G.711: 100 calls, 50 packets a second each way, beside rtpengine and the floor.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Answering, Callee, Caller, register_all, socket};
use interop::phone::SOON;
use interop::server::LOCALHOST;

use super::RUNS;
use crate::candidate::{Candidate, Kind, users};
use crate::floor::Floor;
use crate::measure;
use crate::rtpengine::{self, Rtpengine};
use crate::table::Figure;

const CALLS: usize = 100;
const PACKET: Duration = Duration::from_millis(20);
/// Packets of each direction of each call in one run.
const EACH: u32 = 300;
/// Packets before it counts: latching, growing, waking up.
const WARM_UP: u32 = 50;
/// RTP header, and 20 ms of G.711.
const SIZE: usize = 172;

/// Both phones of every call: all callers share one port and all callees another.
struct Phones {
    callers: UdpSocket,
    callees: UdpSocket,
    started: Instant,
    /// Packets of each stream so far, so that sequence numbers go on from run to run.
    sent: AtomicU32,
}

/// Where the callers and the callees send, call by call.
type Targets = Vec<(SocketAddr, SocketAddr)>;

pub(super) fn run() -> Result<Vec<Figure>> {
    Ok(vec![floor()?, engine()?, dialtone()?])
}

fn floor() -> Result<Figure> {
    let phones = Phones::new()?;
    // What the callers send comes out at the callees, and the other way round.
    let floor = Floor::relay(CALLS, [phones.callers.local_addr()?, phones.callees.local_addr()?])?;
    let at = |port: u16| SocketAddr::new(LOCALHOST, port);
    let targets = floor.ports.chunks_exact(2).map(|it| (at(it[0]), at(it[1]))).collect();
    phones.measure("floor", floor.id(), &targets, "one epoll, one receive and one send each")
}

fn engine() -> Result<Figure> {
    let phones = Phones::new()?;
    let folder = tempfile::tempdir()?;
    let mut engine = Rtpengine::start(folder.path())?;
    let (caller, callee) = (phones.callers.local_addr()?, phones.callees.local_addr()?);
    let call = |number: usize| engine.call(&format!("call{number}"), caller, callee);
    let targets = (0..CALLS).map(call).collect::<Result<Targets>>()?;
    phones.measure("rtpengine", engine.process.id(), &targets, rtpengine::CONFIGURATION)
}

fn dialtone() -> Result<Figure> {
    let phones = Phones::new()?;
    let candidate = Candidate::start(Kind::Dialtone)?;
    let users = users();
    let (callers, callees) = users[..2 * CALLS].split_at(CALLS);
    let (caller_socket, callee_socket) = (socket(LOCALHOST)?, socket(LOCALHOST)?);
    register_all(&caller_socket, candidate.at, callers, 400)?;
    register_all(&callee_socket, candidate.at, callees, 400)?;
    let media = vec![phones.callees.local_addr()?; CALLS];
    let answering = Answering { media, ..Answering::default() };
    let answering = Callee::start(callee_socket, candidate.at, answering)?;
    let mut caller = Caller::new(caller_socket, candidate.at, callers.to_vec());
    // One after the other, so that the callees' list of offers has the callers' order.
    for (index, callee) in callees.iter().enumerate() {
        caller.call(index, &callee.number, phones.callers.local_addr()?)?;
        let end = clock::now() + SOON;
        while caller.up() <= index && clock::now() < end {
            caller.poll()?;
        }
    }
    ensure!(caller.up() == CALLS, "{} of {CALLS} calls are up", caller.up());
    let offers = answering.stop()?.offers;
    let answers = caller.media();
    let targets = answers.into_iter().zip(offers).filter_map(|(a, b)| Some((a?, b))).collect();
    let configuration = Kind::Dialtone.configuration();
    phones.measure("dialtone", candidate.id()?, &targets, configuration)
}

impl Phones {
    fn new() -> Result<Self> {
        let (callers, callees) = (socket(LOCALHOST)?, socket(LOCALHOST)?);
        Ok(Self { callers, callees, started: clock::now(), sent: AtomicU32::new(0) })
    }

    fn measure(
        &self,
        candidate: &'static str,
        id: u32,
        targets: &Targets,
        configuration: &str,
    ) -> Result<Figure> {
        ensure!(targets.len() == CALLS, "{} of {CALLS} calls have media", targets.len());
        self.talk(targets, WARM_UP)?;
        let mut values = vec![];
        let mut delays = vec![];
        let mut lost = 0;
        let expected = 2 * CALLS * usize::try_from(EACH)?;
        for _ in 0..RUNS {
            let before = measure::cpu(id)?;
            delays = self.talk(targets, EACH)?;
            let used = measure::cpu(id)? - before;
            values.push(used.as_secs_f64() * 1e6 / f64::from(u32::try_from(delays.len().max(1))?));
            lost += expected.saturating_sub(delays.len());
        }
        delays.sort_unstable();
        let at = |part: usize| {
            let index = delays.len().saturating_sub(1) * part / 100;
            delays.get(index).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
        };
        let few = lost * 1000 <= expected * RUNS;
        Ok(Figure {
            candidate,
            what: format!("{CALLS} calls"),
            value: measure::median(values),
            unit: "us CPU",
            detail: format!(
                "delay p50 {:.2} ms, p99 {:.2} ms, {lost} lost; {configuration}",
                at(50),
                at(99)
            ),
            problem: (!few).then(|| format!("{lost} of {} lost", expected * RUNS)),
        })
    }

    /// Every call sends so many packets each way; the delays of those that arrive.
    fn talk(&self, targets: &Targets, packets: u32) -> Result<Vec<Duration>> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let callees = scope.spawn(|| self.listen(&self.callees, &over));
            let callers = scope.spawn(|| self.listen(&self.callers, &over));
            let sent = self.send(targets, packets);
            clock::pause(Duration::from_millis(300));
            over.store(true, Ordering::Relaxed);
            let panicked = |_| anyhow::anyhow!("a listener panicked");
            let mut delays = callees.join().map_err(panicked)??;
            delays.extend(callers.join().map_err(panicked)??);
            sent.map(|()| delays)
        })
    }

    /// The calls are spread evenly over the 20 ms, as phones are.
    fn send(&self, targets: &Targets, packets: u32) -> Result<()> {
        let begin = clock::now();
        let calls = u32::try_from(targets.len())?;
        let before = self.sent.fetch_add(packets, Ordering::Relaxed);
        for number in 0..packets {
            for (call, (from_caller, from_callee)) in (0..calls).zip(targets) {
                let due = begin + PACKET * number + PACKET * call / calls;
                let early = due.saturating_duration_since(clock::now());
                // Shorter pauses would cost more than they order.
                if early > Duration::from_micros(500) {
                    clock::pause(early);
                }
                self.callers.send_to(&self.packet(before + number, call)?, *from_caller)?;
                self.callees
                    .send_to(&self.packet(before + number, call | 0x8000)?, *from_callee)?;
            }
        }
        Ok(())
    }

    /// An RTP packet (RFC 3550 §5.1) whose payload begins with the time it was sent.
    fn packet(&self, number: u32, source: u32) -> Result<[u8; SIZE]> {
        let mut packet = [0xD5; SIZE];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&u16::try_from(number & 0xFFFF)?.to_be_bytes());
        packet[4..8].copy_from_slice(&(number.wrapping_mul(160)).to_be_bytes());
        packet[8..12].copy_from_slice(&(0x5000_0000 | source).to_be_bytes());
        let since = u64::try_from(self.started.elapsed().as_nanos())?;
        packet[12..20].copy_from_slice(&since.to_be_bytes());
        Ok(packet)
    }

    fn listen(&self, socket: &UdpSocket, over: &AtomicBool) -> Result<Vec<Duration>> {
        let mut delays = vec![];
        let mut buffer = [0; 2048];
        while !over.load(Ordering::Relaxed) {
            let Ok(size) = socket.recv(&mut buffer) else { continue };
            // Control packets of the relay (RTCP) are shorter.
            if size == SIZE {
                let sent: [u8; 8] = buffer[12..20].try_into()?;
                let sent = Duration::from_nanos(u64::from_be_bytes(sent));
                delays.push(self.started.elapsed().saturating_sub(sent));
            }
        }
        Ok(delays)
    }
}
