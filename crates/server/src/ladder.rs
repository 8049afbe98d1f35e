//! Shows SIP messages as a ladder: time, who to whom, what, and which dialog.
//!
//! ```text
//! 10:15:02.123  192.168.1.20:5060 ──▶ dialtone           INVITE sip:102@192.168.1.10    3c26700d
//! 10:15:02.124  192.168.1.20:5060 ◀── dialtone           100 Trying (INVITE)            3c26700d
//! ```

use pbx::language::Language;
use pbx::text;
use web::resource::Traced;

/// Characters of a Call-ID that are shown; enough to tell calls on one screen apart.
const CALL_ID_CHARACTERS: usize = 10;

/// One message as one line.
pub(crate) fn line(message: &Traced) -> String {
    let arrow = if message.sent { "◀──" } else { "──▶" };
    let peer = if message.transport == "udp" {
        message.remote.clone()
    } else {
        format!("{}/{}", message.remote, message.transport)
    };
    format!(
        "{}  {peer:<25} {arrow} {:<25} {:<38} {}",
        clock(message.unix_ms),
        message.local,
        what(&message.text),
        call_id(&message.text)
    )
    .trim_end()
    .to_owned()
}

/// The message whole, under a line that says when and between whom.
pub(crate) fn raw(message: &Traced, language: Language) -> String {
    let Traced { transport, remote, local, .. } = message;
    let time = clock(message.unix_ms);
    let head = if message.sent {
        text!(
            "{time} {transport} to {remote} at {local}",
            "{time} {transport} 发往{remote} 本端{local}"
        )
    } else {
        text!(
            "{time} {transport} from {remote} at {local}",
            "{time} {transport} 来自{remote} 本端{local}"
        )
    };
    format!("--- {}\n{}\n", head.get(language), message.text.replace("\r\n", "\n"))
}

/// Method and target, or status, reason and the method it answers.
fn what(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let cseq = header(text, "cseq", None).unwrap_or_default();
            let method = cseq.split_whitespace().nth(1).unwrap_or_default();
            format!("{} ({method})", status.trim_end())
        }
        None => first.trim_end().trim_end_matches("SIP/2.0").trim_end().to_owned(),
    }
}

fn call_id(text: &str) -> String {
    let whole = header(text, "call-id", Some("i")).unwrap_or_default();
    whole.chars().take(CALL_ID_CHARACTERS).collect()
}

/// The value of a header, by its name or its compact form (RFC 3261 §7.3.3).
pub(crate) fn header<'a>(text: &'a str, name: &str, compact: Option<&str>) -> Option<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        let found = found.trim_end();
        let named = found.eq_ignore_ascii_case(name)
            || compact.is_some_and(|it| found.eq_ignore_ascii_case(it));
        named.then(|| value.trim())
    })
}

/// The time of day in the zone of the machine.
fn clock(unix_ms: u64) -> String {
    let time =
        i64::try_from(unix_ms).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let zoned = time.map(|it| it.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(String::new, |it| it.strftime("%H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sent: bool, text: &str) -> Traced {
        Traced {
            unix_ms: 1_700_000_000_123,
            sent,
            transport: "udp".to_owned(),
            local: "10.0.0.1:5060".to_owned(),
            remote: "10.0.0.7:5062".to_owned(),
            call: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn line_table() {
        #[rustfmt::skip]
        let table = [
            (false, "INVITE sip:102@10.0.0.1 SIP/2.0\r\nCall-ID: 3c26700d57e4-x\r\n\r\n",
             "10.0.0.7:5062             ──▶ 10.0.0.1:5060             INVITE sip:102@10.0.0.1                3c26700d57"),
            (true, "SIP/2.0 180 Ringing\r\ni: 3c26\r\nCSeq: 1 INVITE\r\n\r\n",
             "10.0.0.7:5062             ◀── 10.0.0.1:5060             180 Ringing (INVITE)                   3c26"),
            (false, "\r\n",
             "10.0.0.7:5062             ──▶ 10.0.0.1:5060"),
        ];
        for (sent, text, expected) in table {
            let shown = line(&message(sent, text));
            assert_eq!(shown.split_once("  ").map(|it| it.1), Some(expected));
        }
    }

    #[test]
    fn the_time_has_milliseconds() {
        assert!(line(&message(true, "")).starts_with(&clock(1_700_000_000_123)));
        assert!(clock(1_700_000_000_123).ends_with(".123"));
    }

    #[test]
    fn raw_says_from_whom() {
        let shown = raw(&message(false, "OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\n"), Language::En);
        assert!(shown.contains("udp from 10.0.0.7:5062 at 10.0.0.1:5060\nOPTIONS"), "{shown}");
    }
}
