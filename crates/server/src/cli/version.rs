//! `dialtone version` and `dialtone status`.

use super::client::Client;
use super::output::Output;
use super::{Common, Result, block_on};
use serde_json::json;
use web::resource::Status;

pub(super) fn run(output: &mut Output) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    output
        .show(&json!({ "name": "dialtone", "version": version }), |_| format!("dialtone {version}"))
}

pub(super) fn status(common: &Common, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let status: Status =
        block_on(async { Client::required(&socket).await?.get("/api/v1/status").await })?;
    output.show(&status, |it| {
        format!(
            "dialtone {}, up {} s, {}\nsip udp {}\nsip tcp {}\nhttp    {}\n{} registrations, {} calls",
            it.version,
            it.uptime_s,
            if it.ready { "ready" } else { "starting" },
            it.sip_udp.join(" "),
            it.sip_tcp.join(" "),
            it.http.join(" "),
            it.registrations,
            it.calls
        )
    })
}
