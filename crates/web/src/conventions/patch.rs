//! The body of a merge patch (RFC 7396): the fields as they were sent, and for the document the type that they change.

use crate::outside::Fields;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error as _, MapAccess, Visitor};
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
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            fields.insert(name, value);
        }
        Ok(fields)
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
        let patch: Patch<Row> = serde_json::from_str(r#"{"name":null}"#).unwrap();
        assert_eq!(Value::Object(patch.fields), json!({ "name": null }));
    }
}
