//! `dialtone dialplan`: where calls go, on the running server or, while none runs, in its database.

mod cells;
pub(super) mod csv;
mod file;
mod folder;

use super::offline::Backend;
use super::output::{Column, Output, table};
use super::{Common, Exit, Failed, Invalid, Result, block_on};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use csv::Given;
use jiff::tz::TimeZone;
use pbx::dialplan::lint::finding::TableName;
use pbx::language::{Language, Text};
use pbx::text;
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
    /// Write all tables of the dial plan, lines and trunks to a TOML file or, for spreadsheets, to CSV files, without
    /// passwords.
    Export {
        /// This new file, with --csv this folder; `-`: standard output.
        file: PathBuf,
        /// Write one CSV file for each table into the folder.
        #[arg(long, conflicts_with = "table")]
        csv: bool,
        /// Write only this table, as a CSV file.
        #[arg(long, value_name = "TABLE", value_parser = is_table())]
        table: Option<TableName>,
    },
    /// Put the tables of a TOML file, or of CSV files, in the place of those there are: all of them or none.
    Import {
        /// The TOML file, the CSV file of one table, or a folder of CSV files, whose tables alone are replaced; `-`:
        /// standard input.
        file: PathBuf,
        /// The table that a CSV file is of [default: the one it is named after, as called.csv].
        #[arg(long, value_name = "TABLE", value_parser = is_table())]
        table: Option<TableName>,
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
    /// Take everything for registered and idle, and nothing for forwarded.
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
        Command::Export { file, csv: false, table: None } => export(backend, &file, output).await,
        Command::Export { file, csv: _, table } => export_csv(backend, &file, table, output).await,
        Command::Import { file, table, dry_run } => {
            import(backend, &file, table, dry_run, output).await
        }
    }
}

