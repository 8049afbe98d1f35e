//! What numbers and prefixes may be made of.

/// Longest prefix or number in a table.
pub const NUMBER_LENGTH_MAX: usize = 64;

/// Longest number that is dialled; what is longer is cut. Unit: octets.
pub const DIALLED_LENGTH_MAX: usize = 128;

/// The rule in words, for who wrote something else.
pub const NUMBER_RULE: &str =
    "must be at most 64 of digits, letters, +, *, #, -, . and _, without spaces";

/// Whether a text can be a number or a prefix; an empty one can.
pub fn is_number(text: &str) -> bool {
    let legal = |it: u8| it.is_ascii_alphanumeric() || b"+*#-._".contains(&it);
    text.len() <= NUMBER_LENGTH_MAX && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_table() {
        for text in ["", "9", "0086138", "+86", "*40*", "alice.b-c_d", "anonymous"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["9 0", "0138…", "(0)", "sip:1", &"1".repeat(65)] {
            assert!(!is_number(text), "{text}");
        }
    }
}
