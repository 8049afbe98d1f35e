//! Takes the secrets out of a SIP message before anybody is shown it.
//!
//! Masked are the values of credentials (RFC 7616 `response`, `cnonce`), basic credentials, SDES
//! keys (RFC 4568 `a=crypto`, RFC 4566 `k=`), ICE passwords and the digits of INFO bodies.

/// The message as text, secrets replaced by stars. What is not UTF-8 is shown as `�`.
pub(crate) fn masked(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let (head, body) = match text.find("\r\n\r\n") {
        Some(at) => text.split_at(at),
        None => (text.as_ref(), ""),
    };
    let head_lines = head.split_inclusive('\n');
    let mut shown = String::with_capacity(text.len());
    let mut in_credentials = false;
    let mut carries_digits = false;
    for line in head_lines {
        let folded = line.starts_with([' ', '\t']);
        if !folded {
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            in_credentials = matches!(name.as_str(), "authorization" | "proxy-authorization");
            let value = line.to_ascii_lowercase();
            carries_digits |=
                matches!(name.as_str(), "content-type" | "c") && value.contains("dtmf");
        }
        if in_credentials {
            shown.push_str(&mask_credentials(line));
        } else {
            shown.push_str(line);
        }
    }
    for line in body.split_inclusive('\n') {
        shown.push_str(&mask_body_line(line, carries_digits));
    }
    shown
}

fn mask_credentials(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    if let Some(at) = lower.find("basic ") {
        return format!("{}***{}", &line[..at + "basic ".len()], line_end(line));
    }
    let mut shown = line.to_owned();
    for name in ["response=", "cnonce="] {
        shown = mask_parameter(&shown, name);
    }
    shown
}

/// Replaces the value of every `name=value`, quoted or not.
fn mask_parameter(line: &str, name: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut shown = String::with_capacity(line.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find(name) {
        let at = from + found;
        let value = at + name.len();
        // `cnonce` ends in `nonce`; only a whole name counts.
        let whole = !lower[..at].ends_with(|it: char| it.is_ascii_alphanumeric());
        let end = if line[value..].starts_with('"') {
            line[value + 1..].find('"').map_or(line.len(), |it| value + it + 2)
        } else {
            line[value..].find([',', ' ', '\r', '\n']).map_or(line.len(), |it| value + it)
        };
        shown.push_str(&line[from..value]);
        shown.push_str(if whole { "***" } else { &line[value..end] });
        from = end;
    }
    shown.push_str(&line[from..]);
    shown
}

fn mask_body_line(line: &str, carries_digits: bool) -> String {
    let trimmed = line.trim_start();
    let lower = trimmed.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("a=crypto:") {
        let kept = rest.find("inline:").map_or(0, |it| it + "inline:".len());
        return format!("{}***{}", &trimmed[.."a=crypto:".len() + kept], line_end(line));
    }
    if lower.starts_with("k=") {
        return format!("k=***{}", line_end(line));
    }
    if lower.starts_with("a=ice-pwd:") {
        return format!("a=ice-pwd:***{}", line_end(line));
    }
    if carries_digits {
        if lower.starts_with("signal") && lower.contains('=') {
            return format!("Signal=*{}", line_end(line));
        }
        if !lower.starts_with("duration") && !trimmed.trim_end().is_empty() {
            return format!("*{}", line_end(line));
        }
    }
    line.to_owned()
}

fn line_end(line: &str) -> &str {
    &line[line.trim_end_matches(['\r', '\n']).len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_table() {
        #[rustfmt::skip]
        let table = [
            ("Authorization: Digest username=\"100\", nonce=\"abc\", response=\"0123\", cnonce=\"x\", nc=00000001\r\n\r\n",
             "Authorization: Digest username=\"100\", nonce=\"abc\", response=***, cnonce=***, nc=00000001\r\n\r\n"),
            ("authorization: Digest\r\n response=\"0123\"\r\nTo: <sip:response=1@x>\r\n\r\n",
             "authorization: Digest\r\n response=***\r\nTo: <sip:response=1@x>\r\n\r\n"),
            ("Proxy-Authorization: Basic YTpi\r\n\r\n",
             "Proxy-Authorization: Basic ***\r\n\r\n"),
            ("c: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20\r\na=sendrecv\r\n",
             "c: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***\r\na=sendrecv\r\n"),
            ("Content-Type: application/sdp\r\n\r\na=ice-pwd:secret\r\nk=clear:secret\r\n",
             "Content-Type: application/sdp\r\n\r\na=ice-pwd:***\r\nk=***\r\n"),
            ("Content-Type: application/dtmf-relay\r\n\r\nSignal=5\r\nDuration=160\r\n",
             "Content-Type: application/dtmf-relay\r\n\r\nSignal=*\r\nDuration=160\r\n"),
            ("Content-Type: application/dtmf\r\n\r\n5",
             "Content-Type: application/dtmf\r\n\r\n*"),
            ("Content-Type: text/plain\r\n\r\nSignal=5",
             "Content-Type: text/plain\r\n\r\nSignal=5"),
        ];
        for (message, expected) in table {
            assert_eq!(masked(message.as_bytes()), expected);
        }
    }
}
