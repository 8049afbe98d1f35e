//! The servers that are measured side by side, each started fresh with 10,000 users.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::User;
use interop::phone::Phone;
use interop::process::Process;
use interop::report::Context;
use interop::server::{LOCALHOST, PASSWORD, Server};

use crate::kamailio;

/// How many users exist.
pub(crate) const USERS: u32 = 10_000;
const FIRST: u32 = 10_000;

/// Nothing of what is measured is switched off; the guard would refuse so much from one address, and a call holds four
/// media ports, which rest for 5 s after it.
const SETTINGS: [&str; 5] = [
    "media.ports=20000-31999",
    "guard.rate=1000000",
    "guard.burst=1000000",
    "guard.known_rate=1000000",
    "guard.known_burst=1000000",
];

const CONFIGURATION: &str = "journal, records, ring and metrics on; guard raised to 1,000,000/s; relay always, 12,000 ports";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dialtone,
    Kamailio,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Dialtone, Kind::Kamailio];

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
            Self::Kamailio => "kamailio",
        }
    }

    pub(crate) fn configuration(self) -> &'static str {
        match self {
            Self::Dialtone => CONFIGURATION,
            Self::Kamailio => kamailio::CONFIGURATION,
        }
    }
}

impl Candidate {
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("dialtone-bench-").tempdir()?;
        let context = Context { folder: folder.path().to_owned() };
        let (running, at) = match kind {
            Kind::Dialtone => {
                let server = Server::start_with(&context, &SETTINGS)?;
                let last = FIRST + USERS - 1;
                server.add(&format!("{FIRST}-{last}"), &["--calls", "100"])?;
                let at = server.udp();
                (Running::Dialtone(Box::new(server)), at)
            }
            Kind::Kamailio => {
                let (process, at) = kamailio::start(&context.folder)?;
                (Running::Kamailio(process), at)
            }
        };
        let candidate = Self { at, running, _folder: folder };
        clock::wait_for(kind.name(), Duration::from_secs(10), || Ok(candidate.answers().ok()))?;
        Ok(candidate)
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

    /// Whether the server itself counts as many calls as were made; one that keeps no records is believed.
    pub(crate) fn check_records(&self, calls: usize) -> Result<()> {
        match &self.running {
            Running::Dialtone(server) => server.wait_records(calls).map(drop),
            Running::Kamailio(_) => Ok(()),
        }
    }

    /// The same for the registrations it holds.
    pub(crate) fn check_registrations(&self, count: usize) -> Result<()> {
        match &self.running {
            Running::Dialtone(server) => {
                let found = server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
                ensure!(found == count, "{found} registrations instead of {count}");
                Ok(())
            }
            Running::Kamailio(_) => Ok(()),
        }
    }
}

/// All users, in the order of their numbers.
pub(crate) fn users() -> Vec<User> {
    User::range(FIRST, USERS, PASSWORD)
}
