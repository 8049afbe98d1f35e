//! `dialtone dialplan`: where calls go, on the running server or, while none runs, in its database.

mod file;

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Exit, Failed, Invalid, Result, block_on};
use jiff::tz::TimeZone;
use pbx::language::{Language, Text};
use pbx::text;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use web::moment::{MOMENT, moment};
use web::resource::{DialPlanRequest, Finding, Imported, SimulateRequest, TableChange};

/// Standard input or output, in the place of a file.
const STANDARD: &str = "-";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Decide on a call that nobody places, and show every step.
    Simulate(Simulate),
    /// Look for what is wrong; errors are exit code 1.
    Lint,
    /// Write all tables of the dial plan, lines and trunks to a TOML file, without passwords.
    Export {
        /// This new file; `-`: standard output.
        file: PathBuf,
    },
    /// Put the tables of a TOML file in the place of those there are: all of them or none.
    Import {
        /// The TOML file; `-`: standard input.
        file: PathBuf,
        /// Say what would change and what is wrong, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(clap::Args)]
pub(super) struct Simulate {
    /// The extension that calls; with --line or --trunk, the number of who calls from there.
    #[arg(long, value_name = "NUMBER")]
    from: String,
    /// The number that is dialled.
    #[arg(long, value_name = "NUMBER", required_unless_present = "line")]
    dial: Option<String>,
    /// The call comes in by this external line, whose account is then what is called.
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["dial", "trunk"])]
    line: Option<String>,
    /// The call comes in by this SIP trunk.
    #[arg(long, value_name = "NUMBER")]
    trunk: Option<u32>,
    /// Decide as at this day or time by the office's clock, as 2026-12-25T20:00 [default: now].
    #[arg(long, value_name = "TIME", value_parser = is_moment)]
    at: Option<String>,
    /// 0 to 99: a row of the black list with a higher rate blocks the call [default: 99].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..100))]
    dice: Option<u8>,
    /// Take every external line and SIP trunk for registered and idle.
    #[arg(long)]
    all_up: bool,
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
        Command::Simulate(arguments) => simulate(backend, arguments, output).await,
        Command::Lint => lint(backend, output).await,
        Command::Export { file } => export(backend, &file, output).await,
        Command::Import { file, dry_run } => import(backend, &file, dry_run, output).await,
    }
}

async fn simulate(backend: &mut Backend, it: Simulate, output: &mut Output) -> Result<()> {
    let Simulate { from, dial, line, trunk, at, dice, all_up } = it;
    let dial = dial.unwrap_or_default();
    let request = SimulateRequest { from, dial, line, trunk, at, dice, all_up };
    let simulation = backend.simulate(&request).await?;
    output.show(&simulation, |it, language| it.text.get(language).to_owned())?;
    if !backend.is_online() && !all_up {
        output.notice(&text!(
            "No server is running: lines and trunks are taken for registered and idle.",
            "服务器未运行：假定所有外线和SIP中继均可用且空闲。"
        ));
    }
    Ok(())
}

async fn lint(backend: &mut Backend, output: &mut Output) -> Result<()> {
    let findings = backend.lint().await?;
    output.show(&findings, |it, language| listed(it, language))?;
    match findings.iter().filter(|it| it.is_error()).count() {
        0 => Ok(()),
        errors => Err(Failed::new(
            Exit::Failed,
            text!("errors in the dial plan: {errors}", "拨号规则中的错误数：{errors}"),
        )),
    }
}

async fn export(backend: &mut Backend, path: &Path, output: &mut Output) -> Result<()> {
    let tables = backend.tables().await?;
    let text = file::write(&tables, output.language())?;
    if path == Path::new(STANDARD) {
        return output.show(&tables, |_, _| text);
    }
    let create = OpenOptions::new().write(true).create_new(true).open(path);
    let written = create.and_then(|mut it| it.write_all(text.as_bytes()));
    written.map_err(|it| Failed::at(Exit::Refused, path, &it))?;
    let shown = path.display();
    output.show(&serde_json::json!({ "file": path }), |_, language| {
        text!("written: {shown}", "已写入：{shown}").get(language).to_owned()
    })
}

async fn import(
    backend: &mut Backend,
    path: &Path,
    dry_run: bool,
    output: &mut Output,
) -> Result<()> {
    let text = if path == Path::new(STANDARD) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|it| Failed::at(Exit::NotFound, path, &it))?;
    let nothing = || text!("nothing was imported", "没有导入任何记录");
    let tables = file::read(&text).map_err(|problems| {
        Failed::new(Exit::Refused, Text::lines(std::iter::once(nothing()).chain(problems)))
    })?;
    let imported = backend.set_tables(DialPlanRequest { tables, dry_run }).await;
    let imported = imported
        .map_err(|Failed { exit, message }| Failed::new(exit, Text::lines([nothing(), message])))?;
    output.show(&imported, changes)
}

const COLUMNS: [Column; 5] = [
    ("TABLE", "表"),
    ("ROWS", "记录数"),
    ("ADDED", "添加"),
    ("CHANGED", "修改"),
    ("REMOVED", "删除"),
];

fn changes(imported: &Imported, language: Language) -> String {
    let row = |it: &TableChange| {
        let TableChange { name, rows, added, changed, removed, .. } = it;
        let counts = [rows, added, changed, removed].map(ToString::to_string);
        [&[name.get(language).to_owned()], &counts[..]].concat()
    };
    let rows: Vec<_> = imported.changes.iter().map(row).collect();
    let mut text = table(language, &COLUMNS, &rows);
    text.extend(imported.warnings.iter().map(|it| it.line(language).to_owned() + "\n"));
    if imported.dry_run {
        let nothing = text!("Nothing was changed (dry run).", "未做修改（仅检查）。");
        text += nothing.get(language);
    }
    text
}

/// One line each.
fn listed(findings: &[Finding], language: Language) -> String {
    if findings.is_empty() {
        let nothing = text!("Nothing is wrong with the dial plan.", "拨号规则没有问题。");
        return nothing.get(language).to_owned();
    }
    findings.iter().map(|it| it.line(language).to_owned() + "\n").collect()
}

/// The office's zone is not known here; whether it is a time does not depend on it.
fn is_moment(text: &str) -> std::result::Result<String, Invalid> {
    moment(text, &TimeZone::UTC).map(|_| text.to_owned()).ok_or(Invalid(MOMENT))
}
