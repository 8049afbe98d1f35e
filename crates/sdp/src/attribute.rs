//! Attributes, `a=<name>[:<value>]` (RFC 8866 §5.13), of the session or of one m= section.

use crate::line::{Line, Lines, text};

/// One a= line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub name: &'a [u8],
    /// What stands behind the colon; `None` for a property attribute such as `a=sendonly`.
    pub value: Option<&'a [u8]>,
}

impl<'a> Attribute<'a> {
    pub(crate) fn of(line: &'a Line) -> Option<Self> {
        if line.kind() != b'a' {
            return None;
        }
        let value = line.value();
        Some(match value.iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let (name, rest) = value.split_at(colon);
                Self { name, value: Some(rest.get(1..).unwrap_or_default()) }
            }
            None => Self { name: value, value: None },
        })
    }

    /// The value as text, without white space around it. `None` where it is absent or not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        self.value.and_then(text).map(str::trim)
    }
}

pub(crate) fn iter(lines: &[Line]) -> impl Iterator<Item = Attribute<'_>> {
    lines.iter().filter_map(Attribute::of)
}

pub(crate) fn named<'a>(lines: &'a [Line], name: &str) -> impl Iterator<Item = Attribute<'a>> {
    iter(lines).filter(move |attribute| attribute.name == name.as_bytes())
}

pub(crate) fn find<'a>(lines: &'a [Line], name: &str) -> Option<Attribute<'a>> {
    named(lines, name).next()
}

/// Replaces the first attribute of this name, else appends it. Others of the name stay.
pub(crate) fn set(lines: &mut Lines, name: &str, value: Option<&str>) {
    let at = lines.iter().position(|line| is_named(line, name));
    let text = value.map(str::as_bytes).unwrap_or_default();
    let colon: &[u8] = if value.is_some() { b":" } else { b"" };
    let parts: [&[u8]; 3] = [name.as_bytes(), colon, text];
    match at.and_then(|at| lines.get_mut(at)) {
        Some(line) => line.set_value(&parts),
        None => lines.push(Line::new(b'a', &parts)),
    }
}

pub(crate) fn remove(lines: &mut Lines, name: &str) {
    remove_all(lines, &[name]);
}

/// Removes all attributes of these names.
pub(crate) fn remove_all(lines: &mut Lines, names: &[&str]) {
    let goes = |it: Attribute<'_>| names.iter().any(|name| it.name == name.as_bytes());
    lines.retain(|line| !Attribute::of(line).is_some_and(goes));
}

fn is_named(line: &Line, name: &str) -> bool {
    Attribute::of(line).is_some_and(|attribute| attribute.name == name.as_bytes())
}
