//! Debian's rtpengine in user space, told of calls over its ng control protocol.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use interop::clock;
use interop::process::{self, Process};
use interop::rtp;
use interop::server::LOCALHOST;
use interop::sipp::free_port;

use crate::bencode;

pub(crate) const CONFIGURATION: &str = "user space only (no kernel table), ports 40000-44999";

/// A running rtpengine and the socket that controls it.
pub(crate) struct Rtpengine {
    pub(crate) process: Process,
    control: UdpSocket,
    asked: u32,
}

impl Rtpengine {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        process::need("rtpengine")?;
        let at = SocketAddr::new(LOCALHOST, free_port()?);
        let mut command = Command::new("rtpengine");
        command.args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=3"]);
        command.args([
            "--table=-1",
            "--interface=127.0.0.1",
            "--port-min=40000",
            "--port-max=44999",
        ]);
        command.arg(format!("--listen-ng={at}"));
        let process = Process::start(&mut command, &folder.join("rtpengine.log"))?;
        let control = UdpSocket::bind((LOCALHOST, 0))?;
        control.connect(at)?;
        control.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut engine = Self { process, control, asked: 0 };
        clock::wait_for("rtpengine", Duration::from_secs(10), || {
            Ok(engine.ask(&[("command", "ping")]).ok())
        })?;
        Ok(engine)
    }

    /// Sets one call up: where the caller and where the callee are to send.
    pub(crate) fn call(
        &mut self,
        name: &str,
        caller: SocketAddr,
        callee: SocketAddr,
    ) -> Result<(SocketAddr, SocketAddr)> {
        let sdp = rtp::description(caller, "sendrecv");
        let offer = [("call-id", name), ("command", "offer"), ("from-tag", "a"), ("sdp", &sdp)];
        let to_callee = self.ask(&offer)?;
        let sdp = rtp::description(callee, "sendrecv");
        let answer = [
            ("call-id", name),
            ("command", "answer"),
            ("from-tag", "a"),
            ("sdp", &sdp),
            ("to-tag", "b"),
        ];
        let to_caller = self.ask(&answer)?;
        let address = |text: &str| -> Result<SocketAddr> {
            rtp::audio_address(bencode::find(text, "sdp").context("no sdp in the answer")?)
        };
        Ok((address(&to_caller)?, address(&to_callee)?))
    }

    fn ask(&mut self, pairs: &[(&str, &str)]) -> Result<String> {
        self.asked += 1;
        let cookie = format!("c{} ", self.asked);
        self.control.send((cookie.clone() + &bencode::dictionary(pairs)).as_bytes())?;
        let mut buffer = [0; 8192];
        let size = self.control.recv(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
        ensure!(text.starts_with(&cookie), "an answer to another question");
        ensure!(!text.contains("5:error"), "{text}");
        Ok(text)
    }
}
