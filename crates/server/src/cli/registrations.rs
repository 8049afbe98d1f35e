//! `dialtone registrations`: which phones are registered, from where, for how long; and what happened to those of one
//! extension.

use super::client::Client;
use super::offline::path;
use super::output::{Column, Output, table};
use super::{Common, Result, block_on};
use hyper::Method;
use pbx::language::Language;
use pbx::text;
use web::resource::{Registration, RegistrationChange, RegistrationHistory};
use web::segment;

const COLUMNS: [Column; 5] = [
    ("EXT", "分机"),
    ("SOURCE", "源地址"),
    ("CONTACT", "联系地址"),
    ("EXPIRES", "剩余有效期"),
    ("PHONE", "话机"),
];

const CHANGES: [Column; 5] = [
    ("TIME", "时间"),
    ("WHAT", "变更"),
    ("SOURCE", "源地址"),
    ("CONTACT", "联系地址"),
    ("PHONE", "话机"),
];

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// What happened to the phones of an extension: registered, gone, refused.
    History {
        /// The extension.
        number: String,
    },
    /// End the registrations of an extension's phones; they may register again.
    Logoff {
        /// The extension.
        number: String,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    block_on(async {
        let mut client = Client::required(&socket).await?;
        match arguments.command {
            None => {
                let found: Vec<Registration> = client.list("/api/v1/registrations").await?;
                output.show(&found, |found, language| registered(found, language))
            }
            Some(Command::History { number }) => {
                let path = format!("{}/registration-history", path(&number)?);
                let found: RegistrationHistory = client.get(&path).await?;
                output.show(&found, history)
            }
            Some(Command::Logoff { number }) => {
                let path = format!("{}/registration-history", path(&number)?);
                let found: RegistrationHistory = client.get(&path).await?;
                for it in &found.registered {
                    let path = format!("/api/v1/registrations/{number}/{}", segment(&it.device));
                    client.send::<()>(Method::DELETE, &path, &()).await?;
                }
                output.show(&found.registered, |it, language| registered(it, language))
            }
        }
    })
}

fn registered(found: &[Registration], language: Language) -> String {
    let row = |it: &Registration| {
        vec![
            it.extension.clone(),
            format!("{}/{}", it.source, it.transport),
            it.contact.clone(),
            text!("{} s", "{}秒", it.expires_in_s).get(language).to_owned(),
            it.user_agent.clone(),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}

fn history(found: &RegistrationHistory, language: Language) -> String {
    let row = |it: &RegistrationChange| {
        let source = if it.transport.is_empty() {
            it.source.clone()
        } else {
            format!("{}/{}", it.source, it.transport)
        };
        let what = it.text.get(language).to_owned();
        vec![it.at.clone(), what, source, it.contact.clone(), it.user_agent.clone()]
    };
    let rows: Vec<_> = found.changes.iter().map(row).collect();
    let now = registered(&found.registered, language);
    format!("{now}\n{}", table(language, &CHANGES, &rows))
}
