//! The server under test: the built binary with a data directory of its own, on free loopback ports.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::clock;
use crate::metrics::Metrics;
use crate::phone::Phone;
use crate::process::{Process, Signal};
use crate::report::Context;

/// From the start of the process until its ports are known. Generous: it may follow a crash with 10,000 phones.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Enough for the calls of a case together with those that rest after one.
const MEDIA_PORTS: u16 = 4_000;

pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const LOCALHOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// A second address of the same machine.
pub const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Where attacks come from.
pub const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A password that is not weak.
pub const PASSWORD: &str = "Kd7-unripe-Plum";

/// A data directory and the process that serves it, if it runs.
pub struct Server {
    pub program: PathBuf,
    pub data: PathBuf,
    /// Where it is spoken to.
    pub address: IpAddr,
    listen: IpAddr,
    log: PathBuf,
    settings: Vec<String>,
    /// Added to the environment of the process at its next start.
    pub environment: Vec<(String, String)>,
    process: Option<Process>,
    pub ports: Ports,
}

/// The ports the server took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    pub udp: u16,
    pub tcp: u16,
    pub http: u16,
    /// HTTP over TLS.
    pub https: u16,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Printed {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self:?}"))
    }
}

/// The binary that `DIALTONE_BIN` names, else the newest build of this checkout.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("DIALTONE_BIN") {
        return Ok(path.into());
    }
    let here = std::env::current_exe()?;
    let builds = here.parent().and_then(Path::parent).context("not in a target folder")?;
    let found = ["release", "debug"].map(|it| builds.join(it).join("dialtone"));
    let newest =
        found.into_iter().filter_map(|it| Some((it.metadata().ok()?.modified().ok()?, it)));
    let newest = newest.max().map(|(_, path)| path);
    newest.with_context(|| format!("no server in {}: build it first", builds.display()))
}

impl Server {
    /// A server that runs with default settings and knows nobody yet.
    pub fn start(context: &Context) -> Result<Self> {
        Self::start_with(context, &[])
    }

    /// As [`Server::start`], with configuration keys as `key=value`.
    pub fn start_with(context: &Context, settings: &[&str]) -> Result<Self> {
        let mut server = Self::stopped(context, settings)?;
        server.run()?;
        Ok(server)
    }

    /// One of several servers: it listens on that address alone, with its files in that folder.
    pub fn start_at(folder: &Path, address: IpAddr, settings: &[&str]) -> Result<Self> {
        let mut server = Self::new(folder, address, address, settings)?;
        server.run()?;
        Ok(server)
    }

    /// A data directory that no process serves yet.
    pub fn stopped(context: &Context, settings: &[&str]) -> Result<Self> {
        Self::new(&context.folder, LOCALHOST, Ipv6Addr::UNSPECIFIED.into(), settings)
    }

    fn new(folder: &Path, address: IpAddr, listen: IpAddr, settings: &[&str]) -> Result<Self> {
        let media = format!("media.ports={}", free_media_range_at(listen, MEDIA_PORTS)?);
        let listener = SocketAddr::new(listen, 0);
        let mut all = vec![format!("sip.udp={listener}"), format!("sip.tcp={listener}")];
        all.extend(["http.listen", "http.tls_listen"].map(|it| format!("{it}=127.0.0.1:0")));
        all.push(media);
        all.extend(settings.iter().map(|&it| it.to_owned()));
        Ok(Self {
            program: program()?,
            data: folder.join("data"),
            address,
            listen,
            log: folder.join("server.log"),
            settings: all,
            environment: vec![],
            process: None,
            ports: Ports::default(),
        })
    }

