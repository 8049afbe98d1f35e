//! `;name=value` parameters, read from their text only when somebody asks.
//!
//! Shared by URIs and headers (RFC 3261 §19.1.1, §25.1 `generic-param`).

use super::text::{Octets, find, find_unquoted, is_token, quoted_len, strip_quotes, trim};
use super::uri::same_text;

/// The parameters of a header or URI: checked text, walked on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Reads what follows a header's value: nothing, or `;`-led parameters whose names are tokens.
    /// Unquoted values may hold more than the grammar allows, as hosts and old phones need it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        Self::checked(text, is_token)
    }

    /// Reads the parameters of a URI; names may hold escapes and more signs than a token.
    pub(crate) fn parse_uri(text: &'a str) -> Result<Self, &'static str> {
        Self::checked(text, |name| !name.is_empty())
    }

    fn checked(text: &'a str, is_name: fn(&str) -> bool) -> Result<Self, &'static str> {
        let text = trim(text);
        if text.is_empty() {
            return Ok(Self(""));
        }
        let Some(list) = text.strip_prefix(';') else {
            return Err("text where a parameter should start");
        };
        if list.is_empty() {
            return Err("empty parameter");
        }
        let params = Self(list);
        for (name, value) in params {
            if !is_name(name) {
                return Err("bad parameter name");
            }
            if let Some(value) = value {
                check_value(value)?;
            }
        }
        Ok(params)
    }

    /// The parameter of this name, in any case: `None` where it is absent, `Some(None)` where it
    /// has no value. Quoted values keep their quotes.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.into_iter().find(|(it, _)| same_text(it, name)).map(|(_, value)| value)
    }

    /// The value of the parameter of this name; `None` also where it has none.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }

    /// The value without its quotes; escapes stay.
    pub fn unquoted(&self, name: &str) -> Option<&'a str> {
        self.value(name).map(strip_quotes)
    }

    /// The parameters as written, without the `;` they start with.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> ParamsIter<'a> {
        ParamsIter(if self.0.is_empty() { None } else { Some(self.0) })
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a str, Option<&'a str>);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}

/// Walks parameters as `(name, value)`.
#[derive(Clone, Debug)]
pub struct ParamsIter<'a>(Option<&'a str>);

impl<'a> Iterator for ParamsIter<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0?;
        let one = match find_unquoted(text, b';') {
            Some(end) => {
                self.0 = Some(&text[end + 1..]);
                &text[..end]
            }
            None => {
                self.0 = None;
                text
            }
        };
        Some(match find(one, b'=') {
            Some(at) => (trim(&one[..at]), Some(trim(&one[at + 1..]))),
            None => (trim(one), None),
        })
    }
}

fn check_value(value: &str) -> Result<(), &'static str> {
    if value.starts_with('"') {
        return match quoted_len(value) {
            Some(len) if len == value.len() => Ok(()),
            Some(_) => Err("text after a quoted parameter value"),
            None => Err("unterminated quotes"),
        };
    }
    let is_stray = value.bytes().any(|it| STRAY[usize::from(it)]);
    if is_stray { Err("stray sign in a parameter value") } else { Ok(()) }
}

/// What cannot stand in a value without quotes.
static STRAY: Octets = {
    let mut table = [false; 256];
    let mut stray: &[u8] = b" \t\r\n\"<>,";
    while let [octet, rest @ ..] = stray {
        table[*octet as usize] = true;
        stray = rest;
    }
    table
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_accepted() {
        let table = [
            ("", ""),
            ("  \r\n ", ""),
            (";lr", "lr"),
            (";tag=a;q=0.5", "tag=a q=0.5"),
            (" ; newparam =\r\n      newvalue ;\r\n  q = 0.33", "newparam=newvalue q=0.33"),
            (r#";a="x;y=\"z";b"#, r#"a="x;y=\"z" b"#),
            (";received=[2001:db8::9:255];e=", "received=[2001:db8::9:255] e="),
        ];
        for (text, expected) in table {
            let params = Params::parse(text).unwrap();
            let shown: Vec<_> = params
                .iter()
                .map(|(name, value)| value.map_or_else(|| name.into(), |it| format!("{name}={it}")))
                .collect();
            assert_eq!(shown.join(" "), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        for text in
            ["x", ";", ";;a", ";a;", "; =b", ";a=\"b", ";a=\"b\"c", ";a=b c", ";a b=c", ";a=<b>"]
        {
            assert!(Params::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lookup_ignores_case_and_tells_absent_from_empty() {
        let params = Params::parse(";RPort;Tag=aB;%6Cr").unwrap();
        assert_eq!(params.get("rport"), Some(None));
        assert_eq!(params.value("tag"), Some("aB"));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.get("maddr"), None);
    }
}
