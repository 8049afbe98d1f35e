//! The administration pages in a real browser. What each script sees it says itself; here is what it needs.

use std::cell::RefCell;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::setup::{CALLER_MARK, office, registered};
use crate::baresip::{Account, Baresip};
use crate::browser;
use crate::load::User;
use crate::phone::{Phone, SOON};
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};
use crate::sipp::{Sipp, free_port};

const ADMINISTRATOR: &str = "lin";
const ADMINISTRATOR_PASSWORD: &str = "Tea-41-lantern";

/// What the two phones of the first minute play.
const FIRST_HZ: u32 = 440;
const SECOND_HZ: u32 = 620;

/// So long each must hear the other. Unit: seconds.
const HEARD_S: f64 = 1.0;

/// Calls on the live board at a time, and who answers them, each for a group of callers.
const BOARD_CALLS: usize = 500;
const BOARD_GROUPS: usize = 20;
/// Calls that begin a second in each group: all are up after eight seconds, and for some seconds together.
const BOARD_RATE: u32 = 3;
const BOARD_TALK: Duration = Duration::from_secs(14);

/// What would fire if a page took it for markup.
const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>",
    "\\\"><img src=x onerror=alert(2)>",
    "'-alert(3)-'",
    "=cmd|' /C calc'!A0",
];

/// A server with ten extensions and an administrator, and what a script has to know of it.
pub(super) fn administered(context: &Context) -> Result<(Server, Value)> {
    let server = office(context)?;
    let password = context.folder.join("password");
    std::fs::write(&password, ADMINISTRATOR_PASSWORD)?;
    let file = password.to_string_lossy();
    server.json(&["admin", "add", ADMINISTRATOR, "--password-file", &file])?;
    let known = known(&server);
    Ok((server, known))
}

fn known(server: &Server) -> Value {
    json!({
        "url": format!("http://127.0.0.1:{}/", server.ports.http),
        "secure": format!("https://127.0.0.1:{}/", server.ports.https),
        "administrator": { "name": ADMINISTRATOR, "password": ADMINISTRATOR_PASSWORD },
    })
}

/// A fresh server, its set-up in the browser, two real phones by the cards it shows, and a call between them.
pub(super) fn browser_first_minute(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    let known = known(&server);
    let phones = RefCell::new(vec![]);
    browser::run(context, "first_minute", &known, |ask, given| {
        let text = |it: &str| given[it].as_str().with_context(|| format!("no {it}"));
        let mut phones = phones.borrow_mut();
        match ask {
            "register" => {
                let number = text("number")?;
                let account = Account {
                    number,
                    password: text("password")?,
                    server: server.udp(),
                    transport: "udp",
                    local: LOCALHOST,
                    tone_hz: if phones.is_empty() { FIRST_HZ } else { SECOND_HZ },
                    auto_answer: !phones.is_empty(),
                };
                phones.push(Baresip::start(&context.subfolder(number)?, account)?);
            }
            "talk" => {
                let [first, second] = &mut phones[..] else { bail!("not two phones") };
                first.dial(&format!("sip:101@{}", server.udp()))?;
                second.wait("CALL_ESTABLISHED")?;
                first.wait_heard(SECOND_HZ, HEARD_S)?;
                second.wait_heard(FIRST_HZ, HEARD_S)?;
                first.hang_up()?;
            }
            "leave" => phones.pop().context("no phone")?.leave()?,
            "try a wrong password" => {
                let stranger = Phone::udp(LOCALHOST, server.udp(), "101", "not-the-password");
                let refused = stranger?.try_register(3600)?.status();
                ensure!(refused == Some(401), "a wrong password is answered {refused:?}");
            }
            other => bail!("nobody does {other} here"),
        }
        Ok(json!(true))
    })
}

fn asks_nothing(ask: &str, _: &Value) -> Result<Value> {
    bail!("nobody does {ask} here")
}

