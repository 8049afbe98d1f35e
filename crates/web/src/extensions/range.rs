//! Ranges of numbers: `100-199`.

use super::EXTENSIONS_PER_REQUEST_MAX;
use pbx::language::Text;
use pbx::text;

/// One number, or all of a range, which keeps the width of its first: 0100-0199 has leading zeros.
pub fn numbers(text: &str) -> Result<Vec<String>, Text> {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let Some((first, last)) = text.split_once('-').filter(|(a, b)| digits(a) && digits(b)) else {
        return Ok(vec![text.to_owned()]);
    };
    let number = |it: &str| {
        it.parse::<u64>()
            .map_err(|_| text!("{it} is too long for a range", "{it}太长，不能用于号段"))
    };
    let (from, to) = (number(first)?, number(last)?);
    let count = to
        .checked_sub(from)
        .ok_or_else(|| text!("the range ends before it begins", "号段的终点小于起点"))?;
    if first.len() > last.len() || (first.starts_with('0') && first.len() != last.len()) {
        return Err(text!(
            "both ends of a range have the same length",
            "号段的起点和终点长度应相同"
        ));
    }
    if count >= EXTENSIONS_PER_REQUEST_MAX as u64 {
        return Err(text!(
            "a range has at most {EXTENSIONS_PER_REQUEST_MAX} numbers",
            "号段最多包含{EXTENSIONS_PER_REQUEST_MAX}个号码"
        ));
    }
    let width = first.len();
    Ok((from..=to).map(|it| format!("{it:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_table() {
        #[rustfmt::skip]
        let table = [
            ("100",          Ok((1, "100", "100"))),
            ("100-102",      Ok((3, "100", "102"))),
            ("0100-0199",    Ok((100, "0100", "0199"))),
            ("99-101",       Ok((3, "99", "101"))),
            ("1000-10999",   Ok((10_000, "1000", "10999"))),
            ("front-desk",   Ok((1, "front-desk", "front-desk"))),
            ("102-100",      Err("the range ends before it begins")),
            ("099-1000",     Err("both ends of a range have the same length")),
            ("1-100001",     Err("a range has at most 100000 numbers")),
        ];
        for (text, expected) in table {
            let got = numbers(text);
            let got = got.as_ref().map(|it| (it.len(), &*it[0], &*it[it.len() - 1]));
            assert_eq!(got.map_err(|it| &*it.en), expected, "{text}");
        }
    }
}