async fn simulate(backend: &mut Backend, it: Simulate, output: &mut Output) -> Result<()> {
    let Simulate { from, dial, line, trunk, at, dice, all_up } = it;
    let dial = dial.unwrap_or_default();
    let request =
        SimulateRequest { from, dial, line, trunk, at, dice, all_up, ..SimulateRequest::default() };
    let simulation = backend.simulate(&request).await?;
    output.show(&simulation, |it, language| it.text.get(language).to_owned())?;
    if !backend.is_online() && !all_up {
        output.notice(&text!(
            "No server is running: everything is taken for registered and idle, and no forwarding or do not disturb is looked at.",
            "服务器未运行：假定所有话机、外线和SIP中继均可用且空闲，不考虑呼叫转移和免打扰。"
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
    folder::write_new(path, text.as_bytes())?;
    let shown = path.display();
    output.show(&serde_json::json!({ "file": path }), |_, language| {
        text!("written: {shown}", "已写入：{shown}").get(language).to_owned()
    })
}

async fn export_csv(
    backend: &mut Backend,
    path: &Path,
    table: Option<TableName>,
    output: &mut Output,
) -> Result<()> {
    let tables = backend.tables().await?;
    let written = match table {
        None => folder::write(&tables, path)?,
        Some(table) => {
            let bytes = csv::write(&tables, table)?;
            if path == Path::new(STANDARD) {
                return output.line(&String::from_utf8_lossy(&bytes));
            }
            folder::write_new(path, &bytes)?;
            vec![path.to_owned()]
        }
    };
    output.show(&serde_json::json!({ "files": written }), |_, language| {
        let shown = written.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        let shown = shown.join(" ");
        text!("written: {shown}", "已写入：{shown}").get(language).to_owned()
    })
}

async fn import(
    backend: &mut Backend,
    path: &Path,
    table: Option<TableName>,
    dry_run: bool,
    output: &mut Output,
) -> Result<()> {
    let nothing = || text!("nothing was imported", "没有导入任何记录");
    let refused = |problems: Vec<Text>| {
        Failed::new(Exit::Refused, Text::lines(std::iter::once(nothing()).chain(problems)))
    };
    let Given { tables, only, places } = if table.is_some() || folder::is_csv(path) {
        csv::read(&folder::read(path, table)?).map_err(refused)?
    } else {
        let tables = file::read(&read_text(path)?).map_err(refused)?;
        Given { tables, ..Given::default() }
    };
    let only = (!only.is_empty()).then_some(only);
    let imported = backend.set_tables(DialPlanRequest { tables, only, dry_run }).await;
    let imported = imported.map_err(|Failed { exit, message, findings }| {
        let why = match findings.is_empty() {
            true => message,
            false => Text::lines(findings.iter().map(|it| places.text(it))),
        };
        Failed::new(exit, Text::lines([nothing(), why]))
    })?;
    output.show(&imported, changes)
}

fn read_text(path: &Path) -> Result<String> {
    let text = if path == Path::new(STANDARD) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|it| Failed::at(Exit::NotFound, path, &it))
}

const COLUMNS: [Column; 5] = [
    ("TABLE", "表"),
    ("ROWS", "记录数"),
    ("ADDED", "添加"),
    ("CHANGED", "修改"),
    ("REMOVED", "删除"),
];

/// Most rows that are named of one kind of change in one table.
const NAMED_MAX: usize = 20;

fn changes(imported: &Imported, language: Language) -> String {
    let row = |it: &TableChange| {
        let TableChange { name, rows, added, changed, removed, .. } = it;
        let counts = [*rows, added.len(), changed.len(), removed.len()];
        [&[name.get(language).to_owned()], &counts.map(|it| it.to_string())[..]].concat()
    };
    let rows: Vec<_> = imported.changes.iter().map(row).collect();
    let mut text = table(language, &COLUMNS, &rows);
    for it in &imported.changes {
        for (what, names) in [
            (text!("added to", "添加到"), &it.added),
            (text!("changed in", "修改于"), &it.changed),
            (text!("removed from", "删除自"), &it.removed),
        ] {
            if !names.is_empty() {
                let line = text!("{} {}: {}", "{}{}：{}", what, it.name, named(names));
                text += &(line.get(language).to_owned() + "\n");
            }
        }
    }
    let all = imported.changes.iter();
    let all: usize = all.map(|it| it.added.len() + it.changed.len() + it.removed.len()).sum();
    text += &(text!("{all} changes", "共{all}处变化").get(language).to_owned() + "\n");
    text.extend(imported.warnings.iter().map(|it| it.line(language).to_owned() + "\n"));
    if imported.dry_run {
        let nothing = text!("Nothing was changed (dry run).", "未做修改（仅检查）。");
        text += nothing.get(language);
    }
    text
}

fn named(names: &[String]) -> Text {
    let first = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => Text::same(first),
        more => text!("{first} and {more} more", "{first}等，另有{more}条"),
    }
}

/// One line each.
fn listed(findings: &[Finding], language: Language) -> String {
    if findings.is_empty() {
        let nothing = text!("Nothing is wrong with the dial plan.", "拨号规则没有问题。");
        return nothing.get(language).to_owned();
    }
    findings.iter().map(|it| it.line(language).to_owned() + "\n").collect()
}

/// A table that can be a file.
fn is_table() -> impl TypedValueParser<Value = TableName> {
    let names = PossibleValuesParser::new(csv::TABLES.map(TableName::as_str));
    // It is one of them.
    let table = |name: String| csv::TABLES.into_iter().find(|it| it.as_str() == name);
    names
        .try_map(move |name| table(name).ok_or_else(|| Invalid(text!("no such table", "没有该表"))))
}

/// The office's zone is not known here; whether it is a time does not depend on it.
fn is_moment(text: &str) -> std::result::Result<String, Invalid> {
    moment(text, &TimeZone::UTC).map(|_| text.to_owned()).ok_or(Invalid(MOMENT))
}
