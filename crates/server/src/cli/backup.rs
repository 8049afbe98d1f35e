//! `dialtone backup`, `dialtone restore`, `dialtone standby`: on the running server or, while none runs, in its data
//! directory.

use super::client::Client;
use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Exit, Failed, Result, block_on, password};
use crate::{clock, machine};
use hyper::Method;
use pbx::language::{Language, Text};
use pbx::text;
use std::path::{Path, PathBuf};
use store::backup::{Counts, Reason, Staged};
use web::audit::Author;
use web::backups::{self, Maker};
use web::resource::backup::{
    BackupInfo, BackupPassword, RestorePreview, RestoreRequest, Restoring, Standby,
};

const PATH: &str = "/api/v1/backups";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make a backup of what there is now, in the folder `backups` of the data directory.
    Create {
        #[command(flatten)]
        password: Password,
    },
    /// Show all backups on this machine.
    List,
    /// Show what a backup says of itself.
    Show {
        /// As `list` names it.
        backup: String,
    },
    /// Remove a backup.
    Del {
        /// As `list` names it.
        backup: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Password {
    /// The password of the backup, read from this file, `-` is standard input; with one another machine can restore it.
    #[arg(long = "password-file", value_name = "FILE")]
    backup_password: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Restore {
    /// A file, or a backup as `backup list` names it.
    backup: String,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Afterwards no line registers and no trunk is used until `dialtone standby off`.
    #[arg(long)]
    standby: bool,
    #[command(flatten)]
    password: Password,
}

#[derive(clap::Subcommand)]
pub(super) enum StandbyCommand {
    /// Let lines register and trunks be used from now on.
    Off,
}

impl Password {
    fn read(&self) -> Result<Option<String>> {
        password::given(None, self.backup_password.as_deref())
    }
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = act(&mut backend, command, output).await;
        backend.close().await;
        done
    })
}

async fn act(backend: &mut Backend, command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::Create { password } => {
            let password = password.read()?;
            let made: BackupInfo = match backend {
                Backend::Online(client) => {
                    client.send(Method::POST, PATH, &BackupPassword { password }).await?
                }
                Backend::Offline(store) => {
                    let made =
                        backups::create(&store.db, &maker(), Reason::Asked, password).await?;
                    Author::offline(&store.db, clock::now().utc).backup("backup", &made.name).await;
                    made
                }
            };
            output.show(&made, |it, _| it.name.clone())
        }
        Command::List => {
            let all = match backend {
                Backend::Online(client) => client.get(PATH).await?,
                Backend::Offline(store) => backups::list(&store.db),
            };
            output.show(&all, |it, language| list(it, language))
        }
        Command::Show { backup } => {
            let found = match backend {
                Backend::Online(client) => client.get(&path(&backup)?).await?,
                Backend::Offline(store) => backups::show(&store.db, &backup)?,
            };
            output.show(&found, shown)
        }
        Command::Del { backup } => match backend {
            Backend::Online(client) => client.send(Method::DELETE, &path(&backup)?, &()).await,
            Backend::Offline(store) => {
                backups::delete(&store.db, &backup)?;
                Author::offline(&store.db, clock::now().utc).backup("delete", &backup).await;
                Ok(())
            }
        },
    }
}

/// Restores, or shows what a restore would change.
pub(super) fn restore(common: &Common, arguments: &Restore, output: &mut Output) -> Result<()> {
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = restore_with(common, &mut backend, arguments, output).await;
        backend.close().await;
        done
    })
}

async fn restore_with(
    common: &Common,
    backend: &mut Backend,
    arguments: &Restore,
    output: &mut Output,
) -> Result<()> {
    let password = arguments.password.read()?;
    let file = Path::new(&arguments.backup);
    let name = match backend {
        Backend::Online(_) if file.is_file() => {
            let taken: BackupInfo =
                Client::upload(&common.socket_path()?, &format!("{PATH}:upload"), file).await?;
            taken.name
        }
        Backend::Offline(store) if file.is_file() => {
            backups::take_file(&store.db, file).await?.name
        }
        Backend::Online(_) | Backend::Offline(_) => arguments.backup.clone(),
    };
    if arguments.dry_run {
        let preview: RestorePreview = match backend {
            Backend::Online(client) => {
                let path = format!("{}:preview", path(&name)?);
                client.send(Method::POST, &path, &BackupPassword { password }).await?
            }
            Backend::Offline(store) => backups::preview(&store.db, &name, password).await?,
        };
        return output.show(&preview, difference);
    }
    let online = backend.is_online();
    let restoring = match backend {
        Backend::Online(client) => {
            let request = RestoreRequest { password, standby: arguments.standby };
            client.send(Method::POST, &format!("{}:restore", path(&name)?), &request).await?
        }
        Backend::Offline(store) => {
            let text = |it: &str| it.to_owned();
            let (actor_kind, actor, source) = (text("cli"), text(""), text("offline"));
            let (at, standby) = (clock::now().utc, arguments.standby);
            let staged = Staged { backup: name, at, actor_kind, actor, source, standby };
            let safety = backups::restore(&store.db, &maker(), password, staged).await?;
            Restoring { safety: safety.name, has_password: safety.has_secrets }
        }
    };
    output.show(&restoring, |it, language| {
        let Restoring { safety, has_password } = it;
        let text = if online {
            text!(
                "the server starts anew with it; what there was until now is {safety}",
                "服务器正在用该备份重新启动；此前的数据已保存为{safety}"
            )
        } else {
            text!(
                "the next start begins with it; what there was until now is {safety}",
                "下次启动时生效；此前的数据已保存为{safety}"
            )
        };
        let same = text!(" (with the same password)", "（密码与该备份相同）");
        let same = if *has_password { same.get(language) } else { "" };
        format!("{}{same}", text.get(language))
    })
}

