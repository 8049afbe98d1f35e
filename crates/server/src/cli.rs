//! The command line: what can be asked.
//!
//! One file for each group of commands. Nothing here ever asks a question back.

mod admin;
mod apikey;
mod audit;
mod backup;
mod calls;
mod cdr;
mod cert;
mod check_config;
mod client;
mod dialplan;
mod docs;
mod ext;
mod failed;
mod feature;
mod help;
mod import;
mod language;
mod line;
mod mss;
mod offline;
mod output;
mod outside;
mod password;
mod registrations;
mod setting;
mod top;
mod trace;
mod trunk;
mod usage;
mod version;
mod webhook;

use crate::config::{self, Environment, Sources};
use crate::serve;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
pub(crate) use failed::{Exit, Failed, Invalid, Result, Within};
use output::Output;
use pbx::language::{Language, Text};
use pbx::text;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Read where neither a flag nor the environment names another, if it exists.
const PACKAGED_FILE: &str = "/etc/dialtone/dialtone.toml";
/// Where a packaged server keeps its data.
const PACKAGED_DATA: &str = "/var/lib/dialtone";

/// IP-PBX and SIP server.
#[derive(Parser)]
#[command(name = "dialtone", version, about)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    // `language` looks for it before the others are parsed.
    /// Language of the output [default: by DIALTONE_LANG, LC_ALL, LC_MESSAGES, LANG].
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = ["en", "zh"])]
    lang: Option<String>,
    /// Read this configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "DIALTONE_CONFIG")]
    config: Option<PathBuf>,
    /// Where everything durable is [default: ./data in a checkout, /var/lib/dialtone packaged].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Control socket, for `serve` to listen on and for the others to speak to [default: dialtone.sock in the data directory].
    #[arg(long, global = true, value_name = "PATH", env = "DIALTONE_SOCKET")]
    socket: Option<PathBuf>,
    /// Set one configuration key, as in `--set sip.udp=127.0.0.1:5070`.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Arguments),
    /// Show the configuration in force and where each value comes from.
    CheckConfig {
        /// Check this file.
        file: Option<PathBuf>,
    },
    /// Extensions.
    #[command(subcommand)]
    Ext(ext::Command),
    /// External lines: registered at a carrier with account and password.
    #[command(subcommand)]
    Line(line::Command),
    /// SIP trunks: servers known by their addresses.
    #[command(subcommand)]
    Trunk(trunk::Command),
    /// Take over what other programs have.
    #[command(subcommand)]
    Import(mss::Command),
    /// Settings of the office.
    #[command(subcommand)]
    Setting(setting::Command),
    /// Feature codes: what phones dial to start a feature.
    #[command(subcommand)]
    Feature(feature::Command),
    /// The dial plan: where calls go.
    #[command(subcommand)]
    Dialplan(dialplan::Command),
    /// Which phones are registered.
    Registrations(registrations::Arguments),
    /// Calls that are up.
    Calls(calls::Arguments),
    /// The calls as they happen, until `q` is pressed.
    Top(top::Arguments),
    /// Where events are sent to.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Call records.
    #[command(subcommand)]
    Cdr(cdr::Command),
    /// SIP as it happens, as a ladder.
    Trace(trace::Arguments),
    /// Administrators: who may sign in to the pages.
    #[command(subcommand)]
    Admin(admin::Command),
    /// API keys: which programs may use the API over HTTP.
    #[command(subcommand)]
    Apikey(apikey::Command),
    /// Who changed what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The certificate of the pages and the API.
    #[command(subcommand)]
    Cert(cert::Command),
    /// Backups of all that is configured and recorded.
    #[command(subcommand)]
    Backup(backup::Command),
    /// Put a backup in the place of what there is now, of which a backup is made before.
    Restore(backup::Restore),
    /// After a restore with --standby.
    #[command(subcommand)]
    Standby(backup::StandbyCommand),
    /// What the running server is and does.
    Status,
    /// The version.
    Version,
    /// Print generated documentation.
    #[command(hide = true)]
    Docs {
        /// The page.
        page: docs::Page,
    },
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    let language = language::of_process();
    let cli = match parse(std::env::args_os(), language) {
        Ok(cli) => cli,
        Err(error) => return usage::show(&error, language),
    };
    let mut output = Output::new(cli.common.json, language);
    match run(cli, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(_) if output.is_closed() => ExitCode::SUCCESS,
        Err(failed) => {
            output.failure(&failed);
            ExitCode::from(failed.exit as u8)
        }
    }
}

fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    language: Language,
) -> std::result::Result<Cli, clap::Error> {
    let command = match language {
        Language::En => Cli::command(),
        Language::Zh => help::chinese(Cli::command()),
    };
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

fn run(cli: Cli, output: &mut Output) -> Result<()> {
    let common = cli.common;
    match cli.command {
        Command::Serve(arguments) => serve::run(&common, &arguments, output.language()),
        Command::CheckConfig { file } => check_config::run(&common, file, output),
        Command::Ext(command) => ext::run(&common, command, output),
        Command::Line(command) => line::run(&common, command, output),
        Command::Trunk(command) => trunk::run(&common, command, output),
        Command::Import(command) => mss::run(&common, command, output),
        Command::Setting(command) => setting::run(&common, command, output),
        Command::Feature(command) => feature::run(&common, command, output),
        Command::Dialplan(command) => dialplan::run(&common, command, output),
        Command::Registrations(arguments) => registrations::run(&common, arguments, output),
        Command::Calls(arguments) => calls::run(&common, arguments, output),
        Command::Top(arguments) => top::run(&common, &arguments, output),
        Command::Webhook(command) => webhook::run(&common, command, output),
        Command::Cdr(command) => cdr::run(&common, command, output),
        Command::Trace(arguments) => trace::run(&common, &arguments, output),
        Command::Admin(command) => admin::run(&common, command, output),
        Command::Apikey(command) => apikey::run(&common, command, output),
        Command::Audit(command) => audit::run(&common, command, output),
        Command::Cert(command) => cert::run(&common, command, output),
        Command::Backup(command) => backup::run(&common, command, output),
        Command::Restore(arguments) => backup::restore(&common, &arguments, output),
        Command::Standby(command) => backup::standby(&common, &command, output),
        Command::Status => version::status(&common, output),
        Command::Version => version::run(output),
        Command::Docs { page } => docs::run(page, output),
    }
}

impl Common {
    /// Where the configuration comes from.
    pub(crate) fn sources(&self) -> Sources {
        let packaged = Path::new(PACKAGED_FILE);
        let file = self.config.clone().or_else(|| packaged.exists().then(|| packaged.to_owned()));
        let mut flags = self.settings.clone();
        if let Some(folder) = &self.data_dir {
            flags.push(("data_dir".to_owned(), folder.display().to_string()));
        }
        let data_dir = (file.as_deref() == Some(packaged)).then_some(PACKAGED_DATA);
        Sources { file, environment: Environment::of_process(), data_dir, flags }
    }

    pub(crate) fn load(&self) -> Result<config::Loaded> {
        config::load(&self.sources()).map_err(|problems| {
            let lines = problems.into_iter().map(config::Problem::text);
            Failed::new(Exit::Config, Text::lines(lines))
        })
    }

    /// The control socket of the server that these arguments mean.
    pub(crate) fn socket_path(&self) -> Result<PathBuf> {
        match &self.socket {
            Some(path) => Ok(path.clone()),
            None => Ok(self.load()?.config.socket_path()),
        }
    }
}

fn key_and_value(text: &str) -> std::result::Result<(String, String), Invalid> {
    let rule = || Invalid(text!("must be KEY=VALUE", "应为 键=值"));
    let (key, value) = text.split_once('=').ok_or_else(rule)?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// The runtime of a command that talks to the server or the database.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::record::{CallRecord, Direction};
    use pbx::release::ReleaseCode;

    #[test]
    fn the_commands_of_verdicts_are_commands() {
        let mut commands = 0;
        for &code in ReleaseCode::ALL {
            for direction in [Direction::Incoming, Direction::Outgoing] {
                let record = CallRecord {
                    release_code: Some(code),
                    direction,
                    line: (code.as_str() != "callee.unknown").then(|| "5678".into()),
                    trunk: Some("1".into()),
                    caller_number: "101".into(),
                    dialled_number: "90138".into(),
                    ..CallRecord::default()
                };
                let verdict = pbx::verdict::judge(&record);
                let Some(command) = verdict.and_then(|it| it.action(&record)) else { continue };
                commands += 1;
                let words = command.split(' ').map(|it| it.trim_matches('\''));
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{code}: {command}: {:?}", parsed.err());
            }
        }
        assert!(commands > 2 * 20, "{commands}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_table() {
        #[rustfmt::skip]
        let table = [
            ("dialtone serve --demo --data-dir d",                                  true),
            ("dialtone ext add 1000-10999 --csv out.csv",                           true),
            ("dialtone ext set 100 --devices 3 --calls 4 --relay auto --address 192.168.1.9 --media-source any-first --name x", true),
            ("dialtone ext set 100 --relay sometimes",                              false),
            ("dialtone ext set 100 --levels 1,16 --plan guest",                     true),
            ("dialtone ext set 100 --levels 17",                                    false),
            ("dialtone ext set 100 --forward-busy 102 --may-forward busy,always --ring 15", true),
            ("dialtone ext set 100 --may-forward sometimes",                        false),
            ("dialtone ext set 100 --calls 0",                                      false),
            ("dialtone line add 5678 --domain sip.example.com --password-file - --calls-out 4 --100rel off", true),
            ("dialtone line set 5678 --incoming number:138 --caller-number fixed:0755 --owner= --calls-in=", true),
            ("dialtone line set 5678 --incoming 138",                               false),
            ("dialtone line set 5678 --transport sctp",                             false),
            ("dialtone trunk add 1 --address 10.0.0.1 --address 10.0.0.2:5070,5 --source 10.1.0.0/16", true),
            ("dialtone trunk add one",                                              false),
            ("dialtone trunk set 1 --no-source --calls-out 0 --tel-uri true",       true),
            ("dialtone import mss mss_var_param.ini --line 5678 --dry-run",         true),
            ("dialtone import mss",                                                 false),
            ("dialtone setting set no_answer_s 30",                                 true),
            ("dialtone setting set no_answer_s",                                    false),
            ("dialtone dialplan simulate --from 102 --dial 90138 --at 2026-12-25T20:00", true),
            ("dialtone dialplan simulate --from 138 --line 1234",                   true),
            ("dialtone dialplan simulate --from 102",                               false),
            ("dialtone dialplan simulate --from 102 --dial 9 --at noon",            false),
            ("dialtone dialplan import plan.toml --dry-run",                        true),
            ("dialtone dialplan export",                                            false),
            ("dialtone dialplan lint --json",                                       true),
            ("dialtone calls --watch",                                              true),
            ("dialtone calls show c-1",                                             true),
            ("dialtone calls hangup c-1 --json",                                    true),
            ("dialtone calls place 101 90138 --auto-answer",                        true),
            ("dialtone calls place 101",                                            false),
            ("dialtone calls transfer c-1 caller 102",                              true),
            ("dialtone calls transfer c-1 both 102",                                false),
            ("dialtone webhook add http://crm/ --types call.ended --description CRM", true),
            ("dialtone webhook resend wh-1 7",                                      true),
            ("dialtone top --plain",                                                true),
            ("dialtone cdr export --from 2026-01-01 --to 2026-02-01 --csv",         true),
            ("dialtone trace --ext 100 --ip 10.0.0.1 --raw",                        true),
            ("dialtone trace --line 5678 --trunk 1 --minutes 10 --pcap out.pcap",   true),
            ("dialtone trace --minutes 0",                                          false),
            ("dialtone admin add ann --password-file -",                            true),
            ("dialtone admin totp off ann",                                         true),
            ("dialtone admin totp on ann",                                          false),
            ("dialtone admin setup-code",                                           true),
            ("dialtone cert install chain.pem key.pem",                             true),
            ("dialtone cert install chain.pem",                                     false),
            ("dialtone apikey add wallboard --scope read,calls",                    true),
            ("dialtone apikey add wallboard --scope everything",                    false),
            ("dialtone apikey add wallboard",                                       false),
            ("dialtone audit list --limit 20",                                      true),
            ("dialtone audit undo 7",                                               true),
            ("dialtone audit undo last",                                            false),
            ("dialtone backup create --password-file -",                            true),
            ("dialtone restore /mnt/office.tar.gz --standby",                       true),
            ("dialtone restore",                                                    false),
            ("dialtone standby off",                                                true),
            ("dialtone version --json",                                             true),
            ("dialtone serve --set sip.udp",                                        false),
            ("dialtone dance",                                                      false),
        ];
        for (line, valid) in table {
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert_eq!(parsed.is_ok(), valid, "{line}");
        }
    }
}
