//! Makes the parts of the server and ties them together.

use super::runtimes::Runtimes;
use crate::anew::Anew;
use crate::board::Board;
use crate::cli::{Exit, Failed, Within as _};
use crate::config::{Advertised, Config};
use crate::drive::{Driver, Ended, Listeners, Order, Orders, Parts};
use crate::metrics::Published;
use crate::office::{self, First, Made};
use crate::running::{Bound, Live};
use crate::serve::ready;
use crate::{clock, machine, ring, watch as board_watch};
use net::{Limits, Names, Streams};
use pbx::core::{Command, Core};
use pbx::directory::Directory;
use pbx::language::Language;
use pbx::text;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use store::StoreHandle;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use web::certificate::{self, Certificate};
use web::events::Ring;
use web::failure::{no_random_numbers, of_io};
use web::{ControlSocket, Office, Running};

/// Descriptors for all that is neither a media port nor a TCP connection of SIP.
const FILES_BESIDE: usize = 1024;
/// However low the limit of open files is.
const CONNECTIONS_MIN: usize = 64;
/// Bytes in a MiB.
const MIB: usize = 1024 * 1024;

const DAY: Duration = Duration::from_hours(24);

/// Everything that runs.
pub(super) struct Started {
    pub(super) live: Arc<Live>,
    /// What the API works with.
    pub(super) office: Office,
    pub(super) core: CoreThread,
    /// HTTP, the control socket, the watch on the network; they end when this is dropped.
    pub(super) servers: JoinSet<()>,
    /// The first office, where it was made now.
    pub(super) made: Made,
    /// What peers are told of the network from now on.
    pub(super) advertised: watch::Sender<Advertised>,
}

pub(super) struct CoreThread {
    pub(super) thread: JoinHandle<()>,
    pub(super) ended: oneshot::Receiver<Ended>,
}

/// Starts everything: the store first, so that nothing is answered before what was is known.
pub(super) fn start(
    runtimes: &Runtimes,
    config: &Config,
    socket: &Path,
    (first, language): (First, Language),
) -> Result<Started, Failed> {
    let runtime = &runtimes.edge;
    let anew = Arc::new(Anew::new(clock::now().instant));
    let mut store = runtime.block_on(open_store(config, &anew))?;
    ready::forget(config);
    let listeners = Listeners::open(&config.sip_udp).map_err(udp_taken)?;
    let sip_udp = listeners.bound();
    let streams = open_streams(&runtimes.streams, config, &sip_udp, &listeners)?;
    let names = Names::start(runtime.handle(), config.dns_servers.clone(), listeners.wake());
    let http = open_http(&config.http_listen, "http.listen")?;
    let https = open_http(&config.http_tls_listen, "http.tls_listen")?;
    let bound = Bound {
        sip_tcp: streams.bound().to_vec(),
        http: addresses(&http),
        https: addresses(&https),
        sip_udp,
    };
    let control = runtime.block_on(async { ControlSocket::bind(socket) });
    let control = control.within(|| {
        let path = socket.display();
        text!("control socket {path}", "控制套接字{path}")
    })?;
    tell_recovery(&store.recovery);
    // Its passwords are shown once: not before a port in use can end the start no more.
    let made = runtime
        .block_on(office::make(&store.db, first, language))
        .within(|| text!("the first office", "初始分机"))?;
    if !made.is_empty() {
        store.directory = runtime
            .block_on(store.db.load_directory(1))
            .within(|| text!("the directory", "分机数据"))?;
    }
    let (wiring, parts) = wire(config, &listeners, (streams, names), store, anew)?;
    let live = Arc::new(wiring.into_live(config, bound));
    let core = start_core(Driver::new(listeners, parts))?;
    let (advertised, told) = watch::channel(config.media_advertise.clone());
    let running: Arc<dyn Running> = Arc::clone(&live) as Arc<dyn Running>;
    let office = Office::new(live.db.clone(), running).trusting(config.http_trusted.clone());
    let office = if https.is_empty() { office } else { office.certified(certificate(config)?) };
    let office = match https.first().and_then(|it| it.local_addr().ok()) {
        Some(first) if config.http_redirect => office.redirecting(first.port()),
        Some(_) | None => office,
    };
    let servers = start_servers(runtime, told, (&live, &office), control, (http, https));
    Ok(Started { live, office, core, servers, made, advertised })
}

