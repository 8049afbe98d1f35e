//! The rows of the dial plan, of lines and trunks as JSON: which of them an edit changed, and how that is taken back.

use pbx::dialplan::Tables;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What a row is called by; a table that is not here is a list of names.
const KEYS: [(&str, &str); 9] = [
    ("transitions", "id"),
    ("callers", "id"),
    ("called", "id"),
    ("refine_caller", "id"),
    ("refine_called", "id"),
    ("black_list", "id"),
    ("features", "feature"),
    ("lines", "account"),
    ("trunks", "id"),
];

/// The secret field of a line, what stands for it, and for another one than before.
const SECRET: &str = "password";
const MASKED: &str = "***";
const MASKED_NEW: &str = "*** (new)";

/// Rows by table and name, with their secrets.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Rows(BTreeMap<(String, String), Value>);

/// What an edit changed: `{table: [rows]}` before and after.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    /// The table, or `dial_plan` where several rows changed.
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) secrets: Option<Secrets>,
}

/// Rows whose secret an edit changed, took away or brought, with their secrets, before and after: `{table: [rows]}`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    was: Value,
    is: Value,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Rows {
    pub(super) fn of(tables: &Tables) -> Self {
        // A struct of lists of plain values is an object of arrays.
        serde_json::to_value(tables).map(|it| Self::read(&it)).unwrap_or_default()
    }

    /// Rows as an entry has them.
    pub(super) fn read(tables: &Value) -> Self {
        let mut rows = BTreeMap::new();
        for (table, list) in tables.as_object().into_iter().flatten() {
            for row in list.as_array().into_iter().flatten() {
                rows.insert((table.clone(), name(table, row)), row.clone());
            }
        }
        Self(rows)
    }

    /// These rows with `wanted` in the place of those that are called as `gone` are, with the secrets that were kept, or
    /// else those they have.
    pub(super) fn replaced(mut self, gone: &Self, wanted: &Self, kept: Option<&Secrets>) -> Self {
        let kept = kept.map(|it| Self::read(&it.was)).unwrap_or_default();
        let secret = |rows: &Self, key| rows.0.get(key)?.get(SECRET).cloned();
        for (key, row) in &wanted.0 {
            let own = if kept.0.contains_key(key) { &kept } else { &self };
            let row = with_secret(row, secret(own, key));
            self.0.insert(key.clone(), row);
        }
        self.0.retain(|key, _| wanted.0.contains_key(key) || !gone.0.contains_key(key));
        self
    }

    /// Whether the secrets are still those that the edit left behind.
    pub(super) fn has(&self, kept: &Secrets) -> bool {
        let is = Self::read(&kept.is);
        is.0.iter()
            .all(|(key, row)| self.0.get(key).map(|it| it.get(SECRET)) == Some(row.get(SECRET)))
    }

    /// Those that are called as rows of `like` are, with their secrets masked.
    pub(super) fn like(&self, like: &Self) -> Self {
        let alike = self.0.iter().filter(|(key, _)| like.0.contains_key(*key));
        Self(alike.map(|(key, row)| (key.clone(), masked(row, MASKED))).collect())
    }

    /// The same whatever stands for secrets.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let plain = |it: &Self| -> BTreeMap<_, _> {
            it.0.iter().map(|(key, row)| (key.clone(), masked(row, MASKED))).collect()
        };
        plain(self) == plain(other)
    }

    /// Whether secrets of these rows are others in `is`, or gone.
    pub(super) fn lost_secrets(&self, is: &Self) -> bool {
        let is_lost = |(key, was): (&(String, String), &Value)| {
            let now = is.0.get(key).and_then(|row| row.get(SECRET));
            now.map_or_else(|| was.get(SECRET).is_some(), |it| it == MASKED_NEW)
        };
        self.0.iter().any(is_lost)
    }

    pub(super) fn tables(&self) -> Result<Tables, serde_json::Error> {
        serde_json::from_value(self.value())
    }

    /// `{table: [rows]}`.
    pub(super) fn value(&self) -> Value {
        let mut tables = Map::new();
        for ((table, _), row) in &self.0 {
            let list = tables.entry(table.clone()).or_insert_with(|| Value::Array(vec![]));
            if let Value::Array(list) = list {
                list.push(row.clone());
            }
        }
        Value::Object(tables)
    }

    fn shown(&self) -> Option<Value> {
        (!self.0.is_empty()).then(|| self.value())
    }
}

