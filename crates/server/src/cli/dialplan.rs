//! `dialtone dialplan`: where calls go, on the running server or, while none runs, in its database.

use super::offline::Backend;
use super::output::Output;
use super::{Common, Exit, Failed, Invalid, Result, block_on};
use jiff::tz::TimeZone;
use pbx::language::Language;
use pbx::text;
use web::moment::{MOMENT, moment};
use web::resource::{Finding, SimulateRequest};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Decide on a call that nobody places, and show every step.
    Simulate(Simulate),
    /// Look for what is wrong; errors are exit code 1.
    Lint,
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
