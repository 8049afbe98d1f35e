//! `dialtone serve`: starts every part in its order, waits for a signal, and ends them in reverse.
//!
//! Threads: the core, the board, media, the store's, and small tokio runtimes for streams and for
//! HTTP and the control socket (architecture, "Threads and processes").

mod parts;
mod ready;
mod reload;
mod runtimes;

use crate::cli::{Common, Exit, Failed, Within as _};
use crate::config::Loaded;
use crate::drive::{Ended, Order, Orders};
use crate::logs;
use crate::office::{self, First};
use crate::running::{Live, lock};
use parts::Started;
use pbx::core::Command;
use pbx::language::Language;
use pbx::text;
use reload::Reload;
use runtimes::Runtimes;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use web::failure::of_io;

/// The core ends by itself within its own limit; beyond this something is broken.
const CORE_END: Duration = Duration::from_secs(8);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// On an empty database make extensions 100, 101 and 102 with generated passwords.
    #[arg(long)]
    office: bool,
    /// On an empty database make 100/100, 101/101 and 102/102, for private sources only.
    #[arg(long)]
    demo: bool,
}

/// Runs the server until it is told to stop.
pub(crate) fn run(
    common: &Common,
    arguments: &Arguments,
    language: Language,
) -> Result<(), Failed> {
    let loaded = common.load()?;
    logs::start(&loaded.config).within(|| text!("the log cannot be opened", "无法打开日志"))?;
    log_panics();
    raise_file_limit();
    let runtimes = Runtimes::start()?;
    let served = serve(&runtimes, common, &loaded, arguments, language);
    logs::flush();
    let ended = served?;
    runtimes.shutdown();
    match ended {
        (Ended::Stopped, false) => Ok(()),
        (Ended::Stopped, true) => Err(start_anew()),
        (Ended::Faults, _) => {
            tracing::error!("three internal faults within a minute: starting anew");
            Err(start_anew())
        }
    }
}

fn serve(
    runtimes: &Runtimes,
    common: &Common,
    loaded: &Loaded,
    arguments: &Arguments,
    language: Language,
) -> Result<(Ended, bool), Failed> {
    let runtime = &runtimes.edge;
    // From here on a signal is heard, however long the start takes.
    let mut signals = runtime.block_on(async { Signals::listen() });
    let config = &loaded.config;
    let first = if arguments.demo {
        First::Demo
    } else if arguments.office {
        First::Office
    } else {
        First::Empty
    };
    let socket = common.socket_path()?;
    let Started { live, office, core, mut servers, made, advertised } =
        parts::start(runtimes, config, &socket, (first, language))?;
    let reload = Reload::new(common, loaded, advertised);
    if !made.is_empty() {
        let bound = &live.bound.sip_udp;
        let network = crate::machine::network(&config.media_advertise, bound);
        let server = office::server_address(&network, bound);
        let welcome = office::welcome(&made, &server, arguments.demo);
        ready::say(welcome.get(language));
    } else if arguments.demo {
        ready::say(office::no_demo().get(language));
    }
    if !live.bound.http.is_empty()
        && let Some(code) = runtime.block_on(web::access::setup::code(&office))?
    {
        ready::say(office::set_up(&live.bound.http, &code).get(language));
    }
    live.ready.store(true, Ordering::Release);
    ready::announce(config, &live.bound);
    let ended = runtime.block_on(wait(&mut signals, &reload, &live, core.ended));
    // The socket's file goes while the lock of the data directory is still ours.
    runtime.block_on(servers.shutdown());
    // The thread has said that it ended; what it owned, the journal's writer too, is gone with it.
    let _ = core.thread.join();
    finish(&live);
    Ok(ended)
}

/// Waits for a signal, then for the core; or for the core to give up. Whether somebody wants it to begin again.
async fn wait(
    signals: &mut Signals,
    reload: &Reload,
    live: &Live,
    mut core: tokio::sync::oneshot::Receiver<Ended>,
) -> (Ended, bool) {
    let anew = loop {
        tokio::select! {
            ended = &mut core => return (ended.unwrap_or(Ended::Faults), false),
            () = live.anew.wanted() => break true,
            asked = signals.next() => match asked {
                Asked::Stop => break false,
                Asked::Reload => reload.run(live).await,
            },
        }
    };
    tracing::info!("stopping: calls get their BYEs and records");
    live.ready.store(false, Ordering::Release);
    ready::tell_manager("STOPPING=1");
    stop_core(&live.orders).await;
    match tokio::time::timeout(CORE_END, core).await {
        Ok(Ok(ended)) => (ended, anew),
        Ok(Err(_)) => (Ended::Faults, anew),
        Err(_) => {
            tracing::error!("the core does not end; the process ends without it");
            logs::flush();
            std::process::exit(1);
        }
    }
}

/// A full queue makes this wait, so it is not done on the runtime's own threads.
async fn stop_core(orders: &Orders) {
    let orders = orders.clone();
    let given = tokio::task::spawn_blocking(move || orders.give(Order::Command(Command::Shutdown)));
    // Not given only where the core has ended already.
    let _ = given.await;
}

/// The store ends last: everything the others did is in its journal.
fn finish(live: &Arc<Live>) {
    let store = lock(&live.store).take();
    if let Some(store) = store {
        let metrics = store.shutdown();
        tracing::info!(records = metrics.written, behind = metrics.lag, "stopped");
    }
}

/// Replaces this process by a fresh one, which recovers from the journal. Returns only on failure.
fn start_anew() -> Failed {
    logs::flush();
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "dialtone".into());
    // Not by its path: an upgrade may have put another program there, or none.
    let error = std::process::Command::new("/proc/self/exe").arg0(name).args(arguments).exec();
    Failed::new(Exit::Failed, text!("cannot start anew: {}", "无法重新启动：{}", of_io(&error)))
}

/// A panic is a line of the log like any other, with its place.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(%place, "internal fault: {}", text.unwrap_or("no message"));
    }));
}

/// Media needs two descriptors for each pair of ports; the usual soft limit is 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays");
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

/// The signals a server listens to. One that cannot be had never comes.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    reload: Option<Signal>,
}

impl Signals {
    fn listen() -> Self {
        let listen = |kind| signal(kind).ok();
        Self {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
            reload: listen(SignalKind::hangup()),
        }
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            () = received(&mut self.terminate) => Asked::Stop,
            () = received(&mut self.interrupt) => Asked::Stop,
            () = received(&mut self.reload) => Asked::Reload,
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
