//! The text of a line's REGISTER (RFC 3261 §10.2).

use super::Line;
use super::register::Registration;
use crate::call::headers::ALLOW;
use crate::interop::{escape_user, parameters};
use bytes::Bytes;
use sip::Transport;
use sip::auth::client::Account;
use sip::dialog::LocalEnd;
use sip::endpoint::Branch;
use sip::message::{Method, Writer};

/// Writes the REGISTER that the machine asked for. `end` is ours on the way it goes, with the tag
/// that our Contact has.
pub fn register(
    line: &Line,
    registration: &mut Registration,
    account: &Account<'_>,
    (end, branch): (LocalEnd, Branch),
    expires_s: u32,
    cnonce: &str,
) -> Bytes {
    let uri = registrar(line);
    let mut writer = Writer::request(Method::Register, &uri);
    writer.header("Via", end.via(branch));
    if let Some(route) = outbound_route(line) {
        writer.text_header("Route", &route);
    }
    writer.header("Max-Forwards", 70);
    let of_record = format!("<sip:{}@{}>", escape_user(&line.account), line.domain);
    writer.header("From", format_args!("{of_record};tag={}", end.tag));
    writer.header("To", &of_record);
    let ids = &registration.ids;
    writer.header("Call-ID", &ids.call_id);
    writer.header("CSeq", format_args!("{} REGISTER", ids.cseq));
    writer.header("Contact", end.contact());
    writer.header("Expires", expires_s);
    // RFC 3327 §5.1: a proxy on the way may add itself.
    writer.header("Supported", "path");
    writer.header("Allow", ALLOW);
    registration.auth.write(&mut writer, account, Method::Register, &uri, cnonce);
    writer.finish()
}

/// The Request-URI of its REGISTERs.
pub fn registrar(line: &Line) -> String {
    format!("sip:{}{}", line.domain, parameters(&line.uri_parameters))
}

/// The route to the outbound proxy, where there is one (RFC 3261 §8.1.2).
pub fn outbound_route(line: &Line) -> Option<Box<str>> {
    let transport = match line.transport.fixed() {
        Some(Transport::Udp) | None => "",
        Some(Transport::Tcp) => ";transport=tcp",
    };
    let proxy = &line.outbound_proxy;
    (!proxy.is_empty()).then(|| format!("<sip:{proxy}{transport};lr>").into())
}
