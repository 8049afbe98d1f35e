//! A carrier behind a UDP socket of its own.

use super::{Carrier, Oddities, Sent};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the socket is listened to before the clock is looked at.
const TURN: Duration = Duration::from_millis(20);

/// Largest datagram taken.
const DATAGRAM_MAX: usize = 65_535;

/// A carrier that listens until it is dropped.
#[derive(Debug)]
pub struct Serving {
    pub address: SocketAddr,
    carrier: Arc<Mutex<Carrier>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Listens there; port 0 is any that is free.
    pub fn start(
        listen: SocketAddr,
        accounts: &[(&str, &str)],
        oddities: Oddities,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        socket.set_read_timeout(Some(TURN))?;
        let address = socket.local_addr()?;
        let carrier = Arc::new(Mutex::new(Carrier::new(address, accounts, oddities)));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&carrier), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("carrier".into());
        let thread = thread.spawn(move || serve(&socket, &shared, &stopped))?;
        Ok(Self { address, carrier, stop, thread: Some(thread) })
    }

    /// Looks at the carrier, or makes it otherwise.
    pub fn with<T>(&self, act: impl FnOnce(&mut Carrier) -> T) -> T {
        act(&mut self.carrier.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only ends early if it panicked, and that was printed.
            let _ = thread.join();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program is where time comes from")]
fn serve(socket: &UdpSocket, carrier: &Mutex<Carrier>, stop: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    while !stop.load(Ordering::Relaxed) {
        let heard = socket.recv_from(&mut buffer).ok();
        let now = Instant::now();
        let mut carrier = carrier.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = heard.map(|(len, from)| carrier.receive(from, &buffer[..len], now));
        let due = carrier.handle_timeout(now);
        for Sent { to, bytes } in answers.into_iter().flatten().chain(due) {
            // Lost like any datagram.
            let _ = socket.send_to(&bytes, to);
        }
    }
}
