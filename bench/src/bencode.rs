//! As much of bencoding as rtpengine's control protocol needs: dictionaries of strings.

/// A dictionary, its keys in the order given.
pub(crate) fn dictionary(pairs: &[(&str, &str)]) -> String {
    let strings = pairs.iter().flat_map(|(key, value)| [key, value]);
    let all: String = strings.map(|it| format!("{}:{it}", it.len())).collect();
    format!("d{all}e")
}

/// The string below a key, wherever it stands.
pub(crate) fn find<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let named = format!("{}:{key}", key.len());
    let rest = &text[text.find(&named)? + named.len()..];
    let (length, rest) = rest.split_once(':')?;
    rest.get(..length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let text = dictionary(&[("command", "offer"), ("sdp", "v=0\r\n")]);
        assert_eq!(text, "d7:command5:offer3:sdp5:v=0\r\ne");
        assert_eq!(find(&text, "sdp"), Some("v=0\r\n"));
        assert_eq!(find(&text, "result"), None);
    }
}
