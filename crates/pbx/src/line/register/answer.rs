//! What a carrier's response to REGISTER says (RFC 3261 §10.2.4, §10.2.7, §10.2.8).

use sip::auth::client::Unanswerable;
use sip::message::{Contact, Expires, HeaderName, Message, MinExpires, StartLine, TypedHeader};

/// A response to REGISTER, or the lack of one, as the machine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx. How long our binding lives, where the response says so.
    Granted { expires_s: Option<u32> },
    /// 401 or 407, and whether it can be answered.
    Challenged(Result<(), Unanswerable>),
    /// 423: the binding asked for is too short.
    TooBrief { min_s: u32 },
    /// 3xx with an address that can be tried.
    Redirected,
    /// 400 for a CSeq that was right: the carrier wants a new Call-ID.
    InvalidCseq,
    /// Any other refusal.
    Refused { code: u16, retry_after: Option<u32> },
    /// No response at all.
    Unheard(Lack),
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nobody answered in time.
    Silent,
    /// The way broke.
    Broken,
    /// There is nowhere to send it.
    NoAddress,
}

/// Reads a final response; challenges and redirections are for its caller to judge.
///
/// `contact` is the user part of our Contact.
pub fn read(message: &Message<'_>, contact: &str) -> Answer {
    let code = message.status().unwrap_or_default();
    let retry_after = retry_after(message);
    match code {
        200..=299 => Answer::Granted { expires_s: granted(message, contact) },
        423 => match message.headers.find::<MinExpires>() {
            Ok(Some(it)) => Answer::TooBrief { min_s: it.0 },
            Ok(None) | Err(_) => Answer::Refused { code, retry_after },
        },
        400 if speaks_of_cseq(message) => Answer::InvalidCseq,
        _ => Answer::Refused { code, retry_after },
    }
}

/// The address a 3xx names first, as a URI.
pub fn redirection<'a>(message: &Message<'a>) -> Option<&'a str> {
    let is_3xx = message.status().is_some_and(|it| (300..400).contains(&it));
    sip::dialog::contact_uri(message).filter(|_| is_3xx)
}

/// How long our binding lives. A carrier lists every binding of the account, ours among them; some
/// list none, some write ours anew for the NAT they saw, some only say Expires.
fn granted(message: &Message<'_>, contact: &str) -> Option<u32> {
    let expires = message.headers.find::<Expires>().ok().flatten().map(|it| it.0);
    let contacts: Vec<Contact<'_>> =
        message.headers.each::<Contact<'_>>().filter_map(Result::ok).collect();
    let ours = contacts.iter().find(|it| {
        it.addr().and_then(|it| it.uri.user()).is_some_and(|it| it.eq_ignore_ascii_case(contact))
    });
    match (ours, contacts.as_slice()) {
        (Some(ours), _) => ours.expires().or(expires),
        (None, [one]) => one.expires().or(expires),
        (None, _) => expires,
    }
}

/// "Invalid CSeq number" stands in `P-Registrar-Error`, in Warning, or in the reason phrase.
fn speaks_of_cseq(message: &Message<'_>) -> bool {
    let phrase = match message.start {
        StartLine::Status { reason, .. } => reason,
        StartLine::Request { .. } => "",
    };
    let told = [message.headers.named("P-Registrar-Error"), message.headers.named("Warning")];
    told.into_iter().flatten().chain([phrase]).any(|it| {
        let it = it.to_ascii_lowercase();
        it.contains("cseq") && (it.contains("invalid") || it.contains("wrong"))
    })
}

/// Seconds of a Retry-After (RFC 3261 §20.33), whose comment and parameters say nothing to us.
fn retry_after(message: &Message<'_>) -> Option<u32> {
    let value = message.headers.get(HeaderName::RetryAfter)?;
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    Expires::parse(&value[..digits]).ok().map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(first: &str, lines: &[&str]) -> Answer {
        let text = format!("SIP/2.0 {first}\r\n{}\r\n\r\n", lines.join("\r\n"));
        let message = Message::parse(text.as_bytes()).expect("a response");
        read(&message, "abc")
    }

    #[test]
    fn answer_table() {
        let granted = |expires_s| Answer::Granted { expires_s };
        let refused = |code, retry_after| Answer::Refused { code, retry_after };
        #[rustfmt::skip]
        let table: [(&str, &[&str], Answer); 17] = [
            ("200 OK", &["Contact: <sip:abc@10.0.0.1>;expires=600"],                     granted(Some(600))),
            ("200 OK", &["Contact: <sip:abc@10.0.0.1>", "Expires: 300"],                 granted(Some(300))),
            ("200 OK", &["Contact: <sip:x@10.0.0.9>;expires=9, <sip:ABC@203.0.113.9:1024>;expires=600"],
                                                                                         granted(Some(600))),
            ("200 OK", &["Contact: <sip:x@10.0.0.9>;expires=9, <sip:y@10.0.0.8>;expires=8", "Expires: 300"],
                                                                                         granted(Some(300))),
            // Only one, written anew.
            ("200 OK", &["Contact: <sip:5678@10.0.0.1>;expires=60"],                     granted(Some(60))),
            ("200 OK", &["Expires: 300"],                                                granted(Some(300))),
            ("200 OK", &[],                                                              granted(None)),
            ("200 OK", &["Contact: <sip:abc@10.0.0.1>;expires=0"],                       granted(Some(0))),
            ("423 Interval Too Brief", &["Min-Expires: 1800"],                           Answer::TooBrief { min_s: 1800 }),
            ("423 Interval Too Brief", &[],                                              refused(423, None)),
            ("503 Service Unavailable", &["Retry-After: 120 (soon);duration=60"],        refused(503, Some(120))),
            ("503 Service Unavailable", &["Retry-After: soon"],                          refused(503, None)),
            ("400 Bad Request", &["P-Registrar-Error: Invalid CSeq number"],             Answer::InvalidCseq),
            ("400 Invalid CSeq", &[],                                                    Answer::InvalidCseq),
            ("400 Bad Request", &["Warning: 399 x \"Wrong CSeq\""],                      Answer::InvalidCseq),
            ("400 Bad CSeq header missing", &[],                                         refused(400, None)),
            ("403 Forbidden", &["P-Registrar-Error: Invalid CSeq number"],               refused(403, None)),
        ];
        for (first, lines, expected) in table {
            assert_eq!(answer(first, lines), expected, "{first} {lines:?}");
        }
    }
}
