//! The floor: the plainest program that receives and sends the same datagrams, as a process of its own.
//!
//! `echo` returns every datagram; `relay N` forwards between N pairs of sockets, with one epoll, one receive and one
//! send for each packet. Distance to the floor says how far from the limit a server is.

use std::io::{BufRead as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use interop::clock;
use interop::server::LOCALHOST;
use rustix::event::epoll;

use crate::table::{self, Figure};
use crate::{FLOOR, measure};

/// The floor as seen by the benchmark: its process and where it listens.
pub(crate) struct Floor {
    child: Child,
    pub(crate) ports: Vec<u16>,
}

impl Floor {
    pub(crate) fn echo() -> Result<Self> {
        Self::start(&["echo"])
    }

    /// For `pairs` calls; `peers` are the two phones of every call.
    pub(crate) fn relay(pairs: usize, peers: [SocketAddr; 2]) -> Result<Self> {
        let [first, second] = peers.map(|it| it.to_string());
        Self::start(&["relay", &pairs.to_string(), &first, &second])
    }

    /// The same with io_uring, which sleeps so long between turns (`crates/udp/examples/uring_relay.rs`).
    pub(crate) fn batched(pairs: usize, peers: [SocketAddr; 2], tick: Duration) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("examples").join("uring_relay");
        let [first, second] = peers.map(|it| it.to_string());
        let tick_us = tick.as_micros().to_string();
        let mut command = Command::new(&program);
        command.args([&pairs.to_string(), &first, &second, &tick_us]);
        Self::spawn(command).with_context(|| {
            let build = "cargo build --release -p dialtone-udp --examples";
            format!("{}: it is built by {build}, and needs io_uring", program.display())
        })
    }

    fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(FLOOR).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        // Ends the program also where something below fails.
        let mut floor = Self { child, ports: vec![] };
        let output = floor.child.stdout.take().context("no output")?;
        let mut line = String::new();
        std::io::BufReader::new(output).read_line(&mut line)?;
        floor.ports = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        ensure!(!floor.ports.is_empty(), "it has ended at once, for what it says above");
        Ok(floor)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program itself; ends by being killed.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["echo"] => echo(),
        ["relay", pairs, first, second] => relay(pairs.parse()?, [first.parse()?, second.parse()?]),
        _ => bail!("floor echo | floor relay PAIRS FIRST SECOND"),
    }
}

fn echo() -> Result<()> {
    let socket = UdpSocket::bind((LOCALHOST, 0))?;
    announce(std::slice::from_ref(&socket))?;
    let mut buffer = [0; 2048];
    loop {
        let (size, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..size], from)?;
    }
}

/// Socket 2n hears the first phone of call n and socket 2n+1 the second.
fn relay(pairs: usize, peers: [SocketAddr; 2]) -> Result<()> {
    let sockets: Vec<UdpSocket> =
        (0..pairs * 2).map(|_| UdpSocket::bind((LOCALHOST, 0))).collect::<Result<_, _>>()?;
    announce(&sockets)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, socket) in sockets.iter().enumerate() {
        socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(u64::try_from(index)?);
        epoll::add(&poll, socket.as_fd(), data, epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(64);
    let mut buffer = [0; 2048];
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let index = usize::try_from(event.data.u64())?;
            while let Ok(size) = sockets[index].recv(&mut buffer) {
                sockets[index ^ 1].send_to(&buffer[..size], peers[1 - index % 2])?;
            }
        }
    }
}

fn announce(sockets: &[UdpSocket]) -> Result<()> {
    let mut ports = vec![];
    for socket in sockets {
        ports.push(socket.local_addr()?.port().to_string());
    }
    table::line(&ports.join(" "));
    std::io::stdout().flush()?;
    Ok(())
}

/// The datagrams of one operation: so many come in and as many go out, of about this size.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) each: u32,
    pub(crate) octets: usize,
}

/// What it costs only to receive and send the datagrams of so many operations a second.
pub(crate) fn figure(what: &str, rate: u32, plain: Plain) -> Result<Figure> {
    const SECONDS: u32 = 3;
    const RUNS: usize = 3;
    let Plain { each, octets } = plain;
    let floor = Floor::echo()?;
    let socket = UdpSocket::bind((LOCALHOST, 0))?;
    socket.connect((LOCALHOST, floor.ports[0]))?;
    socket.set_nonblocking(true)?;
    let datagrams_per_s = rate * each;
    let datagram = vec![b'x'; octets];
    let mut values = vec![];
    let mut buffer = [0; 2048];
    for _ in 0..RUNS {
        let before = measure::cpu(floor.id())?;
        let started = clock::now();
        for number in 0..datagrams_per_s * SECONDS {
            let due = started + Duration::from_secs(1) * number / datagrams_per_s;
            let early = due.saturating_duration_since(clock::now());
            if !early.is_zero() {
                clock::pause(early);
            }
            socket.send(&datagram)?;
            while socket.recv(&mut buffer).is_ok() {}
        }
        let used = measure::cpu(floor.id())? - before;
        values.push(used.as_secs_f64() * 1e3 / f64::from(rate * SECONDS));
    }
    Ok(Figure {
        candidate: "floor",
        what: what.to_owned(),
        value: measure::median(values),
        unit: "ms CPU",
        detail: format!("{each} datagrams of {octets} octets in and out, one by one"),
        ..Figure::default()
    })
}
