//! A media edge without sockets or threads: real sessions, fed packet by packet, and leases watched.
//!
//! It binds port pairs, answers Configure and Close, and complains when the core plans a pair that
//! was never reported ready or that another session holds. By the end of a session its phones have
//! said something, unless they are mute: a call without sound is a fault, and few ladders are about
//! one.

use media::session::{Port, Session};
use pbx::digit::Digit;
use pbx::id::CallId;
use pbx::media::{Command, Event, MediaSource, Plan, PortPair};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The pairs bound, from 20000 on.
pub const PAIRS: u16 = 400;
const FIRST_PORT: u16 = 20_000;

/// How long a released pair rests before it is reported ready again.
const REST: Duration = Duration::from_secs(5);

/// A packet of RTP: PCMA, its sequence number in the third and fourth octet.
const VOICE: [u8; 14] = [0x80, 8, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0xd5, 0xd5];

/// A packet with an event of RFC 4733: payload type 101.
const EVENT: [u8; 16] = [0x80, 101, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];

/// What the core's plans amount to.
#[derive(Default)]
pub struct Edge {
    pub sessions: BTreeMap<CallId, Running>,
    /// What the core did that no edge could serve.
    pub complaints: Vec<String>,
    /// Reported ready and not in use as far as the edge knows.
    free: BTreeSet<PortPair>,
    leased: BTreeMap<PortPair, CallId>,
    packets: u16,
    due: VecDeque<(Instant, Event)>,
    /// Digits that came to phones as telephone events.
    digits: Vec<(SocketAddr, char)>,
    /// Phones that send no media of their own accord.
    pub mute: BTreeSet<IpAddr>,
    /// Fails the next Configure, as an edge out of memory would.
    pub fail_next: bool,
}

/// One call's media.
pub struct Running {
    pub plan: Plan,
    session: Session,
}

impl Edge {
    /// Binds all pairs and says so.
    pub fn bind(&mut self) -> Event {
        let pairs: Vec<_> = (0..PAIRS).map(|it| PortPair { rtp: FIRST_PORT + 2 * it }).collect();
        self.free = pairs.iter().copied().collect();
        Event::PortsReady { pairs }
    }

    pub fn handle(&mut self, command: Command, now: Instant) {
        match command {
            Command::Configure { call, plan } => self.configure(call, plan, now),
            Command::Close { call, pairs } => self.close(call, &pairs, now),
            Command::Press { call, transport, press } => {
                if let Some(running) = self.sessions.get_mut(&call) {
                    running.session.press(transport, press);
                    self.pass_digits(call, now);
                }
            }
            // All pairs are bound from the start.
            Command::Want { .. } => {}
        }
    }

