//! Servers at loopback addresses of their own, joined by SIP trunks and rows of the dial plan.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::report::Context;
use crate::server::Server;

pub(super) fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// An office of its own at 127.0.0.`last`, with the extensions `digit`00 to `digit`09.
pub(super) fn office(context: &Context, name: &str, last: u8, digit: &str) -> Result<Server> {
    let server = Server::start_at(&context.subfolder(name)?, address(last), &[])?;
    server.add(&format!("{digit}00-{digit}09"), &[])?;
    Ok(server)
}

/// A trunk 1 from one server to another, with rows of the dial plan that lead to it.
pub(super) fn join(server: &Server, to: &Server, rows: &[(&str, &[u32])]) -> Result<()> {
    add_trunk(server, 1, to)?;
    add_rows(server, rows)
}

pub(super) fn add_trunk(server: &Server, id: u32, to: &Server) -> Result<()> {
    let address = to.udp().to_string();
    server.json(&["trunk", "add", &id.to_string(), "--address", &address]).map(drop)
}

/// Rows of the dial plan by called prefix, each with the trunks to try in their order.
pub(super) fn add_rows(server: &Server, rows: &[(&str, &[u32])]) -> Result<()> {
    let row = |(id, (prefix, trunks)): (usize, &(&str, &[u32]))| {
        let id = id + 1;
        let route = format!("{{ sip-trunk = {{ listed = {trunks:?} }} }}");
        format!("\n[[called]]\nid = {id}\nprefix = \"{prefix}\"\nroute = {route}\n")
    };
    let file = server.data.with_extension("plan.toml");
    let path = file.to_string_lossy();
    // What is imported stands in the place of all that was, the trunks included.
    server.json(&["dialplan", "export", &path])?;
    let rows = rows.iter().enumerate().map(row);
    let whole = rows.fold(std::fs::read_to_string(&file)?, |text, row| text + &row);
    std::fs::write(&file, whole)?;
    server.json(&["dialplan", "import", &path])?;
    Ok(std::fs::remove_file(&file)?)
}

pub(super) fn recorded(record: &Value, expected: &[(&str, &str)]) -> Result<()> {
    for (name, value) in expected {
        ensure!(record[*name] == *value, "{name} must be {value}: {record}");
    }
    Ok(())
}