/// A call that failed, for the pages about calls; its id.
fn failed_call(server: &Server, caller: &mut Phone) -> Result<String> {
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("109", &media.sdp()?)?;
    caller.expect(&sent, 480)?;
    let record = server.wait_records(1)?.pop().context("no record")?;
    Ok(record["call_id"].as_str().context("a record without id")?.to_owned())
}

/// Every page in both languages, on a small and a usual screen.
pub(super) fn browser_pages(context: &Context) -> Result<()> {
    let (server, mut known) = administered(context)?;
    let id = failed_call(&server, &mut registered(&server, "100")?)?;
    let more = [
        "/extensions/100",
        "/extensions/new",
        "/registrations/100",
        "/extensions/range",
        "/external-lines/new",
        "/sip-trunks/new",
        "/help",
        "/help/dial-plan",
        "/help/api",
        "/help/reference/settings",
        "/help/reference/lines",
    ];
    let more = more.map(str::to_owned).into_iter().chain([format!("/calls/{id}")]);
    known["more"] = more.collect();
    browser::run(context, "pages", &known, asks_nothing)
}

/// Everything that is kept is made, changed, found and deleted, in both languages.
pub(super) fn browser_crud(context: &Context) -> Result<()> {
    let (_server, known) = administered(context)?;
    browser::run(context, "crud", &known, asks_nothing)
}

/// Backups, webhooks, the certificate, sheets and captures, in both languages.
pub(super) fn browser_machine(context: &Context) -> Result<()> {
    let (server, known) = administered(context)?;
    let caller = RefCell::new(registered(&server, "100")?);
    browser::run(context, "machine", &known, |ask, _| match ask {
        // The server's own is as good as any.
        "certificate" => {
            Ok(std::fs::read_to_string(server.data.join("certs/self-signed.pem"))?.into())
        }
        "call" => {
            let mut caller = caller.borrow_mut();
            let media = Media::new(LOCALHOST, CALLER_MARK)?;
            let sent = caller.invite("109", &media.sdp()?)?;
            let answer = caller.expect(&sent, 480)?;
            caller.ack_refusal(&sent, &answer)?;
            Ok(json!(true))
        }
        other => bail!("nobody does {other} here"),
    })
}

/// Texts that want to be more than texts, from phones, forms, the API and sheets, stand on the pages as what they are,
/// and all that was there is still there.
pub(super) fn browser_hostile(context: &Context) -> Result<()> {
    let (server, mut known) = administered(context)?;
    let mut phone = Phone::udp(LOCALHOST, server.udp(), "100", PASSWORD)?;
    phone.extra = vec![
        ("User-Agent".to_owned(), HOSTILE.join(" ")),
        ("Subject".to_owned(), HOSTILE.join(" ")),
        ("X-Note".to_owned(), "'; DROP TABLE call_records; --".to_owned()),
    ];
    phone.register()?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    for text in HOSTILE {
        let sent = phone.invite_as(Some(text), "109", &media.sdp()?)?;
        phone.expect(&sent, 480)?;
    }
    // What is dialled is a text of the phone's too.
    for dialled in ["%3Cscript%3Ealert(6)%3C%2Fscript%3E", "1'%20OR%20'1'='1"] {
        let sent = phone.invite(dialled, &media.sdp()?)?;
        let mut status = None;
        while status < Some(200) {
            status = phone.response(&sent, SOON)?.context("no answer")?.status();
        }
        ensure!(status < Some(500), "{dialled}: {status:?}");
    }
    let records = server.wait_records(HOSTILE.len() + 2)?;
    let ids = records.iter().filter_map(|it| it["call_id"].as_str());
    known["calls"] = ids.map(|it| format!("/calls/{it}")).collect();
    known["texts"] = json!(["<script>alert(1)</script>", "<img src=x onerror=alert(2)>"]);
    browser::run(context, "hostile", &known, asks_nothing)?;
    let extensions = server.json(&["ext", "list"])?;
    let count = extensions.as_array().map_or(0, Vec::len);
    ensure!(count >= 10, "{count} extensions are left");
    server.wait_records(records.len())?;
    cells_are_inert(&server)
}

