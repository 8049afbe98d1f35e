//! SIPp with the scenarios of this crate.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::load::User;
use crate::process::{self, Process};

const REGISTER: &str = include_str!("../sipp/register.xml");
const CALLER: &str = include_str!("../sipp/caller.xml");
const CALLEE: &str = include_str!("../sipp/callee.xml");

/// For a whole scenario; a slow machine takes a while.
const LIMIT: Duration = Duration::from_secs(180);

/// SIPp's files of one case.
pub struct Sipp {
    folder: PathBuf,
    server: SocketAddr,
}

impl Sipp {
    pub fn new(folder: PathBuf, server: SocketAddr) -> Result<Self> {
        process::need("sipp")?;
        for (name, text) in [("register", REGISTER), ("caller", CALLER), ("callee", CALLEE)] {
            std::fs::write(folder.join(format!("{name}.xml")), text)?;
        }
        Ok(Self { folder, server })
    }

    /// Registers all of them from that port, at 100 a second.
    pub fn register(&self, users: &[User], port: u16) -> Result<()> {
        let file = self.users("register", users, &[])?;
        self.run("register", &file, users.len(), 100, port)
    }

    /// Each caller calls the callee of the same place once; every call must succeed.
    pub fn call(&self, callers: &[User], callees: &[User], rate: u32, port: u16) -> Result<()> {
        let file = self.users("caller", callers, callees)?;
        self.run("caller", &file, callers.len(), rate, port)
    }

    /// Callees that answer at that port until dropped.
    pub fn callee(&self, port: u16) -> Result<Process> {
        let mut command = self.command("callee", port);
        Process::start(&mut command, &self.folder.join("callee.log"))
    }

    fn run(&self, scenario: &str, file: &Path, count: usize, rate: u32, port: u16) -> Result<()> {
        let mut command = self.command(scenario, port);
        command.arg("-inf").arg(file).arg(self.server.to_string());
        command.args(["-m", &count.to_string(), "-r", &rate.to_string(), "-timeout", "170s"]);
        let log = self.folder.join(format!("{scenario}.log"));
        let status = Process::start(&mut command, &log)?.wait(LIMIT)?;
        let errors = self.folder.join(format!("{scenario}.errors"));
        let first = std::fs::read_to_string(&errors).unwrap_or_default();
        let first: String = first.lines().take(6).collect::<Vec<_>>().join(" | ");
        ensure!(status.success(), "sipp {scenario}: {status} {first}");
        Ok(())
    }

    fn command(&self, scenario: &str, port: u16) -> Command {
        let mut command = Command::new("sipp");
        command.current_dir(&self.folder);
        command.arg("-sf").arg(self.folder.join(format!("{scenario}.xml")));
        command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-trace_err"]);
        command.arg("-error_file").arg(self.folder.join(format!("{scenario}.errors")));
        command
    }

    /// The injection file: a line for each user.
    fn users(&self, name: &str, users: &[User], callees: &[User]) -> Result<PathBuf> {
        let mut text = "SEQUENTIAL\n".to_owned();
        for (index, User { number, password }) in users.iter().enumerate() {
            let callee = callees.get(index).map_or("", |it| it.number.as_str());
            write!(text, "{number};[authentication username={number} password={password}]")?;
            writeln!(text, ";{callee};")?;
        }
        let file = self.folder.join(format!("{name}.csv"));
        std::fs::write(&file, text).context("SIPp's users")?;
        Ok(file)
    }
}

/// A port that nothing uses now.
pub fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
