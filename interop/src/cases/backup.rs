//! Backup and restore: what was changed since is as it was, and on standby the carrier hears nothing.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::setup::{call, office};
use crate::clock;
use crate::report::Context;
use crate::server::{LOCALHOST, PASSWORD, Server};
use crate::wire::is_timeout;

/// From the start until a line sends its first REGISTER, generously.
const REGISTERS_WITHIN: Duration = Duration::from_secs(10);
/// So long the carrier listens on standby.
const SILENCE: Duration = Duration::from_secs(5);
const RESTART: Duration = Duration::from_secs(30);

/// The real program, with a call, a line at a carrier that only listens, and a phone's registration.
pub(super) fn backup_and_restore(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    // The process starts itself anew: with the ports it has.
    server.terminate()?;
    server.run()?;
    let carrier = Carrier::open()?;
    let domain = carrier.0.local_addr()?.to_string();
    server.json(&["line", "add", "5678", "--domain", &domain, "--password", PASSWORD])?;
    ensure!(carrier.hears_register(REGISTERS_WITHIN)?, "the line does not register");
    call(&server)?.end()?;
    server.wait_records(1)?;

    let before = State::of(&server)?;
    let name = server.json(&["backup", "create"])?["name"].as_str().context("no name")?.to_owned();
    server.add("200", &[])?;
    server.json(&["ext", "del", "109"])?;
    server.json(&["line", "set", "5678", "--description", "changed"])?;
    call(&server)?.end()?;
    server.wait_records(2)?;

    let preview = server.json(&["restore", &name, "--dry-run"])?;
    let difference = &preview["differences"][0];
    let is_told = difference["comes"][0] == "109" && difference["goes"][0] == "200";
    ensure!(is_told && preview["now"]["call_records"] == 2, "{preview}");
    refuses(context, &server, &name)?;

    let safety = restored(&server, &[&name, "--standby"])?;
    ensure!(State::of(&server)? == before, "not as it was: {:?}", State::of(&server)?);
    ensure!(server.json(&["status"])?["standby"] == true, "not on standby");
    carrier.forget()?;
    ensure!(!carrier.hears_register(SILENCE)?, "a line registers on standby");
    server.json(&["standby", "off"])?;
    ensure!(carrier.hears_register(REGISTERS_WITHIN)?, "after standby the line does not register");
    ensure!(server.json(&["status"])?["standby"] == false, "still on standby");
    let audit = server.json(&["audit", "list"])?.to_string();
    ensure!(audit.contains("\"restore\"") && audit.contains(&name), "{audit}");
    // It works: phones register and call.
    call(&server)?.end()?;
    server.wait_records(2)?;

    back_offline(&mut server, &safety)?;
    Ok(())
}

/// Back to the state before the restore, while no server runs.
fn back_offline(server: &mut Server, safety: &str) -> Result<()> {
    server.terminate()?;
    server.json(&["restore", safety])?;
    server.run()?;
    let numbers = server.json(&["ext", "list"])?.to_string();
    ensure!(numbers.contains("\"200\"") && !numbers.contains("\"109\""), "{numbers}");
    Ok(())
}

/// A file that was cut off is refused, and nothing changes.
fn refuses(context: &Context, server: &Server, name: &str) -> Result<()> {
    let was = State::of(server)?;
    let whole = std::fs::read(server.data.join("backups").join(name))?;
    let cut = context.folder.join("cut.tar.gz");
    let foreign = context.folder.join("foreign.tar.gz");
    std::fs::write(&cut, &whole[..whole.len() / 2])?;
    std::fs::write(&foreign, "no backup at all")?;
    // The same backup is there already, and a cut one has its name: it is moved aside for the attempt.
    let (kept, aside) = (server.data.join("backups").join(name), context.folder.join("aside"));
    std::fs::rename(&kept, &aside)?;
    for (file, word) in [(&cut, "damaged"), (&foreign, "not a backup")] {
        let refused = server.cli(&["restore", &file.to_string_lossy()])?;
        let is_told = refused.code != 0 && refused.stderr.contains(word);
        ensure!(is_told, "{}: {refused:?}", file.display());
    }
    std::fs::rename(&aside, &kept)?;
    ensure!(State::of(server)? == was, "a refused restore changed something");
    Ok(())
}

/// Restores on the running server and waits until it has begun anew; the backup of what was there.
fn restored(server: &Server, arguments: &[&str]) -> Result<String> {
    let mut all = vec!["restore"];
    all.extend(arguments);
    let said = server.json(&all)?;
    let safety = said["safety"].as_str().with_context(|| said.to_string())?.to_owned();
    clock::wait_for("the server to begin anew", RESTART, || {
        let status = server.cli(&["status", "--json"])?;
        let status: Option<Value> = serde_json::from_str(&status.stdout).ok();
        Ok(status.filter(|it| it["standby"] == true && it["ready"] == true))
    })?;
    Ok(safety)
}

/// What a restore brings back.
#[derive(Debug, PartialEq)]
struct State {
    extensions: Value,
    line: Value,
    records: Vec<Value>,
}

impl State {
    fn of(server: &Server) -> Result<Self> {
        let mut line = server.json(&["line", "show", "5678"])?;
        if let Some(fields) = line.as_object_mut() {
            fields.remove("state");
        }
        Ok(Self { extensions: server.json(&["ext", "list"])?, line, records: server.records()? })
    }
}

/// Somebody who is sent REGISTER and says nothing.
struct Carrier(UdpSocket);

impl Carrier {
    fn open() -> Result<Self> {
        Ok(Self(UdpSocket::bind((LOCALHOST, 0))?))
    }

    /// What came so far does not count.
    fn forget(&self) -> Result<()> {
        while self.next(Duration::from_millis(1))?.is_some() {}
        Ok(())
    }

    fn hears_register(&self, limit: Duration) -> Result<bool> {
        let end = clock::now() + limit;
        while let Some(text) = self.next(clock::until(end))? {
            if text.starts_with("REGISTER ") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn next(&self, limit: Duration) -> Result<Option<String>> {
        let mut datagram = [0; 4096];
        self.0.set_read_timeout(Some(limit))?;
        match self.0.recv(&mut datagram) {
            Ok(length) => Ok(Some(String::from_utf8_lossy(&datagram[..length]).into_owned())),
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