/// No cell of the call records is one that a spreadsheet would run.
fn cells_are_inert(server: &Server) -> Result<()> {
    let printed = server.cli(&["cdr", "export"])?;
    ensure!(printed.code == 0, "{printed:?}");
    let runs = |it: &&str| it.trim_start_matches('"').starts_with(['=', '+', '-', '@']);
    let cells = printed.stdout.split([',', '\n']).filter(|it| it.parse::<f64>().is_err());
    let found: Vec<&str> = cells.filter(runs).collect();
    ensure!(found.is_empty(), "cells that run: {found:?}");
    Ok(())
}

/// Five hundred calls on one page while they begin and end: every change within a second, and nothing jerks.
pub(super) fn browser_board(context: &Context) -> Result<()> {
    let (server, mut known) = administered(context)?;
    server.add("1000-1519", &["--calls", "100"])?;
    let users = User::range(1000, 520, PASSWORD);
    let (callers, callees) = users.split_at(BOARD_CALLS);
    let sipp = Sipp::new(context.subfolder("sipp")?, server.udp())?.talking(BOARD_TALK)?;
    let port = free_port()?;
    sipp.register(callers, free_port()?)?;
    sipp.register(callees, port)?;
    let _answering = sipp.callee(port)?;
    known["calls"] = json!(BOARD_CALLS);
    let (callers, callees) = (callers.to_vec(), callees.to_vec());
    let mut waiting = Some(move || {
        let groups: Vec<_> = callers.chunks(BOARD_CALLS / BOARD_GROUPS).zip(&callees).collect();
        sipp.call(&groups, BOARD_RATE)
    });
    let mut calling: Option<JoinHandle<Result<()>>> = None;
    browser::run(context, "board", &known, |ask, _| {
        match ask {
            "begin" => {
                let calls = waiting.take().context("they call already")?;
                let thread = std::thread::Builder::new().name("callers".to_owned());
                calling = Some(thread.spawn(calls)?);
            }
            "end" => {
                let calls = calling.take().context("nobody calls")?;
                calls.join().map_err(|_| anyhow!("the callers panicked"))??;
            }
            other => bail!("nobody does {other} here"),
        }
        Ok(json!(true))
    })?;
    server.wait_records(BOARD_CALLS).map(drop)
}

/// The page shows a call that begins, rings, is answered and ends, each within a second.
pub(super) fn browser_live(context: &Context) -> Result<()> {
    let (server, known) = administered(context)?;
    let up = RefCell::new(None);
    let caller = RefCell::new(registered(&server, "100")?);
    let callee = RefCell::new(registered(&server, "101")?);
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    browser::run(context, "live", &known, |ask, _| {
        let (mut caller, mut callee) = (caller.borrow_mut(), callee.borrow_mut());
        match ask {
            "call" => {
                let sent = caller.invite("101", &media.sdp()?)?;
                let invite = callee.expect_request("INVITE")?;
                callee.respond(&invite, 180, "Ringing")?;
                up.replace(Some((sent, invite)));
            }
            "answer" => {
                let (sent, invite) = up.take().context("nobody calls")?;
                callee.accept(&invite, &media.sdp()?)?;
                let answer = caller.expect(&sent, 200)?;
                caller.ack(&sent, &answer)?;
            }
            "hear the end" => {
                for phone in [&mut *caller, &mut *callee] {
                    let bye = phone.expect_request("BYE")?;
                    phone.respond(&bye, 200, "OK")?;
                }
            }
            other => bail!("nobody does {other} here"),
        }
        Ok(json!(true))
    })?;
    let record = server.wait_records(1)?.pop().context("no record")?;
    ensure!(record["release_code"] == "admin.hangup", "{record}");
    Ok(())
}