async fn open_store(config: &Config, anew: &Arc<Anew>) -> Result<store::Started, Failed> {
    let options = store::Options {
        data_dir: config.data_dir.clone(),
        who: "dialtone serve".to_owned(),
        now: clock::now().utc,
        disk: None,
    };
    Ok(store::start(options, lost(anew)).await?)
}

/// What a thread is to call that a fault ends.
fn lost(anew: &Arc<Anew>) -> impl Fn(&'static str) + Clone + Send + use<> {
    let anew = Arc::clone(anew);
    move |thread| anew.lost(thread)
}

/// Port 0 takes the port of the first UDP listener where it is free: phones have one port to enter.
fn open_streams(
    runtime: &Runtime,
    config: &Config,
    udp: &[SocketAddr],
    listeners: &Listeners,
) -> Result<Streams, Failed> {
    let limits = Limits {
        connections: affordable(config, open_files_max()),
        connections_per_source: config.sip_connections_per_source.0 as usize,
        ..Limits::default()
    };
    let open = |addresses: &[SocketAddr]| {
        Streams::start(runtime.handle(), addresses, limits, listeners.wake())
    };
    let same_port = |it: &SocketAddr| match (it.port(), udp.first()) {
        (0, Some(udp)) => SocketAddr::new(it.ip(), udp.port()),
        (_, _) => *it,
    };
    let wished: Vec<SocketAddr> = config.sip_tcp.iter().map(same_port).collect();
    let opened = match open(&wished) {
        Err(_) if wished != config.sip_tcp => open(&config.sip_tcp),
        opened => opened,
    };
    opened.map_err(|it| taken("TCP", it.address, &it.source, "sip.tcp"))
}

/// The connections that the limit of open files leaves beside media and files: strangers' idle
/// connections must not take the descriptors of calls, of the journal and of the database.
fn affordable(config: &Config, files_max: usize) -> usize {
    let wanted = config.sip_connections.0 as usize;
    let media = usize::from(config.media_ports.last - config.media_ports.first) + 1;
    let affordable =
        wanted.min(files_max.saturating_sub(media + FILES_BESIDE)).max(CONNECTIONS_MIN);
    if affordable < wanted {
        tracing::warn!(
            files = files_max,
            connections = affordable,
            "fewer TCP connections than sip.connections: the limit of open files is low"
        );
    }
    affordable
}

fn open_files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|it| usize::try_from(it).ok()).unwrap_or(usize::MAX)
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|it| it.local_addr().ok()).collect()
}

fn open_http(addresses: &[SocketAddr], key: &'static str) -> Result<Vec<TcpListener>, Failed> {
    let open = |address: &SocketAddr| {
        let listener = match TcpListener::bind(address) {
            Err(error) if udp::lacks_ipv6(&error) && address.ip().is_unspecified() => {
                TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
            }
            other => other,
        };
        listener
            .and_then(|it| it.set_nonblocking(true).map(|()| it))
            .map_err(|it| taken("TCP", *address, &it, key))
    };
    addresses.iter().map(open).collect()
}

fn udp_taken(error: std::io::Error) -> Failed {
    match error.get_ref().and_then(|it| it.downcast_ref::<udp::BindError>()) {
        Some(bind) => taken("UDP", bind.address, &bind.source, "sip.udp"),
        None => error.into(),
    }
}

/// Names the key that helps, for whoever meets a port in use.
fn taken(protocol: &str, address: SocketAddr, error: &std::io::Error, key: &str) -> Failed {
    let text = text!(
        "cannot listen on {protocol} {address}: {} ({key} chooses another port)",
        "无法监听{protocol} {address}：{}（可用{key}另选端口）",
        of_io(error)
    );
    Failed::new(Exit::Failed, text)
}

fn tell_recovery(recovery: &store::Recovery) {
    for gap in &recovery.gaps {
        tracing::error!(?gap, "records of the journal cannot be read");
    }
    let bindings = recovery.recovered.bindings.len();
    let crashed = recovery.crashed.len();
    if crashed > 0 {
        tracing::warn!(
            calls = crashed,
            "calls were cut off when the server stopped; each has its record"
        );
    }
    tracing::info!(bindings, "recovered");
}