pub(super) fn standby(
    common: &Common,
    command: &StandbyCommand,
    output: &mut Output,
) -> Result<()> {
    let StandbyCommand::Off = command;
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = match &mut backend {
            Backend::Online(client) => {
                client.send::<Standby>(Method::DELETE, "/api/v1/standby", &()).await.map(drop)
            }
            Backend::Offline(store) => {
                let was = store.db.end_standby()?;
                if was {
                    Author::offline(&store.db, clock::now().utc).backup("standby_off", "").await;
                }
                Ok(())
            }
        };
        backend.close().await;
        done?;
        output.show(&Standby { standby: false }, |_, language| {
            let text = text!(
                "standby is over: lines register and trunks are used",
                "已结束待命：外线开始注册，中继可用"
            );
            text.get(language).to_owned()
        })
    })
}

fn maker() -> Maker {
    Maker { host: machine::name(), now: clock::now().utc }
}

/// Names of backups need no escaping; anything else is none.
fn path(name: &str) -> Result<String> {
    if !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    {
        return Ok(format!("{PATH}/{name}"));
    }
    let what = text!("there is no backup {name}", "没有备份{name}");
    Err(Failed::new(Exit::NotFound, what))
}

const COLUMNS: [Column; 5] = [
    ("BACKUP", "备份"),
    ("MADE", "生成时间"),
    ("WHY", "原因"),
    ("BYTES", "字节"),
    ("PASSWORD", "密码"),
];

fn list(all: &[BackupInfo], language: Language) -> String {
    let row = |it: &BackupInfo| {
        let secret = if it.has_secrets { text!("yes", "有") } else { text!("no", "无") };
        vec![
            it.name.clone(),
            it.created_at.clone(),
            backups::reason(it.reason).get(language).to_owned(),
            it.size.to_string(),
            secret.get(language).to_owned(),
        ]
    };
    table(language, &COLUMNS, &all.iter().map(row).collect::<Vec<_>>())
}

fn shown(it: &BackupInfo, language: Language) -> String {
    let BackupInfo { version, schema, host, .. } = it;
    let text = text!(
        "version {version}, schema {schema}, made on {host}",
        "版本{version}，数据库结构{schema}，生成于{host}"
    );
    let list = list(std::slice::from_ref(it), language);
    format!("{list}\n{}\n{}", text.get(language), counts(&it.counts, None, language))
}

const FIGURES: [Column; 3] = [("WHAT", "项目"), ("BACKUP", "备份"), ("NOW", "当前")];

/// How much there is in it, and now where that is known.
fn counts(then: &Counts, now: Option<&Counts>, language: Language) -> String {
    let now = now.map(backups::figures);
    let row = |(at, (name, count)): (usize, (Text, u64))| {
        let now = now.as_ref().and_then(|it| it.get(at)).map(|it| it.1.to_string());
        vec![name.get(language).to_owned(), count.to_string(), now.unwrap_or_default()]
    };
    let rows: Vec<_> = backups::figures(then).into_iter().enumerate().map(row).collect();
    table(language, &FIGURES, &rows)
}

fn difference(it: &RestorePreview, language: Language) -> String {
    let mut lines = vec![counts(&it.then, Some(&it.now), language)];
    for d in &it.differences {
        let kind = backups::kind(&d.kind);
        for (sign, names, count) in [('+', &d.comes, d.comes_count), ('-', &d.goes, d.goes_count)] {
            if count > 0 {
                let more = if count > names.len() { " …" } else { "" };
                lines.push(format!(
                    "{sign} {} {count}: {}{more}",
                    kind.get(language),
                    names.join(" ")
                ));
            }
        }
    }
    lines.join("\n")
}
