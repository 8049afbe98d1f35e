//! A thousand users register with SIPp, and half of them call some of the other half.

use anyhow::{Result, ensure};

use crate::load::User;
use crate::report::Context;
use crate::server::{PASSWORD, Server};
use crate::sipp::{Sipp, free_port};

/// Callees that are called, each by a group of callers.
const GROUPS: usize = 20;

/// Calls that begin a second, in each group.
const RATE: u32 = 4;

pub(super) fn thousand_users(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    server.add("1000-1999", &["--calls", "100"])?;
    let users = User::range(1000, 1000, PASSWORD);
    let (callers, callees) = users.split_at(500);
    let sipp = Sipp::new(context.subfolder("sipp")?, server.udp())?;

    let callee_port = free_port()?;
    sipp.register(callers, free_port()?)?;
    sipp.register(callees, callee_port)?;
    let registered = server.json(&["registrations"])?;
    let count = registered.as_array().map_or(0, Vec::len);
    ensure!(count == 1000, "{count} of 1000 registered");

    let answering = sipp.callee(callee_port)?;
    let groups: Vec<_> = callers.chunks(callers.len() / GROUPS).zip(callees).collect();
    sipp.call(&groups, RATE)?;
    drop(answering);
    let records = server.wait_records(500)?;
    let answered = records.iter().filter(|it| it["sip_status"] == 200).count();
    ensure!(answered == 500, "{answered} of 500 records say that the call was answered");
    Ok(())
}