/// What outlives the making of the parts.
struct Wiring {
    board: Arc<Board>,
    ring: ring::Reader,
    events: Arc<Ring>,
    orders: Orders,
    published: Arc<Published>,
    dropped: Arc<board_watch::Dropped>,
    totals: Box<dyn Fn() -> media::Totals + Send + Sync>,
    store: StoreHandle,
    db: store::Db,
    directory: Arc<Directory>,
    anew: Arc<Anew>,
}

fn wire(
    config: &Config,
    listeners: &Listeners,
    (streams, names): (Streams, Names),
    store: store::Started,
    anew: Arc<Anew>,
) -> Result<(Wiring, Parts), Failed> {
    let orders = listeners.orders();
    let (events, media_events) = listeners.media_events();
    let restart = Arc::clone(&anew);
    let media_lost = move |error: media::Lost| {
        tracing::error!(%error, "a media thread has ended: starting anew");
        restart.want();
    };
    let media = media::Media::start(media_config(config, &listeners.bound()), events, media_lost)
        .within(|| text!("media ports", "媒体端口"))?;
    let (writer, reader) = ring::ring(config.trace_memory_mib.0 as usize * MIB);
    let events = Arc::new(Ring::new(clock::now().utc, machine::name()));
    let board = Arc::new(Board::new(&store.recovery.recovered.bindings, clock::now()));
    let ask = orders.clone();
    let report = move || {
        ask.give(Order::Command(Command::Report));
    };
    let watched = board_watch::start(Arc::clone(&board), Arc::clone(&events), report, lost(&anew));
    let (sink, dropped) = watched.within(|| text!("the board", "呼叫看板"))?;
    let published = Arc::new(Published::new(clock::now().instant));
    let core = make_core(config, &store, &listeners.bound(), streams.bound())?;
    // The first things the core hears, before any message.
    let directory = Arc::new(store.directory);
    orders.give(Order::Network(machine::network(&config.media_advertise, &listeners.bound())));
    orders.give(Order::Directory(Arc::clone(&directory)));
    let wiring = Wiring {
        board,
        ring: reader,
        events,
        orders,
        published: Arc::clone(&published),
        dropped,
        totals: Box::new(media.totals_reader()),
        store: store.handle,
        db: store.db,
        directory,
        anew,
    };
    let journal = store.writer;
    let parts =
        Parts { core, streams, names, media, media_events, journal, ring: writer, sink, published };
    Ok((wiring, parts))
}

impl Wiring {
    fn into_live(self, config: &Config, bound: Bound) -> Live {
        Live {
            board: self.board,
            ring: self.ring,
            events: self.events,
            orders: self.orders,
            published: self.published,
            dropped: self.dropped,
            media: self.totals,
            store: Mutex::new(Some(self.store)),
            db: self.db,
            versions: Mutex::new(VecDeque::from([self.directory])),
            data_dir: config.data_dir.clone(),
            bound,
            started_at: clock::now().instant,
            tokens: AtomicU64::new(1),
            ready: AtomicBool::new(false),
            anew: self.anew,
            behind: tokio::sync::Mutex::new(false),
        }
    }
}

fn media_config(config: &Config, bound: &[SocketAddr]) -> media::Config {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match config.media_threads.0 {
        0 => cores.saturating_sub(1).max(1),
        threads => threads as usize,
    };
    let ports = config.media_ports.first..=config.media_ports.last;
    let bind = machine::media_address(bound);
    media::Config { ports, bind, threads, ..media::Config::default() }
}

