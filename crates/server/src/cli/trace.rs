//! `dialtone trace`: SIP as it happens, as a ladder or as text.

use super::client::{Client, Lines};
use super::output::Output;
use super::{Common, Result, Within as _, block_on};
use crate::ladder;
use pbx::text;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use web::captures::{MINUTES, pcap};
use web::resource::Traced;

/// Most that is written into a file. Unit: octets.
const FILE_BYTES_MAX: usize = 50 * 1024 * 1024;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only messages whose From or To names this number.
    #[arg(long, value_name = "NUMBER")]
    ext: Option<String>,
    /// Only messages from or to this address.
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<std::net::IpAddr>,
    /// Only what names this external line (account), or goes to its carrier or comes from there.
    #[arg(long, value_name = "ACCOUNT")]
    line: Option<String>,
    /// Only what goes to the servers of this SIP trunk or comes from there.
    #[arg(long, value_name = "NUMBER")]
    trunk: Option<u32>,
    /// Only the messages of this call.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Show the messages whole. Secrets stay masked.
    #[arg(long)]
    raw: bool,
    /// Show what the server remembers, and end.
    #[arg(long)]
    past: bool,
    /// Stop after this time [default with --pcap: 5].
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: Option<u32>,
    /// Write the messages into this new file, in the format of packet captures; it ends at 50 MB.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line {
    Message(Box<Traced>),
    Lost {
        #[serde(rename = "lost")]
        _lost: bool,
    },
}

pub(super) fn run(common: &Common, arguments: &Arguments, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let mut file = arguments.pcap.as_deref().map(File::new).transpose()?;
    block_on(async {
        let client = Client::required(&socket).await?;
        let lines = client.lines(&path(arguments)).await?;
        let follow = follow(lines, arguments, output, file.as_mut());
        let minutes = arguments.minutes.or_else(|| arguments.pcap.as_ref().map(|_| MINUTES));
        let Some(minutes) = minutes else { return follow.await };
        let time = Duration::from_secs(u64::from(minutes) * 60);
        match tokio::time::timeout(time, follow).await {
            Ok(ended) => ended,
            Err(_) => {
                output.notice(&text!(
                    "(stopped after {minutes} minutes; --minutes traces longer)",
                    "（已满{minutes}分钟，停止；可用--minutes延长）"
                ));
                Ok(())
            }
        }
    })
}

async fn follow(
    mut lines: Lines,
    arguments: &Arguments,
    output: &mut Output,
    mut file: Option<&mut File>,
) -> Result<()> {
    while let Some(line) = lines.next::<Line>().await? {
        let message = match line {
            Line::Message(message) => message,
            Line::Lost { .. } => {
                output.notice(&text!(
                    "(messages came faster than they could be shown)",
                    "（消息到达过快，有一部分未能显示）"
                ));
                continue;
            }
        };
        if let Some(file) = &mut file {
            if !file.take(&message)? {
                output.notice(&text!("(the file is full)", "（文件已满）"));
                return Ok(());
            }
        } else if output.is_json() {
            output.line(&serde_json::to_string(&message).map_err(anyhow::Error::from)?)?;
        } else if arguments.raw {
            output.line(&ladder::raw(&message, output.language()))?;
        } else {
            output.line(&ladder::line(&message))?;
        }
    }
    Ok(())
}

/// A capture that is being written; it is whole after every message.
struct File {
    file: std::fs::File,
    bytes: usize,
}

impl File {
    /// Only a new one, for its owner alone: it says who called whom.
    fn new(path: &Path) -> Result<Self> {
        let opened =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = opened.within(|| {
            let path = path.display();
            text!("the file {path}", "文件{path}")
        })?;
        let head = pcap::head();
        file.write_all(&head).map_err(anyhow::Error::from)?;
        Ok(Self { file, bytes: head.len() })
    }

    /// `false`: it is full.
    fn take(&mut self, message: &Traced) -> Result<bool> {
        let mut packet = Vec::new();
        pcap::append(&mut packet, message);
        self.bytes += packet.len();
        self.file.write_all(&packet).map_err(anyhow::Error::from)?;
        Ok(self.bytes < FILE_BYTES_MAX)
    }
}

fn path(arguments: &Arguments) -> String {
    let mut path = format!("/api/v1/trace?past={0}&ends={0}", arguments.past);
    if let Some(number) = &arguments.ext {
        path.push_str(&format!("&ext={}", escaped(number)));
    }
    if let Some(address) = arguments.ip {
        path.push_str(&format!("&ip={address}"));
    }
    if let Some(account) = &arguments.line {
        path.push_str(&format!("&line={}", escaped(account)));
    }
    if let Some(trunk) = arguments.trunk {
        path.push_str(&format!("&trunk={trunk}"));
    }
    if let Some(call) = &arguments.call {
        path.push_str(&format!("&call={call}"));
    }
    path
}

/// The only characters of a number or account that mean something in a query.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('#', "%23").replace('+', "%2B").replace('&', "%26")
}
