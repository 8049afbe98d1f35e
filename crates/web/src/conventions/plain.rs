//! What serde says of a value that does not fit, in the words of those who entered it.

use super::range::{is_whole, range};
use pbx::dialplan::levels::LEVEL_MAX;
use pbx::language::Text;
use pbx::text;

/// Of what was sent, as much as is told back.
const TOLD_CHARS_MAX: usize = 60;

/// The sentence in plain words where it is one of those that people meet, else as it is.
pub(crate) fn plain(about: &str) -> Text {
    plain_at("", about)
}

/// The same of the field of this name, where what is said of it does not name it.
pub(crate) fn plain_at(field: &str, about: &str) -> Text {
    let about = without_place(about.trim());
    let (path, what) = parted(about);
    let field = if path.is_empty() { field } else { path };
    let Some(said) = said(field, what) else {
        return text!("{about}", "请求无效：{about}");
    };
    match path {
        "" => said,
        path => text!("{path}: {}", "{path}：{}", said),
    }
}

/// A body that is no JSON; serde says in English what it met, and where.
pub(super) fn no_json(said: &str) -> Text {
    let place = said.rsplit_once(" at line ").and_then(|(_, it)| it.split_once(" column "));
    match place {
        Some((line, column)) => text!(
            "the body is no JSON: look at line {line}, column {column}",
            "请求内容不是有效的JSON：请检查第{line}行第{column}列"
        ),
        None => text!("the body is no JSON", "请求内容不是有效的JSON"),
    }
}

/// Whether this is the way to a value, as `change.calls` or `extensions[0].number`.
pub(super) fn is_path(text: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "._[]-".contains(it);
    !text.is_empty() && text.chars().all(is_part)
}

/// Where in the text it stands says nothing of what is wrong.
fn without_place(about: &str) -> &str {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let place = about.rsplit_once(" at line ").filter(|(_, place)| {
        place.split_once(" column ").is_some_and(|(line, column)| digits(line) && digits(column))
    });
    place.map_or(about, |it| it.0)
}

/// The way to a value, where it is told, and what is wrong with it.
fn parted(about: &str) -> (&str, &str) {
    about.split_once(": ").filter(|it| is_path(it.0)).unwrap_or(("", about))
}

