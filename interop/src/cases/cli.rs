//! The command line: what it changes is read back by another command or by a phone.

use anyhow::{Context as _, Result, ensure};

use super::setup::{call, office, registered};
use crate::phone::Phone;
use crate::report::Context;
use crate::server::{LOCALHOST, PASSWORD, Server};

const NEW_PASSWORD: &str = "Other-9-horse";

/// The running server is asked.
pub(super) fn cli_online(context: &Context) -> Result<()> {
    let server = office(context)?;
    extensions(context, &server)?;
    // A changed password counts at once.
    server.json(&["ext", "passwd", "105", "--password", NEW_PASSWORD])?;
    let refused = server.phone("105")?.try_register(600)?;
    ensure!(refused.status() == Some(401), "the old password: {}", refused.start);
    Phone::udp(LOCALHOST, server.udp(), "105", NEW_PASSWORD)?.register()?;
    let registrations = server.json(&["registrations"])?;
    ensure!(registrations[0]["extension"] == "105", "{registrations}");

    let mut up = call(&server)?;
    let calls = server.json(&["calls"])?;
    ensure!(calls.as_array().map(Vec::len) == Some(1), "{calls}");
    let id = calls[0]["id"].as_str().context("a call without id")?.to_owned();
    let shown = server.json(&["calls", "show", &id])?;
    ensure!(shown.to_string().contains("INVITE"), "no ladder in {shown}");
    server.json(&["calls", "hangup", &id])?;
    for phone in [&mut up.caller, &mut up.callee] {
        let bye = phone.expect_request("BYE")?;
        phone.respond(&bye, 200, "OK")?;
    }
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "admin.hangup", "{}", records[0]);
    let csv = server.cli(&["cdr", "export", "--csv"])?;
    ensure!(csv.code == 0 && csv.stdout.lines().count() == 2, "{csv:?}");
    let status = server.json(&["version"])?;
    ensure!(status.to_string().contains(env!("CARGO_PKG_VERSION")), "{status}");
    Ok(())
}

/// No server runs: the database is edited, and the server finds it so.
pub(super) fn cli_offline(context: &Context) -> Result<()> {
    let mut server = Server::stopped(context, &[])?;
    let nowhere = server.cli(&["ext", "list"])?;
    ensure!(nowhere.code == 69, "without a data directory: {nowhere:?}");
    std::fs::create_dir(&server.data)?;
    server.add("100-109", &[])?;
    extensions(context, &server)?;
    server.run()?;
    registered(&server, "105")?;
    let listed = server.json(&["ext", "list"])?;
    ensure!(listed.to_string().contains("\"1050\""), "{listed}");
    Ok(())
}

/// What both ways have in common.
fn extensions(context: &Context, server: &Server) -> Result<()> {
    let count = |server: &Server| -> Result<usize> {
        Ok(server.json(&["ext", "list"])?.as_array().map_or(0, Vec::len))
    };
    ensure!(count(server)? == 10, "after adding 100-109: {}", count(server)?);
    let made = context.folder.join("made.csv");
    let made_text = made.to_string_lossy().into_owned();
    server.json(&["ext", "add", "1000-1099", "--csv", &made_text])?;
    ensure!(count(server)? == 110, "after adding a range: {}", count(server)?);
    let lines = std::fs::read_to_string(&made)?.lines().filter(|it| it.contains("10")).count();
    ensure!(lines == 100, "{lines} lines of credentials for 100 extensions");

    server.json(&["ext", "set", "105", "--name", "Küche", "--devices", "3", "--calls", "4"])?;
    let listed = server.json(&["ext", "list"])?;
    let kitchen = listed.as_array().and_then(|all| all.iter().find(|it| it["number"] == "105"));
    let kitchen = kitchen.context("105 is gone")?;
    let fits = kitchen["name"] == "Küche" && kitchen["devices"] == 3 && kitchen["calls"] == 4;
    ensure!(fits, "{kitchen}");
    let shown = listed.to_string();
    ensure!(!shown.contains(PASSWORD), "a password in the list");

    server.json(&["ext", "del", "1000-1049"])?;
    ensure!(count(server)? == 60, "after deleting a range: {}", count(server)?);
    let import = context.folder.join("import.csv");
    std::fs::write(
        &import,
        format!("number,password,name\n2000,{PASSWORD},Zoë\n2001,{PASSWORD},\n"),
    )?;
    server.json(&["ext", "import", &import.to_string_lossy()])?;
    ensure!(count(server)? == 62, "after importing two: {}", count(server)?);
    Ok(())
}

/// Exit codes that scripts rely on.
pub(super) fn cli_codes(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    #[rustfmt::skip]
    let online: [(&[&str], i32); 8] = [
        (&["ext", "list"],                                          0),
        (&["ext", "set", "999", "--name", "x"],                     3),
        (&["ext", "del", "999"],                                    3),
        (&["ext", "add", "100"],                                    4),
        (&["ext", "add", "200", "--password", "200"],               4),
        (&["ext", "add", "200", "--password", "200", "--allow-weak"], 0),
        (&["calls", "hangup", "nobody"],                            3),
        (&["dance"],                                                2),
    ];
    let mut wrong = vec![];
    for (arguments, code) in online {
        let printed = server.cli(arguments)?;
        if printed.code != code {
            wrong.push(format!("{arguments:?}: {} instead of {code}", printed.code));
        }
    }
    server.terminate()?;
    let offline: [(&[&str], i32); 4] = [
        (&["calls"], 69),
        (&["registrations"], 69),
        (&["ext", "list"], 0),
        (&["cdr", "export"], 0),
    ];
    for (arguments, code) in offline {
        let printed = server.cli(arguments)?;
        if printed.code != code {
            wrong.push(format!("stopped, {arguments:?}: {} instead of {code}", printed.code));
        }
    }
    let typo = context.folder.join("typo.toml");
    std::fs::write(&typo, "[sip]\nupd = [\"[::]:5060\"]\n")?;
    let printed = server.cli(&["check-config", &typo.to_string_lossy()])?;
    if printed.code != 78 || !printed.stderr.contains("sip.udp") {
        wrong.push(format!("check-config of a typo: {printed:?}"));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
