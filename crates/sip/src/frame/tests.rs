//! Streams in pieces of every size, and every way to end one (RFC 3261 §18.3, RFC 5626 §3.5.1).

#![allow(clippy::unwrap_used)]

use super::*;

const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
const BYE: &str = "BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n";

/// Everything found when the text comes in pieces of this size; a message shows as its text.
fn frames(text: &str, piece: usize) -> Result<Vec<String>, FrameErrorKind> {
    let mut framer = Framer::default();
    let mut found = Vec::new();
    for bytes in text.as_bytes().chunks(piece) {
        framer.push(bytes);
        while let Some(frame) = framer.next().map_err(|it| it.kind)? {
            found.push(match frame {
                Frame::Message(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Frame::Ping => "ping".into(),
            });
        }
    }
    assert!(!framer.incomplete());
    Ok(found)
}

#[test]
fn messages_and_pings_in_pieces_of_every_size() {
    let table = [
        (format!("{OPTIONS}{BYE}"), vec![OPTIONS, BYE]),
        (format!("\r\n\r\n{BYE}\r\n\r\n{OPTIONS}"), vec!["ping", BYE, "ping", OPTIONS]),
        ("\r\n\r\n\r\n\r\n".into(), vec!["ping", "ping"]),
        // Stray line breaks are no pings and hide none.
        (format!("\r\r\n\r\n\n\r\n\r\n\r{BYE}"), vec!["ping", "ping", BYE]),
        // One CRLF is the answer to a ping of ours, or idle noise before a message.
        (format!("\r\n{BYE}\r\n{OPTIONS}\r\n"), vec![BYE, OPTIONS]),
    ];
    for (text, expected) in table {
        for piece in 1..=text.len() {
            assert_eq!(frames(&text, piece).unwrap(), expected, "pieces of {piece}: {text:?}");
        }
    }
}

#[test]
fn lengths_are_read_as_the_parser_reads_them() {
    for length in [
        "Content-Length: 5",
        "Content-Length : 5",
        "content-length:5",
        "Content-Length:\r\n 5",
        "Content-Length: \r\n\t0005",
        "l: 5",
        "L :5",
    ] {
        let first = format!("OPTIONS sip:a SIP/2.0\r\n{length}\r\n\r\nhello");
        assert_eq!(frames(&format!("{first}{BYE}"), 7).unwrap(), [&first, BYE], "{length:?}");
    }
}

#[test]
fn a_body_of_requests_is_a_body() {
    let inner = format!("{BYE}{BYE}");
    let text = format!("OPTIONS sip:a SIP/2.0\r\nl: {}\r\n\r\n{inner}", inner.len());
    assert_eq!(frames(&text, 3).unwrap(), [text]);
}

#[test]
fn what_ends_a_stream() {
    let with = |lines: &str| format!("OPTIONS sip:a SIP/2.0\r\n{lines}\r\n\r\n{BYE}");
    let malformed = FrameErrorKind::Length(LengthError::Malformed);
    let duplicate = FrameErrorKind::Length(LengthError::Duplicate);
    let table = [
        (with("X: y"), FrameErrorKind::NoLength),
        (with("l: -1"), malformed),
        (with("l: 5x"), malformed),
        (with("l: 5, 5"), malformed),
        (with("l:"), malformed),
        (with("l: 5\r\nContent-Length: 6"), duplicate),
        (with("l: 0\r\nContent-Length: 0"), duplicate),
        (with("l: 65537"), FrameErrorKind::BodyTooLong),
        (with("l: 18446744073709551615"), FrameErrorKind::BodyTooLong),
        (with("l: 18446744073709551616"), FrameErrorKind::BodyTooLong),
        (format!("hello\r\n\r\n{BYE}"), FrameErrorKind::Parse(ParseError::StartLine)),
        (format!("GET / HTTP/1.1\r\n\r\n{BYE}"), FrameErrorKind::Parse(ParseError::StartLine)),
    ];
    for (text, expected) in table {
        for piece in [1, 7, text.len()] {
            assert_eq!(frames(&text, piece), Err(expected), "{text:?}");
        }
    }
}

#[test]
fn nothing_is_read_after_an_error_and_the_head_is_handed_out() {
    let mut framer = Framer::default();
    framer.push(b"OPTIONS sip:a SIP/2.0\r\nl: x\r\n\r\n");
    framer.push(BYE.as_bytes());
    let error = framer.next().unwrap_err();
    assert_eq!(&error.head[..], b"OPTIONS sip:a SIP/2.0\r\nl: x\r\n\r\n");
    framer.push(BYE.as_bytes());
    assert_eq!(framer.next(), Ok(None));
    assert!(!framer.incomplete());
    assert!(framer.buffer.is_empty());
}

#[test]
fn limits() {
    let mut framer = Framer::default();
    framer.push(&vec![b'a'; MAX_HEAD]);
    assert_eq!(framer.next().unwrap_err().kind, FrameErrorKind::Parse(ParseError::HeadTooLong));

    let mut framer = Framer::default();
    framer.push(b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nX: ");
    framer.push(&vec![b'a'; MAX_HEAD]);
    framer.push(b"\r\n\r\n");
    assert_eq!(framer.next().unwrap_err().kind, FrameErrorKind::Parse(ParseError::HeadTooLong));

    let body = "x".repeat(MAX_BODY);
    let text = format!("OPTIONS sip:a SIP/2.0\r\nl: {MAX_BODY}\r\n\r\n{body}");
    assert_eq!(frames(&text, 1000).unwrap().len(), 1);
}

#[test]
fn incomplete_means_a_message_has_begun() {
    let table = [
        ("", false),
        ("\r\n", false),
        ("\r\nB", true),
        ("BYE sip:a SIP/2.0\r\nl: 0\r\n\r", true),
        (BYE, false),
        (&OPTIONS[..OPTIONS.len() - 1], true),
    ];
    for (text, expected) in table {
        let mut framer = Framer::default();
        framer.push(text.as_bytes());
        while framer.next().unwrap().is_some() {}
        assert_eq!(framer.incomplete(), expected, "{text:?}");
    }
}

#[test]
fn a_head_that_is_not_utf8_is_framed_as_it_came() {
    let mut framer = Framer::default();
    let bytes = b"OPTIONS sip:a SIP/2.0\r\nSubject: \xd6\xd0\r\nl: 1\r\n\r\n\xff";
    framer.push(bytes);
    assert_eq!(framer.next(), Ok(Some(Frame::Message(Bytes::from_static(bytes)))));
}
