//! `dialtone trace`: SIP as it happens, as a ladder or as text.

use super::client::Client;
use super::output::Output;
use super::{Common, Result, block_on};
use crate::ladder;
use pbx::text;
use web::resource::Traced;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only messages whose From or To names this number.
    #[arg(long, value_name = "NUMBER")]
    ext: Option<String>,
    /// Only messages from or to this address.
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<std::net::IpAddr>,
    /// Only the messages of this call.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Show the messages whole. Secrets stay masked.
    #[arg(long)]
    raw: bool,
    /// Show what the server remembers, and end.
    #[arg(long)]
    past: bool,
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
    block_on(async {
        let client = Client::required(&socket).await?;
        let mut lines = client.lines(&path(arguments)).await?;
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
            if output.is_json() {
                output.line(&serde_json::to_string(&message).map_err(anyhow::Error::from)?)?;
            } else if arguments.raw {
                output.line(&ladder::raw(&message, output.language()))?;
            } else {
                output.line(&ladder::line(&message))?;
            }
        }
        Ok(())
    })
}

fn path(arguments: &Arguments) -> String {
    let mut path = format!("/api/v1/trace?past={0}&ends={0}", arguments.past);
    if let Some(number) = &arguments.ext {
        // The only characters of a number that mean something in a query.
        let number =
            number.replace('%', "%25").replace('#', "%23").replace('+', "%2B").replace('&', "%26");
        path.push_str(&format!("&ext={number}"));
    }
    if let Some(address) = arguments.ip {
        path.push_str(&format!("&ip={address}"));
    }
    if let Some(call) = &arguments.call {
        path.push_str(&format!("&call={call}"));
    }
    path
}
