//! `dialtone audit`: who changed what, and taking it back.

use super::client::Client;
use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Result, block_on};
use hyper::Method;
use pbx::language::Language;
use pbx::text;
use web::resource::audit::{AuditEntry, Undone};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show the newest changes, the newest first.
    List {
        /// So many at most, 1 to 500.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Take a change back, unless it was changed again since; a server must be running.
    Undo {
        /// The change's number, as `list` shows it.
        entry: u64,
    },
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    block_on(async {
        match command {
            Command::List { limit } => {
                let mut backend = Backend::open(common).await?;
                let page = backend.audit(limit).await;
                backend.close().await;
                output.show(&page?.entries, |it, language| list(it, language))
            }
            Command::Undo { entry } => {
                let mut client = Client::required(&common.socket_path()?).await?;
                let path = format!("/api/v1/audit-entries/{entry}:undo");
                let undone: Undone = client.send(Method::POST, &path, &()).await?;
                output.show(&undone, shown)
            }
        }
    })
}

fn shown(undone: &Undone, language: Language) -> String {
    let mut text = list(std::slice::from_ref(&undone.entry), language);
    if let Some(made) = &undone.credentials
        && let Some(password) = &made.password
    {
        let number = &made.number;
        let line = text!(
            "{number}: the new password is {password} (shown only now)",
            "{number}：新密码为{password}（仅显示一次）"
        );
        text.push_str(line.get(language));
        text.push('\n');
    }
    text
}

const COLUMNS: [Column; 7] = [
    ("ENTRY", "编号"),
    ("TIME", "时间"),
    ("WHO", "操作者"),
    ("FROM", "来源"),
    ("ACTION", "操作"),
    ("WHAT", "对象"),
    ("UNDONE BY", "已撤销于"),
];

fn list(entries: &[AuditEntry], language: Language) -> String {
    let row = |it: &AuditEntry| {
        let what = format!("{} {}", it.kind_text().get(language), it.name);
        let undone = it.undone_by.map(|it| it.to_string()).unwrap_or_default();
        vec![
            it.id.to_string(),
            it.at.clone(),
            it.who().get(language).to_owned(),
            it.source.clone(),
            it.action_text().get(language).to_owned(),
            what,
            undone,
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}
