//! What serde says of a value that does not fit, in the words of those who entered it.

use pbx::language::Text;
use pbx::text;

/// The whole numbers that fields hold, as serde names them.
const NUMBERS: [&str; 4] = ["u8", "u16", "u32", "u64"];

/// The sentence in plain words where it is about a number, else as it is.
pub(crate) fn plain(about: &str) -> Text {
    let expected = about.rsplit_once("expected ").map_or("", |(_, rest)| rest);
    let expected = expected.split([' ', ',']).next().unwrap_or_default();
    let path = about.split_once(": invalid ").map_or("", |(path, _)| path);
    let (en, zh) = if path.is_empty() {
        (String::new(), String::new())
    } else {
        (format!("{path}: "), format!("{path}："))
    };
    let is_value = about.contains("invalid value: integer");
    let is_type = about.contains("invalid type: ");
    match NUMBERS.contains(&expected) {
        true if is_value => text!("{en}it is out of range", "{zh}超出取值范围"),
        true if is_type => text!("{en}it must be a whole number", "{zh}应为整数"),
        _ => text!("{about}", "请求无效：{about}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_table() {
        #[rustfmt::skip]
        let table = [
            ("calls: invalid value: integer `300`, expected u8 at line 1 column 9", "calls: it is out of range",         "calls：超出取值范围"),
            ("invalid value: integer `-4`, expected u32",                           "it is out of range",                "超出取值范围"),
            ("calls: invalid type: string \"x\", expected u8",                      "calls: it must be a whole number",  "calls：应为整数"),
            ("invalid type: string \"x\", expected a sequence",                     "invalid type: string \"x\", expected a sequence", "请求无效：invalid type: string \"x\", expected a sequence"),
            ("unknown field `numbr`, expected `number`",                            "unknown field `numbr`, expected `number`", "请求无效：unknown field `numbr`, expected `number`"),
        ];
        for (about, en, zh) in table {
            let text = plain(about);
            assert_eq!((&*text.en, &*text.zh), (en, zh), "{about}");
        }
    }
}