    /// Starts the process and waits until it is ready.
    pub fn run(&mut self) -> Result<()> {
        let file = self.data.join("ports.json");
        // A file left by a process that was killed would be read too early.
        let _ = std::fs::remove_file(&file);
        let mut command = self.command(&["serve"]);
        command.envs(self.environment.iter().cloned());
        let mut process = Process::start(&mut command, &self.log)?;
        let ports = clock::wait_for("ports of the server", START_LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!("the server ended at its start: {status}");
            }
            Ok(std::fs::read_to_string(&file).ok().and_then(|it| Ports::parse(&it)))
        })?;
        self.process = Some(process);
        self.ports = ports;
        // After a restart the phones expect it where it was.
        self.settings[0] = format!("sip.udp={}", SocketAddr::new(self.listen, ports.udp));
        self.settings[1] = format!("sip.tcp={}", SocketAddr::new(self.listen, ports.tcp));
        self.settings[2] = format!("http.listen=127.0.0.1:{}", ports.http);
        self.settings[3] = format!("http.tls_listen=127.0.0.1:{}", ports.https);
        Ok(())
    }

    /// The program with the data and settings of this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(&self.data);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.args(arguments);
        command.env_remove("DIALTONE_DATA_DIR").env("TZ", "UTC").env("DIALTONE_LANG", "en");
        command
    }

    pub fn is_running(&mut self) -> Result<bool> {
        match &mut self.process {
            Some(process) => Ok(process.ended()?.is_none()),
            None => Ok(false),
        }
    }

    /// Stops it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::Kill)?;
            process.wait(START_LIMIT)?;
        }
        Ok(())
    }

    /// Asks it to stop and waits for it; how long it took.
    pub fn terminate(&mut self) -> Result<Duration> {
        let started = clock::now();
        let mut process = self.process.take().context("not running")?;
        process.signal(Signal::Term)?;
        let status = process.wait(START_LIMIT)?;
        ensure!(status.success(), "ended with {status}");
        Ok(started.elapsed())
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("not running")?.signal(signal)
    }

    pub fn udp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ports.udp)
    }

    pub fn tcp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ports.tcp)
    }

    /// A phone of that extension over UDP from 127.0.0.1, not registered yet.
    pub fn phone(&self, number: &str) -> Result<Phone> {
        Phone::udp(LOCALHOST, self.udp(), number, PASSWORD)
    }

    /// Runs a command of the CLI, whatever comes of it.
    pub fn cli(&self, arguments: &[&str]) -> Result<Printed> {
        let output = self.command(arguments).output()?;
        Ok(Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed; what it printed with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let printed = self.cli(&all)?;
        ensure!(printed.code == 0, "{arguments:?}: {printed:?}");
        if printed.stdout.trim().is_empty() {
            return Ok(Value::Null);
        }
        printed.json()
    }

    /// Adds an extension, or a range, with [`PASSWORD`].
    pub fn add(&self, numbers: &str, more: &[&str]) -> Result<()> {
        let mut arguments = vec!["ext", "add", numbers, "--password", PASSWORD];
        arguments.extend(more);
        self.json(&arguments).map(drop)
    }

    /// The rows of the call records, oldest first.
    pub fn records(&self) -> Result<Vec<Value>> {
        let printed = self.cli(&["cdr", "export", "--json"])?;
        ensure!(printed.code == 0, "cdr export: {printed:?}");
        printed.stdout.lines().map(|it| Ok(serde_json::from_str(it)?)).collect()
    }

    /// How many call records are in the database; cheaper than [`Server::records`].
    pub fn count_records(&self) -> Result<u64> {
        let connection = rusqlite::Connection::open(self.data.join("dialtone.db"))?;
        connection.busy_timeout(START_LIMIT)?;
        let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let count = connection.query_row("SELECT count(*) FROM call_records", [], read)?;
        Ok(u64::try_from(count)?)
    }

    /// Puts rows into the database of a server that does not run: what would take hours of calls.
    pub fn execute(&self, sql: &str) -> Result<()> {
        ensure!(self.process.is_none(), "the server runs");
        let connection = rusqlite::Connection::open(self.data.join("dialtone.db"))?;
        Ok(connection.execute_batch(sql)?)
    }

    /// Waits until so many records are there; the projection runs behind the calls.
    pub fn wait_records(&self, count: usize) -> Result<Vec<Value>> {
        let mut seen = 0;
        let found = clock::wait_for("call records", START_LIMIT, || {
            let records = self.records()?;
            seen = records.len();
            Ok((seen >= count).then_some(records))
        });
        let records = found.with_context(|| format!("{seen} of {count} records"))?;
        ensure!(records.len() == count, "{} records instead of {count}", records.len());
        Ok(records)
    }

    pub fn http_address(&self) -> SocketAddr {
        SocketAddr::new(LOCALHOST, self.ports.http)
    }

    /// What the processes of this server have logged.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// A page of the HTTP listener: status and body.
    pub fn http(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect((LOCALHOST, self.ports.http))?;
        stream.set_read_timeout(Some(START_LIMIT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).context("no status")?;
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok((status, body.unwrap_or_default()))
    }

    /// The sum of a metric over those of its labels that contain `label`.
    pub fn metric(&self, name: &str, label: &str) -> Result<f64> {
        self.metrics()?.value(name, label)
    }

    pub fn metrics(&self) -> Result<Metrics> {
        let (status, body) = self.http("/metrics")?;
        ensure!(status == 200, "/metrics: {status}");
        Ok(Metrics::of(body))
    }

    pub fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("not running")?.id())
    }

    /// Resident memory. Unit: KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    /// Open files and sockets.
    pub fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()?))?.count())
    }

    /// Answers a stranger's OPTIONS within a second.
    pub fn is_alive(&self) -> Result<()> {
        let mut stranger = Phone::udp(SECOND, self.udp(), "stranger", "")?;
        let uri = format!("sip:{}", self.udp());
        let started = clock::now();
        let request = stranger.request("OPTIONS", &uri, &uri)?;
        let answer = stranger.transact(&request).context("OPTIONS of a stranger")?;
        ensure!(answer.status() == Some(200), "OPTIONS of a stranger: {}", answer.start);
        let took = started.elapsed();
        ensure!(took < Duration::from_secs(1), "OPTIONS of a stranger took {took:?}");
        Ok(())
    }
}

