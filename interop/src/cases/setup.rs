//! What many cases begin with: a server, registered phones, a call that is up.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};

use crate::dialog::Dialog;
use crate::message::Message;
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};

/// A running server with the extensions 100 to 109.
pub(super) fn office(context: &Context) -> Result<Server> {
    office_with(context, &[])
}

pub(super) fn office_with(context: &Context, settings: &[&str]) -> Result<Server> {
    let server = Server::start_with(context, settings)?;
    server.add("100-109", &[])?;
    Ok(server)
}

/// A phone over UDP, registered.
pub(super) fn registered(server: &Server, number: &str) -> Result<Phone> {
    registered_at(server, LOCALHOST, number)
}

pub(super) fn registered_at(server: &Server, local: IpAddr, number: &str) -> Result<Phone> {
    let mut phone = Phone::udp(local, server.udp(), number, PASSWORD)?;
    phone.register()?;
    Ok(phone)
}

/// One call between two phones, up, with what was said on the way.
pub(super) struct Up {
    pub(super) caller: Phone,
    pub(super) callee: Phone,
    pub(super) caller_dialog: Dialog,
    pub(super) callee_dialog: Dialog,
    pub(super) caller_media: Media,
    pub(super) callee_media: Media,
    /// As the callee got it.
    pub(super) invite: Message,
    /// As the caller got it.
    pub(super) answer: Message,
}

/// 100 calls 101, who answers.
pub(super) fn call(server: &Server) -> Result<Up> {
    let caller = registered(server, "100")?;
    let callee = registered(server, "101")?;
    connect(caller, callee)
}

/// The marks that the two media sockets of a call send.
pub(super) const CALLER_MARK: u8 = 0xAA;
pub(super) const CALLEE_MARK: u8 = 0xBB;

pub(super) fn connect(mut caller: Phone, mut callee: Phone) -> Result<Up> {
    let caller_media = Media::new(caller.wire.local()?.ip(), CALLER_MARK)?;
    let callee_media = Media::new(callee.wire.local()?.ip(), CALLEE_MARK)?;
    let number = callee.number.clone();
    let sent = caller.invite(&number, &caller_media.sdp()?)?;
    let invite = callee.expect_request("INVITE")?;
    callee.respond(&invite, 180, "Ringing")?;
    caller.expect(&sent, 180)?;
    let callee_dialog = callee.accept(&invite, &callee_media.sdp()?)?;
    let answer = caller.expect(&sent, 200)?;
    let caller_dialog = caller.ack(&sent, &answer)?;
    callee.expect_request("ACK").context("the callee's 200")?;
    Ok(Up {
        caller,
        callee,
        caller_dialog,
        callee_dialog,
        caller_media,
        callee_media,
        invite,
        answer,
    })
}

impl Up {
    /// The caller hangs up; both sides must see the end.
    pub(super) fn end(&mut self) -> Result<()> {
        self.caller.bye(&mut self.caller_dialog)?;
        self.confirm_bye()
    }

    /// The callee's side of the end.
    pub(super) fn confirm_bye(&mut self) -> Result<()> {
        let bye = self.callee.expect_request("BYE")?;
        ensure!(bye.text("Call-ID") == self.callee_dialog.call_id, "a BYE of another call");
        self.callee.respond(&bye, 200, "OK").map(drop)
    }
}
