//! The servers that are measured side by side, each started fresh with 10,000 users.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use interop::clock;
use interop::kamailio;
use interop::load::User;
use interop::phone::Phone;
use interop::process::Process;
use interop::report::Context;
use interop::server::{LOCALHOST, PASSWORD, Server};

/// How many users exist.
pub(crate) const USERS: u32 = 10_000;
pub(crate) const FIRST: u32 = 10_000;

/// Nothing of what is measured is switched off; guard and limit would refuse so much from one address, and a call holds
/// four media ports, which rest for 5 s after it: 400 calls a second need 8,000 of them, and a thousand connections the
/// rest of the 20,000 files that a process may have here.
pub(crate) const SETTINGS: [&str; 6] = [
    "media.ports=2000-15999",
    "sip.connections_per_source=2000",
    "guard.rate=1000000",
    "guard.burst=1000000",
    "guard.known_rate=1000000",
    "guard.known_burst=1000000",
];

/// For a server to answer.
const START: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dialtone,
    Kamailio { workers: u32 },
}

/// A running one; its files go with it.
pub(crate) struct Candidate {
    pub(crate) at: SocketAddr,
    running: Running,
    _folder: tempfile::TempDir,
}

enum Running {
    Dialtone(Box<Server>),
    Kamailio(Process),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dialtone => "dialtone",
            Self::Kamailio { .. } => "kamailio",
        }
    }

    /// What is not said once at the top of the table.
    pub(crate) fn configuration(self) -> String {
        match self {
            Self::Dialtone => String::new(),
            Self::Kamailio { workers } => {
                format!("; {workers} workers, {}", kamailio::CONFIGURATION)
            }
        }
    }
}

impl Candidate {
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        Self::start_with(kind, &[])
    }

    /// With more options for the extensions of ours.
    pub(crate) fn start_with(kind: Kind, extensions: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("dialtone-bench-").tempdir()?;
        let context = Context::new(folder.path().to_owned());
        let (running, at) = match kind {
            Kind::Dialtone => {
                let server = Server::start_with(&context, &SETTINGS)?;
                let last = FIRST + USERS - 1;
                let options = [&["--calls", "100"], extensions].concat();
                server.add(&format!("{FIRST}-{last}"), &options)?;
                let at = server.udp();
                (Running::Dialtone(Box::new(server)), at)
            }
            Kind::Kamailio { workers } => {
                let (process, at) = kamailio::start(&context.folder, workers)?;
                (Running::Kamailio(process), at)
            }
        };
        let candidate = Self { at, running, _folder: folder };
        clock::wait_for(kind.name(), START, || Ok(candidate.answers().ok()))?;
        Ok(candidate)
    }

    /// Stops and starts ours, which has its users from then on as on any other day.
    pub(crate) fn start_anew(&mut self) -> Result<()> {
        let Running::Dialtone(server) = &mut self.running else { return Ok(()) };
        server.terminate()?;
        server.run()?;
        self.at = server.udp();
        clock::wait_for("dialtone", START, || Ok(self.answers().ok()))?;
        Ok(())
    }

    fn answers(&self) -> Result<()> {
        let mut phone = Phone::udp(LOCALHOST, self.at, "bench", "")?;
        let uri = format!("sip:{}", self.at);
        let request = phone.request("OPTIONS", &uri, &uri)?;
        phone.transact(&request).map(drop)
    }

    pub(crate) fn id(&self) -> Result<u32> {
        match &self.running {
            Running::Dialtone(server) => server.id(),
            Running::Kamailio(process) => Ok(process.id()),
        }
    }

    /// Ours, where it is.
    pub(crate) fn dialtone(&self) -> Option<&Server> {
        match &self.running {
            Running::Dialtone(server) => Some(server),
            Running::Kamailio(_) => None,
        }
    }

    /// Whether the server itself counts as many registrations as there are; one that has no list is believed.
    pub(crate) fn check_registrations(&self, count: usize) -> Result<()> {
        let Some(server) = self.dialtone() else { return Ok(()) };
        let found = server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
        ensure!(found == count, "{found} registrations instead of {count}");
        Ok(())
    }
}

/// All users, in the order of their numbers.
pub(crate) fn users() -> Vec<User> {
    User::range(FIRST, USERS, PASSWORD)
}

/// The configuration in force, as `check-config` shows it: `key=value`.
pub(crate) fn configuration() -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let context = Context::new(folder.path().to_owned());
    let shown = Server::stopped(&context, &SETTINGS)?.json(&["check-config"])?;
    let rows = shown.as_array().context("check-config shows no list")?;
    let text = |it: &serde_json::Value| it.as_str().unwrap_or_default().to_owned();
    Ok(rows.iter().map(|it| format!("{}={}", text(&it["key"]), text(&it["value"]))).collect())
}
