//! `dialtone registrations`: which phones are registered, from where, for how long.

use super::client::Client;
use super::output::{Column, Output, table};
use super::{Common, Result, block_on};
use pbx::text;
use web::resource::Registration;

const COLUMNS: [Column; 5] = [
    ("EXT", "分机"),
    ("SOURCE", "源地址"),
    ("CONTACT", "联系地址"),
    ("EXPIRES", "剩余有效期"),
    ("PHONE", "话机"),
];

pub(super) fn run(common: &Common, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let found: Vec<Registration> =
        block_on(async { Client::required(&socket).await?.list("/api/v1/registrations").await })?;
    output.show(&found, |found, language| {
        let row = |it: &Registration| {
            vec![
                it.extension.clone(),
                format!("{}/{}", it.source, it.transport),
                it.contact.clone(),
                text!("{} s", "{}秒", it.expires_in_s).get(language).to_owned(),
                it.user_agent.clone(),
            ]
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        table(language, &COLUMNS, &rows)
    })
}