    /// The next event that is due.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        let index = self.due.iter().position(|it| it.0 <= now)?;
        self.due.remove(index).map(|it| it.1)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.iter().map(|it| it.0).min()
    }

    /// A phone sends an RTP packet from `from` to our port `to`: where its voice goes.
    pub fn packet(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> Vec<SocketAddr> {
        self.packets += 1;
        let mut voice = VOICE;
        voice[2..4].copy_from_slice(&self.packets.to_be_bytes());
        for running in self.sessions.values_mut() {
            let Some(index) = running.session.ports().position(|it| it.rtp == to.port()) else {
                continue;
            };
            let mut out = Vec::new();
            running.session.handle_datagram(index, Port::Rtp, from, &voice, now, &mut out);
            return out.into_iter().map(|it| it.to).collect();
        }
        Vec::new()
    }

    /// A phone sends a digit from `from` to our port `to`: an event of 100 ms, its end three times.
    pub fn press(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        digit: char,
        now: Instant,
    ) -> Result<(), String> {
        let code = (0..16).find(|it| Digit::of_event(*it).is_some_and(|it| it.as_char() == digit));
        let code = code.ok_or("no digit")?;
        let is_its = |it: &Running| it.session.ports().any(|it| it.rtp == to.port());
        let call = self.sessions.iter().find(|it| is_its(it.1)).map(|it| *it.0);
        let call = call.ok_or("nobody listens")?;
        self.packets += 1;
        for (flags, duration) in [(10, 160), (0x8a, 800), (0x8a, 800), (0x8a, 800_u16)] {
            let mut packet = EVENT;
            packet[2..4].copy_from_slice(&self.packets.to_be_bytes());
            packet[6..8].copy_from_slice(&self.packets.to_be_bytes());
            // Marked is the first one (RFC 4733 §2.2).
            packet[1] |= if flags == 10 { 0x80 } else { 0 };
            (packet[12], packet[13]) = (code, flags);
            packet[14..].copy_from_slice(&duration.to_be_bytes());
            let Some(Running { session, .. }) = self.sessions.get_mut(&call) else { break };
            let Some(index) = session.ports().position(|it| it.rtp == to.port()) else { break };
            let mut out = Vec::new();
            session.handle_datagram(index, Port::Rtp, from, &packet, now, &mut out);
            for it in out {
                self.hear(it.to, &packet);
            }
        }
        self.pass_digits(call, now);
        Ok(())
    }

    /// Whether a tone is played to a phone.
    pub fn rings(&mut self, phone: SocketAddr, now: Instant) -> bool {
        let mut rings = false;
        for Running { session, .. } in self.sessions.values_mut() {
            session.play(now);
            rings |= session.take_made().iter().any(|it| it.0.to == phone);
        }
        rings
    }

    /// The digits that came to a phone since the last time.
    pub fn take_digits(&mut self, phone: SocketAddr) -> String {
        let digits = self.digits.extract_if(.., |it| it.0 == phone);
        digits.map(|it| it.1).collect()
    }

    /// What a session made of digits.
    fn pass_digits(&mut self, call: CallId, now: Instant) {
        let Some(Running { session, .. }) = self.sessions.get_mut(&call) else { return };
        for (transport, press) in session.take_pressed() {
            self.due.push_back((now, Event::Pressed { call, transport, press }));
        }
        // The phones hear all at once.
        let mut at = now;
        while let Some(due) = session.play_digits(at) {
            at = at.max(due);
        }
        for (outgoing, packet) in session.take_made() {
            self.hear(outgoing.to, &packet);
        }
    }

    /// An event counts by its first packet, which has the marker.
    fn hear(&mut self, phone: SocketAddr, packet: &[u8]) {
        if let [_, second, _, _, _, _, _, _, _, _, _, _, code, _, _, _] = *packet
            && second >= 0x80
            && let Some(digit) = Digit::of_event(code)
        {
            self.digits.push((phone, digit.as_char()));
        }
    }

    /// What the edge reports when the phone behind `peer` has been silent for too long; `None`
    /// where nobody watches.
    pub fn silence_of(&self, peer: SocketAddr) -> Option<Event> {
        self.sessions.iter().find_map(|(&call, running)| {
            let is_its =
                |it: &&pbx::media::Transport| it.expect.advertised == Some(peer) && it.watched;
            let transport = running.plan.transports.iter().find(is_its)?.id;
            Some(Event::Silent { call, transport })
        })
    }

    fn configure(&mut self, call: CallId, plan: Plan, now: Instant) {
        let fails = std::mem::take(&mut self.fail_next);
        let mut old = self.sessions.remove(&call);
        let session = match old.take().map(|it| (it.plan, it.session)) {
            _ if fails => Err("told to fail".to_owned()),
            None => Session::new(&plan, now).map_err(|error| error.to_string()),
            Some((was, mut session)) => {
                self.compare(call, &was, &plan, now);
                session.apply(&plan, now).map(|()| session).map_err(|error| error.to_string())
            }
        };
        let session = match session {
            Ok(session) => session,
            Err(reason) => {
                self.due.push_back((now, Event::Failed { call, reason }));
                return;
            }
        };
        let revision = plan.revision;
        for transport in &plan.transports {
            self.lease(call, transport.ports);
        }
        self.sessions.insert(call, Running { plan, session });
        self.due.push_back((now, Event::Configured { call, revision }));
    }

    fn lease(&mut self, call: CallId, pair: PortPair) {
        match self.free.remove(&pair) {
            true => self.leased.insert(pair, call),
            false if self.leased.get(&pair) == Some(&call) => None,
            false => {
                let port = pair.rtp;
                self.complaints.push(format!("{call:?} plans port {port}, which is not free"));
                None
            }
        };
    }

    /// Gives back what a new plan leaves out.
    fn compare(&mut self, call: CallId, was: &Plan, plan: &Plan, now: Instant) {
        for transport in &was.transports {
            if !plan.transports.iter().any(|it| it.ports == transport.ports) {
                self.rest(transport.ports, now);
            }
        }
        if plan.revision <= was.revision {
            self.complaints.push(format!("{call:?} goes back to plan {}", plan.revision));
        }
    }

    fn close(&mut self, call: CallId, planned: &[PortPair], now: Instant) {
        // Those of a plan that failed.
        for &pair in planned.iter().filter(|it| self.free.contains(it)) {
            self.due.push_back((now + REST, Event::PortsReady { pairs: vec![pair] }));
        }
        self.let_them_talk(call, now);
        let running = self.sessions.remove(&call);
        let figures = running.as_ref().map(|it| it.session.figures()).unwrap_or_default();
        let mine = |it: &(&PortPair, &CallId)| *it.1 == call;
        let pairs: Vec<_> = self.leased.iter().filter(mine).map(|it| *it.0).collect();
        for pair in pairs {
            self.rest(pair, now);
        }
        self.due.push_back((now, Event::Closed { call, figures }));
    }

    /// Each phone that was to be heard sends a packet, unless it has done so.
    fn let_them_talk(&mut self, call: CallId, now: Instant) {
        let Some(Running { plan, session }) = self.sessions.get_mut(&call) else { return };
        let figures = session.figures();
        let heard = |id| figures.iter().any(|it| it.transport == id && it.packets_in > 0);
        for transport in plan.transports.iter().filter(|it| !heard(it.id)) {
            let Some(advertised) = transport.expect.advertised else { continue };
            let index = session.ports().position(|it| it == transport.ports);
            let signalling = transport.expect.signalling;
            if let Some(index) = index.filter(|_| !self.mute.contains(&signalling)) {
                let from = match transport.expect.policy {
                    MediaSource::Sdp => advertised,
                    MediaSource::Auto | MediaSource::Signalling | MediaSource::AnyFirst => {
                        (signalling, advertised.port()).into()
                    }
                };
                session.handle_datagram(index, Port::Rtp, from, &VOICE, now, &mut Vec::new());
            }
        }
    }

    /// A released pair comes back later, so that late packets of its old call find nobody.
    fn rest(&mut self, pair: PortPair, now: Instant) {
        if self.leased.remove(&pair).is_some() {
            self.free.insert(pair);
            self.due.push_back((now + REST, Event::PortsReady { pairs: vec![pair] }));
        }
    }
}
