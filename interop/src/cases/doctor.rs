//! The trunk doctor against carriers that are odd in one way each, and a carrier of SIPp's.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

use super::setup::{CALLER_MARK, office, registered};
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, Server};
use crate::sipp::{Carrier, free_port};

const ACCOUNT: &str = "5678";
const LINE_PASSWORD: &str = "Line-7-otter";

/// Most requests of one run.
const REGISTERS_MAX: u64 = 5;
const INVITES_MAX: u64 = 2;

/// What is found with a carrier and a line like this.
struct Row {
    oddities: &'static str,
    /// What differs from a usual line.
    line: &'static [&'static str],
    code: &'static str,
    setting: &'static str,
    /// Empty where only the administrator can know.
    value: Option<&'static str>,
}

#[rustfmt::skip]
const ROWS: [Row; 9] = [
    Row { oddities: "new-call-id",  line: &[],                                    code: "line.reg_cseq",           setting: "new_call_id",                value: Some("true") },
    Row { oddities: "from-account", line: &["--caller-number", "caller"],         code: "line.rejected_from",      setting: "from_user",                  value: Some("account") },
    Row { oddities: "plain-uri",    line: &["--uri-parameters", "user=phone"],    code: "line.rejected_uri_param", setting: "uri_parameters",             value: Some("") },
    Row { oddities: "needs-100rel", line: &["--100rel", "off"],                    code: "line.reliable",           setting: "interop.reliable",           value: Some("auto") },
    Row { oddities: "prack=405",    line: &[],                                    code: "line.prack_refused",      setting: "interop.reliable",           value: Some("off") },
    Row { oddities: "min-se=3600",  line: &[],                                    code: "line.min_se",             setting: "interop.session_expires_s",  value: Some("3600") },
    Row { oddities: "plain-codecs", line: &[],                                    code: "media.codec",             setting: "interop.codecs",             value: Some("PCMA,PCMU") },
    Row { oddities: "silent",       line: &[],                                    code: "line.no_response",        setting: "domain",                     value: None },
    Row { oddities: "",             line: &["--domain", "no.such.name.invalid"],  code: "line.dns",                setting: "domain",                     value: None },
];

/// Every row is found by the command, and gone once the setting is applied.
pub(super) fn doctor_findings(context: &Context) -> Result<()> {
    let server = office(context)?;
    for row in &ROWS {
        examine(&server, row).with_context(|| format!("{} {:?}", row.oddities, row.line))?;
    }
    Ok(())
}

fn examine(server: &Server, row: &Row) -> Result<()> {
    let listen = SocketAddr::new(LOCALHOST, 0);
    let oddities = Oddities::parse(row.oddities).map_err(anyhow::Error::msg)?;
    let carrier = Serving::start(listen, &[(ACCOUNT, LINE_PASSWORD)], oddities)?;
    let address = carrier.address.to_string();
    let mut add = vec!["line", "add", ACCOUNT, "--password", LINE_PASSWORD, "--owner", "100"];
    if !row.line.contains(&"--domain") {
        add.extend(["--domain", &address]);
    }
    if !row.line.contains(&"--uri-parameters") {
        add.extend(["--uri-parameters", ""]);
    }
    add.extend(row.line);
    server.json(&add)?;
    let found = doctor(server, &[])?;
    let wrong = found["lights"].as_array().context("no lights")?;
    let wrong: Vec<&Value> = wrong.iter().filter(|it| !it["code"].is_null()).collect();
    ensure!(wrong.len() == 1 && wrong[0]["code"] == row.code, "{found:#}");
    ensure!(found["remedy"]["setting"] == row.setting, "{found:#}");
    ensure!(found["remedy"]["value"].as_str() == row.value, "{found:#}");
    ensure!(found["applied"] == false, "it changed something without being told to");
    within_limits(&found)?;
    if row.value.is_some() {
        let applied = doctor(server, &["--apply"])?;
        ensure!(applied["applied"] == true, "{applied:#}");
        let after = doctor(server, &[])?;
        ensure!(after["remedy"].is_null() && after["colour"] == "green", "{after:#}");
    }
    server.json(&["line", "del", ACCOUNT]).map(drop)
}

fn doctor(server: &Server, more: &[&str]) -> Result<Value> {
    let mut arguments = vec!["line", "doctor", ACCOUNT, "--call", "0138", "--json"];
    arguments.extend(more);
    let printed = server.cli(&arguments)?;
    let found = printed.json()?;
    let red = found["colour"] == "red" && found["applied"] == false;
    ensure!(printed.code == i32::from(red), "{printed:?}");
    Ok(found)
}

fn within_limits(found: &Value) -> Result<()> {
    let count = |name: &str| found[name].as_u64().with_context(|| format!("no {name}"));
    ensure!(count("registers")? <= REGISTERS_MAX && count("invites")? <= INVITES_MAX, "{found:#}");
    Ok(())
}

/// A carrier that challenges INVITE and BYE, played by SIPp, which checks the digests.
pub(super) fn carrier_challenges(context: &Context) -> Result<()> {
    let server = office(context)?;
    let port = free_port()?;
    let mut carrier = Carrier::start(context.folder.clone(), port)?;
    let domain = format!("127.0.0.1:{port}");
    server.json(&[
        "line",
        "add",
        ACCOUNT,
        "--password",
        LINE_PASSWORD,
        "--domain",
        &domain,
        "--register",
        "false",
        "--uri-parameters",
        "",
    ])?;
    let mut caller = registered(&server, "100")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("90138", &media.sdp()?)?;
    let answer = caller.expect(&sent, 200)?;
    let mut dialog = caller.ack(&sent, &answer)?;
    caller.bye(&mut dialog)?;
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "caller.hangup", "{}", records[0]);
    ensure!(records[0]["line"] == ACCOUNT, "{}", records[0]);
    carrier.finish()
}
