//! The rows of a grid: from the JSON of the API to what is written in it, and back.

use super::tables::Table;
use crate::pages::form::{Kind, Sent, read};
use crate::resource::Failure;
use pbx::text;
use serde_json::{Map, Value, json};

/// Most rows that one form brings back.
const ROWS_MAX: usize = 1000;

/// A row as it came: its place in the form, the row that it was, and what it is to be.
pub(super) struct Edited {
    pub(super) place: usize,
    /// Absent: it is new.
    pub(super) was: Option<u64>,
    /// Absent: it is to go.
    pub(super) row: Option<Value>,
}

/// The rows of a form, in their order. Those in which nothing stands are none.
pub(super) fn edited(table: &Table, sent: &Sent) -> Vec<Edited> {
    let mut rows: Vec<(usize, Sent)> = Vec::new();
    for (name, value) in sent {
        let parts = name.strip_prefix('r').and_then(|it| it.split_once('.'));
        let Some((place, name)) = parts.and_then(|(at, name)| Some((at.parse().ok()?, name)))
        else {
            continue;
        };
        let field = (name.to_owned(), value.clone());
        match rows.iter().rposition(|it| it.0 == place) {
            Some(at) => rows[at].1.push(field),
            None if rows.len() < ROWS_MAX => rows.push((place, vec![field])),
            None => {}
        }
    }
    rows.into_iter().filter_map(|(place, fields)| one(table, place, &fields)).collect()
}

fn one(table: &Table, place: usize, fields: &Sent) -> Option<Edited> {
    let of = |name: &str| fields.iter().find(|it| it.0 == name).map(|it| it.1.trim());
    let was = of("was").and_then(|it| it.parse().ok());
    // What is chosen from a list is always there, and says nothing by itself.
    let says = |kind: &Kind| {
        !matches!(kind, Kind::Choice(_) | Kind::Tagged(_) | Kind::Checks(_) | Kind::Check)
    };
    let mut telling = table.fields().iter().filter(|it| says(&it.kind));
    let written = telling.any(|it| of(it.path).is_some_and(|it| !it.is_empty()));
    let gone = of("delete").is_some() || !written;
    if gone && was.is_none() {
        return None;
    }
    let row = (!gone).then(|| read(table.columns, fields));
    Some(Edited { place, was, row })
}

/// All rows of the table, those of the form in the place of what they were. Rows without a number get the next one.
pub(super) fn merged(before: &Value, edited: &[Edited]) -> Vec<Value> {
    let shown =
        |row: &Value| edited.iter().any(|it| it.was.is_some() && it.was == row["id"].as_u64());
    let none = Vec::new();
    let before = before.as_array().unwrap_or(&none);
    let mut rows: Vec<Value> = before.iter().filter(|it| !shown(it)).cloned().collect();
    rows.extend(edited.iter().filter_map(|it| it.row.clone()).map(stored));
    let mut last = rows.iter().filter_map(|it| it["id"].as_u64()).max().unwrap_or(0);
    for row in &mut rows {
        if row.get("id").is_none() {
            last += 1;
            row["id"] = last.into();
        }
    }
    rows
}

/// What is not there has its default; the route as the API writes it.
pub(super) fn stored(row: Value) -> Value {
    let Value::Object(fields) = row else { return row };
    let kept = fields.into_iter().filter(|(_, value)| !value.is_null() && *value != "");
    let written = |(name, value): (String, Value)| {
        let value = if name == "route" { route(&value) } else { value };
        (name, value)
    };
    Value::Object(kept.map(written).collect::<Map<_, _>>())
}

/// A row as the grid writes it.
pub(super) fn shown(mut row: Value) -> Value {
    if let Some(route) = row.get_mut("route") {
        *route = written(route);
    }
    row
}

/// Letters for a number, and what is missing: the API would name them in its own words.
pub(super) fn unfit(table: &Table, edited: &[Edited]) -> Option<(usize, Failure)> {
    for it in edited {
        let Some(row) = &it.row else { continue };
        for field in table.fields() {
            let value = row.get(field.path).unwrap_or(&Value::Null);
            let is_number = matches!(field.kind, Kind::Number | Kind::NumberOrNone);
            let (en, zh) = (&field.label.en, &field.label.zh);
            let wrong = if is_number && value.is_string() {
                text!("{en}: it must be a number", "{zh}：应为数字")
            } else if matches!(field.kind, Kind::Tagged(_)) && has_letters(&route(value)) {
                text!("{en}: a number is needed here", "{zh}：此处应填写数字")
            } else if table.needed.contains(&field.path) && (value.is_null() || *value == "") {
                text!("{en}: it is missing", "{zh}：不能为空")
            } else {
                continue;
            };
            return Some((it.place, Failure::new(422, "invalid", wrong).at(field.path)));
        }
    }
    None
}

