//! The database is locked for 10 s while calls go on.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::report::Context;
use crate::server::Server;

const LOCKED: Duration = Duration::from_secs(10);

/// Calls a second, and for how many seconds: some before, some during, some after the lock.
const RATE: u32 = 20;
const SECONDS: u32 = 14;

pub(super) fn database_locked(context: &Context) -> Result<()> {
    let server = Server::start_with(context, &NO_GUARD)?;
    let file = server.data.join("dialtone.db");
    let mut office = Office::new(server, 20, 20)?;
    let locked = std::thread::scope(|scope| {
        let lock = scope.spawn(|| -> Result<()> {
            clock::pause(Duration::from_secs(1));
            let connection = rusqlite::Connection::open(&file)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.execute_batch("BEGIN EXCLUSIVE").context("locking")?;
            clock::pause(LOCKED);
            connection.execute_batch("ROLLBACK").context("unlocking")
        });
        office.load(context, RATE * SECONDS, RATE)?;
        lock.join().map_err(|_| anyhow::anyhow!("the lock panicked"))?
    });
    locked?;
    let records = office.server.wait_records(usize::try_from(RATE * SECONDS)?)?;
    context.note(&format!("{} records", records.len()));
    office.tell_cost(context, 0)
}
