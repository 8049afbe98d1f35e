//! What a turn wants done, collected until its facts are in the journal.

use crate::metrics::Wire;
use bytes::Bytes;
use net::Streams;
use pbx::id::CallId;
use pbx::record::Record;
use sip::{ConnectionId, Flow, Transport};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use udp::{Socket, Transmit};

/// One message to be sent.
pub(super) struct Outgoing {
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
    pub(super) call: Option<CallId>,
}

/// Bounded by what the inputs of one turn can cause.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) records: Vec<Record>,
    pub(super) media: Vec<pbx::media::Command>,
    pub(super) connects: Vec<(u64, Option<IpAddr>, SocketAddr)>,
    /// The addresses of the sockets, in their order.
    bound: Vec<SocketAddr>,
    sends: Vec<Outgoing>,
    /// How many of the sends are in the ring already.
    seen: usize,
    dropped: u64,
    refused: u64,
}

impl Outbox {
    pub(super) fn new(sockets: &[Socket]) -> Self {
        let bound = sockets.iter().map(Socket::local_addr).collect();
        Self { bound, ..Self::default() }
    }

    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes, call: Option<CallId>) {
        self.sends.push(Outgoing { flow, bytes, call });
    }

    /// What was sent since the last call, for the ring.
    pub(super) fn unseen(&mut self) -> &[Outgoing] {
        let from = std::mem::replace(&mut self.seen, self.sends.len());
        &self.sends[from..]
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self { records, media, connects, sends, .. } = self;
        records.is_empty() && media.is_empty() && connects.is_empty() && sends.is_empty()
    }

    /// Sends everything: UDP in one call for each socket, streams through their queues. Gives the
    /// connections that took nothing because they are gone or full.
    pub(super) fn flush(
        &mut self,
        sockets: &[Socket],
        streams: &mut Streams,
    ) -> BTreeSet<ConnectionId> {
        let mut gone = BTreeSet::new();
        if self.sends.is_empty() {
            return gone;
        }
        let all = self.sends.iter().filter(|it| it.flow.connection.is_none()).count();
        let taken: usize =
            sockets.iter().enumerate().map(|(index, it)| self.flush_socket(index, it)).sum();
        // No socket speaks the family of the peer, or its connection has gone before.
        self.dropped += all.saturating_sub(taken) as u64;
        for it in self.sends.drain(..) {
            if let Some(connection) = it.flow.connection
                && streams.send(connection, it.bytes).is_err()
            {
                self.dropped += 1;
                gone.insert(connection);
            }
        }
        self.seen = 0;
        gone
    }

    pub(super) fn counts(&self) -> Wire {
        Wire { dropped: self.dropped, refused: self.refused, ..Wire::default() }
    }

    /// Sends what belongs to the socket; how many those are.
    fn flush_socket(&mut self, index: usize, socket: &Socket) -> usize {
        let mine = |it: &&Outgoing| {
            it.flow.transport == Transport::Udp && socket_for(&self.bound, &it.flow) == Some(index)
        };
        let transmits: Vec<Transmit<'_>> =
            self.sends.iter().filter(mine).map(|it| transmit(it, socket)).collect();
        if transmits.is_empty() {
            return 0;
        }
        let sent = socket.send_batch(&transmits);
        self.refused += sent.refused as u64;
        if let Some(error) = sent.error {
            tracing::debug!(%error, "sending failed");
        }
        // The socket's buffer is full: UDP may lose, SIP sends again (RFC 3261 §17).
        self.dropped += (transmits.len() - sent.sent - sent.refused) as u64;
        transmits.len()
    }
}

/// The datagram leaves from the address that was asked.
fn transmit<'a>(it: &'a Outgoing, socket: &Socket) -> Transmit<'a> {
    let source = it.flow.local.ip();
    let own = socket.local_addr().ip();
    let source = (own.is_unspecified() && !source.is_unspecified()).then_some(source);
    Transmit { to: it.flow.remote, source, bytes: &it.bytes }
}

/// The socket that a flow belongs to: bound to its address and port, else to the port on all
/// addresses, else any that speaks its family. The last happens to a binding made before the
/// configuration changed.
fn socket_for(bound: &[SocketAddr], flow: &Flow) -> Option<usize> {
    let is_dual_stack = |own: IpAddr| own.is_ipv6() && own.is_unspecified();
    let speaks = |own: IpAddr| is_dual_stack(own) || own.is_ipv4() == flow.remote.is_ipv4();
    let exact = |own: &SocketAddr| *own == flow.local;
    let wildcard = |own: &SocketAddr| {
        own.ip().is_unspecified() && own.port() == flow.local.port() && speaks(own.ip())
    };
    let any = |own: &SocketAddr| speaks(own.ip());
    bound
        .iter()
        .position(exact)
        .or_else(|| bound.iter().position(wildcard))
        .or_else(|| bound.iter().position(any))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_connection_that_is_gone_is_named_once() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let limits = net::Limits::default();
        let wake: net::Wake = std::sync::Arc::new(|| {});
        let mut streams = Streams::start(runtime.handle(), &[], limits, wake).unwrap();
        let mut outbox = Outbox::new(&[]);
        let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:9".parse().unwrap());
        for number in [7, 8, 7] {
            let connection = Some(ConnectionId(number));
            let flow = Flow { transport: Transport::Tcp, local, remote, connection };
            outbox.send(flow, Bytes::from_static(b"lost"), None);
        }
        assert!(!outbox.is_empty());
        let gone = outbox.flush(&[], &mut streams);
        assert_eq!(gone, [ConnectionId(7), ConnectionId(8)].into());
        assert_eq!(outbox.counts().dropped, 3);
        assert!(outbox.is_empty() && outbox.flush(&[], &mut streams).is_empty());
        for transport in [Transport::Udp, Transport::Tcp] {
            let flow = Flow { transport, local, remote, connection: None };
            outbox.send(flow, Bytes::from_static(b"nowhere to go"), None);
        }
        assert!(outbox.flush(&[], &mut streams).is_empty());
        assert_eq!(outbox.counts().dropped, 5);
    }

    #[test]
    fn socket_table() {
        let bound: Vec<SocketAddr> =
            ["[::]:5060", "192.168.1.10:5070", "0.0.0.0:5080"].map(|it| it.parse().unwrap()).into();
        #[rustfmt::skip]
        let table = [
            // our address         the peer            socket
            ("192.168.1.10:5060",  "10.0.0.1:5060",    Some(0)),
            ("192.168.1.10:5070",  "10.0.0.1:5060",    Some(1)),
            ("192.168.1.10:5080",  "10.0.0.1:5060",    Some(2)),
            ("[2001:db8::1]:5080", "[2001:db8::2]:1",  Some(0)),
            ("192.168.1.10:5999",  "10.0.0.1:5060",    Some(0)),
        ];
        for (local, remote, expected) in table {
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            assert_eq!(socket_for(&bound, &flow), expected, "{local} {remote}");
        }
        let ipv4 = [bound[2]];
        let (local, remote) = ("[::1]:5060".parse().unwrap(), "[::1]:9".parse().unwrap());
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        assert_eq!(socket_for(&ipv4, &flow), None);
    }
}
