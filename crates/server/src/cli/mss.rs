//! `dialtone import mss`: takes over the switches of another server's `mss_var_param.ini`.
//!
//! Its variables hold for the whole server; here the switch belongs to each line.

use super::offline::Backend;
use super::output::Output;
use super::{Common, Exit, Failed, Result, block_on};
use pbx::dialplan::Tables;
use pbx::dialplan::lint::finding::TableName;
use pbx::language::{Language, Text};
use pbx::text;
use serde::Serialize;
use std::path::PathBuf;
use web::resource::DialPlanRequest;

/// Most that such a file may hold. Unit: octets.
const FILE_BYTES_MAX: usize = 1024 * 1024;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Take over what an mss_var_param.ini sets, and name what it sets in vain.
    Mss {
        /// The file.
        file: PathBuf,
        /// Only for this external line; may be repeated [default: all].
        #[arg(long, value_name = "ACCOUNT")]
        line: Vec<String>,
        /// Say what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What became of one variable of the file.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Outcome {
    /// Of the file, from 1.
    row: usize,
    section: String,
    key: String,
    value: String,
    done: Done,
    text: Text,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    /// Lines were changed, or would be.
    Changed,
    /// It is so already, or there is no line yet.
    Nothing,
    /// It belongs into the configuration file.
    Configuration,
    Unknown,
}

/// One `key=value` of the file.
#[derive(Debug, PartialEq, Eq)]
struct Variable {
    row: usize,
    section: String,
    key: String,
    value: String,
}

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    let Command::Mss { file, line, dry_run } = command;
    let bytes = std::fs::read(&file).map_err(|it| Failed::at(Exit::NotFound, &file, &it))?;
    if bytes.len() > FILE_BYTES_MAX {
        let path = file.display();
        let what = text!(
            "{path}: longer than {FILE_BYTES_MAX} octets",
            "{path}：超过{FILE_BYTES_MAX}字节"
        );
        return Err(Failed::new(Exit::Refused, what));
    }
    // Names and values are ASCII; comments may be in any encoding.
    let variables = parse(&String::from_utf8_lossy(&bytes));
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = import(&mut backend, variables, &line, dry_run, output).await;
        backend.close().await;
        done
    })
}

async fn import(
    backend: &mut Backend,
    variables: Vec<Variable>,
    only: &[String],
    dry_run: bool,
    output: &mut Output,
) -> Result<()> {
    let before = backend.tables().await?;
    for account in only {
        if !before.lines.iter().any(|it| *it.account == **account) {
            let what = text!("there is no external line {account}", "没有外线{account}");
            return Err(Failed::new(Exit::NotFound, what));
        }
    }
    let mut tables = before.clone();
    let outcomes = variables.into_iter().map(|it| take(&mut tables, it, only));
    let outcomes = outcomes.collect::<Result<Vec<_>>>()?;
    if tables != before {
        let only = Some(vec![TableName::Lines]);
        backend.set_tables(DialPlanRequest { tables, only, dry_run }).await?;
    }
    let shown = serde_json::json!({ "dry_run": dry_run, "variables": outcomes });
    output.show(&shown, |_, language| listed(&outcomes, dry_run, language))
}

/// Brings one variable into the tables; `Err`: it cannot mean anything.
fn take(tables: &mut Tables, it: Variable, only: &[String]) -> Result<Outcome> {
    let Variable { row, section, key, value } = it;
    let wrong = |rule: Text| {
        let what = text!(
            "nothing was imported: row {row}, {key} = {value}: {}",
            "没有导入任何内容：第{row}行，{key} = {value}：{}",
            rule
        );
        Err(Failed::new(Exit::Refused, what))
    };
    let in_sip = section.eq_ignore_ascii_case("sip");
    let (done, text) = if in_sip && key.eq_ignore_ascii_case("gVarSipRegSameDialog") {
        match &*value {
            "0" | "1" => same_dialog(tables, value == "1", only),
            _ => return wrong(text!("must be 0 or 1", "应为0或1")),
        }
    } else if in_sip && key.eq_ignore_ascii_case("gVarSipTCPPort") {
        match value.parse::<u16>() {
            Ok(port) if port > 0 => (Done::Configuration, tcp_port(port)),
            Ok(_) | Err(_) => return wrong(text!("must be 1 to 65535", "应为1至65535")),
        }
    } else {
        (Done::Unknown, text!("not known here; nothing changes", "未知的变量，不作改动"))
    };
    Ok(Outcome { row, section, key, value, done, text })
}

