//! The body of a merge patch (RFC 7396): the fields as they were sent, and for the document the type that they change.

use crate::outside::Fields;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Some fields of a `T`; `null` is the default.
#[derive(Debug)]
pub(crate) struct Patch<T> {
    pub(crate) fields: Fields,
    of: PhantomData<fn() -> T>,
}

impl<'de, T> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once).map(|fields| Self { fields, of: PhantomData })
    }
}

/// Each field once. A map of serde would take the last one and say nothing.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::new();
        while let Some((name, Whole(value))) = map.next_entry::<String, Whole>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }
}

/// Any value, of whose fields none stands twice, however deep.
struct Whole(Value);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = vec![];
        while let Some(Whole(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Once.visit_map(map).map(Value::Object)
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Patch", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.remove("required");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.values_mut().for_each(or_null);
        }
        schema
    }
}

/// The schema, and null.
fn or_null(schema: &mut Value) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => {
            if !types.iter().any(|it| it == "null") {
                types.push("null".into());
            }
        }
        Some(Value::String(one)) => schema["type"] = json!([one, "null"]),
        _ => *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, clippy::unwrap_used)]
    use super::*;

    #[derive(JsonSchema)]
    struct Row {
        name: String,
        calls: Option<u8>,
        inner: Inner,
    }

    #[derive(JsonSchema)]
    struct Inner {
        on: bool,
    }

    #[test]
    fn every_field_may_be_left_out_or_null() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Patch<Row>>().to_value();
        assert_eq!(schema["required"], Value::Null);
        let properties = &schema["properties"];
        assert_eq!(properties["name"]["type"], json!(["string", "null"]));
        assert_eq!(properties["calls"]["type"], json!(["integer", "null"]));
        assert_eq!(properties["inner"]["anyOf"][1], json!({ "type": "null" }));
        let all = json!({ "name": null, "list": [true, 1, -1, 0.5, "x", { "on": {} }] });
        let patch: Patch<Row> = serde_json::from_str(&all.to_string()).unwrap();
        assert_eq!(Value::Object(patch.fields), all);
    }
}
