//! What a browser sends back of a form, as the JSON that the API takes.

use super::{Field, Kind, Tab, at};
use serde_json::{Map, Value};

/// The fields of a form as they came, in their order.
pub(crate) type Sent = Vec<(String, String)>;

/// The values of all fields. A password that was left empty is not among them.
pub(crate) fn read(tabs: &[Tab], sent: &Sent) -> Value {
    let mut json = Value::Object(Map::new());
    for field in tabs.iter().flat_map(|it| it.fields) {
        if let Some(value) = value(field, sent) {
            set(&mut json, field.path, value);
        }
    }
    json
}

/// Those of `after` that differ from `before`.
pub(crate) fn changes(tabs: &[Tab], before: &Value, after: &Value) -> Value {
    let mut json = Value::Object(Map::new());
    for field in tabs.iter().flat_map(|it| it.fields) {
        let (old, new) = (at(before, field.path), at(after, field.path));
        // An absent text is an empty one.
        let same = old == new || (old.is_null() && new == "");
        if !same && has(after, field.path) {
            set(&mut json, field.path, new.clone());
        }
    }
    json
}

fn has(json: &Value, path: &str) -> bool {
    let mut names = path.split('.');
    names.try_fold(json, |json, name| json.get(name)).is_some()
}

fn value(field: &Field, sent: &Sent) -> Option<Value> {
    let one = || all(sent, field.path).next().unwrap_or_default().to_owned();
    let value = match &field.kind {
        Kind::Text | Kind::Listed(_) | Kind::Choice(_) => one().into(),
        Kind::Password => {
            // As it was written: a blank may be part of it.
            let written = sent.iter().find(|it| it.0 == field.path).map(|it| it.1.clone());
            return written.filter(|it| !it.is_empty()).map(Value::from);
        }
        Kind::ListedOrNone(_) => Some(one()).filter(|it| !it.is_empty()).into(),
        Kind::Number => number(&one()),
        Kind::NumberOrNone => Some(one()).filter(|it| !it.is_empty()).map(|it| number(&it)).into(),
        Kind::Check => all(sent, field.path).next().is_some().into(),
        Kind::Texts => parts(&one()).map(Value::from).collect(),
        Kind::Numbers => parts(&one()).map(number).collect(),
        Kind::Checks(_) => all(sent, field.path).map(Value::from).collect(),
        Kind::Tagged(variants) => {
            let tag = one();
            let takes = variants.iter().any(|it| it.0 == tag && it.2);
            let name = format!("{}.value", field.path);
            let value = all(sent, &name).next().unwrap_or_default();
            if takes { Map::from_iter([(tag, value.into())]).into() } else { tag.into() }
        }
    };
    Some(value)
}

/// Every value that came under this name.
fn all<'a>(sent: &'a Sent, name: &'a str) -> impl Iterator<Item = &'a str> {
    sent.iter().filter(move |it| it.0 == name).map(|it| it.1.trim())
}

fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|it: char| matches!(it, ',' | '，' | '、' | ';') || it.is_whitespace());
    parts.filter(|it| !it.is_empty())
}

fn set(json: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => json[path] = value,
        Some((name, rest)) => {
            if json.get(name).is_none() {
                json[name] = Value::Object(Map::new());
            }
            set(&mut json[name], rest, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::language::Text;
    use serde_json::json;

    const WORD: Text = Text::fixed("Word", "词");
    const CHOICES: &[super::super::Choice] = &[("always", WORD), ("never", WORD)];
    const VARIANTS: &[(&str, Text, bool)] = &[("owner", WORD, false), ("number", WORD, true)];
    const TABS: &[Tab] = &[Tab {
        id: "all",
        title: WORD,
        fields: &[
            Field::new("name", WORD, Kind::Text),
            Field::new("password", WORD, Kind::Password),
            Field::new("calls", WORD, Kind::Number),
            Field::new("limit", WORD, Kind::NumberOrNone),
            Field::new("enabled", WORD, Kind::Check),
            Field::new("interop.relay", WORD, Kind::Choice(CHOICES)),
            Field::new("interop.codecs", WORD, Kind::Texts),
            Field::new("levels", WORD, Kind::Numbers),
            Field::new("rights", WORD, Kind::Checks(CHOICES)),
            Field::new("incoming", WORD, Kind::Tagged(VARIANTS)),
        ],
    }];

    fn sent(fields: &[(&str, &str)]) -> Sent {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_sent_becomes_the_json_of_the_api() {
        let whole = sent(&[
            ("name", " Hall "),
            ("password", " x "),
            ("calls", "2"),
            ("limit", "0"),
            ("enabled", "on"),
            ("interop.relay", "never"),
            ("interop.codecs", "PCMA, PCMU\r\nopus"),
            ("levels", "1，3"),
            ("rights", "always"),
            ("rights", "never"),
            ("incoming", "number"),
            ("incoming.value", "100"),
        ]);
        let expected = json!({
            "name": "Hall", "password": " x ", "calls": 2, "limit": 0, "enabled": true,
            "interop": { "relay": "never", "codecs": ["PCMA", "PCMU", "opus"] },
            "levels": [1, 3], "rights": ["always", "never"], "incoming": { "number": "100" },
        });
        assert_eq!(read(TABS, &whole), expected);
        let empty = json!({
            "name": "", "calls": "two", "limit": null, "enabled": false,
            "interop": { "relay": "", "codecs": [] },
            "levels": [], "rights": [], "incoming": "owner",
        });
        let got =
            read(TABS, &sent(&[("calls", "two"), ("incoming", "owner"), ("incoming.value", "9")]));
        assert_eq!(got, empty);
    }

    #[test]
    fn only_what_differs_is_sent_on() {
        let before =
            json!({ "name": "Hall", "calls": 2, "interop": { "relay": "always", "codecs": [] } });
        let after =
            json!({ "name": "Door", "calls": 2, "interop": { "relay": "never", "codecs": [] } });
        let expected = json!({ "name": "Door", "interop": { "relay": "never" } });
        assert_eq!(changes(TABS, &before, &after), expected);
    }
}