/// The switch of the file, in the one of each line.
fn same_dialog(tables: &mut Tables, same: bool, only: &[String]) -> (Done, Text) {
    let meant = |account: &str| only.is_empty() || only.iter().any(|it| it == account);
    let mut changed = Vec::new();
    for line in tables.lines.iter_mut().filter(|it| meant(&it.account)) {
        if line.new_call_id == same {
            line.new_call_id = !same;
            changed.push(line.account.to_string());
        }
    }
    if tables.lines.is_empty() {
        let none = text!(
            "there is no external line yet. Add the lines, and import the file again",
            "还没有外线。请先添加外线，再导入该文件"
        );
        return (Done::Nothing, none);
    }
    if changed.is_empty() {
        return (Done::Nothing, text!("the external lines are set so already", "外线已是如此设置"));
    }
    let accounts = changed.join(", ");
    let text = match same {
        false => text!(
            "a new Call-ID for the authenticated REGISTER (new_call_id = true) of external line {accounts}",
            "外线{accounts}鉴权后的REGISTER使用新的Call-ID（new_call_id = true）"
        ),
        true => text!(
            "one Call-ID for all REGISTERs (new_call_id = false) of external line {accounts}",
            "外线{accounts}的REGISTER使用同一Call-ID（new_call_id = false）"
        ),
    };
    (Done::Changed, text)
}

fn tcp_port(port: u16) -> Text {
    text!(
        "the port of SIP over TCP stands in the configuration file: [sip] tcp = [\"[::]:{port}\"]",
        "SIP的TCP端口写在配置文件中：[sip] tcp = [\"[::]:{port}\"]"
    )
}

fn parse(text: &str) -> Vec<Variable> {
    let mut section = String::new();
    let mut variables = vec![];
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            variables.push(Variable { row: index + 1, section: section.clone(), key, value });
        }
    }
    variables
}

fn listed(outcomes: &[Outcome], dry_run: bool, language: Language) -> String {
    let mut text = String::new();
    for Outcome { section, key, value, text: what, .. } in outcomes {
        let line =
            text!("[{section}] {key} = {value}: {}", "[{section}] {key} = {value}：{}", what);
        text.push_str(line.get(language));
        text.push('\n');
    }
    if outcomes.is_empty() {
        let nothing = text!("The file sets nothing.", "文件中没有任何变量。");
        text.push_str(nothing.get(language));
    } else if dry_run {
        let nothing = text!("Nothing was changed (dry run).", "未做修改（仅检查）。");
        text.push_str(nothing.get(language));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::line::Line;

    /// The two variables that the vendor has published, and one that nobody knows.
    const FILE: &str = "\u{feff}; comment\r\n[sip]\r\ngVarSipRegSameDialog=0\r\n gVarSipTCPPort = 1234 \r\n\r\n[media]\r\ngVarX=1\r\n";

    fn tables() -> Tables {
        let line = |it: &str| Line { account: it.into(), ..Line::default() };
        Tables { lines: vec![line("1234"), line("5678")], ..Tables::default() }
    }

    fn taken(tables: &mut Tables, file: &str, only: &[String]) -> Result<Vec<Outcome>> {
        parse(file).into_iter().map(|it| take(tables, it, only)).collect()
    }

    #[test]
    fn a_file_becomes_the_switch_of_each_line() {
        let mut tables = tables();
        let outcomes = taken(&mut tables, FILE, &[]).unwrap();
        let done: Vec<_> = outcomes.iter().map(|it| (it.row, &*it.key, &it.done)).collect();
        let expected = [
            (3, "gVarSipRegSameDialog", &Done::Changed),
            (4, "gVarSipTCPPort", &Done::Configuration),
            (7, "gVarX", &Done::Unknown),
        ];
        assert_eq!(done, expected);
        assert!(tables.lines.iter().all(|it| it.new_call_id));
        assert!(outcomes[1].text.en.contains("[::]:1234"), "{}", outcomes[1].text.en);
        assert_eq!(taken(&mut tables, FILE, &[]).unwrap()[0].done, Done::Nothing);
        let _ = taken(&mut tables, "[SIP]\ngvarsipregsamedialog=1", &["5678".to_owned()]).unwrap();
        let switches: Vec<_> = tables.lines.iter().map(|it| it.new_call_id).collect();
        assert_eq!(switches, [true, false]);
    }

    #[test]
    fn a_value_that_means_nothing_refuses_the_file() {
        let rows = ["gVarSipRegSameDialog=no", "gVarSipTCPPort=0", "gVarSipTCPPort=70000"];
        for row in rows {
            let failed = taken(&mut tables(), &format!("[sip]\n{row}"), &[]).unwrap_err();
            assert!(failed.message.en.contains("nothing was imported: row 2"), "{row}");
        }
    }
}
