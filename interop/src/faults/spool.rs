//! The disk stays full until the spare segment and the memory behind it are used up: nothing new is promised, what runs
//! goes on, and all of it is on the disk once there is room again.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::disk::{Disk, fill};
use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::message::Message;
use crate::phone::Phone;
use crate::report::Context;
use crate::server::Server;

/// Room for all that waits, once there is room again.
const DISK_MIB: u32 = 160;
/// What the server finds at its start: a disk without room for a whole segment gets smaller ones.
const FREE_MIB: u32 = 16;

/// Calls that are up while nothing is promised.
const CALLS: usize = 10;
const RATE: u32 = 10;

/// Each REGISTER of the large phone is so many facts of this size: the spool is 32 MiB.
const CONTACTS: usize = 10;
const CONTACT_OCTETS: usize = 1000;
const REGISTERS_MAX: usize = 20_000;

/// From the return of space to the first 200; the journal is tried four times a second.
const BACK_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn spool_full(context: &Context) -> Result<()> {
    let disk = Disk::mount(context.subfolder("disk")?, DISK_MIB)?;
    let mut server = Server::stopped(context, &NO_GUARD)?;
    server.data = disk.folder.join("data");
    let ballast = disk.folder.join("ballast");
    std::fs::write(&ballast, vec![0; usize::try_from(DISK_MIB - FREE_MIB)? << 20])?;
    server.run()?;
    server.add("200", &["--devices", "10"])?;
    let mut office = Office::new(server, 20, 20)?;
    office.bring_up(CALLS)?;

    fill(&disk.folder.join("filler"))?;
    let mut large = large_phone(&office.server)?;
    let accepted = until_refused(&mut large, &mut office)?;
    let spooled = office.server.metric("dialtone_journal_spooled_bytes", "")?;
    context.note(&format!("{accepted} large REGISTERs taken, {spooled} octets wait in memory"));
    ensure!(office.server.metric("dialtone_journal_full", "")? >= 1.0, "no alarm");
    refuses_calls(&office.server)?;

    // What runs goes on, and ends for both phones as ever.
    office.idle(Duration::from_secs(1))?;
    ensure!(office.caller.up() == CALLS, "{} of {CALLS} calls are up", office.caller.up());
    office.caller.finish()?;
    let ended = office.caller.outcome.done;
    ensure!(ended == CALLS, "{ended} of {CALLS} calls ended well: {}", office.caller.outcome);

    std::fs::remove_file(&ballast)?;
    let returned = clock::now();
    clock::wait_for("a REGISTER to be taken", BACK_WITHIN, || {
        Ok((large.try_register(3600)?.status() == Some(200)).then_some(()))
    })?;
    let back = returned.elapsed();
    context.note(&format!("taken again {:.0} ms after space returned", back.as_secs_f64() * 1e3));
    context.cost(|it| it.recovered_ms = Some(back.as_secs_f64() * 1e3));
    let more = usize::try_from(RATE)?;
    office.load(context, RATE, RATE).context("with room again")?;
    is_complete(&office, CALLS + more)?;

    // The files are whole: the next start reads them.
    office.server.kill()?;
    office.server.run()?;
    is_complete(&office, CALLS + more)?;
    office.tell_cost(context, 0)
}

/// Registers with as much text as the server keeps.
fn large_phone(server: &Server) -> Result<Phone> {
    let mut phone = server.phone("200")?;
    let contact = |number: usize| {
        let filler = "x".repeat(CONTACT_OCTETS - 60);
        format!("<sip:200@127.0.0.1:{};x={filler}>", 7000 + number)
    };
    let contacts: Vec<String> = (1..CONTACTS).map(contact).collect();
    phone.extra = vec![("Contact".to_owned(), contacts.join(", "))];
    phone.register()?;
    Ok(phone)
}

/// Registers until that is refused with the time to come back; how often it was not.
fn until_refused(phone: &mut Phone, office: &mut Office) -> Result<usize> {
    for accepted in 0..REGISTERS_MAX {
        let answer = phone.try_register(3600)?;
        if answer.status() != Some(200) {
            is_unavailable(&answer).context("REGISTER")?;
            return Ok(accepted);
        }
        office.idle(Duration::ZERO)?;
    }
    anyhow::bail!("{REGISTERS_MAX} large REGISTERs did not fill the spool")
}

fn refuses_calls(server: &Server) -> Result<()> {
    let mut phone = server.phone("10000")?;
    let uri = format!("sip:10020@{}", server.udp());
    let invite = phone.request("INVITE", &uri, &uri)?;
    let answer = phone.transact(&invite)?;
    phone.ack_refusal(&invite, &answer)?;
    is_unavailable(&answer).context("INVITE")
}

fn is_unavailable(answer: &Message) -> Result<()> {
    let after = answer.header("Retry-After").and_then(|it| it.parse::<u32>().ok());
    let refused = answer.status() == Some(503) && after.is_some();
    ensure!(refused, "{} with Retry-After {after:?}", answer.start);
    Ok(())
}

fn is_complete(office: &Office, calls: usize) -> Result<()> {
    office.server.wait_records(calls)?;
    for name in ["dialtone_journal_lost_total", "dialtone_journal_missing_total"] {
        let lost = office.server.metric(name, "")?;
        ensure!(lost == 0.0, "{name} is {lost}");
    }
    let registered = office.server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
    ensure!(registered == 40 + CONTACTS, "{registered} registrations");
    Ok(())
}