/// Whether a text stands where the route takes a number.
fn has_letters(route: &Value) -> bool {
    let of_trunk = &route["sip-trunk"];
    let listed = of_trunk["listed"].as_array().map(Vec::as_slice).unwrap_or_default();
    let single = [&route["reject"], &of_trunk["group"], &route["external-line"]["group"]];
    single.into_iter().chain(listed).any(Value::is_string)
}

/// From the grid to the API. What is no number stays a text, for the API to refuse.
fn route(value: &Value) -> Value {
    let Some((tag, text)) = value.as_object().and_then(|it| it.iter().next()) else {
        return if *value == "lines" {
            json!({ "external-line": "rotation" })
        } else {
            value.clone()
        };
    };
    let text = text.as_str().unwrap_or_default();
    let number = |it: &str| it.trim().parse::<u64>().map_or_else(|_| it.into(), Value::from);
    match tag.as_str() {
        "line" => json!({ "external-line": { "line": text } }),
        "line-group" => json!({ "external-line": { "group": number(text) } }),
        "trunk" => {
            let ids: Vec<Value> =
                text.split([',', '，', ' ']).filter(|it| !it.is_empty()).map(number).collect();
            json!({ "sip-trunk": { "listed": ids } })
        }
        "trunk-group" => json!({ "sip-trunk": { "group": number(text) } }),
        "reject" => json!({ "reject": number(text) }),
        other => json!({ other: text }),
    }
}

/// From the API to the grid.
fn written(route: &Value) -> Value {
    let of = |tag: &str, value: &Value| {
        let text = match value.as_array() {
            Some(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        json!({ tag: text })
    };
    if let Some(line) = route.get("external-line") {
        return match (line.get("line"), line.get("group")) {
            (Some(line), _) => of("line", line),
            (None, Some(group)) => of("line-group", group),
            (None, None) => "lines".into(),
        };
    }
    if let Some(trunk) = route.get("sip-trunk") {
        return match (trunk.get("listed"), trunk.get("group")) {
            (Some(listed), _) => of("trunk", listed),
            (None, group) => of("trunk-group", group.unwrap_or(&Value::Null)),
        };
    }
    match route.as_object().and_then(|it| it.iter().next()) {
        Some((tag, value)) => of(tag, value),
        None => route.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pages::dial_plan::tables::named;

    #[test]
    fn routes_are_written_and_read_alike() {
        for route in [
            json!("local-user"),
            json!({ "external-line": { "line": "1234" } }),
            json!({ "external-line": { "group": 2 } }),
            json!({ "external-line": "rotation" }),
            json!({ "sip-trunk": { "listed": [1, 2] } }),
            json!({ "sip-trunk": { "group": 3 } }),
            json!({ "service": "x" }),
            json!({ "feature-code": "echo" }),
            json!({ "reject": 403 }),
        ] {
            assert_eq!(super::route(&written(&route)), route, "{}", written(&route));
        }
    }

    #[test]
    fn rows_of_the_form_take_the_place_of_what_they_were() {
        let table = named("black-list").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sent = vec![
            pair("csrf", "x"),
            pair("r0.was", "1"),
            pair("r0.id", "1"),
            pair("r0.caller", "555"),
            pair("r1.was", "2"),
            pair("r1.id", "2"),
            pair("r1.delete", "on"),
            pair("r2.id", ""),
            pair("r2.caller", "*"),
            pair("r2.called", "9"),
            pair("r3.id", ""),
            pair("r3.caller", ""),
        ];
        let before = json!([{ "id": 1, "caller": "1" }, { "id": 2 }, { "id": 7, "caller": "7" }]);
        let rows = merged(&before, &edited(table, &sent));
        let expected = json!([
            { "id": 7, "caller": "7" },
            { "id": 1, "caller": "555" },
            { "id": 8, "caller": "*", "called": "9" },
        ]);
        assert_eq!(Value::Array(rows), expected);
        let wrong = vec![pair("r0.id", "x"), pair("r0.caller", "1")];
        assert_eq!(unfit(table, &edited(table, &wrong)).map(|it| it.0), Some(0));
        let table = named("analyze-called").unwrap();
        for (route, number, expected) in [
            ("reject", "403", None),
            ("reject", "no", Some("route")),
            ("trunk", "1, b", Some("route")),
        ] {
            let row =
                [pair("r0.prefix", "7"), pair("r0.route", route), pair("r0.route.value", number)];
            let found = unfit(table, &edited(table, &row.to_vec()));
            let field = found.and_then(|it| it.1.field);
            assert_eq!(field.as_deref(), expected, "{route} {number}");
        }
    }
}
