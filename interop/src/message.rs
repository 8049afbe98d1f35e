//! SIP messages as the tests write and read them: a start line, headers in order, a body (RFC 3261 §7).
//!
//! Kept apart from `sip`, so that a fault of the server's parser cannot hide itself.

use std::fmt;

/// A request or a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn new(start: &str) -> Self {
        Self { start: start.to_owned(), headers: vec![], body: vec![] }
    }

    /// `None` for what is no SIP message, such as a keep-alive.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let mut headers = vec![];
        for line in lines {
            let (name, value) = line.split_once(':')?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Some(Self { start, headers, body: bytes[end + 4..].to_vec() })
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn with_sdp(self, sdp: &str) -> Self {
        Self { body: sdp.as_bytes().to_vec(), ..self.with("Content-Type", "application/sdp") }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// A header that every message of its kind has; empty where the server left it out.
    pub fn text(&self, name: &str) -> &str {
        self.header(name).unwrap_or_default()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request; for a response, that of the request it answers.
    pub fn method(&self) -> &str {
        match self.status() {
            Some(_) => self.text("CSeq").split_whitespace().nth(1).unwrap_or_default(),
            None => self.start.split(' ').next().unwrap_or_default(),
        }
    }

    pub fn cseq(&self) -> u32 {
        let number = self.text("CSeq").split_whitespace().next();
        number.and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    pub fn branch(&self) -> &str {
        parameter(self.text("Via"), "branch").unwrap_or_default()
    }

    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// As it goes over the wire, with its Content-Length (RFC 3261 §20.14).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The answer to a request: what RFC 3261 §8.2.6.2 copies, and a tag where To has none yet.
    pub fn answer(&self, status: u16, reason: &str, tag: &str) -> Self {
        let mut answer = Self::new(&format!("SIP/2.0 {status} {reason}"));
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in self.all(name) {
                let untagged = name == "To" && status > 100 && parameter(value, "tag").is_none();
                let value = if untagged { format!("{value};tag={tag}") } else { value.to_owned() };
                answer.headers.push((name.to_owned(), value));
            }
        }
        answer
    }
}

/// Like the wire, but with a line for each header.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

/// A parameter of a header value: `;name=value`, after the `>` where there is one.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').map_or(value, |at| &value[at..]);
    after.split(';').skip(1).find_map(|it| {
        let (key, value) = it.split_once('=').unwrap_or((it, ""));
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The URI within `<>`, or the value without its parameters.
pub fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let sent = Message::new("INVITE sip:101@[::1] SIP/2.0")
            .with("Via", "SIP/2.0/UDP [::1]:5062;branch=z9hG4bK1;rport")
            .with("To", "<sip:101@[::1];transport=udp>")
            .with("CSeq", "7 INVITE")
            .with_sdp("v=0\r\n");
        let read = Message::parse(&sent.to_bytes()).unwrap();
        assert_eq!(
            (read.method(), read.cseq(), read.branch(), read.text("content-length")),
            ("INVITE", 7, "z9hG4bK1", "5")
        );
        let answer = read.answer(180, "Ringing", "x");
        assert_eq!((answer.status(), answer.method()), (Some(180), "INVITE"));
        assert_eq!(answer.text("To"), "<sip:101@[::1];transport=udp>;tag=x");
        assert_eq!(Message::parse(b"\r\n\r\n").map(|it| it.start), Some(String::new()));
    }

    #[test]
    fn uri_and_parameter_table() {
        #[rustfmt::skip]
        let table = [
            ("<sip:a@b;transport=tcp>;tag=x",  "sip:a@b;transport=tcp", Some("x")),
            ("\"A\" <sip:a@b>",                "sip:a@b",               None),
            ("sip:a@b;tag=y",                  "sip:a@b",               Some("y")),
        ];
        for (value, expected_uri, tag) in table {
            assert_eq!((uri(value), parameter(value, "tag")), (expected_uri, tag), "{value}");
        }
    }
}