/// `None`: nothing changed.
pub(super) fn difference(before: &Rows, after: &Rows) -> Option<Difference> {
    let (mut was, mut is) = (Rows::default(), Rows::default());
    let (mut secrets_were, mut secrets_are) = (Rows::default(), Rows::default());
    for (key, row) in &before.0 {
        let new = after.0.get(key);
        if new != Some(row) {
            if new.and_then(|it| it.get(SECRET)) != row.get(SECRET) {
                secrets_were.0.insert(key.clone(), row.clone());
                secrets_are.0.extend(new.map(|it| (key.clone(), it.clone())));
            }
            was.0.insert(key.clone(), masked(row, MASKED));
        }
    }
    for (key, row) in &after.0 {
        let old = before.0.get(key);
        if old != Some(row) {
            if old.is_none() && row.get(SECRET).is_some() {
                secrets_are.0.insert(key.clone(), row.clone());
            }
            let is_new = old.is_some_and(|old| old.get(SECRET) != row.get(SECRET));
            is.0.insert(key.clone(), masked(row, if is_new { MASKED_NEW } else { MASKED }));
        }
    }
    let mut keys: Vec<&(String, String)> = was.0.keys().chain(is.0.keys()).collect();
    keys.sort();
    keys.dedup();
    let (kind, name) = match *keys {
        [] => return None,
        [(table, name)] => (table.clone(), name.clone()),
        ref many => (super::DIAL_PLAN.to_owned(), tables_of(many)),
    };
    let secrets = Secrets { was: secrets_were.value(), is: secrets_are.value() };
    let secrets =
        Some(secrets).filter(|_| !(secrets_were.0.is_empty() && secrets_are.0.is_empty()));
    Some(Difference { kind, name, before: was.shown(), after: is.shown(), secrets })
}

/// Numbers in their order, those that follow each other as `100-199`.
pub(super) fn ranges(numbers: &[String]) -> String {
    let mut numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    numbers.sort_by_key(|it| (it.len(), *it));
    let mut ranges: Vec<(&str, &str)> = vec![];
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if follows(last, number) => *last = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    let text = |(first, last): &(&str, &str)| {
        if first == last { (*first).to_owned() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn follows(last: &str, next: &str) -> bool {
    // Not of `+100`, which is a number to Rust and no end of a range.
    let number = |it: &str| it.parse::<u64>().ok().filter(|_| !it.starts_with('+'));
    last.len() == next.len()
        && number(last).zip(number(next)).is_some_and(|(a, b)| a.checked_add(1) == Some(b))
}

fn tables_of(keys: &[&(String, String)]) -> String {
    let mut tables: Vec<&str> = keys.iter().map(|it| &*it.0).collect();
    tables.dedup();
    tables.join(", ")
}

fn name(table: &str, row: &Value) -> String {
    let key = KEYS.iter().find(|(it, _)| *it == table).map(|(_, key)| *key);
    let name = key.and_then(|key| row.get(key)).unwrap_or(row);
    name.as_str().map_or_else(|| name.to_string(), str::to_owned)
}

fn masked(row: &Value, mask: &str) -> Value {
    let mut row = row.clone();
    if let Some(secret) = row.get_mut(SECRET) {
        *secret = mask.into();
    }
    row
}

/// With this one in the place of what stands for it.
fn with_secret(row: &Value, secret: Option<Value>) -> Value {
    let mut row = row.clone();
    if let Value::Object(fields) = &mut row {
        fields.remove(SECRET);
        fields.extend(secret.map(|it| (SECRET.to_owned(), it)));
    }
    row
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn ranges_table() {
        #[rustfmt::skip]
        let table: [(&[&str], &str); 5] = [
            (&["100"],                              "100"),
            (&["102", "100", "101", "200"],         "100-102, 200"),
            (&["99", "100", "099"],                 "99, 099-100"),
            (&["a", "b", "1", "2"],                 "1-2, a, b"),
            (&["+100", "+101"],                     "+100, +101"),
        ];
        for (numbers, expected) in table {
            let numbers: Vec<String> = numbers.iter().map(|&it| it.to_owned()).collect();
            assert_eq!(ranges(&numbers), expected);
        }
    }

    #[test]
    fn only_what_changed_is_told_and_no_secret() {
        let before = json!({
            "lines": [{ "account": "5678", "password": "old", "domain": "a" }],
            "called": [{ "id": 1, "prefix": "9" }, { "id": 2, "prefix": "8" }],
        });
        let mut after = before.clone();
        after["lines"][0]["password"] = "new".into();
        let rows = |it: &Value| Rows::read(it);
        let found = difference(&rows(&before), &rows(&after)).unwrap();
        assert_eq!((&*found.kind, &*found.name), ("lines", "5678"));
        let told = json!([found.before, found.after]).to_string();
        assert!(!told.contains("old") && !told.contains("\"new\""), "{told}");
        assert_eq!(found.after.unwrap()["lines"][0]["password"], MASKED_NEW);

        after["called"].as_array_mut().unwrap().remove(0);
        let found = difference(&rows(&before), &rows(&after)).unwrap();
        assert_eq!((&*found.kind, &*found.name), ("dial_plan", "called, lines"));
        assert_eq!(found.before.unwrap()["called"], json!([{ "id": 1, "prefix": "9" }]));
        assert_eq!(difference(&rows(&before), &rows(&before)), None);
    }

    #[test]
    fn rows_are_put_back_and_others_stay() {
        let now = Rows::read(&json!({ "called": [{ "id": 1, "x": 2 }, { "id": 3 }] }));
        let (was, is) = (
            json!({ "called": [{ "id": 1, "x": 1 }] }),
            json!({ "called": [{ "id": 1, "x": 2 }] }),
        );
        let back = now.replaced(&Rows::read(&is), &Rows::read(&was), None);
        assert_eq!(back.value(), json!({ "called": [{ "id": 1, "x": 1 }, { "id": 3 }] }));
    }
}
