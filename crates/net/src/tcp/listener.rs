//! Accepting connections, whatever state the system is in.

use super::{Context, flow_of, run, socket};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long to wait after a failed `accept`. Without file descriptors it fails at once and again,
/// until a connection ends.
const BACK_OFF: Duration = Duration::from_millis(100);

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::from_std(socket::listen(address)?)
}

/// Accepts for ever; ends when the task is aborted.
pub(super) async fn accept(listener: TcpListener, context: Arc<Context>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let Some(seat) = context.seats.take(remote.ip()) else { continue };
                // Fails where the peer has gone already.
                let Ok(flow) = flow_of(&stream) else { continue };
                // The task ends with the connection, and that with its outlet.
                tokio::runtime::Handle::current().spawn(run(
                    Arc::clone(&context),
                    stream,
                    flow,
                    seat,
                    None,
                ));
            }
            // The fault of that one connection: the next may be fine.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => {
                context.seats.note_accept_error();
                back_off().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when a file descriptor is free")]
async fn back_off() {
    tokio::time::sleep(BACK_OFF).await;
}