fn make_core(
    config: &Config,
    store: &store::Started,
    udp: &[SocketAddr],
    tcp: &[SocketAddr],
) -> Result<Core, Failed> {
    let (mut seed, mut nonce_key) = ([0; 32], [0; 32]);
    for bytes in [&mut seed, &mut nonce_key] {
        getrandom::fill(bytes).map_err(|it| Failed::new(Exit::Failed, no_random_numbers(it)))?;
    }
    let usual = pbx::core::Config::default();
    let settings = pbx::core::Config {
        udp_port: udp.first().map_or(usual.udp_port, SocketAddr::port),
        stream_port: tcp.first().map(SocketAddr::port),
        nonce_key,
        guard_rate: config.guard_rate.0,
        guard_burst: config.guard_burst.0,
        guard_known_rate: config.guard_known_rate.0,
        guard_known_burst: config.guard_known_burst.0,
        ..usual
    };
    let rng = ChaCha20Rng::from_seed(seed);
    #[cfg(feature = "provoked-faults")]
    let rng = crate::provoke::Provoked(rng);
    Ok(Core::new(settings, Box::new(rng), store.recovery.recovered.clone(), clock::now()))
}

fn start_core(driver: Driver) -> Result<CoreThread, Failed> {
    let (told, ended) = oneshot::channel();
    let run = move || {
        // Nobody waits any more where the process is already ending.
        let _ = told.send(driver.run());
    };
    let thread = std::thread::Builder::new().name("core".to_owned()).spawn(run)?;
    Ok(CoreThread { thread, ended })
}

fn start_servers(
    runtime: &Runtime,
    advertised: watch::Receiver<Advertised>,
    (live, office): (&Arc<Live>, &Office),
    control: ControlSocket,
    (http, https): (Vec<TcpListener>, Vec<TcpListener>),
) -> JoinSet<()> {
    let mut servers = JoinSet::new();
    servers.spawn_on(web::webhooks::run(office.clone()), runtime.handle());
    servers.spawn_on(web::backups::run_nightly(office.clone()), runtime.handle());
    servers.spawn_on(web::audit::forget(office.clone()), runtime.handle());
    servers.spawn_on(web::access::sessions::keep_room(office.clone()), runtime.handle());
    servers.spawn_on(web::mss::serve(office.clone()), runtime.handle());
    servers.spawn_on(web::captures::run(office.clone()), runtime.handle());
    servers.spawn_on(web::registration_history::run(office.clone()), runtime.handle());
    let router = web::control_router(office.clone());
    servers.spawn_on(web::serve_control(control, router), runtime.handle());
    for listener in http {
        let router = web::public_router(office.clone());
        let serve = async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => web::serve_public(listener, router).await,
                Err(error) => tracing::error!(%error, "metrics, pages and API are not served"),
            }
        };
        servers.spawn_on(serve, runtime.handle());
    }
    if let Some(certificate) = office.certificate() {
        for listener in https {
            let (router, certificate) = (web::public_router(office.clone()), certificate.clone());
            let serve = async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => web::serve_tls(listener, certificate, router).await,
                    Err(error) => tracing::error!(%error, "nothing is served over TLS"),
                }
            };
            servers.spawn_on(serve, runtime.handle());
        }
        servers.spawn_on(renew(certificate), runtime.handle());
    }
    let bound = live.bound.sip_udp.clone();
    let watch = machine::watch_network(advertised, bound, live.orders.clone());
    servers.spawn_on(watch, runtime.handle());
    #[cfg(feature = "provoked-faults")]
    servers.spawn_on(crate::provoke::listen(), runtime.handle());
    servers.spawn_on(ready::keep_alive(Arc::clone(live)), runtime.handle());
    servers
}

/// What browsers are shown: an installed one, or one for the names and addresses of this machine.
fn certificate(config: &Config) -> Result<Arc<Certificate>, Failed> {
    let folder = config.data_dir.join(certificate::FOLDER);
    let opened = Certificate::open(folder, machine::names(), clock::now().utc);
    Ok(Arc::new(opened?))
}

/// Looks once a day whether the certificate of ours is about to end.
async fn renew(certificate: Arc<Certificate>) {
    let mut days = tokio::time::interval(DAY);
    loop {
        days.tick().await;
        if let Err(error) = certificate.renew(clock::now().utc) {
            tracing::error!(error = error.detail_en, "the certificate is not renewed");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn connections_leave_descriptors_for_calls() {
        let config = load(&Sources::default()).map_err(|it| format!("{it:?}")).unwrap().config;
        #[rustfmt::skip]
        let table = [
            (262_144, 20_000),
            (20_000,  8_976),
            (1_024,   64),
        ];
        for (files, connections) in table {
            assert_eq!(affordable(&config, files), connections, "{files} files");
        }
    }
}
