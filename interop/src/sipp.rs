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

const CARRIER: &str = include_str!("../sipp/carrier.xml");

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

    /// With callers that talk for so long, in the place of a second.
    pub fn talking(self, time: Duration) -> Result<Self> {
        let pause = format!("<pause milliseconds=\"{}\"/>", time.as_millis());
        let text = CALLER.replace("<pause milliseconds=\"1000\"/>", &pause);
        std::fs::write(self.folder.join("caller.xml"), text)?;
        Ok(self)
    }

    /// Registers all of them from that port, at 100 a second.
    pub fn register(&self, users: &[User], port: u16) -> Result<()> {
        let nobody = User { number: String::new(), password: String::new() };
        let file = self.users("register", users, &nobody)?;
        let command = self.command("register", "register", port);
        let process = self.start(command, "register", &file, users.len(), 100)?;
        self.finish(process, "register")
    }

    /// Callers that call one callee once each, all at the same time; every call must succeed.
    ///
    /// SIPp signs one and the same URI in all calls of a process, so there is a process for each callee.
    pub fn call(&self, groups: &[(&[User], &User)], rate: u32) -> Result<()> {
        let mut running = vec![];
        for (callers, callee) in groups {
            let name = format!("caller-{}", callee.number);
            let file = self.users(&name, callers, callee)?;
            let uri = format!("{}@{}", callee.number, self.server);
            let mut command = self.command("caller", &name, free_port()?);
            command.args(["-auth_uri", &uri]);
            running.push((self.start(command, &name, &file, callers.len(), rate)?, name));
        }
        running.into_iter().try_for_each(|(process, name)| self.finish(process, &name))
    }

    /// Callees that answer at that port until dropped.
    pub fn callee(&self, port: u16) -> Result<Process> {
        let mut command = self.command("callee", "callee", port);
        Process::start(&mut command, &self.folder.join("callee.log"))
    }

    fn start(
        &self,
        mut command: Command,
        name: &str,
        users: &Path,
        count: usize,
        rate: u32,
    ) -> Result<Process> {
        command.arg("-inf").arg(users).arg(self.server.to_string());
        command.args(["-m", &count.to_string(), "-r", &rate.to_string(), "-timeout", "170s"]);
        Process::start(&mut command, &self.folder.join(format!("{name}.log")))
    }

    fn finish(&self, mut process: Process, name: &str) -> Result<()> {
        let status = process.wait(LIMIT)?;
        let errors = self.folder.join(format!("{name}.errors"));
        let first = std::fs::read_to_string(&errors).unwrap_or_default();
        let first: String = first.lines().take(6).collect::<Vec<_>>().join(" | ");
        ensure!(status.success(), "sipp {name}: {status} {first}");
        Ok(())
    }

    fn command(&self, scenario: &str, name: &str, port: u16) -> Command {
        let mut command = Command::new("sipp");
        command.current_dir(&self.folder);
        command.arg("-sf").arg(self.folder.join(format!("{scenario}.xml")));
        command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-trace_err"]);
        command.arg("-error_file").arg(self.folder.join(format!("{name}.errors")));
        command
    }

    /// The injection file: a line for each user.
    fn users(&self, name: &str, users: &[User], callee: &User) -> Result<PathBuf> {
        let mut text = "SEQUENTIAL\n".to_owned();
        for User { number, password } in users {
            write!(text, "{number};[authentication username={number} password={password}]")?;
            writeln!(text, ";{};", callee.number)?;
        }
        let file = self.folder.join(format!("{name}.csv"));
        std::fs::write(&file, text).context("SIPp's users")?;
        Ok(file)
    }
}

/// SIPp as a carrier for one call.
pub struct Carrier {
    process: Process,
    folder: PathBuf,
}

impl Carrier {
    pub fn start(folder: PathBuf, port: u16) -> Result<Self> {
        process::need("sipp")?;
        std::fs::write(folder.join("carrier.xml"), CARRIER)?;
        let sipp = Sipp { folder: folder.clone(), server: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut command = sipp.command("carrier", "carrier", port);
        command.args(["-m", "1", "-timeout", "60s"]);
        let process = Process::start(&mut command, &folder.join("carrier.log"))?;
        Ok(Self { process, folder })
    }

    /// The call went as the scenario says.
    pub fn finish(&mut self) -> Result<()> {
        let status = self.process.wait(LIMIT)?;
        let errors = std::fs::read_to_string(self.folder.join("carrier.errors"));
        ensure!(status.success(), "sipp: {status} {}", errors.unwrap_or_default());
        Ok(())
    }
}

/// A port that nothing uses now.
pub fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