fn said(field: &str, what: &str) -> Option<Text> {
    let name = what.split('`').nth(1).map(short);
    let expected = what.rsplit_once("expected ").map_or("", |(_, it)| it);
    let whole = || text!("it must be a whole number", "应为整数");
    let yes_or_no = || text!("it must be true or false", "应为true或false");
    match what {
        "invalid digit found in string" | "cannot parse integer from empty string" => Some(whole()),
        "number too large to fit in target type" => Some(range(field, "")),
        "provided string was not `true` or `false`" => Some(yes_or_no()),
        "invalid IP address syntax" => Some(text!("it must be an IP address", "应为IP地址")),
        _ if what.starts_with("a call level is ") => Some(text!(
            "a call level is a number from 1 to {LEVEL_MAX}",
            "呼叫级别应为1至{LEVEL_MAX}的整数"
        )),
        // Of a path.
        _ if what.starts_with("Invalid URL: Cannot parse ") => {
            name.map(|it| text!("{it} is no number", "{it}不是数字"))
        }
        _ if what.contains("Invalid UTF-8 in ") => {
            Some(text!("the address is no UTF-8 text", "地址不是有效的UTF-8文本"))
        }
        _ if what.starts_with("missing field ") => {
            name.map(|it| text!("{it} is missing", "缺少{it}"))
        }
        _ if what.starts_with("duplicate field ") => {
            name.map(|it| text!("{it} is there twice", "{it}重复"))
        }
        _ if what.starts_with("unknown field ") => {
            let known = named(what);
            name.map(|it| match known.is_empty() {
                true => text!("there is no field {it}", "没有字段{it}"),
                false => text!(
                    "there is no field {it}; there are {known}",
                    "没有字段{it}；可用的有：{known}"
                ),
            })
        }
        _ if what.starts_with("unknown variant ") => {
            let known = named(what);
            name.map(|it| {
                text!("{it} is not one of {known}", "{it}无效，取值应为其中之一：{known}")
            })
        }
        _ if what.starts_with("invalid value: integer") && is_whole(expected) => {
            Some(range(field, expected))
        }
        _ if what.starts_with("invalid type: ") => match expected {
            it if is_whole(it) => Some(whole()),
            "a boolean" => Some(yes_or_no()),
            "a string" => Some(text!("it must be a text", "应为文本")),
            "a sequence" => Some(text!("it must be a list", "应为列表")),
            it if it == "a map" || it.starts_with("struct ") => {
                Some(text!("it must be an object", "应为对象"))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What stands in backticks behind the first, as serde lists what there is.
fn named(what: &str) -> String {
    let quoted = what.split('`').skip(3).step_by(2);
    quoted.collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TOLD_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_table() {
        #[rustfmt::skip]
        let table = [
            ("calls: invalid value: integer `300`, expected u8 at line 1 column 9", "calls: it must be 1 to 100",        "calls：取值应为1至100"),
            ("change.ring_s: invalid value: integer `-1`, expected u16",            "change.ring_s: it must be 0 to 600", "change.ring_s：取值应为0至600"),
            ("options_s: invalid value: integer `70000`, expected u16",             "options_s: it must be 0 or 5 to 600", "options_s：取值应为0或5至600"),
            ("invalid value: integer `-4`, expected u32",                           "it must be 0 to 4294967295",        "取值应为0至4294967295"),
            ("limit: number too large to fit in target type",                       "limit: it is too large",            "limit：数值过大"),
            ("calls: invalid type: string \"x\", expected u8",                      "calls: it must be a whole number",  "calls：应为整数"),
            ("invalid type: string \"x: y\", expected a sequence",                  "it must be a list",                 "应为列表"),
            ("change: invalid type: null, expected struct Change at line 1 column 4", "change: it must be an object",    "change：应为对象"),
            ("limit: invalid digit found in string",                                "limit: it must be a whole number",  "limit：应为整数"),
            ("missing field `from` at line 1 column 2",                             "from is missing",                   "缺少from"),
            ("extensions[0].numbr: unknown field `numbr`, expected `number` or `name` at line 3 column 9", "extensions[0].numbr: there is no field numbr; there are number, name", "extensions[0].numbr：没有字段numbr；可用的有：number, name"),
            ("unknown field `x`, there are no fields",                              "there is no field x",               "没有字段x"),
            ("relay: unknown variant `x`, expected one of `always`, `auto`",        "relay: x is not one of always, auto", "relay：x无效，取值应为其中之一：always, auto"),
            ("levels: a call level is a number from 1 to 16 at line 1 column 14",   "levels: a call level is a number from 1 to 16", "levels：呼叫级别应为1至16的整数"),
            ("Invalid URL: Cannot parse `zz` to a `u32`",                           "zz is no number",                   "zz不是数字"),
            ("Invalid URL: Invalid UTF-8 in `number`",                              "the address is no UTF-8 text",      "地址不是有效的UTF-8文本"),
            ("something else",                                                      "something else",                    "请求无效：something else"),
        ];
        for (about, en, zh) in table {
            let text = plain(about);
            assert_eq!((&*text.en, &*text.zh), (en, zh), "{about}");
        }
        let long = plain(&format!("unknown field `{}`, there are no fields", "门".repeat(1000)));
        assert_eq!(long.zh.chars().count(), "没有字段".chars().count() + TOLD_CHARS_MAX + 1);
    }

    #[test]
    fn what_is_no_json_says_where() {
        let said = "Failed to parse the request body as JSON: expected ident at line 1 column 2";
        assert_eq!(no_json(said).zh, "请求内容不是有效的JSON：请检查第1行第2列");
        assert_eq!(no_json("x").en, "the body is no JSON");
    }
}
