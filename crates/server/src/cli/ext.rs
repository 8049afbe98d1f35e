//! `dialtone ext`: extensions, on the running server or, while none runs, in its database.

mod services;

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Exit, Failed, Invalid, Result, block_on, import, password};
use clap::ValueEnum;
use pbx::dialplan::levels::Levels;
use pbx::directory::Relay;
use pbx::language::{Language, Text};
use pbx::media::MediaSource;
use pbx::text;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use web::extensions::range::numbers;
use web::resource::{AddRequest, Change, Credentials, Extension, NewExtension, PasswordRequest};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add extensions; passwords are generated and shown once.
    Add {
        /// A number, or a range such as 1000-10999.
        #[arg(value_name = "NUMBER|RANGE")]
        numbers: Numbers,
        #[command(flatten)]
        password: PasswordArguments,
        #[command(flatten)]
        settings: Settings,
        /// Write numbers and passwords to this new file (mode 0600) and show none.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
    /// Show all extensions.
    List,
    /// Change an extension.
    Set {
        /// The extension.
        number: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Remove extensions.
    Del {
        /// A number, or a range such as 1000-10999.
        #[arg(value_name = "NUMBER|RANGE")]
        numbers: Numbers,
    },
    /// Make a new password, or set one.
    Passwd {
        /// The extension.
        number: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Add the extensions of a CSV file: number,password,name,... All of them or none.
    Import {
        /// The CSV file.
        file: PathBuf,
        /// Take weak passwords; those extensions are accepted from private sources only.
        #[arg(long)]
        allow_weak: bool,
        /// Write numbers and generated passwords to this new file (mode 0600) and show none.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub(super) struct PasswordArguments {
    /// This password instead of a generated one. Other users can see it in the list of processes;
    /// `--password-file -` reads it from standard input.
    #[arg(long, value_name = "TEXT", conflicts_with = "password_file")]
    password: Option<String>,
    /// Read the password from this file; `-`: from standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Take a weak password; the extension is accepted from private sources only.
    #[arg(long)]
    allow_weak: bool,
}

#[derive(clap::Args)]
pub(super) struct Settings {
    /// Shown to the called side.
    #[arg(long)]
    name: Option<String>,
    /// Devices at a time, 1 to 32; above 1 it has the right "one number, many phones".
    #[arg(long, value_parser = up_to::<{ store::db::DEVICES_MAX }>)]
    devices: Option<u8>,
    /// Simultaneous calls, 1 to 100.
    #[arg(long, value_parser = up_to::<100>)]
    calls: Option<u8>,
    /// Whether media goes through the server.
    #[arg(long, value_enum)]
    relay: Option<RelayWord>,
    /// Which sources may send media.
    #[arg(long, value_enum)]
    media_source: Option<MediaSourceWord>,
    /// Address, address:port or network that may call without password; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
    /// Remove all addresses.
    #[arg(long, conflicts_with = "address")]
    no_address: bool,
    /// Whether digests without qop (old phones) are taken.
    #[arg(long, value_name = "BOOL")]
    digest_without_qop: Option<bool>,
    /// Its dial plan.
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Its call levels, 1 to 16, as 1,2; "" takes all away.
    #[arg(long, value_name = "LIST", value_parser = levels)]
    levels: Option<Levels>,
    #[command(flatten)]
    services: services::Arguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum RelayWord {
    Always,
    Auto,
    Never,
}

#[derive(Clone, Copy, ValueEnum)]
enum MediaSourceWord {
    Auto,
    Sdp,
    Signalling,
    AnyFirst,
}

/// One number, or all of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers(Vec<String>);

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
        Command::Add { numbers, password, settings, csv } => {
            let text = password.text()?;
            let change = settings.change();
            let new = |number: String| {
                let (password, change) = (text.clone(), change.clone());
                NewExtension { number, password, change }
            };
            let skip_emergency = numbers.0.len() > 1;
            let extensions = numbers.0.into_iter().map(new).collect();
            let allow_weak = password.allow_weak;
            let request = AddRequest { extensions, allow_weak, skip_emergency };
            add(backend, request, csv.as_deref(), output).await
        }
        Command::List => {
            let found = backend.list().await?;
            output.show(&found, |it, language| list(it, language))
        }
        Command::Set { number, settings } => {
            let changed = backend.set(&number, settings.change()).await?;
            output.show(&changed, |it, language| list(std::slice::from_ref(it), language))
        }
        Command::Del { numbers } => delete(backend, &numbers.0, output).await,
        Command::Passwd { number, password } => {
            let allow_weak = password.allow_weak;
            let request = PasswordRequest { password: password.text()?, allow_weak };
            let made = backend.passwd(&number, request).await?;
            output.show(&made, |it, language| credentials_table(std::slice::from_ref(it), language))
        }
        Command::Import { file, allow_weak, csv } => {
            let text = std::fs::read(&file).map_err(|it| Failed::at(Exit::NotFound, &file, &it))?;
            let taken = backend.list().await?.into_iter().map(|it| it.number).collect();
            let extensions = import::read(&text, allow_weak, &taken).map_err(|problems| {
                let head = text!("nothing was imported", "没有导入任何分机");
                let path = file.display();
                let named = |it: import::BadRow| {
                    let row = it.text();
                    text!("{path}: {}", "{path}：{}", row)
                };
                let lines = std::iter::once(head).chain(problems.into_iter().map(named));
                Failed::new(Exit::Refused, Text::lines(lines))
            })?;
            let request = AddRequest { extensions, allow_weak, skip_emergency: false };
            add(backend, request, csv.as_deref(), output).await
        }
    }
}

/// The file is made before the extensions, so that no password is lost to a full disk or a typo.
async fn add(
    backend: &mut Backend,
    request: AddRequest,
    csv: Option<&Path>,
    output: &mut Output,
) -> Result<()> {
    let Some(path) = csv else {
        let made = add_and_tell(backend, request, output).await?;
        return output.show(&made, |it, language| credentials_table(it, language));
    };
    let create = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = create.map_err(|it| Failed::at(Exit::Refused, path, &it))?;
    let made = match add_and_tell(backend, request, output).await {
        Ok(made) => made,
        Err(failed) => {
            // Nothing was made, so the empty file says nothing.
            let _ = std::fs::remove_file(path);
            return Err(failed);
        }
    };
    write_credentials(file, &made)?;
    let (count, shown) = (made.len(), path.display());
    output.show(&serde_json::json!({ "added": count, "csv": path }), |_, language| {
        let text = text!(
            "{count} added; numbers and passwords are in {shown}",
            "已添加{count}个分机，号码和密码在{shown}中"
        );
        text.get(language).to_owned()
    })
}

/// The same, with a word on what was left out.
async fn add_and_tell(
    backend: &mut Backend,
    request: AddRequest,
    output: &Output,
) -> Result<Vec<Credentials>> {
    let wanted: Vec<String> = request.extensions.iter().map(|it| it.number.clone()).collect();
    let made = backend.add(request).await?;
    let added: BTreeSet<&str> = made.iter().map(|it| &*it.number).collect();
    let left_out: Vec<&str> =
        wanted.iter().map(String::as_str).filter(|it| !added.contains(it)).collect();
    if !left_out.is_empty() {
        let numbers = left_out.join(", ");
        output.notice(&text!(
            "left out, because who calls them calls an emergency number: {numbers}",
            "已略过，因为拨打它们会呼叫紧急号码：{numbers}"
        ));
    }
    Ok(made)
}

/// Numbers of a range that are no extensions are passed over; none at all is an error.
async fn delete(backend: &mut Backend, numbers: &[String], output: &mut Output) -> Result<()> {
    let mut removed = Vec::new();
    let mut missing = None;
    for number in numbers {
        match backend.delete(number).await {
            Ok(()) => removed.push(number),
            Err(failed) if failed.exit == Exit::NotFound => missing = Some(failed),
            Err(failed) => return Err(failed),
        }
    }
    if let Some(failed) = missing.filter(|_| removed.is_empty()) {
        return Err(failed);
    }
    output.show(&removed, |it, language| {
        let text = match numbers.len() - it.len() {
            0 => text!("{} removed", "已删除{}个分机", it.len()),
            missing => text!(
                "{} removed; {missing} did not exist",
                "已删除{}个分机，另有{missing}个号码不存在",
                it.len()
            ),
        };
        text.get(language).to_owned()
    })
}

fn write_credentials(file: std::fs::File, made: &[Credentials]) -> Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(["number", "password"]).map_err(anyhow::Error::from)?;
    for it in made {
        let password = it.password.as_deref().unwrap_or_default();
        csv.write_record([&*it.number, password]).map_err(anyhow::Error::from)?;
    }
    let mut file = csv.into_inner().map_err(|it| anyhow::anyhow!("{it}"))?;
    file.flush()?;
    Ok(file.sync_all()?)
}

const COLUMNS: [Column; 10] = [
    ("NUMBER", "号码"),
    ("NAME", "名称"),
    ("PASSWORD", "密码"),
    ("DEVICES", "话机数"),
    ("CALLS", "并发呼叫数"),
    ("RELAY", "转发媒体流"),
    ("PLAN", "拨号计划"),
    ("LEVELS", "呼叫级别"),
    ("FORWARDS", "呼叫转移"),
    ("ADDRESSES", "地址"),
];

fn list(extensions: &[Extension], language: Language) -> String {
    let password = |it: &Extension| match (it.has_password, it.weak_password) {
        (true, true) => text!("weak", "弱"),
        (true, false) => text!("yes", "有"),
        (false, _) => Text::same("-"),
    };
    let row = |it: &Extension| {
        vec![
            it.number.clone(),
            it.name.clone(),
            password(it).get(language).to_owned(),
            it.devices.to_string(),
            it.calls.to_string(),
            format!("{:?}", it.relay).to_lowercase(),
            it.plan.clone(),
            it.levels.to_string(),
            services::forwards(it, language),
            it.addresses.join(" "),
        ]
    };
    let rows: Vec<_> = extensions.iter().map(row).collect();
    table(language, &COLUMNS, &rows)
}

fn credentials_table(made: &[Credentials], language: Language) -> String {
    let by_address = text!("by address", "IP地址鉴权");
    let row = |it: &Credentials| {
        let password = it.password.as_deref().unwrap_or_else(|| by_address.get(language));
        vec![it.number.clone(), password.to_owned()]
    };
    let rows: Vec<_> = made.iter().map(row).collect();
    table(language, &[("NUMBER", "号码"), ("PASSWORD", "密码")], &rows)
}

impl PasswordArguments {
    fn text(&self) -> Result<Option<String>> {
        password::given(self.password.as_deref(), self.password_file.as_deref())
    }
}

impl Settings {
    fn change(self) -> Change {
        let addresses = if self.no_address {
            Some(vec![])
        } else {
            (!self.address.is_empty()).then_some(self.address)
        };
        Change {
            name: self.name,
            devices: self.devices,
            calls: self.calls,
            relay: self.relay.map(Relay::from),
            media_source: self.media_source.map(MediaSource::from),
            addresses,
            digest_without_qop: self.digest_without_qop,
            plan: self.plan,
            levels: self.levels,
            may_forward: self.services.may_forward,
            ring_s: self.services.ring,
            forward: self.services.forwards(),
            do_not_disturb: self.services.do_not_disturb,
            call_waiting: self.services.call_waiting,
            calls_in: self.services.calls_in,
            calls_out: self.services.calls_out,
            pickup_group: self.services.pickup_group,
        }
    }
}

impl From<RelayWord> for Relay {
    fn from(word: RelayWord) -> Self {
        match word {
            RelayWord::Always => Self::Always,
            RelayWord::Auto => Self::Auto,
            RelayWord::Never => Self::Never,
        }
    }
}

impl From<MediaSourceWord> for MediaSource {
    fn from(word: MediaSourceWord) -> Self {
        match word {
            MediaSourceWord::Auto => Self::Auto,
            MediaSourceWord::Sdp => Self::Sdp,
            MediaSourceWord::Signalling => Self::Signalling,
            MediaSourceWord::AnyFirst => Self::AnyFirst,
        }
    }
}

/// A number from 1 on.
fn up_to<const MAX: u8>(text: &str) -> std::result::Result<u8, Invalid> {
    let number = text.parse().ok().filter(|it| (1..=MAX).contains(it));
    number.ok_or_else(|| Invalid(text!("must be 1 to {MAX}", "取值应为1至{MAX}")))
}

pub(super) fn levels(text: &str) -> std::result::Result<Levels, Invalid> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let list = parts.map(|it| it.parse().ok()).collect::<Option<Vec<u8>>>();
    list.and_then(|it| Levels::new(&it)).ok_or_else(|| {
        Invalid(text!("must be numbers from 1 to 16, as 1,2", "应为1至16的数字，例如1,2"))
    })
}

impl std::str::FromStr for Numbers {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        numbers(text).map(Self).map_err(Invalid)
    }
}
