//! Debian's baresip as a phone: it plays a tone, records what it hears, and is steered over its control port.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::clock;
use crate::process::{self, Process};
use crate::tone::Recording;

/// For what a phone does by itself: start, register, answer.
const LIMIT: Duration = Duration::from_secs(20);

/// Where Debian keeps its modules, by machine or without.
const MODULES: &str = "/usr/lib/baresip/modules";

/// The device that joins what a phone hears with what it says.
const EAR: &str = "ear";

/// A running baresip with one account.
pub struct Baresip {
    name: String,
    folder: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    events: Vec<Value>,
    process: Process,
}

/// What makes one phone differ from another.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub number: &'a str,
    pub password: &'a str,
    pub server: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    pub local: IpAddr,
    /// What it plays into every call.
    pub tone_hz: u32,
    /// Answers by itself.
    pub auto_answer: bool,
}

impl Baresip {
    /// Starts the phone; it registers by itself.
    pub fn start(folder: &Path, account: Account<'_>) -> Result<Self> {
        process::need("baresip")?;
        process::need("sox")?;
        std::fs::create_dir_all(folder.join("heard"))?;
        make_tone(&folder.join("tone.wav"), account.tone_hz)?;
        let control_port = free_tcp_port()?;
        std::fs::write(folder.join("config"), config(folder, account, control_port)?)?;
        std::fs::write(folder.join("accounts"), account_line(account))?;
        std::fs::write(folder.join("contacts"), "")?;
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder).arg("-v");
        let mut process = Process::start(&mut command, &folder.join("log"))?;
        let control = clock::wait_for("baresip's control port", LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!("baresip ended: {status}, see {}", folder.display());
            }
            Ok(TcpStream::connect(("127.0.0.1", control_port)).ok())
        })?;
        let name = account.number.to_owned();
        let folder = folder.to_owned();
        let phone = Self { name, folder, control, unread: vec![], events: vec![], process };
        phone.wait_registered()?;
        Ok(phone)
    }

    /// It may have registered before its control port was open: the log says so too.
    fn wait_registered(&self) -> Result<()> {
        let log = self.folder.join("log");
        let name = self.name.clone();
        clock::wait_for(&format!("baresip {name} to register"), LIMIT, || {
            let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
            Ok(text.lines().any(|it| it.contains("200 OK") && it.contains("binding")).then_some(()))
        })
    }

    pub fn dial(&mut self, uri: &str) -> Result<()> {
        self.command("dial", uri)
    }

    pub fn answer(&mut self) -> Result<()> {
        self.command("accept", "")
    }

    pub fn hold(&mut self) -> Result<()> {
        self.command("hold", "")
    }

    pub fn resume(&mut self) -> Result<()> {
        self.command("resume", "")
    }

    pub fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "")
    }

    /// Signs off and ends.
    pub fn leave(mut self) -> Result<()> {
        self.command("quit", "")?;
        let name = self.name.clone();
        clock::wait_for(&format!("baresip {name} to end"), LIMIT, || {
            Ok(self.process.ended()?.map(drop))
        })
    }

    /// Says what it hears, so that the recording of what it says holds it.
    ///
    /// baresip 1.0 loses the filter that records the heard side at the first re-INVITE and keeps the other one.
    pub fn repeat_what_is_heard(&mut self) -> Result<()> {
        self.command("ausrc", &format!("aubridge,{EAR}"))
    }

    /// Plays its tone again.
    pub fn play_tone(&mut self) -> Result<()> {
        let tone = self.folder.join("tone.wav");
        self.command("ausrc", &format!("aufile,{}", tone.display()))
    }

    fn command(&mut self, command: &str, parameter: &str) -> Result<()> {
        let text = json!({ "command": command, "params": parameter, "token": command }).to_string();
        write!(self.control, "{}:{text},", text.len())?;
        Ok(())
    }

    /// Waits for an event such as `CALL_ESTABLISHED`; those before it are used up.
    pub fn wait(&mut self, kind: &str) -> Result<Value> {
        let end = clock::now() + LIMIT;
        loop {
            if let Some(at) = self.events.iter().position(|it| it["type"] == kind) {
                let event = self.events.drain(..=at).next_back();
                return event.context("the event just found");
            }
            if clock::now() >= end {
                bail!("baresip {} reported no {kind} in {LIMIT:?}", self.name);
            }
            self.read_events(clock::until(end))?;
        }
    }

    fn read_events(&mut self, limit: Duration) -> Result<()> {
        let mut buffer = [0; 65_536];
        self.control.set_read_timeout(Some(limit.min(Duration::from_millis(200))))?;
        match self.control.read(&mut buffer) {
            Ok(0) => bail!("baresip {} closed its control port", self.name),
            Ok(size) => self.unread.extend_from_slice(&buffer[..size]),
            Err(_) => return Ok(()),
        }
        while let Some(text) = take_netstring(&mut self.unread) {
            let value: Value = serde_json::from_slice(&text)?;
            if value.get("event").is_some() {
                self.events.push(value);
            }
        }
        Ok(())
    }

    /// Waits until it has heard a digit as a telephone event, which its log tells.
    pub fn wait_digit(&self, digit: &str) -> Result<()> {
        let what = format!("{} to hear the digit {digit}", self.name);
        let said = format!("received event: '{digit}' (end=0)");
        clock::wait_for(&what, LIMIT, || {
            let log = std::fs::read(self.folder.join("log"))?;
            Ok(String::from_utf8_lossy(&log).contains(&said).then_some(()))
        })
    }

    /// Seconds of that tone in what it has heard so far, over all recordings.
    pub fn heard(&self, tone_hz: u32) -> Result<f64> {
        self.recorded("-dec.wav", tone_hz)
    }

    /// Seconds of that tone in what it has said so far.
    pub fn said(&self, tone_hz: u32) -> Result<f64> {
        self.recorded("-enc.wav", tone_hz)
    }

    fn recorded(&self, direction: &str, tone_hz: u32) -> Result<f64> {
        let mut seconds = 0.0;
        for entry in std::fs::read_dir(self.folder.join("heard"))? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(direction)
                && let Ok(recording) = Recording::read(&path)
            {
                seconds += recording.seconds_of(f64::from(tone_hz));
            }
        }
        Ok(seconds)
    }

    /// Waits until so many seconds of the tone were heard.
    pub fn wait_heard(&self, tone_hz: u32, seconds: f64) -> Result<()> {
        let what = format!("{} to hear {seconds:.1} s of {tone_hz} Hz", self.name);
        clock::wait_for(&what, LIMIT, || Ok((self.heard(tone_hz)? >= seconds).then_some(())))
    }

    /// Waits until so many seconds of the tone were said.
    pub fn wait_said(&self, tone_hz: u32, seconds: f64) -> Result<()> {
        let what = format!("{} to say {seconds:.1} s of {tone_hz} Hz", self.name);
        clock::wait_for(&what, LIMIT, || Ok((self.said(tone_hz)? >= seconds).then_some(())))
    }
}

