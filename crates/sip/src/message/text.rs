//! Small text helpers that every header parser shares: white space, tokens, quotes, numbers.
//!
//! Below all views of a message; nothing here knows a header by name (RFC 3261 §25.1).

use std::borrow::Cow;

/// Octets by one question, answered by one look.
pub(crate) type Octets = [bool; 256];

/// Linear white space: what may surround separators, folds included (RFC 3261 §25.1 `LWS`).
pub(crate) fn is_lws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Cuts linear white space from both ends.
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if !is_lws(*first) && !is_lws(*last) => text,
        bytes => {
            let (start, end) = trimmed(bytes);
            &text[start..end]
        }
    }
}

/// Where the text without the linear white space at its ends starts and ends.
pub(crate) fn trimmed(bytes: &[u8]) -> (usize, usize) {
    let start = bytes.iter().position(|it| !is_lws(*it)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|it| !is_lws(*it)).map_or(start, |last| last + 1);
    (start, end)
}

/// The first place of an octet. Most header values are too short for a vector search to pay.
pub(crate) fn find(text: &str, octet: u8) -> Option<usize> {
    text.as_bytes().iter().position(|it| *it == octet)
}

/// Cuts linear white space from the front.
pub(crate) fn trim_start(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, ..] if !is_lws(*first) => text,
        bytes => &text[trimmed(bytes).0..],
    }
}

/// The octets of a `token` (RFC 3261 §25.1).
pub(crate) static TOKEN: Octets = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends below 128")]
        let it = octet as u8;
        table[octet] = it.is_ascii_alphanumeric()
            || matches!(it, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        octet += 1;
    }
    table
};

/// Whether the text is a `token` (RFC 3261 §25.1).
pub(crate) fn is_token(text: &str) -> bool {
    is_token_bytes(text.as_bytes())
}

/// [`is_token`] before the text is known to be UTF-8.
pub(crate) fn is_token_bytes(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|it| TOKEN[usize::from(*it)])
}

/// Decimal digits and nothing else. A number too big for `u64` becomes `u64::MAX`, so that every
/// range check after it fails as it should.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |sum, it| {
        it.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(it - b'0')))
    })
}

/// The position of the first `separator` that is not inside a quoted string. In an unterminated
/// quoted string there is none.
pub(crate) fn find_unquoted(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == separator {
            return Some(at);
        }
        at += if bytes[at] == b'"' { quoted_len(&text[at..])? } else { 1 };
    }
    None
}

/// The length of the quoted string the text starts with, quotes included.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    debug_assert_eq!(bytes.first(), Some(&b'"'));
    let mut at = 1;
    loop {
        let hit = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[hit] == b'"' {
            return Some(hit + 1);
        }
        at = hit + 2;
    }
}

/// The inside of a quoted string as written, escapes kept; other text as it is.
pub(crate) fn strip_quotes(text: &str) -> &str {
    text.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(text)
}

/// The meaning of a quoted string: quotes cut, escapes resolved (RFC 3261 §25.1 `quoted-pair`),
/// folds turned into one space. Other text as it is, without its folds.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = strip_quotes(text);
    let quoted = inner.len() != text.len();
    if memchr::memchr3(b'\\', b'\r', b'\n', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(it) = chars.next() {
        match it {
            '\\' if quoted => out.extend(chars.next()),
            '\r' | '\n' => {
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_saturate_instead_of_wrapping() {
        let table = [
            ("0", Some(0)),
            ("0068", Some(68)),
            ("4294967296", Some(4_294_967_296)),
            ("36893488147419103232", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1 2", None),
            ("1a", None),
        ];
        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn unquote_table() {
        let table = [
            (r#""Bob""#, "Bob"),
            (r#""J Rosenberg \\\"""#, r#"J Rosenberg \""#),
            ("Bob", "Bob"),
            ("\"a\r\n b\"", "a b"),
            ("\"a \r\n\t b\"", "a b"),
            (r#""""#, ""),
            (r#"""#, r#"""#),
            (r#"a\b"#, r#"a\b"#),
        ];
        for (text, expected) in table {
            assert_eq!(unquote(text), expected, "{text:?}");
        }
    }

    #[test]
    fn separators_inside_quotes_do_not_count() {
        assert_eq!(find_unquoted(r#"a="x;y";b"#, b';'), Some(7));
        assert_eq!(find_unquoted(r#"a="x\";y";b"#, b';'), Some(9));
        assert_eq!(find_unquoted(r#"a="x;y"#, b';'), None);
        assert_eq!(find_unquoted(r#"a="x\"#, b';'), None);
        assert_eq!(find_unquoted("", b';'), None);
    }
}
