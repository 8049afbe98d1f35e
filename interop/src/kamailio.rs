//! Debian's Kamailio as registrar and record-routing proxy: memory only, digest for every REGISTER and INVITE.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::process::{self, Process};
use crate::server::{LOCALHOST, PASSWORD};
use crate::sipp::free_port;
use anyhow::Result;

/// The numbers of workers it is tried with; the best counts.
pub const WORKERS: [u32; 3] = [1, 2, 4];

/// What it does, in a few words.
pub const CONFIGURATION: &str = "memory only, one password for all users, record-routing proxy";

/// Starts it with files of its own in that folder; it ends with the value.
pub fn start(folder: &Path, workers: u32) -> Result<(Process, SocketAddr)> {
    process::need("kamailio")?;
    let at = SocketAddr::new(LOCALHOST, free_port()?);
    let file = folder.join("kamailio.cfg");
    std::fs::write(&file, configuration(at, workers))?;
    let mut command = Command::new("kamailio");
    command.arg("-f").arg(&file).args(["-DD", "-E", "-m", "512", "-M", "16", "-Y"]).arg(folder);
    command.arg("-P").arg(folder.join("kamailio.pid"));
    let process = Process::start(&mut command, &folder.join("kamailio.log"))?;
    Ok((process.with_children(), at))
}

fn configuration(at: SocketAddr, workers: u32) -> String {
    let modules =
        ["tm", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar", "textops", "siputils", "auth"];
    let load: String = modules.iter().map(|it| format!("loadmodule \"{it}.so\"\n")).collect();
    format!(
        r#"debug=-1
children={workers}
listen=udp:{at}
disable_tcp=yes
auto_aliases=no
{load}
modparam("rr", "enable_full_lr", 1)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
request_route {{
    if (!mf_process_maxfwd_header("10")) exit;
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("dialtone", "{PASSWORD}", "0")) {{
            www_challenge("dialtone", "1");
            exit;
        }}
        save("location", "0x04");
        exit;
    }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (!pv_www_authenticate("dialtone", "{PASSWORD}", "0")) {{
        www_challenge("dialtone", "1");
        exit;
    }}
    consume_credentials();
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not found"); exit; }}
    t_relay();
}}
"#
    )
}