fn config(folder: &Path, account: Account<'_>, control_port: u16) -> Result<String> {
    let folder = folder.display();
    let sip = SocketAddr::new(account.local, free_sip_port(account.local)?);
    let local = account.local;
    Ok(format!(
        "poll_method epoll\n\
         sip_listen {sip}\n\
         net_interface {local}\n\
         call_local_timeout 120\n\
         call_max_calls 4\n\
         audio_player aubridge,{EAR}\n\
         audio_source aufile,{folder}/tone.wav\n\
         audio_alert aufile,{folder}/alert.wav\n\
         ausrc_srate 8000\n\
         auplay_srate 8000\n\
         audio_txmode poll\n\
         rtp_timeout 60\n\
         module_path {MODULES}\n\
         module account.so\n\
         module g711.so\n\
         module aufile.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         module ctrl_tcp.so\n\
         module_app menu.so\n\
         ctrl_tcp_listen 127.0.0.1:{control_port}\n\
         snd_path {folder}/heard\n"
    ))
}

fn account_line(account: Account<'_>) -> String {
    let Account { number, password, server, transport, .. } = account;
    let answer = if account.auto_answer { "auto" } else { "manual" };
    format!(
        "<sip:{number}@{server};transport={transport}>;auth_user={number};auth_pass={password};\
         regint=600;answermode={answer}\n"
    )
}

fn make_tone(file: &Path, tone_hz: u32) -> Result<()> {
    let tone = tone_hz.to_string();
    let made = Command::new("sox")
        .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
        .arg(file)
        .args(["synth", "60", "sine", &tone, "gain", "-6"])
        .status()?;
    if !made.success() {
        bail!("sox: {made}");
    }
    Ok(())
}

fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// It listens there over UDP and TCP, and one above over TLS, whether that is wanted or not.
fn free_sip_port(local: IpAddr) -> Result<u16> {
    loop {
        let udp = UdpSocket::bind((local, 0))?;
        let port = udp.local_addr()?.port();
        let above = port.checked_add(1).map(|above| TcpListener::bind((local, above)));
        if TcpListener::bind((local, port)).is_ok() && above.is_some_and(|it| it.is_ok()) {
            return Ok(port);
        }
    }
}

/// `length:text,`
fn take_netstring(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let colon = unread.iter().position(|&it| it == b':')?;
    let length: usize = std::str::from_utf8(&unread[..colon]).ok()?.parse().ok()?;
    let end = colon + 1 + length;
    if unread.len() <= end {
        return None;
    }
    let text = unread[colon + 1..end].to_vec();
    unread.drain(..=end);
    Some(text)
}
