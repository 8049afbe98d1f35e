//! `;name=value` parameters, read from their text only when somebody asks.
//!
//! Shared by URIs and headers (RFC 3261 §19.1.1, §25.1 `generic-param`).

use super::text::{Octets, TOKEN, find, find_unquoted, quoted_len, strip_quotes, trim, trim_start};
use super::uri::same_text;

/// The parameters of a header or URI: checked text, walked on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Reads what follows a header's value: nothing, or `;`-led parameters whose names are tokens.
    /// Unquoted values may hold more than the grammar allows, as hosts and old phones need it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        Self::checked(text, &TOKEN, |_, _| {})
    }

    /// The same, and shows each parameter, so that those that everybody asks for are found with the
    /// same look.
    pub(crate) fn parse_with(
        text: &'a str,
        see: impl FnMut(&'a str, Option<&'a str>),
    ) -> Result<Self, &'static str> {
        Self::checked(text, &TOKEN, see)
    }

    /// Reads the parameters of a URI; names may hold escapes and more signs than a token.
    pub(crate) fn parse_uri(text: &'a str) -> Result<Self, &'static str> {
        Self::checked(text, &IN_URI_NAME, |_, _| {})
    }

    fn checked(
        text: &'a str,
        in_name: &Octets,
        mut see: impl FnMut(&'a str, Option<&'a str>),
    ) -> Result<Self, &'static str> {
        let text = trim(text);
        if text.is_empty() {
            return Ok(Self(""));
        }
        let list = text.strip_prefix(';').ok_or("text where a parameter should start")?;
        let mut rest = list;
        loop {
            let (name, value, next) = first_param(rest, in_name)?;
            see(name, value);
            match next {
                Some(next) => rest = next,
                None => return Ok(Self(list)),
            }
        }
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

/// A parameter, its value, and what follows the `;` behind it.
type Param<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Checks the parameter at the start of the text.
fn first_param<'a>(text: &'a str, in_name: &Octets) -> Result<Param<'a>, &'static str> {
    let text = trim_start(text);
    let (name, rest) = split_run(text, in_name);
    if name.is_empty() {
        return Err("bad parameter name");
    }
    let rest = trim_start(rest);
    let Some(value) = rest.strip_prefix('=') else {
        return Ok((name, None, next_param(rest, "bad parameter name")?));
    };
    let value = trim_start(value);
    let (value, rest) = match value.starts_with('"') {
        true => value.split_at(quoted_len(value).ok_or("unterminated quotes")?),
        false => split_run(value, &IN_VALUE),
    };
    let next = next_param(trim_start(rest), "stray sign in a parameter value")?;
    Ok((name, Some(value), next))
}

fn next_param<'a>(rest: &'a str, why: &'static str) -> Result<Option<&'a str>, &'static str> {
    if rest.is_empty() {
        return Ok(None);
    }
    rest.strip_prefix(';').map(Some).ok_or(why)
}

/// Splits off the longest start made of these octets only, of which all above 127 are one kind.
fn split_run<'a>(text: &'a str, octets: &Octets) -> (&'a str, &'a str) {
    let end = text.bytes().position(|it| !octets[usize::from(it)]).unwrap_or(text.len());
    text.split_at(end)
}

/// What a value without quotes is made of. More than the grammar has, as hosts stand there too
/// and old phones are careless.
static IN_VALUE: Octets = all_but(b" \t\r\n;,\"<>");

static IN_URI_NAME: Octets = all_but(b" \t\r\n;=\"<>");

const fn all_but(mut stray: &[u8]) -> Octets {
    let mut table = [true; 256];
    while let [octet, rest @ ..] = stray {
        table[*octet as usize] = false;
        stray = rest;
    }
    table
}

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
