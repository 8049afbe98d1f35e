//! `dialtone calls`: the calls that are up, one in detail, hanging up.

use super::client::Client;
use super::output::{Output, table};
use super::{Common, Result, block_on};
use crate::ladder;
use hyper::Method;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use web::resource::{Call, Traced};

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Show the list anew every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// One call in detail, with its ladder.
    Show { id: String },
    /// End a call.
    Hangup { id: String },
}

/// `GET /api/v1/calls/{id}`.
#[derive(Serialize, Deserialize)]
struct Page {
    call: Call,
    ladder: Vec<Traced>,
}

pub(super) fn run(common: &Common, arguments: Arguments, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    block_on(async {
        let mut client = Client::required(&socket).await?;
        match arguments.command {
            None if arguments.watch => watch(client, output).await,
            None => {
                let calls: Vec<Call> = client.get("/api/v1/calls").await?;
                output.show(&calls, |it| list(it))
            }
            Some(Command::Show { id }) => {
                let page: Page = client.get(&format!("/api/v1/calls/{id}")).await?;
                output.show(&page, detail)
            }
            Some(Command::Hangup { id }) => {
                let call: Call =
                    client.send(Method::POST, &format!("/api/v1/calls/{id}:hangup"), &()).await?;
                output.show(&call, |it| format!("{} is being ended", it.short_id))
            }
        }
    })
}

async fn watch(mut client: Client, output: &mut Output) -> Result<()> {
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        let calls: Vec<Call> = client.get("/api/v1/calls").await?;
        // Home and clear on a terminal; a program gets one list after the other.
        let clear = if output.is_json() { "" } else { "\x1b[H\x1b[2J" };
        output.line(clear)?;
        output.show(&calls, |it| list(it))?;
    }
}

fn list(calls: &[Call]) -> String {
    let row = |it: &Call| {
        vec![
            it.short_id.clone(),
            it.state.clone(),
            it.caller.clone(),
            it.dialled.clone(),
            it.callee.clone(),
            format!("{} s", it.duration_s),
            it.codec_caller.clone(),
        ]
    };
    let rows: Vec<_> = calls.iter().map(row).collect();
    table(&["CALL", "STATE", "FROM", "DIALLED", "TO", "FOR", "CODEC"], &rows)
}

fn detail(page: &Page) -> String {
    let call = &page.call;
    let mut text = format!(
        "{}  {}\n{} ({}) -> {} (dialled {})\nstarted {}  answered {}  for {} s  relayed {}\n",
        call.id,
        call.state,
        call.caller,
        call.caller_name,
        call.callee,
        call.dialled,
        call.started_at,
        call.answered_at.as_deref().unwrap_or("-"),
        call.duration_s,
        if call.relayed { "yes" } else { "no" }
    );
    if let Some(code) = &call.release_code {
        text.push_str(&format!(
            "released {code}, status {}\n",
            call.sip_status.unwrap_or_default()
        ));
    }
    let row = |leg: &web::resource::Leg| {
        vec![
            leg.side.clone(),
            leg.number.clone(),
            leg.remote.clone(),
            leg.packets_in.to_string(),
            leg.lost_in.to_string(),
            format!("{:.1} ms", leg.jitter_ms),
            leg.packets_out.to_string(),
            leg.refused.to_string(),
            leg.user_agent.clone(),
        ]
    };
    let rows: Vec<_> = call.legs.iter().map(row).collect();
    let head =
        ["LEG", "NUMBER", "REMOTE", "RTP IN", "LOST", "JITTER", "RTP OUT", "REFUSED", "PHONE"];
    text.push_str(&table(&head, &rows));
    for message in &page.ladder {
        text.push_str(&ladder::line(message));
        text.push('\n');
    }
    text
}
