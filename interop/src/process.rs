//! Child processes that never outlive the test: each is stopped by its own process id when dropped.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{self, Pid};

use crate::{clock, report};

/// A program running with its output in a file.
pub struct Process {
    name: String,
    child: Child,
    /// It has processes of its own, which only its proper end takes along.
    has_children: bool,
}

/// For a proper end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The signals the tests send.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    Term,
    Kill,
    Stop,
    Continue,
    /// Makes a server that was built for it fail.
    Fail,
}

impl Process {
    /// Starts it; both output streams are appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::options().append(true).create(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| name.clone())?;
        Ok(Self { name, child, has_children: false })
    }

    /// Asks it to end before it is killed.
    #[must_use]
    pub fn with_children(mut self) -> Self {
        self.has_children = true;
        self
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        clock::wait_for(&what, limit, || self.ended())
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        let signal = match signal {
            Signal::Term => process::Signal::TERM,
            Signal::Kill => process::Signal::KILL,
            Signal::Stop => process::Signal::STOP,
            Signal::Continue => process::Signal::CONT,
            Signal::Fail => process::Signal::USR2,
        };
        process::kill_process(id, signal).with_context(|| format!("{signal:?} to {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_children && self.signal(Signal::Term).is_ok() {
            // What has not ended by then is killed below.
            let _ = self.wait(END_LIMIT);
        }
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Skips the case where the program is not installed.
pub fn need(program: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    if folders.any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    report::skip(&format!("{program} is not installed"))
}

/// Whether we may do what only root may: mount, make namespaces.
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|it| it.starts_with("Uid:\t0\t"))
}
