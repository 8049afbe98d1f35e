//! Changes a row by a JSON merge patch (RFC 7396), and says which field does not fit.

use super::Fields;
use crate::conventions::plain_at;
use crate::nearest::nearest;
use crate::resource::Failure;
use pbx::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The one field whose own fields are changed one by one; all others are set as a whole.
const NESTED: &str = "interop";

/// Shown by no row, and repeated in no answer.
const SECRET: &str = "password";

/// The row with these fields in the place of its own; `null` is the default.
pub(super) fn patched<T: Serialize + DeserializeOwned>(
    row: &T,
    fields: Fields,
) -> Result<T, Failure> {
    // A struct of plain values is an object.
    let Ok(Value::Object(mut object)) = serde_json::to_value(row) else {
        return read(&Fields::new(), "", &Value::Null);
    };
    for (name, value) in fields {
        if name == NESTED
            && let Value::Object(inner) = &value
        {
            for (name, value) in inner {
                if let Some(Value::Object(nested)) = object.get_mut(NESTED) {
                    put(nested, name, value)?;
                    read::<T>(&object, name, value)?;
                }
            }
        } else {
            put(&mut object, &name, &value)?;
            read::<T>(&object, &name, &value)?;
        }
    }
    read(&object, "", &Value::Null)
}

fn put(object: &mut Fields, name: &str, value: &Value) -> Result<(), Failure> {
    if !object.contains_key(name) && name != SECRET {
        let nearest = nearest(name, object.keys().map(String::as_str));
        let detail = text!("there is no field {name}{}", "没有字段{name}{}", nearest);
        return Err(Failure::new(422, "invalid", detail));
    }
    if value.is_null() {
        // What is missing is read as its default.
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value.clone());
    }
    Ok(())
}

/// All else was legal before, so what does not fit is the value that was put last.
fn read<T: DeserializeOwned>(object: &Fields, name: &str, value: &Value) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(object.clone())).map_err(|error| {
        let detail = if name == SECRET {
            text!("{name}: it must be a text", "{name}：应为文本")
        } else {
            let error = plain_at(name, &error.to_string());
            text!("{name} = {value}: {}", "{name} = {value}：{}", error)
        };
        Failure::new(422, "invalid", detail).at(name)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::interop::{CallLimit, Reliable};
    use pbx::line::Line;
    use pbx::line::config::{Incoming, Password};
    use pbx::trunk::Trunk;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn fields_change_one_by_one() {
        let before = Line {
            account: "1234".into(),
            owner: Some("100".into()),
            password: Password("k7mfx2pq".into()),
            incoming: Incoming::Extension("100".into()),
            ..Line::default()
        };
        let change = json!({
            "domain": "sip.example.com", "owner": null, "calls_out_max": 4,
            "incoming": { "number": "138" }, "interop": { "reliable": "off" },
        });
        let expected = Line {
            domain: "sip.example.com".into(),
            owner: None,
            calls_out_max: CallLimit(Some(4)),
            incoming: Incoming::Number("138".into()),
            ..before.clone()
        };
        let after = patched(&before, fields(change)).unwrap();
        assert_eq!(after.interop.reliable, Reliable::Off);
        assert_eq!(Line { interop: before.interop.clone(), ..after.clone() }, expected);
        let back = json!({ "calls_out_max": null, "interop": { "reliable": null } });
        let back = patched(&after, fields(back)).unwrap();
        assert_eq!((back.calls_out_max, back.interop), (CallLimit::UNLIMITED, before.interop));
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table = [
            (json!({ "domian": "x" }),                "there is no field domian; the nearest is domain"),
            (json!({ "interop": { "dtfm": "rtp" } }), "there is no field dtfm; the nearest is dtmf"),
            (json!({ "expires_s": "soon" }),          "expires_s = \"soon\": it must be a whole number"),
            (json!({ "password": 1234 }),             "password: it must be a text"),
        ];
        for (change, expected) in table {
            let failure = patched(&Line::default(), fields(change)).unwrap_err();
            assert_eq!(&*failure.detail_en, expected);
        }
        let none = patched(&Trunk::default(), fields(json!({ "password": "x" })));
        assert!(none.is_err(), "a trunk has no password");
    }
}
