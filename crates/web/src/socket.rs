//! The listeners of HTTP: TCP for monitors and browsers, the Unix socket for the command line.
//!
//! Connections are counted, all and those of each source, heads and bodies must come in time, and answers be taken in
//! time: nobody can take all descriptors.

mod crowd;
mod patient;
mod timely;

use crate::access::Peer;
use crate::certificate::Certificate;
use crate::mss::Requoted;
use axum::Router;
use crowd::{Crowd, Place};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use patient::Patient;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at a time on one listener; more wait until one ends.
const CONNECTIONS_MAX: usize = 256;
/// The head of a request must come within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a failed `accept`. Without file descriptors it fails at once and again,
/// until a connection ends.
const BACK_OFF: Duration = Duration::from_millis(100);
/// For owner and group.
const SOCKET_MODE: u32 = 0o660;

/// The bound control socket; its file goes when this is dropped.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Binds the socket, replacing the file a server left behind that died. Whoever calls this
    /// holds the lock of the data directory.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                // The lock is of the data directory; the path may be another server's.
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(io::ErrorKind::AddrInUse.into());
                }
                std::fs::remove_file(path)?;
            }
            Ok(_) => return Err(io::Error::other("the path exists and is not a socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
        let owner = std::fs::metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Only the superuser and the user of the server are let in.
    fn admits(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|it| it.uid() == 0 || it.uid() == self.owner)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A file that stays is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves the control API until the task is dropped.
pub async fn serve_control(socket: ControlSocket, router: Router) {
    let mut connections = Connections::new(router);
    loop {
        let permit = connections.permit().await;
        match socket.listener.accept().await {
            Ok((stream, _)) if socket.admits(&stream) => {
                connections.serve(stream, None, (permit, None));
            }
            Ok(_) => {}
            Err(_) => back_off().await,
        }
    }
}

/// Serves the listener until the task is dropped. Each request carries the [`Peer`] it came from.
pub async fn serve_public(listener: TcpListener, router: Router) {
    let mut connections = Connections::new(router);
    loop {
        let permit = connections.permit().await;
        match listener.accept().await {
            Ok((stream, address)) => {
                // One too many is closed without a word.
                if let Some(place) = connections.crowd.enter(address.ip()) {
                    let peer = Peer { address, tls: false };
                    connections.serve(stream, Some(peer), (permit, place));
                }
            }
            Err(_) => back_off().await,
        }
    }
}

/// The same for those that `admits` lets in; nobody else hears a word.
pub(crate) async fn serve_admitted(
    listener: TcpListener,
    router: Router,
    admits: impl Fn(IpAddr) -> bool,
) {
    let mut connections = Connections::new(router);
    loop {
        let permit = connections.permit().await;
        match listener.accept().await {
            Ok((stream, address)) if admits(address.ip()) => {
                let peer = Peer { address, tls: false };
                connections.serve(stream, Some(peer), (permit, None));
            }
            Ok(_) => {}
            Err(_) => back_off().await,
        }
    }
}

/// The same over TLS, with the certificate that is in use when a connection begins.
pub async fn serve_tls(listener: TcpListener, certificate: Arc<Certificate>, router: Router) {
    let mut connections = Connections::new(router);
    loop {
        let permit = connections.permit().await;
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Some(place) = connections.crowd.enter(address.ip()) {
                    let (acceptor, peer) = (certificate.acceptor(), Peer { address, tls: true });
                    connections.serve_tls(stream, acceptor, peer, (permit, place));
                }
            }
            Err(_) => back_off().await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when a file descriptor is free")]
async fn back_off() {
    tokio::time::sleep(BACK_OFF).await;
}

/// What a connection takes from others, until it ends.
type Held = (Option<OwnedSemaphorePermit>, Option<Place>);

/// The connections of one listener; they end with it.
struct Connections {
    router: Router,
    free: Arc<Semaphore>,
    crowd: Crowd,
    running: JoinSet<()>,
}

impl Connections {
    fn new(router: Router) -> Self {
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { router, free, crowd: Crowd::default(), running: JoinSet::new() }
    }

    async fn permit(&mut self) -> Option<OwnedSemaphorePermit> {
        while self.running.try_join_next().is_some() {}
        // Nobody closes the semaphore.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    fn serve<S>(&mut self, stream: S, peer: Option<Peer>, held: Held)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        self.running.spawn(async move {
            converse(stream, peer, router).await;
            drop(held);
        });
    }

    fn serve_tls(&mut self, stream: TcpStream, acceptor: TlsAcceptor, peer: Peer, held: Held) {
        let router = self.router.clone();
        self.running.spawn(async move {
            // Who shakes no hands, or not ours, is not heard of: strangers try every port.
            let shaken = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                converse(stream, Some(peer), router).await;
            }
            drop(held);
        });
    }
}

/// All requests of a connection.
async fn converse<S>(stream: S, peer: Option<Peer>, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        router.call(request.map(timely::timely))
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // The reader that went away is the only one it would interest.
    let stream = TokioIo::new(Requoted::new(Patient::new(stream)));
    let _ = server.serve_connection(stream, service).with_upgrades().await;
}
