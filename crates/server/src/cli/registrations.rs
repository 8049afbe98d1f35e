//! `dialtone registrations`: which phones are registered, from where, for how long.

use super::client::Client;
use super::output::{Output, table};
use super::{Common, Result, block_on};
use web::resource::Registration;

pub(super) fn run(common: &Common, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let found: Vec<Registration> =
        block_on(async { Client::required(&socket).await?.get("/api/v1/registrations").await })?;
    output.show(&found, |found| {
        let row = |it: &Registration| {
            vec![
                it.extension.clone(),
                format!("{}/{}", it.source, it.transport),
                it.contact.clone(),
                format!("{} s", it.expires_in_s),
                it.user_agent.clone(),
            ]
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        table(&["EXT", "SOURCE", "CONTACT", "EXPIRES", "PHONE"], &rows)
    })
}
