//! Tells the world that the server is ready: one line, `ports.json`, and the service manager.

use crate::config::Config;
use crate::running::{Bound, Live};
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr as UnixSocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use web::Running as _;

/// The real ports, for scripts and tests; below the data directory.
const PORTS_FILE: &str = "ports.json";

/// Takes away what the run before said, so that nobody takes its ports for ours.
pub(super) fn forget(config: &Config) {
    // Most often there is none.
    let _ = std::fs::remove_file(config.data_dir.join(PORTS_FILE));
}

/// Says it on standard output: `ready sip=udp:… tcp:… http=… https=…`.
pub(super) fn announce(config: &Config, bound: &Bound) {
    let path = config.data_dir.join(PORTS_FILE);
    // Phones need no file: a full disk is no reason not to serve.
    if let Err(error) = write_ports(&path, bound) {
        tracing::warn!(%error, path = %path.display(), "the ports are not written");
    }
    say(&line(bound));
    tracing::info!("{}", line(bound));
    tell_manager("READY=1");
}

/// Whole or not at all: a test may be waiting for it.
fn write_ports(path: &Path, bound: &Bound) -> std::io::Result<()> {
    let partial = path.with_extension("json.new");
    let json = serde_json::to_vec_pretty(bound)?;
    std::fs::write(&partial, json)
        .and_then(|()| std::fs::rename(&partial, path))
        .inspect_err(|_| drop(std::fs::remove_file(&partial)))
}

pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn line(bound: &Bound) -> String {
    let list = |it: &[SocketAddr]| it.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    format!(
        "ready sip=udp:{} tcp:{} http={} https={}",
        list(&bound.sip_udp),
        list(&bound.sip_tcp),
        list(&bound.http),
        list(&bound.https)
    )
}

/// Tells the service manager that waits for it (systemd, `Type=notify`).
pub(super) fn tell_manager(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send_to_manager(&name, state) {
        tracing::warn!(%error, state, "the service manager was not told");
    }
}

/// A name with `@` in front is not in the file system (unix(7)).
fn send_to_manager(name: &OsStr, state: &str) -> std::io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => UnixSocketAddr::from_abstract_name(name)?,
        _ => UnixSocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// Tells a service manager that asked for it (`WatchdogSec=`) that the core works, twice in the
/// time it allows. A stuck server is thus ended and started anew.
pub(super) async fn keep_alive(live: Arc<Live>) {
    let allowed = std::env::var("WATCHDOG_USEC").ok().and_then(|it| it.parse().ok());
    let Some(allowed) = allowed.map(Duration::from_micros).filter(|it| !it.is_zero()) else {
        return;
    };
    let mut ticks = tokio::time::interval(allowed / 2);
    loop {
        ticks.tick().await;
        if live.is_alive() {
            tell_manager("WATCHDOG=1");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_line_names_every_listener() {
        let one = |it: &str| vec![it.parse().unwrap()];
        let bound = Bound {
            sip_udp: vec!["[::]:5060".parse().unwrap(), "10.0.0.1:5070".parse().unwrap()],
            sip_tcp: one("[::]:5060"),
            http: one("[::]:8080"),
            https: one("[::]:8443"),
        };
        let expected =
            "ready sip=udp:[::]:5060,10.0.0.1:5070 tcp:[::]:5060 http=[::]:8080 https=[::]:8443";
        assert_eq!(line(&bound), expected);
    }
}