impl Ports {
    /// Reads `ports.json`; `None` while it is incomplete.
    fn parse(text: &str) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let port = |names: [&str; 2]| {
            let found = names.iter().find_map(|it| all.get(it))?;
            let first = found.get(0).unwrap_or(found);
            let text = first.as_str().map_or_else(|| first.to_string(), str::to_owned);
            text.rsplit(':').next()?.parse().ok()
        };
        Some(Self {
            udp: port(["udp", "sip_udp"])?,
            tcp: port(["tcp", "sip_tcp"])?,
            http: port(["http", "http_listen"])?,
            https: port(["https", "http_tls_listen"])?,
        })
    }
}

/// A part of the port space for the media of one server, outside of the range for outgoing connections.
///
/// Servers of one run follow each other or share the kernel with those of another run, so the part is chosen by the
/// process and a port of it is tried.
pub fn free_media_range(size: u16) -> Result<String> {
    free_media_range_at(Ipv6Addr::UNSPECIFIED.into(), size)
}

fn free_media_range_at(address: IpAddr, size: u16) -> Result<String> {
    const FIRST: u16 = 20_000;
    const PARTS: u32 = 3;
    for attempt in 0..PARTS {
        let part = u16::try_from((std::process::id() + attempt) % PARTS)?;
        let first = FIRST + part * MEDIA_PORTS;
        if std::net::UdpSocket::bind((address, first)).is_ok() {
            return Ok(format!("{first}-{}", first + size - 1));
        }
    }
    bail!("no free media ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_table() {
        let ports = Some(Ports { udp: 1, tcp: 2, http: 3, https: 4 });
        let table = [
            (r#"{"udp":1,"tcp":2,"http":3,"https":4}"#, ports),
            (
                r#"{"sip_udp":["[::]:1"],"sip_tcp":["[::]:2"],"http":["127.0.0.1:3"],"https":["127.0.0.1:4"]}"#,
                ports,
            ),
            (r#"{"udp":1,"tcp":2}"#, None),
            (r#"{"udp":1,"#, None),
        ];
        for (text, expected) in table {
            assert_eq!(Ports::parse(text), expected, "{text}");
        }
    }
}
